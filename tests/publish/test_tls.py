"""Encrypted lines: which certificates are trusted, and what is said of the
others."""
import os

import pytest

from conftest import DIGITS
from servers import Nginx

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()


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
