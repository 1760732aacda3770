"""tools/examples, built as a third party would: against an installed library's
headers and pkg-config alone."""
import re
import shutil
import struct
import subprocess

import pytest

from test_readme import README, TOP, environment, install, run

EXAMPLES = TOP / "tools/examples"
GOLDEN = TOP / "tests/golden"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    return folder, install(folder)


def flags(prefix, *which):
    folder, config = prefix
    env = environment(PKG_CONFIG_PATH=str(config.parent),
                      PKG_CONFIG_SYSROOT_DIR=str(folder / "root"))
    return subprocess.run(["pkg-config", *which, "weighhouse"], env=env,
                          check=True, capture_output=True,
                          text=True).stdout.split()


def build(prefix, source, target, *options):
    shutil.copy(EXAMPLES / source, target.parent)
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", source,
                    "-o", target.name, *options], cwd=target.parent,
                   check=True)


@pytest.fixture
def plugin(prefix, tmp_path):
    build(prefix, "gguf.c", tmp_path / "gguf.so", "-shared", "-fPIC",
          *flags(prefix, "--cflags"))
    return tmp_path / "gguf.so"


def installed_wh(prefix, script, cwd, **more):
    found = next((prefix[0] / "root").rglob("bin/wh"))
    return run(f'wh() {{ "{found}" "$@"; }}\n{script}', cwd, **more)


def test_a_plugin_reads_what_the_real_gguf_writes(prefix, plugin, tmp_path):
    shutil.copy(GOLDEN / "gguf/model.gguf", tmp_path)
    done = installed_wh(
        prefix, "wh formats\nwh init\nwh commit model.gguf\nwh ls -l\n"
        "wh cat HEAD blk.0.weight --raw > weight",
        tmp_path, WH_PLUGINS=str(plugin))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^gguf +rw ", done.stdout, re.M)
    assert "blk.0.bias" in done.stdout and "float16" in done.stdout
    assert (tmp_path / "weight").read_bytes() == struct.pack(
        "<6f", *(i / 4 for i in range(6)))


def test_a_plugin_heeds_the_alignment_that_a_file_has(prefix, plugin,
                                                      tmp_path):
    shutil.copy(GOLDEN / "gguf/aligned.gguf", tmp_path)
    done = installed_wh(
        prefix, "wh convert --plugin ./gguf.so aligned.gguf a.npz\n"
        "wh init\nwh commit a.npz\nwh cat HEAD count --raw > count", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "count").read_bytes() == struct.pack("<3q", 5, 6, 7)


def test_a_plugin_writes_and_reads_back(prefix, plugin, tmp_path):
    shutil.copy(GOLDEN / "h5/sequential.h5", tmp_path)
    done = installed_wh(
        prefix, "wh convert --plugin ./gguf.so sequential.h5 a.gguf\n"
        "wh convert --plugin ./gguf.so a.gguf b.safetensors\n"
        "wh convert --plugin ./gguf.so b.safetensors c.gguf\n"
        "cmp a.gguf c.gguf", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.gguf").read_bytes()[:8] == b"GGUF\3\0\0\0"


def test_rollback_writes_what_a_plugin_adds(prefix, plugin, tmp_path):
    shutil.copy(GOLDEN / "h5/sequential.h5", tmp_path)
    done = installed_wh(
        prefix, "wh init\nwh commit sequential.h5\n"
        "wh rollback --plugin ./gguf.so HEAD --write a.gguf", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.gguf").read_bytes()[:8] == b"GGUF\3\0\0\0"


def test_a_plugin_refuses_by_name_and_damage_in_a_sentence(prefix, plugin,
                                                           tmp_path):
    shutil.copy(GOLDEN / "npz/every-dtype.npz", tmp_path)
    whole = (GOLDEN / "gguf/model.gguf").read_bytes()
    done = installed_wh(prefix, "wh convert --plugin ./gguf.so "
                        "every-dtype.npz a.gguf", tmp_path)
    assert done.returncode == 15 and "'x/bool'" in done.stderr
    for size in range(8, len(whole), 13):
        (tmp_path / "cut.gguf").write_bytes(whole[:size])
        done = installed_wh(prefix, "wh convert --plugin ./gguf.so cut.gguf "
                            "out.npz", tmp_path)
        assert done.returncode in (0, 5), (size, done.stderr)
        assert len(done.stderr.splitlines()) <= 1
    # An alignment of 0, which nothing is a multiple of.
    aligned = (GOLDEN / "gguf/aligned.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(
        aligned.replace(struct.pack("<II", 4, 256), struct.pack("<II", 4, 0)))
    done = installed_wh(prefix, "wh convert --plugin ./gguf.so cut.gguf "
                        "out.npz", tmp_path)
    assert done.returncode == 5 and "header is damaged" in done.stderr


def test_a_plugin_of_another_interface_is_refused(prefix, tmp_path):
    (tmp_path / "old.c").write_text(
        "#include <weighhouse/library.h>\n"
        "static const struct wh_format *const none[] = {0};\n"
        "const struct wh_plugin weighhouse_plugin = {\n"
        "\t.abi = WH_PLUGIN_ABI + 1, .name = \"old\", .formats = none};\n")
    subprocess.run(["cc", "-shared", "-fPIC", "old.c", "-o", "old.so",
                    *flags(prefix, "--cflags")], cwd=tmp_path, check=True)
    done = installed_wh(prefix, "wh formats --plugin ./old.so", tmp_path)
    assert done.returncode == 15
    assert "build it again" in done.stderr


def test_a_plugin_that_is_not_there_is_told(prefix, tmp_path):
    done = installed_wh(prefix, "wh formats --plugin ./gone.so", tmp_path)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1


def test_the_trainer_commits_without_a_file(prefix, tmp_path):
    assert "tools/examples/train.c" in README
    build(prefix, "train.c", tmp_path / "train",
          *flags(prefix, "--cflags", "--libs"), "-lm")
    library = prefix[1].parent.parent
    done = run("./train weights.wh", tmp_path, LD_LIBRARY_PATH=str(library))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
    done = run("wh log --json && wh verify --read-data && "
               "wh save-weights best:loss:min best.npz", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "best.npz").exists()


def test_the_plugin_is_short():
    lines = (EXAMPLES / "gguf.c").read_text().splitlines()
    assert len(lines) <= 260
    assert max(len(line.expandtabs(8)) for line in lines) <= 80
