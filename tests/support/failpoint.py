"""A running program that dies, or whose disk fails, as it enters a chosen system call.

strace counts the calls of each thread that concern the given files, and at the n-th of one kind kills
the program before the call is carried out, or lets the call fail. The program itself is the one that
is shipped. What really happened is read from strace's own record.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

from cluster import wait_until

RECORD_LIMIT_S = 30.0
# LeakSanitizer cannot work under a tracer.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0"}


def unavailable():
    """Why this host cannot do it, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    # Not just tracing: the injection has to be seen to work.
    probe = subprocess.run(["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=mkdir",
                            "-e", "inject=mkdir:signal=KILL:when=1", "mkdir", "-p",
                            "/nowhere/at/all"],
                           capture_output=True, text=True, check=False)
    if probe.returncode == -9 or probe.returncode == 128 + 9:
        return None
    return "system calls cannot be traced: " + (probe.stderr.strip() or f"{probe.returncode}")


@dataclasses.dataclass(frozen=True)
class Hit:
    """What strace recorded about the call that it stopped."""

    thread: int
    line: str


class Failpoint:
    """For one start of one program. `fails` is an error's name, or None for death."""

    def __init__(self, call, count, record, paths=(), fails=None):
        self.call, self.count, self.fails = call, count, fails
        self._record = pathlib.Path(record)
        self._paths = [str(path) for path in paths]

    def prefix(self):
        """What is put before the command."""
        # Without --seccomp-bpf, with which strace 6.1 drops the signal.
        what = f"error={self.fails}" if self.fails else "signal=KILL"
        chosen = [part for path in self._paths for part in ("-P", path)]
        return ("strace", "-D", "-f", "-y", "-qq", "-s", "4", "-o", str(self._record), *chosen,
                "-e", f"trace={self.call}", "-e", "signal=KILL",
                "-e", f"inject={self.call}:{what}:when={self.count}")

    def hit(self):
        """The call that was stopped, or None; to be asked when the program has ended."""
        if self.fails is None:
            wait_until(lambda: "+++ killed by SIGKILL +++" in self._text(),
                       "strace records the death", RECORD_LIMIT_S)
        seen = {}
        for line in self._text().splitlines():
            thread, _, what = line.partition(" ")
            what = what.strip()
            if self.fails and "(INJECTED)" in what:
                return Hit(int(thread), what)
            if what.startswith(self.call + "("):
                seen.setdefault(int(thread), []).append(what)
        if self.fails:
            return None
        for thread, calls in seen.items():
            # Killed as it was entered: it has no result.
            if len(calls) == self.count and not re.search(r"\) += [-0-9]", calls[-1]):
                return Hit(thread, calls[-1])
        return None

    def _text(self):
        return self._record.read_text(errors="replace") if self._record.exists() else ""
