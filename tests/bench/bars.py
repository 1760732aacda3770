"""The bars: what was to be reached, what was aimed at, and what came out."""
from dataclasses import dataclass

from models import SMALL


class Rows:
    """Rows by bench, what and who."""

    def __init__(self, results):
        self.all = [row for row in results.rows() if not row.get("missing")]

    def find(self, bench, what, who):
        for row in self.all:
            if (row["bench"], row["who"]) == (bench, who) and (
                    row["what"] == what or row["what"].startswith(what + ":")):
                return row
        return {}

    def get(self, bench, what, who, field):
        return self.find(bench, what, who).get(field)


@dataclass
class Bar:
    what: str
    value: float  # or None: not measured
    reach: float
    aim: float
    form: str = "%.2f"
    unit: str = ""
    beside: str = ""  # what else there is to say
    least: bool = False  # the bar is a least value

    def met(self, bar):
        return self.value >= bar if self.least else self.value <= bar

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.met(self.aim):
            return "aim"
        return "reached" if self.met(self.reach) else "**missed**"

    def cells(self):
        sign = "≥" if self.least else "≤"
        value = "" if self.value is None else self.form % self.value + self.unit
        return (self.what, value, f"{sign} {self.form % self.reach}",
                f"{sign} {self.form % self.aim}", self.verdict, self.beside)


# The last is what ZipNN took of the run that a bar was set by.
SIZES = (("steps", 0.53, 0.50, 0.569), ("finetune", 0.42, 0.40, 0.475),
         ("epochs", 0.54, 0.51, 0.574), ("bf16", 0.29, 0.25, 0.349),
         ("frozen", 0.034, 0.031, 0.041), ("slots", 0.70, 0.66, None))


def beside_peer(value, peer, reach, given):
    """A ratio that doesn't ask how hard a run is to code."""
    if value is None or peer is None:
        return ""
    text = f"{value / peer:.3f} of ZipNN's {peer:.3f}"
    return text if given is None else f"{text}, bar {reach / given:.3f}"


def size_bars(rows):
    for run, reach, aim, given in SIZES:
        fast, dense = (rows.get("sizes", run, f"wh, {codec}", "stored_ratio")
                       for codec in ("fast", "dense"))
        peer = rows.get("sizes", run, "zipnn", "stored_ratio")
        for codec, value in (("fast", fast), ("dense", dense)):
            yield Bar(f"{run}, {codec}", value, reach, aim, "%.3f",
                      beside=beside_peer(value, peer, reach, given))
    for run, name, reach, aim in (("steps", "float32", 0.84, 0.825),
                                  ("bf16", "bfloat16", 0.67, 0.65)):
        whole = rows.get("sizes", f"{run}: one alone", "wh, fast",
                         "stored_ratio")
        yield Bar(f"one {name} checkpoint alone", rows.get(
            "sizes", f"{run}: one alone, payloads", "wh, fast",
            "stored_ratio"), reach, aim, "%.3f", beside=""
            if whole is None else f"{whole:.3f} with the rest of the file")
    yield Bar("100 epochs of a small model ÷ its files", rows.get(
        "sizes", "small", "wh, fast", "files_ratio"), 1, 1, "%.3f")
    empty = rows.get("sizes", "empty store, KiB", "wh", "stored_bytes")
    yield Bar("an empty store", empty and empty / 1024, 200, 200, "%.0f",
              " KiB")


def ratio_bar(rows, size, what, reach, aim):
    row = rows.find("time", f"{size}: {what}", "wh")
    beside = f"CPU {row['cpu_ratio']:.2f} of cp's" if row else ""
    return Bar(f"{size}: {what}", row.get("ratio"), reach, aim, unit="x",
               beside=beside)


def time_bars(rows):
    for size in ("100 MB", "1 GB"):
        for name in ("h5", "tf"):
            for how in ("raw", "raw, cold"):
                yield ratio_bar(rows, size, f"save {name}, {how}", 1.2, 1.0)
        yield ratio_bar(rows, size, "commit new, none", 1.8, 1.5)
    dearest = rows.find("steps", "22 MB: save tf, differences, the dearest "
                                 "snapshot", "wh")
    middle = rows.find("steps", "22 MB: save tf, differences, median", "wh")
    yield Bar("save from differences, the dearest of 40", dearest.get(
        "mb_per_cpu_s"), 400, 1000, "%.0f", " MB a CPU s", beside=""
        if not middle else f"median {middle['mb_per_cpu_s']:.0f}", least=True)
    for what in ("commit new, fast", "commit new, fast, from tf",
                 "commit new, fast, from safetensors", "save h5, planes",
                 "save tf, planes"):
        yield Bar(f"{SMALL}: {what}", rows.get(
            "time", f"{SMALL}: {what}", "wh", "cpu_s"), 0.05, 0.02, "%.3f",
            " CPU s")
    for what, reach, aim in (("commit next, fast", 0.10, 0.045),
                             ("commit unchanged", 0.03, 0.015)):
        yield Bar(f"22 MB: {what}", rows.get(
            "steps", f"22 MB: {what}", "wh", "cpu_s"), reach, aim, "%.3f",
            " CPU s")
    yield memory_bar(rows)
    start = rows.get("start", "start: version", "wh", "seconds")
    cpu = rows.get("start", "start: version", "wh", "cpu_s")
    yield Bar("start of the command", start and 1000 * start, 5, 3, "%.1f",
              " ms", beside=cpu and f"{1000 * cpu:.1f} CPU ms" or "")


def memory_bar(rows):
    """Of the commands; what the C API takes has the trainer's arrays in it."""
    peaks = [(row["peak_mb"], row["what"]) for row in rows.all
             if row["who"] == "wh" and row.get("peak_mb")
             and (row["what"].startswith("1 GB:")
                  or row.get("axis") == "megabytes" and row["x"] >= 1000)]
    peak, what = max(peaks, default=(None, ""))
    return Bar("most memory of a command, 1 GB and more", peak, 64, 32, "%.0f",
               " MB", beside=what)


def sentence(rows):
    """(size, {column: CPU seconds}): a commit beside Keras's save_weights."""
    columns = {
        "wh commit, next": ("time", "commit next, fast", "wh"),
        "wh commit, next, from memory": ("time", "commit next, fast",
                                 "wh, from memory"),
        "wh commit, new": ("time", "commit new, fast", "wh"),
        "wh commit, new, from memory": ("time", "commit new, fast",
                                  "wh, from memory"),
        "wh commit, new, `none`": ("time", "commit new, none", "wh"),
        "wh commit, unchanged": ("time", "commit unchanged", "wh"),
        "tf-keras h5": ("peers", "save h5", "tf-keras"),
        "tf-keras tf": ("peers", "save tf", "tf-keras"),
        "Keras 3": ("peers", "save weights.h5", "keras3"),
    }
    for size in ("25 MB", "100 MB", "1 GB", SMALL):
        yield size, {name: rows.get(bench, f"{size}: {what}", who, "cpu_s")
                     for name, (bench, what, who) in columns.items()}
