#!/usr/bin/env python3
"""make_codecs.py WH NAME: a store that holds every codec of a build.

NAME.wh.gz gets six versions of one model: floats of every width, whole and as
differences with and without context, few and many, integers, a long tensor of
which only the end changes, a text that isn't numbers. NAME.json says which build wrote it,
which codecs its chunks have, and the SHA-256 of every payload of every
version, by NumPy: tests/unit/store/test_golden.c holds what is decoded against
it. As with make.py, a later build can't make them again.
"""
import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
VERSIONS = 6
LONG = (1 << 20) + 4096  # bytes: a whole chunk, and a short one that changes
BFLOAT16 = np.dtype("V2")  # as tf_keras has h5py write it


def start(random):
    """The first version's weights: every width, and elements of every kind."""
    weights = {
        "float32": random.normal(0, 0.05, (34, 64)).astype("<f4"),
        "float64": random.normal(0, 0.05, (9, 64)).astype("<f8"),
        "float16": random.normal(0, 0.05, (36, 64)).astype("<f2"),
        "int32": random.randint(-900, 900, (16, 64)).astype("<i4"),
        "int64": np.arange(1200, dtype="<i8"),
        "long": np.zeros(LONG, "u1"),
        # So many that states code them, not lanes; and that gzip makes small.
        "many": random.randint(-2, 3, (260, 64)).astype("<f4") / 8,
    }
    special = [np.nan, np.inf, -np.inf, -0.0, 1e-42, -1e-42, 3e38]
    weights["float32"].flat[:len(special)] = special
    return weights


def step(weights, random):
    """As an optimizer moves them: most a little, some not at all."""
    for name in ("float32", "float64", "float16"):
        old = weights[name]
        moved = random.normal(0, 1e-3, old.shape) * (random.rand(*old.shape) < 0.9)
        weights[name] = (old + moved).astype(old.dtype)
    weights["int32"] = weights["int32"] + random.randint(
        -2, 3, weights["int32"].shape).astype("<i4")
    weights["int64"] = weights["int64"] + 7
    moved = random.normal(0, 1e-3, 300).astype("<f4")
    weights["many"] = weights["many"].copy()
    weights["many"].flat[random.choice(weights["many"].size, 300)] += moved
    weights["long"] = weights["long"].copy()
    weights["long"][-4096:] = random.randint(0, 9, 4096)


def bfloat16(values):
    """The upper halves: truncated, which is as good as rounded here."""
    return np.ascontiguousarray(values.view("<u4") >> 16).astype("<u2")


def write(path, weights, number):
    """Keras's legacy layout; an attribute of ours makes it no file that Keras
    would write, so its skeleton is stored."""
    values = dict(weights, bfloat16=bfloat16(weights["float32"]).view(BFLOAT16))
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["layer_names"] = [name.encode() for name in values]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.21.0"
        words = [f"{(i * 7919 + i * i) % 100003}" for i in range(1200)]
        words[number * 100] = f"step {number}"
        file.attrs["notes"] = " ".join(words).encode()
        for name, value in values.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group.create_dataset(f"{name}/kernel:0", data=value)
    return {name: hashlib.sha256(value.tobytes()).hexdigest()
            for name, value in values.items()}


def main(wh, name):
    random = np.random.RandomState(20)
    env = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def run(*words):
            return subprocess.run([wh, *words], cwd=folder, env=env, check=True,
                                  capture_output=True, text=True).stdout

        run("init")
        weights, snapshots = start(random), []
        for number in range(VERSIONS):
            if number:
                step(weights, random)
            snapshots.append(write(folder / "model.h5", weights, number))
            run("commit", "model.h5", "--step", str(number))
        store = folder / "weights.wh"
        with sqlite3.connect(store) as file:
            codecs = [row[0] for row in file.execute(
                "SELECT DISTINCT codec FROM chunk ORDER BY 1")]
        truth = {"writer": run("version").splitlines()[0], "codecs": codecs,
                 "snapshots": snapshots}
        (HERE / f"{name}.json").write_text(json.dumps(truth, indent=1) + "\n")
        (HERE / f"{name}.wh.gz").write_bytes(
            gzip.compress(store.read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), sys.argv[2])
