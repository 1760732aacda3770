"""bisect against brute force: real commands judge real files."""
import json
import os
import random
import shlex
import sqlite3
import sys

import numpy
import pytest

from conftest import NOON

# Fails from the snapshot on whose step is BAD; skips those of SKIP.
JUDGE = """
import os, sys, numpy
step = int(numpy.load(sys.argv[1])["a/step"][0])
open("tried", "a").write(f"{step} {os.environ['WH_SNAPSHOT']}\\n")
print("noise of", step)
if step in map(int, os.environ.get("SKIP", "").split()):
    sys.exit(125)
sys.exit(0 if step < int(os.environ["BAD"]) else 7)
"""


def line_of(wh, n):
    """n snapshots along a line, each with its step as its weight; their ids."""
    wh.ok("init", "-q")
    for step in range(n):
        numpy.savez(wh.folder / "m.npz", **{"a/step": numpy.int64([step])})
        wh.ok("commit", "m.npz", "-q", "--step", step, "-m", f"m{step}",
              "--date", NOON + step)
    (wh.folder / "judge.py").write_text(JUDGE)
    return [row["snapshot"] for row in wh.rows("log")][::-1]


def run(wh, bad, *words, skip=(), code=0):
    (wh.folder / "tried").unlink(missing_ok=True)
    (wh.folder / "tmp").mkdir(exist_ok=True)
    done = wh("bisect", "run", "--json", *words, "--", sys.executable,
              "judge.py", "{}", env={"BAD": str(bad), "TMPDIR": wh.folder / "tmp",
                                     "SKIP": " ".join(map(str, skip))})
    assert done.returncode == code, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    tried = []
    if (wh.folder / "tried").exists():
        tried = [int(line.split()[0]) for line
                 in (wh.folder / "tried").read_text().splitlines()]
    return rows, tried


def test_every_place_of_short_lines(wh):
    ids = line_of(wh, 9)
    for n in (2, 3, 5, 9):
        for bad in range(1, n):
            wh.ok("bisect", "start", ids[n - 1], ids[0], "-q")
            rows, tried = run(wh, bad)
            assert rows[-1]["phase"] == "found"
            assert rows[-1]["first_bad"] == ids[bad]
            assert len(tried) == len(set(tried)) <= max(0, n - 2).bit_length()
            assert [row["verdict"] for row in rows[:-1]] == [
                "good" if step < bad else "bad" for step in tried]
            assert [row["snapshot"] for row in rows[:-1]] == [
                ids[step] for step in tried]


def test_a_long_line(wh):
    ids = line_of(wh, 200)
    chance = random.Random(1)
    refs = wh.rows("branch"), wh.rows("reflog")
    for bad in (1, 199, *chance.sample(range(2, 199), 4)):
        wh.ok("bisect", "start", "HEAD", ids[0], "-q")
        rows, tried = run(wh, bad)
        assert rows[-1]["first_bad"] == ids[bad]
        assert len(tried) <= 8
    assert (wh.rows("branch"), wh.rows("reflog")) == refs
    assert os.listdir(wh.folder / "tmp") == []


@pytest.mark.parametrize("seed", range(8))
def test_skipped_ones_are_gone_around(wh, seed):
    chance = random.Random(seed)
    ids = line_of(wh, 12)
    for _ in range(3):
        bad = chance.randrange(1, 12)
        skip = set(chance.sample(range(1, 11), chance.randrange(0, 8)))
        wh.ok("bisect", "start", ids[-1], ids[0], "-q")
        # What is known if all that can be judged is judged.
        known_bad = min(step for step in range(bad, 12) if step not in skip)
        known_good = max(step for step in range(bad) if step not in skip)
        exact = known_bad == known_good + 1
        rows, tried = run(wh, bad, skip=skip, code=0 if exact else 1)
        last = rows[-1]
        assert last["bad"] == ids[known_bad]
        assert last["good"] == ids[known_good]
        assert last["phase"] == ("found" if exact else "skipped")
        assert last["left"] == known_bad - known_good - 1


def test_step_by_step(wh):
    ids = line_of(wh, 8)
    state = wh.row("bisect", "start")
    assert state == {"phase": "waits", "good": None, "bad": None,
                     "candidate": None, "first_bad": None, "left": 0,
                     "steps": 0}
    assert wh.row("bisect", "bad", "HEAD")["phase"] == "waits"
    assert "good" in wh.ok("bisect", "bad", "HEAD")
    state = wh.row("bisect", "good", ids[1], ids[0], "--write", "c.npz")
    assert (state["good"], state["bad"], state["left"], state["steps"]) == (
        ids[1], ids[7], 5, 3)
    step = int(numpy.load(wh.folder / "c.npz")["a/step"][0])
    assert state["candidate"] == ids[step] and step == 4
    assert wh.row("bisect", "skip")["candidate"] in (ids[3], ids[5])
    assert wh.row("bisect", "bad", ids[5])["candidate"] in (ids[2], ids[3])
    wh.ok("bisect", "good", ids[3], "-q")
    assert wh.row("bisect", "start", ids[5], ids[4])["first_bad"] == ids[5]
    rows = wh.rows("bisect", "log")
    assert rows == [{"snapshot": ids[4], "verdict": "good"},
                    {"snapshot": ids[5], "verdict": "bad"}]
    assert f"{ids[5][:12]} is the first bad snapshot" in wh.ok(
        "bisect", "bad", "HEAD")
    wh.ok("bisect", "reset")
    assert wh.rows("bisect", "log") == []
    # What is kept is part of the store, and of its backup.
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    wh.ok("backup", "other.wh", "-q")
    assert len(wh.rows("bisect", "log", "-s", "other.wh")) == 2


def test_what_is_no_line_is_refused(wh):
    ids = line_of(wh, 4)
    wh.ok("commit", "m.npz", "-b", "side", "--parent", ids[1], "-q", "-m", "x")
    side = wh.row("log", "side", "-n", "1")["snapshot"]
    wh.ok("bisect", "start", "HEAD", "-q")
    assert "is no ancestor of" in wh.fails(2, "bisect", "good", side)
    assert len(wh.rows("bisect", "log")) == 1
    wh.ok("bisect", "good", ids[1], "-q")
    assert "another line" in wh.fails(2, "bisect", "bad", side)
    wh.ok("bisect", "start", ids[2], "-q")
    assert "comes after" in wh.fails(2, "bisect", "good", ids[3])
    assert "comes after" in wh.fails(2, "bisect", "start", ids[0], ids[1])
    wh.ok("bisect", "start", "-q")
    wh.fails(2, "bisect", "good")
    wh.fails(4, "bisect", "good", "nosuch")
    wh.fails(2, "bisect", "run", "true")
    wh.fails(2, "bisect", "dance")
    wh.fails(2, "bisect", "run")


@pytest.mark.parametrize("code", [126, 127, 128, 255, "kill"])
def test_what_is_no_verdict_ends_it(wh, code):
    ids = line_of(wh, 4)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    command = "kill -9 $$" if code == "kill" else f"exit {code}"
    line = wh.fails(1, "bisect", "run", "--", "sh", "-c", command)
    assert str(137 if code == "kill" else code) in line
    assert len(wh.rows("bisect", "log")) == 2
    assert "can't be run" in wh.fails(2, "bisect", "run", "./nosuch")


def test_a_mistyped_start_leaves_the_one_under_way(wh):
    ids = line_of(wh, 6)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    for words in (["HEAD~1", "nosuch"], ["nosuch", ids[0]]):
        assert "nosuch" in wh.fails(4, "bisect", "start", *words)
    assert {row["snapshot"]: row["verdict"] for row in wh.rows(
        "bisect", "log")} == {ids[-1]: "bad", ids[0]: "good"}


def test_a_command_may_ask_the_store_itself(wh):
    ids = line_of(wh, 10)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    check = ('test -z "$WH_WEIGHTS" || exit 255; test "$(%s --json show '
             """"$WH_SNAPSHOT" | sed 's/.*"step":\\([0-9]*\\).*/\\1/')" -lt 6"""
             % shlex.quote(os.environ["WH_BIN"]))
    text = wh.ok("bisect", "run", "--no-save", "--", "sh", "-c", check)
    assert text.splitlines()[-1].startswith(f"{ids[6][:12]} is the first bad")


def test_a_word_may_name_the_file_more_than_once(wh):
    ids = line_of(wh, 10)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    text = wh.ok("bisect", "run", "--", "sh", "-c",
                 f'test {{}} = {{}} && {sys.executable} judge.py {{}} >/dev/null',
                 env={"BAD": "4"})
    assert text.splitlines()[-1].startswith(f"{ids[4][:12]} is the first bad")


@pytest.mark.parametrize("form,check", [
    ("h5", "import sys, h5py; f = h5py.File(sys.argv[1])"),
    ("safetensors", "import sys, json; f = open(sys.argv[1], 'rb'); "
     "json.loads(f.read(int.from_bytes(f.read(8), 'little')))"),
    ("tf", "import sys, os; assert os.path.exists(sys.argv[1] + '.index')")])
def test_candidates_in_other_formats(wh, form, check):
    ids = line_of(wh, 4)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    done = wh("bisect", "run", "--save-format", form, "--json", "--",
              sys.executable, "-c", check)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["first_bad"] == ids[3]


def test_what_gc_took_and_what_was_forgotten(wh):
    ids = line_of(wh, 10)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    for step in (0, 2, 5, 7):
        wh.ok("tag", f"t{step}", ids[step])
    wh.ok("keep", "--last", "1", "--tag", "t*", "-q")
    rows, tried = run(wh, 7, code=1)
    assert set(tried) <= {2, 5, 7}
    assert rows[-1]["phase"] == "skipped" and rows[-1]["bad"] == ids[7]
    wh.ok("gc", "--grace", "0", "-q")
    with sqlite3.connect(wh.folder / "weights.wh") as database:
        assert database.execute("SELECT count(*) FROM snapshot").fetchone() \
            == (5,)
    wh.ok("bisect", "start", "HEAD", ids[0], "-q")
    rows, tried = run(wh, 7)
    assert rows[-1]["first_bad"] == ids[7]
