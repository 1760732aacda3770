"""The README's table of dtypes: every cell of it, from a checkpoint that
TensorFlow wrote."""
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

README = (Path(__file__).parents[2] / "README.md").read_text()
TABLE = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in
         re.search(r"^\| dtype \|.*?\n\n", README, re.M | re.S)[0].splitlines()]
FORMATS = {"safetensors": "a.safetensors", "npz": "a.npz", "h5": "a.h5"}
ROWS = {
    "bool, int8": ["bool", "int8", "int16", "int32", "int64", "uint8",
                   "uint16", "uint32", "uint64", "float16", "float32",
                   "float64", "complex64"],
    "complex128": ["complex128"], "bfloat16": ["bfloat16"],
    "float8_e5m2": ["float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz",
                    "float8_e5m2fnuz"],
    "float8_e4m3b11fnuz": ["float8_e4m3b11fnuz", "float4_e2m1fn"],
    "int4, int2": ["int4", "int2", "qint8", "uint4", "uint2", "quint8"],
    "string": ["string"],
}


def cells():
    head = [cell.strip("`") for cell in TABLE[0]]
    for label, names in ROWS.items():
        row = next(row for row in TABLE if row[0].startswith(label))
        for name in names:
            for format in FORMATS:
                yield pytest.param(name, format, row[head.index(format)],
                                   id=f"{name}-{format}")


def write(wh, name):
    dtype = tf.as_dtype(name) if name != "float4_e2m1fn" else tf.as_dtype(33)
    if name == "string":
        value = tf.constant(["a", "bc"])
    elif dtype.is_quantized:
        value = tf.bitcast(tf.constant([1, 0, 1], name[1:]), dtype)
    else:
        value = tf.constant(np.array([1, 0, 1]).astype(dtype.as_numpy_dtype))
    tf.raw_ops.SaveV2(prefix=str(wh.folder / "theirs"), tensor_names=["x/y"],
                      shape_and_slices=[""], tensors=[value])


@pytest.mark.parametrize("name, format, cell", cells())
def test_each_cell_is_true(name, format, cell, wh):
    write(wh, name)
    target = FORMATS[format]
    casts = re.findall(r"--cast (\w+)|; `(\w+)`", cell)
    casts = [one or other for one, other in casts]
    if cell == "no":
        assert name in wh.refused("convert", "theirs", target)
    elif casts:
        cast = casts[-1 if name.lstrip("q").startswith("u") else 0]
        assert name in wh.refused("convert", "theirs", target)
        wh("convert", "theirs", target, "--cast", cast)
    else:
        assert cell.startswith(("yes", "as float32"))
        wh("convert", "theirs", target)
    assert (wh.folder / target).exists() == (cell != "no")
