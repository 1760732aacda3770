"""Loads weights with the real Keras and compares their held-out accuracy
with the recorded one: check.py [--epoch N] PATH...

PATH is a weights file or the prefix of a TensorFlow checkpoint. Without
--epoch the epoch is read from names such as epoch-05.h5. Needs tensorflow,
tf_keras and scikit-learn. Exits 1 if an accuracy differs.
"""
import argparse
import json
import re
import sys
from pathlib import Path

RECORDED = Path(__file__).parent / "heldout_accuracy.json"


def epoch_of(path):
    found = re.search(r"epoch-(\d+)", Path(path).name)
    if not found:
        sys.exit(f"check.py: {path}: no epoch in the name, give --epoch")
    return int(found[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epoch", type=int)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args()
    recorded = json.loads(RECORDED.read_text())
    epochs = [options.epoch or epoch_of(path) for path in options.paths]
    unknown = [epoch for epoch in epochs if str(epoch) not in recorded]
    if unknown:
        sys.exit(f"check.py: no accuracy is recorded for epoch {unknown[0]}")

    import digits
    wrong = 0
    for path, epoch in zip(options.paths, epochs):
        measured = digits.heldout_accuracy(path)
        expected = recorded[str(epoch)]
        verdict = "equal" if measured == expected else "DIFFERENT"
        wrong += measured != expected
        print(f"{path}: held-out accuracy {measured:.4f}, "
              f"epoch {epoch} had {expected:.4f}: {verdict}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
