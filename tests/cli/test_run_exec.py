"""run exec: a run around a trainer, whatever it is written in."""
import os
import pty
import re
import resource
import select
import shutil
import signal
import sys
import time

import pytest

from conftest import WH, environment, epoch
from watching import Watching

# A trainer: `python trainer.py FIRST LAST [more]` copies epochs into ckpt/,
# each by a rename, and then does as `more` says.
TRAINER = '''
import os, shutil, signal, sys, time
first, last, more = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
os.makedirs("ckpt", exist_ok=True)

def save(n):
    shutil.copy(f"epochs/epoch-{(n - 1) % 16 + 1:02}.h5", "next")
    os.rename("next", f"ckpt/epoch-{n:03}.h5")

if "trap" in more:
    def stop(number, frame):
        save(last + 1)
        print("trapped", number, flush=True)
        sys.exit(9)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
for n in range(first, last + 1):
    save(n)
print("saved", flush=True)
if "read" in more:
    print("read", sys.stdin.readline().strip(), flush=True)
if "die" in more:
    os.kill(os.getpid(), signal.SIGKILL)
while "wait" in more and not os.path.exists("go"):
    time.sleep(0.01)
if "wait" in more:
    save(last + 1)
sys.exit(int(more[-1]) if more and more[-1].isdigit() else 0)
'''


@pytest.fixture
def trainer(store):
    (store.folder / "trainer.py").write_text(TRAINER)
    (store.folder / "epochs").symlink_to(epoch(1).parent)

    def words(*more):
        return [sys.executable, "trainer.py", *map(str, more)]
    return words


def run(store, name, *more, words, **options):
    return store("run", "exec", name, "--watch", "ckpt", "--settle", "20",
                 *more, "--", *words, **options)


def steps(store, name):
    return [row["step"] for row in store.rows("log", "--all", "--run",
                                              name)][::-1]


def status(store, name):
    shown = store.row("run", "show", name)
    return shown["status"], shown["exit_status"]


# ---- From start to end ------------------------------------------------------

def test_all_checkpoints_of_a_trainer_and_its_status(store, trainer):
    done = run(store, "r", "--param", "lr=1e-3", "--tag", "nightly",
               words=trainer(1, 5))
    assert done.returncode == 0
    assert done.stdout == "saved\n"
    lines = done.stderr.splitlines()
    assert lines[0] == "wh run: r is running"
    assert len([line for line in lines if "  epoch " in line]) == 5
    assert lines[-1] == "wh run: r has finished; 5 checkpoints taken"
    assert steps(store, "r") == [1, 2, 3, 4, 5]
    shown = store.row("run", "show", "r")
    assert (shown["status"], shown["exit_status"]) == ("finished", 0)
    assert shown["ended"] and shown["params"] == {"lr": 0.001}
    assert shown["tags"] == ["nightly"]
    assert shown["command"].endswith("trainer.py 1 5")
    for number in (1, 5):
        store.ok("save-weights", f"r@{number}", "back.h5")
        assert (store.folder / "back.h5").read_bytes() == epoch(
            number).read_bytes()


@pytest.mark.parametrize("more, code, ended", [
    (["7"], 7, ("failed", 7)), (["0"], 0, ("finished", 0)),
    (["die"], 137, ("killed", 137)), (["255"], 255, ("failed", 255))])
def test_its_end_is_ours(store, trainer, more, code, ended):
    done = run(store, "r", words=trainer(1, 2, *more))
    assert done.returncode == code
    assert status(store, "r") == ended
    assert steps(store, "r") == [1, 2]
    if code == 137:
        assert "killed by signal 9" in done.stderr


def test_it_has_our_stdin_and_its_own_options(store, trainer):
    done = run(store, "r", "-q", words=trainer(1, 1, "read"), input="a line\n")
    assert done.stdout == "saved\nread a line\n"
    assert done.stderr == ""
    done = run(store, "s", "--json", words=["echo", "--json", "-q", "--"])
    assert "--json -q --\n" in done.stdout


def test_events_of_a_run_are_documented_ones(store, trainer):
    watch = Watching(store, "run", "exec", "r", "--watch", "ckpt", "--",
                     *trainer(1, 1, "3"))
    watch.end(number=None, code=3)
    assert [row["event"] for row in watch.events] == [
        "run", "watching", "commit", "run"]
    assert watch.events[-1] == {"event": "run", "run": "r",
                                "status": "failed", "exit_status": 3,
                                "signal": None}


def test_what_cannot_be_started_is_told(store, trainer):
    done = run(store, "r", words=["nonesuch"])
    assert done.returncode == 127
    assert "'nonesuch' can't be started: No such file" in done.stderr
    assert status(store, "r") == ("failed", 127)
    assert run(store, "s", words=["./trainer.py"]).returncode == 126


def test_what_is_missing_is_told(store):
    store.fails(2, "run", "exec", "r", "--watch", "ckpt")
    store.fails(2, "run", "exec", "r", "--", "true")
    store.fails(2, "run", "exec", "--watch", "ckpt", "--", "true")
    assert store.rows("runs") == []


def test_secrets_and_the_environment_are_not_recorded(store):
    run(store, "r", words=["true", "--api-key", "hunter2", "token=hunter2"],
        env={"MY_VARIABLE": "hunter3"})
    assert store.row("run", "show", "r")["command"] == (
        "true --api-key '***' token=***") or "hunter" not in store.row(
            "run", "show", "r")["command"]
    assert b"hunter" not in (store.folder / "weights.wh").read_bytes()


def test_files_of_before_are_not_its_own(store, trainer):
    (store.folder / "ckpt").mkdir()
    old = store.folder / "ckpt/epoch-099.h5"
    shutil.copy(epoch(9), old)
    os.utime(old, (1_600_000_000, 1_600_000_000))
    (store.folder / "ckpt/log.csv").write_text("epoch,loss\n0,9\n")
    os.utime(store.folder / "ckpt/log.csv", (1_600_000_000, 1_600_000_000))
    script = "echo 1,8 >> ckpt/log.csv; cp epochs/epoch-03.h5 ckpt/3.h5"
    assert run(store, "r", words=["sh", "-c", script]).returncode == 0
    assert steps(store, "r") == [3]
    assert store.row("run", "show", "r")["summary"]["loss"]["n"] == 1


def test_several_folders_and_one_that_is_not_there_yet(store, trainer):
    script = ("mkdir -p b/c; cp epochs/epoch-01.h5 b/c/1.h5; mkdir a; "
              "cp epochs/epoch-02.h5 a/2.h5")
    done = store("run", "exec", "r", "--watch", "a", "--watch", "b/",
                 "--settle", "20", "--", "sh", "-c", script)
    assert done.returncode == 0
    assert {row["message"] for row in store.rows("log", "--all")} == {
        "b/c/1.h5", "a/2.h5"}


def test_a_checkpoint_that_cannot_be_stored_is_no_success(store, trainer):
    def limit():
        size = (store.folder / "weights.wh").stat().st_size + 80000
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = run(store, "r", words=trainer(1, 8), preexec_fn=limit)
    assert done.returncode == 1
    assert "it will be tried again" in done.stderr
    assert status(store, "r") == ("finished", 0)
    missing = [n for n in range(1, 9) if n not in steps(store, "r")]
    assert missing
    assert run(store, "r", "--resume", words=["true"]).returncode == 0
    assert sorted(steps(store, "r")) == list(range(1, 9))


# ---- Twice the same run -----------------------------------------------------

def test_a_name_that_is_taken_is_refused_or_resumed(store, trainer):
    run(store, "r", words=trainer(1, 2, "die"))
    done = run(store, "r", words=trainer(3, 4))
    assert done.returncode == 14
    assert "--resume" in done.stderr
    done = run(store, "r", "--resume", words=trainer(3, 4))
    assert done.returncode == 0
    assert steps(store, "r") == [1, 2, 3, 4]
    assert status(store, "r") == ("finished", 0)
    # There is nothing to resume: it begins.
    assert run(store, "new", "--resume", words=trainer(5, 5)).returncode == 0
    assert steps(store, "new") == [5]


def test_killed_in_the_middle_nothing_is_lost_or_doubled(store, trainer):
    watch = Watching(store, "run", "exec", "r", "--watch", "ckpt", "--",
                     *trainer(1, 3, "wait"))
    watch.event("commit", step=2)
    watch.process.kill()
    watch.process.wait()
    assert status(store, "r")[0] == "running"
    # The trainer goes on, and ends; nobody has seen its last checkpoint.
    (store.folder / "go").touch()
    while not (store.folder / "ckpt/epoch-004.h5").exists():
        time.sleep(0.01)
    done = run(store, "r", "--resume", words=trainer(5, 6))
    assert done.returncode == 0
    assert steps(store, "r") == [1, 2, 3, 4, 5, 6]
    assert status(store, "r") == ("finished", 0)


# ---- Signals and terminals --------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_and_the_last_checkpoint_taken(store, trainer,
                                                             number):
    watch = Watching(store, "run", "exec", "r", "--watch", "ckpt", "--",
                     *trainer(1, 2, "trap", "wait"))
    watch.line("saved")
    watch.end(number, code=9)
    assert f"trapped {number.value}" in watch.said["stdout"]
    assert steps(store, "r") == [1, 2, 3]
    assert status(store, "r") == ("failed", 9)


def test_under_nohup_the_trainer_outlives_the_session(store, trainer):
    watch = Watching(store, "run", "exec", "r", "--watch", "ckpt", "--",
                     *trainer(1, 2, "wait"), preexec_fn=lambda:
                     signal.signal(signal.SIGHUP, signal.SIG_IGN))
    watch.line("saved")
    watch.process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    (store.folder / "go").touch()
    watch.end(number=None)
    assert steps(store, "r") == [1, 2, 3]
    assert status(store, "r") == ("finished", 0)


def test_one_that_dies_of_it_was_killed(store, trainer):
    watch = Watching(store, "run", "exec", "r", "--watch", "ckpt", "--",
                     "sh", "-c", "echo saved; exec sleep 60")
    watch.line("saved")
    watch.end(signal.SIGINT, code=130)
    assert status(store, "r") == ("killed", 130)


def test_a_signal_at_its_very_start_reaches_the_trainer(store):
    for k in range(20):
        done = run(store, f"r{k}", words=[
            "sh", "-c", "kill -INT $PPID; exec sleep 60"])
        assert done.returncode == 130, done.stderr
        assert status(store, f"r{k}") == ("killed", 130)


def test_who_stops_the_trainer_does_not_stop_the_watch(store, trainer):
    watch = Watching(store, "run", "exec", "r", "--watch", "ckpt", "--",
                     "sh", "-c", "echo pid $$; mkdir ckpt; read x; true",
                     stdin=-1)
    pid = int(watch.line("pid").split()[1])
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.1)
    state = open(f"/proc/{watch.process.pid}/stat").read().rsplit(")")[1]
    assert state.split()[0] != "T"
    os.kill(pid, signal.SIGCONT)
    watch.process.stdin.write("\n")
    watch.process.stdin.close()
    watch.end(number=None)


class Shell:
    """A program with a terminal that controls it."""

    def __init__(self, words, folder):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(words[0], words, environment(PS1="$ "))
        self.screen = ""

    def expect(self, pattern):
        end = time.monotonic() + 60
        while not re.search(pattern, self.screen):
            assert time.monotonic() < end, self.screen
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.screen += os.read(self.master, 65536).decode()
                except OSError:
                    break
        found = re.search(pattern, self.screen)
        assert found, self.screen
        self.screen = self.screen[found.end():]
        return found[0]

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_on_a_terminal_means_the_trainer(store, trainer):
    shell = Shell([WH, "run", "exec", "r", "--watch", "ckpt", "--",
                   *trainer(1, 2, "trap", "wait")], store.folder)
    shell.expect("saved")
    shell.type("\x03")
    shell.expect("trapped 2")
    shell.expect("r failed with exit status 9; 3 checkpoints taken")
    assert shell.end() == 9
    assert steps(store, "r") == [1, 2, 3]


def test_ctrl_z_stops_both_and_fg_goes_on(store, trainer):
    bash = shutil.which("bash")
    shell = Shell([bash, "--norc", "--noprofile", "-i"], store.folder)
    shell.expect(r"\$ ")
    words = " ".join(trainer(1, 1, "read"))
    shell.type(f"{WH} run exec r --watch ckpt -- {words}; echo code $?\n")
    shell.expect("saved\r")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(r"\$ ")
    shell.type("fg\n")
    shell.expect("run exec")
    shell.type("typed\n")
    shell.expect("read typed")
    shell.expect("r has finished; 1 checkpoint taken")
    shell.expect(r"\$ ")
    shell.type("exit\n")
    shell.end()
    assert status(store, "r") == ("finished", 0)


def test_in_the_background_it_waits_for_the_terminal(store, trainer):
    bash = shutil.which("bash")
    shell = Shell([bash, "--norc", "--noprofile", "-i"], store.folder)
    shell.expect(r"\$ ")
    words = " ".join(trainer(1, 1, "read"))
    shell.type(f"{WH} run exec r --watch ckpt -- {words} &\n")
    shell.expect("saved\r")
    state = ""
    while state != "Stopped":
        shell.type("\njobs\n")
        state = shell.expect(r"Stopped|Running")
    shell.type("fg\n")
    shell.expect("run exec")
    shell.type("typed\n")
    shell.expect("read typed")
    shell.expect("r has finished")
    shell.type("exit\n")
    shell.end()
