"""Files that were made to do harm: one clear sentence, a documented exit code,
in bounded time and memory, nothing outside of them read, and the store as it
was. The sanitizers' build runs these too."""
import os
import resource
import shutil
import subprocess

import crafted_h5
import crafted_tf
import pytest
from conftest import program

# Damaged; of a kind that is not read; a file of the checkpoint is missing.
REFUSED = {5, 15, 4}
SECONDS = 60  # for what takes a few hundredths, on a busy machine
MEMORY = 1 << 30


def limit():
    # The sanitizers reserve terabytes of address space.
    if "ASAN_OPTIONS" not in os.environ:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("crafted")
    subprocess.run([program(), "init"], cwd=made, check=True,
                   capture_output=True)
    return made


def run(folder, *words):
    return subprocess.run([program(), *map(str, words)], cwd=folder,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=SECONDS, preexec_fn=limit)


def check(folder, path, said):
    done = run(folder, "commit", path.name)
    text = done.stderr.decode()
    assert "\x1b" not in text
    if said is None:
        assert done.returncode in REFUSED | {0}, text
        return
    assert done.returncode in REFUSED, text
    assert said in text
    assert len(text.splitlines()) == 1, text
    assert text.startswith("wh commit: ")


@pytest.mark.parametrize("name", crafted_h5.CASES)
def test_a_crafted_h5_file(name, folder):
    path = crafted_h5.write(name, folder)
    check(folder, path, crafted_h5.CASES[name][0])
    path.unlink()


@pytest.mark.parametrize("name", crafted_tf.CASES)
def test_a_crafted_checkpoint(name, folder):
    path = crafted_tf.write(name, folder)
    check(folder, path, crafted_tf.CASES[name][0])


@pytest.mark.parametrize("root", ["model", "checkpoint", "universal"])
@pytest.mark.parametrize("name", [name for name in crafted_tf.CASES
                                  if name.startswith("graph-")])
def test_a_crafted_graph_at_another_root(name, root, folder):
    path = crafted_tf.write(name, folder)
    done = run(folder, "convert", path.name, "moved/x", "--root", root)
    text = done.stderr.decode()
    assert done.returncode in REFUSED | {0}, text
    assert "memory" not in text
    if done.returncode:
        assert len(text.splitlines()) == 1, text
        assert not list(folder.glob("moved/*"))
    shutil.rmtree(folder / "moved", ignore_errors=True)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_a_fifo_in_a_files_place_is_not_waited_for(suffix, folder):
    prefix = crafted_tf.write("header-no-version", folder)
    path = prefix.with_name(prefix.name + suffix)
    path.unlink()
    os.mkfifo(path)
    done = run(folder, "commit", "--format", "tf", prefix.name)
    assert done.returncode not in (0, 124)
    assert len(done.stderr.splitlines()) == 1
    path.unlink()


def test_a_state_file_that_is_a_fifo_is_not_waited_for(folder):
    (folder / "run").mkdir()
    os.mkfifo(folder / "run" / "checkpoint")
    done = run(folder, "commit", "--format", "tf", "run")
    assert done.returncode not in (0, 124)
    assert len(done.stderr.splitlines()) == 1


def test_the_store_is_as_it_was(folder):
    """Behind all of the above: what was taken is whole."""
    done = run(folder, "verify", "--read-data")
    assert done.returncode == 0, done.stderr
