"""A disk that is full, a folder that can't be written."""
import os
import subprocess

import pytest

from conftest import DIGITS, Command


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB, where this may be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs",
                           folder], capture_output=True)
    if made.returncode:
        pytest.skip("may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave=64 << 10):
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(bytes(max(0, free - leave)))


def test_a_commit_to_a_full_disk_loses_nothing(small_disk):
    wh = Command(small_disk)
    wh.ok("init")
    wh.ok("commit", DIGITS / "epoch-01.h5")
    before = wh.ok("log", "--json")
    fill(small_disk, 16 << 10)
    done = wh("commit", DIGITS / "epoch-02.h5")
    assert done.returncode == 1, done.stderr
    assert b"No space left" in done.stderr or b"full" in done.stderr
    assert wh.ok("log", "--json") == before
    (small_disk / "filler").unlink()
    wh.ok("commit", DIGITS / "epoch-02.h5")
    wh.ok("verify", "--read-data")


def test_a_save_to_a_full_disk_leaves_the_old_file(small_disk, store):
    target = small_disk / "model.h5"
    target.write_bytes(b"old")
    fill(small_disk, 8 << 10)
    done = store("save-weights", target)
    assert done.returncode == 1, done.stderr
    assert target.read_bytes() == b"old"
    assert sorted(os.listdir(small_disk)) == ["filler", "model.h5"]


def test_a_store_on_read_only_media_can_be_read(store):
    (store.folder / "weights.wh").chmod(0o444)
    store.ok("log")
    store.ok("save-weights", "out.h5")
    assert (store.folder / "out.h5").read_bytes() == \
        (DIGITS / "epoch-01.h5").read_bytes()
