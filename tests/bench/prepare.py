"""Builds an optimised wh and a Python with h5py, then runs run.py in it."""
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
import runner  # noqa: E402 - found on the path above

folder = runner.build("bench", "-Dbuildtype=release")
python = runner.python_of(TOP / "tests/interop/requirements.txt")
if folder is None or python is None:
    sys.exit(1)
os.environ.update(runner.program_env(folder))
os.execv(python, [str(python), str(TOP / "tests/bench/run.py"), *sys.argv[1:]])
