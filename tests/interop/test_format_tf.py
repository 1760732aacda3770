"""TensorFlow's checkpoint, fact by fact: what was found true of TensorFlow is
true of what we write and read. Each test carries the number of its row in
README.md; rows of other files are named in the README only. Most compare
files: a checkpoint goes in, its template is set aside, and what is laid out
anew has to be TensorFlow's own bytes."""
import re
import struct
import sys
from pathlib import Path

import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from conftest import same
from tensorflow.core.protobuf import trackable_object_graph_pb2
from zoo import fill

sys.path.insert(0, str(Path(__file__).parents[1] / "golden" / "tf"))
from bundle import (block_entries, entry_proto, field, fields,  # noqa: E402
                    header_proto, make_table, place, read_varint,
                    table_entries, write_strings)

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
L, Input, Sequential = keras.layers, keras.Input, keras.Sequential


def write(wh, root=None, name="theirs", **objects):
    """A checkpoint by TensorFlow."""
    tf.train.Checkpoint(*([] if root is None else [root]),
                        **objects).write(str(wh.folder / name))
    return name


def suffixes(wh, name):
    return sorted(path.name[len(name):] for path in wh.folder.glob(f"{name}.*"))


def rebuilt(wh, name="theirs", *options):
    """Lays it out from names, values and graph alone: the same bytes."""
    assert wh.commit(wh.folder / name)["reproducible"]
    wh("save-weights", "HEAD", "ours", "--save-format", "tf", "--canonical",
       *options)
    base = name.rsplit("/", 1)[-1]
    folder = (wh.folder / name).parent
    for path in folder.glob(f"{base}.*"):
        assert same(wh.folder / ("ours" + path.name[len(base):]), path)
    return wh.folder / "ours"


def graph_of(prefix):
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(tf.train.load_checkpoint(str(prefix)).get_tensor(
        GRAPH))
    return graph


def index_of(prefix):
    return dict(table_entries(prefix.with_name(
        prefix.name + ".index").read_bytes()))


def dense(*units, make=Sequential):
    return make([Input((5,))] + [L.Dense(n, name=f"fc{i}")
                                 for i, n in enumerate(units, 1)])


def trained(model, optimizer="adam"):
    model.compile(optimizer, "mse")
    shapes = [model.input_shape[1:], model.output_shape[1:]]
    model.fit(*(np.zeros((2, *shape), "f4") for shape in shapes), verbose=0)
    return model


# ---- 12: what was verified against TensorFlow 2.21 ---------------------------

def test_tf_12_1_the_worked_example(wh):
    prefix = rebuilt(wh, write(wh, v=tf.Variable(1.5, name="Variable")))
    sizes = [(wh.folder / f"ours{suffix}").stat().st_size
             for suffix in (".data-00000-of-00001", ".index")]
    assert sizes == [86, 188]
    tf.raw_ops.SaveV2(prefix=str(wh.folder / "bare"), tensor_names=["v"],
                      shape_and_slices=[""], tensors=[tf.constant(1.5)])
    prefix = rebuilt(wh, "bare")
    assert prefix.with_name("ours.index").stat().st_size == 117


def data_blocks(index):
    at = len(index) - 48
    for _ in range(2):
        _, at = read_varint(index, at)
    offset, at = read_varint(index, at)
    size, at = read_varint(index, at)
    return [key for key, _ in block_entries(index[offset:offset + size])]


def test_tf_12_2_several_index_blocks(wh):
    """3,000 tensors: TensorFlow's blocks, separators and restarts."""
    names = [f"n{i * 7919 % 65536:04x}" + "x" * (60 + i % 65)
             for i in range(3000)]
    tf.raw_ops.SaveV2(
        prefix=str(wh.folder / "theirs"), tensor_names=names,
        shape_and_slices=[""] * 3000,
        tensors=[tf.constant(float(i)) for i in range(3000)])
    prefix = rebuilt(wh)
    keys = data_blocks(prefix.with_name("ours.index").read_bytes())
    assert len(keys) > 1 and keys[-1] == b"o"


def test_tf_12_3_zeros_are_left_out_and_checksums_are_fixed(wh):
    prefix = rebuilt(wh, write(wh, a=tf.Variable(np.zeros((0, 3), "f4")),
                               b=tf.Variable(7)))
    entries = index_of(prefix)
    assert entries[b""] == bytes.fromhex("08011a020801")
    empty = entries[f"a{VALUE}".encode()]
    assert dict(fields(empty)).keys() == {1, 2, 6}
    assert empty.endswith(b"\x35" + struct.pack("<I", 0xa282ead8))
    assert b"\x12\x00" in entries[f"b{VALUE}".encode()]


def test_tf_12_4_data_is_in_the_order_of_the_graph(wh):
    class State(tf.train.experimental.PythonState):
        def serialize(self):
            return "state"

        def deserialize(self, text):
            pass
    model = trained(dense(4, 3), keras.optimizers.legacy.Adam())
    prefix = rebuilt(wh, write(wh, z=model, state=State()))
    entries = {key.decode(): place(value) for key, value in
               index_of(prefix).items() if key}
    order = sorted(entries, key=lambda key: entries[key][1])
    assert order[-1] == GRAPH and "py_state" in order[-2]
    slots = [".OPTIMIZER_SLOT" in key for key in order[:-2]]
    assert any(slots) and slots == sorted(slots)


def test_tf_12_5_keys_are_in_the_order_of_their_bytes(wh):
    prefix = rebuilt(wh, write(wh, **{"b": tf.Variable(1.), "B": tf.Variable(
        2.), "_": tf.Variable(3.), "é": tf.Variable(4.)}))
    keys = [key for key, _ in table_entries(prefix.with_name(
        "ours.index").read_bytes())]
    assert keys == sorted(keys) and keys[0] == b""


def test_tf_12_6_fields_ascend_and_empty_nodes_say_so(wh):
    model = dense(2)
    model.save_weights(wh.folder / "theirs")
    model.box = []
    model.save_weights(wh.folder / "boxed")
    rebuilt(wh, "theirs")
    wh.commit("boxed")
    rebuilt(wh, "boxed")
    raw = tf.train.load_checkpoint(str(wh.folder / "ours")).get_tensor(GRAPH)
    nodes = [value for _, value in fields(raw)]
    assert all([number for number, _ in fields(node)] == sorted(
        number for number, _ in fields(node)) for node in nodes)
    assert b"\x2a\x00" in nodes and b"\x0a\x06\x12\x04root" in nodes[0]


def functional_with_nested():
    i = Input((4,))
    inner = keras.Model(i, L.Dense(4, name="id2")(L.Dense(4, name="id1")(i)))
    i = Input((4,))
    shared = L.Dense(4, name="sh")
    block = Sequential([Input((4,)), L.Dense(4, name="sd")])
    return keras.Model(i, block(shared(inner(shared(i)))))


def recurrent():
    return Sequential([
        Input((3, 2)), L.LSTM(3, return_sequences=True),
        L.Bidirectional(L.GRU(2, return_sequences=True)),
        L.RNN([L.LSTMCell(2), L.GRUCell(2)])])


def attention_and_more():
    i = Input((4, 4, 2))
    x = L.Normalization()(L.SeparableConv2D(4, 1)(i))
    x = L.Reshape((16, 4))(x)
    return keras.Model(i, L.MultiHeadAttention(2, 3)(x, x))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [L.Dense(3), L.Dense(3)]
        self.heads = {"one": L.Dense(2), "two": L.Dense(2)}
        self.pair = (L.Dense(2), L.Dense(2))

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return sum(head(x) for head in [*self.heads.values(), *self.pair])


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 4), "f4"))
    return model


def loss_scale():
    return trained(dense(2), keras.mixed_precision.LossScaleOptimizer(
        keras.optimizers.SGD(0.1, 0.9)))


def by_keras3():
    model = keras3.Sequential([keras3.Input((5,)), keras3.layers.Dense(3),
                               keras3.layers.BatchNormalization()])
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 5), "f4"), np.zeros((2, 3), "f4"), verbose=0)
    return model


WHOLE = {
    "sequential": lambda: dense(4, 3),
    "trained-with-adam": lambda: trained(dense(4, 3)),
    "functional-with-nested-and-shared": functional_with_nested,
    "recurrent": recurrent, "attention-and-more": attention_and_more,
    "subclassed": subclassed,
    "slots-of-legacy-adam": lambda: trained(
        dense(4, 3), keras.optimizers.legacy.Adam()),
    "loss-scale": loss_scale, "keras-3": by_keras3,
}


@pytest.mark.parametrize("what", WHOLE)
def test_tf_12_7_whole_files_come_of_values_and_graph_alone(what, wh):
    model = WHOLE[what]()
    if what == "keras-3":
        write(wh, model=model)
    else:
        model.save_weights(wh.folder / "theirs")
    rebuilt(wh)


def test_tf_12_7_a_saved_models_variables(wh):
    tf.saved_model.save(dense(4, 3), str(wh.folder / "saved"))
    rebuilt(wh, "saved/variables/variables")


def test_tf_12_7_an_asynchronous_save(wh):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.5), w=tf.Variable([2.]))
    checkpoint.write(str(wh.folder / "theirs"),
                     options=tf.train.CheckpointOptions(enable_async=True))
    checkpoint.sync()
    rebuilt(wh)


def test_tf_12_8_slots_come_last_by_name(wh):
    model = trained(dense(4, 3), keras.optimizers.legacy.Adam())
    model.save_weights(wh.folder / "theirs")
    rows = [row for node in graph_of(rebuilt(wh)).nodes
            for row in node.slot_variables]
    assert [row.slot_name for row in rows] == ["m"] * 4 + ["v"] * 4
    ids = [row.slot_variable_node_id for row in rows]
    nodes = len(graph_of(wh.folder / "ours").nodes)
    assert ids == list(range(nodes - 8, nodes))


def test_tf_12_9_every_node_says_whether_it_holds_values(wh):
    model = trained(dense(4, 3))
    model.save_weights(wh.folder / "theirs")
    graph = graph_of(rebuilt(wh))
    holds = [bool(node.attributes or node.slot_variables)
             for node in graph.nodes]
    for _ in graph.nodes:
        holds = [own or any(holds[child.node_id] for child in node.children)
                 for own, node in zip(holds, graph.nodes)]
    assert [node.has_checkpoint_values.value for node in graph.nodes] == holds
    # From an h5 file, where there was no graph.
    model.save_weights(wh.folder / "a.h5")
    wh("convert", "a.h5", "made")
    assert graph_of(wh.folder / "made").nodes[0].has_checkpoint_values.value


def test_tf_12_10_names_are_escaped(wh):
    model = keras.Model()
    model.heads = {"reg/x.y": L.Dense(2)}
    model.heads["reg/x.y"].build((None, 3))
    model.save_weights(wh.folder / "theirs")
    keys = index_of(rebuilt(wh))
    assert f"heads/reg.Sx..y/kernel{VALUE}".encode() in keys


def test_tf_12_11_the_root_has_an_edge_to_itself(wh):
    model = dense(2)
    model.save_weights(wh.folder / "theirs")
    last = graph_of(rebuilt(wh)).nodes[0].children[-1]
    assert (last.local_name, last.node_id) == ("root", 0)
    write(wh, name="root", model=model)
    wh("save-weights", "HEAD", "ours", "--save-format", "tf", "--root",
       "checkpoint", "--canonical")
    assert same(wh.folder / "ours.index", wh.folder / "root.index")
    assert "root" not in [child.local_name for child in graph_of(
        wh.folder / "ours").nodes[0].children]


@pytest.mark.parametrize("loss, edges", [
    ("mse", ["optimizer"]), (["mse"], ["optimizer", "loss"]),
    (None, ["optimizer", "loss"])])
def test_tf_12_12_what_compile_adds(loss, edges, wh):
    model = dense(2)
    model.compile("sgd", loss)
    model.save_weights(wh.folder / "theirs")
    names = [child.local_name for child in graph_of(
        rebuilt(wh)).nodes[0].children]
    assert sorted(set(names) & {"optimizer", "loss"}) == sorted(edges)


def test_tf_12_13_an_optimizer_saved_before_its_first_step(wh):
    model = dense(2)
    model.compile("adam", "mse")
    model.save_weights(wh.folder / "before")
    trained(model, model.optimizer).save_weights(wh.folder / "theirs")
    names = {child.local_name for node in graph_of(rebuilt(wh)).nodes
             for child in node.children}
    assert {"_variables", "_iterations", "_learning_rate"} <= names
    assert "_momentums" not in names


def test_tf_12_14_a_legacy_optimizer_into_a_new_one(wh):
    """TensorFlow refuses; a file is no optimizer, so slots are left over."""
    old = trained(dense(4, 3), keras.optimizers.legacy.Adam())
    new = trained(dense(4, 3))
    old.save_weights(wh.folder / "theirs")
    new.save_weights(wh.folder / "into")
    with pytest.raises(ValueError, match="from a legacy"):
        new.load_weights(wh.folder / "theirs")
    wh.commit("theirs")
    wh("load-weights", "--into", "into", "--skip-slot-variables",
       "--expect-partial")
    fill(new, 5)
    new.load_weights(wh.folder / "into").assert_consumed()
    assert all(np.array_equal(a.numpy(), b.numpy())
               for a, b in zip(new.weights, old.weights))


def test_tf_12_15_a_learning_rate_by_schedule(wh):
    model = trained(dense(2), keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)))
    model.save_weights(wh.folder / "theirs")
    names = {child.local_name for node in graph_of(rebuilt(wh)).nodes
             for child in node.children}
    assert "_current_learning_rate" in names


NUMBERS = [n for n in range(1, 33) if n not in (7, 20, 21)]


@pytest.mark.parametrize("number", NUMBERS)
def test_tf_12_16_every_dtype(number, wh):
    dtype = tf.dtypes.as_dtype(number)
    raw = np.arange(3 * max(1, dtype.size), dtype=np.uint8) % 2
    vector = raw.view(dtype.as_numpy_dtype)[:3]
    if vector.dtype.names:  # quantized
        vector = np.array([(1,), (0,), (1,)], dtype.as_numpy_dtype)
    tensors = [tf.constant(vector), tf.reshape(tf.constant(vector[:1]), ()),
               tf.zeros((0, 2), tf.uint8)]
    if vector.dtype.names:
        tensors = [tf.bitcast(tf.constant(vector.view(
            vector.dtype[0])), dtype), tensors[2]]
    names = ["v", "s", "e"][:len(tensors)]
    tf.raw_ops.SaveV2(prefix=str(wh.folder / "theirs"), tensor_names=names,
                      shape_and_slices=[""] * len(names), tensors=tensors)
    prefix = rebuilt(wh)
    entries = index_of(prefix)
    assert dict(fields(entries[b"v"]))[1] == number
    back = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=["v"],
                                shape_and_slices=[""], dtypes=[dtype])[0]
    assert back.dtype == dtype and back.shape == (3,)
    assert back.numpy().tobytes() == tensors[0].numpy().tobytes()


@pytest.mark.parametrize("items", [[], [""], ["hello", ""], ["x" * 70000],
                                   [b"\xff\x00\xfe", "é"]],
                         ids=["none", "empty", "two", "long", "bytes"])
def test_tf_12_17_strings(items, wh):
    value = tf.constant(items, tf.string)
    tf.raw_ops.SaveV2(prefix=str(wh.folder / "theirs"), tensor_names=["s"],
                      shape_and_slices=[""], tensors=[value])
    reader = tf.train.load_checkpoint(str(rebuilt(wh)))
    assert list(reader.get_tensor("s")) == list(value.numpy())


def test_tf_12_18_variants(wh):
    iterator = iter(tf.data.Dataset.range(3))
    next(iterator)
    write(wh, it=iterator)
    other = iter(tf.data.Dataset.range(3))
    tf.train.Checkpoint(it=other).read(str(rebuilt(wh))).assert_consumed()
    assert next(other).numpy() == 1


def test_tf_12_19_slices_of_the_partitioned_saver(wh):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for axis in (0, 1):
            parts = [1, 1]
            parts[axis] = 2
            tf.compat.v1.get_variable(
                f"wide{axis}", (4, 130),
                partitioner=lambda parts=parts, **_: parts)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(wh.folder / "theirs"),
                                        write_meta_graph=False)
    expected = tf.train.load_checkpoint(str(wh.folder / "theirs"))
    assert wh.commit("theirs")["reproducible"]
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    for suffix in suffixes(wh, "theirs"):
        assert same(wh.folder / f"again{suffix}",
                    wh.folder / f"theirs{suffix}")
    wh("save-weights", "HEAD", "ours", "--save-format", "tf", "--canonical")
    ours = tf.train.load_checkpoint(str(wh.folder / "ours"))
    for name in ("wide0", "wide1"):
        assert np.array_equal(ours.get_tensor(name),
                              expected.get_tensor(name))


def test_tf_12_19_a_trained_model_of_the_saver(wh):
    """Slots stand beside their variables there, and apart as layers."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        values = [tf.compat.v1.get_variable(name, (3,)) for name in "ab"]
        step = tf.compat.v1.train.AdamOptimizer(0.1).minimize(
            tf.reduce_sum(tf.square(values)))
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(step)
        tf.compat.v1.train.Saver().save(session, str(wh.folder / "theirs"),
                                        write_meta_graph=False)
    assert wh.commit("theirs")["reproducible"]
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    for suffix in suffixes(wh, "theirs"):
        assert same(wh.folder / f"again{suffix}",
                    wh.folder / f"theirs{suffix}")


def test_tf_12_19_slices_that_cover_too_little_are_refused(wh):
    part = field(1, b"\x10\x01") + field(1, b"")  # the first row of two
    half = np.ones((1, 3), "f4").tobytes()
    key = b"\x00v\x00\x01\x01\x02\x80\x81\x80\x7f"
    entries = {b"": header_proto(), b"v": entry_proto(1, (2, 3), 0, b"",
                                                      slices=[part]),
               key: entry_proto(1, (1, 3), 0, half)}
    (wh.folder / "p.index").write_bytes(make_table(sorted(entries.items())))
    (wh.folder / "p.data-00000-of-00001").write_bytes(half)
    with pytest.raises(Exception, match="sufficient slices|slice"):
        tf.raw_ops.RestoreV2(prefix=str(wh.folder / "p"), tensor_names=["v"],
                             shape_and_slices=[""], dtypes=[tf.float32])
    wh("init")
    assert "slice" in wh.refused("commit", "p")


def test_tf_12_20_what_others_left_in_a_temporary_folder(wh):
    write(wh, v=tf.Variable(1.5))
    folder = wh.folder / "ours_temp"
    folder.mkdir()
    (folder / "foreign").write_text("precious")
    rebuilt(wh)
    assert (folder / "foreign").read_text() == "precious"
    assert not list(wh.folder.glob("*tempstate*"))


@pytest.mark.parametrize("row, options", [
    ("21-snappy", {"compress": True}), ("22-small-blocks", {"per_block": 2})],
    ids=lambda item: item if isinstance(item, str) else "")
def test_tf_12_tables_of_other_writers(row, options, wh):
    write(wh, a=tf.Variable([1.5, 2.5]), bb=tf.Variable(np.ones((20, 30))))
    index = wh.folder / "theirs.index"
    index.write_bytes(make_table(list(table_entries(index.read_bytes())),
                                 **options))
    expected = tf.train.load_checkpoint(str(wh.folder / "theirs"))
    assert wh.commit("theirs")["reproducible"]
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    assert same(wh.folder / "again.index", index)
    wh("save-weights", "HEAD", "ours", "--save-format", "tf", "--canonical")
    ours = tf.train.load_checkpoint(str(wh.folder / "ours"))
    for key in ours.get_variable_to_shape_map():
        assert np.array_equal(ours.get_tensor(key), expected.get_tensor(key))


def hand_written(wh, nodes, arrays, name="theirs", pad=0, big=False):
    """`nodes`: ((edge, child)…, key or None) each; values by key."""
    entries, data = {}, b""
    for key, array in arrays.items():
        payload = array.astype(">f4" if big else "<f4").tobytes()
        entries[key.encode()] = entry_proto(1, array.shape, len(data),
                                            payload)
        data += payload + b"\0" * (-(len(data) + len(payload)) % (pad or 1))
    graph = b""
    for edges, key in nodes:
        node = b"".join(field(1, field(1, child) + field(2, edge.encode()))
                        for edge, child in edges)
        if key:
            node += field(2, field(1, b"VARIABLE_VALUE") +
                          field(3, key.encode()))
        graph += field(1, node)
    payload, crc = write_strings([graph])
    entries[GRAPH.encode()] = entry_proto(7, (), len(data), payload, crc=crc)
    entries[b""] = header_proto(big_endian=big)
    (wh.folder / f"{name}.index").write_bytes(
        make_table(sorted(entries.items())))
    (wh.folder / f"{name}.data-00000-of-00001").write_bytes(data + payload)
    return name


def test_tf_12_22_free_numbering_free_keys_and_gaps(wh):
    """Nodes backwards, keys as they like, data at pages."""
    arrays = {f"any{VALUE}": np.ones((5, 4), "f4"),
              f"other{VALUE}": np.full(4, 2, "f4")}
    first, second = arrays
    hand_written(wh, [([("layer_with_weights-0", 3)], None), ([], second),
                      ([], first), ([("bias", 1), ("kernel", 2)], None)],
                 arrays, pad=4096)
    model = dense(4)
    model.load_weights(wh.folder / "theirs").assert_consumed()
    expected = [w.numpy() for w in model.weights]
    assert wh.commit("theirs")["reproducible"]
    for options in ((), ("--canonical",)):
        wh("save-weights", "HEAD", "ours", "--save-format", "tf", *options)
        fill(model, 2)
        model.load_weights(wh.folder / "ours").assert_consumed()
        assert all(np.array_equal(a.numpy(), b)
                   for a, b in zip(model.weights, expected))


def test_tf_12_24_an_objects_configuration_is_left_alone(wh):
    """OBJECT_CONFIG_JSON: assert_consumed minds it, and nothing else does."""
    golden = Path(__file__).parents[1] / "golden" / "tf" / "hand-old-graph"
    prefix = next(golden.glob("*.index")).with_suffix("")
    assert wh.commit(prefix)["reproducible"]
    assert any("OBJECT_CONFIG_JSON" in row["name"] for row in wh.ls())
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    for suffix in suffixes(wh, "again"):
        assert same(wh.folder / f"again{suffix}",
                    prefix.with_name(prefix.name + suffix))


def test_tf_12_25_the_save_counter_counts(wh):
    model = dense(2)
    checkpoint = tf.train.Checkpoint(model)
    for number in (1, 2):
        checkpoint.save(str(wh.folder / "c"))
    wh.commit("c-2")
    for number in (1, 2):
        wh("save-weights", "HEAD", f"ours/c-{number}", "--save-format", "tf",
           "--save-counter", number, "--canonical")
        reader = tf.train.load_checkpoint(str(wh.folder / f"ours/c-{number}"))
        assert reader.get_tensor(f"save_counter{VALUE}") == number
    assert "c-1" not in (wh.folder / "ours" / "checkpoint").read_text()
    tf.train.Checkpoint(dense(2)).restore(
        str(wh.folder / "ours/c-2")).assert_consumed()


def test_tf_12_27_shards_of_another_count_are_not_left_behind(wh):
    """TensorFlow leaves them; what the new index doesn't name goes."""
    write(wh, **{name: tf.Variable(np.ones(40, "f4")) for name in "abc"})
    wh.commit("theirs")
    wh("save-weights", "HEAD", "ours", "--save-format", "tf",
       "--max-shard-size", 200)
    assert len(suffixes(wh, "ours")) == 4
    wh("save-weights", "HEAD", "ours", "--save-format", "tf")
    assert suffixes(wh, "ours") == [".data-00000-of-00001", ".index"]


def test_tf_12_29_no_tensor_has_an_empty_name(wh):
    header = b'{"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    header += b" " * (-len(header) % 8)
    (wh.folder / "a.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + bytes(4))
    assert "name" in wh.refused("convert", "a.safetensors", "ours")
    assert not list(wh.folder.glob("ours*"))


def test_tf_12_30_an_io_device_changes_nothing(wh):
    made = {"v": tf.Variable([1.5])}
    tf.train.Checkpoint(**made).write(
        str(wh.folder / "theirs"), options=tf.train.CheckpointOptions(
            experimental_io_device="/job:localhost"))
    rebuilt(wh, "theirs", "--io-device", "/job:localhost")


def test_tf_12_32_an_asynchronous_file_has_a_save_counter(wh):
    made = {"v": tf.Variable([1.5])}
    write(wh, **made)
    wh("convert", "theirs", "ours", "--enable-async")
    status = tf.train.Checkpoint(**made).read(str(wh.folder / "ours"))
    with pytest.raises(AssertionError, match=r"\(root\).save_counter"):
        status.assert_consumed()


# ---- 13: graphs by hand, loaded by three kinds of model ----------------------

class Attributes(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = L.Dense(4, name="fc1"), L.Dense(4, name="fc2")

    def call(self, x):
        return self.b(self.a(x))


def live(kind):
    if kind == "sequential":
        return Sequential([Input((4,)), L.Dense(4, name="fc1"),
                           L.Dense(4, name="fc2")])
    if kind == "functional":
        i = Input((4,))
        return keras.Model(i, L.Dense(4, name="fc2")(
            L.Dense(4, name="fc1")(i)))
    model = Attributes()
    model(np.zeros((1, 4), "f4"))
    return model


LWW = [("layer_with_weights-0", 1), ("layer_with_weights-1", 2)]
PLAIN = [("layer-0", 1), ("layer-1", 2)]
COUNTED = [("layer-1", 1), ("layer-2", 2)]
NAMED = [("a", 1), ("b", 2)]
OTHERS = [("fc1", 1), ("fc2", 2), ("model", 7)]
CHILDREN = {
    "layer_with_weights-alone": LWW, "layer-without-input": PLAIN,
    "layer-with-input": COUNTED, "both-weights-first": LWW + PLAIN,
    "both-layers-first": PLAIN + LWW, "attribute-names": NAMED,
    "layer-names": OTHERS, "all-together": LWW + PLAIN + NAMED + OTHERS,
}
KINDS = ["sequential", "functional", "subclassed"]


def two_layers(wh, children, extra=False):
    arrays = {f"{layer}/{name}{VALUE}": np.full(shape, number, "f4")
              for number, (layer, name, shape) in enumerate(
                  [(layer, name, shape) for layer in "12" for name, shape in
                   (("kernel", (4, 4)), ("bias", (4,)))], 1)}
    keys = list(arrays)
    nodes = [(children, None),
             ([("kernel", 3), ("bias", 4)], None),
             ([("kernel", 5), ("bias", 6)], None),
             *(([], key) for key in keys)]
    if any(child == 7 for _, child in children):
        nodes.append(([("fc1", 1), ("fc2", 2)], None))
    if extra:
        arrays[f"more{VALUE}"] = np.ones(2, "f4")
        nodes[0] = (children + [("more", len(nodes))], None)
        nodes.append(([], f"more{VALUE}"))
    return hand_written(wh, nodes, arrays)


def theirs(model, path, check):
    """Whether it loads, and what the model has afterwards."""
    fill(model, 9)
    try:
        status = model.load_weights(path)
        status.expect_partial()
        if check:
            status.assert_consumed()
    except AssertionError:
        return False, None
    return True, [w.numpy().tobytes() for w in model.weights]


@pytest.mark.parametrize("check", [False, True], ids=["plain", "consumed"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [*CHILDREN, "all-and-a-variable-more"])
def test_tf_13_a_graph_by_hand_goes_where_it_goes_in_tensorflow(
        row, kind, check, wh):
    """load-weights has the outcome of load_weights, silent traps too."""
    extra = row not in CHILDREN
    two_layers(wh, CHILDREN["all-together" if extra else row], extra)
    model = live(kind)
    fill(model, 9)
    model.save_weights(wh.folder / "into")
    works, expected = theirs(model, wh.folder / "theirs", check)
    done = wh.run("load-weights", "file:theirs", "--into", "into",
                  "--assert-consumed" if check else "--expect-partial")
    assert (done.returncode == 0) == works, done.stderr
    if works:
        fill(model, 8)
        model.load_weights(wh.folder / "into").assert_consumed()
        assert [w.numpy().tobytes() for w in model.weights] == expected
    else:
        assert ("Nothing except the root object matched" in done.stderr or
                "Unresolved object" in done.stderr or
                "were not bound to checkpointed values" in done.stderr)


def test_tf_13_the_minimum_comes_back_as_it_was(wh):
    two_layers(wh, LWW)
    rebuilt_as_imported(wh)


def rebuilt_as_imported(wh):
    assert wh.commit("theirs")["reproducible"]
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    for suffix in suffixes(wh, "theirs"):
        assert same(wh.folder / f"again{suffix}",
                    wh.folder / f"theirs{suffix}")


def test_tf_13_weights_stand_before_layers_in_what_we_make(wh):
    """Else a numbering that clashes binds half of a Functional wrongly."""
    model = Sequential([Input((4,)), L.Dropout(0.1), L.Dense(4, name="fc1"),
                        L.Dense(4, name="fc2")])
    model.save_weights(wh.folder / "a.h5")
    wh("convert", "a.h5", "made")
    names = [child.local_name for child in graph_of(
        wh.folder / "made").nodes[0].children]
    assert names[:5] == ["layer-0", "layer_with_weights-0", "layer-1",
                         "layer_with_weights-1", "layer-2"]
    for kind in ("sequential", "functional"):
        other = live(kind)
        fill(other, 9)
        other.load_weights(wh.folder / "made").assert_consumed()
        assert all(np.array_equal(a.numpy(), b.numpy())
                   for a, b in zip(other.weights, model.weights))


def test_tf_13_keras_3s_own_graph_comes_back(wh):
    model = by_keras3()
    write(wh, model=model)
    ours = rebuilt(wh)
    names = {child.local_name for node in graph_of(ours).nodes
             for child in node.children}
    assert {"_functional", "_operations", "_kernel"} <= names
    expected = [w.numpy() for w in model.weights]
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    tf.train.Checkpoint(model=model).read(str(ours)).assert_consumed()
    assert all(np.array_equal(a.numpy(), b)
               for a, b in zip(model.weights, expected))


# ---- 14: from the names of legacy HDF5 to the edges of a graph ----------------

def chain(shape, *several):
    return lambda: Sequential([Input(shape), *(make() for make in several)])


def with_layer(shape, make):
    def build():
        i = Input(shape)
        return keras.Model(i, make()(i))
    return build


def nested(frozen=False, same_name=False, deep=False):
    def build():
        inside = [L.Dense(4, name="tower" if same_name else "id1"),
                  L.Dense(4, name="id2")]
        inside[0].trainable = not frozen
        inner = Sequential([Input((4,)), *inside], name="tower")
        if deep:
            inner = Sequential([Input((4,)), inner, L.Dense(4, name="id3")],
                               name="outer")
        return Sequential([Input((4,)), inner, L.Dense(2, name="last")])
    return build


class Custom(L.Layer):
    def __init__(self, kind):
        super().__init__(name="c")
        self.kind = kind
        if kind == "sub-layer":
            self.inner = L.Dense(3, name="zz")

    def build(self, shape):
        if self.kind == "variable":
            self.sc = tf.Variable([1.0], name="foo")
        elif self.kind == "add-weight":
            self.held = self.add_weight(name="w", shape=(2,))

    def call(self, x):
        return self.inner(x) if self.kind == "sub-layer" else x


def custom(kind):
    return chain((4,), lambda: Custom(kind))


DECIDED = {
    "01-dense-and-convolutions": chain(
        (6, 6, 2), lambda: L.Conv2D(3, 2), lambda: L.Conv2DTranspose(2, 2),
        L.Flatten, lambda: L.Dense(2)),
    "01-locally-connected-and-einsum": chain(
        (6, 2), lambda: L.LocallyConnected1D(2, 2),
        lambda: L.EinsumDense("abc,cd->abd", (5, 3), bias_axes="d")),
    "02-depthwise": chain((6, 6, 2), lambda: L.DepthwiseConv2D(2)),
    "03-separable": chain((6, 6, 2), lambda: L.SeparableConv2D(3, 2),
                          lambda: L.Reshape((25, 3)),
                          lambda: L.SeparableConv1D(2, 2)),
    "04-batch-normalization": chain((4,), L.BatchNormalization),
    "05-layer-and-group-normalization": chain(
        (4, 4), L.LayerNormalization, lambda: L.GroupNormalization(2)),
    "06-normalization": chain((4,), L.Normalization),
    "07-embedding-prelu": chain((4,), lambda: L.Embedding(9, 3), L.PReLU),
    "07-attention": with_layer((4, 3), lambda: lambda x: L.Attention(
        use_scale=True)([x, x])),
    "08-recurrent": chain(
        (4, 3), lambda: L.LSTM(2, return_sequences=True),
        lambda: L.GRU(2, return_sequences=True),
        lambda: L.SimpleRNN(2, return_sequences=True),
        lambda: L.RNN(L.LSTMCell(2, name="c0"))),
    "09-conv-lstm": chain((3, 6, 6, 2), lambda: L.ConvLSTM2D(2, 2)),
    "11-bidirectional": chain((4, 3), lambda: L.Bidirectional(L.LSTM(2))),
    "12-time-distributed": chain(
        (4, 3), lambda: L.TimeDistributed(L.Dense(2))),
    "13-multi-head-attention": with_layer(
        (4, 3), lambda: lambda x: L.MultiHeadAttention(2, 2)(x, x)),
    "15-layer-name-with-a-slash": chain(
        (4,), lambda: L.Dense(3, name="blk/d1")),
    "22-add-weight": custom("add-weight"),
}
BY_CONFIG = {
    "10-rnn-of-cells": chain((4, 3), lambda: L.RNN([
        L.LSTMCell(2, name="a"), L.LSTMCell(2, name="b")])),
    "16-nested": nested(), "17-nested-twice": nested(deep=True),
    "18-inner-layer-named-like-the-outer": nested(same_name=True),
    "19-nested-and-frozen": nested(frozen=True),
    "20-time-distributed-model": chain((4, 3), lambda: L.TimeDistributed(
        Sequential([Input((3,)), L.Dense(3, name="p"),
                    L.Dense(3, name="q")]))),
}
UNDECIDED = {"21-custom-layer-with-a-layer": custom("sub-layer"),
             "23-subclassed": subclassed}


def saved_h5(make, wh):
    model = make()
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    return model, [w.numpy() for w in model.weights]


def check_all(model, expected, path):
    fill(model, 2)
    model.load_weights(path).assert_consumed()
    assert [w.numpy().tobytes() for w in model.weights] == [
        a.tobytes() for a in expected]


@pytest.mark.parametrize("row", DECIDED)
def test_tf_14_names_alone_decide(row, wh):
    model, expected = saved_h5(DECIDED[row], wh)
    wh("convert", "theirs.h5", "ours")
    check_all(model, expected, wh.folder / "ours")


def test_tf_14_14_a_shared_layer_is_one_node(wh):
    model, expected = saved_h5(functional_with_shared, wh)
    wh("convert", "theirs.h5", "ours")
    check_all(model, expected, wh.folder / "ours")
    assert len(re.findall("kernel", str([
        key for key in index_of(wh.folder / "ours")]))) == 2


def functional_with_shared():
    i = Input((4,))
    shared = L.Dense(4, name="sh")
    return keras.Model(i, L.Dense(2, name="z")(shared(shared(i))))


@pytest.mark.parametrize("row", BY_CONFIG)
def test_tf_14_a_configuration_decides(row, wh):
    model, expected = saved_h5(BY_CONFIG[row], wh)
    assert "--model-config" in wh.refused("convert", "theirs.h5", "ours")
    (wh.folder / "m.json").write_text(model.to_json())
    wh("convert", "theirs.h5", "ours", "--model-config", "m.json")
    check_all(model, expected, wh.folder / "ours")


@pytest.mark.parametrize("row", UNDECIDED)
def test_tf_14_nothing_decides_but_a_map(row, wh):
    saved_h5(UNDECIDED[row], wh)
    said = wh.refused("convert", "theirs.h5", "ours")
    assert "--map" in said or "save_format='tf'" in said
    assert not list(wh.folder.glob("ours*"))


def test_tf_14_22_a_bare_variable_is_guessed_and_said(wh):
    """The file has the variable's name, the graph that of its attribute."""
    model, expected = saved_h5(custom("variable"), wh)
    done = wh.run("convert", "theirs.h5", "ours")
    assert done.returncode == 0
    assert "'c/foo:0' is taken for the attribute of that name" in done.stderr
    with pytest.raises(AssertionError):
        model.load_weights(wh.folder / "ours").assert_consumed()
    (wh.folder / "m.json").write_text(
        '{"c/foo:0": "layer_with_weights-0/sc"}')
    wh.quiet("convert", "theirs.h5", "ours", "--map", "m.json")
    check_all(model, expected, wh.folder / "ours")
