"""How small history is: sizes.py WH CACHE [--json FILE] [RUN...].

Commits each of the 40 snapshots of train.py's runs into a fresh store, once
for each codec, and prints the whole store file's size over the raw bytes of
all snapshots, the CPU seconds of a commit, and the CPU seconds of saving the
snapshots that lie at the ends of the longest and the shortest chain. The runs
are trained if CACHE lacks them.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = ("steps", "finetune", "epochs", "frozen", "bf16", "slots",
        "transformer", "mobilenet", "small")
CODECS = ("none", "fast", "dense")


def used(*command, cwd):
    """CPU seconds and peak MB of a command that must succeed."""
    child = subprocess.Popen([str(word) for word in command], cwd=cwd,
                             stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"failed: {command}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def ask(wh, query, cwd):
    done = subprocess.run([wh, "sql", query], cwd=cwd, check=True,
                          capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()[1:]]


def snapshots(folder):
    """The paths of a run's checkpoints, in order."""
    found = {path.with_suffix("") if path.suffix != ".h5" else path
             for path in folder.iterdir() if path.suffix in (".h5", ".index")}
    return sorted(found)


def restore(wh, folder, count):
    """The dearest and the cheapest of six snapshots to save, MB a CPU s."""
    rates = []
    for back in range(0, count, max(1, count // 6)):
        cpu, _ = used(wh, "save-weights", f"HEAD~{back}", "out", "--canonical",
                      "--save-format", "tf", cwd=folder)
        size = sum(path.stat().st_size for path in folder.glob("out.*"))
        rates.append(size / 1e6 / cpu)
    return min(rates), max(rates)


def measure(wh, run, codec):
    paths = snapshots(run)
    folder = Path(tempfile.mkdtemp(prefix="wh-sizes-"))
    try:
        used(wh, "init", cwd=folder)
        costs = [used(wh, "commit", path, "--codec", codec, cwd=folder)
                 for path in paths]
        [[raw]] = ask(wh, "select sum(nbytes) from snapshot s join tree t "
                      "on t.id = s.tree_id", folder)
        size = (folder / "weights.wh").stat().st_size
        slow, quick = restore(wh, folder, len(paths))
        files = sum(path.stat().st_size for path in run.iterdir())
        return {"run": run.name, "codec": codec, "raw_bytes": int(raw),
                "file_bytes": files, "store_bytes": size,
                "ratio": size / int(raw),
                "commit_cpu_s": sum(cpu for cpu, _ in costs) / len(costs),
                "commit_peak_mb": max(peak for _, peak in costs),
                "save_mb_per_cpu_s_least": slow,
                "save_mb_per_cpu_s_most": quick}
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wh")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--codec", action="append", choices=CODECS)
    parser.add_argument("run", nargs="*")
    given = parser.parse_intermixed_args()
    wh = str(Path(given.wh).resolve())
    rows = []
    print("| run | codec | stored ÷ raw | stored ÷ files | commit, CPU s "
          "| save, MB a CPU s |\n|---|---|---|---|---|---|")
    for name in given.run or RUNS:
        if not (given.cache / name).exists():
            subprocess.run([sys.executable, Path(__file__).with_name(
                "train.py"), given.cache, name], check=True)
        for codec in given.codec or CODECS:
            row = measure(wh, given.cache / name, codec)
            rows.append(row)
            print(f"| {name} | {codec} | {row['ratio']:.3f} "
                  f"| {row['store_bytes'] / row['file_bytes']:.3f} "
                  f"| {row['commit_cpu_s']:.3f} "
                  f"| {row['save_mb_per_cpu_s_least']:.0f} to "
                  f"{row['save_mb_per_cpu_s_most']:.0f} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
