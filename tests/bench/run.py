"""tests/bench/run: what weighhouse costs, beside its peers. See README.md.

Prints a row as soon as it is measured, and keeps it in the output folder:
started again after an interruption, the same command goes on where it was.
Writes results.json, report.md and plots there.
"""
import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import report
from bench import Bench
from growth import bench_growth
from loops import bench_stall, bench_start
from measure import HEAD, Results, fingerprint, machine
from profiles import bench_profile
from sizes import bench_sizes, bench_steps
from speed import bench_peers, bench_time

TOP = Path(__file__).resolve().parents[2]
BUILDS = Path(os.environ.get("WH_BUILDS", TOP / "build-tests"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME",
                            Path.home() / ".cache")) / "weighhouse"
BENCHES = {"start": bench_start, "time": bench_time, "steps": bench_steps,
           "stall": bench_stall, "profile": bench_profile,
           "growth": bench_growth, "sizes": bench_sizes, "peers": bench_peers}


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benches:\n" + "\n".join(
            f"  {name:8} {function.__doc__}"
            for name, function in BENCHES.items()))
    parser.add_argument("name", nargs="*", help="some of the benches below")
    parser.add_argument("--quick", action="store_true",
                        help="every row at small sizes, in three minutes")
    parser.add_argument("--huge", action="store_true",
                        help="models of 4 and 10 GB too")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="rows whose group has this in its name, such as "
                        "time/1-GB or sizes/steps")
    parser.add_argument("--rounds", type=int, help="instead of 2 to 5")
    parser.add_argument("--again", action="store_true",
                        help="forget what is known of these rows")
    parser.add_argument("--out", type=Path, help="for results and report; "
                        "without it build-tests/bench-report")
    parser.add_argument("--folder", help="where to work: a real disk with "
                        "12 GB, 45 for --huge")
    parser.add_argument("--runs", type=Path, default=CACHE / "bench-runs",
                        help="where train.py's runs are kept")
    parser.add_argument("--json", type=Path, help="a copy of the results")
    parser.add_argument("--quote", action="store_true",
                        help="measure nothing; put the results into README.md")
    given = parser.parse_intermixed_args()
    unknown = [name for name in given.name if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}")
    if given.quote and given.quick:
        parser.error("figures of --quick mean nothing")
    if given.out is None:
        given.out = BUILDS / ("bench-quick" if given.quick else "bench-report")
    return given


def main():
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    given.runs = given.runs.resolve()
    wh = os.environ["WH_BIN"]
    loop = Path(os.environ["WH_BUILD"]) / "tests" / "bench" / "loop"
    results = Results(given.out / "results.json", fingerprint(wh))
    if given.quote:
        return report.quote(results)
    known = machine()
    command = "tests/bench/run" + (" --quick" if given.quick else "")

    def tell():
        results.save(machine=known, command=command)
        report.write(results, given.out, known, command)

    # What is interrupted leaves no gigabytes behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="wh-bench-", dir=given.folder))
    bench = Bench(results, folder, given, wh, loop, tell)
    print(HEAD, flush=True)
    try:
        for name in given.name or BENCHES:
            if given.again:
                results.drop(f"{name}/", given.only)
            BENCHES[name](bench)
    finally:
        shutil.rmtree(folder)
    tell()
    if given.json:
        shutil.copy(results.path, given.json)
    print(f"\n{given.out / 'report.md'}")
    if bench.failed:
        print(f"failed: {', '.join(bench.failed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
