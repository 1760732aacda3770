"""Published by commits: whenever what a revision means changes."""
import json
import shutil

import pytest

from conftest import DIGITS
from fault_server import Fault, FaultServer
from servers import free_port


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def candidate(wh, server):
    """The best by `loss` is the lab's candidate; gives what that is there."""
    wh.ok("remote", "add", "lab", f"{server.url}/m")
    wh.ok("publish", "best:loss", "lab", "--alias", "candidate", "--save")

    def pointed():
        pointer = server.objects.get("/m/candidate.json")
        return pointer and json.loads(pointer)["snapshot"]

    return pointed


def commit(wh, epoch, loss):
    return wh.row("commit", DIGITS / f"epoch-{epoch:02}.h5", "--metric",
                  f"loss={loss}")["snapshot"]


def test_a_commit_that_is_the_best_is_published(wh, server, candidate):
    assert not server.log  # there is no best yet
    first = commit(wh, 3, 0.5)
    assert candidate() == first
    n = len(server.log)
    commit(wh, 4, 0.9)
    assert candidate() == first and len(server.log) == n
    better = commit(wh, 5, 0.1)
    assert candidate() == better
    assert [row["snapshot"] for row in wh.rows("publish", "--list")] == [
        first, better]


def test_options_of_a_pull_are_about_its_own_place(wh, server):
    place = f"file:{wh.folder}/there"
    commit(wh, 3, 0.5)
    wh.ok("publish", "HEAD", place, "-q")
    wh.ok("remote", "add", "lab", f"{server.url}/m")
    wh.ok("publish", "main", "lab", "--alias", "tip", "--save")
    pulled = wh.row("pull", place, "--proxy", f"http://127.0.0.1:{free_port()}")
    pointer = json.loads(server.objects["/m/tip.json"])
    assert pointer["snapshot"] == pulled["snapshot"]


def test_an_import_publishes_once_at_its_end(wh, server, candidate):
    (wh.folder / "metrics.csv").write_text("epoch,loss\n" + "".join(
        f"{n},{1 / n}\n" for n in range(6, 10)))
    rows = wh.rows("import", *(DIGITS / f"epoch-{n:02}.h5"
                               for n in range(6, 10)),
                   "--metrics", "metrics.csv")
    assert candidate() == rows[-1]["snapshot"]
    assert len(server.seen("PUT .*model.h5")) == 1


def test_a_watch_publishes_what_it_takes(wh, server, candidate):
    folder = wh.folder / "ckpt"
    folder.mkdir()
    for n, loss in ((3, "0.50"), (4, "0.10"), (5, "0.90")):
        shutil.copy(DIGITS / f"epoch-{n:02}.h5", folder / f"e{n}-{loss}.h5")
    wh.ok("watch", "-q", "ckpt", "--once", "--pattern", "e{epoch}-{loss}.h5")
    assert candidate() == wh.row("show", "best:loss:min")["snapshot"]
    assert len(server.seen("PUT .*model.h5")) == 1


def test_a_signal_ends_the_publication_of_a_watch(wh, server, candidate):
    """And is heard: the next commit publishes what it cut short."""
    folder = wh.folder / "ckpt"
    folder.mkdir()
    shutil.copy(DIGITS / "epoch-03.h5", folder / "e3-0.50.h5")
    server.faults.append(Fault("PUT .*model.h5", times=1, think=100))
    watch = wh.start("watch", "ckpt", "--pattern", "e{epoch}-{loss}.h5")
    while not server.seen("PUT .*model.h5"):
        assert watch.poll() is None
    watch.terminate()
    assert "was not published" in watch.communicate(timeout=60)[1]
    assert watch.returncode == 0 and not candidate()
    server.faults.clear()
    better = commit(wh, 4, 0.1)
    assert candidate() == better


@pytest.fixture
def slow_watch(wh, server, candidate):
    """A watch whose first publication waits for the server."""
    fault = Fault("PUT .*model.h5", times=1, think=100)
    server.faults.append(fault)
    put(wh, 3, "0.50")
    watch = wh.start("watch", "ckpt", "--settle", "20", "--pattern",
                     "e{epoch}-{loss}.h5")
    while not server.seen("PUT .*model.h5"):
        assert watch.poll() is None
    yield watch, fault
    fault.go_on.set()
    if watch.poll() is None:
        watch.kill()
        watch.communicate()


def put(wh, epoch, loss):
    """What training writes under this name."""
    (wh.folder / "ckpt").mkdir(exist_ok=True)
    shutil.copy(DIGITS / f"epoch-{epoch:02}.h5", wh.folder / "next")
    (wh.folder / "next").rename(wh.folder / f"ckpt/e1-{loss}.h5")


def wait_for(watch, what):
    while not what():
        assert watch.poll() is None, watch.communicate()


def put_and_wait(wh, watch, epoch, loss):
    n = len(wh.rows("log"))
    put(wh, epoch, loss)
    wait_for(watch, lambda: len(wh.rows("log")) == n + 1)


def test_a_watch_takes_what_is_overwritten_while_it_publishes(
        wh, server, candidate, slow_watch):
    watch, fault = slow_watch
    for epoch, loss in ((4, "0.50"), (5, "0.50"), (6, "0.10")):
        put_and_wait(wh, watch, epoch, loss)
    assert not candidate()
    fault.go_on.set()
    best = wh.row("show", "best:loss:min")["snapshot"]
    wait_for(watch, lambda: wh.row("publish", "--policies")["published"] == best)
    assert candidate() == best
    watch.terminate()
    out, said = watch.communicate(timeout=60)
    assert watch.returncode == 0 and "was not published" not in said
    assert out.count("is published to lab") == 2


def test_a_publication_that_fails_beside_a_watch_is_told(
        wh, server, candidate, slow_watch):
    watch, fault = slow_watch
    server.faults.append(Fault("PUT .*model.h5", status=403))
    put_and_wait(wh, watch, 4, "0.10")
    fault.go_on.set()
    wait_for(watch, lambda: server.seen("PUT .*model.h5 403"))
    put_and_wait(wh, watch, 5, "0.90")
    watch.terminate()
    said = watch.communicate(timeout=60)[1]
    assert watch.returncode == 0
    assert "best:loss was not published to lab as 'candidate'" in said
    assert "HTTP 403" in said


def test_a_watch_that_is_killed_leaves_nobody_publishing(
        wh, server, candidate, slow_watch):
    """Who reads what it says waits for all that have its stderr."""
    watch, _ = slow_watch
    watch.kill()
    watch.communicate(timeout=60)
    assert not candidate()


def test_the_end_of_a_trainer_waits_for_its_publication(wh, server, candidate):
    fault = Fault("PUT .*model.h5", times=1, think=100)
    server.faults.append(fault)
    put(wh, 3, "0.50")
    (wh.folder / "out").mkdir()
    watch = wh.start("run", "exec", "r", "--watch", "out", "--settle", "20",
                     "--pattern", "e{epoch}-{loss}.h5", "--", "sh", "-c",
                     "mv ckpt/e1-0.50.h5 out; until test -e go; do sleep 0.1;"
                     " done")
    wait_for(watch, lambda: server.seen("PUT .*model.h5"))
    (wh.folder / "go").write_text("")
    fault.go_on.set()
    watch.communicate(timeout=60)
    assert watch.returncode == 0
    assert candidate() == wh.row("show")["snapshot"]


def test_a_watch_heeds_what_a_csv_says(wh, server, candidate):
    folder = wh.folder / "ckpt"
    folder.mkdir()
    for n in (6, 7):
        shutil.copy(DIGITS / f"epoch-{n:02}.h5", folder)
    (folder / "log.csv").write_text("epoch,loss\n5,0.01\n6,0.5\n")
    wh.ok("watch", "-q", "ckpt", "--once", "--run", "r")
    assert candidate() == wh.row("show", "HEAD~1")["snapshot"]


def test_a_pull_publishes_what_it_changes(wh, server, elsewhere):
    elsewhere.ok("init")
    elsewhere.ok("commit", DIGITS / "epoch-03.h5")
    elsewhere.ok("publish", f"{server.url}/other")
    wh.ok("remote", "add", "lab", f"{server.url}/m")
    wh.ok("publish", "HEAD", "lab", "--save")
    assert "/m/latest.json" not in server.objects
    wh.ok("pull", f"{server.url}/other")
    pointer = json.loads(server.objects["/m/latest.json"])
    assert pointer["snapshot"] == wh.row("show")["snapshot"]


def test_a_failing_publication_fails_no_commit(wh, server, candidate):
    first = commit(wh, 3, 0.5)
    server.faults.append(Fault("PUT .*", status=403))
    done = wh("commit", DIGITS / "epoch-04.h5", "--metric", "loss=0.1",
              "--json")
    assert done.returncode == 0
    better = json.loads(done.stdout)["snapshot"]
    (line,) = done.stderr.splitlines()
    assert "best:loss was not published to lab as 'candidate'" in line
    assert "the next commit tries again" in line and "HTTP 403" in line
    assert candidate() == first
    assert wh.row("publish", "--policies")["published"] == first
    server.faults.clear()
    commit(wh, 5, 0.9)
    assert candidate() == better


def test_a_rule_does_not_move_a_protected_alias(wh, server, candidate):
    wh.ok("config", "protected-aliases", "candidate")
    first = commit(wh, 3, 0.5)
    done = wh("commit", DIGITS / "epoch-04.h5", "--metric", "loss=0.1")
    assert done.returncode == 0
    assert "'candidate' is protected" in done.stderr
    assert candidate() == first


def test_a_server_that_is_away_is_given_up_soon(wh, candidate):
    wh.ok("remote", "add", "lab", f"http://127.0.0.1:{free_port()}/m")
    done = wh("commit", DIGITS / "epoch-03.h5", "--metric", "loss=0.1",
              timeout=60)
    assert done.returncode == 0 and "was not published" in done.stderr


def test_rules_are_listed_changed_and_dropped(wh, server, candidate):
    wh.ok("publish", "HEAD", "lab", "--save", "--save-format", "h5,tf")
    assert wh.rows("publish", "--policies") == [
        {"remote": "lab", "alias": "candidate", "revision": "best:loss",
         "formats": "h5", "published": None},
        {"remote": "lab", "alias": "latest", "revision": "HEAD",
         "formats": "h5,tf", "published": None}]
    wh.ok("publish", "HEAD", "lab", "--alias", "candidate", "--save")
    wh.ok("publish", "lab", "--drop")
    snapshot = commit(wh, 3, 0.5)
    assert candidate() == snapshot
    assert "/m/latest.json" not in server.objects
    wh.ok("publish", "lab", "--drop", "--alias", "candidate")
    commit(wh, 4, 0.4)
    assert candidate() == snapshot
    assert "there is no rule for 'candidate' of lab" in wh.fails(
        4, "publish", "lab", "--drop", "--alias", "candidate")


@pytest.mark.parametrize("words, code", [
    (("lab", "--save"), 2), (("HEAD", "HEAD~1", "lab", "--save"), 2),
    (("HEAD", "nobody", "--save"), 4), (("HEAD", "lab", "--drop"), 2),
    (("HEAD", "lab", "--save", "--save-format", "x"), 2)])
def test_a_rule_that_cannot_be_is_refused(wh, server, candidate, words, code):
    wh.fails(code, "publish", *words)
    assert len(wh.rows("publish", "--policies")) == 1
