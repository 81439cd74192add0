#!/usr/bin/env python3
"""Attempts that end with their worker, come too late, or wait for their turn without a broker."""

import os
import pathlib
import signal
import sys
import unittest

from retry_cluster import COUNTING, moment

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fault"))
from cluster import Cluster, wait_until  # noqa: E402
from gated_tool import SCRIPT, is_gone  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
BROKER_OPTIONS = ("--lease", "2s", "--heartbeat", "300ms")


class LostAttempts(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.cluster.start_broker(*BROKER_OPTIONS)
        self.runs = self.cluster.folder / "runs"
        self.runs.mkdir()
        self.gate = self.cluster.folder / "gate"

    def submit(self, script, *options, **params):
        path = self.cluster.folder / "script.sh"
        path.write_text(script)
        done = self.cluster.run("taskpipe", "submit", "shell", "--script", path,
                                *(f"--param={key}={value}" for key, value in params.items()),
                                *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def submit_gated(self, *options):
        return self.submit(SCRIPT, *options, runs=self.runs, gate=self.gate)

    def wait_for_run(self, worker):
        """The process of the run on that worker, once there is one."""
        def found():
            runs = [path for path in self.runs.iterdir() if path.suffix != ".part"]
            return [int(path.name) for path in runs if f"/{worker}/" in path.read_text()]

        wait_until(lambda: found(), f"a run on {worker}", 60.0)
        return found()[0]

    def shown(self, task):
        return self.cluster.cli("dead", "show", task)

    def ended(self, task):
        self.cluster.run("taskpipe", "wait", task)
        return self.shown(task)

    def attempts(self, shown):
        return [(one["attempt"], one["became"], one["worker"]) for one in shown["attempts"]]

    def test_a_killed_worker_leaves_a_lost_attempt(self):
        one = self.cluster.start_worker("one")
        task = self.submit_gated()
        self.wait_for_run("one")
        one.kill()
        self.cluster.start_worker("two")
        self.wait_for_run("two")
        self.gate.touch()
        shown = self.ended(task)
        self.assertEqual(shown["state"], "SUCCESS")
        self.assertEqual(self.attempts(shown), [(1, "lost", "one"), (2, "decided", "two")])
        self.assertEqual(shown["attempts"][0]["failure_class"], "worker_lost")
        self.assertEqual(shown["attempts"][0]["exit_code"], None)

    def test_a_spent_budget_of_losses_is_a_dead_letter(self):
        one = self.cluster.start_worker("one")
        # Retries of failures are another budget.
        task = self.submit_gated("--worker-losses", 1, "--retries", 5)
        self.wait_for_run("one")
        one.kill()
        two = self.cluster.start_worker("two")
        self.wait_for_run("two")
        two.kill()
        shown = self.ended(task)
        self.assertEqual((shown["state"], shown["failure_class"]), ("error", "worker_lost"))
        self.assertEqual(self.attempts(shown), [(1, "lost", "one"), (2, "decided", "two")])
        (dead,) = self.cluster.cli("dead", "list")["tasks"]
        self.assertEqual(dead["task_id"], task)
        self.cluster.start_worker("three")
        (pair,) = self.cluster.cli("dead", "resubmit", task)["resubmitted"]
        self.gate.touch()
        self.assertEqual(self.ended(pair["task_id"])["state"], "SUCCESS")

    def test_a_result_that_came_too_late_is_told_as_late(self):
        one = self.cluster.start_worker("one")
        task = self.submit_gated()
        first = self.wait_for_run("one")
        self.cluster.start_worker("two")
        one.child.send_signal(signal.SIGSTOP)
        self.wait_for_run("two")
        # It comes back with a run that counts no more, is told to stop it, and tells how it ended.
        one.child.send_signal(signal.SIGCONT)
        wait_until(lambda: is_gone(first), "the superseded run is stopped", 60.0)
        wait_until(lambda: (1, "late", "one") in self.attempts(self.shown(task)), "the late result", 60.0)
        self.assertEqual(self.shown(task)["state"], "RUNNING")
        self.gate.touch()
        shown = self.ended(task)
        self.assertEqual(shown["state"], "SUCCESS")
        self.assertEqual(self.attempts(shown),
                         [(1, "lost", "one"), (1, "late", "one"), (2, "decided", "two")])
        late = shown["attempts"][1]
        self.assertEqual((late["state"], late["exit_code"]), ("REVOKED", None))

    def test_the_wait_and_the_count_survive_the_broker(self):
        self.cluster.start_worker("one")
        count = self.cluster.folder / "count"
        task = self.submit(COUNTING, "--retries", 1, "--backoff", "4s", count=count, enough=2)
        wait_until(lambda: self.attempts(self.shown(task)) == [(1, "retried", "one")],
                   "the first attempt failed", 60.0)
        self.cluster.broker.kill()
        self.cluster.start_broker(*BROKER_OPTIONS)
        self.cluster.broker.wait_for("worker 'one' on ")
        shown = self.ended(task)
        self.assertEqual((shown["state"], self.attempts(shown)),
                         ("SUCCESS", [(1, "retried", "one"), (2, "decided", "one")]))
        first, second = shown["attempts"]
        self.assertGreaterEqual(moment(second["started"]) - moment(first["ended"]), 1.999)
        self.assertEqual(count.read_text().split(), ["1", "2"])
        self.assertNotEqual(first["epoch"], second["epoch"])


if __name__ == "__main__":
    unittest.main()
