"""Hostile safetensors, npz and npy files: each refused by one clear sentence
and a documented exit code, in bounded time and memory; or, where the damage
is none, read."""
import io
import json
import struct
import zipfile

import pytest

from conftest import GOLDEN
from test_hostile import damaged_copies, one_sentence


def refused(wh, name, data, codes=(5,)):
    (wh.folder / name).write_bytes(data)
    done = wh("commit", name)
    one_sentence(done)
    assert done.returncode in codes, (done.stdout, done.stderr)
    return done.stderr.decode()


# ---- safetensors -----------------------------------------------------------

def safetensors(header, body=b"", length=None):
    if not isinstance(header, bytes):
        header = header.encode()
    size = len(header) if length is None else length
    return struct.pack("<Q", size) + header + body


def entry(begin=0, end=1, shape="[1]", dtype='"U8"'):
    return (f'{{"dtype":{dtype},"shape":{shape},'
            f'"data_offsets":[{begin},{end}]}}')


def one(text, body=b"x"):
    return safetensors('{"a":' + text + "}", body)


SAFETENSORS = {
    "empty": b"", "seven-bytes": bytes(7), "only-a-length": bytes(8),
    "length-beyond": safetensors("{}", length=3),
    "length-huge": safetensors("{}", length=10**9),
    "length-all-ones": safetensors("{}", length=2**64 - 1),
    "header-of-100-MB": safetensors("{}", length=100_000_001),
    "no-object": safetensors("[]"), "null": safetensors("null"),
    "number": safetensors("1"), "blank": safetensors("   "),
    "open-object": safetensors("{"), "open-string": safetensors('{"a'),
    "open-entry": safetensors('{"a":{"dtype":"U8"'),
    "bom": safetensors(b"\xef\xbb\xbf{}"),
    "single-quotes": safetensors("{'a':1}"),
    "comma-at-the-end": safetensors('{"a":' + entry() + ",}", b"x"),
    "no-comma": safetensors('{"a":' + entry() + '"b":1}', b"x"),
    "no-colon": safetensors('{"a" ' + entry() + "}", b"x"),
    "tail": safetensors('{"a":' + entry() + "}x", b"x"),
    "nul-tail": safetensors('{"a":' + entry() + "}\0", b"x"),
    "form-feed-tail": safetensors('{"a":' + entry() + "}\f", b"x"),
    "not-utf8": safetensors(b'{"a\xff":' + entry().encode() + b"}", b"x"),
    "overlong-utf8": safetensors(b'{"\xc0\xaf":' + entry().encode() + b"}",
                                 b"x"),
    "control-in-name": safetensors('{"a\nb":' + entry() + "}", b"x"),
    "lone-surrogate": safetensors('{"a\\ud800":' + entry() + "}", b"x"),
    "two-high-surrogates": safetensors(
        '{"\\ud800\\ud800":' + entry() + "}", b"x"),
    "short-escape": safetensors('{"\\u12":' + entry() + "}", b"x"),
    "unknown-escape": safetensors('{"\\x41":' + entry() + "}", b"x"),
    "empty-name": safetensors('{"":' + entry() + "}", b"x"),
    "nul-name": safetensors('{"a\\u0000b":' + entry() + "}", b"x"),
    "long-name": safetensors('{"' + "n" * 5000 + '":' + entry() + "}", b"x"),
    "twice": safetensors('{"a":' + entry() + ',"a":' + entry() + "}", b"x"),
    "twice-by-escape": safetensors(
        '{"a":' + entry() + ',"\\u0061":' + entry(1, 2) + "}", b"xy"),
    "string-for-entry": safetensors('{"a":"b"}'),
    "null-for-entry": safetensors('{"a":null}'),
    "no-dtype": one('{"shape":[1],"data_offsets":[0,1]}'),
    "no-offsets": one('{"dtype":"U8","shape":[1]}'),
    "dtype-twice": one(
        '{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}'),
    "list-too-short": one('["U8",[1]]'),
    "dtype-unknown": one(entry(dtype='"F33"')),
    "dtype-lower": one(entry(dtype='"u8"')),
    "dtype-number": one(entry(dtype="8")),
    "shape-null": one(entry(shape="null")),
    "shape-number": one(entry(shape="1")),
    "shape-negative": one(entry(shape="[-1]")),
    "shape-minus-zero": one(entry(0, 0, "[-0]"), b""),
    "shape-float": one(entry(shape="[1.0]")),
    "shape-exponent": one(entry(shape="[1e0]")),
    "shape-leading-zero": one(entry(shape="[01]")),
    "shape-2-to-64": one(entry(shape="[18446744073709551616]")),
    "shape-overflows": one(entry(0, 0, "[4294967296,4294967296]"), b""),
    "overflow-then-zero": one(entry(0, 0, "[4294967296,4294967296,0]"), b""),
    "rank-33": one(entry(shape=json.dumps([1] * 33))),
    "offsets-three": one('{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}'),
    "offsets-one": one('{"dtype":"U8","shape":[1],"data_offsets":[0]}'),
    "offsets-reversed": one(entry(1, 0)),
    "offsets-short": one(entry(0, 1, "[2]")),
    "offsets-beyond": one(entry(0, 2**63, f"[{2**63}]")),
    "starts-late": one(entry(1, 2), b"xy"),
    "gap": safetensors('{"a":' + entry() + ',"b":' + entry(2, 3) + "}",
                       b"xyz"),
    "overlap": safetensors(
        '{"a":' + entry(0, 2, "[2]") + ',"b":' + entry(1, 3, "[2]") + "}",
        b"xyz"),
    "same-bytes": safetensors('{"a":' + entry() + ',"b":' + entry() + "}",
                              b"x"),
    "payload-short": one(entry(0, 2, "[2]")),
    "payload-long": one(entry(), b"xy"),
    "payload-without-tensors": safetensors("{}", b"x"),
    "metadata-list": safetensors('{"__metadata__":[]}'),
    "metadata-number": safetensors('{"__metadata__":{"k":1}}'),
    "metadata-nested": safetensors('{"__metadata__":{"k":{"a":"b"}}}'),
    "metadata-twice": safetensors('{"__metadata__":{},"__metadata__":{}}'),
    "nested-too-deep": one(
        '{"dtype":"U8","shape":[1],"data_offsets":[0,1],"z":'
        + "[" * 5000 + "]" * 5000 + "}"),
    "number-too-large": one(
        '{"dtype":"U8","shape":[1],"data_offsets":[0,1],"z":1e999}'),
    "nan": one('{"dtype":"U8","shape":[1],"data_offsets":[0,1],"z":NaN}'),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_a_hostile_safetensors_file_is_refused(wh, name):
    wh.ok("init")
    refused(wh, "bad.safetensors", SAFETENSORS[name])
    assert wh("log").stdout == b""


@pytest.mark.parametrize("path", sorted(
    (GOLDEN / "safetensors").glob("*.safetensors")), ids=lambda p: p.stem)
def test_a_damaged_safetensors_file_is_one_sentence(wh, path):
    wh.ok("init")
    for data in damaged_copies(path.read_bytes(), 12):
        (wh.folder / "bad.safetensors").write_bytes(data)
        one_sentence(wh("commit", "bad.safetensors"))
    wh.ok("verify", "--read-data")


INDEXES = {
    "empty": "", "no-map": "{}", "list": "[]",
    "map-twice": '{"weight_map":{},"weight_map":{}}',
    "number-for-shard": '{"weight_map":{"a":1}}',
    "parent-folder": '{"weight_map":{"a":"../a.safetensors"}}',
    "absolute": '{"weight_map":{"a":"/etc/passwd"}}',
    "hidden": '{"weight_map":{"a":".a.safetensors"}}',
    "missing-tensor": '{"weight_map":{"a":"s.safetensors",'
                      '"b":"s.safetensors"}}',
    "extra-tensor": '{"weight_map":{}}',
    "wrong-name": '{"weight_map":{"z":"s.safetensors"}}',
    "tensor-twice": '{"weight_map":{"a":"s.safetensors",'
                    '"a":"s.safetensors"}}',
    "open": '{"weight_map":{"a":"s.safetensors"',
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_hostile_index_is_refused(wh, name):
    wh.ok("init")
    (wh.folder / "s.safetensors").write_bytes(one(entry()))
    text = INDEXES[name]
    if name == "extra-tensor":
        text = '{"weight_map":{"b":"s.safetensors"}}'
    refused(wh, "m.safetensors.index.json", text.encode())


def test_much_metadata_in_each_shard_is_not_compared_pair_by_pair(wh):
    n = 200_000
    for shard, name in (1, "x"), (2, "y"):
        metadata = ",".join(f'"{name}{i}":""' for i in range(n))
        (wh.folder / f"m-{shard:05}-of-00002.safetensors").write_bytes(
            safetensors(f'{{"__metadata__":{{{metadata}}},"{name}":'
                        + entry() + "}", b"x"))
    (wh.folder / "m.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {name: f"m-{shard:05}-of-00002.safetensors"
                        for shard, name in ((1, "x"), (2, "y"))}}))
    done = wh("ls", "file:m.safetensors.index.json")
    assert done.returncode == 0, done.stderr


def test_a_shard_that_is_missing_is_named(wh):
    wh.ok("init")
    text = b'{"weight_map":{"a":"gone.safetensors"}}'
    assert "gone.safetensors" in refused(wh, "m.safetensors.index.json", text,
                                         codes=(4,))


# ---- npy and npz -----------------------------------------------------------

def npy(header, body=b"", version=(1, 0), length=None):
    size = len(header) if length is None else length
    return (b"\x93NUMPY" + bytes(version)
            + struct.pack("<H" if version[0] == 1 else "<I", size)
            + header.encode("latin1") + body)


def descr(text, shape="(2,)", order="False"):
    return f"{{'descr': {text}, 'fortran_order': {order}, 'shape': {shape}, }}"


GOOD = descr("'<f4'")
NPY = {
    "magic-alone": b"\x93NUMPY", "version-alone": b"\x93NUMPY\x01\x00",
    "length-alone": b"\x93NUMPY\x01\x00\xff\xff",
    "version-0": npy(GOOD, bytes(8), (0, 0)),
    "version-1.1": npy(GOOD, bytes(8), (1, 1)),
    "version-4": npy(GOOD, bytes(8), (4, 0)),
    "version-255": npy(GOOD, bytes(8), (255, 255)),
    "length-beyond": npy(GOOD, length=5000),
    "length-2-to-32": npy(GOOD, bytes(8), (2, 0), 2**32 - 1),
    "length-over-10000": npy(GOOD + " " * 10000, bytes(8), (2, 0)),
    "no-payload": npy(GOOD), "short-payload": npy(GOOD, bytes(7)),
    "empty-header": npy("", bytes(8)), "blank-header": npy(" " * 64, bytes(8)),
    "list": npy("[]", bytes(8)), "number": npy("1", bytes(8)),
    "open": npy(GOOD[:-1], bytes(8)), "call": npy("exit()", bytes(8)),
    "import": npy(descr("__import__('os')"), bytes(8)),
    "text-behind": npy(GOOD + "x", bytes(8)),
    "nul-behind": npy(GOOD + "\0", bytes(8)),
    "comment": npy("# c\n" + GOOD, bytes(8)),
    "escape": npy(descr("'\\x3cf4'"), bytes(8)),
    "open-string": npy("{'descr", bytes(8)),
    "key-twice": npy(GOOD[:-1] + "'descr': '<f4'}", bytes(8)),
    "other-key": npy(GOOD[:-1] + "'x': '<f4'}", bytes(8)),
    "no-shape": npy("{'descr': '<f4', 'fortran_order': False}", bytes(8)),
    "no-descr": npy("{'shape': (2,), 'fortran_order': False}", bytes(8)),
    "number-for-key": npy("{1: 2}", bytes(8)),
    "order-0": npy(descr("'<f4'", order="0"), bytes(8)),
    "order-text": npy(descr("'<f4'", order="'False'"), bytes(8)),
    "order-none": npy(descr("'<f4'", order="None"), bytes(8)),
    "shape-number": npy(descr("'<f4'", "2"), bytes(8)),
    "shape-no-tuple": npy(descr("'<f4'", "(2)"), bytes(8)),
    "shape-list": npy(descr("'<f4'", "[2]"), bytes(8)),
    "shape-negative": npy(descr("'<f4'", "(-2,)"), bytes(8)),
    "shape-float": npy(descr("'<f4'", "(2.0,)"), bytes(8)),
    "shape-hex": npy(descr("'<f4'", "(0x2,)"), bytes(8)),
    "shape-underscore": npy(descr("'<f4'", "(1_0,)"), bytes(40)),
    "shape-leading-zero": npy(descr("'<f4'", "(02,)"), bytes(8)),
    "shape-no-comma": npy(descr("'<f4'", "(2 3)"), bytes(24)),
    "shape-two-commas": npy(descr("'<f4'", "(2,,3)"), bytes(24)),
    "shape-lone-comma": npy(descr("'<f4'", "(,)"), bytes(8)),
    "shape-nested": npy(descr("'<f4'", "((2,),)"), bytes(8)),
    "shape-text": npy(descr("'<f4'", "('2',)"), bytes(8)),
    "shape-open": npy(descr("'<f4'", "(2,"), bytes(8)),
    "shape-2-to-64": npy(descr("'<f4'", f"({2**64},)"), bytes(8)),
    "shape-2-to-63": npy(descr("'<f4'", f"({2**63},)"), bytes(8)),
    "shape-overflows": npy(descr("'<f4'", f"({2**32}, {2**32})"), bytes(8)),
    "shape-beyond-the-file": npy(descr("'<f4'", f"({2**50},)"), bytes(8)),
    "rank-33": npy(descr("'<f4'", "(" + "1, " * 33 + ")"), bytes(8)),
    "rank-1000": npy(descr("'<f4'", "(" + "1," * 1000 + ")"), bytes(8)),
    "descr-number": npy(descr("4"), bytes(8)),
    "descr-long": npy(descr("'" + "f" * 100 + "'"), bytes(8)),
    "descr-control": npy(descr("'<f\x1b'"), bytes(8)),
}
UNSUPPORTED = {
    "pickle": descr("'|O'"), "structure": descr("[('a', '<f4')]"),
    "tuple": descr("('<f4', (2,))"), "text": descr("'<U4'"),
    "bytes": descr("'|S4'"), "void": descr("'|V4'"), "time": descr("'<M8[s]'"),
    "long-double": descr("'<f16'"), "no-kind": descr("''"),
    "order-alone": descr("'<'"), "two-orders": descr("'<<f4'"),
    "no-size": descr("'<f'"), "name": descr("'float32'"),
    "size-3": descr("'<i3'"), "blank": descr("'<f4 '"),
}


@pytest.mark.parametrize("name", NPY)
def test_a_hostile_npy_file_is_refused(wh, name):
    wh.ok("init")
    refused(wh, "bad.npy", NPY[name], codes=(5, 15))


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_dtype_that_is_not_read_is_named(wh, name):
    wh.ok("init")
    refused(wh, "bad.npy", npy(UNSUPPORTED[name], bytes(64)), codes=(15,))


@pytest.mark.parametrize("name", NPY)
def test_a_hostile_member_is_refused(wh, name):
    wh.ok("init")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("bad.npy", NPY[name])
        assert "bad.npy" in refused(wh, "bad.npz", out.getvalue(),
                                    codes=(5, 15))


@pytest.mark.parametrize("path", sorted((GOLDEN / "npz").glob("*.np[yz]")),
                         ids=lambda path: path.name)
def test_a_damaged_numpy_file_is_one_sentence(wh, path):
    wh.ok("init")
    for data in damaged_copies(path.read_bytes(), 12):
        (wh.folder / ("bad" + path.suffix)).write_bytes(data)
        one_sentence(wh("commit", "bad" + path.suffix))
    wh.ok("verify", "--read-data")


def test_a_damaged_stored_member_is_never_taken(wh):
    """Its CRC-32 says so, as it does to NumPy."""
    wh.ok("init")
    whole = bytearray((GOLDEN / "npz/every-dtype.npz").read_bytes())
    at = whole.index(b"'<f8'")
    whole[whole.index(b"\n", at) + 3] ^= 1
    assert "CRC" in refused(wh, "bad.npz", bytes(whole))


def test_a_member_that_unpacks_to_far_too_much_is_refused(wh):
    wh.ok("init")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", npy(descr("'|u1'", "(4,)"),
                                         bytes(300 << 20)))
    refused(wh, "bad.npz", out.getvalue(), codes=(5, 15))


def test_a_pickle_beside_arrays_is_left_aside(wh):
    wh.ok("init")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", npy(GOOD, bytes(8)))
        archive.writestr("code.pkl", b"cos\nsystem\n(S'false'\ntR.")
    (wh.folder / "some.npz").write_bytes(out.getvalue())
    done = wh("commit", "some.npz")
    assert done.returncode == 0
    assert b"code.pkl" in done.stderr
