"""A Keras training whose every epoch goes into a store, without a line of code
for it:

	wh init
	wh run exec digits --watch ckpt \
	    --pattern 'epoch-{epoch:03d}-{val_loss:.4f}.h5' \
	    -- python keras_train.py --epochs 20

	wh runs --sort val_loss
	wh save-weights best:val_loss best.h5

If it is killed, the same line with `--resume` behind `exec digits` goes on
where it was: this script loads the newest checkpoint, and wh knows what it
has. With `--keras 3` it is Keras 3, and the files end in .weights.h5.
"""
import argparse
import re
from pathlib import Path

import numpy as np


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path("ckpt"))
    parser.add_argument("--keras", choices=["2", "3"], default="2")
    parser.add_argument("--name", default="epoch-{epoch:03d}-{val_loss:.4f}")
    parser.add_argument("--suffix", help="'' for TensorFlow checkpoints")
    return parser.parse_args()


def make_model(keras):
    model = keras.Sequential([
        keras.layers.Input((2,)),
        keras.layers.Dense(8, activation="tanh", name="hidden"),
        keras.layers.Dense(1, name="out"),
    ])
    model.compile(optimizer="adam", loss="mse")
    return model


def make_data():
    """Points of the plane, and whether they lie in a circle."""
    x = np.random.default_rng(1).uniform(-1, 1, (64, 2)).astype("float32")
    return x, (np.square(x).sum(1, keepdims=True) < 0.6).astype("float32")


def resume(model, folder, suffix):
    """Loads the newest checkpoint; the last epoch that is done. The one that a
    training was killed over may not load."""
    found = [(int(re.search(r"\d+", path.name)[0]), path)
             for path in folder.glob(f"*{suffix or '.index'}")]
    for epoch, path in sorted(found, reverse=True):
        try:
            model.load_weights(path if suffix else path.with_suffix(""))
            return epoch
        except Exception as error:  # of as many kinds as there are formats
            print(f"{path}: {error}")
    return 0


def main():
    given = arguments()
    if given.keras == "3":
        import keras
    else:
        import tf_keras as keras
    suffix = given.suffix
    if suffix is None:
        suffix = ".weights.h5" if given.keras == "3" else ".h5"
    given.folder.mkdir(exist_ok=True)
    model = make_model(keras)
    done = resume(model, given.folder, suffix)
    x, y = make_data()
    model.fit(
        x, y, validation_data=(x, y), verbose=0, initial_epoch=done,
        epochs=given.epochs, callbacks=[
            keras.callbacks.ModelCheckpoint(
                str(given.folder / (given.name + suffix)),
                save_weights_only=suffix != ".keras"),
            keras.callbacks.CSVLogger(given.folder / "log.csv", append=True),
        ])


if __name__ == "__main__":
    main()
