"""One table drives parsing, help, completions and the man page: they agree,
whatever verbs and options it has."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import TOP, WH, environment

BUILD = Path(os.environ["WH_BUILD"])


def run_help(*words):
    return subprocess.run([WH, *words], check=True, capture_output=True,
                          text=True, env=environment()).stdout


def listed_verbs():
    text = run_help("help")
    block = text[text.index("verbs:\n"):text.index("options of all")]
    return re.findall(r"^  ([a-z-]+) ", block, re.M)


def options_of(text):
    """{name: (letter or "", what the value is called or "")}"""
    found = re.findall(r"^  (?:-(\w), |    )--([a-z0-9-]+)(?: (\S+))?  ", text,
                       re.M)
    return {name: (letter, value) for letter, name, value in found}


VERBS = listed_verbs()
HELP = {verb: run_help(verb, "--help") for verb in VERBS}


def own_options(verb):
    return options_of(HELP[verb].partition("options of all verbs:")[0])


GLOBAL = options_of(run_help("help").partition("options of all verbs:")[2])


def aliases():
    for verb, text in HELP.items():
        for alias in re.findall(r"also: wh ([a-z-]+)$", text, re.M):
            yield verb, alias


def test_the_help_lists_what_is_promised():
    assert set(VERBS) >= {
        "init", "commit", "import", "log", "show", "ls", "save-weights",
        "convert", "cat", "diff", "rollback", "branch", "switch", "tag",
        "reflog", "verify", "du", "formats", "config", "sql", "help",
        "version", "complete"}
    assert ("save-weights", "export") in set(aliases())
    assert set(GLOBAL) >= {"store", "json", "quiet", "verbose", "color",
                           "no-progress", "help", "version"}


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_one_screen_wide_and_has_an_example(verb):
    text = HELP[verb]
    assert run_help("help", verb) == text
    assert text.startswith(f"wh {verb}: ")
    assert re.search(rf"^usage: wh {verb}\b", text, re.M)
    assert re.search(rf"^example: wh {verb}\b", text, re.M)
    assert max(map(len, text.splitlines())) <= 100
    assert options_of(text.partition("options of all verbs:")[2]) == GLOBAL


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_is_spelled_once(verb):
    letters = [letter for letter, _ in (*own_options(verb).values(),
                                        *GLOBAL.values()) if letter]
    assert len(letters) == len(set(letters))
    assert not set(own_options(verb)) & set(GLOBAL)


@pytest.mark.parametrize("verb", VERBS)
def test_the_parser_knows_each_option_as_the_help_spells_it(wh, verb):
    """`--help` at the end asks for nothing but a parse."""
    more = GLOBAL if verb == VERBS[0] else {}
    for name, (letter, value) in {**own_options(verb), **more}.items():
        if name == "version":
            continue
        sample = re.split(r"\|", value)[0] if "|" in value else "1"
        for words in ([f"--{name}"], [f"-{letter}"] if letter else None):
            if words:
                words += [sample] if value else []
                assert wh.ok(verb, *words, "--help") == HELP[verb], words
        if value:
            wh.ok(verb, f"--{name}={sample}", "--help")
            assert wh.fails(2, verb, f"--{name}") == (
                f"wh {verb}: --{name} needs a value")
        else:
            wh.fails(2, verb, f"--{name}=x")


def complete(shell_words, cwd=None, env=None):
    """What bash offers for the last word."""
    script = f"source {BUILD / 'tools/man/wh'}\n" + r"""
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _wh
printf '%s\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "-u", "-c", script, "bash", *shell_words],
                          cwd=cwd, capture_output=True, text=True,
                          env=dict(environment(**(env or {})),
                                   PATH=f"{Path(WH).parent}:/usr/bin:/bin"))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return set(done.stdout.split())


def test_bash_completes_verbs():
    assert complete(["wh", ""]) == set(VERBS)
    assert complete(["wh", "re"]) == {v for v in VERBS if v.startswith("re")}
    assert complete(["wh", "-s", "x.wh", "sho"]) == {"show"}
    assert complete(["wh", "help", "ver"]) == {"version", "verify"}


@pytest.mark.parametrize("verb", VERBS + [alias for _, alias in aliases()])
def test_bash_completes_the_options_of_a_verb(verb):
    own = own_options(dict((a, v) for v, a in aliases()).get(verb, verb))
    assert complete(["wh", verb, "-"]) == {
        f"--{name}" for name in {**own, **GLOBAL}}


@pytest.mark.parametrize("verb", VERBS)
def test_bash_completes_choices(verb):
    more = GLOBAL if verb == VERBS[0] else {}
    for name, (letter, value) in {**own_options(verb), **more}.items():
        if "|" in value:
            assert complete(["wh", verb, f"--{name}", ""]) == set(
                value.split("|"))
            assert complete(["wh", verb, f"--{name}", "=", ""]) == set(
                value.split("|"))


def test_bash_completes_revisions_from_the_store(history):
    history.ok("tag", "good")
    history.ok("branch", "sweep")
    assert complete(["wh", "show", ""], cwd=history.folder) == {
        "HEAD", "main", "sweep", "good"}
    assert complete(["wh", "show", "go"], cwd=history.folder) == {"good"}
    assert complete(["wh", "show", ""], cwd="/") == set()


@pytest.mark.parametrize("shell, name", [("bash", "wh"), ("zsh", "_wh"),
                                         ("fish", "wh.fish")])
def test_completions_are_what_is_installed_and_parse(wh, shell, name):
    path = BUILD / "tools/man" / name
    assert wh.ok("complete", shell) == path.read_text()
    subprocess.run([shell, "-n", path], check=True)
    text = path.read_text()
    for verb in VERBS:
        for option in own_options(verb):
            assert f"--{option}" in text or f"-l {option} " in text


PAGE = BUILD / "tools/man/wh.1"


SQL_PAGE = BUILD / "tools/man/weighhouse-sql.7"


def rendered(page=PAGE):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page],
                          capture_output=True, text=True,
                          env=environment(MANWIDTH="120", PAGER="cat",
                                          MANPAGER="cat",
                                          MAN_KEEP_FORMATTING=None))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return re.sub(".\b", "", done.stdout)


def test_the_man_page_has_every_verb_and_option():
    text = rendered()
    for verb in VERBS:
        synopsis = re.search(r"^usage: (.*)$", HELP[verb], re.M).group(1)
        assert synopsis in text
        start = text.index(f"       {synopsis}\n")
        for name, (letter, value) in own_options(verb).items():
            head = f"--{name}" + (f" {value}" if value else "")
            assert head in text[start:], (verb, head)
    for name in GLOBAL:
        assert f"--{name}" in text


def test_the_page_of_views_has_every_view_and_its_columns(store):
    """As the store has them, not as the page's source says."""
    text = rendered(SQL_PAGE)
    names = re.findall(r"CREATE VIEW (\w+)", (TOP / "sql/views.sql").read_text())
    assert len(names) > 8
    for name in names:
        columns = re.search(rf"^ +{name}\s+.*?Columns:\s+(.*?)\.$", text,
                            re.M | re.S).group(1)
        head = store.ok("sql", "--csv", f"SELECT * FROM {name} LIMIT 0")
        assert re.split(r",\s+", columns) == head.strip().split(",")


@pytest.mark.parametrize("page", [PAGE, SQL_PAGE], ids=["wh", "sql"])
def test_the_man_page_is_clean(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page],
                          capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout
