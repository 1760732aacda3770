"""A program on a pseudo-terminal: what it shows there, what is typed."""
import os
import pty
import re
import select
import signal
import subprocess
import time


class Terminal:
    """Its stdin, stdout and stderr are one terminal, but for those given."""

    def __init__(self, words, folder, env, **streams):
        self.screen = b""
        self.master, slave = pty.openpty()
        for name in ("stdin", "stdout", "stderr"):
            streams.setdefault(name, slave)
        self.process = subprocess.Popen(
            words, cwd=folder, env=env, start_new_session=True,
            preexec_fn=lambda: os.close(self.master), **streams)
        os.close(slave)

    def _read(self, timeout):
        """False at the end."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return True
        try:
            some = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.screen += some
        return bool(some)

    def expect(self, pattern, timeout=120):
        """Waits until the screen shows it."""
        end = time.monotonic() + timeout
        while not re.search(pattern.encode(), self.screen):
            assert time.monotonic() < end, self.screen
            if not self._read(0.1):
                break
        assert re.search(pattern.encode(), self.screen), self.screen
        return self

    def type(self, text):
        os.write(self.master, text.encode())
        return self

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        return self

    def end(self, timeout=120):
        """(exit code, all that was shown, with plain line ends)"""
        end = time.monotonic() + timeout
        while self._read(0.1):
            assert time.monotonic() < end, self.screen
        os.close(self.master)
        code = self.process.wait(timeout)
        return code, self.screen.decode().replace("\r\n", "\n")
