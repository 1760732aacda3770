"""Encrypted lines: which certificates are trusted, and what is said of the
others. Disks that are full."""
import os
import subprocess
import urllib.request

import pytest

from conftest import DIGITS, commit_large
from servers import Nginx

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()
ISSUED = {"good": ("IP:127.0.0.1", "2"), "name": ("DNS:other.example", "2"),
          "expired": ("IP:127.0.0.1", "-1")}


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Certificates by an authority of our own, and one that signs itself."""
    folder = tmp_path_factory.mktemp("authority")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out",
            "ca.crt", "-days", "2", "-subj", "/CN=Tests")
    openssl(folder, "req", "-x509", *key, "-keyout", "self.key", "-out",
            "self.crt", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
            "subjectAltName=IP:127.0.0.1")
    for name, (subject, days) in ISSUED.items():
        openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", "/CN=Server")
        (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\n")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt",
                "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt",
                "-days", days, "-extfile", f"{name}.ext")
    return folder


class Encrypted(Nginx):
    """`location /plain/` sends everybody to an unencrypted line."""

    def __init__(self, folder, authority, certificate):
        self.files = authority / certificate
        super().__init__(folder)
        self.place = f"https://127.0.0.1:{self.port}"

    def configure(self, text):
        super().configure(text.replace(
            "listen 127.0.0.1:@PORT@;",
            f"""listen 127.0.0.1:@PORT@ ssl;
            ssl_certificate {self.files}.crt;
            ssl_certificate_key {self.files}.key;
            location /plain/ {{ return 307 http://127.0.0.1:1/x; }}"""))


@pytest.mark.parametrize("certificate, sentence", [
    ("self", "is not trusted"), ("name", "subject name"),
    ("expired", "has expired")])
def test_what_is_not_trusted_gets_nothing(wh, authority, tmp_path, certificate,
                                          sentence):
    with Encrypted(tmp_path / "server", authority, certificate) as server:
        text = wh.fails(1, "publish", f"{server.place}/x", "--ca-file",
                        authority / "ca.crt",
                        env={"WH_HTTP_TOKEN": "a secret"})
        assert sentence in text and "--ca-file" in text
        assert not os.listdir(server.data)
        assert not any("/x/" in row for row in server.requests())


def test_the_systems_authorities_are_the_default(wh, authority, tmp_path):
    with Encrypted(tmp_path / "server", authority, "good") as server:
        assert "is not trusted" in wh.fails(1, "publish", f"{server.place}/x")


@pytest.mark.parametrize("name", ["--ca-file", "WH_CA_FILE", "CURL_CA_BUNDLE",
                                  "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_ones_own(wh, authority, tmp_path, name):
    file = str(authority / "ca.crt")
    with Encrypted(tmp_path / "server", authority, "good") as server:
        if name.startswith("--"):
            wh.ok("publish", f"{server.place}/x", name, file)
        else:
            wh.ok("publish", f"{server.place}/x", env={name: file})
        model = next((server.data / "x").glob("v/*/model.h5"))
        assert model.read_bytes() == EPOCH_2


def test_https_never_becomes_http(wh, authority, tmp_path):
    with Encrypted(tmp_path / "server", authority, "good") as server:
        assert "redirects from https to http" in wh.fails(
            1, "publish", f"{server.place}/plain/x", "--ca-file",
            authority / "ca.crt")


def test_an_authority_that_is_no_file(wh, authority, tmp_path):
    with Encrypted(tmp_path / "server", authority, "good") as server:
        assert "nowhere.pem" in wh.fails(1, "publish", f"{server.place}/x",
                                         "--ca-file", "nowhere.pem")


class Small(Nginx):
    """Its disk holds 2 MiB."""

    def command(self):
        if not os.path.ismount(self.data):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "wh",
                            self.data], check=True, capture_output=True)
        return super().command()

    def grow(self):
        subprocess.run(["mount", "-o", "remount,size=64m", self.data],
                       check=True)

    def stop(self):
        super().stop()
        subprocess.run(["umount", "-l", self.data], check=False,
                       capture_output=True)


def test_a_full_disk_leaves_the_old_version(wh, tmp_path, elsewhere):
    try:
        server = Small(tmp_path / "server")
    except (subprocess.CalledProcessError, PermissionError):
        pytest.skip("mounting takes root")
    with server:
        place = f"{server.url}/x"
        wh.ok("publish", place)
        old = urllib.request.urlopen(f"{place}/latest.json").read()
        commit_large(wh, 8)
        text = wh.fails(1, "publish", place, "--tries", "2")
        assert "HTTP 500" in text
        assert urllib.request.urlopen(f"{place}/latest.json").read() == old
        elsewhere.ok("pull", place, "-o", "out")
        assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2
        server.grow()
        wh.ok("publish", place)
        elsewhere.ok("pull", place, "-o", "new")
        assert (elsewhere.folder / "new" / "model.h5").read_bytes() == \
            (wh.folder / "large.h5").read_bytes()
