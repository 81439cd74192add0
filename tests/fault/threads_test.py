#!/usr/bin/env python3
"""Every thread of broker, worker and client at once, for ThreadSanitizer (`./run tsan`).

Tasks in processes and in the worker itself, cancels, live output, followers of the changes, a worker
that leaves, a broker that is killed: what is proven about each has a test of its own; here everything
has to end in order, and nothing may be reported meanwhile. A program that raced ends with another code
than 0. TASKPIPE_CLI: a command line that need not be instrumented.
"""

import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, Process  # noqa: E402
from load import load  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
CLI = pathlib.Path(os.environ.get("TASKPIPE_CLI", BIN_DIR / "taskpipe"))
OPTIONS = ("--lease", "10s", "--journal-segment", "256K")
TASKS = 2_000
CLIENT_LIMIT_S = 180.0
TALKS = """
for i in 1 2 3 4 5; do echo "line $i"; echo "error $i" >&2; sleep 0.05; done
"""
STAYS = """
echo "here"; exec sleep 300
"""


class Threads(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.scripts = {}
        for name, text in (("talks", TALKS), ("stays", STAYS)):
            self.scripts[name] = self.cluster.folder / f"{name}.sh"
            self.scripts[name].write_text(text)

    def cli(self, *arguments):
        done = subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True,
                              timeout=CLIENT_LIMIT_S, check=False,
                              env=self.cluster.client_environment())
        self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def start_cli(self, *arguments):
        process = Process("taskpipe", [CLI, *arguments], self.cluster.folder / "taskpipe.log",
                          env=self.cluster.client_environment())
        self.addCleanup(lambda: process.child.poll() is None and process.kill())
        return process

    def submit(self, script):
        return self.cli("submit", "shell", "--script", self.scripts[script])

    def test_everything_at_once_ends_in_order(self):
        self.cluster.start_broker(*OPTIONS)
        leaving = self.cluster.start_worker("w0", "--cpus", "4")
        staying = self.cluster.start_worker("w1", "--cpus", "4")
        events = self.start_cli("events", "--json")
        with load(self.cluster, TASKS) as client:
            talking = [self.submit("talks") for _ in range(4)]
            stuck = self.submit("stays")
            follower = self.start_cli("logs", stuck, "--follow")
            follower.wait_for("here")
            self.cluster.broker.kill()
            self.cluster.start_broker(*OPTIONS)
            self.cli("cancel", stuck)
            self.cli("wait", *talking)
            self.assertEqual(leaving.stop(), 0, leaving.tail())
            self.cli("wait", *(self.submit("talks") for _ in range(2)))
            client.wait(CLIENT_LIMIT_S)
            books = client.books()  # its exit code is 0
        self.assertEqual((books["refused"], books["acknowledged"]), (0, TASKS))
        events.wait_for(talking[0])
        events.child.send_signal(signal.SIGINT)
        self.assertEqual(staying.stop(), 0, staying.tail())
        self.assertEqual(self.cluster.broker.stop(), 0, self.cluster.broker.tail())


if __name__ == "__main__":
    unittest.main(verbosity=2)
