"""run, runs, metric: what is recorded, listed, compared."""
import json
import math
import os
import socket
import subprocess
import time

import pytest

from conftest import epoch


@pytest.fixture
def runs(store):
    """Three runs with params and curves."""
    for name, rate, losses in (("a", "1e-2", [3, 1, 2]),
                               ("b", "1e-3", [5, 4]), ("c", "0.5", [])):
        store.ok("run", "start", name, "--param", f"lr={rate}", "--param",
                 "optimizer=adam", "-q")
        for step, loss in enumerate(losses):
            store.ok("metric", name, f"loss={loss}", f"acc={-loss}", "--step",
                     step, "-q")
    store.ok("run", "end", "a", "-q")
    return store


def test_a_run_is_shown_with_what_was_recorded(wh, tmp_path):
    git = {"GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}

    def run_git(*words):
        return subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e", *words],
            cwd=wh.folder, env={**os.environ, **git}, check=True,
            capture_output=True, text=True).stdout.strip()

    wh.ok("init", "-q")
    (wh.folder / "train.py").write_text("pass\n")
    run_git("init", "-q")
    run_git("add", "train.py")
    run_git("commit", "-qm", "first")
    wh.ok("run", "start", "clean", "-q", "--param", "lr=1e-3", "--tag",
          "nightly", env=git)
    (wh.folder / "train.py").write_text("fail\n")
    wh.ok("run", "start", "dirty", "-q", "--param", "n=5", env=git)
    shown = wh.row("run", "show", "clean")
    assert shown["host"] == socket.gethostname()
    assert shown["folder"] == str(wh.folder)
    assert shown["command"].endswith(
        "run start clean -q --param lr=1e-3 --tag nightly")
    assert shown["git_commit"] == run_git("rev-parse", "HEAD")
    assert shown["git_dirty"] is False
    assert wh.row("run", "show", "dirty")["git_dirty"] is True
    assert shown["params"] == {"lr": 0.001}
    assert shown["tags"] == ["nightly"]
    assert shown["versions"].startswith("wh ")
    assert shown["status"] == "running" and shown["ended"] is None
    # Without the program, HEAD's commit is still known.
    wh.ok("run", "start", "bare", "-q", env={"PATH": "/nonexistent"})
    shown = wh.row("run", "show", "bare")
    assert shown["git_commit"] == run_git("rev-parse", "HEAD")
    assert shown["git_dirty"] is None


def test_secrets_of_the_command_line_are_left_out(store):
    store.ok("run", "start", "x", "-q", "--param", "api_key=hunter2",
             "--param", "url=https://me:hunter2@host/x", "--tag", "it's")
    command = store.row("run", "show", "x")["command"]
    assert "hunter2" not in command
    assert "api_key=***" in command and "https://***@host/x" in command
    environment = store.ok("sql", "select * from run_origin")
    assert "SOURCE_DATE_EPOCH" not in environment


def test_a_run_ends_as_it_is_told(runs):
    assert runs.row("run", "show", "a")["status"] == "finished"
    runs.ok("run", "end", "b", "--status", "failed", "--exit-status", "3",
            "-q")
    shown = runs.row("run", "show", "b")
    assert (shown["status"], shown["exit_status"]) == ("failed", 3)
    assert shown["ended"]
    runs.fails(2, "run", "end", "b", "--status", "exploded")
    assert "did you mean 'a'" in runs.fails(4, "run", "end", "aa")
    assert "already" in runs.fails(14, "run", "start", "a")


def test_runs_are_listed_newest_first(runs):
    rows = runs.rows("runs")
    assert [row["run"] for row in rows] == ["c", "b", "a"]
    assert rows[2] == {
        "run": "a", "status": "finished", "params": {
            "lr": 0.01, "optimizer": "adam"},
        "metrics": {"loss": 2.0, "acc": -2.0}, "snapshots": 0,
        "started": rows[2]["started"], "ended": rows[2]["ended"]}


@pytest.mark.parametrize("words, order", [
    (["--sort", "loss"], "abc"), (["--sort", "loss", "-r"], "bac"),
    (["--sort", "loss:min"], "abc"), (["--sort", "acc"], "bac"),
    (["--sort", "params.lr"], "bac"),
    (["--where", "params.lr < 0.1"], "ba"),
    (["--where", "params.lr<0.1 and metrics.loss>3"], "b"),
    (["--where", "status = finished"], "a"),
    (["--where", "not status = finished"], "cb"),
    (["--where", "run ~ '[ab]' and (metrics.loss > 3 or params.lr >= 1e-2)"],
     "ba"),
    (["--where", "metrics.loss > 0 or run = 'c'"], "cba"),
    (["--where", "params.optimizer = adam", "--sort", "loss"], "abc"),
    (["--where", "params.none = 1"], ""),
    (["--where", "tag = x"], ""), (["--where", "snapshots = 0"], "cba"),
])
def test_runs_are_sorted_and_chosen(runs, words, order):
    assert "".join(row["run"] for row in runs.rows("runs", *words)) == order


@pytest.mark.parametrize("text", [
    "", "lr < 1", "params.lr", "params.lr <", "params.lr ? 1", "(run = a",
    "run = a b", "run = 'a", "run == a and", "(" * 100 + "run = a"])
def test_a_condition_that_is_none_is_told(runs, text):
    assert "--where" in runs.fails(2, "runs", "--where", text)


def test_two_runs_are_compared(runs):
    rows = {row["field"]: (row["a"], row["b"])
            for row in runs.rows("run", "diff", "a", "b")}
    assert rows == {"params.lr": (0.01, 0.001), "metrics.loss": (2.0, 4.0),
                    "metrics.acc": (-2.0, -4.0)}
    assert runs.rows("run", "diff", "a", "a") == []


def test_summaries_are_those_of_the_values(store):
    values = [3.5, math.nan, math.inf, -2.0, 1.0]
    lines = [json.dumps({"run": "r", "step": step, "metrics": {
        "x": value if math.isfinite(value) else str(value)}})
        for step, value in zip((0, 1, 2, 9, 5), values)]
    assert store.row("metric", "--stdin", input="\n".join(lines)
                     ) == {"values": 5}
    assert store.row("run", "show", "r")["summary"]["x"] == {
        "n": 5, "step": 9, "last": -2.0, "min": -2.0, "max": None}
    rows = store.rows("sql", "select step, value from metrics order by step")
    assert [row["step"] for row in rows] == [0, 1, 2, 5, 9]
    assert rows[1]["value"] is None


def test_a_stream_is_durable_line_by_line(store):
    process = store.start("metric", "--stdin", "r", stdin=subprocess.PIPE,
                          text=True)
    for step in range(3):
        process.stdin.write(json.dumps(
            {"step": step, "metrics": {"loss": step}}) + "\n")
        process.stdin.flush()
        for _ in range(500):
            found = store.rows("sql", "select count(*) as n from metrics")
            if found[0]["n"] == step + 1:
                break
            time.sleep(0.01)
        assert found[0]["n"] == step + 1
    process.kill()
    process.wait()
    process.stdin.close()
    assert store.row("run", "show", "r")["metrics"] == {"loss": 2.0}


@pytest.mark.parametrize("line", [
    "x", "{}", '{"run":"r","metrics":{"a":1}}', '{"run":"r","step":1}',
    '{"run":"r","step":1,"metrics":{"a":"b"}}',
    '{"run":"r","step":1,"metrics":{"a":1,"c":2,"b":"x"}}',
    '{"run":"r","step":1.5,"metrics":{"a":1}}', "[1]"])
def test_a_bad_line_is_told_and_what_came_before_is_kept(store, line):
    good = json.dumps({"run": "r", "step": 0, "metrics": {"a": 1}})
    said = store.fails(2, "metric", "--stdin", input=f"{good}\n{line}\n")
    assert "line 2" in said
    assert store.rows("sql", "select step, value from metrics") == [
        {"step": 0, "value": 1.0}]


def test_a_stream_that_cannot_be_read_is_no_success(store):
    folder = os.open(store.folder, os.O_RDONLY)
    done = store("metric", "--stdin", "r", stdin=folder)
    os.close(folder)
    assert done.returncode == 1
    assert done.stderr == "wh metric: 'stdin': Is a directory\n"


def test_a_hundred_thousand_lines_are_all_kept(store):
    lines = "".join(f'{{"run":"r{n % 3}","step":{n},"metrics":'
                    f'{{"a":{n},"b":{-n}}}}}\n' for n in range(100000))
    assert store.row("metric", "--stdin", input=lines) == {"values": 200000}
    assert store.rows("sql", "select count(*) as n, sum(value) as s, "
                      "count(distinct run) as r from metrics") == [
        {"n": 200000, "s": 0.0, "r": 3}]
    summary = store.row("run", "show", "r0")["summary"]
    assert summary["a"] == {"n": 33334, "step": 99999, "last": 99999.0,
                            "min": 0.0, "max": 99999.0}


def summaries(store):
    return store.ok("sql", "SELECT r.name, m.key, m.n, m.step, m.class, "
                    "m.value, m.min, m.max FROM metric_summary AS m "
                    "JOIN run AS r ON r.id = m.run_id ORDER BY 1, 2")


def test_many_values_are_summed_up_as_one_by_one(store):
    """A trigger sums up few values; for many, one statement a metric does."""
    values = [0.5, "NaN", -3, "Infinity", 7.25, "-Infinity", 2]
    lines = [json.dumps({"run": f"r{i // 50 % 3}", "step": i * 37 % 101,
                         "metrics": {f"k{i % 5}": values[i % 7],
                                     "all": i / 8, "none": "NaN"}})
             for i in range(120)]
    for line in lines:
        assert store("metric", "--stdin", input=line + "\n").returncode == 0
    single = summaries(store)
    os.rename(store.folder / "weights.wh", store.folder / "single.wh")
    store.ok("init")
    for part in (lines[:50], lines[50:]):
        assert store("metric", "--stdin",
                     input="\n".join(part) + "\n").returncode == 0
    assert summaries(store) == single


@pytest.mark.parametrize("how", ["arguments", "csv", "stdin"])
def test_what_is_measured_after_a_commit_is_its_snapshots(store, how):
    first = store.row("commit", epoch(1), "--run", "r", "--step", "1")
    store.ok("commit", epoch(2), "--run", "r", "--step", "2", "-q")
    if how == "arguments":
        for step, value in ((1, 0.25), (2, 0.5)):
            store.ok("metric", "r", f"test_loss={value}", "--step", str(step))
    elif how == "csv":
        (store.folder / "t.csv").write_text("step,test_loss\n1,0.25\n2,0.5\n")
        store.ok("metric", "r", "--csv", "t.csv")
    else:
        store.ok("metric", "--stdin", input="".join(
            json.dumps({"run": "r", "step": step,
                        "metrics": {"test_loss": value}}) + "\n"
            for step, value in ((1, 0.25), (2, 0.5))))
    best = store.row("show", "best:test_loss")
    assert best["snapshot"] == first["snapshot"]
    assert best["metrics"] == {"test_loss": 0.25}
    store.ok("metric", "r", "test_loss=0.75", "--step", "1")
    assert store.row("show", "best:test_loss")["step"] == 2


def test_metrics_and_weights_of_a_commit_are_one(store):
    store.ok("commit", epoch(1), "-q", "--run", "r", "--step", "7", "--metric",
             "loss=0.5", "--param", "lr=1")
    (row,) = store.rows("runs")
    assert row["metrics"] == {"loss": 0.5} and row["snapshots"] == 1
    assert row["params"] == {"lr": 1}


@pytest.mark.parametrize("text, value", [
    ("1", 1), ("-3", -3), ("1e-3", 0.001), ("0.10", 0.1), ("1E+2", 100),
    (".5", 0.5), ("adam", "adam"), ("2026-11-24", "2026-11-24"),
    ("1.2.3", "1.2.3"), ("e5", "e5"), ("1e", "1e"), ("--5", "--5"),
    ("", ""), ("-", "-"), ("1e2e3", "1e2e3"), ("0x10", "0x10"), (".", "."),
    ("nan", "nan"), ("12 monkeys", "12 monkeys")])
def test_params_are_numbers_where_they_read_as_numbers(store, text, value):
    store.ok("run", "start", "r", "--param", f"p={text}", "-q")
    (row,) = store.rows("sql", "select value from params")
    assert row["value"] == value and type(row["value"]) in (
        str, int, float)
    assert isinstance(row["value"], str) == isinstance(value, str)


@pytest.mark.parametrize("words", [
    ("commit", epoch(1), "--param", "k{}=1"),
    ("commit", epoch(1), "--metric", "k{}=1"),
    ("run", "start", "a", "--param", "k{}=1"),
    ("run", "start", "a", "--tag", "k{}")])
def test_more_values_than_are_taken_are_refused_not_dropped(store, words):
    *head, option, value = words
    many = [word for n in range(257) for word in (option, value.format(n))]
    assert "more than 256" in store.fails(2, *head, *many)
    store.ok(*head, *many[2:])


def test_a_snapshot_tells_all_params_of_its_run(store):
    for part in ("a", "b"):
        many = [word for n in range(200)
                for word in ("--param", f"{part}{n}=1")]
        store.ok("commit", epoch(1), "--run", "r", *many)
    assert len(store.row("show")["params"]) == 400
