#!/usr/bin/env python3
"""taskpipe-broker --backup under load: a broker started on the copy has what was acknowledged."""

import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
# Small, so that segments are recycled while they are copied.
OPTIONS = ("--lease", "10s", "--journal-segment", "256K")
BACKUPS = int(os.environ.get("TASKPIPE_BACKUPS", "5"))
LOAD_TASKS = 100_000  # more than are ever reached: the load is killed with the broker


class Backup(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.data = self.cluster.folder / "data"

    def back_up(self, target):
        done = self.cluster.run("taskpipe-broker", "--backup", target, "--data-dir", self.data)
        return done.returncode, done.stdout + done.stderr

    def submit(self, tool, count):
        """`count` tasks, one by one acknowledged."""
        tasks = []
        for _ in range(count):
            done = self.cluster.run("taskpipe", "submit", tool)
            self.assertEqual(done.returncode, 0, done.stderr)
            tasks.append(done.stdout.strip())
        return tasks

    def copy_with_tasks(self, number):
        """A copy, and tasks that were acknowledged before it was begun."""
        tasks = self.submit("noop", 3)
        copy = self.cluster.folder / f"copy{number}"
        code, said = self.back_up(copy)
        self.assertEqual(code, 0, said)
        self.assertIn("sound", said)
        return copy, tasks

    def start_on(self, copy):
        """The broker's folder is gone; the copy takes its place."""
        self.cluster.broker.kill()
        shutil.rmtree(self.data)
        os.rename(copy, self.data)
        self.cluster.start_broker(*OPTIONS)

    def test_what_was_acknowledged_before_is_in_the_copy_and_ends(self):
        self.cluster.start_broker(*OPTIONS)
        worker = self.cluster.start_worker("w0")
        load = subprocess.Popen([BIN_DIR / "load_client", self.cluster.client_endpoint,
                                 str(LOAD_TASKS)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        copies = []
        try:
            wait_until(lambda: self.finished() > 500, "the load is on its way", limit_s=60)
            for i in range(BACKUPS):
                copies.append(self.copy_with_tasks(i))
            # Where processors are busy, the history, and so the journal, lags behind.
            wait_until(lambda: self.first_generation() > 1, "a segment is recycled", limit_s=120)
            copies.append(self.copy_with_tasks(BACKUPS))
            self.assertIsNone(load.poll(), "the load ended too early to be one")
        finally:
            load.kill()
        worker.kill()
        for copy, tasks in copies:
            self.start_on(copy)
            self.cluster.start_worker("w0")
            for task in tasks:
                done = self.cluster.run("taskpipe", "wait", task)
                self.assertEqual(done.returncode, 0, f"{copy.name}: {done.stderr}")
            self.cluster.workers["w0"].kill()

    def test_every_task_of_a_load_that_was_acknowledged(self):
        """The client's books against a copy that was begun when the last of them was closed."""
        self.cluster.start_broker(*OPTIONS)
        self.cluster.start_worker("w0")
        load = self.cluster.run("load_client", self.cluster.client_endpoint, "2000")
        self.assertEqual(load.returncode, 0, load.stderr)
        waiting = self.submit("noop", 5)
        copy = self.cluster.folder / "copy"
        code, said = self.back_up(copy)
        self.assertEqual(code, 0, said)
        self.start_on(copy)
        for task in waiting:
            self.assertEqual(self.cluster.run("taskpipe", "wait", task).returncode, 0)
        wait_until(lambda: self.finished() >= 2005, "all of them are in the history")

    def finished(self):
        try:
            with sqlite3.connect(self.data / "history.sqlite") as database:
                return database.execute("SELECT count(*) FROM tasks").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    def first_generation(self):
        return min(int(path.stem) for path in (self.data / "journal").glob("*.segment"))

    def test_a_stopped_broker_and_its_identity(self):
        self.cluster.start_broker(*OPTIONS)
        self.submit("noop", 0)
        self.cluster.broker.stop()
        before = sorted(self.data.rglob("*"))
        copy = self.cluster.folder / "copy"
        copy.mkdir()  # an empty one is fine
        code, said = self.back_up(copy)
        self.assertEqual(code, 0, said)
        self.assertEqual((copy / "broker.id").read_text(), (self.data / "broker.id").read_text())
        self.assertEqual(sorted(self.data.rglob("*")), before)

    def test_what_is_refused(self):
        self.cluster.start_broker(*OPTIONS)
        full = self.cluster.folder / "full"
        full.mkdir()
        (full / "something").write_text("of somebody's")
        code, said = self.back_up(full)
        self.assertEqual(code, 2, said)
        self.assertIn("not empty", said)
        self.assertEqual((full / "something").read_text(), "of somebody's")
        code, said = self.back_up(self.cluster.folder / "no" / "such" / "place")
        self.assertEqual(code, 1, said)
        self.assertIn("folder above", said)
        self.data = self.cluster.folder / "nothing"
        code, said = self.back_up(self.cluster.folder / "copy")
        self.assertNotEqual(code, 0)
        self.assertIn("nothing", said)
        self.assertFalse((self.cluster.folder / "copy").exists())
        self.assertFalse((self.cluster.folder / "copy.partial").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
