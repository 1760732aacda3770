"""What other tools see in a file is what `wh ls` says; limits of the formats
are where the real writers have them; what can't be held is named."""
import hashlib
import re
import subprocess

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from conftest import same
from tf_keras.src.saving.legacy import hdf5_format
from zoo import BY_NAME, NEEDS_CONFIG, arrays, fill

SEEN = ["batch_norm", "lstm", "scalars_and_integers", "float16",
        "nested_with_a_frozen_layer", "subclassed_with_its_own_weight"]


def make(name):
    keras.backend.clear_session()
    model = BY_NAME[name].make()
    fill(model, 1)
    return model


# ---- h5dump, of another HDF5 than h5py's -----------------------------------

def dump(*words):
    return subprocess.run(["h5dump", *map(str, words)], check=True,
                          capture_output=True, text=True).stdout


def in_group(row):
    layer = row["layer"] or "top_level_model_weights"
    return f"/{layer}/{row['name']}"


@pytest.mark.parametrize("name", SEEN)
def test_h5dump_sees_what_is_listed(name, wh):
    make(name).save_weights(wh.folder / "theirs.h5")
    wh.commit(wh.folder / "theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    rows, payload = wh.ls(), wh.folder / "payload"
    assert len(rows) == len(re.findall(r"\bDATASET \"",
                                       dump("-H", wh.folder / "ours.h5")))
    for row in rows:
        if row["shape"].count(0):
            continue
        payload.unlink(missing_ok=True)
        dump("-d", in_group(row), "-b", "FILE", "-o", payload,
             wh.folder / "ours.h5")
        assert hashlib.sha256(
            payload.read_bytes()).hexdigest() == row["sha256"], row


# ---- Lists, split by Keras's own function ------------------------------------

def write_layers(path, names, write_list=None):
    """A model of layers without weights, as Keras 2 writes it."""
    write_list = write_list or hdf5_format.save_attributes_to_hdf5_group
    with h5py.File(path, "w") as file:
        write_list(file, "layer_names", [n.encode() for n in names])
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = keras.__version__.encode()
        for name in [*sorted(names), "top_level_model_weights"]:
            hdf5_format.save_attributes_to_hdf5_group(
                file.create_group(name), "weight_names", [])


def read_layers(path):
    with h5py.File(path) as file:
        return hdf5_format.load_attributes_from_hdf5_group(file,
                                                           "layer_names")


@pytest.mark.parametrize("n, length, parts", [
    (3225, 20, 0), (3226, 20, 2), (4091, 5, 0), (12903, 5, 2), (33, 2000, 2)])
def test_hdf5_8_26_27_lists_are_split_as_keras_splits_them(n, length, parts, wh):
    names = [f"{k:0{length}d}" for k in range(n)]
    write_layers(wh.folder / "theirs.h5", names)
    wh.commit(wh.folder / "theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "ours.h5") as file:
        assert len([key for key in file.attrs
                    if re.fullmatch(r"layer_names\d+", key)]) == parts


def test_hdf5_8_27_lists_that_keras_itself_cannot_save_are_split(wh):
    """4,092 short names: too large a header, but Keras doesn't see it."""
    names = [f"{k:05d}" for k in range(4092)]
    with pytest.raises(OSError, match="header message is too large"):
        write_layers(wh.folder / "failed.h5", names)

    def fixed(file, key, items):
        file.attrs[key] = np.array(items)
    write_layers(wh.folder / "fixed.h5", names, fixed)
    wh.commit(wh.folder / "fixed.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert read_layers(wh.folder / "ours.h5") == names


# ---- Two roots, neither of which loads as the other ---------------------------

def test_tf_15_a_checkpoint_root_does_not_load_as_weights(wh):
    model = make("batch_norm")
    model.save_weights(wh.folder / "theirs")
    wh.commit(wh.folder / "theirs")
    wh("save-weights", "HEAD", "root", "--save-format", "tf", "--root",
       "checkpoint")
    wh("save-weights", "HEAD", "plain", "--save-format", "tf")
    with pytest.raises(AssertionError, match="Nothing except the root"):
        model.load_weights(wh.folder / "root")
    status = tf.train.Checkpoint(model=model).read(str(wh.folder / "plain"))
    with pytest.raises(AssertionError):
        status.assert_existing_objects_matched()
    tf.train.Checkpoint(model=model).read(
        str(wh.folder / "root")).assert_consumed()
    model.load_weights(wh.folder / "plain").assert_consumed()


def test_the_state_file_names_what_was_saved(wh):
    make("dense_sequential").save_weights(wh.folder / "theirs" / "w")
    wh.commit(wh.folder / "theirs" / "w")
    wh("save-weights", "HEAD", "ours/w", "--save-format", "tf")
    assert tf.train.latest_checkpoint(str(wh.folder / "ours")) == str(
        wh.folder / "ours" / "w")
    assert same(wh.folder / "ours" / "checkpoint",
                wh.folder / "theirs" / "checkpoint")


# ---- What is refused, and what is left out -----------------------------------

def test_frozen_layers_of_one_shape_in_a_nested_model_are_refused(wh):
    """Taken by their order, d1's kernel would silently become d2's."""
    model = make("nested_with_a_frozen_layer")
    model.save_weights(wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "theirs.h5") as file:
        listed = list(file["inner"].attrs["weight_names"])
    assert listed.index("d1/kernel:0") > listed.index("d2/kernel:0")
    said = wh.refused("convert", "theirs.h5", "ours")
    assert "layer 'inner'" in said and NEEDS_CONFIG in said
    assert len([name for name in listed if f"'{name}'" in said]) == 2
    assert not list(wh.folder.glob("ours*"))

    expected = arrays(model)
    (wh.folder / "m.json").write_text(model.to_json())
    wh("convert", "theirs.h5", "ours", "--model-config", "m.json")
    fill(model, 2)
    model.load_weights(wh.folder / "ours").assert_consumed()
    assert [a.tobytes() for a in arrays(model)] == [
        a.tobytes() for a in expected]


def test_what_hdf5_cannot_hold_is_named(wh):
    values = {"words": tf.Variable(["a", "bc"]),
              "low": tf.Variable(tf.cast(
                  [1.0, 2.0], tf.dtypes.experimental.float8_e5m2)),
              "kept": tf.Variable([1.0, 2.0])}
    tf.train.Checkpoint(**values).write(str(wh.folder / "theirs"))
    wh.commit(wh.folder / "theirs")
    said = wh.refused("save-weights", "HEAD", "ours.h5")
    assert "can't hold" in said and re.search(r"'(words|low)/", said)
    assert not (wh.folder / "ours.h5").exists()

    done = wh.run("save-weights", "HEAD", "ours.h5", "--skip-unsupported")
    assert done.returncode == 0
    for name, dtype in (("words", "string"), ("low", "float8_e5m2")):
        assert re.search(rf"left out: tensor '{name}/.*hold {dtype}",
                         done.stderr), done.stderr
    with h5py.File(wh.folder / "ours.h5") as file:
        found = []
        file.visititems(lambda name, item: found.append(item[()].tolist())
                        if isinstance(item, h5py.Dataset) else None)
    assert found == [[1.0, 2.0]]
