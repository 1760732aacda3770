"""Crafted TensorFlow checkpoints: CASES maps a name to what wh says of it, a
part of the one sentence, or None where the checkpoint is odd and may be read.
Written in pure Python: TensorFlow makes none of them, and aborts on some."""
import struct
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "golden" / "tf"))
import bundle
from bundle import field, varint

CASES = {}
FLOAT, STRING, VARIANT, INT64 = 1, 7, 21, 9
GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"
HEADER = bundle.header_proto()
VALUES = struct.pack("<8f", *range(8))
NODE = field(1, b"")


def case(said):
    """`function()` gives (index, {suffix: shard})."""
    def keep(function):
        CASES[function.__name__.replace("_", "-")] = (said, function)
        return function
    return keep


def named(name, said, function):
    function.__name__ = name
    case(said)(function)


def shards(*data):
    return {f".data-{k:05d}-of-{len(data):05d}": bytes_
            for k, bytes_ in enumerate(data)}


def entry(shape=(8,), dtype=FLOAT, offset=0, payload=VALUES, crc=None,
          more=b""):
    return bundle.entry_proto(dtype, shape, offset, payload, crc) + more


def made(entries, data=VALUES, header=HEADER, **options):
    """One shard; `entries`: pairs, sorted here."""
    table = [(b"", header), *sorted(entries)]
    return bundle.make_table(table, **options), shards(data)


def with_graph(proto, entries=(), payload=None):
    """`proto` as the graph, behind the values."""
    text, crc = bundle.write_strings([proto])
    text = payload or text
    return made([(GRAPH, entry((), STRING, len(VALUES), text, crc)),
                 *entries], VALUES + text)


def whole():
    return made([(b"w", entry())])


def damaged_index(name, said, change):
    def make():
        index, data = whole()
        return change(index), data
    named(name, said, make)


def flipped(at):
    def change(data):
        data = bytearray(data)
        data[at] ^= 4
        return bytes(data)
    return change


def one_entry(name, said, proto, key=b"w", data=VALUES):
    named(name, said, lambda: made([(key, proto)], data))


def graph_case(name, said, proto):
    named(name, said, lambda: with_graph(proto, [(b"w", entry())]))


# ---- The table --------------------------------------------------------------

damaged_index("index-empty", "too short to be an sstable", lambda i: b"")
damaged_index("index-of-47-bytes", "too short to be an sstable",
              lambda i: i[-47:])
damaged_index("index-cut", "bad magic number", lambda i: i[:-3])
damaged_index("index-magic", "bad magic number", flipped(-1))
damaged_index("index-data-block", "block checksum mismatch", flipped(10))
damaged_index("index-index-block", "block checksum mismatch", flipped(-60))
damaged_index("index-padding", None, flipped(-20))
damaged_index("index-footer", "the index is damaged", flipped(-46))
damaged_index("index-handle-too-long", "a block's place can't be read",
              lambda i: i[:-48] + b"\xff" * 40 + i[-8:])
damaged_index("index-handle-far-away", "a block lies outside of the file",
              lambda i: i[:-48] + (b"\0\0" + varint(1 << 62) +
                                   varint((1 << 64) - 1)).ljust(40, b"\0") +
              i[-8:])
damaged_index("index-of-zeros", "bad magic number", lambda i: bytes(len(i)))


def table_of_blocks(blocks, handles=None):
    """A table of (stored bytes, type); `handles` changes what the index
    block says of them."""
    out, places = bytearray(), []
    for stored, kind in blocks:
        places.append(varint(len(out)) + varint(len(stored)))
        body = stored + bytes([kind])
        out += body + struct.pack("<I", bundle.masked_crc(body))
    rows = handles(places) if handles else [
        (b"z%04d" % k, place) for k, place in enumerate(places)]
    index = bundle.make_block(rows, 1)
    footer = varint(0) + varint(0) + varint(len(out)) + varint(len(index))
    body = index + b"\0"
    out += body + struct.pack("<I", bundle.masked_crc(body))
    return bytes(out + footer.ljust(40, b"\0") +
                 struct.pack("<Q", bundle.MAGIC))


GOOD_BLOCK = bundle.make_block([(b"", HEADER), (b"w", entry())])


def blocks_case(name, said, blocks, handles=None):
    named(name, said, lambda: (table_of_blocks(blocks, handles),
                               shards(VALUES)))


def raw_entry(shared, key, value, length=None):
    return (varint(shared) + varint(len(key)) +
            varint(len(value) if length is None else length) + key + value)


def raw_block(*entries, n_restarts=1):
    return b"".join(entries) + struct.pack("<II", 0, n_restarts)


FIRST = raw_entry(0, b"", HEADER)
blocks_case("block-type-2", "bad block type", [(GOOD_BLOCK, 2)])
blocks_case("block-of-3-bytes", "a block is too short", [(b"abc", 0)])
blocks_case("block-restarts", "too many restarts",
            [(raw_block(FIRST, n_restarts=1 << 30), 0)])
blocks_case("block-shares-too-much", "an entry can't be read",
            [(raw_block(FIRST, raw_entry(9, b"w", entry())), 0)])
blocks_case("block-key-too-long", "an entry can't be read",
            [(raw_block(FIRST, varint(0) + varint(1 << 31) + varint(0)), 0)])
blocks_case("block-value-beyond", "value ends early",
            [(raw_block(FIRST, raw_entry(0, b"w", entry(), 5000)), 0)])
blocks_case("block-varint-without-end", "an entry can't be read",
            [(raw_block(FIRST, b"\xff" * 12), 0)])
blocks_case("block-keys-unsorted", "its keys are not sorted",
            [(raw_block(FIRST, raw_entry(0, b"x", entry()),
                        raw_entry(0, b"w", entry())), 0)])
blocks_case("block-keys-twice", "its keys are not sorted",
            [(raw_block(FIRST, raw_entry(0, b"w", entry()),
                        raw_entry(0, b"w", entry())), 0)])
blocks_case("block-named-twice", "the index is damaged", [(GOOD_BLOCK, 0)],
            lambda places: [(b"y", places[0]), (b"z", places[0])])
blocks_case("snappy-length", "Snappy", [(varint(1 << 40) + b"\0a", 1)])
blocks_case("snappy-cut", "Snappy", [(bundle.snappy(GOOD_BLOCK)[:-4], 1)])
blocks_case("snappy-copy-before-start", "Snappy",
            [(varint(64) + b"\x00a" + bytes([63 << 2 | 2, 0xff, 0xff]), 1)])

# Copies of 64 zeros: 4 MiB of a block without an entry, named a thousand times.
BOMB = (varint(1 << 22) + b"\0\0" + bytes([63 << 2 | 2, 1, 0]) *
        ((1 << 16) - 1) + bytes([58 << 2 | 2, 1, 0]) +
        bytes([3 << 2]) + struct.pack("<I", (1 << 20) - 1))
blocks_case("snappy-bomb", "its blocks overlap",
            [(GOOD_BLOCK, 0), (BOMB, 1)],
            lambda places: [(b"w", places[0])] +
            [(b"x%04d" % k, places[1]) for k in range(1000)])


# ---- Header and keys ---------------------------------------------------------

def header_case(name, said, header):
    named(name, said, lambda: made([(b"w", entry())], header=header))


def version(**fields):
    body = b"".join(varint(number << 3) + varint(value & (1 << 64) - 1)
                    for number, value in fields.values())
    return field(1, 1) + field(3, body)


header_case("header-unparseable", "header can't be read", b"\xff\xff")
header_case("header-no-shards", "there are 0 shards", field(3, b"\x08\x01"))
header_case("header-shards-below-zero", "shards",
            b"\x08" + varint((1 << 64) - 1))
header_case("header-two-shards", "No such file", bundle.header_proto(2))
header_case("header-100000-shards", "No such file",
            bundle.header_proto(100000))
header_case("header-min-consumer", "written by a newer TensorFlow",
            version(a=(1, 1), b=(2, 2)))
header_case("header-bad-consumer", "disallows consumer version 1",
            version(a=(1, 1), b=(3, 1)))
header_case("header-producer", "producer version -1", version(a=(1, -1)))
# Each field cut, of another wire type, or one that nobody knows.
for name, proto in {"tag": b"\xff", "consumers": b"\x1a\x05", "of-64-bits": b"\x19" + bytes(8),
                    "consumers-cut": b"\x1a\x01\xff", "unknown-cut": b"\x4a\x09"}.items():
    header_case(f"header-version-{name}", "header can't be read",
                field(1, 1) + field(3, proto))
header_case("header-version-unknown-field", None,
            field(1, 1) + field(3, b"\x08\x01" + field(9, b"later")))
header_case("header-consumers-one-by-one", "disallows consumer version 1",
            field(1, 1) + field(3, b"\x08\x01\x18\x02\x18\x01"))
header_case("header-shards-cut", "header can't be read", b"\x08")
header_case("header-unknown-field", None, HEADER + field(9, b"later"))
header_case("header-unknown-field-cut", "header can't be read",
            HEADER + b"\x4a\x09")
header_case("header-no-version", None, field(1, 1))
header_case("header-producer-99", None, version(a=(1, 99), b=(2, 1)))
header_case("header-endianness-7", None, HEADER + b"\x10\x07")
named("header-missing", "the index has no header",
      lambda: (bundle.make_table([(b"a", entry()), (b"w", entry())]),
               shards(VALUES)))
named("header-alone", None, lambda: made([]))
one_entry("key-of-4097-bytes", "UTF-8 of 1 to 4096 bytes", entry(),
          b"w" * 4097)
one_entry("key-not-utf8", "not valid UTF-8", entry(), b"w\xff\xfe")
one_entry("key-with-zero", "not valid UTF-8", entry(), b"w\0x")
one_entry("key-of-5000-bytes", "the index", entry(), b"w" * 5000)
one_entry("key-controls-the-terminal", "\\x1b",
          entry(payload=VALUES + b"long"), b"\x1b[31m")
blocks_case("keys-that-share-all", "keys take more than", [(raw_block(
    FIRST, raw_entry(0, b"k" * 4000 + b"%06d" % 0, b""),
    *(raw_entry(4000, b"%06d" % k, b"") for k in range(1, 70000))), 0)])


# ---- Entries -------------------------------------------------------------------

one_entry("entry-unparseable", "can't be read", b"\xff\xff\xff")
one_entry("entry-size-wrong", "'w'", entry(payload=VALUES[:8]))
one_entry("entry-negative-dimension", "can't be read", entry((-1 & (1 << 64) - 1,)))
one_entry("entry-shape-overflows", "'w'", entry((1 << 33, 1 << 33)))
one_entry("entry-shape-wraps-to-its-size", "'w'",
          entry(((1 << 61) + 1, 8), payload=VALUES))
one_entry("entry-rank-300", "can't be read", entry((1,) * 300))
one_entry("entry-unknown-rank", "can't be read", entry(
    more=field(2, b"\x18\x01")))
one_entry("entry-dimension-tag", "can't be read",
          entry(more=field(2, field(2, b"\xff"))))
one_entry("entry-dimension-cut", "can't be read",
          entry(more=field(2, field(2, b"\x08"))))
one_entry("entry-dimension-unknown-cut", "can't be read",
          entry(more=field(2, field(2, b"\x4a\x09"))))
one_entry("entry-shape-no-message", "can't be read", entry(more=b"\x12\x09"))
one_entry("entry-checksum-cut", "can't be read", entry(more=b"\x35\x01"))
one_entry("entry-dtype-99", "dtype that is not known (99)", entry(dtype=99))
one_entry("entry-dtype-0", "dtype that is not known (0)", entry(dtype=0))
one_entry("entry-dtype-resource", "dtype that is not known (20)",
          entry(dtype=20))
one_entry("entry-dtype-reference", "dtype that is not known (101)",
          entry(dtype=101))
one_entry("entry-beyond-the-end", "ends after its shard does",
          entry(offset=4))
one_entry("entry-offset-overflows", "ends after its shard does",
          entry(offset=(1 << 63) - 8))
one_entry("entry-size-below-zero", "can't be read",
          field(1, FLOAT) + b"\x28" + varint((1 << 64) - 8))
one_entry("entry-shard-2", "lies in shard 2 of 1",
          entry(more=field(3, 2)))
one_entry("entry-shard-of-2-billion", "can't be read",
          entry(more=field(3, (1 << 31) - 1)))
one_entry("entry-wrong-checksum", "checksum", entry(crc=1))
named("data-flipped", "checksum", lambda: made(
    [(b"w", entry())], flipped(7)(VALUES)))
named("data-short", "ends after its shard does",
      lambda: made([(b"w", entry())], VALUES[:-1]))
named("data-empty", "ends after its shard does",
      lambda: made([(b"w", entry())], b""))
named("data-missing", "No such file",
      lambda: (whole()[0], {".data-00000-of-00002": VALUES}))
ENTRY_OF_ZEROS = field(1, FLOAT) + field(2, bundle.shape_proto(
    (1 << 19,))) + field(5, 1 << 21) + b"\x35" + struct.pack(
        "<I", bundle.masked_crc(bytes(1 << 21)))
named("data-shared-without-end", "would take more than", lambda: made(
    [(b"k%05d" % k, ENTRY_OF_ZEROS) for k in range(150)], bytes(1 << 21)))


# ---- Strings -----------------------------------------------------------------

def text_case(name, said, change, shape=(2,)):
    def make():
        text, crc = bundle.write_strings([b"ab", b"c"])
        text = change(text)
        return made([(b"s", entry(shape, STRING, 0, text, crc))], text)
    named(name, said, make)


text_case("strings-flipped-length", "length checksum", flipped(0))
text_case("strings-flipped-content", "checksum", flipped(-1))
text_case("strings-cut", "'s'", lambda text: text[:-1])
text_case("strings-more", "'s'", lambda text: text + b"x")
text_case("strings-of-a-trillion", "bad shape", lambda text: text,
          (1 << 40,))
text_case("strings-shape-overflows", "bad shape", lambda text: text,
          (1 << 33, 1 << 33))
text_case("strings-lengths-wrap", "'s'",
          lambda text: b"\xff" * 9 + b"\x01" + b"\x03" + text[2:])
text_case("strings-lengths-without-end", "lengths can't be read",
          lambda text: b"\xff" * len(text))
EMPTY_STRINGS = bundle.write_strings([b""] * (1 << 18))
named("strings-shared-without-end", "strings in all", lambda: made(
    [(b"k%05d" % k, entry((1 << 18,), STRING, 0, *EMPTY_STRINGS))
     for k in range(80)], EMPTY_STRINGS[0]))
one_entry("variant-beyond-the-end", "ends after its shard does",
          entry((), VARIANT, 8))


# ---- Slices -----------------------------------------------------------------

def slice_key(name, *extents):
    """The ordered code of small starts and lengths."""
    return (b"\0" + name + b"\0\x01\x01" + bytes([len(extents)]) +
            b"".join(bytes([0x80 ^ start, 0x80 ^ length])
                     for start, length in extents))


def slice_proto(*extents):
    return b"".join(field(1, field(1, start) + b"\x10" + varint(length))
                    for start, length in extents)


def sliced(parts, shape=(8,), listed=None, dtype=FLOAT, shapes=None):
    """`parts`: extents of each slice of a list of 8."""
    entries = [(b"w", bundle.entry_proto(
        dtype, shape, 0, b"", slices=[slice_proto(*part) for part in
                                      (listed or parts)]))]
    for number, part in enumerate(parts):
        own = shapes[number] if shapes else tuple(n for _, n in part)
        start, length = part[0]
        entries.append((slice_key(b"w", *part), entry(
            own, dtype, 4 * start, VALUES[4 * start:4 * (start + length)])))
    return made(entries)


def slices_case(name, said, *args, **options):
    named(name, said, lambda: sliced(*args, **options))


TWO = [[(0, 4)], [(4, 4)]]
slices_case("slices-whole", None, TWO)
for name, extent in {"tag": b"\xff", "unknown-cut": b"\x4a\x09",
                     "start-cut": field(1, b"\x08")}.items():
    one_entry(f"slices-{name}", "can't be read", bundle.entry_proto(
        FLOAT, (8,), 0, b"", slices=[extent]))
slices_case("slices-missing", "is missing or is not as",
            [[(0, 4)], [(4, 3)]], listed=TWO)
slices_case("slices-fewer-than-listed", "more slices than the index", TWO[:1],
            listed=TWO)
slices_case("slices-too-few", "sufficient slices", TWO[:1])
slices_case("slices-overlap", "slices overlap", [[(0, 5)], [(4, 4)]])
slices_case("slices-twice", "slices overlap", TWO, listed=TWO[:1] * 2)
# 4 bytes each, which took 544 of memory.
named("slices-without-a-byte", "more slices than the index", lambda: made(
    [pair for k in range(40) for pair in (
        (b"w%02d" % k, bundle.entry_proto(
            FLOAT, (0,), 0, b"", slices=[field(1, b"")] * 4096)),
        (b"\0w%02d\0\x01\x01\x01\x80\x7f" % k, entry((0,), payload=b"")))],
    b""))
slices_case("slices-beyond", "is missing or is not as", [[(0, 4)], [(5, 4)]])
slices_case("slices-other-shape", "is missing or is not as", TWO,
            shapes=[(4,), (2, 2)])
slices_case("slices-other-rank", "is missing or is not as",
            [[(0, 4), (0, 1)], [(4, 4), (0, 1)]])
slices_case("slices-of-strings", "bad shape", TWO, dtype=STRING)
slices_case("slices-of-a-scalar", "bad shape", TWO, shape=())
slices_case("slices-of-a-huge-shape", "bad shape", TWO,
            shape=(1 << 33, 1 << 33))
one_entry("slices-without-end", "more than 4096 slices", bundle.entry_proto(
    FLOAT, (8,), 0, b"", slices=[b""] * 100000))
one_entry("slices-below-zero", "can't be read", bundle.entry_proto(
    FLOAT, (8,), 0, b"", slices=[field(1, b"\x10" + varint((1 << 64) - 4))]))


# ---- The object graph ----------------------------------------------------------

def edge(node, name=b"x"):
    return field(1, b"\x08" + varint(node & (1 << 64) - 1) + field(2, name))


def slot(original, node):
    return field(3, b"\x08" + varint(original & (1 << 64) - 1) +
                 field(2, b"m") + b"\x18" + varint(node & (1 << 64) - 1))


def value(key, name=b"VARIABLE_VALUE"):
    return field(2, field(1, name) + field(2, b"w") + field(3, key))


graph_case("graph-unparseable", "object graph can't be read", b"\xff\xff\xff")
graph_case("graph-without-nodes", "has no nodes", b"")
graph_case("graph-child-out-of-range", "names node 9 of 1",
           field(1, edge(9)))
graph_case("graph-child-below-zero", "names node -1 of 1",
           field(1, edge(-1)))
graph_case("graph-slot-out-of-range", "names node 7 of 1",
           field(1, slot(0, 7)))
graph_case("graph-slot-below-zero", "names node -2 of 1",
           field(1, slot(-2, 0)))
graph_case("graph-name-not-utf8", "not valid UTF-8",
           field(1, edge(0, b"\xff")))
graph_case("graph-name-of-5000-bytes", "too long",
           field(1, edge(0, b"x" * 5000)))
graph_case("graph-key-not-in-bundle", None,
           field(1, edge(1)) + field(1, value(b"elsewhere")))
graph_case("graph-key-twice", None,
           field(1, edge(1) + edge(2, b"y")) + field(1, value(b"w")) * 2)
graph_case("graph-loops", None,
           field(1, edge(0) + edge(1)) + field(1, edge(0) + edge(1)))
graph_case("graph-chain-of-10000", None,
           b"".join(field(1, edge(k + 1)) for k in range(10000)) +
           field(1, value(b"w")))
graph_case("graph-chain-of-layers", None,
           b"".join(field(1, edge(k + 1, b"layer_with_weights-0"))
                    for k in range(3000)) + field(1, value(b"w")))
graph_case("graph-many-names-for-one", None,
           field(1, b"".join(edge(1, b"layer-%d" % k)
                             for k in range(20000))) +
           field(1, value(b"w")))
# Below a model, whose nodes --root model moves: their paths would take the
# square of so many bytes, or 4,000 times as many.
graph_case("graph-chain-in-a-model", None,
           field(1, edge(1, b"model")) +
           b"".join(field(1, edge(k + 2)) for k in range(50000)) +
           field(1, value(b"w/.ATTRIBUTES/VARIABLE_VALUE")))
graph_case("graph-fan-behind-a-long-name", None,
           field(1, edge(1, b"model")) + field(1, edge(2, b"y" * 4000)) +
           field(1, b"".join(edge(3 + k) for k in range(150000))) +
           field(1, b"") * 150000)
named("graph-not-a-string", "is no string of its size", lambda: made(
    [(GRAPH, entry()), (b"w", entry())]))
named("graph-beyond-the-end", "ends after its shard does", lambda: made(
    [(GRAPH, entry((), STRING, 28, b"12345678")), (b"w", entry())]))
named("graph-checksum", "checksum", lambda: with_graph(
    NODE, payload=flipped(-1)(bundle.write_strings([NODE])[0])))


def write(name, folder):
    """The prefix of the case's files."""
    index, data = CASES[name][1]()
    (folder / f"{name}.index").write_bytes(index)
    for suffix, shard in data.items():
        (folder / f"{name}{suffix}").write_bytes(shard)
    return folder / name
