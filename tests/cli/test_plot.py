"""plot: curves against the values that the store holds; histograms against
NumPy's."""
import csv
import io
import math
import re
import resource
import xml.etree.ElementTree as ElementTree

import numpy
import pytest

from conftest import epoch

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def runs(history):
    """Beside `digits`: one of two values, one with holes."""
    for step, loss in ((0, 2.0), (10, 1.0)):
        history.ok("metric", "short", f"loss={loss}", "--step", step, "-q")
    for step, loss in enumerate((1, math.nan, 3, math.inf, 5)):
        history.ok("metric", "holes <&>", f"loss={loss}", "--step", step,
                   "-q")
    return history


def dots(text):
    """The rows of a drawing, without axis and legend."""
    return [re.split("[┤│]", line, maxsplit=1)[1]
            for line in text.splitlines() if re.search("[┤│]", line)]


def lit(text):
    """{(column, row)} of braille dots that are set, two by four a cell."""
    found = set()
    for row, line in enumerate(dots(text)):
        for column, cell in enumerate(line):
            bits = ord(cell) - 0x2800 if cell != " " else 0
            for place, (x, y) in enumerate([
                    (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3),
                    (1, 3)]):
                if bits >> place & 1:
                    found.add((2 * column + x, 4 * row + y))
    return found


def test_a_straight_line_is_straight(runs):
    text = runs.ok("plot", "loss", "--run", "short", "--width", "50",
                   "--height", "10")
    found = lit(text)
    assert (0, 0) in found and (79, 39) in found
    assert {x for x, _ in found} == set(range(80))
    for x, y in found:
        assert abs(y - x * 39 / 79) <= 1
    lines = text.splitlines()
    assert len(lines) == 10 + 2 + 1 and max(map(len, lines)) <= 50
    assert lines[0].split()[0] == "2" and lines[9].split()[0] == "1"
    assert lines[11].split() == ["0", "5", "10"]
    assert "loss" in lines[12]


def test_every_value_is_drawn_where_it_belongs(runs):
    (row,) = runs.rows("plot", "val_loss", "--run", "digits")
    found = lit(runs.ok("plot", "val_loss", "--run", "digits", "--width",
                        "80"))
    values = [y for _, y in row["points"]]
    for step, value in row["points"]:
        x = round((step - 1) / 4 * 139)
        y = round((max(values) - value) / (max(values) - min(values)) * 79)
        assert any((x + i, y + k) in found for i in (-1, 0, 1)
                   for k in (-1, 0, 1))


def test_other_terminals(runs):
    plain = runs.ok("plot", "loss", env={"LANG": "C"})
    assert plain.isascii() and "+" in plain and "*" in plain
    assert "\x1b" not in plain
    marked = runs.ok("plot", "loss")
    assert not re.search("[\u2801-\u28ff]", marked)
    coloured = runs.ok("plot", "loss", "--color", "always")
    assert re.search("[\u2801-\u28ff]", coloured)
    assert len(set(re.findall("\x1b\\[3\\dm", coloured))) == 3
    assert max(map(len, runs.ok("plot", "loss", env={
        "COLUMNS": "40"}).splitlines()[:20])) <= 40
    screen = runs.terminal("plot", "val_loss", "--run", "digits").end()[1]
    assert "⠒⠒" in screen and "digits" in screen


def test_values_come_out_as_they_went_in(runs):
    stored = runs.rows("sql", "select run, key, step, value from metrics "
                              "where key = 'loss' order by run, step")
    rows = {row["run"]: row["points"] for row in runs.rows("plot", "loss")}
    assert {name: [[step, value] for step, value in points]
            for name, points in rows.items() if name != "holes <&>"} == {
        name: [[row["step"], row["value"]] for row in stored
               if row["run"] == name] for name in ("digits", "short")}
    text = runs.ok("plot", "loss", "val_loss", "--csv")
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == ["run", "metric", "step", "value"]
    assert len(table) == 5 + 5 + 2 + 5
    assert [row["value"] for row in table
            if row["run"] == "holes <&>"] == ["1", "nan", "3", "inf", "5"]


def test_svg(runs):
    runs.ok("plot", "loss", "--svg", "loss.svg")
    root = ElementTree.parse(runs.folder / "loss.svg").getroot()
    assert root.tag == SVG + "svg"
    text = (runs.folder / "loss.svg").read_text()
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"href|url\(|src=", text)
    assert {"digits", "short", "holes <&>"} <= {
        one.text for one in root.iter(SVG + "text")}
    curves = [one for one in root.iter(SVG + "path")
              if "curve" in one.get("class") and "h24" not in one.get("d")]
    # Two lines; three points alone between the holes.
    assert sorted(one.get("d").count("L") for one in curves) == [0, 0, 0, 1, 4]
    for one in curves:
        for x, y in re.findall(r"[ML]([\d.]+),([\d.]+)", one.get("d")):
            assert 70 <= float(x) <= 780 and 20 <= float(y) <= 400
    assert runs.ok("plot", "loss", "--svg", "-") == text
    runs.fails(1, "plot", "loss", "--svg", "no/such/folder.svg")
    assert [name for name in runs.names() if "svg" in name] == ["loss.svg"]


def test_a_metric_that_several_patterns_fit_is_one_curve(history):
    rows = history.rows("plot", "val_loss", "*loss", "val*")
    names = [row["metric"] for row in rows]
    assert len(names) == len(set(names)) > 1


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@pytest.mark.parametrize("values", [
    (0.3, 0.30000000000000004), (1e17, 1e17 + 16), (-7, -7.000000000000001)])
def test_values_that_differ_in_their_last_bits_are_drawn(store, values):
    for step, value in enumerate(values):
        store.ok("metric", "r", f"a={value!r}", "--step", step, "-q")
    store.ok("plot", "a", "--svg", "a.svg", preexec_fn=limited)
    root = ElementTree.parse(store.folder / "a.svg").getroot()
    (curve,) = [one for one in root.iter(SVG + "path")
                if "curve" in one.get("class") and "h24" not in one.get("d")]
    assert curve.get("d").count("L") == 1
    heights = {y for _, y in lit(store.ok("plot", "a"))}
    assert max(heights) - min(heights) <= 1


def test_a_long_curve_stays_small_and_keeps_its_peaks(store):
    lines = "".join(f'{{"run":"long","step":{n},"metrics":{{"a":'
                    f'{9 if n == 54321 else n % 2}}}}}\n'
                    for n in range(100000))
    store.ok("metric", "--stdin", input=lines)
    store.ok("plot", "a", "--svg", "a.svg")
    text = (store.folder / "a.svg").read_text()
    assert len(text) < 60000
    heights = [float(y) for y in re.findall(r"[ML][\d.]+,([\d.]+)", text)]
    assert min(heights) == pytest.approx(20)


def test_weights(history):
    stored = {row["sha256"]: row["l2"] for row in history.rows(
        "sql", "select sha256, l2 from tensor_stats")}
    (row,) = history.rows("plot", "--tensor", "conv1/kernel")
    changes = history.rows("history", "conv1/kernel")[::-1]
    assert row["layer"] == "conv1" and row["weight"] == "kernel"
    assert row["points"] == [[one["step"], stored[one["sha256"]]]
                             for one in changes]
    (row,) = history.rows("plot", "--tensor", "conv1/kernel", "--of",
                          "change")
    assert [y for _, y in row["points"]][1:] == pytest.approx(
        [abs(b["l2"] - a["l2"]) for a, b in zip(changes, changes[1:])])
    assert len(history.rows("plot", "--tensor", "*/kernel", "--of",
                            "nan")) > 1
    assert "conv1/kernel" in history.ok("plot", "--tensor", "conv1")


def test_what_cannot_be_drawn(runs):
    assert "'nosuch'" in runs.fails(4, "plot", "nosuch")
    runs.fails(4, "plot", "--tensor", "nosuch")
    runs.fails(2, "plot")
    runs.fails(2, "plot", "loss", "--tensor", "conv1")
    runs.fails(2, "plot", "loss", "--of", "norm")
    runs.ok("metric", "none", "x=nan", "--step", "1", "-q")
    assert "nothing" in runs.ok("plot", "x")
    assert runs.ok("plot", "x", "--svg", "-").endswith("</svg>\n")
    runs.ok("metric", "flat", "y=3", "--step", "1", "-q")
    assert len(lit(runs.ok("plot", "y"))) == 1
    runs.ok("plot", "loss", "--log", "--width", "0", "--height", "0")


CHANCE = numpy.random.default_rng(4)
ARRAYS = {
    "normal": CHANCE.normal(size=(300, 70)).astype("f4"),
    "half": CHANCE.normal(size=5000).astype("f2"),
    "large": CHANCE.normal(1e6, 1, size=4000),
    "whole": CHANCE.integers(-9, 9, size=999),
    "bytes": CHANCE.integers(0, 255, size=999).astype("u1"),
    "truth": CHANCE.integers(0, 2, size=99).astype(bool),
    "same": numpy.full(7, 3.25, "f4"),
    "none": numpy.zeros((0, 3), "f4"),
    "holes": numpy.float32([1, numpy.nan, 2, numpy.inf, 3, -numpy.inf, 4]),
    "nan": numpy.float32([numpy.nan] * 3),
    "edges": numpy.linspace(0, 1, 101),
    "million": CHANCE.normal(size=1 << 20).astype("f4"),
}


@pytest.mark.parametrize("bins", [1, 7, 20, 100])
def test_histograms_are_numpys(store, bins):
    numpy.savez(store.folder / "m.npz", **ARRAYS)
    store.ok("commit", "m.npz", "-q", "--no-alarms")
    rows = {row["name"]: row for row in store.rows(
        "show", "--histogram", "*", "--bins", bins)}
    assert set(rows) == set(ARRAYS)
    for name, array in ARRAYS.items():
        wide = array.astype("f8").ravel()
        counts, edges = numpy.histogram(wide[numpy.isfinite(wide)], bins)
        assert rows[name]["counts"] == counts.tolist(), name
        assert rows[name]["edges"] == pytest.approx(edges.tolist(),
                                                    rel=1e-15, abs=1e-15)
        assert rows[name]["nan"] == numpy.isnan(wide).sum()
        assert rows[name]["inf"] == numpy.isinf(wide).sum()


def test_a_histogram_for_people(store):
    store.ok("commit", epoch(1), "-q")
    lines = store.ok("show", "--histogram", "conv1", "--bins", "5"
                     ).splitlines()
    assert len(lines) == 6 and lines[0] == "conv1/conv1/kernel:0"
    assert max(line.count("#") for line in lines) == 50
    store.fails(4, "show", "--histogram", "nosuch")
    store.fails(2, "show", "--histogram", "*", "--bins", "0")
