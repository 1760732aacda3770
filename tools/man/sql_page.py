#!/usr/bin/env python3
"""Prints weighhouse-sql.7 from sql/QUESTIONS.md: views, columns, questions.

The macros are man(7)'s, as in man_page.c.
"""
import re
import sys
from pathlib import Path

PAGE_DATE = "2026-11-25"  # of the last change to the texts below

HEAD = """.TH WEIGHHOUSE\\-SQL 7 {date} "weighhouse {version}"
.SH NAME
weighhouse\\-sql \\- the views of a store, for SQL
.SH SYNOPSIS
.nf
\\fBwh sql\\fR [\\fB\\-\\-csv\\fR | \\fB\\-\\-json\\fR] [\\fB\\-\\-timeout\\fR \\fISECONDS\\fR] \\fIQUERY\\fR
\\fBsqlite3 \\-readonly\\fR weights.wh \\fIQUERY\\fR
.fi
.SH DESCRIPTION
"""
DESCRIPTION = [
    "A store is an SQLite file. These views are what to ask it by, with wh or "
    "with any other SQLite; their names and columns are a promise, those of "
    "the tables below them are not.",
    "wh sql runs one query that reads. It ends after 60 seconds, or after "
    "--timeout; a result of more than 1 GiB is refused. The result is complete "
    "before its first row is printed, so a pager that waits holds up nobody.",
    "Rows are printed with tabs between the cells; with --csv as RFC 4180 has "
    "it; with --json as an object a row. Blobs are hex digits. JSON has no "
    "infinities: inf and -inf are null there, as NaN, which SQLite itself "
    "holds as NULL, is everywhere.",
    "Times are seconds since 1970, UTC. Ids and digests are lower-case hex.",
]
AFTER = [
    ("NOTES", [
        "A program that only reads may open the file while others write. "
        "Without -readonly, plain sqlite3 may hold writers up; tables whose "
        "names begin with user_ are yours to add, and wh leaves them alone.",
    ]),
    ("SEE ALSO", ["wh(1), sqlite3(1)"]),
]


def literal(text):
    """As roff takes it: what has a meaning there is spelled out."""
    text = text.replace("\\", "\\e")
    for char, name in (("-", "\\-"), ("'", "\\(aq"), ("~", "\\(ti"),
                       ("^", "\\(ha"), ("`", "\\(ga")):
        text = text.replace(char, name)
    return "\\&" + text if text.startswith(".") else text


def print_views(questions):
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", questions, re.M)
    for name, what, columns in rows:
        words = ", ".join(f"\\%{column}" for column in columns.split(", "))
        print(f".TP\n\\fB{name}\\fR\n{literal(what)}.\n.br\n"
              f"Columns: {words}.")


def print_questions(questions):
    found = re.findall(r"^\d+\. ([^\n]+)\n\n```sql\n(.*?)```", questions,
                       re.M | re.S)
    for number, (title, query) in enumerate(found):
        if number:
            print(".PP")
        print(f"{literal(title)}\n.PP\n.RS 4\n.nf")
        for line in query.rstrip().split("\n"):
            print(literal(line))
        print(".fi\n.RE")


def main():
    questions = Path(sys.argv[1]).read_text()
    print(HEAD.format(date=PAGE_DATE, version=sys.argv[2]), end="")
    print("\n.PP\n".join(literal(text) for text in DESCRIPTION))
    print(".SH VIEWS")
    print_views(questions)
    print(".SH QUESTIONS")
    print_questions(questions)
    for title, paragraphs in AFTER:
        print(f".SH {title}")
        print("\n.PP\n".join(literal(text) for text in paragraphs))


main()
