"""Logins of registries: what a registry wants and when, and where logins are
kept."""
import base64
import json
import os
import subprocess

import pytest

from conftest import DIGITS, GIVEN, openssl
from fault_server import Fault, FaultServer
from go_tools import go_tool
from servers import Front, TokenDistribution, TokenRegistry
from token_server import Tokens

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()
PAIR = base64.b64encode(b"user:pass word").decode()
WRONG = base64.b64encode(b"user:nonsense").decode()
IDENTITY = "hush-identity+/="
GIVEN.add(IDENTITY)


def keep(wh, config):
    """As Docker's client does."""
    docker = wh.folder / "home" / ".docker"
    docker.mkdir(exist_ok=True)
    (docker / "config.json").write_text(json.dumps(config))
    return docker / "config.json"


def helper(wh, name, user, secret):
    """docker-credential-NAME, which knows one login, or none."""
    own = wh.folder / "bin" / name
    own.mkdir(parents=True)
    (own / "credentials").write_text(
        json.dumps({"ServerURL": "", "Username": user, "Secret": secret})
        if user else "credentials not found in native keychain\n")
    program = wh.folder / "bin" / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\ncat > {own}/asked; cat {own}/credentials\n"
                       f"exit {0 if user else 1}\n")
    program.chmod(0o755)
    return own / "asked"


def path_of(wh):
    return {"PATH": f"{wh.folder}/bin:{os.environ['PATH']}"}


# ---- What the registry wants -------------------------------------------------


def test_a_registry_that_is_open_to_read_wants_a_login_to_push(
        wh, registry, elsewhere, tmp_path):
    with Front(tmp_path / "front", registry, Front.TO_PUSH) as front:
        place = f"oci://{front.host}/lab/open"
        assert "HTTP 401" in wh.fails(12, "publish", place)
        keep(wh, {"auths": {front.host: {"auth": PAIR}}})
        wh.ok("publish", place)
        elsewhere.ok("pull", place, "-o", "out")
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signer")
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
            "signer.key", "-out", "signer.crt", "-days", "2", "-subj",
            "/CN=Signer")
    return folder / "signer"


@pytest.fixture
def tokens(authority, signer):
    with Tokens(authority / "good", signer) as server:
        server.logins.add(f"Basic {PAIR}")
        server.identities.add(IDENTITY)
        yield server


@pytest.fixture(params=[TokenRegistry, TokenDistribution])
def guarded(request, tokens, signer, tmp_path):
    """A registry that believes `tokens`."""
    with request.param(tmp_path / "guarded", tokens.realm, signer) as server:
        yield server


@pytest.fixture
def trust(authority):
    return {"WH_CA_FILE": str(authority / "ca.crt")}


def test_a_refusal_says_whose_token_it_wants(wh, guarded, tokens, trust,
                                             tmp_path):
    """/v2/ says nothing of tokens; each request that lacks one does."""
    keep(wh, {"auths": {}})
    with Front(tmp_path / "front", guarded) as front:
        place = f"oci://{front.host}/lab/model"
        assert "HTTP 401" in wh.fails(12, "publish", place, env=trust)
        keep(wh, {"auths": {front.host: {"auth": PAIR}}})
        wh.ok("publish", place, env=trust)
        (asked,) = {json.dumps(asked) for asked in tokens.asked
                    if asked[1] is not None}
    assert json.loads(asked) == ["GET", f"Basic {PAIR}", {"service": "lab"}, [
        "repository:lab/model:pull,push"]]


def test_what_a_token_does_not_cover_is_asked_for(wh, guarded, tokens, trust):
    """To delete, that is."""
    place = f"oci://{guarded.host}/lab/model"
    keep(wh, {"auths": {guarded.host: {"auth": PAIR}}})
    for revision in ("HEAD~1", "HEAD"):
        wh.ok("publish", revision, place, env=trust)
    wh.ok("unpublish", place, wh.row("show", "HEAD~1")["snapshot"], "--grace",
          "0", env=trust)
    assert tokens.asked[-1][3] == ["repository:lab/model:pull,push",
                                   "repository:lab/model:delete"]


@pytest.mark.parametrize("may_read", [True, False])
def test_a_blob_is_mounted_from_where_one_may_read(wh, guarded, tokens, trust,
                                                   elsewhere, may_read):
    place = f"oci://{guarded.host}/lab"
    for command in (wh, elsewhere):
        keep(command, {"auths": {guarded.host: {"auth": PAIR}}})
    wh.ok("publish", f"{place}/a", env=trust)
    if not may_read:
        tokens.rights["lab/a"] = set()
    wh.ok("publish", f"{place}/b", env=trust)
    assert any("repository:lab/a:pull" in scopes
               for _, _, _, scopes in tokens.asked)
    elsewhere.ok("pull", f"{place}/b", "-o", "out", env=trust)
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2


# ---- Identity tokens ---------------------------------------------------------


@pytest.mark.parametrize("kept", ["auths", "helper"])
def test_an_identity_token_is_exchanged(wh, guarded, tokens, trust, kept):
    """As of `docker login` at Azure, which has a user but no password."""
    nobody = base64.b64encode(b"00000000-0000:").decode()
    if kept == "auths":
        keep(wh, {"auths": {guarded.host: {
            "auth": nobody, "identitytoken": IDENTITY}}})
    else:
        helper(wh, "lab", "<token>", IDENTITY)
        keep(wh, {"credHelpers": {guarded.host: "lab"}})
    wh.ok("publish", f"oci://{guarded.host}/lab/model",
          env=trust | path_of(wh))
    assert tokens.asked
    for asked in tokens.asked:
        assert asked == ("POST", None, {
            "grant_type": "refresh_token", "client_id": "weighhouse",
            "service": "lab", "refresh_token": IDENTITY}, [
                "repository:lab/model:pull,push"])
    tokens.identities.clear()
    assert "who is that?" in wh.fails(
        12, "publish", "HEAD~1", f"oci://{guarded.host}/lab/model",
        env=trust | path_of(wh))


def challenge(realm):
    return Fault("GET /v2/$", status=401, headers=(
        f'WWW-Authenticate: Bearer realm="{realm}",service="lab"',))


def test_a_login_goes_to_no_other_host_unencrypted(wh):
    with FaultServer() as other, \
            FaultServer([challenge(f"{other.url}/token")]) as server:
        keep(wh, {"auths": {server.host: {"auth": PAIR,
                                          "identitytoken": IDENTITY}}})
        wh.fails(1, "publish", f"oci://{server.host}/lab/model", "--tries",
                 "1")
        assert [request.method for request in other.log] == ["GET"]
        assert "Authorization" not in other.log[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_identity_token_follows_no_redirect(wh, status):
    with FaultServer() as other, FaultServer() as server:
        server.faults = [challenge(f"{server.url}/token"), Fault(
            "POST /token", status=status,
            headers=(f"Location: {other.url}/token",))]
        keep(wh, {"auths": {server.host: {"auth": PAIR,
                                          "identitytoken": IDENTITY}}})
        assert f"HTTP {status}" in wh.fails(
            1, "publish", f"oci://{server.host}/lab/model", "--tries", "1")
        assert server.seen("POST /token") and not other.log


# ---- Where logins are kept ---------------------------------------------------


def test_the_longest_key_of_podmans_file_wins(wh, locked_registry):
    """`skopeo login` writes the one that is right."""
    host = locked_registry.host
    podman = wh.folder / "home" / ".config" / "containers"
    podman.mkdir(parents=True)
    subprocess.run(
        ["skopeo", "login", "--tls-verify=false", "--authfile",
         podman / "auth.json", "--username", "user", "--password-stdin",
         f"{host}/org/team"], input=b"pass word", check=True,
        capture_output=True)
    auths = json.loads((podman / "auth.json").read_text())
    auths["auths"].update({host: {"auth": WRONG},
                           f"{host}/org": {"auth": WRONG},
                           f"{host}/org/team/secret": {"auth": WRONG}})
    (podman / "auth.json").write_text(json.dumps(auths))
    wh.ok("publish", f"oci://{host}/org/team")
    wh.ok("publish", f"oci://{host}/org/team/model")
    for repository in ("org/other", "org/teams", "org/team/secret", "team"):
        assert "HTTP 401" in wh.fails(12, "publish",
                                      f"oci://{host}/{repository}")


def test_a_key_may_be_a_url(wh, locked_registry):
    keep(wh, {"auths": {f"http://{locked_registry.host}/v1/": {"auth": PAIR}}})
    wh.ok("publish", f"oci://{locked_registry.host}/lab/url")


@pytest.mark.parametrize("config, works", [
    ({"credsStore": "right", "auths": {"HOST": {"auth": WRONG}}}, True),
    ({"credsStore": "right", "auths": {"HOST": {}}}, True),
    ({"credsStore": "wrong", "credHelpers": {"HOST": "right"}}, True),
    ({"credsStore": "right", "credHelpers": {"HOST": "wrong"},
      "auths": {"HOST": {"auth": PAIR}}}, False),
    ({"credHelpers": {"other": "wrong"}, "auths": {"HOST": {"auth": PAIR}}},
     True),
    ({"credsStore": "none", "auths": {"HOST": {"auth": PAIR}}}, False)])
def test_helpers_come_before_the_file(wh, locked_registry, config, works):
    """And oras says the same."""
    helper(wh, "right", "user", "pass word")
    helper(wh, "wrong", "user", "nonsense")
    helper(wh, "none", "", "")
    host = locked_registry.host
    file = keep(wh, json.loads(json.dumps(config).replace("HOST", host)))
    oras = subprocess.run(
        [go_tool("oras.land/oras/cmd/oras", "v1.2.3"), "repo", "ls",
         "--plain-http", "--registry-config", file, host],
        env=wh.environment(**path_of(wh)), capture_output=True)
    done = wh("publish", f"oci://{host}/lab/model", env=path_of(wh))
    assert (oras.returncode == 0, done.returncode) == \
        (works, 0 if works else 12), (oras, done)


def test_a_helper_is_asked_for_the_registry_where_it_wants_a_login(
        wh, registry, locked_registry):
    asked = helper(wh, "right", "user", "pass word")
    keep(wh, {"credsStore": "right"})
    wh.ok("publish", f"oci://{registry.host}/lab/helper", env=path_of(wh))
    assert not asked.exists()
    wh.ok("publish", f"oci://{locked_registry.host}/lab/helper",
          env=path_of(wh))
    assert asked.read_text() == locked_registry.host


def test_a_helper_that_fails_is_named(wh, locked_registry):
    place = f"oci://{locked_registry.host}/lab/failing"
    file = keep(wh, {"credsStore": "nowhere"})
    text = wh.fails(2, "publish", place)
    assert f"'{file}' names docker-credential-nowhere: No such file" in text
    helper(wh, "nowhere", "", "")
    (wh.folder / "bin" / "nowhere" / "credentials").write_text("locked\nx\n")
    assert "it failed: locked" in wh.fails(2, "publish", place,
                                           env=path_of(wh))
    (wh.folder / "bin" / "nowhere" / "credentials").write_text(
        json.dumps({"Secret": IDENTITY}))
    assert IDENTITY not in wh.fails(2, "publish", place, env=path_of(wh))
    # Docker's client makes do with what the file has.
    keep(wh, {"credsStore": "nowhere",
              "auths": {locked_registry.host: {"auth": PAIR}}})
    wh.ok("publish", place, env=path_of(wh))
