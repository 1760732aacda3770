"""Servers and clients that come as Go modules, built once and kept in the
user's cache folder.

The compiler is the one of requirements.txt: Debian 12's is too old for them.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / \
    "weighhouse" / "go"
BUILD_S = 1200


def compiler():
    found = shutil.which("go", path=str(Path(sys.executable).parent))
    return found or shutil.which("go")


def go_tool(package, version):
    """The program of `package@version`; raises where it can't be built."""
    name = package.rsplit("/", 1)[-1]
    folder = CACHE / f"{name}-{version}"
    program = folder / name
    if program.exists():
        return program
    go = compiler()
    if go is None:
        raise RuntimeError("there is no Go compiler")
    env = dict(os.environ, GOBIN=str(folder), GOTOOLCHAIN="local",
               GOFLAGS="-trimpath", CGO_ENABLED="0",
               GOPATH=str(CACHE / "path"), GOCACHE=str(CACHE / "build"))
    done = subprocess.run([go, "install", f"{package}@{version}"], env=env,
                          capture_output=True, text=True, timeout=BUILD_S)
    # The sources are hundreds of megabytes, and are not needed again.
    subprocess.run([go, "clean", "-cache", "-modcache"], env=env,
                   capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{package}@{version}: {done.stderr[-2000:]}")
    return program
