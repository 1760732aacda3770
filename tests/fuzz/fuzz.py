"""Builds the libFuzzer targets and runs them.

Called by tests/fuzz/run. What the fuzzer learns stays in the build folder,
so that the next run goes on from there.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = TOP / "tests" / "fuzz"
GOLDEN = TOP / "tests" / "golden"
BUILD = Path(os.environ.get("WH_BUILDS", TOP / "build-tests")) / "fuzz"

# Those that end in libhdf5's own defects; see README.md.
THROUGH_HDF5 = {"h5", "h5_classic", "keras3", "keras3_map"}
# Where inputs are written as files: nothing waits for a disk there.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# How long one has its turn when each is to have its time.
TURN_S = 300

# Where golden files are inputs as they are.
SEEDS = {"canonical": ["canonical"], "h5": ["h5"],
         "h5_classic": ["h5", "keras3"], "npy": ["npz"],
         "npz": ["npz"], "safetensors": ["safetensors"], "store": ["store"],
         "tf_index": ["tf"], "zip": ["npz"]}
# Those that read the same words.
WORDS = {"h5_classic": "h5", "keras3_map": "keras3", "npy": "npz",
         "tf_graph": "tf", "tf_index": "tf", "tf_v1": "tf"}
# Of the committed corpus, per target.
MAX_INPUT, MAX_INPUTS, MAX_BYTES = 4096, 20, 16 << 10
# Memory that is used: libhdf5 asks for any amount before it reads, and then
# its reads fail.
RSS_LIMIT_MB, INPUT_TIMEOUT_S = 1024, 20
LIMITS = {"rss_limit_mb": RSS_LIMIT_MB, "malloc_limit_mb": 1 << 30,
          "timeout": INPUT_TIMEOUT_S, "close_fd_mask": 3}
# malloc may fail: damaged numbers make libhdf5 ask for terabytes.
ASAN = {"allocator_may_return_null": 1, "max_allocation_size_mb": 2048}


def build():
    if not (BUILD / "build.ninja").exists():
        subprocess.run(
            ["meson", "setup", BUILD, TOP, "-Dfuzz=true",
             "-Db_sanitize=address,undefined", "-Db_lundef=false",
             "-Ddefault_library=static", "-Dbuildtype=debug",
             "-Doptimization=1"],
            env=dict(os.environ, CC="clang"), check=True)
    subprocess.run(["ninja", "--quiet", "-C", BUILD], check=True)


def targets():
    return sorted(path.name[len("fuzz_"):]
                  for path in (BUILD / "tests" / "fuzz").glob("fuzz_*")
                  if path.is_file())


def pack_checkpoints(folder):
    """Golden checkpoints of one shard, in the form that tf.c takes."""
    for index in GOLDEN.glob("tf/**/*.index"):
        shard = index.with_suffix(".data-00000-of-00001")
        if shard.exists() and shard.stat().st_size < 1 << 16:
            table = index.read_bytes()
            (folder / f"{index.parent.name}-{index.stem}").write_bytes(
                struct.pack("<I", len(table)) + table + shard.read_bytes())


def working_corpus(name):
    folder = BUILD / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    if name == "tf":
        pack_checkpoints(folder)
    return folder


def command(name, *options):
    return [BUILD / "tests" / "fuzz" / f"fuzz_{name}",
            *(f"-{limit}={value}" for limit, value in LIMITS.items()),
            f"-artifact_prefix={BUILD}/found-{name}-", *options]


def sources(name):
    """The folders of inputs that are in the repository."""
    folders = [HERE / "corpus" / name]
    folders += [GOLDEN / seed for seed in SEEDS.get(name, [])]
    return [folder for folder in folders if folder.exists()]


def words(name):
    return HERE / "words" / WORDS.get(name, name)


def environment(scratch):
    return dict(os.environ, TMPDIR=scratch, ASAN_OPTIONS=":".join(
        f"{name}={value}" for name, value in ASAN.items()))


def cpu_seconds(process):
    """Waits for it; what it and its own children took."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def is_the_librarys(name, artifact):
    """Whether this input fails within libhdf5, which we can't mend."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        said = subprocess.run(
            [*command(name), artifact], stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, env=environment(scratch)
        ).stderr.decode(errors="replace")
    frames = re.findall(r"^ *#\d+ 0x[0-9a-f]+ (.*)$", said, re.M)
    ours = next((i for i, frame in enumerate(frames)
                 if re.search(r"/(exporters|store)/.*\.c:\d", frame)),
                len(frames))
    return any("libhdf5" in frame for frame in frames[:ours])


def fuzz(name, seconds):
    """Runs for so long: CPU seconds, executions, edges, and the inputs on
    which it failed."""
    log = BUILD / f"{name}.log"
    options = [f"-max_total_time={seconds}", "-print_final_stats=1",
               "-detect_leaks=1"]
    if name in THROUGH_HDF5:  # goes on behind the library's own defects
        options += ["-fork=1", "-ignore_crashes=1", "-ignore_ooms=1",
                    "-ignore_timeouts=1"]
    if words(name).exists():
        options.append(f"-dict={words(name)}")
    before = set(BUILD.glob(f"found-{name}-*"))
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch, log.open("wb") as said:
        process = subprocess.Popen(
            [*command(name, *options), working_corpus(name), *sources(name)],
            stderr=said, env=environment(scratch))
        spent = cpu_seconds(process)
    text = log.read_text(errors="replace")
    counted = re.findall(r"stat::number_of_executed_units:\s+(\d+)"
                         r"|^#(\d+): cov:", text, re.M)
    # Forks count what their inputs share more than once.
    edges = [] if name in THROUGH_HDF5 else re.findall(r"cov: (\d+)", text)
    failed = set(BUILD.glob(f"found-{name}-*")) - before
    if name in THROUGH_HDF5:
        for artifact in list(failed):
            if is_the_librarys(name, artifact):
                artifact.unlink()
                failed.remove(artifact)
    elif process.returncode and not failed:
        failed = {log}
    return (spent, int("".join(counted[-1])) if counted else 0,
            int(edges[-1]) if edges else 0, failed)


def run_each(names, seconds, jobs):
    """Gives each target so much CPU time in all, those that had least first;
    what they had is kept, so that this may be stopped and run again."""
    path = BUILD / "spent.json"
    spent = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        spent.setdefault(name, {"seconds": 0, "executions": 0, "edges": 0})
    failed, running = set(), {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        while True:
            waiting = [name for name in names if name not in running.values()
                       and spent[name]["seconds"] < seconds]
            waiting.sort(key=lambda name: spent[name]["seconds"])
            for name in waiting[:jobs - len(running)]:
                left = seconds - spent[name]["seconds"]
                running[pool.submit(fuzz, name,
                                    int(min(TURN_S, left) + 1))] = name
            if not running:
                break
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                name, had = running.pop(future), future.result()
                spent[name]["seconds"] += round(had[0])
                spent[name]["executions"] += had[1]
                spent[name]["edges"] = max(spent[name]["edges"], had[2])
                path.write_text(json.dumps(spent, indent=1))
                print(f"{name:18} {had[0]:6.0f} CPU s {had[1]:10} executions"
                      + "".join(f"\n  FAILED {one}" for one in had[3]),
                      flush=True)
                failed |= had[3]
    print("| target | CPU seconds | executions | edges |\n|---|---|---|---|")
    for name in names:
        print("| `{}` | {seconds:,} | {executions:,} | {edges:,} |".format(
            name, **spent[name]))
    return bool(failed)


def minimise(name):
    """The committed corpus becomes the small inputs that cover the most."""
    kept = HERE / "corpus" / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        merged = Path(scratch) / "merged"
        merged.mkdir()
        subprocess.run(
            [*command(name, "-merge=1", f"-max_len={MAX_INPUT}"), merged,
             kept, working_corpus(name)],
            stderr=subprocess.DEVNULL, check=True,
            env=dict(os.environ, TMPDIR=scratch))
        found = sorted(merged.iterdir(), key=lambda path: path.stat().st_size)
        # Evenly over all sizes: the smallest alone are all refused early.
        step = max(1, -(-len(found) // MAX_INPUTS))
        total = 0
        for path in found[::step]:
            total += path.stat().st_size
            if total <= MAX_BYTES:
                shutil.copy(path, kept / path.name[:16])
    print(f"{name}: {len(list(kept.iterdir()))} inputs")


# ---- As OSS-Fuzz wants them -----------------------------------------------

def pack(folder):
    """Beside each program in the folder its seeds, words and limits."""
    options = "".join(
        f"[{part}]\n" + "".join(f"{limit} = {value}\n"
                               for limit, value in limits.items())
        for part, limits in (("libfuzzer", LIMITS), ("asan", ASAN)))
    for program in sorted(folder.glob("fuzz_*")):
        if program.suffix:
            continue
        name = program.name[len("fuzz_"):]
        program.with_suffix(".options").write_text(options)
        if words(name).exists():
            shutil.copy(words(name), program.with_suffix(".dict"))
        with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(
                folder / f"{program.name}_seed_corpus.zip", "w",
                zipfile.ZIP_DEFLATED) as archive:
            if name == "tf":
                pack_checkpoints(Path(scratch))
            for path in (path for source in (*sources(name), Path(scratch))
                         for path in sorted(source.rglob("*"))
                         if path.is_file()):
                # By content: golden files of one name are in many folders.
                text = path.read_bytes()
                digest = hashlib.sha256(text).hexdigest()[:16]
                if digest not in archive.namelist():
                    archive.writestr(digest, text)


def run_packed(program, scratch):
    """Over its seeds, as they come out of the archive; what it said where it
    failed."""
    seeds = scratch / program.name
    with zipfile.ZipFile(program.parent
                         / f"{program.name}_seed_corpus.zip") as archive:
        archive.extractall(seeds)
        count = len(archive.namelist())
    options = [f"-{limit}={value}" for limit, value in LIMITS.items()]
    if program.with_suffix(".dict").exists():
        options.append(f"-dict={program.with_suffix('.dict')}")
    done = subprocess.run(
        [program, "-runs=0", *options, seeds], stderr=subprocess.PIPE,
        env={"TMPDIR": str(scratch), "ASAN_OPTIONS": ":".join(
            f"{name}={value}" for name, value in ASAN.items())})
    said = done.stderr.decode(errors="replace")
    ran = re.search(r"INITED.*corp: (\d+)", said) or re.search(
        r"DONE.*corp: (\d+)", said)
    good = done.returncode == 0 and (ran or not count)
    print(f"{program.name:22} {count:5} inputs"
          + ("" if good else "  FAILED"), flush=True)
    return "" if good else said[-4000:] or "it read none"


def try_oss_fuzz():
    """Builds as OSS-Fuzz would, with clang's own engine, and runs what came
    out away from all that it was built from."""
    base = BUILD.parent / "oss-fuzz"
    out = base / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    flags = ("-O1 -fno-omit-frame-pointer -gline-tables-only "
             "-fsanitize=address,fuzzer-no-link")
    subprocess.run(
        [HERE / "oss-fuzz" / "build.sh"], cwd=TOP, check=True,
        env=dict(os.environ, CC="clang", CXX="clang++", CFLAGS=flags,
                 CXXFLAGS=flags, LIB_FUZZING_ENGINE="-fsanitize=fuzzer",
                 SRC=str(TOP.parent), WORK=str(base), OUT=str(out)))
    programs = [path for path in sorted(out.glob("fuzz_*"))
                if not path.suffix and not path.name.endswith(".zip")]
    with tempfile.TemporaryDirectory() as scratch:
        failed = [said for said in (run_packed(program, Path(scratch))
                                    for program in programs) if said]
    print("\n".join(failed))
    return bool(failed) or not programs


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/run",
                                     description=__doc__)
    parser.add_argument("-m", "--minimise", action="store_true",
                        help="update the committed corpus instead")
    parser.add_argument("--each", type=int, metavar="SECONDS",
                        help="until each target has had so many CPU seconds "
                        "in all, over as many runs as it takes")
    parser.add_argument("-j", "--jobs", type=int, default=1,
                        help="with --each: so many side by side")
    parser.add_argument("--oss-fuzz", action="store_true",
                        help="try the build that OSS-Fuzz makes instead")
    parser.add_argument("--pack", type=Path, metavar="FOLDER",
                        help=argparse.SUPPRESS)
    parser.add_argument("target", nargs="?", help="without it: each in turn")
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    options = parser.parse_args()
    if options.pack:
        pack(options.pack)
        return 0
    if options.oss_fuzz:
        return int(try_oss_fuzz())
    build()
    names = targets() if options.target is None else [options.target]
    for name in names:
        if name not in targets():
            parser.error(f"there is no target {name!r}: {targets()}")
    if options.each is not None:
        return int(run_each(names, options.each, options.jobs))
    failed = set()
    for name in names:
        if options.minimise:
            minimise(name)
            continue
        _, count, _, found = fuzz(name, options.seconds)
        failed |= found
        print(f"{name:18} {count:10} executions in {options.seconds} s"
              + "".join(f"\n  FAILED {one}" for one in found), flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
