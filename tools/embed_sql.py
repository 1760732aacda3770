#!/usr/bin/env python3
"""Turns the SQL files into C: embed_sql.py OUT.h OUT.c FILE...

queries/*.sql hold statements, each after a line `-- name: chunk_insert`; they
become `enum statement` (STMT_CHUNK_INSERT) and statement_texts[]. Migrations,
views and checks become texts: migrations[] in the order of their numbers,
view_texts[] and check_texts[] a statement each. What sqlite_schema holds after
each migration becomes schemas[], and its views schema_views[].
"""
import re
import sqlite3
import sys
from pathlib import Path


def quoted(text):
    """A C string literal, a line of SQL a line."""
    lines = [line.replace("\\", "\\\\").replace('"', '\\"')
             for line in text.strip().splitlines()]
    return "\n".join(f'\t"{line}\\n"' for line in lines)


def named(path):
    """(name, statement) of a query file; comments go."""
    pieces = re.split(r"^-- name: (\w+)\n", path.read_text(), flags=re.M)
    for name, body in zip(pieces[1::2], pieces[2::2]):
        text = re.sub(r"--[^\n]*", "", body).strip()
        if not text.endswith(";") or ";" in text[:-1]:
            sys.exit(f"{path}: {name} is not one statement")
        yield name, re.sub(r"\n\s*\n", "\n", text[:-1])


def literal(text):
    """A C string literal of exactly this text, a line a line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(f'\t"{line}"' for line in
                     escaped.replace("\n", "\\n\n").split("\n"))


def rows_of(database, condition, order):
    """Rows of sqlite_schema as initializers."""
    found = database.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema "
        f"WHERE {condition} ORDER BY {order}").fetchall()
    return len(found), "".join(
        f'\t{{"{kind}", "{name}",\n{literal(text)}}},\n'
        for kind, name, text in found)


def schema_tables(migrations, views):
    """The C tables schemas[] and schema_views[]."""
    database = sqlite3.connect(":memory:")
    out, entries = "", ""
    for version, text in enumerate(migrations, 1):
        database.executescript(text)
        count, rows = rows_of(database, "type <> 'view'", "type, name")
        out += (f"static const struct schema_row schema_{version}[] = "
                f"{{\n{rows}}};\n")
        entries += f"\t{{schema_{version}, {count}}},\n"
    for _, text in views:
        database.execute(text)
    _, rows = rows_of(database, "type = 'view'", "rowid")
    return (f"{out}const struct schema schemas[] = {{\n{entries}}};\n"
            f"const struct schema_row schema_views[] = {{\n{rows}}};\n")


def main():
    header, source, *files = map(Path, sys.argv[1:])
    files.sort()
    queries = [item for path in files if path.parent.name == "queries"
               for item in named(path)]
    names = [name for name, _ in queries]
    if len(set(names)) != len(names):
        sys.exit("a statement's name stands twice")
    migrations = [path.read_text() for path in files
                  if path.parent.name == "migrations"]
    views = [item for path in files if path.name == "views.sql"
             for item in named(path)]
    checks = [item for path in files if path.name == "checks.sql"
              for item in named(path)]

    header.write_text(
        "/* Made by tools/embed_sql.py from sql/. */\n"
        "#ifndef WH_SQL_TEXTS_H\n#define WH_SQL_TEXTS_H\n\n"
        "enum statement {\n"
        + "".join(f"\tSTMT_{name.upper()},\n" for name in names)
        + "\tN_STATEMENTS\n};\n\n"
        f"#define N_MIGRATIONS {len(migrations)}\n"
        f"#define N_VIEWS {len(views)}\n#define N_CHECKS {len(checks)}\n\n"
        "struct sql_text {\n\tconst char *name, *text;\n};\n\n"
        "extern const struct sql_text statement_texts[];\n"
        "extern const char *const migrations[];\n"
        "extern const struct sql_text view_texts[];\n"
        "extern const struct sql_text check_texts[];\n\n"
        "struct schema_row {\n\tconst char *type, *name, *text;\n};\n"
        "struct schema {\n\tconst struct schema_row *rows;\n\tint n;\n};\n"
        "extern const struct schema schemas[]; /* [user_version - 1] */\n"
        "extern const struct schema_row schema_views[];\n\n#endif\n")

    def table(name, items):
        rows = "".join(f'\t{{"{key}",\n{quoted(text)}}},\n'
                       for key, text in items)
        return (f"const struct sql_text {name}[] = {{\n{rows}"
                "\t{0, 0},\n};\n")

    source.write_text(
        f'#include "{header.name}"\n\n'
        # A migration is one text, longer than ISO C's 4095 bytes.
        '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n'
        + table("statement_texts", queries)
        + schema_tables(migrations, views)
        + table("view_texts", views) + table("check_texts", checks)
        + "const char *const migrations[] = {\n"
        + "".join(f"{quoted(text)},\n" for text in migrations)
        + "\t0,\n};\n")


main()
