"""A service's promise, looked at all the while and not only at the end."""

import pathlib
import threading

from botocore.exceptions import BotoCoreError

# Between two looks: the machine is to do other things as well.
PAUSE = 0.02


def alive(mark):
    """How many processes of this machine have `mark` in their command line."""
    found = 0
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found += mark.encode() in (entry / "cmdline").read_bytes()
            except OSError:
                pass
    return found


class Promise(threading.Thread):
    """While it is entered, at least `least` of the service's tasks run and at most `most` are there or on their way, as
    DescribeServices tells in one answer. With a `mark`, at least as many processes have it in their command line: that
    holds too while there is nobody to ask."""

    def __init__(self, stage, name, least, most, mark=None):
        super().__init__()
        self.stage, self.name, self.least, self.most, self.mark = stage, name, least, most, mark
        self.ended, self.looks, self.broken = threading.Event(), 0, []

    def __enter__(self):
        self.look()
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        self.join()
        if kind is None:
            assert self.looks > 1 and self.broken == [], self.broken

    def run(self):
        try:
            while not self.ended.wait(PAUSE):
                self.look()
        except Exception as error:
            self.broken.append(f"nobody looks any more: {error!r}")
            raise

    def look(self):
        # A process that began after the list of them was made isn't in it, and the one it replaces may be gone by the
        # time it is read. So few are too few only when a second list has them neither.
        if self.mark and alive(self.mark) < self.least and (left := alive(self.mark)) < self.least:
            self.broken.append(f"{left} processes instead of {self.least}")
        try:
            service = self.stage.service(self.name)
        except BotoCoreError:
            return
        self.looks += 1
        running, pending = service["runningCount"], service["pendingCount"]
        if running < self.least or running + pending > self.most:
            self.broken.append(f"{running} running and {pending} pending; {self.least} to {self.most} are promised")
