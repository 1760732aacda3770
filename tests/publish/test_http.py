"""Plain HTTP: what nginx, Apache and lighttpd take is what comes back."""
import hashlib
import json
import urllib.request

import pytest

from conftest import DIGITS


def read(url):
    with urllib.request.urlopen(url) as reply:
        return reply.read()


def pointer_of(place, alias="latest"):
    """The pointer, and the manifest that it means, checked as any reader
    would."""
    pointer = json.loads(read(f"{place}/{alias}.json"))
    text = read(f"{place}/{pointer['manifest']}")
    assert hashlib.sha256(text).hexdigest() == pointer["sha256"]
    manifest = json.loads(text)
    assert manifest["snapshot"] == pointer["snapshot"]
    return pointer, manifest


def check_files(place, pointer, manifest):
    folder = pointer["manifest"].rsplit("/", 1)[0]
    for file in manifest["files"]:
        data = read(f"{place}/{folder}/{file['path']}")
        assert len(data) == file["size"]
        assert hashlib.sha256(data).hexdigest() == file["sha256"]


def test_what_is_published_is_what_any_reader_gets(wh, place):
    wh.ok("publish", "HEAD", place, "--save-format", "h5,tf")
    pointer, manifest = pointer_of(place)
    check_files(place, pointer, manifest)
    shown = json.loads(wh.ok("show", "--json"))
    assert pointer["snapshot"] == shown["snapshot"]
    assert manifest["tree"] == shown["tree"]
    assert [file["path"] for file in manifest["files"]] == [
        "model.h5", "model.data-00000-of-00001", "model.index"]
    folder = pointer["manifest"].rsplit("/", 1)[0]
    assert read(f"{place}/{folder}/model.h5") == \
        (DIGITS / "epoch-02.h5").read_bytes()
    prefix = f'model_checkpoint_path: "{folder}/model"\n'.encode()
    assert prefix in read(f"{place}/checkpoint")


def test_publishing_again_sends_nothing(wh, place):
    first = wh.rows("publish", place, "--save-format", "h5,tf")[-1]
    assert first["done"] and all(file["sent"] for file in first["files"])
    again = wh.rows("publish", place, "--save-format", "h5,tf")[-1]
    assert again["done"] and not any(file["sent"] for file in again["files"])


def test_a_dry_run_changes_nothing(wh, dav, tmp_path):
    place = f"{dav.url}/{tmp_path.name}-dry"
    rows = wh.rows("publish", place, "--dry-run")
    assert rows[-1]["pointer"] is None
    assert not (dav.data / f"{tmp_path.name}-dry").exists()


def test_what_was_published_is_pulled_on_another_machine(wh, place, elsewhere):
    wh.ok("publish", place, "--save-format", "h5,tf")
    elsewhere.ok("pull", place, "-o", "model")
    assert (elsewhere.folder / "model" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-02.h5").read_bytes()
    elsewhere.ok("init", "-q")
    elsewhere.ok("pull", place, "--save-format", "h5", "-q")
    ours = json.loads(wh.ok("show", "--json"))
    theirs = json.loads(elsewhere.ok("show", "--json"))
    assert ours["tree"] == theirs["tree"]


def test_step_and_epoch_go_along(wh, place, elsewhere):
    """Then run@step, keep --every and a plot's axis are there, too."""
    elsewhere.ok("init", "-q")
    for words, step, epoch in ((["--step", "300"], 300, None),
                               (["--epoch", "0"], None, 0), ([], None, None)):
        wh.ok("commit", DIGITS / "epoch-02.h5", "-q", *words)
        wh.ok("publish", place)
        elsewhere.ok("pull", place, "-q")
        shown = json.loads(elsewhere.ok("show", "--json"))
        assert (shown["step"], shown["epoch"]) == (step, epoch)


def test_an_alias_is_a_pointer_of_its_own(wh, place):
    wh.ok("publish", "HEAD~1", place, "--alias", "stable,latest")
    wh.ok("publish", "HEAD", place)
    stable, _ = pointer_of(place, "stable")
    latest, _ = pointer_of(place)
    assert stable["snapshot"] != latest["snapshot"]
    text = wh.fails(4, "pull", place, "candidate", "-o", "out")
    assert "nothing is published as 'candidate'" in text


def test_another_format_later_leaves_old_pointers_valid(wh, place):
    wh.ok("publish", "HEAD", place, "--alias", "stable")
    wh.ok("publish", "HEAD", place, "--save-format", "tf")
    for alias in ("stable", "latest"):
        check_files(place, *pointer_of(place, alias))
    assert pointer_of(place, "stable")[0] != pointer_of(place)[0]


def test_other_content_under_a_name_is_refused(wh, nginx, tmp_path):
    place = f"{nginx.url}/{tmp_path.name}"
    wh.ok("publish", place)
    pointer, _ = pointer_of(place)
    folder = nginx.data / tmp_path.name / pointer["manifest"]
    model = folder.parent / "model.h5"
    model.write_bytes(b"something else")
    text = wh.fails(14, "publish", place)
    assert "is there with other content; --force replaces it" in text
    wh.ok("publish", place, "--force")
    assert model.read_bytes() == (DIGITS / "epoch-02.h5").read_bytes()


def test_full_verification_finds_other_bytes_of_the_same_size(wh, nginx,
                                                              tmp_path):
    place = f"{nginx.url}/{tmp_path.name}"
    wh.ok("publish", place)
    model = next((nginx.data / tmp_path.name).glob("v/*/model.h5"))
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    assert "reads back with other bytes" in \
        wh.fails(11, "publish", place, "--verify", "full")


def test_damaged_files_are_not_pulled(wh, nginx, tmp_path, elsewhere):
    place = f"{nginx.url}/{tmp_path.name}"
    wh.ok("publish", place)
    model = next((nginx.data / tmp_path.name).glob("v/*/model.h5"))
    data = bytearray(model.read_bytes())
    data[100] ^= 1
    model.write_bytes(data)
    assert "other bytes than the manifest says" in \
        elsewhere.fails(11, "pull", place, "-o", "out")
    assert not list(elsewhere.folder.glob("out/*"))


@pytest.mark.parametrize("code, words", [
    (12, ("auth", "HTTP 401", "wants credentials")),
    (1, ("small", "HTTP 413", "client_max_body_size")),
    (12, ("readonly", "HTTP 403", "do not allow")),
    (1, ("loop", "redirects more than")),
])
def test_a_refusal_says_what_why_and_what_to_do(wh, nginx, code, words):
    before = len(nginx.requests())
    text = wh.fails(code, "publish", f"{nginx.url}/{words[0]}/model")
    for word in words[1:]:
        assert word in text
    assert not any("latest.json" in row
                   for row in nginx.requests()[before:])


def test_credentials_come_from_the_environment(wh, nginx):
    login = {"WH_HTTP_USER": "user", "WH_HTTP_PASSWORD": "pass word"}
    done = wh("publish", f"{nginx.url}/auth/model", "-v", env=login)
    assert done.returncode == 0
    assert "pass word" not in done.stdout + done.stderr
    text = wh.fails(2, "publish", "http://user:secret@127.0.0.1/model")
    assert "secret" not in text


def test_netrc_is_read(wh, nginx):
    (wh.folder / "home" / ".netrc").write_text(
        'machine 127.0.0.1 login user password "pass word"\n')
    wh.ok("publish", f"{nginx.url}/auth/netrc")


def test_redirects_are_followed_for_the_same_method(wh, nginx):
    wh.ok("publish", f"{nginx.url}/redirect/model")
    pointer_of(f"{nginx.url}/elsewhere/redirect/model")


def test_http_beyond_this_machine_must_be_allowed(wh):
    assert "--allow-http" in wh.fails(2, "publish", "http://192.0.2.1/model")


def test_save_weights_takes_a_url(wh, place):
    wh.ok("save-weights", "HEAD", place, "--save-format", "h5")
    pointer_of(place)


def test_the_journal_goes_when_all_is_done(wh, place):
    wh.ok("publish", place)
    assert not list(wh.folder.glob("weights.wh-publish*"))


def test_a_folder_has_the_same_layout(wh, elsewhere, tmp_path):
    place = f"file:{tmp_path}/models"
    wh.ok("publish", place, "--save-format", "h5,tf")
    elsewhere.ok("pull", place, "-o", "model")
    assert (elsewhere.folder / "model" / "model.h5").read_bytes() == \
        (DIGITS / "epoch-02.h5").read_bytes()


def test_a_format_is_given_once(wh, tmp_path):
    assert "format 'h5' is given twice" in wh.fails(
        2, "publish", f"file:{tmp_path}/models", "--save-format", "h5,tf,h5")


def test_what_a_format_leaves_out_is_told_with_its_name(wh, tmp_path):
    wh.ok("commit", "-q", DIGITS.parents[1] / "tf" / "adam-trained" / "ckpt")
    done = wh("publish", f"file:{tmp_path}/models", "--save-format", "tf,h5")
    assert done.returncode == 0
    assert done.stderr == "wh publish: h5: left out: 14 optimizer tensors\n"


@pytest.mark.parametrize("words", [
    ("--verify", "fast"), ("--tries", "-1"), ("--stall-time", "-1"),
    ("--reply-time", "-1"), ("--parallel", "-1"), ("--max-shard-size", "-3")])
def test_an_option_that_means_nothing_is_refused(wh, words):
    assert words[1] in wh.fails(2, "publish", "HEAD", "file:models", *words)
    assert not (wh.folder / "models").exists()
