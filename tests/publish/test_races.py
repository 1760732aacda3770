"""Sixteen publishers, one pointer: who follows it never meets a part of a
checkpoint, whoever wins. On each real server; the pointer is a file, a tag or
the newest version of a model.

WH_RACE_ROUNDS=30 runs more rounds than a quick look takes.
"""
import hashlib
import json
import os
import threading
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from conftest import DIGITS
from servers import Distribution, Registry

PUBLISHERS = 16
ROUNDS = int(os.environ.get("WH_RACE_ROUNDS", "1"))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class NotYet(Exception):
    """There is no pointer yet."""


def fetch(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return reply.read()


def check(manifest, read):
    """All files that a manifest lists, by `read`."""
    files = json.loads(manifest)["files"]
    assert files
    for file in files:
        data = read(file["path"])
        assert len(data) == file["size"]
        assert hashlib.sha256(data).hexdigest() == file["sha256"]


class Files:
    """Pointers that are files, read by `read(path)`."""

    env = {}

    def follow(self):
        pointer = json.loads(self.read("latest.json", NotYet))
        text = self.read(pointer["manifest"])
        assert hashlib.sha256(text).hexdigest() == pointer["sha256"]
        folder = pointer["manifest"].rsplit("/", 1)[0]
        check(text, lambda path: self.read(f"{folder}/{path}"))
        return pointer["snapshot"]


class OverHttp(Files):
    def __init__(self, server, name):
        self.url = f"{server.url}/{name}"

    def read(self, path, absent=AssertionError):
        try:
            return fetch(f"{self.url}/{path}")
        except urllib.error.HTTPError as error:
            raise absent(f"{path}: {error}") from error


class InBucket(Files):
    def __init__(self, server, name):
        self.name, self.client = name, server.client
        self.url, self.env = f"s3://models/{name}", server.login()

    def read(self, path, absent=AssertionError):
        try:
            return self.client.get_object(
                Bucket="models", Key=f"{self.name}/{path}")["Body"].read()
        except botocore.exceptions.ClientError as error:
            raise absent(f"{path}: {error}") from error


class InRegistry:
    env = {}

    def __init__(self, server, name):
        self.url = f"oci+http://{server.host}/race/{name}"
        self.root = f"{server.url}/v2/race/{name}"

    def follow(self):
        try:
            manifest = json.loads(fetch(f"{self.root}/manifests/latest",
                                        Accept=MANIFEST))
        except urllib.error.HTTPError as error:
            raise NotYet from error
        blobs = {
            layer["annotations"]["org.opencontainers.image.title"]:
            fetch(f"{self.root}/blobs/{layer['digest']}")
            for layer in manifest["layers"]}
        (name,) = [name for name in blobs if name.startswith("MANIFEST")]
        check(blobs[name], blobs.__getitem__)
        return manifest["annotations"]["org.opencontainers.image.revision"]


class InMlflow:
    """MLflow shows a version for a moment before it has its tags; whoever
    follows by `models:/NAME/latest` finds its files complete all the same."""

    env = {}

    def __init__(self, server, name):
        self.url, self.name = f"{server.place}/{name}", name
        self.api = f"{server.url}/api/2.0"

    def follow(self):
        rows = json.loads(fetch(
            f"{self.api}/mlflow/model-versions/search?max_results=20"
            f"&order_by=version_number%20DESC&filter=name%3D%27{self.name}%27"
        )).get("model_versions")
        rows = [row for row in rows or () if row.get("tags")]
        if not rows:
            raise NotYet
        tags = {tag["key"]: tag["value"] for tag in rows[0]["tags"]}
        path, digest = tags["weighhouse.manifest"].split()
        run = json.loads(fetch(f"{self.api}/mlflow/runs/get?run_id="
                               f"{rows[0]['run_id']}"))["run"]["info"]
        root = (f"{self.api}/mlflow-artifacts/artifacts/"
                f"{run['artifact_uri'].split(':/', 1)[1].lstrip('/')}")
        text = fetch(f"{root}/{path}")
        assert hashlib.sha256(text).hexdigest() == digest
        folder = path.rsplit("/", 1)[0]
        check(text, lambda name: fetch(f"{root}/{folder}/{name}"))
        return tags["weighhouse.snapshot"]


class Reader(threading.Thread):
    """Follows the pointer all the time, and once more when all is done."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place, self.done, self.wrong, self.n = place, False, [], 0

    def run(self):
        last = False
        while not last:
            last = self.done
            try:
                self.place.follow()
                self.n += 1
            except NotYet:
                pass
            except (AssertionError, ValueError, OSError, KeyError) as error:
                self.wrong.append(error)


def race(wh, make):
    """`make(name)`: a place that no other round uses."""
    epochs = [DIGITS / f"epoch-{n:02}.h5" for n in range(3, 11)]
    wh.ok("import", "-q", *epochs)
    known = {row["snapshot"] for row in wh.rows("log")}
    for turn in range(ROUNDS):
        place = make(f"{wh.folder.parent.name}-{turn}".replace("_", "-"))
        reader = Reader(place)
        reader.start()
        running = [wh.start("publish", f"HEAD~{n % 10}", place.url,
                            "--save-format", "h5,tf", "--parallel", "2",
                            env=place.env)
                   for n in range(PUBLISHERS)]
        texts = [process.communicate(timeout=300)[1] for process in running]
        reader.done = True
        reader.join()
        assert [process.returncode for process in running] == \
            [0] * PUBLISHERS, texts
        assert not reader.wrong and reader.n
        assert place.follow() in known
    # Each is on record, though all wrote to the store at once.
    assert wh.row("verify")["errors"] == []
    assert len(wh.rows("publish", "--list")) >= 10 * ROUNDS
    assert not list(wh.folder.glob("weights.wh-publish*"))


def test_of_sixteen_publishers_every_pointer_is_complete(wh, dav):
    race(wh, lambda name: OverHttp(dav, name))


def test_of_sixteen_publishers_to_s3_every_pointer_is_complete(wh, s3):
    race(wh, lambda name: InBucket(s3, name))


@pytest.mark.parametrize("program", [Registry, Distribution])
def test_of_sixteen_publishers_every_tag_is_complete(wh, tmp_path, program):
    with program(tmp_path / "registry") as server:
        race(wh, lambda name: InRegistry(server, name.lower()))


def test_of_sixteen_publishers_every_version_is_complete(wh, mlflow_server):
    race(wh, lambda name: InMlflow(mlflow_server, name))
