"""The example of each verb's help, run as it stands but for addresses, folders
and names of weights, one after the other in one folder."""
import re
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np

from conftest import DIGITS, WH, environment
from test_table import HELP, VERBS

INSTEAD = {
    "https://models.example/resnet": "file:$PWD/models",
    "/media/usb/": "usb/",
    "~/.local/share/bash-completion/completions/wh": "completions",
    "python test.py {}": "test -s {}",
    "python train.py": "true",
    "wh watch ckpt": "wh watch ckpt --once",
}

# What a user has done before.
BEFORE = {
    "unpublish": "wh remote add lab file:$PWD/models; "
                 "wh publish HEAD lab --alias candidate",
    "pull": "wh publish HEAD file:$PWD/models --alias stable",
    "remote": "wh remote rm lab",
    "bisect": "wh bisect start HEAD HEAD~5",
    "rollback": "wh bisect reset",
    "run": "wh run start baseline2",
    "backup": "mkdir usb",
}


def make_model(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv", b"dense"]
        for layer, shape in (("conv", (3, 3)), ("dense", (4, 2))):
            group = file.create_group(layer)
            name = f"{layer}/kernel:0"
            group.attrs["weight_names"] = [name.encode()]
            group[name] = np.ones(shape, "f4")


def example_of(verb):
    line = re.search(r"^example: (.*)$", HELP[verb], re.M)[1]
    for said, meant in INSTEAD.items():
        line = line.replace(said, meant)
    return line


def test_each_verb_s_example_works(wh):
    make_model(wh.folder / "model.h5")
    make_model(wh.folder / "vgg16.h5")
    shutil.copytree(DIGITS, wh.folder / "ckpt")
    path = f"{Path(WH).parent}:{environment()['PATH']}"
    script = []
    for verb in VERBS:
        script += [BEFORE.get(verb, "true"), example_of(verb)]
        # The digits have no layer `dense`: what is asked of it stands here.
        if verb == "watch":
            script.append("wh commit model.h5 --run baseline --step 99 "
                          "--metric val_loss=1e-3 --metric loss=1e-3")
    for line in script:
        done = subprocess.run(["sh", "-ec", line], cwd=wh.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              env=environment(PATH=path), timeout=60)
        assert done.returncode == 0, f"{line}: {done.stderr}"
