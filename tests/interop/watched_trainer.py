"""A training of many tiny epochs by tf-keras or Keras 3: each saved as HDF5, by
tf-keras each tenth as a TensorFlow checkpoint as well, logged by CSVLogger. Goes on after the newest
file that loads. While there is a file `hold` it stays in its 160th.

	python watched_trainer.py FOLDER EPOCHS tf_keras|keras
"""
import importlib
import os
import re
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

keras = importlib.import_module(sys.argv[3])
SUFFIX = ".weights.h5" if sys.argv[3] == "keras" else ".h5"


class Hold(keras.callbacks.Callback):
    """Who is to be killed may not have come to its end before."""

    def on_epoch_end(self, epoch, logs=None):
        while epoch + 1 >= 160 and Path("hold").exists():
            time.sleep(0.01)


class EachTenth(keras.callbacks.Callback):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 10 == 9:
            self.model.save_weights(self.path.format(epoch=epoch + 1))


def resume(model, folder):
    found = sorted(folder.glob(f"epoch-*{SUFFIX}"), reverse=True)
    for path in found:
        try:
            model.load_weights(path)
            return int(re.search(r"\d+", path.name)[0])
        except Exception:  # the one that it was killed over
            continue
    return 0


def main():
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(exist_ok=True)
    model = keras.Sequential([keras.layers.Input((4,)),
                              keras.layers.Dense(3, activation="tanh"),
                              keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    y = x.sum(1, keepdims=True)
    model.fit(x, y, batch_size=8, verbose=0, epochs=epochs,
              initial_epoch=resume(model, folder), callbacks=[
                  Hold(),
                  keras.callbacks.ModelCheckpoint(
                      str(folder / ("epoch-{epoch:03d}" + SUFFIX)),
                      save_weights_only=True),
                  *([EachTenth(str(folder / "tf-{epoch:03d}/ckpt"))]
                    if SUFFIX == ".h5" else []),
                  keras.callbacks.CSVLogger(folder / "log.csv",
                                            append=True)])


main()
