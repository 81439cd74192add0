#!/usr/bin/env python3
"""Real processes through restarts: of the broker while a tool runs, of the worker while it drains."""

import os
import pathlib
import signal
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "fault")]
from cluster import Cluster, process_state, wait_until  # noqa: E402
from gated_tool import GatedTool, is_gone  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
GATED = """
echo $$ > "$SIM_PID_FILE"
echo "taskpipe-progress 50 waiting at the gate"
while [ ! -e "$SIM_GATE" ]; do sleep 0.05; done
echo "through the gate"
"""


class Restart(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.cluster.start_broker()
        self.cluster.start_worker("w0")
        self.script = self.cluster.folder / "gated.sh"
        self.script.write_text(GATED)
        self.gate = self.cluster.folder / "gate"
        self.pid_file = self.cluster.folder / "pid"

    def submit_gated(self):
        done = self.cluster.run("taskpipe", "submit", "shell", "--script", self.script, "-p",
                                f"gate={self.gate}", "-p", f"pid_file={self.pid_file}")
        self.assertEqual(done.returncode, 0, done.stderr)
        task = done.stdout.strip()
        wait_until(lambda: self.pid_file.exists() and self.pid_file.read_text().strip(),
                   "the tool has started")
        return task, int(self.pid_file.read_text())

    def test_a_running_tool_survives_a_killed_broker_and_is_not_started_again(self):
        task, pid = self.submit_gated()
        self.cluster.broker.kill()
        self.assertIn(process_state(pid), ("S", "R"), "the tool must not notice")
        self.cluster.start_broker()
        self.cluster.broker.wait_for("worker 'w0' on ")
        self.gate.touch()
        done = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(done.returncode, 0, done.stderr)
        (row,) = self.cluster.cli("status", task)["tasks"]
        self.assertEqual(row["state"], "SUCCESS")
        self.assertEqual(int(self.pid_file.read_text()), pid, "it was started a second time")

    def test_a_result_made_while_the_broker_is_away_is_delivered_later(self):
        task, pid = self.submit_gated()
        self.cluster.broker.kill()
        self.gate.touch()
        wait_until(lambda: process_state(pid) in (None, "Z"), "the tool has ended")
        self.cluster.start_broker()
        done = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(done.returncode, 0, done.stderr)

    def outlive_the_broker(self, client):
        self.cluster.broker.kill()
        self.cluster.start_broker()
        self.gate.touch()
        try:
            code = client.child.wait(60)
        finally:
            client.kill()
        self.assertEqual(code, 0, client.tail() + self.cluster.broker.tail())

    def test_a_watching_client_outlives_the_broker(self):
        task, _ = self.submit_gated()
        client = self.cluster.start_cli("monitor", task)
        client.wait_for("waiting at the gate")
        self.outlive_the_broker(client)
        client.wait_for("SUCCESS")

    def test_a_client_waits_for_a_task_whether_it_has_met_the_broker_or_not(self):
        task, _ = self.submit_gated()
        self.outlive_the_broker(self.cluster.start_cli("wait", task, "--connect-timeout", "60s"))

    def test_sigterm_lets_a_worker_finish_what_it_runs(self):
        task, _ = self.submit_gated()
        worker = self.cluster.workers["w0"]
        worker.child.send_signal(signal.SIGTERM)
        worker.wait_for("asked to stop")
        self.gate.touch()
        self.assertEqual(worker.child.wait(60), 0, worker.tail())
        self.assertEqual(self.cluster.run("taskpipe", "wait", task).returncode, 0)

    def test_a_killed_worker_leaves_nothing_behind(self):
        _, pid = self.submit_gated()
        self.cluster.workers["w0"].kill()
        wait_until(lambda: process_state(pid) in (None, "Z"), "the tool is gone with its worker")

    def test_cancel_ends_a_running_tool(self):
        task, pid = self.submit_gated()
        done = self.cluster.run("taskpipe", "cancel", task)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: process_state(pid) in (None, "Z"), "the tool is gone")
        waited = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(waited.returncode, 1, waited.stdout + waited.stderr)
        self.assertIn("REVOKED", waited.stdout + waited.stderr)


class WithoutABroker(unittest.TestCase):
    """What becomes of running tools, as the options of their worker say."""

    OPTIONS = {"stops": ("--on-broker-lost", "stop"), "waits": ("--broker-wait", "1s"),
               "goes-on": ()}
    BROKER = ("--lease", "2s", "--heartbeat", "500ms")

    def test_each_worker_does_what_it_was_told(self):
        with Cluster(BIN_DIR) as cluster:
            cluster.start_broker(*self.BROKER)
            for name, options in self.OPTIONS.items():
                cluster.start_worker(name, "--slots", 1, *options)
            tool = GatedTool(cluster)
            tasks = [tool.submit() for _ in self.OPTIONS]
            runs = {worker: pid for pid, worker in tool.wait_for_runs(len(tasks))}
            self.assertEqual(set(runs), set(self.OPTIONS))
            cluster.broker.kill()
            for name in ("waits", "stops"):
                wait_until(lambda name=name: is_gone(runs[name]), f"the tool of '{name}' is stopped")
                cluster.workers[name].wait_for("the broker has not been heard for too long")
            # The lease is over by now.
            self.assertFalse(is_gone(runs["goes-on"]))
            tool.open_gate()
            cluster.start_broker("--lease", "60s")  # time for every worker to come back
            for task in tasks:
                done = cluster.run("taskpipe", "wait", task)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            # The two that were stopped were started again, the one that went on was not.
            self.assertEqual(len(tool.runs()), len(tasks) + 2, tool.runs())


if __name__ == "__main__":
    unittest.main(verbosity=2)
