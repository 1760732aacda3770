#!/usr/bin/env python3
"""keeping.py WH [SNAPSHOTS]: rollback, runs, keep, du, growth, over a long line.

The store of history.py (100,000 snapshots, ten metric values each), and 500
runs more with 200 values each. Prints CPU milliseconds (the least of five
runs) and peak memory of each command, then by how much the store grows with a
commit that changes nothing.
"""
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile

from history import NOON, fill, measure, weights_file

RUNS, VALUES = 500, 200


def add_runs(path):
    file = sqlite3.connect(path)
    base, = file.execute("SELECT max(id) FROM run").fetchone()
    file.executemany("INSERT INTO run(id, uuid, name, status, started, ended) "
                     "VALUES (?,?,?,'finished',?,?)", (
                         (base + i, f"uuid-{i}", f"run-{i:03}", NOON + i,
                          NOON + i + 60) for i in range(1, RUNS + 1)))
    file.executemany("INSERT INTO param VALUES (?,'lr',?)", (
        (base + i, str(1 / i)) for i in range(1, RUNS + 1)))
    file.executemany("INSERT INTO metric(run_id, key, step, seq, time, class, "
                     "value) VALUES (?,'val_loss',?,0,?,0,?)", (
                         (base + i, k, NOON + k, (i * 37 % 100) / (k + 1))
                         for i in range(1, RUNS + 1) for k in range(VALUES)))
    file.commit()


def make(path, n):
    fill(path, n)
    add_runs(path)


def tell_growth(wh, folder):
    path, rounds = f"{folder}/weights.wh", 50
    subprocess.run([wh, "commit", "-q", "m.npz"], cwd=folder, check=True)
    before = os.path.getsize(path)
    for _ in range(rounds):
        subprocess.run([wh, "commit", "-q", "m.npz"], cwd=folder, check=True)
    print(f"growth with an unchanged commit: "
          f"{(os.path.getsize(path) - before) / rounds:.0f} bytes")


def main():
    wh = os.path.abspath(sys.argv[1])
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        weights_file(f"{folder}/m.npz", 4)
        for words in (["init", "-q"], ["commit", "-q", "m.npz"]):
            subprocess.run([wh, *words], cwd=folder, check=True)
        maker = multiprocessing.Process(
            target=make, args=(f"{folder}/weights.wh", n))
        maker.start()
        maker.join()
        for words in (
                ["version"], ["log", "-n", "20"],
                ["rollback", "HEAD~3"], ["undo"],
                ["rollback", "HEAD", "--keep-history"],
                ["runs"], ["runs", "--sort", "val_loss"],
                ["runs", "--sort", "val_loss:min", "--where",
                 "params.lr < 0.01"],
                ["show", "best:metric3"],
                ["keep", "--last", "5", "--best", "3:metric0:min", "--dry-run"],
                ["gc", "--dry-run"], ["du"], ["du", "--by", "file"]):
            measure(wh, folder, *words)
        tell_growth(wh, folder)


if __name__ == "__main__":
    main()
