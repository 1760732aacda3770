"""Files that h5py writes as other versions and tools would have: CASES maps
a name to a function that writes it."""
from common import WRITERS, h5py, np

CASES = {}


def case(function):
    name = function.__name__.replace("_", "-")

    def write(path):
        with h5py.File(path, "w") as file:
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
