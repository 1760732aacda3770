"""Words into verbs, options and arguments; mistakes and what they say."""
import re

import pytest

from conftest import TOP


def test_without_a_verb_it_lists_them_and_fails(wh):
    done = wh()
    assert done.returncode == 2
    assert done.stdout == "" and "save-weights" in done.stderr


def test_help_is_a_result(wh):
    for words in (["help"], ["--help"], ["-h"]):
        assert "save-weights" in wh.ok(*words)


@pytest.mark.parametrize("typed, meant", [
    ("comit", "commit"), ("lgo", "log"), ("safe-weights", "save-weights"),
    ("exprot", "export"), ("save", "save-weights")])
def test_a_mistyped_verb_is_guessed(wh, typed, meant):
    assert wh.fails(2, typed) == (
        f"wh: there is no verb '{typed}'; did you mean '{meant}'?")


def test_a_verb_like_no_other_points_to_help(wh):
    assert wh.fails(2, "frobnicate").endswith("see 'wh help'")


def test_words_of_other_tools_lead_to_the_verb(wh):
    assert wh.fails(2, "push", "lab") == (
        "wh: there is no verb 'push'; here it is wh publish REV URL")
    assert "wh keep" in wh.fails(2, "rm", "HEAD")


def test_words_of_other_tools_name_verbs_that_there_are(wh):
    verbs = set(re.findall(r"^  ([a-z][a-z-]+) ", wh.ok("help"), re.M))
    table = (TOP / "tools" / "cli" / "table.c").read_text()
    habits = re.findall(r'\{"([a-z]+)",\s*((?:"[^"]*"\s*)+)\}',
                        table.split("habits[] = {")[1])
    assert len(habits) > 10
    for word, here in habits:
        assert word not in verbs
        assert set(re.findall(r"wh ([a-z-]+)", here)) <= verbs, word


def test_a_part_of_an_options_name_is_guessed(wh):
    assert wh.fails(2, "save-weights", "x", "--format", "h5").endswith(
        "did you mean '--save-format'?")


def test_a_number_of_snapshots_is_given_as_to_git(history):
    assert len(history.rows("log", "-2")) == 2
    assert history.ok("log", "-1") == history.ok("log", "-n", "1")
    assert "there is no option '-2'" in history.fails(2, "show", "-2")


def test_help_says_what_a_revision_may_be(wh):
    said = wh.ok("help", "revisions")
    for form in ("HEAD~3", "best:val_loss", "RUN@STEP", "file:PATH"):
        assert form in said
    assert all(len(line) <= 79 for line in said.splitlines())
    assert "'wh help revisions'" in wh.ok("show", "--help")
    assert "revisions" not in wh.ok("init", "--help")


def test_a_mistyped_option_is_guessed(wh):
    assert wh.fails(2, "commit", "x", "--mesage", "m") == (
        "wh commit: there is no option '--mesage'; did you mean '--message'?")
    assert wh.fails(2, "commit", "x", "--mesage=m").endswith(
        "did you mean '--message'?")
    assert wh.fails(2, "log", "--jsn").endswith("did you mean '--json'?")


def test_an_option_without_its_value_is_refused(wh):
    assert wh.fails(2, "commit", "x", "-m") == (
        "wh commit: -m needs a value")
    assert wh.fails(2, "commit", "x", "--message") == (
        "wh commit: --message needs a value")


def test_a_flag_takes_no_value(wh):
    assert wh.fails(2, "log", "--all=yes") == "wh log: --all takes no value"


def test_numbers_are_checked(wh):
    assert wh.fails(2, "commit", "x", "--step", "many") == (
        "wh commit: --step: 'many' is no whole number")
    for number in ("many", "-1", "1.5", ""):
        assert wh.fails(2, "log", "-n", number) == (
            f"wh log: --number: '{number}' is no whole number of at least 0")


def test_choices_are_checked_by_the_table(wh):
    assert wh.fails(2, "du", "--by", "tensors") == (
        "wh du: --by is snapshot|layer|tensor|run|file, not 'tensors'")
    assert "--color is auto|always|never" in wh.fails(2, "log", "--color", "")


def test_too_many_and_too_few_arguments(wh):
    assert wh.fails(2, "commit") == "wh commit: it takes PATH"
    assert "one argument too many" in wh.fails(2, "commit", "a", "b")


def test_global_options_go_before_and_after_the_verb(wh):
    wh.ok("init", "other.wh")
    for words in (["-s", "other.wh", "--json", "log"],
                  ["log", "-s", "other.wh", "--json"],
                  ["--store=other.wh", "log", "--json"],
                  ["-qs", "other.wh", "log"], ["log", "-qsother.wh"]):
        assert wh.ok(*words) == ""


def test_two_dashes_end_options(wh):
    wh.ok("init", "--", "--help")
    assert (wh.folder / "--help").exists()


def test_an_option_may_not_be_taken_for_a_value(wh):
    """As everywhere: what follows is the value, whatever it looks like."""
    wh.ok("init")
    assert "no revision '--json'" in wh.fails(4, "show", "--", "--json")
