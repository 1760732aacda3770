#!/usr/bin/env python3
"""Turns a list of names into C: late_library.py SONAME LIST OUT.h OUT.c.

The list (late_hdf5.names) has the library's own headers, as #include lines,
and then a line for each function and variable of it that is used. OUT.h makes
these names mean what late_load (store/base/late.h) finds in SONAME. Where
SONAME is "linked" they stay the linker's affair.
"""
import sys
from pathlib import Path


def read(path):
    """(#include lines, names)"""
    lines = [line.strip() for line in Path(path).read_text().splitlines()]
    includes = [line for line in lines if line.startswith("#include")]
    return includes, [line for line in lines
                      if line and not line.startswith("#")]


def header(library, includes, names):
    declared = "".join(f"""
extern __typeof__({name}) *late_{name};
#undef {name}
#define {name} (*late_{name})
""" for name in names)
    guard = f"WH_{library.upper()}_H"
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", "",
                      '#include "base/late.h"', *includes, "",
                      f"extern struct late_library {library};",
                      declared, "#endif", ""])


def source(library, soname, include, names):
    pointers = "".join(f"__typeof__(late_{name}) late_{name};\n"
                       for name in names)
    rows = "".join(f'\t{{"{name}", &late_{name}}},\n' for name in names)
    name = "NULL" if soname == "linked" else f'"{soname}"'
    return f"""#include "{include}"

{pointers}
static const struct late_symbol symbols[] = {{
{rows}\t{{NULL, NULL}},
}};

struct late_library {library} = {{.soname = {name}, .symbols = symbols}};
"""


def main():
    soname, path, out_h, out_c = sys.argv[1:]
    includes, names = read(path)
    if soname == "linked":
        names = []
    library = Path(path).stem
    Path(out_h).write_text(header(library, includes, names))
    Path(out_c).write_text(source(library, soname, Path(out_h).name, names))


if __name__ == "__main__":
    main()
