"""The zoo's models built by Keras 3, where it has their layers: the same
recipes, read once more with another library under their names."""
import importlib.util
import sys
from pathlib import Path
from unittest import mock

import keras

# Keras 3 has no such layers, or allows no such names.
NOT_IN_KERAS3 = {"locally_connected", "locally_connected_in_two_dimensions",
                 "noise_and_activations", "layer_names_with_slashes"}


def load():
    path = Path(__file__).with_name("zoo.py")
    spec = importlib.util.spec_from_file_location("zoo_of_keras3", path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {"zoo_of_keras3": module,
                                       "tf_keras": keras}):
        spec.loader.exec_module(module)
    return module


_zoo = load()
fill, arrays, inputs, train = _zoo.fill, _zoo.arrays, _zoo.inputs, _zoo.train
ZOO = [item for item in _zoo.ZOO if item.name not in NOT_IN_KERAS3]
BY_NAME = {item.name: item for item in ZOO}
