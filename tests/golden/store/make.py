#!/usr/bin/env python3
"""make.py WH [2|3]: the store of a schema, by a build that wrote that schema.

v1.wh.gz is a store with two branches, two runs, tags, metrics (NaN and
infinities among them), params, a rollback, an unchanged commit and a kernel
that changes; v1.json is what that build said of it: `log --all`, `reflog`,
`ls` of every snapshot. A later build can't make it again: it is kept so that
every later one opens, reads and migrates what the first one wrote. It ran
with h5py 3.14.0 and wh 0.1.0 at schema 1. v2.wh.gz is the same by a build of
schema 2, with what that one added: a policy of `keep`, a forgotten snapshot, a
run's tags, metrics without a snapshot. v3.wh.gz, of schema 3, has a
publication, an alias that moved on, and a rule of publishing besides.
"""
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "h5" / "sequential.h5"
KERNEL = "hidden/hidden/kernel:0"


def main(wh, schema):
    env = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")

    def run(*words):
        done = subprocess.run([wh, *map(str, words)], cwd=folder, env=env,
                              check=True, capture_output=True, text=True)
        return done.stdout

    def rows(*words):
        return [json.loads(line)
                for line in run(*words, "--json").splitlines()]

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = folder / "model.h5"
        shutil.copy(MODEL, model)
        run("init")
        run("commit", model, "-m", "first", "--run", "base", "--step", 1,
            "--metric", "val_loss=0.5", "--param", "lr=1e-3", "--tag", "v1.0")
        for step, metric in ((2, "0.25"), (3, "nan"), (4, "inf")):
            with h5py.File(model, "r+") as file:
                file[KERNEL][...] = file[KERNEL][...] * 1.5
            run("commit", model, "--run", "base", "--step", step, "--epoch",
                step, "--metric", f"val_loss={metric}")
        run("commit", model, "-m", "unchanged", "--run", "base", "--step", 5)
        run("commit", MODEL, "-b", "sweep", "-m", "aside", "--run", "other",
            "--param", "optimizer=adam", "--metric", "val_loss=0.75")
        run("rollback", "HEAD~1")
        if schema > 1:
            run("run", "start", "third", "--tag", "tuned")
            run("metric", "third", "loss=0.5", "--step", 7)
            run("keep", "--best", "2:val_loss", "--run", "other", "--save")
            run("keep", "--last", "2", "--branch", "main")
        if schema > 2:
            (folder / "place").mkdir()
            run("remote", "add", "lab", "file:/place")
            run("publish", "HEAD", "file:place", "--alias", "stable")
            run("publish", "HEAD~1", "file:place", "--alias", "stable")
            run("publish", "HEAD", "lab", "--alias", "latest", "--save")
        truth = {"log": rows("log", "--all"), "reflog": rows("reflog"),
                 "ls": {row["snapshot"]: rows("ls", row["snapshot"])
                        for row in rows("log", "--all")}}
        (HERE / f"v{schema}.json").write_text(json.dumps(truth, indent=1) + "\n")
        (HERE / f"v{schema}.wh.gz").write_bytes(
            gzip.compress((folder / "weights.wh").read_bytes(), mtime=0))


main(str(Path(sys.argv[1]).resolve()), int((sys.argv + ["1"])[2]))
