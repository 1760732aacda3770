#!/usr/bin/env python3
"""Golden files by the real NumPy: make.py [OUT], make.py --check."""
import io
import struct
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from flat import arrays, run, truth  # noqa: E402
import numpy as np  # noqa: E402
from numpy.lib import format as npy  # noqa: E402

FOLDER = Path(__file__).resolve().parent
WRITER = f"numpy {np.__version__}"
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32",
          "int64", "uint64", "float16", "float32", "float64", "complex64",
          "complex128"]


def every_dtype():
    return {f"x/{name}": arrays(name, (2, 3)) for name in DTYPES}


def odd_values():
    return {"scalar": np.array(-0.0, np.float32),
            "empty": np.zeros((0, 4), np.float64),
            "hole": np.zeros((2, 0, 3), np.int8),
            "nan": np.array([0x7fc00001, 0xffc12345, 0x7f800001, 0x80000000,
                             0xff800000, 1], np.uint32).view(np.float32),
            "long": np.zeros((1,) * 32, np.uint8)}


def names():
    return {name: np.full(3, index, np.float32) for index, name in
            enumerate(["Zed", "a", "a/b", "é", "x.npy", "with blank"])}


def orders():
    whole = arrays("float32", (5, 4, 3))
    return {"c": whole, "fortran": np.asfortranarray(whole),
            "fortran-2": np.asfortranarray(arrays("int16", (7, 300))),
            "fortran-1": np.asfortranarray(arrays("int16", (1, 9, 1)))}


def big_endian():
    return {name: arrays(name, (3, 2)).astype(
        np.dtype(name).newbyteorder(">")) for name in
        ("float32", "float64", "int16", "complex64", "float16")}


def saved(save, tensors):
    out = io.BytesIO()
    save(out, **tensors)
    return out.getvalue()


def one(array, version=None):
    out = io.BytesIO()
    npy.write_array(out, array, version)
    return out.getvalue()


def aligned(tensors):
    """As writers that align payloads do: an extra field, another time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"by hand"
        for name, array in tensors.items():
            info = zipfile.ZipInfo(name + ".npy", (2001, 2, 3, 4, 5, 6))
            info.extra = struct.pack("<HH6x", 0x7777, 6)
            archive.writestr(info, one(array))
    return out.getvalue()


def make(out):
    for name, tensors in (("every-dtype", every_dtype()),
                          ("odd-values", odd_values()), ("names", names()),
                          ("no-arrays", {})):
        (out / f"{name}.npz").write_bytes(saved(np.savez, tensors))
        # Layers list those of "names" in another order: it takes a template.
        truth(out / f"{name}.json", WRITER, name != "names", tensors)
    for name, tensors, data, kept in (
            ("deflated", every_dtype(),
             saved(np.savez_compressed, every_dtype()), False),
            ("deflated-orders", orders(),
             saved(np.savez_compressed, orders()), False),
            ("orders", orders(), saved(np.savez, orders()), False),
            ("big-endian", big_endian(), saved(np.savez, big_endian()), True),
            ("hand-aligned", names(), aligned(names()), True)):
        (out / f"{name}.npz").write_bytes(data)
        truth(out / f"{name}.json",
              "make.py" if name.startswith("hand-") else WRITER, False,
              tensors, kept)
    array = arrays("float64", (4, 3))
    for name, lone, data, canonical, kept in (
            ("lone", array, one(array), True, True),
            ("lone-2.0", array, one(array, (2, 0)), False, True),
            ("lone-3.0", array, one(array, (3, 0)), False, True),
            ("lone-fortran", np.asfortranarray(array),
             one(np.asfortranarray(array)), False, False),
            ("lone-big-endian", array.astype(">f8"),
             one(array.astype(">f8")), False, True)):
        (out / f"{name}.npy").write_bytes(data)
        truth(out / f"{name}.json", WRITER, canonical, {"arr_0": lone}, kept)


if __name__ == "__main__":
    sys.exit(run(make, FOLDER))
