"""save-weights and convert: Keras's call, argument for argument."""
import hashlib
import shutil

import pytest

from conftest import GOLDEN, epoch

TF_FILES = ["checkpoint", "ckpt.data-00000-of-00001", "ckpt.index"]


def made(store):
    return [name for name in store.names() if not name.startswith("weights.")]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_one_argument_is_the_path_from_head(history):
    row = history.row("save-weights", "out.h5")
    assert set(row) == {"format", "files", "reproduced"}
    assert row["format"] == "h5" and row["reproduced"] is True
    path = history.folder / "out.h5"
    assert row["files"] == [{"path": "out.h5", "size": path.stat().st_size,
                             "sha256": sha256(path)}]
    assert path.read_bytes() == epoch(5).read_bytes()


def test_two_are_revision_and_path(history):
    history.ok("save-weights", "HEAD~4", "out.h5")
    assert (history.folder / "out.h5").read_bytes() == epoch(1).read_bytes()
    history.ok("export", history.ids[1], "out.h5")
    assert (history.folder / "out.h5").read_bytes() == epoch(2).read_bytes()


@pytest.mark.parametrize("path, whose", [
    ("w.pt", "PyTorch"), ("w.onnx", "ONNX"), ("w.H5", "HDF5")])
def test_a_name_of_another_format_is_a_prefix_and_it_says_so(history, path,
                                                             whose):
    done = history("save-weights", path)
    assert done.returncode == 0
    assert (history.folder / f"{path}.index").exists()
    assert done.stderr.splitlines() == [
        f"wh save-weights: '{path}' is the prefix of a TensorFlow checkpoint, "
        f"as in Keras, and no {whose} file; --save-format says what is meant"]
    assert history("save-weights", path, "--save-format", "tf").stderr == ""
    assert history("save-weights", "w.ckpt").stderr == ""


def test_a_folder_as_a_prefix_is_told(history):
    (history.folder / "out").mkdir()
    for words in [], ["--save-format", "tf"]:
        done = history("save-weights", "out", *words)
        assert done.returncode == 0
        assert done.stderr.splitlines() == [
            "wh save-weights: 'out' is a folder, and the checkpoint out.index "
            "beside it, as in Keras; 'out/ckpt' has a name there"]
    done = history("save-weights", "new/")
    assert done.stderr.splitlines() == [
        "wh save-weights: 'new/' is a folder, and the checkpoint new/.index in "
        "it, as in Keras; 'new/ckpt' has a name there"]
    assert history("save-weights", "out/ckpt").stderr == ""


@pytest.mark.parametrize("path, words, format", [
    ("w.h5", [], "h5"), ("w.hdf5", [], "h5"), ("w.keras", [], "h5"),
    ("w", [], "tf"), ("w.h5.bak", [], "tf"),
    ("w", ["h5"], "h5"), ("w.bin", ["hdf5"], "h5"), ("w", ["keras"], "h5"),
    ("w", [" H5 "], "h5"), ("w", ["tf"], "tf"), ("w", ["TensorFlow"], "tf")])
def test_the_format_is_by_kerass_rules(history, path, words, format):
    words = [f"--save-format={word}" for word in words]
    assert history.row("save-weights", path, *words)["format"] == format


def test_a_keras_file_that_keras_3_does_not_load_is_told(store):
    store.ok("commit", GOLDEN / "keras3" / "archive.keras")
    done = store("save-weights", "w.keras")
    assert done.returncode == 0
    assert (store.folder / "w.keras").read_bytes()[:4] == b"\x89HDF"
    assert "wh save-weights: 'w.keras' is HDF5, as in Keras 2; --save-format " \
        "keras3 writes an archive of Keras 3" in done.stderr.splitlines()
    done = store("save-weights", "w.keras", "--save-format", "keras3")
    assert done.stderr == ""
    assert (store.folder / "w.keras").read_bytes()[:2] == b"PK"


@pytest.mark.parametrize("name", ["bogus", "", "h5 tf", "keras_v3"])
def test_a_bad_save_format_is_told_in_kerass_words(wh, name):
    """Before anything is opened: there is no store here."""
    assert wh.fails(2, "save-weights", "w", f"--save-format={name}") == (
        f"wh save-weights: Unknown format. Received: `save_format`={name}. "
        'Was expecting one of {"tf", "h5"}.')


def test_tf_under_an_hdf5_name_is_refused_in_kerass_words(wh):
    assert 'save_weights got save_format="tf"/"tensorflow", but the filepath '\
        "(w.h5) looks like an HDF5 file" in wh.fails(
            2, "save-weights", "w.h5", "--save-format", "tf")


def test_several_formats_go_into_a_folder(history):
    rows = history.rows("save-weights", "out/", "--save-format", "h5,tf")
    assert [row["format"] for row in rows] == ["h5", "tf"]
    assert made(history) == ["out/checkpoint", "out/model.data-00000-of-00001",
                             "out/model.h5", "out/model.index"]


def test_all_formats_are_checked_before_the_first_is_written(history):
    (history.folder / "out").mkdir()
    history.fails(2, "save-weights", "out/", "--save-format", "h5,bogus")
    history.fails(2, "save-weights", "out/", "--save-format", "h5,")
    assert "ends in '/'" in history.fails(2, "save-weights", "out",
                                          "--save-format", "h5,tf")
    assert made(history) == []


def test_h5_makes_no_folder_and_tf_does(history):
    assert "its folder must be there" in \
        history.fails(4, "save-weights", "sub/w.h5")
    assert made(history) == []
    history.ok("save-weights", "sub/deep/ckpt", "-q")
    assert made(history) == [f"sub/deep/{name}" for name in TF_FILES]


def test_overwriting_is_silent_unless_asked_otherwise(history):
    (history.folder / "out.h5").write_text("old")
    history.fails(14, "save-weights", "out.h5", "--no-overwrite")
    assert (history.folder / "out.h5").read_text() == "old"
    error = history.error(14, "save-weights", "out.h5", "--no-overwrite")
    assert error["status"] == "already exists" and error["hint"]
    history.ok("save-weights", "out.h5", "--overwrite", "-q")
    history.ok("save-weights", "HEAD~1", "out.h5", "-q")
    assert (history.folder / "out.h5").read_bytes() == epoch(4).read_bytes()
    history.ok("save-weights", "new.h5", "--no-overwrite", "-q")


def test_a_folder_is_not_overwritten(history):
    (history.folder / "out.h5").mkdir()
    history.fails(1, "save-weights", "out.h5")
    assert (history.folder / "out.h5").is_dir()


def test_shards_are_whole_tensors(history):
    row = history.row("save-weights", "ckpt", "--max-shard-size", "20000")
    data = [file for file in row["files"] if ".data-" in file["path"]]
    assert len(data) > 1
    total = sum(r["nbytes"] for r in history.rows("ls"))
    assert sum(file["size"] for file in data) >= total
    assert history.rows("diff", "HEAD", "file:ckpt") == []
    history.fails(2, "save-weights", "ckpt", "--max-shard-size", "-1")


def test_root_checkpoint_is_another_graph(history):
    history.ok("save-weights", "a/ckpt", "-q")
    history.ok("save-weights", "b/ckpt", "-q", "--root", "checkpoint")
    names = [[row["name"] for row in history.rows("ls", f"file:{side}/ckpt")]
             for side in "ab"]
    assert all(name.startswith("model/layer") for name in names[1])
    assert names[0] == [name[len("model/"):] for name in names[1]]
    history.fails(2, "save-weights", "c", "--root", "module")


def test_canonical_of_a_full_model_is_the_weights_alone(store):
    path = GOLDEN / "h5" / "full-k2-adam.h5"
    store.ok("commit", path, "-q")
    assert store.row("save-weights", "same.h5")["reproduced"] is True
    done = store("save-weights", "plain.h5", "--canonical", "--json")
    assert done.returncode == 0 and '"reproduced":false' in done.stdout
    plain = (store.folder / "plain.h5").read_bytes()
    assert b"model_config" not in plain and b"layer_names" in plain
    assert b"model_config" in path.read_bytes()


def test_verify_reads_the_files_back(history):
    history.ok("save-weights", "out.h5", "--verify", "-q")
    history.ok("save-weights", "ckpt", "--verify", "-q")


def test_a_revision_that_is_not_there_writes_nothing(history):
    assert "no revision 'nowhere'" in history.fails(
        4, "save-weights", "nowhere", "out.h5")
    assert made(history) == []


def test_the_same_snapshot_gives_the_same_bytes(history):
    for number in range(2):
        history.ok("save-weights", f"{number}/ckpt", "-q", "--threads",
                   number + 1)
        history.ok("save-weights", f"{number}/w.h5", "-q", "--canonical")
    for name in ("ckpt.index", "ckpt.data-00000-of-00001", "w.h5"):
        assert len({sha256(history.folder / str(n) / name)
                    for n in range(2)}) == 1


def test_convert_needs_no_store(wh):
    shutil.copy(epoch(1), wh.folder / "in.h5")
    row = wh.row("convert", "in.h5", "out/ckpt")
    assert row["format"] == "tf"
    assert wh.row("convert", "out/ckpt", "back.h5")["format"] == "h5"
    assert wh.rows("diff", "file:in.h5", "file:back.h5") == []
    wh.fails(4, "convert", "nosuch.h5", "out.h5")
    wh.fails(2, "convert", "in.h5", "x", "--save-format", "bogus")
    wh.fails(2, "convert", "in.h5", "x", "--from", "bogus")
    assert wh.row("convert", "in.h5", "same.h5",
                  "--from=h5")["reproduced"] is True


def test_convert_writes_to_a_pipe(wh):
    done = wh("convert", epoch(1), "-", text=False)
    assert done.stdout == epoch(1).read_bytes() and not done.stderr


def test_a_damaged_input_leaves_the_target_as_it_was(wh):
    (wh.folder / "bad.h5").write_bytes(epoch(1).read_bytes()[:9000])
    (wh.folder / "out.h5").write_text("old")
    wh.fails(5, "convert", "bad.h5", "out.h5")
    assert (wh.folder / "out.h5").read_text() == "old"
    assert wh.names() == ["bad.h5", "out.h5"]
