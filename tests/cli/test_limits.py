"""The largest model that is taken: all that it is saved as is read back."""
import json
import struct

import pytest

MOST = 100000  # WH_MAX_LAYERS

pytestmark = pytest.mark.slow


def write_safetensors(path, n_layers):
    head = json.dumps({
        f"d{i}.kernel": {"dtype": "U8", "shape": [1, 1],
                         "data_offsets": [i, i + 1]}
        for i in range(n_layers)}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(n_layers))


def write_config(path, n_layers):
    layers = [{"class_name": "Dense",
               "config": {"name": f"d{i}", "use_bias": False}}
              for i in range(n_layers)]
    path.write_text(json.dumps({
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "InputLayer",
                               "config": {"name": "in"}}] + layers}}))


@pytest.fixture
def largest(wh):
    write_safetensors(wh.folder / "m.safetensors", MOST)
    return wh


@pytest.mark.parametrize("path, words", [
    ("m.h5", []), ("m.weights.h5", ["--save-format", "keras3"])])
def test_the_largest_model_is_read_back(largest, path, words):
    write_config(largest.folder / "c.json", MOST)
    largest.ok("convert", "m.safetensors", path, *words, "--model-config",
               "c.json", "-q")
    largest.ok("convert", path, "back.safetensors", "-q")
    back = (largest.folder / "back.safetensors").read_bytes()
    size, = struct.unpack_from("<Q", back)
    head = json.loads(back[8:8 + size])
    assert sum(name != "__metadata__" for name in head) == MOST


def test_a_larger_one_is_refused(wh):
    write_safetensors(wh.folder / "m.safetensors", MOST + 1)
    assert f"m.safetensors: more than {MOST} layers" in wh.fails(
        5, "convert", "m.safetensors", "m.h5")


def test_a_larger_configuration_is_refused(largest):
    write_config(largest.folder / "c.json", MOST + 1)
    assert f"model configuration: more than {MOST} layers" in largest.fails(
        2, "convert", "m.safetensors", "m.weights.h5", "--save-format", "keras3",
        "--model-config", "c.json")
