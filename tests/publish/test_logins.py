"""Logins of registries: what a registry wants and when."""
import base64
import json

import pytest

from conftest import DIGITS, openssl
from servers import Front, TokenDistribution, TokenRegistry
from token_server import Tokens

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()
PAIR = base64.b64encode(b"user:pass word").decode()


def keep(wh, config):
    """As Docker's client does."""
    docker = wh.folder / "home" / ".docker"
    docker.mkdir(exist_ok=True)
    (docker / "config.json").write_text(json.dumps(config))
    return docker / "config.json"


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
