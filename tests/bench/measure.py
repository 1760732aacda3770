"""What a command takes, and results that outlive an interrupted run."""
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path


LIMIT = 900  # seconds, after which a command is given up


class Failed(Exception):
    """A command failed; the text says which, and its last words."""


class Missing(Exception):
    """A peer isn't installed; the text says what is missing."""


class Memory:
    """A virtual machine's host takes free memory back, and the next who needs
    it waits for it: `room` bytes of it are touched before each run."""
    room = 0

    @classmethod
    def have_back(cls):
        if cls.room:
            subprocess.run([sys.executable, "-c", f"b'x' * {cls.room}"],
                           check=True)


class Usage:
    """What one finished process took, its own children's share included."""

    def __init__(self, *command, cwd=None, env=None):
        words = [str(word) for word in command]
        Memory.have_back()
        start = time.monotonic()
        child = subprocess.Popen(words, cwd=cwd, env=env,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        timer = threading.Timer(LIMIT, child.kill)
        timer.daemon = True  # an interrupted run doesn't wait for it
        timer.start()
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = status
        child.stderr.close()
        self.seconds = time.monotonic() - start
        self.cpu = used.ru_utime + used.ru_stime
        self.megabytes = used.ru_maxrss / 1024
        if status:
            raise Failed(f"{' '.join(words)[:200]}: "
                         f"{said.decode(errors='replace').strip()[-300:]}")


class Given:
    """A Usage that a child has measured inside itself."""

    def __init__(self, seconds, cpu, megabytes):
        self.seconds, self.cpu, self.megabytes = seconds, cpu, megabytes


def copy(source, target):
    """cp --reflink=never and fsync: what everything is held against. Both may
    be lists: files beside each other."""
    sources = source if isinstance(source, list) else [source]
    pairs = [(file, target.with_name(f"{target.name}{i}"))
             for i, file in enumerate(sources)]
    for _, to in pairs:
        to.unlink(missing_ok=True)
    lines = "".join('cp --reflink=never "$1" "$2" && sync "$2" && shift 2 && '
                    for _ in pairs)
    return Usage("sh", "-c", lines + "true", "sh",
                 *[word for pair in pairs for word in pair])


def cool(*paths):
    """Drops files from the page cache, as far as they are on the disk."""
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path):
    """All of a file, so that it is in the page cache."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def summary(runs, copies=None):
    """Medians, and the median of the rounds' own ratios to `copies`."""
    found = {"seconds": statistics.median(run.seconds for run in runs),
             "cpu_s": statistics.median(run.cpu for run in runs),
             "peak_mb": max(run.megabytes for run in runs),
             "rounds": len(runs)}
    if copies:
        pairs = [(run, copies[i % len(copies)]) for i, run in enumerate(runs)]
        found["ratio"] = statistics.median(
            run.seconds / other.seconds for run, other in pairs)
        found["cpu_ratio"] = statistics.median(
            run.cpu / max(other.cpu, 1e-3) for run, other in pairs)
    return found


def processor():
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "?"
    found = re.search(r"model name\s*: (.*)", text)
    flags = re.search(r"flags\s*: (.*)", text)
    names = [flag for flag in ("avx2", "bmi2", "avx512f", "sha_ni")
             if flags and flag in flags.group(1).split()]
    return f"{found.group(1) if found else '?'} ({', '.join(names)})"


def machine():
    """The machine without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"architecture": platform.machine(), "processor": processor(),
            "cores": os.cpu_count(), "memory_gib": round(memory / 2**30),
            "system": f"{platform.system()} {platform.release().split('-')[0]}",
            "load": round(os.getloadavg()[0], 1),
            "date": time.strftime("%Y-%m-%d")}


def fingerprint(path):
    """Of the program that is measured: figures of another build are stale."""
    crc = 0
    with open(path, "rb") as file:
        while part := file.read(1 << 16):
            crc = zlib.crc32(part, crc)
    return f"{crc:08x}"


class Results:
    """Groups of rows by name, in a file that is written after each group. A
    group that is there already, of the same build, isn't measured again."""

    def __init__(self, path, build):
        self.path, self.build = path, build
        self.groups = {}
        if path.exists():
            self.groups = json.loads(path.read_text())["groups"]

    def save(self, **more):
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(dict(more, groups=self.groups), indent=1)
                         + "\n")
        draft.rename(self.path)

    def put(self, name, rows, of_build):
        self.groups[name] = {"build": self.build if of_build else None,
                             "rows": rows}

    def is_fresh(self, group):
        """Peers are the same whatever wh is built."""
        return group["build"] in (None, self.build)

    def has(self, name):
        """What was missing may be there by now."""
        group = self.groups.get(name)
        return (group is not None and self.is_fresh(group)
                and not group["rows"][0].get("missing"))

    def rows(self):
        return [row for group in self.groups.values() if self.is_fresh(group)
                for row in group["rows"]]

    def drop(self, prefix, part):
        """Those of a bench that have `part` in their names."""
        for name in [name for name in self.groups
                     if name.startswith(prefix) and part in name]:
            del self.groups[name]


def text_of(value, form="%.3f"):
    return "" if value is None else form % value


def show(row):
    """A row of the table that is printed while it is measured."""
    cells = [row["bench"], row["what"], row["who"]]
    if row.get("missing"):
        return f"| {' | '.join(cells)} | missing: {row['missing']} |"
    if row.get("instructions"):
        return (f"| {' | '.join(cells)} | {row['instructions'] / 1e6:.1f} "
                "million instructions |")
    cells += [text_of(row.get("seconds")), text_of(row.get("cpu_s")),
              text_of(row.get("ratio"), "%.2f"),
              text_of(row.get("cpu_ratio"), "%.2f"),
              text_of(row.get("peak_mb"), "%.0f"),
              text_of(row.get("stored_ratio"))]
    return f"| {' | '.join(cells)} |"


HEAD = ("| bench | what | who | seconds | CPU s | ÷ cp | CPU ÷ cp | peak MB "
        "| stored ÷ raw |\n|---|---|---|---|---|---|---|---|---|")
