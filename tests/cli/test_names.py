"""No name steers a terminal or forges a line, whichever verb prints it: names
of tensors, layers, runs, metrics, files, places, and those that don't exist."""
import json
import re
import struct

import pytest

from conftest import Command

# A colour, a title, a bidirectional override, a C1 control, a new line.
EVIL = "a\x1b[31mb\x1b]0;owned\x07c\u202ed\u009be\nFORGED"
# Messages have lines of their own.
MESSAGE = EVIL.replace("\n", " ")
# What may stand in a file's name, and in a URL.
FILE = "f\x1b[31m\u202e\nFORGED"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

QUIET = {"help", "version", "complete", "formats", "init", "migrate",
         "backup"}
# What each verb is tried with. {evil}, {file}: as above.
TRIED = [
    ("log",), ("log", "--graph"), ("log", "--all"), ("log", "{evil}"),
    ("log", "--where", "{evil} < 1"), ("log", "--metric", "{evil}"),
    ("show",), ("show", "--stats"), ("show", "--histogram", "*"),
    ("show", "{evil}"),
    ("ls",), ("ls", "-l"), ("ls", "--stats"), ("ls", "HEAD", "{evil}"),
    ("ls", "file:{file}.safetensors"), ("ls", "file:{evil}"),
    ("cat", "HEAD", "x{evil}"),
    ("cat", "--text", "HEAD", "{evil}"),
    ("diff", "HEAD~1", "HEAD"), ("diff", "--stat", "HEAD~1", "HEAD"),
    ("diff", "HEAD", "file:{file}.safetensors"), ("diff", "HEAD", "{evil}"),
    ("blame",), ("blame", "{evil}"), ("history", "{evil}"),
    ("history", "x{evil}"), ("plot",), ("plot", "{evil}"),
    ("bisect", "start", "{evil}"), ("bisect", "log"),
    ("rollback", "{evil}"), ("undo",), ("branch",), ("branch", "{evil}"),
    ("switch", "{evil}"), ("tag",), ("tag", "{evil}"), ("reflog",),
    ("reflog", "{evil}"),
    ("runs",), ("runs", "--where", "params.{evil} = 1"),
    ("run", "show", "{evil}"), ("run", "show", "x{evil}"),
    ("run", "diff", "{evil}", "{evil}"), ("run", "{evil}", "x"),
    ("run", "end", "x{evil}"),
    ("metric", "{evil}", "{evil}"), ("metric", "x", "--csv", "{file}.csv"),
    ("metric", "x", "--csv", "x{evil}"),
    ("keep", "--last", "1", "--dry-run"), ("keep", "--best", "{evil}"),
    ("keep", "--tag", "{evil}", "--dry-run"),
    ("gc", "--dry-run"), ("gc", "--grace", "{evil}"),
    ("verify",), ("verify", "{evil}"), ("verify", "--read-data"),
    ("du",), ("du", "--by", "layer"), ("du", "--by", "tensor"),
    ("du", "--by", "run"), ("du", "--by", "snapshot"),
    ("sql", "select * from weights"), ("sql", "select * from metrics"),
    ("sql", "select * from params"), ("sql", "{evil}"),
    ("config",), ("config", "{evil}"), ("config", "{evil}", "x"),
    ("remote",), ("remote", "add", "{evil}", "/tmp"), ("remote", "rm", "{evil}"),
    ("remote", "test", "{evil}"), ("remote", "add", "lab", "{evil}"),
    ("remote", "ls", "{evil}"), ("remote", "ls", "file:{evil}"),
    ("save-weights", "HEAD", "{file}.npz"),
    ("save-weights", "HEAD", "{file}.h5"),
    ("save-weights", "HEAD", "{file}/x.npz"),
    ("save-weights", "--save-format", "{evil}", "x"),
    ("load-weights", "HEAD", "--into", "{file}.safetensors"),
    ("load-weights", "HEAD", "--into", "x{file}"),
    ("convert", "{file}.safetensors", "{file}-2.npz"),
    ("convert", "{file}.safetensors", "{file}-2.h5"),
    ("convert", "x{file}", "y.npz"), ("convert", "--from", "{evil}", "a", "b"),
    ("commit", "{file}.safetensors"), ("commit", "x{file}"),
    ("commit", "--metric", "{evil}", "x"), ("commit", "-b", "{evil}", "x"),
    ("import", "{file}.safetensors"), ("import", "x{file}"),
    ("import", "{file}.safetensors", "--step-from", "{evil}"),
    ("watch", "x{file}", "--once"),
    ("publish", "HEAD", "{file}"), ("publish", "--list", "{file}"),
    ("publish", "HEAD", "http://{evil}/"), ("publish", "HEAD", "x:{evil}"),
    ("publish", "HEAD", "{file}", "--alias", "{evil}"),
    ("unpublish", "{file}", "{evil}"), ("unpublish", "{file}", "latest"),
    ("pull", "{file}", "-o", "{file}-3"), ("pull", "{file}", "{evil}"),
    ("pull", "http://{evil}/"),
    ("{evil}",), ("log", "--{evil}"), ("log", "-\x1b"), ("log", "-n", "{evil}"),
    ("help", "{evil}"), ("complete", "{evil}"),
]


def safetensors(value):
    header = json.dumps({EVIL: {"dtype": "F32", "shape": [1],
                                "data_offsets": [0, 4]},
                         "__metadata__": {EVIL: EVIL}}).encode()
    header += b" " * (-len(header) % 8)
    return (struct.pack("<Q", len(header)) + header
            + struct.pack("<f", value))


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    wh = Command(tmp_path_factory.mktemp("names"))
    wh.ok("init")
    path = wh.folder / f"{FILE}.safetensors"
    for step in 1, 2:
        path.write_bytes(safetensors(step))
        done = wh("commit", path.name, "-m", MESSAGE, "--run", EVIL, "--step",
                  step, "--metric", f"{EVIL}={step}", "--param",
                  f"{EVIL}={EVIL}")
        assert done.returncode == 0, done.stderr
        harmless(done.stdout + done.stderr)
    (wh.folder / f"{FILE}.csv").write_text(f"epoch,\x1b[31m\n1,x\n{EVIL}\n")
    (wh.folder / FILE).mkdir()
    return wh


def harmless(text):
    assert not HARMFUL.search(text), ascii(HARMFUL.search(text))
    assert not re.search("^FORGED", text, re.M), text


def filled(words):
    return [word.replace("{evil}", EVIL).replace("{file}", FILE)
            for word in words]


@pytest.mark.parametrize("words", TRIED, ids=lambda words: "-".join(words))
def test_no_name_reaches_a_terminal(evil, words):
    done = evil(*filled(words))
    harmless(done.stdout + done.stderr)
    assert done.returncode in (0, 1, 2, 3, 4, 5, 10, 12, 13, 14, 15)


def test_the_names_are_there(evil):
    """Escaped, not left out."""
    for words in ("log",), ("show",), ("ls",), ("runs",), ("blame",):
        assert "\\x1b[31m" in evil.ok(*words), words


def test_every_verb_is_tried(evil):
    table = re.findall(r"^  ([a-z-]+) ", evil.ok("--help"), re.M)
    assert len(table) > 30
    assert set(table) - {words[0] for words in TRIED} - QUIET == set()
