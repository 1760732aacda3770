"""verify --repair-from URL: what a store has lost comes back from where it was
published."""
import json
import sqlite3

GUARDS = ("chunk_is_fixed", "chunk_stays")


def lose(wh, weight):
    """One bit of a weight's payload in HEAD."""
    snapshot = wh.row("show")["snapshot"]
    with sqlite3.connect(wh.folder / "weights.wh") as file:
        texts = [file.execute("SELECT sql FROM sqlite_schema WHERE name = ?",
                              (name,)).fetchone()[0] for name in GUARDS]
        for name in GUARDS:
            file.execute(f"DROP TRIGGER {name}")
        (chunk,), = file.execute(
            "SELECT t.storage_id << 24 FROM weights AS w JOIN tensor AS t "
            "ON lower(hex(t.sha256)) = w.sha256 "
            "WHERE w.snapshot = ? AND w.name = ?", (snapshot, weight))
        file.execute("UPDATE chunk SET crc32c = ~crc32c & 0xffffffff "
                     "WHERE id = ?", (chunk,))
        for text in texts:
            file.execute(text)


def check_repair(wh, place, env=None):
    wh.ok("publish", place, env=env)
    before = wh.ok("ls", "-l")
    lose(wh, "hidden/kernel:0")
    done = wh("verify", "--read-data", "--json")
    damaged = json.loads(done.stdout)["damaged"]
    assert [lost["weight"] for lost in damaged] == ["kernel"]
    row = wh.row("verify", "--repair-from", place, env=env)
    assert row["repaired"] == 1 and row["errors"] == []
    assert wh.row("verify", "--read-data")["errors"] == []
    assert wh.ok("ls", "-l") == before


def test_from_a_web_server(wh, place):
    check_repair(wh, place)


def test_from_s3(wh, s3, tmp_path):
    check_repair(wh, f"s3://models/{tmp_path.name}", s3.login())


def test_what_was_not_published_stays_lost(wh, place):
    wh.ok("publish", "HEAD~1", place)
    lose(wh, "hidden/kernel:0")
    done = wh("verify", "--repair-from", place, "--json")
    assert done.returncode == 3
    row = json.loads(done.stdout)
    assert row["repaired"] == 0 and row["incomplete"] == 1
