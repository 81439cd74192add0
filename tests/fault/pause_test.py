#!/usr/bin/env python3
"""Processes that stand still (SIGSTOP) for longer than a lease, and go on as if nothing were."""

import os
import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402
from gated_tool import GatedTool, is_gone  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
LEASE_S = 2.0
BROKER_OPTIONS = ("--lease", "2s", "--heartbeat", "300ms")


class Pause(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.broker = self.cluster.start_broker(*BROKER_OPTIONS)
        self.tool = GatedTool(self.cluster)

    def result_of(self, task):
        done = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(done.returncode, 0, done.stderr + self.broker.tail())
        (row,) = self.cluster.cli("status", task)["tasks"]
        return row["state"], row["worker"], row["attempt"]

    def test_a_worker_that_was_stopped_past_its_lease_has_lost_its_task(self):
        one = self.cluster.start_worker("one")
        task = self.tool.submit()
        ((first, _),) = self.tool.wait_for_runs(1)
        self.cluster.start_worker("two")
        one.child.send_signal(signal.SIGSTOP)
        self.tool.wait_for_runs(2)
        one.child.send_signal(signal.SIGCONT)
        wait_until(lambda: is_gone(first), "the superseded run is stopped", 60.0)
        self.tool.open_gate()
        self.assertEqual(self.result_of(task), ("SUCCESS", "two", 2))

    def test_a_result_that_comes_too_late_changes_nothing(self):
        one = self.cluster.start_worker("one")
        task = self.tool.submit()
        ((first, _),) = self.tool.wait_for_runs(1)
        self.cluster.start_worker("two")
        one.child.send_signal(signal.SIGSTOP)
        runs = self.tool.wait_for_runs(2)
        ((second, _),) = [run for run in runs if run[1] == "two"]
        # The first run comes to its end while its worker stands still, the second goes on.
        os.kill(second, signal.SIGSTOP)
        self.tool.open_gate()
        wait_until(lambda: is_gone(first), "the first run has ended", 60.0)
        one.child.send_signal(signal.SIGCONT)
        self.broker.wait_for("worker 'one' on ", count=2)
        (row,) = self.cluster.cli("status", task)["tasks"]
        self.assertEqual((row["state"], row["attempt"]), ("RUNNING", 2))
        os.kill(second, signal.SIGCONT)
        self.assertEqual(self.result_of(task), ("SUCCESS", "two", 2))

    def test_a_broker_that_stood_still_takes_nobody_for_lost(self):
        self.cluster.start_worker("one")
        tasks = [self.tool.submit() for _ in range(2)]
        self.tool.wait_for_runs(1)
        self.broker.child.send_signal(signal.SIGSTOP)
        threading.Event().wait(3 * LEASE_S)  # the length of the stop is what is tested
        self.broker.child.send_signal(signal.SIGCONT)
        self.tool.open_gate()
        for task in tasks:
            self.assertEqual(self.result_of(task), ("SUCCESS", "one", 1))
        self.assertEqual(len(self.tool.runs()), 2)


if __name__ == "__main__":
    unittest.main()
