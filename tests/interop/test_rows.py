"""README.md's tables name a test for each fact of a format: every name is
there, every row has one, and no row is missing."""
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<rows>[\d., –]+) \| [^|]+ \| (?P<tests>.+) \|$",
                 re.MULTILINE)
TEXT = Path(__file__).with_name("README.md").read_text()
# First and last row of each section.
SECTIONS = {"HDF5": (1, 68), "TF 12": (1, 34), "TF 13": (1, 12),
            "TF 14": (1, 23), "TF 15": (1, 32)}


def section(title):
    return re.split(r"^## ", TEXT, flags=re.M)[
        1 + list(SECTIONS).index(title)]


def numbers(text):
    for part in re.findall(r"\d+(?:–\d+)?", text):
        first, _, last = part.partition("–")
        yield from range(int(first), int(last or first) + 1)


@pytest.mark.parametrize("title", SECTIONS)
def test_every_row_is_there(title):
    first, last = SECTIONS[title]
    assert section(title).startswith(title + ":")
    rows = [number for match in ROW.finditer(section(title))
            for number in numbers(match["rows"])]
    assert rows == list(range(first, last + 1))


def names():
    for match in ROW.finditer(TEXT):
        yield from re.findall(r"`([^`]+)`", match["tests"])


@pytest.mark.parametrize("name", sorted(set(names())))
def test_every_test_that_is_named_is_there(name):
    path, function, case = re.fullmatch(
        r"(\S+)::(\w+)(?:\[(.+)\])?", name).groups()
    path = TESTS / path if "/" in path else Path(__file__).with_name(path)
    text = path.read_text()
    assert re.search(rf"^(?:def|static void) {function}\(", text, re.M)
    if case and path.suffix == ".py":
        others = [path.with_name(f"{module}.py").read_text() for module in
                  re.findall(r"^(?:from|import) (crafted_\w+|zoo)", text,
                             re.M)]
        assert any(f'"{case}"' in there or
                   re.search(rf"^def {case.replace('-', '_')}\(", there, re.M)
                   for there in [text, *others])
