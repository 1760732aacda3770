"""Names for places, kept in the store: never their tokens."""
import json

import pytest

from conftest import DIGITS
from fault_server import FaultServer

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


def test_a_remote_stands_for_its_url(wh, server, tmp_path):
    wh.ok("remote", "add", "lab", f"{server.url}/models")
    wh.ok("publish", "lab")
    wh.ok("publish", "HEAD~1", "lab", "--alias", "stable")
    assert "/models/stable.json" in server.objects
    wh.ok("pull", "lab", "-o", "out")
    assert (wh.folder / "out" / "model.h5").read_bytes() == EPOCH_2
    wh.ok("pull", "lab", "stable", "-b", "back")


def test_remotes_are_listed_changed_and_removed(wh):
    wh.ok("remote", "add", "lab", "https://models.example/a", "--profile",
          "nexus")
    wh.ok("remote", "add", "lab", "s3://bucket/x", "--endpoint",
          "https://s3.example")
    wh.ok("remote", "add", "other", "file:models")
    assert wh.rows("remote") == [
        {"name": "lab", "url": "s3://bucket/x", "profile": None,
         "endpoint": "https://s3.example", "token_env": None,
         "token_file": None, "protect": None},
        {"name": "other", "url": f"file:{wh.folder}/models", "profile": None,
         "endpoint": None, "token_env": None, "token_file": None,
         "protect": None}]
    wh.ok("remote", "rm", "lab")
    assert [row["name"] for row in wh.rows("remote", "ls")] == ["other"]
    assert "there is no remote 'lab'" in wh.fails(4, "publish", "lab")
    assert "there is no remote 'lab'" in wh.fails(4, "remote", "rm", "lab")


@pytest.mark.parametrize("how", ["--token-env", "--token-file"])
def test_its_token_comes_from_where_it_says(wh, server, how):
    (wh.folder / "token").write_text("a lab token\n")
    wh.ok("remote", "add", "lab", f"{server.url}/models", how,
          "LAB_TOKEN" if how == "--token-env" else "token")
    wh.ok("publish", "lab", env={"LAB_TOKEN": "a lab token",
                                 "WH_HTTP_TOKEN": "of another server"})
    assert {request.headers["authorization"] for request in server.log} == {
        "Bearer a lab token"}
    told = json.dumps(wh.rows("remote")) + wh.ok("config")
    assert "a lab token" not in told
    assert b"a lab token" not in (wh.folder / "weights.wh").read_bytes()


def test_a_token_that_is_not_there_is_told(wh, server):
    wh.ok("remote", "add", "lab", f"{server.url}/models", "--token-env",
          "LAB_TOKEN")
    assert "LAB_TOKEN holds no token" in wh.fails(2, "publish", "lab")
    assert not server.log


@pytest.mark.parametrize("words", [
    ("add", "a/b", "file:x"), ("add", "x", "nowhere"), ("add", "x"),
    ("add", "x", "https://user:hush@host/x"), ("rm",), ("turn", "x")])
def test_what_cannot_be_is_refused(wh, words):
    assert "hush" not in wh.fails(2, "remote", *words)


def test_a_folder_is_the_same_one_for_jobs_that_run_elsewhere(wh):
    wh.ok("remote", "add", "here", "file:models", "--token-file", "token")
    (remote,) = wh.rows("remote")
    assert remote["url"] == f"file:{wh.folder}/models"
    assert remote["token_file"] == f"{wh.folder}/token"
    wh.ok("config", "remote.here.url", "file://other")
    assert wh.rows("remote")[0]["url"] == f"file:{wh.folder}/other"
    wh.ok("config", "remote.here.url", "file:///other")
    assert wh.rows("remote")[0]["url"] == "file:///other"
    wh.ok("publish", "HEAD", "file:rules", "--save")
    assert wh.row("publish", "--policies")["remote"] == \
        f"file:{wh.folder}/rules"
    wh.ok("publish", "file:rules", "--drop")
    assert not wh.rows("publish", "--policies")
