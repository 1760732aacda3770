"""Keras HDF5, fact by fact: what a writer must write and a reader must read.
Each test carries the number of its row in README.md; the judges are tf-keras,
Keras 3 and h5py. Rows of other suites are named in the README only."""
import json
import os
import re
import subprocess
import sys
import time
import zipfile

import h5py
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras2
from conftest import config, same, sha256
from zoo import fill

K2, K3 = keras2, keras3


def bits(arrays):
    return [(a.dtype.name, a.shape, a.tobytes())
            for a in map(np.asarray, arrays)]


def values(model):
    """In the order of the legacy layout, whichever Keras it is."""
    return [weight.numpy() for layer in model.layers for weight in
            layer.trainable_weights + layer.non_trainable_weights
            if "seed" not in weight.name and "seed" not in
            getattr(weight, "path", "")]


def check_load(model, path, expected, **options):
    fill(model, 2)
    model.load_weights(str(path), **options)
    assert bits(values(model)) == bits(expected)


def listing(path):
    """(layer, names, values) as h5py reads them."""
    with h5py.File(path) as file:
        root = file["model_weights"] if "model_weights" in file else file
        return [(layer, name, sha256(np.asarray(root[layer][name][()])))
                for layer in [*root.attrs["layer_names"],
                              "top_level_model_weights"]
                for name in root[layer].attrs["weight_names"]]


def listed(wh):
    return [(row["layer"] or "top_level_model_weights", row["name"],
             row["sha256"]) for row in wh.ls()]


# ---- Rows 1 to 21: models ---------------------------------------------------

def sequential(K):
    L = K.layers
    return K.Sequential([K.Input((5,)), L.Dense(4, name="Zed"),
                         L.Dropout(0.5, name="drop"), L.Dense(3, name="a")])


def nested(K, frozen=False):
    """A Sequential, a model in a model, and a layer that is called twice."""
    L = K.layers
    deep = K.Sequential([K.Input((4,)), L.Dense(4, name="e")], name="deep")
    i = K.Input((4,))
    first, last = L.Dense(4, name="d1"), L.Dense(4, name="d2")
    first.trainable = not frozen
    x = L.BatchNormalization(name="bn")(first(i))
    inner = K.Model(i, last(x if frozen else deep(x)), name="inner")
    i = K.Input((4,))
    shared = L.Dense(4, name="shared")
    return K.Model(i, L.Dense(2, name="z")(inner(shared(shared(i)))))


def frozen_top(K):
    L = K.layers
    model = K.Sequential([K.Input((4,)), L.Dense(4, name="d1"),
                          L.BatchNormalization(name="bn"),
                          L.Dense(4, name="d2")])
    model.layers[0].trainable = False
    return model


def recurrent(name, **options):
    def make(K):
        L = K.layers
        return K.Sequential([K.Input((3, 2)), getattr(L, name)(
            4, return_sequences=True, name="one", **options), getattr(L, name)(
                2, name="two", **options)])
    return make


def bidirectional(K):
    L = K.layers
    return K.Sequential([K.Input((3, 2)), L.Bidirectional(
        L.LSTM(3, name="lstm"), name="bi"), L.Dense(2, name="z")])


def time_distributed(K):
    L = K.layers
    return K.Sequential([K.Input((3, 2)), L.TimeDistributed(
        L.Dense(4, name="inner"), name="td"), L.Dense(2, name="z")])


def rnn_of_cells(K):
    L = K.layers
    return K.Sequential([K.Input((3, 2)), L.RNN(
        [L.LSTMCell(3, name="c1"), L.GRUCell(2, name="c2")], name="rnn")])


def attention(K):
    L = K.layers
    i = K.Input((5, 4))
    return K.Model(i, L.MultiHeadAttention(2, 3, name="mha")(i, i))


def convolutions(K):
    L = K.layers
    return K.Sequential([
        K.Input((8, 8, 2)), L.Conv2D(3, 2, name="conv"),
        L.BatchNormalization(name="bn"), L.DepthwiseConv2D(2, name="depth"),
        L.SeparableConv2D(4, 2, name="sep"),
        L.Conv2DTranspose(2, 2, name="back"), L.PReLU(name="pr")])


def embedding(K):
    L = K.layers
    return K.Sequential([K.Input((6,), dtype="int32"),
                         L.Embedding(9, 3, name="emb"), L.Flatten(),
                         L.Dense(2, name="z")])


def floats(K):
    L = K.layers
    return K.Sequential([
        K.Input((4,)), L.Dense(3, name="half", dtype="float16"),
        L.Dense(3, name="mixed", dtype="mixed_float16"),
        L.Dense(3, name="double", dtype="float64")])


def brain_floats(K):
    L = K.layers
    return K.Sequential([K.Input((4,)), L.Dense(3, name="d",
                                                dtype="bfloat16")])


def kinds(K):
    class Kinds(K.layers.Layer):
        def build(self, _):
            for kind, shape in (("float32", ()), ("bool", (3,)),
                                ("uint8", (2, 2)), ("int32", (4,)),
                                ("int64", ()), ("float32", (0, 4))):
                self.add_weight(name=f"{kind}_{len(shape)}", shape=shape,
                                dtype=kind, trainable=False,
                                initializer="zeros")

        def call(self, x):
            return x
    return K.Sequential([K.Input((2,)), Kinds(name="k")])


WRITTEN = {
    "01-sequential": sequential, "03-nested-and-shared": nested,
    "06-lstm": recurrent("LSTM"), "07-gru-reset-after": recurrent("GRU"),
    "08-simple-rnn": recurrent("SimpleRNN"),
    "09-bidirectional": bidirectional,
    "10-time-distributed": time_distributed,
    "11-rnn-of-cells": rnn_of_cells, "12-multi-head-attention": attention,
    "15-convolutions": convolutions, "16-embedding": embedding,
    "17-floats": floats, "21-kinds": kinds,
}


@pytest.mark.parametrize("row", WRITTEN)
def test_hdf5_8_is_theirs_byte_for_byte_and_loads_in_both(row, wh):
    model = WRITTEN[row](K2)
    fill(model, 1)
    expected = values(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    assert listed(wh) == listing(wh.folder / "theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    check_load(model, wh.folder / "ours.h5", expected)
    check_load(WRITTEN[row](K3), wh.folder / "ours.h5", expected)


def test_hdf5_8_02_two_seconds_later_the_bytes_are_the_same(wh):
    model = sequential(K2)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "one.h5", "--canonical")
    time.sleep(2.2)
    wh("save-weights", "HEAD", "two.h5", "--canonical")
    model.save_weights(wh.folder / "three.h5")
    assert same(wh.folder / "one.h5", wh.folder / "two.h5")
    assert same(wh.folder / "one.h5", wh.folder / "three.h5")


@pytest.mark.parametrize("row, make, moved", [
    ("04-frozen-at-the-top", frozen_top, False),
    ("05-frozen-inside", lambda K: nested(K, True), True)],
    ids=lambda item: item if isinstance(item, str) else "")
def test_hdf5_8_frozen_layers_have_the_order_of_the_file(row, make, moved,
                                                         wh):
    model = make(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "frozen.h5")
    names = [name for _, name, _ in listing(wh.folder / "frozen.h5")]
    wh.commit("frozen.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert listing(wh.folder / "ours.h5") == listing(wh.folder / "frozen.h5")
    for layer in model.layers:
        layer.trainable = True
        for inner in getattr(layer, "layers", []):
            inner.trainable = True
    model.save_weights(wh.folder / "free.h5")
    free = [name for _, name, _ in listing(wh.folder / "free.h5")]
    assert (names != free) == moved and sorted(names) == sorted(free)


@pytest.mark.parametrize("K", [K2, K3], ids=["14-tf-keras", "13-keras-3"])
def test_hdf5_8_attention_in_keras_3s_layout(K, wh):
    model = attention(K)
    fill(model, 1)
    expected = values(model)
    theirs, ours = wh.folder / "theirs.weights.h5", wh.folder / "o.weights.h5"
    model.save_weights(str(theirs))
    wh.commit(theirs)
    wh("save-weights", "HEAD", ours, "--canonical")
    assert same(ours, theirs)
    check_load(model, ours, expected)
    with h5py.File(ours) as file:
        inside = file["layers/multi_head_attention"]
        assert ("_query_dense" in inside) == (K is K2)
    if K is K3:
        with pytest.raises(ValueError, match="expected 2 variables, but "
                           "received 0 variables"):
            attention(K2).load_weights(str(ours))


def test_hdf5_8_18_opaque_bfloat16_is_as_keras_writes_it(wh):
    model = brain_floats(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical", "--bfloat16",
       "opaque")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    for K in (K2, K3):
        with pytest.raises(ValueError, match="No cast function available."):
            brain_floats(K).load_weights(str(wh.folder / "ours.h5"))


def test_hdf5_8_19_widened_bfloat16_loads_in_both(wh):
    model = brain_floats(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    done = wh.run("save-weights", "HEAD", "ours.h5", "--canonical")
    assert "2 tensors of bfloat16 to float32, exactly" in done.stderr
    with h5py.File(wh.folder / "ours.h5") as file:
        assert file["d/d/kernel:0"].dtype == np.float32
    for K in (K2, K3):
        check_load(brain_floats(K), wh.folder / "ours.h5", values(model))


def test_hdf5_8_20_bfloat16_in_keras_3s_layout(wh):
    model = brain_floats(K3)
    fill(model, 1)
    expected = values(model)
    model.save_weights(str(wh.folder / "theirs.weights.h5"))
    wh.commit("theirs.weights.h5")
    wh("save-weights", "HEAD", "ours.weights.h5", "--canonical")
    assert same(wh.folder / "ours.weights.h5", wh.folder /
                "theirs.weights.h5")
    check_load(model, wh.folder / "ours.weights.h5", expected)


# ---- Rows 22 to 34: names, lists and dtypes ---------------------------------

def with_variables(*variables):
    """One layer with these tf.Variables."""
    class Holder(K2.layers.Layer):
        def build(self, _):
            self.held = list(variables)

        def call(self, x):
            return x
    return K2.Sequential([K2.Input((2,)), Holder(name="n")])


def test_hdf5_8_22_complex64(wh):
    array = np.array([1 + 2j, -0.0 - 0.0j, np.nan + 1j], "complex64")
    model = with_variables(tf.Variable(array, name="c"))
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    assert listing(wh.folder / "ours.h5")[0][2] == sha256(array)
    check_load(model, wh.folder / "ours.h5", [array])


def test_hdf5_8_23_a_string_is_refused_by_name(wh):
    tf.train.Checkpoint(s=tf.Variable(["a", "bc"])).write(
        str(wh.folder / "theirs"))
    said = wh.refused("convert", "theirs", "ours.h5")
    assert "s/.ATTRIBUTES" in said and "string" in said
    assert not (wh.folder / "ours.h5").exists()
    with h5py.File(wh.folder / "by-hand.h5", "w") as file:
        file.attrs["layer_names"] = [b"n"]
        file.create_group("n").attrs["weight_names"] = [b"s:0"]
        file["n/s:0"] = np.array([b"a", b"bc"], object)
    wh("init")
    assert "s:0" in wh.refused("commit", "by-hand.h5")


def test_hdf5_8_24_901_layers_are_split_in_three(wh):
    L = K2.layers
    model = K2.Sequential([K2.Input((1,))] + [
        L.Dense(1, use_bias=False, name=f"l{i:04d}" + "x" * 174)
        for i in range(901)])
    expected = values(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "ours.h5") as file:
        assert [len(file.attrs[f"layer_names{i}"]) for i in range(3)] == [
            301, 300, 300]
    check_load(model, wh.folder / "ours.h5", expected)


def test_hdf5_8_25_360_long_names_are_split_in_two(wh):
    model = with_variables(*(tf.Variable([float(i)], name=f"w{i:03d}" +
                                         "y" * 185) for i in range(360)))
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "ours.h5") as file:
        assert [len(file["n"].attrs[f"weight_names{i}"])
                for i in range(2)] == [180, 180]


@pytest.mark.parametrize("length", [4000, 4097, 64512, 64513])
def test_hdf5_8_28_names_have_a_limit_of_our_own(length, wh):
    """Keras takes 64,512 bytes; here a name has at most 4,096."""
    model = with_variables(tf.Variable([1.0], name="w" * (length - 2)))
    if length > 64512:
        with pytest.raises(RuntimeError, match="larger than 64512 bytes"):
            model.save_weights(wh.folder / "theirs.h5")
        return
    model.save_weights(wh.folder / "theirs.h5")
    if length > 4096:
        wh("init")
        assert "at most 4096 are read" in wh.refused("commit", "theirs.h5")
        return
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")


def test_hdf5_8_29_an_empty_list_is_no_float_at_all(wh):
    sequential(K2).save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    with h5py.File(wh.folder / "ours.h5") as file:
        for group in ("drop", "top_level_model_weights"):
            kept = file[group].attrs.get_id("weight_names")
            assert (kept.dtype, kept.shape) == (np.dtype("<f8"), (0,))


def test_hdf5_8_30_a_layer_with_a_slash_beside_its_folder(wh):
    L = K2.layers
    model = K2.Sequential([K2.Input((3,)), L.Dense(3, name="a"),
                           L.Dense(3, name="a/b")])
    fill(model, 1)
    expected = values(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    assert listed(wh) == listing(wh.folder / "theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert listing(wh.folder / "ours.h5") == listing(wh.folder / "theirs.h5")
    check_load(model, wh.folder / "ours.h5", expected)


@pytest.mark.parametrize("names", [("a", "a/a"),
                                   ("b", "top_level_model_weights")],
                         ids=["a-and-a/a", "top_level_model_weights"])
def test_hdf5_8_31_layers_that_need_one_group_twice(names, wh):
    L = K2.layers
    model = K2.Sequential([K2.Input((3,))] + [L.Dense(3, name=name)
                                              for name in names])
    with pytest.raises(ValueError, match="name already exists"):
        model.save_weights(wh.folder / "theirs.h5")
    model.save_weights(wh.folder / "theirs")
    wh.commit("theirs")
    said = wh.refused("save-weights", "HEAD", "ours.h5")
    assert names[1] in said
    assert not (wh.folder / "ours.h5").exists()


def test_hdf5_8_32_one_name_twice_in_a_layer(wh):
    model = with_variables(tf.Variable([1.0], name="w"),
                           tf.Variable([2.0], name="w"))
    with pytest.raises(ValueError, match="name already exists"):
        model.save_weights(wh.folder / "theirs.h5")
    model.save_weights(wh.folder / "theirs")
    wh.commit("theirs")
    done = wh.run("save-weights", "HEAD", "ours.h5")
    if done.returncode:
        assert len(done.stderr.splitlines()) == 1 and "w" in done.stderr
        assert not (wh.folder / "ours.h5").exists()
        return
    check_load(model, wh.folder / "ours.h5", [np.float32([1]),
                                              np.float32([2])])


def test_hdf5_8_33_weights_of_the_model_itself(wh):
    class Own(K2.Model):
        def __init__(self):
            super().__init__(name="m2")
            self.d = K2.layers.Dense(2, name="d")
            self.tv = self.add_weight(name="tv", shape=(2,))
            self.nt = self.add_weight(name="nt", shape=(2,), trainable=False)

        def call(self, x):
            return self.d(x) + self.tv + self.nt
    model = Own()
    model(np.zeros((1, 3), "float32"))
    fill(model, 1)
    expected = [w.numpy() for w in model.weights]
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert listing(wh.folder / "ours.h5") == listing(wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "ours.h5") as file:
        assert list(file["top_level_model_weights"].attrs[
            "weight_names"]) == ["tv:0", "nt:0"]
    fill(model, 2)
    model.load_weights(wh.folder / "ours.h5")
    assert bits(w.numpy() for w in model.weights) == bits(expected)


def test_hdf5_8_34_a_name_in_utf8_is_a_link_message(wh):
    model = with_variables(tf.Variable([1.0], name="größe"))
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert listing(wh.folder / "ours.h5") == listing(wh.folder / "theirs.h5")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")
    assert listing(wh.folder / "ours.h5")[0][1] == "größe:0"


# ---- Rows 35 to 43: files of others, whole models, Keras 3's layout ---------

def rewritten(source, target, attribute=lambda value: value, **dataset):
    """The file once more, by h5py, with other attributes and datasets."""
    def copy(old, new):
        for key, value in old.attrs.items():
            new.attrs[key] = attribute(value)
        for name, item in old.items():
            if isinstance(item, h5py.Group):
                copy(item, new.create_group(name))
            else:
                new.create_dataset(name, data=item[()],
                                   **(dataset if item.ndim else {}))
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        copy(old, new)


def imported_the_same(wh, make, **change):
    model = make(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    rewritten(wh.folder / "theirs.h5", wh.folder / "other.h5", **change)
    wh.commit("other.h5")
    assert listed(wh) == listing(wh.folder / "theirs.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")


def test_hdf5_8_35_fixed_length_attributes_are_those_of_row_3(wh):
    def fixed(value):
        if isinstance(value, np.ndarray) and value.dtype == object:
            return np.array([item.encode() for item in value])
        return value.encode() if isinstance(value, str) else value
    imported_the_same(wh, nested, attribute=fixed)


def test_hdf5_8_36_packed_datasets_are_those_of_row_15(wh):
    imported_the_same(wh, convolutions, compression="gzip", shuffle=True,
                      fletcher32=True)


def in_optimizer(path):
    with h5py.File(path) as file:
        group = file["optimizer_weights"]
        return [(name, sha256(np.asarray(group[name][()])))
                for name in group.attrs["weight_names"]]


@pytest.mark.parametrize("K", [K2, K3], ids=["37-tf-keras", "38-keras-3"])
def test_hdf5_8_a_whole_model_with_adam(K, wh):
    model = sequential(K)
    fill(model, 1)
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 5), "f4"), np.zeros((2, 3), "f4"), verbose=0)
    expected = values(model)
    theirs = wh.folder / "theirs.h5"
    model.save(theirs)
    wh.commit(theirs)
    state = [(row["name"], row["sha256"]) for row in wh.ls()
             if row["role"] == "optimizer"]
    assert state == in_optimizer(theirs)
    assert len(state) == (9 if K is K2 else 10)
    wh("save-weights", "HEAD", "again.h5")
    assert same(wh.folder / "again.h5", theirs)
    for path in ("theirs.h5", "again.h5"):
        check_load(sequential(K2), wh.folder / path, expected)
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    if K is K2:
        model.save_weights(wh.folder / "weights.h5")
        assert same(wh.folder / "ours.h5", wh.folder / "weights.h5")
    check_load(sequential(K), wh.folder / "ours.h5", expected)


@pytest.mark.parametrize("K", [K2, K3], ids=["tf-keras", "keras-3"])
def test_hdf5_8_39_a_trained_model_in_keras_3s_layout(K, wh):
    model = sequential(K)
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 5), "f4"), np.zeros((2, 3), "f4"), verbose=0)
    theirs = wh.folder / "theirs.weights.h5"
    model.save_weights(str(theirs))
    wh.commit(theirs)
    wh("save-weights", "HEAD", "ours.weights.h5", "--canonical")
    assert same(wh.folder / "ours.weights.h5", theirs)
    names = [row["name"] for row in wh.ls() if row["role"] == "optimizer" and
             "optimizer/vars/" in row["name"]]
    with h5py.File(theirs) as file:
        assert len(names) == len(file["optimizer/vars"])
        assert file["optimizer/vars/0"].dtype == "int64"


def other_keras3(wh, change):
    """(model, values, path) of a file by Keras 3 that `change` has changed."""
    model = nested(K3)
    fill(model, 1)
    path = wh.folder / "theirs.weights.h5"
    model.save_weights(str(path))
    with h5py.File(path, "a") as file:
        change(file)
    return model, values(model), path


def bare(file):
    """No `name`, and no group without datasets."""
    def walk(group):
        group.attrs.pop("name", None)
        for name, item in list(group.items()):
            if isinstance(item, h5py.Group):
                walk(item)
                if not len(item):
                    del group[name]
    walk(file)


def older(file):
    """As Keras 2.13 and the like named it, at every depth."""
    def walk(group):
        for name, item in list(group.items()):
            if isinstance(item, h5py.Group):
                walk(item)
                if name == "layers":
                    group.move(name, "_layer_checkpoint_dependencies")
    walk(file)


@pytest.mark.parametrize("change", [bare, older],
                         ids=["40-bare", "41-layer-checkpoint-dependencies"])
def test_hdf5_8_early_files_of_keras_3(change, wh):
    model, expected, path = other_keras3(wh, change)
    check_load(model, path, expected)
    assert wh.commit(path)["reproducible"]
    wh("save-weights", "HEAD", "again.weights.h5")
    assert same(wh.folder / "again.weights.h5", path)
    wh("save-weights", "HEAD", "ours.weights.h5", "--canonical")
    check_load(model, wh.folder / "ours.weights.h5", expected)


def test_hdf5_8_42_lists_of_tensors_across_shards(wh):
    model = sequential(K3)
    fill(model, 1)
    expected = values(model)
    largest = max(a.nbytes for a in expected)
    model.save_weights(wh.folder / "m.weights.json",
                       max_shard_size=largest / 2**30)
    text = json.loads((wh.folder / "m.weights.json").read_text())
    assert any(len(set(place)) > 1 for place in text["weight_map"].values()
               if isinstance(place, list))
    wh.commit("m.weights.json")
    assert sorted(row["sha256"] for row in wh.ls()) == sorted(
        map(sha256, expected))
    wh("convert", "m.weights.json", "ours.weights.json", "--max-shard-size",
       largest)
    check_load(model, wh.folder / "ours.weights.json", expected)
    wh("convert", "m.weights.json", "one.weights.h5")
    check_load(model, wh.folder / "one.weights.h5", expected)


def test_a_map_of_keras_3_10_is_told_of_its_want(wh):
    model = sequential(K3)
    fill(model, 1)
    expected = values(model)
    path = wh.folder / "m.weights.json"
    model.save_weights(path, max_shard_size=max(
        a.nbytes for a in expected) / 2**30)
    whole = path.read_text()
    text = json.loads(whole)
    for group, place in text["weight_map"].items():
        if isinstance(place, list):
            text["weight_map"][group] = place[0]
    path.write_text(json.dumps(text, indent=4))
    said = wh.refused("convert", "m.weights.json", "one.weights.h5")
    assert "Keras 3.10 named only the first shard" in said
    path.write_text(whole)
    wh("convert", "m.weights.json", "one.weights.h5")
    check_load(model, wh.folder / "one.weights.h5", expected)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED,
                                     zipfile.ZIP_DEFLATED],
                         ids=["stored", "deflated"])
@pytest.mark.parametrize("K", [K2, K3], ids=["tf-keras", "keras-3"])
def test_hdf5_8_43_an_archive(K, packing, wh):
    model = sequential(K)
    fill(model, 1)
    model.save(wh.folder / "theirs.keras")
    with zipfile.ZipFile(wh.folder / "theirs.keras") as old, zipfile.ZipFile(
            wh.folder / "other.keras", "w", packing) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    wh.commit("other.keras")
    assert sorted(row["sha256"] for row in wh.ls()
                  if row["role"] == "weight") == sorted(
                      map(sha256, values(model)))


# ---- Row 44: save_format and suffix, by the real one -------------------------

PATHS = ["w.h5", "w.hdf5", "w.keras", "weights.h5", "w.weights.hdf5", ".h5",
         "w.weights.h5", "w", "w.ckpt", "w.H5", "w.h5.bak", "w.tf", "w.bin"]
FORMATS = [None, "h5", "hdf5", "keras", " H5 ", "tf", "TensorFlow", "bogus",
           "", "keras_v3"]


def kind_of(folder, name):
    if (folder / f"{name}.index").exists():
        return "tf"
    with h5py.File(folder / name) as file:
        return "h5" if "layer_names" in file.attrs else "keras3"


def by_keras(folder, name, save_format):
    folder.mkdir()
    model = K2.Sequential([K2.Input((2,)), K2.layers.Dense(1)])
    try:
        model.save_weights(str(folder / name), save_format=save_format)
    except ValueError as error:
        return str(error).replace(str(folder / name), "PATH")
    return kind_of(folder, name)


@pytest.mark.parametrize("save_format", FORMATS)
@pytest.mark.parametrize("name", PATHS)
def test_hdf5_8_44_the_format_is_kerass_choice(name, save_format, wh):
    theirs = by_keras(wh.folder / "theirs", name, save_format)
    sequential(K2).save_weights(wh.folder / "in.h5")
    (wh.folder / "ours").mkdir()
    words = [] if save_format is None else ["--save-format", save_format]
    done = wh.run("convert", "in.h5", f"ours/{name}", *words)
    if theirs in ("h5", "tf", "keras3"):
        if theirs == "keras3" and done.returncode:
            # An h5 file doesn't say the classes that its slots are named by.
            assert "class is not known" in done.stderr
            return
        assert done.returncode == 0, done.stderr
        assert kind_of(wh.folder / "ours", name) == theirs
    else:
        assert done.returncode != 0
        assert theirs in done.stderr.replace(f"ours/{name}", "PATH")


# ---- Rows 47 to 54 ----------------------------------------------------------

def test_hdf5_8_48_a_mismatch_is_told_in_kerass_words(wh):
    L = K2.layers
    source = sequential(K2)
    source.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    for units, bias in (((4,), True), ((4, 3), False)):
        target = K2.Sequential([K2.Input((5,))] + [
            L.Dense(n, use_bias=bias) for n in units])
        target.save_weights(wh.folder / "into.h5")
        with pytest.raises(ValueError) as theirs:
            target.load_weights(wh.folder / "theirs.h5")
        said = wh.refused("load-weights", "--into", "into.h5")
        assert str(theirs.value) in said


def test_hdf5_8_49_the_content_decides_not_the_name(wh):
    model = sequential(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "legacy.h5")
    model.save_weights(str(wh.folder / "new.weights.h5"))
    os.rename(wh.folder / "legacy.h5", wh.folder / "a.weights.h5")
    os.rename(wh.folder / "new.weights.h5", wh.folder / "b.h5")
    with pytest.raises(KeyError):
        model.load_weights(str(wh.folder / "a.weights.h5"))
    with pytest.raises(ValueError, match="found 0 saved layers"):
        model.load_weights(wh.folder / "b.h5")
    wh.commit("a.weights.h5")
    first = sorted(row["sha256"] for row in wh.ls())
    assert all(row["name"].endswith(":0") for row in wh.ls())
    wh.commit("b.h5")
    assert sorted(row["sha256"] for row in wh.ls()) == first
    assert all("vars" in row["name"] for row in wh.ls())


def test_hdf5_8_50_big_endian_and_doubles_keep_their_values(wh):
    model = sequential(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    expected = values(model)
    for name, kind in (("big", ">f4"), ("double", "<f8")):
        path = wh.folder / f"{name}.h5"
        with h5py.File(wh.folder / "theirs.h5") as old, h5py.File(
                path, "w") as new:
            def copy(at, item):
                if isinstance(item, h5py.Dataset):
                    new.create_dataset(at, data=item[()].astype(kind))
                else:
                    new.require_group(at).attrs.update(item.attrs)
            old.visititems(copy)
            new.attrs.update(old.attrs)
        wh.commit(path)
        for row, array in zip(wh.ls(), expected):
            assert row["sha256"] == sha256(array.astype(
                kind.replace(">", "<")))
        wh("save-weights", "HEAD", f"{name}-ours.h5", "--canonical")
        check_load(model, wh.folder / f"{name}-ours.h5", expected)
        wh("load-weights", "--into", "theirs.h5", "--cast")
        check_load(model, wh.folder / "theirs.h5", expected)


def test_hdf5_8_51_an_absent_keras_version_stays_absent(wh):
    with h5py.File(wh.folder / "theirs.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense_1"]
        group = file.create_group("dense_1")
        group.attrs["weight_names"] = [b"dense_1_W:0", b"dense_1_b:0"]
        group["dense_1_W:0"] = np.ones((3, 2), "f4")
        group["dense_1_b:0"] = np.ones(2, "f4")
    wh.commit("theirs.h5")
    for options in ([], ["--canonical"]):
        wh("save-weights", "HEAD", "ours.h5", *options)
        with h5py.File(wh.folder / "ours.h5") as file:
            assert set(file.attrs) == {"layer_names"}
        assert listing_without_top(wh.folder / "ours.h5") == \
            listing_without_top(wh.folder / "theirs.h5")
    model = K2.Sequential([K2.Input((3,)), K2.layers.Dense(2)])
    model.load_weights(wh.folder / "ours.h5")
    assert all((w.numpy() == 1).all() for w in model.weights)


def test_a_configuration_beside_the_layers_hides_no_version(wh):
    model = sequential(K2)
    model.save_weights(wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "theirs.h5", "r+") as file:
        said = dict(file.attrs)
        file.attrs["model_config"] = model.to_json()
    wh("convert", "theirs.h5", "ours.h5", "--canonical")
    with h5py.File(wh.folder / "ours.h5") as file:
        assert [file.attrs[key] for key in ("keras_version", "backend")] == [
            said["keras_version"], said["backend"]]


@pytest.mark.parametrize("K", [K2, K3], ids=["tf-keras", "keras-3"])
def test_a_configuration_may_have_numbers_that_json_has_not(K, wh):
    """NaN and Infinity, as Python writes them."""
    def make():
        inner = K.Sequential([
            K.Input((4, 3)), K.layers.Dense(3, name="i1"),
            K.layers.BatchNormalization(name="bn"),
            K.layers.Dense(3, name="i2")], name="inner")
        return K.Sequential([
            K.Input((4, 3)), K.layers.Masking(float("nan")), inner,
            K.layers.ReLU(float("inf")), K.layers.Dense(2, name="out")])
    model = make()
    fill(model, 1)
    expected = values(model)
    assert {"NaN", "Infinity"} <= set(re.findall(r"\w+", model.to_json()))
    model.save(wh.folder / "theirs.keras")
    model.save_weights(wh.folder / "theirs.weights.h5")
    wh("convert", "theirs.keras", "archive.h5")
    wh("convert", "theirs.weights.h5", "weights.h5", *config(wh, model))
    wh("convert", "theirs.keras", "ours.keras", "--canonical",
       "--save-format", "keras3")
    for path in ("archive.h5", "weights.h5"):
        check_load(make(), wh.folder / path, expected)
    again = K.saving.load_model(wh.folder / "ours.keras")
    assert bits(values(again)) == bits(expected)


def listing_without_top(path):
    with h5py.File(path) as file:
        return [(layer, name, sha256(file[layer][name][()]))
                for layer in file.attrs["layer_names"]
                for name in file[layer].attrs["weight_names"]]


AND_BACK = ["01-sequential", "03-nested-and-shared", "06-lstm",
            "07-gru-reset-after", "08-simple-rnn", "09-bidirectional",
            "10-time-distributed", "11-rnn-of-cells",
            "12-multi-head-attention", "15-convolutions"]


@pytest.mark.parametrize("row", AND_BACK)
def test_hdf5_8_52_to_keras_3s_layout_and_back(row, wh):
    model = WRITTEN[row](K2)
    fill(model, 1)
    expected = values(model)
    model.save_weights(wh.folder / "a.h5")
    options = config(wh, model)
    wh.quiet("convert", "a.h5", "b.weights.h5", *options)
    check_load(model, wh.folder / "b.weights.h5", expected)
    wh.quiet("convert", "b.weights.h5", "c.h5", *options)
    assert [row[2] for row in listing(wh.folder / "a.h5")] == [
        row[2] for row in listing(wh.folder / "c.h5")]
    check_load(model, wh.folder / "c.h5", expected)


@pytest.mark.parametrize("alignment", [(1, 1), (1, 4096), (4096, 4096)])
def test_hdf5_8_53_payloads_that_were_filled_in_afterwards(alignment, wh):
    """Allocated early, closed, then written at their offsets by hand."""
    model = nested(K2)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_alignment(*alignment)
    made = h5py.h5f.create(str(wh.folder / "other.h5").encode(),
                           fapl=access)
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    places = []
    with h5py.File(wh.folder / "theirs.h5") as old, h5py.File(made) as new:
        new.attrs.update(old.attrs)

        def copy(at, item):
            if isinstance(item, h5py.Group):
                new.require_group(at).attrs.update(item.attrs)
                return
            folder, _, leaf = at.rpartition("/")
            dataset = h5py.h5d.create(
                new.require_group(folder).id, leaf.encode(),
                h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(item.shape),
                early)
            places.append((dataset.get_offset(), item[()].tobytes()))
        old.visititems(copy)
    with open(wh.folder / "other.h5", "r+b") as file:
        for offset, payload in places:
            os.pwrite(file.fileno(), payload, offset)
    check_load(model, wh.folder / "other.h5", values(model))
    assert wh.commit("other.h5")["reproducible"]
    wh("save-weights", "HEAD", "again.h5")
    assert same(wh.folder / "again.h5", wh.folder / "other.h5")
    wh("save-weights", "HEAD", "ours.h5", "--canonical")
    assert same(wh.folder / "ours.h5", wh.folder / "theirs.h5")


MEASURE = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def peak(wh, *words):
    """The largest resident set in KiB, by a small parent: a child begins
    with that of its parent, and TensorFlow's is large."""
    done = subprocess.run([sys.executable, "-c", MEASURE, wh.path, *words],
                          cwd=wh.folder, check=True, capture_output=True,
                          text=True)
    return int(done.stdout)


def test_hdf5_8_54_a_gigabyte_in_2000_datasets_needs_little_memory(wh):
    count, each = 2000, 128 << 10
    with open(wh.folder / "in.safetensors", "wb") as file:
        header = json.dumps({f"l{i}/w:0": {
            "dtype": "F32", "shape": [each],
            "data_offsets": [4 * each * i, 4 * each * (i + 1)]}
            for i in range(count)}).encode()
        header += b" " * (-len(header) % 8)
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 4 * each * count)
    assert peak(wh, "convert", "in.safetensors", "out.h5") < 64 << 10
    assert (wh.folder / "out.h5").stat().st_size > 4 * each * count
    with h5py.File(wh.folder / "out.h5") as file:
        assert len(file.attrs["layer_names"]) == count
        last = file["l1999"]
        assert last[last.attrs["weight_names"][0]].shape == (each,)
    for path in wh.folder.iterdir():
        path.unlink()
