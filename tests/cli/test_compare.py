"""cat and diff, against NumPy and h5py."""
import io
import json
import shutil

import h5py
import numpy as np
import pytest

from conftest import GOLDEN, epoch

FIELDS = {"layer", "weight", "name", "change", "by", "l2", "max_abs",
          "mean_abs", "cosine", "changed", "nan", "inf", "new_nan", "new_inf",
          "former"}


def weights_of(path):
    """{weight's name: array}, in the file's order."""
    with h5py.File(path) as file:
        return {name.decode() if isinstance(name, bytes) else name:
                file[layer][name][()]
                for layer in file.attrs["layer_names"]
                for name in file[layer].attrs["weight_names"]}


def save(path, weights):
    """A Keras 2 file of one layer `d`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        file.attrs["keras_version"] = b"2.21.0"
        file.attrs["backend"] = b"tensorflow"
        group = file.create_group("d")
        group.attrs["weight_names"] = [name.encode() for name in weights]
        for name, array in weights.items():
            group.create_dataset(name, data=array)


def test_cat_npy_loads_in_numpy(history):
    for name, array in weights_of(epoch(5)).items():
        data = history("cat", "HEAD", name, "--npy", text=False).stdout
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        assert loaded.dtype == array.dtype and loaded.shape == array.shape
        assert loaded.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8",
                                   "u1", "u2", "u4", "u8", "bool"])
def test_cat_of_every_dtype(wh, dtype):
    chance = np.random.default_rng(7)
    array = chance.integers(0, 2, (3, 2)).astype(dtype)
    if array.dtype.kind in "iuf":
        info = (np.finfo if array.dtype.kind == "f" else np.iinfo)(dtype)
        array[0] = info.min, info.max
    save(wh.folder / "x.h5", {"d/w:0": array, "d/s:0": array[0, 0]})
    data = wh("cat", "file:x.h5", "d/w:0", "--npy", text=False).stdout
    assert np.load(io.BytesIO(data)).tobytes() == array.tobytes()
    assert wh("cat", "file:x.h5", "d/w:0", text=False).stdout == (
        array.tobytes())
    scalar = wh("cat", "file:x.h5", "d/s:0", "--npy", text=False).stdout
    assert np.load(io.BytesIO(scalar)).shape == ()
    text = wh.ok("cat", "file:x.h5", "d/w:0", "--text").split()
    kind = int if array.dtype.kind in "iu" else float
    again = np.array([kind(word) for word in text], dtype)
    assert again.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype, data", [
    ("F8_E4M3", b"\x30\x38\x3c\xb0"), ("F8_E5M2", b"\x38\x3c\x3e\xb8")])
def test_cat_prints_fractions_of_eight_bits(wh, dtype, data):
    head = json.dumps({"w": {"dtype": dtype, "shape": [4],
                             "data_offsets": [0, 4]}}).encode()
    (wh.folder / "x.safetensors").write_bytes(
        len(head).to_bytes(8, "little") + head + data)
    assert wh.ok("cat", "file:x.safetensors", "w", "--text").split() == [
        "0.5", "1", "1.5", "-0.5"]


def test_cat_takes_any_spelling_and_guesses(history):
    wanted = history("cat", "HEAD", "hidden/kernel:0", text=False).stdout
    assert history("cat", "HEAD", "hidden/kernel",
                   text=False).stdout == wanted
    assert history.fails(4, "cat", "HEAD", "hidden/kernl").endswith(
        "did you mean 'hidden/kernel'?")
    assert history.fails(4, "cat", "HEAD", "xyz") == (
        "wh cat: there is no tensor 'xyz'")


def expected(a, b):
    a, b = a.astype("f8"), b.astype("f8")
    finite = np.isfinite(a) & np.isfinite(b)
    d = (b - a)[finite]
    x, y = a[finite], b[finite]
    return {"l2": np.sqrt((d * d).sum()), "max_abs": np.abs(d).max(),
            "mean_abs": np.abs(d).mean(),
            "cosine": (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()),
            "nan": np.isnan(b).sum(), "inf": np.isinf(b).sum(),
            "new_nan": (np.isnan(b) & ~np.isnan(a)).sum(),
            "new_inf": (np.isinf(b) & ~np.isinf(a)).sum()}


def test_diff_agrees_with_numpy(history):
    a, b = weights_of(epoch(1)), weights_of(epoch(5))
    rows = history.rows("diff", "HEAD~4", "HEAD")
    assert [row["name"] for row in rows] == list(b)
    for row in rows:
        assert set(row) == FIELDS and row["change"] == "changed"
        assert row["by"] == "key"
        for key, value in expected(a[row["name"]], b[row["name"]]).items():
            assert row[key] == pytest.approx(value, rel=1e-9), (row, key)
        bits = a[row["name"]].view("u4") != b[row["name"]].view("u4")
        assert row["changed"] == pytest.approx(bits.mean())


@pytest.mark.parametrize("n", [1, 3, 4, 511, 513, 3000, (1 << 18) + 5])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i2", "i4",
                                   "u4", "i8", "?"])
def test_every_dtype_and_size_agrees_with_numpy(wh, dtype, n):
    """Whole batches, their rest, and what is not finite among them."""
    chance = np.random.default_rng(n)
    if dtype[0] == "f":
        a = chance.normal(size=n).astype(dtype)
        b = np.where(chance.random(n) < 0.7, a, a * a).astype(dtype)
        for values in (a, b):
            for value in (np.nan, np.inf, -np.inf, -0.0):
                values[chance.random(n) < min(0.1, 40 / n)] = value
    else:
        a = chance.integers(0, 2 if dtype == "?" else 100, n).astype(dtype)
        b = np.where(chance.random(n) < 0.7, a, a[::-1])
    b[0] = 1 if not a[0] == 1 else 0
    np.savez(wh.folder / "a.npz", w=a)
    np.savez(wh.folder / "b.npz", w=b)
    row = wh.row("diff", "file:a.npz", "file:b.npz")
    with np.errstate(all="ignore"):
        known = expected(a, b) if (np.isfinite(a.astype("f8"))
                                   & np.isfinite(b.astype("f8"))).any() else {}
    for key, value in known.items():
        if np.isnan(value):
            assert row[key] is None, key
        else:
            assert row[key] == pytest.approx(value, rel=1e-9), key
    size = a.dtype.itemsize
    bits = a.view(f"u{size}") != b.view(f"u{size}")
    assert row["changed"] == pytest.approx(bits.mean())


def test_diff_of_numbers_that_are_none(wh):
    a = np.array([1, 2, np.nan, 4, np.inf], "f4")
    b = np.array([1, 3, 5, np.nan, np.inf], "f4")
    save(wh.folder / "a.h5", {"d/w:0": a})
    save(wh.folder / "b.h5", {"d/w:0": b})
    row = wh.row("diff", "file:a.h5", "file:b.h5")
    assert (row["nan"], row["inf"]) == (1, 1)
    assert row["l2"] == row["max_abs"] == 1
    assert row["changed"] == pytest.approx(3 / 5)
    save(wh.folder / "c.h5", {"d/w:0": np.full(5, np.nan, "f4")})
    row = wh.row("diff", "file:a.h5", "file:c.h5")
    assert row["l2"] is None and row["cosine"] is None and row["nan"] == 5


def test_diff_names_every_kind_of_change(wh):
    x = np.arange(6, dtype="f4")
    save(wh.folder / "a.h5", {"d/same:0": x, "d/gone:0": x + 1,
                              "d/old:0": x + 2, "d/shape:0": x,
                              "d/type:0": x})
    save(wh.folder / "b.h5", {"d/same:0": x, "d/new:0": x + 9,
                              "d/other:0": x + 2,
                              "d/shape:0": x.reshape(2, 3),
                              "d/type:0": x.astype("f8")})
    rows = {row["name"]: row for row in wh.rows("diff", "file:a.h5",
                                                "file:b.h5")}
    assert {name: row["change"] for name, row in rows.items()} == {
        "d/new:0": "added", "d/gone:0": "removed", "d/other:0": "renamed",
        "d/shape:0": "reshaped", "d/type:0": "retyped"}
    assert rows["d/other:0"]["by"] == "sha256"
    assert rows["d/other:0"]["former"] == "d/old:0"
    assert rows["d/new:0"]["former"] is None
    assert all(set(row) == FIELDS for row in rows.values())
    assert rows["d/new:0"]["l2"] is None
    lines = wh.ok("diff", "file:a.h5", "file:b.h5", "--stat").splitlines()
    assert lines[-1] == ("1 added, 1 removed, 1 reshaped, 1 retyped, "
                         "1 renamed")


def save_layers(path, layers):
    """A Keras 2 file of a kernel a layer."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, array in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group.create_dataset(f"{name}/kernel:0", data=array)


def test_diff_of_a_model_that_was_built_anew(wh):
    """Keras numbers the layers anew: what changed in them is told."""
    x = np.arange(4, dtype="f4")
    save_layers(wh.folder / "a.h5", {"dense_8": x, "dense_9": x + 1,
                                     "conv": x, "norm": x + 5})
    save_layers(wh.folder / "b.h5", {"dense_10": x + 2, "dense_11": x + 1,
                                     "conv_1": x, "conv_2": x + 8,
                                     "norm_1": x[:2]})
    rows = {row["name"]: row for row in wh.rows("diff", "file:a.h5",
                                                "file:b.h5")}
    assert {name: (row["change"], row["former"], row["by"], row["l2"])
            for name, row in rows.items()} == {
        "dense_10/kernel:0": ("changed", "dense_8/kernel:0", "number", 4),
        "dense_11/kernel:0": ("renamed", "dense_9/kernel:0", "number", None),
        "norm_1/kernel:0": ("reshaped", "norm/kernel:0", "number", None),
        # Two for one: which it is, is known by the values alone.
        "conv_1/kernel:0": ("renamed", "conv/kernel:0", "sha256", None),
        "conv_2/kernel:0": ("added", None, None, None)}
    lines = wh.ok("diff", "file:a.h5", "file:b.h5").splitlines()
    assert lines[0].startswith("changed   dense_10/kernel:0 ")
    assert lines[0].endswith(" l2 4  max 2  cosine 0.945611  100.0 %"
                             "  was dense_8/kernel:0")
    assert lines[1].split() == ["renamed", "dense_11/kernel:0", "was",
                                "dense_9/kernel:0"]
    lines = wh.ok("diff", "file:a.h5", "file:b.h5", "--stat").splitlines()
    assert lines[0].endswith("l2 4  was dense_8/kernel:0")
    assert lines[-1] == "1 added, 1 changed, 1 reshaped, 2 renamed"
    lines = wh.ok("diff", "file:a.h5", "file:b.h5", "--atol", "2",
                  "--", "dense*").splitlines()
    assert [line.split()[0] for line in lines] == ["renamed", "renamed"]


def test_diff_tolerances(wh):
    a = np.array([1, 10, 100], "f4")
    save(wh.folder / "a.h5", {"d/w:0": a})
    save(wh.folder / "b.h5", {"d/w:0": a * np.float32(1.01)})
    diff = ["diff", "file:a.h5", "file:b.h5"]
    assert len(wh.rows(*diff)) == 1
    assert wh.rows(*diff, "--rtol", "0.02") == []
    assert len(wh.rows(*diff, "--atol", "0.5")) == 1
    assert wh.rows(*diff, "--atol", "1.5") == []
    for value in ("x", "-1", "nan"):
        wh.fails(2, *diff, "--atol", value)


def test_diff_exit_code_and_globs(history):
    assert history("diff", "HEAD~1", "HEAD").returncode == 0
    assert history("diff", "HEAD~1", "HEAD", "--exit-code").returncode == 3
    assert history.ok("diff", "HEAD", "HEAD", "--exit-code") == (
        "no tensor differs\n")
    rows = history.rows("diff", "HEAD~1", "HEAD", "--", "conv*", "logits")
    assert {row["layer"] for row in rows} == {"conv1", "conv2", "logits"}
    rows = history.rows("diff", "HEAD~1", "HEAD", "--", "conv1/kernel")
    assert [row["layer"] for row in rows] == ["conv1"]


def test_diff_takes_a_range_as_log_does(history):
    rows = history.rows("diff", "HEAD^", "HEAD")
    assert rows and rows == history.rows("diff", "HEAD~..HEAD")
    assert rows == history.rows("diff", "HEAD~..")
    (history.folder / "a").mkdir()
    shutil.copy(epoch(1), history.folder / "first.h5")
    path = "file:a/../first.h5"
    assert history.rows("diff", path, "HEAD") == history.rows(
        "diff", f"{path}..HEAD")
    assert "it takes A B or A..B" in history.fails(2, "diff", "HEAD")


def test_diff_of_names_that_nothing_has(history):
    assert history.fails(4, "diff", "HEAD~", "HEAD", "--", "nosuch*") == (
        "wh diff: nosuch*: no tensor is called so")
    assert history.rows("diff", "HEAD", "HEAD", "--", "conv*") == []


def test_a_file_that_is_taken_for_a_revision(history):
    (history.folder / "best.h5").write_bytes(b"")
    assert history.fails(4, "diff", "best.h5", "HEAD").endswith(
        "(on the disk it is 'file:best.h5')")
    (history.folder / "models").mkdir()
    assert history.fails(4, "publish", "HEAD", "models") == (
        "wh publish: there is no remote 'models' "
        "(on the disk it is 'file:models')")
    assert history.fails(4, "publish", "main").endswith(
        "(it is a revision; a remote's name or a URL says where)")


def test_diff_stat_draws_a_bar(history):
    lines = history.ok("diff", "HEAD~4", "HEAD", "--stat").splitlines()
    assert len(lines) == 15 and lines[-1] == "14 changed"
    assert all("|" in line and "l2 " in line for line in lines[:-1])


def test_diff_of_files_needs_no_store(wh):
    assert wh.rows("diff", f"file:{epoch(1)}", f"file:{epoch(1)}") == []
    assert "x.h5" in wh.fails(4, "diff", "file:x.h5", f"file:{epoch(1)}")


def test_diff_of_two_formats_pairs_by_path(history):
    history.ok("save-weights", "out/ckpt", "-q")
    assert history.rows("diff", "HEAD", "file:out/ckpt") == []
    rows = history.rows("diff", "HEAD~1", "file:out/ckpt")
    assert len(rows) == 14 and {row["change"] for row in rows} == {"changed"}


def test_strings_have_no_text_form(store):
    store.ok("commit", GOLDEN / "tf" / "strings" / "ckpt", "-q")
    text = [row for row in store.rows("ls") if row["dtype"] == "string"]
    assert text
    name = text[0]["name"]
    assert store("cat", "HEAD", name, text=False).stdout
    store.fails(2, "cat", "HEAD", name, "--npy")
