"""--map: what a user says where neither names nor a configuration decide."""
import json

import h5py
import pytest
from conftest import sha256
from safetensors.numpy import save_file
from zoo import BY_NAME, arrays, check_arrays, fill


def write(wh, mapping):
    (wh.folder / "map.json").write_text(json.dumps(mapping))
    return "--map", "map.json"


# What each undecided h5 file of the zoo lacks.
TO_TF = {
    "subclassed": {"first_layer": "first", "bn": "norm",
                   "sub/x": "blocks/0", "sub/y": "blocks/1"},
    "subclassed_with_lists_and_dicts": {
        "t0": "towers/0/0", "t1": "towers/1", "hz": "heads/z"},
    "subclassed_with_its_own_weight": {
        "own/rnn/lstm_cell": "rnn/cell", "top:0": "w"},
    "custom_layer_with_a_layer": {
        "c/named": "layer_with_weights-0/attribute"},
    "nested_with_a_frozen_layer": {
        "d1": "layer_with_weights-0/layer_with_weights-0",
        "b1": "layer_with_weights-0/layer_with_weights-1",
        "d2": "layer_with_weights-0/layer_with_weights-2"},
    "stacked_cells_with_a_frozen_one": {
        "st/stacked_rnn_cells/a": "layer_with_weights-0/cell/cells/0",
        "st/stacked_rnn_cells/b": "layer_with_weights-0/cell/cells/1"},
}


@pytest.mark.parametrize("name", [name for name in TO_TF
                                  if "dicts" not in name])
def test_a_map_decides_h5_to_tf(name, wh):
    model = BY_NAME[name].make()
    fill(model, 1)
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.refused("convert", "theirs.h5", "ours")
    wh("convert", "theirs.h5", "ours", *write(wh, TO_TF[name]))
    fill(model, 2)
    model.load_weights(wh.folder / "ours").assert_consumed()
    check_arrays(model, expected)
    # The same into a checkpoint that is there.
    model.save_weights(wh.folder / "into")
    fill(model, 3)
    model.save_weights(wh.folder / "into")
    wh("load-weights", "file:theirs.h5", "--into", "into", "--map",
       "map.json", "--assert-consumed")
    model.load_weights(wh.folder / "into").assert_consumed()
    check_arrays(model, expected)


def test_each_weight_may_be_named_alone(wh):
    model = BY_NAME["subclassed"].make()
    fill(model, 1)
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs.h5")
    wh.commit(wh.folder / "theirs.h5")
    paths = {"first_layer": "first", "bn": "norm", "x": "blocks/0",
             "y": "blocks/1"}
    mapping = {row["name"]: f"{paths[row['layer']]}/"
               f"{row['name'].split('/')[-1][:-2]}" for row in wh.ls()}
    wh("save-weights", "ours", "--save-format", "tf", *write(wh, mapping))
    fill(model, 2)
    model.load_weights(wh.folder / "ours").assert_consumed()
    check_arrays(model, expected)


@pytest.mark.parametrize("name", ["nested_with_a_frozen_layer",
                                  "stacked_cells_with_a_frozen_one",
                                  "model_in_model_in_model"])
def test_a_map_gives_names_and_order_for_tf_to_h5(name, wh):
    model = BY_NAME[name].make()
    fill(model, 1)
    expected = arrays(model)
    model.save_weights(wh.folder / "theirs")
    model.save_weights(wh.folder / "named.h5")
    wh.refused("convert", "theirs", "ours.h5")
    wh.commit(wh.folder / "theirs")
    by_hash = {row["sha256"]: row["name"] for row in wh.ls()}
    wh.commit(wh.folder / "named.h5")
    # The order of the entries is that of the file.
    mapping = {by_hash[row["sha256"]]: row["name"] for row in wh.ls()}
    wh("convert", "theirs", "ours.h5", *write(wh, mapping))
    fill(model, 2)
    model.load_weights(wh.folder / "ours.h5")
    check_arrays(model, expected)


@pytest.mark.parametrize("mapping, said", [
    ({"first_layer": "first"}, "--map FILE"),
    ({"first_layer/kernel": "a"}, "but not 'sub/first_layer/bias:0'"),
    ({"nobody": "a"}, "'nobody' is no weight of the model"),
    ({"first_layer": ""}, "not mapped to a path"),
    ({"first_layer": 3}, "not mapped to a path"),
    ({"first_layer": "a//b"}, "is no object path"),
    ({"first_layer": "layer_with_weights-7"}, "to another layer"),
    ({"first_layer": "x", "bn": "x", "x": "q", "y": "q"},
     "are both 'kernel'"),
    ([1, 2], "not an object"),
])
def test_a_map_that_says_too_little_or_nonsense_is_refused(mapping, said, wh):
    model = BY_NAME["subclassed"].make()
    model.save_weights(wh.folder / "theirs.h5")
    done = wh.refused("convert", "theirs.h5", "ours", *write(wh, mapping))
    if said != "are both 'kernel'":
        assert said in done
    assert not list(wh.folder.glob("ours*"))


@pytest.mark.parametrize("text", ["", "{", '{"a": "b", "a": "c"}', "\x00",
                                  "[" * 100000, '{"' + "x" * 100000 + '":1}'])
def test_damaged_maps_are_refused(text, wh):
    model = BY_NAME["subclassed"].make()
    model.save_weights(wh.folder / "theirs.h5")
    (wh.folder / "map.json").write_text(text)
    wh.refused("convert", "theirs.h5", "ours", "--map", "map.json")


def test_a_map_for_what_is_kept_is_refused(wh):
    model = BY_NAME["dense_sequential"].make()
    model.save_weights(wh.folder / "a.h5")
    model.save_weights(wh.folder / "a")
    write(wh, {"fc1": "x"})
    assert "nothing to say" in wh.refused(
        "convert", "a", "b", "--save-counter", 1, "--map", "map.json")


# ---- Into and out of Keras 3's layout ------------------------------------------

def weights_h5(model, path):
    """Where Keras itself puts each weight: by the hash of its values."""
    places = {}
    model.save_weights(str(path))

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            places[sha256(item[()])] = name
    with h5py.File(path) as file:
        file.visititems(visit)
    return places


@pytest.mark.parametrize("name", ["subclassed",
                                  "subclassed_with_its_own_weight",
                                  "custom_layer_with_a_layer",
                                  "nested_with_a_frozen_layer",
                                  "dense_sequential"])
@pytest.mark.parametrize("source", ["theirs.h5", "theirs",
                                    "theirs.safetensors"])
def test_a_map_decides_what_becomes_a_keras_3_file(source, name, wh):
    model = BY_NAME[name].make()
    fill(model, 1)
    expected = arrays(model)
    if source.endswith("safetensors"):
        save_file({f"w{i}": a for i, a in enumerate(expected)},
                  wh.folder / source)
    else:
        model.save_weights(wh.folder / source)
    places = weights_h5(model, wh.folder / "own.weights.h5")
    if name != "custom_layer_with_a_layer" and source[-1] != "s":
        assert "--map FILE" in wh.refused("convert", source,
                                          "ours.weights.h5")
    wh.commit(wh.folder / source)
    mapping = {row["name"]: places[row["sha256"]] for row in wh.ls()
               if row["role"] == "weight"}
    wh("convert", source, "ours.weights.h5", *write(wh, mapping))
    fill(model, 2)
    model.load_weights(str(wh.folder / "ours.weights.h5"))
    check_arrays(model, expected)


@pytest.mark.parametrize("name", ["subclassed", "custom_layer_with_a_layer"])
@pytest.mark.parametrize("target", ["ours.h5", "ours"])
def test_a_map_decides_what_comes_of_a_keras_3_file(target, name, wh):
    model = BY_NAME[name].make()
    fill(model, 1)
    expected = arrays(model)
    model.save_weights(wh.folder / "own.h5")
    model.save_weights(wh.folder / "own")
    model.save_weights(str(wh.folder / "theirs.weights.h5"))
    if name == "subclassed" or target == "ours":
        wh.refused("convert", "theirs.weights.h5", target)
    wh.commit(wh.folder / "own.h5")
    names = [(row["sha256"], row["name"]) for row in wh.ls()]
    wh.commit(wh.folder / "own")
    paths = {row["sha256"]: row["name"].split("/.ATTRIBUTES")[0]
             for row in wh.ls()}
    wh.commit(wh.folder / "theirs.weights.h5")
    places = {row["sha256"]: row["name"] for row in wh.ls()}
    # In the order of the HDF5 file: by_layer names, or paths of the graph.
    mapping = {places[digest]: name if target.endswith(".h5")
               else paths[digest] for digest, name in names}
    wh("convert", "theirs.weights.h5", target, *write(wh, mapping))
    fill(model, 2)
    status = model.load_weights(wh.folder / target)
    if target == "ours":
        status.assert_consumed()
    check_arrays(model, expected)


@pytest.mark.parametrize("mapping, said", [
    ({"fc1": "layers/dense", "fc2": "layers/dense_1"},
     "is no place in a Keras 3 file"),
    ({"fc1/kernel": "layers/d/vars/0"}, "but not 'fc1/bias:0'"),
    ({"fc1/kernel": "layers/d/vars/0", "fc1/bias": "layers/d/vars/0",
      "fc2/kernel": "layers/e/vars/0", "fc2/bias": "layers/e/vars/1"},
     "'layers/d/vars/0' for two weights"),
    ({"fc1/kernel": "layers/d/vars/0", "fc1/bias": "layers/d/vars/one",
      "fc2/kernel": "layers/e/vars/0", "fc2/bias": "layers/e/vars/1"},
     "'layers/d/vars/one' is no place"),
    ({"fc1/kernel": "layers/d/vars/0", "fc1/bias": "layers/d/vars/1"},
     "layer 'fc2': its class is not known")])
def test_a_map_to_keras_3_that_says_too_little_is_refused(mapping, said, wh):
    BY_NAME["dense_sequential"].make().save_weights(wh.folder / "theirs.h5")
    assert said in wh.refused("convert", "theirs.h5", "ours.weights.h5",
                              *write(wh, mapping))
    assert not (wh.folder / "ours.weights.h5").exists()


def test_a_map_for_places_that_are_kept_is_refused(wh):
    model = BY_NAME["dense_sequential"].make()
    model.save_weights(str(wh.folder / "a.weights.h5"))
    assert "nothing to say" in wh.refused(
        "convert", "a.weights.h5", "b.weights.h5", "--canonical",
        *write(wh, {"fc1": "layers/x/vars/0"}))
