"""A build without HDF5, TensorFlow and HTTP says what it lacks, and works."""
import json
import os
import subprocess

WH = os.environ["WH_BIN"]


def wh(*words, cwd):
    return subprocess.run([WH, *words], cwd=cwd, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)


def test_saving_h5_names_the_library_and_exits_15(tmp_path):
    assert wh("init", cwd=tmp_path).returncode == 0
    done = wh("save-weights", "HEAD", "model.h5", cwd=tmp_path)
    assert done.returncode == 15
    assert "HDF5" in done.stderr and "libhdf5-dev" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "model.h5").exists()


def test_saving_keras3_names_the_library_and_exits_15(tmp_path):
    assert wh("init", cwd=tmp_path).returncode == 0
    for name in ("model.weights.h5", "model.weights.json"):
        done = wh("save-weights", "HEAD", name, cwd=tmp_path)
        assert done.returncode == 15
        assert "keras3" in done.stderr and "libhdf5-dev" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / name).exists()


def test_saving_tf_names_the_library_and_exits_15(tmp_path):
    assert wh("init", cwd=tmp_path).returncode == 0
    done = wh("save-weights", "HEAD", "ckpt", cwd=tmp_path)
    assert done.returncode == 15
    assert "libsnappy-dev" in done.stderr
    assert not list(tmp_path.glob("ckpt*"))


def test_a_bad_save_format_is_told_before_a_missing_library(tmp_path):
    wh("init", cwd=tmp_path)
    done = wh("save-weights", "HEAD", "model.h5", "--save-format", "bogus",
              cwd=tmp_path)
    assert done.returncode == 2
    assert "`save_format`=bogus" in done.stderr


def test_committing_a_checkpoint_exits_15(tmp_path):
    wh("init", cwd=tmp_path)
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    done = wh("commit", "model.h5", cwd=tmp_path)
    assert done.returncode == 15, done.stderr
    assert "HDF5" in done.stderr


def test_formats_stay_listed_and_explain_themselves(tmp_path):
    done = wh("formats", "--json", cwd=tmp_path)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    formats = {row["name"]: row for row in rows}
    assert formats["h5"]["missing"] and not formats["h5"]["writes"]
    assert formats["tf"]["missing"] and not formats["tf"]["reads"]
    assert formats["keras3"]["missing"] and not formats["keras3"]["reads"]
