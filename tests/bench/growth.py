"""How cost grows: with the snapshots, with the bytes, with the tensors."""
import statistics

import models
from measure import Given, Usage, copy

SNAPSHOTS = (1, 10, 100, 1000, 10000)
MEGABYTES = (25, 100, 400, 1000)
HUGE = (4000, 10000)
# A layer each; h5 adds one for the model's own weights, and 10^5 are the most.
TENSORS = (10, 100, 1000, 10000, 99999)


def point(axis, what, x, usage, who="wh"):
    return {"axis": axis, "what": f"{x:,} {axis}: {what}", "series": what,
            "x": x, "who": who, "cpu_s": usage.cpu, "seconds": usage.seconds,
            "peak_mb": usage.megabytes}


def measure_snapshots(bench):
    """A model of sixteen tensors of 1 KiB, which moves with every commit."""
    size, store, rows, done = models.small("growth", 16), bench.store(), [], 0
    for n in SNAPSHOTS[:3] if bench.quick else SNAPSHOTS:
        told = bench.run_loop(store, "commit", size, n - done, 1, "fast", done)
        late = told["stalls"][-max(1, n // 10):]
        done = n
        rows.append(dict(
            point("snapshots", "commit by the C API", n, Given(
                statistics.median(stall[0] for stall in late),
                statistics.median(stall[2] for stall in late),
                told["peak_mb"])),
            bytes_each=store.stat().st_size / n))
        bench.run(store, "save-weights", "HEAD", "out")
        for what, words in (("log -n 20", ("log", "-n", "20")),
                            ("save tf", ("save-weights", "out")),
                            ("commit unchanged", ("commit", "out"))):
            runs = [bench.run(store, *words) for _ in range(3)]
            rows.append(point("snapshots", what, n,
                              min(runs, key=lambda run: run.cpu)))
    return rows


def clear(folder, *patterns):
    """Ten gigabytes are too many to leave lying about."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()


def measure_megabytes(bench, size):
    """New data; peak memory is the point, and that the rate stays."""
    first, _ = models.make(size, bench.folder, both=False)
    x, rows = round(size.nbytes / 1e6), []
    rows.append(point("megabytes", "cp + fsync", x,
                      copy(first, bench.folder / "copy"), "cp"))
    clear(bench.folder, "copy*")
    for codec in ("none", "fast"):
        store = bench.store()
        commands = {f"commit new, {codec}": ("commit", first, "--codec", codec),
                    f"save h5, {codec}": ("save-weights", "out.h5"),
                    f"save tf, {codec}": ("save-weights", "out")}
        for what, words in commands.items():
            rows.append(point("megabytes", what, x, bench.run(store, *words)))
            clear(store.parent, "out.*")
    rows.append(point("megabytes", "commit unchanged", x,
                      bench.run(store, "commit", first)))
    if first.parent.name.startswith("one-"):
        first.unlink()
        first.parent.rmdir()
    return rows


def measure_tensors(bench, size):
    """Tensors of 1 KiB, first from memory, then from what was saved."""
    store, rows, x = bench.store(), [], size.count
    told = bench.run_loop(store, "commit", size, 1, 1, "fast")
    seconds, _, cpu = told["stalls"][0]
    rows.append(point("tensors", "commit by the C API", x,
                      Given(seconds, cpu, told["peak_mb"])))
    for name, target in (("h5", "out.h5"), ("tf", "out")):
        rows.append(point("tensors", f"save {name}", x,
                          bench.run(store, "save-weights", target)))
    for name, target in (("h5", "out.h5"), ("tf", "out")):
        fresh = store.with_name(f"{name}.wh")
        Usage(bench.wh, "-q", "init", fresh)
        rows.append(point("tensors", f"commit from {name}", x,
                          bench.run(fresh, "commit", store.parent / target)))
    return rows


def sizes_of(bench):
    if bench.quick:
        return [models.megabytes(f"{n} MB", n, 8) for n in (2, 8)]
    return [models.megabytes("1 GB" if n == 1000 else f"{n} MB", n,
                             {25: 32, 100: 64}.get(n, 128))
            for n in MEGABYTES + (HUGE if bench.options.huge else ())]


def bench_growth(bench):
    """cost over snapshots, megabytes and tensors"""
    bench.group("growth/snapshots", lambda: measure_snapshots(bench))
    for size in sizes_of(bench):
        bench.group(f"growth/megabytes/{round(size.nbytes / 1e6)}",
                    lambda: measure_megabytes(bench, size))
    for n in TENSORS[:3] if bench.quick else TENSORS:
        bench.group(f"growth/tensors/{n}", lambda: measure_tensors(
            bench, models.small(f"{n} tensors", n)))
