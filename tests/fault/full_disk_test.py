#!/usr/bin/env python3
"""A full disk under load: submits are refused, results and cancels go through, nothing is lost.

The data folder lies on a small file system of its own. Somebody else's file takes all that is free while
a client submits and tools run; then it goes, and submits are accepted again, by the same broker.
"""

import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402
from small_disk import SmallDisk, Unavailable  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
OPTIONS = ("--journal-segment", "256K", "--lease", "10s")
RUNNING = 2
WAITING = 6
GATED = """
echo "at the gate" > "$SIM_STARTED"
while [ ! -e "$SIM_GATE" ]; do sleep 0.05; done
"""


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.data = self.cluster.folder / "data"
        self.disk = SmallDisk(self.cluster.folder, self.data, "24M")
        try:
            self.disk.__enter__()
        except Unavailable as reason:
            self.skipTest(f"a loop-mounted file system: {reason}")
        self.addCleanup(self.disk.__exit__, None, None, None)
        self.script = self.cluster.folder / "gated.sh"
        self.script.write_text(GATED)
        self.gate = self.cluster.folder / "gate"

    def say(self, *arguments):
        done = self.cluster.run("taskpipe", *arguments)
        return done.returncode, done.stdout + done.stderr

    def submit_gated(self, index):
        code, said = self.say("submit", "shell", "--script", self.script, "-p", f"gate={self.gate}",
                              "-p", f"started={self.cluster.folder / f'started{index}'}")
        self.assertEqual(code, 0, said)
        return said.strip()

    def load(self, stop, books):
        """Submits one task after the other, each by its own client, and keeps book."""
        while not stop.is_set():
            # Large, so that they use up what the journal had prepared before the disk was full.
            done = self.cluster.run("taskpipe", "submit", "noop", "-p", "text=" + "x" * 20_000)
            if done.returncode == 0:
                books["acknowledged"].append(done.stdout.strip())
            else:
                books["refused"].append(done.stdout + done.stderr)

    def states(self, tasks):
        with sqlite3.connect(self.data / "history.sqlite") as database:
            rows = dict(database.execute("SELECT id, state FROM tasks_readable"))
        return [rows.get(task) for task in tasks]

    def test_submits_are_refused_and_the_rest_goes_on(self):
        self.cluster.start_broker(*OPTIONS)
        self.cluster.start_worker("w0", "--cpus", str(RUNNING))
        gated = [self.submit_gated(i) for i in range(RUNNING + WAITING)]
        wait_until(lambda: len(list(self.cluster.folder.glob("started*"))) == RUNNING,
                   "the tools run")
        books = {"acknowledged": [], "refused": []}
        stop = threading.Event()
        client = threading.Thread(target=self.load, args=(stop, books))
        client.start()
        try:
            wait_until(lambda: len(books["acknowledged"]) > 10, "the load is on its way")
            self.disk.fill()
            self.cluster.broker.wait_for("submits are refused")
            wait_until(lambda: len(books["refused"]) > 3, "submits are refused")
        finally:
            stop.set()
            client.join()
        self.assertEqual(self.disk.free_bytes(), 0)
        for said in books["refused"]:
            self.assertIn("disk is full", said)
        self.assertEqual(self.say("health")[0], 1)

        # From the reserve: cancels of waiting and running ones, and the results of the others.
        cancelled = [gated[0], gated[-1]]
        for task in cancelled:
            code, said = self.say("cancel", task)
            self.assertEqual(code, 0, said)
        self.gate.touch()
        kept = gated[1:-1]
        for task in kept + books["acknowledged"]:
            code, said = self.say("wait", task)
            self.assertEqual(code, 0, said + self.cluster.broker.tail())
        for task in cancelled:
            self.assertEqual(self.say("wait", task)[0], 1)
        self.assertIsNone(self.cluster.broker.child.poll(), self.cluster.broker.tail())
        self.assertEqual(self.say("submit", "noop")[0], 5, "the disk is as full as before")

        self.disk.release()
        self.cluster.broker.wait_for("the journal has room again")
        code, said = self.say("submit", "noop", "--wait")
        self.assertEqual(code, 0, said)
        wait_until(lambda: None not in self.states(gated + books["acknowledged"]),
                   "what ended on the full disk is in the history")
        self.assertEqual(self.say("health")[0], 0)
        self.assertEqual(set(self.states(cancelled)), {"REVOKED"})
        self.assertEqual(set(self.states(kept + books["acknowledged"])), {"SUCCESS"})
        self.assertEqual(self.cluster.broker.stop(), 0)
        print(f"{len(books['acknowledged'])} acknowledged and {len(books['refused'])} refused under "
              f"load, {len(kept)} results and {len(cancelled)} cancels on the full disk, none lost")

    def test_killed_on_the_full_disk_nothing_acknowledged_is_lost(self):
        self.cluster.start_broker(*OPTIONS)
        self.cluster.start_worker("w0")
        self.disk.fill()
        books = {"acknowledged": [], "refused": []}
        stop = threading.Event()
        client = threading.Thread(target=self.load, args=(stop, books))
        client.start()
        try:
            self.cluster.broker.wait_for("submits are refused")
        finally:
            stop.set()
            client.join()
        tasks = books["acknowledged"]
        self.assertGreater(len(tasks), 5)
        self.cluster.broker.kill()
        self.disk.release()
        self.cluster.start_broker(*OPTIONS)
        for task in tasks:
            self.assertEqual(self.say("wait", task)[0], 0)
        check = subprocess.run([BIN_DIR / "taskpipe-broker", "--check", "--data-dir", self.data],
                               capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 2, "it is in use")
        self.cluster.broker.stop()
        check = subprocess.run([BIN_DIR / "taskpipe-broker", "--check", "--data-dir", self.data],
                               capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)


if __name__ == "__main__":
    main()
