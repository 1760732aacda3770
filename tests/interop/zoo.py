"""tf-keras models: every kind of layer whose weights have a name or a place
of their own. Each entry says what a change of format can keep."""
import dataclasses
from typing import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

layers = keras.layers
Input, Model, Sequential = keras.Input, keras.Model, keras.Sequential

# What a refusal says.
NEEDS_CONFIG = "--model-config FILE"
NEEDS_TF = "save_format='tf'"


@dataclasses.dataclass
class Entry:
    """A model, and the words of the refusal where a change of format is not
    decided by what the file holds."""
    name: str
    make: Callable
    to_tf: str = ""
    to_h5: str = ""
    trains: bool = True
    # Keras can't read what it writes: bfloat16 in HDF5 (FORMAT-HDF5 1.5).
    opaque: bool = False
    # A layer of no known class: an order was assumed, and said.
    notes: bool = False


ZOO = []


def entry(**options):
    def add(make):
        ZOO.append(Entry(make.__name__, make, **options))
        return make
    return add


def fill(model, seed):
    """Other values for every weight, of its own dtype."""
    rng = np.random.default_rng(seed)

    def values(weight):
        kind = tf.as_dtype(weight.dtype)
        dtype = kind.as_numpy_dtype
        shape = tuple(weight.shape)
        if kind.is_bool:
            return rng.integers(0, 2, shape).astype(bool)
        if kind.is_integer:
            return rng.integers(0, 100, shape).astype(dtype)
        return rng.uniform(0.1, 1, shape).astype(dtype)

    for weight in model.weights:
        weight.assign(values(weight))


def arrays(model):
    return [weight.numpy() for weight in model.weights]


def bits(array):
    """Comparable bits: NaN payloads count, and bool has no view."""
    array = np.asarray(array)
    return array.dtype, array.shape, array.tobytes()


def check_arrays(model, expected):
    assert [bits(a) for a in arrays(model)] == [bits(a) for a in expected]


# A subclassed model does not know the shape of its input.
SHAPES = {"sub": [(2, 3)], "own": [(2, 3, 2)], "containers": [(2, 3)]}


def inputs(model):
    shapes = SHAPES.get(model.name) or model.input_shape
    if not isinstance(shapes, list):
        shapes = [shapes]
    made = [np.zeros([size or 2 for size in shape], "float32")
            for shape in shapes]
    return made if len(made) > 1 else made[0]


def train(model):
    """One step, so that the optimizer has state."""
    data = inputs(model)
    model.compile("adam", "mse")
    made = model(data)
    target = [np.zeros(out.shape, "float32") for out in (
        made if isinstance(made, list) else [made])]
    model.fit(data, target, epochs=1, verbose=0)


@entry()
def dense_sequential():
    return Sequential([Input((5,)), layers.Dense(4, name="fc1"),
                       layers.Dropout(0.1), layers.Dense(3, name="fc2")])


@entry()
def functional_two_inputs():
    a, b = Input((3,), name="a"), Input((4,), name="b")
    x = layers.Concatenate()([layers.Dense(4)(a), layers.Dense(4)(b)])
    return Model([a, b], layers.Dense(2, use_bias=False)(x))


def _inner(frozen=False):
    inner = Sequential([Input((4,)), layers.Dense(4, name="d1"),
                        layers.BatchNormalization(name="b1"),
                        layers.Dense(4, name="d2")], name="inner")
    inner.layers[0].trainable = not frozen
    return inner


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def nested():
    i = Input((4,))
    return Model(i, layers.Dense(2, name="top")(_inner()(i)))


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def nested_with_a_frozen_layer():
    """d1 and d2 have one shape, and in HDF5 the frozen one comes last."""
    i = Input((4,))
    return Model(i, _inner(frozen=True)(i))


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def model_in_model_in_model():
    i = Input((4,))
    mid = Model(i, layers.Dense(3, name="e")(
        _inner(frozen=True)(layers.Activation("relu", name="r")(i))),
        name="mid")
    j = Input((4,))
    return Model(j, layers.Dense(2, name="top")(mid(j)))


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def frozen_model_in_model():
    model = model_in_model_in_model()
    model.get_layer("mid").get_layer("inner").trainable = False
    return model


@entry()
def nested_of_one_layer():
    return Sequential([Input((4,)), layers.Dense(3, name="a"),
                       Sequential([Input((3,)), layers.Activation("relu"),
                                   layers.Dense(2, name="b")], name="one")])


class _Subclassed(Model):
    def __init__(self):
        super().__init__(name="sub")
        self.first = layers.Dense(4, name="first_layer")
        self.norm = layers.BatchNormalization(name="bn")
        self.blocks = [layers.Dense(4, name="x"), layers.Dense(4, name="y")]

    def call(self, x):
        x = self.norm(self.first(x))
        for block in self.blocks:
            x = block(x)
        return x


def _built(model):
    model(inputs(model))
    return model


@entry(to_tf=NEEDS_TF)
def subclassed():
    return _built(_Subclassed())


class _Containers(Model):
    """Two heads of one shape, in a dict whose keys are out of order."""

    def __init__(self):
        super().__init__(name="containers")
        self.towers = [[layers.Dense(3, name="t0")],
                       layers.Dense(3, name="t1")]
        self.heads = {"z": layers.Dense(3, name="hz"),
                      "a.b/c": layers.Dense(3, name="ha")}

    def call(self, x):
        x = self.towers[1](self.towers[0][0](x))
        return self.heads["z"](x) + self.heads["a.b/c"](x)


@entry(to_tf=NEEDS_TF)
def subclassed_with_lists_and_dicts():
    return _built(_Containers())


class _OwnWeight(Model):
    def __init__(self):
        super().__init__(name="own")
        self.rnn = layers.LSTM(2, name="rnn")
        self.w = self.add_weight(name="top", shape=(2,))

    def call(self, x):
        return self.rnn(x) + self.w


@entry(to_tf=NEEDS_TF)
def subclassed_with_its_own_weight():
    return _built(_OwnWeight())


@entry()
def shared_layer():
    a, b = Input((3,)), Input((3,))
    shared = layers.Dense(4, name="shared")
    return Model([a, b], layers.Dense(2, name="out")(
        layers.Add()([shared(a), shared(b)])))


@entry()
def lstm():
    return Sequential([Input((4, 3)), layers.LSTM(5, return_sequences=True),
                       layers.LSTM(2, name="second")])


@entry()
def gru():
    return Sequential([Input((4, 3)), layers.GRU(3, name="g"),
                       layers.Dense(2)])


@entry()
def simple_rnn():
    return Sequential([Input((4, 3)), layers.SimpleRNN(3),
                       layers.Dense(2)])


@entry()
def rnn_of_a_named_cell():
    return Sequential([Input((4, 3)),
                       layers.RNN(layers.LSTMCell(3, name="c0"), name="r")])


@entry()
def bidirectional():
    return Sequential([
        Input((4, 3)),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Bidirectional(layers.GRU(2, name="inside"), name="bi")])


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def stacked_cells():
    return Sequential([Input((4, 3)), layers.RNN(
        [layers.LSTMCell(3), layers.LSTMCell(3), layers.GRUCell(2)])])


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def stacked_cells_with_a_frozen_one():
    """The two cells have one shape, and the frozen one comes last."""
    cells = [layers.LSTMCell(3, name="a"), layers.LSTMCell(3, name="b")]
    cells[0].trainable = False
    return Sequential([Input((4, 3)), layers.RNN(cells, name="st")])


@entry()
def batch_norm():
    return Sequential([Input((6, 6, 2)), layers.Conv2D(3, 2),
                       layers.BatchNormalization(),
                       layers.BatchNormalization(scale=False),
                       layers.Flatten(), layers.Dense(2)])


@entry()
def frozen_batch_norm():
    model = batch_norm()
    model.layers[1].trainable = False
    return model


@entry()
def layer_and_group_norm():
    return Sequential([Input((4, 4)), layers.LayerNormalization(),
                       layers.GroupNormalization(2), layers.Dense(2)])


@entry()
def multi_head_attention():
    i = Input((4, 6))
    x = layers.MultiHeadAttention(2, 3, name="mha")(i, i)
    return Model(i, layers.MultiHeadAttention(2, 3, use_bias=False)(x, x))


@entry()
def attention_use_scale():
    a, b = Input((3, 4)), Input((3, 4))
    x = layers.Attention(use_scale=True)([a, b])
    return Model([a, b], layers.AdditiveAttention(name="add")([x, b]))


@entry()
def embedding():
    return Sequential([Input((4,)), layers.Embedding(7, 3),
                       layers.GlobalAveragePooling1D(), layers.Dense(2)])


@entry()
def separable_conv():
    return Sequential([Input((6, 6, 2)), layers.SeparableConv2D(3, 2),
                       layers.Reshape((25, 3)),
                       layers.SeparableConv1D(2, 2, use_bias=False)])


@entry()
def depthwise_conv():
    return Sequential([Input((6, 6, 2)), layers.DepthwiseConv2D(2),
                       layers.Conv2D(2, 1)])


@entry()
def conv_of_every_rank():
    return Sequential([Input((4, 4, 4, 1)), layers.Conv3D(2, 2),
                       layers.Reshape((9, 6)), layers.Conv1D(2, 2),
                       layers.Reshape((4, 4, 1)),
                       layers.Conv2DTranspose(2, 2, name="up")])


@entry()
def einsum_dense():
    return Sequential([Input((4, 3)), layers.EinsumDense(
        "abc,cd->abd", output_shape=(None, 5), bias_axes="d")])


@entry()
def conv_lstm():
    return Sequential([Input((3, 5, 5, 1)),
                       layers.ConvLSTM2D(2, 2, name="cl")])


@entry()
def time_distributed():
    return Sequential([Input((4, 3)),
                       layers.TimeDistributed(layers.Dense(5), name="td"),
                       layers.TimeDistributed(layers.BatchNormalization()),
                       layers.Dense(2)])


@entry()
def time_distributed_rnn_and_model():
    return Sequential([
        Input((4, 3, 2)),
        layers.TimeDistributed(layers.LSTM(5), name="td"),
        layers.TimeDistributed(
            Sequential([Input((5,)), layers.Dense(3, name="q")]),
            name="tm")])


@entry()
def prelu():
    return Sequential([Input((4,)), layers.Dense(3), layers.PReLU()])


def _mixed(policy):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        return Sequential([Input((4,)), layers.Dense(3),
                           layers.BatchNormalization(), layers.Dense(2)])
    finally:
        keras.mixed_precision.set_global_policy(before)


@entry()
def mixed_float16():
    return _mixed("mixed_float16")


@entry()
def mixed_bfloat16():
    return _mixed("mixed_bfloat16")


@entry(trains=False)
def float16():
    return Sequential([Input((4,)), layers.Dense(3, dtype="float16")])


@entry(trains=False, opaque=True)
def bfloat16():
    return Sequential([Input((4,)), layers.Dense(3, dtype="bfloat16")])


@entry()
def float64():
    return Sequential([Input((4,), dtype="float64"),
                       layers.Dense(3, dtype="float64")])


@entry(trains=False)
def normalization():
    first = layers.Normalization(name="adapted")
    first.adapt(np.arange(12, dtype="float32").reshape(3, 4))
    return Sequential([Input((4,)), first, layers.Dense(2)])


@entry(trains=False)
def no_weights():
    return Sequential([Input((4,)), layers.Activation("relu"),
                       layers.Reshape((2, 2))])


class _Scalars(layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=())
        self.empty = self.add_weight(name="empty", shape=(0, 4))
        self.steps = self.add_weight(name="steps", shape=(), dtype="int64",
                                     trainable=False, initializer="zeros")
        self.mask = self.add_weight(name="mask", shape=(3,), dtype="bool",
                                    trainable=False, initializer="zeros")

    def call(self, x):
        return x * self.gain


@entry(notes=True)
def scalars_and_integers():
    return Sequential([Input((4,)), _Scalars(name="s"), layers.Dense(2)])


class _Inside(layers.Layer):
    def build(self, shape):
        self.attribute = layers.Dense(3, name="named")

    def call(self, x):
        return self.attribute(x)


@entry(to_tf=NEEDS_TF, notes=True)
def custom_layer_with_a_layer():
    return Sequential([Input((4,)), _Inside(name="c"), layers.Dense(2)])


@entry()
def inner_layer_named_like_the_model_around_it():
    return Sequential([Input((4,)), layers.Dense(3, name="a"),
                       Sequential([Input((3,)),
                                   layers.Dense(2, name="tower")],
                                  name="tower")])


@entry()
def locally_connected():
    return Sequential([Input((6, 2)), layers.LocallyConnected1D(3, 2),
                       layers.Flatten(), layers.Dense(2)])


@entry()
def layer_names_with_slashes():
    return Sequential([Input((4,)), layers.Dense(3, name="blk/d1"),
                       layers.Dense(3, name="blk/d2"),
                       layers.Dense(2, name="Zed.x")])


@entry()
def transposed_convolutions():
    return Sequential([Input((4, 2)), layers.Conv1DTranspose(3, 2, name="c1"),
                       layers.Reshape((5, 3, 1, 1)),
                       layers.Conv3DTranspose(2, (2, 1, 1), name="c3"),
                       layers.Flatten(), layers.Dense(2)])


@entry()
def depthwise_conv_of_one_dimension():
    return Sequential([Input((6, 2)), layers.DepthwiseConv1D(2, name="dw"),
                       layers.Conv1D(3, 2, use_bias=False)])


@entry()
def conv_lstm_of_every_rank():
    return Sequential([
        Input((3, 5, 1)), layers.ConvLSTM1D(2, 2, name="one"),
        layers.Reshape((2, 2, 2, 1, 1)),
        layers.ConvLSTM3D(2, (2, 2, 1), name="three")])


@entry()
def conv_lstm_bidirectional():
    return Sequential([Input((3, 4, 4, 1)), layers.Bidirectional(
        layers.ConvLSTM2D(2, 2, name="cl"), name="both")])


@entry()
def locally_connected_in_two_dimensions():
    return Sequential([Input((4, 4, 2)),
                       layers.LocallyConnected2D(3, 2, name="lc"),
                       layers.Flatten(), layers.Dense(2)])


@entry()
def gru_before_its_reset():
    return Sequential([Input((4, 3)),
                       layers.GRU(3, reset_after=False, name="g",
                                  return_sequences=True),
                       layers.SimpleRNN(3, use_bias=False, name="s")])


@entry()
def stateful_lstm():
    """Its states are variables of no checkpoint."""
    return Sequential([Input((4, 3), batch_size=2),
                       layers.LSTM(3, stateful=True, name="s"),
                       layers.Dense(2)])


@entry()
def bidirectional_with_its_own_backward():
    return Sequential([Input((4, 3)), layers.Bidirectional(
        layers.LSTM(3, name="f"), name="bi",
        backward_layer=layers.GRU(3, go_backwards=True, name="b"))])


@entry()
def rnn_of_simple_and_gru_cells():
    return Sequential([
        Input((4, 3)),
        layers.RNN(layers.GRUCell(3, name="g"), return_sequences=True),
        layers.RNN(layers.SimpleRNNCell(2), name="last")])


@entry()
def batch_norm_without_center_or_scale():
    return Sequential([
        Input((4,)), layers.BatchNormalization(center=False),
        layers.Dense(3, use_bias=False),
        layers.BatchNormalization(center=False, scale=False),
        layers.LayerNormalization(center=False),
        layers.UnitNormalization()])


@entry(trains=False)
def normalization_of_several_axes():
    first = layers.Normalization(axis=(1, 2), name="n")
    first.adapt(np.arange(24, dtype="float32").reshape(4, 2, 3))
    return Sequential([Input((2, 3)), first, layers.Flatten(),
                       layers.Dense(2)])


@entry()
def noise_and_activations():
    """Layers without weights, some with seeds, between layers with them."""
    return Sequential([
        Input((6,)), layers.GaussianNoise(0.1), layers.Dense(4),
        layers.ELU(), layers.LeakyReLU(), layers.AlphaDropout(0.1),
        layers.Dense(4), layers.ThresholdedReLU(), layers.Softmax(),
        layers.ActivityRegularization(l2=0.1), layers.RepeatVector(2),
        layers.Permute((2, 1)), layers.Masking(), layers.Lambda(abs),
        layers.GlobalMaxPooling1D(), layers.Dense(2)])


@entry()
def residual_block():
    i = Input((6, 6, 4), name="image")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="c1")(i)
    x = layers.BatchNormalization(name="b1")(x)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="c2")(
        layers.ReLU(name="r")(x))
    x = layers.Add(name="sum")([layers.BatchNormalization(name="b2")(x), i])
    return Model(i, layers.GlobalAveragePooling2D()(x), name="residual")


@entry()
def u_net():
    i = Input((8, 8, 1))
    down = layers.Conv2D(2, 3, padding="same", name="down1")(i)
    low = layers.Conv2D(4, 3, padding="same", name="down2")(
        layers.MaxPooling2D()(down))
    up = layers.Conv2DTranspose(2, 2, strides=2, name="up1")(low)
    x = layers.Concatenate()([up, down])
    x = layers.Conv2D(2, 3, padding="same", name="up2")(x)
    return Model(i, layers.Conv2D(1, 1, name="mask")(x))


@entry()
def transformer_block():
    i = Input((5,))
    x = layers.Embedding(11, 6, name="tokens")(i)
    y = layers.MultiHeadAttention(2, 3, value_dim=4, name="self")(x, x)
    x = layers.LayerNormalization(name="ln1")(layers.Add()([x, y]))
    y = layers.Dense(8, activation="gelu", name="ff1")(x)
    y = layers.Dense(6, name="ff2")(y)
    x = layers.LayerNormalization(name="ln2")(layers.Add()([x, y]))
    return Model(i, layers.Dense(11, name="logits")(x))


@entry()
def attention_over_two_axes():
    i = Input((2, 3, 4))
    return Model(i, layers.MultiHeadAttention(
        2, 3, attention_axes=(1, 2), output_shape=5, name="m")(i, i))


@entry()
def several_outputs():
    i = Input((4,), name="x")
    trunk = layers.Dense(4, name="trunk")(i)
    return Model(i, [layers.Dense(3, name="left")(trunk),
                     layers.Dense(3, name="right")(trunk)])


@entry()
def siamese_of_one_layer():
    """The tower is a model of one layer, called twice."""
    tower = Sequential([Input((4,)), layers.Dense(3, name="d")], name="tower")
    a, b = Input((4,)), Input((4,))
    return Model([a, b], layers.Dense(1, name="out")(
        layers.Subtract()([tower(a), tower(b)])))


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def autoencoder():
    encoder = Sequential([Input((6,)), layers.Dense(4, name="e1"),
                          layers.Dense(2, name="e2")], name="encoder")
    decoder = Sequential([Input((2,)), layers.Dense(4, name="d1"),
                          layers.Dense(6, name="d2")], name="decoder")
    return Sequential([Input((6,)), encoder, decoder])


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def frozen_backbone_and_head():
    backbone = Sequential([
        Input((6, 6, 2)), layers.Conv2D(3, 3, name="c1"),
        layers.BatchNormalization(name="b1"),
        layers.Conv2D(3, 3, name="c2"), layers.Flatten()], name="backbone")
    backbone.trainable = False
    i = Input((6, 6, 2))
    return Model(i, layers.Dense(2, name="head")(backbone(i)))


@entry(to_tf=NEEDS_CONFIG, to_h5=NEEDS_CONFIG)
def time_distributed_model_of_two_layers():
    inner = Sequential([Input((3,)), layers.Dense(3, name="p"),
                        layers.Dense(3, name="q")], name="inner")
    return Sequential([Input((4, 3)),
                       layers.TimeDistributed(inner, name="td")])


@entry()
def time_distributed_convolution():
    return Sequential([
        Input((3, 5, 5, 1)),
        layers.TimeDistributed(layers.Conv2D(2, 2, name="c"), name="a"),
        layers.TimeDistributed(layers.SeparableConv2D(2, 2), name="b"),
        layers.TimeDistributed(layers.Flatten()),
        layers.LSTM(2, name="z")])


@entry()
def image_augmentation():
    """Layers with random state, which is in no weights file."""
    return Sequential([
        Input((8, 8, 3)), layers.Rescaling(1 / 255.0),
        layers.RandomFlip(seed=1), layers.RandomRotation(0.1, seed=2),
        layers.CenterCrop(6, 6), layers.ZeroPadding2D(),
        layers.Conv2D(2, 3), layers.SpatialDropout2D(0.1),
        layers.GlobalMaxPooling2D(), layers.Dense(2)])


@entry()
def hashed_categories():
    return Sequential([
        Input((3,), dtype="int32"), layers.Hashing(5), layers.Embedding(5, 2),
        layers.Flatten(), layers.Dense(2)])


@entry()
def prelu_with_shared_axes():
    return Sequential([Input((4, 4, 2)), layers.Conv2D(3, 2),
                       layers.PReLU(shared_axes=[1, 2], name="p"),
                       layers.Flatten(), layers.Dense(2)])


@entry()
def many_layers():
    """Numbers beyond ten: `layer-10` sorts before `layer-2`."""
    return Sequential([Input((3,))] + [
        layers.Dense(3, name=f"d{i}") for i in range(13)])


BY_NAME = {item.name: item for item in ZOO}
