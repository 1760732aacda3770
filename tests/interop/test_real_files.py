"""Weights that others trained, out of packages of theirs: all arrays as h5py,
TensorFlow and safetensors read them, and the files back byte for byte."""
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf
from conftest import same, sha256
from safetensors import deserialize

LIST = Path(__file__).with_name("real-files.txt")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


def fetch(folder):
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps",
         "--disable-pip-version-check", "--only-binary=:all:", "-r", LIST,
         "-d", folder], capture_output=True, text=True, timeout=600)
    if done.returncode == 0:
        (folder / "complete").touch()
    return done.stderr.strip().splitlines()[-1:]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    name = hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]
    folder = CACHE / "weighhouse" / f"real-files-{name}"
    said = [] if (folder / "complete").exists() else fetch(folder)
    if not (folder / "complete").exists():
        reason = f"{LIST.name} can't be fetched: {said}"
        if os.environ.get("CI", "") not in ("", "false", "0"):
            pytest.fail(reason)
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("real")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(out)
    return out


def in_h5(path):
    """Lists that h5py reads, the optimizer's too."""
    found = []
    with h5py.File(path) as file:
        weights = file["model_weights"] if "model_weights" in file else file
        for layer in weights.attrs["layer_names"]:
            group = weights[layer]
            found += [group[name] for name in group.attrs["weight_names"]]
        if "optimizer_weights" in file:
            group = file["optimizer_weights"]
            found += [group[name] for name in group.attrs["weight_names"]]
        return [(list(item.shape), sha256(item[()])) for item in found]


H5 = ["fer/data/emotion_model.hdf5"] + [
    f"inaSpeechSegmenter/keras_{name}_cnn.hdf5"
    for name in ("male_female", "speech_music", "speech_music_noise")]


@pytest.mark.parametrize("path", H5)
def test_a_keras_model_of_others(path, unpacked, wh):
    assert wh.commit(unpacked / path)["reproducible"]
    rows = [(row["shape"], row["sha256"]) for row in wh.ls()]
    assert len(rows) > 40 and rows == in_h5(unpacked / path)
    wh("save-weights", "HEAD", "again.h5")
    assert same(wh.folder / "again.h5", unpacked / path)
    wh("save-weights", "HEAD", "plain.h5", "--canonical")
    count = sum(row["role"] == "weight" for row in wh.ls())
    assert in_h5(wh.folder / "plain.h5") == rows[:count]


def test_a_saved_model_of_others(unpacked, wh):
    path = unpacked / "basic_pitch/saved_models/icassp_2022/nmp"
    assert wh.commit(path)["reproducible"]
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    rows = {row["name"]: row for row in wh.ls()}
    keys = [key for key in reader.get_variable_to_shape_map()
            if not key.startswith("_CHECKPOINTABLE")]
    assert len(keys) > 50 and set(keys) == set(rows)
    for key in keys:
        value = np.asarray(reader.get_tensor(key))
        if value.dtype != object:
            assert rows[key]["sha256"] == sha256(value), key
    wh("save-weights", "HEAD", "again", "--save-format", "tf")
    for suffix in (".index", ".data-00000-of-00001"):
        assert same(wh.folder / f"again{suffix}",
                    path / "variables" / f"variables{suffix}")


def test_a_safetensors_file_of_others(unpacked, wh):
    path = unpacked / "silero_vad/data/silero_vad_16k.safetensors"
    assert wh.commit(path)["reproducible"]
    seen = {key: (view["shape"], hashlib.sha256(view["data"]).hexdigest())
            for key, view in deserialize(path.read_bytes())}
    assert len(seen) > 10 and seen == {
        row["name"]: (row["shape"], row["sha256"]) for row in wh.ls()}
    wh("save-weights", "HEAD", "again.safetensors")
    assert same(wh.folder / "again.safetensors", path)


def test_a_pickle_of_others_is_never_read(unpacked, wh):
    wh("init")
    said = wh.refused("commit", unpacked / "mtcnn/data/mtcnn_weights.npy")
    assert "pickle, which is never read" in said
