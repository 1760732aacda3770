"""Keras 3's weights against the real Keras 3 and tf-keras: what they write
goes in and out byte for byte, what we write loads with equal bits, also from
and to the other formats; what no file decides is refused by name."""
import json

import h5py
import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2

import zoo
import zoo_keras3
from conftest import config, same, sha256
from test_flat import LOADERS
from zoo import NEEDS_CONFIG, NEEDS_TF

K2, K3 = "tf_keras", "keras"
ZOOS = {K2: zoo, K3: zoo_keras3}
LIBRARIES = {K2: keras2, K3: keras3}
ALL = [(K, item.name) for K in ZOOS for item in ZOOS[K].ZOO]

SUBCLASSED = {"subclassed", "subclassed_with_lists_and_dicts",
              "subclassed_with_its_own_weight"}
# Layers stand in an order that the file doesn't show.
NO_ORDER = {"subclassed", "subclassed_with_lists_and_dicts"}
# What a class is called, or which of gamma and beta there is.
NO_ATTRIBUTE = {"subclassed_with_its_own_weight", "batch_norm",
                "frozen_batch_norm", "time_distributed",
                "time_distributed_rnn_and_model", "scalars_and_integers",
                "custom_layer_with_a_layer",
                "batch_norm_without_center_or_scale",
                "time_distributed_model_of_two_layers",
                "time_distributed_convolution", "attention_use_scale"}
CUSTOM = {"scalars_and_integers", "custom_layer_with_a_layer"}


@pytest.fixture(scope="module")
def made():
    models = {}

    def get(K, name):
        if (K, name) not in models:
            LIBRARIES[K].backend.clear_session()
            models[K, name] = ZOOS[K].BY_NAME[name].make()
        zoo.fill(models[K, name], 1)
        return models[K, name]
    return get


def check_load(model, expected, path):
    zoo.fill(model, 2)
    status = model.load_weights(str(path))
    if "." not in path.name:
        status.assert_consumed()
    zoo.check_arrays(model, expected)


def in_file(path):
    rows = []

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            if item.dtype.kind == "V":
                value = value.view("uint16")
            rows.append((name, list(item.shape), sha256(value)))
    with h5py.File(path) as file:
        file.visititems(visit)
    return sorted(rows)


def names(K, without=()):
    return [item.name for item in ZOOS[K].ZOO if item.name not in without]


def opaque(K):
    """tf-keras can't read any bfloat16 in HDF5."""
    return {item.name for item in ZOOS[K].ZOO if item.opaque and K == K2}


# ---- In and out -----------------------------------------------------------

@pytest.mark.parametrize("K, name", ALL)
def test_a_file_goes_in_and_out_byte_for_byte(K, name, made, wh):
    theirs = wh.folder / "theirs.weights.h5"
    ours, again = wh.folder / "ours.weights.h5", wh.folder / "again.weights.h5"
    model = made(K, name)
    expected = zoo.arrays(model)
    model.save_weights(str(theirs))
    assert wh.commit(theirs)["reproducible"]
    rows = sorted((row["name"], row["shape"], row["sha256"])
                  for row in wh.ls())
    assert rows == in_file(theirs)
    wh.quiet("save-weights", "HEAD", ours, "--canonical")
    wh.quiet("save-weights", "HEAD", again)
    assert same(ours, theirs) and same(again, theirs)
    if name not in opaque(K):
        check_load(model, expected, ours)


@pytest.mark.parametrize("name", ["dense_sequential", "lstm", "batch_norm",
                                  "nested_with_a_frozen_layer"])
@pytest.mark.parametrize("K", ZOOS)
def test_a_trained_model_keeps_its_optimizer(K, name, made, wh):
    theirs, ours = wh.folder / "t.weights.h5", wh.folder / "o.weights.h5"
    model = ZOOS[K].BY_NAME[name].make()
    zoo.train(model)
    model.save_weights(str(theirs))
    wh.commit(theirs)
    optimizer = [row for row in wh.ls() if row["role"] == "optimizer"]
    assert len(optimizer) > len(model.trainable_weights)
    assert all(row["layer"] == "optimizer" for row in optimizer)
    wh.quiet("save-weights", "HEAD", ours, "--canonical")
    assert same(ours, theirs)
    said = wh.run("convert", theirs, "plain.h5", *config(wh, model))
    assert said.returncode == 0 and "left out" in said.stderr


# ---- To other formats -----------------------------------------------------

def needs_config(K, name):
    return ZOOS[K].BY_NAME[name].to_h5 == NEEDS_CONFIG


def saved(K, name, made, wh):
    model = made(K, name)
    expected = zoo.arrays(model)
    path = wh.folder / "theirs.weights.h5"
    model.save_weights(str(path))
    return model, expected, path


@pytest.mark.parametrize("K, name", [
    (K, name) for K in ZOOS for name in names(K, NO_ORDER)
    if not needs_config(K, name)])
def test_a_file_becomes_legacy_h5(K, name, made, wh):
    model, expected, path = saved(K, name, made, wh)
    done = wh.run("convert", path, "ours.h5")
    assert done.returncode == 0
    assert bool(done.stderr) == ZOOS[K].BY_NAME[name].opaque
    check_load(model, expected, wh.folder / "ours.h5")


@pytest.mark.parametrize("K, name", [
    (K, name) for K in ZOOS for name in names(K)
    if needs_config(K, name) or name in NO_ORDER])
def test_an_undecided_file_is_refused(K, name, made, wh):
    model, expected, path = saved(K, name, made, wh)
    said = wh.refused("convert", path, "ours.h5")
    assert "layer" in said and not (wh.folder / "ours.h5").exists()
    if name in NO_ORDER:
        assert NEEDS_TF in said
        return
    assert NEEDS_CONFIG in said
    wh.quiet("convert", path, "ours.h5", *config(wh, model))
    check_load(model, expected, wh.folder / "ours.h5")


def write_anew(source, path):
    """As h5repack: in the order of the names."""
    def copy(group, into):
        for name, item in sorted(group.items()):
            if isinstance(item, h5py.Group):
                copy(item, into.create_group(name))
            else:
                into[name] = item[()]
        for key, value in group.attrs.items():
            into.attrs[key] = value
    with h5py.File(source) as file, h5py.File(path, "w") as made:
        copy(file, made)


@pytest.mark.parametrize("into", ["ours.h5", "ours"])
@pytest.mark.parametrize("K", [K2, K3])
def test_the_configuration_knows_the_order_of_a_file_written_anew(K, into,
                                                                  wh):
    library = LIBRARIES[K]
    layers = library.layers
    model = library.Sequential([
        library.Input((8, 8, 2)), layers.Conv2DTranspose(2, 3, name="t"),
        layers.ReLU(), layers.Conv2D(2, 3, name="c"),
        layers.BatchNormalization(name="b"), layers.Conv2D(2, 3, name="a")])
    zoo.fill(model, 1)
    expected = zoo.arrays(model)
    model.save_weights(wh.folder / "theirs.weights.h5")
    write_anew(wh.folder / "theirs.weights.h5", wh.folder / "anew.weights.h5")
    assert NEEDS_CONFIG in wh.refused("convert", "anew.weights.h5", into)
    wh.quiet("convert", "anew.weights.h5", into, *config(wh, model))
    if K == K3 and into == "ours":  # Keras 3 loads no checkpoint
        model = keras2.Sequential([
            keras2.Input((8, 8, 2)), keras2.layers.Conv2DTranspose(2, 3),
            keras2.layers.ReLU(), keras2.layers.Conv2D(2, 3),
            keras2.layers.BatchNormalization(), keras2.layers.Conv2D(2, 3)])
    check_load(model, expected, wh.folder / into)


@pytest.mark.parametrize("name", names(K2, NO_ORDER | NO_ATTRIBUTE))
def test_a_file_becomes_a_checkpoint(name, made, wh):
    model, expected, path = saved(K2, name, made, wh)
    wh.quiet("convert", path, "ours")
    check_load(model, expected, wh.folder / "ours")


@pytest.mark.parametrize("name", sorted(NO_ORDER | NO_ATTRIBUTE))
def test_what_classes_do_not_say_is_refused(name, made, wh):
    model, expected, path = saved(K2, name, made, wh)
    said = wh.refused("convert", path, "ours")
    assert "layer" in said and not list(wh.folder.glob("ours*"))
    if name in SUBCLASSED:
        return
    if name in CUSTOM:
        wh.refused("convert", path, "ours", *config(wh, model))
        return
    wh.quiet("convert", path, "ours", *config(wh, model))
    check_load(model, expected, wh.folder / "ours")


# ---- From other formats ---------------------------------------------------

@pytest.mark.parametrize("name", names(
    K2, SUBCLASSED | {"custom_layer_with_a_layer"} | opaque(K2)))
def test_legacy_h5_becomes_a_keras_3_file(name, made, wh):
    model = made(K2, name)
    expected = zoo.arrays(model)
    model.save_weights(wh.folder / "theirs.h5")
    if model.weights:
        said = wh.refused("convert", "theirs.h5", "ours.weights.h5")
        assert "class is not known" in said and NEEDS_CONFIG in said
    wh.quiet("convert", "theirs.h5", "ours.weights.h5", *config(wh, model))
    check_load(model, expected, wh.folder / "ours.weights.h5")


@pytest.mark.parametrize("name", names(
    K2, SUBCLASSED | {"scalars_and_integers"} | opaque(K2)))
def test_a_checkpoint_becomes_a_keras_3_file(name, made, wh):
    model = made(K2, name)
    expected = zoo.arrays(model)
    model.save_weights(wh.folder / "theirs")
    wh.quiet("convert", "theirs", "ours.weights.h5", *config(wh, model))
    check_load(model, expected, wh.folder / "ours.weights.h5")


def test_same_shaped_variables_of_no_known_order_are_refused(made, wh):
    model = made(K2, "scalars_and_integers")
    model.save_weights(wh.folder / "theirs")
    said = wh.refused("convert", "theirs", "ours.weights.h5",
                      *config(wh, model))
    assert "have one shape" in said


# Legacy files of Keras 3 lack what is inside a layer of the user's own.
NOT_FROM_FULL_H5 = SUBCLASSED | {"custom_layer_with_a_layer",
                                 "bidirectional_with_its_own_backward",
                                 "inner_layer_named_like_the_model_around_it"}


@pytest.mark.parametrize("name", names(K3, NOT_FROM_FULL_H5))
def test_keras_3_loads_what_came_from_its_legacy_file(name, made, wh):
    """A whole-model file brings its configuration."""
    model = made(K3, name)
    expected = zoo.arrays(model)
    model.save(wh.folder / "full.h5")
    wh("convert", "full.h5", "ours.weights.h5")
    check_load(model, expected, wh.folder / "ours.weights.h5")


@pytest.mark.parametrize("name", ["dense_sequential", "lstm", "batch_norm",
                                  "bidirectional", "multi_head_attention",
                                  "embedding", "gru", "prelu"])
def test_keras_3_loads_what_came_from_tf_keras(name, made, wh):
    """One recipe, two libraries: from a checkpoint of tf-keras to Keras 3."""
    old, new = made(K2, name), made(K3, name)
    old.save_weights(wh.folder / "theirs")
    wh.quiet("convert", "theirs", "ours.weights.h5", *config(wh, old))
    zoo.fill(new, 2)
    new.load_weights(wh.folder / "ours.weights.h5")
    assert sorted(a.tobytes() for a in zoo.arrays(new)) == sorted(
        a.tobytes() for a in zoo.arrays(old))


@pytest.mark.parametrize("K, name", [
    (K, name) for K in ZOOS for name in
    ("dense_sequential", "batch_norm", "lstm", "transformer_block")])
def test_there_and_back_again(K, name, made, wh):
    """keras3 -> h5 -> keras3 gives the same values at the same places."""
    model, expected, path = saved(K, name, made, wh)
    told = config(wh, model)
    wh.quiet("convert", path, "a.h5", *told)
    wh.quiet("convert", "a.h5", "b.weights.h5", *told)
    assert in_file(wh.folder / "b.weights.h5") == in_file(path)
    check_load(model, expected, wh.folder / "b.weights.h5")


# ---- Shards ---------------------------------------------------------------

@pytest.mark.parametrize("name", ["dense_sequential", "u_net", "bidirectional",
                                  "mixed_float16", "bfloat16",
                                  "scalars_and_integers", "many_layers"])
def test_shards_are_theirs_byte_for_byte(name, made, wh):
    model = made(K3, name)
    expected = zoo.arrays(model)
    largest = max(a.nbytes for a in expected)
    theirs, ours = wh.folder / "theirs", wh.folder / "ours"
    theirs.mkdir(), ours.mkdir()
    model.save_weights(theirs / "m.weights.json",
                       max_shard_size=largest / 2**30)
    assert wh.commit(theirs / "m.weights.json")["reproducible"]
    model.save_weights(wh.folder / "one.weights.h5")
    wh.quiet("convert", "one.weights.h5", ours / "m.weights.json",
             "--max-shard-size", largest)
    files = sorted(path.name for path in theirs.iterdir())
    assert len(files) > 2
    assert files == sorted(path.name for path in ours.iterdir())
    for file in files:
        assert same(theirs / file, ours / file), file
    zoo.fill(model, 2)
    model.load_weights(ours / "m.weights.json")
    zoo.check_arrays(model, expected)


def test_shards_under_another_name_are_mapped_anew(made, wh):
    model = made(K3, "u_net")
    expected = zoo.arrays(model)
    model.save_weights(wh.folder / "old.weights.json",
                       max_shard_size=1200 / 2**30)
    wh.commit(wh.folder / "old.weights.json")
    wh.quiet("save-weights", "HEAD", "new.weights.json")
    text = json.loads((wh.folder / "new.weights.json").read_text())
    assert "old" not in json.dumps(text["weight_map"])
    zoo.fill(model, 2)
    model.load_weights(wh.folder / "new.weights.json")
    zoo.check_arrays(model, expected)


def test_a_variable_that_two_shards_have_is_refused(made, wh):
    model = made(K3, "dense_sequential")
    model.save_weights(wh.folder / "m.weights.json",
                       max_shard_size=max(a.nbytes for a in zoo.arrays(model))
                       / 2**30)
    held = json.loads((wh.folder / "m.weights.json").read_text())
    group, names = next((group, names) for group, names
                        in held["weight_map"].items()
                        if not isinstance(names, str) and len(set(names)) > 1)
    with h5py.File(wh.folder / names[0]) as first, \
            h5py.File(wh.folder / names[1], "a") as second:
        first.copy(f"{group}/0", second[group])
    del held["metadata"]  # whose total tells it, too
    (wh.folder / "m.weights.json").write_text(json.dumps(held))
    done = wh.run("convert", "m.weights.json", "out.npz")
    assert done.returncode == 5
    assert f"tensor '{group[1:]}/0' is there twice" in done.stderr


def test_shards_that_the_new_map_lacks_are_removed(made, wh):
    model = made(K3, "u_net")
    model.save_weights(str(wh.folder / "in.weights.h5"))
    target = wh.folder / "out"
    target.mkdir()
    (target / "m_1.weights.h5").write_bytes(b"another epoch's")
    counts, sizes = [], [a.nbytes for a in zoo.arrays(model)]
    for size in (max(sizes), sum(sizes)):
        wh("convert", "in.weights.h5", "out/m.weights.json",
           "--max-shard-size", size)
        held = json.loads((target / "m.weights.json").read_text())
        used = {file for files in held["weight_map"].values()
                for file in ([files] if isinstance(files, str) else files)}
        assert sorted([*used, "m.weights.json", "m_1.weights.h5"]) == sorted(
            path.name for path in target.iterdir())
        counts.append(len(used))
    assert counts[0] > counts[1]
    # One file is a checkpoint of another name, until shards are asked for it.
    # Keras leaves the map, too, and goes on loading it by its name.
    done = wh.run("convert", "in.weights.h5", "out/m.weights.h5")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "wh convert: 'm.weights.json' is another checkpoint, which stays"]
    assert (target / "m.weights.json").exists()
    done = wh.run("convert", "in.weights.h5", "out/m.weights.json")
    assert "'m.weights.h5' is another checkpoint" in done.stderr
    wh("convert", "in.weights.h5", "out/m.weights.h5", "--max-shard-size",
       max(sizes))
    assert not (target / "m.weights.h5").exists()
    expected = zoo.arrays(model)
    zoo.fill(model, 2)
    model.load_weights(target / "m.weights.json")
    zoo.check_arrays(model, expected)


# ---- Archives -------------------------------------------------------------

@pytest.mark.parametrize("K, name", [
    (K, name) for K in ZOOS for name in
    ("dense_sequential", "nested_with_a_frozen_layer", "batch_norm",
     "stacked_cells", "time_distributed", "frozen_model_in_model")])
def test_an_archive_comes_back_and_decides_all(K, name, made, wh):
    """config.json says which layer is which, and what is frozen."""
    model = made(K, name)
    expected = zoo.arrays(model)
    model.save(wh.folder / "theirs.keras")
    assert wh.commit(wh.folder / "theirs.keras")["reproducible"]
    wh.quiet("save-weights", "HEAD", "again.keras", "--save-format", "keras3")
    assert same(wh.folder / "again.keras", wh.folder / "theirs.keras")
    wh.quiet("save-weights", "HEAD", "ours.h5")
    check_load(model, expected, wh.folder / "ours.h5")
    wh.quiet("save-weights", "HEAD", "ours.weights.h5")
    check_load(model, expected, wh.folder / "ours.weights.h5")
    loaded = LIBRARIES[K].models.load_model(wh.folder / "again.keras")
    zoo.check_arrays(loaded, expected)


@pytest.mark.parametrize("name", ["dense_sequential", "lstm", "nested",
                                  "multi_head_attention", "batch_norm"])
def test_keras_3_loads_an_archive_that_we_made(name, made, wh):
    model, expected, path = saved(K3, name, made, wh)
    said = wh.refused("convert", path, "ours.keras", "--save-format",
                      "keras3")
    assert "configuration" in said and "--model-config" in said
    wh.quiet("convert", path, "ours.keras", "--save-format", "keras3",
             *config(wh, model))
    loaded = keras3.models.load_model(wh.folder / "ours.keras")
    zoo.check_arrays(loaded, expected)
    data = zoo.inputs(model)
    assert np.array_equal(model(data), loaded(data))


def test_a_class_that_is_exported_by_another_name_has_its_own_slot(wh):
    """Keras's GroupQueryAttention is the class GroupedQueryAttention."""
    def make():
        data = keras3.Input((5, 8))
        layer = keras3.layers.GroupQueryAttention(4, 4, 2)
        return keras3.Model(data, keras3.layers.Dense(2)(layer(data, data)))

    model = make()
    zoo.fill(model, 1)
    expected = zoo.arrays(model)
    model.save(wh.folder / "theirs.h5")
    wh.quiet("convert", "theirs.h5", "ours.weights.h5", *config(wh, model))
    other = make()
    other.load_weights(wh.folder / "ours.weights.h5")
    zoo.check_arrays(other, expected)
    model.save(wh.folder / "theirs.keras")
    said = wh.refused("convert", "theirs.keras", "ckpt")
    assert "weight 'layers/grouped_query_attention/_key_dense/vars/0'" in said


def test_an_attention_of_one_weight_is_told_by_its_configuration(wh):
    """A scale, or the score's weight: both have no shape."""
    def make():
        data = keras2.Input((4, 3))
        return keras2.Model(data, keras2.layers.Dense(2)(
            keras2.layers.Attention(score_mode="concat")([data, data])))

    model = make()
    zoo.fill(model, 1)
    expected = zoo.arrays(model)
    model.save_weights(wh.folder / "theirs.weights.h5")
    said = wh.refused("convert", "theirs.weights.h5", "ckpt")
    assert "'layers/attention/vars/0'" in said and "--model-config" in said
    wh.quiet("convert", "theirs.weights.h5", "ckpt", *config(wh, model))
    other = make()
    other.load_weights(wh.folder / "ckpt").assert_consumed()
    zoo.check_arrays(other, expected)


def test_calls_of_functions_have_no_place_in_a_file(wh):
    """`x + y` is of the class Add, too."""
    data = keras3.Input((4,))
    x = keras3.layers.Dense(4)(data) + data
    x = keras3.layers.Add()([x, data])
    model = keras3.Model(data, keras3.layers.Dense(2)(keras3.ops.relu(x)))
    model.save(wh.folder / "full.h5")
    model.save_weights(wh.folder / "theirs.weights.h5")
    wh("convert", "full.h5", "ours.weights.h5", *config(wh, model))
    assert same(wh.folder / "ours.weights.h5",
                wh.folder / "theirs.weights.h5")


def test_a_keras_archive_says_which_configuration_it_takes(made, wh):
    model, expected, path = saved(K3, "dense_sequential", made, wh)
    ours = ("ours.keras", "--save-format", "keras3")
    said = wh.refused("convert", path, *ours)
    assert "Keras 3's to_json()" in said and "not tf-keras's" in said
    said = wh.refused("convert", path, *ours,
                      *config(wh, made(K2, "dense_sequential")))
    assert "no configuration without a 'module'" in said
    assert "FILE takes Keras 3's to_json()" in said


def test_without_a_save_format_a_name_in_keras_is_legacy(made, wh):
    """As in Keras 2's save_weights."""
    model, expected, path = saved(K2, "dense_sequential", made, wh)
    done = wh.run("convert", path, "ours.keras")
    assert done.returncode == 0 and "is HDF5, as in Keras 2" in done.stderr
    with h5py.File(wh.folder / "ours.keras") as file:
        assert "layer_names" in file.attrs


def test_a_name_that_keras_3_refuses_is_refused(made, wh):
    _, _, path = saved(K3, "dense_sequential", made, wh)
    said = wh.refused("convert", path, "ours.bin", "--save-format", "keras3")
    assert "`.weights.h5`" in said


# ---- Through safetensors and npz --------------------------------------------

def has_bfloat16(model):
    return any(np.asarray(a).dtype.name == "bfloat16"
               for a in zoo.arrays(model))


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("K, name", ALL)
def test_a_file_comes_back_through_names_and_arrays(K, name, suffix, made,
                                                    wh):
    """Each file's own bytes; and from the middle to the other formats."""
    model, expected, path = saved(K, name, made, wh)
    middle = "m" + suffix
    if suffix == ".npz" and has_bfloat16(model):
        assert "bfloat16" in wh.refused("convert", path, middle)
        return
    wh.quiet("convert", path, middle)
    held = LOADERS[suffix](wh.folder / middle)
    assert sorted((list(a.shape), sha256(a)) for a in held.values()) == [
        row[1:] for row in sorted(in_file(path), key=lambda row: row[1:])]
    wh.quiet("convert", middle, "back.weights.h5")
    assert same(wh.folder / "back.weights.h5", path)
    done = wh.run("convert", middle, "ours.h5", *config(wh, model))
    if done.returncode:
        assert len(done.stderr.splitlines()) == 1
        assert name in SUBCLASSED | CUSTOM
    elif name not in opaque(K):
        check_load(model, expected, wh.folder / "ours.h5")
