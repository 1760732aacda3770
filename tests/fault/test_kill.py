"""kill -9 at random changes of files: nothing is lost, nothing half-done is
visible."""
import hashlib
import json
import random

from conftest import DIGITS

ROUNDS = 100
SEED = 20261124


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".")}


def test_a_commit_that_is_killed_leaves_the_last_snapshot(store):
    epochs = sorted(DIGITS.glob("epoch-*.h5"))
    changes = store.count_changes("commit", epochs[1])
    chance, killed = random.Random(SEED), 0
    head = json.loads(store.ok("show", "--json"))["snapshot"]
    for number in range(ROUNDS):
        killed += store.kill_at(chance.randrange(changes + 2),
                                "commit", epochs[number % len(epochs)])
        rows = store.ok("log", "--json").splitlines()
        ids = [json.loads(row)["snapshot"] for row in rows]
        assert head in ids, number
        head = ids[0]
        if number % 20 == 0:
            store.ok("verify", "--read-data")
    assert killed > ROUNDS // 2
    report = json.loads(store.ok("verify", "--read-data", "--json"))
    assert report["errors"] == []
    others = {path.name for path in store.folder.iterdir()}
    assert all(name.startswith("weights.wh") for name in others)


def save_is_whole_or_absent(store, path, suffixes):
    changes = store.count_changes("save-weights", path)
    chance, killed = random.Random(SEED), 0
    whole = digests(store.folder)
    files = [path + suffix for suffix in suffixes]
    for number in range(ROUNDS):
        for name in files:
            (store.folder / name).unlink(missing_ok=True)
        killed += store.kill_at(chance.randrange(changes + 2),
                                "save-weights", path)
        seen = digests(store.folder)
        for name in files:
            assert seen.get(name, whole[name]) == whole[name], (number, name)
        # Readers look for the last one: where it is, all are.
        if files[-1] in seen:
            assert all(name in seen for name in files), number
    assert killed > ROUNDS // 2
    store.ok("save-weights", path)
    left = [entry.name for entry in store.folder.iterdir()
            if entry.name.startswith(".")]
    assert left == [], "a finished save clears what killed ones left"


def test_a_killed_save_of_h5_shows_no_partial_file(store):
    save_is_whole_or_absent(store, "model.h5", [""])


def test_a_killed_save_over_a_file_leaves_the_old_or_the_new(store):
    store.ok("commit", sorted(DIGITS.glob("epoch-*.h5"))[1])
    wholes = []
    for revision in ("HEAD~1", "HEAD"):
        changes = store.count_changes("save-weights", revision, "model.h5")
        wholes.append(digests(store.folder)["model.h5"])
    assert wholes[0] != wholes[1]
    chance, killed, seen = random.Random(SEED), 0, set()
    for number in range(ROUNDS):
        revision = ("HEAD~1", "HEAD")[number % 2]
        killed += store.kill_at(chance.randrange(changes + 2),
                                "save-weights", revision, "model.h5")
        seen.add(digests(store.folder)["model.h5"])
        assert seen <= set(wholes), number
    assert killed > ROUNDS // 2


def test_a_killed_save_of_tf_shows_no_partial_file(store):
    save_is_whole_or_absent(store, "ckpt", [".data-00000-of-00001", ".index"])
