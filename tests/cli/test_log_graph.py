"""log --graph against `git log --graph` over the same history, and the filters
of log against what its own rows say."""
import os
import random
import re
import shutil
import subprocess

import pytest

from conftest import NOON, epoch


class Twin:
    """One history in a store and in a Git repository."""

    def __init__(self, wh):
        self.wh, self.ids, self.commits = wh, [], []
        wh.ok("init", "-q")
        self.git("init", "-q", "--bare", "twin")
        self.tree = self.git("-C", "twin", "mktree", input="").strip()

    def git(self, *words, input=None, day=0):
        date = f"@{NOON + 60 * day} +0000"
        return subprocess.run(
            ["git", *words], cwd=self.wh.folder, text=True, check=True,
            input=input, stdout=subprocess.PIPE, timeout=60,
            env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1",
                 "HOME": str(self.wh.folder), "GIT_AUTHOR_DATE": date,
                 "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_NAME": "a",
                 "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a",
                 "GIT_COMMITTER_EMAIL": "a"}).stdout

    def add(self, parent=None):
        """`parent`: which one it follows, by its place; None: a root."""
        place = len(self.ids)
        words = ["--root"] if parent is None else [
            "--parent", self.ids[parent]]
        self.ids.append(self.wh.row(
            "commit", epoch(1), "-b", f"b{place}", *words, "--date",
            NOON + 60 * place, "-m", f"m{place}")["snapshot"])
        words = [] if parent is None else ["-p", self.commits[parent]]
        self.commits.append(self.git(
            "-C", "twin", "commit-tree", self.tree, "-m", f"m{place}", *words,
            day=place).strip())

    def pictures(self, parents):
        """What both draw, each row ending in its message."""
        for place in set(range(len(parents))) - set(parents):
            self.git("-C", "twin", "branch", f"b{place}",
                     self.commits[place])
        drawn = self.git("-C", "twin", "log", "--all", "--graph",
                         "--format=%s")
        ours = []
        for line in self.wh.ok("log", "--all", "--graph").splitlines():
            head, star, rest = line.partition("* ")
            if star:
                behind = rest[:len(rest) - len(rest.lstrip("|/ "))]
                line = head + star + behind + rest.split()[-2]
            ours.append(line.rstrip())
        return [line.rstrip() for line in drawn.splitlines()], ours


def compare(wh, parents):
    twin = Twin(wh)
    for parent in parents:
        twin.add(parent)
    theirs, ours = twin.pictures(parents)
    assert ours == theirs, parents


needs_git = pytest.mark.skipif(not shutil.which("git"), reason="no git")


@needs_git
@pytest.mark.parametrize("parents", [
    [None],
    [None, 0, 1],
    [None, 0, 0],
    [None, None],
    [None, None, 0, 1],
    [None, 0, 0, 1, 2],
    [None, 0, 0, 0, 0, 0],
    [None, 0, 1, 0, 2, 4, 3, 5, 4],
    # A long way back, below other lines.
    [None, 0, 1, 2, 3, 4, 3, 2, 1, 0],
    [None, 0, 1, 2, 3, 0, 1, 2, 3],
    [None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 4, 2, 0, 1, 3, 5],
])
def test_a_graph_is_what_git_draws(wh, parents):
    compare(wh, parents)


@needs_git
@pytest.mark.parametrize("seed", range(6))
def test_random_histories_are_drawn_as_git_draws_them(wh, seed):
    chance = random.Random(seed)
    parents = [None]
    for place in range(1, 30):
        near = max(0, place - chance.choice([1, 2, 4, 24]))
        parents.append(None if chance.random() < 0.06
                       else chance.randrange(near, place))
    compare(wh, parents)


@pytest.fixture
def forks(store):
    """main 0-1-2-3-4, side leaves at 1 and old at 3."""
    for step in range(5):
        store.ok("commit", epoch(step + 1), "-q", "--step", step, "-m",
                 f"m{step}", "--metric", f"val_loss={1 - step / 10}",
                 "--date", NOON + step)
    for name, at, step in (("side", "main~3", 5), ("old", "main~1", 6)):
        store.ok("commit", epoch(step), "-q", "-b", name, "--parent", at,
                 "--step", step, "-m", f"m{step}", "--date", NOON + step)
    return store


def shape(text):
    """Rows as `* m3`, without ids, times and names."""
    return [re.sub(r"[0-9a-f]{12} .* (m\d).*", r"\1", line)
            for line in text.splitlines()]


def test_filters_leave_lines_whole(forks):
    fork = ["* m6", "| * m5", "| | * m4", "| |/", "|/|", "* | m3", "* | m2",
            "|/"]
    assert shape(forks.ok("log", "--graph", "--all", "--steps", "1..6")) == [
        *fork, "* m1"]
    # Where a line leaves another, the snapshot itself is left out.
    words = ["log", "--graph", "--all", "--where", "step != 1"]
    assert shape(forks.ok(*words)) == [*fork, "* m0"]
    assert [row["step"] for row in forks.rows(*words)] == [6, 5, 4, 3, 2, 0]


def test_steps_choose(forks):
    def steps(*words):
        return [row["step"] for row in forks.rows("log", *words)]
    assert steps("--steps", "1..3") == [3, 2, 1]
    assert steps("--steps", "3..") == [4, 3]
    assert steps("--steps", "..1") == [1, 0]
    assert steps("--steps", "2") == [2]
    assert steps("--all", "--steps", "4..", "-n", "2") == [6, 5]
    for text in ("", "..", "a..b", "1..2..3", "1.5"):
        assert "--steps" in forks.fails(2, "log", "--steps", text)


def test_where_nan_is_neither_above_nor_below(store):
    for step, loss in enumerate(("nan", "0.2", "0.4", "inf")):
        store.ok("commit", epoch(step + 1), "--step", step, "--metric",
                 f"loss={loss}", "-q")

    def steps(where):
        return [row["step"] for row in store.rows("log", "--where", where)]

    assert steps("loss > 0.3") == [3, 2] and steps("loss >= 0.4") == [3, 2]
    assert steps("loss < 0.3") == [1] and steps("loss <= inf") == [3, 2, 1]
    assert steps("loss = nan") == [0] and steps("loss == NaN") == [0]
    assert steps("loss != nan") == [3, 2, 1]
    assert steps("loss < nan") == steps("loss > nan") == []


def test_where_chooses_and_counts(forks):
    def steps(*words):
        return [row["step"] for row in forks.rows("log", *words)]
    assert steps("--where", "val_loss < 0.75") == [4, 3]
    assert steps("--where", "val_loss<0.95 and not step=3", "-n", "2") == [
        4, 2]
    assert steps("--where", "metrics.val_loss >= 1 or step = 4") == [4, 0]
    assert steps("--all", "--where", "branch = side or branch ~ 'o*'") == [
        6, 5]
    assert steps("--where", "message ~ 'm[01]'") == [1, 0]
    assert steps("--where", "run = main", "--steps", "4..") == [4]
    assert "'loss'" in forks.fails(2, "log", "--where", "loss < 1")
    assert "operator" in forks.fails(2, "log", "--where", "val_loss")


def test_a_line_of_ancestors_is_drawn_straight(forks):
    lines = forks.ok("log", "--graph", "side").splitlines()
    assert [line[:2] for line in lines] == ["* "] * 3
    assert len(forks.ok("log", "--graph", "-n", "2", "--all").splitlines()) == 2
