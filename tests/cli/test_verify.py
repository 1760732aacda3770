"""verify: what is damaged, what is left, and having it back.

Damage is real: bytes of chunks that sqlite3 flips, and chunks that it deletes,
with the triggers that guard them taken away and put back.
"""
import json
import shutil
import sqlite3

import pytest

from conftest import epoch

GUARDS = ("chunk_is_fixed", "chunk_stays")


def damage(wh, *statements, store="weights.wh"):
    with sqlite3.connect(wh.folder / store) as database:
        texts = [database.execute("SELECT sql FROM sqlite_schema WHERE name = ?",
                                  (name,)).fetchone()[0] for name in GUARDS]
        for name in GUARDS:
            database.execute(f"DROP TRIGGER {name}")
        for statement, *values in statements:
            assert database.execute(statement, values).rowcount > 0, statement
        for text in texts:
            database.execute(text)


def ask(wh, query, *values):
    with sqlite3.connect(wh.folder / "weights.wh") as database:
        return database.execute(query, values).fetchall()


def flip(chunk):
    """The last byte of its blob."""
    return ("UPDATE chunk SET data = CAST(substr(data, 1, length(data) - 1)"
            " || CASE substr(data, -1) WHEN x'00' THEN x'01' ELSE x'00' END"
            " AS BLOB) WHERE id = ?", chunk)


def drop(chunk):
    return ("DELETE FROM chunk WHERE id = ?", chunk)


def storages(wh, snapshot, weight):
    """The tensor's storage in a snapshot, and what that is coded against."""
    (tensor,), = ask(wh, "SELECT sha256 FROM weights WHERE snapshot = ?"
                         " AND name GLOB ?", snapshot, weight)
    (at,), = ask(wh, "SELECT storage_id FROM tensor"
                     " WHERE lower(hex(sha256)) = ?", tensor)
    chain = []
    while at:
        chain.append(at)
        (at,), = ask(wh, "SELECT base_id FROM storage WHERE id = ?", at)
    return chain


def is_whole(wh):
    """All there, as it was imported."""
    done = wh.row("verify", "--read-data")
    assert done["errors"] == [] and done["damaged"] == []
    for number, snapshot in enumerate(wh.ids, 1):
        wh.ok("save-weights", snapshot, "back.h5", "-q")
        assert (wh.folder / "back.h5").read_bytes() == \
            epoch(number).read_bytes()
    assert ask(wh, "PRAGMA integrity_check") == [("ok",)]


def base_of_all(history):
    """The storage that most of a kernel's versions are decoded through."""
    chain = storages(history, history.ids[4], "hidden/kernel*")
    assert len(chain) > 1
    return chain[-1]


@pytest.mark.parametrize("harm", [flip, drop])
def test_what_is_damaged_is_said_and_what_is_left(history, harm):
    only = storages(history, history.ids[4], "hidden/kernel*")[0]
    damage(history, harm(only << 24))
    done = history("verify", "--read-data", "--json")
    assert done.returncode == 3 and not done.stderr
    row = json.loads(done.stdout)
    assert row["errors"] and row["repaired"] == 0 and row["complete"]
    lost, = row["damaged"]
    assert set(lost) == {"tensor", "layer", "weight", "snapshots", "oldest",
                         "newest", "repaired"}
    assert lost["layer"] == "hidden" and lost["weight"].startswith("kernel")
    assert lost["snapshots"] == 1 and not lost["repaired"]
    assert lost["oldest"] == lost["newest"] == history.ids[4]
    assert row["incomplete"] == 1
    said = history("verify", "--read-data")
    assert said.returncode == 3
    assert f"lost: tensor {lost['tensor'][:12]}, hidden/kernel" in said.stdout
    assert "1 snapshot can't be saved whole, all others can" in said.stdout
    # And so it is.
    history.fails(5, "save-weights", history.ids[4], "out.h5")
    history.ok("save-weights", history.ids[3], "out.h5", "-q")


def test_damaged_pages_are_explained_before_sqlite_speaks(history):
    path = history.folder / "weights.wh"
    # Of an index that only commits read: all snapshots can still be saved.
    with sqlite3.connect(path) as database:
        (size,), = database.execute("PRAGMA page_size")
        (page,), = database.execute(
            "SELECT rootpage FROM sqlite_schema"
            " WHERE name = 'sqlite_autoindex_layer_1'")
    content = bytearray(path.read_bytes())
    content[(page - 1) * size:page * size] = bytes(size)
    path.write_bytes(content)
    done = history("verify")
    assert done.returncode == 3 and not done.stderr
    assert done.stdout.startswith("damaged: pages of the store's file, so")
    meaning, said = done.stdout.split("SQLite says:\n")
    assert "'wh help backup'" in meaning and "'wh save-weights'" in meaning
    detail = said.split("\n")[0]
    assert detail.startswith("    ") and f" {page}" in detail
    assert "***" not in said and r"\x0a" not in said
    assert done.stdout.count("damaged: pages") == 1
    assert done.stdout.endswith(" read: 1 error\n")
    row = json.loads(history("verify", "--json").stdout)
    assert row["errors"][0] == "the file's pages: " + detail.strip()
    history.ok("save-weights", history.ids[3], "out.h5", "-q")


def test_what_a_newer_version_wrote_is_not_called_damaged(history):
    only = storages(history, history.ids[4], "hidden/kernel*")[0]
    of_codec_99 = ("UPDATE chunk SET codec = 99 WHERE id = ?", only << 24)
    damage(history, of_codec_99)
    history.fails(15, "save-weights", history.ids[4], "out.h5")
    done = history("verify", "--read-data", "--json")
    assert done.returncode == 15 and not done.stderr
    row = json.loads(done.stdout)
    assert row["errors"] == [] and row["damaged"] == []
    assert row["incomplete"] == 0 and row["complete"]
    sentence, = row["unchecked"]
    assert sentence.startswith(f"snapshot {history.ids[4][:12]}: layer 'hid")
    assert sentence.endswith("newer version of weighhouse (codec 99)")
    said = history("verify", "--read-data")
    assert said.returncode == 15
    assert f"not checked: {sentence}\n" in said.stdout
    assert "damaged" not in said.stdout
    # It stays as it is, also where there is another copy.
    history("verify", "--repair-from", epoch(5))
    assert ask(history, "SELECT count(*) FROM chunk WHERE codec = 99") == \
        [(1,)]
    # What is damaged besides is said to be.
    other = storages(history, history.ids[4], "hidden/bias*")[0]
    damage(history, flip(other << 24))
    row = history("verify", "--read-data", "--json")
    assert row.returncode == 3
    assert json.loads(row.stdout)["unchecked"] == [sentence]


@pytest.mark.parametrize("harm", [flip, drop])
def test_a_damaged_base_comes_back_from_the_file_it_was(history, harm):
    """Its file alone restores it, and all that is coded against it."""
    damage(history, harm(base_of_all(history) << 24))
    row = json.loads(history("verify", "--read-data", "--json").stdout)
    assert len(row["damaged"]) > 1 and row["incomplete"] > 1
    done = history.row("verify", "--repair-from", epoch(1))
    assert done["repaired"] == len(row["damaged"])
    assert done["errors"] == [] and done["incomplete"] == 0
    assert all(lost["repaired"] for lost in done["damaged"])
    is_whole(history)


def test_damage_comes_back_from_another_store(history):
    history.ok("backup", "copy.wh", "-q")
    before = ask(history, "SELECT id FROM chunk ORDER BY random() LIMIT 4")
    damage(history, *(flip(chunk) for chunk, in before))
    assert history.row("verify", "--repair-from", "copy.wh")["errors"] == []
    is_whole(history)
    # A store that was damaged as well is no help, and none is made worse.
    shutil.copy(history.folder / "weights.wh", history.folder / "bad.wh")
    chunk = storages(history, history.ids[4], "hidden/kernel*")[0] << 24
    for name in ("weights.wh", "bad.wh"):
        damage(history, flip(chunk), store=name)
    done = history("verify", "--repair-from", "bad.wh", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["repaired"] == 0
    assert history.row("verify", "--repair-from", "bad.wh",
                       "--repair-from", "copy.wh")["errors"] == []
    is_whole(history)


def test_each_damaged_chunk_comes_back_from_the_files(history):
    """Texts and what stands between the weights in a file too."""
    chunks = [chunk for chunk, in ask(history, "SELECT id FROM chunk")]
    damage(history, *(drop(chunk) for chunk in chunks[::2]),
           *(flip(chunk) for chunk in chunks[1::2]))
    files = [word for number in range(1, 6)
             for word in ("--repair-from", epoch(number))]
    done = history.row("verify", *files)
    assert done["errors"] == [] and done["repaired"] > 30
    is_whole(history)


def test_what_no_copy_has_stays_lost(history):
    damage(history, flip(base_of_all(history) << 24))
    done = history("verify", "--repair-from", epoch(3), "--json")
    assert done.returncode == 3
    row = json.loads(done.stdout)
    # Epoch 3 has its own kernel; the first one's values are in no file here.
    assert 0 < row["repaired"] < len(row["damaged"])
    assert row["errors"]
    history.ok("save-weights", history.ids[2], "out.h5", "-q")
    assert (history.folder / "out.h5").read_bytes() == epoch(3).read_bytes()


def test_damage_comes_back_from_a_place(history):
    history.ok("publish", history.ids[0], f"file:{history.folder}/place", "-q")
    damage(history, flip(base_of_all(history) << 24))
    done = history.row("verify", "--repair-from", f"file:{history.folder}/place")
    assert done["errors"] == []
    is_whole(history)
    assert not [name for name in history.names() if "repair" in name]


def test_a_repair_that_nothing_needs_changes_nothing(history):
    before = (history.folder / "weights.wh").read_bytes()
    history.ok("verify", "--repair-from", epoch(1), "-q")
    assert (history.folder / "weights.wh").read_bytes() == before
    history.fails(4, "verify", "--repair-from", "none.h5")
    (history.folder / "text.h5").write_text("nothing")
    history.fails(5, "verify", "--repair-from", "text.h5")


def test_a_verification_goes_on_where_it_was_cut_off(history):
    """The store says how far it went; the rest finds the damage behind."""
    last, = ask(history, "SELECT max(id) FROM tensor")[0]
    with sqlite3.connect(history.folder / "weights.wh") as database:
        database.execute("INSERT INTO counter VALUES ('verify snapshot', 3),"
                         " ('verify tensor', ?)", (last - 2,))
    done = history.row("verify", "--continue")
    assert (done["snapshots"], done["tensors"]) == (2, 2)
    assert done["complete"]
    # At the end it begins anew.
    done = history.row("verify", "--continue", "--for", "1h")
    assert (done["snapshots"], done["tensors"]) == (5, last)
    history.fails(2, "verify", "--for", "soon")
    history.fails(2, "verify", "HEAD", "--continue")


def test_a_sample_is_read(history):
    total = history.row("verify", "--read-data")["tensors"]
    done = history.row("verify", "--read-data", "--sample", "20%")
    assert done["tensors"] < total
    assert 0 < history.row("verify", "--sample", "20%")["tensors"] < total
