"""Through a proxy: which, when, as whom, and what it may not be used for."""
import pytest

from conftest import DIGITS
from fault_server import Fault, FaultServer
from proxy import Proxy

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()


@pytest.fixture
def proxy():
    with Proxy() as running:
        yield running


@pytest.fixture
def place(nginx, tmp_path):
    return f"{nginx.url}/{tmp_path.name}"


@pytest.mark.parametrize("how", ["--proxy", "http_proxy", "all_proxy"])
def test_all_goes_through_the_proxy(wh, place, proxy, elsewhere, how):
    words, env = ([how, proxy.url], {}) if how.startswith("-") else \
        ([], {how: proxy.url})
    wh.ok("publish", place, *words, env=env)
    assert proxy.bytes_of("PUT", "/model.h5") == len(EPOCH_2)
    assert proxy.bytes_of("PUT", "/latest.json")
    elsewhere.ok("pull", place, "-o", "out", *words, env=env)
    assert (elsewhere.folder / "out/model.h5").read_bytes() == EPOCH_2
    assert [url for verb, url, _ in proxy.log
            if verb == "GET" and url.endswith("/model.h5")]


def test_some_hosts_need_none(wh, place, proxy):
    wh.ok("publish", place, env={"http_proxy": proxy.url,
                                 "no_proxy": "127.0.0.1,example.com"})
    assert not proxy.log


def test_encrypted_lines_go_through_a_tunnel(wh, authority, proxy, tmp_path):
    from test_tls import Encrypted
    with Encrypted(tmp_path / "server", authority, "good") as server:
        wh.ok("publish", f"{server.place}/x", "--ca-file",
              authority / "ca.crt", env={"https_proxy": proxy.url})
        assert (server.data / "x/latest.json").exists()
        assert {row[:2] for row in proxy.log} == {
            ("CONNECT", f"127.0.0.1:{server.port}")}


def test_a_proxy_that_wants_a_login(wh, place):
    with Proxy(login="clerk:hush-proxy") as proxy:
        text = wh.fails(1, "publish", place, "--proxy", proxy.url)
        assert "HTTP 407" in text and "the proxy" in text
        wh.ok("publish", place, env={
            "http_proxy": f"http://clerk:hush-proxy@{proxy.host}"})
        text = wh.fails(1, "publish", f"{place}-2", env={
            "http_proxy": f"http://clerk:hush-wrong@{proxy.host}"})
        assert "hush" not in text


def test_a_proxy_that_is_away_is_told(wh, place):
    with Proxy() as gone:
        url = gone.url
    assert "Failed to connect" in wh.fails(
        1, "publish", place, "--tries", "1", "--proxy", url)


@pytest.mark.parametrize("target", [
    "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/x",
    "http://2852039166/latest", "http://[::ffff:169.254.169.254]/x"])
def test_a_proxy_is_not_sent_where_we_would_not_go(wh, proxy, target):
    """Behind a proxy nobody sees an address but in the URL."""
    with FaultServer([Fault("PUT .*/model.h5", status=307, headers=(
            f"Location: {target}",))]) as server:
        text = wh.fails(1, "publish", f"{server.url}/m", "--allow-http",
                        "--tries", "1", "--proxy", proxy.url)
        assert "may not point to" in text
        assert not [url for _, url, _ in proxy.log if "169." in url
                    or "2852039166" in url or "fe80" in url]
