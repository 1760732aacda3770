"""A tensor bundle in pure Python, as far as make.py needs it: the entries of
an index, and indexes and bundles that TensorFlow itself doesn't write."""
import struct

MAGIC = 0xdb4775248b80fb57
RESTART_INTERVAL = 16

_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (0x82f63b78 if _byte & 1 else 0)
    _TABLE.append(_byte)


def masked_crc(data):
    crc = 0xffffffff
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def block_entries(block):
    """(key, value) of each entry; the block isn't compressed."""
    end = len(block) - 4 * (1 + struct.unpack("<I", block[-4:])[0])
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        unshared, at = read_varint(block, at)
        size, at = read_varint(block, at)
        key = key[:shared] + block[at:at + unshared]
        at += unshared
        yield key, block[at:at + size]
        at += size


def table_entries(index):
    """(key, value) of each entry of an uncompressed table."""
    at = len(index) - 48
    _, at = read_varint(index, at)
    _, at = read_varint(index, at)
    offset, at = read_varint(index, at)
    size, at = read_varint(index, at)
    for _, handle in block_entries(index[offset:offset + size]):
        start, at = read_varint(handle, 0)
        length, _ = read_varint(handle, at)
        yield from block_entries(index[start:start + length])


def fields(message):
    """(number, value) of each field: an int, or bytes."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(message, at)
        elif kind == 5:
            value, at = struct.unpack_from("<I", message, at)[0], at + 4
        else:
            size, at = read_varint(message, at)
            value, at = message[at:at + size], at + size
        yield tag >> 3, value


def place(entry):
    """(shard, offset, size) of a BundleEntryProto; None where only its
    slices have bytes."""
    found = dict(fields(entry))
    if 7 in found:
        return None
    return found.get(3, 0), found.get(4, 0), found.get(5, 0)


# Writing

def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape_proto(shape):
    return b"".join(field(2, field(1, size)) for size in shape)


def entry_proto(dtype, shape, offset, payload, crc=None, slices=()):
    proto = field(1, dtype) + field(2, shape_proto(shape))
    if slices:
        return proto + b"".join(field(7, part) for part in slices)
    crc = masked_crc(payload) if crc is None else crc
    return (proto + field(4, offset) + field(5, len(payload)) + b"\x35" +
            struct.pack("<I", crc))


def header_proto(shards=1, big_endian=False):
    return field(1, shards) + field(2, int(big_endian)) + field(3, b"\x08\x01")


def shared_prefix(a, b):
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count


def make_block(entries, interval=RESTART_INTERVAL):
    out, restarts, last = bytearray(), [], b""
    for number, (key, value) in enumerate(entries):
        if number % interval == 0:
            restarts.append(len(out))
            last = b""
        shared = shared_prefix(last, key)
        out += (varint(shared) + varint(len(key) - shared) +
                varint(len(value)) + key[shared:] + value)
        last = key
    restarts = restarts or [0]
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts,
                                    len(restarts))


def snappy(data):
    """Raw Snappy: literals, and copies of four bytes and more."""
    out, seen, start, at = bytearray(varint(len(data))), {}, 0, 0

    def literal(end):
        for begin in range(start, end, 60):
            piece = data[begin:min(begin + 60, end)]
            out.append(len(piece) - 1 << 2)
            out.extend(piece)

    while at + 4 <= len(data):
        found = seen.get(data[at:at + 4])
        seen[data[at:at + 4]] = at
        if found is None or at - found > 65535:
            at += 1
            continue
        literal(at)
        size = 4
        while (at + size < len(data) and size < 64 and
               data[found + size] == data[at + size]):
            size += 1
        far = at - found
        if size < 12 and far < 2048:
            out += bytes([far >> 8 << 5 | size - 4 << 2 | 1, far & 255])
        else:
            out += bytes([size - 1 << 2 | 2]) + struct.pack("<H", far)
        at += size
        start = at
    literal(len(data))
    return bytes(out)


def make_table(entries, per_block=None, compress=False):
    """An index of sorted (key, value); `per_block` entries a block."""
    out = bytearray()

    def put(block, may_compress=True):
        kind = 0
        if compress and may_compress:
            block, kind = snappy(block), 1
        handle = varint(len(out)) + varint(len(block))
        stored = block + bytes([kind])
        out.extend(stored + struct.pack("<I", masked_crc(stored)))
        return handle

    per_block = per_block or len(entries)
    parts = [entries[at:at + per_block]
             for at in range(0, len(entries), per_block)]
    handles = [(part[-1][0] + b"\0" if part is parts[-1] else part[-1][0],
                put(make_block(part))) for part in parts]
    footer = put(make_block([]), False) + put(make_block(handles, 1))
    return bytes(out + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC))


def write_strings(items):
    """(payload, masked crc) of a string tensor."""
    lengths = b"".join(varint(len(item)) for item in items)
    check = struct.pack("<I", masked_crc(
        b"".join(struct.pack("<I", len(item)) for item in items)))
    fed = b"".join(struct.pack("<I", len(item)) for item in items)
    bodies = b"".join(items)
    return lengths + check + bodies, masked_crc(fed + check + bodies)
