"""A run whose every checkpoint comes from a model that was built anew: in one
process Keras goes on counting the names that it chooses."""
import json
import os
import sqlite3

import numpy as np
import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
tf_keras = pytest.importorskip("tf_keras")
keras = pytest.importorskip("keras")

EPOCHS = range(1, 9)


def build(library, named):
    """With names of its own, or with Keras's."""
    names = iter("abcdef")

    def layer(make, *words, **more):
        return make(*words, **more, name=next(names) if named else None)
    layers = library.layers
    made = library.Sequential([
        layers.Input((12, 12, 1)),
        layer(layers.Conv2D, 8, 3, activation="relu"),
        layer(layers.BatchNormalization), layer(layers.Flatten),
        layer(layers.Dense, 48, activation="relu"), layer(layers.Dense, 48),
        layer(layers.Dense, 4)], name="all" if named else None)
    made.compile(library.optimizers.Adam(1e-3), "mse")
    return made


def moved(values, chance):
    return [value * (1 + chance.normal(scale=1e-3, size=value.shape))
            .astype(value.dtype) if value.dtype == np.float32 else value
            for value in values]


def train(library, folder, suffix, named):
    """As training moves weights and moments, without the hours."""
    library.utils.set_random_seed(1)
    chance = np.random.default_rng(3)
    weights = moments = None
    paths = []
    for epoch in EPOCHS:
        made = build(library, named)
        made.optimizer.build(made.trainable_variables)
        state = [one for one in made.optimizer.variables if len(one.shape)]
        weights = moved(weights or made.get_weights(), chance)
        moments = moved(moments or [
            chance.normal(size=one.shape).astype("f4") for one in state],
            chance)
        made.set_weights(weights)
        for variable, value in zip(state, moments):
            variable.assign(value)
        paths.append(f"{folder}/{'named' if named else 'automatic'}-{epoch}"
                     f"{suffix}")
        if suffix == ".npz":
            np.savez(paths[-1], **{weight.path: weight.numpy()
                                   for weight in made.weights})
        elif suffix == ".full.h5":
            made.save(paths[-1])
        else:
            made.save_weights(paths[-1])
    return paths


def ask(wh, store, query):
    with sqlite3.connect(wh.folder / store) as database:
        return database.execute(query).fetchone()[0]


PAYLOAD = "SELECT sum(length(data)) FROM chunk"
# Weights whose base is there for them alone.
HOLDING_ON = """SELECT count(*) FROM storage JOIN tensor
    ON storage_id = storage.id JOIN variable ON tensor_id = tensor.id
    WHERE base_id NOT IN (SELECT storage_id FROM tensor)"""


def commit_all(wh, store, paths):
    wh("init", store)
    for path in paths:
        assert json.loads(wh("commit", path, "-s", store,
                             "--json"))["alarms"] == []
    return ask(wh, store, PAYLOAD)


def assert_whole(wh, store, paths, suffix):
    """Each snapshot that is left comes back as its file was."""
    assert json.loads(wh("verify", "-s", store, "--read-data",
                         "--json"))["errors"] == []
    for back, path in enumerate(reversed(paths)):
        wh("save-weights", f"HEAD~{back}", f"back{suffix}", "-s", store)
        assert (wh.folder / f"back{suffix}").read_bytes() == \
            open(path, "rb").read()


@pytest.mark.parametrize("library, suffix", [
    (tf_keras, ".h5"), (tf_keras, ".full.h5"), (keras, ".full.h5"),
    (keras, ".npz")])
def test_it_costs_no_more_than_with_names_of_its_own(wh, tmp_path, library,
                                                     suffix):
    named = train(library, tmp_path, suffix, True)
    paths = train(library, tmp_path, suffix, False)
    small = commit_all(wh, "named.wh", named)
    size = commit_all(wh, "automatic.wh", paths)
    assert ask(wh, "automatic.wh", "SELECT count(DISTINCT key)"
                                   " FROM variable") >= 96
    assert size < 1.03 * small
    assert_whole(wh, "automatic.wh", paths, suffix)
    # Forgotten, collected, coded anew: what is left needs its bases still.
    wh("gc", "-s", "automatic.wh", "--deep")
    assert ask(wh, "automatic.wh", PAYLOAD) <= size
    assert_whole(wh, "automatic.wh", paths, suffix)
    wh("keep", "-s", "automatic.wh", "--last", "3")
    wh("gc", "-s", "automatic.wh", "--grace", "0")
    assert ask(wh, "automatic.wh", HOLDING_ON) > 0
    assert_whole(wh, "automatic.wh", paths[-3:], suffix)
    wh("gc", "-s", "automatic.wh", "--deep")
    assert ask(wh, "automatic.wh", HOLDING_ON) == 0
    assert_whole(wh, "automatic.wh", paths[-3:], suffix)


def test_what_was_stored_whole_is_made_up_for(wh, tmp_path):
    """By a version that didn't know of it, or with `none`."""
    paths = train(tf_keras, tmp_path, ".h5", False)
    wh("init")
    wh("config", "codec", "none")
    wh("import", *paths)
    before = ask(wh, "weights.wh", PAYLOAD)
    wh("gc", "--deep")
    assert ask(wh, "weights.wh", PAYLOAD) < 0.6 * before
    assert_whole(wh, "weights.wh", paths, ".h5")
