"""commit: one checkpoint becomes a snapshot."""
import hashlib
import json
import shutil
import sqlite3

import h5py
import pytest

from conftest import DIGITS, GOLDEN, NOON, epoch

FIELDS = {"snapshot", "tree", "branch", "parent", "tensors", "new_tensors",
          "nbytes", "stored_bytes", "reproducible",
          "alarms"}
TF = GOLDEN / "tf" / "sequential"


def test_commit_says_what_it_did(store):
    row = store.row("commit", epoch(1))
    assert set(row) == FIELDS
    assert len(row["snapshot"]) == 64 and len(row["tree"]) == 64
    assert row["branch"] == "main" and row["parent"] is None
    assert row["tensors"] == row["new_tensors"] == 14
    assert row["nbytes"] == sum(r["nbytes"] for r in store.rows("ls"))
    assert row["stored_bytes"] > 0 and row["reproducible"] is True
    text = store.ok("commit", epoch(2))
    assert "14 of 14 tensors new" in text and "byte for byte" in text


def test_a_folder_of_checkpoints_is_for_import(store):
    done = store("commit", DIGITS)
    assert done.returncode == 5
    assert f"'wh import {DIGITS}' takes all" in done.stderr
    (store.folder / "notes").mkdir()
    (store.folder / "notes" / "a.txt").touch()
    done = store("commit", "notes")
    assert done.returncode == 5 and "import" not in done.stderr


def test_an_unchanged_file_costs_a_row(store):
    first = store.row("commit", epoch(1))
    second = store.row("commit", epoch(1))
    assert second["tree"] == first["tree"]
    assert second["parent"] == first["snapshot"]
    assert second["new_tensors"] == 0 and second["stored_bytes"] == 0
    assert second["snapshot"] != first["snapshot"]
    assert len(store.rows("log")) == 2


def test_what_was_said_is_kept(store):
    store.ok("commit", epoch(1), "-m", "third try", "--step", "-3", "--epoch",
             "7", "--metric", "val_loss=0.41", "--metric=acc=1e-3",
             "--param", "lr=1e-3", "--param", "note=a=b", "--run", "sweep",
             "--tag", "v1")
    row = store.row("show")
    assert row["message"] == "third try"
    assert (row["step"], row["epoch"], row["run"]) == (-3, 7, "sweep")
    assert row["metrics"] == {"val_loss": 0.41, "acc": 1e-3}
    assert row["params"] == {"lr": "1e-3", "note": "a=b"}
    assert row["tags"] == ["v1"] and row["branches"] == ["main"]
    assert row["time"] == "2026-11-24T12:00:00Z"


def test_metrics_that_are_no_finite_numbers(store):
    store.ok("commit", epoch(1), "--metric", "a=nan", "--metric", "b=inf",
             "--metric", "c=-inf")
    assert store.row("show")["metrics"] == {"a": None, "b": None, "c": None}
    text = store.ok("show")
    assert "a = nan" in text and "b = inf" in text and "c = -inf" in text


@pytest.mark.parametrize("words, why", [
    (["--metric", "0.5"], "not of the form K=V"),
    (["--metric", "=0.5"], "not of the form K=V"),
    (["--metric", "loss=low"], "'low' is no number"),
    (["--param", "lr"], "not of the form K=V")])
def test_bad_figures_are_usage_errors(store, words, why):
    assert why in store.fails(2, "commit", epoch(1), *words)
    assert store.rows("log") == []


def test_without_run_it_belongs_to_a_run_named_as_its_branch(store):
    store.ok("commit", epoch(1))
    store.ok("commit", epoch(2), "-b", "sweep")
    assert store.row("show", "main")["run"] == "main"
    assert store.row("show", "sweep")["run"] == "sweep"


def test_a_new_branch_starts_at_head_and_leaves_it(store):
    first = store.row("commit", epoch(1))
    second = store.row("commit", epoch(2), "-b", "sweep")
    assert second["branch"] == "sweep"
    assert second["parent"] == first["snapshot"]
    assert store.row("show", "HEAD")["snapshot"] == first["snapshot"]
    third = store.row("commit", epoch(3), "-b", "sweep")
    assert third["parent"] == second["snapshot"]


def test_root_makes_a_branch_without_a_parent(store):
    store.ok("commit", epoch(1))
    row = store.row("commit", epoch(2), "-b", "fresh", "--root")
    assert row["parent"] is None
    assert "not a root" in store.fails(14, "commit", epoch(3), "-b", "fresh",
                                       "--root")
    assert len(store.rows("log", "fresh")) == 1


def test_root_fits_a_branch_that_has_no_commit_yet(store):
    assert store.row("commit", epoch(1), "--root")["parent"] is None


def test_parent_follows_another_snapshot(store):
    first = store.row("commit", epoch(1))
    store.ok("commit", epoch(2))
    row = store.row("commit", epoch(3), "--parent", "HEAD~1")
    assert row["parent"] == first["snapshot"]
    assert [r["snapshot"] for r in store.rows("log")] == [
        row["snapshot"], first["snapshot"]]
    store.fails(4, "commit", epoch(3), "--parent", "nowhere")


def test_expect_refuses_another_tip(store):
    first = store.row("commit", epoch(1))
    store.ok("commit", epoch(2), "--expect", first["snapshot"])
    message = store.fails(11, "commit", epoch(3), "--expect",
                          first["snapshot"])
    assert message.startswith("wh commit: ")
    assert len(store.rows("log")) == 2


def test_a_tag_that_is_there_is_refused_before_anything_is_stored(store):
    store.ok("commit", epoch(1), "--tag", "v1")
    store.fails(14, "commit", epoch(2), "--tag", "v1")
    assert len(store.rows("log")) == 1


def test_a_time_can_be_given(store):
    store.ok("commit", epoch(1), "--date", str(NOON - 86400))
    assert store.row("show")["time"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize("name", ["ckpt", "ckpt.index",
                                  "ckpt.data-00000-of-00001", "."])
def test_a_tf_checkpoint_by_any_of_its_names(store, name):
    """"." is the folder: its state file names the latest."""
    row = store.row("commit", TF / name)
    assert row["tensors"] and row["reproducible"] is True
    assert store.row("show")["origin"]["format"] == "tf"


def test_a_folders_latest_is_what_its_state_file_says(store):
    for number in (1, 2):
        for path in TF.glob("ckpt.*"):
            shutil.copy(path, store.folder / path.name.replace(
                "ckpt", f"ckpt-{number}"))
    (store.folder / "checkpoint").write_text(
        'model_checkpoint_path: "ckpt-1"\n'
        'all_model_checkpoint_paths: "ckpt-2"\n'
        'all_model_checkpoint_paths: "ckpt-1"\n')
    (store.folder / "ckpt-2.index").write_bytes(b"not this one")
    store.ok("commit", ".")


def test_a_folder_without_a_state_file_is_refused(store):
    (store.folder / "empty").mkdir()
    done = store("commit", "empty")
    assert done.returncode in (4, 5) and "empty" in done.stderr


def test_a_stream_is_spooled_and_leaves_nothing(store, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    data = epoch(1).read_bytes()
    done = store("commit", "-", "--json", input=data, text=False,
                 env={"TMPDIR": str(spool)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reproducible"] is True
    assert list(spool.iterdir()) == []
    store.ok("save-weights", "back.h5")
    assert (store.folder / "back.h5").read_bytes() == data


def test_a_stream_that_is_no_checkpoint_names_stdin(store):
    done = store("commit", "-", input="hello")
    assert done.returncode == 5
    assert "stdin" in done.stderr and "/dev/fd" not in done.stderr


def test_what_is_not_there_is_exit_4(store):
    assert store.fails(4, "commit", "nosuch.h5") == (
        "wh commit: 'nosuch.h5': No such file or directory")


def test_what_is_no_checkpoint_is_exit_5(store):
    (store.folder / "x.h5").write_text("hello")
    assert "x.h5" in store.fails(5, "commit", "x.h5")
    (store.folder / "e.h5").write_bytes(b"")
    assert store.fails(5, "commit", "e.h5") == "wh commit: 'e.h5' is empty"
    (store.folder / "t.h5").write_bytes(epoch(1).read_bytes()[:5000])
    store.fails(5, "commit", "t.h5")
    assert store.rows("log") == []


def test_format_says_what_it_is(store):
    store.ok("commit", epoch(1), "--format", "hdf5")
    assert "no format 'onnx'" in store.fails(2, "commit", epoch(1),
                                             "--format", "onnx")


def test_what_comes_back_is_byte_for_byte(store):
    for path in (GOLDEN / "h5" / "full-k2-adam.h5", epoch(4)):
        row = store.row("commit", path)
        assert row["reproducible"] is True
        saved = store.row("save-weights", "back.h5")
        assert saved["reproduced"] is True
        assert (store.folder / "back.h5").read_bytes() == path.read_bytes()


def test_packed_datasets_keep_their_values_only(store):
    done = store("commit", GOLDEN / "h5" / "h5py-filters.h5", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["reproducible"] is False
    assert done.stderr.startswith("wh commit: some weights are packed")
    assert store.row("save-weights", "back.h5")["reproduced"] is False


def test_plain_models_give_no_warning_optimizers_do_when_left_out(store):
    store.ok("commit", epoch(1))
    store.ok("commit", GOLDEN / "h5" / "full-k2-adam.h5")
    done = store("save-weights", "ckpt-less.h5", "--canonical")
    assert done.returncode == 0
    assert "left out" in done.stderr and done.stdout
    assert done.stderr.startswith("wh save-weights: ")


def test_writers_at_once_all_succeed(store):
    running = [store.start("commit", epoch(1 + i)) for i in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(store.rows("log")) == 4


def test_the_id_is_the_sha256_of_the_manifest(store):
    row = store.row("commit", epoch(1))
    text = store.ok("show", "--manifest", "HEAD")
    assert hashlib.sha256(text.encode()).hexdigest() == row["snapshot"]


def test_a_template_is_a_difference_from_the_parents(store):
    """The file's skeleton, and the text that says how it lies."""
    path = store.folder / "notes.h5"
    shutil.copy(epoch(1), path)
    for lines in (300, 301):
        with h5py.File(path, "r+") as file:
            file.attrs["notes"] = "".join(f"line {k * k}\n"
                                          for k in range(lines))
        store.ok("commit", path)
    with sqlite3.connect(store.folder / "weights.wh") as database:
        first, second = database.execute("""
            SELECT t.storage_id, ts.base_id, s.storage_id, ss.base_id
            FROM template JOIN tensor AS t ON t.id = text_id
            JOIN storage AS ts ON ts.id = t.storage_id
            JOIN tensor AS s ON s.id = skeleton_id
            JOIN storage AS ss ON ss.id = s.storage_id
            ORDER BY template.id""").fetchall()
    assert first[1] is None and first[3] is None
    assert (second[1], second[3]) == (first[0], first[2])


def test_line_feeds_at_the_end_of_a_message_are_left_out(store):
    store.ok("commit", epoch(1), "-m", "one\n\ntwo\n\n", "--date", "0")
    row = store.row("show")
    assert row["message"] == "one\n\ntwo"
    assert store.ok("show").endswith("\n\n    one\n\n    two\n")
    assert store.ok("show", "--manifest").endswith("\n\none\n\ntwo\n")
    again = store.row("commit", epoch(1), "-b", "b", "--root", "-m", "one",
                      "--date", "0", "--run", "main")
    line = store.row("commit", epoch(1), "-b", "c", "--root", "-m", "one\n",
                     "--date", "0", "--run", "main")
    assert again["snapshot"] == line["snapshot"]
