"""Every history of a small store, by Spin: see README.md."""
import re
import subprocess
from pathlib import Path

import pytest

STORE = Path(__file__).with_name("store.pml")
PUBLISH = Path(__file__).with_name("publish.pml")


def search(folder, model, *defines):
    """What Spin's search of all states says."""
    for command in (["spin", *(f"-D{name}" for name in defines), "-a", model],
                    ["cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan",
                     "pan.c"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return subprocess.run(["./pan", "-m200000"], cwd=folder, check=False,
                          capture_output=True, timeout=600).stdout.decode()


def assert_complete(told, *processes):
    """Every state was seen, and the model does all that it describes."""
    assert errors(told) == 0
    assert "search was truncated" not in told and "max search depth" not in told
    for process in processes:
        assert re.search(rf"unreached in proctype {process}\n\t\(0 of", told)


def errors(told):
    return int(re.search(r"errors: (\d+)", told).group(1))


def test_no_history_loses_a_snapshot_or_leaves_one_unreadable(tmp_path):
    assert_complete(search(tmp_path, STORE), "commit", "people", "gc")


@pytest.mark.parametrize("guard", ["NO_LEASE", "NO_LOOKUP", "NO_NAMED",
                                   "NO_TIP", "NO_EXCLUSIVE"])
def test_without_a_guard_some_history_breaks_something(tmp_path, guard):
    told = search(tmp_path, STORE, guard)
    assert errors(told) == 1 and "assertion violated" in told


def test_a_pointer_names_what_is_complete(tmp_path):
    assert_complete(search(tmp_path, PUBLISH), "publish", "withdraw")


@pytest.mark.parametrize("guard", ["NO_ORDER", "NO_LOOK", "NO_POINTED",
                                   "NO_GRACE"])
def test_without_a_guard_a_pointer_may_name_less(tmp_path, guard):
    told = search(tmp_path, PUBLISH, guard)
    assert errors(told) == 1 and "assertion violated" in told
