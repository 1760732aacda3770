"""Builds the libFuzzer targets and runs them, one at a time.

Called by tests/fuzz/run. What the fuzzer learns stays in the build folder,
so that the next run goes on from there.
"""
import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = TOP / "tests" / "fuzz"
GOLDEN = TOP / "tests" / "golden"
BUILD = Path(os.environ.get("WH_BUILDS", TOP / "build-tests")) / "fuzz"

# Where golden files are inputs as they are.
SEEDS = {"canonical": ["canonical"], "h5": ["h5"],
         "h5_classic": ["h5", "keras3"], "npy": ["npz"],
         "npz": ["npz"], "safetensors": ["safetensors"], "store": ["store"],
         "tf_index": ["tf"], "zip": ["npz"]}
# Of the committed corpus, per target.
MAX_INPUT, MAX_INPUTS, MAX_BYTES = 4096, 20, 16 << 10
# Memory that is used: libhdf5 asks for any amount before it reads, and then
# its reads fail.
RSS_LIMIT_MB, INPUT_TIMEOUT_S = 1024, 20


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
            f"-rss_limit_mb={RSS_LIMIT_MB}", f"-malloc_limit_mb={1 << 30}",
            f"-timeout={INPUT_TIMEOUT_S}",
            f"-artifact_prefix={BUILD}/found-{name}-", "-close_fd_mask=3",
            *options]


def fuzz(name, seconds):
    """Runs for so long; its count of executions, and whether all was well."""
    sources = [working_corpus(name), HERE / "corpus" / name]
    sources += [GOLDEN / seed for seed in SEEDS.get(name, [])]
    dictionary = HERE / "words" / name
    options = [f"-max_total_time={seconds}", "-print_final_stats=1",
               "-detect_leaks=1"]
    if dictionary.exists():
        options.append(f"-dict={dictionary}")
    # malloc may fail: damaged numbers make libhdf5 ask for terabytes.
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [*command(name, *options), *(p for p in sources if p.exists())],
            stderr=subprocess.PIPE,
            env=dict(os.environ, TMPDIR=scratch,
                     ASAN_OPTIONS="allocator_may_return_null=1:max_allocation_size_mb=2048"))
    said = done.stderr.decode(errors="replace")
    (BUILD / f"{name}.log").write_text(said)
    counted = re.search(r"stat::number_of_executed_units:\s+(\d+)", said)
    if done.returncode:
        print(said[-6000:])
    return int(counted[1]) if counted else 0, done.returncode == 0


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


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/run",
                                     description=__doc__)
    parser.add_argument("-m", "--minimise", action="store_true",
                        help="update the committed corpus instead")
    parser.add_argument("target", nargs="?", help="without it: each in turn")
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    options = parser.parse_args()
    build()
    names = targets() if options.target is None else [options.target]
    failed = False
    for name in names:
        if name not in targets():
            parser.error(f"there is no target {name!r}: {targets()}")
        if options.minimise:
            minimise(name)
            continue
        count, good = fuzz(name, options.seconds)
        failed |= not good
        print(f"{name:18} {count:10} executions in {options.seconds} s"
              + ("" if good else "  FAILED"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
