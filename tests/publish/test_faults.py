"""What goes wrong on the way: lines, servers, disks, processes.

After each fault: the exit code, the sentence, no pointer that moved, and a
second run that sends what lacks and nothing else.
"""
import hashlib
import json
import re
import signal
import time

import pytest

from conftest import DIGITS, commit_large
from fault_server import Fault, FaultServer

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()
QUICK = ("--tries", "2")
MODEL = "PUT .*/model.h5"
S3_LOGIN = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "an S3 secret"}


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def place(server):
    return f"{server.url}/models"


@pytest.fixture
def large(wh):
    """8 MiB: more than sockets buffer, so that a share of it is a share."""
    commit_large(wh, 8)
    return (wh.folder / "large.h5").read_bytes()


def pointers(server):
    return [name for name in server.objects
            if name.rsplit("/", 1)[1] in ("latest.json", "checkpoint")]


def check_published(server, data=EPOCH_2):
    """As any reader would: pointer, manifest, files."""
    (name,) = [name for name in pointers(server) if name.endswith(".json")]
    root = name.rsplit("/", 1)[0]
    pointer = json.loads(server.objects[name])
    manifest = server.objects[f"{root}/{pointer['manifest']}"]
    assert hashlib.sha256(manifest).hexdigest() == pointer["sha256"]
    folder = pointer["manifest"].rsplit("/", 1)[0]
    for file in json.loads(manifest)["files"]:
        assert hashlib.sha256(server.objects[
            f"{root}/{folder}/{file['path']}"]).hexdigest() == file["sha256"]
    assert server.objects[f"{root}/{folder}/model.h5"] == data


def finish(wh, server, place, *words, data=EPOCH_2, again=1, env=None):
    """The fault is over: the next run completes it. `again`: how often the
    model goes over the line."""
    assert not pointers(server)
    server.faults.clear()
    before = len(server.log)
    wh.ok("publish", place, *words, env=env)
    check_published(server, data)
    puts = [request for request in server.log[before:]
            if re.match(MODEL, str(request))]
    assert len(puts) == again, list(map(str, server.log[before:]))


# -- Replies that pass -------------------------------------------------------

@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_replies_are_tried_again(wh, server, place, status):
    server.faults = [Fault(MODEL, times=1, status=status)]
    wh.ok("publish", place)
    check_published(server)
    assert len(server.seen(f"{MODEL} {status}")) == 1


def test_retry_after_is_honoured(wh, server, place):
    server.faults = [Fault(MODEL, times=1, status=503,
                           headers=("Retry-After: 2",))]
    wh.ok("publish", place)
    first, second = server.seen(MODEL)
    assert second.when - first.when >= 2
    check_published(server)


def test_tries_are_bounded(wh, server, place):
    server.faults = [Fault(MODEL, status=503, body=b"<h1>Down</h1> for tea")]
    text = wh.fails(1, "publish", place, *QUICK)
    assert "HTTP 503" in text and "Down for tea" in text
    assert len(server.seen(MODEL)) == 2
    finish(wh, server, place)


@pytest.mark.parametrize("status, code, hint", [
    (400, 1, "HTTP 400"), (401, 12, "wants credentials"),
    (403, 12, "do not allow"), (404, 4, "HTTP 404"),
    (405, 1, "does not take this method"), (407, 1, "the proxy"),
    (409, 1, "in the way"), (411, 1, "drops the length"),
    (412, 1, "HTTP 412"), (413, 1, "limits the size"),
    (422, 1, "HTTP 422"), (501, 1, "HTTP 501"), (507, 1, "quota is full")])
def test_final_replies_are_final(wh, server, place, status, code, hint):
    server.faults = [Fault(MODEL, status=status), Fault("MKCOL", status=405)]
    assert hint in wh.fails(code, "publish", place)
    assert len(server.seen(MODEL)) <= 2
    finish(wh, server, place)


# -- Lines that break --------------------------------------------------------

@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("share", [0, 50, 100])
def test_a_line_that_breaks_once_is_no_failure(wh, large, server, place, how,
                                               share):
    server.faults = [Fault(MODEL, times=1, **{how: share})]
    wh.ok("publish", place)
    check_published(server, large)
    assert len(server.seen(MODEL)) == 2


@pytest.mark.parametrize("share", [0, 50, 100])
def test_a_line_that_breaks_always_is(wh, large, server, place, share):
    server.faults = [Fault(MODEL, reset=share)]
    text = wh.fails(1, "publish", place, *QUICK)
    assert "bytes: " in text and "(tried 2 times)" in text
    finish(wh, server, place, data=large)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_reply_that_is_lost_costs_no_second_upload(wh, large, server, place,
                                                     how):
    server.faults = [Fault(MODEL, times=1, stored=True, **{how: 100})]
    wh.ok("publish", place)
    check_published(server, large)
    assert len(server.seen(MODEL)) == 1


def test_a_refusal_before_the_body_costs_no_body(wh, large, server, place):
    server.faults = [Fault(MODEL, times=1, status=503, early=True)]
    wh.ok("publish", place)
    check_published(server, large)
    assert server.seen(MODEL)[0].received == 0


@pytest.mark.parametrize("status, hint", [
    (413, "limits the size"), (500, "no room for it"), (507, "quota is full")])
def test_an_answer_that_a_reset_follows_is_told(wh, large, server, place,
                                                status, hint):
    """What is still on its way to a server that has closed makes a reset."""
    server.faults = [Fault(MODEL, reset=50, status=status,
                           body=b"no room for it")]
    text = wh.fails(1, "publish", place, *QUICK)
    assert f"HTTP {status}" in text and hint in text
    assert "no room for it" in text
    finish(wh, server, place, data=large)


def test_a_server_that_ignores_expect_gets_the_body(wh, large, server, place):
    server.faults = [Fault(MODEL, no_continue=True)]
    wh.ok("publish", place)
    check_published(server, large)


@pytest.mark.parametrize("reply", ["half-header", "short"])
def test_a_reply_that_is_cut_costs_no_second_upload(wh, server, place, reply):
    server.faults = [Fault(MODEL, times=1, reply=reply)]
    wh.ok("publish", place)
    check_published(server)
    assert len(server.seen(MODEL)) == 1


def test_what_is_not_http_is_told(wh, server, place):
    server.faults = [Fault(MODEL, reply="junk")]
    assert "the reply is not HTTP" in wh.fails(1, "publish", place)
    assert len(server.seen(MODEL)) == 1
    finish(wh, server, place, again=0)


# -- Lines that stand still --------------------------------------------------

@pytest.mark.parametrize("share", [0, 50])
def test_a_stall_ends(wh, large, server, place, share):
    server.faults = [Fault(MODEL, stall=(share, 100))]
    begun = time.monotonic()
    text = wh.fails(1, "publish", place, "--tries", "1", "--stall-time", "1")
    assert time.monotonic() - begun < 90
    assert "slow" in text or "no reply" in text
    finish(wh, server, place, data=large)


def test_thinking_is_no_stall(wh, server, place):
    server.faults = [Fault(MODEL, think=3)]
    wh.ok("publish", place, "--stall-time", "1", "--reply-time", "30")
    check_published(server)
    assert len(server.seen(MODEL)) == 1


def test_thinking_ends_too(wh, server, place):
    server.faults = [Fault(MODEL, think=100)]
    assert "all was sent, but no reply came" in wh.fails(
        1, "publish", place, "--tries", "1", "--reply-time", "3")
    finish(wh, server, place)


def test_a_reply_that_stops_in_its_middle_ends(wh, server, place):
    server.faults = [Fault(MODEL, times=1, reply="hang")]
    wh.ok("publish", place, *QUICK, "--stall-time", "3", "--reply-time", "3",
          timeout=90)
    check_published(server)


def test_a_server_that_drips_is_given_up(wh, large, server, place):
    server.faults = [Fault(MODEL, drip=500)]
    text = wh.fails(1, "publish", place, "--tries", "1", "--stall-time", "1",
                    timeout=60)
    assert "slow" in text
    finish(wh, server, place, data=large)


def test_a_download_that_drips_is_given_up(wh, large, server, place,
                                           elsewhere):
    wh.ok("publish", place)
    server.faults = [Fault("GET .*/model.h5", drip=200)]
    text = elsewhere.fails(1, "pull", place, "-o", "out", "--tries", "1",
                           "--stall-time", "1", timeout=60)
    assert "slow" in text
    assert not (elsewhere.folder / "out/model.h5").exists()
    server.faults.clear()
    elsewhere.ok("pull", place, "-o", "out")
    assert (elsewhere.folder / "out/model.h5").read_bytes() == large


def test_servers_that_do_not_answer_get_fewer_at_a_time(wh, server, place):
    """All of the first eight time out; of the others four run at a time."""
    server.faults = [Fault("PUT .*model.data", times=8, think=100),
                     Fault("PUT .*model.data", think=0.5)]
    wh.ok("publish", place, "--save-format", "tf", "--max-shard-size", "1",
          "--parallel", "8", "--reply-time", "4")
    puts = server.seen("PUT .*model.data")
    first = {request.target for request in puts[:8]}
    later = [request for request in puts if request.target not in first]
    assert len(later) == 6
    assert max(sum(other.when <= request.when < other.ended
                   for other in later) for request in later) <= 4


# -- Stores that change ------------------------------------------------------

@pytest.mark.parametrize("kind", ["forgotten", "gone"])
def test_a_snapshot_that_goes_meanwhile(wh, server, place, kind):
    """Forgotten, it still is there, and goes out whole. Gone, nothing points
    to what was sent."""
    commit_large(wh, 24)
    large = (wh.folder / "large.h5").read_bytes()
    old = wh.row("show")["snapshot"]
    wh.ok("commit", "-q", DIGITS / "epoch-02.h5")
    fault = Fault(MODEL, times=1, stall=(20, 50))
    server.faults = [fault]
    running = wh.start("publish", old, place)
    while not any(request.received for request in server.seen(MODEL)):
        assert running.poll() is None
    wh.ok("keep", "--last", "1", "-q")
    if kind == "gone":
        wh.ok("gc", "--grace", "0", "-q")
    fault.go_on.set()
    code, text = running.wait(timeout=60), running.stderr.read()
    if kind == "forgotten":
        assert code == 0, text
        check_published(server, large)
        return
    assert code == 4 and len(text.splitlines()) == 1, (code, text)
    assert "was removed from the store while it was being published" in text
    assert not pointers(server)
    wh.fails(4, "publish", old, place)
    assert not pointers(server)


# -- Servers that lie --------------------------------------------------------

@pytest.mark.parametrize("damage", [lambda body: body[:-1],
                                    lambda body: None,
                                    lambda body: b""],
                         ids=["truncated", "dropped", "empty"])
def test_success_is_not_believed(wh, server, place, damage):
    server.faults = [Fault(MODEL, damage=damage)]
    assert "is not there as it was sent" in wh.fails(1, "publish", place)
    finish(wh, server, place)


def test_altered_bytes_are_found_by_reading_back(wh, server, place):
    server.faults = [Fault(MODEL, damage=lambda body: b"x" + body[1:])]
    assert "reads back with other bytes" in \
        wh.fails(11, "publish", place, "--verify", "full")
    finish(wh, server, place, "--verify", "full")


def test_a_manifest_that_is_damaged_moves_no_pointer(wh, server, place):
    server.faults = [Fault("PUT .*/MANIFEST", damage=lambda body: body[1:])]
    assert "MANIFEST.json" in wh.fails(1, "publish", place)
    finish(wh, server, place, again=0)


@pytest.mark.parametrize("pointer", ["checkpoint", "latest.json"])
def test_a_pointer_that_is_not_stored_is_found_out(wh, server, place, pointer):
    words = (place, "--save-format", "tf")
    wh.ok("publish", "HEAD~1", *words)
    old = server.objects[f"/models/{pointer}"]
    server.faults = [Fault(f"PUT .*/{pointer}", damage=lambda body: None)]
    assert "has the old one still" in wh.fails(11, "publish", *words)
    assert server.objects[f"/models/{pointer}"] == old
    server.faults.clear()
    wh.ok("publish", *words)
    assert server.objects[f"/models/{pointer}"] != old


# -- Redirects and addresses -------------------------------------------------

TOKEN = {"WH_HTTP_TOKEN": "a bearer token"}


def test_credentials_stay_behind_when_the_port_changes(wh, server, place):
    with FaultServer() as other:
        server.faults = [Fault(MODEL, status=307, headers=(
            f"Location: {other.url}/there",))]
        wh.fails(1, "publish", place, env=TOKEN)
        (request,) = other.seen("PUT")
        assert "authorization" not in request.headers
        assert request.received == len(EPOCH_2)
    assert all(request.headers["authorization"] == "Bearer a bearer token"
               for request in server.log)


def test_credentials_go_along_on_the_same_server(wh, server, place):
    server.faults = [Fault("(PUT|HEAD|GET|MKCOL) /models", status=308,
                           headers=(f"Location: {server.url}/there",))]
    wh("publish", place, env=TOKEN)
    assert all("authorization" in request.headers for request in server.log)
    assert server.seen("(PUT|HEAD) /there")


@pytest.mark.parametrize("target, sentence", [
    ("http://169.254.169.254/latest/meta-data", "may not point to"),
    ("http://[::ffff:169.254.169.254]/x", "may not point to"),
    ("file:///etc/passwd", "no URL"), ("gopher://127.0.0.1/x", "not http"),
    ("http://192.0.2.1 /x", "no URL"),
    ("http://user:pw@127.0.0.1/x", "password")])
def test_addresses_that_servers_hand_out_are_checked(wh, server, place, target,
                                                     sentence):
    server.faults = [Fault(MODEL, status=307,
                           headers=(f"Location: {target}",))]
    text = wh.fails(1, "publish", place, "--allow-http", "--tries", "1")
    assert sentence in text
    finish(wh, server, place)


def test_redirects_are_bounded(wh, server, place):
    server.faults = [Fault(MODEL, status=307, headers=("Location: model.h5",))]
    assert "redirects more than 3 times" in wh.fails(1, "publish", place)
    assert len(server.seen(MODEL)) == 4
    finish(wh, server, place)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_an_upload_never_becomes_a_get(wh, server, place, status):
    server.faults = [Fault(MODEL, status=status, headers=("Location: /x",))]
    assert f"HTTP {status}" in wh.fails(1, "publish", place)
    finish(wh, server, place)


def test_a_registry_may_not_send_us_elsewhere_either(wh, server):
    place = f"oci://{server.host}/team/model:v1"
    for target in ("http://169.254.169.254/upload", "file:///etc/passwd"):
        server.faults = [Fault("POST .*/uploads", status=202,
                               headers=(f"Location: {target}",))]
        text = wh.fails(1, "publish", place, "--allow-http", "--tries", "1")
        assert "may not point to" in text or "no URL" in text
    assert not server.seen("PUT .*/manifests")


def test_a_registry_sends_us_elsewhere_without_our_login(wh, server):
    with FaultServer() as other:
        server.faults = [Fault("POST .*/uploads", status=202, headers=(
            f"Location: {other.url}/v2/x/blobs/uploads/1?_state=y",))]
        wh("publish", f"oci://{server.host}/team/model:v1", env={
            "WH_HTTP_USER": "user", "WH_HTTP_PASSWORD": "pass word"})
        assert other.seen("PUT")
        assert not any("authorization" in request.headers
                       for request in other.log)


# -- Credentials -------------------------------------------------------------

def test_a_token_that_expires_is_read_again_once(wh, server, place):
    """Agents that renew tokens write them to a file."""
    token = wh.folder / "token"
    token.write_text("old\n")
    fault = Fault(MODEL, times=1, status=401, think=100)
    server.faults = [fault]
    running = wh.start("publish", place,
                       env={"WH_HTTP_TOKEN_FILE": str(token)})
    while not server.seen(MODEL):
        assert running.poll() is None
    token.write_text("new\n")
    fault.go_on.set()
    assert running.wait() == 0, running.stderr.read()
    first, second = server.seen(MODEL)
    assert first.headers["authorization"] == "Bearer old"
    assert second.headers["authorization"] == "Bearer new"
    check_published(server)


def test_a_token_that_stays_refused_is_final(wh, server, place):
    token = wh.folder / "token"
    token.write_text("never told\n")
    server.faults = [Fault(MODEL, status=401, body=b"no")]
    text = wh.fails(12, "publish", place,
                    env={"WH_HTTP_TOKEN_FILE": str(token)})
    assert "HTTP 401" in text and "never told" not in text
    assert len(server.seen(MODEL)) == 2
    finish(wh, server, place)


# -- Processes that end ------------------------------------------------------

PHASES = ["HEAD .*model.h5", MODEL, "PUT .*model.data", "PUT .*model.index",
          "PUT .*MANIFEST", "PUT .*/checkpoint", "PUT .*/latest.json"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT],
                         ids=["kill -9", "Ctrl-C"])
@pytest.mark.parametrize("phase", PHASES)
def test_what_was_ended_is_completed(wh, server, place, phase, how):
    server.faults = [Fault(phase, times=1, think=100)]
    words = (place, "--save-format", "h5,tf", "--parallel", "1")
    running = wh.start("publish", *words)
    while not server.seen(phase):
        assert running.poll() is None
    running.send_signal(how)
    assert running.wait(timeout=60) == (-9 if how == signal.SIGKILL else 130)
    assert "/models/latest.json" not in server.objects
    server.faults.clear()
    there = {name for name in server.objects if "/v/" in name}
    before = len(server.log)
    wh.ok("publish", *words)
    check_published(server)
    assert not [request for request in server.log[before:]
                if request.method == "PUT" and request.target in there]
    assert not list(wh.folder.glob("weights.wh-publish*"))


# -- S3 ----------------------------------------------------------------------

COMPLETE = "POST .*uploadId="
INTERNAL = (b"<Error><Code>InternalError</Code>"
            b"<Message>We are sorry</Message></Error>")


@pytest.fixture
def s3_place(server):
    S3_LOGIN["AWS_ENDPOINT_URL_S3"] = server.url
    return "s3://models/x"


@pytest.fixture
def in_parts(wh):
    commit_large(wh, 20)
    return (wh.folder / "large.h5").read_bytes()


def test_a_200_with_an_error_is_no_success(wh, in_parts, server, s3_place):
    server.faults = [Fault(COMPLETE, times=1, status=200, body=INTERNAL)]
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len(server.seen(COMPLETE)) == 2
    assert not server.uploads


def test_a_200_with_an_error_for_good_fails(wh, in_parts, server, s3_place):
    server.faults = [Fault(COMPLETE, status=200, body=INTERNAL)]
    text = wh.fails(1, "publish", s3_place, *QUICK, env=S3_LOGIN)
    assert "join the parts" in text or "InternalError" in text
    assert "We are sorry" in text
    finish(wh, server, s3_place, data=in_parts, again=0, env=S3_LOGIN)
    assert not server.uploads


def test_a_complete_whose_reply_is_lost_is_asked_for(wh, in_parts, server,
                                                     s3_place):
    server.faults = [Fault(COMPLETE, times=1, close=100, stored=True)]
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len(server.seen(COMPLETE)) == 1


def test_a_part_that_breaks_goes_again_alone(wh, in_parts, server, s3_place):
    server.faults = [Fault("PUT .*partNumber=2", times=1, reset=50)]
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len(server.seen("PUT .*partNumber=1")) == 1


def test_parts_that_are_there_stay_there(wh, in_parts, server, s3_place):
    server.faults = [Fault("PUT .*partNumber=2", reset=0)]
    wh.fails(1, "publish", s3_place, *QUICK, "--parallel", "1", env=S3_LOGIN)
    assert not pointers(server)
    server.faults.clear()
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len(server.seen("PUT .*partNumber=1")) == 1


def test_what_s3_refuses_is_aborted(wh, in_parts, server, s3_place):
    server.faults = [Fault("PUT .*partNumber=2", status=403)]
    wh.fails(12, "publish", s3_place, env=S3_LOGIN)
    assert not server.uploads and not pointers(server)


def test_parts_stay_where_s3_has_too_much_to_do(wh, in_parts, server,
                                                s3_place):
    server.faults = [Fault("PUT .*partNumber=2", status=429)]
    wh.fails(1, "publish", s3_place, *QUICK, "--parallel", "1", env=S3_LOGIN)
    assert server.uploads
    server.faults.clear()
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len(server.seen("PUT .*partNumber=1")) == 1


def test_a_list_of_parts_that_goes_round_ends(wh, in_parts, server, s3_place):
    server.faults = [Fault("PUT .*partNumber=2", reset=0)]
    wh.fails(1, "publish", s3_place, *QUICK, "--parallel", "1", env=S3_LOGIN)
    server.faults = [Fault("GET .*uploadId", times=50, status=200, body=(
        b"<R><IsTruncated>true</IsTruncated>"
        b"<NextPartNumberMarker>1</NextPartNumberMarker></R>"))]
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len(server.seen("GET .*uploadId")) == 2


@pytest.mark.parametrize("body", [
    b"<html>Please log in</html>",
    b"<R><IsTruncated>true</IsTruncated></R>"])
def test_what_does_not_list_a_bucket_lists_no_aliases(wh, server, s3_place,
                                                      body):
    """What isn't seen may name what is to go."""
    wh.ok("publish", s3_place, env=S3_LOGIN)
    server.faults = [Fault(r"GET /models/\?", status=200, body=body)]
    assert "list" in wh.fails(1, "remote", "ls", s3_place, env=S3_LOGIN)
    wh.fails(1, "unpublish", s3_place, wh.row("show")["snapshot"], "--grace",
             "0", env=S3_LOGIN)
    check_published(server)


@pytest.mark.parametrize("ahead", [-7200, 3600])
def test_a_clock_that_is_wrong_is_learnt(wh, in_parts, server, s3_place,
                                         ahead):
    server.clock = ahead
    wh.ok("publish", s3_place, env=S3_LOGIN)
    check_published(server, in_parts)
    assert len([request for request in server.log
                if request.status == 403]) <= 2
    assert len(server.seen("PUT .*partNumber=1")) == 1


def test_a_clock_that_stays_wrong_is_told(wh, server, s3_place):
    server.faults = [Fault("(PUT|HEAD|GET) .*model.h5", status=403, body=(
        b"<Error><Code>RequestTimeTooSkewed</Code>"
        b"<Message>It is late</Message></Error>"))]
    text = wh.fails(12, "publish", s3_place, env=S3_LOGIN)
    assert "RequestTimeTooSkewed" in text and "It is late" in text
    assert len(server.seen(".*model.h5")) <= 4
    finish(wh, server, s3_place, env=S3_LOGIN)


# -- Registries --------------------------------------------------------------

def test_a_blob_that_breaks_gets_a_new_session(wh, server):
    server.faults = [Fault("PUT .*digest=", times=1, reset=0)]
    wh("publish", f"oci://{server.host}/team/model:v1")
    assert len(server.seen("POST .*/uploads")) > 1


def test_a_registry_that_has_too_much_to_do_gets_a_new_session(wh, server):
    server.faults = [Fault("PUT .*digest=", times=1, status=429)]
    wh("publish", f"oci://{server.host}/team/model:v1")
    assert len(server.seen("POST .*/uploads")) > 1
    assert server.seen("PUT .*/manifests")


def test_what_does_not_list_tags_lists_no_aliases(wh, server):
    server.faults = [Fault("GET .*/tags/list", status=200,
                           body=b"<html>Please log in</html>")]
    assert "list" in wh.fails(1, "remote", "ls",
                              f"oci://{server.host}/team/model")


def test_a_wrong_digest_is_final(wh, server):
    server.faults = [Fault("PUT .*digest=", status=400, body=json.dumps(
        {"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}).encode())]
    assert "DIGEST_INVALID" in \
        wh.fails(1, "publish", f"oci://{server.host}/team/model:v1")
    assert len(server.seen("PUT .*digest=")) <= 4
    assert not server.seen("PUT .*/manifests")


NO_SPACE = json.dumps({"errors": [{"code": "UNKNOWN", "message":
                       "no space left on device"}]}).encode()


@pytest.mark.parametrize("status, hint", [
    (413, "limits the size"), (500, "no space left"), (507, "quota is full")])
def test_a_registry_whose_disk_is_full(wh, server, status, hint):
    place = f"oci+http://{server.host}/team/model:v1"
    words = ("--save-format", "h5,tf", *QUICK)
    # The first blobs fit.
    server.faults = [Fault("PUT .*digest=", after=2, status=status,
                           body=NO_SPACE)]
    text = wh.fails(1, "publish", place, *words)
    assert hint in text and "no space left" in text
    assert not server.seen("PUT .*/manifests")
    server.faults.clear()
    there, before = len(server.objects), len(server.log)
    wh.ok("publish", place, *words)
    puts = [request for request in server.log[before:]
            if re.match("PUT .*digest=", str(request))]
    # Three files, the manifest and the config, less what fitted.
    assert there == 2 and len(puts) == 5 - there
    assert server.seen("PUT .*/manifests/v1")


# -- MLflow ------------------------------------------------------------------

def mlflow_replies(url, **created):
    """As much of MLflow as it takes to come to a part's URL. `created`: what it
    says of an upload beside the parts."""
    run = {"info": {"run_id": "r1",
                    "artifact_uri": "mlflow-artifacts:/1/r1/artifacts"},
           "data": {}}
    replies = {
        "GET .*/experiments/get-by-name": {
            "experiment": {"experiment_id": "1", "lifecycle_stage": "active"}},
        "POST .*/runs/search": {"runs": [run]},
        "GET .*/runs/get": {"run": run},
        "GET .*/mlflow-artifacts/artifacts": {"files": []},
        "POST .*/mpu/create": {**created, "credentials": [
            {"url": url, "part_number": n + 1} for n in range(5)]},
        "POST .*": {},
    }
    return [Fault(match, status=200, body=json.dumps(reply).encode())
            for match, reply in replies.items()]


@pytest.mark.parametrize("url", [
    "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/x",
    "file:///etc/passwd", "http://user:pw@127.0.0.1/x"])
def test_mlflow_may_not_send_parts_anywhere(wh, server, url):
    commit_large(wh, 65)
    server.faults = mlflow_replies(url, upload_id="u")
    text = wh.fails(1, "publish", f"mlflow+http://{server.host}/lab",
                    "--tries", "1", "--allow-http")
    assert any(word in text for word in ("may not point to", "no URL",
                                         "password")), text
    assert server.seen("POST .*/mpu/abort")
    assert not server.seen("POST .*/(model-versions|alias)")
    assert not server.seen("PUT")


def test_parts_of_azures_have_no_id_and_no_etag(wh, server):
    """As of mlflow's azure_blob_artifact_repo.py: "Put Block" says 201."""
    commit_large(wh, 65)
    server.faults = mlflow_replies(f"{server.url}/blob?comp=block&blockid=1")
    wh.fails(1, "publish", f"mlflow+http://{server.host}/lab")
    assert len(server.seen("PUT /blob.* 201")) == 5
    assert server.seen("POST .*/mpu/complete")
    assert not server.seen("POST .*/mpu/abort")


def test_a_run_whose_reply_is_lost_is_looked_for(wh, server):
    server.faults = [
        Fault("POST .*/runs/search", times=1, status=200,
              body=b'{"runs": []}'),
        Fault("POST .*/runs/create", times=1, close=100),
        *mlflow_replies("")]
    wh.fails(1, "publish", f"mlflow+http://{server.host}/lab", *QUICK)
    assert len(server.seen("POST .*/runs/create")) == 1
    assert len(server.seen("POST .*/runs/search")) == 2
    assert server.seen("PUT .*/r1/artifacts/v/")


# -- Pulling -----------------------------------------------------------------

def test_a_pull_over_a_line_that_breaks(wh, server, place, elsewhere):
    wh.ok("publish", place)
    server.faults = [Fault("GET .*/model.h5", times=1, reply="short")]
    elsewhere.ok("pull", place, "-o", "out")
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2


def test_a_pull_that_goes_on_and_breaks_again(wh, server, place, elsewhere):
    wh.ok("publish", place)
    (elsewhere.folder / "out").mkdir()
    (elsewhere.folder / "out" / "model.h5.part").write_bytes(EPOCH_2[:9000])
    server.faults = [Fault("GET .*/model.h5", times=1, reply="short")]
    elsewhere.ok("pull", place, "-o", "out")
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2
