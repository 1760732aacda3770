"""How small history is: 40 snapshots of train.py's runs, ours and the peers'.

The whole store's file counts, or all that a peer keeps, over the raw bytes of
the weights of all snapshots. A run is trained if it isn't there yet.
"""
import functools
import json
import shutil
import subprocess

from bench import here, python
from measure import Missing, summary
from peers import KEEPERS, framework

RUNS = ("steps", "finetune", "epochs", "frozen", "bf16", "slots",
        "transformer", "mobilenet", "small")
QUICK = 2  # snapshots
# These keep whole files, of which no two are the same: measured, but not nine
# times.
WHOLE = ("git-lfs", "dvc", "mlflow")
WHOLE_RUNS = ("steps", "frozen", "small")
# Packing tries to find what repeats, for minutes where nothing does.
PACKED_RUNS = ("frozen", "small")


def find_run(bench, name):
    """The run's files, two for a TensorFlow checkpoint, in order."""
    runs, most = bench.options.runs, 1000
    if bench.quick and not (runs / name).exists():
        runs, most = runs.with_name(runs.name + "-quick"), QUICK
    if not (runs / name).exists():
        print(f"training {name}, to be kept in {runs}", flush=True)
        done = subprocess.run(
            [python(), here("train.py"), "--snapshots", str(most), runs, name],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"it can't be trained: {done.stderr[-200:]}")
    heads = sorted(path for path in (runs / name).iterdir()
                   if path.suffix in (".h5", ".index"))
    heads = heads[:QUICK] if bench.quick else heads
    return tuple(path for head in heads
                 for path in sorted((runs / name).glob(f"{head.stem}.*")))


def checkpoints(files):
    """What `wh commit` is given for these files."""
    return [path.with_suffix("") if path.suffix == ".index" else path
            for path in files if path.suffix in (".h5", ".index")]


# In a process of its own: what this one has in memory is counted to those that
# it starts.
WEIGH = """
import sys
import h5py
sizes = []
for path in sys.argv[1:]:
    with h5py.File(path) as file:
        file.visititems(lambda _, item: sizes.append(item.nbytes)
                        if isinstance(item, h5py.Dataset) else None)
print(sum(sizes))
"""


@functools.lru_cache(maxsize=None)
def raw_bytes(files):
    """Of the weights alone."""
    if files[0].suffix != ".h5":
        return sum(path.stat().st_size for path in files
                   if path.suffix != ".index")
    done = subprocess.run([python(), "-c", WEIGH, *files], check=True,
                          capture_output=True, text=True)
    return int(done.stdout)


def file_bytes(files):
    return sum(path.stat().st_size for path in files)


def sized(name, files, stored, **more):
    return dict(more, what=f"{name}: {len(checkpoints(files))} snapshots",
                stored_bytes=stored, stored_ratio=stored / raw_bytes(files),
                files_ratio=stored / file_bytes(files))


# ---- Ours --------------------------------------------------------------

def commit_all(bench, store, paths, codec):
    return [bench.run(store, "commit", path, "--codec", codec)
            for path in paths]


def measure_wh(bench, name, codec):
    files, store = find_run(bench, name), bench.store()
    runs = commit_all(bench, store, checkpoints(files), codec)
    return [sized(name, files, store.stat().st_size, who=f"wh, {codec}",
                  **summary(runs))]


def measure_lone(bench, name, codec):
    """The last snapshot alone: the whole file, and its payloads in it."""
    files = find_run(bench, name)
    last = checkpoints(files)[-1]
    files = tuple(path for path in files if path.name.startswith(last.stem))
    store = bench.store()
    done = subprocess.run(
        [bench.wh, "-s", store, "--json", "commit", last, "--codec", codec],
        check=True, capture_output=True, text=True)
    payload, raw = json.loads(done.stdout)["stored_bytes"], raw_bytes(files)
    return [dict(what=f"{name}: one alone", who=f"wh, {codec}",
                 stored_ratio=store.stat().st_size / raw),
            dict(what=f"{name}: one alone, payloads", who=f"wh, {codec}",
                 stored_ratio=payload / raw)]


def measure_empty(bench):
    return [dict(what="empty store, KiB", who="wh",
                 stored_bytes=bench.store().stat().st_size)]


# ---- The peers ---------------------------------------------------------

def measure_zipnn(bench, name):
    files = find_run(bench, name)
    width = "bfloat16" if name == "bf16" else "float32"
    data = tuple(path for path in files if path.suffix != ".index")
    told = framework("zipnn-chain", "zipnn", width, *data)
    one = raw_bytes(data) / len(data)
    more = {"who": "zipnn", "version": told["version"], "setting":
            "each snapshot's file against the one before, in one chain; no "
            "store"}
    return [sized(name, files, told["stored_bytes"], **more,
                  cpu_s=told["cpu_s"] / len(data), peak_mb=told["peak_mb"]),
            dict(more, what=f"{name}: one alone",
                 stored_ratio=told["lone_bytes"] / one)]


def measure_mlflow(bench, name):
    files, out = find_run(bench, name), bench.folder / "peer"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    told = framework("mlflow-log", "mlflow", out, *files)
    shutil.rmtree(out)
    return [sized(name, files, told["stored_bytes"], who="mlflow",
                  version=told["version"], setting="log_artifact of each",
                  cpu_s=told["cpu_s"] / len(checkpoints(files)))]


def measure_keeper(bench, name, who):
    """All in one command, which keeps the same as one by one."""
    files = find_run(bench, name)
    kept = KEEPERS[who](bench.folder / "peer")
    run = kept.keep(*files)
    row = sized(name, files, kept.size(), who=who, version=kept.version(),
                setting=kept.setting, peak_mb=run.megabytes,
                cpu_s=run.cpu / len(checkpoints(files)))
    shutil.rmtree(kept.folder)
    return [row]


def peers_of(name):
    for who in ["zipnn", *KEEPERS, "mlflow"]:
        if (who not in WHOLE or name in WHOLE_RUNS) and (
                who != "git-packed" or name in PACKED_RUNS):
            yield who


def measure_peer(bench, name, who):
    if who == "zipnn":
        return measure_zipnn(bench, name)
    if who == "mlflow":
        return measure_mlflow(bench, name)
    return measure_keeper(bench, name, who)


def bench_sizes(bench):
    """stored over raw bytes, 40 snapshots of nine runs, ours and the peers'"""
    bench.group("sizes/empty/wh", lambda: measure_empty(bench))
    for name in RUNS:
        for codec in ("fast", "dense"):
            bench.group(f"sizes/{name}/{codec}",
                        lambda: measure_wh(bench, name, codec))
            if name in ("steps", "bf16"):
                bench.group(f"sizes/{name}-alone/{codec}",
                            lambda: measure_lone(bench, name, codec))
        for who in peers_of(name):
            bench.group(f"sizes/{name}/{who}",
                        lambda: measure_peer(bench, name, who),
                        of_build=False)


# ---- Time over a run's history ----------------------------------------

def middle(runs):
    """The dearest of many runs would be the one that was disturbed most."""
    runs = sorted(runs, key=lambda run: run.cpu)
    return runs[len(runs) // 2]


def save(bench, store, back):
    """What was saved before goes first, as it does in `time`."""
    for path in store.parent.glob("out.*"):
        path.unlink()
    return bench.run(store, "save-weights", f"HEAD~{back}", "out",
                     "--canonical", "--save-format", "tf")


def measure_commits(bench):
    files = find_run(bench, "steps")
    paths, store = checkpoints(files), bench.store()
    runs = commit_all(bench, store, paths, "fast")
    late = runs[-max(1, len(runs) // 4):]
    same = [bench.run(store, "commit", paths[-1]) for _ in range(5)]
    saves = [middle(save(bench, store, back) for _ in range(3))
             for back in range(len(same), len(same) + len(paths))]
    saves = sorted(saves, key=lambda run: run.cpu)
    one = raw_bytes(files) / len(paths) / 1e6
    rows = [dict(summary(late), what="22 MB: commit next, fast"),
            dict(summary(same), what="22 MB: commit unchanged"),
            dict(summary(saves), what="22 MB: save tf, differences, median"),
            dict(summary(saves[-1:]), what="22 MB: save tf, differences, "
                                           "the dearest snapshot")]
    return [dict(row, who="wh", mb_per_cpu_s=one / row["cpu_s"])
            for row in rows]


def bench_steps(bench):
    """commits and saves along 40 snapshots of one training run"""
    bench.group("steps/wh", lambda: measure_commits(bench))
