"""Sixteen publishers, one pointer: who follows it never meets a part of a
checkpoint, whoever wins.

WH_RACE_ROUNDS=30 runs more rounds than a quick look takes.
"""
import hashlib
import json
import os
import threading
import urllib.error
import urllib.request

from conftest import DIGITS

PUBLISHERS = 16
ROUNDS = int(os.environ.get("WH_RACE_ROUNDS", "1"))


def read(url):
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read()


def follow(place, read=read):
    """The snapshot that the pointer means, all of it checked."""
    pointer = json.loads(read(f"{place}/latest.json"))
    text = read(f"{place}/{pointer['manifest']}")
    assert hashlib.sha256(text).hexdigest() == pointer["sha256"]
    folder = pointer["manifest"].rsplit("/", 1)[0]
    for file in json.loads(text)["files"]:
        data = read(f"{place}/{folder}/{file['path']}")
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    return pointer["snapshot"]


class Reader(threading.Thread):
    """Follows the pointer all the time."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place, self.done, self.wrong, self.n = place, False, [], 0

    def run(self):
        while not self.done:
            try:
                follow(self.place)
                self.n += 1
            except urllib.error.HTTPError:
                pass  # there is no pointer yet
            except (AssertionError, ValueError) as error:
                self.wrong.append(error)


def test_of_sixteen_publishers_every_pointer_is_complete(wh, place):
    epochs = [DIGITS / f"epoch-{n:02}.h5" for n in range(3, 11)]
    wh.ok("import", "-q", *epochs)
    known = {row["snapshot"] for row in wh.rows("log")}
    for turn in range(ROUNDS):
        reader = Reader(f"{place}/{turn}")
        reader.start()
        running = [wh.start("publish", f"HEAD~{n % 10}", reader.place,
                            "--save-format", "h5,tf", "--parallel", "2")
                   for n in range(PUBLISHERS)]
        texts = [process.communicate(timeout=120)[1] for process in running]
        reader.done = True
        reader.join()
        assert [process.returncode for process in running] == \
            [0] * PUBLISHERS, texts
        assert not reader.wrong and reader.n
        assert follow(reader.place) in known
