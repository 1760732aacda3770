"""Many processes on one store: no error, and no snapshot is lost."""
import json

from conftest import DIGITS

PROCESSES = 8
COMMITS = 5


def test_eight_processes_commit_at_once(store):
    epochs = sorted(DIGITS.glob("epoch-*.h5"))
    for round_ in range(COMMITS):
        running = [store.start("commit", epochs[(round_ + k) % len(epochs)],
                               "-m", f"{round_}.{k}")
                   for k in range(PROCESSES)]
        assert [process.wait() for process in running] == [0] * PROCESSES
    rows = [json.loads(line)
            for line in store.ok("log", "--json").splitlines()]
    messages = {row["message"] for row in rows}
    assert len(rows) == 1 + PROCESSES * COMMITS
    assert messages == {"first"} | {f"{r}.{k}" for r in range(COMMITS)
                                    for k in range(PROCESSES)}
    # One line of history: each follows the one before it.
    assert [row["parent"] for row in rows[:-1]] == \
        [row["snapshot"] for row in rows[1:]]
    assert json.loads(store.ok("verify", "--read-data", "--json"))[
        "errors"] == []


def test_saving_goes_on_while_others_commit(store):
    epochs = sorted(DIGITS.glob("epoch-*.h5"))
    writers = [store.start("commit", epoch) for epoch in epochs[1:5]]
    readers = [store.start("save-weights", "HEAD", f"out-{k}.h5")
               for k in range(4)]
    assert [p.wait() for p in writers + readers] == [0] * 8
