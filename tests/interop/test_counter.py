"""--save-counter and --enable-async, beside the real Checkpoint.save: the same
files, whatever the root holds."""
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from conftest import same
from zoo import fill


def layers(library=keras):
    return library.Sequential(
        [library.layers.Input((4,)), library.layers.Dense(3, name="fc1"),
         library.layers.BatchNormalization(name="norm"),
         library.layers.Dense(2, name="fc2")])


def nested():
    inner = keras.Sequential([keras.layers.Dense(3, name="first"),
                              keras.layers.LSTM(2, name="second")],
                             name="inner")
    start = keras.Input((5, 4))
    return keras.Model(start, keras.layers.Dense(2, name="out")(inner(start)))


def trained(optimizer, library=keras):
    model = layers(library)
    model.compile(optimizer, "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    return model


def beside_its_optimizer(model):
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def variables():
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)
    table.insert(tf.constant([7], tf.int64), [0.5])
    return tf.train.Checkpoint(
        b=tf.Variable([1.5, 2]), a=tf.Variable(["text"]), table=table,
        c=[tf.Variable(1), {"k": tf.Variable(2)}])


ROOTS = {
    "a-model-below-the-root": lambda: tf.train.Checkpoint(model=layers()),
    "a-model-as-the-root": lambda: tf.train.Checkpoint(layers()),
    "nested": lambda: tf.train.Checkpoint(nested()),
    "model-and-optimizer": lambda: beside_its_optimizer(
        trained(keras.optimizers.Adam())),
    "trained": lambda: tf.train.Checkpoint(trained(keras.optimizers.Adam())),
    "slots": lambda: tf.train.Checkpoint(
        trained(keras.optimizers.legacy.Adam())),
    "model-and-slots": lambda: beside_its_optimizer(
        trained(keras.optimizers.legacy.Adam())),
    "keras-3": lambda: tf.train.Checkpoint(
        model=trained(keras3.optimizers.Adam(), keras3)),
    "variables-and-a-table": variables,
}
# Of Keras 3's variables TensorFlow's asynchronous save forgets the names.
IN_THE_BACKGROUND = [name for name in ROOTS if name != "keras-3"]


def is_theirs(wh, ours, theirs):
    for suffix in (".index", ".data-00000-of-00001"):
        assert same(wh.folder / f"{ours}{suffix}",
                    wh.folder / f"{theirs}{suffix}"), (ours, suffix)


@pytest.mark.parametrize("name", ROOTS)
def test_counted_saves_are_theirs_byte_for_byte(wh, name):
    root = ROOTS[name]()
    root.write(str(wh.folder / "plain"))
    for _ in range(2):
        root.save(str(wh.folder / "theirs"))
    wh("convert", "plain", "first", "--save-counter", 1)
    is_theirs(wh, "first", "theirs-1")
    wh("convert", "theirs-1", "second", "--save-counter", 2)
    is_theirs(wh, "second", "theirs-2")
    wh.commit("plain")
    wh("save-weights", "HEAD", "stored", "--save-format", "tf",
       "--save-counter", 2)
    is_theirs(wh, "stored", "theirs-2")


@pytest.mark.parametrize("name", IN_THE_BACKGROUND)
def test_saves_in_the_background_are_theirs_byte_for_byte(wh, name):
    options = tf.train.CheckpointOptions(enable_async=True)
    root = ROOTS[name]()
    root.write(str(wh.folder / "plain"))
    root.write(str(wh.folder / "theirs"), options=options)
    root.save(str(wh.folder / "theirs"), options=options)
    root.sync()
    wh("convert", "plain", "ours", "--enable-async")
    is_theirs(wh, "ours", "theirs")
    wh("convert", "plain", "ours", "--enable-async", "--save-counter", 1)
    is_theirs(wh, "ours", "theirs-1")


def test_a_managers_files_are_theirs_byte_for_byte(wh):
    model = layers()
    fill(model, 3)
    root = tf.train.Checkpoint(model=model)
    root.write(str(wh.folder / "plain"))
    kept = tf.train.CheckpointManager(root, str(wh.folder / "theirs"), 2)
    for number in (1, 2, 3):
        kept.save()
        wh("convert", "plain", f"ours/ckpt-{number}", "--save-counter", number,
           "--max-to-keep", 2)
        is_theirs(wh, f"ours/ckpt-{number}", f"theirs/ckpt-{number}")
    names = [sorted(path.name for path in (wh.folder / folder).iterdir())
             for folder in ("ours", "theirs")]
    assert names[0] == names[1]


def test_save_weights_in_the_background_is_theirs_byte_for_byte(wh):
    model = layers()
    fill(model, 3)
    model.save_weights(wh.folder / "plain")
    model.save_weights(wh.folder / "theirs",
                       options=tf.train.CheckpointOptions(enable_async=True))
    model._checkpoint.sync()
    wh("convert", "plain", "ours", "--enable-async")
    is_theirs(wh, "ours", "theirs")
