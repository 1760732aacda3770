"""Makes the TensorFlow golden files: make.py [OUT | --check | --large OUT].

--large writes the cases that are too big to be committed.
"""
import contextlib
import os
import struct
import sys
import time
from pathlib import Path
from unittest import mock

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common
from common import WRITERS, fill, fresh, keras2, keras3, np, tf, values
from models import MODELS, build

import bundle
import by_hand
from tensorflow.python.trackable.base import Trackable

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
CASES, LARGE = {}, {}
# Types that hold one narrow value a byte: the bits that count.
NARROW = {"int4": 15, "uint4": 15, "int2": 3, "uint2": 3, "float4_e2m1fn": 15}
CANONICAL, OTHER = True, False


def case(function):
    """`function(folder, random)` writes a checkpoint; it returns who wrote
    it, whether it is canonical, and its prefix if that isn't "ckpt"."""
    CASES[function.__name__.replace("_", "-")] = function
    return function


def saved(model, folder):
    model.save_weights(str(folder / "ckpt"))
    return WRITERS["keras2-tf"], CANONICAL


def fill_all(root, random, more=()):
    """Every variable that hangs on `root`, and `more`."""
    found = [node for node in tf.train.TrackableView(root).descendants()
             if isinstance(node, tf.Variable)]
    ids = {id(variable) for variable in found}
    fill(found + [one for one in more if id(one) not in ids], random)


def trained(optimizer, steps=1):
    """A small model after `fit`, so with all that fit leaves behind."""
    model = keras2.Sequential(
        [keras2.layers.Dense(2, name="hidden", input_shape=(3,)),
         keras2.layers.BatchNormalization(name="norm"),
         keras2.layers.Dense(1, name="out")])
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(np.ones((2, 3)), np.ones((2, 1)), epochs=steps, verbose=0)
    return model


# Optimizers

@case
def adam_trained(folder, random):
    model = trained(keras2.optimizers.Adam(0.001))
    fill_all(model, random)
    return saved(model, folder)


@case
def adam_before_training(folder, random):
    """Compiled, never stepped."""
    model = MODELS["sequential"]()
    model.compile(optimizer=keras2.optimizers.Adam(0.001), loss="mse")
    fill_all(model, random)
    return saved(model, folder)


@case
def adam_legacy(folder, random):
    """Slot variables."""
    optimizer = keras2.optimizers.legacy.Adam(0.001)
    model = trained(optimizer)
    fill_all(model, random, optimizer.weights)
    return saved(model, folder)


@case
def sgd_momentum_legacy(folder, random):
    optimizer = keras2.optimizers.legacy.SGD(0.01, momentum=0.9)
    model = trained(optimizer)
    fill_all(model, random, optimizer.weights)
    return saved(model, folder)


@case
def loss_scale(folder, random):
    """Mixed precision: LossScaleOptimizer around Adam."""
    model = trained(keras2.mixed_precision.LossScaleOptimizer(
        keras2.optimizers.Adam(0.001)))
    fill_all(model, random)
    return saved(model, folder)


# Other roots than the model

def model_and_adam(random):
    model = MODELS["sequential"]()
    optimizer = keras2.optimizers.Adam(0.001)
    optimizer.build(model.trainable_variables)
    fill_all(model, random)
    fill_all(optimizer, random)
    return tf.train.Checkpoint(model=model, optimizer=optimizer)


@case
def checkpoint_write(folder, random):
    """Checkpoint(model=, optimizer=).write: no save_counter, no state file."""
    model_and_adam(random).write(str(folder / "ckpt"))
    return WRITERS["keras2-tf"], CANONICAL


@case
def checkpoint_save(folder, random):
    model_and_adam(random).save(str(folder / "ckpt"))
    return WRITERS["keras2-tf"], CANONICAL, "ckpt-1"


@case
def manager(folder, random):
    """CheckpointManager keeps two of three; its state file has times."""
    root = model_and_adam(random)
    with mock.patch.object(time, "time", return_value=1795458596.25):
        kept = tf.train.CheckpointManager(root, str(folder), max_to_keep=2)
        for _ in range(3):
            fill_all(root.model, random)
            kept.save()
    return WRITERS["keras2-tf"], CANONICAL, "ckpt-3"


@case
def model_as_root(folder, random):
    """Checkpoint(model).save: as save_weights, with save_counter."""
    tf.train.Checkpoint(build("nested")).save(str(folder / "ckpt"))
    return WRITERS["keras2-tf"], CANONICAL, "ckpt-1"


@case
def keras3_functional(folder, random):
    start = keras3.Input((4, 3), name="start")
    x = keras3.layers.LSTM(2, name="lstm")(start)
    x = keras3.layers.BatchNormalization(name="norm")(x)
    model = keras3.Model(start, keras3.layers.Dense(2, name="out")(x))
    fill_all(model, random)
    tf.train.Checkpoint(model).write(str(folder / "ckpt"))
    return WRITERS["keras3-tf"], CANONICAL


@case
def keras3_sequential_adam(folder, random):
    model = keras3.Sequential(
        [keras3.layers.Input((3,)), keras3.layers.Dense(2, name="hidden"),
         keras3.layers.Dense(1, name="out")])
    optimizer = keras3.optimizers.Adam(0.001)
    optimizer.build(model.trainable_variables)
    fill_all(model, random)
    fill_all(optimizer, random)
    tf.train.Checkpoint(model=model, optimizer=optimizer).write(
        str(folder / "ckpt"))
    return WRITERS["keras3-tf"], CANONICAL


@case
def saved_model(folder, random):
    """The variables folder of a SavedModel."""
    del random
    model = build("sequential")
    model.save(str(folder / "model"), save_format="tf")
    for path in (folder / "model/variables").iterdir():
        path.rename(folder / path.name)
    common.shutil.rmtree(folder / "model")
    return WRITERS["keras2-tf"], OTHER, "variables"


# Values

def tensor(random, kind, shape):
    """A tensor of any type, also of those without arithmetic."""
    dtype = tf.as_dtype(kind)
    numpy = np.dtype(dtype.as_numpy_dtype)
    if dtype.is_quantized:
        raw = values(random, numpy[0], shape)
        return tf.constant(raw.view(numpy) if shape else
                           np.array(raw).view(numpy).reshape(()), dtype)
    if kind in NARROW and kind[0] != "f":
        low = -(NARROW[kind] // 2) - 1 if kind[0] == "i" else 0
        raw = random.randint(low, low + NARROW[kind] + 1, shape)
        return tf.constant(np.asarray(raw).astype(numpy), dtype)
    return tf.constant(values(random, numpy, shape), dtype)


class Constant(Trackable):
    """A tensor in a checkpoint, of a type that variables can't have."""

    def __init__(self, value):
        self.value = value

    def _serialize_to_tensors(self):
        return {"VARIABLE_VALUE": self.value}


def tracked(value):
    try:
        return tf.Variable(value)
    except tf.errors.InvalidArgumentError:  # no kernel for this type
        return Constant(value)


NUMERIC = [number for number in range(1, 33) if number not in (7, 20, 21)]


@case
def every_dtype(folder, random):
    """All numbers of types.proto that can be saved; each as a vector."""
    kinds = [tf.as_dtype(number).name for number in NUMERIC]
    tf.train.Checkpoint(**{kind: tracked(tensor(random, kind, (3,)))
                           for kind in kinds}).write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def float4(folder, random):
    """float4_e2m1fn, number 33: younger than the rest."""
    del random
    value = np.array([0.5, -1.5, 6, -0.0, 0], "float32")
    dtype = tf.as_dtype(33)
    tf.train.Checkpoint(v=tracked(tf.constant(
        value.astype(dtype.as_numpy_dtype), dtype))).write(
            str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def scalars_and_empty(folder, random):
    tf.train.Checkpoint(
        a=tf.Variable(1.5), b=tf.Variable(tf.zeros((0, 4))),
        c=tf.Variable(7, dtype=tf.int64), d=tf.Variable(True),
        e=tf.Variable(tensor(random, "float16", (2, 1, 3))),
        f=tf.Variable(tf.zeros((3, 0, 2), tf.int8)),
        g=tf.Variable(np.float32([np.nan, -0.0, np.inf, -np.inf, 1e-45])),
    ).write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def strings(folder, random):
    del random
    tf.train.Checkpoint(
        bytes=tf.Variable([b"\xff\xfe\x00", b"", "größe".encode()]),
        empty=tf.Variable(tf.zeros((0,), tf.string)),
        long=tf.Variable([["x" * 300, "y"], ["", "z" * 128]]),
        none=tf.Variable([""]), one=tf.Variable("hello"),
    ).write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def worked_example(folder, random):
    """One variable: the bytes are printed in full in the format's text."""
    del random
    tf.train.Checkpoint(v=tf.Variable(1.5)).write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def escaped_names(folder, random):
    names = ("a/b", "c.d", "e..S/f", ".", "/", "größe", "blank s")
    tf.train.Checkpoint(**{name: tf.Variable(tensor(random, "float32", (2,)))
                           for name in names}).write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def containers(folder, random):
    """Lists in dicts in lists; gaps; a variable under two names; a cycle."""
    made = [tf.Variable(tensor(random, "float32", (2,))) for _ in range(5)]
    root = tf.train.Checkpoint(
        items=[made[0], 7, {"k": [made[1]], "none": {}}, []],
        again=made[0], pair=(made[2], made[3]))
    root.loop = tf.Module()
    root.loop.back, root.loop.own = root, made[4]
    root.write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


@case
def hash_table(folder, random):
    del random
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)
    table.insert(tf.constant([7], tf.int64), [0.5])
    tf.train.Checkpoint(table=table, v=tf.Variable(2.0)).write(
        str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


# Options

@case
def async_save(folder, random):
    """enable_async: a save_counter that write() doesn't make otherwise."""
    root = tf.train.Checkpoint(v=tf.Variable(tensor(random, "float32", (3,))))
    options = tf.train.CheckpointOptions(enable_async=True)
    root.write(str(folder / "ckpt"), options)
    root.sync()
    return WRITERS["tf"], OTHER


@case
def shards(folder, random):
    """MaxShardSizePolicy: several shards, tensors cut over them."""
    root = tf.train.Checkpoint(
        big=tf.Variable(tensor(random, "float32", (30, 5))),
        flag=tf.Variable(True),
        wide=tf.Variable(tensor(random, "float64", (3, 40))),
        small=tf.Variable(tensor(random, "int32", (4,))),
        text=tf.Variable(["some", "strings"]))
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=400)
    root.write(str(folder / "ckpt"), tf.train.CheckpointOptions(
        experimental_sharding_callback=policy))
    return WRITERS["tf"], OTHER


# Name-based checkpoints: no object graph

@contextlib.contextmanager
def tf1(folder):
    """A TF1 session whose paths are relative to `folder`."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            yield session
    finally:
        os.chdir(before)


def save_tf1(session, random):
    for variable in tf.compat.v1.global_variables():
        value = values(random, variable.dtype.as_numpy_dtype,
                       tuple(variable.shape))
        session.run(variable.initializer,
                    {variable.initializer.inputs[1]: value})
    tf.compat.v1.train.Saver(save_relative_paths=True).save(
        session, "./ckpt", write_meta_graph=False)
    return WRITERS["tf"], OTHER


@case
def tf1_saver(folder, random):
    with tf1(folder) as session:
        with tf.compat.v1.variable_scope("net/dense"):
            tf.compat.v1.get_variable("kernel", (3, 2))
            tf.compat.v1.get_variable("bias", (2,))
        tf.compat.v1.get_variable("global_step", (), tf.int64)
        tf.compat.v1.get_variable("Zed", (2,), tf.float16)
        return save_tf1(session, random)


@case
def tf1_partitioned(folder, random):
    """Variables in parts along either axis; offsets of one and two bytes."""
    split = tf.compat.v1.fixed_size_partitioner
    with tf1(folder) as session:
        tf.compat.v1.get_variable("rows", (5, 3), partitioner=split(2))
        tf.compat.v1.get_variable("net/wide", (3, 130),
                                  partitioner=split(2, axis=1))
        tf.compat.v1.get_variable("plain", (2,))
        return save_tf1(session, random)


def long_names(count, size):
    return [f"{number:04d}" + "x" * (size - 4) for number in range(count)]


@case
def two_blocks(folder, random):
    """An index of more than 262,144 bytes: two data blocks."""
    names = long_names(180, 1500)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "ckpt"), tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tensor(random, "float32", ()) for _ in names])
    return WRITERS["tf"], OTHER


def two_blocks_graph(folder, random):
    """The same with an object graph; keys that share little."""
    names = [f"n{number * 2654435761 % 2**32:08x}" + "y" * (number % 128)
             for number in range(3000)]
    root = tf.train.Checkpoint(**{name: tf.Variable(
        tensor(random, "float32", ())) for name in names})
    root.write(str(folder / "ckpt"))
    return WRITERS["tf"], CANONICAL


LARGE["two-blocks-graph"] = two_blocks_graph


# What TensorFlow's reader sees

def payload(name, value):
    if name == "string":
        items = [item for item in np.atleast_1d(value).ravel()]
        return b"".join([struct.pack(f"<{len(items)}Q", *map(len, items)),
                         *items])
    raw = np.ascontiguousarray(value).tobytes()
    return bytes(byte & NARROW[name] for byte in raw) if name in NARROW else raw


def check_bytes(prefix, shards, entry, name, data):
    """What TensorFlow read lies at the place that the index tells."""
    shard, offset, size = bundle.place(entry)
    path = f"{prefix}.data-{shard:05d}-of-{shards:05d}"
    with open(path, "rb") as file:
        file.seek(offset)
        assert file.read(size) == data, name


def data_order(entries):
    """Keys by shard and offset; a tensor in slices where its first lies."""
    placed = [(bundle.place(entry), key) for key, entry in entries.items()]
    order = []
    for where, key in sorted((where[:2] + (where[2] > 0,), key)
                             for where, key in placed if where):
        order.append(sliced_name(key) if key[:1] == b"\0" else key.decode())
    return list(dict.fromkeys(order))


def sliced_name(key):
    """The tensor's name in the key of a slice."""
    end = key.index(b"\x00\x01", 1)
    return key[1:end].replace(b"\x00\xff", b"\0").replace(
        b"\xff\x00", b"\xff").decode()


def truth(folder, writer, canonical, prefix="ckpt", plain=True):
    path = str(folder / prefix)
    entries = dict(bundle.table_entries(
        by_hand.plain_index((folder / f"{prefix}.index").read_bytes())))
    shards = dict(bundle.fields(entries.pop(b"")))[1]
    reader = tf.train.load_checkpoint(path)
    dtypes = reader.get_variable_to_dtype_map()
    keys = []
    for key, shape in sorted(reader.get_variable_to_shape_map().items(),
                             key=lambda item: item[0].encode()):
        name = tf.as_dtype(dtypes[key]).name
        data = payload(name, reader.get_tensor(key))
        entry = entries[key.encode()]
        if plain and name != "string" and bundle.place(entry):
            check_bytes(path, shards, entry, key, data)
        keys.append({"key": key, "dtype": name, "shape": shape,
                     "sha256": common.digest(data)})
    return {"writer": writer, "canonical": canonical, "prefix": prefix,
            "shards": shards, "graph": GRAPH_KEY.encode() in entries,
            "data_order": data_order(entries), "keys": keys}


def write(cases, out):
    for name, function in cases.items():
        folder = common.remake_folder(out / name)
        facts = function(folder, fresh(name))
        plain = name != "hand-big-endian"
        common.write_json(folder / "truth.json",
                          truth(folder, *facts, plain=plain), "keys")


def make(out):
    for name in MODELS:
        CASES[name] = lambda folder, _, name=name: saved(build(name), folder)
    CASES.update(by_hand.CASES)
    write(CASES, out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--large"]:
        sys.exit(write(LARGE, Path(sys.argv[2])))
    sys.exit(common.main(make, FOLDER, {"make.py", "by_hand.py", "bundle.py"}))
