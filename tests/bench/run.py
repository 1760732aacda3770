"""Speed and memory as ratios to `cp` + fsync of the same bytes.

tests/bench/run [--megabytes N] [--rounds N] [NAME...]: prints a Markdown
table, and with --json FILE the same figures as JSON. Each figure is the median over the rounds, each ratio that of the
rounds' own ratios: the machine may be slow, but it is so for both.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WH = os.environ["WH_BIN"]
TENSORS = 128


class Usage:
    """What one finished process took."""

    def __init__(self, *command, cwd=None):
        start = time.monotonic()
        pid = subprocess.Popen([str(word) for word in command], cwd=cwd,
                               stdout=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(pid.pid, 0)
        self.seconds = time.monotonic() - start
        self.cpu = used.ru_utime + used.ru_stime
        self.megabytes = used.ru_maxrss / 1024
        if status:
            sys.exit(f"failed: {command}")


# Made by a process of its own: what a parent has in memory is counted to its
# children, too.
MAKE = """
import sys
import h5py
import numpy as np
path, count, rows, columns = sys.argv[1], *map(int, sys.argv[2:])
names = [f"a_layer_of_{i:05d}" for i in range(count)]
random = np.random.default_rng(1)
# As Keras writes it, so that it comes back from names and values alone: an
# attribute is split into the fewest pieces of at most 64,512 bytes.
with h5py.File(path, "w") as file:
    pieces = -(-16 * count // 64512)
    if pieces == 1:
        file.attrs["layer_names"] = [name.encode() for name in names]
    else:
        for k, part in enumerate(np.array_split(np.array(names, "S16"), pieces)):
            file.attrs[f"layer_names{k}"] = part
    file.attrs["backend"] = b"tensorflow"
    file.attrs["keras_version"] = b"2.21.0"
    for name in names:
        group = file.create_group(name)
        group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
        group.create_dataset(f"{name}/kernel:0", data=random.standard_normal(
            (rows, columns), np.float32))
    file.create_group("top_level_model_weights").attrs["weight_names"] = []
"""


def make(path, count, rows, columns):
    """Keras's legacy layout, a layer a tensor, of random float32."""
    subprocess.run([sys.executable, "-c", MAKE, path, str(count), str(rows),
                    str(columns)], check=True)


def copy(source, target):
    """cp --reflink=never and fsync: what everything is held against."""
    target.unlink(missing_ok=True)
    return Usage("sh", "-c", 'cp --reflink=never "$1" "$2" && sync "$2"',
                 "sh", source, target)


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, runs, copies=None):
        seconds = statistics.median(run.seconds for run in runs)
        cpu = statistics.median(run.cpu for run in runs)
        memory = max(run.megabytes for run in runs)
        ratio = ""
        if copies:
            ratio = "%.2f" % statistics.median(
                run.seconds / other.seconds
                for run, other in zip(runs, copies))
        self.rows.append((what, "%.3f" % seconds, "%.3f" % cpu, ratio,
                          "%.0f" % memory))
        print("|", " | ".join(self.rows[-1]), "|", flush=True)


def fresh(folder):
    for name in ("weights.wh", "weights.wh-lock"):
        (folder / name).unlink(missing_ok=True)
    Usage(WH, "init", cwd=folder)


def bench_large(table, folder, given):
    """commit and save of one large model, raw and coded"""
    file = folder / "large.h5"
    size = f"{given.megabytes} MB in {TENSORS} tensors"
    make(file, TENSORS, given.megabytes * (1 << 20) // TENSORS // 4096, 1024)
    commands = {
        "commit --codec none": ("commit", file, "--codec", "none"),
        "commit, unchanged": ("commit", file),
        "save-weights, h5, raw store": ("save-weights", "out.h5"),
        "save-weights, tf, raw store": ("save-weights", "out"),
        "convert, h5 to tf": ("convert", file, "converted"),
        "commit --codec fast": ("commit", file, "--codec", "fast"),
        "save-weights, h5, coded store": ("save-weights", "out.h5"),
        "save-weights, tf, coded store": ("save-weights", "out"),
    }
    copies = []
    runs = {name: [] for name in commands}
    for _ in range(given.rounds):
        copies.append(copy(file, folder / "copy"))
        for name, command in commands.items():
            if "--codec" in command:
                fresh(folder)
            runs[name].append(Usage(WH, *command, cwd=folder))
    table.add(f"`cp` + fsync, {size}", copies)
    for name, done in runs.items():
        table.add(name, done, copies)


def bench_small(table, folder, given, count=5000):
    """5,000 tensors of 1 KB"""
    rounds = given.rounds
    file = folder / "small.h5"
    make(file, count, 16, 16)
    runs = {name: [] for name in ("commit", "h5", "tf")}
    others = {"a TensorFlow checkpoint": "small",
              "safetensors": "small.safetensors"}
    for name, target in others.items():
        Usage(WH, "convert", file, target, cwd=folder)
        runs[name] = []
    for _ in range(rounds):
        for name, target in others.items():
            fresh(folder)
            runs[name].append(Usage(WH, "commit", target, cwd=folder))
        fresh(folder)
        runs["commit"].append(Usage(WH, "commit", file, cwd=folder))
        runs["h5"].append(Usage(WH, "save-weights", "s.h5", cwd=folder))
        runs["tf"].append(Usage(WH, "save-weights", "s", cwd=folder))
    what = f"{count} tensors of 1 KB"
    table.add(f"commit, {what}, from h5", runs["commit"])
    for name in others:
        table.add(f"commit, {what}, from {name}", runs[name])
    table.add(f"save-weights h5, {what}", runs["h5"])
    table.add(f"save-weights tf, {what}", runs["tf"])


KERAS = """
import sys, time, h5py, tf_keras
model = tf_keras.Sequential([tf_keras.Input((4,))])
class Hold(tf_keras.layers.Layer):
    def __init__(self, value, **more):
        super().__init__(**more)
        self.kernel = self.add_weight(name="kernel", shape=value.shape)
        self.kernel.assign(value)
    def call(self, x):
        return x
with h5py.File(sys.argv[1]) as file:
    for name in sorted(file):
        if name != "top_level_model_weights":
            model.add(Hold(file[f"{name}/{name}/kernel:0"][()], name=name))
for path in ("keras.h5", "keras"):
    start, cpu = time.monotonic(), time.process_time()
    model.save_weights(path)
    print(path, time.monotonic() - start, time.process_time() - cpu)
"""


def bench_keras(table, folder, given):
    """tf-keras's own save_weights of the large model, without its start"""
    rounds, file = given.rounds, folder / "large.h5"
    if not file.exists():
        make(file, TENSORS, given.megabytes * (1 << 20) // TENSORS // 4096,
             1024)
    times = {"keras.h5": [], "keras": []}
    for _ in range(rounds):
        copied = copy(file, folder / "copy")
        done = subprocess.run([sys.executable, "-c", KERAS, file], cwd=folder,
                              capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            path, seconds, cpu = line.split()
            times[path].append((float(seconds), float(cpu),
                                float(seconds) / copied.seconds))
    for path, what in (("keras.h5", "h5"), ("keras", "tf")):
        middle = [statistics.median(column) for column in zip(*times[path])]
        table.rows.append((f"tf-keras's save_weights, {what}",
                           "%.3f" % middle[0], "%.3f" % middle[1],
                           "%.2f" % middle[2], ""))
        print("|", " | ".join(table.rows[-1]), "|", flush=True)


def bench_start(table, folder, given):
    """the start of the command, and a rollback"""
    if not (folder / "weights.wh").exists():
        make(folder / "tiny.h5", 2, 16, 16)
        Usage(WH, "init", cwd=folder)
        Usage(WH, "commit", "tiny.h5", cwd=folder)
    table.add("`wh version`", [Usage(WH, "version", cwd=folder)
                               for _ in range(10 * given.rounds)])
    table.add("`wh log -n 20`", [Usage(WH, "log", "-n", "20", cwd=folder)
                                 for _ in range(10 * given.rounds)])
    table.add("rollback", [Usage(WH, "rollback", "HEAD", cwd=folder)
                           for _ in range(given.rounds + 1)])


BENCHES = {"large": bench_large, "keras": bench_keras, "small": bench_small,
           "start": bench_start}


def main():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:6} {function.__doc__}"
                         for name, function in BENCHES.items()))
    parser.add_argument("name", nargs="*", help="some of what is below")
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where to work: a real disk")
    parser.add_argument("--json", type=Path, help="the figures, to a file")
    given = parser.parse_intermixed_args()
    unknown = [name for name in given.name if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}")
    folder = Path(tempfile.mkdtemp(prefix="wh-bench-", dir=given.folder))
    table = Table()
    print(f"{platform.machine()}, {os.cpu_count()} cores, "
          f"{time.strftime('%Y-%m-%d')}, median of {given.rounds}\n")
    print("| what | seconds | CPU s | ratio to cp | peak MB |")
    print("|---|---|---|---|---|")
    try:
        for name in given.name or BENCHES:
            BENCHES[name](table, folder, given)
    finally:
        shutil.rmtree(folder)
    if given.json:
        heads = ("what", "seconds", "cpu_s", "ratio_to_cp", "peak_mb")
        given.json.write_text(json.dumps(
            [dict(zip(heads, row)) for row in table.rows], indent=1) + "\n")


main()
