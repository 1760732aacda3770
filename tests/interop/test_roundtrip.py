"""What tf-keras saves is imported bit by bit, and what we save it loads."""
import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from conftest import same, sha256
from zoo import (BY_NAME, ZOO, arrays, bits, check_arrays, fill, inputs,
                 train)

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
NAMES = [item.name for item in ZOO]
TRAINED = [item.name for item in ZOO if item.trains]


@pytest.fixture(scope="module")
def made():
    """Models by name, each made once; the suite is mostly their making."""
    models = {}

    def get(name, trained=False):
        if (name, trained) not in models:
            keras.backend.clear_session()
            model = BY_NAME[name].make()
            fill(model, 1)
            if trained:
                train(model)
            models[name, trained] = model
        return models[name, trained]
    return get


def in_h5(path):
    """(layer, name, sha256) as h5py reads them, in the file's order."""
    found = []
    with h5py.File(path) as file:
        weights = file["model_weights"] if "model_weights" in file else file
        for layer in list(weights.attrs["layer_names"]) + [
                "top_level_model_weights"]:
            for name in weights[layer].attrs["weight_names"]:
                data = weights[layer][name][()]
                found.append(("" if layer.startswith("top_level") else layer,
                              name, sha256(np.asarray(data))))
    return found


def in_tf(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return {key: reader.get_tensor(key)
            for key in reader.get_variable_to_shape_map() if key != GRAPH}


def check_listed_tf(wh, prefix):
    listed = {row["name"]: row for row in wh.ls()}
    expected = in_tf(prefix)
    assert set(listed) == set(expected)
    for key, value in expected.items():
        row, value = listed[key], np.asarray(value)
        if value.dtype == object:
            continue
        assert row["sha256"] == sha256(value), key
        assert row["shape"] == list(value.shape), key
        assert row["dtype"] == value.dtype.name, key


@pytest.mark.parametrize("name", NAMES)
def test_an_h5_file_is_listed_as_h5py_reads_it(name, made, wh):
    path = wh.folder / "theirs.h5"
    model = made(name)
    model.save_weights(path)
    assert wh.commit(path)["reproducible"]
    rows = [(row["layer"], row["name"], row["sha256"]) for row in wh.ls()]
    assert rows == in_h5(path)
    assert sorted(row[2] for row in rows) == sorted(
        sha256(array) for array in arrays(model))


@pytest.mark.parametrize("name", NAMES)
def test_our_h5_file_loads_and_is_theirs_byte_for_byte(name, made, wh):
    theirs, ours = wh.folder / "theirs.h5", wh.folder / "ours.h5"
    again = wh.folder / "again.h5"
    model = made(name)
    expected = arrays(model)
    model.save_weights(theirs)
    wh.commit(theirs)
    wh("save-weights", "HEAD", ours, "--canonical")
    wh("save-weights", "HEAD", again)
    assert same(again, theirs)
    if not BY_NAME[name].opaque:
        assert same(ours, theirs)
    fill(model, 2)
    model.load_weights(ours)
    check_arrays(model, expected)


def check_tf_files(wh, theirs, *options):
    ours = wh.folder / "ours" / "ckpt"
    wh("save-weights", "HEAD", ours, "--save-format", "tf", *options)
    for suffix in (".index", ".data-00000-of-00001"):
        assert same(ours.with_name("ckpt" + suffix),
                    theirs.with_name("theirs" + suffix)), suffix
    return ours


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_goes_in_and_out_byte_for_byte(name, made, wh):
    theirs = wh.folder / "theirs"
    model = made(name)
    expected = arrays(model)
    model.save_weights(theirs)
    assert wh.commit(theirs)["reproducible"]
    check_listed_tf(wh, theirs)
    check_tf_files(wh, theirs)
    ours = check_tf_files(wh, theirs, "--canonical")
    fill(model, 2)
    status = model.load_weights(ours)
    status.assert_consumed()
    check_arrays(model, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_root_is_theirs_byte_for_byte(name, made, wh):
    saved, theirs = wh.folder / "saved", wh.folder / "theirs"
    model = made(name)
    expected = arrays(model)
    model.save_weights(saved)
    tf.train.Checkpoint(model=model).write(str(theirs))
    wh.commit(saved)
    ours = check_tf_files(wh, theirs, "--root", "checkpoint", "--canonical")
    fill(model, 2)
    tf.train.Checkpoint(model=model).read(str(ours)).assert_consumed()
    check_arrays(model, expected)


def check_model_root(wh, model, **objects):
    """What Checkpoint(model=...) wrote, as save_weights writes it."""
    theirs = wh.folder / "theirs"
    expected = arrays(model)
    model.save_weights(theirs)
    tf.train.Checkpoint(model=model, **objects).save(wh.folder / "saved")
    wh.commit(wh.folder / "saved-1")
    ours = check_tf_files(wh, theirs, "--root", "model")
    fill(model, 2)
    model.load_weights(ours).assert_consumed()
    check_arrays(model, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_root_is_theirs_byte_for_byte(name, made, wh):
    check_model_root(wh, made(name), step=tf.Variable(3, dtype=tf.int64))


@pytest.mark.parametrize("name", TRAINED)
def test_a_model_root_keeps_the_models_optimizer(name, made, wh):
    model = made(name, trained=True)
    check_model_root(wh, model, optimizer=model.optimizer)


def test_a_model_root_keeps_the_slots_of_its_weights(made, wh):
    """Optimizers of before tf-keras 2.11 have slots, which no edge leads to;
    those of what isn't the model's go with it."""
    keras.backend.clear_session()
    model = BY_NAME["lstm"].make()
    fill(model, 1)
    model.compile(keras.optimizers.legacy.Adam(), "mse")
    other = tf.Variable([1.0])
    data = inputs(model)
    model.fit(data, np.zeros(model(data).shape, "float32"), verbose=0)
    check_model_root(wh, model, optimizer=model.optimizer)
    before = in_tf(wh.folder / "theirs")
    assert any("/.OPTIMIZER_SLOT/" in key for key in before)
    model.optimizer.apply_gradients([(tf.constant([1.0]), other)])
    tf.train.Checkpoint(model=model, optimizer=model.optimizer,
                        other=other).write(str(wh.folder / "more"))
    done = wh.run("convert", "more", "alone", "--save-format", "tf", "--root",
                  "model")
    assert done.returncode == 0 and "left out: 2 optimizer" in done.stderr
    assert in_tf(wh.folder / "alone").keys() == before.keys()


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_checkpoint_keeps_its_optimizer(name, made, wh):
    theirs = wh.folder / "theirs"
    model = made(name, trained=True)
    state = [value.numpy() for value in model.optimizer.variables]
    expected = arrays(model)
    model.save_weights(theirs)
    assert wh.commit(theirs)["reproducible"]
    check_listed_tf(wh, theirs)
    optimizer = [row for row in wh.ls() if row["role"] == "optimizer"]
    assert len(optimizer) > len(model.trainable_weights)
    assert all(row["layer"] == "optimizer" for row in optimizer)
    ours = check_tf_files(wh, theirs, "--canonical")
    fill(model, 2)
    for value in model.optimizer.variables:
        value.assign(tf.zeros_like(value))
    model.load_weights(ours).assert_consumed()
    check_arrays(model, expected)
    assert [bits(value) for value in model.optimizer.variables] == [
        bits(value) for value in state]


@pytest.mark.parametrize("name", ["dense_sequential", "batch_norm", "lstm",
                                  "nested_with_a_frozen_layer",
                                  "mixed_float16"])
def test_a_full_model_file_comes_back_and_gives_its_weights(name, made, wh):
    theirs, weights = wh.folder / "theirs.h5", wh.folder / "weights.h5"
    again, ours = wh.folder / "again.h5", wh.folder / "ours.h5"
    model = made(name, trained=True)
    expected = arrays(model)
    model.save(theirs)
    model.save_weights(weights)
    assert wh.commit(theirs)["reproducible"]
    wh("save-weights", "HEAD", again)
    wh("save-weights", "HEAD", ours, "--canonical")
    assert same(again, theirs)
    assert same(ours, weights)
    fill(model, 2)
    model.load_weights(ours)
    check_arrays(model, expected)
