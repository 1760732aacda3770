"""What publishing costs: publish.py WH [--megabytes N] [--rounds N].

Publishes a snapshot of N MB (512) as a TensorFlow checkpoint to nginx on this
machine, and sends the same bytes there by curl: CPU seconds and peak memory of
each, medians of the rounds (3). The snapshot is stored raw (codec none) and by
planes (fast). TMPDIR is a file system of 1 MiB where it can be mounted, which
takes root: whoever needs temporary files fails. `sha256` is what hashing the
bytes once costs: publishing knows their digests before it sends, so it reads
and hashes them once more than curl does. Needs nginx with its DAV module.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "publish"))
from servers import Nginx  # noqa: E402 - found on the path above

MAKE = """
import sys, struct, json, os
folder, megabytes = sys.argv[1], int(sys.argv[2])
size = megabytes * 1000000 // 128 // 4 * 4
header = json.dumps({f"layer_{n:03}.kernel": {
    "dtype": "F32", "shape": [size // 4],
    "data_offsets": [n * size, (n + 1) * size]} for n in range(128)}).encode()
with open(f"{folder}/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header)
    for n in range(128):
        # Mantissas of noise, exponents of weights.
        data = bytearray(os.urandom(size))
        data[3::4] = b"\\x3d" * (size // 4)
        file.write(data)
"""


class Cost:
    """CPU seconds and peak MB of a command that must succeed."""

    def __init__(self, *command, **options):
        child = subprocess.Popen([str(word) for word in command],
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, **options)
        _, status, used = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"failed: {command}")
        self.cpu = used.ru_utime + used.ru_stime
        self.megabytes = used.ru_maxrss / 1024


def tiny_folder(folder):
    """A file system of 1 MiB, or None where nobody may mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs",
                           folder], capture_output=True)
    return folder if done.returncode == 0 else None


def make_store(wh, folder, codec, megabytes):
    """A store with the model in it, and the files that curl sends."""
    store = folder / f"{codec}.wh"
    for words in (("init",), ("config", "codec", codec),
                  ("commit", folder / "model.safetensors")):
        Cost(wh, "-s", store, "-q", *words, cwd=folder)
    return store


def row(name, costs):
    print(f"| {name} | {statistics.median(c.cpu for c in costs):.2f} "
          f"| {max(c.megabytes for c in costs):.0f} |", flush=True)


def measure(wh, folder, server, options, tiny):
    env = dict(os.environ, TMPDIR=str(tiny or folder))
    stores = {codec: make_store(wh, folder, codec, options.megabytes)
              for codec in ("none", "fast")}
    Cost(wh, "-s", stores["none"], "save-weights", "HEAD", "model",
         "--save-format", "tf", cwd=folder)
    data = folder / "model.data-00000-of-00001"
    costs = {}
    for turn in range(options.rounds):
        for codec, store in stores.items():
            costs.setdefault(f"publish, codec {codec}", []).append(Cost(
                wh, "-s", store, "publish", "HEAD",
                f"{server.url}/{codec}-{turn}", "--save-format", "tf", "-q",
                cwd=folder, env=env))
            shutil.rmtree(server.data / f"{codec}-{turn}")
        costs.setdefault("curl -T", []).append(Cost(
            "curl", "-sf", "-T", data, f"{server.url}/curl-{turn}"))
        (server.data / f"curl-{turn}").unlink()
        costs.setdefault("sha256", []).append(Cost("openssl", "dgst",
                                                   "-sha256", data))
    for name, found in costs.items():
        row(f"{name}, {options.megabytes} MB", found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wh", type=Path)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wh-bench-publish-"))
    tiny = tiny_folder(folder / "tiny")
    print("TMPDIR is", "1 MiB" if tiny else "an ordinary folder")
    print("| what | CPU s | peak MB |\n|---|---|---|")
    try:
        subprocess.run([sys.executable, "-c", MAKE, folder,
                        str(options.megabytes)], check=True)
        with Nginx(folder / "nginx") as server:
            measure(options.wh.resolve(), folder, server, options, tiny)
    finally:
        if tiny:
            subprocess.run(["umount", tiny], check=False)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
