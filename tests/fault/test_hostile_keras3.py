"""Damaged and crafted Keras 3 files: one clear sentence, a documented exit
code, in bounded time and memory, nothing outside of the file read."""
import io
import json
import random
import shutil
import struct
import zipfile
import zlib

import pytest

from conftest import GOLDEN
from test_hostile import SEED, damaged_copies, one_sentence

KERAS3 = GOLDEN / "keras3"

# What each file of golden/keras3/hostile is refused for.
HDF5 = {
    "soft-link": "a soft link, which is not followed",
    "soft-link-to-itself": "a soft link, which is not followed",
    "external-link": "an external link, which is not followed",
    "external-link-as-variable": "an external link, which is not followed",
    "external-link-as-vars": "an external link, which is not followed",
    "external-storage": "said to lie in another file",
    "virtual-dataset": "it is virtual",
    "dataset-beside-vars": "'kernel' is not a group",
    "dataset-as-layers": "'layers' is not a group",
    "dataset-as-vars": "'vars' is not a group",
    "group-as-variable": "'1' is not a dataset",
    "too-deep": "nest too deep",
    "never-allocated": "declares 4398046511104 bytes",
    "wrapping-shape": "shape is too large",
    "null-space": "it has no shape",
    "strings": "none that weights have",
    "compound": "none that weights have",
    "opaque-of-three-bytes": "none that weights have",
    "unknown-filter": "packed by filter 32000",
    "name-is-a-list": "not a single string",
    "name-is-a-number": "holds no strings",
    "name-is-too-long": "at most 4096 are read",
    "name-is-no-utf8": "a\\xff\\x1b[31m",
    "neither-layers-nor-vars": "not of Keras weights",
}


def refuse(wh, name, words, codes=(5, 15)):
    done = wh("commit", name)
    one_sentence(done)
    assert done.returncode in codes, done.stderr
    assert words in done.stderr.decode(), done.stderr


@pytest.mark.parametrize("name", HDF5)
def test_hdf5_that_only_looks_like_weights_is_refused(wh, name):
    wh.ok("init")
    shutil.copy(KERAS3 / "hostile" / f"{name}.h5", wh.folder / "w.weights.h5")
    refuse(wh, "w.weights.h5", HDF5[name])


def test_every_hostile_file_is_tried():
    assert {path.stem for path in (KERAS3 / "hostile").glob("*.h5")} == set(
        HDF5)


# ---- Archives -------------------------------------------------------------

WEIGHTS = (KERAS3 / "k3-sequential.weights.h5").read_bytes()
TEXTS = {"metadata.json": b'{"keras_version": "3.15.1"}',
         "config.json": b"{}"}


def archive(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def good(*more, method=zipfile.ZIP_STORED):
    return archive([*TEXTS.items(), ("model.weights.h5", WEIGHTS), *more],
                   method)


def entry_of(data, name):
    """Where the directory's header of a member begins."""
    at = data.rindex(b"PK\x01\x02" if name is None else name) - 46
    assert data[at:at + 4] == b"PK\x01\x02"
    return at


def patched(data, offset, value):
    return data[:offset] + value + data[offset + len(value):]


def in_entry(offset, value, name=b"model.weights.h5"):
    data = good()
    return patched(data, entry_of(data, name) + offset, value)


def in_end(offset, value):
    data = good()
    return patched(data, len(data) - 22 + offset, value)


def with_zip64(fields):
    """The entry's size fields point to an extra field, which has these."""
    data = bytearray(good())
    at = entry_of(data, b"model.weights.h5")
    extra = struct.pack("<HH", 1, 8 * len(fields)) + struct.pack(
        f"<{len(fields)}Q", *fields)
    data[at + 20:at + 28] = b"\xff" * 8
    data[at + 30:at + 32] = struct.pack("<H", len(extra))
    end = at + 46 + len("model.weights.h5")
    data[end:end] = extra
    size = struct.unpack("<L", data[-10:-6])[0] + len(extra)
    data[-10:-6] = struct.pack("<L", size)
    return bytes(data)


def bomb():
    """A gigabyte of zeros in a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    crc, packed = 0, []
    zeros = bytes(1 << 20)
    for _ in range(1024):
        packed.append(packer.compress(zeros))
        crc = zlib.crc32(zeros, crc)
    packed = b"".join(packed) + packer.flush()
    data = archive([*TEXTS.items(), ("model.weights.h5", packed)])
    for magic, place in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        at = data.rindex(magic)
        data = patched(data, at + place, struct.pack("<H", 8))
        data = patched(data, at + place + 6, struct.pack("<L", crc))
        data = patched(data, at + place + 14, struct.pack("<L", 1 << 30))
    return data


def with_duplicate():
    with pytest.warns(UserWarning):
        return good(("model.weights.h5", WEIGHTS[:512]))


def with_two_entries():
    """Two members share one run of bytes, as bombs' do."""
    data = bytearray(good())
    at = entry_of(data, b"model.weights.h5")
    twin = data[at:-22].replace(b"model.weights.h5", b"model.weights.h6")
    data[-22:-22] = twin
    data[-14:-10] = struct.pack("<HH", 4, 4)
    data[-10:-6] = struct.pack(
        "<L", struct.unpack("<L", data[-10:-6])[0] + len(twin))
    return bytes(data)


def deflated_with(change):
    data = bytearray(good(method=zipfile.ZIP_DEFLATED))
    at = entry_of(data, b"model.weights.h5")
    header, = struct.unpack("<L", data[at + 42:at + 46])
    return change(data, at, header + 30 + len("model.weights.h5"))


def broken_deflate(data, at, start):
    data[start + 40:start + 60] = bytes(range(200, 220))
    return bytes(data)


def larger_than_said(data, at, start):
    size = struct.pack("<L", len(WEIGHTS) - 8)
    data[at + 24:at + 28] = size
    return bytes(data)


def smaller_than_said(data, at, start):
    data[at + 24:at + 28] = struct.pack("<L", len(WEIGHTS) + 8)
    return bytes(data)


NO_ARCHIVE = "no checkpoint that is read here"
ZIPS = {
    "no-weights": (lambda: archive(TEXTS.items()), "no 'model.weights.h5'"),
    "npz-weights": (lambda: archive([*TEXTS.items(),
                                     ("model.weights.npz", b"x")]),
                    "model.weights.npz"),
    "weights-are-text": (lambda: archive(
        [*TEXTS.items(), ("model.weights.h5", b"no" * 300)]),
        "no HDF5 file"),
    "weights-are-empty": (lambda: archive(
        [*TEXTS.items(), ("model.weights.h5", b"")]), "no HDF5 file"),
    "weights-are-cut": (lambda: archive(
        [*TEXTS.items(), ("model.weights.h5", WEIGHTS[:9000])]),
        "damaged or truncated HDF5"),
    "weights-are-legacy": (lambda: archive(
        [*TEXTS.items(), ("model.weights.h5",
                          (GOLDEN / "h5" / "sequential.h5").read_bytes())]),
        "not of Keras 3's layout"),
    "bomb": (bomb, "would unpack to 1073741824"),
    "broken-deflate": (lambda: deflated_with(broken_deflate),
                       "zip member 'model.weights.h5'"),
    "unpacks-to-more": (lambda: deflated_with(larger_than_said),
                        "unpacks to more"),
    "unpacks-to-less": (lambda: deflated_with(smaller_than_said),
                        "unpacks to less"),
    "encrypted": (lambda: in_entry(8, b"\x01\x00"), "is encrypted"),
    "lzma": (lambda: archive([*TEXTS.items(), ("model.weights.h5", WEIGHTS)],
                             zipfile.ZIP_LZMA), "packed by method 14"),
    # An archive of which the directory is wrong is none at all: not even
    # its members' names can be believed.
    "two-of-one-name": (with_duplicate, NO_ARCHIVE),
    "overlapping": (with_two_entries, NO_ARCHIVE),
    "absolute": (lambda: good(("/etc/passwd", b"x")), NO_ARCHIVE),
    "parent": (lambda: good(("assets/../../x", b"x")), NO_ARCHIVE),
    "backslash": (lambda: in_entry(46, b"model\\weights.h5"), NO_ARCHIVE),
    "name-with-zero": (lambda: in_entry(46, b"model\0"), NO_ARCHIVE),
    "no-utf8": (lambda: in_entry(46, b"\xff\xfe"), NO_ARCHIVE),
    "another-name-in-front": (lambda: in_entry(46, b"nodel"), NO_ARCHIVE),
    "sizes-differ": (lambda: in_entry(20, b"\x10\x00\x00\x00"), NO_ARCHIVE),
    "beyond-the-end": (lambda: in_entry(20, b"\xf0\xff\xff\x7f" * 2),
                       NO_ARCHIVE),
    "over-the-directory": (lambda: in_entry(
        20, struct.pack("<LL", *[len(WEIGHTS) + 40] * 2)), NO_ARCHIVE),
    "header-elsewhere": (lambda: in_entry(42, b"\x01\x00\x00\x00"),
                         NO_ARCHIVE),
    "huge-name": (lambda: in_entry(28, b"\xff\xff"), NO_ARCHIVE),
    "huge-extra": (lambda: in_entry(30, b"\xff\xff"), NO_ARCHIVE),
    "zip64-of-2^63": (lambda: with_zip64([2**63, 2**63]), NO_ARCHIVE),
    "zip64-of-2^64-1": (lambda: with_zip64([2**64 - 1, 2**64 - 1]),
                        NO_ARCHIVE),
    "zip64-lacks-a-field": (lambda: with_zip64([len(WEIGHTS)]), NO_ARCHIVE),
    "too-many-members": (lambda: in_end(8, b"\xfe\xff\xfe\xff"), NO_ARCHIVE),
    "too-few-members": (lambda: in_end(8, b"\x01\x00\x01\x00"), NO_ARCHIVE),
    "second-volume": (lambda: in_end(4, b"\x01\x00"), NO_ARCHIVE),
    "directory-elsewhere": (lambda: in_end(16, b"\x00\x00\x00\x00"),
                            NO_ARCHIVE),
    "something-in-front": (lambda: b"#!/bin/sh\n" + good(), NO_ARCHIVE),
    "something-behind": (lambda: good() + b"x", NO_ARCHIVE),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_crafted_archive_is_refused(wh, name):
    make, words = ZIPS[name]
    wh.ok("init")
    (wh.folder / "m.keras").write_bytes(make())
    refuse(wh, "m.keras", words)


def test_the_archive_that_all_others_differ_from_is_read(wh):
    wh.ok("init")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        (wh.folder / "m.keras").write_bytes(good(method=method))
        wh.ok("commit", "m.keras")
    (wh.folder / "m.keras").write_bytes(with_zip64([len(WEIGHTS)] * 2))
    wh.ok("commit", "m.keras")


# ---- Weight maps ----------------------------------------------------------

SHARD = "sharded-nested_00000.weights.h5"
MAP = json.loads((KERAS3 / "sharded-nested.weights.json").read_text())
KEY = next(iter(MAP["weight_map"]))


def with_entry(value, key=KEY):
    return {**MAP, "weight_map": {**MAP["weight_map"], key: value}}


def without_entry():
    rest = dict(MAP["weight_map"])
    del rest[KEY]
    return {**MAP, "weight_map": rest}


MAPS = {
    "absolute": (with_entry("/etc/passwd"), "no plain file name"),
    "parent": (with_entry("../" + SHARD), "no plain file name"),
    "below": (with_entry("a/" + SHARD), "no plain file name"),
    "backslash": (with_entry("a\\" + SHARD), "no plain file name"),
    "dots": (with_entry(".."), "no plain file name"),
    "empty-name": (with_entry(""), "no plain file name"),
    "number": (with_entry(7), "no plain file name"),
    "list-of-lists": (with_entry([[SHARD]]), "no plain file name"),
    "object": (with_entry({"a": SHARD}), "no plain file name"),
    "control-characters": (with_entry("\x1b[31m"), "'\\x1b[31m'"),
    "missing-shard": (with_entry("nowhere.weights.h5"), "nowhere.weights.h5"),
    "itself": (with_entry("m.weights.json"), "no HDF5 file"),
    "folder": (with_entry("folder"), "not a regular file"),
    "wrong-shard": (with_entry("sharded-nested_00004.weights.h5"),
                    "the weight map"),
    "unknown-group": (with_entry(SHARD, "/layers/nothing/vars"),
                      "the shards have"),
    "group-is-missing": (without_entry(), "its shards have"),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_crafted_map_is_refused(wh, name):
    made, words = MAPS[name]
    wh.ok("init")
    for path in KERAS3.glob("sharded-nested_*"):
        shutil.copy(path, wh.folder)
    (wh.folder / "folder").mkdir()
    (wh.folder / "m.weights.json").write_text(json.dumps(made))
    refuse(wh, "m.weights.json", words, (1, 4, 5))


def test_a_variable_in_two_shards_is_refused(wh):
    wh.ok("init")
    for path in KERAS3.glob("sharded-nested*"):
        shutil.copy(path, wh.folder)
    name = wh.folder / "sharded-nested_00001.weights.h5"
    shutil.copy(wh.folder / SHARD, name)
    refuse(wh, "sharded-nested.weights.json", "")


# ---- Damage ---------------------------------------------------------------

@pytest.mark.parametrize("name", [
    "k3-nested.weights.h5", "k2-attention.weights.h5", "archive.keras",
    "archive-deflated.keras"])
def test_a_damaged_file_is_one_sentence(wh, name):
    wh.ok("init")
    for data in damaged_copies((KERAS3 / name).read_bytes(), 36):
        (wh.folder / name).write_bytes(data)
        one_sentence(wh("commit", name))
    wh.ok("verify", "--read-data")


@pytest.mark.parametrize("name", ["sharded-nested.weights.json",
                                  "sharded-nested_00001.weights.h5"])
def test_a_damaged_shard_or_map_is_one_sentence(wh, name):
    wh.ok("init")
    for path in KERAS3.glob("sharded-nested*"):
        shutil.copy(path, wh.folder)
    for data in damaged_copies((KERAS3 / name).read_bytes(), 30):
        (wh.folder / name).write_bytes(data)
        one_sentence(wh("commit", "sharded-nested.weights.json"))
    wh.ok("verify", "--read-data")


def test_a_packed_archive_that_is_damaged_is_never_taken(wh):
    """Every deflated member has a CRC."""
    wh.ok("init")
    whole = (KERAS3 / "archive-deflated.keras").read_bytes()
    start = whole.index(b"model.weights.h5") + 16
    end = whole.index(b"PK\x01\x02")
    chance = random.Random(SEED)
    for _ in range(12):
        copy = bytearray(whole)
        copy[chance.randrange(start, end)] ^= 1 << chance.randrange(8)
        (wh.folder / "m.keras").write_bytes(copy)
        done = wh("commit", "m.keras")
        one_sentence(done)
        assert done.returncode == 5, done.stdout
