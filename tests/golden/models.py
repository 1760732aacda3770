"""The models whose weights are kept both as HDF5 and as TensorFlow
checkpoints: MODELS maps a name to a function that builds a tf_keras model.
Layers have names of their own, so that nothing depends on a counter."""
from common import fill, fresh, keras2, tf

layers = keras2.layers
MODELS = {}


def model(function):
    MODELS[function.__name__.replace("_", "-")] = function
    return function


def build(name):
    """The model, built, with values that depend on its name alone."""
    random = fresh(name)
    built = MODELS[name]()
    fill(built.weights, random)
    return built


def functional(inputs, outputs, name="model"):
    return keras2.Model(inputs, outputs, name=name)


def chain(*parts, shape, dtype=None):
    start = keras2.Input(shape, name="start", dtype=dtype)
    end = start
    for part in parts:
        end = part(end)
    return functional(start, end)


class Holder(layers.Layer):
    """Weights of any dtype: `specs` are (name, dtype, shape)."""

    def __init__(self, specs, **options):
        super().__init__(**options)
        self.specs = specs

    def build(self, shape):
        for name, dtype, extents in self.specs:
            self.add_weight(
                name=name, shape=extents, dtype=dtype, trainable=False,
                initializer=lambda size, dtype=None: tf.zeros(size, dtype))
        super().build(shape)

    def call(self, inputs):
        return inputs


@model
def sequential():
    return keras2.Sequential([
        layers.Dense(4, name="hidden", input_shape=(3,)),
        layers.Dropout(0.5, name="drop"),
        layers.Dense(2, use_bias=False, name="Zed")])


@model
def nested():
    """A model in a model in a model, and a layer called twice."""
    innermost = keras2.Sequential(
        [layers.Dense(3, name="i1", input_shape=(3,)),
         layers.BatchNormalization(name="i2")], name="innermost")
    x = keras2.Input((3,), name="inner_start")
    inner = functional(x, layers.Dense(3, name="i3")(innermost(x)), "inner")
    shared = layers.Dense(3, name="shared")
    a, b = keras2.Input((3,), name="a"), keras2.Input((3,), name="b")
    joined = layers.Concatenate(name="join")([shared(inner(a)), shared(b)])
    return functional([a, b], layers.Dense(2, name="d10")(joined))


@model
def frozen():
    built = sequential()
    built.layers[0].trainable = False
    return built


@model
def frozen_nested():
    """Two layers of one shape: legacy HDF5 lists the frozen one last."""
    inner = keras2.Sequential(
        [layers.Dense(3, name="first", input_shape=(3,)),
         layers.Dense(3, name="second")], name="inner")
    inner.layers[0].trainable = False
    return chain(inner, layers.Dense(2, name="out"), shape=(3,))


@model
def lstm():
    return chain(layers.LSTM(2, name="lstm"), shape=(4, 3))


@model
def gru():
    return chain(layers.GRU(2, name="gru"), shape=(4, 3))


@model
def simple_rnn():
    return chain(layers.SimpleRNN(2, name="rnn"), shape=(4, 3))


@model
def bidirectional():
    return chain(layers.Bidirectional(layers.LSTM(2, name="lstm"), name="both"),
                 shape=(4, 3))


@model
def time_distributed():
    return chain(layers.TimeDistributed(layers.Dense(2, name="each"),
                                        name="times"), shape=(4, 3))


@model
def rnn_cells():
    cells = [layers.LSTMCell(2, name="lstm_cell"),
             layers.GRUCell(3, name="gru_cell")]
    return chain(layers.RNN(cells, name="stack"), shape=(4, 3))


@model
def attention():
    x = keras2.Input((4, 6), name="start")
    heads = layers.MultiHeadAttention(2, 3, name="heads")
    return functional(x, layers.LayerNormalization(name="norm")(heads(x, x)))


@model
def convolutions():
    return chain(
        layers.Conv2D(3, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.DepthwiseConv2D(2, name="depth"),
        layers.SeparableConv2D(2, 2, depth_multiplier=2, name="separable"),
        layers.Conv2DTranspose(2, 2, name="transposed"),
        layers.PReLU(shared_axes=[1, 2], name="prelu"), shape=(8, 8, 1))


@model
def conv_lstm():
    return chain(layers.ConvLSTM2D(2, 2, name="weather"), shape=(2, 4, 4, 1))


@model
def embedding():
    return chain(layers.Embedding(5, 3, name="words"), shape=(4,),
                 dtype="int32")


@model
def normalizations():
    return chain(layers.LayerNormalization(name="layer"),
                 layers.GroupNormalization(2, name="group"),
                 layers.Normalization(name="input"), shape=(4,))


@model
def float16():
    return chain(layers.Dense(3, dtype="float16", name="half"),
                 shape=(3,), dtype="float16")


@model
def mixed_float16():
    policy = keras2.mixed_precision.Policy("mixed_float16")
    return chain(layers.Dense(3, dtype=policy, name="mixed"), shape=(3,))


@model
def bfloat16():
    return chain(layers.Dense(3, dtype="bfloat16", name="brain"),
                 shape=(3,), dtype="bfloat16")


@model
def float64():
    return chain(layers.Dense(3, dtype="float64", name="double"),
                 shape=(3,), dtype="float64")


@model
def dtypes():
    """Scalars, an empty tensor, every integer, bool."""
    integers = [f"{sign}int{bits}" for bits in (8, 16, 32, 64)
                for sign in ("", "u")]
    return chain(Holder([("scalar", "float32", ()), ("flag", "bool", ()),
                         ("flags", "bool", (5,)), ("none", "float32", (0, 4)),
                         ("count", "int64", ())] +
                        [(kind, kind, (3,)) for kind in integers],
                        name="holder"), shape=(2,))


@model
def complex64():
    return chain(Holder([("wave", "complex64", (2, 2))], name="holder"),
                 shape=(2,))


@model
def no_weights():
    return chain(layers.ReLU(name="relu"), layers.Flatten(name="flat"),
                 shape=(2,))


class Subclassed(keras2.Model):
    """Layers in a list, a dict and a tuple, and weights of the model's own."""

    def __init__(self):
        super().__init__(name="own")
        self.first = layers.Dense(3, name="dense_first")
        self.blocks = [layers.Dense(3, name="block0"),
                       layers.Dense(3, name="block1")]
        self.heads = {"reg/x.y": layers.Dense(1, name="head_reg"),
                      "cls": layers.Dense(2, name="head_cls")}
        self.pair = (layers.Dense(2, name="pair0"), 7)
        self.scale = self.add_weight(name="top_scale", shape=(3,))
        self.steps = self.add_weight(name="top_steps", shape=(),
                                     dtype="int64", trainable=False,
                                     initializer="zeros")

    def call(self, inputs):
        x = self.first(inputs) * self.scale
        for block in self.blocks:
            x = block(x)
        return [head(x) for head in self.heads.values()] + [self.pair[0](x)]


@model
def subclassed():
    built = Subclassed()
    built(tf.zeros((1, 3)))
    return built


@model
def utf8_name():
    return chain(Holder([("größe", "float32", (2,)), ("重み", "float32", (2,))],
                        name="holder"), shape=(2,))


@model
def slash_names():
    return chain(layers.Dense(3, name="a"), layers.Dense(2, name="a/b"),
                 layers.Dense(2, name="block.1/x-y"), shape=(3,))
