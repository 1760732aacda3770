"""The report: report.md, its plots, and the blocks of it that README quotes."""
import re
from collections import defaultdict

import svg
from bars import Rows, sentence, size_bars, time_bars
from bench import here
from measure import text_of
from profiles import GROUPS, OTHER

AXES = {"snapshots": "snapshots in the store",
        "megabytes": "MB of one model", "tensors": "tensors of 1 KiB"}


def table(heads, lines):
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    out += ["| " + " | ".join(str(cell) for cell in line) + " |"
            for line in lines]
    return "\n".join(out)


def bars_block(rows):
    """Nothing is rounded to its own good: what is over a bar is missed."""
    heads = ("what", "measured", "bar", "aim", "", "beside")
    return "\n\n".join(table(heads, [bar.cells() for bar in bars])
                       for bars in (size_bars(rows), time_bars(rows)))


def times(value, other):
    if not value or not other:
        return ""
    return f" ({value / other:.2f})"


def sentence_block(rows):
    """Each beside tf-keras's save_weights of the same model as HDF5."""
    found = list(sentence(rows))
    heads = ["CPU seconds (÷ tf-keras h5)", *(size for size, _ in found)]
    return table(heads, [
        [name, *(text_of(cells[name]) + times(cells[name],
                                              cells["tf-keras h5"])
                 for _, cells in found)] for name in found[0][1]])


def sizes_block(rows):
    """A line a run, a column each who."""
    found = defaultdict(dict)
    for row in rows.all:
        if row["bench"] == "sizes" and row.get("stored_ratio"):
            found[row["what"]][row["who"]] = row["stored_ratio"]
    who = list(dict.fromkeys(name for line in found.values()
                             for name in line))
    return table(["stored ÷ raw", *who], [
        [what, *(text_of(line.get(name)) for name in who)]
        for what, line in found.items()])


def speed_block(rows, bench):
    heads = ("what", "who", "seconds", "CPU s", "÷ cp", "CPU ÷ cp", "peak MB")
    return table(heads, [
        (row["what"], row["who"], text_of(row.get("seconds")),
         text_of(row.get("cpu_s")), text_of(row.get("ratio"), "%.2f"),
         text_of(row.get("cpu_ratio"), "%.2f"),
         text_of(row.get("peak_mb"), "%.0f"))
        for row in rows.all if row["bench"] == bench])


def stall_block(rows):
    heads = ("what", "by", "seconds", "its thread's CPU s", "a step's seconds")
    return table(heads, [
        (row["what"], row["who"], text_of(row["seconds"], "%.4f"),
         text_of(row["cpu_s"], "%.4f"),
         text_of(row.get("step_seconds"), "%.4f"))
        for row in rows.all if row["bench"] == "stall"])


def profile_block(rows):
    found = [row for row in rows.all if row["bench"] == "profile"]
    groups = [name for name, _ in GROUPS] + [OTHER]
    return table(["millions of instructions", "all", *groups], [
        (row["what"], f"{row['instructions'] / 1e6:.1f}",
         *(f"{row['groups'].get(name, 0) / 1e6:.1f}" for name in groups))
        for row in found])


def tops_block(rows):
    return "\n".join(f"- {row['what']}: " + "; ".join(
        f"`{name}` {cost / 1e6:.1f}" for name, cost in row["top"])
        for row in rows.all if row["bench"] == "profile")


def settings_block(rows):
    found = {}
    for row in rows.all:
        if row.get("version"):
            found.setdefault((row["who"], row["version"]), set()).add(
                row.get("setting", ""))
    return table(("peer", "version", "setting"), [
        (who, version, "; or ".join(sorted(settings)))
        for (who, version), settings in sorted(found.items())])


def missing_block(results):
    lines = [f"- {name}: {row['missing']}"
             for name, group in results.groups.items()
             for row in group["rows"] if row.get("missing")]
    return "\n".join(lines) or "None."


def plots(rows, out):
    """An SVG for each axis and each of what grows; their names."""
    names = []
    for axis, label in AXES.items():
        for field, unit in (("cpu_s", "CPU seconds"), ("peak_mb", "peak MB")):
            series = defaultdict(list)
            for row in rows.all:
                if row.get("axis") == axis and row.get(field):
                    series[row["series"]].append((row["x"], row[field]))
            drawn = svg.plot(f"{unit} over {label}", label, unit, series)
            if drawn:
                name = f"growth-{axis}-{field.split('_')[0]}.svg"
                (out / name).write_text(drawn)
                names.append(name)
    return names


def growth_block(rows):
    found = defaultdict(dict)
    for row in rows.all:
        if row.get("axis"):
            key = row["axis"], row["series"]
            found[key][row["x"]] = row
    lines = []
    for axis in AXES:
        some = {key: line for key, line in found.items() if key[0] == axis}
        across = sorted({x for line in some.values() for x in line})
        if across:
            lines.append(table(
                [f"CPU s; peak MB over {axis}", *(f"{x:,}" for x in across)],
                [[name, *(f"{line[x]['cpu_s']:.3f}; "
                          f"{line[x]['peak_mb']:.0f}" if x in line else ""
                          for x in across)]
                 for (_, name), line in some.items()]))
    each = [(row["x"], row["bytes_each"]) for row in rows.all
            if row.get("bytes_each")]
    if each:
        lines.append("Bytes of the store's file a snapshot: " + ", ".join(
            f"{size:,.0f} of {n:,}" for n, size in each) + ".")
    return "\n\n".join(lines)


BLOCKS = {"bars": bars_block, "sentence": sentence_block,
          "sizes": sizes_block, "stall": stall_block,
          "profile": profile_block, "growth": growth_block,
          "time": lambda rows: speed_block(rows, "time")}
# The benches that a block is made of; those not here, of the one of its name.
NEEDS = {"bars": {"sizes", "time", "steps", "start"},
         "sentence": {"time", "peers"}}
TITLES = {
    "bars": "The bars",
    "sentence": "A commit beside Keras's save_weights",
    "sizes": "Size", "stall": "The stall of a training loop",
    "growth": "How cost grows",
    "profile": "Profiles: instructions, one thread",
}


def write(results, out, machine, command):
    rows = Rows(results)
    parts = ["# Benchmarks of weighhouse", f"`{command}`", table(
        ("machine", ""), machine.items())]
    if "--quick" in command:
        parts.append("Small models under the names of large ones, to see that "
                     "each row can be made: no figure means anything.")
    for name in ("bars", "sentence", "sizes", "stall", "growth", "profile"):
        parts.append(f"## {TITLES[name]}\n\n{BLOCKS[name](rows)}")
        if name == "growth":
            parts.append("\n".join(f"![]({plot})"
                                   for plot in plots(rows, out)))
        if name == "profile":
            parts.append("The dearest functions, in millions:\n\n"
                         + tops_block(rows))
    for name, title in (("time", "Commit and save"), ("peers", "The peers"),
                        ("steps", "Along a training run"), ("start", "Start")):
        parts.append(f"## {title}\n\n{speed_block(rows, name)}")
    parts.append(f"## How the peers were set\n\n{settings_block(rows)}")
    parts.append(f"## What is missing\n\n{missing_block(results)}")
    (out / "report.md").write_text("\n\n".join(parts) + "\n")


def quote(results):
    """Puts the blocks between README's marks, <!-- NAME --> to <!-- end -->.
    One whose benches weren't all measured, by this build, stays as it is."""
    path, rows = here("README.md"), Rows(results)
    text, measured = path.read_text(), {row["bench"] for row in rows.all}
    for name, block in BLOCKS.items():
        lacking = NEEDS.get(name, {name}) - measured
        if lacking:
            print(f"{name} is left as it is: {', '.join(sorted(lacking))} "
                  "not measured")
            continue
        text, n = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda found: found[1] + block(rows) + "\n" + found[2],
            text, flags=re.S)
        if n != 1:
            raise SystemExit(f"README.md lacks the mark <!-- {name} -->")
    path.write_text(text)
