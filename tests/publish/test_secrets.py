"""No secret is in what is said, nor in any file that is left: outputs, stores,
journals, manifests, pointers, what servers hold and log."""
import base64
import json
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from conftest import GIVEN, SAID
from fault_server import Fault, FaultServer

SECRETS = {
    "http": {"WH_HTTP_TOKEN": "hush-bearer"},
    "basic": {"WH_HTTP_USER": "somebody", "WH_HTTP_PASSWORD": "hush-basic"},
    "gitlab": {"GITLAB_TOKEN": "hush-gitlab"},
    "artifactory": {"WH_ARTIFACTORY_TOKEN": "hush-jfrog"},
    "s3": {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
           "AWS_SECRET_ACCESS_KEY": "hush-s3",
           "AWS_SESSION_TOKEN": "hush-session"},
    "oci": {"WH_HTTP_USER": "somebody", "WH_HTTP_PASSWORD": "hush-oci"},
    "mlflow": {"MLFLOW_TRACKING_TOKEN": "hush-mlflow"},
}
PLACES = {
    "http": "{url}/models", "basic": "{url}/models",
    "gitlab": "{url}/api/v4/projects/7/packages/generic/resnet/1",
    "artifactory": "{url}/artifactory/models/resnet", "s3": "s3://models/x",
    "oci": "oci://{host}/team/model:v1", "mlflow": "mlflow+http://{host}/x",
}
# Nothing, refusals, a server that is down, one that repeats what it was sent.
FAULTS = [
    (), (Fault("PUT", status=403, body=b"no"),),
    (Fault("PUT .*json", status=503),),
    (Fault(".*", status=307, headers=("Location: http://127.0.0.1:1/x",)),),
    (Fault(".*", status=500, body=b"no"),),
]


def spellings(secret):
    """As it is, and as Basic and escaped texts have it."""
    pairs = [f"{user}:{secret}".encode() for user in ("somebody", "user")]
    return {secret.encode(), urllib.parse.quote(secret).encode(),
            *map(base64.b64encode, (*pairs, secret.encode()))}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_nowhere(wh, kind):
    env, told = dict(SECRETS[kind]), b""
    for faults in FAULTS:
        with FaultServer(faults) as server:
            env["AWS_ENDPOINT_URL_S3"] = server.url
            place = PLACES[kind].format(url=server.url, host=server.host)
            for words in (("-v",), ("--json",)):
                done = wh("publish", place, "--tries", "1", *words, env=env)
                told += (done.stdout + done.stderr).encode()
            told += b"".join(server.objects.values())
            sent = json.dumps([request.headers for request in server.log])
            if not faults and kind not in ("s3", "oci"):
                assert any(text.decode() in sent for secret in
                           env.values() for text in spellings(secret))
    for file in wh.folder.rglob("*"):
        if file.is_file():
            told += file.read_bytes()
    for name, secret in SECRETS[kind].items():
        if not name.endswith(("_USER", "_KEY_ID")):
            assert not any(text in told for text in spellings(secret))


# Where tests put secrets, as users do, and servers want them.
THEIR_PLACE = {".netrc", "auth.json", "credentials", "config", "config.json",
               "token", "lab-token", "htpasswd"}


def files_with(secrets, folder):
    """Of the stores, journals, manifests, outputs and servers' files below."""
    done = subprocess.run(
        ["grep", "-rlaFf", "-", folder], capture_output=True,
        input=b"\n".join(sorted(set().union(*map(spellings, secrets)))))
    assert done.returncode in (0, 1), done.stderr
    return [Path(name) for name in done.stdout.decode().splitlines()]


def test_after_all_tests_no_secret_is_anywhere(wh, tmp_path_factory, nginx):
    """The last of all: whatever ran before left none."""
    done = wh("publish", f"{nginx.url}/auth/last", "--json", "-v", env={
        "WH_HTTP_USER": "user", "WH_HTTP_PASSWORD": "pass word"})
    assert done.returncode == 0 and done.stdout in SAID
    (wh.folder / "home" / ".netrc").write_text('password "pass word"\n')
    said = "\n".join(SAID).encode()
    assert not [secret for secret in GIVEN for text in spellings(secret)
                if text in said]
    found = files_with(GIVEN, tmp_path_factory.getbasetemp())
    assert wh.folder / "home" / ".netrc" in found  # it does look
    assert [str(path) for path in found if path.name not in THEIR_PLACE] == []
