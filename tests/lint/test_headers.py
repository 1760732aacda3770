"""The library from outside: public headers alone, exported names."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["WH_BUILD"])
INCLUDES = ["-I", TOP / "store/include", "-I", TOP / "exporters/include"]
HEADERS = sorted((*(TOP / "store/include").rglob("*.h"),
                  *(TOP / "exporters/include").rglob("*.h")))


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
@pytest.mark.parametrize("compiler, language, standard",
                         [("cc", "c", "c11"), ("g++", "c++", "c++17")])
def test_each_public_header_compiles_alone(header, compiler, language,
                                           standard):
    if not shutil.which(compiler):
        pytest.fail(f"{compiler} is not installed")
    done = subprocess.run(
        [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra",
         "-Wpedantic", "-Werror", "-fsyntax-only", *INCLUDES, "-"],
        input=f"#include <weighhouse/{header.name}>\n", text=True,
        capture_output=True)
    assert done.returncode == 0, done.stderr


def exported():
    library = BUILD / "libweighhouse.so"
    listed = subprocess.run(["nm", "-D", "--defined-only", library],
                            capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in listed.splitlines()}


def declared():
    text = "".join(path.read_text() for path in HEADERS)
    return set(re.findall(r"WH_API\b[^;{]*?\b(wh_\w+)\s*\(", text))


def test_only_public_names_are_exported():
    assert {name for name in exported() if not name.startswith("wh_")} == set()


def test_what_headers_promise_is_there():
    assert declared() - exported() == set()


def test_what_is_exported_is_in_a_header():
    assert exported() - declared() == set()
