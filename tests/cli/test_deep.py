"""gc --deep: old history coded more densely, and still itself."""
import random
import sqlite3

import numpy
import pytest

from conftest import epoch


def ask(wh, query):
    with sqlite3.connect(wh.folder / "weights.wh") as database:
        return database.execute(query).fetchall()


def payload(wh):
    return ask(wh, "SELECT sum(length(data)) FROM chunk")[0][0]


def is_whole(wh, files):
    """Each snapshot comes back byte for byte, and nothing is left over."""
    done = wh.row("verify", "--read-data")
    assert done["errors"] == []
    for snapshot, path in files.items():
        back = wh.folder / f"back{path.suffix}"
        wh.ok("save-weights", snapshot, back, "-q")
        assert back.read_bytes() == path.read_bytes()
    assert ask(wh, "SELECT count(*) FROM lease") == [(0,)]
    assert ask(wh, "SELECT count(*) FROM chunk WHERE id >> 24 NOT IN"
                   " (SELECT id FROM storage)") == [(0,)]
    assert ask(wh, "SELECT count(*) FROM storage AS s WHERE NOT EXISTS"
                   " (SELECT 1 FROM tensor WHERE storage_id = s.id) AND NOT"
                   " EXISTS (SELECT 1 FROM storage WHERE base_id = s.id)"
               ) == [(0,)]


def test_what_was_stored_whole_becomes_differences(store):
    store.ok("import", "-q", *map(epoch, range(1, 11)), "--codec", "none")
    files = {row["snapshot"]: epoch(10 - i)
             for i, row in enumerate(store.rows("log"))}
    before = payload(store)
    file_before = (store.folder / "weights.wh").read_bytes()
    guess = store.row("gc", "--deep", "--dry-run")
    assert (store.folder / "weights.wh").read_bytes() == file_before
    done = store.row("gc", "--deep")
    assert set(done) == {"snapshots", "tensors", "freed_bytes", "file_bytes",
                         "waiting", "recoded", "recoded_before",
                         "recoded_after"}
    assert done["recoded"] == guess["recoded"] > 40
    assert before - payload(store) == \
        done["recoded_before"] - done["recoded_after"]
    assert payload(store) < 0.65 * before
    # Guessed against the old bases, which are the same values.
    assert abs(guess["recoded_after"] - done["recoded_after"]) < 0.05 * before
    is_whole(store, files)
    assert [row["snapshot"] for row in store.rows("log")] == list(files)
    assert store.row("gc", "--deep")["recoded"] == 0


def test_it_is_as_small_as_if_it_had_been_committed_so(store):
    """Dense from the start, and dense by a later gc, to the percent."""
    store.ok("import", "-q", *map(epoch, range(1, 17)), "--codec", "dense")
    small = payload(store)
    store.ok("init", "late.wh", "-q")
    store.ok("import", "-s", "late.wh", "-q", *map(epoch, range(1, 17)),
             "--codec", "none")
    store.ok("gc", "-s", "late.wh", "--deep", "-q")
    (store.folder / "late.wh").rename(store.folder / "weights.wh")
    assert abs(payload(store) - small) < 0.02 * small
    chains = ask(store, """
        WITH RECURSIVE chain(id, depth) AS (
          SELECT id, 0 FROM storage WHERE base_id IS NULL
          UNION ALL SELECT s.id, c.depth + 1 FROM chain AS c
            JOIN storage AS s ON s.base_id = c.id)
        SELECT max(depth) FROM chain""")
    assert 1 < chains[0][0] <= 22


def test_a_base_that_only_one_tensor_needs_goes(store):
    """What gc had to keep under a dependant is not needed any more."""
    store.ok("import", "-q", *map(epoch, range(1, 9)))
    store.ok("keep", "--last", "1", "-q")
    store.ok("gc", "--grace", "0", "-q")
    (unnamed,), = ask(store, "SELECT count(*) FROM storage WHERE id NOT IN"
                             " (SELECT storage_id FROM tensor)")
    assert unnamed > 0
    before = payload(store)
    store.ok("gc", "--deep", "-q")
    assert payload(store) < before
    is_whole(store, {store.row("log")["snapshot"]: epoch(8)})
    assert ask(store, "SELECT count(*) FROM storage WHERE id NOT IN"
                      " (SELECT storage_id FROM tensor)") == [(0,)]


@pytest.mark.parametrize("seed", range(4))
def test_over_random_histories_nothing_is_lost(store, seed):
    """Branches, rollbacks, codecs, forgetting, gc and deep ones in any
    order; after each deep one all that lives is read back."""
    chance = random.Random(3000 + seed)
    files, branches = {}, ["main"]
    for _ in range(22):
        act = chance.choice(["commit"] * 5 + ["branch", "rollback", "keep",
                                              "deep", "deep"])
        branch = chance.choice(branches)
        if act == "commit" or not files:
            path = epoch(chance.randrange(1, 17))
            done = store.row("commit", path, "-b", branch, "--codec",
                             chance.choice(["none", "fast", "dense"]))
            files[done["snapshot"]] = path
        elif act == "branch":
            branches.append(f"b{len(branches)}")
            store.ok("branch", branches[-1], chance.choice(list(files)), "-q")
        elif act == "rollback":
            store.ok("rollback", chance.choice(list(files)), "-q")
        elif act == "keep":
            store.ok("keep", "--last", "4", "-q")
            store.ok("gc", "--grace", "0", "-q")
            alive = {row["snapshot"] for row in store.rows("log", "--all")}
            files = {name: path for name, path in files.items()
                     if name in alive}
        else:
            before = payload(store)
            store.ok("gc", "--deep", "-q", "--codec",
                     chance.choice(["fast", "dense"]))
            assert payload(store) <= before
            is_whole(store, files)
    store.ok("gc", "--deep", "-q")
    is_whole(store, files)


@pytest.mark.parametrize("seed", range(3))
def test_over_models_that_are_built_anew_nothing_is_lost(store, seed):
    """Keras counts names up, by one process after the other; a layer comes
    or goes now and then."""
    chance = random.Random(3100 + seed)
    numbers = numpy.random.default_rng(seed)
    layers = [numbers.normal(size=(40, 40)).astype("f4") for _ in range(4)]
    first, files = 0, {}
    for place in range(24):
        act = chance.choice(["commit"] * 6 + ["anew", "keep", "deep"])
        if act == "commit" or not files:
            layers = [layer * (1 + numbers.normal(scale=1e-3, size=(40, 40)))
                      .astype("f4") for layer in layers]
            shown = layers[:chance.choice([4, 4, 4, 3])]
            path = store.folder / f"{place}.npz"
            numpy.savez(path, **{
                f"dense{f'_{first + i}' if first + i else ''}/kernel": layer
                for i, layer in enumerate(shown)})
            first += len(shown)
            done = store.row("commit", path, "--no-alarms", "--codec",
                             chance.choice(["none", "fast", "dense"]))
            files[done["snapshot"]] = path
        elif act == "anew":
            first = chance.choice([0, 0, 4])
        elif act == "keep":
            store.ok("keep", "--last", "4", "-q")
            store.ok("gc", "--grace", "0", "-q")
            alive = {row["snapshot"] for row in store.rows("log")}
            files = {name: path for name, path in files.items()
                     if name in alive}
        else:
            before = payload(store)
            store.ok("gc", "--deep", "-q")
            assert payload(store) <= before
            is_whole(store, files)
    store.ok("gc", "--deep", "-q")
    is_whole(store, files)


def test_what_is_damaged_is_left_as_it_is(store):
    """It is verify's to tell, and a repair's to restore."""
    store.ok("import", "-q", *map(epoch, range(1, 5)), "--codec", "none")
    with sqlite3.connect(store.folder / "weights.wh") as database:
        (text,), = database.execute("SELECT sql FROM sqlite_schema"
                                    " WHERE name = 'chunk_is_fixed'")
        database.execute("DROP TRIGGER chunk_is_fixed")
        database.execute("UPDATE chunk SET data = zeroblob(length(data))"
                         " WHERE id = (SELECT id FROM chunk"
                         " ORDER BY length(data) DESC LIMIT 1)")
        database.execute(text)
    store.ok("gc", "--deep", "-q")
    assert store("verify", "--read-data", "-q").returncode == 3
    store.ok("verify", "-q", *(word for number in range(1, 5)
                               for word in ("--repair-from", epoch(number))))


def test_codecs_that_do_not_fit_are_refused(history):
    assert "--deep" in history.fails(2, "gc", "--codec", "dense")
    assert "fast|dense" in history.fails(2, "gc", "--deep", "--codec", "none")
