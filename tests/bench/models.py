"""The models that are measured, made once a run of the benchmarks.

Each has two versions: random weights, and the same moved by about what twenty
steps of Adam move them. A layer has one tensor.
"""
import subprocess
import sys
from dataclasses import dataclass

# Made by a process of its own: what a parent has in memory is counted to its
# children, too.
MAKE = """
import sys
import h5py
import numpy as np
count, rows, columns = map(int, sys.argv[3:])
names = [f"a_layer_of_{i:06d}" for i in range(count)]
# As Keras writes it, so that it comes back from names and values alone: an
# attribute is split into the fewest pieces of at most 64,512 bytes.
def write(path, values):
    with h5py.File(path, "w") as file:
        pieces = -(-17 * count // 64512)
        if pieces == 1:
            file.attrs["layer_names"] = [name.encode() for name in names]
        else:
            for k, part in enumerate(np.array_split(np.array(names, "S17"),
                                                    pieces)):
                file.attrs[f"layer_names{k}"] = part
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.21.0"
        for name, value in zip(names, values):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group.create_dataset(f"{name}/kernel:0", data=value)
        group = file.create_group("top_level_model_weights")
        group.attrs["weight_names"] = []
def values(moved):
    random = np.random.default_rng(1)
    steps = np.random.default_rng(2)
    for name in names:
        value = random.standard_normal((rows, columns), np.float32) / 20
        if moved:
            value += steps.standard_normal((rows, columns), np.float32) / 2000
        yield value
write(sys.argv[1], values(False))
if sys.argv[2]:
    write(sys.argv[2], values(True))
"""


@dataclass(frozen=True)
class Size:
    name: str
    count: int  # tensors
    rows: int
    columns: int
    rounds: int = 3

    @property
    def nbytes(self):
        return self.count * self.rows * self.columns * 4

    @property
    def slug(self):
        return self.name.replace(" ", "-").replace(",", "")


def megabytes(name, size, count, rounds=3):
    return Size(name, count, max(1, round(size * 1e6 / count / 4096)), 1024,
                rounds)


def small(name, count, rounds=3):
    """Tensors of 1 KiB."""
    return Size(name, count, 16, 16, rounds)


SMALL = "5,000 tensors"
COLD = ("100 MB", "1 GB")  # large enough to be saved with cold caches too
SIZES = [megabytes("25 MB", 25, 32, 5), megabytes("100 MB", 100, 64),
         megabytes("1 GB", 1000, 128, 2), small(SMALL, 5000)]
# The same rows, to see in minutes that every one of them can be made.
QUICK = [megabytes("25 MB", 2, 8, 1), megabytes("100 MB", 4, 8, 1),
         megabytes("1 GB", 8, 16, 1), small(SMALL, 200, 1)]


def make(size, folder, both=True):
    """The paths of both versions; the second is None without `both`."""
    home = folder / f"model-{size.slug}"
    if not both and not home.exists():
        home = folder / f"one-{size.slug}"
    paths = home / "first.h5", home / "next.h5" if both else None
    if not home.exists():
        draft = folder / f"draft-{size.slug}"
        draft.mkdir(exist_ok=True)
        subprocess.run(
            [sys.executable, "-c", MAKE, draft / "first.h5",
             draft / "next.h5" if both else "", str(size.count),
             str(size.rows), str(size.columns)], check=True)
        draft.rename(home)
    return paths
