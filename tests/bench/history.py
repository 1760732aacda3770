#!/usr/bin/env python3
"""history.py WH [SNAPSHOTS] [WEIGHTS]: log, blame, history over a long line.

Makes a store of so many snapshots (100,000 without it) by SQL: one line with
a fork each thousand, every weight changed in each of the newest 10,000, ten
metrics values a snapshot. Prints CPU milliseconds (the least of five runs) and
peak memory of each command.
"""
import hashlib
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile

NOON = 1795521600


def digest(*words):
    return hashlib.sha256(repr(words).encode()).digest()


def weights_file(path, n):
    import numpy
    numpy.savez(path, **{f"layer{i:03}/kernel": numpy.float32([i])
                         for i in range(n)})


def fill(path, n):
    file = sqlite3.connect(path)
    (tree, run, line, base, first, generation), = file.execute(
        "SELECT s.tree_id, s.run_id, l.line_id, s.id, s.sha256, s.generation "
        "FROM snapshot AS s JOIN lineage AS l ON l.snapshot_id = s.id")
    weights = [row[0] for row in file.execute("SELECT id FROM weight")]
    storage, = file.execute("SELECT max(id) FROM storage").fetchone()
    tensor, = file.execute("SELECT max(id) FROM tensor").fetchone()
    parent, snapshots, lineage, metrics, forks = first, [], [], [], []
    for i in range(1, n):
        id_, sha = base + i, digest("snapshot", i)
        fork = i % 1000 == 999
        snapshots.append((id_, sha, tree, parent, generation + 1,
                          NOON + i, run, i, i, f"step {i}"))
        if fork:  # a line of one, and the line goes on beside it
            forks.append((id_, line, generation))
            lineage.append((id_, id_, generation + 1))
            continue
        parent, generation = sha, generation + 1
        lineage.append((id_, line, generation))
        metrics += [(run, f"metric{k}", i, 0, NOON + i, 0, 1 / (i + k), id_)
                    for k in range(10)]
    file.executemany("INSERT INTO snapshot(id, sha256, tree_id, parent, "
                     "generation, time, run_id, step, epoch, message) "
                     "VALUES (?,?,?,?,?,?,?,?,?,?)", snapshots)
    file.executemany("INSERT INTO line VALUES (?,?,?)", forks)
    file.executemany("INSERT INTO lineage VALUES (?,?,?)", lineage)
    file.executemany("INSERT INTO metric(run_id, key, step, seq, time, class, "
                     "value, snapshot_id) VALUES (?,?,?,?,?,?,?,?)", metrics)
    for place, (id_, of, at) in enumerate(
            [row for row in lineage if row[1] == line][-10000:]):
        for k, weight in enumerate(weights):
            tensor += 1
            file.execute("INSERT INTO tensor VALUES (?,?,?,?,?,?,?,?)", (
                tensor, digest("tensor", place, k), "float32", "[1]", 4, 0, 0,
                storage))
            file.execute("INSERT INTO tensor_statistics VALUES "
                         "(?,1,1,0,0,0,0,1,0.5,0,?)", (tensor, 1 / (place + 1)))
            file.execute("INSERT INTO change VALUES (?,?,?,?,?)", (
                weight, of, at, id_, tensor))
    file.execute("UPDATE ref SET snapshot_id = (SELECT id FROM snapshot "
                 "WHERE sha256 = ?) WHERE kind = 0", (parent,))
    file.commit()


def apart(work, *words):
    """In a process of its own: a child's peak begins with its parent's."""
    worker = multiprocessing.Process(target=work, args=words)
    worker.start()
    worker.join()
    if worker.exitcode:
        sys.exit("the store can't be made")


def measure(wh, folder, *words):
    least, peak = float("inf"), 0
    for _ in range(5):
        child = subprocess.Popen([wh, *words], cwd=folder,
                                 stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"wh {words} failed")
        least = min(least, usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss)
    print(f"{' '.join(words):52} {least * 1000:9.1f} ms {peak / 1024:7.1f} MB",
          flush=True)


def main():
    wh = os.path.abspath(sys.argv[1])
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    n_weights = int(sys.argv[3]) if len(sys.argv) > 3 else 16
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        apart(weights_file, f"{folder}/m.npz", n_weights)
        for words in (["init", "-q"], ["commit", "-q", "m.npz"]):
            subprocess.run([wh, *words], cwd=folder, check=True)
        apart(fill, f"{folder}/weights.wh", n)
        for words in (
                ["version"], ["log", "-n", "20"],
                ["log", "--graph", "--all", "-n", "20"],
                ["log", "--all", "-n", "20"],
                ["log", "--steps", f"{n // 2}..", "-n", "20"],
                ["log", "--where", "metric0 < 0.001", "-n", "20"],
                ["log", "-n", "20", "--", "layer001*"],
                ["blame"], ["blame", "layer001*"],
                ["history", "layer001/kernel", "-n", "20"],
                ["history", "layer001/kernel"],
                ["history", "layer001/kernel", "--json"],
                ["log"], ["log", "--graph", "--all"],
                ["log", "--steps", "..20"],
                ["log", "--where", "metric0 > 0.9"]):
            measure(wh, folder, *words)


if __name__ == "__main__":
    main()
