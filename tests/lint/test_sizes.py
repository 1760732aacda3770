"""Sizes of functions and files, and what files hold (STYLE)."""
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
MAX_FUNCTION, MAX_FILE = 80, 800


def tracked(*suffixes):
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-z"],
                            capture_output=True, check=True).stdout
    paths = [TOP / name.decode() for name in listed.split(b"\0") if name]
    return sorted(path for path in paths
                  if path.suffix in suffixes and path.exists())


SOURCES = tracked(".c", ".h")


def functions(text):
    """(first line, lines) of each body: style puts its braces in column 0."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            yield start, number - start
            start = None


def name_of(path):
    return path.relative_to(TOP).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_function_is_over_80_lines(path):
    long = [(start, size) for start, size in functions(path.read_text())
            if size > MAX_FUNCTION]
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_over_800_lines(path):
    assert len(path.read_text().splitlines()) <= MAX_FILE


def test_nine_functions_in_ten_are_at_most_45_lines():
    sizes = sorted(size for path in SOURCES
                   if not name_of(path).startswith("tests/")
                   for _, size in functions(path.read_text()))
    assert sizes[len(sizes) * 9 // 10] <= 45


@pytest.mark.parametrize("path", tracked(".c", ".h", ".py", ".sql", ".md",
                                         ".build", ".proto"), ids=name_of)
def test_text_is_clean(path):
    text = path.read_text()
    assert text.endswith("\n") or not text
    assert "\r" not in text
    assert not re.search(r"[ \t]+$", text, re.M), "blanks at a line's end"
    # Built from parts, so that this file passes its own test.
    assert not re.search(r"/(?:work|root|tmp/build)" + "/", text)


def test_the_top_level_is_as_the_architecture_says():
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-z"],
                            capture_output=True, check=True).stdout
    tops = {name.split(b"/")[0].decode()
            for name in listed.split(b"\0") if name}
    assert tops <= {"store", "exporters", "sql", "tests", "tools",
                    "meson.build", "meson_options.txt", "README.md",
                    "LICENSE", "CHANGELOG.md", ".ci", ".clang-format",
                    ".clang-tidy", ".editorconfig", ".github",
                    ".gitignore"}
