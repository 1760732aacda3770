"""Makes HDF5 files that are no Keras 3 weights but seem to be: make.py [OUT |
--check]. Each is refused; tests/fault says by which words."""
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1]))

import common
from common import h5py, np

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def kernel(file, path="layers/dense/vars/0"):
    file[path] = np.ones((2, 2), "float32")


@case
def soft_link(file):
    kernel(file)
    file["layers/dense_1"] = h5py.SoftLink("/layers/dense")


@case
def soft_link_to_itself(file):
    kernel(file)
    file["layers/loop"] = h5py.SoftLink("/layers/loop")


@case
def external_link(file):
    kernel(file)
    file["layers/dense_1"] = h5py.ExternalLink("/etc/passwd", "/")


@case
def external_link_as_variable(file):
    file.create_group("layers/dense/vars")
    file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "/x")


@case
def external_link_as_vars(file):
    file.create_group("layers/dense")
    file["layers/dense/vars"] = h5py.ExternalLink("other.h5", "/x")


@case
def external_storage(file):
    file.create_dataset("layers/dense/vars/0", (4,), "float32",
                        external=[("/etc/passwd", 0, 16)])


@case
def virtual_dataset(file):
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_group("layers/dense/vars").create_virtual_dataset("0", layout)


@case
def dataset_beside_vars(file):
    kernel(file)
    file["layers/dense/kernel"] = np.ones(2, "float32")


@case
def dataset_as_layers(file):
    file["layers"] = np.ones(2, "float32")


@case
def dataset_as_vars(file):
    file["layers/dense/vars"] = np.ones(2, "float32")


@case
def group_as_variable(file):
    kernel(file)
    file.create_group("layers/dense/vars/1")


@case
def too_deep(file):
    kernel(file, "layers/a" + "/layers/a" * 20 + "/vars/0")


@case
def never_allocated(file):
    space = h5py.h5s.create_simple((2**40,))
    group = file.create_group("layers/dense/vars")
    h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space)


@case
def wrapping_shape(file):
    space = h5py.h5s.create_simple((2**33, 2**33))
    group = file.create_group("layers/dense/vars")
    h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space)


@case
def null_space(file):
    file["layers/dense/vars/0"] = h5py.Empty("float32")


@case
def strings(file):
    file["layers/dense/vars/0"] = ["a", "b"]


@case
def compound(file):
    file["layers/dense/vars/0"] = np.zeros(2, [("x", "f4"), ("y", "i4")])


@case
def opaque_of_three_bytes(file):
    file["layers/dense/vars/0"] = np.zeros(2, "V3")


@case
def unknown_filter(file):
    file.create_dataset("layers/dense/vars/0", data=np.ones((64,), "float32"),
                        chunks=(64,), compression="lzf")


@case
def name_is_a_list(file):
    kernel(file)
    file["layers/dense/vars"].attrs["name"] = ["a", "b"]


@case
def name_is_a_number(file):
    kernel(file)
    file["layers/dense/vars"].attrs["name"] = 7


@case
def name_is_too_long(file):
    kernel(file)
    file["layers/dense/vars"].attrs["name"] = "n" * 5000


@case
def name_is_no_utf8(file):
    kernel(file)
    file["layers/dense/vars"].attrs.create("name", b"a\xff\x1b[31m")


@case
def neither_layers_nor_vars(file):
    kernel(file, "weights/dense/0")


def make(out):
    for name, function in CASES.items():
        with h5py.File(out / f"{name}.h5", "w") as file:
            function(file)


if __name__ == "__main__":
    sys.exit(common.main(make, FOLDER, {"make.py"}))
