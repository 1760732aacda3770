"""OCI registries: pushed as ModelPack, pulled by oras and skopeo too."""
import base64
import hashlib
import http.server
import json
import re
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

from conftest import DIGITS
from fault_server import FaultServer
from go_tools import go_tool
from proxy import Proxy
from servers import Distribution

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()


def manifest_of(registry, repository, tag):
    request = urllib.request.Request(
        f"{registry.url}/v2/{repository}/manifests/{tag}",
        headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read())


@pytest.fixture
def repository(tmp_path):
    return f"team/{tmp_path.name.replace('_', '-')}".rstrip("-.")


def test_layers_are_the_files(wh, registry, repository):
    wh.ok("publish", f"oci://{registry.host}/{repository}:v1",
          "--save-format", "h5,tf")
    manifest = manifest_of(registry, repository, "v1")
    snapshot = json.loads(wh.ok("show", "--json"))["snapshot"]
    annotations = manifest["annotations"]
    assert annotations["org.opencontainers.image.revision"] == snapshot
    digests = {layer["annotations"]["org.opencontainers.image.title"]:
               layer["digest"] for layer in manifest["layers"]}
    assert set(digests) == {"model.h5", "model.index", "MANIFEST.json",
                            "model.data-00000-of-00001"}
    assert digests["model.h5"] == \
        "sha256:" + hashlib.sha256(EPOCH_2).hexdigest()
    assert manifest == manifest_of(registry, repository, snapshot)


def test_publishing_again_sends_nothing(wh, registry, repository):
    place = f"oci://{registry.host}/{repository}:v1"
    wh.ok("publish", place)
    again = wh.rows("publish", place)[-1]
    assert not any(file["sent"] for file in again["files"])


def test_what_another_repository_has_is_mounted(wh, registry, repository,
                                                elsewhere):
    words = ("--save-format", "h5,tf")
    place = f"oci+http://{registry.host}/{repository}"
    wh.ok("publish", f"{place}-a:v1", *words)
    with Proxy() as proxy:
        wh.ok("publish", f"{place}-b:v2", *words, "--proxy", proxy.url)
        # The manifests and the config alone.
        assert 0 < proxy.bytes_of("PUT", "") < 5000
        assert sum("mount=" in url for _, url, _ in proxy.log) == 3
    elsewhere.ok("pull", f"{place}-b", "v2", "-o", "out", "--save-format",
                 "h5")
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2


def test_a_registry_that_mounts_nothing_gets_all(wh):
    with FaultServer() as server:
        for name in ("a", "b"):
            wh.ok("publish", f"oci+http://{server.host}/{name}:v1")
        assert len(server.seen("POST /v2/b/.*mount=.*from=a 202")) == 1
        digest = hashlib.sha256(EPOCH_2).hexdigest()
        assert server.objects[f"/v2/b/blobs/sha256:{digest}"] == EPOCH_2


def test_all_tags_are_looked_at_however_few_come_at_a_time(wh, registry,
                                                           repository):
    """An alias of the third page keeps the snapshot that it means."""
    place = f"oci+http://{registry.host}/{repository}"
    wh.ok("publish", "HEAD~1", place, "--alias", "a,b,c,z")
    wh.ok("publish", "HEAD", place, "--alias", "a,b,c")
    old = wh.row("show", "HEAD~1")["snapshot"]
    (wh.folder / "other").mkdir()
    wh.ok("-s", "other/weights.wh", "init", "-q")
    with Proxy() as proxy:
        proxy.rewrite = lambda url: url.replace("n=1000", "n=2")
        words = ("-s", "other/weights.wh", "unpublish", place, old, "--grace",
                 "0", "--proxy", proxy.url)
        assert "'z' points to it" in wh.fails(14, *words)
        pages = sum("tags/list" in url for _, url, _ in proxy.log)
        # 2.8.2 gives all of them, whatever it is asked for.
        assert pages >= 3 or not isinstance(registry, Distribution)


def test_tags_without_an_end_are_an_error(wh, distribution, repository):
    """What isn't seen may be an alias of what is to go."""
    place = f"oci+http://{distribution.host}/{repository}"
    wh.ok("publish", "HEAD", place, "--alias", "a,b,c")
    with Proxy() as proxy:
        proxy.rewrite = lambda url: re.sub("tags/list.*", "tags/list?n=1", url)
        words = ("unpublish", place, wh.row("show")["snapshot"], "--grace", "0")
        assert "has no end" in wh.fails(1, *words, "--proxy", proxy.url)


def test_it_is_pulled_on_another_machine(wh, registry, repository, elsewhere):
    place = f"oci://{registry.host}/{repository}"
    wh.ok("publish", "HEAD~1", place, "--alias", "stable")
    wh.ok("publish", "HEAD", f"{place}:candidate", "--verify", "full")
    elsewhere.ok("pull", place, "candidate", "-o", "out")
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2
    first = json.loads(wh.ok("show", "HEAD~1", "--json"))["snapshot"]
    elsewhere.ok("pull", place, first, "-o", "first")
    assert (elsewhere.folder / "first" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-01.h5").read_bytes()
    assert "nothing is published as 'nope'" in \
        elsewhere.fails(4, "pull", place, "nope", "-o", "out")


def test_oras_pulls_the_files(wh, registry, repository, tmp_path):
    wh.ok("publish", f"oci://{registry.host}/{repository}:v1")
    subprocess.run([go_tool("oras.land/oras/cmd/oras", "v1.2.3"), "pull",
                    "--plain-http", f"{registry.host}/{repository}:v1", "-o",
                    tmp_path / "oras"], check=True, capture_output=True)
    assert (tmp_path / "oras" / "model.h5").read_bytes() == EPOCH_2


def test_skopeo_copies_it(wh, registry, repository, tmp_path):
    wh.ok("publish", f"oci://{registry.host}/{repository}:v1")
    subprocess.run(["skopeo", "--insecure-policy", "copy",
                    "--src-tls-verify=false",
                    f"docker://{registry.host}/{repository}:v1",
                    f"dir:{tmp_path}/skopeo"], check=True, capture_output=True)
    digest = hashlib.sha256(EPOCH_2).hexdigest()
    assert (tmp_path / "skopeo" / digest).read_bytes() == EPOCH_2


def test_the_login_is_dockers(wh, locked_registry):
    place = f"oci://{locked_registry.host}/lab/model:v1"
    assert "HTTP 401" in wh.fails(12, "publish", place)
    docker = wh.folder / "home" / ".docker"
    docker.mkdir()
    pair = base64.b64encode(b"user:pass word").decode()
    (docker / "config.json").write_text(json.dumps(
        {"auths": {locked_registry.host: {"auth": pair}}}))
    wh.ok("publish", place)
    (docker / "config.json").write_text("{")
    assert "config.json" in wh.fails(2, "publish", place)
    # Where Podman looks when there is no session, as in cron.
    podman = wh.folder / "home" / ".config" / "containers"
    podman.mkdir(parents=True)
    (podman / "auth.json").write_text(json.dumps(
        {"auths": {locked_registry.host: {"auth": pair}}}))
    wh.ok("publish", place)


def test_a_login_from_the_environment(wh, locked_registry):
    wh.ok("publish", f"oci://{locked_registry.host}/lab/other:v1",
          env={"WH_HTTP_USER": "user", "WH_HTTP_PASSWORD": "pass word"})


@pytest.mark.parametrize("url", [
    "oci://host", "oci://host/", "oci://host/UPPER:v1", "oci://host/a/../b",
    "oci://127.0.0.1:1/a:b:c", "oci://127.0.0.1:1/a:-tag"])
def test_urls_that_cannot_be_are_refused(wh, url):
    wh.fails(2, "publish", url)


class TokenServer(http.server.ThreadingHTTPServer):
    """Passes on to a registry what carries a token, and hands tokens out for a
    login: each is good for a few requests only."""

    def __init__(self, registry, uses):
        super().__init__(("127.0.0.1", 0), Gate)
        self.registry, self.uses = registry, uses
        self.left, self.handed, self.logins = {}, 0, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"


class Gate(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hand_out(self):
        self.server.logins.append(self.headers.get("Authorization"))
        assert "scope=repository:lab/model:pull,push" in \
            urllib.parse.unquote(self.path)
        self.server.handed += 1
        token = f"token-{self.server.handed}"
        self.server.left[token] = self.server.uses
        self.reply(200, json.dumps({"token": token}).encode())

    def any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if self.path.startswith("/token"):
            return self.hand_out()
        token = (self.headers.get("Authorization") or "").removeprefix(
            "Bearer ")
        if self.server.left.get(token, 0) <= 0:
            realm = f"http://{self.server.host}/token"
            return self.reply(401, b"{}", [
                ("WWW-Authenticate",
                 f'Bearer realm="{realm}",service="lab"')])
        self.server.left[token] -= 1
        return self.pass_on(body)

    def pass_on(self, body):
        request = urllib.request.Request(
            self.server.registry.url + self.path, body,
            {name: value for name, value in self.headers.items()
             if name in ("Content-Type", "Accept", "Range")},
            method=self.command)
        try:
            reply = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            reply = error
        text = reply.read()
        headers = [("Location", reply.headers["Location"].replace(
            self.server.registry.host, self.server.host))] \
            if reply.headers.get("Location") else []
        if self.command == "HEAD":
            self.send_response(reply.status)
            self.send_header("Content-Length",
                             reply.headers.get("Content-Length") or "0")
            return self.end_headers()
        return self.reply(reply.status, text, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = any


def test_tokens_are_fetched_again_when_they_expire(wh, registry):
    gate = TokenServer(registry, uses=3)
    wh.ok("publish", f"oci://{gate.host}/lab/model:v1", "--save-format",
          "h5,tf", "--parallel", "1",
          env={"WH_HTTP_USER": "user", "WH_HTTP_PASSWORD": "pass word"})
    assert gate.handed > 2
    expected = "Basic " + base64.b64encode(b"user:pass word").decode()
    assert set(gate.logins) == {expected}
    gate.shutdown()


def test_the_tag_of_a_url_is_protected_and_on_record(wh, registry):
    place = f"oci://{registry.host}/lab/named"
    assert wh.rows("publish", "HEAD~1", f"{place}:v1")[-1]["pointer"] == "v1"
    assert "'v1' is this" in wh.ok("publish", "HEAD~1", f"{place}:v1")
    assert [row["aliases"][0]["alias"] for row in wh.rows(
        "publish", "--list", f"{place}:v1")] == ["v1"]
    wh.ok("config", "protected-aliases", "v1")
    assert "'v1' is protected" in wh.fails(14, "publish", "HEAD",
                                           f"{place}:v1")
    assert "'v1' is protected" in wh.fails(14, "unpublish", f"{place}:v1",
                                           "latest")
    assert "published as 'v2'" in wh.fails(4, "pull", f"{place}:v2", "-o", "x")


def test_latest_beside_a_urls_tag_keeps_its_snapshot(wh, registry):
    place = f"oci://{registry.host}/lab/kept"
    wh.ok("publish", "HEAD~1", place)
    wh.ok("publish", "HEAD", f"{place}:v1")
    older = wh.row("show", "HEAD~1")["snapshot"]
    assert "'latest'" in wh.fails(14, "unpublish", f"{place}:v1", older,
                                  "--grace", "0")
    assert {row["alias"]: row["snapshot"] for row in wh.rows(
        "remote", "ls", f"{place}:v1")}["latest"] == older
