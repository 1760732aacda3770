"""Files that h5py writes as other versions and tools would have: CASES maps
a name to a function that writes it."""
from common import WRITERS, h5py, np

CASES = {}


def case(function=None, **options):
    """`options` are those of h5py.File."""
    if function is None:
        return lambda function: case(function, **options)
    name = function.__name__.replace("_", "-")

    def write(path):
        with h5py.File(path, "w", **options) as file:
            function(file, np.random.RandomState(len(name)))
        return WRITERS["h5py"], False

    CASES[name] = write
    return function


def array(random, *shape):
    return (random.randint(-2000, 2000, shape) / 1024).astype("<f4")


def stamp(group, version="2.4.0"):
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = version.encode()


def conv_and_dense(random):
    """layer: [(weight, array)], in model order."""
    return {"input": [], "conv": [("conv/kernel:0", array(random, 3, 3, 1, 2)),
                                  ("conv/bias:0", array(random, 2))],
            "dense": [("dense/kernel:0", array(random, 8, 3)),
                      ("dense/bias:0", array(random, 3))]}


def write_layers(root, model, attribute, convert=lambda value: value,
                 **options):
    """The legacy layout; `attribute(group, name, list)` writes a list."""
    attribute(root, "layer_names", list(model))
    for layer, weights in model.items():
        group = root.create_group(layer)
        attribute(group, "weight_names", [name for name, _ in weights])
        for name, value in weights:
            group.create_dataset(name, data=convert(value), **options)


def as_bytes(group, name, items):
    group.attrs[name] = [item.encode() for item in items]


def as_fixed(group, name, items):
    """As h5py 2 wrote lists of bytes: fixed length, NUL padded."""
    group.attrs[name] = np.array([item.encode() for item in items], "S")


def as_utf8(group, name, items):
    group.attrs.create(name, items, (len(items),), h5py.string_dtype())


def with_padding(padding, extra):
    def attribute(group, name, items):
        size = max([len(item) for item in items] + [1]) + extra
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(size)
        kind.set_strpad(padding)
        space = h5py.h5s.create_simple((len(items),))
        made = h5py.h5a.create(group.id, name.encode(), kind, space)
        blank = b" " if padding == h5py.h5t.STR_SPACEPAD else b"\0"
        padded = b"".join(item.encode().ljust(size, blank) for item in items)
        if items:
            made.write(np.frombuffer(padded, f"S{size}"), mtype=kind)
    return attribute


@case
def h5py_fixed_attributes(file, random):
    write_layers(file, conv_and_dense(random), as_fixed)
    stamp(file)


@case
def h5py_null_terminated(file, random):
    write_layers(file, conv_and_dense(random),
                 with_padding(h5py.h5t.STR_NULLTERM, 1))
    stamp(file)


@case
def h5py_space_padded(file, random):
    write_layers(file, conv_and_dense(random),
                 with_padding(h5py.h5t.STR_SPACEPAD, 3))
    stamp(file)


@case
def h5py_utf8_attributes(file, random):
    write_layers(file, conv_and_dense(random), as_utf8)
    file.attrs["backend"] = "tensorflow"
    file.attrs["keras_version"] = "2.4.0"


@case
def h5py_scalar_name(file, random):
    """A list of one name as a scalar."""
    file.attrs["layer_names"] = b"words"
    group = file.create_group("words")
    group.attrs["weight_names"] = b"words/embeddings:0"
    group["words/embeddings:0"] = array(random, 5, 2)
    stamp(file)


@case
def h5py_filters(file, random):
    write_layers(file, conv_and_dense(random), as_bytes, compression="gzip",
                 shuffle=True, fletcher32=True)
    stamp(file)


@case
def h5py_chunked(file, random):
    """Chunks that don't divide the shape, one of them never written."""
    write_layers(file, {"dense": []}, as_bytes)
    group = file["dense"]
    as_bytes(group, "weight_names", ["dense/kernel:0"])
    kernel = group.create_dataset("dense/kernel:0", (7, 5), "<f4",
                                  chunks=(3, 2), fillvalue=0.5)
    kernel[:6, :4] = array(random, 6, 4)
    stamp(file)


@case
def h5py_big_endian(file, random):
    model = conv_and_dense(random)
    model["counter"] = [("counter/steps:0", np.int64(123456789012))]
    model["half"] = [("half/bias:0", array(random, 3).astype("f2"))]
    write_layers(file, model, as_bytes,
                 lambda value: value.astype(value.dtype.newbyteorder(">")))
    stamp(file)


@case
def h5py_float64(file, random):
    write_layers(file, conv_and_dense(random), as_bytes,
                 lambda value: value.astype("<f8") / 3)
    stamp(file)


@case
def h5py_no_keras_version(file, random):
    write_layers(file, conv_and_dense(random), as_bytes)


@case
def h5py_keras1_names(file, random):
    """Keras 1.2 weights: no versions, no top_level_model_weights."""
    write_layers(file, {
        "zeropadding2d_1": [],
        "convolution2d_1": [("convolution2d_1_W:0", array(random, 2, 2, 1, 2)),
                            ("convolution2d_1_b:0", array(random, 2))],
        "dense_1": [("dense_1_W:0", array(random, 4, 3)),
                    ("dense_1_b:0", array(random, 3))],
        "custom_1": [("param_0", array(random, 3))]}, as_fixed)


@case
def h5py_keras2_theano(file, random):
    """Keras 2.0 over Theano: no ":0"."""
    write_layers(file, {
        "dense_1": [("dense_1/kernel", array(random, 4, 3)),
                    ("dense_1/bias", array(random, 3))]}, as_fixed)
    file.attrs["backend"] = b"theano"
    file.attrs["keras_version"] = b"2.0.4"


@case
def h5py_split_variable_length(file, random):
    """Split lists need not be of fixed length, nor long."""
    model = conv_and_dense(random)
    write_layers(file, model, as_bytes)
    del file.attrs["layer_names"]
    as_bytes(file, "layer_names0", list(model)[:2])
    as_bytes(file, "layer_names1", list(model)[2:])
    stamp(file)


@case
def h5py_keras0_counted(file, random):
    """Keras 0.x: layers and weights are counted, not named."""
    file.attrs["nb_layers"] = 3
    for k, arrays in enumerate(([array(random, 3, 2), array(random, 2)], [],
                                [array(random, 2, 1)])):
        group = file.create_group(f"layer_{k}")
        group.attrs["nb_params"] = len(arrays)
        for i, value in enumerate(arrays):
            group[f"param_{i}"] = value


@case
def h5py_keras1_full(file, random):
    """A whole model of Keras 1.2: the group of weights has no version."""
    file.attrs["keras_version"] = b"1.2.2"
    file.attrs["model_config"] = (
        b'{"class_name": "Sequential", "config": [{"class_name": "Dense", '
        b'"config": {"name": "dense_1", "output_dim": 3}}]}')
    write_layers(file.create_group("model_weights"), {
        "dense_1": [("dense_1_W:0", array(random, 4, 3)),
                    ("dense_1_b:0", array(random, 3))]}, as_fixed)
    group = file.create_group("optimizer_weights")
    as_fixed(group, "weight_names", ["iterations", "Variable:0"])
    group["iterations"] = np.float32(7)
    group["Variable:0"] = array(random, 4, 3)
    file.attrs["training_config"] = b'{"loss": "mse"}'


@case
def h5py_renamed_weights(file, random):
    """tf.keras 1.x: the model's name in front, suffixes behind."""
    write_layers(file, {
        "dense": [("sequential/dense/kernel:0", array(random, 4, 3)),
                  ("sequential/dense/bias:0", array(random, 3))],
        "dense_1": [("dense_1/kernel_1:0", array(random, 3, 2)),
                    ("dense_1/bias_1:0", array(random, 2))]}, as_bytes)
    stamp(file, "2.2.4-tf")


@case(libver="latest")
def h5py_latest(file, random):
    """The newest file format: a superblock, headers and groups of another
    kind, and lists in the dense storage of attributes."""
    write_layers(file, conv_and_dense(random), as_fixed)
    for k in range(9):
        file.attrs[f"note{k}"] = k
    stamp(file)


@case(userblock_size=1024)
def h5py_user_block(file, random):
    """Offsets begin behind a block of the user's own."""
    write_layers(file, conv_and_dense(random), as_bytes)
    stamp(file)


@case
def h5py_compact(file, random):
    """Values inside the dataset's header."""
    as_bytes(file, "layer_names", ["dense"])
    group = file.create_group("dense")
    as_bytes(group, "weight_names", ["bias:0"])
    value = array(random, 3)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    dataset = h5py.h5d.create(group.id, b"bias:0", h5py.h5t.IEEE_F32LE,
                              h5py.h5s.create_simple((3,)), properties)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, value)
    stamp(file)
