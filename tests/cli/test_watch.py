"""watch: checkpoints become snapshots as they are written."""
import glob
import json
import os
import shutil
import signal
import time

import pytest

from conftest import DIGITS, GOLDEN, epoch
from watching import Watching

TF = GOLDEN / "tf" / "sequential"
LONG_AGO = 1_600_000_000


@pytest.fixture
def ckpt(store):
    (store.folder / "ckpt").mkdir()
    return store.folder / "ckpt"


@pytest.fixture
def watching(store, ckpt):
    """Starts a watch of `ckpt`, and ends those that a test has left."""
    started = []

    def start(*words, **more):
        watch = Watching(store, "watch", "ckpt", *words, **more)
        started.append(watch)
        watch.event("watching")
        return watch

    yield start
    for watch in started:
        watch.process.kill()
        watch.process.wait()


def put(path, number=1, old=False):
    path.parent.mkdir(exist_ok=True, parents=True)
    shutil.copy(epoch(number), path)
    if old:
        os.utime(path, (LONG_AGO + number, LONG_AGO + number))
    return path


def snapshots(store):
    return store.rows("log", "--all")[::-1]


def names(store):
    return [row["message"] for row in snapshots(store)]


def once(store, *words):
    done = store("watch", "ckpt", "--once", "--settle", "20", "--json", *words)
    assert done.returncode == 0, done.stderr
    return done


# ---- What is there already --------------------------------------------------

def test_what_is_there_is_taken_once(store, ckpt):
    for number in (1, 2, 3):
        put(ckpt / f"epoch-{number}.h5", number, old=True)
    once(store)
    rows = snapshots(store)
    assert [(row["message"], row["step"], row["epoch"]) for row in rows] == [
        (f"epoch-{n}.h5", n, n) for n in (1, 2, 3)]
    assert [row["parent"] for row in rows[1:]] == [
        row["snapshot"] for row in rows[:2]]
    again = once(store)
    assert [row["snapshot"] for row in snapshots(store)] == [
        row["snapshot"] for row in rows]
    assert again.stdout.count('"known"') == 4  # three, and in the sum
    assert again.stderr == ""
    # By content: a file that was touched is no new one.
    os.utime(ckpt / "epoch-2.h5")
    put(ckpt / "epoch-3.h5", 4, old=True)
    once(store)
    assert names(store) == ["epoch-1.h5", "epoch-2.h5", "epoch-3.h5",
                            "epoch-3.h5"]


def test_people_see_a_line_a_commit_and_a_sum(store, ckpt):
    put(ckpt / "03-0.25.h5", old=True)
    done = store("watch", "ckpt", "--once", "--pattern",
                 "{epoch:02d}-{val_loss:.2f}.h5")
    assert done.returncode == 0
    assert done.stderr.startswith(
        "wh watch: 03-0.25.h5  epoch 3  val_loss=0.25  +")
    assert done.stdout.startswith("1 checkpoint taken, ")
    assert store("watch", "ckpt", "--once", "-q").stdout == ""


def test_new_only_leaves_alone_what_is_there(store, ckpt, watching):
    put(ckpt / "old.h5", 1, old=True)
    watch = watching("--new-only")
    put(ckpt / "new.h5", 2)
    watch.event("commit", file="new.h5")
    put(ckpt / "old.h5", 3)
    watch.event("commit", file="old.h5")
    watch.end()
    assert names(store) == ["new.h5", "old.h5"]


def test_order_is_by_step_whatever_the_times(store, ckpt):
    for number in (10, 9, 1, 2):
        put(ckpt / f"w-{number}.h5", number)
        os.utime(ckpt / f"w-{number}.h5", (LONG_AGO - number,) * 2)
    once(store)
    assert names(store) == ["w-1.h5", "w-2.h5", "w-9.h5", "w-10.h5"]


def test_a_hundred_files_at_once_are_all_there(store, ckpt, watching):
    watch = watching()
    for number in range(100):
        put(ckpt / f"w-{number:03}.h5", number % 16 + 1)
    for _ in range(100):
        watch.event("commit")
    watch.end()
    assert sorted(names(store)) == [f"w-{n:03}.h5" for n in range(100)]


def test_a_folder_that_is_none_is_exit_4(store):
    assert store.fails(4, "watch", "gone") == (
        "wh watch: 'gone' is no folder "
        "('wh run exec' waits for one that training makes)")
    (store.folder / "file").write_text("x")
    assert store.fails(4, "watch", "file") == "wh watch: 'file' is no folder"


def test_without_a_store_nothing_is_watched(wh):
    (wh.folder / "ckpt").mkdir()
    wh.fails(10, "watch", "ckpt")


# ---- As it is written -------------------------------------------------------

@pytest.mark.parametrize("how", [[], ["--poll"]])
def test_files_are_taken_when_they_are_closed_or_moved_here(store, ckpt,
                                                            watching, how):
    watch = watching(*how)
    put(ckpt / "epoch-1.h5", 1)
    watch.event("commit", file="epoch-1.h5", step=1)
    put(store.folder / "elsewhere.h5", 2).rename(ckpt / "epoch-2.h5")
    watch.event("commit", file="epoch-2.h5", step=2)
    put(ckpt / "sub/deep/epoch-3.h5", 3)
    watch.event("commit", file="sub/deep/epoch-3.h5")
    put(store.folder / "whole/epoch-4.h5", 4)
    (store.folder / "whole").rename(ckpt / "whole")
    watch.event("commit", file="whole/epoch-4.h5")
    put(ckpt / "whole/epoch-5.h5", 5)
    watch.event("commit", file="whole/epoch-5.h5")
    watch.end()
    assert len(names(store)) == 5


@pytest.mark.parametrize("how", [[], ["--poll"]])
def test_an_overwritten_file_is_taken_each_time(store, ckpt, watching, how):
    watch = watching(*how)
    for number, event in ((1, "commit"), (2, "commit"), (2, "known"),
                          (1, "commit")):
        put(ckpt / "best.h5", number)
        watch.event(event, file="best.h5")
    watch.end()
    assert names(store) == ["best.h5"] * 3
    trees = [row["tree"] for row in
             (store.row("show", row["snapshot"])
              for row in snapshots(store))]
    assert trees[0] == trees[2] != trees[1]


def test_a_file_that_is_written_slowly_is_taken_when_it_is_whole(store, ckpt,
                                                                 watching):
    watch = watching(settle=500)
    whole = epoch(1).read_bytes()
    with open(ckpt / "slow.h5", "wb", buffering=0) as out:
        for start in range(0, len(whole), 10000):
            out.write(whole[start:start + 10000])
            time.sleep(0.01)
    watch.event("commit", file="slow.h5")
    watch.end()
    assert watch.said["stderr"] == []
    store.ok("save-weights", "HEAD", "back.h5")
    assert (store.folder / "back.h5").read_bytes() == whole


def test_a_file_that_is_still_open_is_not_taken(store, ckpt, watching):
    """It could be read, but its writer may not be done."""
    watch = watching(settle=60000)
    with open(ckpt / "open.h5", "wb", buffering=0) as out:
        out.write(epoch(1).read_bytes())
        put(ckpt / "closed.h5", 2)
        watch.end()
    assert names(store) == ["closed.h5"]


def test_half_a_file_is_left_out_once_and_taken_when_whole(store, ckpt,
                                                           watching):
    watch = watching()
    whole = epoch(1).read_bytes()
    (ckpt / "half.h5").write_bytes(whole[:len(whole) // 2])
    (ckpt / "garbage.h5").write_bytes(b"\x00garbage" * 1000)
    (ckpt / "empty.npz").touch()
    for _ in range(3):
        watch.event("left out")
    put(ckpt / "good.h5", 2)
    watch.event("commit", file="good.h5")
    (ckpt / "half.h5").write_bytes(whole)
    watch.event("commit", file="half.h5")
    watch.end()
    assert sorted(watch.files("left out")) == ["empty.npz", "garbage.h5",
                                               "half.h5"]
    assert len(watch.said["stderr"]) == 3
    assert names(store) == ["good.h5", "half.h5"]


def test_a_tf_checkpoint_is_taken_when_its_index_is_there(store, ckpt,
                                                          watching):
    watch = watching()
    data, index = "ckpt.data-00000-of-00001", "ckpt.index"
    shutil.copy(TF / data, ckpt / "w-07.data-00000-of-00001")
    put(ckpt / "after.h5")
    watch.event("commit", file="after.h5")
    shutil.copy(TF / index, ckpt / "w-07.index")
    (ckpt / "checkpoint").write_text('model_checkpoint_path: "w-07"\n')
    row = watch.event("commit", file="w-07")
    assert row["step"] == 7 and row["reproducible"] is True
    # In folders, the index first, as cp may do.
    (ckpt / "c-08").mkdir()
    shutil.copy(TF / index, ckpt / "c-08/ckpt.index")
    shutil.copy(TF / data, ckpt / "c-08" / data)
    assert watch.event("commit", file="c-08/ckpt")["step"] == 8
    watch.end()
    assert watch.said["stderr"] == []


def test_shards_and_saved_models_are_one_checkpoint(store, ckpt):
    shutil.copytree(GOLDEN / "safetensors/sharded", ckpt / "st-1")
    shutil.copytree(GOLDEN / "tf/saved-model", ckpt / "saved-2/variables")
    for path in (GOLDEN / "keras3").glob("sharded-numbers*weights*"):
        shutil.copy(path, ckpt)
    once(store)
    assert sorted(names(store)) == [
        "saved-2", "sharded-numbers.weights.json",
        "st-1/model.safetensors.index.json"]


def test_names_of_what_is_not_ready_are_left_alone(store, ckpt):
    for name in (".hidden.h5", "a.tmp.h5", "b.h5.tmp", "tmpab12cd_x.h5",
                 "c_temp/part-00000.h5", "d.h5~", ".sub/e.h5", "notes.txt",
                 "f.index.tempstate123"):
        put(ckpt / name)
    put(ckpt / "tmp-but-mine.h5", old=True)
    assert once(store).stderr == ""
    assert names(store) == ["tmp-but-mine.h5"]


def test_a_file_that_is_gone_before_it_was_read_is_told(store, ckpt,
                                                        watching):
    watch = watching(settle=200)
    put(ckpt / "gone.h5", 1)
    (ckpt / "gone.h5").unlink()
    assert "deleted" in watch.event("left out", file="gone.h5")["why"]
    put(ckpt / "next.h5", 2)
    watch.event("commit", file="next.h5")
    watch.end()


def test_a_folder_that_is_made_anew_is_watched_again(store, ckpt, watching):
    watch = watching()
    shutil.rmtree(ckpt)
    put(ckpt / "epoch-1.h5", 1)
    watch.event("commit", file="epoch-1.h5")
    put(ckpt / "epoch-2.h5", 2)
    watch.event("commit", file="epoch-2.h5")
    watch.end()


@pytest.mark.slow
def test_nothing_is_missed_when_the_queue_overflows(store, ckpt, watching):
    limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    watch = watching()
    os.kill(watch.process.pid, signal.SIGSTOP)
    with open(ckpt / "a.txt", "wb") as a, open(ckpt / "b.txt", "wb") as b:
        # In turn: equal events that follow each other are one.
        for number in range(limit + 1000):
            os.pwrite((a if number % 2 else b).fileno(), b"x", 0)
    put(ckpt / "epoch-1.h5", 1)
    put(ckpt / "new/epoch-2.h5", 2)
    os.kill(watch.process.pid, signal.SIGCONT)
    watch.event("commit", file="epoch-1.h5")
    watch.event("commit", file="new/epoch-2.h5")
    put(ckpt / "new/epoch-3.h5", 3)
    watch.event("commit", file="new/epoch-3.h5")
    watch.end()


# ---- Names ------------------------------------------------------------------

def test_patterns_say_step_epoch_and_metrics(store, ckpt):
    put(ckpt / "e02-s2000-0.25.h5", 1, old=True)
    put(ckpt / "final.h5", 2, old=True)
    done = once(store, "--pattern",
                "out/e{epoch:02d}-s{step}-{val_loss:.2f}.h5")
    assert "'final.h5' doesn't fit" in done.stderr
    first, last = snapshots(store)
    assert (first["epoch"], first["step"]) == (2, 2000)
    assert first["metrics"] == {"val_loss": 0.25}
    assert (last["message"], last["step"]) == ("final.h5", None)
    assert store.row("show", "best:val_loss")["snapshot"] == first["snapshot"]


def test_folders_and_braces_of_patterns(store, ckpt):
    put(ckpt / "ckpt-{3}/model.h5", old=True)
    once(store, "--pattern", "ckpt-{{{epoch}}}/model.h5")
    assert snapshots(store)[0]["epoch"] == 3
    once(store)  # the last number of the nearest name
    assert len(snapshots(store)) == 1


def test_branch_and_run_are_as_told(store, ckpt):
    put(ckpt / "epoch-1.h5", old=True)
    once(store, "-b", "sweep", "--run", "r1")
    row = snapshots(store)[0]
    assert (row["run"], row["branches"]) == ("r1", ["sweep"])
    once(store, "--run", "r2")
    assert [row["run"] for row in snapshots(store)] == ["r1", "r2"]


# ---- Figures ----------------------------------------------------------------

HEAD = "epoch,loss,val_loss\n"


def test_rows_become_metrics_as_they_are_appended(store, ckpt, watching):
    watch = watching("--run", "r")
    log = open(ckpt / "log.csv", "w")
    for number, row in enumerate(["0,2.0,NA", "1,1.0,0.5",
                                  '2,"[0.5, 0.25]",0.25']):
        put(ckpt / f"epoch-{number + 1}.h5", number + 1)
        watch.event("commit", step=number + 1)
        log.write((HEAD if number == 0 else "") + row[:3])
        log.flush()
        log.write(row[3:] + "\n")
        log.flush()
        watch.event("metrics", rows=1)
    log.close()
    watch.end()
    assert watch.said["stderr"] == []
    values = store.rows("sql", "select key, step, value from metrics "
                        "order by step, key")
    assert [tuple(row.values()) for row in values] == [
        ("loss", 1, 2.0), ("loss", 2, 1.0), ("val_loss", 2, 0.5),
        ("val_loss", 3, 0.25)]
    assert store.row("show", "best:val_loss")["step"] == 3
    assert store.row("show", "best:loss:max")["metrics"] == {"loss": 2.0}
    assert store.row("runs", "--sort", "val_loss")["metrics"] == {
        "loss": 1.0, "val_loss": 0.25}
    # A restart finds all of it, and adds nothing.
    once(store, "--run", "r")
    assert store.rows("sql", "select count(*) as n from metrics") == [
        {"n": 4}]


def test_rows_that_came_before_their_checkpoint_are_its(store, ckpt):
    (ckpt / "log.csv").write_text(HEAD + "0,2,1\n1,1,0.512\n")
    for number in (1, 2):
        put(ckpt / f"{number}-0.5.h5", number, old=True)
    once(store, "--pattern", "{epoch}-{val_loss}.h5")
    rows = snapshots(store)
    # Exact ones, not those of the names.
    assert [row["metrics"] for row in rows] == [
        {"loss": 2, "val_loss": 1}, {"loss": 1, "val_loss": 0.512}]


def test_two_files_of_one_step_have_its_figures(store, ckpt, watching):
    watch = watching("--pattern", "{epoch}.h5")
    for folder, number in (("best", 1), ("last", 2)):
        put(ckpt / folder / "7.h5", number)
        watch.event("commit", file=f"{folder}/7.h5")
    (ckpt / "log.csv").write_text(HEAD + "6,2,1\n")
    watch.event("metrics", rows=1)
    watch.end()
    assert [row["metrics"] for row in snapshots(store)] == [
        {"loss": 2, "val_loss": 1}] * 2


def test_a_table_that_begins_anew_is_read_from_its_start(store, ckpt,
                                                         watching):
    watch = watching("--run", "r")
    (ckpt / "log.csv").write_text(HEAD + "0,2,1\n1,1,0.5\n")
    watch.event("metrics")
    (ckpt / "log.csv").write_text(HEAD + "0,3,3\n")
    watch.event("metrics", rows=1)
    watch.end()
    shown = store.row("run", "show", "r")["summary"]["loss"]
    assert (shown["n"], shown["max"]) == (3, 3)


@pytest.mark.parametrize("text, words, steps", [
    ("epoch,a\n1,5\n2,6\n", [], [1, 2]),
    ("epoch,a\n0,5\n1,6\n", ["--csv-shift", "0"], [0, 1]),
    ("epoch;a\n7;5\n", [], [8]),
    ("step,epoch,a\n300,0,5\n", [], [300]),
    ("epoch,a\n0,5\nbad\n1,6\n2,7", [], [1, 2]),
    ("x,y\n1,2\n", [], []), ("", [], []), ("epoch,a", [], []),
    ("epoch," + "x" * 300000 + "\n1,2\n", [], []),
])
def test_steps_of_rows(store, ckpt, text, words, steps):
    (ckpt / "log.csv").write_text(text)
    once(store, *words)
    rows = store.rows("sql", "select step from metrics order by step")
    assert [row["step"] for row in rows] == steps


def test_a_table_elsewhere_is_named(store, ckpt):
    (store.folder / "log.txt").write_text(HEAD + "0,2,1\n")
    (ckpt / "other.csv").write_text(HEAD + "0,9,9\n")
    put(ckpt / "epoch-1.h5", old=True)
    once(store, "--metrics", "log.txt")
    assert snapshots(store)[0]["metrics"] == {"loss": 2, "val_loss": 1}


# ---- What goes --------------------------------------------------------------

def test_sources_go_when_they_are_safe(store, ckpt, watching):
    watch = watching("--keep-sources", "2")
    for number in (1, 2, 3, 4):
        put(ckpt / f"epoch-{number}.h5", number)
        watch.event("commit", step=number)
    watch.event("deleted", file="ckpt/epoch-2.h5")
    shutil.copy(TF / "ckpt.data-00000-of-00001",
                ckpt / "t-5.data-00000-of-00001")
    shutil.copy(TF / "ckpt.index", ckpt / "t-5.index")
    watch.event("deleted", file="ckpt/epoch-3.h5")
    put(ckpt / "epoch-6.h5", 6)
    put(ckpt / "epoch-7.h5", 7)
    watch.event("deleted", file="ckpt/t-5")
    watch.end()
    assert sorted(path.name for path in ckpt.iterdir()) == [
        "epoch-6.h5", "epoch-7.h5"]
    store.ok("save-weights", "main@1", "back.h5")
    assert (store.folder / "back.h5").read_bytes() == epoch(1).read_bytes()


@pytest.mark.parametrize("form, name", [
    ("h5", "full-k2-adam.h5"), ("h5", "h5py-user-block.h5"),
    ("keras3", "archive.keras"), ("safetensors", "metadata.safetensors"),
    ("npz", "names.npz")])
def test_whole_models_go_as_well(store, ckpt, form, name):
    """What stands between their weights is verified with them."""
    shutil.copy(GOLDEN / form / name, ckpt)
    os.utime(ckpt / name, (LONG_AGO, LONG_AGO))
    data = (ckpt / name).read_bytes()
    assert not once(store, "--delete-source").stderr
    assert not list(ckpt.iterdir())
    store.ok("save-weights", name, "--save-format", form)
    assert (store.folder / name).read_bytes() == data


def test_only_its_own_files_go_with_a_checkpoint(store, ckpt):
    """Not those whose names begin as its shards' do."""
    for name in ("sharded-numbers.weights.json", *(
            f"sharded-numbers_0000{n}.weights.h5" for n in range(3))):
        shutil.copy(GOLDEN / "keras3" / name, ckpt)
    store.ok("convert", epoch(1), "ckpt/m.safetensors", "--max-shard-size",
             "20000", "-q")
    shutil.copy(TF / "ckpt.index", ckpt)
    shutil.copy(TF / "ckpt.data-00000-of-00001", ckpt)
    others = {"sharded-numbers_notes.txt", "m-notes.txt", "m-00001.csv.gz",
              "ckpt.data-00000-of-00001.md5", "ckpt.data-notes"}
    for name in others:
        (ckpt / name).write_text("mine")
    for path in ckpt.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert len(list(ckpt.glob("m-*-of-*.safetensors"))) > 1
    done = once(store, "--delete-source")
    assert "data-notes" not in done.stderr
    gone = [json.loads(line)["file"] for line in done.stdout.splitlines()
            if '"deleted"' in line]
    assert sorted(gone) == ["ckpt/ckpt", "ckpt/m.safetensors.index.json",
                            "ckpt/sharded-numbers.weights.json"]
    assert {path.name for path in ckpt.iterdir()} == others


def test_what_would_not_come_back_byte_for_byte_stays(store, ckpt):
    shutil.copy(GOLDEN / "h5/h5py-chunked.h5", ckpt / "chunked.h5")
    put(ckpt / "epoch-1.h5", old=True)
    shutil.copytree(GOLDEN / "tf/saved-model", ckpt / "saved/variables")
    done = once(store, "--delete-source")
    assert "'ckpt/chunked.h5' is not deleted" in done.stderr
    assert "'ckpt/saved' is not deleted" in done.stderr
    assert (ckpt / "chunked.h5").exists()
    assert (ckpt / "saved/variables/variables.index").exists()
    assert not (ckpt / "epoch-1.h5").exists()


def test_a_bad_file_is_never_deleted(store, ckpt):
    (ckpt / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    os.utime(ckpt / "bad.h5", (LONG_AGO, LONG_AGO))
    once(store, "--delete-source")
    assert (ckpt / "bad.h5").exists()


def test_rules_of_keep_are_applied_after_each(store, ckpt):
    for number in range(1, 7):
        put(ckpt / f"epoch-{number}.h5", number, old=True)
    once(store, "--keep", "last=2", "--keep", "every=3epoch")
    assert [row["step"] for row in snapshots(store)] == [2, 5, 6]
    # What was forgotten was there: it doesn't come again.
    once(store, "--keep", "last=2", "--keep", "every=3epoch")
    assert [row["step"] for row in snapshots(store)] == [2, 5, 6]
    assert "--keep" in store("watch", "ckpt", "--once", "--run", "x",
                             "--keep", "nonsense").stderr


# ---- Its end ----------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_a_signal_ends_it_when_what_is_complete_is_taken(store, ckpt,
                                                         watching, number):
    watch = watching(settle=30000, preexec_fn=lambda:  # and not ignored
                     signal.signal(number, signal.SIG_DFL))
    put(ckpt / "complete.h5", 1)
    with open(ckpt / "open.h5", "wb") as out:
        out.write(epoch(2).read_bytes()[:1000])
        out.flush()
        watch.end(number)
    assert names(store) == ["complete.h5"]
    assert watch.events[-1]["event"] == "end"


def looks_at(folder, process):
    return any(os.path.realpath(path) == str(folder)
               for path in glob.glob(f"/proc/{process.pid}/fd/*"))


def stop_in_a_look_at(folder, process):
    """With so much in the folder that it is met in the middle."""
    away = folder.with_name("away")
    while True:
        folder.rename(away)
        time.sleep(0.3)  # it looks for one that is away each 0.2 s
        away.rename(folder)
        end = time.monotonic() + 1
        while not looks_at(folder, process) and time.monotonic() < end:
            pass
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        if looks_at(folder, process):
            return
        process.send_signal(signal.SIGCONT)


def test_what_is_complete_before_a_signal_is_taken_whatever_it_does(
        store, ckpt, watching):
    for number in range(5000):
        (ckpt / f"{number}.txt").touch()
    watch = watching(settle=60000)
    stop_in_a_look_at(ckpt, watch.process)
    put(ckpt / "complete.h5")
    watch.process.terminate()
    watch.end(signal.SIGCONT)
    assert names(store) == ["complete.h5"]


def test_killed_at_any_time_it_goes_on_where_it_was(store, ckpt):
    for number in range(1, 17):
        put(ckpt / f"epoch-{number:02}.h5", number, old=True)
    for number in (1, 3, 6, 10):
        watch = Watching(store, "watch", "ckpt")
        # The one before may have come further until it was killed.
        watch.event("commit", "known", file=f"epoch-{number:02}.h5")
        watch.process.kill()
        watch.process.wait()
    once(store)
    assert names(store) == [f"epoch-{n:02}.h5" for n in range(1, 17)]
    assert store.row("verify", "--read-data")["errors"] == []
    for number in (1, 16):
        store.ok("save-weights", f"main@{number}", "back.h5")
        assert (store.folder / "back.h5").read_bytes() == epoch(
            number).read_bytes()


def test_what_keep_and_gc_took_is_not_taken_again(store, ckpt):
    for number in (1, 2, 3):
        put(ckpt / f"epoch-{number}.h5", number, old=True)
    once(store)
    store.ok("keep", "--last", "1")
    store.ok("gc", "--grace", "0")
    size = (store.folder / "weights.wh").stat().st_size
    events = [json.loads(line) for line in once(store).stdout.splitlines()]
    assert [row["file"] for row in events if row["event"] == "known"] == [
        "epoch-1.h5", "epoch-2.h5", "epoch-3.h5"]
    assert names(store) == ["epoch-3.h5"]
    assert (store.folder / "weights.wh").stat().st_size <= size
    put(ckpt / "epoch-1.h5", 4)
    once(store)
    assert names(store) == ["epoch-3.h5", "epoch-1.h5"]


def test_what_gc_took_is_taken_by_hand(store, ckpt):
    for number in (1, 2, 3):
        put(ckpt / f"epoch-{number}.h5", number, old=True)
    once(store)
    store.ok("keep", "--last", "1")
    store.ok("gc", "--grace", "0")
    # Of the same run, step, epoch, message and weights: a person means it.
    store.ok("import", "-q", "ckpt/epoch-1.h5")
    store.ok("commit", "-q", "ckpt/epoch-2.h5", "-m", "epoch-2.h5", "--step",
             "2", "--epoch", "2")
    rows = snapshots(store)
    assert [(row["message"], row["step"], row["epoch"]) for row in rows] == [
        (f"epoch-{n}.h5", n, n) for n in (3, 1, 2)]
    assert {row["run"] for row in rows} == {"main"}
    assert once(store).stdout.count('"known"') == 4  # three, and in the sum
    assert snapshots(store) == rows


def test_two_watches_of_one_folder_take_it_once(store, ckpt):
    for number in range(1, 9):
        put(ckpt / f"epoch-{number}.h5", number, old=True)
    both = [Watching(store, "watch", "ckpt", "--once") for _ in range(2)]
    for watch in both:
        watch.end(number=None)
    assert sorted(names(store)) == [f"epoch-{n}.h5" for n in range(1, 9)]


def test_a_folder_that_cannot_be_written_is_watched(store, ckpt):
    put(ckpt / "epoch-1.h5", old=True)
    ckpt.chmod(0o555)
    done = once(store, "--delete-source")
    ckpt.chmod(0o755)
    assert names(store) == ["epoch-1.h5"]
    if os.geteuid():
        assert "is not deleted: Permission denied" in done.stderr
