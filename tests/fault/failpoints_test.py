#!/usr/bin/env python3
"""The broker dies, or its disk fails, at every kind of step that it takes with its files.

No moment is left to chance: the real program is stopped as it enters the chosen system call
(failpoint.py), at its first start, under load, while it starts again after a death, and while it
stops. Each time a broker without a failpoint follows, and nothing that was acknowledged may be missing.
A step counts only when strace has seen the broker die in that call, of that file, in that thread.
"""

import collections
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import failpoint  # noqa: E402
from cluster import Cluster, ClusterError  # noqa: E402
from load import load  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
# Segments so small that a load begins, fills, prepares and recycles several.
OPTIONS = ("--lease", "10s", "--journal-segment", "64K")
TASKS = 300
TASK_BYTES = 500
STEP_LIMIT_S = 60.0
CLIENT_LIMIT_S = 120.0
MOST_SEGMENTS = 200  # that one test comes to
WHY_NOT = failpoint.unavailable()

Step = collections.namedtuple("Step", "name call files count", defaults=(1,))
# In an empty folder; the first thread alone is at work.
FIRST_START = [
    Step("the broker's identity is synced", "fsync", "any"),
    Step("the name of the identity is synced", "fsync", "any", 2),
    Step("the tables of the history are written", "pwrite64", "history"),
    Step("the history is synced", "fdatasync", "history"),
    Step("the journal's folder is made", "mkdir", "journal"),
    Step("space for the first segment is reserved", "fallocate", "making"),
    Step("the first segment is filled with zeros", "pwrite64", "making"),
    Step("the zeros are synced", "fdatasync", "making"),
    Step("the file becomes a spare", "rename", "making"),
    Step("its header is written", "pwrite64", "spare"),
    Step("the header is synced", "fdatasync", "spare"),
    Step("the spare becomes the first segment", "rename", "spare"),
    Step("the name of the first segment is synced", "fsync", "journal", 3),
]
# Under load; in the threads of journal and history.
UNDER_LOAD = [
    Step("a batch is written", "pwrite64", "segments", 6),
    Step("a batch is synced", "fdatasync", "segments", 6),
    Step("space is reserved", "fallocate", "making"),
    Step("zeros are written", "pwrite64", "making"),
    Step("zeros are sent to the disk", "sync_file_range", "making"),
    Step("zeros are synced", "fdatasync", "making"),
    Step("a file becomes a spare", "rename", "making"),
    Step("a header is written", "pwrite64", "spare"),
    Step("a header is synced", "fdatasync", "spare"),
    Step("a spare becomes a segment", "rename", "spare"),
    Step("the folder is synced", "fsync", "journal", 5),
    Step("an old segment becomes a spare", "rename", "old segments"),
    Step("the history is written ahead", "pwrite64", "history log", 3),
    Step("the history is synced", "fdatasync", "history log"),
]
# While it starts after a death under load; in the first thread.
RESTART = [
    Step("the journal is locked", "pwrite64", "lock"),
    Step("the folder of the data is synced", "fsync", "data"),
    Step("the folder is synced", "fsync", "journal"),
    Step("a prepared segment is taken back", "rename", "last segment"),
    Step("that is synced", "fsync", "journal", 2),
    Step("what may be in memory alone is written again", "pwrite64", "segments"),
    Step("what was written again is synced", "fdatasync", "segments"),
]
# After an orderly stop: the new epoch, and how it stops again.
QUIET = [
    Step("the epoch is written", "pwrite64", "segments"),
]
STOP = [
    Step("the closing note is written", "pwrite64", "segments", 2),
    Step("the closing note is synced", "fdatasync", "segments", 2),
    Step("the history is merged", "pwrite64", "history"),
    Step("the history's log is removed", "unlink", "history log"),
]
# It says so and ends; "fails" in place of "dies".
FAILURES = [
    (Step("a batch is not written", "pwrite64", "segments", 6), "EIO"),
    (Step("a batch is not synced", "fdatasync", "segments", 6), "EIO"),
    (Step("a header is not synced", "fdatasync", "spare", 2), "EIO"),
    (Step("a spare stays one", "rename", "spare", 2), "EIO"),
    (Step("the folder is not synced", "fsync", "journal", 5), "EIO"),
    (Step("the history is not written", "pwrite64", "history log", 3), "EIO"),
    (Step("the history is not synced", "fdatasync", "history log"), "EIO"),
]


class Failpoints(unittest.TestCase):
    def setUp(self):
        if WHY_NOT:
            self.skipTest(f"failpoints: {WHY_NOT}")
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.data = self.cluster.folder / "data"
        self.journal = self.data / "journal"
        self.workers = 0
        self.books = set()

    # --- One step

    def segments(self):
        return sorted(int(path.stem) for path in self.journal.glob("*.segment"))

    def paths(self, files):
        """What strace is told to look at; names of files that there will be."""
        def numbered(kind, but=()):
            return [self.journal / f"{number:016d}.{kind}" for number in range(1, MOST_SEGMENTS)
                    if number not in but]

        last = self.segments()[-1:]
        return {"any": [], "data": [self.data], "journal": [self.journal],
                "lock": [self.journal / "lock"], "segments": numbered("segment"),
                "last segment": [self.journal / f"{number:016d}.segment" for number in last],
                "old segments": numbered("segment", but=last),
                "spare": numbered("spare"), "making": numbered("making"),
                "history": [self.data / "history.sqlite"],
                "history log": [self.data / "history.sqlite-wal"]}[files]

    def start(self, step, fails=None):
        """The broker with a failpoint; nobody waits for it to listen."""
        record = self.cluster.folder / "failpoint"
        record.unlink(missing_ok=True)
        point = failpoint.Failpoint(step.call, step.count, record, self.paths(step.files), fails)
        broker = self.cluster.start_broker(*OPTIONS, wait=False, prefix=point.prefix(),
                                           env={**os.environ, **failpoint.ENVIRONMENT})
        return broker, point

    def check_hit(self, broker, point, step, code=-9, in_first_thread=False):
        """It ended, and of nothing else than the failpoint."""
        try:
            ended = broker.child.wait(STEP_LIMIT_S)
        except subprocess.TimeoutExpired:
            ended = None
        if ended is None:
            broker.kill()
            self.fail(f"never came to this: {step}\n{broker.tail()}")
        self.assertEqual(ended, code, f"{step}\n{broker.tail()}")
        hit = point.hit()
        self.assertIsNotNone(hit, f"ended elsewhere than at {step}")
        self.assertEqual(hit.thread == broker.pid, in_first_thread, f"{step}: {hit}")

    def start_worker(self):
        self.workers += 1
        return self.cluster.start_worker(f"w{self.workers}", wait=False)

    def start_with_tools(self):
        """A broker that knows what workers offer, so that it takes tasks at any time."""
        self.cluster.start_broker(*OPTIONS)
        self.assertEqual(self.cluster.start_worker("w0").stop(), 0)

    def submit(self):
        done = self.cluster.run("taskpipe", "submit", "noop", "--wait-for-capacity")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    # --- What must be true afterwards

    def finish(self, client):
        client.wait(CLIENT_LIMIT_S)
        books = client.books()  # nothing lost, nothing wrong
        self.assertEqual((books["refused"], books["acknowledged"]), (0, TASKS), books["complaints"])
        self.books |= set(books["ids"])

    def check_books(self):
        self.assertEqual(self.cluster.broker.stop(), 0)
        with sqlite3.connect(self.data / "history.sqlite") as database:
            rows = database.execute("SELECT id, state FROM tasks_readable").fetchall()
        states = {task.lower(): state for task, state in rows}
        self.assertEqual(len(states), len(rows), "a task is in the history twice")
        self.assertLessEqual(self.books, set(states), "acknowledged tasks are missing")
        self.assertEqual([task for task in self.books if states[task] != "SUCCESS"], [])
        check = self.cluster.run("taskpipe-broker", "--check", "--data-dir", self.data)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)

    # --- Deaths

    def test_a_death_at_the_first_start_leaves_nothing_in_the_way(self):
        for step in FIRST_START:
            with self.subTest(step.name):
                broker, point = self.start(step)
                self.check_hit(broker, point, step, in_first_thread=True)
                self.cluster.start_broker(*OPTIONS)
                self.submit()
                self.assertEqual(self.cluster.broker.stop(), 0)
                shutil.rmtree(self.data)

    def test_a_death_under_load_or_while_starting_again_loses_nothing(self):
        self.start_with_tools()
        self.cluster.broker.kill()
        restarts = list(RESTART)
        for step in UNDER_LOAD:
            with self.subTest(step.name):
                broker, point = self.start(step)
                worker = self.start_worker()
                with load(self.cluster, TASKS, padding=TASK_BYTES) as client:
                    self.check_hit(broker, point, step)
                    if restarts:
                        # Its next attempt to connect would come late; its tasks go to the next one.
                        worker.kill()
                        if self.dies_while_starting(restarts[0]):
                            del restarts[0]
                    self.cluster.start_broker(*OPTIONS)
                    if worker.child.poll() is not None:
                        worker = self.cluster.start_worker(worker.name)
                    self.finish(client)
                self.assertEqual(worker.stop(), 0)
                self.cluster.broker.kill()
        self.assertFalse(restarts, "no death left what these are about")
        self.cluster.start_broker(*OPTIONS)
        self.check_books()

    def dies_while_starting(self, step):
        """False when this start has nothing of the kind to do, as the death before has left it."""
        broker, point = self.start(step)
        try:
            broker.wait_for('"listening"')
        except ClusterError:
            self.check_hit(broker, point, step, in_first_thread=True)
            return True
        broker.kill()
        return False

    def test_a_death_between_two_orderly_stops_loses_nothing(self):
        self.start_with_tools()
        for step in QUIET + STOP:
            with self.subTest(step.name):
                waiting, cancelled = self.submit(), False
                self.assertEqual(self.cluster.broker.stop(), 0)
                broker, point = self.start(step)
                if step in STOP:
                    broker.wait_for('"listening"')
                    if step.files.startswith("history"):
                        done = self.cluster.run("taskpipe", "cancel", waiting)
                        cancelled = done.returncode == 0
                        self.assertTrue(cancelled, done.stderr)
                    broker.child.terminate()
                self.check_hit(broker, point, step, in_first_thread="history" in step.files)
                self.cluster.start_broker(*OPTIONS)
                (row,) = self.cluster.cli("status", waiting)["tasks"]
                self.assertEqual(row["state"], "REVOKED" if cancelled else "PENDING")
        self.check_books()

    # --- Failures

    def test_a_failing_disk_ends_the_broker_and_loses_nothing(self):
        self.start_with_tools()
        self.cluster.broker.kill()
        for step, error in FAILURES:
            with self.subTest(step.name):
                broker, point = self.start(step, fails=error)
                worker = self.start_worker()
                with load(self.cluster, TASKS, padding=TASK_BYTES) as client:
                    self.check_hit(broker, point, step, code=1)
                    self.assertIn("storage failed; the broker ends", broker.tail())
                    self.cluster.start_broker(*OPTIONS)
                    self.finish(client)
                self.assertEqual(worker.stop(), 0)
                self.cluster.broker.kill()
        self.cluster.start_broker(*OPTIONS)
        self.check_books()


if __name__ == "__main__":
    main()
