"""tools/examples/load.c over what the real Keras saved."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from zoo import fill

layers = keras.layers


def load(wh, path):
    program = Path(os.environ["WH_BIN"]).parents[1] / "examples" / "load"
    return subprocess.run([program, path], cwd=wh.folder, text=True,
                          capture_output=True, timeout=60)


def make(*units):
    return keras.Sequential([keras.Input((5,))] + [
        layers.Dense(n) for n in units])


@pytest.mark.parametrize("path", ["a.h5", "ckpt"])
def test_a_c_program_predicts_what_keras_does(path, wh):
    model = make(4, 3)
    fill(model, 1)
    model.save_weights(wh.folder / path)
    done = load(wh, path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "4 weights loaded"
    np.testing.assert_allclose(
        [float(word) for word in lines[1].split()],
        model(np.ones((1, 5), "float32"))[0].numpy(), rtol=1e-5)


def test_a_c_program_is_told_what_does_not_fit(wh):
    make(4, 2).save_weights(wh.folder / "a.h5")
    done = load(wh, "a.h5")
    assert done.returncode == 1
    assert "Shape mismatch in layer #1 (named fc2) for weight fc2/kernel. " \
        "Weight expects shape (4, 3). Received saved weight with shape " \
        "(4, 2)" in done.stderr
    make(4).save_weights(wh.folder / "b.h5")
    assert "Model expected 2 layers, found 1 saved layers." in load(
        wh, "b.h5").stderr
    tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(wh.folder / "c"))
    assert "Found 4 Python objects that were not bound" in load(
        wh, "c").stderr
