"""Values in the layouts of Keras 1 and of cuDNN's cells: load-weights converts
them as tf-keras does, bit for bit, or says what it can't know."""
import h5py
import numpy as np
import pytest
import tf_keras as keras
from conftest import config
from zoo import fill

L, Input, Sequential = keras.layers, keras.Input, keras.Sequential
RNG = np.random.default_rng(11)


def values(*shape):
    return RNG.uniform(-1, 1, shape).astype("float32")


def write(path, layers, version=None, whole=False):
    """{layer: {weight: values}} as Keras wrote it; no version: Keras 1, which
    gave one to the root of a whole model only."""
    with h5py.File(path, "w") as file:
        root = file
        if whole:
            file.attrs["keras_version"] = b"1.2.2"
            file.attrs["model_config"] = b"{}"
            root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in layers]
        if version:
            root.attrs["keras_version"] = version.encode()
            root.attrs["backend"] = b"tensorflow"
        for layer, weights in layers.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, array in weights.items():
                group[name] = array


def check(wh, model, source, *options):
    """The file's values, by tf-keras and by us: the same bits."""
    fill(model, 3)
    model.save_weights(wh.folder / "into.h5")
    wh("load-weights", f"file:{source}", "--into", "into.h5", *options)
    model.load_weights(wh.folder / source)
    expected = [w.numpy() for w in model.weights]
    fill(model, 4)
    model.load_weights(wh.folder / "into.h5")
    assert [w.numpy().tobytes() for w in model.weights] == [
        a.tobytes() for a in expected]


def refused_by_both(wh, model, source, *options):
    model.save_weights(wh.folder / "into.h5")
    with pytest.raises(ValueError) as theirs:
        model.load_weights(wh.folder / source)
    said = wh.refused("load-weights", f"file:{source}", "--into", "into.h5",
                      *options)
    assert str(theirs.value) in said


# ---- cuDNN's cells ---------------------------------------------------------

def cudnn_cell(kind, units, inputs):
    gates = 4 if kind == "lstm" else 3
    scope = f"cu_dnn{kind}"
    return {f"{scope}/kernel:0": values(inputs, gates * units),
            f"{scope}/recurrent_kernel:0": values(units, gates * units),
            f"{scope}/bias:0": values(2 * gates * units)}


def scoped(weights, scope):
    return {f"{scope}/{name}": array for name, array in weights.items()}


CLASSES = {"lstm": L.LSTM, "gru": L.GRU}


@pytest.mark.parametrize("inputs, units", [(3, 4), (4, 4), (5, 2), (1, 3)])
@pytest.mark.parametrize("kind", CLASSES)
def test_a_cell_of_cudnn_goes_into_a_plain_one(kind, inputs, units, wh):
    write(wh.folder / "theirs.h5", {f"cu_dnn{kind}": cudnn_cell(
        kind, units, inputs)}, "2.2.4")
    check(wh, Sequential([Input((6, inputs)), CLASSES[kind](units)]),
          "theirs.h5")


@pytest.mark.parametrize("kind", CLASSES)
def test_cells_of_cudnn_inside_of_others(kind, wh):
    """Bidirectional, TimeDistributed, and a model in the model."""
    make = CLASSES[kind]
    inner = Sequential([Input((6, 4)), make(3, return_sequences=True,
                                            name="one"),
                        L.Dense(4, name="two")], name="inner")
    model = Sequential([
        Input((6, 4)), L.Bidirectional(make(2, return_sequences=True)),
        inner, L.Reshape((1, 6, 4)), L.TimeDistributed(make(5))])
    both = {**scoped(cudnn_cell(kind, 2, 4), "bi/forward"),
            **scoped(cudnn_cell(kind, 2, 4), "bi/backward")}
    write(wh.folder / "theirs.h5", {
        "bi": both, "inner": {**scoped(cudnn_cell(kind, 3, 4), "one"),
                              "two/kernel:0": values(3, 4),
                              "two/bias:0": values(4)},
        "td": cudnn_cell(kind, 5, 4)}, "2.2.4")
    check(wh, model, "theirs.h5")


def test_a_frozen_cell_of_cudnn_comes_last_and_is_converted_there(wh):
    inner = Sequential([Input((6, 4)), L.LSTM(3, return_sequences=True,
                                              name="one"),
                        L.Dense(4, name="two")], name="inner")
    inner.layers[0].trainable = False
    write(wh.folder / "theirs.h5", {"inner": {
        "two/kernel:0": values(3, 4), "two/bias:0": values(4),
        **scoped(cudnn_cell("lstm", 3, 4), "one")}}, "2.2.4")
    check(wh, Sequential([Input((6, 4)), inner]), "theirs.h5")


@pytest.mark.parametrize("kind", CLASSES)
def test_a_plain_cell_goes_into_one_of_cudnn(kind, wh):
    """Into a file: the real layer needs a GPU, its converter doesn't."""
    from tf_keras.src.saving.legacy import hdf5_format
    model = Sequential([Input((6, 3)), CLASSES[kind](4, name="r")])
    fill(model, 1)
    model.save_weights(wh.folder / "theirs.h5")
    own = cudnn_cell(kind, 4, 3)
    write(wh.folder / "into.h5", {f"cu_dnn{kind}": own}, "2.2.4")
    wh("load-weights", "file:theirs.h5", "--into", "into.h5")
    target = type("CuDNN" + kind.upper(), (), {})()
    expected = hdf5_format.preprocess_weights_for_loading(
        target, [w.numpy() for w in model.weights], "2.2.4", "tensorflow")
    with h5py.File(wh.folder / "into.h5") as file:
        for name, array in zip(own, expected):
            assert file[f"cu_dnn{kind}"][name][()].tobytes() == \
                np.ascontiguousarray(array).tobytes(), name


def test_a_gru_without_reset_after_is_refused_in_kerass_words(wh):
    write(wh.folder / "theirs.h5", {"g": cudnn_cell("gru", 4, 3)}, "2.2.4")
    refused_by_both(wh, Sequential([Input((6, 3)), L.GRU(
        4, reset_after=False)]), "theirs.h5")


def test_a_bias_of_no_kind_is_refused_in_kerass_words(wh):
    cell = cudnn_cell("lstm", 4, 3)
    cell["cu_dnnlstm/bias:0"] = values(17)
    write(wh.folder / "theirs.h5", {"l": cell}, "2.2.4")
    refused_by_both(wh, Sequential([Input((6, 3)), L.LSTM(4)]), "theirs.h5")


# ---- Keras 1 ---------------------------------------------------------------

def gates(kind, units, inputs, layer, shape=None):
    """(W, U, b) of each gate, as Keras 1 lists them."""
    made = {}
    for gate in ("icfo" if kind == "lstm" else "zrh"):
        made[f"{layer}_W_{gate}:0"] = values(*(shape or ()), inputs, units)
        made[f"{layer}_U_{gate}:0"] = values(*(shape or ()), units, units)
        made[f"{layer}_b_{gate}:0"] = values(units)
    return made


@pytest.mark.parametrize("kind", CLASSES)
def test_gates_of_keras_1_are_joined(kind, wh):
    options = {} if kind == "lstm" else {"reset_after": False}
    model = Sequential([
        Input((6, 3)), CLASSES[kind](4, return_sequences=True, **options),
        L.Bidirectional(CLASSES[kind](2, **options))])
    write(wh.folder / "theirs.h5", {
        "r_1": gates(kind, 4, 3, "r_1"),
        "b_1": {**gates(kind, 2, 4, "fw"), **gates(kind, 2, 4, "bw")}})
    check(wh, model, "theirs.h5")


def test_gates_in_doubles_are_joined_and_rounded(wh):
    write(wh.folder / "theirs.h5", {"r_1": {
        name: array.astype("float64") / 3
        for name, array in gates("lstm", 4, 3, "r_1").items()}})
    model = Sequential([Input((6, 3)), L.LSTM(4)])
    check(wh, model, "theirs.h5", "--cast")
    assert "would be rounded" in wh.refused(
        "load-weights", "file:theirs.h5", "--into", "into.h5")


def test_gates_of_a_convolutional_cell_are_joined(wh):
    write(wh.folder / "theirs.h5", {"c_1": gates("lstm", 3, 2, "c_1",
                                                 (2, 2))})
    check(wh, Sequential([Input((3, 6, 6, 2)), L.ConvLSTM2D(3, 2)]),
          "theirs.h5")


@pytest.mark.parametrize("shape", [(3, 1, 2, 4), (4, 2, 3, 1)])
def test_a_kernel_of_conv1d_loses_an_axis(shape, wh):
    write(wh.folder / "theirs.h5", {"c_1": {
        "c_1_W:0": values(*shape), "c_1_b:0": values(4)}})
    check(wh, Sequential([Input((9, 2)), L.Conv1D(4, 3)]), "theirs.h5")


@pytest.mark.parametrize("make, shape, needs", [
    (lambda: L.Conv2D(4, 3), (3, 3, 2, 4), False),
    (lambda: L.Conv2D(2, 3), (3, 3, 2, 2), True),
    (lambda: L.Conv2DTranspose(4, 3), (3, 3, 2, 4), False),
    (lambda: L.Conv2DTranspose(2, 3), (3, 3, 2, 2), True)],
    ids=["conv", "conv-square", "transposed", "transposed-square"])
def test_a_kernel_of_keras_1_is_turned_as_its_class_says(make, shape, needs,
                                                         wh):
    model = Sequential([Input((9, 9, 2)), make()])
    write(wh.folder / "theirs.h5", {"c_1": {
        "c_1_W:0": values(*shape), "c_1_b:0": values(shape[3])}})
    check(wh, model, "theirs.h5", *config(wh, model))
    if needs:
        said = wh.refused("load-weights", "file:theirs.h5", "--into",
                          "into.h5")
        assert "meant in two ways" in said and "--model-config" in said
    else:
        check(wh, model, "theirs.h5")


def test_a_whole_model_of_keras_1_has_its_version_elsewhere(wh):
    model = Sequential([Input((9, 9, 2)), L.Conv2DTranspose(2, 3)])
    write(wh.folder / "theirs.h5", {"c_1": {
        "c_1_W:0": values(3, 3, 2, 2), "c_1_b:0": values(2)}}, whole=True)
    check(wh, model, "theirs.h5", *config(wh, model))
    wh("convert", "theirs.h5", "again.h5", "--canonical")
    check(wh, model, "again.h5", *config(wh, model))


@pytest.mark.parametrize("make, shape, axes", [
    (lambda: L.Conv2D(4, 3, data_format="channels_first"), (4, 2, 3, 3), 2),
    (lambda: L.Conv2DTranspose(4, 3, data_format="channels_first"),
     (4, 2, 3, 3), 2),
    (lambda: L.Conv3D(4, 3, data_format="channels_first"), (4, 2, 3, 3, 3),
     3)], ids=["conv", "transposed", "volume"])
def test_kernels_of_theano_order(make, shape, axes, wh):
    model = Sequential([Input((2,) + (9,) * axes), make()])
    write(wh.folder / "theirs.h5", {"c_1": {
        "c_1_W:0": values(*shape), "c_1_b:0": values(4)}})
    check(wh, model, "theirs.h5", *config(wh, model))


@pytest.mark.parametrize("version", ["1.2.2", "2.0.8"])
def test_any_version_a_kernel_of_another_shape_is_turned(version, wh):
    model = Sequential([Input((9, 9, 2)), L.Conv2D(4, 3)])
    write(wh.folder / "theirs.h5", {"c_1": {
        "c_1_W:0": values(2, 4, 3, 3), "c_1_b:0": values(4)}}, version)
    check(wh, model, "theirs.h5", *config(wh, model))
    assert "--model-config" in wh.refused("load-weights", "file:theirs.h5",
                                          "--into", "into.h5")


def test_dense_and_batch_norm_of_keras_1_are_as_they_are(wh):
    model = Sequential([Input((3,)), L.Dense(4), L.BatchNormalization()])
    write(wh.folder / "theirs.h5", {
        "d_1": {"d_1_W:0": values(3, 4), "d_1_b:0": values(4)},
        "b_1": {f"b_1_{name}:0": values(4) for name in (
            "gamma", "beta", "running_mean", "running_std")}})
    check(wh, model, "theirs.h5")
