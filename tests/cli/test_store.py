"""Which store: `-s`, WH_STORE, ./weights.wh; what is made beside it."""
import json
import os
import stat
import subprocess

import numpy
import pytest

from conftest import DIGITS, WH, environment, epoch


def test_init_makes_an_empty_store(wh):
    assert wh.ok("init") == "made an empty store: weights.wh\n"
    assert wh.row("init", "other.wh") == {"store": "other.wh"}
    assert wh.rows("log") == [] and wh.ok("log") == ""


def test_init_never_replaces_anything(wh):
    wh.ok("init")
    assert wh.fails(14, "init") == "wh init: 'weights.wh' is there already"
    (wh.folder / "notes").write_text("mine")
    wh.fails(14, "init", "notes")
    assert (wh.folder / "notes").read_text() == "mine"


def test_a_folder_that_is_not_there_is_not_made(wh):
    assert wh.fails(4, "init", "no/such.wh").endswith(
        "No such file or directory")
    assert wh.names() == []


def test_no_store_is_exit_10_and_the_next_step(wh):
    for words in (["log"], ["show"], ["ls"], ["commit", epoch(1)],
                  ["import", epoch(1)], ["branch"], ["reflog"], ["verify"],
                  ["save-weights", "x.h5"], ["sql", "select 1"], ["du"],
                  ["config"], ["migrate"], ["rollback", "HEAD"],
                  ["diff", "HEAD", "HEAD~1"]):
        message = wh.fails(10, *words)
        assert message == (f"wh {words[0]}: store 'weights.wh': No such file "
                           "or directory ('wh init' makes one)")
    assert wh.names() == [], "neither commit nor import creates a store"


def test_an_error_as_json_is_one_object_on_stderr(wh):
    assert wh.error(10, "log") == {
        "status": "not found",
        "message": "store 'weights.wh': No such file or directory",
        "hint": "'wh init' makes one"}
    assert wh.error(2, "log", "-n", "x")["status"] == "usage"
    assert wh.error(2, "lgo") == {
        "status": "usage", "message": "there is no verb 'lgo'",
        "hint": "did you mean 'log'?"}


def test_the_store_is_the_option_s_else_the_environments(wh):
    for name in ("a.wh", "b.wh", "weights.wh"):
        wh.ok("init", name)
    used = lambda *words, **more: wh(*words, "-v", **more).stderr
    assert used("log") == "wh log: store weights.wh\n"
    assert used("log", env={"WH_STORE": "a.wh"}) == "wh log: store a.wh\n"
    assert used("log", "-s", "b.wh", env={"WH_STORE": "a.wh"}) == (
        "wh log: store b.wh\n")
    assert used("log", env={"WH_STORE": ""}) == "wh log: store weights.wh\n"
    wh.ok("init", "-q", env={"WH_STORE": "c.wh"})
    assert (wh.folder / "c.wh").exists()


def test_no_folder_above_is_searched(store):
    below = store.folder / "below"
    below.mkdir()
    done = subprocess.run([WH, "log"], cwd=below, capture_output=True,
                          text=True, env=environment())
    assert done.returncode == 10


def test_what_is_no_store_is_damaged_input(wh):
    (wh.folder / "weights.wh").write_bytes(b"not a store")
    assert wh.fails(5, "log").endswith("is not a weighhouse store")
    (wh.folder / "weights.wh").write_bytes(b"")
    wh.fails(5, "log")
    (wh.folder / "weights.wh").unlink()
    (wh.folder / "weights.wh").mkdir()
    wh.fails(1, "log")


def test_beside_the_store_only_its_own_files_are_made(wh):
    wh.ok("init", "s.wh")
    every = [["import", epoch(1), epoch(2), "--metrics",
              DIGITS / "metrics.csv"],
             ["commit", epoch(3)], ["tag", "x"], ["branch", "y", "HEAD~1"],
             ["rollback", "HEAD~1"], ["verify", "--read-data"], ["du"],
             ["sql", "select * from log"], ["log"], ["diff", "x", "y"]]
    for words in every:
        wh.ok(*words, "-s", "s.wh")
        assert all(name.startswith("s.wh") for name in wh.names())


def test_reading_needs_no_right_to_write(history):
    path = history.folder / "weights.wh"
    before = path.read_bytes()
    listed = history.names()
    history.folder.chmod(0o555)
    path.chmod(0o444)
    try:
        for words in (["log"], ["show"], ["ls"], ["du"], ["verify"],
                      ["branch"], ["reflog"], ["sql", "select 1"]):
            history.ok(*words)
    finally:
        history.folder.chmod(0o755)
    assert path.read_bytes() == before and history.names() == listed


@pytest.mark.slow
def test_the_same_commands_give_the_same_bytes(tmp_path):
    """Over locales, time zones, folders and processes."""
    results = []
    for number, env in enumerate((
            {"LANG": "C", "TZ": "UTC"},
            {"LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"},
            {"LANG": "tr_TR.UTF-8", "LC_NUMERIC": "de_DE.UTF-8",
             "TZ": "America/St_Johns"})):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = lambda *words: subprocess.run(
            [WH, *map(str, words)], cwd=folder, check=True,
            capture_output=True, env=environment(**env)).stdout
        run("init")
        run("import", epoch(1), epoch(2), "--metrics", DIGITS / "metrics.csv")
        run("commit", epoch(3), "-m", "third", "--metric", "f1=0.5")
        run("save-weights", "out.h5", "--canonical")
        run("save-weights", "HEAD~1", "ckpt")
        results.append({
            # Ids hold the run's identity, which is new in each store.
            "tree": json.loads(run("show", "--json"))["tree"],
            "ls": run("ls", "--json"),
            "diff": run("diff", "HEAD~1", "HEAD", "--json"),
            "text": run("diff", "HEAD~1", "HEAD"),
            **{name: (folder / name).read_bytes()
               for name in ("out.h5", "ckpt.index",
                            "ckpt.data-00000-of-00001")}})
    assert results[0] == results[1] == results[2]


def test_a_full_disk_behind_stdout_is_no_success(history):
    with open("/dev/full", "w") as full:
        done = history("log", "--json", stdout=full)
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_nor_is_it_where_nothing_was_left_to_write_at_the_end(history):
    """What can't be written is not kept: the last flush has nothing to do."""
    numpy.savez(history.folder / "big.npz", **{"big/w": numpy.zeros(1 << 18)})
    history.ok("commit", "big.npz", "-b", "big", "-q")
    for words in (("cat", "big", "big/w"), ("watch", ".", "--once", "--json")):
        with open("/dev/full", "w") as full:
            done = history(*words, stdout=full)
        assert done.returncode == 1, words
        assert "wh: stdout: " in done.stderr


def test_a_reader_that_leaves_ends_it_quietly(history):
    read, write = os.pipe()
    os.close(read)
    done = history("log", stdout=write)
    os.close(write)
    assert done.stderr == ""


def test_the_file_is_readable_by_its_folders_rules(wh):
    old = os.umask(0o027)
    try:
        wh.ok("init")
    finally:
        os.umask(old)
    mode = stat.S_IMODE((wh.folder / "weights.wh").stat().st_mode)
    assert mode == 0o640


def test_a_network_file_system_is_warned_of_once_by_what_writes(history):
    """statfs() says NFS; SMB; and for a local one nothing."""
    if "ASAN_OPTIONS" in os.environ or "libasan" in os.environ.get(
            "LD_PRELOAD", ""):
        pytest.skip("the sanitizers want to be loaded first")
    (history.folder / "statfs.c").write_text("""
        #include <stdlib.h>
        #include <string.h>
        #include <sys/vfs.h>
        int statfs(const char *path, struct statfs *at)
        {
            memset(at, 0, sizeof(*at));
            at->f_type = strtol(getenv("F_TYPE"), NULL, 16);
            return path ? 0 : -1;
        }
        int statfs64(const char *path, struct statfs *at)
        {
            return statfs(path, at);
        }
        """)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "statfs.so", "statfs.c"],
                   cwd=history.folder, check=True)
    for kind, name in (("6969", "NFS"), ("fe534d42", "SMB"), ("ef53", None)):
        env = {"LD_PRELOAD": str(history.folder / "statfs.so"),
               "F_TYPE": kind}
        done = history("rollback", "HEAD", "-q", env=env)
        assert done.returncode == 0
        assert len(done.stderr.splitlines()) == (name is not None)
        assert not name or f"lies on {name}," in done.stderr
        assert history("log", env=env).stderr == ""
