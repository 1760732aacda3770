"""HDF5 files that lie otherwise than Keras writes them: the values are those
that h5py reads, or those that the file has where libhdf5 would be misled."""
import ctypes
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

DONT_FILTER_PARTIAL_CHUNKS = 2  # H5Dpublic.h


def libhdf5():
    """The one that h5py brings along, for what h5py has no call for."""
    folder = Path(h5py.__file__).parent.parent / "h5py.libs"
    return ctypes.CDLL(next(folder.glob("libhdf5-*")))


def write(path, make, **options):
    """The model of one weight that `make(group, name)` creates."""
    with h5py.File(path, "w", **options) as file:
        file.attrs["layer_names"] = [b"a"]
        group = file.create_group("a")
        group.attrs["weight_names"] = [b"w:0"]
        make(group, "w:0")


def read(wh, path):
    wh("convert", path, "ours.h5", "--canonical")
    with h5py.File(wh.folder / "ours.h5") as file:
        return file["a/w:0"][()]


def values(*shape):
    return np.arange(np.prod(shape), dtype="<f4").reshape(shape)


def unpacked_edges(group, name):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((4, 4))
    properties.set_deflate(6)
    set_options = libhdf5().H5Pset_chunk_opts
    set_options.argtypes = ctypes.c_int64, ctypes.c_uint
    assert set_options(properties.id, DONT_FILTER_PARTIAL_CHUNKS) == 0
    dataset = h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE,
                              h5py.h5s.create_simple((10, 9)), properties)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values(10, 9))


def holes(group, name):
    dataset = group.create_dataset(name, (40, 30), ">f8", chunks=(8, 8),
                                   fillvalue=3.5, compression="gzip")
    dataset[3:5, 20:25] = 7


@pytest.mark.parametrize("make, options", [
    (unpacked_edges, {"libver": "latest"}), (holes, {})],
    ids=["edges that are not packed", "chunks that are not there"])
def test_the_values_are_those_that_h5py_reads(make, options, wh):
    write(wh.folder / "theirs.h5", make, **options)
    with h5py.File(wh.folder / "theirs.h5") as file:
        theirs = file["a/w:0"][()]
    assert np.array_equal(read(wh, "theirs.h5"), theirs)


def test_a_chunk_that_is_said_to_be_short_shows_no_memory(wh):
    write(wh.folder / "theirs.h5", lambda group, name: group.create_dataset(
        name, data=values(8, 8), chunks=(8, 8)))
    data = (wh.folder / "theirs.h5").read_bytes()
    key = struct.pack("<IIQQQ", 8 * 8 * 4, 0, 0, 0, 0)
    assert data.count(key) == 1
    (wh.folder / "theirs.h5").write_bytes(data.replace(
        key, struct.pack("<I", 16) + key[4:]))
    assert np.array_equal(read(wh, "theirs.h5"), values(8, 8))
