"""At every call to the system: it fails, falls short, or is the last one.

An operation runs with faults.c preloaded, once for each of its calls. Then:
what it said is one sentence, the store opens and verifies to the last byte,
no snapshot is lost, no file is there in part, and the operation can be run
again. `WH_FAULT_ALL=1` takes each point that calls come from, told apart by
the whole stack: the first and the last call of each, since in between they
differ in nothing but how often it went well before; `WH_FAULT_ALL=each` takes
every call, with more seeds. Without it points are spread over the operation.
"""
import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import DIGITS, GOLDEN, WH, with_fault

ALL = os.environ.get("WH_FAULT_ALL", "") not in ("", "0")
EACH = os.environ.get("WH_FAULT_ALL", "") == "each"
# Points of an operation in a run that does not take all.
CALLS, CHANGES, ALLOCATIONS = 12, 12, 10
SEEDS = 20 if EACH else 5 if ALL else 2  # of a power cut


def timeless(path):
    """A file's bytes; a pointer's without when it was moved."""
    return re.sub(rb'"time": "[^"]*"', b"", path.read_bytes())


class Folder:
    """`wh` in a folder, with or without faults."""

    def __init__(self, path):
        self.path = path

    def run(self, *words, fault=None):
        env, report = dict(os.environ), self.path.parent / "report"
        if fault:
            report.unlink(missing_ok=True)
            env = with_fault(fault, self.path, report)
        env["SOURCE_DATE_EPOCH"] = "1795521600"
        done = subprocess.run([WH, *map(str, words)], cwd=self.path, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120)
        counts, *stacks = (report.read_text().splitlines()
                           if fault and report.exists() else [""])
        done.counts = [int(n) for n in counts.split()]
        done.stacks = [line.split() for line in stacks]
        return done

    def ok(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stderr.decode())
        return done.stdout.decode()

    def snapshots(self):
        if not (self.path / "weights.wh").exists():
            return set()
        return {json.loads(row)["snapshot"]
                for row in self.ok("log", "--all", "--json").splitlines()}

    def files(self):
        """All but the store's own, by name."""
        return {path.relative_to(self.path).as_posix(): timeless(path)
                for path in self.path.rglob("*") if path.is_file()
                and not path.relative_to(self.path).as_posix()
                .startswith("weights.wh")}

    def state(self):
        """A digest of all that is there: two folders that have the same one
        behave the same from here on."""
        digest = hashlib.sha256()
        for path in sorted(self.path.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            digest.update(f"{path.relative_to(self.path)}\0{path.lstat().st_mode}"
                          f"\0{len(content)}\0".encode())
            digest.update(content)
        return digest.digest()


def epoch(number):
    return DIGITS / f"epoch-{number:02}.h5"


def two_epochs(folder):
    folder.ok("init")
    for number in (1, 2):
        folder.ok("commit", epoch(number), "--codec", "none")
    folder.ok("tag", "good", "HEAD~1")


def one_epoch(folder):
    folder.ok("init")
    folder.ok("commit", epoch(1))


def four_epochs(folder):
    two_epochs(folder)
    folder.ok("commit", epoch(3))
    folder.ok("commit", epoch(4))


def to_forget(folder):
    four_epochs(folder)
    folder.ok("keep", "--last", "1")


def swept(folder):
    to_forget(folder)
    folder.ok("gc", "--grace", "0")


def older(version):
    def prepare(folder):
        (folder.path / "weights.wh").write_bytes(gzip.decompress(
            (GOLDEN / "store" / f"v{version}.wh.gz").read_bytes()))
    return prepare


def over(name):
    """A store with two epochs, of which the first is saved already."""
    def prepare(folder):
        two_epochs(folder)
        folder.ok("save-weights", "good", name)
    return prepare


def keras3(folder):
    """Layers have classes there, which a legacy file doesn't tell."""
    folder.ok("init")
    for name in ("k2-attention", "k2-cells"):
        folder.ok("commit", GOLDEN / "keras3" / f"{name}.weights.h5")
    folder.ok("save-weights", "HEAD~1", "m.weights.h5")


def published(folder):
    two_epochs(folder)
    (folder.path / "place").mkdir()
    folder.ok("publish", "HEAD", f"file:{folder.path}/place",
              "--save-format", "h5,tf", "--alias", "stable")


# name: (what comes before, the command, its files are whole or absent)
OPERATIONS = {
    "init": (lambda folder: None, ["init"], False),
    "commit-raw": (one_epoch, ["commit", epoch(2), "--codec", "none"], False),
    "commit-delta": (one_epoch, ["commit", epoch(2)], False),
    "commit-first": (lambda folder: folder.ok("init"),
                     ["commit", epoch(1)], False),
    "import": (lambda folder: folder.ok("init"),
               ["import", epoch(1), epoch(2), epoch(3)], False),
    "rollback": (two_epochs, ["rollback", "good"], False),
    "tag": (two_epochs, ["tag", "v1", "HEAD"], False),
    "run": (two_epochs, ["run", "start", "one"], False),
    "keep": (four_epochs, ["keep", "--last", "1"], False),
    "gc": (to_forget, ["gc", "--grace", "0"], False),
    "compact": (swept, ["gc", "--compact"], False),
    "migrate-1": (older(1), ["migrate"], False),
    "migrate-2": (older(2), ["migrate"], False),
    "backup": (two_epochs, ["backup", "copy.db"], True),
    "save-h5": (over("m.h5"), ["save-weights", "m.h5"], True),
    "save-tf": (over("m"), ["save-weights", "m"], True),
    "save-keras3": (keras3, ["save-weights", "m.weights.h5"], True),
    "save-safetensors": (over("m.safetensors"),
                         ["save-weights", "m.safetensors"], True),
    "save-npz": (over("m.npz"), ["save-weights", "m.npz"], True),
    "publish": (lambda folder: (two_epochs(folder),
                                (folder.path / "place").mkdir()),
                ["publish", "HEAD", "file:place", "--save-format", "h5,tf",
                 "--alias", "stable"], True),
    "pull": (published, ["pull", "file:place", "stable", "-o", "back"], True),
    "pull-commit": (published, ["pull", "file:place", "stable", "-b", "other"],
                    False),
}


class Case:
    """An operation, what comes before it, and how it ends without faults."""

    def __init__(self, name, scratch):
        prepare, self.words, self.makes_files = OPERATIONS[name]
        self.scratch, self.n_faults = scratch, 0
        self.checked = set()  # states that faults left
        self.base = Folder(scratch / "base")
        self.base.path.mkdir(parents=True)
        prepare(self.base)
        self.before = self.base.snapshots()
        self.old = self.base.files()
        whole = self.fresh()
        self.n_faults = 0
        done = whole.run(*self.words, fault="count")
        assert done.returncode == 0, done.stderr.decode()
        self.calls, self.changes, self.allocations = done.stacks
        assert [len(stacks) for stacks in done.stacks] == done.counts[:3]
        assert self.changes, "it changes nothing"
        self.after, self.new = whole.snapshots(), whole.files()

    def fresh(self):
        """A folder to break the operation in, once."""
        self.n_faults += 1
        path = self.scratch / "round"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.base.path, path)
        return Folder(path)

    def check_store(self, folder):
        if not (folder.path / "weights.wh").exists():
            assert not self.before
            return
        report = json.loads(folder.ok("verify", "--read-data", "--json"))
        assert report["errors"] == []
        assert folder.snapshots() >= self.before & self.after

    def check_files(self, folder):
        if not self.makes_files:
            return
        for name, found in folder.files().items():
            if is_temporary(name):
                continue
            assert name in self.new, name
            if not is_store(name):
                assert found in (self.old.get(name), self.new[name]), name

    def check_done(self, folder):
        assert len(folder.snapshots()) == len(self.after)
        if not self.makes_files:
            return
        found = folder.files()
        for name, content in self.new.items():
            assert is_store(name) or found[name] == content, name

    def check_again(self, folder):
        """The operation works now, or was done already."""
        done = folder.run(*self.words)
        if self.words[0] in ("init", "tag", "run", "backup") and done.returncode:
            assert b"already" in done.stderr, done.stderr.decode()
        else:
            assert done.returncode == 0, done.stderr.decode()
        self.check_store(folder)

    def check_left(self, folder, is_done=False):
        """All that must hold of what a fault left. Many leave the same, as that
        nothing was committed yet, at once or when the store was opened, which
        ends what was cut short: that is looked at once."""
        left = folder.state(), is_done
        if left in self.checked:
            return
        assert folder.snapshots() >= self.before & self.after
        opened = folder.state(), is_done
        if opened not in self.checked:
            self.check_store(folder)
            self.check_files(folder)
            if is_done:
                self.check_done(folder)
            self.check_again(folder)
        self.checked.update((left, opened))


def is_store(name):
    """A copy of a store: its pages may differ, `verify` is its judge."""
    return name.endswith(".db")


def is_temporary(name):
    last = name.rsplit("/", 1)[-1]
    return last.startswith(".") or last.endswith((".part", "-journal"))


@pytest.fixture(scope="module", params=OPERATIONS)
def operation(request, tmp_path_factory):
    return Case(request.param, tmp_path_factory.mktemp("points") / "at")


@pytest.fixture
def case(operation, record_property):
    """Each test's report has the number of faults that it injected."""
    operation.n_faults = 0
    yield operation
    record_property("faults", operation.n_faults)


def spread(stacks, most):
    """Which calls fail, of those with these stacks: up to `most`, first and
    last among them, or all that differ. Those with 0 are spared: they would
    come to the one behind them."""
    calls = [n for n, stack in enumerate(stacks) if stack != "0"]
    number = len(calls)
    if EACH or number <= most:
        return calls
    if ALL:
        last = {stacks[n]: n for n in calls}
        first = {stacks[n]: n for n in reversed(calls)}
        return sorted({calls[0], calls[-1], *first.values(), *last.values()})
    return sorted({calls[i * (number - 1) // (most - 1)] for i in range(most)})


def check_failed(case, fault, folder, done):
    """What must hold after a fault that the process lived through."""
    text = done.stderr.decode()
    assert done.returncode >= 0, (fault, done.returncode, text)
    if done.returncode:
        assert text.startswith("wh "), (fault, text)
        assert len(text.splitlines()) == 1, (fault, text)
        assert done.returncode != 70, (fault, text)
    case.check_left(folder, done.returncode == 0)


@pytest.mark.parametrize("how", [
    f"fail:{{}}:{errno.EIO}", f"stay:{{}}:{errno.ENOSPC}", "short:{}"],
    ids=["a-call-fails", "the-disk-is-full", "a-call-falls-short"])
def test_a_call_that_fails_loses_nothing(case, how):
    for number in spread(case.calls, CALLS):
        fault, folder = how.format(number), case.fresh()
        check_failed(case, fault, folder, folder.run(*case.words, fault=fault))


def test_memory_that_runs_out_loses_nothing(case):
    for number in spread(case.allocations, ALLOCATIONS):
        fault, folder = f"memory:{number}", case.fresh()
        check_failed(case, fault, folder, folder.run(*case.words, fault=fault))


def test_a_kill_at_a_change_loses_nothing(case):
    for number in spread(case.changes, CHANGES):
        folder = case.fresh()
        done = folder.run(*case.words, fault=f"kill:{number}")
        assert done.returncode == -9, number
        case.check_left(folder)


def test_a_power_cut_loses_nothing(case):
    for number in spread(case.changes, CHANGES):
        for seed in range(SEEDS):
            folder = case.fresh()
            done = folder.run(*case.words, fault=f"cut:{number}:{seed}")
            assert done.returncode == -9, (number, seed)
            case.check_left(folder)


def test_what_was_reported_done_outlives_a_power_cut(case):
    for seed in range(20 if ALL else 5):
        folder = case.fresh()
        done = folder.run(*case.words, fault=f"cut:-1:{seed}")
        assert done.returncode == 0
        case.check_store(folder)
        case.check_done(folder)


def test_signals_that_restart_no_call_disturb_nothing(case):
    """Each 300 microseconds a handler runs, and read, write, flock, open and
    poll may say EINTR."""
    folder = case.fresh()
    done = folder.run(*case.words, fault="signal:300")
    assert done.returncode == 0, done.stderr.decode()
    assert done.counts[-1] == 1, "no signal came"
    case.check_store(folder)
    case.check_done(folder)
