"""CPU seconds and ratios to `cp` of commits and saves, ours and the peers'."""
import shutil

import models
from bench import given
from measure import Given, Memory, Usage, copy, cool, read, summary
from peers import KEEPERS, framework

TARGETS = (("h5", "out.h5"), ("tf", "out"))


class Rounds:
    """Runs by name, each beside a copy of the same round."""

    def __init__(self):
        self.runs, self.copies, self.cold = {}, [], []

    def add(self, what, usage):
        self.runs.setdefault(what, []).append(usage)

    def rows(self, size, who="wh"):
        yield dict(summary(self.copies), what=f"{size.name}: copy",
                   who="cp + fsync")
        if self.cold:
            yield dict(summary(self.cold), what=f"{size.name}: copy, cold",
                       who="cp + fsync")
        for what, runs in self.runs.items():
            beside = self.cold if what.endswith("cold") else self.copies
            yield dict(summary(runs, beside), what=f"{size.name}: {what}",
                       who=who)


def save(bench, store, target):
    """What was saved before goes first, as `copy` has it: whoever finds no
    memory that was freed just now has to wait for a virtual machine's host."""
    home = bench.folder / "saved" / target
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return bench.run(store, "save-weights", home / target)


def save_warm(bench, rounds, store, how):
    for name, target in TARGETS:
        rounds.add(f"save {name}, {how}", save(bench, store, target))


def save_cold(bench, rounds, store, source):
    """Nothing of what is read is in the page cache, for cp neither. Each run
    has its source's and its target's memory back, and no more than these: as
    it was for reading, in large pieces, not as the commit wrote it."""
    for path in (source, store):
        cool(path)
        read(path)
    cool(source)
    rounds.cold.append(copy(source, bench.folder / "copy"))
    for name, target in TARGETS:
        cool(store)
        rounds.add(f"save {name}, raw, cold", save(bench, store, target))


def one_round(bench, size, rounds):
    first, following = models.make(size, bench.folder)
    rounds.copies.append(copy(first, bench.folder / "copy"))
    store = bench.store()
    rounds.add("commit new, none",
               bench.run(store, "commit", first, "--codec", "none"))
    rounds.add("commit unchanged", bench.run(store, "commit", first))
    save_warm(bench, rounds, store, "raw")
    if size.name in models.COLD:
        save_cold(bench, rounds, store, first)
    store = bench.store()
    rounds.add("commit new, fast", bench.run(store, "commit", first))
    save_warm(bench, rounds, store, "planes")
    rounds.add("commit next, fast", bench.run(store, "commit", following))
    save_warm(bench, rounds, store, "differences")


def other_inputs(bench, size, rounds):
    """The same from a TensorFlow checkpoint and from safetensors."""
    first, _ = models.make(size, bench.folder)
    for name, target in (("tf", "ckpt"), ("safetensors", "m.safetensors")):
        store = bench.store()
        bench.run(store, "convert", first, target)
        rounds.add(f"commit new, fast, from {name}",
                   bench.run(store, "commit", target))


def measure_wh(bench, size):
    rounds = Rounds()
    for _ in range(bench.rounds(size)):
        one_round(bench, size, rounds)
        if size.name == models.SMALL:
            other_inputs(bench, size, rounds)
    return list(rounds.rows(size))


def measure_memory(bench, size):
    """From a trainer's own arrays, by the C API: new, then two versions."""
    rounds = Rounds()
    first, _ = models.make(size, bench.folder)
    for _ in range(bench.rounds(size)):
        rounds.copies.append(copy(first, bench.folder / "copy"))
        told = bench.run_loop(bench.store(), "commit", size, 3, 1, "fast")
        stalls = [Given(seconds, cpu, told["peak_mb"])
                  for seconds, _, cpu in told["stalls"]]
        rounds.add("commit new, fast", stalls[0])
        rounds.add("commit next, fast", stalls[1])
        rounds.add("commit next, fast", stalls[2])
    return [row for row in rounds.rows(size, "wh, from memory")
            if row["who"] != "cp + fsync"]


def measure_floor(bench, size):
    """What no commit that hashes can do without."""
    first, _ = models.make(size, bench.folder)
    n = bench.rounds(size)
    return [dict(summary([Usage("openssl", "dgst", "-sha256", first)
                          for _ in range(n)], bench.copies(first, n)),
                 what=f"{size.name}: SHA-256 alone", who="openssl dgst")]


def bench_time(bench):
    """commit and save of 25 MB, 100 MB, 1 GB and 5,000 small tensors"""
    for size in bench.sizes:
        # What is read and written, and once more; less is there anyway.
        Memory.room = 3 * size.nbytes if size.nbytes > 5e8 else 0
        bench.group(f"time/{size.slug}/floor",
                    lambda: measure_floor(bench, size), of_build=False)
        bench.group(f"time/{size.slug}/wh", lambda: measure_wh(bench, size))
        bench.group(f"time/{size.slug}/memory",
                    lambda: measure_memory(bench, size))
    Memory.room = 0


# ---- The peers ---------------------------------------------------------

LIBRARIES = {"h5py": "frameworks", "safetensors": "frameworks",
             "tensorflow": "frameworks", "tf-keras": "frameworks",
             "keras3": "frameworks", "zipnn": "zipnn", "mlflow": "mlflow"}
IN_PROCESS = ("inside its process: without the start, the imports and the "
              "making of the model; files synced")


def rounds_of(bench, size, who, most):
    """The slow ones are steady enough: Keras takes milliseconds a layer."""
    slow = size.nbytes > 5e8 or (
        size.name == models.SMALL and who in ("tf-keras", "keras3"))
    return 1 if slow else min(most, bench.rounds(size))


def measure_library(bench, who):
    """All models in one process, for its start takes longer than they do;
    small ones first: memory is told as the most up to there."""
    out, words, copies = bench.folder / "peer", [], {}
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for size in sorted(bench.sizes, key=lambda size: size.nbytes):
        paths = models.make(size, bench.folder)
        n = rounds_of(bench, size, who, 3)
        copies[size.name] = bench.copies(paths[0], n)
        words += [size.name, *paths, n]
    told = framework(who, LIBRARIES[who], out, *words)
    return [dict(summary(given(pairs, model["peak_mb"]),
                         copies[model["name"]]),
                 what=f"{model['name']}: {operation}", who=who,
                 version=told["version"], setting=IN_PROCESS)
            for model in told["models"]
            for operation, pairs in model["rows"].items()]


def measure_keeper(bench, size, who):
    """The command from its start: a new model, the next version, and back."""
    paths, runs = models.make(size, bench.folder), {}
    n = rounds_of(bench, size, who, 2)
    copies = bench.copies(paths[0], n)
    for _ in range(n):
        kept = KEEPERS[who](bench.folder / "peer")
        model = bench.folder / "model.h5"
        # A minute a gigabyte is enough to know.
        for what, path in zip(("save", "save next"),
                              paths[:1] if size.nbytes > 5e8 else paths):
            shutil.copy(path, model)
            runs.setdefault(what, []).append(kept.keep(model))
        runs.setdefault("load", []).append(kept.restore())
        shutil.rmtree(kept.folder)
        model.unlink()
    return [dict(summary(done, copies), what=f"{size.name}: {what}", who=who,
                 version=kept.version(), setting=kept.setting)
            for what, done in runs.items()]


def bench_peers(bench):
    """the same by TensorFlow, Keras, h5py, safetensors, ZipNN, git, ..."""
    for who in LIBRARIES:
        bench.group(f"peers/{who}", lambda: measure_library(bench, who),
                    of_build=False)
    for size in bench.sizes:
        for who in ("git", "git-lfs", "borg", "dvc"):
            bench.group(f"peers/{size.slug}/{who}",
                        lambda: measure_keeper(bench, size, who),
                        of_build=False)
