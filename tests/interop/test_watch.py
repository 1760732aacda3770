"""Real trainings through `wh run exec --watch`, killed in the middle."""
import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import tensorflow as tf

from conftest import sha256, same

TOP = Path(__file__).resolve().parents[2]
EXAMPLE = TOP / "tools/examples/keras_train.py"
TRAINER = Path(__file__).with_name("watched_trainer.py")
EPOCHS = 200
PAGE = 4096


def log(wh, run):
    lines = wh("log", "--all", "--run", run, "--json").splitlines()
    return [json.loads(line) for line in lines][::-1]


def until(condition, process=None, seconds=900):
    """A condition of the outside, which has no other way of being told."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        assert process is None or process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def start(wh, *words, stdout=subprocess.DEVNULL):
    return subprocess.Popen([wh.path, *map(str, words)], cwd=wh.folder,
                            stdin=subprocess.DEVNULL, text=True,
                            stdout=stdout, stderr=subprocess.PIPE,
                            start_new_session=True)


def children_of(process):
    """Of any of its threads."""
    return [int(pid) for path in
            Path(f"/proc/{process.pid}/task").glob("*/children")
            for pid in path.read_text().split()]


def kill_child_of(process):
    """The trainer of a `run exec` that is killed, or already is."""
    until(lambda: children_of(process), process)
    pid = children_of(process)[0]
    return lambda: os.kill(pid, signal.SIGKILL)


def h5_arrays(path):
    found = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(sha256(item[()]))
                        if isinstance(item, h5py.Dataset) else None)
    return sorted(found)


def tf_arrays(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return sorted(sha256(reader.get_tensor(name))
                  for name in reader.get_variable_to_shape_map()
                  if "OBJECT_GRAPH" not in name)


def assert_all_there(wh, run, folder, paths):
    """One snapshot for each file, and in it what the file holds."""
    rows = log(wh, run)
    assert sorted(row["message"] for row in rows) == sorted(
        str(path.relative_to(folder)) for path in paths)
    for row in rows:
        path = folder / row["message"]
        stored = sorted(tensor["sha256"] for tensor in wh.ls(row["snapshot"]))
        read = h5_arrays(path) if path.suffix == ".h5" else tf_arrays(path)
        assert stored == read, path
    return rows


@pytest.mark.parametrize("keras, suffix, n_tf", [
    ("tf_keras", ".h5", EPOCHS // 10), ("keras", ".weights.h5", 0)])
def test_200_epochs_with_both_killed_on_the_way(wh, keras, suffix, n_tf):
    wh("init")
    folder = wh.folder / "ckpt"
    words = ["run", "exec", "long", "--watch", "ckpt", "--resume", "--",
             sys.executable, TRAINER, "ckpt", EPOCHS, keras]

    hold = wh.folder / "hold"
    hold.touch()
    # wh is killed; the trainer goes on for a while, and is killed then.
    process = start(wh, *words)
    until((folder / f"epoch-040{suffix}").exists, process)
    kill_trainer = kill_child_of(process)
    process.kill()
    process.wait()
    until((folder / f"epoch-060{suffix}").exists)
    kill_trainer()
    # The trainer alone is killed: the run is told so.
    process = start(wh, *words)
    until((folder / f"epoch-120{suffix}").exists, process)
    kill_child_of(process)()
    assert process.wait(300) == 137
    shown = json.loads(wh("run", "show", "long", "--json"))
    assert (shown["status"], shown["exit_status"]) == ("killed", 137)
    # To its end.
    hold.unlink()
    process = start(wh, *words)
    assert process.wait(900) == 0, process.stderr.read()

    paths = [path if path.suffix == ".h5" else path.with_suffix("")
             for path in (*folder.glob("*.h5"), *folder.glob("*/*.index"))]
    rows = assert_all_there(wh, "long", folder, paths)
    assert len(rows) >= EPOCHS + n_tf - 2  # killed before a tf save
    assert sorted(row["step"] for row in rows
                  if row["message"].endswith(".h5")) == list(
                      range(1, EPOCHS + 1))
    shown = json.loads(wh("run", "show", "long", "--json"))
    assert (shown["status"], shown["exit_status"]) == ("finished", 0)
    # CSVLogger's rows, once for each file of the epoch: one epoch's may be
    # lost with the trainer.
    loss = shown["summary"]["loss"]
    assert loss["step"] == EPOCHS
    assert EPOCHS - 2 <= loss["n"] <= len(rows) + 2
    best = json.loads(wh("show", "best:loss:min", "--json"))
    assert best["metrics"]["loss"] == pytest.approx(loss["min"])
    assert json.loads(wh("verify", "--read-data", "--json"))["errors"] == []


@pytest.mark.parametrize("keras, suffix", [
    ("3", ".weights.h5"), ("3", ".keras"), ("2", "")])
def test_the_example_with_each_kind_of_file(wh, keras, suffix):
    wh("init")
    folder = wh.folder / "ckpt"
    words = ["run", "exec", "digits", "--watch", "ckpt", "--pattern",
             "epoch-{epoch:03d}-{val_loss:.4f}" + suffix, "--resume", "--",
             sys.executable, EXAMPLE, "--keras", keras, "--suffix", suffix]
    process = start(wh, *words, "--epochs", 200)
    until(lambda: any(folder.glob(f"epoch-006*{suffix or '.index'}")), process)
    kill_trainer = kill_child_of(process)
    process.kill()
    process.wait()
    kill_trainer()
    last = len({path.name[:9] for path in folder.glob("epoch-*")}) + 4
    process = start(wh, *words, "--epochs", last)
    assert process.wait(900) == 0, process.stderr.read()

    rows = log(wh, "digits")
    steps = [row["step"] for row in rows]
    assert set(range(1, last + 1)) <= set(steps)
    seen = [(row["message"], row["tree"]) for row in (
        json.loads(wh("show", row["snapshot"], "--json")) for row in rows)]
    assert len(set(seen)) == len(seen)
    for row in rows[-4:]:
        # `metrics` are CSVLogger's, exact; the name has them rounded.
        assert f"-{row['metrics']['val_loss']:.4f}" in row["message"]
        if suffix:
            wh("save-weights", row["snapshot"], f"back{suffix}",
               "--save-format", "keras3")
            assert same(wh.folder / f"back{suffix}", folder / row["message"])
        else:
            wh("save-weights", row["snapshot"], "back/ckpt")
            for end in (".index", ".data-00000-of-00001"):
                assert same(Path(f"{wh.folder / 'back/ckpt'}{end}"),
                            Path(f"{folder / row['message']}{end}"))


def count_snapshots(wh):
    with sqlite3.connect(wh.folder / "weights.wh") as store:
        return store.execute("SELECT count(*) FROM snapshot").fetchone()[0]


def test_400_epochs_of_a_c_program_killed_twice(wh):
    """It commits by the library itself, inside a run that is watched."""
    program = Path(os.environ["WH_BUILD"]) / "tools/examples/train"
    wh("init")
    words = ["run", "exec", "c", "--watch", "none", "--resume", "--", program,
             "weights.wh", 2 * EPOCHS, "c"]
    for enough in (50, 120):
        # It tells each epoch: nobody reads, so that it can't come to its end.
        unread, told = os.pipe()
        fcntl.fcntl(told, fcntl.F_SETPIPE_SZ, PAGE)
        process = start(wh, *words, stdout=told)
        until(lambda: count_snapshots(wh) >= enough, process)
        kill_child_of(process)()
        assert process.wait(300) == 137
        os.close(told)
        os.close(unread)
    assert wh.run(*words).returncode == 0
    rows = log(wh, "c")
    assert [row["epoch"] for row in rows] == list(range(1, 2 * EPOCHS + 1))
    assert [row["parent"] for row in rows[1:]] == [
        row["snapshot"] for row in rows[:-1]]
    assert json.loads(wh("run", "show", "c", "--json"))["status"] == "finished"
    assert json.loads(wh("verify", "--read-data", "--json"))["errors"] == []
    # A run without a break gives the same.
    wh("init", "other.wh")
    subprocess.run([program, "other.wh", str(2 * EPOCHS), "c"], cwd=wh.folder,
                   check=True, capture_output=True)
    ids = [json.loads(line)["sha256"] for line in
           wh("ls", "-s", "other.wh", "HEAD", "--json").splitlines()]
    assert ids == [tensor["sha256"] for tensor in wh.ls()]
