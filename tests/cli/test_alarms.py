"""Alarms at commit: what looks wrong against the parent, as a line, as JSON, as
a refusal."""
import numpy
import pytest

from conftest import epoch

STILL = {"a/kernel": numpy.ones((2, 3), "f4"), "b/kernel": numpy.ones(4, "f4"),
         "c/bias": numpy.zeros(2, "f4")}


def save(wh, name="m.npz", **changed):
    """STILL, but for what is named; None: without it."""
    arrays = {key: value for key, value in {
        **STILL, **{key.replace("__", "/"): value
                    for key, value in changed.items()}}.items()
        if value is not None}
    numpy.savez(wh.folder / name, **arrays)
    return name


@pytest.fixture
def model(store):
    store.ok("commit", save(store), "-q")
    return store


def alarms(wh, *words, **changed):
    row = wh.row("commit", save(wh, **changed), *words)
    return [(one["alarm"], one["layer"], one["weight"], one["value"])
            for one in row["alarms"]]


NAN = numpy.float32([1, numpy.nan, numpy.nan, 1])
INF = numpy.float32([1, numpy.inf, 1, -numpy.inf])


def test_a_model_that_trains_raises_none(model):
    assert alarms(model, a__kernel=numpy.full((2, 3), 1.5, "f4"),
                  c__bias=numpy.float32([1e-3, 0])) == []


def test_nan_and_inf_are_told_once(model):
    assert alarms(model, b__kernel=NAN) == [("nan", "b", "kernel", 2)]
    assert alarms(model, b__kernel=NAN) == []
    assert alarms(model, b__kernel=NAN * 2) == []
    assert alarms(model, b__kernel=INF) == [("inf", "b", "kernel", 2)]


def test_the_first_snapshot_and_new_weights_too(store):
    assert alarms(store, b__kernel=NAN) == [("nan", "b", "kernel", 2)]
    assert alarms(store, b__kernel=NAN, d__kernel=INF) == [
        ("inf", "d", "kernel", 2)]


def test_strict_takes_no_nan_though_the_parent_has_it(model):
    """Infinities may be a mask; what they were is told once."""
    model.ok("commit", save(model, b__kernel=INF, c__bias=NAN[1:3]), "-q",
             "--no-alarms")
    for change in ({}, {"a__kernel": numpy.zeros((2, 3), "f4")},
                   {"c__bias": NAN[:2]}):
        changed = {"b__kernel": INF, "c__bias": NAN[1:3], **change}
        done = model("commit", save(model, **changed), "--strict")
        assert done.returncode != 0
        assert "'c/bias' has " in done.stderr and "NaN" in done.stderr
        assert "infinities" not in done.stderr
    assert len(model.rows("log")) == 2
    model.ok("commit", save(model, b__kernel=INF), "-q", "--strict")


def test_norms(model):
    ten = numpy.full((2, 3), 10, "f4")
    assert alarms(model, a__kernel=ten * 9) == []
    assert alarms(model, a__kernel=ten * 1000) == [
        ("norm", "a", "kernel", pytest.approx(10000 / 90))]
    assert alarms(model, "--norm-limit", "5", a__kernel=ten) == []
    assert alarms(model, "--norm-limit", "5", a__kernel=ten * 6) == [
        ("norm", "a", "kernel", pytest.approx(6))]
    assert alarms(model, "--norm-limit", "0", a__kernel=ten * 1e6) == []
    # From nothing to something small is how a bias begins.
    assert alarms(model, c__bias=numpy.float32([1e-6, 0]),
                  a__kernel=ten * 1e6) == []
    assert alarms(model, c__bias=numpy.float32([1e-2, 0]),
                  a__kernel=ten * 1e6) == []


def test_shapes_dtypes_and_layers(model):
    assert alarms(model, a__kernel=numpy.ones((3, 2), "f4")) == [
        ("shape", "a", "kernel", None)]
    assert alarms(model, a__kernel=numpy.ones((3, 2), "f8")) == [
        ("dtype", "a", "kernel", None)]
    assert alarms(model, a__kernel=None) == [("missing", "a", None, None)]
    assert alarms(model) == []
    # Little in common: another model on this branch.
    assert alarms(model, a__kernel=None, c__bias=None,
                  b__kernel=numpy.ones((4, 1), "f4")) == []
    numpy.savez(model.folder / "other.npz", **{"z/kernel": STILL["b/kernel"]})
    assert model.row("commit", "other.npz")["alarms"] == []


SQUARE = numpy.arange(4, dtype="f4").reshape(2, 2)


def save_built(wh, *numbers, **more):
    """A model as Keras names it: a number of 0 is none."""
    arrays = {f"dense{f'_{n}' if n else ''}/kernel": SQUARE + value
              for value, n in enumerate(numbers, 1)}
    numpy.savez(wh.folder / "m.npz", **{"head/kernel": STILL["b/kernel"],
                                        **arrays, **more})
    return [(one["alarm"], one["layer"])
            for one in wh.row("commit", "m.npz")["alarms"]]


def test_a_model_that_is_built_anew(store):
    """In one process Keras goes on counting."""
    named = {f"{name}/kernel": SQUARE for name in "ab"}
    assert save_built(store, 0, 1, 2, **named) == []
    assert save_built(store, 3, 4, 5, **named) == []
    assert save_built(store, 6, 7, **named) == [("missing", "dense_5")]


def test_a_model_of_which_all_is_built_anew(store):
    assert save_built(store, 3, 4, 5) == []
    assert save_built(store, 10, 11, 12) == []
    # One has gone, with other names and with the same ones.
    assert save_built(store, 13, 14) == [("missing", "dense_12")]
    assert save_built(store, 13) == [("missing", "dense_14")]
    # What the parent had stands for nothing else.
    assert save_built(store, 13, 15) == []
    assert save_built(store, 15) == [("missing", "dense_13")]


def test_what_stands_for_no_layer(store):
    assert save_built(store, 0, 1, 2) == []
    for more in ({"dense_9/kernel": numpy.ones((2, 3), "f4")},
                 {"dense_9/kernel": numpy.ones((2, 2), "f8")},
                 {"dense_9/kernel": SQUARE, "dense_9/bias": SQUARE},
                 {"dense_x/kernel": SQUARE}, {"dense9/kernel": SQUARE},
                 {"dense_9_b/kernel": SQUARE}):
        assert save_built(store, 0, 1, **more) == [("missing", "dense_2")]
        new = next(iter(more)).split("/")[0]
        assert save_built(store, 0, 1, 2) == [("missing", new)]


def test_weights_of_a_layer_that_was_renamed(store):
    """Are told against what they were, in the order of the layers."""
    def save_nan(*numbers):
        return save_built(store, *numbers, **{
            f"dense_{numbers[-1]}/kernel": SQUARE * numpy.nan})
    assert save_built(store, 1, 2) == []
    assert save_nan(3, 4) == [("nan", "dense_4")]
    assert save_nan(5, 6) == []
    assert save_built(store, 7, 8, **{"dense_7/kernel": SQUARE * 1e9}) == [
        ("norm", "dense_7")]


def test_a_layer_that_does_not_train(model):
    def step(number, *words):
        return alarms(model, *words,
                      b__kernel=numpy.full(4, number, "f4"),
                      c__bias=numpy.full(2, number, "f4"))
    assert step(2, "--stuck", "3") == step(3, "--stuck", "3") == []
    assert step(4, "--stuck", "3") == [("stuck", "a", None, 3)]
    assert step(5, "--stuck", "5") == []
    assert step(6) == []
    model.ok("config", "alarms.stuck", "4")
    assert step(7) == [("stuck", "a", None, 6)]
    assert step(8, "--stuck", "0") == []


def test_lines_for_people(model):
    done = model("commit", save(model, b__kernel=NAN, a__kernel=None))
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "wh commit: layer 'a' is missing",
        "wh commit: 'b/kernel' has 2 NaN"]
    many = {f"l{i}/w": NAN for i in range(20)}
    numpy.savez(model.folder / "many.npz", **many)
    lines = model("commit", "many.npz").stderr.splitlines()
    assert len(lines) == 9 and "12 more" in lines[-1]
    assert model("commit", save(model, b__kernel=INF),
                 "--no-alarms").stderr == ""


def test_strict_refuses_and_leaves_nothing(model):
    before = model.rows("log", "--all")
    size = (model.folder / "weights.wh").stat().st_size
    done = model("commit", save(model, b__kernel=NAN), "--strict", "-q")
    assert done.returncode == 13 and done.stdout == ""
    assert "'b/kernel' has 2 NaN" in done.stderr.splitlines()[-1]
    error = model.error(13, "commit", save(model, b__kernel=NAN), "--strict")
    assert error["status"] == "alarm" and "'b/kernel'" in error["message"]
    assert model.rows("log", "--all") == before
    assert (model.folder / "weights.wh").stat().st_size == size
    model.ok("commit", save(model, b__kernel=STILL["b/kernel"] * 2),
             "--strict", "-q")
    model.fails(2, "commit", "m.npz", "--strict", "--no-alarms")
    model.fails(2, "commit", "m.npz", "--norm-limit", "x")


def test_settings_of_the_store(model):
    model.ok("config", "alarms", "strict")
    assert model("commit", save(model, b__kernel=NAN)).returncode == 13
    model.ok("config", "alarms", "off")
    assert alarms(model, b__kernel=NAN) == []
    assert model("commit", save(model, b__kernel=INF),
                 "--strict").returncode == 13
    model.ok("config", "alarms", "--unset")
    model.ok("config", "alarms.norm", "2")
    assert alarms(model, a__kernel=STILL["a/kernel"] * 3) == [
        ("norm", "a", "kernel", pytest.approx(3))]
    for key, value in (("alarms", "on"), ("alarms.norm", "x"),
                       ("alarms.stuck", "-1"), ("alarms.none", "1")):
        model.fails(2, "config", key, value)


def test_imports_too(store):
    for place, value in enumerate((1, 2, numpy.nan, 3)):
        save(store, f"e-{place}.npz", b__kernel=numpy.float32([value] * 4))
    rows = store.rows("import", "e-*.npz")
    assert [[one["alarm"] for one in row["alarms"]] for row in rows] == [
        [], [], ["nan"], []]
    done = store("import", "e-*.npz", "--strict", "-b", "again")
    assert done.returncode == 13
    assert len(store.rows("log", "again")) == 4 + 2


def test_a_run_of_digits_raises_none(store):
    done = store("import", *map(epoch, range(1, 9)), "--stuck", "2")
    assert done.returncode == 0 and done.stderr == ""


def test_large_tensors_too(store):
    """Those are weighed while they are stored."""
    large = numpy.ones(6 << 20, "f4")
    numpy.savez(store.folder / "m.npz", **{"a/w": large})
    assert store.row("commit", "m.npz")["alarms"] == []
    large[-1] = numpy.nan
    numpy.savez(store.folder / "m.npz", **{"a/w": large})
    done = store("commit", "m.npz", "--strict", "-q")
    assert done.returncode == 13 and "1 NaN" in done.stderr
    assert len(store.rows("log")) == 1
    assert [one["alarm"] for one in store.row("commit", "m.npz")["alarms"]
            ] == ["nan"]
    assert store.row("verify", "--read-data")["errors"] == []
