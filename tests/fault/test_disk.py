"""A disk that is full, a folder that can't be written."""
import os
import resource
import shutil
import signal
import subprocess

import pytest

from conftest import DIGITS, WH, Command


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


def under_quota(store, size, ignored, *words):
    """With files of at most `size` bytes; the kernel's signal about it kills,
    or was set to be ignored by who started it."""
    def limit():
        signal.signal(signal.SIGXFSZ,
                      signal.SIG_IGN if ignored else signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run([WH, *map(str, words)], cwd=store.folder,
                          preexec_fn=limit, capture_output=True,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("ignored", [True, False],
                         ids=["told-by-EFBIG", "killed-by-SIGXFSZ"])
def test_a_quota_of_file_size_loses_nothing(store, ignored):
    path = store.folder / "weights.wh"
    before, size = store.ok("log", "--json"), path.stat().st_size
    for words in (["commit", DIGITS / "epoch-02.h5", "--codec", "none"],
                  ["backup", "copy.wh"], ["save-weights", "out.h5"],
                  ["save-weights", "out"]):
        limit = size if words[0] == "commit" else 4096
        done = under_quota(store, limit, ignored, *words)
        assert done.returncode in (1, -signal.SIGXFSZ), (words, done.stderr)
        if done.returncode == 1:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        assert store.ok("log", "--json") == before
        store.ok("verify", "--read-data")
    store.ok("commit", DIGITS / "epoch-02.h5")
    store.ok("save-weights", "out.h5")
    store.ok("save-weights", "out")
    store.ok("backup", "copy.wh")
    left = {name.name for name in store.folder.iterdir()}
    assert left == {"weights.wh", "weights.wh-lock", "copy.wh", "out.h5",
                    "out.index", "out.data-00000-of-00001", "checkpoint"}


def test_read_only_media_can_be_read(store, tmp_path_factory):
    """A file system mounted read-only: no lock file can be made there."""
    media = tmp_path_factory.mktemp("media")
    made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", media],
                          capture_output=True)
    if made.returncode:
        pytest.skip("may not mount a tmpfs")
    try:
        shutil.copy(store.folder / "weights.wh", media)
        subprocess.run(["mount", "-o", "remount,ro", media], check=True)
        there = ["-s", media / "weights.wh"]
        assert store.ok("log", "--json", *there) == store.ok("log", "--json")
        store.ok("verify", "--read-data", *there)
        store.ok("save-weights", "out.h5", *there)
        assert (store.folder / "out.h5").read_bytes() == \
            (DIGITS / "epoch-01.h5").read_bytes()
        done = store("commit", DIGITS / "epoch-02.h5", *there)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert os.listdir(media) == ["weights.wh"]
    finally:
        subprocess.run(["umount", "-l", media], check=True)
