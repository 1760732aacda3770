"""The Debian packages ask for what a build, and a program's build, needs."""
import os
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["WH_BUILD"])
CONTROL = (TOP / "tools/packaging/debian/control").read_text()
NEEDS = re.search(r"build_needs='(.*?)'", (TOP / "tools/setup").read_text(),
                  re.S)[1]
# pkg-config's name, or a header: the Debian package it is in.
PACKAGES = dict(re.findall(r"^(?:library|header) (\S+):(\S+)$", NEEDS, re.M))
PACKAGES["libisal"] = PACKAGES["isa-l.h"]


def field(name, paragraph):
    text = re.search(rf"^{name}:((?:.*\n)(?: .*\n)*)", paragraph, re.M)[1]
    return {re.split(r"[ (<]", item.strip())[0] for item in text.split(",")}


@pytest.mark.parametrize("package", sorted(
    set(PACKAGES.values()) - {"libc6-dev"}))
def test_what_setup_installs_is_built_with(package):
    assert package in field("Build-Depends", CONTROL)


def test_pkg_config_finds_what_the_library_requires():
    """`pkg-config --cflags` looks for private requirements too."""
    text = (BUILD / "meson-private/weighhouse.pc").read_text()
    required = {item.split()[0] for item in
                re.search(r"^Requires.private: (.*)$", text, re.M)[1].split(",")}
    (development,) = [part for part in CONTROL.split("\n\n")
                      if "Package: libweighhouse-dev" in part]
    assert required
    assert {PACKAGES[name] for name in required} <= \
        field("Depends", development)
