"""More than 4 GiB: offsets of 64 bits, little memory, no temporary files."""
import hashlib
import json
import os
import struct
import subprocess
import sys

import numpy as np

from conftest import WH

N, SIZE = 9, 500 << 20  # zeros, which the store has once
LAST = 1 << 20
MEMORY = 32 << 20  # what a transfer may take
# From a small process: a child's peak counts what its parent had at the fork.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10)
sys.exit(code)
"""


def make_model(path, last):
    header, at = {}, 0
    for name, size in [*((f"zeros_{n}.kernel", SIZE) for n in range(N)),
                       ("last.kernel", LAST)]:
        header[name] = {"dtype": "F32", "shape": [size // 4],
                        "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.seek(N * SIZE, os.SEEK_CUR)
        file.write(last)


def peak(command, *words):
    """Bytes that it had in memory at most."""
    done = subprocess.run(
        [sys.executable, "-IS", "-c", MEASURE, WH, *map(str, words)],
        cwd=command.folder, capture_output=True, text=True, timeout=900,
        env=command.environment(TMPDIR="/nonexistent"))
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def test_a_file_of_more_than_4_gib(wh, nginx, elsewhere, tmp_path):
    last = np.random.default_rng(4).standard_normal(LAST // 4, np.float32)
    make_model(wh.folder / "model.safetensors", last.tobytes())
    wh.ok("commit", "-q", "model.safetensors", timeout=900)
    (wh.folder / "model.safetensors").unlink()
    before = sorted(path.name for path in wh.folder.iterdir())
    place = f"{nginx.url}/{tmp_path.name}"
    assert peak(wh, "publish", place, "-q", "--save-format",
                "safetensors") <= MEMORY
    assert sorted(path.name for path in wh.folder.iterdir()) == before
    (model,) = nginx.data.glob(f"{tmp_path.name}/v/*/model.safetensors")
    (row,) = json.loads((model.parent / "MANIFEST.json").read_text())["files"]
    assert row["size"] == model.stat().st_size > N * SIZE > 1 << 32
    with open(model, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == row["sha256"]
    # Its last bytes are fetched, beyond 4 GiB; little else is.
    peak(elsewhere, "pull", place, "-q", "-o", "out", "--only", "last")
    part = (elsewhere.folder / "out" / "model.safetensors").read_bytes()
    assert part.endswith(last.tobytes()) and len(part) < LAST + 4096
    model.unlink()
