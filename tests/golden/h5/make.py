"""Makes the HDF5 golden files: make.py [OUT | --check]."""
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common
from common import WRITERS, fill, fresh, h5py, keras2, keras3, np
from models import MODELS, build

import by_hand

CASES = {}


def case(function):
    """`function(path)` writes a file; it returns who wrote it, and whether it
    is canonical: a weights file by the real Keras."""
    CASES[function.__name__.replace("_", "-")] = function
    return function


def saved(model, path):
    model.save_weights(str(path))
    return WRITERS["keras2"], True


@case
def split_weight_names(path):
    """Nineteen names, one of 3,600 bytes: 68,400 bytes as NumPy counts."""
    random = fresh("split-weight-names")
    model = keras2.Sequential(
        [keras2.layers.Dense(2, name="l", input_shape=(2,)),
         keras2.layers.Dense(2, name="d")])
    for name in ["w" * 3598, *(f"v{k}" for k in range(16))]:
        model.layers[0].add_weight(name=name, shape=(2,))
    fill(model.weights, random)
    return saved(model, path)


@case
def split_layer_names(path):
    """Twenty layers, the name of one of 3,400 bytes: 68,000 bytes."""
    random = fresh("split-layer-names")
    model = keras2.Sequential(
        [keras2.layers.Dense(2, name="d", input_shape=(2,)),
         *(keras2.layers.ReLU(name=f"r{k}") for k in range(17)),
         keras2.layers.ReLU(name="r" * 3400),
         keras2.layers.Dense(1, name="e")])
    fill(model.weights, random)
    return saved(model, path)


def classifier(keras, random):
    model = keras.Sequential(
        [keras.layers.Input((3,)),
         keras.layers.Dense(4, activation="relu", name="hidden"),
         keras.layers.BatchNormalization(name="norm"),
         keras.layers.Dense(2, name="out")], name="seq")
    fill(model.weights, random)
    return model


def with_adam(keras, random):
    model = classifier(keras, random)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mse")
    model.optimizer.build(model.trainable_variables)
    state = model.optimizer.variables
    fill(state() if callable(state) else state, random)
    return model


@case
def full_k2(path):
    """A whole model without an optimizer."""
    classifier(keras2, fresh("full-k2")).save(str(path))
    return WRITERS["keras2"], False


@case
def full_k2_adam(path):
    with_adam(keras2, fresh("full-k2-adam")).save(str(path))
    return WRITERS["keras2"], False


@case
def full_k2_legacy_adam(path):
    random = fresh("full-k2-legacy-adam")
    model = classifier(keras2, random)
    optimizer = keras2.optimizers.legacy.Adam(0.001)
    model.compile(optimizer=optimizer, loss="mse")
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    fill(model.weights + optimizer.weights, random)
    model.save(str(path))
    return WRITERS["keras2"], False


@case
def full_k3(path):
    classifier(keras3, fresh("full-k3")).save(str(path))
    return WRITERS["keras3"], False


@case
def full_k3_adam(path):
    with_adam(keras3, fresh("full-k3-adam")).save(str(path))
    return WRITERS["keras3"], False


def names(group, name):
    """The list attribute `name`, split or not, as text."""
    if name in group.attrs:
        parts = [group.attrs[name]]
    else:
        parts = []
        while f"{name}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{name}{len(parts)}"])
    raw = [item for part in parts for item in np.atleast_1d(part).tolist()]
    return [(item.decode() if isinstance(item, bytes) else item).rstrip(" ")
            for item in raw]


def text(group, name):
    value = group.attrs.get(name)
    return value.decode() if isinstance(value, bytes) else value


def counted(root):
    """(layer, group, names) of a file of Keras 0.x."""
    for k in range(int(root.attrs["nb_layers"])):
        group = root[f"layer_{k}"]
        yield (f"layer_{k}", group,
               [f"param_{i}" for i in range(int(group.attrs["nb_params"]))])


def listed(file, root):
    """The same of a later one, with the model's own weights and the
    optimizer's behind its layers."""
    groups = [(layer, root[layer]) for layer in names(root, "layer_names")]
    if "top_level_model_weights" in root:
        groups.append(("top_level_model_weights",
                       root["top_level_model_weights"]))
    if "optimizer_weights" in file:
        groups.append(("optimizer", file["optimizer_weights"]))
    return [(layer, group, names(group, "weight_names"))
            for layer, group in groups]


def tensor(layer, name, dataset):
    array = np.asarray(dataset[()])
    dtype = dataset.dtype
    if dtype.kind == "V":
        dtype, array = "bfloat16", array.view("<u2")
    little = array.astype(array.dtype.newbyteorder("<"))
    return {"layer": layer, "name": name,
            "dtype": str(getattr(dtype, "name", dtype)),
            "shape": list(dataset.shape),
            "sha256": common.digest(little.tobytes(order="C"))}


def truth(path, writer, canonical):
    """What h5py sees in the file, layer by layer."""
    with h5py.File(path, "r") as file:
        root = file
        if not names(file, "layer_names") and "model_weights" in file:
            root = file["model_weights"]
        groups = list(counted(root) if "nb_layers" in root.attrs
                      else listed(file, root))
        tensors = [tensor(layer, name, group[name])
                   for layer, group, inside in groups for name in inside]
        own = ("top_level_model_weights", "optimizer")
        layers = [layer for layer, _, _ in groups if layer not in own]
        return {"writer": writer, "canonical": canonical,
                "keras_version": text(root, "keras_version"),
                "backend": text(root, "backend"), "layer_names": layers,
                "tensors": tensors}


def make(out):
    for name in MODELS:
        CASES[name] = lambda path, name=name: saved(build(name), path)
    CASES.update(by_hand.CASES)
    for name, write in CASES.items():
        path = out / f"{name}.h5"
        path.unlink(missing_ok=True)
        common.write_json(out / f"{name}.json", truth(path, *write(path)),
                          "tensors")


if __name__ == "__main__":
    sys.exit(common.main(make, FOLDER, {"make.py", "by_hand.py"}))
