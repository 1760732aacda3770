"""Checkpoints that TensorFlow reads but doesn't write, or no longer: CASES
maps a name to a function as in make.py."""
import struct

from common import WRITERS, np
from models import build

import bundle
from tensorflow.core.protobuf import trackable_object_graph_pb2

CASES = {}
GRAPH_KEY = b"_CHECKPOINTABLE_OBJECT_GRAPH"
FLOAT, INT32, STRING, INT64, HALF = 1, 3, 7, 9, 19


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def unsnappy(data):
    """Raw Snappy, back again."""
    _, at = bundle.read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            size = (tag >> 2) + 1
            out += data[at:at + size]
            at += size
            continue
        if tag & 3 == 1:
            size, far, width = (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[at], 1
        else:
            size, far, width = (tag >> 2) + 1, data[at] | data[at + 1] << 8, 2
        at += width
        for _ in range(size):
            out.append(out[-far])
    return bytes(out)


def plain_index(index):
    """The same table without compression."""
    at = len(index) - 48
    for _ in range(2):
        _, at = bundle.read_varint(index, at)
    offset, at = bundle.read_varint(index, at)
    size, at = bundle.read_varint(index, at)

    def block(start, length):
        stored = index[start:start + length]
        return unsnappy(stored) if index[start + length] else stored

    entries = []
    for _, handle in bundle.block_entries(block(offset, size)):
        start, at = bundle.read_varint(handle, 0)
        length, _ = bundle.read_varint(handle, at)
        entries += bundle.block_entries(block(start, length))
    return bundle.make_table(entries)


def put(folder, entries, shards, **options):
    """`entries`: key -> proto; `shards`: the data files."""
    table = sorted({b"": bundle.header_proto(
        len(shards), options.pop("big_endian", False)), **entries}.items())
    (folder / "ckpt.index").write_bytes(bundle.make_table(table, **options))
    for number, data in enumerate(shards):
        name = f"ckpt.data-{number:05d}-of-{len(shards):05d}"
        (folder / name).write_bytes(data)
    return WRITERS["hand"], False


def real(folder, name):
    """(entries, data) of a checkpoint that TensorFlow just wrote."""
    build(name).save_weights(str(folder / "ckpt"))
    index = (folder / "ckpt.index").read_bytes()
    entries = dict(bundle.table_entries(index))
    del entries[b""]
    return entries, (folder / "ckpt.data-00000-of-00001").read_bytes()


@case
def hand_snappy(folder, random):
    """Snappy blocks, five entries each, as TF 1.1 and others wrote them."""
    del random
    entries, data = real(folder, "nested")
    return put(folder, entries, [data], per_block=5, compress=True)


@case
def hand_aligned(folder, random):
    """Each tensor at a multiple of 64 bytes; two entries a block."""
    del random
    entries, data = real(folder, "sequential")
    out = bytearray()
    for key, entry in sorted(entries.items()):
        found = dict(bundle.fields(entry))
        at, size = found.get(4, 0), found.get(5, 0)
        out += bytes(-len(out) % 64)
        shape = [dict(bundle.fields(dim)).get(1, 0)
                 for _, dim in bundle.fields(found[2])]
        crc = found[6]
        entries[key] = bundle.entry_proto(found[1], shape, len(out),
                                          data[at:at + size], crc)
        out += data[at:at + size]
    return put(folder, entries, [bytes(out)], per_block=2)


@case
def hand_big_endian(folder, random):
    entries, data = {}, b""
    for key, kind, dtype, shape in ((b"half", HALF, ">f2", (3,)),
                                    (b"ints", INT32, ">i4", (2, 2)),
                                    (b"steps", INT64, ">i8", ()),
                                    (b"w", FLOAT, ">f4", (2, 3))):
        value = np.asarray(random.randint(-2000, 2000, shape)).astype(dtype)
        entries[key] = bundle.entry_proto(kind, shape, len(data),
                                          value.tobytes())
        data += value.tobytes()
    return put(folder, entries, [data], big_endian=True)


def slice_key(name, starts):
    """The ordered code of small slices; None is a whole dimension."""
    parts = [b"\x80\x7f" if part is None else
             bytes([0x80 ^ part[0], 0x80 ^ part[1]]) for part in starts]
    return (b"\0" + name.replace(b"\0", b"\0\xff") + b"\0\x01\x01" +
            bytes([len(starts)]) + b"".join(parts))


def slice_proto(starts):
    return b"".join(
        bundle.field(1, b"" if part is None else
                     bundle.field(1, part[0]) + b"\x10" + bytes([part[1]]))
        for part in starts)


@case
def hand_slices(folder, random):
    """Slices whose other axis is "whole" instead of explicit."""
    whole = (random.randint(-2000, 2000, (4, 6)) / 1024).astype("<f4")
    cuts = [[None, (0, 2)], [None, (2, 4)]]
    entries, data = {}, b""
    for cut in cuts:
        start, length = cut[1]
        part = whole[:, start:start + length].tobytes()
        entries[slice_key(b"table", cut)] = bundle.entry_proto(
            FLOAT, (4, length), len(data), part)
        data += part
    entries[b"table"] = bundle.entry_proto(
        FLOAT, (4, 6), 0, b"", slices=[slice_proto(cut) for cut in cuts])
    return put(folder, entries, [data])


@case
def hand_old_graph(folder, random):
    """As TF 2.0 to 2.2 wrote: the graph alone in shard 0, without the root
    edge and has_checkpoint_values, with a layer's configuration."""
    del random
    entries, data = real(folder, "sequential")
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    at = dict(bundle.fields(entries[GRAPH_KEY]))[4]
    size, start = bundle.read_varint(data, at)
    graph.ParseFromString(data[start + 4:start + 4 + size])
    for node in graph.nodes:
        node.ClearField("has_checkpoint_values")
    del graph.nodes[0].children[-1]
    key = "layer_with_weights-0/.ATTRIBUTES/OBJECT_CONFIG_JSON"
    graph.nodes[1].attributes.add(name="OBJECT_CONFIG_JSON",
                                  checkpoint_key=key)
    config, config_crc = bundle.write_strings([b'{"class_name": "Dense"}'])
    text, text_crc = bundle.write_strings([graph.SerializeToString()])
    shard1 = bundle.field(3, 1)
    entries = {name: entry + shard1 for name, entry in entries.items()}
    entries[key.encode()] = bundle.entry_proto(STRING, (), at, config,
                                               config_crc) + shard1
    entries[GRAPH_KEY] = bundle.entry_proto(STRING, (), 0, text, text_crc)
    (folder / "ckpt.data-00000-of-00001").unlink()
    return put(folder, entries, [text, data[:at] + config])
