#!/usr/bin/env python3
"""The broker dies, or its disk fails, at each kind of step that it takes with its files.

`strace --inject` kills the running, unchanged program as it enters the n-th call of a kind, or lets
that call fail: no moment between two steps is left to chance. The load goes on over all of it, and at
the end nothing that was acknowledged may be missing.
"""

import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster  # noqa: E402
from load import load  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
OPTIONS = ("--lease", "10s", "--journal-segment", "64K")
# The steps of journal and history, and which of a thread's calls to stop at.
DEATHS = [("pwrite64", n) for n in (1, 2, 3, 5, 8, 40)] + \
         [("fdatasync", n) for n in (1, 2, 3, 5, 20)] + \
         [("fsync", n) for n in (1, 2, 3)] + \
         [("fallocate", n) for n in (1, 2, 3)] + \
         [("rename", n) for n in (1, 2, 3)] + \
         [("sync_file_range", 1), ("ftruncate", 1), ("unlink", 1)]
# After one of these the broker may acknowledge nothing, and must end by itself.
FAILURES = [("fdatasync", "EIO", 3), ("pwrite64", "EIO", 9), ("fsync", "EIO", 2)]
TASKS = 60_000  # more than come through while the broker dies so often
STEP_LIMIT_S = 60.0
CLIENT_LIMIT_S = 240.0


def why_unavailable():
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True,
                           check=False)
    return None if probe.returncode == 0 else "tracing is not allowed: " + probe.stderr.strip()


def injected(call, what, count):
    return ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "-e", f"trace={call}",
            "-e", f"inject={call}:{what}:when={count}")


@unittest.skipIf(why_unavailable(), f"UNAVAILABLE: {why_unavailable()}")
class Failpoints(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.enterContext(self.cluster)
        self.cluster.start_broker(*OPTIONS)
        self.cluster.start_worker("w0")
        self.cluster.start_worker("w1")
        self.client = self.enterContext(load(self.cluster, TASKS))
        self.cluster.broker.kill()

    def start(self, *injection):
        # LeakSanitizer cannot work under a tracer.
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        return self.cluster.start_broker(*OPTIONS, wait=False, prefix=injected(*injection),
                                         env=environment)

    def check_books(self):
        self.cluster.start_broker(*OPTIONS)
        self.client.wait(CLIENT_LIMIT_S)
        books = self.client.books()
        self.assertEqual(books["refused"], 0)
        self.assertEqual(books["acknowledged"], TASKS)
        self.assertEqual(self.cluster.broker.stop(), 0)
        with sqlite3.connect(self.cluster.folder / "data" / "history.sqlite") as database:
            rows = database.execute("SELECT id, state FROM tasks_readable").fetchall()
        states = {task.lower(): state for task, state in rows}
        self.assertEqual(len(states), len(rows), "a task is in the history twice")
        self.assertLessEqual(set(books["ids"]), set(states), "acknowledged tasks are missing")
        self.assertEqual(set(states.values()), {"SUCCESS"})

    def test_a_death_at_each_step_loses_nothing(self):
        reached = []
        for call, count in DEATHS:
            broker = self.start(call, "signal=KILL", count)
            try:
                self.assertEqual(broker.child.wait(STEP_LIMIT_S), -9, broker.tail())
                reached.append(call)
            except subprocess.TimeoutExpired:
                # Not every life comes to that many; each kind must be met all the same.
                broker.kill()
        self.assertEqual(set(reached), {call for call, _ in DEATHS})
        self.assertTrue(self.client.is_running(), "the load was over before the deaths were")
        self.check_books()
        print(f"{len(reached)} of {len(DEATHS)} deaths, {TASKS} tasks acknowledged, none lost")

    def test_a_failing_disk_ends_the_broker_and_loses_nothing(self):
        for call, error, count in FAILURES:
            broker = self.start(call, f"error={error}", count)
            self.assertEqual(broker.child.wait(STEP_LIMIT_S), 1, broker.tail())
            self.assertIn("Input/output error", broker.tail())
        self.check_books()


if __name__ == "__main__":
    unittest.main(verbosity=2)
