"""What --help says that --json prints is what it prints."""
import json
import re

import numpy
import pytest

from conftest import epoch


def promised(wh, verb):
    text = " ".join(wh.ok("help", verb).split("options of all")[0].split())
    return set(re.findall(r"\w+", text.split("--json prints ")[1]))


@pytest.mark.parametrize("words", [
    ["log"], ["show"], ["show", "--stats"], ["show", "--histogram", "conv1"],
    ["diff", "HEAD~1", "HEAD"], ["blame"], ["history", "conv1/kernel"],
    ["plot", "loss"], ["plot", "--tensor", "conv1"], ["runs"],
    ["run", "show", "digits"], ["reflog"], ["bisect", "start", "HEAD"],
    ["bisect", "log"], ["commit", str(epoch(6))], ["import", str(epoch(7))],
    ["metric", "digits", "loss=1", "--step", "90"], ["rollback", "HEAD~1"],
    ["run", "start", "other"], ["run", "end", "digits"],
    ["run", "diff", "digits", "digits"],
], ids=lambda words: " ".join(words)[:30])
def test_fields_are_those_of_the_help(history, words):
    known = promised(history, words[0])
    for row in history.rows(*words):
        assert set(row) <= known, set(row) - known


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
