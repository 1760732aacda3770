"""A clock that jumps: back an hour, to 1970, to 2100, between commits."""
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from conftest import DIGITS, WH

LIBRARY = Path(os.environ["WH_BUILD"]) / "tests" / "fault" / "libfaults.so"
EPOCHS = sorted(DIGITS.glob("epoch-*.h5"))
HOUR, CENTURY = 3600, 100 * 365 * 24 * 3600
# From now, in seconds; the second last is 1970.
JUMPS = [0, -HOUR, CENTURY, 1 - int(time.time()), 0]

pytestmark = pytest.mark.skipif(
    not LIBRARY.exists(), reason="this build has no libfaults.so")


@pytest.fixture
def wh_at(tmp_path):
    def run(jump, *words):
        env = dict(os.environ, WH_FAULT=f"clock:{jump}",
                   WH_FAULT_FOLDER=str(tmp_path), LD_PRELOAD=str(LIBRARY))
        env.pop("SOURCE_DATE_EPOCH", None)
        done = subprocess.run([WH, *map(str, words)], cwd=tmp_path, env=env,
                              capture_output=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (jump, words, done.stderr.decode())
        return done.stdout.decode()
    return run


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def jumped(wh_at):
    wh_at(0, "init")
    for number, jump in enumerate(JUMPS):
        wh_at(jump, "commit", EPOCHS[number], "-m", number)
    return wh_at


def test_the_clock_of_the_commits_did_jump(jumped):
    years = [row["time"][:4] for row in rows(jumped(0, "log", "--json"))]
    assert "1970" in years and max(years) > "2100"


@pytest.mark.parametrize("now", JUMPS[:4])
def test_history_is_in_the_order_of_commits(jumped, now):
    told = rows(jumped(now, "log", "--json"))
    assert [row["message"] for row in told] == ["4", "3", "2", "1", "0"]
    assert [row["parent"] for row in told[:-1]] == \
        [row["snapshot"] for row in told[1:]]
    assert rows(jumped(now, "show", "HEAD~2", "--json"))[0]["message"] == "2"
    jumped(now, "rollback", "HEAD~1")
    jumped(0, "undo")
    jumped(now, "verify", "--read-data")


def test_what_is_forgotten_in_the_future_stays_for_its_grace(jumped):
    """gc waits too long rather than not long enough."""
    jumped(CENTURY, "keep", "--last", "1")
    jumped(0, "gc")
    jumped(-HOUR, "gc")
    jumped(0, "keep", "--undo")
    assert len(rows(jumped(0, "log", "--json"))) == len(JUMPS)
    jumped(0, "verify", "--read-data")


def test_what_is_forgotten_now_goes_when_the_clock_says_so(jumped):
    jumped(0, "keep", "--last", "1")
    jumped(CENTURY, "gc")
    assert len(rows(jumped(0, "log", "--json"))) == 1
    jumped(1 - int(time.time()), "verify", "--read-data")
