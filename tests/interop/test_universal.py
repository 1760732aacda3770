"""--root universal: one checkpoint that tf-keras loads by load_weights and
Keras 3 by tf.train.Checkpoint(model), sequential, functional or subclassed."""
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras2
from conftest import same
from zoo import arrays, check_arrays, fill


def layers_of(keras):
    L = keras.layers
    return [L.Conv2D(3, 2, name="conv"), L.BatchNormalization(name="bn"),
            L.Activation("relu", name="relu"), L.Flatten(name="flat"),
            L.Dropout(0.1, name="drop"), L.Dense(6, name="fc1"),
            L.Reshape((3, 2), name="steps"),
            L.Bidirectional(L.LSTM(2), name="bi"), L.Dense(4, name="fc2"),
            L.Dense(4, name="fc3")]


def sequential(keras):
    return keras.Sequential([keras.Input((5, 5, 2))] + layers_of(keras))


def functional(keras):
    x = i = keras.Input((5, 5, 2))
    for layer in layers_of(keras):
        x = layer(x)
    return keras.Model(i, x)


def fill3(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0, 1, weight.shape))


def by_layer(model):
    """Values by layer and name: the two Keras order some differently."""
    return [sorted((weight.shape if isinstance(weight.shape, tuple) else
                    tuple(weight.shape), weight.numpy().tobytes())
                   for weight in layer.weights
                   if "seed" not in weight.name)
            for layer in model.layers
            if layer.weights and "drop" not in layer.name]


MODELS = {"keras2-sequential": (keras2, sequential),
          "keras2-functional": (keras2, functional),
          "keras3-sequential": (keras3, sequential),
          "keras3-functional": (keras3, functional)}


def load(model, path):
    if isinstance(model, keras2.Model):
        fill(model, 9)
        model.load_weights(path).assert_consumed()
    else:
        fill3(model, 9)
        status = tf.train.Checkpoint(model).read(str(path))
        status.assert_consumed()


@pytest.fixture(scope="module")
def made():
    return {name: make(keras) for name, (keras, make) in MODELS.items()}


@pytest.mark.parametrize("origin", ["keras2-sequential", "keras2-functional"])
@pytest.mark.parametrize("source", ["theirs.h5", "theirs"])
def test_tf_13_one_file_loads_in_all(origin, source, made, wh):
    model = made[origin]
    fill(model, 1)
    expected = by_layer(model)
    model.save_weights(wh.folder / source)
    (wh.folder / "model.json").write_text(model.to_json())
    wh("convert", source, "ours", "--save-format", "tf", "--root",
       "universal", "--model-config", "model.json")
    for name, reader in made.items():
        load(reader, wh.folder / "ours")
        assert by_layer(reader) == expected, name


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_without_a_configuration_the_same_kind_of_model_loads(kind, made, wh):
    model = made[f"keras2-{kind}"]
    fill(model, 1)
    expected = by_layer(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh("convert", "theirs.h5", "ours", "--root", "universal")
    readers = ["keras2-sequential", "keras2-functional", f"keras3-{kind}"]
    if kind == "sequential":
        readers.append("keras3-functional")  # its first layer has weights
    for name in readers:
        load(made[name], wh.folder / "ours")
        assert by_layer(made[name]) == expected, name


@pytest.mark.parametrize("origin", ["keras3-sequential", "keras3-functional"])
def test_a_keras_3_checkpoint_loads_in_keras_2(origin, made, wh):
    model = made[origin]
    fill3(model, 1)
    expected = by_layer(model)
    tf.train.Checkpoint(model).write(str(wh.folder / "theirs"))
    wh("convert", "theirs", "ours", "--root", "universal")
    for name in ("keras2-sequential", "keras2-functional", origin):
        load(made[name], wh.folder / "ours")
        assert by_layer(made[name]) == expected, name


def nested(keras):
    L = keras.layers
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="d1"),
                              L.Dense(4, name="d2")], name="inner")
    inner.layers[0].trainable = False
    i = keras.Input((4,))
    return keras.Model(i, L.Dense(4, name="top")(
        inner(L.Dense(4, name="in")(i))))


def test_nested_models_load_by_their_configuration(wh):
    model, other = nested(keras2), nested(keras3)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    (wh.folder / "model.json").write_text(model.to_json())
    wh("convert", "theirs.h5", "ours", "--root", "universal",
       "--model-config", "model.json")
    fill3(other, 2)
    tf.train.Checkpoint(other).read(
        str(wh.folder / "ours")).assert_consumed()

    def values(model):
        found = {}
        for layer in model._flatten_layers(include_self=False):
            for weight in layer.weights:
                if len(layer.weights) == 2:
                    kind = weight.name.split("/")[-1].split(":")[0]
                    found[layer.name, kind] = weight.numpy().tobytes()
        return found
    assert values(model) == values(other)


def test_attributes_of_both_names_load(wh):
    """Embedding, and a depthwise kernel, whose edges Keras 3 renamed."""
    def make(keras):
        L = keras.layers
        return keras.Sequential([
            keras.Input((16,)), L.Embedding(9, 4, name="e"),
            L.Reshape((4, 4, 4), name="r"), L.DepthwiseConv2D(2, name="dw"),
            L.SeparableConv2D(3, 2, name="sep")])
    model, other = make(keras2), make(keras3)
    fill(model, 1)
    expected = by_layer(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh("convert", "theirs.h5", "ours", "--root", "universal")
    load(model, wh.folder / "ours")
    load(other, wh.folder / "ours")
    assert by_layer(model) == by_layer(other) == expected


def with_a_sum(keras):
    """To Keras 3 the sum is an operation, but no layer."""
    L = keras.layers
    i = keras.Input((4,))
    x = L.Dense(4, name="first")(i)
    return keras.Model(i, L.Dense(4, name="last")(L.ReLU(name="r")(x + i)))


@pytest.mark.parametrize("source", ["theirs.weights.h5", "theirs.keras",
                                    "theirs.h5"])
def test_operations_count_for_keras_3(source, wh):
    model = with_a_sum(keras3)
    fill3(model, 1)
    expected = by_layer(model)
    if source == "theirs.weights.h5":
        model.save_weights(wh.folder / source)
        done = wh.run("convert", source, "ours", "--root", "universal")
        assert done.returncode == 0 and "as if no function" in done.stderr
    else:
        model.save(wh.folder / source)
    (wh.folder / "model.json").write_text(model.to_json())
    wh.quiet("convert", source, "ours", "--root", "universal", *(
        ["--model-config", "model.json"] if "weights" in source else []))
    for reader in model, with_a_sum(keras2):
        load(reader, wh.folder / "ours")
        assert by_layer(reader) == expected


def test_nested_models_of_keras_3_files_go_through_h5(wh):
    model = nested(keras3)
    fill3(model, 1)
    expected = [weight.numpy().tobytes() for weight in model.weights]
    model.save(wh.folder / "theirs.keras")
    assert "h5 first" in wh.refused("convert", "theirs.keras", "ours", "--root",
                                    "universal")
    (wh.folder / "model.json").write_text(model.to_json())
    wh.quiet("convert", "theirs.keras", "theirs.h5")
    wh.quiet("convert", "theirs.h5", "ours", "--root", "universal",
             "--model-config", "model.json")
    fill3(model, 2)
    load(model, wh.folder / "ours")
    assert [weight.numpy().tobytes() for weight in model.weights] == expected


def test_a_checkpoint_of_another_root_is_lifted(made, wh):
    model = made["keras2-sequential"]
    fill(model, 1)
    expected = by_layer(model)
    tf.train.Checkpoint(model=model, step=tf.Variable(1)).write(
        str(wh.folder / "theirs"))
    done = wh.run("convert", "theirs", "ours", "--root", "universal")
    assert done.returncode == 0 and "left out: 1 state" in done.stderr
    for name in ("keras2-sequential", "keras2-functional",
                 "keras3-sequential"):
        load(made[name], wh.folder / "ours")
        assert by_layer(made[name]) == expected, name


class Tower(keras2.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [keras2.layers.Dense(4), keras2.layers.Dense(3)]
        self.scale = tf.Variable(2.0)

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x * self.scale


def tower(seed, subclassed):
    if not subclassed:
        model = keras2.Sequential([keras2.Input((5,)), keras2.layers.Dense(4),
                                  keras2.layers.Dense(3)])
    else:
        model = Tower()
        model(np.zeros((1, 5), "f4"))
    fill(model, seed)
    return model


@pytest.mark.parametrize("subclassed", [False, True])
@pytest.mark.parametrize("how", ["save", "write"])
def test_one_of_several_models_is_named(how, subclassed, wh):
    """The net and its moving average; two towers in a list."""
    net, ema, left, right = (tower(seed, subclassed) for seed in range(4))
    optimizer = keras2.optimizers.Adam()
    optimizer.build(net.trainable_variables)
    checkpoint = tf.train.Checkpoint(net=net, ema=ema, towers=[left, right],
                                     optimizer=optimizer)
    wh.commit(getattr(checkpoint, how)(str(wh.folder / "theirs/ckpt")))
    if how == "save" or not subclassed:
        said = wh.refused("save-weights", "HEAD", "ours/ckpt", "--root",
                          "model")
        assert "--object" in said and "ema, net, optimizer, towers" in said
    assert "ema, net" in wh.refused("save-weights", "HEAD", "ours/ckpt",
                                    "--object", "nett")
    assert "0, 1" in wh.refused("save-weights", "HEAD", "ours/ckpt",
                                "--object", "towers/2")
    assert not (wh.folder / "ours").exists()
    assert "converts into h5" in wh.refused("save-weights", "HEAD", "ours.h5",
                                            "--object", "net")
    for path, model in (("net", net), ("ema", ema), ("towers/1", right)):
        ours, again = wh.folder / "ours" / path, tower(9, subclassed)
        wh("save-weights", "HEAD", ours, "--object", path)
        again.load_weights(ours).assert_consumed()
        check_arrays(again, arrays(model))
        wh("save-weights", "HEAD", ours, "--object", path, "--root",
           "checkpoint")
        again = tower(9, subclassed)
        tf.train.Checkpoint(model=again).read(str(ours)).assert_consumed()
        check_arrays(again, arrays(model))
    wh("save-weights", "HEAD", "net/ckpt", "--object", "net")
    net.save_weights(wh.folder / "theirs/net")
    assert same(wh.folder / "net/ckpt.index", wh.folder / "theirs/net.index")
    wh("convert", "net/ckpt", "net.h5")
    again = tower(9, subclassed)
    again.load_weights(wh.folder / "net.h5")
    check_arrays(again, arrays(net))


def test_subclassed_models_share_a_file_by_attribute_names(wh):
    """What a map names is found by both."""
    def make(keras):
        class Net(keras.Model):
            def __init__(self):
                super().__init__(name="net")
                self.a = keras.layers.Dense(3, name="first")
                self.b = keras.layers.Dense(3, name="second")

            def call(self, x):
                return self.b(self.a(x))
        model = Net()
        model(np.zeros((1, 3), "float32"))
        return model
    model, other = make(keras2), make(keras3)
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    (wh.folder / "map.json").write_text('{"first": "a", "second": "b"}')
    wh("convert", "theirs.h5", "ours", "--root", "universal", "--map",
       "map.json")
    expected = arrays(model)
    load(model, wh.folder / "ours")
    load(other, wh.folder / "ours")
    for found in (arrays(model), [w.numpy() for w in other.weights]):
        assert [a.tobytes() for a in found] == [
            a.tobytes() for a in expected]
