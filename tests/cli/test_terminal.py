"""What is different on a terminal: questions, progress, colour, the pager,
bytes that are refused; and Ctrl-C anywhere."""
import glob
import os
import re
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

from conftest import WH, environment, epoch

QUESTION = r"\[WARNING\] old.h5 already exists - overwrite\? \[y/n\]"
ON = {"PATH": os.environ["PATH"], "PAGER": "cat"}


@pytest.fixture
def old(history):
    (history.folder / "old.h5").write_text("old")
    history.save = lambda *words, **more: history.terminal(
        "save-weights", "old.h5", "--no-overwrite", *words, env=ON, **more)
    history.is_old = lambda: (history.folder / "old.h5").read_text() == "old"
    return history


def test_y_overwrites_after_keras_own_question(old):
    code, screen = old.save().expect(QUESTION).type("y\n").end()
    assert code == 0
    assert "[TIP] Next time specify overwrite=True!\n" in screen
    assert (old.folder / "old.h5").read_bytes() == epoch(5).read_bytes()


def test_n_leaves_it_and_exits_14(old):
    code, screen = old.save().expect(QUESTION).type(" N \n").end()
    assert code == 14 and old.is_old()
    assert "'old.h5' already exists" in screen


def test_other_answers_are_asked_again(old):
    terminal = old.save().expect(QUESTION).type("yes\n")
    terminal.expect(r'Enter "y" \(overwrite\) or "n" \(cancel\)\.')
    terminal.type("\n")
    terminal.expect(r"(?s)Enter.*Enter")
    code, _ = terminal.type("Y\n").end()
    assert code == 0 and not (old.folder / "old.h5").read_bytes() == b"old"


def test_the_end_of_input_is_no(old):
    code, _ = old.save().expect(QUESTION).type("\x04").end()
    assert code == 14 and old.is_old()


def test_ctrl_c_at_the_question_is_130(old):
    code, _ = old.save().expect(QUESTION).interrupt().end()
    assert code == 130 and old.is_old()


def test_without_a_terminal_it_refuses(old):
    message = old.fails(14, "save-weights", "old.h5", "--no-overwrite")
    assert message == ("wh save-weights: 'old.h5' already exists (without "
                       "--no-overwrite it is replaced)")
    assert old.is_old()
    old.fails(14, "save-weights", "old.h5", "--no-overwrite", input="y\n")


def test_tf_asks_for_the_index(history):
    history.ok("save-weights", "ckpt", "-q")
    before = (history.folder / "ckpt.index").read_bytes()
    code, screen = history.terminal(
        "save-weights", "HEAD~1", "ckpt", "--no-overwrite", env=ON).expect(
        r"\[WARNING\] ckpt.index already exists").type("n\n").end()
    assert code == 14
    assert (history.folder / "ckpt.index").read_bytes() == before


def test_results_stay_clean_while_asking(old):
    """The question is on stderr: stdout can go to a file."""
    with open(old.folder / "out", "wb") as out:
        code, _ = old.save("--json", stdout=out).expect(QUESTION).type(
            "y\n").end()
    assert code == 0
    assert (old.folder / "out").read_text().startswith('{"format":"h5"')


def test_bytes_are_refused_on_a_terminal(history):
    for words in (["save-weights", "-"], ["cat", "HEAD", "hidden/bias:0",
                                          "--raw"],
                  ["cat", "HEAD", "hidden/bias:0", "--npy"]):
        code, screen = history.terminal(*words, env=ON).end()
        assert code == 2
        assert "binary data is not written to a terminal" in screen
    code, screen = history.terminal("cat", "HEAD", "hidden/bias:0",
                                    env=ON).end()
    assert code == 0 and len(screen.split()) == 18


def test_to_a_pipe_a_format_of_one_file_is_written(history):
    done = history("save-weights", "-", text=False)
    assert done.stdout == epoch(5).read_bytes()
    history.fails(2, "save-weights", "-", "--save-format", "tf")


BOLD = "\x1b[1m"


@pytest.mark.parametrize("words, env, bold", [
    ([], {}, True), (["--color", "never"], {}, False),
    (["--color=auto"], {}, True), ([], {"NO_COLOR": "1"}, False),
    ([], {"NO_COLOR": ""}, True),
    (["--color=always"], {"NO_COLOR": "1"}, True)])
def test_colour_on_a_terminal(history, words, env, bold):
    _, screen = history.terminal("log", *words, env={**ON, **env}).end()
    assert (BOLD in screen) == bold


def test_colour_elsewhere_only_if_asked(history):
    assert BOLD not in history.ok("log")
    assert BOLD in history.ok("log", "--color=always")


def test_json_is_never_coloured(history):
    _, screen = history.terminal("log", "--json", env=ON).end()
    assert "\x1b" not in screen


def test_the_pager_is_wh_pager_then_pager(history):
    mark = lambda text: f"sed 's/^/{text}:/'"
    for env, wanted in (({"WH_PAGER": mark("a"), "PAGER": mark("b")}, "a:"),
                        ({"PAGER": mark("b")}, "b:"),
                        ({"WH_PAGER": "", "PAGER": mark("b")}, None),
                        ({"WH_PAGER": "cat"}, None)):
        for words in (["log"], ["show"], ["diff", "HEAD~1", "HEAD"]):
            _, screen = history.terminal(
                *words, "--color=never", env={"PATH": ON["PATH"], **env}).end()
            lines = screen.splitlines()
            assert lines
            assert all(line.startswith(wanted or "") for line in lines)
            assert wanted or ":" != screen[1]


def test_only_log_diff_and_show_are_paged(history):
    env = {"PATH": ON["PATH"], "WH_PAGER": "sed 's/^/paged/'"}
    for words in (["ls"], ["branch"], ["reflog"], ["du"], ["log", "--json"]):
        _, screen = history.terminal(*words, env=env).end()
        assert screen and "paged" not in screen


def test_without_less_the_text_goes_as_it_is(history):
    code, screen = history.terminal("log", env={"PATH": "/nowhere"}).end()
    assert code == 0 and len(screen.splitlines()) == 5


@pytest.fixture
def large(store):
    """A file that takes a moment: 48 MB of noise."""
    noise = np.random.default_rng(1).standard_normal(6 << 20, np.float32)
    with h5py.File(store.folder / "large.h5", "w") as file:
        file.attrs["layer_names"] = [b"d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = [b"d/a:0", b"d/b:0"]
        for name in ("d/a:0", "d/b:0"):
            group[name] = noise
    return store


def test_quick_work_shows_no_progress(store):
    for number in range(1, 17):
        start = time.monotonic()
        _, screen = store.terminal("commit", epoch(number), env=ON).end()
        if time.monotonic() - start < 0.4:
            break
    else:
        pytest.skip("no work is quick on this machine now")
    assert "\r" not in screen and "left" not in screen


@pytest.mark.slow
def test_slow_work_shows_progress_on_a_terminal_only(large):
    terminal = large.terminal("commit", "large.h5", "-q", "--progress",
                              env=ON)
    code, _ = terminal.end()
    assert code == 0
    done = large("commit", "large.h5", "--progress", text=False)
    assert re.search(rb"[\d.]+ MiB of [\d.]+ MiB, .*/s, \d+ s left",
                     done.stderr)
    assert done.stderr.endswith(b"\r\x1b[K")
    assert large("commit", "large.h5").stderr == ""
    _, screen = large.terminal("commit", "large.h5", "--no-progress",
                               env=ON).end()
    assert "left" not in screen


def give_way(process):
    """Whoever wants to meet it in the middle of its work runs before it."""
    os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))


def go_on(process):
    """It was met: beside other work it would take minutes for the rest. Not
    all users may do this."""
    for path in glob.glob(f"/proc/{process.pid}/task/*"):
        try:
            os.sched_setscheduler(int(os.path.basename(path)), os.SCHED_OTHER,
                                  os.sched_param(0))
        except (PermissionError, ProcessLookupError):
            pass


def has_open(process, name):
    try:
        return any(os.readlink(path).endswith(name) for path in
                   glob.glob(f"/proc/{process.pid}/fd/*"))
    except FileNotFoundError:  # closed meanwhile
        return has_open(process, name)


@pytest.mark.slow
def test_a_stopped_call_counts_as_slow(large):
    terminal = large.terminal("commit", "large.h5", env=ON)
    give_way(terminal.process)
    while not has_open(terminal.process, "large.h5"):
        assert terminal.process.poll() is None
    os.killpg(terminal.process.pid, signal.SIGSTOP)
    go_on(terminal.process)
    time.sleep(0.6)
    os.killpg(terminal.process.pid, signal.SIGCONT)
    code, screen = terminal.end()
    assert code == 0 and "left" in screen


def interrupted(wh, *words, number=signal.SIGINT, begun_with=signal.SIG_DFL):
    """Ctrl-C as soon as the first progress is shown. These tests may run under
    nohup themselves, so what the call begins with is set."""
    process = wh.start(*words, "--progress", stderr=subprocess.PIPE,
                       stdout=subprocess.DEVNULL, preexec_fn=lambda:
                       signal.signal(number, begun_with))
    give_way(process)
    shown = process.stderr.read(1)
    process.send_signal(number)
    go_on(process)
    rest = process.stderr.read()
    return process.wait(60), (shown + rest).decode()


def test_ctrl_c_rolls_a_commit_back(large):
    large.ok("commit", epoch(1), "-q")
    before = large.rows("log")
    code, text = interrupted(large, "commit", "large.h5")
    assert code == 130, text
    assert large.rows("log") == before
    assert large.row("verify", "--read-data")["errors"] == []
    assert {name.split("-")[0] for name in large.names()} == {
        "weights.wh", "large.h5"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_a_signal_leaves_no_part_of_a_save(large, number):
    large.ok("commit", "large.h5", "-q")
    (large.folder / "out.h5").write_text("old")
    for target in ("out.h5", "sub/ckpt"):
        code, text = interrupted(large, "save-weights", target, number=number)
        assert code == 130, text
    assert (large.folder / "out.h5").read_text() == "old"
    assert set(large.names()) <= {"weights.wh", "weights.wh-lock", "large.h5",
                                  "out.h5"}


def test_ctrl_c_ends_a_query(history):
    from test_reading import ENDLESS
    process = history.start("sql", ENDLESS, stderr=subprocess.PIPE)
    while not has_open(process, "weights.wh"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_are_as_ctrl_c(large, number):
    code, text = interrupted(large, "commit", "large.h5", number=number)
    assert code == 130, text
    assert large.rows("log") == []


def test_under_nohup_a_call_goes_on(large):
    """As the shell leaves it: SIGHUP is ignored."""
    code, text = interrupted(large, "commit", "large.h5", number=signal.SIGHUP,
                             begun_with=signal.SIG_IGN)
    assert code == 0, text
    assert len(large.rows("log")) == 1


def test_names_cannot_steer_a_terminal(store):
    evil = "\x1b]0;owned\x07"
    store.ok("commit", epoch(1), "-q", "-m", evil)
    for words in (["log"], ["show"], ["sql", "select message from log"],
                  ["sql", "select message from log", "--csv"]):
        _, screen = store.terminal(*words, "--color=never", env=ON).end()
        assert "\x1b]0" not in screen and "\\x1b]0" in screen, words
