"""Where the instructions go, by callgrind: the counts repeat exactly.

One thread; valgrind's processor has AVX2 but neither AVX-512 nor SHA-NI, so
SHA-256 counts for several times what it takes.
"""
import os
import re
import shutil
import subprocess
from collections import Counter

import models
from measure import Failed, Missing

# The first that fits "object file function" names the group.
GROUPS = [
    ("start", r"ld-linux|/elf/|_dl_"),
    ("hash", r"libcrypto|libisal|base/(sha256|crc)|crc32"),
    ("statistics", r"core/statistics"),
    ("codec", r"libzstd|store/codec/"),
    ("SQLite", r"libsqlite3"),
    ("copying", r"mem(cpy|move|set|cmp)|/(pread|pwrite|read|write)\w*\.c"),
    ("memory", r"malloc|calloc|free|realloc"),
    ("formats", r"exporters/|libhdf5|libjansson|libz\.|snappy"),
    ("store", r"/store/|/sql/"),
]
OTHER = "other"


def group_of(words):
    for name, pattern in GROUPS:
        if re.search(pattern, words):
            return name
    return OTHER


class Reader:
    """Adds up the own cost of each function of a callgrind file."""

    def __init__(self, path):
        self.names = {"ob": {}, "fl": {}, "fn": {}}
        self.at = {"ob": "", "fl": "", "fn": ""}
        self.costs, self.total, skip = Counter(), 0, False
        for line in open(path, encoding="utf-8", errors="replace"):
            if line.startswith("calls="):
                skip = True  # the next line is the callee's cost
            elif re.match(r"[+\-*\d]", line):
                if not skip:
                    self.add(int(line.split()[1]))
                skip = False
            else:
                self.name(line.rstrip("\n"))

    def add(self, cost):
        self.total += cost
        self.costs[tuple(self.at.values())] += cost

    def name(self, line):
        found = re.match(r"(c?)(ob|fl|fi|fe|fn)=(?:\((\d+)\))? ?(.*)", line)
        if not found:
            return
        called, kind, number, text = found.groups()
        # What is inlined counts to the function that it is inlined into.
        table = self.names["fl" if kind in ("fi", "fe") else kind]
        if text:
            table[number] = text
        if not called and kind in self.at:
            self.at[kind] = table.get(number, text)


def short(path):
    """Without where it was built."""
    return re.sub(r".*/(?=(store|exporters|sql|tools)/)", "", path)


def spend(path):
    """The total, the groups, and the dearest functions."""
    read, groups, tops = Reader(path), Counter(), Counter()
    for (item, file, function), cost in read.costs.items():
        group = group_of(f"{item} {file} {function}")
        groups[group] += cost
        place = short(file) if "/" in file and "sysdeps" not in file else ""
        if function.startswith("0x"):
            function = f"{os.path.basename(item)}+{function.lstrip('0x')}"
        tops[f"{function} {place}".strip()] += cost
    return {"instructions": read.total, "groups": dict(groups.most_common()),
            "top": tops.most_common(8)}


def profile(bench, what, store, *words):
    if not shutil.which("valgrind"):
        raise Missing("there is no valgrind")
    out = bench.folder / "callgrind.out"
    done = subprocess.run(
        ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}",
         bench.wh, "-q", "-s", store, "--threads", "1", *words],
        capture_output=True, text=True, check=False, cwd=store.parent)
    if done.returncode:
        raise Failed(f"callgrind: {done.stderr.strip()[-300:]}")
    found = spend(out)
    out.unlink()
    return [dict(found, what=what, who="wh")]


def size_of(bench):
    return models.megabytes("8 MB, profiles", 1 if bench.quick else 8, 8)


def measure_new(bench, codec):
    first, _ = models.make(size_of(bench), bench.folder)
    return profile(bench, f"commit new, {codec}", bench.store(), "commit",
                   first, "--codec", codec)


def with_store(bench, what, codec, n, *words):
    """`n` of the two versions are in the store before."""
    paths, store = models.make(size_of(bench), bench.folder), bench.store()
    for path in paths[:n]:
        bench.run(store, "commit", path, "--codec", codec)
    words = [paths[word] if isinstance(word, int) else word for word in words]
    return profile(bench, what, store, *words)


def measure_small(bench, what):
    size = bench.sizes[-1]
    first, _ = models.make(size, bench.folder)
    store = bench.store()
    if what == "commit":
        return profile(bench, f"commit new, {size.name}", store, "commit",
                       first)
    bench.run(store, "commit", first)
    return profile(bench, f"save h5, {size.name}", store, "save-weights",
                   "out.h5")


PATHS = {
    "start": lambda bench: profile(bench, "start (wh version)", bench.store(),
                                   "version"),
    "new": lambda bench: measure_new(bench, "none"),
    "new-fast": lambda bench: measure_new(bench, "fast"),
    "differences": lambda bench: with_store(
        bench, "commit next, as differences", "fast", 1, "commit", 1),
    "unchanged": lambda bench: with_store(
        bench, "commit unchanged", "none", 1, "commit", 0),
    "save-raw": lambda bench: with_store(
        bench, "save h5, raw", "none", 1, "save-weights", "out.h5"),
    "save-differences": lambda bench: with_store(
        bench, "save h5, differences", "fast", 2, "save-weights", "out.h5"),
    "small": lambda bench: measure_small(bench, "commit"),
    "small-save": lambda bench: measure_small(bench, "save"),
}


def bench_profile(bench):
    """instructions of the hot paths by callgrind, and what spends them"""
    for name, measure in PATHS.items():
        bench.group(f"profile/{name}", lambda: measure(bench))
