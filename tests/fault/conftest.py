"""What the fault tests share: the command, a large model, a store."""
import os
import resource
import subprocess
from pathlib import Path

import pytest

WH = os.environ["WH_BIN"]
LIBRARY = Path(os.environ["WH_BUILD"]) / "tests" / "fault" / "libfaults.so"
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DIGITS = GOLDEN / "digits" / "run"

# Of address space: far above what any command needs, far below the machine.
MAX_MEMORY = 4 << 30


def limit_memory():
    # The sanitizers reserve terabytes of address space.
    if "ASAN_OPTIONS" not in os.environ:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def with_fault(fault, folder, report):
    """The environment in which calls of `wh` are counted, fail, or are its
    last one: faults.c says how."""
    return dict(os.environ, WH_FAULT=fault, WH_FAULT_FOLDER=str(folder),
                WH_FAULT_REPORT=str(report), LD_PRELOAD=str(LIBRARY))


class Command:
    """`wh` in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *words, timeout=60):
        return subprocess.run([WH, *map(str, words)], cwd=self.folder,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=timeout, preexec_fn=limit_memory)

    def start(self, *words):
        return subprocess.Popen([WH, *map(str, words)], cwd=self.folder,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL,
                                stdin=subprocess.DEVNULL)

    def count_changes(self, *words):
        """How many changes of files below the folder it makes."""
        report = self.folder.parent / "report"
        subprocess.run([WH, *map(str, words)], cwd=self.folder, timeout=60,
                       check=True, capture_output=True,
                       stdin=subprocess.DEVNULL,
                       env=with_fault("count", self.folder, report))
        return int(report.read_text().split()[1])

    def kill_at(self, change, *words):
        """Killed at a change of files, unless it makes fewer."""
        done = subprocess.run(
            [WH, *map(str, words)], cwd=self.folder, timeout=60,
            capture_output=True, stdin=subprocess.DEVNULL,
            env=with_fault(f"kill:{change}", self.folder, os.devnull))
        assert done.returncode in (0, -9), done.stderr.decode()
        return done.returncode == -9

    def ok(self, *words):
        done = self(*words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@pytest.fixture
def wh(tmp_path):
    return Command(tmp_path)


@pytest.fixture
def store(wh):
    """A store with the first epoch in it."""
    wh.ok("init")
    wh.ok("commit", DIGITS / "epoch-01.h5", "-m", "first")
    return wh
