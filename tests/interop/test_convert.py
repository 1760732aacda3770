"""h5 -> tf and tf -> h5, loaded by the real thing; what the file doesn't
decide is refused, and right once the model's configuration is given."""
import h5py
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from zoo import (BY_NAME, NEEDS_CONFIG, NEEDS_TF, ZOO, arrays, bits,
                 check_arrays, fill, train)

NAMES = [item.name for item in ZOO]
DECIDED_TF = [item.name for item in ZOO if not item.to_tf]
DECIDED_H5 = [item.name for item in ZOO if not item.to_h5]
CONFIGURED = [item.name for item in ZOO if item.to_tf == NEEDS_CONFIG]


def load(model, path):
    status = model.load_weights(path)
    if path.suffix != ".h5":
        status.assert_consumed()


def check_convert(wh, model, source, target, *options):
    expected = arrays(model)
    model.save_weights(source)
    done = wh.run("convert", source, target, *options)
    assert done.returncode == 0, done.stderr
    fill(model, 2)
    load(model, target)
    check_arrays(model, expected)
    return done.stderr


@pytest.mark.parametrize("name", DECIDED_TF)
def test_an_h5_file_becomes_a_checkpoint(name, made, wh):
    said = check_convert(wh, made(name), wh.folder / "theirs.h5",
                         wh.folder / "ours")
    assert bool(said) == BY_NAME[name].notes


@pytest.mark.parametrize("name", DECIDED_H5)
def test_a_checkpoint_becomes_an_h5_file(name, made, wh):
    said = check_convert(wh, made(name), wh.folder / "theirs",
                         wh.folder / "ours.h5")
    assert bool(said) == BY_NAME[name].notes or BY_NAME[name].opaque


@pytest.mark.parametrize("name", [n for n in DECIDED_TF if n in DECIDED_H5])
def test_there_and_back_again(name, made, wh):
    """h5 -> tf -> h5 -> tf: every step reads what the one before wrote."""
    model = made(name)
    expected = arrays(model)
    model.save_weights(wh.folder / "a.h5")
    wh("convert", "a.h5", "b")
    wh("convert", "b", "c.h5")
    fill(model, 2)
    load(model, wh.folder / "c.h5")
    check_arrays(model, expected)
    # Widened values load everywhere; a dtype comes back as it was written.
    if BY_NAME[name].opaque:
        wh("convert", "b", "c.h5", "--bfloat16", "opaque")
    wh("convert", "c.h5", "d")
    fill(model, 2)
    load(model, wh.folder / "d")
    check_arrays(model, expected)


@pytest.mark.parametrize("name", [i.name for i in ZOO if i.to_tf])
def test_an_undecided_h5_file_is_refused(name, made, wh):
    made(name).save_weights(wh.folder / "theirs.h5")
    said = wh.refused("convert", "theirs.h5", "ours")
    assert BY_NAME[name].to_tf in said
    assert "layer '" in said and "weight" in said
    assert not list(wh.folder.glob("ours*"))


@pytest.mark.parametrize("name", [i.name for i in ZOO if i.to_h5])
def test_an_undecided_checkpoint_is_refused(name, made, wh):
    made(name).save_weights(wh.folder / "theirs")
    said = wh.refused("convert", "theirs", "ours.h5")
    assert BY_NAME[name].to_h5 in said
    assert "layer '" in said and "weight" in said
    assert not list(wh.folder.glob("ours*"))


def write_config(wh, model):
    path = wh.folder / "model.json"
    path.write_text(model.to_json())
    return "--model-config", path


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_configuration_decides_h5_to_tf(name, made, wh):
    model = made(name)
    check_convert(wh, model, wh.folder / "theirs.h5", wh.folder / "ours",
                  *write_config(wh, model))


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_configuration_decides_tf_to_h5(name, made, wh):
    model = made(name)
    check_convert(wh, model, wh.folder / "theirs", wh.folder / "ours.h5",
                  *write_config(wh, model))


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_full_model_file_brings_its_configuration(name, made, wh):
    model = made(name)
    expected = arrays(model)
    model.save(wh.folder / "full.h5")
    wh("convert", "full.h5", "ours")
    fill(model, 2)
    load(model, wh.folder / "ours")
    check_arrays(model, expected)


# Without a configuration; widened to float32; named "mean:0" by Keras, where
# we put the layer in front.
NO_LISTING = [item.name for item in ZOO
              if item.to_tf == NEEDS_TF or item.opaque]
NO_LISTING += ["normalization", "normalization_of_several_axes"]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in NO_LISTING])
def test_with_a_configuration_the_names_are_keras_own(name, made, wh):
    """tf -> h5 with the configuration gives the very file that Keras writes
    but for its version: names, order, groups."""
    model = made(name)
    model.save_weights(wh.folder / "tf")
    model.save_weights(wh.folder / "theirs.h5")
    wh("convert", "tf", "ours.h5", *write_config(wh, model))
    assert listing(wh.folder / "ours.h5") == listing(wh.folder / "theirs.h5")


def listing(path):
    found = []
    with h5py.File(path) as file:
        for layer in file.attrs["layer_names"]:
            found.append(layer)
            for name in file[layer].attrs["weight_names"]:
                found.append((name, bits(file[layer][name][()])))
    return found


def test_a_trained_checkpoint_leaves_its_optimizer_out_and_says_so(made, wh):
    model = BY_NAME["dense_sequential"].make()
    train(model)
    said = check_convert(wh, model, wh.folder / "theirs",
                         wh.folder / "ours.h5")
    assert "left out" in said and "optimizer" in said


def test_a_checkpoint_root_is_descended(made, wh):
    model = made("bidirectional")
    expected = arrays(model)
    tf.train.Checkpoint(model=model).write(str(wh.folder / "theirs"))
    wh("convert", "theirs", "ours.h5")
    fill(model, 2)
    model.load_weights(wh.folder / "ours.h5")
    check_arrays(model, expected)


def test_tf_13_an_unbuilt_sequential_loads_what_came_from_h5(made, wh):
    model = made("dense_sequential")
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh("convert", "theirs.h5", "ours")
    lazy = keras.Sequential([keras.layers.Dense(4), keras.layers.Dropout(0.1),
                             keras.layers.Dense(3)])
    status = lazy.load_weights(wh.folder / "ours")
    lazy(np.zeros((1, 5), "float32"))
    status.assert_consumed()
    check_arrays(lazy, expected)


def keras3_models():
    L = keras3.layers
    return {
        "dense_sequential": [L.Dense(4), L.Dropout(0.1), L.Dense(3)],
        "batch_norm": [L.Conv2D(3, 2), L.BatchNormalization(),
                       L.BatchNormalization(scale=False), L.Flatten(),
                       L.Dense(2)],
        "lstm": [L.LSTM(5, return_sequences=True), L.LSTM(2)],
        "bidirectional": [
            L.Bidirectional(L.LSTM(3, return_sequences=True)),
            L.Bidirectional(L.GRU(2))],
        "embedding": [L.Embedding(7, 3), L.GlobalAveragePooling1D(),
                      L.Dense(2)],
        "separable_conv": [L.SeparableConv2D(3, 2), L.Reshape((25, 3)),
                           L.SeparableConv1D(2, 2, use_bias=False)],
        "prelu": [L.Dense(3), L.PReLU()],
    }


@pytest.mark.parametrize("name", list(keras3_models()))
@pytest.mark.parametrize("origin", ["theirs.h5", "theirs"])
def test_keras_3_loads_our_legacy_h5(name, origin, made, wh):
    model = made(name)
    expected = arrays(model)
    model.save_weights(wh.folder / origin)
    wh.commit(wh.folder / origin)
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    shape = model.input_shape[1:]
    other = keras3.Sequential([keras3.Input(shape),
                               *keras3_models()[name]])
    other.load_weights(wh.folder / "ours.h5")
    loaded = [value for layer in other.layers for value in
              layer.trainable_weights + layer.non_trainable_weights
              if "seed" not in value.path]
    ordered = [w.numpy() for layer in model.layers for w in
               layer.trainable_weights + layer.non_trainable_weights]
    assert len(expected) == len(ordered)
    assert [bits(value.numpy()) for value in loaded] == [
        bits(value) for value in ordered]


def keras3_nested():
    L = keras3.layers
    inner = keras3.Sequential([keras3.Input((3,)), L.Dense(3, name="d1"),
                               L.Dense(3, name="d2")], name="inner")
    inner.layers[0].trainable = False
    i = keras3.Input((4,))
    return keras3.Model(i, inner(L.Dense(3, name="top")(i)), name="fun")


def fill3(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0, 1, weight.shape).astype("float32"))
    return [weight.numpy() for weight in model.weights]


def test_a_keras_3_checkpoint_becomes_an_h5_file(wh):
    model = keras3.Sequential([keras3.Input((4,)), keras3.layers.Dense(3),
                               keras3.layers.BatchNormalization(),
                               keras3.layers.Dense(2)])
    expected = fill3(model, 1)
    tf.train.Checkpoint(model=model).write(str(wh.folder / "theirs"))
    wh("convert", "theirs", "ours.h5")
    fill3(model, 2)
    model.load_weights(wh.folder / "ours.h5")
    assert [bits(w.numpy()) for w in model.weights] == [
        bits(array) for array in expected]


def test_a_nested_keras_3_checkpoint_needs_the_configuration(wh):
    model = keras3_nested()
    expected = fill3(model, 1)
    tf.train.Checkpoint(model=model).write(str(wh.folder / "theirs"))
    assert NEEDS_CONFIG in wh.refused("convert", "theirs", "ours.h5")
    wh("convert", "theirs", "ours.h5", *write_config(wh, model))
    fill3(model, 2)
    model.load_weights(wh.folder / "ours.h5")
    assert [bits(w.numpy()) for w in model.weights] == [
        bits(array) for array in expected]


def test_a_keras_3_full_model_becomes_a_keras_2_checkpoint(made, wh):
    model = made("time_distributed")
    L = keras3.layers
    other = keras3.Sequential([
        keras3.Input((4, 3)), L.TimeDistributed(L.Dense(5), name="td"),
        L.TimeDistributed(L.BatchNormalization()), L.Dense(2)])
    expected = fill3(other, 1)
    other.save(wh.folder / "theirs.h5")
    wh("convert", "theirs.h5", "ours")
    fill(model, 2)
    load(model, wh.folder / "ours")
    check_arrays(model, expected)
