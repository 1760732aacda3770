"""A folder's README.md names what is in the folder, and nothing that isn't."""
import fnmatch
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
FILES = subprocess.run(["git", "-C", TOP, "ls-files"], check=True,
                       capture_output=True, text=True).stdout.splitlines()
READMES = [name for name in FILES if name.endswith("/README.md")]
# What every folder of its kind has, and what is made.
PLAIN = {"README.md", "FORMAT.md", "meson.build", "requirements.txt",
         "conftest.py"}
MADE = {"late_hdf5.h", "pan.c"}
# Words that stand for any file of a kind.
EXAMPLES = {"NNNN_name.sql", "NAME.c", "cmd_<verb>.c"}


def words(text):
    """File names and patterns, with `{x,y}` each; in backticks also names
    without a suffix."""
    found = set()
    for word in (re.findall(r"[\w.*<>{},/-]*\.[\w{},*]+", text)
                 + re.findall(r"`([\w./-]+)[^`]*`", text)):
        group = re.search(r"\{([^}]*)\}", word)
        for part in group[1].split(",") if group else [""]:
            found.add(word.replace(group[0], part) if group else word)
    return found


def is_named(name, folder, named):
    """By itself or a pattern, a header by its C file and the reverse, a C file
    without its suffix; behind a path only if that is of this folder."""
    stem, _, suffix = name.rpartition(".")
    twins = [name, f"{stem}.c", f"{stem}.h", stem] if suffix in "ch" else [name]
    patterns = {re.sub(r"<\w+>", "*", word.rpartition("/")[2])
                for word in named if "/" not in word
                or f"/{folder}".endswith("/" + word.rpartition("/")[0])}
    return any(fnmatch.fnmatch(twin, pattern) for pattern in patterns
               for twin in twins)


@pytest.mark.parametrize("readme", READMES)
def test_it_names_the_files_of_its_folder(readme):
    folder = readme.rpartition("/")[0]
    named = words((TOP / readme).read_text())
    here = {name[len(folder) + 1:] for name in FILES
            if name.startswith(folder + "/")}
    missing = sorted(name for name in here
                     if "/" not in name and name not in PLAIN
                     and not is_named(name, folder, named))
    assert not missing


@pytest.mark.parametrize("readme", READMES)
def test_what_it_names_is_there(readme):
    folder = (TOP / readme).parent
    gone = []
    for name in words((TOP / readme).read_text()):
        if not re.fullmatch(r"[\w./-]+\.(c|h|py|sql|names)", name):
            continue
        if name in MADE or Path(name).name in EXAMPLES:
            continue
        if not any(other == name or other.endswith("/" + name)
                   for other in FILES) and not (folder / name).exists():
            gone.append(name)
    assert not gone
