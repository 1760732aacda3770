"""Alarms over checkpoints that tf-keras itself wrote while it trained."""
import json
import os

import numpy as np
import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
tf_keras = pytest.importorskip("tf_keras")


def model(rate, frozen=()):
    tf_keras.utils.set_random_seed(5)
    layers = tf_keras.layers
    made = tf_keras.Sequential([
        layers.Input((4,)), layers.Dense(6, activation="relu", name="low"),
        layers.BatchNormalization(name="norm"),
        layers.Dense(3, name="high")])
    for name in frozen:
        made.get_layer(name).trainable = False
    made.compile(tf_keras.optimizers.SGD(rate), "mse")
    return made


def train(made, folder, n, suffix, spoil=None):
    chance = np.random.default_rng(7)
    x, y = chance.normal(size=(32, 4)), chance.normal(size=(32, 3))
    paths = []
    for epoch in range(1, n + 1):
        if epoch == spoil:
            x = np.where(x > 1.5, np.nan, x)
        made.fit(x, y, epochs=1, verbose=0)
        paths.append(f"{folder}/epoch-{epoch}{suffix}")
        made.save_weights(paths[-1])
    return paths


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ""])
def test_the_epoch_that_brings_nan(wh, tmp_path, suffix):
    paths = train(model(0.01), tmp_path, 4, suffix, spoil=3)
    wh("init")
    found = [json.loads(wh("commit", path, "--json"))["alarms"]
             for path in paths]
    assert [bool(alarms) for alarms in found] == [False, False, True, False]
    assert {one["alarm"] for one in found[2]} == {"nan"}


def test_a_rate_that_explodes(wh, tmp_path):
    paths = train(model(1e3), tmp_path, 2, ".h5")
    wh("init")
    wh("commit", paths[0], "--no-alarms")
    alarms = json.loads(wh("commit", paths[1], "--json"))["alarms"]
    assert {one["alarm"] for one in alarms} & {"norm", "nan", "inf"}


@pytest.mark.parametrize("suffix", [".h5", ".keras", ""])
def test_a_loop_that_builds_its_model_anew(wh, tmp_path, suffix):
    """Automatic names go on counting; then a layer goes."""
    layers = tf_keras.layers
    wh("init")
    found = []
    for epoch, n_automatic in enumerate([2, 2, 1]):
        made = tf_keras.Sequential([
            layers.Input((6,)), layers.BatchNormalization(name="norm"),
            *(layers.Dense(6) for _ in range(n_automatic)),
            layers.Dense(3, name="high")])
        made.compile("sgd", "mse")
        path = f"{tmp_path}/epoch-{epoch}{suffix}"
        if suffix == ".keras":
            made.save(path)
        else:
            made.save_weights(path)
        found.append(json.loads(wh("commit", path, "--json"))["alarms"])
    assert found[:2] == [[], []]
    assert [one["alarm"] for one in found[2]] == ["missing"]


@pytest.mark.parametrize("suffix", [".h5", ""])
def test_a_layer_that_someone_forgot_to_thaw(wh, tmp_path, suffix):
    paths = train(model(0.01, frozen=["low"]), tmp_path, 5, suffix)
    wh("init")
    found = [json.loads(wh("commit", path, "--stuck", "3", "--json"))["alarms"]
             for path in paths]
    assert [[(one["alarm"], one["value"]) for one in alarms]
            for alarms in found] == [[], [], [], [("stuck", 3)],
                                     [("stuck", 4)]]
    if suffix:
        assert {one["layer"] for alarms in found for one in alarms} == {"low"}
