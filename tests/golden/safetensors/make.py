#!/usr/bin/env python3
"""Golden files by the real safetensors: make.py [OUT], make.py --check."""
import json
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from flat import arrays, run, truth  # noqa: E402
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
import safetensors  # noqa: E402
from safetensors.numpy import save, save_file  # noqa: E402

FOLDER = Path(__file__).resolve().parent
WRITER = f"safetensors {safetensors.__version__}"
DTYPES = ["bool", "uint8", "int8", "int16", "uint16", "float16", "int32",
          "uint32", "float32", "float64", "int64", "uint64", "complex64",
          "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz",
          "float8_e5m2fnuz"]


def every_dtype():
    return {f"x.{name}": arrays(name, (2, 3)) for name in DTYPES}


def odd_values():
    return {"scalar": np.array(-0.0, np.float32),
            "empty": np.zeros((0, 4), np.float64),
            "hole": np.zeros((2, 0, 3), np.int8),
            "nan": np.array([0x7fc00001, 0xffc12345, 0x7f800001, 0x80000000,
                             0xff800000, 1], np.uint32).view(np.float32)}


def names():
    return {name: np.full(3, index, np.float32) for index, name in enumerate(
        ['quote"', "back\\slash", "tab\tline\n", "control\x01\x1f\x7f",
         "é/ü.\u2028", "\U0001f600", "model.layers.0.weight", "a", "a.b",
         "Zed", "."])}


def by_hand(entries, body, tail=""):
    header = json.dumps(entries) + tail
    return struct.pack("<Q", len(header)) + header.encode() + body


def cases():
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    later = dict(entry, data_offsets=[4, 8])
    yield "every-dtype", every_dtype(), save(every_dtype()), True
    yield "odd-values", odd_values(), save(odd_values()), True
    yield "names", names(), save(names()), True
    yield "metadata", {"w": arrays("float32", 2)}, save(
        {"w": arrays("float32", 2)}, metadata={"format": "pt"}), True
    yield "no-tensors", {}, save({}), True
    pair = {"b": np.float32([1]), "a": np.float32([2])}
    bytes_of = pair["b"].tobytes() + pair["a"].tobytes()
    yield "hand-order", pair, by_hand({"b": entry, "a": later},
                                      bytes_of), False
    yield "hand-reversed", pair, by_hand(
        {"a": later, "b": entry}, bytes_of, "   \n"), False
    yield "hand-metadata", pair, by_hand(
        {"__metadata__": {"z": "1", "a": "\u00e9", "e": ""}, "b": entry,
         "a": dict(later, unknown=[1.5, None])}, bytes_of), False


def shards(out):
    """As transformers' save_pretrained names and indexes them."""
    parts = [{"one.weight": arrays("float32", (4, 2))},
             {"one.bias": arrays("float32", 4),
              "two.weight": arrays("float16", (3, 3))}]
    folder = out / "sharded"
    folder.mkdir(parents=True, exist_ok=True)
    index = {"metadata": {"total_size": sum(
        array.nbytes for part in parts for array in part.values())},
        "weight_map": {}}
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        save_file(part, folder / name, metadata={"format": "pt"})
        index["weight_map"].update(dict.fromkeys(part, name))
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    (folder / "model.safetensors.index.json").write_text(text)
    truth(out / "sharded.json", WRITER + ", index by make.py", False,
          {name: array for part in parts for name, array in part.items()})


def make(out):
    for name, tensors, data, canonical in cases():
        (out / f"{name}.safetensors").write_bytes(data)
        truth(out / f"{name}.json",
              "make.py" if name.startswith("hand-") else WRITER, canonical,
              tensors)
    shards(out)


if __name__ == "__main__":
    sys.exit(run(make, FOLDER))
