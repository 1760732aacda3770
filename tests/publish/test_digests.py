"""A digest that is wrong: the real servers that check digests refuse it, for
good, and the next run counts anew."""
import json

import pytest

from conftest import Place
from proxy import Proxy


def cut_off(wh, there):
    """All is hashed, nothing is sent."""
    with Proxy() as proxy:
        proxy.before = lambda method, url: \
            403 if method in ("PUT", "POST") else None
        wh.fails(12, "publish", there.url, env=dict(there.env,
                                                    http_proxy=proxy.url))


def damage_journal(wh):
    (journal,) = wh.folder.glob("weights.wh-publish/*.jsonl")
    (row,) = [row for row in map(json.loads, open(journal))
              if row.get("key") == "sha256"]
    with open(journal, "a") as file:
        print(json.dumps(dict(row, value="00" * 32)), file=file)


@pytest.mark.parametrize("kind, code", [
    ("docker_registry", "DIGEST_INVALID"), ("distribution", "DIGEST_INVALID"),
    ("s3", "XAmzContentSHA256Mismatch")])
def test_a_wrong_digest_is_refused_and_counted_anew(wh, request, tmp_path,
                                                    elsewhere, kind, code):
    there = Place(kind, request, tmp_path.name)
    cut_off(wh, there)
    damage_journal(wh)
    with Proxy() as proxy:
        assert code in wh.fails(1, "publish", there.url, env=dict(
            there.env, http_proxy=proxy.url))
        assert sum(method == "PUT" for method, _, _ in proxy.log) == 1
    elsewhere.fails(4, "pull", there.url, "-o", "out", env=there.env)
    wh.ok("publish", there.url, env=there.env)
    elsewhere.ok("pull", there.url, "-o", "out", env=there.env)
