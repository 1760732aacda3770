"""Whole architectures in and out, h5 and tf, judged by tf-keras itself."""
import pytest
from applications import APPLICATIONS
from conftest import same, sha256
from zoo import arrays, check_arrays, fill


@pytest.mark.parametrize("name", list(APPLICATIONS))
def test_an_architecture_in_h5_comes_back_and_becomes_a_checkpoint(
        name, application, wh):
    model = application(name)
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs.h5")
    assert wh.commit(wh.folder / "theirs.h5")["reproducible"]
    assert sorted(row["sha256"] for row in wh.ls()) == sorted(
        sha256(array) for array in expected)
    wh("save-weights", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    wh.quiet("save-weights", "ours", "--save-format", "tf")
    fill(model, 2)
    model.load_weights(wh.folder / "ours").assert_consumed()
    check_arrays(model, expected)


@pytest.mark.parametrize("name", list(APPLICATIONS))
def test_an_architecture_in_tf_comes_back_and_becomes_an_h5_file(
        name, application, wh):
    model = application(name)
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs")
    assert wh.commit(wh.folder / "theirs")["reproducible"]
    wh("save-weights", "ours", "--save-format", "tf", "--canonical")
    for suffix in ("index", "data-00000-of-00001"):
        assert same(wh.folder / f"ours.{suffix}",
                    wh.folder / f"theirs.{suffix}")
    wh.quiet("convert", "theirs", "ours.h5")
    fill(model, 2)
    model.load_weights(wh.folder / "ours.h5")
    check_arrays(model, expected)
