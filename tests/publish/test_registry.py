"""What was published where: recorded, protected, taken back, in the right
order, on every kind of place."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from conftest import WH, Place
from fault_server import Fault, FaultServer

KINDS = ["file", "nginx", "s3", "docker_registry", "distribution", "mlflow"]


@pytest.fixture(params=KINDS)
def lab(request, tmp_path, wh):
    """A place of each kind, as the remote `lab` of the store."""
    there = Place(request.param, request, tmp_path.name)
    wh.ok("remote", "add", "lab", there.url, "--protect", "prod")
    return there


def snapshots(wh):
    """Newest first."""
    return [row["snapshot"] for row in wh.rows("log")]


def pointed(wh, lab, alias):
    """The snapshot that an alias means there, or None."""
    done = wh("pull", "lab", alias, "-o", "pulled", "--json", env=lab.env)
    if done.returncode == 4:
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["snapshot"]


def test_what_is_published_is_on_record(wh, lab):
    new, old = snapshots(wh)
    wh.ok("publish", "HEAD~1", "lab", "--alias", "stable", env=lab.env)
    last = wh.rows("publish", "HEAD", "lab", "--alias", "stable,best",
                   "--save-format", "h5,tf", env=lab.env)[-1]
    wh.ok("publish", "HEAD", "lab", "--alias", "stable,best", "--save-format",
          "h5,tf", env=lab.env)  # nothing new: no row
    first, second = wh.rows("publish", "--list")
    assert (first["snapshot"], second["snapshot"]) == (old, new)
    assert first["aliases"] == [{"alias": "stable", "current": False}]
    assert second["aliases"] == [{"alias": "best", "current": True},
                                 {"alias": "stable", "current": True}]
    assert second["formats"] == "h5,tf"
    assert {file["path"]: file["sha256"] for file in second["files"]} == {
        file["path"]: file["sha256"] for file in last["files"]}
    assert "@" in second["who"] and second["remote"] == "lab"
    assert wh.rows("publish", "--list", "lab") == [first, second]
    assert wh.rows("publish", "--list", "file:elsewhere") == []
    assert wh.row("verify")["errors"] == []


def test_a_build_that_is_dated_dates_its_pointers(wh, tmp_path):
    wh.ok("publish", "HEAD", f"file:{tmp_path}/models",
          env={"SOURCE_DATE_EPOCH": "86400"})
    pointer = json.loads((tmp_path / "models/latest.json").read_text())
    assert pointer["time"] == "1970-01-02T00:00:00Z"
    (row,) = wh.rows("publish", "--list")
    assert row["time"] > "2000"


def go_on(wh, cut):
    """As a user pastes it."""
    path = f"{Path(WH).parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", cut["resume"]], cwd=wh.folder, check=True,
                   env=wh.environment(PATH=path), capture_output=True)


def test_the_command_that_goes_on_is_one_for_a_shell(wh):
    """With the store that was named, and a place with a blank and a quote."""
    wh.ok("backup", "my store.wh")
    (wh.folder / "it's a place").mkdir()
    (wh.folder / "it's a place/v").write_text("in the way")
    assert wh("-s", "my store.wh", "publish", "HEAD", "file:it's a place"
              ).returncode != 0
    (cut,) = wh.rows("-s", "my store.wh", "publish", "--list")
    (wh.folder / "it's a place/v").unlink()
    go_on(wh, cut)
    assert (wh.folder / "it's a place/latest.json").exists()


def test_what_was_cut_off_is_listed_until_it_is_complete(wh):
    with FaultServer() as server:
        url = f"{server.url}/m"
        words = ("publish", "HEAD", url, "--save-format", "h5,tf", "--alias",
                 "stable,best")
        server.faults = [Fault("PUT .*[.]index", status=403)]
        wh("publish", "HEAD~1", "file:elsewhere")
        assert wh(*words).returncode != 0
        done, cut = wh.rows("publish", "--list")
        assert done["state"] == "published"
        assert (cut["state"], cut["place"], cut["snapshot"]) == (
            "interrupted", url, snapshots(wh)[0])
        assert set(cut) <= set(re.findall(r"\w+", wh.ok("help", "publish")))
        arrived = {path.split("/m/")[1] for path in server.objects}
        (lacks,) = cut["missing"]
        assert lacks.endswith(".index") and lacks not in arrived
        assert cut["n_files"] == len(arrived) + 1
        assert cut["missing_size"] > 0
        assert wh.rows("publish", "--list", url) == [cut]
        assert wh.rows("publish", "--list", f"{url}2") == []
        text = wh.ok("publish", "--list")
        assert f"interrupted, 1 of {cut['n_files']} files missing" in text
        assert f"to go on: {cut['resume']}\n" in text
        server.faults = []
        server.log.clear()
        go_on(wh, cut)
        assert len(server.seen("PUT /m/v/")) == 2  # and the manifest
        assert [row["state"] for row in wh.rows("publish", "--list")] == [
            "published"] * 2
        assert {alias["alias"] for alias in
                wh.rows("publish", "--list")[1]["aliases"]} == {
                    "stable", "best"}


def test_the_last_try_says_what_goes_on(wh):
    with FaultServer() as server:
        url = f"{server.url}/m"
        server.faults = [Fault("PUT .*[.]index", status=403)]
        words = ("publish", "HEAD", url, "--save-format", "h5,tf")
        assert wh(*words, "--alias", "stable").returncode != 0
        assert "--alias stable" in wh.row("publish", "--list")["resume"]
        assert wh(*words).returncode != 0
        assert "--alias" not in wh.row("publish", "--list")["resume"]


def go_on_as_listed(wh, url, mend):
    """A publication that is cut, and then goes on by the command of --list,
    which names the place as it is recorded: that leaves nothing cut."""
    assert wh("publish", "HEAD", url).returncode != 0
    cut = wh.row("publish", "--list")
    assert cut["state"] == "interrupted" and cut["place"] != url
    mend()
    wh.ok(*cut["resume"].split()[1:])
    assert wh.row("publish", "--list")["state"] == "published"


def test_a_folder_goes_on_by_its_absolute_path(wh):
    pointer = wh.folder / "place" / "latest.json"
    pointer.mkdir(parents=True)  # no pointer can be put there
    go_on_as_listed(wh, "file:place", pointer.rmdir)


def test_a_place_goes_on_without_its_last_slash(wh):
    with FaultServer() as server:
        server.faults = [Fault("PUT .*/latest[.]json", status=403)]
        go_on_as_listed(wh, f"{server.url}/m/", server.faults.clear)


def test_what_is_under_way_is_told_apart(wh):
    with FaultServer() as server:
        server.faults = [Fault("PUT /m/v/", think=30)]
        running = wh.start("publish", "HEAD", f"{server.url}/m")
        try:
            while not server.seen("PUT /m/v/"):
                assert running.poll() is None, running.communicate()
                time.sleep(0.01)
            (row,) = wh.rows("publish", "--list")
            assert row["state"] == "running"
        finally:
            running.kill()
            running.communicate()
        (row,) = wh.rows("publish", "--list")
        assert row["state"] == "interrupted"
        assert len(row["missing"]) == row["n_files"] == 1


def test_a_protected_alias_moves_by_force_alone(wh, lab):
    new, old = snapshots(wh)
    wh.ok("publish", "HEAD~1", "lab", "--alias", "prod", env=lab.env)
    text = wh.fails(14, "publish", "HEAD", "lab", "--alias", "prod",
                    env=lab.env)
    assert f"'prod' is protected, and is {old[:12]} now" in text
    assert pointed(wh, lab, "prod") == old
    wh.ok("publish", "HEAD~1", "lab", "--alias", "prod", env=lab.env)
    wh.ok("publish", "HEAD", "lab", "--alias", "prod", "--force", env=lab.env)
    assert pointed(wh, lab, "prod") == new
    text = wh.fails(14, "unpublish", "lab", "prod", env=lab.env)
    assert "'prod' is protected; --force removes it" in text
    assert pointed(wh, lab, "prod") == new


def test_an_alias_is_removed_and_then_its_snapshot(wh, lab):
    new, old = snapshots(wh)
    wh.ok("publish", "HEAD~1", "lab", "--alias", "stable", "--save-format",
          "h5,tf", env=lab.env)
    wh.ok("publish", "HEAD", "lab", env=lab.env)
    text = wh.fails(14, "unpublish", "lab", old, "--grace", "0", env=lab.env)
    assert "'stable' points to it" in text
    if lab.kind == "docker_registry":
        text = wh.fails(15, "unpublish", "lab", "stable", env=lab.env)
        assert "this registry can't remove a tag" in text
        wh.ok("publish", "HEAD", "lab", "--alias", "stable", env=lab.env)
    else:
        wh.ok("unpublish", "lab", "stable", env=lab.env)
        assert pointed(wh, lab, "stable") is None
    assert "it stays until" in wh.fails(14, "unpublish", "lab", old,
                                        env=lab.env)
    dry = wh.row("unpublish", "lab", old, "--grace", "0", "--dry-run",
                 env=lab.env)["gone"]
    gone = wh.row("unpublish", "lab", old, "--grace", "0",
                  env=lab.env)["gone"]
    assert gone == dry
    assert [path.rsplit("/", 1)[1] for path in gone] == [
        "MANIFEST.json", "model.index", "model.data-00000-of-00001",
        "model.h5"]
    assert pointed(wh, lab, old) is None
    assert pointed(wh, lab, "latest") == new
    assert "is not published there" in wh.fails(
        4, "unpublish", "lab", old, "--grace", "0", env=lab.env)
    assert [row["state"] for row in wh.rows("publish", "--list")
            if row["snapshot"] == old] == ["removed"]
    wh.ok("publish", "HEAD~1", "lab", "--alias", "again", env=lab.env)
    assert pointed(wh, lab, "again") == old


def test_what_somebody_elses_alias_means_stays(wh, lab, elsewhere):
    """One that no record of this store has: the place lists it."""
    if lab.kind == "nginx":
        pytest.skip("HTTP has no listing: such aliases are named by --alias")
    old = snapshots(wh)[1]
    shutil.copy(wh.folder / "weights.wh", elsewhere.folder)
    wh.ok("publish", "HEAD~1", "lab", env=lab.env)
    wh.ok("publish", "HEAD", "lab", env=lab.env)
    elsewhere.ok("publish", "HEAD~1", "lab", "--alias", "theirs", env=lab.env)
    text = wh.fails(14, "unpublish", "lab", old, "--grace", "0", env=lab.env)
    assert "'theirs' points to it" in text
    assert pointed(wh, lab, "theirs") == old


def test_a_store_without_a_record_waits_for_a_word(wh, lab, elsewhere):
    old = snapshots(wh)[1]
    wh.ok("publish", "HEAD~1", "lab", env=lab.env)
    wh.ok("publish", "HEAD", "lab", env=lab.env)
    elsewhere.ok("init", "-q")
    text = elsewhere.fails(14, "unpublish", lab.url, old, env=lab.env)
    assert "no record of when" in text
    elsewhere.ok("unpublish", lab.url, old, "--grace", "0", env=lab.env)
    assert pointed(wh, lab, old) is None


def test_removal_that_was_cut_off_goes_on(wh):
    """Pointer, manifest, index, data: whatever it breaks at, the manifest is
    gone first, and the record still knows the files."""
    old = snapshots(wh)[1]
    with FaultServer() as server:
        wh.ok("publish", "HEAD~1", f"{server.url}/m", "--save-format",
              "h5,tf")
        wh.ok("publish", "HEAD", f"{server.url}/m")
        server.faults.append(Fault("DELETE .*model.index", times=1,
                                   status=403))
        wh.fails(12, "unpublish", f"{server.url}/m", old, "--grace", "0")
        assert sorted(name.rsplit("/", 1)[1] for name in server.objects
                      if old in name) == [
            "model.data-00000-of-00001", "model.h5", "model.index"]
        wh.ok("unpublish", f"{server.url}/m", old, "--grace", "0")
        assert not [name for name in server.objects if old in name]


def test_the_record_outlives_the_snapshot(wh, tmp_path):
    old = snapshots(wh)[1]
    wh.ok("publish", "HEAD~1", f"file:{tmp_path}/models", "--alias", "old")
    before = wh.rows("publish", "--list")
    wh.ok("keep", "--last", "1", "-q")
    wh.ok("gc", "--grace", "0", "-q")
    assert old not in snapshots(wh)
    assert wh.rows("publish", "--list") == before
    assert wh.row("verify", "--read-data")["errors"] == []
    wh.ok("publish", "HEAD", f"file:{tmp_path}/models", "--alias", "old")
    wh.ok("unpublish", f"file:{tmp_path}/models", old, "--grace", "0")


# What each can do: digest, ranges, conditions, remove.
ABILITIES = {
    "file": (False, True, False, True),
    "nginx": (False, True, False, True),
    "apache": (False, True, False, True),
    "lighttpd": (False, True, False, True),
    "s3": (True, True, True, True),
    "docker_registry": (True, True, False, False),
    "distribution": (True, True, False, False),
}


@pytest.mark.parametrize("lab", ABILITIES | {"mlflow": None}, indirect=True)
def test_a_place_is_tried_and_left_as_it_was(wh, lab, request, tmp_path):
    told = wh.row("remote", "test", "lab", env=lab.env)
    assert told["ok"] and told["url"] == lab.url
    checks = {check["check"]: check["ok"] for check in told["checks"]}
    if lab.kind == "mlflow":
        assert checks == {"look": True, "write": None}
        return
    assert checks.pop("look") and checks.pop("write") and checks.pop("read")
    assert tuple(checks.values()) == ABILITIES[lab.kind]
    assert list(checks) == ["digest", "ranges", "conditions", "remove"]
    assert "MiB/s" in wh.ok("remote", "test", "lab", env=lab.env)
    if lab.kind == "file":
        left = [path for path in tmp_path.glob("models/**/*")
                if path.is_file()]
    elif lab.kind in ("nginx", "apache", "lighttpd"):
        left = [path for path in lab.server.data.glob("**/probe")]
    elif lab.kind == "s3":
        left = request.getfixturevalue("s3").client.list_objects_v2(
            Bucket="models", Prefix=lab.url.split("/", 3)[3]).get("Contents")
    else:
        left = wh("pull", "lab", "-o", "x", env=lab.env).returncode != 4
    assert not left


def test_a_test_says_what_a_publication_would_fail_at(wh):
    with FaultServer([Fault("PUT .*", status=403)]) as server:
        wh.ok("remote", "add", "lab", f"{server.url}/m")
        assert "HTTP 403" in wh("remote", "test", "lab").stderr
        done = wh("remote", "test", "lab", "--json")
        assert done.returncode == 12
        assert json.loads(done.stdout)["ok"] is False
        server.faults[:] = [Fault("PUT .*", damage=bytes.swapcase)]
        assert "reads back with other bytes" in wh(
            "remote", "test", "lab").stderr
        assert not server.objects


def test_a_remote_has_places_below_it(wh, tmp_path):
    wh.ok("remote", "add", "lab", f"file:{tmp_path}/models/")
    wh.ok("save-weights", "HEAD", "lab:resnet", "--save-format", "h5")
    wh.ok("publish", "HEAD~1", "lab:vgg/16", "--alias", "stable")
    assert (tmp_path / "models/resnet/latest.json").exists()
    assert (tmp_path / "models/vgg/16/stable.json").exists()
    assert wh.row("pull", "lab:vgg/16", "stable", "-o", "out")[
        "snapshot"] == snapshots(wh)[1]
    wh.ok("unpublish", "lab:vgg/16", "stable")
    # A file may have a colon in its name where no remote has that name.
    wh.ok("save-weights", "HEAD", "other:x.h5", "-q")
    assert (wh.folder / "other:x.h5").exists()


@pytest.fixture
def reader(wh):
    """`wh` for someone who may read the store and write nothing beside it."""
    folder = Path(tempfile.mkdtemp(prefix="wh-reader-"))
    media, home = folder / "media", folder / "home"
    shutil.copytree(wh.folder, media)
    shutil.copy(os.environ["WH_BIN"], folder / "wh")
    home.mkdir()
    root = os.getuid() == 0
    for path in (folder, home):
        path.chmod(0o777 if root else 0o755)
    media.chmod(0o555)

    def run(*words):
        done = subprocess.run(
            [folder / "wh", *words], cwd=media, text=True,
            capture_output=True, stdin=subprocess.DEVNULL,
            env=dict(wh.environment(), HOME=str(home)), user=65534 if root else None)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    run.folder, run.media, run.home = folder, media, home
    yield run
    media.chmod(0o755)
    shutil.rmtree(folder)


def test_a_store_on_read_only_media_records_in_the_users_folder(reader):
    for revision in ("HEAD~1", "HEAD"):
        reader("publish", revision, f"file:{reader.home}/models", "--json")
    listed = reader("publish", "--list", "--json")
    assert [row["aliases"] for row in listed] == [
        [{"alias": "latest", "current": False}],
        [{"alias": "latest", "current": True}]]
    assert not list(reader.media.glob("*-publish*"))
    # Where it can be written now, the next publication takes them in.
    reader.media.chmod(0o777)
    for path in reader.media.iterdir():
        path.chmod(0o777 if path.is_dir() else 0o666)
    reader("publish", "HEAD", f"file:{reader.home}/models", "--alias", "x",
           "--json")
    after = reader("publish", "--list", "--json")
    assert after[:2] == listed and len(after) == 3
    assert len(reader("sql", "select * from publications", "--json")) == 3
    assert not list(reader.home.glob(".local/state/weighhouse/*"))
