"""gc: what goes, what stays, what is left of it."""
import ctypes
import os
import sqlite3

import h5py
import numpy
import pytest

from conftest import epoch


def ask(wh, query):
    with sqlite3.connect(wh.folder / "weights.wh") as database:
        return database.execute(query).fetchall()


def forget_all_but(wh, count):
    wh.ok("keep", "--last", count, "-q")


def test_within_the_grace_period_nothing_goes(history):
    forget_all_but(history, 2)
    assert history.row("gc")["snapshots"] == 0
    assert history.row("gc", "--grace", "1h")["snapshots"] == 0
    assert history.row("gc")["waiting"] == 3
    assert "3 forgotten snapshots in the grace" in history.ok("gc", "--dry-run")
    later = {"SOURCE_DATE_EPOCH": str(1795521600 + 15 * 86400)}
    done = history.row("gc", env=later)
    assert (done["snapshots"], done["waiting"]) == (3, 0)


def test_what_stays_comes_back_byte_for_byte(history):
    forget_all_but(history, 2)
    said = history.row("gc", "--dry-run", "--grace", "0")
    done = history.row("gc", "--grace", "0")
    assert done["snapshots"] == 3 and done["tensors"] > 0
    assert {**said, "file_bytes": None} == {**done, "file_bytes": None}
    assert done["file_bytes"] == (history.folder / "weights.wh").stat().st_size
    for number in (4, 5):
        history.ok("save-weights", history.ids[number - 1], "out.h5", "-q")
        assert (history.folder / "out.h5").read_bytes() == \
            epoch(number).read_bytes()
    assert history.row("verify", "--read-data")["errors"] == []
    assert ask(history, "PRAGMA integrity_check") == [("ok",)]
    assert ask(history, "SELECT count(*) FROM gc_running") == [(0,)]


def test_all_of_a_forgotten_branch_goes(store):
    """A store that had more is as small as one that never had."""
    store.ok("commit", epoch(1), "-q")
    store.ok("gc", "--compact", "-q")
    rows = ("SELECT (SELECT count(*) FROM tensor), "
            "(SELECT count(*) FROM storage), (SELECT count(*) FROM chunk), "
            "(SELECT count(*) FROM layer), (SELECT count(*) FROM variable), "
            "(SELECT count(*) FROM tree), (SELECT count(*) FROM tree_layer), "
            "(SELECT count(*) FROM template), "
            "(SELECT count(*) FROM tensor_statistics), "
            "(SELECT count(*) FROM change), (SELECT count(*) FROM snapshot)")
    before = ask(store, rows)
    for number in (2, 3, 4):
        store.ok("commit", epoch(number), "-q", "-b", "side")
    store.ok("branch", "-d", "side")
    with sqlite3.connect(store.folder / "weights.wh") as database:
        database.execute("DELETE FROM reflog")
    store.ok("keep", "--tag", "none", "-q")
    store.ok("gc", "--grace", "0", "-q")
    assert ask(store, rows) == before


def test_tombstones_count_as_generations(history):
    history.ok("tag", "first", "HEAD~4")
    history.ok("keep", "--last", "1", "-q")
    history.ok("gc", "--grace", "0", "-q")
    assert history.row("show", "HEAD~4")["snapshot"] == history.ids[0]
    for name in ("HEAD~2", history.ids[2], history.ids[2][:8]):
        said = history.fails(4, "show", name)
        assert "forgotten on 2026-11-24" in said
        assert "undo" not in said
    log = history.rows("log")
    assert [row["snapshot"] for row in log] == [history.ids[4],
                                                history.ids[0]]
    assert log[0]["parent"] == history.ids[3]
    done = history.row("commit", epoch(6))
    assert done["parent"] == history.ids[4]
    assert history.row("verify", "--read-data")["errors"] == []


def test_curves_outlive_their_checkpoints(history):
    query = "SELECT count(*) FROM metric WHERE key = 'val_loss'"
    before = ask(history, query)
    forget_all_but(history, 1)
    history.ok("gc", "--grace", "0", "-q")
    assert ask(history, query) == before
    best = history.row("show", "best:val_loss")
    assert best["snapshot"] == history.ids[4]


def recode(database, tensor, base, context=None):
    """Moves a tensor to a new storage that claims to be coded against
    others: gc must not look at how, only at what is named."""
    (new,) = database.execute(
        "UPDATE counter SET value = value + 1 WHERE name = 'storage' "
        "RETURNING value - 1").fetchone()
    (nbytes,) = database.execute(
        "SELECT nbytes FROM tensor WHERE id = ?", (tensor,)).fetchone()
    database.execute("INSERT INTO storage VALUES (?, 0, ?, ?, ?, ?)",
                     (new, nbytes, nbytes, base, context))
    database.execute("UPDATE tensor SET storage_id = ? WHERE id = ?",
                     (new, tensor))
    return new


def test_bases_and_contexts_stay_while_something_is_coded_against_them(history):
    with sqlite3.connect(history.folder / "weights.wh") as database:
        tensors = database.execute(
            "SELECT c.snapshot_id, t.id, t.storage_id FROM change AS c "
            "JOIN weight AS w ON w.id = c.weight_id "
            "JOIN tensor AS t ON t.id = c.tensor_id "
            "WHERE w.id = 1 ORDER BY 1").fetchall()
        assert len(tensors) == 5
        # 5 -> 3 -> 2, and 5 reads 1 as its context.
        three = recode(database, tensors[2][1], tensors[1][2])
        five = recode(database, tensors[4][1], three, tensors[0][2])
    forget_all_but(history, 1)
    said = history.row("gc", "--dry-run", "--grace", "0")
    done = history.row("gc", "--grace", "0")
    assert done["snapshots"] == 4
    assert said["freed_bytes"] >= done["freed_bytes"]
    left = {row[0] for row in ask(history, "SELECT id FROM storage")}
    assert {three, five, tensors[0][2], tensors[1][2]} <= left
    assert tensors[3][2] not in left
    # And they go when nothing is any more.
    with sqlite3.connect(history.folder / "weights.wh") as database:
        plain = recode(database, tensors[4][1], None)
    history.ok("gc", "--grace", "0", "-q")
    left = {row[0] for row in ask(history, "SELECT id FROM storage")}
    assert plain in left
    assert not {three, five, tensors[0][2], tensors[1][2]} & left


def test_a_storage_whose_base_is_gone_is_refused(history):
    with sqlite3.connect(history.folder / "weights.wh") as database:
        with pytest.raises(sqlite3.IntegrityError, match="gone"):
            database.execute("INSERT INTO storage VALUES "
                             "(999, 0, 4, 4, 998, NULL)")


def test_what_a_dead_commit_left_goes(history):
    """Chunks without a row, and a storage that nothing names, under a lease
    that nobody holds."""
    with sqlite3.connect(history.folder / "weights.wh") as database:
        (first,) = database.execute(
            "UPDATE counter SET value = value + 9 WHERE name = 'storage' "
            "RETURNING value - 9").fetchone()
        database.execute("INSERT INTO lease VALUES (77, ?, ?)",
                         (first, first + 9))
        for storage in (first, first + 3, first + 8):
            for place in range(3):
                database.execute(
                    "INSERT INTO chunk VALUES (?, 0, 4, 0, x'00010203')",
                    (storage << 24 | place,))
        database.execute("INSERT INTO storage VALUES (?, 0, 12, 12, NULL, "
                         "NULL)", (first + 3,))
    done = history.row("gc")
    assert done["freed_bytes"] == 36
    assert ask(history, f"SELECT count(*) FROM chunk WHERE id >> 24 >= {first}"
               ) == [(0,)]
    assert ask(history, "SELECT count(*) FROM lease") == [(0,)]
    assert history.row("verify", "--read-data")["errors"] == []


def test_a_commit_leaves_no_lease(history):
    assert ask(history, "SELECT count(*) FROM lease") == [(0,)]


def test_free_pages_are_given_back(store):
    for number in range(4):
        with h5py.File(store.folder / f"{number}.h5", "w") as file:
            layer = file.create_group("fc")
            layer.attrs["weight_names"] = [b"k:0"]
            layer.create_dataset("k:0", data=numpy.random.default_rng(
                number).standard_normal((512, 1024)).astype("f4"))
            file.attrs["layer_names"] = [b"fc"]
        store.ok("commit", f"{number}.h5", "-q")
    size = (store.folder / "weights.wh").stat().st_size
    frees = sum(row["frees"] for row in store.rows("keep", "--last", "1"))
    done = store.row("gc", "--grace", "0")
    assert done["freed_bytes"] == frees > 4 << 20
    assert size - done["file_bytes"] > 0.99 * done["freed_bytes"]
    assert ask(store, "PRAGMA freelist_count") == [(0,)]


def test_compacting_keeps_everything_but_the_gaps(history):
    log = history.rows("log", "--all")
    forget_all_but(history, 4)
    history.ok("gc", "--grace", "0", "--compact", "-q")
    assert history.rows("log", "--all") == log[:4]
    assert ask(history, "PRAGMA freelist_count") == [(0,)]
    assert ask(history, "PRAGMA auto_vacuum") == [(2,)]
    assert ask(history, "PRAGMA integrity_check") == [("ok",)]
    assert history.row("verify", "--read-data")["errors"] == []
    history.ok("commit", epoch(6), "-q")
    assert history.names() == ["weights.wh", "weights.wh-lock"]


def test_compacting_copies_through_the_stores_folder(history):
    noise = numpy.random.default_rng(3).standard_normal(1 << 21)
    numpy.savez(history.folder / "large.npz", **{"noise/kernel": noise})
    history.ok("commit", "large.npz", "-q", "-b", "large", "--root")
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    created = 0x100  # IN_CREATE
    assert libc.inotify_add_watch(watch, str(history.folder).encode(),
                                  created) > 0
    history.ok("gc", "--compact", "-q", env={"TMPDIR": None})
    assert b"etilqs" in os.read(watch, 65536)  # SQLite's, gone at once
    elsewhere = history.folder / "elsewhere"
    elsewhere.mkdir()
    os.read(watch, 65536)
    history.ok("gc", "--compact", "-q", env={"TMPDIR": str(elsewhere)})
    assert b"etilqs" not in os.read(watch, 65536)
    os.close(watch)


def test_compacting_keeps_the_files_mode(history):
    path = history.folder / "weights.wh"
    path.chmod(0o640)
    history.ok("gc", "--compact", "-q")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_backup_is_a_store_of_its_own(history):
    history.ok("backup", "copy.wh", "-q")
    copy = ["-s", "copy.wh"]
    assert history.rows("log", *copy) == history.rows("log")
    assert history.row("verify", "--read-data", *copy)["errors"] == []
    history.ok("commit", epoch(6), "-q", *copy)
    assert len(history.rows("log")) == 5
    before = (history.folder / "copy.wh").read_bytes()
    said = history.fails(14, "backup", "copy.wh")
    assert "copy.wh" in said
    assert (history.folder / "copy.wh").read_bytes() == before
    history.fails(4, "backup", "no/such/folder/copy.wh")
    assert [name for name in history.names() if "wh-" in name
            and not name.endswith("-lock")] == []


def test_a_store_that_can_only_be_read_can_be_backed_up(history):
    path = history.folder / "weights.wh"
    path.chmod(0o444)
    history.ok("backup", "copy.wh", "-q")
    assert len(history.rows("log", "-s", "copy.wh")) == 5


def test_a_backup_is_read_by_nobody_else_than_the_store(history):
    (history.folder / "weights.wh").chmod(0o600)
    history.ok("backup", "copy.wh", "-q")
    assert (history.folder / "copy.wh").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_no_stream(history):
    assert "stdout" in history.fails(2, "backup", "-")
    assert not (history.folder / "-").exists()


def leave_a_journal(folder):
    """As who is killed in the middle of a transaction that has spilled."""
    with sqlite3.connect(folder / "weights.wh", isolation_level=None) as other:
        other.execute("PRAGMA cache_size = 1")
        other.execute("BEGIN")
        other.execute("CREATE TABLE user_notes (text)")
        for _ in range(100):
            other.execute("INSERT INTO user_notes VALUES (zeroblob(9999))")
        left = (folder / "weights.wh-journal").read_bytes()
        other.execute("ROLLBACK")
    (folder / "weights.wh-journal").write_bytes(left)


def test_a_backup_takes_the_place_of_a_store_that_crashed(history):
    history.ok("backup", "copy.wh", "-q")
    history.ok("commit", epoch(6), "-q")
    history.ok("gc", "--compact", "-q")
    leave_a_journal(history.folder)
    (history.folder / "weights.wh").unlink()
    history.ok("-s", "copy.wh", "backup", "weights.wh", "-q")
    assert history.row("verify", "--read-data")["errors"] == []
    assert len(history.rows("log")) == 5
    # Nor is it rolled back into a new store.
    leave_a_journal(history.folder)
    (history.folder / "weights.wh").unlink()
    history.ok("init", "-q")
    assert history.row("verify")["errors"] == []


def explained(wh, by="file"):
    *parts, total = wh.rows("du", "--by", by)
    size = (wh.folder / "weights.wh").stat().st_size
    assert set(total) == {"name", "rest", "nbytes", "stored_bytes",
                          "shared_bytes", "own_bytes"}
    assert total["own_bytes"] == total["stored_bytes"] == size
    assert sum(part["own_bytes"] for part in parts) == size
    assert all(part["own_bytes"] >= 0 for part in parts)
    return {part["name"]: part for part in parts}


def owned(wh, name, by="file"):
    return explained(wh, by).get(name, {"own_bytes": 0})["own_bytes"]


def test_du_explains_every_byte_of_the_file(history):
    """Before and after gc, and after compaction."""
    assert owned(history, "free pages") == 0
    forget_all_but(history, 4)
    history.ok("gc", "--grace", "0", "-q")
    (pages, size) = (ask(history, "PRAGMA freelist_count")[0][0],
                     ask(history, "PRAGMA page_size")[0][0])
    assert owned(history, "free pages") == pages * size
    payload = ask(history, "SELECT sum(length(data)) FROM chunk")[0][0]
    assert sum(part["own_bytes"] for name, part in explained(history).items()
               if name.startswith("payload")) == payload
    history.ok("gc", "--compact", "-q")
    assert owned(history, "free pages") == 0


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_du_counts_the_pages_that_sqlite_counts(history, page_size):
    """Also of the chunks' table, which du finds by what is left over; and of
    a table that the user has added."""
    ask(history, "CREATE TABLE user_notes (note TEXT)")
    with sqlite3.connect(history.folder / "weights.wh") as database:
        database.execute(f"PRAGMA page_size = {page_size}")
        database.execute("VACUUM")
    parts = explained(history)
    found = {name.split(" ", 1)[1]: part["own_bytes"]
             for name, part in parts.items()
             if name.startswith(("table ", "index "))}
    chunk = sum(part["own_bytes"] for name, part in parts.items()
                if name.startswith("payload"))
    chunk += found.pop("chunk, beside the payload")
    counted = dict(ask(history, "SELECT name, pgsize FROM dbstat"
                                " WHERE aggregate = 1"))
    assert counted.pop("chunk") == chunk
    assert counted == found
    assert found["user_notes"] == page_size


def test_du_says_what_snapshots_share_and_what_none_needs(history):
    """Two equal snapshots own nothing by themselves; what is forgotten and
    gone leaves what others are differences from."""
    *_, last = history.ids
    history.ok("commit", epoch(5), "-q")
    same = history.row("log", "-n", "1")["snapshot"][:12]
    parts = explained(history, "snapshot")
    assert parts[same]["own_bytes"] == parts[last[:12]]["own_bytes"] == 0
    assert parts[same]["shared_bytes"] == parts[same]["stored_bytes"]
    assert not parts[same]["rest"]
    shared = parts["what several share"]
    assert shared["rest"] and shared["own_bytes"] >= parts[same]["stored_bytes"]
    history.ok("keep", "--last", "1", "-q")
    history.ok("gc", "--grace", "0", "-q")
    for by in ("snapshot", "layer", "tensor", "run"):
        assert owned(history, "what others are differences from", by) > 0
        assert owned(history, "what nothing needs, until gc", by) == 0


def test_du_says_what_unfinished_commits_hold(history):
    ask(history, "INSERT INTO chunk VALUES (99 << 24, 0, 4, 0, x'01020304')")
    assert owned(history, "commits that have not ended", "snapshot") == 4
    explained(history)
