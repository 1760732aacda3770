#!/usr/bin/env python3
"""Turns the SQL files into C: embed_sql.py OUT.h OUT.c FILE...

queries/*.sql hold statements, each after a line `-- name: chunk_insert`; they
become `enum statement` (STMT_CHUNK_INSERT) and statement_texts[]. Migrations,
views and checks become texts: migrations[] in the order of their numbers,
view_texts[] and check_texts[] a statement each.
"""
import re
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
        "extern const struct sql_text check_texts[];\n\n#endif\n")

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
        + table("view_texts", views) + table("check_texts", checks)
        + "const char *const migrations[] = {\n"
        + "".join(f"{quoted(text)},\n" for text in migrations)
        + "\t0,\n};\n")


main()
