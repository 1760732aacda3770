"""safetensors and npz against the real libraries: every dtype in both
directions, casts as ml_dtypes and NumPy do them, and the zoo's models from h5
and tf through both and back."""
import json
import struct

import ml_dtypes
import numpy as np
import pytest
import tf_keras
from conftest import config, sha256
from safetensors import TensorSpec, deserialize, safe_open, serialize
from safetensors.numpy import save_file
from zoo import BY_NAME, ZOO, arrays, bits, check_arrays, fill

NAMES = [item.name for item in ZOO]
SAFETENSORS = ["bool", "uint8", "int8", "int16", "uint16", "int32", "uint32",
               "int64", "uint64", "float16", "float32", "float64", "complex64",
               "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz",
               "float8_e5m2fnuz"]
NUMPY = SAFETENSORS[:13] + ["complex128"]


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def everything(names):
    """Each dtype with every pattern of its bytes: NaN, -0.0, subnormals."""
    random = np.random.RandomState(7)
    made = {}
    for name in names:
        dtype = dtype_of(name)
        raw = random.randint(0, 256, (3, 5, dtype.itemsize)).astype(np.uint8)
        if name == "bool":
            raw &= 1
        made[f"layer/{name}"] = raw.view(dtype).reshape(3, 5)
    made["scalar"] = np.array(-0.0, np.float32)
    made["empty"] = np.zeros((0, 7), np.float64)
    return made


def load_safetensors(path):
    """safetensors.numpy.load_file knows no bfloat16: its bytes are taken."""
    names = {"BF16": "bfloat16", "F8_E5M2": "float8_e5m2",
             "F8_E4M3": "float8_e4m3fn", "F8_E4M3FNUZ": "float8_e4m3fnuz",
             "F8_E5M2FNUZ": "float8_e5m2fnuz", "BOOL": "bool",
             "C64": "complex64"}
    kinds = {"I": "int", "U": "uint", "F": "float"}
    loaded = {}
    for key, view in deserialize(path.read_bytes()):
        code = view["dtype"]
        name = names.get(code) or kinds[code[0]] + code[1:]
        loaded[key] = np.frombuffer(view["data"], dtype_of(name)).reshape(
            view["shape"])
    return loaded


def load_npz(path):
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def same(ours, theirs):
    assert {key: bits(a) for key, a in ours.items()} == {
        key: bits(a) for key, a in theirs.items()}


def test_every_dtype_of_safetensors_in_both_directions(wh):
    tensors = everything(SAFETENSORS)
    save_file(tensors, wh.folder / "theirs.safetensors")
    assert wh.commit("theirs.safetensors")["reproducible"]
    wh("save-weights", "HEAD", "ours.safetensors", "--canonical")
    theirs = (wh.folder / "theirs.safetensors").read_bytes()
    assert (wh.folder / "ours.safetensors").read_bytes() == theirs
    same(load_safetensors(wh.folder / "ours.safetensors"), tensors)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_dtype_of_numpy_in_both_directions(wh, save):
    tensors = everything(NUMPY)
    save(wh.folder / "theirs.npz", **tensors)
    stored = save is np.savez
    assert wh.commit("theirs.npz")["reproducible"] == stored
    wh("save-weights", "HEAD", "ours.npz", "--canonical")
    same(load_npz(wh.folder / "ours.npz"), tensors)
    np.savez(wh.folder / "plain.npz", **tensors)
    assert ((wh.folder / "ours.npz").read_bytes()
            == (wh.folder / "plain.npz").read_bytes())


def test_between_safetensors_and_npz_not_a_bit_changes(wh):
    tensors = everything(SAFETENSORS[:13])
    save_file(tensors, wh.folder / "a.safetensors")
    wh("convert", "a.safetensors", "b.npz")
    same(load_npz(wh.folder / "b.npz"), tensors)
    wh("convert", "b.npz", "c.safetensors")
    assert ((wh.folder / "a.safetensors").read_bytes()
            == (wh.folder / "c.safetensors").read_bytes())


def test_what_the_other_cannot_hold_is_refused_by_name(wh):
    save_file({"a": np.zeros(2, np.float32),
               "b": np.zeros(2, ml_dtypes.bfloat16)},
              wh.folder / "a.safetensors")
    assert "'b'" in wh.refused("convert", "a.safetensors", "b.npz")
    wh("convert", "a.safetensors", "b.npz", "--skip-unsupported")
    assert list(load_npz(wh.folder / "b.npz")) == ["a"]
    np.savez(wh.folder / "c.npz", z=np.zeros(2, np.complex128))
    assert "'z'" in wh.refused("convert", "c.npz", "c.safetensors")
    wh("convert", "c.npz", "c.safetensors", "--cast", "complex64")


PACKED = {"four": ("F4", [3, 8], 12), "odd": ("F4", [3, 3, 2], 9),
          "six": ("F6_E2M3", [2, 4], 6), "other_six": ("F6_E3M2", [8], 6),
          "scale": ("F8_E8M0", [5], 5), "none": ("F4", [0, 2], 0),
          "plain": ("F32", [3], 12)}


def write_packed(path, tensors, end=b""):
    """By hand, in the library's order: its writer doesn't know F6."""
    header, at, payload = {}, 0, b""
    for key, (code, shape, size) in tensors.items():
        header[key] = {"dtype": code, "shape": shape,
                       "data_offsets": [at, at + size]}
        payload += bytes((7 * i + len(key)) % 256 for i in range(size))
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + payload + end)


def seen(path):
    return {key: (view["dtype"], view["shape"], bytes(view["data"]))
            for key, view in deserialize(path.read_bytes())}


def test_dtypes_that_share_bytes_come_back_byte_for_byte(wh):
    write_packed(wh.folder / "theirs.safetensors", PACKED)
    expected = seen(wh.folder / "theirs.safetensors")
    assert len(expected) == len(PACKED)
    assert wh.commit("theirs.safetensors")["reproducible"]
    rows = {row["name"]: (row["dtype"], row["shape"]) for row in wh.ls()}
    assert rows["four"] == ("uint8", [3, 4])
    assert rows["odd"] == ("uint8", [3, 3, 1])
    assert rows["six"] == ("uint8", [2, 3])
    assert rows["scale"] == ("uint8", [5])
    wh("save-weights", "HEAD", "again.safetensors")
    assert same_bytes(wh, "again.safetensors", "theirs.safetensors")
    wh("save-weights", "HEAD", "ours.safetensors", "--canonical")
    assert seen(wh.folder / "ours.safetensors") == expected
    wh("save-weights", "HEAD", "m.safetensors", "--max-shard-size", "20")
    wh("convert", "m.safetensors.index.json", "one.safetensors")
    assert same_bytes(wh, "one.safetensors", "ours.safetensors")
    for target in ("a.npz", "a.h5", "a"):
        said = wh.refused("save-weights", "HEAD", target)
        assert "F4 [3,8]" in said and "can't hold" in said
        assert not (wh.folder / target).exists()


def same_bytes(wh, one, other):
    return (wh.folder / one).read_bytes() == (wh.folder / other).read_bytes()


def test_packed_dtypes_are_laid_out_as_the_library_does(wh):
    data = np.arange(12, dtype=np.uint8)
    specs = {key: TensorSpec(dtype=dtype, shape=shape, data_len=12,
                             data_ptr=data.ctypes.data)
             for key, dtype, shape in (
                 ("b", "float4_e2m1fn_x2", [3, 4]),
                 ("a", "float8_e8m0fnu", [12]), ("c", "float32", [3]),
                 ("d", "uint8", [12]))}
    (wh.folder / "theirs.safetensors").write_bytes(bytes(serialize(specs)))
    wh("convert", "theirs.safetensors", "ours.safetensors", "--canonical")
    assert same_bytes(wh, "ours.safetensors", "theirs.safetensors")


@pytest.mark.parametrize("code, shape, size", [
    ("F4", [3], 2), ("F4", [3, 3], 5), ("F6_E2M3", [2], 2),
    ("F4", [2, 4], 8), ("F6_E3M2", [4], 4), ("F8_E8M0", [4], 8),
    ("F4", [1 << 62, 4], 8)])
def test_packed_dtypes_of_another_size_are_refused_by_both(code, shape, size,
                                                           wh):
    write_packed(wh.folder / "a.safetensors", {"x": (code, shape, size)})
    with pytest.raises(Exception):
        seen(wh.folder / "a.safetensors")
    wh("init")
    assert "'x'" in wh.refused("commit", "a.safetensors")


def test_fortran_and_big_endian_arrays_are_converted(wh):
    random = np.random.RandomState(3)
    whole = random.randn(37, 11, 5).astype(np.float32)
    tensors = {"f": np.asfortranarray(whole), "b": whole.astype(">f4"),
               "both": np.asfortranarray(whole.astype(">f4")),
               "wide": np.asfortranarray(random.randn(3, 70000))}
    for save in (np.savez, np.savez_compressed):
        save(wh.folder / "theirs.npz", **tensors)
        wh("convert", "theirs.npz", "ours.safetensors")
        loaded = load_safetensors(wh.folder / "ours.safetensors")
        for key, array in tensors.items():
            assert np.array_equal(loaded[key], array), key


FLOATS = ["float16", "bfloat16", "float32", "float64", "float8_e5m2",
          "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2fnuz"]


@pytest.mark.parametrize("name", FLOATS)
def test_a_cast_is_that_of_ml_dtypes(name, wh):
    random = np.random.RandomState(5)
    high = np.arange(65536, dtype=np.uint32) << 16
    source = {
        "halves": high.view(np.float32), "ties": (high | 0x8000).view("f4"),
        "any": random.randint(0, 2**32, 50000, np.uint64).astype(
            np.uint32).view(np.float32),
        "bytes": np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn),
        "steps": np.arange(5, dtype=np.int64)}
    save_file(source, wh.folder / "a.safetensors")
    said = wh.run("convert", "a.safetensors", "b.safetensors", "--cast", name)
    assert said.returncode == 0
    assert ("exactly" in said.stderr) == (
        name in ("float16", "bfloat16", "float32", "float64"))
    loaded = load_safetensors(wh.folder / "b.safetensors")
    same({"steps": loaded.pop("steps")}, {"steps": source.pop("steps")})
    for key, array in source.items():
        with np.errstate(all="ignore"):
            wanted = array.astype(dtype_of(name))
        nan = np.isnan(wanted.astype(np.float64))
        assert loaded[key].dtype == wanted.dtype
        assert np.array_equal(nan, np.isnan(loaded[key].astype(np.float64)))
        assert loaded[key][~nan].tobytes() == wanted[~nan].tobytes(), key


def test_shards_are_read_by_the_real_library(wh):
    tensors = {f"l{i}.w": np.full((64, 4), i, np.float32) for i in range(9)}
    save_file(tensors, wh.folder / "one.safetensors")
    wh("convert", "one.safetensors", "m.safetensors", "--max-shard-size",
       "2500")
    index = json.loads(
        (wh.folder / "m.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 9 * 1024
    for key, shard in index["weight_map"].items():
        with safe_open(wh.folder / shard, "np") as opened:
            assert bits(opened.get_tensor(key)) == bits(tensors[key])
    assert wh.commit("m.safetensors.index.json")["reproducible"]
    wh("save-weights", "HEAD", "back.safetensors")
    assert ((wh.folder / "back.safetensors").read_bytes()
            == (wh.folder / "one.safetensors").read_bytes())


def test_metadata_comes_through(wh):
    save_file({"w": np.zeros(2, np.float32)}, wh.folder / "a.safetensors",
              metadata={"format": "pt"})
    wh("convert", "a.safetensors", "b.safetensors", "--canonical")
    with safe_open(wh.folder / "b.safetensors", "np") as opened:
        assert opened.metadata() == {"format": "pt"}


@pytest.mark.parametrize("header", [
    '{"\\u20AC\\ud83d\\uDE00\u00e9":["U8",[1],[0,1]]}',
    '{"__metadata__":null,"a":["U8",[1],[0,1]]}',
    '{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"U8","shape":[1],'
    '"data_offsets":[0,1]}}',
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"z":'
    '[true,false,"s\\\\",-1.5E+3,2e-1,null,{"b":-0.0}]}}',
], ids=["escapes-and-lists", "no-metadata", "a-key-twice", "unknown-fields"])
def test_headers_in_other_words_are_read_as_the_library_does(header, wh):
    text = header.encode()
    data = struct.pack("<Q", len(text)) + text + b"x"
    (wh.folder / "m.safetensors").write_bytes(data)
    wh.commit("m.safetensors")
    assert [row["name"] for row in wh.ls()] == \
        [name for name, _ in deserialize(data)]
    wh("save-weights", "HEAD", "back.safetensors")
    assert (wh.folder / "back.safetensors").read_bytes() == data


def test_names_that_look_like_paths(wh):
    """What is written is read again; NumPy would take all of them."""
    value = np.arange(3, dtype=np.float32)
    np.savez(wh.folder / "v.npz", **{"w:0": value, "b:0": value})
    wh("convert", "v.npz", "again.npz", "--canonical")
    same(load_npz(wh.folder / "again.npz"), {"w:0": value, "b:0": value})
    kept = {"x": value, "a/": value, "..": value, "k" * 4092: value}
    odd = ["/x", "a//b", "./x", "a/../b", "c:/x", "a\\b", "k" * 4093]
    for name in odd:
        save_file({name: value, **kept}, wh.folder / "in.safetensors")
        said = wh.refused("convert", "in.safetensors", "out.npz")
        assert "an archive has no member" in said or len(name) > 9
        wh("convert", "in.safetensors", "out.npz", "--skip-unsupported")
        wh("convert", "out.npz", "back.npz", "--canonical")
        same(load_npz(wh.folder / "back.npz"), kept)
        # One array has no name.
        save_file({name: value}, wh.folder / "in.safetensors")
        wh("convert", "in.safetensors", "out.npy")
        assert np.array_equal(np.load(wh.folder / "out.npy"), value)


def test_more_shards_than_are_read_are_not_written(wh):
    tensors = {f"t{i:05}": np.zeros(1, np.uint8) for i in range(10001)}
    save_file(tensors, wh.folder / "in.safetensors")
    done = wh.run("convert", "in.safetensors", "out.safetensors",
                  "--max-shard-size", 1)
    assert done.returncode == 2
    assert "at most 10000 are read" in done.stderr


def test_more_members_than_16_bits_count(wh, tmp_path):
    """Beyond 65,535 zip's own count is in its 64-bit end record."""
    arrays_ = {f"l/{i:05d}": np.array(i, "<u4") for i in range(65600)}
    np.savez(tmp_path / "many.npz", **arrays_)
    wh.commit(tmp_path / "many.npz")
    wh("save-weights", "HEAD", "back.npz")
    assert (wh.folder / "back.npz").read_bytes() == \
        (tmp_path / "many.npz").read_bytes()
    # By values and names alone, without the template.
    wh("convert", tmp_path / "many.npz", "many.safetensors")
    wh("convert", "many.safetensors", "again.npz")
    with np.load(wh.folder / "again.npz") as loaded:
        assert len(loaded.files) == len(arrays_)
        assert loaded["l/65599"] == 65599


# ---- The zoo ---------------------------------------------------------------

def check_loads(model, path, expected):
    fill(model, 2)
    status = model.load_weights(path)
    if path.suffix != ".h5":
        status.assert_consumed()
    assert [bits(a) for a in arrays(model)] == [bits(a) for a in expected]


def holds_all(loaded, expected):
    """The arrays are the model's, in whatever order."""
    def rows(several):
        return sorted((str(a.dtype), a.shape, a.tobytes()) for a in several)
    assert rows(loaded) == rows([np.asarray(a) for a in expected])


def has(model, dtype):
    return any(np.asarray(a).dtype.name == dtype for a in arrays(model))


LOADERS = {".safetensors": load_safetensors, ".npz": load_npz}


@pytest.mark.parametrize("suffix", LOADERS)
@pytest.mark.parametrize("name", NAMES)
def test_an_h5_file_comes_back_through_it(name, suffix, made, wh):
    model = made(name)
    expected = arrays(model)
    model.save_weights(wh.folder / "a.h5")
    middle = "m" + suffix
    if suffix == ".npz" and has(model, "bfloat16"):
        assert "bfloat16" in wh.refused("convert", "a.h5", middle)
        return
    wh("convert", "a.h5", middle)
    holds_all(LOADERS[suffix](wh.folder / middle).values(), expected)
    wh("convert", middle, "b.h5")
    wh("convert", "a.h5", "c.h5", "--canonical")
    assert ((wh.folder / "b.h5").read_bytes()
            == (wh.folder / "c.h5").read_bytes())
    if not has(model, "bfloat16"):
        check_loads(model, wh.folder / "b.h5", expected)
    if not BY_NAME[name].to_tf:
        wh("convert", middle, "t")
        check_loads(model, wh.folder / "t", expected)


@pytest.mark.parametrize("suffix", LOADERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_comes_back_through_it(name, suffix, made, wh):
    model = made(name)
    expected = arrays(model)
    model.save_weights(wh.folder / "a")
    middle = "m" + suffix
    if suffix == ".npz" and has(model, "bfloat16"):
        assert "bfloat16" in wh.refused("convert", "a", middle)
        return
    wh("convert", "a", middle)
    holds_all(LOADERS[suffix](wh.folder / middle).values(), expected)
    done = wh.run("convert", middle, "b")
    if done.returncode:
        assert len(done.stderr.splitlines()) == 1 and BY_NAME[name].to_tf
        return
    check_loads(model, wh.folder / "b", expected)


# ---- What a save replaces ---------------------------------------------------


def test_shards_and_one_file_replace_each_other(wh):
    """Else a reader would find the older model, which is there as well."""
    tensors = {f"l{i}.w": np.full((64, 4), i, np.float32) for i in range(9)}
    save_file(tensors, wh.folder / "in.safetensors")
    target = wh.folder / "out"
    target.mkdir()
    for other in ("m-extra.safetensors", "n.safetensors",
                  "m-00001-of-00002.safetensors.bak",
                  "m-1-of-2.safetensors", "m- 0001-of-00002.safetensors"):
        (target / other).write_bytes(b"another's")
    others = sorted(path.name for path in target.iterdir())
    one = ["m.safetensors"]
    shards = [f"m-{i:05}-of-00005.safetensors" for i in range(1, 6)]
    for size, expected in (
            (0, one), (2500, shards + ["m.safetensors.index.json"]),
            (5000, [f"m-{i:05}-of-00003.safetensors" for i in (1, 2, 3)] +
             ["m.safetensors.index.json"]), (0, one)):
        words = ["--max-shard-size", size] if size else []
        wh("convert", "in.safetensors", "out/m.safetensors", *words)
        assert sorted(expected + others) == sorted(
            path.name for path in target.iterdir())
        wh("convert", "out/m.safetensors", "back.safetensors", "--canonical")
        same(load_safetensors(wh.folder / "back.safetensors"), tensors)


def test_a_shard_size_leaves_a_format_without_shards_as_it_came(wh):
    """h5 and npz have one file, which comes back byte for byte."""
    model = BY_NAME["dense_sequential"].make()
    model.save(wh.folder / "full.h5")
    wh.commit(wh.folder / "full.h5")
    wh("save-weights", "HEAD", "again.h5", "--max-shard-size", 100)
    assert same_bytes(wh, "again.h5", "full.h5")


def test_an_archive_that_is_laid_out_anew_keeps_its_generator(wh):
    """What wrote the h5 file that the arrays came from."""
    BY_NAME["dense_sequential"].make().save_weights(wh.folder / "a.h5")
    wh("convert", "a.h5", "b.npz")
    wh("convert", "b.npz", "c.npz", "--canonical")
    assert same_bytes(wh, "c.npz", "b.npz")
    wh("convert", "c.npz", "d.h5")
    assert same_bytes(wh, "d.h5", "a.h5")


def test_the_order_of_an_archive_outlives_the_store(wh):
    """Layers gather what the archive has apart."""
    np.savez(wh.folder / "theirs.npz", **{
        "a/x": np.ones(3), "b/y": np.zeros(2), "a/z": np.arange(4.0)})
    assert wh.commit("theirs.npz")["reproducible"]
    wh("save-weights", "HEAD", "again.npz")
    assert same_bytes(wh, "again.npz", "theirs.npz")


@pytest.mark.parametrize("size", [0, 2500])
def test_a_folder_is_read_by_the_names_of_transformers(size, wh):
    tensors = {f"l{i}.w": np.full((64, 4), i, np.float32) for i in range(9)}
    save_file(tensors, wh.folder / "in.safetensors")
    (wh.folder / "model").mkdir()
    wh("convert", "in.safetensors", "model/model.safetensors",
       *(["--max-shard-size", size] if size else []))
    assert len(list((wh.folder / "model").iterdir())) == (6 if size else 1)
    assert wh.commit("model")["reproducible"]
    assert {row["name"]: row["sha256"] for row in wh.ls()} == {
        key: sha256(array) for key, array in tensors.items()}


# ---- Keys without an order -------------------------------------------------

ORDER = "in which order the model has its layers"


@pytest.fixture
def plain(wh):
    """A model, and its arrays by name as other programs write them."""
    model = tf_keras.Sequential([tf_keras.Input((4,))] + [
        tf_keras.layers.Dense(4, name=name) for name in ("zz", "mm", "aa")])
    fill(model, 1)
    by_name = {w.name.split(":")[0]: w.numpy() for w in model.weights}
    save_file(by_name, wh.folder / "plain.safetensors")
    np.savez(wh.folder / "plain.npz", **dict(sorted(by_name.items())))
    return model


@pytest.mark.parametrize("into", ["ours.h5", "ours"])
@pytest.mark.parametrize("name", ["plain.safetensors", "plain.npz"])
def test_a_configuration_gives_keys_their_order(name, into, plain, wh):
    expected = arrays(plain)
    wh.quiet("convert", name, into, *config(wh, plain))
    fill(plain, 2)
    plain.load_weights(wh.folder / into)
    check_arrays(plain, expected)
    said = wh.run("convert", name, f"again-{into}").stderr
    assert ORDER in said and "--model-config" in said


def test_keys_are_loaded_in_an_order_that_is_known_or_told(plain, wh):
    expected = arrays(plain)
    for words in (config(wh, plain), ("--by-name",), ()):
        fill(plain, 2)
        plain.save_weights(wh.folder / "into.h5")
        done = wh.run("load-weights", "file:plain.safetensors", "--into",
                      "into.h5", *words)
        assert done.returncode == 0
        assert (ORDER in done.stderr) == (not words)
        if words:
            plain.load_weights(wh.folder / "into.h5")
            check_arrays(plain, expected)
