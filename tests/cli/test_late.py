"""Libraries that are loaded when they are first needed: not by those who don't
need them, and with a sentence where they can't be."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import DIGITS, GOLDEN, TOP

BUILD = Path(os.environ["WH_BUILD"])
NAMES = {name: re.search(r'soname = "([^"]+)"',
                         (BUILD / folder / f"late_{name}.c").read_text())
         for name, folder in (("hdf5", "exporters/hdf5"),
                              ("curl", "exporters/publish"),
                              ("snappy", "exporters/tf"),
                              ("crypto", "store"))}
if None in NAMES.values():
    pytest.skip("this build links its libraries", allow_module_level=True)
NAMES = {name: found[1] for name, found in NAMES.items()}


def loaded(wh, *words):
    """Of the four, those that a command loads."""
    done = wh(*words, env={"LD_DEBUG": "files"})
    assert done.returncode == 0, done.stderr
    return {name for name, soname in NAMES.items()
            if re.search(rf"calling init: \S*/{re.escape(soname)}\n",
                         done.stderr)}


def test_short_commands_load_none(wh):
    wh.ok("init", "-q")
    wh.ok("import", "-q", *sorted(DIGITS.glob("epoch-0[1-3].h5")),
          "--run", "digits")
    for words in (["version"], ["log", "-n", "20"], ["runs"],
                  ["runs", "--sort", "val_loss"], ["rollback", "HEAD~1"],
                  ["undo"], ["tag", "good"], ["branch"], ["reflog"],
                  ["show"], ["keep", "--last", "2", "--dry-run"]):
        assert loaded(wh, *words) == set(), words


def test_a_checkpoint_loads_what_its_format_needs(wh):
    wh.ok("init", "-q")
    classic = DIGITS / "epoch-01.h5"
    assert loaded(wh, "commit", classic) == {"crypto"}
    assert loaded(wh, "save-weights", "HEAD", "a.h5") == set()
    # Read by a process of its own (exporters/apart/), written by this one.
    chunked = GOLDEN / "keras3/chunked.h5"
    assert "hdf5" not in loaded(wh, "commit", chunked)
    assert "hdf5" in loaded(wh, "save-weights", "HEAD", "b.weights.h5",
                            "--save-format", "keras3")


@pytest.fixture(params=["nothing", "another"])
def broken(request, wh, tmp_path):
    """wh, where one library is no library, or another one under its name."""
    def run(name, *words):
        folder = tmp_path / "lib"
        folder.mkdir(exist_ok=True)
        if request.param == "nothing":
            (folder / NAMES[name]).write_text("no library\n" * 100)
        else:
            maps = Path("/proc/self/maps").read_text()
            shutil.copy(re.search(r"\S*/libm\.so\.\S+", maps)[0],
                        folder / NAMES[name])
        return wh.fails(15, *words, env={"LD_LIBRARY_PATH": str(folder)})
    return run


def test_a_library_that_cannot_be_loaded_is_told(wh, broken):
    wh.ok("init", "-q")
    line = broken("hdf5", "commit", GOLDEN / "keras3/chunked.h5")
    assert "can't be loaded" in line and NAMES["hdf5"] in line
    wh.ok("commit", "-q", DIGITS / "epoch-01.h5")
    line = broken("curl", "publish", "HEAD", "http://localhost:9/models/")
    assert "can't be loaded" in line and NAMES["curl"] in line


def test_without_libcrypto_nothing_is_committed(wh, broken):
    wh.ok("init", "-q")
    line = broken("crypto", "commit", DIGITS / "epoch-01.h5")
    assert NAMES["crypto"] in line
    assert wh.ok("log") == ""


def pkg_config(*words):
    return subprocess.run(["pkg-config", *words, "libcurl"], check=True,
                          capture_output=True, text=True).stdout.strip()


def test_a_library_that_its_rpath_alone_finds_is_linked(tmp_path):
    """By its soname another one would be loaded, or none."""
    folder = tmp_path / "lib"
    folder.mkdir()
    shutil.copy(Path(pkg_config("--variable=libdir")) / "libcurl.so",
                folder / NAMES["curl"])
    (folder / "libcurl.so").symlink_to(NAMES["curl"])
    (folder / "libcurl.pc").write_text(
        f"Name: libcurl\nDescription: as it is, elsewhere\n"
        f"Version: {pkg_config('--modversion')}\n"
        f"Cflags: {pkg_config('--cflags')}\n"
        f"Libs: -L{folder} -Wl,-rpath,{folder} -lcurl\n")
    subprocess.run(["meson", "setup", tmp_path / "build", TOP,
                    "-Dhdf5=disabled", "-Dtf=disabled", "-Dtests=disabled"],
                   env={**os.environ, "PKG_CONFIG_PATH": str(folder)},
                   check=True, capture_output=True)
    rules = (tmp_path / "build" / "build.ninja").read_text()
    assert dict(re.findall(r"late_library\.py (\S+) \S*/late_(\w+)\.names",
                           rules)) == {"linked": "curl",
                                       NAMES["crypto"]: "crypto"}
