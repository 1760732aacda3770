"""gc killed at random changes, and gc beside commits and exports."""
import json
import random
import shutil

from conftest import DIGITS

EPOCHS = sorted(DIGITS.glob("epoch-*.h5"))
ROUNDS = 40
SEED = 20261125


def errors(wh):
    return json.loads(wh.ok("verify", "--read-data", "--json"))["errors"]


def ids(wh):
    return [json.loads(row)["snapshot"]
            for row in wh.ok("log", "--all", "--json").splitlines()]


def test_a_gc_that_is_killed_leaves_what_the_next_one_takes(wh):
    wh.ok("init")
    wh.ok("import", *EPOCHS)
    wh.ok("keep", "--last", "3")
    kept = ids(wh)
    whole = (wh.folder / "weights.wh").read_bytes()
    ways = [["gc", "--grace", "0", "--compact"], ["gc", "--grace", "0"]]
    changes = []
    for words in ways:
        (wh.folder / "weights.wh").write_bytes(whole)
        changes.append(wh.count_changes(*words))
    clean = (wh.folder / "weights.wh").stat().st_size
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        (wh.folder / "weights.wh").write_bytes(whole)
        way = number % 2
        assert wh.kill_at(chance.randrange(changes[way]), *ways[way]), number
        assert ids(wh) == kept, number
        assert errors(wh) == [], number
        wh.ok("gc", "--grace", "0", "--compact")
        assert (wh.folder / "weights.wh").stat().st_size <= clean, number
        assert errors(wh) == [], number
    assert {path.name for path in wh.folder.iterdir()} == {
        "weights.wh", "weights.wh-lock"}


def test_commits_gc_and_exports_at_once(wh):
    """Commits from everywhere, each forgotten soon by a policy, while gc
    without a grace period, compaction too, takes turns with them."""
    wh.ok("init")
    wh.ok("commit", EPOCHS[0], "--run", "r", "--tag", "base")
    wh.ok("keep", "--last", "4", "--save")
    for round_ in range(6):
        running = [wh.start("commit", EPOCHS[(4 * round_ + k) % 16], "-b",
                            f"b{k}") for k in range(4)]
        running += [wh.start("gc", "--grace", "0"),
                    wh.start("gc", "--grace", "0", "--compact"),
                    wh.start("save-weights", "base", f"base-{round_}.h5"),
                    wh.start("save-weights", "base", f"tf-{round_}/ckpt"),
                    wh.start("backup", f"copy-{round_}.wh")]
        assert [process.wait() for process in running] == [0] * len(running)
        assert (wh.folder / f"base-{round_}.h5").read_bytes() == \
            EPOCHS[0].read_bytes()
        assert errors(wh) == []
        copy = wh.folder / f"copy-{round_}.wh"
        assert json.loads(wh.ok("-s", copy, "verify", "--read-data",
                                "--json"))["errors"] == []
        copy.unlink()
        shutil.rmtree(wh.folder / f"tf-{round_}")
    wh.ok("gc", "--grace", "0")
    assert errors(wh) == []


def test_a_deep_gc_that_is_killed_has_lost_nothing(wh):
    """Each time a little further, in the end all the way."""
    wh.ok("init")
    wh.ok("import", *EPOCHS, "--codec", "none")
    kept = ids(wh)
    chance = random.Random(SEED)
    whole = (wh.folder / "weights.wh").read_bytes()
    changes = wh.count_changes("gc", "--deep")
    (wh.folder / "weights.wh").write_bytes(whole)
    assert wh.kill_at(changes // 2, "gc", "--deep")
    for number in range(ROUNDS // 2):
        wh.kill_at(chance.randrange(changes), "gc", "--deep")
        assert ids(wh) == kept, number
        assert errors(wh) == [], number
    done = json.loads(wh.ok("gc", "--deep", "--json"))
    assert errors(wh) == []
    wh.ok("init", "-s", "fresh.wh")
    wh.ok("import", "-s", "fresh.wh", *EPOCHS, "--codec", "none")
    fresh = json.loads(wh.ok("gc", "-s", "fresh.wh", "--deep", "--compact",
                             "--json"))
    wh.ok("gc", "--compact")
    assert done["recoded"] <= fresh["recoded"]
    assert (wh.folder / "weights.wh").stat().st_size < \
        1.03 * fresh["file_bytes"]


def test_a_deep_gc_beside_commits_and_exports(wh):
    """Whoever reads finds a tensor where it was or where it is."""
    wh.ok("init")
    wh.ok("import", *EPOCHS, "--codec", "none", "--run", "r")
    wh.ok("tag", "base", "HEAD~15")
    for round_ in range(6):
        running = [wh.start("gc", "--deep", "--codec",
                            ("dense", "fast")[round_ % 2])]
        running += [wh.start("commit", EPOCHS[(4 * round_ + k) % 16], "-b",
                             f"b{k}", "--codec", "none") for k in range(3)]
        running += [wh.start("save-weights", f"HEAD~{k}",
                             f"out-{round_}-{k}.h5") for k in range(0, 16, 4)]
        assert [process.wait() for process in running] == [0] * len(running)
        for k in range(0, 16, 4):
            assert (wh.folder / f"out-{round_}-{k}.h5").read_bytes() == \
                EPOCHS[15 - k].read_bytes()
        assert errors(wh) == []
    wh.ok("gc", "--deep")
    assert errors(wh) == []


def test_what_a_killed_commit_left_goes_and_a_running_one_stays(wh):
    wh.ok("init")
    wh.ok("commit", EPOCHS[0])
    changes = wh.count_changes("commit", EPOCHS[1], "-b", "side")
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        wh.kill_at(chance.randrange(changes), "commit",
                   EPOCHS[1 + number % 15], "-b", "side")
        running = wh.start("commit", EPOCHS[0], "-b", "other")
        wh.ok("gc", "--grace", "0")
        assert running.wait() == 0
        assert errors(wh) == [], number
    wh.ok("gc", "--grace", "0")
    import sqlite3
    with sqlite3.connect(wh.folder / "weights.wh") as database:
        assert database.execute("SELECT count(*) FROM lease").fetchone() == (0,)
        assert database.execute(
            "SELECT count(*) FROM storage WHERE id NOT IN "
            "(SELECT storage_id FROM tensor)").fetchone() == (0,)
        assert database.execute(
            "SELECT count(*) FROM chunk WHERE id >> 24 NOT IN "
            "(SELECT id FROM storage)").fetchone() == (0,)
