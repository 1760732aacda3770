"""What the command's tests share: `wh` in a folder of its own, stores, and
terminals.

	wh(*words)          runs it, and gives what `subprocess.run` gives, as text
	wh.ok(*words)       stdout; it must succeed and say nothing on stderr
	wh.rows(*words)     the JSON lines of `--json`; wh.row: the only one
	wh.fails(code, …)   the one line on stderr
	terminal(*words)    the same with a pseudo-terminal, see `Terminal`
"""
import json
import os
import subprocess
from pathlib import Path

import pytest

from terminal import Terminal

WH = os.environ["WH_BIN"]
TOP = Path(__file__).resolve().parents[2]
GOLDEN = TOP / "tests" / "golden"
DIGITS = GOLDEN / "digits" / "run"

# 2026-11-24 12:00 UTC: what stores say doesn't depend on the day.
NOON = 1795521600


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "slow: left out of the runs under sanitizers")


def environment(**more):
    """The tests' own, without what changes how wh behaves."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("WH_STORE", "WH_PAGER", "PAGER", "NO_COLOR",
                           "SOURCE_DATE_EPOCH", "LANGUAGE")
           and not name.startswith("LC_")}
    env.update(LANG="C.UTF-8", TZ="UTC", TERM="xterm",
               SOURCE_DATE_EPOCH=str(NOON))
    env.update(more)
    return {name: value for name, value in env.items() if value is not None}


class Command:
    """`wh` in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *words, text=True, input=None, env=None, timeout=300,
                 **more):
        if input is None:
            more.setdefault("stdin", subprocess.DEVNULL)
        else:
            more["input"] = input
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([WH, *map(str, words)], cwd=self.folder,
                              text=text, timeout=timeout,
                              env=environment(**(env or {})), **more)

    def ok(self, *words, **more):
        done = self(*words, **more)
        assert done.returncode == 0, f"wh {words}: {done.stderr}"
        assert not done.stderr, f"wh {words}: {done.stderr}"
        return done.stdout

    def rows(self, *words, **more):
        return [json.loads(line)
                for line in self.ok("--json", *words, **more).splitlines()]

    def row(self, *words, **more):
        rows = self.rows(*words, **more)
        assert len(rows) == 1, rows
        return rows[0]

    def fails(self, code, *words, **more):
        done = self(*words, **more)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr.rstrip("\n")

    def error(self, code, *words, **more):
        """The object that `--json` makes of an error."""
        whole = json.loads(self.fails(code, *words, "--json", **more))
        assert set(whole) == {"error"}
        assert set(whole["error"]) == {"status", "message", "hint"}
        return whole["error"]

    def start(self, *words, env=None, **more):
        return subprocess.Popen([WH, *map(str, words)], cwd=self.folder,
                                env=environment(**(env or {})), **more)

    def terminal(self, *words, env=None, **more):
        return Terminal([WH, *map(str, words)], self.folder,
                        environment(**(env or {})), **more)

    def names(self):
        """Every file below the folder, hidden ones too."""
        return sorted(path.relative_to(self.folder).as_posix()
                      for path in self.folder.rglob("*") if path.is_file())


def epoch(number):
    return DIGITS / f"epoch-{number:02}.h5"


def explain(wh, store):
    """Every listing of `du` adds up to the file, whatever was done to it. A
    store that a test has damaged is refused, and that is all right."""
    for by in ("file", "snapshot"):
        done = wh("du", "-s", store, "--by", by, "--json")
        assert done.returncode in (0, 1, 5, 10, 15), (store, done.stderr)
        if done.returncode:
            return
        *parts, total = map(json.loads, done.stdout.splitlines())
        size = store.stat().st_size
        assert total["name"] == "total" and total["own_bytes"] == size
        assert sum(part["own_bytes"] for part in parts) == size, (store, by)


@pytest.fixture
def wh(tmp_path):
    command = Command(tmp_path)
    yield command
    for store in sorted(tmp_path.glob("*.wh"))[:3]:
        if store.is_file():
            explain(command, store)


@pytest.fixture
def store(wh):
    """An empty store."""
    wh.ok("init", "-q")
    return wh


@pytest.fixture
def history(store):
    """Five epochs of a training run with their metrics, oldest first in
    `history.ids`."""
    store.ok("import", "-q", *map(epoch, range(1, 6)), "--run", "digits",
             "--metrics", DIGITS / "metrics.csv")
    store.ids = [row["snapshot"] for row in store.rows("log")][::-1]
    return store
