"""Builds, runs the suites, and adds up what they say.

Called by tests/run, which has installed the packages. A suite is a function
below that returns a Tally; its docstring is its line in `tests/run --help`.
"""
import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILDS = Path(os.environ.get("WH_BUILDS", TOP / "build-tests"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "weighhouse"
IN_CI = os.environ.get("CI", "") not in ("", "false", "0")

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}

THREAD_ENV = {
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Tally:
    """How many tests passed, failed and were skipped."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __add__(self, other):
        return Tally(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        return (f"{self.passed} passed, {self.failed} failed, "
                f"{self.skipped} skipped")


def run(*command, env=None, cwd=TOP, quiet=False, timeout=10800):
    """The command's exit code; its output is shown unless `quiet`, and then
    only where it failed."""
    merged = dict(os.environ, **(env or {}))
    output = subprocess.PIPE if quiet else None
    try:
        done = subprocess.run([str(word) for word in command], cwd=cwd,
                              env=merged, stdout=output,
                              stderr=subprocess.STDOUT if quiet else None,
                              stdin=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired:
        print(f"timed out after {timeout} s: {command[0]}")
        return 124
    if quiet and done.returncode:
        sys.stdout.write(done.stdout.decode(errors="replace")[-20000:])
    return done.returncode


def configure(name, *options, env=None):
    """A build folder of these options; None if it can't be."""
    folder = BUILDS / name
    if not (folder / "build.ninja").exists():
        if run("meson", "setup", folder, TOP, "-Dwerror=true", *options,
               env=env, quiet=True):
            return None
    return folder


def build(name, *options, env=None):
    """A build folder of these options, up to date; None if it fails."""
    folder = configure(name, *options, env=env)
    if folder is None or run("ninja", "-C", folder, quiet=True):
        return None
    return folder


def unit_tally(folder, status):
    """cmocka's own counts, from meson's log; a program that died before it
    counted is one failure."""
    log = folder / "meson-logs" / "testlog.txt"
    text = log.read_text(errors="replace") if log.exists() else ""
    counts = {word: sum(int(n) for n in
                        re.findall(rf"\[\s+{word}\s+\] (\d+) test", text))
              for word in ("PASSED", "FAILED", "SKIPPED")}
    failed = counts["FAILED"]
    if status and not failed:
        failed = 1
    return Tally(counts["PASSED"], failed, counts["SKIPPED"])


def run_unit(folder, *options, env=None, quiet=False):
    if folder is None:
        return Tally(failed=1)
    status = run("meson", "test", "-C", folder, "--no-rebuild",
                 "--print-errorlogs", "--suite", "unit", *options, env=env,
                 quiet=quiet)
    return unit_tally(folder, status)


def python_of(requirements, *options):
    """A Python with these packages, made once for each text of the file;
    `options` are pip's."""
    text = requirements.read_bytes()
    name = hashlib.sha256(text + sys.version.encode()).hexdigest()[:16]
    home = CACHE / f"venv-{name}"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Another run may be making it: what is not complete is begun anew.
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make_python(home, requirements, options)


def make_python(home, requirements, options):
    python = home / "bin" / "python"
    if (home / "complete").exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    print(f"installing {requirements.relative_to(TOP)} into {home}")
    for command in ([sys.executable, "-m", "venv", home],
                    [python, "-m", "pip", "install", "-q",
                     "--disable-pip-version-check", *options, "-r",
                     requirements]):
        if run(*command, quiet=True):
            shutil.rmtree(home, ignore_errors=True)
            return None
    (home / "complete").touch()
    return python


def junit_tally(path):
    if not path.exists():
        return Tally(failed=1)
    tally = Tally()
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        skipped = int(suite.get("skipped"))
        tally += Tally(int(suite.get("tests")) - bad - skipped, bad, skipped)
    return tally


def run_pytest(folder, requirements, *options, env=None, quiet=False):
    if not folder.exists():
        print(f"there is no {folder.relative_to(TOP)}: nothing was "
              "tested")
        return Tally(failed=1)
    python = python_of(requirements)
    if python is None:
        print(f"{requirements.relative_to(TOP)} can't be installed")
        return Tally(failed=1) if IN_CI else Tally(skipped=1)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        status = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                     "-o", "junit_family=xunit1",
                     f"--junitxml={report}", f"--basetemp={scratch}/tmp",
                     folder, *options, env=env, quiet=quiet)
        tally = junit_tally(report)
    # Also where no test was collected: a suite that is empty by mistake must
    # not pass.
    if status and not tally.failed:
        tally.failed = 1
    return tally


def program_env(folder):
    return {"WH_BIN": str(folder / "tools" / "cli" / "wh"),
            "WH_BUILD": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def pytest_suite(name, requirements="tests/requirements.txt"):
    folder = build("main")
    if folder is None:
        return Tally(failed=1)
    return run_pytest(TOP / "tests" / name, TOP / requirements,
                      env=program_env(folder))


def suite_lint():
    """layers, sizes, headers alone, exported names, what READMEs name, what may be
    committed"""
    return pytest_suite("lint")


def suite_unit():
    """the C unit tests, built by gcc"""
    return run_unit(build("main"))


def suite_clang():
    """a build by clang without a warning, with all libraries linked, and the
    unit tests"""
    return run_unit(build("clang", "-Dlate=disabled", env={"CC": "clang"}))


def suite_bare():
    """a build without HDF5, TensorFlow and HTTP: the store's tests, and the
    messages that name what is missing"""
    folder = build("bare", "-Dhdf5=disabled", "-Dtf=disabled",
                   "-Dhttp=disabled")
    tally = run_unit(folder)
    if folder is not None:
        tally += run_pytest(TOP / "tests" / "bare",
                            TOP / "tests" / "requirements.txt",
                            env=program_env(folder))
    return tally


def suite_sanitize():
    """the unit tests, the command's and crafted files, under asan and ubsan"""
    folder = build("sanitize", "-Db_sanitize=address,undefined",
                   "-Db_lundef=false", "-Dbuildtype=debug",
                   "-Doptimization=1", env={"CC": "clang"})
    tally = run_unit(folder, "-t", "4", env=SANITIZER_ENV)
    if folder is not None:
        tally += run_pytest(TOP / "tests" / "cli",
                            TOP / "tests" / "requirements.txt",
                            "-m", "not slow",
                            env=dict(program_env(folder), **SANITIZER_ENV))
        tally += run_pytest(TOP / "tests" / "interop" / "test_crafted.py",
                            TOP / "tests" / "interop" / "requirements.txt",
                            env=dict(program_env(folder), **SANITIZER_ENV))
    return tally


def suite_thread():
    """the unit tests that start threads, under tsan"""
    folder = configure("thread", "-Db_sanitize=thread", "-Db_lundef=false",
                       "-Dbuildtype=debug", "-Doptimization=1",
                       env={"CC": "clang"})
    if folder is None:
        return Tally(failed=1)
    # Builds these tests alone.
    status = run("meson", "test", "-C", folder, "--print-errorlogs",
                 "--suite", "threaded", "-t", "4", env=THREAD_ENV)
    return unit_tally(folder, status)


def suite_valgrind():
    """the unit tests under valgrind's memcheck"""
    # Calls that fail by turns are asan's: thousands of runs of all there is.
    return run_unit(build("main"), "--setup", "valgrind",
                    "--no-suite", "failing")


def suite_cli():
    """the command, verb by verb"""
    return pytest_suite("cli")


def suite_readme():
    """the README's blocks, the quickstart, the installed library"""
    return pytest_suite("readme")


def suite_fault():
    """kill -9, full disks, hostile files, many processes"""
    return pytest_suite("fault")


def suite_model():
    """every history of a small model of the store, by Spin"""
    return pytest_suite("model")


def suite_publish():
    """real HTTP, S3, OCI and MLflow servers take what we publish, and give it back"""
    return pytest_suite("publish", "tests/publish/requirements.txt")


def suite_interop():
    """the real TensorFlow, tf-keras, Keras and h5py against ours"""
    return pytest_suite("interop", "tests/interop/requirements.txt")


SUITES = {name[len("suite_"):]: function
          for name, function in list(globals().items())
          if name.startswith("suite_")}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="tests/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="suites:\n" + "\n".join(
            f"  {name:10} {' '.join(function.__doc__.split())}"
            for name, function in SUITES.items()))
    parser.add_argument("suite", nargs="*",
                        help="what to run; without it, all")
    suites = parser.parse_args().suite or list(SUITES)
    unknown = [name for name in suites if name not in SUITES]
    if unknown:
        parser.error(f"there is no suite {unknown[0]!r}")
    return suites


# Python on one core for most of the time, the last as long as most others
# together: these have a process of their own when all are run.
ASIDE = ("cli", "publish", "interop")


def start_aside(said):
    """The suites beside the others, once what they test is built."""
    build("main")
    return subprocess.Popen([sys.executable, __file__, *ASIDE], stdout=said,
                            stderr=subprocess.STDOUT)


def end_aside(process, said):
    """Waits for them, and prints what they said: their lines and sum."""
    process.wait()
    said.seek(0)
    text, _, lines = said.read().decode(errors="replace").rpartition("\n==\n")
    print(text, flush=True)
    last = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped\s*\Z", lines,
                     re.M)
    tally = Tally(*map(int, last.groups())) if last else Tally(failed=1)
    if process.returncode and not tally.failed:
        tally.failed = 1
    return lines.splitlines()[:-1], tally


def run_here(suites):
    """These one after the other: their lines and sum."""
    total, lines = Tally(), []
    for name in suites:
        print(f"== {name}", flush=True)
        start = time.monotonic()
        tally = SUITES[name]()
        lines.append(f"{name:10} {tally}  ({time.monotonic() - start:.0f} s)")
        total += tally
    return lines, total


def run_suites(suites, said):
    if set(suites) == set(SUITES):
        aside = start_aside(said)
        lines, total = run_here([name for name in suites
                                 if name not in ASIDE])
        more, tally = end_aside(aside, said)
        lines, total = lines + more, total + tally
    else:
        lines, total = run_here(suites)
    print("==")
    print("\n".join(lines))
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


def main():
    suites = parse_arguments()
    with tempfile.TemporaryFile() as said:
        return run_suites(suites, said)


if __name__ == "__main__":
    sys.exit(main())
