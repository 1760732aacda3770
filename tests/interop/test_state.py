"""The state file `checkpoint`: what CheckpointManager leaves and reads."""
import re
import time

import pytest
import tensorflow as tf
import tf_keras as keras
from zoo import fill


@pytest.fixture
def saved(wh):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    fill(model, 1)
    model.save_weights(wh.folder / "model.h5")
    wh.commit(wh.folder / "model.h5")
    return model


def save(wh, number, *options):
    wh("save-weights", f"d/ckpt-{number}", *options)


def fields(wh):
    text = (wh.folder / "d" / "checkpoint").read_text()
    return [line.split(": ")[0] for line in text.splitlines()]


def present(wh):
    return sorted(path.name for path in (wh.folder / "d").glob("*.index"))


def test_a_plain_save_names_itself_alone(saved, wh):
    for number in (1, 2):
        save(wh, number)
    state = tf.train.get_checkpoint_state(str(wh.folder / "d"))
    assert state.all_model_checkpoint_paths == [str(wh.folder / "d/ckpt-2")]
    assert present(wh) == ["ckpt-1.index", "ckpt-2.index"]
    assert (wh.folder / "d" / "checkpoint").read_text() == (
        'model_checkpoint_path: "ckpt-2"\n'
        'all_model_checkpoint_paths: "ckpt-2"\n')


def test_older_checkpoints_go_as_with_the_manager(saved, wh):
    for number in range(1, 6):
        save(wh, number, "--max-to-keep", 2)
    assert present(wh) == ["ckpt-4.index", "ckpt-5.index"]
    assert len(list((wh.folder / "d").iterdir())) == 5
    state = tf.train.get_checkpoint_state(str(wh.folder / "d"))
    assert [path.rsplit("/", 1)[1] for path in
            state.all_model_checkpoint_paths] == ["ckpt-4", "ckpt-5"]
    assert len(state.all_model_checkpoint_timestamps) == 2
    assert all(abs(at - time.time()) < 600
               for at in state.all_model_checkpoint_timestamps)
    assert tf.train.latest_checkpoint(str(wh.folder / "d")).endswith("ckpt-5")


def test_what_was_just_saved_stays_whatever_the_list_calls_it(saved, wh):
    save(wh, 1, "--max-to-keep", 1)
    state = wh.folder / "d" / "checkpoint"
    state.write_text(state.read_text().replace(
        "ckpt-1", str(state.resolve().with_name("ckpt-1"))))
    save(wh, 1, "--max-to-keep", 1)
    assert present(wh) == ["ckpt-1.index"]
    assert fields(wh).count("all_model_checkpoint_paths") == 1


def test_the_state_file_has_the_managers_lines(saved, wh):
    """Field by field; the real one's own file is written beside it."""
    for number in range(1, 4):
        save(wh, number, "--max-to-keep", 2)
    checkpoint = tf.train.Checkpoint(saved)
    manager = tf.train.CheckpointManager(checkpoint, str(wh.folder / "m"), 2)
    for _ in range(3):
        manager.save()
    ours = (wh.folder / "d" / "checkpoint").read_text()
    theirs = (wh.folder / "m" / "checkpoint").read_text()
    number = re.compile(r"\d{10}\.\d+")
    assert number.sub("T", ours) == number.sub("T", theirs)


def test_tf_12_26_the_manager_goes_on_where_we_stopped(saved, wh):
    for number in (1, 2, 3):
        save(wh, number, "--max-to-keep", 3)
    checkpoint = tf.train.Checkpoint(saved)
    manager = tf.train.CheckpointManager(checkpoint, str(wh.folder / "d"), 3)
    assert [path.rsplit("/", 1)[1] for path in manager.checkpoints] == [
        "ckpt-1", "ckpt-2", "ckpt-3"]
    expected = [w.numpy().tobytes() for w in saved.weights]
    fill(saved, 2)
    assert manager.restore_or_initialize().endswith("ckpt-3")
    assert [w.numpy().tobytes() for w in saved.weights] == expected
    manager.save(checkpoint_number=4)
    assert present(wh) == [f"ckpt-{n}.index" for n in (2, 3, 4)]
    save(wh, 5, "--max-to-keep", 3)
    assert present(wh) == [f"ckpt-{n}.index" for n in (3, 4, 5)]


def write_state(wh, ages, preserved=7):
    """Checkpoints that were written so many hours ago."""
    now = time.time()
    for number, _ in enumerate(ages, 1):
        save(wh, number)
    lines = [f'model_checkpoint_path: "ckpt-{len(ages)}"']
    lines += [f'all_model_checkpoint_paths: "ckpt-{n}"'
              for n in range(1, len(ages) + 1)]
    lines += [f"all_model_checkpoint_timestamps: {now - hours * 3600!r}"
              for hours in ages]
    lines += [f"last_preserved_timestamp: {now - preserved * 3600!r}"]
    (wh.folder / "d" / "checkpoint").write_text("\n".join(lines) + "\n")


def test_one_in_so_many_hours_is_kept_for_good(saved, wh):
    write_state(wh, [6, 5.5, 3, 2.5])
    save(wh, 5, "--max-to-keep", 1, "--keep-checkpoint-every-n-hours", 2)
    # ckpt-3 is 4 hours younger than the last that was preserved.
    assert present(wh) == ["ckpt-3.index", "ckpt-5.index"]
    state = tf.train.get_checkpoint_state(str(wh.folder / "d"))
    assert abs(state.last_preserved_timestamp - (time.time() - 3 * 3600)) < 60


def test_a_list_without_timestamps_is_not_the_managers_to_delete(saved, wh):
    save(wh, 1)
    save(wh, 2, "--max-to-keep", 1)
    save(wh, 3, "--max-to-keep", 1)
    assert present(wh) == ["ckpt-1.index", "ckpt-3.index"]


@pytest.mark.parametrize("path", ["../keep", "{}/keep", "sub/keep"])
def test_a_state_file_can_not_delete_outside_its_folder(path, saved, wh):
    (wh.folder / "d" / "sub").mkdir(parents=True)
    for folder in (wh.folder, wh.folder / "d" / "sub"):
        (folder / "keep.index").write_text("precious")
    path = path.format(wh.folder)
    now = time.time()
    (wh.folder / "d" / "checkpoint").write_text(
        f'model_checkpoint_path: "{path}"\n'
        f'all_model_checkpoint_paths: "{path}"\n'
        f"all_model_checkpoint_timestamps: {now - 60}\n"
        f"last_preserved_timestamp: {now - 3600}\n")
    save(wh, 1, "--max-to-keep", 1)
    assert (wh.folder / "keep.index").exists()
    assert (wh.folder / "d" / "sub" / "keep.index").exists()
    assert present(wh) == ["ckpt-1.index"]


@pytest.mark.parametrize("text", [
    "", "x" * 100000, 'model_checkpoint_path: "a\n',
    'model_checkpoint_path: "ckpt-1"\nall_model_checkpoint_timestamps: nan\n'
    'last_preserved_timestamp: 1e308\n'])
def test_a_damaged_state_file_is_replaced(text, saved, wh):
    (wh.folder / "d").mkdir()
    (wh.folder / "d" / "checkpoint").write_text(text)
    save(wh, 1, "--max-to-keep", 1)
    assert "last_preserved_timestamp" in fields(wh)
    assert tf.train.latest_checkpoint(str(wh.folder / "d")).endswith("ckpt-1")


def test_a_checkpoint_of_a_folder_is_named_behind_a_colon(saved, wh):
    save(wh, 1)
    save(wh, 2)
    assert wh.commit("d:ckpt-1")["tensors"] == 2
    assert "ckpt-9" in wh.refused("commit", "d:ckpt-9")


@pytest.mark.parametrize("path", ["saved", "saved/variables/variables"])
def test_a_saved_model_is_read_by_its_folder_or_its_variables(path, saved, wh):
    tf.saved_model.save(saved, str(wh.folder / "saved"))
    assert wh.commit(path)["reproducible"]
    expected = {w.numpy().tobytes() for w in saved.weights}
    for row in wh.ls():
        if row["role"] == "weight":
            value = tf.train.load_checkpoint(
                str(wh.folder / "saved/variables/variables")).get_tensor(
                    row["name"])
            assert value.tobytes() in expected
