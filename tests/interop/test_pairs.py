"""wh convert, every ordered pair of formats: the real loader of the second has
the values of the model, bit for bit; and no pair needs a model's memory."""
import itertools

import keras as keras3
import numpy as np
import pytest
import tf_keras as keras
from safetensors.numpy import load_file, save_file
from test_format_hdf5 import peak
from zoo import arrays, fill

FORMATS = {"h5": "m.h5", "keras3": "m.weights.h5", "tf": "m",
           "safetensors": "m.safetensors", "npz": "m.npz"}
PAIRS = list(itertools.permutations(FORMATS, 2))


def layers(L, name):
    return {
        "dense": ((5,), [L.Dense(4, name="a"), L.BatchNormalization(name="b"),
                         L.Dense(3, name="c")]),
        "convolutions": ((8, 8, 2), [
            L.Conv2D(3, 2, name="a"), L.DepthwiseConv2D(2, name="b"),
            L.Flatten(name="c"), L.Dense(2, name="d")]),
        "recurrent": ((6, 3), [L.LSTM(4, return_sequences=True, name="a"),
                               L.GRU(2, name="b")]),
    }[name]


def build(library, name):
    shape, made = layers(library.layers, name)
    return library.Sequential([library.layers.Input(shape), *made])


@pytest.fixture(scope="module")
def models():
    return {name: (build(keras, name), build(keras3, name))
            for name in ("dense", "convolutions", "recurrent")}


def write(wh, models, kind, path):
    """By the real writer, where Keras is one; else by way of h5."""
    model, three = models
    path.parent.mkdir()
    if kind == "keras3":
        for to, value in zip(variables(three), ordered(model)):
            to.assign(value)
        three.save_weights(path)
        return
    if kind in ("h5", "tf"):
        model.save_weights(path)
        return
    first = path.with_name("first.h5")
    model.save_weights(first)
    wh("convert", first, path, "--save-format", kind)
    first.unlink()


def rows(several):
    return sorted((a.shape, a.tobytes()) for a in several)


def check(models, kind, path, expected):
    two, three = models
    if kind == "safetensors":
        assert rows(load_file(path).values()) == rows(expected)
    elif kind == "npz":
        with np.load(path) as held:
            assert rows(held.values()) == rows(expected)
    elif kind == "keras3":
        fill_with_zeros(three)
        three.load_weights(path)
        assert [w.tobytes() for w in ordered(three)] == [
            w.tobytes() for w in expected]
    else:
        fill(two, 2)
        status = two.load_weights(path)
        if kind == "tf":
            status.assert_consumed()
        assert [w.tobytes() for w in ordered(two)] == [
            w.tobytes() for w in expected]


def fill_with_zeros(model):
    model.set_weights([np.zeros(w.shape, w.dtype) for w in
                       model.get_weights()])


def variables(model):
    """By layer: what is trained, then what isn't, but no seeds."""
    return [w for layer in model.layers
            for w in layer.trainable_weights + layer.non_trainable_weights
            if "seed" not in w.name]


def ordered(model):
    return [np.asarray(w) for w in variables(model)]


@pytest.mark.parametrize("name", ["dense", "convolutions", "recurrent"])
@pytest.mark.parametrize("origin, target", PAIRS)
def test_a_pair_of_formats(origin, target, name, models, wh):
    fill(models[name][0], 1)
    expected = ordered(models[name][0])
    assert len(expected) == len(arrays(models[name][0]))
    source = wh.folder / "in" / FORMATS[origin]
    write(wh, models[name], origin, source)
    ours = wh.folder / FORMATS[target]
    more = []
    if target == "keras3":  # whose paths name classes
        (wh.folder / "model.json").write_text(models[name][1].to_json())
        more = ["--model-config", "model.json"]
    wh("convert", source, ours, "--save-format", target, *more)
    check(models[name], target, ours, expected)


def large(folder):
    """160 MB, most of it in one tensor, which must not be in memory whole."""
    path = folder / "in.safetensors"
    save_file({"big.kernel": np.zeros((32, 1 << 20), "f4"),
               "small.kernel": np.ones((8, 1 << 20), "f4")}, path)
    return path


@pytest.mark.parametrize("target", [name for name in FORMATS
                                    if name != "keras3"])
def test_no_pair_needs_a_models_memory(target, wh):
    large(wh.folder)
    out = FORMATS[target]
    words = [[], ["--max-shard-size", 40 << 20]]
    for more in words if target == "safetensors" else words[:1]:
        assert peak(wh, "convert", "in.safetensors", out, "--save-format",
                    target, *map(str, more)) < 64 << 10
        assert peak(wh, "convert", out, "back.safetensors") < 64 << 10
    for path in wh.folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_store_of_flat_files_needs_no_models_memory(suffix, wh):
    large(wh.folder)
    wh("convert", "in.safetensors", f"m{suffix}")
    wh("init")
    assert peak(wh, "commit", f"m{suffix}") < 64 << 10
    assert peak(wh, "save-weights", "HEAD", f"back{suffix}") < 64 << 10
    assert ((wh.folder / f"back{suffix}").read_bytes() ==
            (wh.folder / f"m{suffix}").read_bytes())
    for path in wh.folder.iterdir():
        path.unlink()
