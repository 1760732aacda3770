"""What the benches share: where they work, and how a group of rows is made."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import models
from measure import (LIMIT, Failed, Given, Memory, Missing, Usage, copy,
                     show)


class Bench:
    """`group` measures what isn't known yet, and goes on where that fails."""

    def __init__(self, results, folder, options, wh, loop, tell):
        self.results, self.folder, self.options = results, folder, options
        self.wh, self.loop, self.tell = wh, loop, tell
        self.quick, self.failed = options.quick, []
        self.sizes = models.QUICK if options.quick else models.SIZES
        self.measured = 0

    def group(self, name, measure, of_build=True):
        """Rows of `measure`, kept under `name`, which begins with the bench's.
        Those of peers alone outlive a new build of wh."""
        if self.options.only not in name:
            return
        if not self.results.has(name):
            try:
                rows = measure()
            except Missing as error:
                rows = [self.lack(name, error)]
            except Exception as error:  # the other rows are wanted all the same
                self.failed.append(name)
                rows = [self.lack(name, error)]
            for row in rows:
                row.setdefault("bench", name.split("/")[0])
            self.results.put(name, rows, of_build)
            self.measured += 1
            self.tell()
        else:
            rows = self.results.groups[name]["rows"]
        for row in rows:
            print(show(row), flush=True)

    def lack(self, name, error):
        words = name.split("/")
        text = " ".join(f"{error}".split()).replace("|", "/")
        if not isinstance(error, (Failed, Missing)):
            text = f"{type(error).__name__}: {text}"
        return {"bench": words[0], "what": ", ".join(words[1:-1]),
                "who": words[-1], "missing": text}

    def rounds(self, size):
        return self.options.rounds or size.rounds

    def store(self, name="weights.wh"):
        """An empty store in a folder of its own; its path."""
        home = self.folder / "store"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        Usage(self.wh, "-q", "init", home / name, cwd=home)
        return home / name

    def run(self, store, *words):
        return Usage(self.wh, "-q", "-s", store, *words, cwd=store.parent)

    def ask(self, store, query):
        done = subprocess.run([self.wh, "-s", store, "sql", query], check=True,
                              capture_output=True, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()[1:]]

    def run_loop(self, store, mode, size, steps, every, codec, first=0):
        """tests/bench/loop.c's own figures."""
        words = [self.loop, store, mode, size.nbytes / 1e6, size.count, steps,
                 every, codec, first]
        Memory.have_back()
        done = subprocess.run([str(word) for word in words], check=False,
                              capture_output=True, text=True, timeout=LIMIT)
        if done.returncode:
            raise Failed(f"loop: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout)

    def copies(self, source, rounds):
        return [copy(source, self.folder / "copy") for _ in range(rounds)]


def given(pairs, peak):
    """Usages of [[seconds, CPU seconds], ...]."""
    return [Given(seconds, cpu, peak) for seconds, cpu in pairs]


def python():
    return sys.executable


def here(name):
    return Path(__file__).with_name(name)
