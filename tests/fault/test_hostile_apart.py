"""HDF5 files that libhdf5 reads for `wh`, in a process apart: as ever where
they are sound, one sentence where they are not."""
import pytest

from conftest import GOLDEN
from test_hostile import damaged_copies, one_sentence

PACKED = ["h5py-chunked", "h5py-filters", "h5py-compact"]


@pytest.mark.parametrize("name", PACKED + ["convolutions"])
def test_an_untrusted_file_gives_the_same(wh, name):
    path = f"file:{GOLDEN / 'h5' / name}.h5"
    assert wh.ok("ls", "-l", path, "--untrusted") == wh.ok("ls", "-l", path)


def test_what_only_libhdf5_can_tell_is_told_in_a_process_apart(wh):
    """Behind a user block our own reader doesn't see whose layout it is."""
    sound = GOLDEN / "keras3" / "k3-sequential.weights.h5"
    (wh.folder / "block.h5").write_bytes(bytes(512) + sound.read_bytes())
    seen = wh.ok("ls", "-l", f"file:{sound}")
    assert wh.ok("ls", "-l", "file:block.h5") == seen
    assert wh.ok("ls", "-l", "file:block.h5", "--untrusted") == seen
    wh.ok("init")
    wh.ok("commit", sound)
    assert '"format":"keras3"' in wh.ok("load-weights", "--into", "block.h5",
                                        "--json")
    done = wh("commit", "--format", "h5", "block.h5")
    one_sentence(done)
    assert done.returncode == 15


def test_an_untrusted_file_is_committed(wh):
    wh.ok("init")
    path = GOLDEN / "h5" / "h5py-filters.h5"
    wh.ok("commit", "--untrusted", path)
    wh.ok("verify", "--read-data")
    assert wh.ok("diff", "HEAD", f"file:{path}") == "no tensor differs\n"


@pytest.mark.parametrize("name", PACKED)
def test_a_damaged_packed_file_is_one_sentence(wh, name):
    wh.ok("init")
    for data in damaged_copies((GOLDEN / "h5" / f"{name}.h5").read_bytes(),
                               24):
        (wh.folder / "bad.h5").write_bytes(data)
        one_sentence(wh("commit", "bad.h5"))
        one_sentence(wh("commit", "--untrusted", "bad.h5"))
    wh.ok("verify", "--read-data")
