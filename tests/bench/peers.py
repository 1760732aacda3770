"""The peers: where each comes from, how it was set, what it takes.

A peer that is missing or fails raises Missing or Failed: a row says so.
"""
import json
import os
import shutil
import subprocess
from pathlib import Path

from measure import LIMIT, Failed, Missing, Usage

HERE = Path(__file__).resolve().parent


def python_of(name):
    """The venv's Python that prepare.py has made for a peer."""
    python = os.environ.get(f"BENCH_PYTHON_{name.upper()}")
    if not python or not Path(python).exists():
        raise Missing(f"its packages can't be installed ({name})")
    return python


def size_of(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*")
               if path.is_file())


def framework(who, python, *words):
    """What frameworks.py prints, run by that venv's Python."""
    done = subprocess.run(
        [python_of(python), str(HERE / "frameworks.py"), who,
         *map(str, words)], capture_output=True, text=True, check=False,
        timeout=LIMIT,
        env=dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true",
                 DO_NOT_TRACK="true"))
    if done.returncode:
        raise Failed(f"{who}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


class Keeper:
    """A program that keeps files in a folder of its own, by commands.

    `stored` is what of the folder counts. The files that it is given are put
    where it wants them before the clock starts.
    """
    command = setting = stored = ""
    env = {}
    links = True  # it leaves what it keeps alone

    def __init__(self, folder):
        self.folder, self.names, self.n = folder, [], 0
        self.program = self.find()
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "home").mkdir(parents=True)
        (folder / "work").mkdir()
        self.begin()

    @classmethod
    def find(cls):
        found = shutil.which(cls.command)
        if not found:
            raise Missing(f"there is no {cls.command}")
        return found

    def run(self, line):
        home = str(self.folder / "home")
        return Usage("sh", "-ec", line, cwd=self.folder / "work", env=dict(
            os.environ, HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home,
            **self.env))

    def keep(self, *files):
        """Puts the files there, under names that stay, and keeps them."""
        self.names = [file.name for file in files]
        for file in files:
            self.put(file, self.folder / "work" / file.name)
        self.n += 1
        return self.run(self.keeping(" ".join(self.names)))

    def put(self, file, target):
        target.unlink(missing_ok=True)
        try:
            if self.links:
                return os.link(file, target)
        except OSError:  # on another disk
            pass
        return shutil.copy(file, target)

    def restore(self):
        """Brings what was kept last back."""
        for name in self.names:
            (self.folder / "work" / name).unlink()
        return self.run(self.restoring(" ".join(self.names)))

    def size(self):
        return size_of(self.folder / "work" / self.stored)

    @classmethod
    def version(cls):
        done = subprocess.run([cls.find(), "--version"], capture_output=True,
                              text=True, check=True)
        return done.stdout.split("\n")[0].split(" (")[0].strip()


class Git(Keeper):
    command, stored = "git", ".git"
    setting = "git add, git commit; zlib as it is set, no gc"

    def begin(self):
        self.run("git init -q; git config user.name x; "
                 "git config user.email x@localhost; git config gc.auto 0")

    def keeping(self, names):
        return f"git add {names}; git commit -qm kept"

    def restoring(self, names):
        return f"git checkout -q HEAD -- {names}"


class GitPacked(Git):
    setting = "git add, git commit; git repack -ad --window=1 at the end"

    def size(self):
        self.run("git repack -adq --window=1")
        return super().size()


class Lfs(Git):
    setting = "git lfs track, git add, git commit"

    @classmethod
    def find(cls):
        if not shutil.which("git-lfs"):
            raise Missing("there is no git-lfs")
        return super().find()

    def begin(self):
        super().begin()
        self.run("git lfs install --local; git lfs track '*.h5' '*.data-*'")

    @classmethod
    def version(cls):
        cls.find()
        return subprocess.run(["git-lfs", "--version"], capture_output=True,
                              text=True, check=True).stdout.split(" (")[0]


class Borg(Keeper):
    command, stored = "borg", "../repo"
    setting = "borg create -C zstd,3; no encryption"
    env = {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}

    def begin(self):
        self.run("borg init -e none ../repo")

    def keeping(self, names):
        return f"borg create -C zstd,3 ../repo::{self.n} {names}"

    def restoring(self, names):
        return f"borg extract ../repo::{self.n} {names}"


class Dvc(Keeper):
    stored = ".dvc/cache"
    setting = "dvc init --no-scm, dvc add; the cache holds copies"
    env = {"DVC_NO_ANALYTICS": "1"}
    links = False

    @classmethod
    def find(cls):
        return str(Path(python_of("dvc")).with_name("dvc"))

    def begin(self):
        self.run(f"{self.program} init -q --no-scm; "
                 f"{self.program} config core.analytics false; "
                 f"{self.program} config core.check_update false")

    def keeping(self, names):
        return f"{self.program} add -q {names}"

    def restoring(self, names):
        return f"{self.program} checkout -q"


KEEPERS = {"git": Git, "git-packed": GitPacked, "git-lfs": Lfs, "borg": Borg,
           "dvc": Dvc}
