"""Pulls that were cut off: what is there is not fetched again, and what changed
on the server is not mixed with it. On each kind of server."""
import fcntl
import os

from conftest import DIGITS, commit_large
from fault_server import Fault, FaultServer
from proxy import Proxy

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()
THERE = 50000  # bytes that an earlier pull left


def begin(elsewhere, data=EPOCH_2):
    out = elsewhere.folder / "out"
    out.mkdir()
    (out / "model.h5.part").write_bytes(data[:THERE])
    return out


def test_what_is_there_is_not_fetched_again(wh, anywhere, elsewhere):
    wh.ok("publish", anywhere.url, env=anywhere.env)
    out = begin(elsewhere)
    with Proxy() as proxy:
        elsewhere.ok("pull", anywhere.url, "-o", "out", env=dict(
            anywhere.env, http_proxy=proxy.url))
    assert (out / "model.h5").read_bytes() == EPOCH_2
    assert [path.name for path in out.iterdir()] == ["model.h5"]
    sizes = [(status, size) for method, _, status, size in proxy.replies
             if method == "GET" and size > 20000]
    assert sizes == [(206, len(EPOCH_2) - THERE)]


def test_what_changed_on_s3_is_not_mixed(wh, s3, tmp_path, elsewhere):
    """Between the question for its ETag and the request for the rest."""
    place = f"s3://models/{tmp_path.name}"
    wh.ok("publish", place, env=s3.login())
    out = begin(elsewhere)
    other = EPOCH_2[:THERE] + bytes(len(EPOCH_2) - THERE)

    def swap(method, url):
        if method == "GET" and "/model.h5" in url:
            s3.client.put_object(Bucket="models", Body=other,
                                 Key=url.split("/models/", 1)[1])

    with Proxy() as proxy:
        proxy.before = swap
        assert "other bytes than the manifest says" in elsewhere.fails(
            11, "pull", place, "-o", "out", env=dict(
                s3.login(), http_proxy=proxy.url))
    statuses = [status for method, url, status, _ in proxy.replies
                if method == "GET" and "/model.h5" in url]
    assert statuses == [412, 200]
    assert not list(out.iterdir())


def test_a_line_that_breaks_goes_on_where_it_broke(wh, elsewhere):
    commit_large(wh, 8)
    large = (wh.folder / "large.h5").read_bytes()
    with FaultServer() as server:
        wh.ok("publish", f"{server.url}/m")
        server.faults = [Fault("GET .*/model.h5", times=2, cut=50)]
        server.log.clear()
        elsewhere.ok("pull", f"{server.url}/m", "-o", "out")
        assert (elsewhere.folder / "out/model.h5").read_bytes() == large
        first, second, third = server.seen("GET .*/model.h5")
        assert "range" not in first.headers
        assert 0.4 * len(large) < second.sent + third.sent < 0.6 * len(large)


def test_what_an_earlier_pull_left_may_be_wrong(wh, anywhere, elsewhere):
    wh.ok("publish", anywhere.url, env=anywhere.env)
    out = begin(elsewhere, bytes(len(EPOCH_2)))
    elsewhere.ok("pull", anywhere.url, "-o", "out", env=anywhere.env)
    assert (out / "model.h5").read_bytes() == EPOCH_2


def test_two_pulls_into_a_store_take_turns(wh, nginx):
    url = f"{nginx.url}/turns"
    wh.ok("publish", "HEAD", url)
    folder = wh.folder / "weights.wh-pull"
    folder.mkdir()
    other = os.open(folder, os.O_RDONLY)  # of another pull under way
    fcntl.flock(other, fcntl.LOCK_EX)
    pull = wh.start("pull", url, "-b", "pulled")
    assert "this one waits" in pull.stderr.readline()
    assert not list(folder.iterdir())
    folder.rmdir()  # it has ended
    os.close(other)
    assert pull.wait() == 0
    assert wh.row("show", "pulled")["tree"] == wh.row("show", "HEAD")["tree"]
    assert not folder.exists()
