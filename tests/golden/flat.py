"""What the scripts for safetensors and npz share: values, truths, modes.
common.py imports TensorFlow; these need NumPy and ml_dtypes alone."""
import filecmp
import hashlib
import json
import sys
import tempfile
import zlib
from pathlib import Path

import ml_dtypes
import numpy as np

sys.dont_write_bytecode = True


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def arrays(name, shape):
    """Values of this dtype that are the same on every machine."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name == "bool":
        return random.randint(0, 2, shape).astype(bool)
    whole = random.randint(0 if name.startswith("u") else -50, 50, shape)
    if "int" in name:
        return whole.astype(dtype_of(name))
    if name.startswith("complex"):
        return (whole / 4 + 1j * (whole - 3) / 8).astype(name)
    return (whole / 8).astype(np.float32).astype(dtype_of(name))


def truth(path, writer, canonical, tensors, reproducible=True):
    rows = []
    for key, array in tensors.items():
        plain = np.ascontiguousarray(array)
        if plain.dtype.byteorder == ">":
            plain = plain.astype(plain.dtype.newbyteorder("<"))
        rows.append({"key": key, "dtype": array.dtype.name,
                     "shape": list(array.shape),
                     "sha256": hashlib.sha256(plain.tobytes()).hexdigest()})
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    path.write_text(json.dumps({"writer": writer, "canonical": canonical,
                                "reproducible": reproducible}, indent=1)[:-2]
                    + f',\n "keys": [\n{lines}\n ]\n}}\n')


def run(make, folder):
    """make.py [OUT] writes into OUT or beside itself; --check compares."""
    if sys.argv[1:] != ["--check"]:
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else folder
        out.mkdir(parents=True, exist_ok=True)
        make(out)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        make(made)
        names = [path.relative_to(made) for path in made.rglob("*")
                 if path.is_file()]
        wrong = [name for name in names if not (folder / name).exists() or
                 not filecmp.cmp(made / name, folder / name, False)]
    print(f"{len(names) - len(wrong)} of {len(names)} files are as committed")
    return bool(wrong)
