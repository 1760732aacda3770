"""Tables of metrics, run diff with weights, and sorting by words."""
import csv
import io
import math

import pytest

from conftest import DIGITS, epoch


def values(wh, run):
    return {(row["key"], row["step"]): row["value"] for row in wh.rows(
        "sql", f"select key, step, value from metrics where run = '{run}'")}


def test_what_keras_logs(store):
    said = store.row("metric", "r", "--csv", DIGITS / "metrics.csv")
    with open(DIGITS / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    expected = {(key, int(row["epoch"])): float(cell) for row in rows
                for key, cell in row.items() if key != "epoch"}
    assert values(store, "r") == expected
    assert said == {"values": len(expected)}


def table(store, text, *words):
    (store.folder / "t.csv").write_text(text)
    store.ok("metric", "r", "--csv", "t.csv", "-q", *words)
    return values(store, "r")


@pytest.mark.parametrize("text,expected", [
    ("epoch,loss\n0,1.5\n1,NA\n2,0.5\n",
     {("loss", 0): 1.5, ("loss", 2): 0.5}),
    ("epoch;loss;val\r\n0;1;2\r\n\r\n1;3;4\r\n",
     {("loss", 0): 1, ("val", 0): 2, ("loss", 1): 3, ("val", 1): 4}),
    ("loss\tstep\n1\t7", {("loss", 7): 1}),
    ('step,"a, ""b""",c\n1,"2",3\n', {('a, "b"', 1): 2, ("c", 1): 3}),
    ('epoch,list,loss\n0,"[1, 2]",4\n', {("loss", 0): 4}),
    ("Wall time,Step,Value\n1700000000.5,3,0.25\n", {("Value", 3): 0.25}),
    (",epoch,loss\n0,1,0.5\n1,2,0.25\n", {("loss", 1): 0.5, ("loss", 2): 0.25}),
    ("epoch,step,loss\n0,100,1\n1,200,2\n",
     {("epoch", 100): 0, ("loss", 100): 1, ("epoch", 200): 1,
      ("loss", 200): 2}),
])
def test_tables_of_other_shapes(store, text, expected):
    assert table(store, text) == expected


def test_not_finite_values_stay(store):
    table(store, "step,a\n0,nan\n1,inf\n2,-inf\n")
    (row,) = store.rows("plot", "a")
    assert row["points"][0][1] is None
    assert store.rows("sql", "select class from metric order by step") == [
        {"class": 1}, {"class": 2}, {"class": 3}]


def test_the_first_step_may_be_said(store):
    assert table(store, "epoch,a\n0,1\n1,2\n3,4\n", "--step", "1") == {
        ("a", 1): 1, ("a", 2): 2, ("a", 4): 4}


def test_times_are_taken(store):
    table(store, "Wall time,Step,Value\n1700000000.5,3,0.25\n")
    assert store.rows("sql", "select time from metrics") == [
        {"time": 1700000000}]


@pytest.mark.parametrize("text,part", [
    ("", "no line"), ("a,b\n1,2\n", "no column"),
    ("epoch,a\n0,1\n1\n", "line 3"), ("epoch,a\n0,1\nx,1\n", "line 3"),
    ("epoch,a\n0,1\n1,2,3\n", "line 3"), ("epoch,a\n1e300,1\n", "line 2"),
])
def test_a_bad_table_leaves_nothing(store, text, part):
    (store.folder / "t.csv").write_text(text)
    assert part in store.fails(2, "metric", "r", "--csv", "t.csv")
    assert values(store, "r") == {}


def test_stdin_and_long_tables(store):
    text = "step,a,b\n" + "".join(f"{n},{n / 2},{-n}\n"
                                  for n in range(50000))
    assert store.row("metric", "r", "--csv", "-", input=text) == {
        "values": 100000}
    found = values(store, "r")
    assert found["a", 49999] == 49999 / 2 and found["b", 3] == -3
    store.fails(4, "metric", "r", "--csv", "nosuch.csv")
    store.fails(2, "metric", "--csv", "t.csv")
    store.fails(2, "metric", "r", "a=1", "--csv", "t.csv")


@pytest.fixture
def two(store):
    for name, number, rate, optimizer in (("a", 3, "1e-3", "sgd"),
                                          ("b", 5, "0.01", "adam")):
        store.ok("run", "start", name, "--param", f"lr={rate}", "--param",
                 f"opt={optimizer}", "--param", "nested=True", "-q")
        store.ok("commit", epoch(number), "--run", name, "-q", "--step",
                 number, "--metric", f"loss={1 / number}")
    store.ok("run", "start", "c", "-q")
    return store


def test_run_diff_with_weights(two):
    rows = two.rows("run", "diff", "a", "b", "--weights")
    fields = {row["field"]: row for row in rows}
    assert fields["params.lr"]["a"] == 0.001
    assert fields["params.opt"]["b"] == "adam"
    assert fields["metrics.loss"]["b"] == pytest.approx(0.2)
    assert "params.nested" not in fields
    differences = {f"weights.{row['layer']}/{row['weight']}": row
                   for row in two.rows("diff", "a:latest", "b:latest")}
    weights = {name: row for name, row in fields.items()
               if name.startswith("weights.")}
    assert set(weights) == set(differences) and len(weights) == 14
    for name, row in weights.items():
        for key in ("change", "l2", "max_abs", "cosine"):
            assert row[key] == differences[name][key]
    assert "cosine" in two.ok("run", "diff", "a", "b", "--weights")
    assert not [row for row in two.rows("run", "diff", "a", "b")
                if row["field"].startswith("weights.")]
    two.fails(4, "run", "diff", "a", "c", "--weights", "-q")


def names(two, *words):
    return "".join(row["run"] for row in two.rows("runs", *words))


def test_runs_sort_by_words_and_know_types(two):
    assert names(two, "--sort", "params.opt") == "bac"
    assert names(two, "--sort", "params.opt", "-r") == "abc"
    assert names(two, "--sort", "run") == "abc"
    assert names(two, "--sort", "params.lr") == "abc"
    assert names(two, "--where", "params.nested = true") == "ba"
    assert names(two, "--where", "params.nested = false") == ""
    assert names(two, "--where", "loss < 0.25") == "b"
    assert names(two, "--where", "params.lr = 1e-2") == "b"
    assert "'los'" in two.fails(2, "runs", "--where", "los < 1")
