"""Training runs to measure how small history is: train.py FOLDER [RUN...].

Each run becomes FOLDER/RUN/NNN.h5 (or a TensorFlow checkpoint's NNN.index
and its data), a snapshot a file, 40 of them; with --snapshots N the first N of
the same. Seeds are fixed. A run that is there already is left alone.
"""
import argparse
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np  # noqa: E402 - TensorFlow reads the settings above
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

SNAPSHOTS = 40
BATCH = 32
layers = keras.layers


def digits():
    """Scikit-learn's digits, 8 x 8, scaled to 0..1."""
    data = load_digits()
    return ((data.images / 16).astype(np.float32)[..., np.newaxis],
            data.target.astype(np.int32))


def batches(images, labels, random, size=BATCH, scale=1):
    """Endless batches, each digit shifted by up to a pixel, with noise."""
    while True:
        order = random.permutation(len(images))
        for start in range(0, len(order) - size + 1, size):
            part = order[start:start + size]
            x = np.roll(images[part], random.integers(-1, 2, 2), (1, 2))
            x = x + random.normal(0, 0.1, x.shape).astype(np.float32)
            if scale > 1:
                x = np.repeat(x.repeat(scale, 1).repeat(scale, 2), 3, 3)
            yield x, labels[part]


def cnn(dropout=0):
    """About 5 million parameters."""
    return keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(128, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(256, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(1024, activation="relu"),
        *([layers.Dropout(dropout)] if dropout else []),
        layers.Dense(256, activation="relu"),
        layers.Dense(10),
    ])


def with_new_head(model):
    """The last two layers anew, of another width, before those that stand."""
    kept = model.layers[:-2]
    for layer in kept:
        layer.trainable = False
    return keras.Sequential([*kept, layers.Dense(160, activation="relu"),
                             layers.Dense(10)])


def tiny():
    """About 12,000 parameters: 50 KB."""
    return keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(18, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(10),
    ])


def transformer(vocabulary=128, length=64, width=192, depth=4, heads=4):
    """A small language model over bytes, about 1.8 million parameters."""
    tokens = layers.Input((length,), dtype=tf.int32)
    x = layers.Embedding(vocabulary, width)(tokens)
    places = layers.Embedding(length, width)(tf.range(length))
    x = x + places
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(heads, width // heads)(
            y, y, use_causal_mask=True)
        x = x + y
        y = layers.LayerNormalization()(x)
        y = layers.Dense(4 * width, activation="gelu")(y)
        x = x + layers.Dense(width)(y)
    x = layers.LayerNormalization()(x)
    return keras.Model(tokens, layers.Dense(vocabulary)(x))


def text_batches(random, length=64, size=BATCH):
    """Python's own standard library, as 7-bit text."""
    folder = Path(os.__file__).parent
    text = b"".join((folder / name).read_bytes() for name in (
        "argparse.py", "ast.py", "datetime.py", "decimal.py", "doctest.py",
        "pydoc.py", "tarfile.py", "typing.py") if (folder / name).exists())
    data = np.frombuffer(text, np.uint8) & 127
    while True:
        at = random.integers(0, len(data) - length - 1, size)
        rows = np.stack([data[i:i + length + 1] for i in at])
        yield rows[:, :-1].astype(np.int32), rows[:, 1:].astype(np.int32)


def compiled(model, optimizer):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(
        from_logits=True))
    return model


def cosine(rate, steps):
    return keras.optimizers.schedules.CosineDecay(rate, steps)


class Run:
    """Trains, and calls `save(model, path)` every few steps."""

    def __init__(self, model, data, each, save, count=SNAPSHOTS):
        self.model, self.data = model, data
        self.each, self.save, self.count = each, save, count

    def write(self, folder, most):
        for number in range(1, min(self.count, most) + 1):
            for _ in range(self.each):
                self.model.train_on_batch(*next(self.data))
            self.save(self.model, folder / f"{number:03d}")


def weights_h5(model, path):
    model.save_weights(f"{path}.h5")


def whole_h5(model, path):
    model.save(f"{path}.h5")


def rounded(model, path):
    """The weights rounded to bfloat16, as a TensorFlow checkpoint."""
    values = {w.name.replace("/", "_").replace(":0", ""):
              tf.Variable(tf.cast(w, tf.bfloat16)) for w in model.weights}
    tf.train.Checkpoint(**values).write(str(path))


def digit_run(optimizer, save=weights_h5, each=20, model=cnn, seed=1,
              start=None, frozen=False, count=SNAPSHOTS, size=16):
    keras.utils.set_random_seed(seed)
    net = model()
    if start:
        net.load_weights(start)
    if frozen:
        net = with_new_head(net)
    data = batches(*digits(), np.random.default_rng(seed), size)
    return Run(compiled(net, optimizer), data, each, save, count)


def last_of(folder, most):
    """The end of `steps`: where fine-tuning starts."""
    make(folder, "steps", most)
    return str(max((folder / "steps").glob("*.h5")))


def adam(rate=1e-3, steps=20 * SNAPSHOTS):
    return keras.optimizers.Adam(cosine(rate, steps))


def make_applications(_):
    keras.utils.set_random_seed(3)
    net = keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=10,
                                         classifier_activation=None)
    data = batches(*digits(), np.random.default_rng(3), 16, 4)
    return Run(compiled(net, adam(steps=10 * SNAPSHOTS)), data, 10,
               weights_h5)


def make_transformer(_):
    keras.utils.set_random_seed(2)
    return Run(compiled(transformer(), adam()),
               text_batches(np.random.default_rng(2)), 20, weights_h5)


# Each is given how to find a trained model, which takes training one.
RUNS = {
    "steps": lambda _: digit_run(adam()),
    "slots": lambda _: digit_run(adam(), whole_h5),
    "bf16": lambda _: digit_run(adam(), rounded),
    "finetune": lambda start: digit_run(
        keras.optimizers.Adam(1e-5), seed=4, start=start(), size=1),
    "frozen": lambda start: digit_run(
        adam(), seed=5, start=start(), frozen=True),
    "epochs": lambda _: digit_run(
        keras.optimizers.SGD(0.05, momentum=0.9), each=1797 // BATCH,
        model=lambda: cnn(dropout=0.2), size=BATCH),
    "transformer": make_transformer,
    "mobilenet": make_applications,
    "small": lambda _: digit_run(adam(steps=5600), each=1797 // BATCH,
                                 model=tiny, count=100, size=BATCH),
}


def make(folder, name, most):
    target, draft = folder / name, folder / f".{name}"
    if target.exists():
        return
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    RUNS[name](lambda: last_of(folder, most)).write(draft, most)
    draft.rename(target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--snapshots", type=int, default=1000)
    parser.add_argument("folder", type=Path)
    parser.add_argument("run", nargs="*", help=", ".join(RUNS))
    given = parser.parse_args()
    for name in given.run or RUNS:
        if name not in RUNS:
            sys.exit(f"train.py: there is no run '{name}'")
        make(given.folder, name, given.snapshots)


if __name__ == "__main__":
    main()
