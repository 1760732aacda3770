"""What --help says that --json prints is what it prints."""
import json
import re

import numpy
import pytest

from conftest import epoch
from test_verify import ask, damage, flip

pytestmark = pytest.mark.slow

# Below these stand names that users have given.
FREE = {"metrics", "params", "summary"}


def fields_of(row, free=()):
    """The names of a row, and of the objects in its lists and fields."""
    names = set(row)
    for name, value in row.items():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and name not in free:
                names |= fields_of(inner, free)
    return names


@pytest.fixture
def lab(history):
    """Also a place, something published there, and a file to load into."""
    history.ok("remote", "add", "lab", f"file:{history.folder}/models")
    history.ok("publish", "HEAD", "lab", "--alias", "stable", "-q")
    history.ok("publish", "HEAD", "lab", "--alias", "next", "--save", "-q")
    history.ok("save-weights", "HEAD", "best.h5", "-q")
    history.ok("config", "codec", "fast", "-q")
    history.ok("keep", "--last", "9", "--save", "-q")
    history.ok("branch", "old", "HEAD~1", "-q")
    return history


def promised(wh, verb):
    text = " ".join(wh.ok("help", verb).split("options of all")[0].split())
    return set(re.findall(r"[\w-]+", text.split("--json prints ")[1]))


@pytest.mark.parametrize("words", [
    ["log"], ["show"], ["show", "--stats"], ["show", "--histogram", "conv1"],
    ["diff", "HEAD~1", "HEAD"], ["blame"], ["history", "conv1/kernel"],
    ["plot", "loss"], ["plot", "--tensor", "conv1"], ["runs"],
    ["run", "show", "digits"], ["reflog"], ["bisect", "start", "HEAD"],
    ["bisect", "log"], ["commit", str(epoch(6))], ["import", str(epoch(7))],
    ["metric", "digits", "loss=1", "--step", "90"], ["rollback", "HEAD~1"],
    ["run", "start", "other"], ["run", "end", "digits"],
    ["run", "diff", "digits", "digits"], ["ls"], ["ls", "--stats"],
    ["save-weights", "HEAD", "a.h5"], ["convert", str(epoch(1)), "b.npz"],
    ["load-weights", "HEAD", "--into", "best.h5"], ["undo"], ["branch"],
    ["branch", "side"], ["branch", "-d", "old"], ["tag", "good"], ["tag"],
    ["switch", "old"], ["keep", "--last", "2", "--dry-run"],
    ["keep", "--policies"], ["keep", "--undo"], ["gc", "--dry-run"], ["backup", "copy.wh"],
    ["verify", "--read-data"], ["du"], ["du", "--by", "file"], ["config"],
    ["config", "codec"], ["formats"], ["version"],
    ["publish", "HEAD", "lab"], ["publish", "HEAD", "lab", "--dry-run"],
    ["publish", "--list"], ["publish", "--policies"],
    ["pull", "lab", "stable", "-o", "pulled"],
    ["pull", "lab", "stable", "-b", "in"],
    ["unpublish", "lab", "stable"], ["remote"],
    ["remote", "test", "lab"], ["remote", "ls", "lab"],
], ids=lambda words: " ".join(words)[:30])
def test_fields_are_those_of_the_help(lab, words):
    known = promised(lab, words[0])
    done = lab(*words, "--json")
    assert done.returncode == 0, done.stderr
    for row in map(json.loads, done.stdout.splitlines()):
        told = fields_of(row, free=FREE)
        assert told <= known, told - known


def test_every_verb_that_prints_rows_says_which(history):
    verbs = set(re.findall(r"^  ([a-z][a-z-]+)  ", history.ok("help"), re.M))
    silent = {verb for verb in verbs
              if "--json prints" not in history.ok("help", verb)}
    assert silent == {"cat", "complete", "help", "migrate"}


def test_damage_has_the_fields_of_the_help(history):
    (chunk,), = ask(history, "SELECT max(id) FROM chunk")
    damage(history, flip(chunk))
    done = history("verify", "--read-data", "--json")
    row = json.loads(done.stdout)
    assert row["damaged"]
    assert fields_of(row) <= promised(history, "verify")


def test_fields_of_alarms_and_weights(history):
    numpy.savez(history.folder / "m.npz", **{"a/w": numpy.float32([numpy.nan])})
    row = history.row("commit", "m.npz", "--run", "other")
    assert row["alarms"]
    assert set(row["alarms"][0]) <= promised(history, "commit")
    known = promised(history, "run")
    for row in history.rows("run", "diff", "digits", "other", "--weights"):
        assert set(row) <= known


def test_the_text_is_folded(history):
    text = history.ok("help", "commit")
    lines = text[text.index("--json prints"):].split("\n\n")[0].splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 78
    assert all(line.startswith("  ") for line in lines[1:])


def test_fields_of_events(history):
    folder = history.folder / "ckpt"
    folder.mkdir()
    (folder / "bad.h5").write_bytes(b"bad")
    (folder / "log.csv").write_text("epoch,loss\n0,1\n")
    (folder / "epoch-8.h5").write_bytes(epoch(8).read_bytes())
    known, kinds = promised(history, "watch"), set()
    for _ in range(2):
        done = history("watch", "ckpt", "--once", "--settle", "20", "--json",
                       "--keep-sources", "1")
        for row in map(json.loads, done.stdout.splitlines()):
            assert set(row) <= known, set(row) - known
            kinds.add(row["event"])
    assert kinds == {"watching", "commit", "known", "metrics", "left out",
                     "end"}
    done = history("run", "exec", "x", "--watch", "ckpt", "--json", "--",
                   "true")
    for row in map(json.loads, done.stdout.splitlines()):
        assert set(row) <= known | promised(history, "run")
