"""Truncated and bit-flipped checkpoints and stores through the command: one
clear sentence, a documented exit code, in bounded time and memory, and the
store as it was."""
import random
import shutil
import sqlite3
import struct

import pytest

from conftest import DIGITS, GOLDEN

SEED = 20261124
# 0: the damage didn't matter or can't be told (a payload of an h5 file has
# no checksum); 1: cannot be read; 4: a file of the checkpoint is missing;
# 5: damaged; 15: another format's content.
CODES = {0, 1, 4, 5, 15}


def one_sentence(done):
    text = done.stderr.decode()
    assert done.returncode in CODES, (done.returncode, text)
    if done.returncode:
        assert len(text.splitlines()) == 1, text
        assert text.startswith("wh commit: ")
        assert "\x1b" not in text


def truncations(size, count, chance):
    return sorted({0, 1, size // 2, size - 1,
                   *(chance.randrange(size) for _ in range(count))})


def damaged_copies(data, count):
    """Truncated, flipped and overwritten forms of a file's bytes."""
    chance = random.Random(SEED)
    for size in truncations(len(data), count // 3, chance):
        yield data[:size]
    for _ in range(count // 3):
        copy = bytearray(data)
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
        yield bytes(copy)
    for _ in range(count // 3):
        copy = bytearray(data)
        at = chance.randrange(len(copy))
        copy[at:at + 8] = b"\xff" * 8
        yield bytes(copy)


def h5_files():
    return sorted((GOLDEN / "h5").glob("*.h5"))[:6]


@pytest.mark.parametrize("path", h5_files(), ids=lambda path: path.stem)
def test_a_damaged_h5_file_is_one_sentence(wh, path):
    wh.ok("init")
    for data in damaged_copies(path.read_bytes(), 36):
        (wh.folder / "bad.h5").write_bytes(data)
        one_sentence(wh("commit", "bad.h5"))
    wh.ok("verify", "--read-data")


def tf_folders():
    return sorted(path.parent for path in
                  (GOLDEN / "tf").glob("*/ckpt.index"))[:4]


@pytest.mark.parametrize("folder", tf_folders(), ids=lambda path: path.name)
def test_a_damaged_tf_index_is_one_sentence(wh, folder):
    wh.ok("init")
    shutil.copytree(folder, wh.folder / "tf")
    index = wh.folder / "tf" / "ckpt.index"
    for data in damaged_copies(index.read_bytes(), 36):
        index.write_bytes(data)
        one_sentence(wh("commit", "tf/ckpt"))
    wh.ok("verify", "--read-data")


@pytest.mark.parametrize("folder", tf_folders(), ids=lambda path: path.name)
def test_damaged_tf_data_is_never_taken(wh, folder):
    """Each payload has a CRC, so any flip of a bit is found."""
    wh.ok("init")
    shutil.copytree(folder, wh.folder / "tf")
    data = next((wh.folder / "tf").glob("ckpt.data-*"))
    whole = bytearray(data.read_bytes())
    chance = random.Random(SEED)
    for _ in range(12):
        copy = bytearray(whole)
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
        data.write_bytes(copy)
        done = wh("commit", "tf/ckpt")
        one_sentence(done)
        assert done.returncode == 5, done.stdout


def test_a_damaged_store_never_hands_out_wrong_bytes(store):
    """Whatever byte of the file flips: a command fails with a sentence, or
    gives exactly what was committed."""
    path = store.folder / "weights.wh"
    whole = path.read_bytes()
    wanted = (DIGITS / "epoch-01.h5").read_bytes()
    chance = random.Random(SEED)
    caught = 0
    for number in range(150):
        copy = bytearray(whole)
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
        path.write_bytes(copy)
        (store.folder / "out.h5").unlink(missing_ok=True)
        done = store("save-weights", "out.h5")
        assert done.returncode >= 0, number
        if done.returncode == 0:
            assert (store.folder / "out.h5").read_bytes() == wanted, number
        else:
            caught += 1
            assert len(done.stderr.decode().splitlines()) == 1
            assert not (store.folder / "out.h5").exists()
    assert caught


def test_a_truncated_store_is_refused(store):
    path = store.folder / "weights.wh"
    whole = path.read_bytes()
    chance = random.Random(SEED)
    for size in truncations(len(whole), 30, chance):
        path.write_bytes(whole[:size])
        for verb in (("log",), ("verify", "--read-data"),
                     ("save-weights", "out.h5")):
            done = store(*verb)
            assert done.returncode in (0, 3, 5, 10), (size, verb, done.stderr)


def leaves(path, table):
    """Where the pages with the table's rows lie in the file."""
    with sqlite3.connect(path) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?",
                          (table,)).fetchone()[0]
    data = path.read_bytes()
    at = (root - 1) * size
    if data[at] == 13:  # https://www.sqlite.org/fileformat2.html#b_tree_pages
        return [at]
    count, = struct.unpack(">H", data[at + 3:at + 5])
    cells = struct.unpack(f">{count}H", data[at + 12:at + 12 + 2 * count])
    pages = [data[at + cell:at + cell + 4] for cell in cells]
    pages.append(data[at + 8:at + 12])
    return [(int.from_bytes(page, "big") - 1) * size for page in pages]


def test_rows_that_are_listed_but_not_found_hold_nothing_up(wh):
    """Where a page's order of rows is damaged, a row that is to go stays."""
    wh.ok("init")
    wh.ok("import", str(DIGITS / "epoch-*.h5"))
    path = wh.folder / "weights.wh"
    whole = path.read_bytes()
    (wh.folder / "good.wh").write_bytes(whole)
    places = leaves(path, "storage")
    assert len(places) > 1
    for at in places:
        copy = bytearray(whole)
        for i in range(at + 20, at + 60):
            copy[i] ^= 0xff
        path.write_bytes(copy)
        done = wh("verify", "--repair-from", "good.wh")
        assert done.returncode == 3, done.stderr
        done = wh("gc", "--grace", "0")
        assert done.returncode == 5, done.stderr
        assert len(done.stderr.decode().splitlines()) == 1
