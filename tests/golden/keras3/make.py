"""Makes the Keras 3 golden files: make.py [OUT | --check]."""
import sys
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common
from common import WRITERS, digest, fill, fresh, h5py, keras2, keras3, np

# Their config.json numbers objects by address, and they have a date.
ARCHIVES = ("archive", "archive-deflated", "archive-keras2")
MODELS, CASES = {}, {}


def model(function):
    """A model that both Keras 3 and tf-keras build."""
    MODELS[function.__name__.replace("_", "-")] = function
    return function


def case(function):
    """`function(folder)` writes files; it returns the name of the one that is
    opened, who wrote it, and whether it is canonical."""
    CASES[function.__name__.replace("_", "-")] = function
    return function


@model
def sequential(K):
    L = K.layers
    return K.Sequential([K.Input((3,)), L.Dense(4, name="fc1"),
                         L.Dropout(0.1), L.BatchNormalization(name="norm"),
                         L.Dense(2, name="fc2")], name="seq")


def _inner(K, name, *more):
    return K.Sequential([K.Input((3,)), K.layers.Dense(3, name=name + "1"),
                         *more, K.layers.Dense(3, name=name + "2")],
                        name=name)


@model
def nested(K):
    """A model in a model in a model, a frozen layer, one called twice."""
    i = K.Input((3,), name="in")
    inner = _inner(K, "inner", _inner(K, "core"))
    inner.layers[0].trainable = False
    twice = K.layers.Dense(3, name="twice")
    return K.Model(i, inner(twice(twice(i))), name="outer")


@model
def recurrent(K):
    L = K.layers
    return K.Sequential([K.Input((4, 2)), L.LSTM(2, return_sequences=True),
                         L.GRU(2, return_sequences=True),
                         L.SimpleRNN(2, name="last")])


@model
def bidirectional(K):
    L = K.layers
    return K.Sequential([K.Input((4, 2)),
                         L.Bidirectional(L.LSTM(2, name="l"), name="bi")])


@model
def cells(K):
    L = K.layers
    return K.Sequential([K.Input((4, 2)), L.RNN(
        [L.LSTMCell(2, name="a"), L.GRUCell(2), L.LSTMCell(2, name="b")])])


@model
def wrapped(K):
    L = K.layers
    return K.Sequential([K.Input((4, 3)),
                         L.TimeDistributed(L.Dense(2, name="d"), name="td")])


@model
def attention(K):
    i = K.Input((4, 3))
    return K.Model(i, K.layers.MultiHeadAttention(2, 2, name="mha")(i, i))


@model
def convolutions(K):
    L = K.layers
    return K.Sequential([
        K.Input((6, 6, 1)), L.Conv2D(2, 2), L.PReLU(shared_axes=[1, 2]),
        L.SeparableConv2D(2, 2, use_bias=False), L.DepthwiseConv2D(2),
        L.Conv2DTranspose(1, 2), L.LayerNormalization()])


@model
def embedding(K):
    L = K.layers
    return K.Sequential([K.Input((4,), dtype="int32"), L.Embedding(5, 2),
                         L.GlobalAveragePooling1D(), L.Dense(1)])


@model
def half(K):
    L = K.layers
    return K.Sequential([K.Input((3,)), L.Dense(2, dtype="float16"),
                         L.Dense(2, dtype="float64")])


@model
def no_weights(K):
    return K.Sequential([K.Input((4,)), K.layers.Activation("relu")])


@model
def trained(K):
    """With an optimizer, whose slots are filled as weights are: fitting
    would add floats."""
    made = sequential(K)
    made.compile("adam", "mse")
    made.optimizer.build(made.trainable_variables)
    return made


def _subclassed(K):
    class Model(K.Model):
        def __init__(self):
            super().__init__(name="sub")
            self.zed = K.layers.Dense(2, name="z")
            self.blocks = [K.layers.Dense(2, name="x"),
                           K.layers.Dense(2, name="y")]
            self._hidden = K.layers.Dense(2, name="h")

        def build(self, shape):
            self.own = self.add_weight(name="own", shape=(2,))
            super().build(shape)

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self._hidden(self.zed(x)) + self.own

    made = Model()
    made(np.zeros((1, 2), "float32"))
    return made


@model
def subclassed(K):
    """Layers as attributes, in a list, private; a weight of the model's."""
    return _subclassed(K)


def built(name, K):
    random = fresh(name)
    made = MODELS[name](K)
    fill(made.weights, random)
    for variable in getattr(getattr(made, "optimizer", None), "variables", []):
        fill([variable], random)
    return made


def bfloat16_model():
    L = keras3.layers
    made = keras3.Sequential([keras3.Input((3,)),
                              L.Dense(2, dtype="bfloat16", name="b"),
                              L.Dense(2)])
    fill(made.weights, fresh("bfloat16"))
    return made


@case
def bfloat16(folder):
    bfloat16_model().save_weights(folder / "bfloat16.weights.h5")
    return "bfloat16.weights.h5", WRITERS["keras3"], True


class Numbers(keras3.layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=())
        self.none = self.add_weight(name="none", shape=(0, 4))
        self.steps = self.add_weight(name="steps", shape=(2,), dtype="int64",
                                     trainable=False, initializer="zeros")
        self.mask = self.add_weight(name="mask", shape=(9,), dtype="bool",
                                    trainable=False, initializer="zeros")

    def call(self, x):
        return x * self.gain


def numbers_model():
    random = fresh("numbers")
    made = keras3.Sequential([keras3.Input((4,)), Numbers(name="n"),
                              keras3.layers.Dense(2)], name="seq")
    fill(made.weights, random)
    return made


@case
def numbers(folder):
    """A scalar, an empty array, integers, bools, in a class of its own."""
    numbers_model().save_weights(folder / "numbers.weights.h5")
    return "numbers.weights.h5", WRITERS["keras3"], True


def sharded(folder, name, made, nbytes):
    made.save_weights(folder / f"{name}.weights.json",
                      max_shard_size=nbytes / 2**30)
    return f"{name}.weights.json", WRITERS["keras3"], True


@case
def sharded_nested(folder):
    return sharded(folder, "sharded-nested", built("nested", keras3), 60)


@case
def sharded_numbers(folder):
    """Shards that end in bools, which Keras counts as eighths of a byte."""
    return sharded(folder, "sharded-numbers", numbers_model(), 33)


@case
def one_shard(folder):
    return sharded(folder, "one-shard", built("recurrent", keras3), 2**20)


@case
def archive(folder):
    built("trained", keras3).save(folder / "archive.keras")
    return "archive.keras", WRITERS["keras3"], False


@case
def archive_keras2(folder):
    built("sequential", keras2).save(folder / "archive-keras2.keras")
    return "archive-keras2.keras", WRITERS["keras2"], False


@case
def archive_deflated(folder):
    built("sequential", keras3).save(folder / "whole.keras")
    with zipfile.ZipFile(folder / "whole.keras") as old, zipfile.ZipFile(
            folder / "archive-deflated.keras", "w",
            zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name),
                         zipfile.ZIP_DEFLATED)
    (folder / "whole.keras").unlink()
    return "archive-deflated.keras", "make.py", False


def rewritten(folder, name, change):
    """The file of `sequential` by Keras 3, written again by h5py."""
    built("sequential", keras3).save_weights(folder / "old.weights.h5")
    with h5py.File(folder / "old.weights.h5") as old, h5py.File(
            folder / f"{name}.h5", "w") as new:
        change(old, new)
    (folder / "old.weights.h5").unlink()
    return f"{name}.h5", WRITERS["h5py"], False


@case
def without_names(folder):
    """As early versions wrote: no names, and no groups without variables; and
    the file is not called .weights.h5."""
    def change(old, new):
        for slot in ("dense", "batch_normalization", "dense_1"):
            for key, value in old[f"layers/{slot}/vars"].items():
                new[f"layers/{slot}/vars/{key}"] = value[()]
    return rewritten(folder, "without-names", change)


@case
def old_layers(folder):
    """As tf-keras 2.12 called them."""
    def change(old, new):
        new.create_group("vars")
        for slot in ("dense", "dropout", "batch_normalization", "dense_1"):
            new.create_group(f"_layer_checkpoint_dependencies/{slot}/vars")
            for key, value in old[f"layers/{slot}/vars"].items():
                new[f"_layer_checkpoint_dependencies/{slot}/vars/{key}"] = (
                    value[()])
    return rewritten(folder, "old-layers", change)


@case
def copied(folder):
    """Copied group by group in the order of names, as h5repack does."""
    def change(old, new):
        for key in sorted(old):
            old.copy(key, new)
    return rewritten(folder, "copied", change)


@case
def chunked(folder):
    def change(old, new):
        for key in sorted(old):
            old.copy(key, new)
        kernel = new["layers/dense/vars/0"][()]
        del new["layers/dense/vars/0"]
        new.create_dataset("layers/dense/vars/0", data=kernel, chunks=(2, 2),
                           compression="gzip", shuffle=True)
    return rewritten(folder, "chunked", change)


def rows_of(file):
    """What h5py sees: path, dtype, shape and digest of each dataset."""
    rows = []

    def visit(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        value = np.asarray(item[()])
        opaque = item.dtype.kind == "V" and item.dtype.itemsize == 2
        rows.append({"key": name,
                     "dtype": "bfloat16" if opaque else value.dtype.name,
                     "shape": list(value.shape),
                     "sha256": digest(value.tobytes())})
    file.visititems(visit)
    return rows


def read_rows(folder, name):
    if name.endswith(".keras"):
        with zipfile.ZipFile(folder / name) as archive, archive.open(
                "model.weights.h5") as member, h5py.File(member) as file:
            return rows_of(file)
    if name.endswith(".json"):
        rows = []
        for path in sorted(folder.glob(name[:-len(".weights.json")] +
                                       "_?????.weights.h5")):
            with h5py.File(path) as file:
                rows += rows_of(file)
        return rows
    with h5py.File(folder / name) as file:
        return rows_of(file)


def write_truth(folder, name, opened, writer, canonical):
    facts = {"writer": writer, "canonical": canonical, "file": opened}
    facts["tensors"] = sorted(read_rows(folder, opened),
                              key=lambda row: row["key"])
    common.write_json(folder / f"{name}.truth", facts, "tensors")


def make_models(out):
    for name in MODELS:
        for K, short in ((keras3, "k3"), (keras2, "k2")):
            full = f"{short}-{name}"
            built(name, K).save_weights(str(out / f"{full}.weights.h5"))
            write_truth(out, full, f"{full}.weights.h5",
                        WRITERS["keras3" if K is keras3 else "keras2"], True)


def make(out):
    make_models(out)
    for name, function in CASES.items():
        if name in ARCHIVES and "--check" in sys.argv:
            continue
        write_truth(out, name, *function(out))


if __name__ == "__main__":
    kept = {f"{name}{suffix}" for name in ARCHIVES
            for suffix in (".keras", ".truth")}
    sys.exit(common.main(make, FOLDER, kept | {"make.py"}))
