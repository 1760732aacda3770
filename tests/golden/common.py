"""What the scripts that make golden files share: the libraries, imported
quietly, values that are the same on every machine, digests, the two modes."""
import contextlib
import filecmp
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

sys.dont_write_bytecode = True


@contextlib.contextmanager
def silent_stderr():
    """TensorFlow's native libraries greet on stderr before any setting holds."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with silent_stderr():
    import h5py
    import keras as keras3
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras2

warnings.simplefilter("ignore")
for library in ("tensorflow", "absl"):
    logging.getLogger(library).setLevel(logging.ERROR)
keras3.config.disable_interactive_logging()

WRITERS = {
    "keras2": f"tf_keras {keras2.__version__}, h5py {h5py.__version__}",
    "keras3": f"keras {keras3.__version__}, h5py {h5py.__version__}",
    "h5py": f"h5py {h5py.__version__}",
    "tf": f"tensorflow {tf.__version__}",
    "keras2-tf": f"tf_keras {keras2.__version__}, tensorflow {tf.__version__}",
    "keras3-tf": f"keras {keras3.__version__}, tensorflow {tf.__version__}",
    "hand": "make.py",
}


def fresh(name):
    """Forgets all earlier models, so that no name depends on another case."""
    keras2.backend.clear_session()
    keras3.backend.clear_session()
    seed = zlib.crc32(name.encode())
    keras2.utils.set_random_seed(seed)
    return np.random.RandomState(seed)


def values(random, dtype, shape):
    """An array of this NumPy dtype: finite, never all zero, sign mixed."""
    dtype = np.dtype(dtype)
    if dtype == bool:
        return random.randint(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        low = 0 if dtype.kind == "u" else -100
        return random.randint(low, 100, shape).astype(dtype)
    whole = random.randint(-2000, 2000, shape) / 1024
    if dtype.kind == "c":
        whole = whole + 1j * random.randint(-2000, 2000, shape) / 1024
    return np.asarray(whole).astype(dtype)


def fill(variables, random):
    """Exact values, made without a sum that a processor could round."""
    for variable in variables:
        dtype = variable.dtype
        dtype = getattr(dtype, "as_numpy_dtype", dtype)
        variable.assign(values(random, dtype, tuple(variable.shape)))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def write_json(path, facts, rows):
    """`facts` with the list facts[rows] a line an item."""
    head = {key: value for key, value in facts.items() if key != rows}
    text = json.dumps(head, indent=1, ensure_ascii=False)[:-2]
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False)
                       for row in facts[rows])
    path.write_text(f'{text},\n "{rows}": [\n{lines}\n ]\n}}\n'
                    if lines else f'{text},\n "{rows}": []\n}}\n')


def files_below(folder):
    return {path.relative_to(folder).as_posix()
            for path in folder.rglob("*") if path.is_file()}


def compare(made, committed, ignored):
    """How many files differ from the committed ones; says which."""
    here = files_below(committed) - ignored
    names = sorted(files_below(made) | here)
    wrong = 0
    for name in names:
        both = (made / name).exists() and (committed / name).exists()
        if not both or not filecmp.cmp(made / name, committed / name, False):
            print(f"{name}: {'differs' if both else 'missing on one side'}")
            wrong += 1
    print(f"{len(names) - wrong} of {len(names)} files are as committed")
    return wrong


def main(make, folder, ignored):
    """make.py [OUT] writes into OUT or beside itself; make.py --check
    compares what it would write with what is there."""
    if sys.argv[1:] == ["--check"]:
        with tempfile.TemporaryDirectory() as temporary:
            make(Path(temporary))
            return compare(Path(temporary), folder, ignored) > 0
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else folder
    out.mkdir(parents=True, exist_ok=True)
    make(out)
    return 0


def remake_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
