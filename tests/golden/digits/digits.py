"""The digit classifier: its data, its model, how it is judged."""
import contextlib
import os


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


# Without oneDNN sums don't depend on the processor's model.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with silent_stderr():
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras
    from sklearn.datasets import load_digits

SEED = 20261124
N_TRAIN, N_VALIDATION = 1197, 300


def data():
    """(images, labels) for training, validation and held-out: 1197, 300, 300.

    The split is a fixed permutation: the held-out digits are seen neither by
    training nor by the choice of the best epoch.
    """
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[..., np.newaxis]
    order = np.random.RandomState(SEED).permutation(len(images))
    cuts = np.split(order, [N_TRAIN, N_TRAIN + N_VALIDATION])
    return [(images[part], digits.target[part]) for part in cuts]


def model():
    """A small convolutional network, 10,880 parameters."""
    layers = keras.layers
    return keras.Sequential([
        layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv1",
                      input_shape=(8, 8, 1)),
        layers.BatchNormalization(momentum=0.9, name="norm1"),
        layers.ReLU(name="relu1"),
        layers.Conv2D(24, 3, padding="same", use_bias=False, name="conv2"),
        layers.BatchNormalization(momentum=0.9, name="norm2"),
        layers.ReLU(name="relu2"),
        layers.MaxPooling2D(name="pool"),
        layers.Flatten(name="flatten"),
        layers.Dropout(0.25, name="dropout"),
        layers.Dense(18, activation="relu", name="hidden"),
        layers.Dense(10, name="logits"),
    ], name="digits")


def accuracy(classifier, images, labels):
    guesses = np.argmax(classifier(images, training=False), axis=1)
    return round(float(np.mean(guesses == labels)), 6)


def heldout_accuracy(path):
    """Of the weights in a file or TensorFlow checkpoint, on held-out digits."""
    classifier = model()
    status = classifier.load_weights(path)
    if status is not None:
        status.assert_existing_objects_matched()
        status.expect_partial()
    return accuracy(classifier, *data()[2])


def be_deterministic():
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
