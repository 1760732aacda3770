"""Layers that look words up: a vocabulary that was learned is a weight to
tf-keras, counted among the layers of a checkpoint, and none in the files of
Keras 3, whose archives hold it as an asset."""
import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2
from conftest import same

LIBRARIES = {"tf_keras": keras2, "keras": keras3}
WORDS = np.array([["a"], ["b"], ["c"]])


def learned(layers):
    layer = layers.StringLookup(name="words")
    layer.adapt(WORDS)
    return layer, "string"


def learned_numbers(layers):
    layer = layers.IntegerLookup(name="words")
    layer.adapt(np.array([[7], [8], [9]]))
    return layer, "int64"


def learned_text(layers):
    layer = layers.TextVectorization(name="words", output_sequence_length=1)
    layer.adapt(WORDS[:, 0])
    return layer, "string"


def given(layers):
    return layers.StringLookup(vocabulary=["a", "b", "c"],
                               name="words"), "string"


ALL = [learned, learned_numbers, learned_text, given]


def build(keras, look_up, nested=False):
    keras.backend.clear_session()
    layers = keras.layers
    lookup, dtype = look_up(layers)
    word = layers.Input((1,), dtype=dtype)
    number = layers.Input((3,))
    x = layers.Flatten()(layers.Embedding(6, 3)(lookup(word)))
    if nested:
        x = keras.Model(word, layers.Dense(3)(x), name="inner")(word)
    x = layers.Concatenate()([x, layers.Dense(3)(number)])
    model = keras.Model([word, number], layers.Dense(2)(x))
    return model


def values(model):
    return [weight.numpy() for weight in model.weights
            if hasattr(weight, "numpy")]


def set_all(model, number):
    for place, weight in enumerate(values(model)):
        target = [w for w in model.weights if hasattr(w, "numpy")][place]
        target.assign(np.full(weight.shape, number + place, weight.dtype))


def check(model, expected, path):
    set_all(model, 100)
    model.load_weights(str(path))
    assert all(np.array_equal(a, b) for a, b in
               zip(values(model), expected, strict=True))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("look_up", ALL)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_vocabulary_counts_among_a_checkpoints_layers(library, look_up,
                                                        nested, wh):
    model = build(LIBRARIES[library], look_up, nested)
    set_all(model, 1)
    expected = values(model)
    model.save_weights(str(wh.folder / "theirs.weights.h5"))
    model.save(wh.folder / "theirs.keras")
    (wh.folder / "model.json").write_text(model.to_json())
    loads = build(keras2, look_up, nested)

    said = wh.refused("convert", "theirs.weights.h5", "ours")
    assert "--model-config" in said
    done = wh.run("convert", "theirs.weights.h5", "ours", "--model-config",
                  "model.json")
    assert done.returncode == 0, done.stderr
    check(loads, expected, wh.folder / "ours")
    done = wh.run("convert", "theirs.keras", "ours")
    assert done.returncode == 0, done.stderr
    check(loads, expected, wh.folder / "ours")
    assert nested or ("left out: the vocabulary of layer 'words'"
                      in done.stderr) == (look_up is not given)


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_archive_that_is_made_says_that_it_has_no_vocabulary(library, wh):
    model = build(LIBRARIES[library], learned)
    model.save(wh.folder / "theirs.keras")
    wh.commit("theirs.keras")
    wh.quiet("save-weights", "same.keras", "--save-format", "keras3")
    assert same(wh.folder / "same.keras", wh.folder / "theirs.keras")
    done = wh.run("save-weights", "made.keras", "--save-format", "keras3",
                  "--canonical")
    assert done.returncode == 0
    assert "left out: the vocabulary of layer 'words'" in done.stderr
