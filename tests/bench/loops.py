"""The start of a command, and how long a training loop stands still."""
import os
import shutil
import statistics

import models
from measure import Usage, summary
from peers import KEEPERS, python_of


# ---- Start -------------------------------------------------------------

def measure_start(bench, what, *command, cwd=None, n=5):
    n = 1 if bench.quick else n
    return [dict(summary([Usage(*command, cwd=cwd) for _ in range(n)]),
                 what=what)]


def measure_wh(bench):
    store, size = bench.store(), models.small("start", 16)
    bench.run_loop(store, "commit", size, 30, 1, "fast")
    rows = []
    for what, words in (("version", ["version"]),
                        ("log -n 20", ["log", "-n", "20"]),
                        ("rollback", ["rollback", "HEAD"])):
        rows += measure_start(bench, f"start: {what}", bench.wh, "-s", store,
                              *words, n=30)
    return [dict(row, who="wh") for row in rows]


def measure_program(bench, who):
    program = KEEPERS[who].find()
    if who == "git-lfs":
        program = shutil.which("git-lfs")
    return [dict(row, who=who) for row in measure_start(
        bench, "start: --version", program, "--version")]


def measure_mlflow(bench):
    program = os.path.join(os.path.dirname(python_of("mlflow")), "mlflow")
    return [dict(row, who="mlflow") for row in measure_start(
        bench, "start: --version", program, "--version", n=2)]


def measure_import(bench, module):
    return [dict(row, who=module) for row in measure_start(
        bench, "start: import", python_of("frameworks"), "-c",
        f"import {module}", n=2)]


def bench_start(bench):
    """the start of the command, and of the peers'"""
    bench.group("start/wh", lambda: measure_wh(bench))
    for who in ("git", "git-lfs", "borg", "dvc"):
        bench.group(f"start/{who}", lambda: measure_program(bench, who),
                    of_build=False)
    bench.group("start/mlflow", lambda: measure_mlflow(bench), of_build=False)
    for module in ("h5py", "safetensors", "tf_keras", "keras"):
        bench.group(f"start/{module}", lambda: measure_import(bench, module),
                    of_build=False)


# ---- The stall ---------------------------------------------------------

MODES = {"copy": "memcpy", "commit": "wh_commit", "async": "wh_async_commit"}
KEPT = 6  # the first finds its memory; five are counted


def measure_stall(bench, size, mode, every):
    kept = 2 if bench.quick else KEPT
    told = bench.run_loop(bench.store(), mode, size, kept * every, every,
                          "fast")
    first, later = told["stalls"][0], told["stalls"][1:]
    name = f"{size.name}: the loop stands still"
    return [dict(what=f"{name}, first", who=MODES[mode], seconds=first[0],
                 cpu_s=first[1]),
            dict(what=name, who=MODES[mode], peak_mb=told["peak_mb"],
                 seconds=statistics.median(stall[0] for stall in later),
                 cpu_s=statistics.median(stall[1] for stall in later),
                 step_seconds=told["step_seconds"], every=every)]


def bench_stall(bench):
    """how long a training loop stands still for a commit"""
    for size in bench.sizes[:2]:
        # As many steps between as a commit in the background takes.
        for mode in MODES:
            bench.group(f"stall/{size.slug}/{mode}", lambda: measure_stall(
                bench, size, mode, 2 if bench.quick else 30))
