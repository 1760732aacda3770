"""Stores that builds of older schemas wrote: read as they are, migrated by what
writes. See tests/golden/store/make.py."""
import gzip
import json
import shutil
import sqlite3

import pytest

from conftest import GOLDEN

@pytest.fixture(params=["v1", "v2", "v3"])
def old(wh, request):
    wh.path = wh.folder / "weights.wh"
    wh.path.write_bytes(gzip.decompress(
        (GOLDEN / f"store/{request.param}.wh.gz").read_bytes()))
    wh.truth = json.loads((GOLDEN / f"store/{request.param}.json").read_text())
    return wh


def told(wh):
    log = wh.rows("log", "--all")
    return {"log": log, "reflog": wh.rows("reflog"),
            "ls": {row["snapshot"]: wh.rows("ls", row["snapshot"])
                   for row in log}}


def test_reading_an_older_store_changes_no_byte_of_it(old):
    before = old.path.read_bytes()
    assert told(old) == old.truth
    assert old.row("verify", "--read-data")["errors"] == []
    old.ok("save-weights", "best:val_loss", "best.h5", "-q")
    old.ok("diff", "v1.0", "HEAD")
    assert old.path.read_bytes() == before
    assert old.names() == ["best.h5", "weights.wh"]


def test_an_older_store_that_cannot_be_written_is_read_too(old):
    old.path.chmod(0o444)
    assert told(old) == old.truth


def test_a_verb_that_writes_migrates_and_loses_nothing(old):
    old.ok("tag", "v2.0", "HEAD")
    after = told(old)
    for row in after["log"]:
        if "v2.0" in row["tags"]:
            row["tags"].remove("v2.0")
    assert after == old.truth
    assert old.row("verify", "--read-data")["errors"] == []


def test_a_migrated_store_has_the_schema_of_a_fresh_one(old):
    old.ok("migrate", "-q")
    old.ok("init", "fresh.wh", "-q")

    def schema(path):
        with sqlite3.connect(path) as database:
            return (database.execute("PRAGMA user_version").fetchall(),
                    database.execute(
                        "SELECT type, name, sql FROM sqlite_schema "
                        "ORDER BY 1, 2").fetchall())

    assert schema(old.path) == schema(old.folder / "fresh.wh")


@pytest.mark.parametrize("old", ["v1"], indirect=True)
def test_derived_tables_of_a_migrated_store_are_those_of_a_new_one(old):
    """The same commits into a fresh store give the same lines and changes."""
    old.ok("migrate", "-q")
    shutil.copy(old.path, old.folder / "old.wh")
    old.path.unlink()
    old.ok("init", "-q")
    for row in reversed(old.truth["log"]):
        options = ["-s", "old.wh"]
        name = f"{row['snapshot'][:12]}.h5"
        old.ok("save-weights", row["snapshot"], name, "-q", *options)
        branch = "sweep" if row["message"] == "aside" else "main"
        old.ok("commit", name, "-q", "-b", branch, "--run", row["run"])

    def derived(path):
        with sqlite3.connect(path) as database:
            return [database.execute(query).fetchall() for query in (
                "SELECT * FROM lineage", "SELECT * FROM line",
                "SELECT c.generation, w.layer, w.name, lower(hex(t.sha256)) "
                "FROM change AS c JOIN weight AS w ON w.id = c.weight_id "
                "LEFT JOIN tensor AS t ON t.id = c.tensor_id ORDER BY 1, 2, 3",
                "SELECT * FROM run_total")]

    assert derived(old.folder / "old.wh") == derived(old.path)


def test_views_that_an_older_build_made_are_made_anew_by_a_writer(old):
    old.ok("migrate", "-q")
    with sqlite3.connect(old.path) as database:
        fresh = database.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'runs'").fetchone()
        database.execute("DROP VIEW runs")
        database.execute("CREATE VIEW runs AS SELECT 'old' AS run")
        database.execute("CREATE VIEW mine AS SELECT 1 AS x")
    old.ok("log")
    old.ok("tag", "x", "HEAD")
    with sqlite3.connect(old.path) as database:
        assert database.execute("SELECT sql FROM sqlite_schema "
                                "WHERE name = 'runs'").fetchone() == fresh
        assert database.execute("SELECT x FROM mine").fetchall() == [(1,)]


@pytest.mark.parametrize("old", ["v1", "v2"], indirect=True)
def test_publishing_from_an_older_store_leaves_it_as_it_is(old):
    """The record waits beside it until it is migrated."""
    before = old.path.read_bytes()
    old.ok("publish", "HEAD", "file:models", "-q")
    assert old.path.read_bytes() == before
    (listed,) = old.rows("publish", "--list")
    old.ok("migrate", "-q")
    assert old.rows("publish", "--list") == [listed]
    old.ok("publish", "HEAD~1", "file:models", "-q")
    first, second = old.rows("publish", "--list")
    assert first["aliases"] == [{"alias": "latest", "current": False}]
    assert second["aliases"] == [{"alias": "latest", "current": True}]
    assert not (old.folder / "weights.wh-publish").exists()
    assert old.rows("sql", "select count(*) as n from publications") == [
        {"n": 2}]


@pytest.mark.parametrize("old", ["v3"], indirect=True)
def test_publications_of_an_older_build_are_known(old):
    stable, moved = sorted(
        old.rows("sql", "select state, formats from publications"),
        key=lambda row: row["state"])
    assert stable == {"state": "current", "formats": "h5"}
    assert moved == {"state": "moved", "formats": "h5"}
    assert [row["alias"] for row in old.rows("publish", "--policies")] == [
        "latest"]
