"""Servers whose disk is full: the old version stays, and is what readers get."""
import os
import re
import subprocess

import pytest

from conftest import DIGITS, commit_large
from servers import Distribution, Nginx, Registry

EPOCH_2 = (DIGITS / "epoch-02.h5").read_bytes()


class Small:
    """Its disk holds 2 MiB."""

    def command(self):
        if not os.path.ismount(self.data):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "wh",
                            self.data], check=True, capture_output=True)
        return super().command()

    def grow(self):
        subprocess.run(["mount", "-o", "remount,size=64m", self.data],
                       check=True)

    def stop(self):
        super().stop()
        subprocess.run(["umount", "-l", self.data], check=False,
                       capture_output=True)


class SmallNginx(Small, Nginx):
    def place(self):
        return f"{self.url}/x"


class SmallRegistry(Small, Registry):
    def place(self):
        return f"oci+http://{self.host}/lab/x"


class SmallDistribution(Small, Distribution):
    def place(self):
        return f"oci+http://{self.host}/lab/x"


@pytest.mark.parametrize("kind", [SmallNginx, SmallRegistry,
                                  SmallDistribution])
def test_a_full_disk_leaves_the_old_version(wh, tmp_path, elsewhere, kind):
    try:
        server = kind(tmp_path / "server")
    except (subprocess.CalledProcessError, PermissionError):
        pytest.skip("mounting takes root")
    with server:
        place = server.place()
        wh.ok("publish", place)
        commit_large(wh, 8)
        text = wh.fails(1, "publish", place, "--tries", "2")
        # A registry closes the connection while the rest is on its way, so
        # that its answer may be lost to the reset that follows it.
        assert re.search(r"PUT .* (HTTP 500|after \d+ of \d+ bytes: Send "
                         r"failure: (Connection reset by peer|Broken pipe))",
                         text), text
        elsewhere.ok("pull", place, "-o", "out")
        assert (elsewhere.folder / "out" / "model.h5").read_bytes() == EPOCH_2
        server.grow()
        wh.ok("publish", place)
        elsewhere.ok("pull", place, "-o", "new")
        assert (elsewhere.folder / "new" / "model.h5").read_bytes() == \
            (wh.folder / "large.h5").read_bytes()
