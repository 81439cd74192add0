"""The command line against a real broker and two real workers: what its tests share.

What a task does is decided by inline shell scripts; one that must run until it is told otherwise reads
from a named pipe, so that nothing depends on how long things take.
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import pty
import re
import selectors
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
LIMIT_S = 60.0
ID = re.compile(r"[0-9a-f]{32}")
UNKNOWN_ID = "0" * 31 + "1"


class CliTest(unittest.TestCase):
    """One cluster for all tests of a class; each test makes its own tasks."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(BIN_DIR))
        cls.cluster.start_broker()
        cls.cluster.start_worker("node-a")
        cls.cluster.start_worker("node-b")
        cls.folder = cls.cluster.folder / "files"
        cls.folder.mkdir()

    # --- Running the program --------------------------------------------------------------------

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("TASKPIPE_")}
        return {**kept, "TASKPIPE_BROKER": self.cluster.client_endpoint,
                "TASKPIPE_CONFIG": "/dev/null", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **more}

    def run_cli(self, *arguments, expect=0, stdin=None, **more):
        """Runs `taskpipe`; its exit code must be `expect`, None: any."""
        done = subprocess.run([BIN_DIR / "taskpipe", *map(str, arguments)], input=stdin,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False,
                              env=self.environment(**more))
        if expect is not None:
            self.assertEqual(done.returncode, expect,
                             f"{arguments}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def cli(self, *arguments, **keywords):
        return self.run_cli(*arguments, **keywords).stdout

    def cli_json(self, *arguments, **keywords):
        return json.loads(self.cli(*arguments, "--json", **keywords))

    def refused(self, *arguments, expect, **keywords):
        """What is said on stderr; nothing may be on stdout."""
        done = self.run_cli(*arguments, expect=expect, **keywords)
        self.assertEqual(done.stdout, "")
        return done.stderr

    @contextlib.contextmanager
    def background(self, *arguments, **popen):
        child = subprocess.Popen([BIN_DIR / "taskpipe", *map(str, arguments)],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=self.environment(), **popen)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
            child.stdout.close()
            child.stderr.close()

    def on_a_terminal(self, *arguments, columns, expect=0, **more):
        """All that `taskpipe` writes to a terminal of 24 rows, as it came."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen([BIN_DIR / "taskpipe", *map(str, arguments)], stdin=slave,
                                 stdout=slave, stderr=slave, start_new_session=True,
                                 env=self.environment(**{"TERM": "xterm", **more}))
        os.close(slave)
        text = b""
        deadline = time.monotonic() + LIMIT_S
        with selectors.DefaultSelector() as selector:
            selector.register(master, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                try:
                    text += os.read(master, 65536)
                except OSError as problem:
                    if problem.errno == errno.EIO:  # the other side is closed
                        break
                    raise
            else:
                child.kill()
                self.fail(f"{arguments} does not end: {text!r}")
        os.close(master)
        self.assertEqual(child.wait(LIMIT_S), expect, text)
        return text.decode()

    # --- Tasks ----------------------------------------------------------------------------------

    def script(self, text):
        path = self.folder / f"script{len(list(self.folder.iterdir()))}.sh"
        path.write_text(text)
        return path

    def submit(self, text, *options):
        """Submits an inline shell script and returns the id."""
        printed = self.cli("submit", "shell", "--script", self.script(text), *options)
        self.assertRegex(printed, rf"\A{ID.pattern}\n\Z")
        return printed.strip()

    @contextlib.contextmanager
    def held_task(self, *options):
        """A task that runs until the context ends; it has started when the context begins."""
        pipe = self.folder / f"pipe{len(list(self.folder.iterdir()))}"
        os.mkfifo(pipe)
        task = self.submit(f"echo begun; read -r _ < {pipe}; echo released", *options)
        end = os.open(pipe, os.O_RDWR)  # O_RDWR: neither blocks nor fails without a reader
        try:
            with self.background("monitor", task, "--json") as watcher:
                for line in watcher.stdout:
                    event = json.loads(line)
                    self.assertFalse(event["ready"], event)
                    if event["state"] == "RUNNING":
                        break
            yield task
        finally:
            os.write(end, b"\n")
            self.run_cli("wait", task, expect=None)
            os.close(end)
