"""What is wrong with a checkpoint, row by row: TensorFlow's verdict, and ours.

Each fault is made in a bundle that TensorFlow wrote, or by hand where no writer
makes it. Where TensorFlow's reader ends the process instead of raising, only
ours is asked.
"""
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[1] / "golden" / "tf"))
from bundle import (entry_proto, field, header_proto, make_table,  # noqa: E402
                    masked_crc, table_entries, varint, write_strings)

GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = np.arange(6, dtype="float32").reshape(2, 3)
KEY = "v/.ATTRIBUTES/VARIABLE_VALUE"


class Bundle:
    """The files of one prefix, taken apart."""

    def __init__(self, folder):
        self.prefix = folder / "p"
        self.index = folder / "p.index"
        self.data = folder / "p.data-00000-of-00001"
        tf.train.Checkpoint(v=tf.Variable(VALUE, name="v")).write(
            str(self.prefix))

    def flip(self, path, at):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(bytes(data))

    def rewrite(self, change):
        entries = dict(table_entries(self.index.read_bytes()))
        entries = change(entries)
        self.index.write_bytes(make_table(sorted(entries.items())))

    def header(self, proto):
        self.rewrite(lambda entries: {**entries, b"": proto})

    def entry(self, proto, key=KEY):
        self.rewrite(lambda entries: {**entries, key.encode(): proto})

    def graph(self, proto):
        """Another graph, behind the values."""
        payload, crc = write_strings([proto])
        values = self.data.read_bytes()[:VALUE.nbytes]
        self.data.write_bytes(values + payload)
        self.entry(entry_proto(7, (), len(values), payload, crc=crc),
                   GRAPH.decode())


def value_entry(dtype=1, shape=(2, 3), size=VALUE.nbytes, offset=0, crc=None):
    crc = masked_crc(VALUE.tobytes()) if crc is None else crc
    dims = b"".join(field(2, b"\x08" + varint(n % (1 << 64))) for n in shape)
    return (field(1, dtype) + field(2, dims) + field(4, offset) +
            field(5, size) + b"\x35" + struct.pack("<I", crc))


def version(*fields):
    return field(1, 1) + field(3, b"".join(fields))


def node(*children, key=None):
    made = b"".join(field(1, varint(8) + varint(child) + field(2, name))
                    for child, name in children)
    if key:
        made += field(2, field(1, b"VARIABLE_VALUE") + field(3, key))
    return field(1, made)


FAULTS = {
    "data file short":
        (lambda b: b.data.write_bytes(b.data.read_bytes()[:10]),
         "Read less bytes than requested", "ends after its shard does"),
    "entry past the end of its file":
        (lambda b: b.entry(value_entry(offset=1 << 20)),
         "Read less bytes than requested", "ends after its shard does"),
    "flipped data byte":
        (lambda b: b.flip(b.data, 5), "Checksum does not match",
         "checksum"),
    "wrong entry crc":
        (lambda b: b.entry(value_entry(crc=7)), "Checksum does not match",
         "checksum"),
    "flipped string length":
        (lambda b: b.flip(b.data, VALUE.nbytes),
         "length checksum does not match", ""),
    "flipped string content":
        (lambda b: b.flip(b.data, -3), "hecksum does not match", "checksum"),
    "flipped byte in the first data block":
        (lambda b: b.flip(b.index, 12), "block checksum mismatch",
         "checksum"),
    "flipped byte in the index block":
        (lambda b: b.flip(b.index, -58), "block checksum mismatch",
         "checksum"),
    "wrong magic":
        (lambda b: b.flip(b.index, -1), "bad magic number", "magic"),
    "cut end":
        (lambda b: b.index.write_bytes(b.index.read_bytes()[:-1]),
         "bad magic number", "magic"),
    "shorter than 48 bytes":
        (lambda b: b.index.write_bytes(b"x" * 47), "too short", "short"),
    "empty index":
        (lambda b: b.index.write_bytes(b""), "too short", "short"),
    "missing shard":
        (lambda b: b.data.unlink(), "No such file", "No such file"),
    "shard_id too large":
        (lambda b: b.entry(value_entry() + field(3, 4)), "No such file",
         "shard 4 of 1"),
    "num_shards too large":
        (lambda b: b.header(header_proto(2)), "No such file",
         "No such file"),
    "num_shards beyond all sense":
        (lambda b: b.header(header_proto(1 << 30)), None, "shards"),
    "missing index":
        (lambda b: b.index.unlink(), "Failed to find any matching files",
         "p"),
    "min_consumer 2":
        (lambda b: b.header(version(field(1, 1), field(2, 2))),
         "min consumer version 2", "min consumer version 2"),
    "bad_consumers [1]":
        (lambda b: b.header(version(field(1, 1), field(3, b"\x01"))),
         "disallows consumer version 1", "disallows consumer version 1"),
    "producer -1":
        (lambda b: b.header(version(b"\x08" + varint((1 << 64) - 1))),
         "producer version -1", "producer version -1"),
    "header unparseable":
        (lambda b: b.header(b"\xff\xff"), "unable to parse header",
         "header can't be read"),
    "entry size wrong":
        (lambda b: b.entry(value_entry(size=8)),
         "Invalid size in bundle entry", ""),
    "negative dim":
        (lambda b: b.entry(value_entry(shape=(-2, 3))), None, ""),
    "dims whose product overflows":
        (lambda b: b.entry(value_entry(shape=(1 << 40, 1 << 40))), None, ""),
    "unknown dtype 99":
        (lambda b: b.entry(value_entry(dtype=99)), None, "99"),
    "first key is not the header's":
        (lambda b: b.rewrite(lambda entries: {
            key: value for key, value in entries.items() if key}), None,
         "no header"),
    "graph with a child out of range":
        (lambda b: b.graph(node((7, b"v"))), "list index out of range", ""),
    "graph without nodes":
        (lambda b: b.graph(b""), "list index out of range", ""),
    "graph unparseable":
        (lambda b: b.graph(b"\xff\xff\xff"), "Error parsing message", ""),
}


@pytest.fixture
def bundle(wh):
    return Bundle(wh.folder)


def read(bundle):
    fresh = tf.Variable(np.zeros_like(VALUE), name="v")
    tf.train.Checkpoint(v=fresh).read(str(bundle.prefix)).assert_consumed()
    return fresh.numpy()


@pytest.mark.parametrize("fault", list(FAULTS))
def test_tf_15_a_damaged_checkpoint_is_refused_by_both(fault, bundle, wh):
    damage, theirs, ours = FAULTS[fault]
    damage(bundle)
    if theirs:
        with pytest.raises(Exception) as raised:
            read(bundle)
        assert theirs in str(raised.value)
    wh("init")
    done = wh.run("commit", "p")
    assert done.returncode in (1, 4, 5, 15), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert ours in done.stderr
    # Nor does it go into another file.
    tf.train.Checkpoint(v=tf.Variable(VALUE)).write(str(wh.folder / "q"))
    before = (wh.folder / "q.index").read_bytes()
    assert wh.run("load-weights", "file:p", "--into", "q").returncode != 0
    assert (wh.folder / "q.index").read_bytes() == before
    assert not list(wh.folder.glob(".*wh-*"))


HARMLESS = {
    "footer padding flipped":
        lambda b: b.flip(b.index, -20),
    "version missing":
        lambda b: b.header(field(1, 1)),
    "producer 99":
        lambda b: b.header(version(field(1, 99))),
    "min_consumer 1":
        lambda b: b.header(version(field(1, 1), field(2, 1))),
    "a key that no object has":
        lambda b: b.entry(value_entry(), "more"),
    "foreign files beside it":
        lambda b: (b.prefix.with_name("p_temp").mkdir(),
                   shutil.copy(b.index, b.prefix.with_name("p.indexes"))),
}


@pytest.mark.parametrize("oddity", list(HARMLESS))
def test_tf_15_what_tensorflow_accepts_is_accepted(oddity, bundle, wh):
    HARMLESS[oddity](bundle)
    assert np.array_equal(read(bundle), VALUE)
    assert wh.commit("p")["reproducible"]
    wh("save-weights", "ours", "--save-format", "tf", "--canonical")
    bundle.prefix = wh.folder / "ours"
    assert np.array_equal(read(bundle), VALUE)


def test_tf_15_without_a_graph_it_is_name_based(bundle, wh):
    bundle.rewrite(lambda entries: {
        (b"v" if key == KEY.encode() else key): value
        for key, value in entries.items() if key != GRAPH})
    assert np.array_equal(read(bundle), VALUE)
    wh.commit("p")
    wh("save-weights", "ours", "--save-format", "tf", "--canonical")
    bundle.prefix = wh.folder / "ours"
    assert np.array_equal(read(bundle), VALUE)
    for option in ("--root=model", "--save-counter=3"):
        done = wh.run("convert", "p", "other", option)
        assert done.returncode == 0
        assert "a name-based checkpoint has no objects" in done.stderr


def test_tf_15_a_key_of_the_graph_that_is_not_in_the_bundle(bundle, wh):
    bundle.graph(node((1, b"v")) + node(key=b"w/.ATTRIBUTES/VARIABLE_VALUE"))
    with pytest.raises(Exception) as raised:
        read(bundle)
    assert "not found in checkpoint" in str(raised.value)
    tf.train.Checkpoint(v=tf.Variable(VALUE)).write(str(wh.folder / "q"))
    assert "Key w/.ATTRIBUTES/VARIABLE_VALUE not found in checkpoint" in (
        wh.refused("load-weights", "file:p", "--into", "q"))


def test_tf_12_23_big_endian_slices_are_swapped(wh):
    """By hand: the header says BIG, and a matrix lies in two halves."""
    halves = [VALUE[:1], VALUE[1:]]
    payloads = [half.astype(">f4").tobytes() for half in halves]
    extents = [field(1, field(1, i) + b"\x10\x01") + field(1, b"\x10\x03")
               for i in (0, 1)]
    keys = [b"\x00v\x00\x01\x01\x02" + bytes([0x80 + i, 0x81, 0x80, 0x83])
            for i in (0, 1)]
    entries = {b"": header_proto(big_endian=True),
               b"v": entry_proto(1, (2, 3), 0, b"", slices=extents)}
    for i in (0, 1):
        entries[keys[i]] = entry_proto(1, (1, 3), 12 * i, payloads[i])
    (wh.folder / "p.index").write_bytes(make_table(sorted(entries.items())))
    (wh.folder / "p.data-00000-of-00001").write_bytes(b"".join(payloads))
    assert wh.commit("p")["reproducible"]
    wh("save-weights", "again", "--save-format", "tf")
    for suffix in ("index", "data-00000-of-00001"):
        assert (wh.folder / f"again.{suffix}").read_bytes() == (
            wh.folder / f"p.{suffix}").read_bytes()
    wh("save-weights", "ours", "--save-format", "tf", "--canonical")
    assert np.array_equal(tf.train.load_checkpoint(
        str(wh.folder / "ours")).get_tensor("v"), VALUE)


def test_tf_15_restore_asks_for_a_save_counter(bundle, wh):
    wh("convert", "p", "plain", "--canonical")
    wh("convert", "p", "counted", "--save-counter", "1")
    for name, complete in (("plain", False), ("counted", True)):
        checkpoint = tf.train.Checkpoint(v=tf.Variable(np.zeros_like(VALUE)))
        status = checkpoint.restore(str(wh.folder / name))
        for check in (status.assert_consumed,
                      status.assert_existing_objects_matched):
            if complete:
                check()
            else:
                with pytest.raises(AssertionError, match="save_counter"):
                    check()
    assert checkpoint.save_counter.numpy() == 1


def test_tf_15_a_name_that_is_a_pattern(bundle, wh):
    """TensorFlow looks for files by pattern, and doesn't find it."""
    for path in (bundle.index, bundle.data):
        path.rename(path.with_name(path.name.replace("p.", "p[1].")))
    bundle.prefix = wh.folder / "p[1]"
    with pytest.raises(Exception, match="find any matching files"):
        read(bundle)
    assert wh.commit("p[1]")["reproducible"]
    wh("save-weights", "HEAD", "ours", "--save-format", "tf")
    bundle.prefix = wh.folder / "ours"
    assert np.array_equal(read(bundle), VALUE)


@pytest.mark.parametrize("options", [
    ("--io-device", "/job:localhost"), ("--skip-slot-variables",)])
def test_options_without_effect_leave_the_files_as_they_are(options, bundle,
                                                            wh):
    wh("convert", "p", "ours", "--canonical", *options)
    for suffix in ("index", "data-00000-of-00001"):
        assert (wh.folder / f"ours.{suffix}").read_bytes() == (
            wh.folder / f"p.{suffix}").read_bytes()


def test_an_asynchronous_save_is_theirs_byte_for_byte(bundle, wh):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(VALUE, name="v"))
    checkpoint.write(str(wh.folder / "theirs"),
                     options=tf.train.CheckpointOptions(enable_async=True))
    checkpoint.sync()
    wh("convert", "p", "ours", "--enable-async")
    for suffix in ("index", "data-00000-of-00001"):
        assert (wh.folder / f"ours.{suffix}").read_bytes() == (
            wh.folder / f"theirs.{suffix}").read_bytes()


def test_lookup_tables_come_back_and_load(wh):
    source, target = (tf.lookup.experimental.MutableHashTable(
        tf.string, tf.int64, -1) for _ in range(2))
    source.insert(["a", "bb", "ccc"], [1, 2, 3])
    target.insert(["z"], [9])
    tf.train.Checkpoint(t=source).write(str(wh.folder / "theirs"))
    assert wh.commit("theirs")["reproducible"]
    wh("save-weights", "ours", "--save-format", "tf", "--canonical")
    tf.train.Checkpoint(t=target).read(str(wh.folder / "ours"))
    assert sorted(target.export()[0].numpy()) == [b"a", b"bb", b"ccc"]
    assert target.lookup(tf.constant(["bb"])).numpy()[0] == 2
