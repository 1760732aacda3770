"""Some layers of what was published: their bytes go over the line, and few
others."""
import json
import struct

import h5py
import numpy as np
import pytest

from conftest import SERVERS, Place
from fault_server import Fault, FaultServer
from proxy import Proxy

LAYERS, WIDTH = 24, 256 << 10  # of 1 MiB each


def make_wide(wh, libver="earliest"):
    """Commits a model of 24 MiB. {layer: weight}."""
    noise = np.random.default_rng(5)
    with h5py.File(wh.folder / "wide.h5", "w", libver=libver) as file:
        names = [f"dense_{n:02}" for n in range(LAYERS)]
        file.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group[f"{name}/kernel:0"] = noise.standard_normal(
                WIDTH, np.float32)
    wh.ok("commit", "-q", "wide.h5")
    with h5py.File(wh.folder / "wide.h5") as file:
        return {name: file[f"{name}/{name}/kernel:0"][...] for name in names}


@pytest.fixture
def wide(wh):
    return make_wide(wh)


def tensors(path):
    """{name: array} of a safetensors file, read as its format says."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(
        data[8 + size + at["data_offsets"][0]:8 + size +
             at["data_offsets"][1]], "<f4").reshape(at["shape"])
            for name, at in header.items()}


def check(path, wide, names):
    found = tensors(path)
    assert len(found) == len(names)
    for name in names:
        (key,) = [key for key in found if name in key]
        assert np.array_equal(found[key], wide[name])


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.mark.parametrize("words, tables", [
    (("tf",), 64 << 10), (("safetensors",), 64 << 10),
    (("tf", "--max-shard-size", 4 << 20), 64 << 10),
    (("safetensors", "--max-shard-size", 4 << 20), 64 << 10),
    (("h5",), LAYERS * (8 << 10))],
    ids=["tf", "safetensors", "tf shards", "safetensors shards", "h5"])
def test_only_what_was_chosen_goes_over_the_line(wh, wide, server, elsewhere,
                                                 words, tables):
    wh.ok("publish", f"{server.url}/m", "--save-format", *words)
    before = len(server.log)
    told = elsewhere.row("pull", f"{server.url}/m", "-o", "out", "--only",
                         "dense_03", "--only", "dense_1[78]")
    names = ["dense_03", "dense_17", "dense_18"]
    check(elsewhere.folder / "out/model.safetensors", wide, names)
    sent = sum(request.sent for request in server.log[before:])
    assert 3 << 20 <= sent < (3 << 20) + tables
    assert [path.name for path in (elsewhere.folder / "out").iterdir()] == [
        "model.safetensors"]
    assert told["snapshot"] == wh.row("show")["snapshot"]
    assert told["files"][0]["path"] == "out/model.safetensors"


@pytest.mark.parametrize("kind", [*SERVERS, "file"])
def test_each_place_gives_parts(wh, wide, elsewhere, request, tmp_path, kind):
    there = Place(kind, request, tmp_path.name)
    wh.ok("publish", there.url, "--save-format", "tf,safetensors,h5",
          env=there.env)
    for name in ("tf", "safetensors", "h5"):
        with Proxy() as proxy:
            elsewhere.ok("pull", there.url, "-o", name, "--only", "dense_05",
                         "--save-format", name, env=dict(
                             there.env, http_proxy=proxy.url))
        check(elsewhere.folder / name / "model.safetensors", wide,
              ["dense_05"])
        sent = sum(size for _, _, status, size in proxy.replies
                   if status == 206)
        assert kind == "file" or 1 << 20 <= sent < (1 << 20) + (256 << 10)


def test_shards_have_the_names_that_their_index_gives_them(wh, wide,
                                                           elsewhere,
                                                           tmp_path):
    wh.ok("publish", f"file:{tmp_path}/models", "--save-format", "safetensors",
          "--max-shard-size", 4 << 20)
    elsewhere.ok("pull", f"file:{tmp_path}/models", "-o", "out")
    out = elsewhere.folder / "out"
    index = json.loads((out / "model.safetensors.index.json").read_text())
    shards = set(index["weight_map"].values())
    assert len(shards) == 6
    assert {path.name for path in out.iterdir()} == shards | {
        "model.safetensors.index.json"}


def test_h5_that_needs_libhdf5_is_told(wh, server, elsewhere):
    make_wide(wh, libver="latest")
    wh.ok("publish", f"{server.url}/m", "--save-format", "h5")
    assert "only libhdf5 can read" in elsewhere.fails(
        15, "pull", f"{server.url}/m", "-o", "out", "--only", "dense_03")
    assert not (elsewhere.folder / "out").exists()


def test_weights_that_share_their_bytes_are_pulled_whole(wh, server,
                                                         elsewhere):
    make_wide(wh)
    with h5py.File(wh.folder / "wide.h5", "r+") as file:
        del file["dense_05/dense_05/kernel:0"]
        file["dense_05/dense_05/kernel:0"] = file["dense_03/dense_03/kernel:0"]
    wh.ok("commit", "-q", "wide.h5")
    wh.ok("publish", f"{server.url}/m", "--save-format", "h5")
    assert "share one" in elsewhere.fails(
        15, "pull", f"{server.url}/m", "-o", "out", "--only", "dense_05")
    assert not (elsewhere.folder / "out").exists()


def test_what_cannot_be_is_told(wh, server, elsewhere):
    wh.ok("publish", f"{server.url}/m", "--save-format", "npz")
    for words, code, sentence in (
            (("-o", "out"), 15, "publish it as safetensors, tf or h5"),
            (("-o", "out", "--save-format", "tf"), 4, "not published as"),
            ((), 2, "--only needs -o")):
        assert sentence in elsewhere.fails(code, "pull", f"{server.url}/m",
                                           "--only", "conv1", *words)
    wh.ok("publish", f"{server.url}/m", "--save-format", "safetensors")
    assert "no weight matches 'nothing'" in elsewhere.fails(
        4, "pull", f"{server.url}/m", "-o", "out", "--only", "nothing")
    assert not (elsewhere.folder / "out").exists()


@pytest.mark.parametrize("name", ["tf"])
def test_bytes_that_are_wrong_are_found(wh, wide, server, elsewhere, name):
    """By the index's checksums."""
    wh.ok("publish", f"{server.url}/m", "--save-format", name)
    (path,) = [path for path in server.objects if ".data-" in path]
    data = bytearray(server.objects[path])
    at = data.find(wide["dense_07"].tobytes()[:64])
    data[at + 1000] ^= 1
    server.objects[path] = bytes(data)
    elsewhere.fails(5, "pull", f"{server.url}/m", "-o", "out", "--only",
                    "dense_07")
    assert not (elsewhere.folder / "out").exists()
    elsewhere.ok("pull", f"{server.url}/m", "-o", "out", "--only", "dense_08")


def test_a_server_without_ranges_is_told(wh, wide, server, elsewhere):
    wh.ok("publish", f"{server.url}/m", "--save-format", "safetensors")
    server.faults = [Fault("GET .*model.safetensors", status=200,
                           body=b"x" * 100)]
    assert "sends no parts of files" in elsewhere.fails(
        15, "pull", f"{server.url}/m", "-o", "out", "--only", "dense_01")
