"""What was published is loaded by Keras and TensorFlow on another machine, with
wh and, from a plain web server, without it. MLflow runs in an environment of
its own: what its client downloads is compared in tests/publish/test_mlflow.py.
"""
import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

DIGITS = Path(__file__).resolve().parents[1] / "golden" / "digits"
sys.path.insert(0, str(DIGITS))
sys.path.insert(1, str(DIGITS.parents[1] / "publish"))
import digits  # noqa: E402  (found by the lines above)
from servers import (Apache, Distribution, Lighttpd, Nginx,  # noqa: E402
                     Registry, Versitygw)

EPOCH = DIGITS / "run" / "epoch-09.h5"


@pytest.fixture
def published(wh):
    """A folder with the run's ninth epoch in both formats."""
    wh("init", "-q")
    wh("import", "-q", EPOCH)
    wh("publish", f"file:{wh.folder}/place", "--save-format", "h5,tf")
    return wh.folder / "place"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def url(published):
    """The folder behind a web server that knows nothing of weighhouse."""
    with http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0),
            functools.partial(Quiet, directory=published)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def check_model(path):
    """Its outputs are the published epoch's, bit for bit."""
    images = np.random.default_rng(3).random((16, 8, 8, 1), np.float32)
    expected, found = digits.model(), digits.model()
    expected.load_weights(EPOCH)
    found.load_weights(path)
    assert np.array_equal(expected(images), found(images))
    for ours, theirs in zip(found.get_weights(), expected.get_weights()):
        assert np.array_equal(ours, theirs)


def test_a_pull_on_another_machine_is_loaded(wh, url, tmp_path):
    home = tmp_path / "fresh"
    home.mkdir()
    subprocess.run([wh.path, "pull", url, "-o", "model"], cwd=home, check=True,
                   env=dict(os.environ, HOME=str(home)), timeout=60)
    check_model(home / "model" / "model.h5")
    check_model(home / "model" / "model")
    with h5py.File(home / "model" / "model.h5") as file:
        assert len(file.attrs["layer_names"]) > 5


@pytest.mark.parametrize("kind", [Nginx, Apache, Lighttpd, Versitygw,
                                  Registry, Distribution])
def test_each_server_gives_back_what_keras_loads(wh, tmp_path, monkeypatch,
                                                 kind):
    home = tmp_path / "fresh"
    home.mkdir()
    wh("init", "-q")
    wh("import", "-q", EPOCH)
    with kind(tmp_path / "server") as server:
        place = f"{server.url}/models"
        if kind is Versitygw:
            (server.data / "bucket").mkdir()
            place = "s3://bucket/models"
            for name, value in server.login().items():
                monkeypatch.setenv(name, value)
        elif issubclass(kind, Registry):
            place = f"oci+http://{server.host}/lab/models"
        wh("publish", place, "--save-format", "h5,tf")
        subprocess.run([wh.path, "pull", place, "-o", "model"], cwd=home,
                       check=True, env=dict(os.environ, HOME=str(home)),
                       timeout=60)
    check_model(home / "model" / "model.h5")
    check_model(home / "model" / "model")


def test_a_plain_download_is_loaded_by_tensorflows_pointer(url, tmp_path):
    """As curl or wget would: pointer, manifest, files."""
    def fetch(path):
        with urllib.request.urlopen(f"{url}/{path}") as reply:
            data = reply.read()
        (tmp_path / "got" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "got" / path).write_bytes(data)
        return data

    fetch("checkpoint")
    manifest = json.loads(fetch("latest.json"))["manifest"]
    for file in json.loads(fetch(manifest))["files"]:
        fetch(f"{manifest.rsplit('/', 1)[0]}/{file['path']}")
    latest = tf.train.latest_checkpoint(str(tmp_path / "got"))
    assert latest and latest.endswith("/model")
    check_model(latest)
