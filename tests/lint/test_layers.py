"""Who may include whom (ARCHITECTURE: a layer knows itself and lower ones)."""
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("store", "exporters", "tools")
                 for path in (TOP / folder).rglob("*.[ch]"))

# A folder's layer; the longest prefix that fits a file counts.
LAYERS = {
    "store/base": 0,
    "store/include": 1,
    "store/core": 1,
    "store": 2,
    "exporters/include": 3,
    "exporters/apart": 3,
    "exporters/mapping": 3,
    "exporters/hdf5": 3,
    "exporters/npz": 3,
    "exporters/safetensors": 3,
    "exporters/tf": 3,
    "exporters/zip": 3,
    "exporters/publish": 3,
    "exporters": 4,
    "tools": 5,
}
# Public headers that lower layers may include all the same: base fills
# struct wh_error, and buffers are bytes and nothing else.
PUBLIC_LAYERS = {"error.h": 0, "buffer.h": 0, "version.h": 0,
                 "tensor.h": 1, "graph.h": 1, "source.h": 1,
                 "store.h": 2, "diff.h": 2, "keep.h": 2, "run.h": 2,
                 "history.h": 2, "publication.h": 2, "alarm.h": 1,
                 "bisect.h": 2, "async.h": 2,
                 "plan.h": 3, "format.h": 3, "library.h": 3,
                 "weights.h": 4, "publish.h": 4}
# Formats don't know each other; the plan stands between them.
SEPARATE = ("exporters/hdf5", "exporters/npz",
            "exporters/safetensors", "exporters/tf",
            "exporters/publish")
# One place for each library; those that are loaded late are known by the header
# that is made for it (store/base/late.h), whose names are in late_*.names.
NOWHERE = r"^$"
LIBRARIES = {
    "sqlite3.h": r"^store/db[a-z_]*\.[ch]$",
    "hdf5.h": NOWHERE,
    "hdf5/late_hdf5.h": r"^exporters/hdf5/",
    "curl/curl.h": NOWHERE,
    "publish/late_curl.h": r"^exporters/publish/http[a-z_]*\.c$",
    "snappy-c.h": NOWHERE,
    "tf/late_snappy.h": r"^exporters/tf/table_read\.c$",
    "openssl/evp.h": NOWHERE,
    "late_crypto.h": r"^store/base/sha256\.c$",
    "zlib.h": r"^exporters/(zip/|hdf5/chunk_check\.c$)",
    "zstd.h": r"^store/codec/zstd_frame\.c$",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def name_of(path):
    return path.relative_to(TOP).as_posix()


def folder_of(name):
    return max((folder for folder in LAYERS if name.startswith(folder + "/")),
               key=len)


def resolve(path, target):
    """The file in the tree that an include means, or None."""
    for root in (path.parent, TOP / "store", TOP / "exporters",
                 TOP / "store/include", TOP / "exporters/include"):
        if (root / target).exists():
            return (root / target).resolve()
    return None


def layer_of(path):
    name = name_of(path)
    if "/include/weighhouse/" in name:
        return PUBLIC_LAYERS[path.name]
    return LAYERS[folder_of(name)]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_includes_its_own_layer_and_lower_ones(path):
    for _, target in INCLUDE.findall(path.read_text()):
        included = resolve(path, target)
        if included is None or TOP not in included.parents:
            continue
        assert layer_of(included) <= layer_of(path), target


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_formats_and_publishers_do_not_know_each_other(path):
    own = folder_of(name_of(path))
    if own not in SEPARATE:
        return
    for _, target in INCLUDE.findall(path.read_text()):
        included = resolve(path, target)
        if included is not None and TOP in included.parents:
            other = folder_of(name_of(included))
            assert other == own or other not in SEPARATE, target


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_library_is_known_in_one_place(path):
    for _, target in INCLUDE.findall(path.read_text()):
        if target in LIBRARIES:
            assert re.match(LIBRARIES[target], name_of(path)), target
