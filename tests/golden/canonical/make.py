#!/usr/bin/env python3
"""Canonical texts with every field, every escape and empty values, and their
SHA-256 (SHA256SUMS): make.py [OUT]. `make.py --check` compares with what is
here.

Written from store/README.md, "Canonical texts", and by hand where it could
be: this script shares nothing with the C code. tests/unit/store/
test_canonical.c builds the same models and must come to the same bytes.
"""
import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNT = bytes(range(32)).hex()
ONES = "ff" * 32
ZERO = "00" * 32


def lines(*text):
    return "".join(line + "\n" for line in text).encode()


TEXTS = {
    # Escapes: backslash, LF, CR, tab, 0x01, DEL; e-acute stays.
    "layer-full": lines(
        "weighhouse layer 1",
        r"name h\\i\nd\rd\x09e\x01n\x7f" + "\u00e9",
        r"class My\\Dense",
        "kind layer",
        "variable hidden/kernel:0",
        "key hidden/hidden/kernel:0",
        "path cell/kernel",
        "keras3 layers/dense/vars/0",
        "role weight",
        "trainable yes",
        f"tensor float32 [2,3] {COUNT}",
        "variable",
        "key it",
        "path",
        "keras3",
        "role optimizer",
        f"tensor int64 [] {ONES}",
        "variable  two blanks  ",
        "key s",
        "role other",
        "trainable no",
        f"tensor string [0,18446744073709551615] {ZERO}"),
    "layer-bare": lines(
        "weighhouse layer 1",
        "name drop",
        "kind layer"),
    "layer-model": lines(
        "weighhouse layer 1",
        "name",
        "class",
        "kind model"),
    "layer-optimizer": lines(
        "weighhouse layer 1",
        "name optimizer",
        "kind optimizer"),
    "layer-state": lines(
        "weighhouse layer 1",
        "name state",
        "kind state"),
    "tree-full": lines(
        "weighhouse tree 1",
        f"graph {COUNT}",
        f"attributes {ONES}",
        f"layer {ZERO}",
        f"layer {COUNT} in 0",
        f"layer {ONES} in 1"),
    "tree-bare": lines(
        "weighhouse tree 1"),
    "snapshot-full": lines(
        "weighhouse snapshot 1",
        f"tree {COUNT}",
        f"parent {ONES}",
        f"template h5 {ZERO}",
        "time 1700000000",
        "run 01234567-89ab-4cde-8f01-23456789abcd",
        "step -7",
        "epoch 9223372036854775807",
        r"origin h5 keras 2.21.0\n\\",
        "",
        "two lines,",
        r" one of them with \\, \x09, \r and " + "\u00e9",
        "",
        "and an empty one"),
    "snapshot-bare": lines(
        "weighhouse snapshot 1",
        f"tree {ZERO}",
        "time -1",
        "run r",
        ""),
    "snapshot-memory": lines(
        "weighhouse snapshot 1",
        f"tree {ZERO}",
        "time 0",
        "run r",
        "step 0",
        "epoch 0",
        "origin memory",
        "",
        "m"),
    "graph": lines(
        "weighhouse graph 1",
        "count 3",
        "node 2",
        "edge 1\tlayer_with_weights-0",
        "edge 0\troot",
        r"value 0" + "\tVARIABLE_VALUE\t" + r"a\\b" + "\tw/.ATTRIBUTES/V",
        "value 1\tX\t\tk",
        "slot 1\t2\tm",
        "node 0",
        "saver TPUEmbedding\tobj",
        "node 1"),
    "attributes": lines(
        "weighhouse attributes 1",
        "count 4",
        "text \tkeras_version\t2.21.0",
        r"text model_weights" + "\tnote\t" + r"a\x09b\nc\\",
        "integer \tn\t-9223372036854775808",
        r"bytes p" + "\tk\t" + r"\x00" + "\u00e9"),
    "template": lines(
        "weighhouse template 1",
        "files 2",
        "format tf",
        f"skeleton {COUNT}",
        "file 20\textents\t3\t.data",
        "extent 4\t-\t0\t0\t0\t0",
        "extent 8\t1\t0\t0\t0\t4",
        "extent 8\t0\t4\t2\t4\t0",
        "file 99\tcanonical\t0\t.index"),
}


def files():
    sums = []
    for name, text in sorted(TEXTS.items()):
        yield f"{name}.txt", text
        sums.append(f"{hashlib.sha256(text).hexdigest()}  {name}.txt")
    yield "SHA256SUMS", lines(*sums)


def main():
    if sys.argv[1:] == ["--check"]:
        different = [name for name, text in files()
                     if (HERE / name).read_bytes() != text]
        sys.exit(f"differ: {different}" if different else 0)
    out = Path(sys.argv[1]) if sys.argv[1:] else HERE
    for name, text in files():
        (out / name).write_bytes(text)


if __name__ == "__main__":
    main()
