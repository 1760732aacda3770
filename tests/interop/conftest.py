"""The built `wh` against the real TensorFlow, tf-keras, Keras and h5py."""
import hashlib
import json
import os
import subprocess

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def pytest_configure(config):
    # Keras on its own file formats, TensorFlow on NumPy.
    config.addinivalue_line("filterwarnings", "ignore")


def program():
    path = os.environ.get("WH_BIN", "")
    if os.access(path, os.X_OK):
        return path
    reason = f"WH_BIN does not name a built wh: {path!r}"
    if os.environ.get("CI", "") not in ("", "false", "0"):
        pytest.fail(reason)
    pytest.skip(reason)


class Wh:
    """The command with a store of its own, in a folder of its own."""

    def __init__(self, path, folder):
        self.path, self.folder, self.has_store = path, folder, False

    def run(self, *words):
        return subprocess.run([self.path, *map(str, words)], cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120)

    def __call__(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, f"wh {words}: {done.stderr}"
        return done.stdout

    def quiet(self, *words):
        """As a call, and nothing may be said on stderr."""
        done = self.run(*words)
        assert done.returncode == 0, f"wh {words}: {done.stderr}"
        assert done.stderr == ""
        return done.stdout

    def refused(self, *words):
        done = self.run(*words)
        assert done.returncode != 0, f"wh {words} went well"
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    def commit(self, path):
        if not self.has_store:
            self("init")
            self.has_store = True
        return json.loads(self("commit", path, "--json"))

    def ls(self, revision="HEAD"):
        return [json.loads(line) for line
                in self("ls", revision, "--json").splitlines()]


@pytest.fixture
def wh(tmp_path):
    return Wh(program(), tmp_path)


@pytest.fixture(scope="session")
def application():
    """One of tf_keras.applications by name, filled with fixed values."""
    from applications import APPLICATIONS
    from zoo import fill
    made = {}

    def get(name):
        if name not in made:
            made[name] = APPLICATIONS[name]()
        fill(made[name], 1)
        return made[name]
    return get


@pytest.fixture(scope="module")
def made():
    """One of the zoo by name: made once a module, with the same values each
    time."""
    import tf_keras
    from zoo import BY_NAME, fill
    models = {}

    def get(name):
        if name not in models:
            tf_keras.backend.clear_session()
            models[name] = BY_NAME[name].make()
        fill(models[name], 1)
        return models[name]
    return get


def config(wh, model):
    """The options that tell the model's configuration."""
    (wh.folder / "model.json").write_text(model.to_json())
    return "--model-config", "model.json"


def sha256(array):
    """Of the bytes that weighhouse calls the payload."""
    array = np.ascontiguousarray(array)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(array.tobytes()).hexdigest()


def same(ours, theirs):
    """Whether two files have the same bytes."""
    return ours.read_bytes() == theirs.read_bytes()
