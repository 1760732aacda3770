"""The questions of sql/QUESTIONS.md: each runs, by `wh sql` and by plain
SQLite alike, and what can be counted otherwise is."""
import re
import sqlite3

import pytest

from conftest import DIGITS, TOP, epoch

TEXT = (TOP / "sql/QUESTIONS.md").read_text()
QUESTIONS = re.findall(r"^\d+\. ([^\n]+)\n\n```sql\n(.*?)```", TEXT, re.M | re.S)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    from conftest import Command
    wh = Command(tmp_path_factory.mktemp("questions"))
    wh.ok("init", "-q")
    wh.ok("run", "start", "digits", "--param", "lr=1e-3", "-q")
    wh.ok("run", "start", "other", "--param", "lr=0.1", "-q")
    wh.ok("import", "-q", *map(epoch, range(1, 17)), "--run", "digits",
          "--metrics", DIGITS / "metrics.csv")
    wh.ok("commit", epoch(2), "-q", "-b", "aside", "--run", "other", "--step",
          "1", "--metric", "val_loss=0.9")
    wh.ok("run", "end", "digits", "-q")
    wh.ok("publish", "best:val_loss", "file:models", "--alias",
          "stable,latest", "--save-format", "h5,tf", "-q")
    wh.ok("publish", "HEAD", "file:models", "-q")
    return wh


def test_there_are_twenty():
    assert len(QUESTIONS) >= 20


@pytest.mark.parametrize("title, query", QUESTIONS,
                         ids=[title for title, _ in QUESTIONS])
def test_a_question_has_the_same_answer_in_plain_sqlite(asked, title, query):
    with sqlite3.connect(asked.folder / "weights.wh") as database:
        cursor = database.execute(query)
        names = [column[0] for column in cursor.description]
        plain = [dict(zip(names, row)) for row in cursor.fetchall()]
    assert asked.rows("sql", query) == plain
    if "NaN" not in title and "zero" not in title and \
            "did not change" not in title:
        assert plain, "it should find something here"


def answer(asked, word):
    (query,) = [query for title, query in QUESTIONS if word in title]
    return asked.rows("sql", query)


def test_answers_are_right(asked):
    log = asked.rows("log", "--all")
    curve = {row["epoch"]: row["metrics"]["val_loss"] for row in log
             if row["run"] == "digits"}
    best = min(curve, key=curve.get)
    assert answer(asked, "best snapshot of all")[0]["epoch"] == best
    rates = answer(asked, "Learning rate")
    assert [(row["run"], row["lr"]) for row in rates] == [
        ("digits", 0.001), ("other", 0.1)]
    assert rates[0]["loss"] == curve[16]
    assert {row["run"]: row["snapshots"]
            for row in answer(asked, "How many")} == {"digits": 16,
                                                      "other": 1}
    shown = asked.rows("ls", "HEAD")
    changed = answer(asked, "What one snapshot changed")
    assert all(row["layer"] in {one["layer"] for one in shown}
               for row in changed)
    assert sum(row["parameters"] for row in answer(
        asked, "Parameters per layer")) * 4 == sum(
            row["nbytes"] for row in shown if row["role"] == "weight")


def test_what_was_published_is_told(asked):
    (best,) = answer(asked, "best snapshot of all")
    pointers = {row["alias"]: row for row in answer(asked, "which alias now")}
    assert set(pointers) == {"stable", "latest"}
    assert best["snapshot"].startswith(pointers["stable"]["snapshot"])
    published = {row["format"]: row for row in answer(asked, "in bytes")}
    assert {name: row["files"] for name, row in published.items()} == {
        "h5": 2, "tf": 2}
    assert published["tf"]["bytes"] == sum(
        file.stat().st_size
        for file in (asked.folder / "models").glob("v/*/model.[id]*"))


def test_forgotten_snapshots_are_in_no_answer(asked):
    asked.ok("keep", "--last", "2", "--run", "digits", "-q")
    assert len(asked.rows("sql", "select * from log")) == 3
    asked.ok("gc", "--grace", "0", "-q")
    rows = asked.rows("sql", "select * from changes where sha256 is not null")
    assert rows and all(len(row["snapshot"]) == 64 for row in rows)
    asked.ok("keep", "--undo", "-q")


def test_what_json_cannot_say_is_null_and_csv_says_it(asked):
    query = "SELECT 9e999 AS up, -9e999 AS down, 1.5 AS x, NULL AS none"
    assert asked.rows("sql", query) == [
        {"up": None, "down": None, "x": 1.5, "none": None}]
    assert asked.ok("sql", "--csv", query) == "up,down,x,none\ninf,-inf,1.5,\n"
