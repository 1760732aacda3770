"""`wh remote ls`: which aliases a place has, and what they mean."""
import json
import os
import signal

import pytest

from conftest import Place
from fault_server import Fault, FaultServer


@pytest.fixture(params=["file", "s3", "docker_registry", "distribution",
                        "mlflow"])
def listing(request, tmp_path):
    """A place that can list, on each kind of server that can."""
    return Place(request.param, request, tmp_path.name)


def ids(wh):
    return [row["snapshot"] for row in wh.rows("log")]


def aliases(command, *words, **more):
    return {row["alias"]: row["snapshot"]
            for row in command.rows("remote", "ls", *words, **more)}


def test_a_reader_sees_what_aliases_mean(wh, listing, elsewhere):
    new, old = ids(wh)
    env = listing.env
    wh.ok("publish", "HEAD~1", listing.url, "--alias", "stable,prod", "-q",
          env=env)
    wh.ok("publish", "HEAD", listing.url, "-q", env=env)
    rows = elsewhere.rows("remote", "ls", listing.url, env=env)
    assert [(row["alias"], row["snapshot"]) for row in rows] == [
        ("latest", new), ("prod", old), ("stable", old)]
    table = elsewhere.ok("remote", "ls", listing.url, env=env).splitlines()
    assert [line.split()[:2] for line in table] == [
        ["latest", new[:12]], ["prod", old[:12]], ["stable", old[:12]]]


def test_where_nothing_was_published_there_is_none(elsewhere, listing):
    assert elsewhere.ok("remote", "ls", listing.url, env=listing.env) == ""


def test_a_remotes_aliases_change(wh):
    new, old = ids(wh)
    wh.ok("remote", "add", "lab", "file:models")
    wh.ok("publish", "lab", "--alias", "stable", "-q")
    assert aliases(wh, "lab") == {"stable": new}
    wh.ok("publish", "HEAD~1", "lab", "--alias", "stable", "-q")
    assert aliases(wh, "lab") == {"stable": old}
    wh.ok("unpublish", "lab", "stable", "-q")
    assert aliases(wh, "lab") == {}
    assert "there is no remote 'nope'" in wh.fails(4, "remote", "ls", "nope")


def test_what_is_no_pointer_is_told_apart(wh):
    new, _ = ids(wh)
    wh.ok("publish", "file:models", "--alias", "stable", "-q")
    models = wh.folder / "models"
    (models / "notes.json").write_text("{}")
    (models / "a\x1b[2J\nb.json").write_text("hostile")
    (models / "cut.json").write_bytes(
        (models / "stable.json").read_bytes()[:40])
    (models / "folder.json").mkdir()
    os.mkfifo(models / "pipe.json")
    assert aliases(wh, "file:models") == {
        "a\x1b[2J\nb": None, "cut": None, "folder": None, "notes": None,
        "pipe": None, "stable": new}
    table = wh.ok("remote", "ls", "file:models")
    assert len(table.splitlines()) == 6 and "\x1b" not in table
    assert "(no snapshot)" in table


def test_http_tells_those_that_are_known(wh, place, elsewhere):
    new, old = ids(wh)
    wh.ok("remote", "add", "lab", place)
    wh.ok("publish", "HEAD~1", "lab", "--alias", "stable", "-q")
    wh.ok("publish", "HEAD~1", "lab", "--alias", "gone", "-q")
    wh.ok("unpublish", "lab", "gone", "-q")
    wh.ok("publish", "lab", "-q")
    done = wh("remote", "ls", "lab", "--json")
    assert [(row["alias"], row["snapshot"]) for row in
            map(json.loads, done.stdout.splitlines())] == [
        ("latest", new), ("stable", old)]
    assert done.returncode == 0 and done.stderr == (
        "wh remote: plain HTTP can't list aliases: 'latest' and those on "
        "record were looked for\n")
    done = elsewhere("remote", "ls", place)
    assert done.stdout.split()[:2] == ["latest", new[:12]]
    assert "only 'latest' was looked for" in done.stderr


S3_LOGIN = {"AWS_ACCESS_KEY_ID": "AKIDALIASES", "AWS_REGION": "us-east-1",
            "AWS_SECRET_ACCESS_KEY": "a key of the aliases"}


def test_keys_that_may_not_list_a_bucket(wh):
    new, _ = ids(wh)
    with FaultServer() as server:
        env = {**S3_LOGIN, "AWS_ENDPOINT_URL_S3": server.url}
        wh.ok("publish", "s3://models/x", "--alias", "stable,latest", "-q",
              env=env)
        server.faults = [Fault("GET .*list-type=2", status=403)]
        done = wh("remote", "ls", "s3://models/x", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["latest", new[:12]]
    assert "these keys may not list the bucket" in done.stderr


def test_what_cannot_be_listed_goes_by_the_record(wh):
    new, _ = ids(wh)
    words = ("unpublish", "s3://models/x", new, "--grace", "0")
    with FaultServer() as server:
        env = {**S3_LOGIN, "AWS_ENDPOINT_URL_S3": server.url}
        wh.ok("publish", "s3://models/x", "--alias", "stable", "-q", env=env)
        server.faults = [Fault("GET .*list-type=2", status=403)]
        assert "'stable' points to it" in wh.fails(14, *words, env=env)
        wh.ok("unpublish", "s3://models/x", "stable", "-q", env=env)
        wh.ok(*words, "-q", env=env)
        assert not [path for path in server.objects if "/v/" in path]


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(wh):
    (wh.folder / "models").symlink_to("models")
    assert "symbolic links" in wh.fails(1, "remote", "ls", "file:models")


def test_a_server_that_fails_is_told(wh):
    with FaultServer() as server:
        server.faults = [Fault("GET .*latest.json", status=500)]
        done = wh("remote", "ls", f"{server.url}/x", "--tries", "1")
        assert done.returncode == 1 and "HTTP 500" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_an_alias_that_is_not_there_leads_here(wh):
    wh.ok("publish", "file:models", "-q")
    for words in (("pull", "file:models", "nope", "-o", "out"),
                  ("unpublish", "file:models", "nope")):
        assert "'wh remote ls file:models' lists what is" in \
            wh.fails(4, *words)


@pytest.mark.parametrize("words", [("ls",), ("test",)], ids=" ".join)
def test_ctrl_c_is_heard_while_a_server_thinks(wh, words):
    with FaultServer() as server:
        server.faults = [Fault(".*", think=60)]
        running = wh.start("remote", *words, f"{server.url}/x")
        while not server.log:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130


def test_ctrl_c_is_heard_while_something_is_taken_back(wh):
    with FaultServer() as server:
        wh.ok("publish", f"{server.url}/x", "-q")
        server.faults = [Fault(".*", think=60)]
        before = len(server.log)
        running = wh.start("unpublish", f"{server.url}/x", "latest")
        while len(server.log) == before:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130
    assert "/x/latest.json" in server.objects
