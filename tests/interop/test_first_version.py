"""Checkpoints of TensorFlow's first version, one file with all in it: what
`Saver(write_version=SaverDef.V1)` and the operation Save write goes in, and
comes out as a bundle. TensorFlow still reads and writes the form."""
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import sha256
from test_format_hdf5 import peak

sys.path.insert(0, str(Path(__file__).parents[1] / "golden" / "tf"))
from bundle import field, make_table, masked_crc  # noqa: E402

V1 = tf.compat.v1
NUMBERS = ["float32", "float64", "int32", "uint8", "int16", "int8",
           "complex64", "int64", "bool", "uint16", "complex128", "float16"]
QUANTIZED = ["qint8", "quint8", "qint32"]


def values(dtype, shape=(3, 4)):
    raw = np.random.default_rng(len(dtype)).bytes(
        np.dtype(dtype).itemsize * int(np.prod(shape)))
    if dtype == "bool":
        return np.frombuffer(raw, "uint8").reshape(shape) > 127
    # Of floats, every pattern of bits: NaN with payloads among them.
    return np.frombuffer(raw, dtype).reshape(shape)


def save(path, tensors, specs=None):
    """By the operations of TensorFlow's own first version."""
    names, data = list(tensors), list(tensors.values())
    with tf.Graph().as_default(), V1.Session() as session:
        data = [tf.constant(value) for value in data]
        session.run(
            tf.raw_ops.Save(filename=str(path), tensor_names=names, data=data)
            if specs is None else
            tf.raw_ops.SaveSlices(filename=str(path), tensor_names=names,
                                  shapes_and_slices=specs, data=data))


def held(wh, *path):
    wh.commit(*path)
    return {row["name"]: (row["dtype"], row["sha256"]) for row in wh.ls()}


def expected(tensors):
    return {name: (str(value.dtype), sha256(value))
            for name, value in tensors.items()}


# ---- What TensorFlow writes --------------------------------------------------

def test_numbers_of_every_dtype_come_in_bit_for_bit(wh):
    tensors = {f"of/{kind}": values(kind) for kind in NUMBERS}
    tensors |= {"scalar": np.int64(-7), "none": np.zeros((0, 4), "f4"),
                "low": np.array([-2**31, -1, 0], "i4"),
                "zeros": np.array([-0.0, 0.0])}
    save(wh.folder / "ckpt", tensors)
    assert held(wh, "ckpt") == expected(tensors)


@pytest.mark.parametrize("kind", QUANTIZED)
def test_quantized_numbers_come_in(kind, wh):
    dtype = tf.as_dtype(kind)
    raw = values({"qint8": "int8", "quint8": "uint8",
                  "qint32": "int32"}[kind], (9,))
    save(wh.folder / "ckpt",
         {"q": tf.make_ndarray(tf.make_tensor_proto(
             raw.view(dtype.as_numpy_dtype), dtype))})
    assert held(wh, "ckpt") == {"q": (kind, sha256(raw))}


def test_strings_come_in(wh):
    texts = np.array([[b"", b"x"], [b"\xff\x00\x01", b"y" * 100000]], object)
    save(wh.folder / "ckpt", {"s": texts, "v": np.float32(1),
                              "none": np.array([], object)})
    found = held(wh, "ckpt")
    wh("save-weights", "HEAD", "out", "--save-format", "tf")
    reader = tf.train.load_checkpoint(str(wh.folder / "out"))
    assert (reader.get_tensor("s") == texts).all()
    assert reader.get_tensor("none").shape == (0,)
    assert found["v"] == ("float32", sha256(np.float32(1)))


@pytest.mark.parametrize("kind", ["float32", "int16", "float16", "complex64"])
def test_slices_of_any_shape_come_together(kind, wh):
    whole = (np.arange(192) - 90).reshape(4, 6, 8).astype(kind)
    cuts = {(0, 1, 0, 6): whole[:1], (1, 3, 0, 2): whole[1:, :2],
            (1, 3, 2, 4): whole[1:, 2:]}
    names, specs, parts = ["other"], [""], [np.ones(2, "f4")]
    with tf.Graph().as_default(), V1.Session() as session:
        for (a, b, c, d), part in cuts.items():
            names.append("w")
            specs.append(f"4 6 8 {a},{b}:{c},{d}:-")
            parts.append(part)
        session.run(tf.raw_ops.SaveSlices(
            filename=str(wh.folder / "ckpt"), tensor_names=names,
            shapes_and_slices=specs, data=parts))
    assert held(wh, "ckpt")["w"] == (kind, sha256(whole))


@pytest.fixture
def session():
    with tf.Graph().as_default(), V1.Session() as session:
        V1.get_variable("a/kernel", initializer=values("float16", (5, 3)))
        V1.get_variable("a/count", initializer=np.arange(-4, 4))
        V1.get_variable("part", (10, 4), initializer=V1.initializers
                        .random_normal(seed=1),
                        partitioner=V1.fixed_size_partitioner(3))
        session.run(V1.global_variables_initializer())
        yield session


def saved(session, path, version, **options):
    path.parent.mkdir(exist_ok=True)
    return V1.train.Saver(write_version=version, **options).save(
        session, str(path), global_step=7)


@pytest.mark.parametrize("sharded", [False, True])
def test_a_savers_files_hold_what_its_bundle_holds(session, sharded, wh):
    """By the file, the folder with its state file, the pattern that names all
    files, and the first of them."""
    saved(session, wh.folder / "new/m", V1.train.SaverDef.V2)
    theirs = saved(session, wh.folder / "old/m", V1.train.SaverDef.V1,
                   sharded=sharded)
    wanted = held(wh, "new")
    assert len(wanted) == 3
    assert held(wh, theirs) == wanted
    assert held(wh, "old") == wanted
    assert held(wh, theirs.replace("?????", "00000")) == wanted
    wh("convert", theirs, "back")
    mine = tf.train.load_checkpoint(str(wh.folder / "back"))
    real = tf.train.load_checkpoint(str(wh.folder / "new/m-7"))
    for name in real.get_variable_to_shape_map():
        assert (mine.get_tensor(name) == real.get_tensor(name)).all()


def test_several_files_may_share_a_tensor(wh):
    """As with variables on several parameter servers."""
    whole = values("int64", (6, 5))
    save(wh.folder / "m-00000-of-00002",
         {"w": whole[:4], "only": np.ones(3, "f4")}, ["6 5 0,4:-", ""])
    save(wh.folder / "m-00001-of-00002", {"w": whole[4:]}, ["6 5 4,2:-"])
    assert held(wh, "m-?????-of-00002")["w"] == ("int64", sha256(whole))
    assert held(wh, "m-00001-of-00002")["w"] == ("int64", sha256(whole))
    (wh.folder / "m-00000-of-00002").unlink()
    assert "m-00000-of-00002" in wh.refused("commit", "m-00001-of-00002")


def test_import_finds_them_in_a_folder(session, wh):
    (wh.folder / "run").mkdir()
    for number in (1, 2):
        V1.train.Saver(write_version=V1.train.SaverDef.V1).save(
            session, str(wh.folder / "run/m"), global_step=number)
    V1.train.Saver(write_version=V1.train.SaverDef.V1, sharded=True).save(
        session, str(wh.folder / "run/s"))
    # What a save that was interrupted leaves.
    (wh.folder / "run/m-2.tempstate99").write_bytes(
        (wh.folder / "run/m-2").read_bytes())
    wh("init")
    wh("import", "run")
    assert len(wh("log", "--json").splitlines()) == 3


def test_it_is_not_said_to_come_back(wh):
    """There is no writer for it: what comes out is a bundle."""
    save(wh.folder / "ckpt", {"v": np.float32(1)})
    assert not wh.commit("ckpt")["reproducible"]
    wh("save-weights", "HEAD", "ckpt", "--save-format", "tf")
    assert tf.train.load_checkpoint(
        str(wh.folder / "ckpt")).get_tensor("v") == 1


def test_numbers_stay_in_the_file_and_out_of_memory(wh):
    """160 MB of floats and 40 MB of varints, which a spool takes."""
    save(wh.folder / "ckpt", {"f": np.ones((40, 1 << 20), "f4"),
                              "i": np.full((40, 1 << 20), 3, "i1")})
    assert peak(wh, "convert", "ckpt", "out.safetensors") < 64 << 10
    assert (wh.folder / "out.safetensors").stat().st_size > 200 << 20
    for path in wh.folder.iterdir():
        path.unlink()


# ---- What harms ------------------------------------------------------------

def whole_slice(rank):
    return b"".join(field(1, b"") for _ in range(rank))


def contents(*tensors, versions=b"\x08\x01"):
    return field(1, b"".join(field(1, tensor) for tensor in tensors) +
                 field(2, versions))


def tensor(name=b"v", shape=(2,), dtype=1, slices=None):
    if slices is None:
        slices = [whole_slice(len(shape))]
    dims = b"".join(field(2, field(1, n % (1 << 64))) for n in shape)
    return (field(1, name) + field(2, dims) + field(3, dtype) +
            b"".join(field(4, part) for part in slices))


def record(payload, number=5):
    return field(2, field(1, b"v") + field(3, field(number, payload)))


KEY = b"\0v\0\1\1\1\x80\x7f"
TWO = struct.pack("<2f", 1, 2)


def table(meta=None, *entries):
    return make_table([(b"", contents(tensor()) if meta is None else meta),
                       *entries])


CRAFTED = {
    "no table of contents": (lambda: make_table([(b"x", b"")]), 5),
    "contents that are no message": (lambda: table(b"\x0a\xff\xff"), 5),
    "contents of data": (lambda: table(record(TWO)), 5),
    "a name that is no text": (
        lambda: table(contents(tensor(name=b"\xff"))), 5),
    "no name": (lambda: table(contents(tensor(name=b""))), 5),
    "a shape that wraps": (
        lambda: table(contents(tensor(shape=(1 << 62, 1 << 62)))), 5),
    "a negative dimension": (lambda: table(contents(tensor(shape=(-1,)))), 5),
    "a dtype that there isn't": (lambda: table(contents(tensor(dtype=99))), 15),
    "a dtype that it can't hold": (
        lambda: table(contents(tensor(dtype=14))), 15),
    "a slice outside": (lambda: table(contents(tensor(
        slices=[field(1, field(1, 1) + field(2, 2))]))), 5),
    "a slice of another rank": (
        lambda: table(contents(tensor(slices=[whole_slice(2)]))), 5),
    "no slice": (lambda: table(contents(tensor(slices=[]))), 5),
    "slices that overlap": (
        lambda: table(contents(tensor(slices=[whole_slice(1)] * 2)),
                      (KEY, record(TWO))), 5),
    "slices without end": (
        lambda: table(contents(tensor(slices=[whole_slice(1)] * 5000))), 5),
    "a slice that is not there": (lambda: table(), 5),
    "values of another key": (lambda: table(None, (b"\1", record(TWO))), 5),
    "too few values": (lambda: table(None, (KEY, record(TWO[:4]))), 5),
    "too many values": (lambda: table(None, (KEY, record(TWO * 2))), 5),
    "half a value": (lambda: table(None, (KEY, record(TWO[:7]))), 5),
    "values in another field": (lambda: table(None, (KEY, record(TWO, 6))), 5),
    "values twice": (lambda: table(None, (KEY, field(2, field(
        3, field(5, TWO) + field(5, TWO))))), 5),
    "numbers that end in the middle": (
        lambda: table(contents(tensor(dtype=3)), (KEY, record(b"\1\x80", 7))),
        5),
    "more strings than bytes": (
        lambda: table(contents(tensor(dtype=7, shape=(1 << 40,))),
                      (KEY, record(b"a", 8))), 5),
    "a field past its end": (
        lambda: table(None, (KEY, b"\x12\x7f" + bytes(9))), 5),
    "a field of a group": (lambda: table(None, (KEY, b"\x13\x14")), 5),
    "two shapes of one name": (
        lambda: table(contents(tensor(), tensor(shape=(3,)))), 5),
    "a newer TensorFlow": (
        lambda: table(contents(tensor(), versions=b"\x08\x02\x10\x02")), 15),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_crafted_file_is_refused(what, wh):
    make, code = CRAFTED[what]
    (wh.folder / "ckpt").write_bytes(make())
    done = wh.run("convert", "ckpt", "out.npz")
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (wh.folder / "out.npz").exists()


def test_what_the_crafted_files_start_from_is_read_by_both(wh):
    (wh.folder / "ckpt").write_bytes(table(None, (KEY, record(TWO))))
    reader = tf.train.load_checkpoint(str(wh.folder / "ckpt"))
    assert reader.get_tensor("v").tolist() == [1, 2]
    assert held(wh, "ckpt")["v"] == ("float32", sha256(
        np.array([1, 2], "f4")))


def first_block(data):
    """The size of the only data block, which begins the file."""
    for size in range(len(data)):
        if data[size] == 0 and data[size + 1:size + 5] == struct.pack(
                "<I", masked_crc(bytes(data[:size + 1]))):
            return size
    raise AssertionError


def test_a_compressed_block_is_refused(wh):
    data = bytearray(table(None, (KEY, record(TWO))))
    size = first_block(data)
    data[size] = 1
    data[size + 1:size + 5] = struct.pack(
        "<I", masked_crc(bytes(data[:size + 1])))
    (wh.folder / "ckpt").write_bytes(data)
    assert "compressed" in wh.refused("convert", "ckpt", "out.npz")


def test_every_flipped_byte_is_noticed_or_harmless(wh):
    tensors = {"w": values("float32"), "n": values("int16"),
               "s": np.array([b"text", b""], object)}
    save(wh.folder / "ckpt", tensors)
    whole = (wh.folder / "ckpt").read_bytes()
    wh("convert", "ckpt", "whole")
    wanted = (wh.folder / "whole.data-00000-of-00001").read_bytes()
    harmless = 0
    for at in range(len(whole)):
        (wh.folder / "ckpt").write_bytes(
            whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        done = wh.run("convert", "ckpt", "out")
        assert done.returncode in (0, 4, 5), done.stderr
        if done.returncode == 0:
            harmless += 1
            assert wanted == (
                wh.folder / "out.data-00000-of-00001").read_bytes()
    # The footer's padding, the metaindex block and the handle of it.
    assert harmless < 48 + 13


def test_a_cut_file_is_refused(wh):
    save(wh.folder / "ckpt", {"w": values("float32"), "n": values("int16")})
    whole = (wh.folder / "ckpt").read_bytes()
    for size in range(0, len(whole), 7):
        (wh.folder / "ckpt").write_bytes(whole[:size])
        assert wh.run("convert", "ckpt", "out").returncode in (4, 5)
