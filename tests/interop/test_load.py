"""`wh load-weights` does to a file what load_weights does to a model: same
values, same refusals, same words."""
import json
import re

import h5py
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from conftest import config, same
from zoo import BY_NAME, arrays, check_arrays, fill, train

layers = keras.layers
Input, Sequential = keras.Input, keras.Sequential


def make(units=(4, 3), names=("fc1", "fc2"), inputs=5):
    return Sequential([Input((inputs,))] + [
        layers.Dense(n, name=name) for n, name in zip(units, names)])


def loaded(wh, *words):
    return json.loads(wh("load-weights", "HEAD", "--json", *words))


class Own(keras.Model):
    """One weight is the model's itself."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(2, name="inner")
        self.own = self.add_weight(name="own", shape=(2,))

    def call(self, inputs):
        return self.inner(inputs) + self.own


@pytest.mark.parametrize("words", [(), ("--by-name",)],
                         ids=["in order", "by name"])
def test_an_early_file_says_nothing_of_the_models_own_weights(words, wh):
    model = Own()
    model(np.zeros((1, 3), "float32"))
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    with h5py.File(wh.folder / "theirs.h5", "r+") as file:
        del file["top_level_model_weights"]
    wh.commit("theirs.h5")
    fill(model, 2)
    model.save_weights(wh.folder / "into.h5")
    model.load_weights(wh.folder / "theirs.h5", by_name=bool(words))
    expected = arrays(model)
    row = loaded(wh, "--into", "into.h5", *words)
    assert (row["loaded"], row["kept"], row["unused"]) == (2, 1, 0)
    fill(model, 3)
    model.load_weights(wh.folder / "into.h5")
    check_arrays(model, expected)


def test_weights_that_share_their_bytes_get_a_value_each(wh):
    model = make(units=(5, 5))
    fill(model, 1)
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit("theirs.h5")
    model.save_weights(wh.folder / "into.h5")
    with h5py.File(wh.folder / "into.h5", "r+") as file:
        del file["fc2/fc2/kernel:0"]
        file["fc2/fc2/kernel:0"] = file["fc1/fc1/kernel:0"]
    loaded(wh, "--into", "into.h5")
    fill(model, 2)
    model.load_weights(wh.folder / "into.h5")
    check_arrays(model, expected)


@pytest.mark.parametrize("name", ["dense_sequential", "batch_norm", "lstm",
                                  "bidirectional", "multi_head_attention",
                                  "nested_with_a_frozen_layer",
                                  "subclassed", "transformer_block"])
@pytest.mark.parametrize("suffix", [".h5", ""])
def test_a_file_gets_the_values_of_a_snapshot(name, suffix, wh):
    model = BY_NAME[name].make()
    fill(model, 1)
    theirs, into = wh.folder / f"theirs{suffix}", wh.folder / f"into{suffix}"
    model.save_weights(theirs)
    expected = arrays(model)
    wh.commit(theirs)
    fill(model, 2)
    model.save_weights(into)
    row = loaded(wh, "--into", into)
    assert row["loaded"] == len(expected)
    assert row["kept"] == row["unused"] == row["skipped"] == 0
    model.load_weights(into)
    check_arrays(model, expected)
    for file in row["files"]:
        ours = wh.folder / file["path"]
        assert same(ours, wh.folder / ours.name.replace("into", "theirs"))


def test_a_full_model_keeps_its_configuration_and_optimizer(wh):
    model = make()
    train(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit(wh.folder / "theirs.h5")
    expected = arrays(model)
    fill(model, 2)
    for value in model.optimizer.variables:
        value.assign(tf.ones_like(value))
    model.save(wh.folder / "full.h5")
    before = h5py.File(wh.folder / "full.h5").attrs["model_config"]
    loaded(wh, "--into", "full.h5")
    with h5py.File(wh.folder / "full.h5") as file:
        assert file.attrs["model_config"] == before
    again = keras.models.load_model(wh.folder / "full.h5")
    check_arrays(again, expected)
    assert all((value.numpy() == 1).all()
               for value in again.optimizer.variables)


def refusals(wh, source, target, tmp, *words, **keywords):
    """What wh and what tf-keras say of loading one into the other."""
    source.save_weights(wh.folder / "theirs.h5")
    target.save_weights(wh.folder / "into.h5")
    wh.commit(wh.folder / "theirs.h5")
    before = (wh.folder / "into.h5").read_bytes()
    said = wh.refused("load-weights", "--into", "into.h5", *words)
    assert (wh.folder / "into.h5").read_bytes() == before
    with pytest.raises(ValueError) as theirs:
        target.load_weights(wh.folder / "theirs.h5", **keywords)
    return said, str(theirs.value)


def test_by_topology_another_number_of_layers_is_refused(wh, tmp_path):
    said, theirs = refusals(wh, make(), make((4,), ("fc1",)), tmp_path)
    assert theirs in said


def test_by_topology_another_number_of_weights_is_refused(wh, tmp_path):
    target = Sequential([Input((5,)), layers.Dense(4, name="fc1"),
                         layers.Dense(3, use_bias=False, name="fc2")])
    said, theirs = refusals(wh, make(), target, tmp_path)
    assert theirs in said


def test_by_topology_another_shape_is_refused(wh, tmp_path):
    said, theirs = refusals(wh, make(), make((4, 2)), tmp_path)
    assert "(4, 2)" in theirs and "(4, 3)" in theirs
    assert ("Shape mismatch in layer #1 (named fc2) for weight fc2/kernel:0. "
            "Weight expects shape (4, 2). Received saved weight with shape "
            "(4, 3)") in said


def test_hdf5_8_47_by_name_another_number_of_weights_is_refused(wh, tmp_path):
    target = Sequential([Input((5,)), layers.Dense(4, name="fc1"),
                         layers.Dense(3, use_bias=False, name="fc2")])
    said, theirs = refusals(wh, make(), target, tmp_path, "--by-name",
                            by_name=True)
    assert theirs in said


def test_hdf5_8_47_by_name_another_shape_is_refused(wh, tmp_path):
    said, theirs = refusals(wh, make(), make((4, 2)), tmp_path, "--by-name",
                            by_name=True)
    assert theirs in said


def test_hdf5_8_47_by_name_only_layers_of_that_name_are_loaded(wh):
    source, target = make(), make((7, 3), ("other", "fc2"), 5)
    source = make((4, 3), ("fc1", "fc9"))
    target = make((4, 3), ("fc1", "fc2"))
    fill(source, 1)
    fill(target, 2)
    source.save_weights(wh.folder / "theirs.h5")
    target.save_weights(wh.folder / "into.h5")
    wh.commit(wh.folder / "theirs.h5")
    row = loaded(wh, "--into", "into.h5", "--by-name")
    assert (row["loaded"], row["kept"], row["unused"]) == (2, 2, 2)
    target.load_weights(wh.folder / "theirs.h5", by_name=True)
    expected = arrays(target)
    target.load_weights(wh.folder / "into.h5")
    check_arrays(target, expected)


def test_hdf5_8_47_skip_mismatch_leaves_what_differs_and_warns_as_keras(wh, caplog):
    source, target = make(), make((4, 2))
    fill(source, 1)
    fill(target, 2)
    source.save_weights(wh.folder / "theirs.h5")
    target.save_weights(wh.folder / "into.h5")
    wh.commit(wh.folder / "theirs.h5")
    done = wh.run("load-weights", "--into", "into.h5", "--by-name",
                  "--skip-mismatch", "--json")
    assert json.loads(done.stdout)["skipped"] == 2
    with caplog.at_level("WARNING"):
        tf.get_logger().propagate = True
        target.load_weights(wh.folder / "theirs.h5", by_name=True,
                            skip_mismatch=True)
    expected = arrays(target)
    target.load_weights(wh.folder / "into.h5")
    check_arrays(target, expected)
    warned = re.findall(r"Skipping loading weights.*", done.stderr)
    assert len(warned) == 2
    for text in warned:
        assert not caplog.messages or text in caplog.messages


def test_hdf5_8_47_skip_mismatch_needs_by_name(wh):
    make().save_weights(wh.folder / "a.h5")
    wh.commit(wh.folder / "a.h5")
    said = wh.refused("load-weights", "--into", "a.h5", "--skip-mismatch")
    with pytest.raises(ValueError) as theirs:
        make().load_weights(wh.folder / "a.h5", skip_mismatch=True)
    assert str(theirs.value)[:60] in said


def test_by_name_into_a_checkpoint_is_refused_as_keras_does(wh):
    model = make()
    model.save_weights(wh.folder / "a")
    wh.commit(wh.folder / "a")
    said = wh.refused("load-weights", "--into", "a", "--by-name")
    with pytest.raises(NotImplementedError) as theirs:
        model.load_weights(wh.folder / "a", by_name=True)
    assert str(theirs.value) in said


@pytest.mark.parametrize("source", ["float16", "float64"])
def test_values_are_widened_and_rounded_only_when_asked(source, wh):
    model = Sequential([Input((4,), dtype=source),
                        layers.Dense(3, dtype=source)])
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit(wh.folder / "theirs.h5")
    target = Sequential([Input((4,)), layers.Dense(3)])
    target.save_weights(wh.folder / "into.h5")
    if source == "float64":
        assert "--cast" in wh.refused("load-weights", "--into", "into.h5")
    wh("load-weights", "--into", "into.h5", "--cast")
    target.load_weights(wh.folder / "theirs.h5")
    expected = arrays(target)
    fill(target, 3)
    target.load_weights(wh.folder / "into.h5")
    check_arrays(target, expected)


# ---- skip_mismatch in Keras's own formats -----------------------------------


def stack(of, units=(4, 3), inputs=5, biases=(True, True, True)):
    return of.Sequential([of.Input((inputs,))] + [
        of.layers.Dense(n, use_bias=bias) for n, bias in zip(units, biases)])


def tower(of, units):
    """A layer of several objects, of which some differ."""
    return of.Sequential([of.Input((6, 2)), of.layers.Bidirectional(
        of.layers.LSTM(3)), of.layers.BatchNormalization(),
        of.layers.Dense(units)])


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("of", [keras, keras3], ids=["tf-keras", "keras-3"])
@pytest.mark.parametrize("make_target, skipped", [
    (lambda of: stack(of), 0),
    (lambda of: stack(of, (4, 2)), 2),
    (lambda of: stack(of, inputs=7), 2),
    (lambda of: stack(of, biases=(True, False)), 1),
    (lambda of: stack(of, (4, 3, 3)), 2),
    (lambda of: stack(of, (4,)), 0),
    (lambda of: tower(of, 3), 12),
], ids=["equal", "units", "inputs", "bias", "more", "fewer", "other"])
def test_hdf5_8_47_skip_mismatch_leaves_the_objects_that_keras_leaves(
        make_target, skipped, of, suffix, wh):
    source, target = stack(of), make_target(of)
    fill(source, 1)
    fill(target, 2)
    for model, name in ((source, "theirs"), (target, "into")):
        path = wh.folder / f"{name}{suffix}"
        model.save(path) if suffix == ".keras" else model.save_weights(path)
    wh.commit(f"theirs{suffix}")
    done = wh.run("load-weights", "--into", f"into{suffix}",
                  "--skip-mismatch", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["skipped"] == skipped
    assert ("Skipping object" in done.stderr) == bool(skipped)
    target.load_weights(wh.folder / f"theirs{suffix}", skip_mismatch=True)
    expected = arrays(target)
    fill(target, 3)
    target.load_weights(wh.folder / f"into{suffix}")
    check_arrays(target, expected)


@pytest.mark.parametrize("units, refused", [((4, 2), None),
                                            ((4, 3, 3), "Layer count")])
def test_skip_mismatch_of_legacy_weights_leaves_shapes_as_keras_3_does(
        units, refused, wh):
    source, target = stack(keras3), stack(keras3, units)
    fill(source, 1)
    fill(target, 2)
    source.save(wh.folder / "theirs.h5")
    target.save_weights(wh.folder / "into.weights.h5")
    wh.commit("theirs.h5")
    words = "load-weights", "--into", "into.weights.h5", "--skip-mismatch"
    if refused:
        assert refused in wh.refused(*words)
        with pytest.raises(ValueError, match=refused):
            target.load_weights(wh.folder / "theirs.h5", skip_mismatch=True)
        return
    assert "Skipping loading weights for layer #1" in wh.run(*words).stderr
    target.load_weights(wh.folder / "theirs.h5", skip_mismatch=True)
    expected = arrays(target)
    fill(target, 3)
    target.load_weights(wh.folder / "into.weights.h5")
    check_arrays(target, expected)


# ---- Quantized layers -------------------------------------------------------


def quantized(mode, seed):
    model = keras3.Sequential([keras3.Input((6,)),
                               keras3.layers.Dense(4, name="d"),
                               keras3.layers.Dense(2, name="e")])
    model.quantize(mode)
    fill(model, seed)
    return model


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_layers_go_to_legacy_hdf5_in_the_order_of_a_map(mode, wh):
    """Keras 3's own file has the kernel first, its legacy one the bias."""
    model = quantized(mode, 1)
    expected = arrays(model)
    model.save_weights(wh.folder / "q.weights.h5")
    said = wh.refused("convert", "q.weights.h5", "q.h5")
    assert "layer 'd' is quantized" in said and "--map FILE" in said
    assert not (wh.folder / "q.h5").exists()
    rest = [w.name for w in model.layers[0].weights[2:]]
    (wh.folder / "map.json").write_text(json.dumps({
        f"layers/{slot}/vars/{key}": f"{name}/{leaf}"
        for slot, name in (("dense", "d"), ("dense_1", "e"))
        for key, leaf in [(1, "bias"), (0, "kernel")] + [
            (i + 2, leaf) for i, leaf in enumerate(rest)]}))
    wh("convert", "q.weights.h5", "q.h5", "--map", "map.json")
    model.save(wh.folder / "theirs.h5")
    fill(model, 2)
    model.load_weights(wh.folder / "q.h5")
    check_arrays(model, expected)
    fill(model, 3)
    model.save_weights(wh.folder / "into.weights.h5")
    wh("load-weights", "file:q.weights.h5", "--into", "into.weights.h5")
    model.load_weights(wh.folder / "into.weights.h5")
    check_arrays(model, expected)
    assert "is quantized" in wh.refused(
        "load-weights", "file:q.weights.h5", "--into", "theirs.h5")


# ---- Names of classes -------------------------------------------------------


def test_by_name_says_that_a_file_names_layers_by_their_classes(wh):
    """tf-keras's .weights.h5 has no layer names, which a configuration has."""
    names = ("a", "dense_1", "c")
    source, target = make((4, 4, 4), names), make((4, 4, 4), names)
    fill(source, 1)
    fill(target, 2)
    source.save_weights(wh.folder / "theirs.h5")
    target.save_weights(wh.folder / "into.weights.h5")
    target.save_weights(wh.folder / "by-config.weights.h5")
    wh.commit("theirs.h5")
    words = "load-weights", "--by-name", "--json", "--into"
    done = wh.run(*words, "into.weights.h5")
    assert json.loads(done.stdout)["loaded"] == 2
    (said,) = done.stderr.splitlines()
    assert "that is loaded into names layers by their classes" in said
    assert "1 of 3 layers" in said and "--model-config" in said
    done = wh.run("load-weights", "file:into.weights.h5", "--by-name",
                  "--into", "theirs.h5")
    assert "that is loaded from names layers by their classes" in done.stderr
    said = json.loads(wh.quiet(*words, "by-config.weights.h5",
                               *config(wh, target)))
    assert (said["loaded"], said["kept"]) == (6, 0)
    target.load_weights(wh.folder / "by-config.weights.h5")
    check_arrays(target, arrays(source))


def test_by_name_takes_the_names_that_a_file_of_keras_3_has(wh):
    def made(seed):
        model = keras3.Sequential([keras3.Input((5,))] + [
            keras3.layers.Dense(5, name=name) for name in "abc"])
        fill(model, seed)
        return model
    source, target = made(1), made(2)
    source.save(wh.folder / "theirs.h5")
    target.save_weights(wh.folder / "into.weights.h5")
    wh.commit("theirs.h5")
    row = json.loads(wh.quiet("load-weights", "--by-name", "--json", "--into",
                              "into.weights.h5"))
    assert (row["loaded"], row["kept"]) == (6, 0)
    target.load_weights(wh.folder / "into.weights.h5")
    check_arrays(target, arrays(source))


# ---- Objects ----------------------------------------------------------------


def checkpoints(wh, source, target):
    source.write(str(wh.folder / "theirs"))
    target.write(str(wh.folder / "into"))
    wh.commit(wh.folder / "theirs")
    return str(wh.folder / "theirs")


@pytest.mark.parametrize("source, into", [
    ("model", "checkpoint"), ("checkpoint", "model"), ("h5", "checkpoint")])
def test_the_roots_of_a_model_meet(source, into, wh):
    """The optimizer, which both roots have, was all that matched."""
    def write(model, kind, name):
        if kind == "checkpoint":
            tf.train.Checkpoint(model=model, optimizer=model.optimizer,
                                step=tf.Variable(7)).write(
                str(wh.folder / name))
        else:
            model.save_weights(wh.folder / name)
    name = "theirs.h5" if source == "h5" else "theirs"
    model, other = make(), make()
    train(model)
    train(other)
    fill(model, 1)
    expected = arrays(model)
    write(model, source, name)
    write(other, into, "into")
    wh.commit(wh.folder / name)
    row = loaded(wh, "--into", "into")
    assert row["loaded"] >= len(expected)
    fill(model, 2)
    if into == "model":
        model.load_weights(wh.folder / "into")
    else:
        step = tf.Variable(0)
        tf.train.Checkpoint(model=model, step=step).read(
            str(wh.folder / "into")).expect_partial()
        assert step.numpy() == 7
    check_arrays(model, expected)
    if source != "h5":
        write(other, into, "into")
        done = wh.run("load-weights", "--into", "into", "--match", "objects")
        assert "keeps its own" in done.stderr, "as TensorFlow does"


def test_objects_match_greedily_by_attribute_names(wh):
    a, b, c = tf.Variable([1.0]), tf.Variable([2.0]), tf.Variable([3.0])
    source = tf.train.Checkpoint(x=a, only=tf.Variable([9.0]))
    target = tf.train.Checkpoint(x=b, more=c)
    path = checkpoints(wh, source, target)
    done = wh.run("load-weights", "--into", "into", "--json")
    row = json.loads(done.stdout)
    assert (row["loaded"], row["kept"], row["unused"]) == (1, 1, 1)
    assert "Value in checkpoint could not be found in the restored " \
        "object: (root).only" in done.stderr
    reader = tf.train.load_checkpoint(str(wh.folder / "into"))
    assert reader.get_tensor("x/.ATTRIBUTES/VARIABLE_VALUE")[0] == 1
    assert reader.get_tensor("more/.ATTRIBUTES/VARIABLE_VALUE")[0] == 3
    target.read(str(wh.folder / "into")).assert_consumed()
    assert wh.quiet("load-weights", "--into", "into", "--expect-partial")
    for flag, method in (
            ("--assert-existing-objects-matched",
             "assert_existing_objects_matched"),
            ("--assert-consumed", "assert_consumed")):
        said = wh.refused("load-weights", "--into", "into", flag)
        with pytest.raises(AssertionError) as theirs:
            getattr(target.read(path), method)()
        start = str(theirs.value).split("[")[0]
        assert start.startswith("Found 1 Python objects") and start in said


def test_assert_consumed_names_what_is_left_over(wh):
    source = tf.train.Checkpoint(x=tf.Variable([1.0]),
                                 only=tf.Variable([9.0]))
    target = tf.train.Checkpoint(x=tf.Variable([2.0]))
    path = checkpoints(wh, source, target)
    wh("load-weights", "--into", "into", "--assert-existing-objects-matched",
       "-q")
    said = wh.refused("load-weights", "--into", "into", "--assert-consumed")
    with pytest.raises(AssertionError) as theirs:
        target.read(path).assert_consumed()
    start = str(theirs.value).split(":")[0]
    assert start == "Unresolved object in checkpoint (root).only"
    assert start in said


def test_nothing_that_matches_is_refused_as_load_weights_does(wh):
    source = tf.train.Checkpoint(net=tf.Variable([1.0]))
    target = tf.train.Checkpoint(model=tf.Variable([2.0]))
    checkpoints(wh, source, target)
    said = wh.refused("load-weights", "--into", "into")
    assert "Nothing except the root object matched a checkpointed value. " \
        "Typically this means that the checkpoint does not match the " \
        "Python program." in said
    assert "(root).model" in said


def test_tf_15_another_shape_is_refused_in_tensorflows_words(wh):
    source = tf.train.Checkpoint(x=tf.Variable(np.zeros((4, 5)), name="v"))
    target = tf.train.Checkpoint(x=tf.Variable(np.zeros((5, 4)), name="v"))
    path = checkpoints(wh, source, target)
    said = wh.refused("load-weights", "--into", "into")
    with pytest.raises(ValueError) as theirs:
        target.read(path)
    assert str(theirs.value) in said


def test_tf_15_another_dtype_is_refused_in_tensorflows_words(wh):
    source = tf.train.Checkpoint(x=tf.Variable([1.0]))
    target = tf.train.Checkpoint(x=tf.Variable([1.0], dtype="float64"))
    path = checkpoints(wh, source, target)
    said = wh.refused("load-weights", "--into", "into")
    with pytest.raises(tf.errors.InvalidArgumentError) as theirs:
        target.read(path)
    assert re.search(r"tensor_name = \S+; expected dtype double does not "
                     r"equal original dtype float",
                     str(theirs.value)).group() in said


def legacy(rate):
    model = make()
    model.compile(keras.optimizers.legacy.Adam(rate), "mse")
    model.fit(np.zeros((2, 5), "float32"), np.zeros((2, 3), "float32"),
              verbose=0)
    return model


def test_tf_12_33_slot_variables_are_loaded_unless_they_are_skipped(wh):
    source, target = legacy(0.1), legacy(0.2)
    source.save_weights(wh.folder / "theirs")
    wh.commit(wh.folder / "theirs")
    slots = [w.numpy() for w in source.optimizer.variables()]
    own = [w.numpy() for w in target.optimizer.variables()]
    target.save_weights(wh.folder / "into")
    target.save_weights(wh.folder / "skipped")
    wh.quiet("load-weights", "--into", "into", "--assert-consumed")
    wh.quiet("load-weights", "--into", "skipped", "--assert-consumed",
             "--skip-slot-variables")
    target.load_weights(wh.folder / "into").assert_consumed()
    for a, b in zip(target.optimizer.variables(), slots):
        assert np.array_equal(a.numpy(), b)
    target.load_weights(wh.folder / "skipped").assert_consumed()
    for a, b, c in zip(target.optimizer.variables()[1:], own[1:], slots[1:]):
        assert np.array_equal(a.numpy(), b)


def test_one_replaced_layer_leaves_the_graph_as_it_was(wh):
    """What is re-exported has the other checkpoint's own graph."""
    model = make()
    train(model)
    fill(model, 1)
    model.save_weights(wh.folder / "trained")
    wh.commit(wh.folder / "trained")
    other = make((4, 3), ("fc1", "unknown"))
    fill(other, 2)
    other.save_weights(wh.folder / "other.h5")
    wh("load-weights", "file:other.h5", "--into", "trained",
       "--expect-partial")
    graph = tf.train.load_checkpoint(str(wh.folder / "trained")).get_tensor(
        "_CHECKPOINTABLE_OBJECT_GRAPH")
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    assert graph == tf.train.load_checkpoint(
        str(wh.folder / "again")).get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    model.load_weights(wh.folder / "trained").assert_consumed()
    check_arrays(model, arrays(other))


def test_a_name_based_checkpoint_goes_by_full_names(wh):
    model = make()
    fill(model, 1)
    expected = arrays(model)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        values = [tf.compat.v1.Variable(a, name=w.name[:-2])
                  for a, w in zip(expected, model.weights)]
        session.run([value.initializer for value in values])
        tf.compat.v1.train.Saver(values).save(
            session, str(wh.folder / "v1"), write_meta_graph=False)
    wh.commit(wh.folder / "v1")
    fill(model, 2)
    model.save_weights(wh.folder / "into")
    wh.quiet("load-weights", "--into", "into", "--assert-consumed")
    model.load_weights(wh.folder / "into").assert_consumed()
    check_arrays(model, expected)


def test_the_state_file_and_other_checkpoints_stay_as_they_are(wh):
    checkpoint = tf.train.Checkpoint(x=tf.Variable([1.0]))
    manager = tf.train.CheckpointManager(checkpoint, str(wh.folder / "d"), 3)
    for value in (1, 2, 3):
        checkpoint.x.assign([value])
        manager.save()
    before = (wh.folder / "d" / "checkpoint").read_bytes()
    wh.commit(wh.folder / "d")
    wh("load-weights", "--into", "d:ckpt-1")
    assert (wh.folder / "d" / "checkpoint").read_bytes() == before
    reader = tf.train.load_checkpoint(str(wh.folder / "d" / "ckpt-1"))
    assert reader.get_tensor("x/.ATTRIBUTES/VARIABLE_VALUE")[0] == 3


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_file_of_another_kind_keeps_its_kind(suffix, wh):
    """Names and layers are those that the file came with."""
    model = BY_NAME["batch_norm"].make()
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    fill(model, 2)
    model.save_weights(wh.folder / "other.h5")
    wh("convert", "theirs.h5", f"expected{suffix}")
    wh("convert", "other.h5", f"into{suffix}")
    wh("load-weights", "file:theirs.h5", "--into", f"into{suffix}")
    if suffix == ".npz":
        ours, theirs = (np.load(wh.folder / f"{name}{suffix}")
                        for name in ("into", "expected"))
        assert ours.files == theirs.files
        assert all((ours[key] == theirs[key]).all() for key in ours.files)
    else:
        assert same(wh.folder / f"into{suffix}",
                    wh.folder / f"expected{suffix}")
    wh("load-weights", f"file:into{suffix}", "--into", "other.h5")
    assert same(wh.folder / "other.h5", wh.folder / "theirs.h5")


def test_a_compressed_full_model_is_refused_and_a_plain_one_laid_out(wh):
    model = make()
    train(model)
    model.save(wh.folder / "full.h5")
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit(wh.folder / "theirs.h5")
    expected = arrays(model)
    fill(model, 2)
    model.save_weights(wh.folder / "plain.h5")
    for name in ("full", "plain"):
        with h5py.File(wh.folder / f"{name}.h5") as source, \
                h5py.File(wh.folder / f"{name}-packed.h5", "w") as target:
            copy_packed(source, target)
    before = (wh.folder / "full-packed.h5").read_bytes()
    assert "convert it first" in wh.refused(
        "load-weights", "--into", "full-packed.h5")
    assert (wh.folder / "full-packed.h5").read_bytes() == before
    done = wh.run("load-weights", "--into", "plain-packed.h5")
    assert "laid out anew" in done.stderr
    model.load_weights(wh.folder / "plain-packed.h5")
    check_arrays(model, expected)


def copy_packed(source, target):
    for key, value in source.attrs.items():
        target.attrs[key] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            copy_packed(item, target.create_group(name))
        elif item.shape:
            target.create_dataset(name, data=item[()], compression="gzip")
        else:
            target[name] = item[()]
