#!/usr/bin/env python3
"""An older build and this one in one cluster, in every mixture, and the way from one to the other.

    TASKPIPE_BIN_DIR=… TASKPIPE_OLD_BIN_DIR=… upgrade_test.py      # `./run upgrade-test REVISION`
"""

import itertools
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from releases import MixedCluster, knows  # noqa: E402

from cluster import wait_until  # noqa: E402
from gated_tool import GatedTool, is_gone  # noqa: E402
from load import check_history, load  # noqa: E402

BIN = {"new": pathlib.Path(os.environ["TASKPIPE_BIN_DIR"]),
       "old": pathlib.Path(os.environ["TASKPIPE_OLD_BIN_DIR"])}
PAIR_TASKS = 300
ROLLING_TASKS = int(os.environ.get("TASKPIPE_UPGRADE_TASKS", "20000"))
CLIENT_LIMIT_S = 240.0


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(MixedCluster(BIN["new"]))

    def start_broker(self, age, **keywords):
        with self.cluster.using(BIN[age]):
            return self.cluster.start_broker(**keywords)

    def start_worker(self, age, name):
        with self.cluster.using(BIN[age]):
            return self.cluster.start_worker(name, "--cpus", "2")

    def succeeded(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def check_workflow(self):
        path = self.cluster.folder / "workflow.json"
        path.write_text(json.dumps([
            {"name": "first", "tool": "echo", "params": {"n": 1}},
            {"name": "second", "tool": "echo", "params": {"n": 2}, "after": ["first"]}]))
        self.succeeded(self.cluster.run("taskpipe", "workflow", "run", path))

    def check_load(self, tasks):
        with load(self.cluster, tasks) as client:
            client.wait(CLIENT_LIMIT_S)
            books = client.books()
        self.assertEqual((books["acknowledged"], books["lost"], books["wrong"]), (tasks, 0, 0))


class Mixtures(Upgrade):
    """What an older peer has and a newer one has works between them; the rest is refused in words."""

    def test_every_mixture_does_what_both_can(self):
        for broker, worker, client in itertools.product(BIN, repeat=3):
            if broker == worker == client:
                continue
            with self.subTest(broker=broker, worker=worker, client=client):
                self.start_broker(broker)
                self.start_worker(worker, "w0")
                with self.cluster.using(BIN[client]):
                    task = self.succeeded(self.cluster.submit_script("echo through; echo x > out\n"))
                    self.succeeded(self.cluster.run("taskpipe", "wait", task.strip()))
                    self.assertIn("through", self.succeeded(
                        self.cluster.run("taskpipe", "result", task.strip())))
                    self.assertIn("through", self.succeeded(
                        self.cluster.run("taskpipe", "logs", task.strip())))
                    for question in ("health", "tools", "workers", "list"):
                        self.cluster.cli(question)
                    self.check_workflow()
                    self.check_load(PAIR_TASKS)
            self.tearDown()
            self.doCleanups()
            self.setUp()

    def test_input_files_are_never_left_out_silently(self):
        if knows(BIN["old"] / "taskpipe-broker", "--bulk-bind"):
            self.skipTest("the older build has input files as well")
        data = self.cluster.folder / "data.txt"
        data.write_text("the input\n")
        self.start_broker("old")
        self.start_worker("old", "w0")
        done = self.cluster.submit_script("cat data.txt\n", "--input", data)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("bulk port", done.stderr)
        self.cluster.broker.stop()
        # The broker is new now, its worker is not yet.
        self.start_broker("new")
        self.cluster.broker.wait_for("worker 'w0' on ")
        done = self.cluster.submit_script("cat data.txt\n", "--input", data)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("UNSATISFIABLE", done.stderr)
        done = self.cluster.submit_script("cat data.txt\n", "--input", data, "--wait-for-capacity")
        task = self.succeeded(done).strip()
        self.start_worker("new", "w1")
        self.succeeded(self.cluster.run("taskpipe", "wait", task))
        self.assertEqual(self.cluster.row(task)["worker"], "w1")


class Rolling(Upgrade):
    def replace_worker(self, name):
        self.assertEqual(self.cluster.workers[name].stop(90.0), 0, self.cluster.workers[name].tail())
        self.start_worker("new", name)

    def upgrade_under_load(self, end_broker):
        """The broker first, then worker by worker, while the older client submits and waits."""
        self.start_broker("old")
        for name in ("w0", "w1"):
            self.start_worker("old", name)
        with self.cluster.using(BIN["old"]):
            tool = GatedTool(self.cluster)
            gated = tool.submit()
            ((pid, where),) = tool.wait_for_runs(1)
            with load(self.cluster, ROLLING_TASKS) as client:
                client.wait(1.0)
                self.assertTrue(client.is_running(), "more tasks are needed")
                end_broker(self.cluster.broker)
                self.start_broker("new")
                for name in ("w0", "w1"):
                    self.cluster.broker.wait_for(f"worker '{name}' on ")
                self.assertFalse(is_gone(pid), "the upgrade of the broker ended what ran")
                tool.open_gate()
                self.succeeded(self.cluster.run("taskpipe", "wait", gated))
                row = self.cluster.row(gated)
                self.assertEqual((row["state"], row["worker"], row["attempt"]), ("SUCCESS", where, 1))
                for name in ("w0", "w1"):
                    self.replace_worker(name)
                client.wait(CLIENT_LIMIT_S)
                books = client.books()
        self.assertEqual((books["acknowledged"], books["lost"], books["wrong"]),
                         (ROLLING_TASKS, 0, 0))
        self.check_load(PAIR_TASKS)  # the new client
        self.assertEqual(self.cluster.broker.stop(), 0, self.cluster.broker.tail())
        check_history(self.cluster.folder / "data" / "history.sqlite", books["ids"])

    def test_a_broker_that_was_stopped(self):
        self.upgrade_under_load(lambda broker: self.assertEqual(broker.stop(), 0, broker.tail()))

    def test_a_broker_that_was_killed(self):
        self.upgrade_under_load(lambda broker: broker.kill())

    def test_a_spooled_result_of_an_older_worker_counts(self):
        self.start_broker("old")
        worker = self.start_worker("old", "w0")
        with self.cluster.using(BIN["old"]):
            tool = GatedTool(self.cluster)
            task = tool.submit()
        ((pid, _),) = tool.wait_for_runs(1)
        self.cluster.broker.stop()
        tool.open_gate()
        wait_until(lambda: is_gone(pid), "the task has ended")
        spool = self.cluster.folder / "w0" / "spool"
        wait_until(lambda: any(spool.iterdir()), "its result is spooled")
        worker.kill()
        self.start_broker("new")
        self.start_worker("new", "w0")
        self.succeeded(self.cluster.run("taskpipe", "wait", task))
        row = self.cluster.row(task)
        self.assertEqual((row["state"], row["attempt"], len(tool.runs())), ("SUCCESS", 1, 1))

    def test_the_way_back_is_refused_in_words_or_works(self):
        """A format that has changed is refused by the older broker, which harms nothing."""
        self.start_broker("old")
        self.start_worker("old", "w0")
        self.check_load(PAIR_TASKS)
        self.cluster.broker.stop()
        self.start_broker("new")
        self.cluster.broker.wait_for("worker 'w0' on ")
        self.check_load(PAIR_TASKS)
        before = len(self.cluster.cli("list", "--limit", "1000")["tasks"])
        self.cluster.broker.stop()
        older = self.start_broker("old", wait=False)
        wait_until(lambda: older.child.poll() is not None or
                   any('"listening"' in line for line in older.lines), "it started, or refused")
        if older.child.poll() is None:
            older.stop()
            print("the older broker reads the newer folder")
        else:
            older.wait_for("written by a newer taskpipe")
            print(f"the older broker refuses: {older.tail(1)}")
        self.start_broker("new")
        self.assertEqual(len(self.cluster.cli("list", "--limit", "1000")["tasks"]), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
