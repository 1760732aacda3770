"""The rules of Artifactory, Nexus and GitLab, by FAKES (fakes.py): no server of
these products was run."""
import json

import pytest

from conftest import DIGITS
from fakes import Artifactory, Fake, Gitlab, Nexus

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()
LOGIN = {"WH_HTTP_USER": "user", "WH_HTTP_PASSWORD": "pass word"}
PROFILES = {
    "artifactory": (Artifactory, "/artifactory/models/resnet", LOGIN),
    "nexus": (Nexus, "/repository/raw/resnet", LOGIN),
    "gitlab": (Gitlab, "/api/v4/projects/7/packages/generic/resnet/1.0.0",
               {"GITLAB_TOKEN": "a gitlab token"}),
}


@pytest.fixture(params=PROFILES)
def fake(request):
    handler, path, login = PROFILES[request.param]
    with Fake(handler) as server:
        server.place, server.login = server.url + path, login
        yield server


def start(name, **rules):
    handler, path, login = PROFILES[name]
    server = Fake(handler, **rules)
    server.place, server.login = server.url + path, login
    return server


def puts(server, status=201):
    return [row for row in server.log
            if row.startswith("PUT") and row.endswith(str(status))]


def test_fake_takes_it_and_gives_it_back(wh, fake, elsewhere):
    words = (fake.place, "--save-format", "h5,tf")
    wh.ok("publish", *words, env=fake.login)
    again = wh.rows("publish", *words, env=fake.login)[-1]
    assert not any(file["sent"] for file in again["files"])
    wh.ok("publish", "HEAD~1", fake.place, "--alias", "stable",
          env=fake.login)
    elsewhere.ok("pull", fake.place, "-o", "out", env=fake.login)
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2
    elsewhere.ok("pull", fake.place, "stable", "-o", "old", env=fake.login)
    assert (elsewhere.folder / "old" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-01.h5").read_bytes()
    assert not any(" 500" in row or " 400" in row for row in fake.log)


def test_fake_refuses_who_is_not_known(wh, fake):
    assert "HTTP 401" in wh.fails(12, "publish", fake.place)
    assert not fake.files


def test_fake_does_not_know_the_repository(wh, fake):
    place = fake.place.replace("models", "x").replace("/raw", "/x").replace(
        "/7/", "/8/")
    assert "HTTP 404" in wh.fails(4, "publish", place, env=fake.login)


def test_fake_artifactory_has_the_bytes_already(wh):
    with start("artifactory") as server:
        wh.ok("publish", server.place, env=server.login)
        server.log.clear()
        wh.ok("publish", server.place + "-copy", env={
            "WH_ARTIFACTORY_TOKEN": "an access token"})
        assert server.files[next(name for name in server.files
                                 if "-copy/v/" in name
                                 and name.endswith("model.h5"))] == EPOCH_2
        assert len([row for row in puts(server)
                    if "model.h5" in row]) == 1
        assert not [row for row in puts(server, 404) if "model.h5" in row]


def test_fake_artifactory_allows_no_replacement(wh):
    with start("artifactory", no_delete=True) as server:
        wh.ok("publish", "HEAD~1", server.place, env=server.login)
        text = wh.fails(12, "publish", server.place, env=server.login)
        assert "permissions to delete" in text and "latest" in text


@pytest.mark.parametrize("name, rule", [("nexus", "no_redeploy"),
                                        ("gitlab", "no_duplicates")])
def test_fake_that_takes_a_name_once_says_so(wh, name, rule):
    """Files are never replaced; a pointer must be."""
    with start(name, **{rule: True}) as server:
        wh.ok("publish", "HEAD~1", server.place, env=server.login)
        text = wh.fails(14, "publish", server.place, env=server.login)
        assert "pointer 'latest.json'" in text and "other content" in text
        wh.ok("publish", server.place, "--alias", "second", env=server.login)


def test_fake_gitlab_gets_one_upload_at_a_time(wh):
    with start("gitlab") as server:
        wh.ok("publish", server.place, "--save-format", "h5,tf",
              "--parallel", "8", env={"CI_JOB_TOKEN": "a job token"})
        assert server.most_under_way == 1


def test_fake_of_each_kind_never_shows_a_secret(wh, fake):
    done = wh("publish", fake.place, "-v", env=fake.login)
    pointer = json.loads(next(data for name, data in fake.files.items()
                              if name.endswith("latest.json")))
    told = done.stdout + done.stderr + json.dumps(pointer)
    assert not any(secret in told for secret in fake.login.values()
                   if secret != "user")
