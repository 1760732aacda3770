"""What peers that are Python libraries take, measured inside their process.

frameworks.py WHO OUT (NAME FIRST.h5 NEXT.h5 ROUNDS)...: for each model loads
FIRST.h5 into the library's own objects, then times how it writes them into the
folder OUT and reads them back. frameworks.py zipnn-chain WIDTH FILE...: codes
each file against the one before. frameworks.py mlflow-log OUT FILE... Each
prints an object of JSON. The start of Python, the imports and the making of
the model aren't counted; files are synced, as wh does.
"""
import json
import os
import resource
import shutil
import sys
import time
import types
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def arrays(path):
    """{layer: value} of a file of Keras's legacy layout, a tensor a layer."""
    import h5py
    with h5py.File(path) as file:
        return {name: file[f"{name}/{name}/kernel:0"][()]
                for name in sorted(file) if name != "top_level_model_weights"}


def sync(folder):
    for name in os.listdir(folder):
        descriptor = os.open(folder / name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


class Clock:
    """{operation: [[seconds, CPU seconds], ...]}"""

    def __init__(self, out):
        self.out, self.rows = out, {}

    def time(self, operation, action):
        start, cpu = time.monotonic(), time.process_time()
        action()
        if not operation.startswith("load"):
            sync(self.out)
        self.rows.setdefault(operation, []).append(
            [time.monotonic() - start, time.process_time() - cpu])


def of_h5py(first, _, clock, rounds):
    import h5py
    values, path = arrays(first), clock.out / "h5py.h5"

    def save():
        with h5py.File(path, "w") as file:
            for name, value in values.items():
                file.create_dataset(f"{name}/{name}/kernel:0", data=value)

    for _ in range(rounds):
        clock.time("save", save)
        clock.time("load", lambda: arrays(path))
    return f"h5py {h5py.__version__}"


def of_safetensors(first, _, clock, rounds):
    import safetensors
    from safetensors.numpy import load_file, save_file
    values, path = arrays(first), clock.out / "model.safetensors"
    for _ in range(rounds):
        clock.time("save", lambda: save_file(values, path))
        clock.time("load", lambda: load_file(path))
    return f"safetensors {safetensors.__version__}"


def of_tensorflow(first, _, clock, rounds):
    import tensorflow as tf
    values = arrays(first)
    names, prefix = list(values), str(clock.out / "savev2")
    tensors = [tf.constant(value) for value in values.values()]
    whole = [""] * len(names)
    for _ in range(rounds):
        clock.time("save", lambda: tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=names, shape_and_slices=whole,
            tensors=tensors))
        clock.time("load", lambda: tf.raw_ops.RestoreV2(
            prefix=prefix, tensor_names=names, shape_and_slices=whole,
            dtypes=[tensor.dtype for tensor in tensors]))
    return f"TensorFlow {tf.__version__}"


def keras_model(keras, values):
    """A layer a tensor, side by side: none waits for another."""
    class Hold(keras.layers.Layer):
        def __init__(self, value, **more):
            super().__init__(**more)
            self.kernel = self.add_weight(name="kernel", shape=value.shape)
            self.kernel.assign(value)

        def call(self, x):
            return x

    x = keras.Input((4,))
    return keras.Model(x, [Hold(value, name=name)(x)
                           for name, value in values.items()])


def of_keras(keras, paths, first, clock, rounds):
    model = keras_model(keras, arrays(first))
    for _ in range(rounds):
        for what, path in paths.items():
            clock.time(f"save {what}", lambda: model.save_weights(path))
            clock.time(f"load {what}", lambda: model.load_weights(path))


def of_tf_keras(first, _, clock, rounds):
    import tf_keras
    paths = {"h5": str(clock.out / "tfk.h5"), "tf": str(clock.out / "tfk")}
    of_keras(tf_keras, paths, first, clock, rounds)
    return f"tf-keras {tf_keras.__version__}"


def of_keras3(first, _, clock, rounds):
    import keras
    of_keras(keras, {"weights.h5": str(clock.out / "k3.weights.h5")}, first,
             clock, rounds)
    return f"Keras {keras.__version__}"


def import_zipnn():
    """ZipNN imports PyTorch, of which its mode for bytes uses nothing: names
    that stand for it save two gigabytes."""
    sys.modules.setdefault("torch", mock.MagicMock())
    stand_in = types.ModuleType("safetensors.torch")
    stand_in.safe_open = None
    sys.modules.setdefault("safetensors.torch", stand_in)
    from importlib.metadata import version
    from zipnn.zipnn import ZipNN
    return ZipNN, f"ZipNN {version('zipnn')}"


def own_copy(value):
    """For what codes a whole file: ZipNN leaves it with other bytes in it."""
    return bytes(bytearray(value))


def zipnn_coder(ZipNN, delta=False, width="float32"):
    more = {"delta_compressed_type": "byte"} if delta else {}
    return ZipNN(input_format="byte", bytearray_dtype=width, threads=2, **more)


def of_zipnn(first, following, clock, rounds):
    ZipNN, version = import_zipnn()
    base, value = first.read_bytes(), following.read_bytes()
    path = clock.out / "model.znn"
    for _ in range(rounds):
        whole, delta = zipnn_coder(ZipNN), zipnn_coder(ZipNN, delta=True)
        fresh = own_copy(base)
        clock.time("save", lambda: path.write_bytes(whole.compress(fresh)))
        clock.time("load", lambda: whole.decompress(path.read_bytes()))
        clock.time("save next", lambda: path.write_bytes(
            delta.compress(value, delta_second_data=base)))
        clock.time("load next", lambda: delta.decompress(
            path.read_bytes(), delta_second_data=base))
    back = zipnn_coder(ZipNN, delta=True).decompress(
        path.read_bytes(), delta_second_data=base)
    assert bytes(back) == value, "ZipNN gave other bytes back"
    return version


def of_mlflow(first, following, clock, rounds):
    import mlflow
    mlflow.set_tracking_uri(f"sqlite:///{clock.out}/mlflow.db")
    experiment = mlflow.create_experiment(
        f"bench-{clock.out.name}",
        artifact_location=str(clock.out / "artifacts"))
    with mlflow.start_run(experiment_id=experiment) as run:
        for i in range(rounds):
            clock.time("save", lambda: mlflow.log_artifact(first, f"a{i}"))
            clock.time("save next", lambda: mlflow.log_artifact(
                following, f"b{i}"))
            clock.time("load", lambda: mlflow.artifacts.download_artifacts(
                run_id=run.info.run_id, artifact_path=f"a{i}",
                dst_path=str(clock.out / f"back{i}")))
    return f"MLflow {mlflow.__version__}"


def zipnn_chain(width, *paths):
    """Each file XORed with the one before; the first by itself."""
    ZipNN, version = import_zipnn()
    sizes, base, cpu = [], None, time.process_time()
    for path in paths:
        value = Path(path).read_bytes()
        if base is None or len(base) != len(value):
            coded = zipnn_coder(ZipNN, False, width).compress(own_copy(value))
        else:
            coded = zipnn_coder(ZipNN, True, width).compress(
                value, delta_second_data=base)
        sizes.append(len(coded))
        base = value
    lone = zipnn_coder(ZipNN, False, width).compress(base)
    return {"version": version, "stored_bytes": sum(sizes),
            "lone_bytes": len(lone), "cpu_s": time.process_time() - cpu,
            "peak_mb": peak()}


def mlflow_log(out, *paths):
    """Each file an artifact of one run."""
    import mlflow
    cpu, out = time.process_time(), Path(out)
    mlflow.set_tracking_uri(f"sqlite:///{out}/mlflow.db")
    experiment = mlflow.create_experiment(
        "bench", artifact_location=str(out / "artifacts"))
    with mlflow.start_run(experiment_id=experiment):
        for path in paths:
            mlflow.log_artifact(path)
    return {"version": f"MLflow {mlflow.__version__}",
            "stored_bytes": sum(path.stat().st_size for path in
                                (out / "artifacts").rglob("*")
                                if path.is_file()),
            "cpu_s": time.process_time() - cpu, "peak_mb": peak()}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PEERS = {"h5py": of_h5py, "safetensors": of_safetensors,
         "tensorflow": of_tensorflow, "tf-keras": of_tf_keras,
         "keras3": of_keras3, "zipnn": of_zipnn, "mlflow": of_mlflow}


def main(who, *words):
    if who == "zipnn-chain":
        return zipnn_chain(*words)
    if who == "mlflow-log":
        return mlflow_log(*words)
    out, *words = words
    models = []
    for i in range(0, len(words), 4):
        name, first, following, rounds = words[i:i + 4]
        clock = Clock(Path(out) / str(i))
        clock.out.mkdir()
        version = PEERS[who](Path(first), Path(following), clock, int(rounds))
        models.append({"name": name, "rows": clock.rows, "peak_mb": peak()})
        shutil.rmtree(clock.out)
    return {"version": version, "models": models}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
