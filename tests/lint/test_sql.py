"""SQL discipline: what stands in sql/ is used, explained, and dumped."""
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))
import dump_schema  # noqa: E402

QUERIES = sorted((TOP / "sql/queries").glob("*.sql"))
C_TEXT = "\n".join(path.read_text() for path in (TOP / "store").rglob("*.c"))
NAMED = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)((?:(?!^-- name:).*\n?)*)",
                   re.M)


def statements():
    for path in QUERIES:
        for name, comment, body in NAMED.findall(path.read_text()):
            yield pytest.param(comment, body, f"STMT_{name.upper()}", id=name)


def numbers(text):
    """Of the parameters that a text names: `?1`, or a range `?3..?6`."""
    found = {int(n) for n in re.findall(r"\?(\d+)", text)}
    for first, last in re.findall(r"\?(\d+)\.\.\?(\d+)", text):
        found |= set(range(int(first), int(last) + 1))
    return found


@pytest.mark.parametrize("comment, body, constant", list(statements()))
def test_a_statement_is_used_and_its_parameters_explained(comment, body,
                                                          constant):
    assert re.search(rf"\b{constant}\b", C_TEXT), "no C file uses it"
    assert numbers(comment) == numbers(body)


def test_a_table_is_strict_and_a_migration_is_built():
    build = (TOP / "store/meson.build").read_text()
    for path in (TOP / "sql/migrations").glob("*.sql"):
        assert f"'../sql/migrations/{path.name}'" in build
        for end in re.findall(r"^CREATE TABLE \w+ \(.*?^\)([^;]*);",
                              path.read_text(), re.M | re.S):
            assert "STRICT" in end


def test_schema_sql_is_what_the_migrations_give():
    _, dumped = dump_schema.dump(dump_schema.migrated())
    stored = (TOP / "sql/schema.sql").read_text()
    assert stored.split("\n\n", 1)[1] == dumped, \
        "run tools/dump_schema.py > sql/schema.sql"


def test_a_fresh_store_has_the_schema_of_schema_sql(tmp_path):
    store = tmp_path / "fresh.wh"
    subprocess.run([os.environ["WH_BIN"], "--store", store, "init"],
                   check=True, capture_output=True)
    version, dumped = dump_schema.dump(sqlite3.connect(store))
    assert version == len(list((TOP / "sql/migrations").glob("*.sql")))
    assert (TOP / "sql/schema.sql").read_text().split("\n\n", 1)[1] == dumped
