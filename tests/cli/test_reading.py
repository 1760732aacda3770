"""log, show, ls, du, formats, config, version: what a store says of itself."""
import fnmatch
import itertools
import json
import random

import numpy
import pytest

from conftest import GOLDEN, TOP, epoch

LOG = {"snapshot", "parent", "branches", "tags", "message", "time", "run",
       "step", "epoch", "metrics", "params"}


def ids(rows):
    return [row["snapshot"] for row in rows]


def test_log_is_newest_first_with_the_promised_fields(history):
    rows = history.rows("log")
    assert all(set(row) == LOG for row in rows)
    assert [row["epoch"] for row in rows] == [5, 4, 3, 2, 1]
    assert rows[0]["branches"] == ["main"] and rows[-1]["parent"] is None
    assert [row["parent"] for row in rows[:-1]] == ids(rows[1:])


def test_log_counts_and_ranges(history):
    old_to_new = history.ids
    assert ids(history.rows("log", "-n", "2")) == old_to_new[:2:-1]
    assert history.rows("log", "-n", "0") == []
    assert ids(history.rows("log", "HEAD~3")) == old_to_new[1::-1]
    assert ids(history.rows("log", "HEAD~3..HEAD~1")) == old_to_new[3:1:-1]
    assert ids(history.rows("log", "HEAD~1..")) == old_to_new[4:]
    assert history.rows("log", "..HEAD~1") == []
    assert ids(history.rows("log", old_to_new[0])) == old_to_new[:1]


def test_log_all_lists_what_no_branch_reaches(history):
    history.ok("rollback", "HEAD~4", "-q")
    assert len(history.rows("log")) == 1
    assert len(history.rows("log", "--all")) == 5
    history.fails(2, "log", "--all", "HEAD")


def test_log_by_metric_and_run(history):
    history.ok("commit", epoch(6), "-q")
    assert len(history.rows("log", "--metric", "val_loss")) == 5
    assert len(history.rows("log", "--run", "main")) == 1
    assert "there is no run 'man'; did you mean 'main'?" in \
        history.fails(4, "log", "--run", "man")
    line = history.ok("log", "--metric", "loss", "-n", "1").strip()
    assert " loss=" in line and "val_loss" not in line
    done = history("log", "--metric", "nosuch\x1b")
    assert done.returncode == 0 and done.stdout == ""
    assert "has a metric 'nosuch\\x1b'" in done.stderr


def test_log_of_tensors_lists_those_that_changed_them(history):
    history.ok("commit", epoch(5), "-q", "-m", "the same")
    everything = ids(history.rows("log"))
    assert ids(history.rows("log", "--", "hidden/*")) == everything[1:]
    assert history.rows("log", "--", "nosuch*") == []


def test_show_has_logs_fields_and_more(history):
    row = history.row("show", "HEAD~1")
    assert set(row) >= LOG | {"tree", "tensors", "layers", "nbytes", "origin"}
    assert row["snapshot"] == history.ids[-2]
    assert row["tensors"] == 14 and row["layers"] == 12
    assert row["origin"] == {"format": "h5", "generator": "keras 2.21.0"}
    assert history.ids[-2] in history.ok("show", "HEAD~1")


def test_show_stats_is_in_the_object_too(history):
    assert "std" in history.ok("show", "--stats")
    rows = history.row("show", "--stats")["stats"]
    assert len(rows) == 14
    assert set(rows[0]) == {"name", "min", "max", "mean", "std", "l2",
                            "zeros", "nan", "inf"}


def test_ls_has_the_promised_fields_in_model_order(history):
    rows = history.rows("ls")
    assert all(set(row) == {"layer", "weight", "name", "dtype", "shape",
                            "nbytes", "sha256", "role"} for row in rows)
    assert rows[0]["name"] == "conv1/kernel:0"
    assert rows[0]["layer"] == "conv1" and rows[0]["weight"] == "kernel"
    assert rows[0]["dtype"] == "float32" and rows[0]["shape"] == [3, 3, 1, 16]
    assert {row["role"] for row in rows} == {"weight"}


def test_ls_takes_globs_with_and_without_a_revision(history):
    assert len(history.rows("ls", "conv*")) == 2
    assert len(history.rows("ls", "conv*", "logits*")) == 4
    assert len(history.rows("ls", "HEAD~1", "*kernel*")) == 4
    assert len(history.rows("ls", "HEAD", "conv1/kernel")) == 1
    assert len(history.rows("ls", f"file:{epoch(1)}", "hidden")) == 2
    assert history.fails(4, "ls", "nosuch*") == (
        "wh ls: nosuch*: no tensor is called so")


@pytest.mark.parametrize("name", ["full-k2-adam.h5"])
def test_ls_knows_optimizer_tensors(store, name):
    store.ok("commit", GOLDEN / "h5" / name)
    rows = store.rows("ls")
    optimizer = [row for row in rows if row["role"] == "optimizer"]
    assert optimizer and {row["layer"] for row in optimizer} == {"optimizer"}


def test_ls_agrees_with_the_recorded_truth(store):
    for path in sorted((GOLDEN / "h5").glob("dtypes.h5")):
        done = store("ls", f"file:{path}", "--json")
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_ls_long_and_sizes_to_the_byte(history):
    assert "13.5 KiB" in history.ok("ls", "-l")
    assert " 13824 " in history.ok("ls", "-l", "--bytes")


def test_du_ends_with_the_total(history):
    for by in ("snapshot", "layer", "tensor", "run"):
        rows = history.rows("du", "--by", by)
        assert all(set(row) == {"name", "rest", "nbytes", "stored_bytes",
                                "shared_bytes", "own_bytes"} for row in rows)
        assert rows[-1]["name"] == "total"
        size = (history.folder / "weights.wh").stat().st_size
        assert rows[-1]["stored_bytes"] == size
    assert sum(not row["rest"] for row in history.rows("du")) == 6


def test_du_says_which_snapshots_they_are(history):
    history.ok("commit", epoch(6), "-q", "--epoch", "6", "-m", "the last\none")
    line, = [line for line in history.ok("du").splitlines()
             if history.row("show")["snapshot"][:12] in line]
    assert line.endswith("  epoch 6  the last")


def test_du_tells_shared_bytes_from_own_ones(store):
    store.ok("commit", epoch(1), "-q")
    store.ok("commit", epoch(1), "-q")
    store.ok("commit", epoch(2), "-q")
    rows = [row for row in store.rows("du") if not row["rest"]][:-1]
    assert sorted(row["own_bytes"] > 0 for row in rows) == [False, False, True]
    assert all(row["shared_bytes"] > 0 for row in rows)


def test_formats_say_what_this_build_can(wh):
    rows = wh.rows("formats")
    assert {"h5", "tf", "keras3"} <= {row["name"] for row in rows}
    for row in rows:
        assert set(row) >= {"name", "reads", "writes", "suffixes", "missing"}
        assert bool(row["missing"]) == (not row["reads"] and
                                        not row["writes"])


def test_config_knows_its_keys(store):
    assert store.rows("config") == []
    store.ok("config", "codec", "fast")
    assert store.rows("config") == [{"key": "codec", "value": "fast"}]
    assert store.ok("config", "codec") == "codec = fast\n"
    store.ok("config", "codec", "--unset")
    assert store.ok("config") == ""
    store.fails(2, "config", "codec", "bogus")
    store.fails(2, "config", "nosuch")
    store.fails(2, "config", "--unset")


def test_version_is_a_verb_and_an_option(wh):
    text = wh.ok("version")
    assert text.startswith("wh ")
    assert wh.ok("--version") == wh.ok("-V") == text
    assert text.split()[1] == wh.row("version")["wh"]
    meson = (TOP / "meson.build").read_text()
    assert f"version: '{text.split()[1]}'" in meson
    row = wh.row("version")
    lines = dict(line.split()[:2] for line in text.splitlines())
    assert lines == {name: version or "-" for name, version in row.items()}
    assert set(row) == {"wh", "sqlite", "openssl", "zstd", "zlib", "jansson",
                        "isa-l", "hdf5", "curl"}
    assert all(row[name] for name in ("sqlite", "openssl", "zstd", "zlib"))


def test_revisions_and_their_near_misses(history):
    full = history.ids
    history.ok("tag", "v1.0", "HEAD~2", "-q")
    for revision, number in (
            ("HEAD", 4), ("@", 4), ("HEAD~1", 3), ("main~4", 0), ("v1.0", 2),
            ("v1.0~1", 1), (full[1], 1), (full[1][:6], 1), ("digits@2", 1),
            ("digits:latest", 4), ("main:latest", 4), ("best:val_loss:max", 0),
            ("main@{1}", 3)):
        assert history.row("show", revision)["snapshot"] == full[number], (
            revision)
    best = min(history.rows("log"), key=lambda r: r["metrics"]["val_loss"])
    assert history.row("show", "best:val_loss")["snapshot"] == (
        best["snapshot"])
    assert history.fails(4, "show", "mian").endswith(
        "did you mean 'main'?")
    assert history.fails(4, "show", "HAED").endswith("did you mean 'HEAD'?")
    assert history.fails(4, "show", "v1.1").endswith("did you mean 'v1.0'?")
    assert history.fails(4, "show", "best:val_los").endswith(
        "did you mean 'val_loss'?")
    assert history.error(4, "show", "mian")["hint"] == "did you mean 'main'?"
    history.fails(4, "show", "HEAD~99")
    history.fails(4, "show", "0000")
    history.fails(4, "show", "main@{99}")


def test_an_ambiguous_id_lists_its_candidates(store):
    """Sixteen times seventeen snapshots: two must share four digits only by
    luck, so the check is of the message where it happens."""
    store.ok("commit", epoch(1), "-q")
    head = store.row("show")["snapshot"]
    assert store.row("show", head[:4])["snapshot"] == head


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_long_message_is_cut_between_characters(store, before):
    store.ok("commit", epoch(1), "-q", "-m", before + "模" * 60)
    line = store.ok("log")
    assert f"  {before}模" in line and "\\x" not in line
    assert line.count("模") in (41, 42)


def test_names_are_escaped_on_their_way_to_people(store):
    evil = "a\x1b[31mb\u202ec\nd"
    store.ok("commit", epoch(1), "-q", "-m", evil, "--run", evil,
             "--metric", f"{evil}=1", "--param", f"{evil}={evil}")
    for words in (["log"], ["show"], ["du", "--by", "run"],
                  ["sql", "select message from log"]):
        text = store.ok(*words)
        assert "\x1b" not in text and "\u202e" not in text, words
    assert store.row("log")["message"] == evil
    assert store.row("show")["params"] == {evil: evil}
    message = store.fails(4, "show", evil)
    assert "\x1b" not in message and "\u202e" not in message


def test_verify_finds_damage(history):
    row = history.row("verify")
    assert set(row) == {"snapshots", "tensors", "checked_bytes", "errors",
                        "damaged", "unchecked", "repaired", "incomplete",
                        "complete"}
    assert row["errors"] == [] and row["checked_bytes"] == 0
    assert row["snapshots"] == 5
    assert history.row("verify", "--read-data")["checked_bytes"] > 0
    history.ok("verify", "HEAD~1", "--read-data")
    history.ok("verify", "--read-data", "--sample", "50%")
    for share in ("0%", "101%", "x", "%"):
        history.fails(2, "verify", "--read-data", "--sample", share)
    # Uncoded, so that its bytes are found in the file.
    history.ok("commit", "-q", epoch(6), "--codec", "none")
    kernel = history("cat", "HEAD", "hidden/kernel", text=False).stdout
    path = history.folder / "weights.wh"
    data = bytearray(path.read_bytes())
    at = data.index(kernel[:64])
    data[at + 20] ^= 1
    path.write_bytes(data)
    done = history("verify", "--read-data", "--json")
    assert done.returncode == 3 and len(json.loads(done.stdout)["errors"]) >= 1
    done = history("verify", "--read-data")
    assert done.returncode == 3 and "hidden" in done.stdout
    assert history("save-weights", "x.h5").returncode == 5
    assert not (history.folder / "x.h5").exists()


def test_sql_reads_the_views(history):
    rows = history.rows("sql", "select epoch, step, snapshot from log "
                               "order by epoch limit 2")
    assert rows == [{"epoch": n, "step": n, "snapshot": history.ids[n - 1]}
                    for n in (1, 2)]
    columns = {"log": "snapshot parent branch run step epoch time message",
               "weights": "snapshot layer weight name dtype shape nbytes "
                          "sha256 role",
               "metrics": "run key step time value",
               "runs": "run status started ended",
               "params": "run key value"}
    for view, names in columns.items():
        text = history.ok("sql", f"select * from {view} limit 0")
        assert text.split() == names.split(), view


def test_sql_as_csv(history):
    text = history.ok("sql", "select 'a,b' as x, 'say \"hi\"' as y, 1.5 as z,"
                             " null as n", "--csv")
    assert text == 'x,y,z,n\n"a,b","say ""hi""",1.5,\n'
    text = history.ok("sql", "select max(1, 2), 3 as 'a \"b\"'", "--csv")
    assert text == '"max(1, 2)","a ""b"""\n2,3\n'
    long = history.ok("sql", "select printf('%.*c', 20000, 'x') as x")
    assert len(long.splitlines()[1]) == 20000


@pytest.mark.parametrize("query", [
    "delete from snapshot", "update config set value = 'x'",
    "insert into config values ('a', 'b')", "drop view log",
    "create table t(x)", "attach 'x.db' as x", "pragma user_version = 3",
    "pragma journal_mode = wal", "vacuum", "vacuum into 'x.db'", "begin",
    "select load_extension('x')", "select 1; select 2", "", "selec",
    "select * from nosuch", "reindex", "analyze", "detach main",
    "select zeroblob(2000000000)"])
def test_sql_refuses_all_but_one_query_that_reads(history, query):
    before = (history.folder / "weights.wh").read_bytes()
    assert history.fails(2, "sql", query).startswith("wh sql: ")
    assert (history.folder / "weights.wh").read_bytes() == before
    assert not (history.folder / "x.db").exists()


ENDLESS = ("with recursive n(i) as (select 1 union all select i + 1 from n) "
           "select max(i) from n")


def test_sql_ends_in_time(history):
    assert history.fails(1, "sql", ENDLESS, "--timeout", "1").endswith(
        "the query took more than 1 s")


def changed_along(wh, glob, *revision):
    """By ls of every snapshot: those of a line that have other weights of
    these names than the next older one that lives."""
    living = ids(wh.rows("log", *revision))
    seen = [{row["name"]: row["sha256"] for row in wh.rows("ls", snapshot)
             if fnmatch.fnmatchcase(row["name"], glob)}
            for snapshot in living] + [{}]
    return [living[i] for i in range(len(living)) if seen[i] != seen[i + 1]]


def test_log_of_tensors_is_what_ls_says_along_forks_and_gaps(wh):
    chance, value, parents = random.Random(7), itertools.count(1), []
    wh.ok("init", "-q")
    weights = {name: 0.0 for name in ("a/w", "a/b", "b/w")}
    for step in range(24):
        for name in weights:
            if chance.random() < 0.25:
                weights[name] = float(next(value))
        if step == 12:
            del weights["a/b"]
        numpy.savez(wh.folder / "m.npz",
                    **{n: numpy.float32([v]) for n, v in weights.items()})
        fork = ["-b", f"side{step}", "--parent", chance.choice(parents)
                ] if step in (9, 17) else []
        parents.append(wh.row("commit", "m.npz", "--step", step,
                              *fork)["snapshot"])
    tips = ["HEAD", "side9", "side17"]
    for _ in ("all", "some are forgotten"):
        for glob, tip in itertools.product(("a/*", "a/b", "*/w", "c*"), tips):
            assert ids(wh.rows("log", tip, "--", glob)) == changed_along(
                wh, glob, tip), (glob, tip)
        wh.ok("keep", "--every", "3step", "--last", "1", "-q")


def test_log_of_tensors_takes_the_names_of_ls_and_of_blame(history):
    rows = ids(history.rows("log"))
    for glob in ("conv1/kernel:0", "conv1/kernel", "conv1", "kernel"):
        assert ids(history.rows("log", "--", glob)) == rows
    assert ids(history.rows("log", "--all", "--", "conv1/kernel:0")) == rows
    assert history.rows("log", "--all", "--", "nosuch*") == []
