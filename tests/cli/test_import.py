"""import: a whole folder becomes history."""
import shutil

import pytest

from conftest import DIGITS, GOLDEN, epoch

FIELDS = {"file", "snapshot", "tree", "branch", "parent", "tensors",
          "new_tensors", "nbytes", "stored_bytes", "reproducible",
          "alarms"}
TF = GOLDEN / "tf" / "sequential"


def copy(folder, names, number=1):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(epoch(number), folder / name)


def files(rows):
    return [row["file"] for row in rows]


def test_a_line_a_file_as_commit_with_the_file(store):
    rows = store.rows("import", epoch(1), epoch(2))
    assert [set(row) for row in rows] == [FIELDS] * 2
    assert files(rows) == [str(epoch(1)), str(epoch(2))]
    assert rows[1]["parent"] == rows[0]["snapshot"]


def test_people_see_what_each_cost_and_the_sum(store):
    lines = store.ok("import", epoch(1), epoch(1), epoch(2)).splitlines()
    assert lines[0].split()[:3] == ["file", "epoch", "new"]
    assert lines[1].split()[:3] == ["epoch-01.h5", "1", "14/14"]
    assert lines[-1].startswith("2 checkpoints, 28 of 28 tensors new, ")
    assert lines[-1].endswith("reproducible byte for byte 2/2")


def test_quiet_says_nothing(store):
    assert store.ok("import", epoch(1), "-q") == ""


def test_a_quoted_pattern_is_expanded_here(store):
    copy(store.folder, [f"ckpt/epoch-{n}.h5" for n in (1, 2, 10)])
    assert files(store.rows("import", "ckpt/epoch-*.h5")) == [
        "ckpt/epoch-1.h5", "ckpt/epoch-2.h5", "ckpt/epoch-10.h5"]


def test_a_pattern_that_matches_nothing_is_exit_4(store):
    assert store.fails(4, "import", "ckpt/*.h5") == (
        "wh import: 'ckpt/*.h5' matches no file")


def test_a_name_with_a_star_in_it_is_a_name(store):
    copy(store.folder, ["a*.h5", "ab.h5"])
    assert files(store.rows("import", "a*.h5")) == ["a*.h5"]


def test_order_is_by_the_step_in_the_name(store):
    copy(store.folder, ["w-30.h5", "w-4.h5", "w-100.h5"])
    rows = store.rows("import", "w-100.h5", "w-30.h5", "w-4.h5")
    assert files(rows) == ["w-4.h5", "w-30.h5", "w-100.h5"]
    assert [row["step"] for row in store.rows("log")] == [100, 30, 4]
    assert [row["epoch"] for row in store.rows("log")] == [100, 30, 4]


def test_a_name_without_a_step_does_not_part_those_with_one(store):
    copy(store.folder, ["epoch-5.h5", "initial.h5", "warmup-1.h5"])
    rows = store.rows("import", "epoch-5.h5", "initial.h5", "warmup-1.h5")
    assert files(rows) == ["warmup-1.h5", "initial.h5", "epoch-5.h5"]
    assert [row["step"] for row in store.rows("log")] == [5, None, 1]


def test_without_numbers_order_is_natural(store):
    copy(store.folder, ["b.h5", "a.h5", "c.h5"])
    assert files(store.rows("import", "c.h5", "b.h5", "a.h5")) == [
        "a.h5", "b.h5", "c.h5"]
    assert store.row("show")["step"] is None


def test_a_pattern_names_step_epoch_and_metrics(store):
    copy(store.folder, ["run-e02-s2000-0.25.h5", "run-e01-s1000-1e-3.h5"])
    store.ok("import", "-q", "*.h5", "--step-from",
             "run-e{epoch:02d}-s{step}-{val_loss:.2f}.h5")
    last, first = store.rows("log")
    assert (last["epoch"], last["step"]) == (2, 2000)
    assert last["metrics"] == {"val_loss": 0.25}
    assert first["metrics"] == {"val_loss": 1e-3}


def test_a_csv_counts_instead_of_rounded_figures_of_names(store):
    copy(store.folder, ["epoch-01-0.25.h5", "epoch-02-0.13.h5"])
    (store.folder / "log.csv").write_text(
        "epoch,loss,val_loss\n0,1,0.2451\n1,1,0.1312\n")
    store.ok("import", "-q", "*.h5", "--pattern",
             "epoch-{epoch:02d}-{val_loss:.2f}.h5", "--metrics", "log.csv")
    values = store.rows("sql", "select step, value from metrics "
                        "where key = 'val_loss' order by step")
    assert [tuple(row.values()) for row in values] == [(1, 0.2451),
                                                       (2, 0.1312)]


def test_a_name_with_a_figure_says_its_epoch(store):
    copy(store.folder, ["epoch-01-1.696.h5", "epoch-02-0.25.h5"])
    store.ok("import", "-q", "*.h5")
    assert [row["epoch"] for row in store.rows("log")] == [2, 1]


def test_a_name_without_a_figure_has_that_of_its_folder_as_in_watch(store):
    """Below the folder that all of them are in: what is above counts runs, or
    years."""
    for number in (2, 11):
        folder = store.folder / "run-2024" / f"epoch-{number}"
        folder.mkdir(parents=True)
        shutil.copy(epoch(1), folder / "model.h5")
    store.ok("import", "run-2024/*/model.h5", "-q")
    rows = store.rows("log")
    assert [(row["epoch"], row["message"]) for row in rows] == [
        (11, "epoch-11/model.h5"), (2, "epoch-2/model.h5")]
    store("watch", "run-2024", "-b", "watched", "--once")
    assert [(row["epoch"], row["message"]) for row in
            store.rows("log", "watched", "-n", "2")] == [
        (row["epoch"], row["message"]) for row in rows]
    store("import", "run-2024/epoch-2/model.h5", "-b", "alone")
    assert store.rows("log", "alone")[0]["epoch"] is None


def test_a_name_that_the_pattern_does_not_fit_is_said(store):
    copy(store.folder, ["epoch-1.h5", "final.h5"])
    done = store("import", "-q", "*.h5", "--step-from", "epoch-{epoch}.h5")
    assert done.returncode == 0
    assert "final.h5" in done.stderr


@pytest.mark.parametrize("names", [
    ["ckpt.index"], ["ckpt.data-00000-of-00001"], ["ckpt"],
    ["ckpt.index", "ckpt.data-00000-of-00001", "checkpoint"], ["ckpt*"],
    ["c*"]])
def test_the_files_of_a_tf_checkpoint_mean_its_prefix_once(store, names):
    rows = store.rows("import", *(TF / name for name in names))
    assert files(rows) == [str(TF / "ckpt")]


def test_a_prefix_may_hold_what_stands_before_its_numbers(store):
    for end in (".index", ".data-00000-of-00001"):
        shutil.copy(GOLDEN / f"tf/sequential/ckpt{end}",
                    store.folder / f"set.data-v2.data-10000-of-a{end}")
    assert files(store.rows("import", "set*")) == [
        "set.data-v2.data-10000-of-a"]


def test_a_folder_is_all_that_is_in_it(store):
    copy(store.folder, ["ckpt/epoch-2.h5", "ckpt/epoch-1.h5"])
    for path in TF.iterdir():
        shutil.copy(path, store.folder / "ckpt")
    (store.folder / "ckpt/notes.txt").write_text("mine")
    (store.folder / "ckpt/.hidden.h5").write_text("mine")
    assert files(store.rows("import", "ckpt")) == [
        "ckpt/ckpt", "ckpt/epoch-1.h5", "ckpt/epoch-2.h5"]


def test_an_empty_folder_is_exit_4(store):
    (store.folder / "ckpt").mkdir()
    assert "no checkpoint" in store.fails(4, "import", "ckpt")


def test_metrics_come_from_a_csv(store):
    store.ok("import", "-q", DIGITS / "epoch-0[12].h5", "--run", "digits",
             "--metrics", DIGITS / "metrics.csv")
    head = store.row("show")
    # CSVLogger counts epochs from 0, ModelCheckpoint from 1.
    assert head["metrics"]["val_loss"] == 0.3830743432044983
    assert set(head["metrics"]) == {"accuracy", "loss", "val_accuracy",
                                    "val_loss"}
    assert head["run"] == "digits"


def test_a_csv_that_counts_as_the_files_do(store):
    copy(store.folder, ["epoch-1.h5", "epoch-2.h5"])
    (store.folder / "m.csv").write_text(
        "epoch,loss\r\n1,0.5\r\n2,0.25\r\n2,0.125\r\n")
    store.ok("import", "-q", "*.h5", "--metrics", "m.csv")
    assert [row["metrics"] for row in store.rows("log")] == [
        {"loss": 0.125}, {"loss": 0.5}], "the last line of an epoch counts"


@pytest.mark.parametrize("text, why", [
    ("loss\n0.5\n", "no column 'epoch'"), ("", "no column 'epoch'"),
    ("epoch,loss\n1\n", "line 2"), ("epoch,loss\nx,0.5\n", "line 2")])
def test_a_bad_csv_is_refused_before_the_first_file(store, text, why):
    (store.folder / "m.csv").write_text(text)
    assert why in store.fails(2, "import", epoch(1), "--metrics", "m.csv")
    assert store.rows("log") == []


def test_a_csv_that_is_not_there_is_exit_4(store):
    store.fails(4, "import", epoch(1), "--metrics", "m.csv")


def test_a_branch_is_made_if_need_be(store):
    rows = store.rows("import", epoch(1), epoch(2), "-b", "old")
    assert [row["branch"] for row in rows] == ["old", "old"]
    assert rows[1]["parent"] == rows[0]["snapshot"]
    assert len(store.rows("log", "old")) == 2


def test_a_run_that_begins_here_has_finished(store):
    def status(name):
        return store.row("run", "show", name)["status"]
    store.ok("run", "start", "live")
    store.ok("import", epoch(1), "--run", "live")
    store.ok("import", epoch(1), epoch(2), "--run", "past")
    assert (status("live"), status("past")) == ("running", "finished")


def test_a_run_whose_files_end_in_a_bad_one_has_failed_until_they_are_in(store):
    def status():
        return store.row("run", "show", "past")["status"]
    bad = store.folder / "z-2.h5"
    bad.write_text("hello")
    store.fails(5, "import", epoch(1), bad, "--run", "past", "-q")
    assert status() == "failed"
    store.ok("import", epoch(1), epoch(2), "--run", "past")
    assert status() == "finished"


def test_messages_are_the_names(store):
    store.ok("import", "-q", epoch(1))
    assert store.row("show")["message"] == "epoch-01.h5"


def test_a_bad_file_stops_it_and_keeps_what_is_complete(store):
    copy(store.folder, ["epoch-1.h5", "epoch-3.h5"])
    (store.folder / "epoch-2.h5").write_text("hello")
    done = store("import", "*.h5", "--json")
    assert done.returncode == 5 and "epoch-2.h5" in done.stderr
    assert len(store.rows("log")) == 1


def test_all_of_the_digits_come_back_equal(store):
    rows = store.rows("import", DIGITS / "epoch-*.h5")
    assert len(rows) == len(list(DIGITS.glob("epoch-*.h5")))
    assert all(row["reproducible"] for row in rows)
    for row in rows[::5]:
        store.ok("save-weights", row["snapshot"], "back.h5", "-q")
        with open(row["file"], "rb") as file:
            assert (store.folder / "back.h5").read_bytes() == file.read()
