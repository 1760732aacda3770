"""load-weights, and what save-weights adds for TensorFlow: exits and texts;
what the files mean is shown by tests/interop."""
import json
import shutil

import pytest
from conftest import DIGITS, GOLDEN

TF = GOLDEN / "tf"


def copy(wh, source, name):
    """A checkpoint of the golden ones under a name of its own."""
    for path in source.parent.glob(source.name + "*"):
        shutil.copy(path, wh.folder / (name + path.name[len(source.name):]))


@pytest.fixture
def stored(wh):
    wh.ok("init")
    wh.ok("commit", DIGITS / "epoch-16.h5")
    shutil.copy(DIGITS / "epoch-01.h5", wh.folder / "into.h5")
    return wh


def test_a_file_gets_the_values_of_the_revision(stored):
    row = stored.row("load-weights", "HEAD", "--into", "into.h5")
    assert row["match"] == "layers" and row["format"] == "h5"
    assert row["kept"] == row["unused"] == row["skipped"] == 0
    assert row["loaded"] > 0
    assert (stored.folder / "into.h5").read_bytes() == (
        DIGITS / "epoch-16.h5").read_bytes()
    assert not [name for name in stored.names() if ".wh-" in name
                and not name.startswith("weights.wh")]


def test_without_a_revision_it_is_head(stored):
    said = stored.ok("load-weights", "--into", "into.h5", "--by-name")
    assert "weights loaded, 0 kept, 0 unused" in said


def test_a_checkpoint_of_tensorflow_goes_by_objects(stored):
    copy(stored, DIGITS / "tf" / "epoch-05", "into")
    row = stored.row("load-weights", "--into", "into", "--expect-partial")
    assert row["match"] == "objects" and row["format"] == "tf"
    assert row["unused"] == 0
    assert "Python objects that were not bound" in stored.fails(
        1, "load-weights", "--into", "into", "--assert-consumed")
    assert stored.ok("load-weights", "file:into", "--into", "into.h5")
    assert (stored.folder / "into.h5").read_bytes() == (
        DIGITS / "epoch-16.h5").read_bytes()


@pytest.mark.parametrize("words, code, said", [
    ((), 2, "it needs --into FILE"),
    (("--into", "none.h5"), 4, "none.h5"),
    (("nothing", "--into", "into.h5"), 4, "nothing"),
    (("--into", "into.h5", "--match", "names", "--match", "x"), 2, "x"),
    (("--into", "into.h5", "--by-name", "--match", "objects"), 2, "exclude"),
    (("--into", "into.h5", "--assert-consumed", "--expect-partial"), 2,
     "exclude"),
    (("--into", "into.h5", "--skip-mismatch"), 2, "by_name is True"),
    (("--into", "into.h5", "--map", "none.json"), 2, "none.json"),
])
def test_what_can_not_be_is_said_in_a_line(words, code, said, stored):
    before = (stored.folder / "into.h5").read_bytes()
    assert said in stored.fails(code, "load-weights", *words)
    assert (stored.folder / "into.h5").read_bytes() == before


def test_what_does_not_fit_is_exit_1_and_changes_nothing(stored):
    shutil.copy(GOLDEN / "h5" / "sequential.h5", stored.folder / "other.h5")
    before = (stored.folder / "other.h5").read_bytes()
    said = stored.fails(1, "load-weights", "--into", "other.h5")
    assert "mismatch" in said
    assert (stored.folder / "other.h5").read_bytes() == before


@pytest.mark.parametrize("policy", ["whole", "tensorflow"])
def test_shards_of_any_size_read_back(policy, stored):
    expected = [row["sha256"] for row in stored.rows("ls")]
    for size in (1, 100, 1000, 5000):
        stored.ok("save-weights", "ours", "--max-shard-size", size,
                  "--shard-policy", policy, "--verify")
        stored.ok("commit", "ours")
        assert [row["sha256"] for row in stored.rows("ls")] == \
            expected
        stored.ok("rollback", "HEAD~1")


@pytest.mark.parametrize("name", ["shards", "tf1-partitioned", "hand-slices",
                                  "hand-big-endian", "hash-table"])
def test_sliced_and_odd_checkpoints_come_back(name, wh):
    prefix = json.loads((TF / name / "truth.json").read_text())["prefix"]
    copy(wh, TF / name / prefix, "p")
    wh.ok("init")
    assert wh.row("commit", "p")["reproducible"]
    wh.ok("save-weights", "again", "--save-format", "tf", "--verify")
    for path in wh.folder.glob("p.*"):
        assert (wh.folder / ("again" + path.name[1:])).read_bytes() == \
            path.read_bytes()


def test_older_checkpoints_go(stored):
    for number in (1, 2, 3):
        stored.ok("save-weights", f"d/ckpt-{number}", "--max-to-keep", 2)
    assert sorted(path.name for path in
                  (stored.folder / "d").glob("*.index")) == [
        "ckpt-2.index", "ckpt-3.index"]
    stored.fails(2, "save-weights", "d/ckpt-4",
                 "--keep-checkpoint-every-n-hours", "never")


@pytest.mark.parametrize("root", ["model", "checkpoint", "universal"])
def test_every_root_reads_back(root, stored):
    expected = sorted(row["sha256"] for row in stored.rows("ls"))
    stored.ok("save-weights", "ours", "--root", root, "--save-counter", 3)
    stored.ok("commit", "ours")
    found = [row["sha256"] for row in stored.rows("ls")
             if "save_counter" not in row["name"]]
    assert sorted(found) == expected


def test_a_map_is_read(wh):
    shutil.copy(GOLDEN / "h5" / "subclassed.h5", wh.folder / "in.h5")
    assert "--map FILE" in wh.fails(15, "convert", "in.h5", "out")
    (wh.folder / "map.json").write_text('{"nobody": "x"}')
    assert "no weight of the model" in wh.fails(
        2, "convert", "in.h5", "out", "--map", "map.json")
