#!/usr/bin/env python3
"""Prints the schema that sql/'s migrations and views give, for sql/schema.sql:

    tools/dump_schema.py > sql/schema.sql

or, with a STORE, the schema of that file.
"""
import re
import sqlite3
import sys
from pathlib import Path

SQL = Path(__file__).resolve().parent.parent / "sql"
KINDS = ("table", "index", "trigger", "view")


def migrated():
    """A database in memory that has seen all migrations."""
    database = sqlite3.connect(":memory:")
    for path in sorted(SQL.glob("migrations/*.sql")):
        database.executescript(path.read_text())
    views = re.sub(r"^--.*\n", "", (SQL / "views.sql").read_text(), flags=re.M)
    database.executescript(views)
    return database


def dump(database):
    """Tables, indexes, triggers and views, each kind by name. What SQLite
    makes by itself has no text."""
    rows = database.execute(
        "SELECT type, sql FROM sqlite_schema WHERE sql IS NOT NULL "
        "ORDER BY name").fetchall()
    version = database.execute("PRAGMA user_version").fetchone()[0]
    texts = [sql for kind in KINDS for type_, sql in rows if type_ == kind]
    return version, "\n\n".join(f"{text};" for text in texts) + "\n"


def main():
    if len(sys.argv) > 1:
        database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    else:
        database = migrated()
    sys.stdout.write("-- Made by tools/dump_schema.py: the schema that all "
                     "migrations give.\n\n" + dump(database)[1])


if __name__ == "__main__":
    main()
