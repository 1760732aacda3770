"""Statistics of every dtype that has them, against NumPy's."""
import json
import math

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

SPECIAL = [0.0, -0.0, 1.5, -2.25, 5e-324, 1e-40, -6e-8, 448.0, math.nan,
           -math.nan, math.inf, -math.inf, 3.0]
FLOATS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
SMALL = [ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn,
         ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e4m3b11fnuz,
         ml_dtypes.float8_e5m2fnuz]
FIGURES = ("min", "max", "mean", "std", "l2")
INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32,
            np.int64, np.uint64]


def values():
    """(name, array): specials, every bit pattern of the small ones, a large
    array of several chunks, extremes of integers."""
    random = np.random.default_rng(7)
    for dtype in FLOATS:
        name = np.dtype(dtype).name
        with np.errstate(over="ignore"):
            yield f"special_{name}", np.array(SPECIAL).astype(dtype)
            yield f"large_{name}", random.normal(
                3, 7, 700_001).astype(dtype)
    for dtype in FLOATS[:2]:
        yield (f"all_{np.dtype(dtype).name}",
               np.arange(65536, dtype=np.uint16).view(dtype))
    for dtype in SMALL:
        yield (f"all_{np.dtype(dtype).name}",
               np.arange(256, dtype=np.uint8).view(dtype))
    for dtype in INTEGERS:
        limits = np.iinfo(dtype)
        yield (f"limits_{np.dtype(dtype).name}",
               np.array([limits.min, 0, 1, limits.max], dtype))
        yield (f"large_{np.dtype(dtype).name}",
               random.integers(limits.min, limits.max, 300_001, dtype))
    yield "bool", np.array([True, False, True, True])
    yield "empty", np.zeros((0, 3), np.float32)
    yield "scalar", np.float64(-7)
    yield "all_nan", np.full(5, np.nan, np.float32)


@pytest.fixture
def stored(wh, tmp_path):
    """{name: (array, row of tensor_stats)}"""
    arrays = dict(values())
    arrays["complex"] = np.array([1 + 2j], np.complex64)
    # Variables can't hold all of these dtypes, files can.
    prefix = str(tmp_path / "ckpt")
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=list(arrays),
                      shape_and_slices=[""] * len(arrays),
                      tensors=[tf.constant(a) for a in arrays.values()])
    wh.commit(prefix)
    figures = ", ".join(
        f"CASE WHEN s.{key} IS NOT NULL THEN printf('%!.17g', s.{key}) END "
        f"AS {key}" for key in FIGURES)
    rows = [json.loads(line) for line in wh(
        "sql", "--json", "SELECT w.weight AS weight, s.n_elements, s.n_zero, "
        f"s.n_nan, s.n_inf, {figures} FROM weights AS w "
        "LEFT JOIN tensor_stats AS s ON s.sha256 = w.sha256 "
        "AND s.dtype = w.dtype AND s.shape = w.shape").splitlines()]
    found = {row["weight"]: row for row in rows}
    return {name: (array, found[name]) for name, array in arrays.items()}


def test_statistics_are_numpys(stored):
    assert stored.pop("complex")[1]["n_elements"] is None
    for name, (array, row) in stored.items():
        x = np.asarray(array).astype(np.float64).ravel()
        finite, real = x[np.isfinite(x)], x[~np.isnan(x)]
        assert row["n_elements"] == x.size, name
        assert row["n_zero"] == np.count_nonzero(x == 0), name
        assert row["n_nan"] == np.count_nonzero(np.isnan(x)), name
        assert row["n_inf"] == np.count_nonzero(np.isinf(x)), name
        for key, of in (("min", real), ("max", real), ("mean", finite),
                        ("std", finite)):
            assert (row[key] is None) == (of.size == 0), (name, key)
        if real.size:
            assert float(row["min"]) == real.min(), name
            assert float(row["max"]) == real.max(), name
        assert float(row["l2"]) == pytest.approx(
            float(np.linalg.norm(finite)), rel=1e-12), name
        if finite.size:
            size = float(np.abs(finite).max())
            assert abs(float(row["mean"]) - finite.mean()) <= 1e-12 * size
            # From sums of squares: what cancels is of the largest's size.
            assert abs(float(row["std"]) - finite.std()) <= 1e-7 * size, name
