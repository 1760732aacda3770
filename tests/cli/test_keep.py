"""keep against a model of its rules in Python, over random histories."""
import fnmatch
import math
import random
import sqlite3

import pytest

from conftest import NOON, epoch

DAY = 86400


def make_history(wh, seed):
    """Commits of random runs, branches, steps, times and metrics; a list of
    what was committed, oldest first."""
    chance = random.Random(seed)
    wh.ok("init", "-q")
    made = []
    for number in range(24):
        run = chance.choice(["a", "a", "b"])
        row = {"run": run, "step": chance.choice([None, number, number * 7]),
               "epoch": chance.choice([None, number // 2]),
               "time": NOON - chance.randrange(20 * DAY),
               "loss": chance.choice([None, math.nan, math.inf, 0.5, 0.25,
                                      chance.random()]),
               "tag": chance.choice([None, None, None, f"prod-{number}",
                                     f"t{number}"]),
               "branch": chance.choice(["main", "main", "side"])}
        words = ["commit", epoch(1 + number % 16), "--run", run, "-b",
                 row["branch"], "--date", row["time"]]
        for name in ("step", "epoch", "tag"):
            if row[name] is not None:
                words += [f"--{name}", row[name]]
        if row["loss"] is not None:
            words += ["--metric", f"loss={row['loss']}"]
        done = wh.row(*words)
        row.update(snapshot=done["snapshot"], parent=done["parent"])
        made.append(row)
    return made


def ancestors(made, tip):
    parents = {row["snapshot"]: row["parent"] for row in made}
    found = set()
    while tip:
        found.add(tip)
        tip = parents[tip]
    return found


def held(made, rules, tips):
    """{snapshot: why} by the documented rules, the plain way."""
    newest = made[::-1]
    why = {row["snapshot"]: [] for row in made}

    def hold(row, text):
        why[row["snapshot"]].append(text)

    for name, value in rules:
        text = f"{name} {value}"
        if name == "last":
            for row in newest[:int(value)]:
                hold(row, text)
        elif name == "best":
            count, metric, *way = value.split(":")
            sign = -1 if way == ["max"] else 1
            good = [row for row in newest
                    if row[metric] is not None
                    and not math.isnan(row[metric])]
            # sorted() is stable: ties stay newest first.
            for row in sorted(good, key=lambda row: sign * row[metric]
                              )[:int(count)]:
                hold(row, text)
        elif name == "every":
            digits = value.rstrip("stephocd")
            unit = value[len(digits):] or "step"
            seen = set()
            for row in newest:
                if unit in ("step", "epoch"):
                    place = row[unit]
                    window = None if place is None else (
                        row["run"], place // int(digits))
                else:
                    size = int(digits) * (3600 if unit == "h" else DAY)
                    window = row["time"] // size
                if window is not None and window not in seen:
                    seen.add(window)
                    hold(row, text)
        elif name == "within":
            for row in newest:
                if row["time"] >= NOON - int(value[:-1]) * DAY:
                    hold(row, text)
        elif name == "tag":
            for row in newest:
                if row["tag"] and fnmatch.fnmatchcase(row["tag"], value):
                    hold(row, text)
    for row in made:
        for branch, tip in tips.items():
            if tip == row["snapshot"]:
                hold(row, f"branch {branch}")
        if row["tag"]:
            hold(row, f"tag {row['tag']}")
    return why


def random_rules(chance):
    makers = [
        lambda: ("last", str(chance.randrange(1, 6))),
        lambda: ("best", f"{chance.randrange(1, 5)}:loss"
                 + chance.choice(["", ":min", ":max"])),
        lambda: ("every", f"{chance.randrange(1, 30)}"
                 + chance.choice(["", "step", "epoch"])),
        lambda: ("every", f"{chance.randrange(1, 9)}"
                 + chance.choice(["h", "d"])),
        lambda: ("within", f"{chance.randrange(1, 20)}d"),
        lambda: ("tag", chance.choice(["prod*", "t?", "*", "none"])),
    ]
    return [chance.choice(makers)() for _ in range(chance.randrange(1, 4))]


@pytest.mark.parametrize("seed", range(3))
def test_what_stays_is_what_a_plain_model_of_the_rules_says(wh, seed):
    made = make_history(wh, seed)
    tips = {row["name"]: row["snapshot"] for row in wh.rows("branch")}
    chance = random.Random(1000 + seed)
    for _ in range(20):
        rules = random_rules(chance)
        words, scope = [], made
        for name, value in rules:
            words += [f"--{name}", value]
        where = chance.choice(["", "run", "branch"])
        if where == "run":
            scope = [row for row in made if row["run"] == "a"]
            words += ["--run", "a"]
        elif where == "branch":
            mine = ancestors(made, tips["side"])
            scope = [row for row in made if row["snapshot"] in mine]
            words += ["--branch", "side"]
        expected = held(scope, rules, tips)
        found = wh.rows("keep", "--dry-run", *words)
        assert [row["snapshot"] for row in found] == \
            [row["snapshot"] for row in scope[::-1]]
        for row in found:
            wanted = expected[row["snapshot"]]
            assert row["keep"] == bool(wanted), (rules, row)
            assert set(row["why"]) == set(wanted), (rules, row)


@pytest.mark.parametrize("seed", range(3))
def test_best_is_what_a_plain_model_says(wh, seed):
    """Infinities and ties included, NaN never; and not what was forgotten."""
    made = make_history(wh, seed)
    for count in (24, 6, 2):
        wh.ok("keep", "--last", count, "-q")
        alive = {row["snapshot"] for row in wh.rows("log", "--all")}
        rows = [row for row in made if row["snapshot"] in alive
                and row["loss"] is not None and not math.isnan(row["loss"])]
        for way, sign in (("min", -1), ("max", 1)):
            if not rows:
                wh.fails(4, "show", f"best:loss:{way}")
                continue
            best = max(enumerate(rows),
                       key=lambda row: (sign * row[1]["loss"], row[0]))[1]
            assert wh.row("show", f"best:loss:{way}")["snapshot"] == \
                best["snapshot"]


@pytest.mark.parametrize("seed", range(3))
def test_policies_add_up_as_a_plain_model_says(wh, seed):
    """Policies of the store, branches and runs: each forgets in its scope what
    none holds in its own. Then commits, rollbacks, undos, tags, gc and
    `--undo`, and all of it is still so."""
    made = make_history(wh, seed)
    chance = random.Random(2000 + seed)
    scopes = [("the store", []), ("branch main", ["--branch", "main"]),
              ("branch side", ["--branch", "side"]), ("run a", ["--run", "a"]),
              ("run gone", ["--run", "gone"])]
    policies = {}
    for name, words in scopes:
        if chance.random() < 0.7:
            policies[name] = random_rules(chance)
            wh.ok("keep", "--save", "-q", *words,
                  *(word for rule, value in policies[name]
                    for word in (f"--{rule}", value)))
    alive = list(made)
    for _ in range(6):
        tips = {row["name"]: row["snapshot"] for row in wh.rows("branch")}
        tags = {row["name"]: row["snapshot"] for row in wh.rows("tag")}
        protected = {row[end] for row in wh.rows("reflog")
                     if row["why"] != "commit" for end in ("from", "to")}
        about, why = set(), {}
        for name, rules in policies.items():
            kind, _, value = name.partition(" ")
            mine = {row["snapshot"] for row in made}
            if kind == "branch":
                mine = ancestors(made, tips[value])
            elif kind == "run":
                mine = {row["snapshot"] for row in made if row["run"] == value}
            scope = [row for row in alive if row["snapshot"] in mine]
            about |= {row["snapshot"] for row in scope}
            for snapshot, texts in held(scope, rules, {}).items():
                why.setdefault(snapshot, set()).update(
                    f"{text} of {name}" for text in texts
                    if text.split()[0] in ("last", "best", "every", "within")
                    or text in [f"tag {v}" for r, v in rules if r == "tag"])
        for snapshot in about:
            texts = why.setdefault(snapshot, set())
            texts |= {f"branch {b}" for b, tip in tips.items()
                      if tip == snapshot}
            texts |= {f"tag {t}" for t, at in tags.items() if at == snapshot}
            if snapshot in protected:
                texts.add("reflog")
        found = wh.rows("keep", "--apply", "--dry-run")
        assert {row["snapshot"] for row in found} == about
        for row in found:
            assert set(row["why"]) == why[row["snapshot"]], (policies, row)
            assert row["keep"] == bool(why[row["snapshot"]])
        wh.ok("keep", "--apply", "-q")
        gone = {row["snapshot"] for row in found if not row["keep"]}
        alive = [row for row in alive if row["snapshot"] not in gone]
        assert {row["snapshot"] for row in wh.rows("log", "--all")} == \
            {row["snapshot"] for row in alive}
        act = chance.choice(["undo", "rollback", "tag", "gc"])
        if act == "undo":
            wh.ok("keep", "--undo", "-q")
            dead = {row["sha256"] for row in wh.rows(
                "sql", "SELECT lower(hex(sha256)) AS sha256 FROM tombstone")}
            alive = [row for row in made if row["snapshot"] not in dead]
        elif act == "rollback":
            wh.ok("rollback", chance.choice(alive)["snapshot"], "-q")
        elif act == "tag":
            row = chance.choice(alive)
            wh.ok("tag", "-f", f"z{chance.randrange(3)}", row["snapshot"],
                  "-q")
        else:
            wh.ok("gc", "--grace", "0", "-q")
    assert wh.row("verify", "--read-data")["errors"] == []


def test_what_is_forgotten_is_hidden_and_comes_back(history):
    rows = history.rows("keep", "--last", "2")
    gone = [row["snapshot"] for row in rows if not row["keep"]]
    assert gone == history.ids[2::-1]
    assert [row["snapshot"] for row in history.rows("log")] == \
        history.ids[:2:-1]
    assert len(history.rows("log", "--all")) == 2
    for name in (gone[0], gone[0][:10], "HEAD~2", "digits@3"):
        said = history.fails(4, "show", name)
        assert name == "digits@3" or (
            "forgotten on 2026-11-24" in said and "keep --undo" in said)
    assert history.row("keep", "--undo") == {"brought_back": 3}
    assert len(history.rows("log")) == 5
    assert history.row("show", "HEAD~2")["snapshot"] == history.ids[2]


def test_names_hold_what_rules_would_not(history):
    history.ok("tag", "v1", "HEAD~4")
    history.ok("branch", "side", "HEAD~3")
    history.ok("rollback", "HEAD~1")  # the reflog holds where it came from
    why = {row["snapshot"]: row["why"]
           for row in history.rows("keep", "--tag", "none")}
    assert why == {history.ids[0]: ["tag v1"],
                   history.ids[1]: ["branch side", "reflog"],
                   history.ids[2]: [], history.ids[3]: ["branch main",
                                                        "reflog"],
                   history.ids[4]: ["reflog"]}


def test_a_dry_run_changes_nothing(history):
    store = history.folder / "weights.wh"
    before = store.read_bytes()
    history.ok("keep", "--last", "1", "--dry-run")
    history.ok("gc", "--dry-run", "--grace", "0")
    assert store.read_bytes() == before


def test_what_it_says_it_frees_is_what_gc_frees(history):
    rows = history.rows("keep", "--last", "1")
    frees = sum(row["frees"] for row in rows)
    assert frees > 0
    assert history.row("gc", "--dry-run", "--grace",
                       "0")["freed_bytes"] == frees
    assert history.row("gc", "--grace", "0")["freed_bytes"] == frees


@pytest.mark.parametrize("words", [
    [], ["--last", "0"], ["--last", "x"], ["--best", "3"], ["--best", "0:l"],
    ["--best", "2:"], ["--every", "5x"], ["--every", "0"], ["--within", "7"],
    ["--within", "1y"], ["--tag", ""], ["--last", "99999999999999999999"]])
def test_a_rule_that_is_none_is_a_usage_error(history, words):
    if words == ["--within", "7"]:
        assert history.ok("keep", *words, "--dry-run")  # seconds
        return
    assert history.fails(2, "keep", *words)
    assert len(history.rows("log")) == 5


def test_a_scope_that_is_not_there_is_not_found(history):
    history.fails(4, "keep", "--last", "1", "--run", "none")
    history.fails(4, "keep", "--last", "1", "--branch", "none")


def test_policies_are_applied_after_each_commit(history):
    history.ok("keep", "--last", "2", "--best", "1:val_loss", "--run",
               "digits", "--save")
    assert history.row("keep", "--policies") == {
        "branch": None, "run": "digits",
        "rules": ["last=2", "best=1:val_loss"]}
    assert len(history.rows("log")) == 5
    history.ok("commit", epoch(6), "-q", "--run", "digits", "--metric",
               "val_loss=9")
    assert len(history.rows("log")) == 2 + 1 - (
        history.rows("log")[1]["metrics"]["val_loss"]
        == min(row["metrics"]["val_loss"] for row in history.rows("log")))
    history.ok("keep", "--drop", "--run", "digits")
    assert history.rows("keep", "--policies") == []
    kept = len(history.rows("log"))
    history.ok("commit", epoch(7), "-q", "--run", "digits")
    assert len(history.rows("log")) == kept + 1


def test_dropping_rules_does_not_set_those_that_are_named(history):
    """--drop drops them all: one that is named with it would be the policy."""
    history.ok("keep", "--last", "9", "--within", "9d", "--save")
    stored = history.rows("keep", "--policies")
    history.fails(2, "keep", "--drop", "--last", "1")
    history.fails(2, "keep", "--drop", "--save", "--last", "1")
    assert history.rows("keep", "--policies") == stored
    history.ok("keep", "--drop")
    assert history.rows("keep", "--policies") == []


def test_a_policy_of_one_run_leaves_others_alone(history):
    history.ok("keep", "--last", "1", "--run", "other", "--save")
    for number in (6, 7, 8):
        history.ok("commit", epoch(number), "-q", "-b", "other")
    names = [row["run"] for row in history.rows("log", "--all")]
    assert names == ["other"] + ["digits"] * 5


def test_a_forgotten_snapshot_can_be_committed_anew(history):
    """The very same snapshot: it lives again."""
    wh = history
    date = ["--date", "5", "--run", "digits", "-m", "x"]
    parent = wh.ids[4]
    first = wh.row("commit", epoch(6), "-b", "side", "--parent", parent, *date)
    wh.ok("branch", "-d", "side")
    with sqlite3.connect(wh.folder / "weights.wh") as database:
        database.execute("DELETE FROM reflog")
    wh.ok("keep", "--tag", "none", "-q")
    wh.fails(4, "show", first["snapshot"])
    again = wh.row("commit", epoch(6), "-b", "side", "--parent", parent, *date)
    assert again["snapshot"] == first["snapshot"]
    assert wh.row("show", "side")["snapshot"] == first["snapshot"]


def test_a_mistyped_metric_is_told(history):
    history.ok("metric", "main", "loss=1", "--step", "1")
    for words in (["--dry-run"], []):
        done = history("keep", "--last", "1", "--best", "2:los:min",
                       "--best", "2:loss", *words)
        assert done.returncode == 0
        assert done.stderr == ("wh keep: --best 2:los:min holds nothing: no "
                               "snapshot has a value of it\n")
    # Rules may be kept before there is anything.
    assert not history("keep", "--best", "2:los:min", "--save").stderr
