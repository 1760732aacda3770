"""What the publishing tests share: the command, a store, real servers."""
import json
import os
import subprocess
from pathlib import Path

import boto3
import h5py
import numpy as np
import pytest
from botocore.config import Config

from servers import (Apache, Distribution, Lighttpd, LockedRegistry, Mlflow,
                     Nginx, Registry, Versitygw)

WH = os.environ["WH_BIN"]
DIGITS = Path(__file__).resolve().parents[1] / "golden" / "digits" / "run"
# What tells who we are must not come from whoever runs the tests.
SECRETS = ("WH_HTTP_", "AWS_", "GITLAB_", "CI_JOB_", "WH_ARTIFACTORY_",
           "MLFLOW_", "DOCKER_CONFIG", "http_proxy", "https_proxy",
           "all_proxy", "no_proxy", "WH_CA_FILE", "CURL_CA_BUNDLE",
           "SSL_CERT_", "REQUESTS_CA_BUNDLE")


# What the tests gave as secrets, and what the command said of it all: at the
# end test_secrets.py looks for the one in the other, and in every file.
GIVEN = {"pass word", Versitygw.SECRET}
SAID = []


def note_secrets(env):
    for name, value in env.items():
        if name.endswith(("_TOKEN", "_SECRET_ACCESS_KEY", "_PASSWORD")):
            GIVEN.add(value)
        elif name.endswith("_proxy") and "@" in value:
            GIVEN.add(value.split("@")[0].rsplit(":", 1)[1])


def pytest_collection_modifyitems(items):
    """What looks at all that the others left is the last."""
    items.sort(key=lambda item: "after_all_tests" in item.name)


class Running(subprocess.Popen):
    def communicate(self, *args, **options):
        told = super().communicate(*args, **options)
        SAID.extend(told)
        return told


class Command:
    """`wh` in a folder of its own, with a HOME of its own."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "home").mkdir(exist_ok=True)

    def environment(self, **more):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(SECRETS) and name != "WH_STORE"}
        env.update(HOME=str(self.folder / "home"), **more)
        return env

    def __call__(self, *words, env=None, timeout=120):
        note_secrets(env or {})
        done = subprocess.run(
            [WH, *map(str, words)], cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
            env=self.environment(**(env or {})))
        SAID.extend((done.stdout, done.stderr))
        return done

    def start(self, *words, env=None):
        note_secrets(env or {})
        return Running(
            [WH, *map(str, words)], cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.environment(**(env or {})))

    def ok(self, *words, **more):
        done = self(*words, **more)
        assert done.returncode == 0, f"wh {words}: {done.stderr}"
        assert not done.stderr, done.stderr
        return done.stdout

    def rows(self, *words, **more):
        return [json.loads(line)
                for line in self.ok(*words, "--json", **more).splitlines()]

    def row(self, *words, **more):
        (row,) = self.rows(*words, **more)
        return row

    def fails(self, code, *words, **more):
        done = self(*words, **more)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr.rstrip("\n")


def commit_large(wh, mebibytes):
    """A model of so many MiB of noise, by way of `large.h5`."""
    noise = np.random.default_rng(7).standard_normal(mebibytes << 18,
                                                     np.float32)
    with h5py.File(wh.folder / "large.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        group = file.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0"]
        group["dense/kernel:0"] = noise
    wh.ok("commit", "-q", "large.h5")


@pytest.fixture
def wh(tmp_path):
    """A store with two epochs of a real training run."""
    folder = tmp_path / "wh"
    folder.mkdir()
    command = Command(folder)
    command.ok("init", "-q")
    command.ok("import", "-q", DIGITS / "epoch-01.h5", DIGITS / "epoch-02.h5")
    return command


@pytest.fixture
def elsewhere(tmp_path):
    """Another machine: no store, no HOME in common."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return Command(folder)


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    with Nginx(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.fixture(scope="session")
def apache(tmp_path_factory):
    with Apache(tmp_path_factory.mktemp("apache")) as server:
        yield server


@pytest.fixture(scope="session")
def lighttpd(tmp_path_factory):
    with Lighttpd(tmp_path_factory.mktemp("lighttpd")) as server:
        yield server


@pytest.fixture(scope="session", params=["nginx", "apache", "lighttpd"])
def dav(request):
    """A server that takes PUT."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def place(dav, tmp_path):
    """A folder of the server that no other test uses."""
    return f"{dav.url}/{tmp_path.name}"


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    with Versitygw(tmp_path_factory.mktemp("s3")) as server:
        server.client = boto3.client(
            "s3", endpoint_url=server.url, region_name=server.REGION,
            aws_access_key_id=server.ACCESS,
            aws_secret_access_key=server.SECRET,
            config=Config(retries={"max_attempts": 1}))
        server.client.create_bucket(Bucket="models")
        yield server


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory):
    with Registry(tmp_path_factory.mktemp("docker-registry")) as server:
        yield server


@pytest.fixture(scope="session")
def distribution(tmp_path_factory):
    with Distribution(tmp_path_factory.mktemp("distribution")) as server:
        yield server


@pytest.fixture(scope="session", params=["docker_registry", "distribution"])
def registry(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def locked_registry(tmp_path_factory):
    with LockedRegistry(tmp_path_factory.mktemp("locked")) as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    with Mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_on_s3(tmp_path_factory, s3):
    with Mlflow(tmp_path_factory.mktemp("mlflow-s3"), "s3://models/mlflow",
                s3.login(MLFLOW_S3_ENDPOINT_URL=s3.url,
                         AWS_DEFAULT_REGION=s3.REGION)) as server:
        yield server


SERVERS = ["nginx", "apache", "lighttpd", "s3", "docker_registry",
           "distribution", "mlflow"]


class Place:
    """Somewhere to publish to: its URL, what logs in there, its server."""

    def __init__(self, kind, request, name):
        name = name.replace("_", "-").lower()
        self.kind, self.env = kind, {}
        if kind == "file":
            self.url = f"file:{request.getfixturevalue('tmp_path')}/models"
            return
        self.server = request.getfixturevalue(
            "mlflow_server" if kind == "mlflow" else kind)
        if kind == "s3":
            self.url, self.env = f"s3://models/{name}", self.server.login()
        elif kind == "mlflow":
            self.url = f"{self.server.place}/{name}"
        elif kind in ("docker_registry", "distribution"):
            self.url = f"oci+http://{self.server.host}/lab/{name}"
        else:
            self.url = f"{self.server.url}/{name}"


@pytest.fixture(params=SERVERS)
def anywhere(request, tmp_path):
    """A place of its own on each kind of server."""
    return Place(request.param, request, tmp_path.name)


ISSUED = {"good": ("IP:127.0.0.1", "2"), "name": ("DNS:other.example", "2"),
          "expired": ("IP:127.0.0.1", "-1"),
          "aws": ("DNS:*.s3.us-east-1.amazonaws.com,"
                  "DNS:*.s3.eu-west-1.amazonaws.com", "2")}


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Certificates by an authority of our own, and one that signs itself."""
    folder = tmp_path_factory.mktemp("authority")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out",
            "ca.crt", "-days", "2", "-subj", "/CN=Tests")
    openssl(folder, "req", "-x509", *key, "-keyout", "self.key", "-out",
            "self.crt", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
            "subjectAltName=IP:127.0.0.1")
    for name, (subject, days) in ISSUED.items():
        openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", "/CN=Server")
        (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\n")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt",
                "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt",
                "-days", days, "-extfile", f"{name}.ext")
    return folder
