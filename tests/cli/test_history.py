"""blame and history against what a walk over the snapshots finds."""
import sqlite3

import pytest

from conftest import epoch


@pytest.fixture
def lines(store):
    """Two branches; epochs come back, and one commit changes nothing."""
    store.ids = []

    def commit(number, *words):
        store.ids.append(store.row("commit", epoch(number), *words)
                         ["snapshot"])

    commit(1, "--step", "1")
    commit(2, "--step", "2")
    commit(2, "--step", "3")
    commit(3, "-b", "side", "--step", "4")
    commit(1, "--step", "5")
    commit(4, "-b", "side", "--step", "6")
    return store


def walk(store, tip):
    """[(snapshot, {(layer, weight): sha256})], newest first, by log and ls."""
    return [(row["snapshot"], {
        (one["layer"], one["weight"]): one["sha256"]
        for one in store.rows("ls", row["snapshot"])})
        for row in store.rows("log", tip)]


def changes(store, tip):
    """{weight: [(snapshot, sha256)]} where it is not what it was."""
    found = {}
    steps = walk(store, tip)
    for place, (snapshot, weights) in enumerate(steps):
        before = steps[place + 1][1] if place + 1 < len(steps) else {}
        for weight, digest in weights.items():
            if before.get(weight) != digest:
                found.setdefault(weight, []).append((snapshot, digest))
    return found


@pytest.mark.parametrize("tip", ["main", "side", "main~1", "side~1"])
def test_history_is_what_a_walk_over_the_snapshots_finds(lines, tip):
    expected = changes(lines, tip)
    found = {}
    for row in lines.rows("history", "*", "--rev", tip):
        found.setdefault((row["layer"], row["weight"]), []).append(
            (row["snapshot"], row["sha256"]))
    assert found == expected


@pytest.mark.parametrize("tip", ["main", "side", "main~1"])
def test_blame_is_the_newest_of_each(lines, tip):
    expected = {weight: rows[0] for weight, rows
                in changes(lines, tip).items()}
    found = {(row["layer"], row["weight"]): (row["snapshot"], row["sha256"])
             for row in lines.rows("blame", "--rev", tip)}
    assert found == expected


def test_norms_are_those_of_the_statistics(lines):
    rows = lines.rows("history", "conv1/kernel")
    assert {row["layer"] for row in rows} == {"conv1"}
    norms = {row["sha256"]: row["l2"] for row in lines.rows(
        "sql", "select sha256, l2 from tensor_stats")}
    assert [row["l2"] for row in rows] == [norms[row["sha256"]]
                                           for row in rows]
    assert [row["l2_before"] for row in rows] == [
        row["l2"] for row in rows[1:]] + [None]
    assert lines.rows("history", "conv1/kernel", "-n", "1") == rows[:1]


def test_a_glob_chooses_layers_and_weights(lines):
    names = {(row["layer"], row["weight"]) for row in lines.rows("blame")}
    kernels = {name for name in names if name[1] == "kernel"}
    assert {(row["layer"], row["weight"])
            for row in lines.rows("blame", "kernel")} == kernels
    assert {(row["layer"], row["weight"]) for row in
            lines.rows("blame", "conv1", "*/bias")} == {
        name for name in names if name[0] == "conv1" or name[1] == "bias"}
    assert "none" in lines.fails(4, "blame", "none*")


def test_people_see_a_curve(lines):
    text = lines.ok("history", "conv1/kernel")
    assert text.splitlines()[-1].startswith("conv1/kernel  ")
    assert set(text.splitlines()[-1].split()[-1]) <= set("▁▂▃▄▅▆▇█×")
    assert len(text.splitlines()) == 1 + len(
        lines.rows("history", "conv1/kernel"))


def test_history_outlives_what_gc_took(lines):
    """The weights of the newest came with a snapshot that is gone."""
    lines.ok("commit", epoch(1), "-q", "--step", "7")
    before = lines.rows("blame", "--rev", "main")
    lines.ok("keep", "--last", "1", "--branch", "main", "-q")
    lines.ok("gc", "--grace", "0", "-q")
    after = lines.rows("blame", "--rev", "main")
    assert [(row["snapshot"], row["sha256"]) for row in after] == [
        (row["snapshot"], row["sha256"]) for row in before]
    with sqlite3.connect(lines.folder / "weights.wh") as database:
        living = {bytes(row[0]).hex() for row in database.execute(
            "SELECT sha256 FROM snapshot")}
    gone = [row for row in after if row["snapshot"] not in living]
    assert gone and all(row["time"] is None for row in gone)
    assert "(forgotten)" in lines.ok("blame", "--rev", "main")
    assert lines.row("verify", "--read-data")["errors"] == []
