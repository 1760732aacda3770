"""Builds an optimised wh, makes a Python for each peer, then runs run.py.

A peer whose packages can't be installed is a row that says so.
"""
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
import runner  # noqa: E402 - found on the path above

# MLflow's are those of the tests of publishing: installed once for both.
PEERS = {"frameworks": "interop/requirements.txt",
         "zipnn": "bench/zipnn.txt", "dvc": "bench/dvc.txt",
         "mlflow": "publish/requirements.txt"}

# What is measured is a release; the names of files are for profiles.
folder = runner.build("optimised", "-Doptimization=3", "-Ddebug=true")
if folder is None:
    sys.exit(1)
pythons = {}
for name, path in PEERS.items():
    options = ["--no-deps"] if name == "zipnn" else []
    python = runner.python_of(TOP / "tests" / path, *options)
    if python:
        pythons[name] = str(python)
if "frameworks" not in pythons:
    sys.exit("tests/bench/run: without h5py no model can be made")
main = pythons["frameworks"]
os.environ.update(runner.program_env(folder))
os.environ.update({f"BENCH_PYTHON_{name.upper()}": python
                   for name, python in pythons.items()})
os.execv(main, [main, str(TOP / "tests/bench/run.py"), *sys.argv[1:]])
