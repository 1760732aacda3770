"""A `wh watch` or `wh run exec` under way, and what it tells."""
import json
import queue
import signal
import subprocess
import threading


class Watching:
    """Started with --json; what it prints is waited for, never slept for."""

    def __init__(self, wh, *words, settle=20, **more):
        self.events, self.lines = [], queue.Queue()
        more.setdefault("stdin", subprocess.DEVNULL)
        options = ["--json", "--settle", settle]
        at = words.index("--") if "--" in words else len(words)
        self.process = wh.start(*words[:at], *options, *words[at:], text=True,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **more)
        self.readers = [threading.Thread(target=self._read, args=(name,),
                                         daemon=True)
                        for name in ("stdout", "stderr")]
        self.said = {"stdout": [], "stderr": []}
        for reader in self.readers:
            reader.start()

    def _read(self, name):
        for line in getattr(self.process, name):
            self.said[name].append(line.rstrip("\n"))
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _next(self):
        try:
            line = self.lines.get(timeout=60)
        except queue.Empty:
            self.process.kill()
            raise AssertionError(f"nothing more came: {self.said}") from None
        assert line is not None, f"it has ended: {self.said}"
        if line.startswith('{"') and '"event"' in line:
            self.events.append(json.loads(line))
            return self.events[-1]
        return line

    def event(self, *events, **wanted):
        """The next event of one of these kinds that is as `wanted`."""
        while True:
            found = self._next()
            if isinstance(found, dict) and found["event"] in events and all(
                    found[key] == value for key, value in wanted.items()):
                return found

    def line(self, part):
        """The next line, of whichever stream, that holds `part`."""
        while True:
            found = self._next()
            if isinstance(found, str) and part in found:
                return found

    def end(self, number=signal.SIGTERM, code=0):
        """Signals it, if it is to be, and waits; all that was told."""
        if number:
            self.process.send_signal(number)
        self.process.wait(timeout=60)
        for reader in self.readers:
            reader.join()
        self.events = [json.loads(line) for line in self.said["stdout"]
                       if line.startswith('{"') and '"event"' in line]
        assert self.process.returncode == code, self.said
        return self

    def files(self, event="commit"):
        return [row["file"] for row in self.events if row["event"] == event]
