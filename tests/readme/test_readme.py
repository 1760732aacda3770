"""The README's blocks, the quickstart and the installed library, as a
newcomer meets them."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["WH_BUILD"])
DIGITS = TOP / "tests/golden/digits/run"
README = (TOP / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def environment(**more):
    env = dict(os.environ, PATH=f"{BUILD / 'tools/cli'}:{os.environ['PATH']}",
               WH_BUILD=str(BUILD), WH_PAGER="cat", **more)
    env.pop("WH_STORE", None)
    return env


def run(script, cwd, **more):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=cwd,
                          env=environment(**more), capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)


def test_the_quickstart_does_the_main_job(tmp_path):
    done = subprocess.run([TOP / "tools/quickstart", tmp_path / "weights.wh"],
                          env=environment(WH_PYTHON="false"), text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    epochs = len(list(DIGITS.glob("epoch-*.h5")))
    assert f"{epochs} of {epochs} files are equal" in done.stdout
    assert (tmp_path / "best.h5").exists()
    assert (tmp_path / "best/ckpt.index").exists()
    assert str(tmp_path / "weights.wh") in done.stdout
    assert len(done.stdout.splitlines()) < 100


def tour(folder):
    """All `sh` blocks but the set-up commands, in order, in one folder that
    has the training run in `ckpt/`."""
    shutil.copytree(DIGITS, folder / "ckpt")
    commands = [block for block in blocks("sh")
                if "tools/quickstart" not in block
                and "tests/run" not in block]
    assert commands
    done = run("\n".join(commands), folder)
    assert done.returncode == 0, done.stdout + done.stderr


def install(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild",
                    "--destdir", tmp_path / "root"], check=True,
                   capture_output=True)
    found = list((tmp_path / "root").rglob("weighhouse.pc"))
    assert len(found) == 1
    return found[0]


def build_example(tmp_path):
    """Builds the README's program against the installed library, and runs it
    in that folder."""
    config = install(tmp_path)
    examples = blocks("c")
    assert len(examples) == 1
    assert len(examples[0].splitlines()) < 40
    (tmp_path / "example.c").write_text(examples[0])
    env = environment(PKG_CONFIG_PATH=str(config.parent),
                      PKG_CONFIG_SYSROOT_DIR=str(tmp_path / "root"))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "weighhouse"],
                           env=env, check=True, capture_output=True,
                           text=True).stdout.split()
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "example.c", "-o",
                    "example", *flags], cwd=tmp_path, check=True)
    library = config.parent.parent
    done = subprocess.run([tmp_path / "example"], cwd=tmp_path, text=True,
                          env=environment(LD_LIBRARY_PATH=str(library)),
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_c_example_goes_on_where_the_tour_ends(tmp_path):
    tour(tmp_path)
    assert "the first bias is" in build_example(tmp_path)


@pytest.mark.parametrize("folder", ["store", "exporters", "sql", "tests"])
def test_each_folder_explains_itself(folder):
    assert (TOP / folder / "README.md").stat().st_size > 500
