"""Crafted HDF5 files: CASES maps a name to what wh says of it, a part of the
one sentence, or None where the file is odd and may be read."""
import zlib

import h5py
import numpy as np

CASES = {}

DEEP = 40  # components; 32 are followed


def case(said, after=None, **options):
    """`function(file)` fills an HDF5 file with the layer `a`; `after(bytes)`
    damages what came out; `options` are those of h5py.File."""
    def keep(function):
        name = function.__name__.replace("_", "-")
        CASES[name] = (said, function, after, options)
        return function
    return keep


def as_bytes(items):
    return [item.encode() for item in items]


def named(name, said, function, after=None):
    function.__name__ = name
    case(said, after)(function)


def model(file, layers=("a",), weights=("a/w:0",)):
    """The lists, and the groups, but no dataset."""
    file.attrs["layer_names"] = as_bytes(layers)
    group = file.require_group("a")
    group.attrs["weight_names"] = as_bytes(weights)
    return group


def values(*shape):
    return np.arange(np.prod(shape, dtype=int), dtype="<f4").reshape(shape)


def low_level(group, name, shape, kind=h5py.h5t.IEEE_F32LE, prepare=None):
    """A dataset by h5py's low-level calls; its folder is made first."""
    folder, _, leaf = name.rpartition("/")
    at = group.require_group(folder) if folder else group
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if prepare:
        prepare(properties)
    space = (h5py.h5s.create(h5py.h5s.NULL) if shape is None
             else h5py.h5s.create_simple(shape))
    return h5py.h5d.create(at.id, leaf.encode(), kind, space, properties)


def patch(old, new):
    """Replaces the one place where `old` stands."""
    def change(data):
        assert data.count(old) == 1, data.count(old)
        return data.replace(old, new)
    return change


# ---- Links ----------------------------------------------------------------

@case("an external link, which is not followed")
def external_link(file):
    model(file)["a"] = h5py.ExternalLink("/etc/passwd", "/")


@case("an external link, which is not followed")
def external_link_as_layer(file):
    file.attrs["layer_names"] = as_bytes(["b"])
    file["b"] = h5py.ExternalLink("other.h5", "/b")


@case("an external link, which is not followed")
def external_link_as_model(file):
    file["model_weights"] = h5py.ExternalLink("other.h5", "/")


@case("a soft link, which is not followed")
def soft_link(file):
    group = model(file, weights=["w:0"])
    file["there"] = values(2)
    group["w:0"] = h5py.SoftLink("/there")


@case("a soft link, which is not followed")
def soft_link_loop(file):
    group = model(file)
    group["a"] = h5py.SoftLink("/a/b")
    group["b"] = h5py.SoftLink("/a/a")


@case("a soft link, which is not followed")
def soft_link_as_optimizer(file):
    model(file, weights=[])
    file["optimizer_weights"] = h5py.SoftLink("/a")


@case("is no name that is followed")
def hard_link_cycle(file):
    group = model(file, weights=["self/" * DEEP + "w"])
    group["self"] = group
    group["w"] = values(2)


@case("the file names more weights than it can hold")
def hard_links_without_end(file):
    """Thirty layers are one group, whose hundred weights are one dataset."""
    layers = [f"l{k}" for k in range(30)]
    group = model(file, layers, [f"w{k}" for k in range(100)])
    group["w0"] = values(2)
    for k in range(1, 100):
        group[f"w{k}"] = group["w0"]
    for layer in layers:
        file[layer] = group


# ---- Storage --------------------------------------------------------------

@case("said to lie in another file")
def external_storage(file):
    low_level(model(file), "a/w:0", (2,), prepare=lambda p:
              p.set_external(b"/etc/passwd", 0, 8))


@case("it is virtual")
def virtual_dataset(file):
    layout = h5py.VirtualLayout((2,), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
    model(file).create_virtual_dataset("a/w:0", layout)


@case("declares 4398046511104 bytes that the file does not have")
def huge_and_empty(file):
    low_level(model(file), "a/w:0", (1 << 40,))


@case("its shape is too large")
def shape_that_wraps_to_zero(file):
    low_level(model(file), "a/w:0", (1 << 33, 1 << 33))


@case("its shape is too large")
def shape_that_wraps_to_little(file):
    low_level(model(file), "a/w:0", ((1 << 62) + 1, 4))


@case("it has no shape")
def null_space(file):
    low_level(model(file), "a/w:0", None)


@case("would unpack to")
def gzip_bomb(file):
    """4 GiB, of which 64 MiB of zeros are stored, in 65 KB."""
    made = model(file).create_dataset("a/w:0", (1 << 30,), "<f4",
                                      chunks=(1 << 24,), compression=9)
    made[:1 << 24] = 0


@case("packed by filter 1 twice")
def deflated_twice(file):
    def prepare(properties):
        properties.set_chunk((64,))
        properties.set_deflate(9)
        properties.set_deflate(9)
    low_level(model(file), "a/w:0", (64,), prepare=prepare)


@case("twice or too late")
def shuffled_after_deflate(file):
    def prepare(properties):
        properties.set_chunk((64,))
        properties.set_deflate(9)
        properties.set_shuffle()
    low_level(model(file), "a/w:0", (64,), prepare=prepare)


@case("in more than 1048576 chunks")
def chunks_without_end(file):
    made = model(file).create_dataset("a/w:0", (1 << 22,), "i1", chunks=(2,))
    made[:2] = 1


@case("its chunks run across its rows")
def chunks_across_rows(file):
    """512 MiB, of which one chunk of 8 is stored."""
    made = model(file).create_dataset("a/w:0", (1 << 14, 1 << 13), "<f4",
                                      chunks=(1 << 14, 1 << 7),
                                      compression=0)
    made.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 23), 0))


@case("its chunks are larger than")
def chunk_of_a_gigabyte(file):
    model(file).create_dataset("a/w:0", (1 << 28,), "<f4",
                               chunks=(1 << 28,), compression="gzip")


@case("but none are stored")
def chunked_and_empty(file):
    model(file).create_dataset("a/w:0", (64,), "<f4", chunks=(8,))


@case("packed by filter 32015")
def unknown_filter(file):
    def prepare(properties):
        properties.set_chunk((2,))
        properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    made = low_level(model(file), "a/w:0", (2,), prepare=prepare)
    made.write_direct_chunk((0,), b"12345678")


@case("packed by filter 6")
def scale_offset_filter(file):
    model(file).create_dataset("a/w:0", data=values(8), chunks=(8,),
                               scaleoffset=3)


@case("can't be read or unpacked")
def damaged_deflate(file):
    made = model(file).create_dataset("a/w:0", (8,), "<f4", chunks=(8,),
                                      compression="gzip")
    made.id.write_direct_chunk((0,), b"not deflated at all")


@case("can't be read or unpacked")
def deflate_of_too_little(file):
    """libhdf5 would read 64 MiB beyond ten bytes."""
    made = model(file).create_dataset("a/w:0", (1 << 24,), "<f4",
                                      chunks=(1 << 24,), compression="gzip")
    made.id.write_direct_chunk((0,), zlib.compress(bytes(10)))


@case("can't be read or unpacked")
def deflate_of_too_much(file):
    made = model(file).create_dataset("a/w:0", (64,), "<f4", chunks=(64,),
                                      compression="gzip")
    made.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 18)))


@case("can't be read or unpacked")
def shuffle_of_too_little(file):
    made = model(file).create_dataset("a/w:0", (1 << 20,), "<f4",
                                      chunks=(1 << 20,), shuffle=True)
    made.id.write_direct_chunk((0,), b"12345678")


@case("can't be read or unpacked")
def chunk_larger_than_it_can_be(file):
    made = model(file).create_dataset("a/w:0", (4,), "<f4", chunks=(4,),
                                      fletcher32=True)
    made.id.write_direct_chunk((0,), bytes(40000))


def damaged_checksum(data):
    at = data.index(bytes(values(8).tobytes()))
    return data[:at] + b"\x01" + data[at + 1:]


@case("can't be read or unpacked", damaged_checksum)
def fletcher32_mismatch(file):
    model(file).create_dataset("a/w:0", data=values(8), chunks=(8,),
                               fletcher32=True)


# ---- Types ----------------------------------------------------------------

def of_type(kind, shape=(2,)):
    def fill(file):
        low_level(model(file), "a/w:0", shape, kind)
    return fill


def odd_float():
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(100)
    return kind


def three_states():
    kind = h5py.h5t.enum_create(h5py.h5t.STD_I8LE)
    for value, name in enumerate((b"FALSE", b"TRUE", b"MAYBE")):
        kind.enum_insert(name, value)
    return kind


NO_WEIGHT = "its HDF5 datatype is none that weights have"
TYPES = {
    "compound": h5py.h5t.py_create(np.dtype([("x", "<f4"), ("y", "<i4")])),
    "variable_length": h5py.h5t.vlen_create(h5py.h5t.IEEE_F32LE),
    "reference": h5py.h5t.STD_REF_OBJ,
    "strings": h5py.h5t.py_create(np.dtype("S7")),
    "odd_float": odd_float(),
    "wide_opaque": h5py.h5t.create(h5py.h5t.OPAQUE, 3),
    "array_type": h5py.h5t.array_create(h5py.h5t.IEEE_F32LE, (3,)),
    "enum_of_three": three_states(),
    "bit_field": h5py.h5t.STD_B8LE,
    "time": h5py.h5t.UNIX_D32LE,
}
for type_name, kind in TYPES.items():
    named(f"type_{type_name}", NO_WEIGHT, of_type(kind))


@case("is not a dataset")
def named_type_for_a_dataset(file):
    model(file)["a/w:0"] = np.dtype("<f4")


@case("is not a dataset")
def group_for_a_dataset(file):
    model(file).create_group("a/w:0")


@case("is not a group")
def dataset_for_a_group(file):
    file.attrs["layer_names"] = as_bytes(["b"])
    file["b"] = values(2)


# ---- Lists ----------------------------------------------------------------

@case("is not a list")
def list_of_two_dimensions(file):
    model(file)
    file.attrs["layer_names"] = np.array([[b"a"], [b"b"]])


@case("is not a list")
def list_without_space(file):
    model(file)
    del file.attrs["layer_names"]
    file.attrs["layer_names"] = h5py.Empty("S4")


@case("holds no strings")
def list_of_numbers(file):
    model(file)
    file.attrs["layer_names"] = np.array([1.5, 2.5])


def one_dimension(n):
    """Header of a dataspace message: version 1, rank 1, with maximum."""
    return b"\x01\x01\x01\x00\x00\x00\x00\x00" + n.to_bytes(8, "little") * 2


@case("but not of Keras weights",
      patch(one_dimension(77), one_dimension(1 << 40)))
def list_of_a_trillion(file):
    model(file)
    file.attrs["layer_names"] = np.array([b"a"] * 77)


@case("but not of Keras weights",
      patch(one_dimension(77), one_dimension(900000)))
def list_longer_than_its_message(file):
    model(file)
    file.attrs["layer_names"] = np.array([b"a"] * 77)


@case("is larger than 16777216 bytes", libver="latest")
def list_of_20_megabytes(file):
    model(file)
    file.attrs["layer_names"] = np.array([b"a" * 1000] * 20000)


@case("is split into more than 4096 attributes", libver="latest")
def list_in_too_many_parts(file):
    for k in range(4100):
        file.attrs[f"layer_names{k}"] = np.array([b"a"])


@case("at most 4096 are read")
def name_of_five_thousand_bytes(file):
    model(file, layers=["n" * 5000])


@case("has a name with a zero byte")
def name_with_a_zero_byte(file):
    model(file)
    file.attrs["layer_names"] = np.array([b"a\0b", b"c"])


@case("UTF-8")
def name_that_is_not_utf8(file):
    model(file)
    file.attrs["layer_names"] = np.array([b"a\xff\xfe"])
    file.create_group(b"a\xff\xfe")


@case("layer 'a' is listed twice")
def layer_listed_twice(file):
    model(file, layers=["a", "a"], weights=[])


@case("is listed but can't be found")
def layer_that_is_not_there(file):
    model(file, layers=["a", "ghost"], weights=[])


@case("a layer can't be named 'top_level_model_weights'")
def layer_with_the_models_name(file):
    model(file, layers=["a", "top_level_model_weights"], weights=[])
    file.create_group("top_level_model_weights")


@case("twice")
def weight_listed_twice(file):
    group = model(file, weights=["a/w:0", "a/w:0"])
    group["a/w:0"] = values(2)


@case("is listed but can't be found")
def weight_that_is_not_there(file):
    model(file)


def refused_name(name):
    def fill(file):
        group = model(file, weights=[name])
        group["a/w:0"] = values(2)
    return fill


REFUSED = ("../a/a/w:0", "/a/a/w:0", "./a/w:0", "", "a//w:0", "a/w:0/",
           "a/../a/w:0", "a/" * DEEP + "w:0")
for number, refused in enumerate(REFUSED):
    named(f"name_{number}", "is no name that is followed",
          refused_name(refused))


@case("\\x1b")
def name_that_controls_the_terminal(file):
    model(file, layers=["\x1b[31mred"], weights=[])


@case("is no count from 0 to")
def counts_below_zero(file):
    file.attrs["nb_layers"] = -1


@case("is no count from 0 to")
def counts_without_bound(file):
    file.attrs["nb_layers"] = np.uint64(1 << 63)


@case("is no count from 0 to")
def counts_in_words(file):
    file.attrs["nb_layers"] = b"three"


@case("is listed but can't be found")
def counts_more_than_there_are(file):
    file.attrs["nb_layers"] = 90000
    file.create_group("layer_0").attrs["nb_params"] = 0


# ---- Configurations: odd ones are kept, not believed -----------------------

def full_model(config):
    def fill(file):
        file.attrs["model_config"] = config
        group = model(file.create_group("model_weights"))
        group["a/w:0"] = values(2)
    return fill


CONFIGS = {
    "brackets": b"[" * 50000,
    "nothing": b"",
    "text": b"{x}",
    "other_types": b'{"config": {"layers": [1, null, {"config": 2}]}}',
}
for config_name, config in CONFIGS.items():
    named(f"config_of_{config_name}", None, full_model(config))
named("config_of_opaque_bytes", "attribute 'model_config' holds no strings",
      full_model(np.void(b"\xff\x00\x01")))


# ---- The file itself --------------------------------------------------------

def plain(file):
    model(file)["a/w:0"] = values(16)


def variant(name, said, after):
    named(name, said, lambda file: plain(file), after)


def heap_object(size):
    """Sets the size of the first object of the first global heap."""
    def change(data):
        at = data.index(b"GCOL") + 16 + 8
        return data[:at] + size.to_bytes(8, "little") + data[at + 8:]
    return change


def at_payload(change):
    def apply(data):
        where = data.index(values(16).tobytes())
        address = where.to_bytes(8, "little")
        assert data.count(address) >= 1
        return data.replace(address, change.to_bytes(8, "little"))
    return apply


variant("truncated", "damaged or truncated", lambda data: data[:len(data) // 2])
variant("ends_a_byte_early", "damaged or truncated", lambda data: data[:-1])
variant("only_a_signature", "damaged or truncated", lambda data: data[:8])
variant("superblock_of_the_future", "damaged or truncated",
        lambda data: data[:8] + b"\x09" + data[9:])
variant("offsets_of_16_bytes", "damaged or truncated",
        lambda data: data[:13] + b"\x10\x10" + data[15:])
variant("root_beyond_the_end", "an address beyond its end",
        lambda data: data[:64] + b"\xff" * 7 + b"\x7f" + data[72:])
variant("heap_that_never_ends", "sizes don't add up", heap_object(0))
variant("heap_that_wraps", "sizes don't add up", heap_object((1 << 64) - 16))
variant("payload_beyond_the_end", "goes beyond the file's end",
        at_payload(1 << 40))
variant("payload_at_the_last_byte", "goes beyond the file's end",
        at_payload(2000000))
variant("not_hdf5", "no checkpoint that is read here",
        lambda data: b"\x00" * len(data))
variant("nothing", "'nothing.h5' is empty", lambda data: b"")
variant("a_zip", "no checkpoint that is read here",
        lambda data: b"PK\x03\x04" + data[8:])


@case("an HDF5 file, but not of Keras weights")
def other_content(file):
    file["x"] = values(2)


def write(name, folder):
    """The path of the case's file."""
    _, fill, after, options = CASES[name]
    path = folder / f"{name}.h5"
    with h5py.File(path, "w", **options) as file:
        fill(file)
    if after:
        path.write_bytes(after(path.read_bytes()))
    return path
