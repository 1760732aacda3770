"""S3: versitygw checks every signature and hash; boto3 reads what we wrote."""
import hashlib
import json
import ssl
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from conftest import DIGITS, commit_large
from fault_server import Fault, FaultServer
from proxy import Proxy


@pytest.fixture
def place(s3, tmp_path):
    return f"s3://models/{tmp_path.name}"


def get(s3, place, path):
    prefix = place.removeprefix("s3://models/")
    reply = s3.client.get_object(Bucket="models", Key=f"{prefix}/{path}")
    return reply, reply["Body"].read()


def uploads(s3):
    return s3.client.list_multipart_uploads(Bucket="models").get("Uploads", [])


def test_boto3_reads_what_is_published(wh, s3, place):
    wh.ok("publish", place, "--save-format", "h5,tf", env=s3.login())
    _, text = get(s3, place, "latest.json")
    pointer = json.loads(text)
    folder = pointer["manifest"].rsplit("/", 1)[0]
    reply, data = get(s3, place, f"{folder}/model.h5")
    assert data == (DIGITS / "epoch-02.h5").read_bytes()
    assert "immutable" in reply["CacheControl"]
    reply, _ = get(s3, place, "latest.json")
    assert reply["CacheControl"] == "no-cache"
    get(s3, place, "checkpoint")


def test_rclone_copies_what_is_published(wh, s3, place, tmp_path):
    """Also what went in parts; it checks the digests that the store has."""
    commit_large(wh, 20)
    wh.ok("publish", place, "--save-format", "h5,tf", env=s3.login())
    settings = {"TYPE": "s3", "PROVIDER": "Other", "REGION": s3.REGION,
                "ENDPOINT": s3.url, "ACCESS_KEY_ID": s3.ACCESS,
                "SECRET_ACCESS_KEY": s3.SECRET}
    subprocess.run(
        ["rclone", "copy", place.replace("s3://", "lab:"), tmp_path / "got"],
        check=True, capture_output=True,
        env=wh.environment(**{f"RCLONE_CONFIG_LAB_{name}": value
                              for name, value in settings.items()}))
    got = tmp_path / "got"
    pointer = json.loads((got / "latest.json").read_text())
    manifest = got / pointer["manifest"]
    assert (manifest.parent / "model.h5").read_bytes() == \
        (wh.folder / "large.h5").read_bytes()
    for file in json.loads(manifest.read_text())["files"]:
        assert hashlib.sha256((manifest.parent / file["path"]).read_bytes()
                              ).hexdigest() == file["sha256"]


def test_publishing_again_sends_nothing(wh, s3, place):
    wh.ok("publish", place, env=s3.login())
    again = wh.rows("publish", place, env=s3.login())[-1]
    assert not any(file["sent"] for file in again["files"])


def test_it_is_pulled_on_another_machine(wh, s3, place, elsewhere):
    wh.ok("publish", place, "--save-format", "h5,tf", env=s3.login())
    elsewhere.ok("pull", place, "-o", "out", env=s3.login())
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-02.h5").read_bytes()


def test_keys_come_from_the_shared_files_too(wh, s3, place):
    aws = wh.folder / "home" / ".aws"
    aws.mkdir()
    (aws / "credentials").write_text(
        "[default]\naws_access_key_id = wrong\naws_secret_access_key = x\n"
        f"[lab]\naws_access_key_id = {s3.ACCESS}\n"
        f"aws_secret_access_key={s3.SECRET}\n")
    (aws / "config").write_text(
        f"[profile lab]\nregion = {s3.REGION}\nendpoint_url = {s3.url}\n")
    wh.ok("publish", place, env={"AWS_PROFILE": "lab"})


def test_keys_of_two_places_are_not_mixed(wh, s3, place):
    aws = wh.folder / "home" / ".aws"
    aws.mkdir()
    (aws / "credentials").write_text(
        f"[default]\naws_access_key_id = {s3.ACCESS}\n"
        f"aws_secret_access_key={s3.SECRET}\n")
    env = {"AWS_ENDPOINT_URL_S3": s3.url, "AWS_REGION": s3.REGION}
    # A token that is left over from other keys.
    wh.ok("publish", place, env={**env, "AWS_SESSION_TOKEN": "stale"})
    assert "one is missing" in wh.fails(
        2, "publish", place, env={**env, "AWS_ACCESS_KEY_ID": "another"})


def test_aws_is_asked_where_the_bucket_is(wh, authority, tmp_path):
    """Its hosts are of a region each: one of another region says which."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "aws.crt", authority / "aws.key")
    with FaultServer(tls=context) as server:
        hosts = [f"models.s3.{region}.amazonaws.com"
                 for region in ("us-east-1", "eu-west-1")]
        server.faults = [Fault(".*", times=2, status=301, headers=(
            "x-amz-bucket-region: eu-west-1",))]
        with Proxy(hosts={host: server.port for host in hosts}) as proxy:
            wh.ok("publish", "s3://models/x", "--proxy", proxy.url,
                  "--ca-file", authority / "ca.crt",
                  env={"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                       "AWS_SECRET_ACCESS_KEY": "an S3 secret"})
            asked = [url for _, url, _ in proxy.log]
        assert asked[0] == f"{hosts[0]}:443"
        assert set(asked[1:]) == {f"{hosts[1]}:443"}
        assert "/x/latest.json" in server.objects


def test_the_bucket_may_be_part_of_the_hosts_name(wh, s3, place, elsewhere):
    """As its own tools have it: what has no such host can't be reached by
    path."""
    env = s3.login(AWS_ENDPOINT_URL_S3=f"http://localhost:{s3.port}/")
    for command in (wh, elsewhere):
        aws = command.folder / "home" / ".aws"
        aws.mkdir()
        (aws / "config").write_text(
            "[default]\ns3 =\n    addressing_style = virtual\n")
    with Proxy(hosts={"models.localhost": s3.port}) as proxy:
        words = ("--allow-http", "--proxy", proxy.url)
        wh.ok("publish", place, *words, env=env)
        elsewhere.ok("pull", place, "-o", "out", *words, env=env)
        assert all(url.startswith(f"http://models.localhost:{s3.port}/")
                   for _, url, _ in proxy.log)
    assert (elsewhere.folder / "out" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-02.h5").read_bytes()
    get(s3, place, "latest.json")


def test_a_wrong_secret_is_told_and_never_shown(wh, s3, place):
    text = wh.fails(12, "publish", place,
                    env=s3.login(AWS_SECRET_ACCESS_KEY="hush-hush"))
    assert "hush-hush" not in text


def test_a_wrong_region_is_learnt(wh, s3, place):
    wh.ok("publish", place, env=s3.login(AWS_REGION="eu-west-3"))


def test_names_are_signed_as_they_are_sent(wh, s3, tmp_path):
    place = f"s3://models/{tmp_path.name}/a b+c/d=é~(1)"
    wh.ok("publish", place, env=s3.login())
    get(s3, place, "latest.json")


def test_large_files_go_in_parts(wh, s3, place, elsewhere):
    commit_large(wh, 40)
    wh.ok("publish", place, "--verify", "full", env=s3.login())
    _, text = get(s3, place, "latest.json")
    folder = json.loads(text)["manifest"].rsplit("/", 1)[0]
    reply, data = get(s3, place, f"{folder}/model.h5")
    assert reply["ETag"].strip('"').endswith("-3")
    assert data == (wh.folder / "large.h5").read_bytes()
    assert not uploads(s3)


def test_an_upload_that_was_killed_goes_on_with_its_parts(wh, s3, place):
    commit_large(wh, 40)
    running = wh.start("publish", place, "--parallel", "1", "--limit-rate",
                       "8M", env=s3.login())
    prefix = place.removeprefix("s3://models/")

    def parts():
        for upload in uploads(s3):
            if upload["Key"].startswith(prefix):
                return s3.client.list_parts(
                    Bucket="models", Key=upload["Key"],
                    UploadId=upload["UploadId"]).get("Parts", [])
        return []

    while not parts():
        assert running.poll() is None
    running.kill()
    running.wait()
    with pytest.raises(ClientError):
        get(s3, place, "latest.json")
    before = len(parts())
    assert before in (1, 2)
    wh.ok("publish", place, env=s3.login())
    _, text = get(s3, place, "latest.json")
    folder = json.loads(text)["manifest"].rsplit("/", 1)[0]
    assert get(s3, place, f"{folder}/model.h5")[1] == \
        (wh.folder / "large.h5").read_bytes()
    assert not uploads(s3)
    assert not list(wh.folder.glob("weights.wh-publish*"))


def test_parts_share_the_rate(wh, s3, place):
    """Three at a time are not three times as fast."""
    commit_large(wh, 40)
    begun = time.monotonic()
    wh.ok("publish", place, "--limit-rate", "10M", env=s3.login())
    assert time.monotonic() - begun > 3


def test_a_bucket_that_is_not_there_is_told(wh, s3):
    assert "NoSuchBucket" in wh.fails(1, "publish", "s3://nowhere/x",
                                      env=s3.login())


@pytest.mark.parametrize("url", ["s3:models/x", "s3://", "s3://b/x",
                                 "s3://models/../x", "s3://UPPER/x"])
def test_urls_that_cannot_be_are_refused(wh, s3, url):
    wh.fails(2, "publish", url, env=s3.login())


def test_of_many_publishers_every_pointer_is_complete(wh, s3, place):
    """Ten at a time move one pointer; whatever wins is whole."""
    epochs = [DIGITS / f"epoch-{n:02}.h5" for n in range(3, 11)]
    wh.ok("import", "-q", *epochs)
    running = [wh.start("publish", f"HEAD~{n}", place, env=s3.login())
               for n in range(10)]
    for process in running:
        _, text = process.communicate(timeout=120)
        assert process.returncode == 0, text
    _, text = get(s3, place, "latest.json")
    pointer = json.loads(text)
    folder = pointer["manifest"].rsplit("/", 1)[0]
    manifest = json.loads(get(s3, place, pointer["manifest"])[1])
    for file in manifest["files"]:
        assert len(get(s3, place, f"{folder}/{file['path']}")[1]) == \
            file["size"]
