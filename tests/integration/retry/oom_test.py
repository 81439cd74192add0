#!/usr/bin/env python3
"""A plain tool that takes more memory than it asked for: its class of failure on every way to the client."""

import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from cluster import Cluster  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
GREEDY = 'import os\nprint("begun", flush=True)\nblock = b"x" * (512 << 20)\n'


class OutOfMemory(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.cluster.start_broker()
        worker = self.cluster.start_worker("w0")
        control = json.loads(worker.wait_for('"memory_limits"'))["memory_limits"]
        if "cgroup" not in control:
            self.skipTest(f"no cgroup for the memory of tasks: limits are those of {control}")
        self.script = self.cluster.folder / "greedy.py"
        self.script.write_text(GREEDY)

    def ended(self, *options):
        task = self.cluster.cli("submit", "python", "--script", self.script, "--memory", "64M",
                                *options)["task_ids"][0]
        waited = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(waited.returncode, 1, waited.stdout + waited.stderr)
        return self.cluster.cli("dead", "show", task)

    def test_it_is_told_as_oom(self):
        task = self.ended()
        self.assertEqual((task["state"], task["failure_class"]), ("FAILURE", "oom"), task)
        self.assertIn("memory limit of 64 MiB", task["message"])
        result = json.loads(self.cluster.run("taskpipe", "result", task["task_id"], "--json").stdout)
        self.assertEqual((result["status"], result["failure_class"]), ("failed", "oom"), result)
        self.assertEqual(result["stdout"], "begun\n")
        text = self.cluster.run("taskpipe", "status", task["task_id"]).stdout
        self.assertIn("memory limit", text)

    def test_a_policy_can_name_it(self):
        tried = self.ended("--retries", 1, "--backoff", "10ms", "--retry-on", "oom")
        self.assertEqual([(one["became"], one["failure_class"]) for one in tried["attempts"]],
                         [("retried", "oom"), ("decided", "oom")])
        once = self.ended("--retries", 1, "--backoff", "10ms", "--retry-on", "exit,signal")
        self.assertEqual([(one["became"], one["failure_class"]) for one in once["attempts"]],
                         [("decided", "oom")])


if __name__ == "__main__":
    main()
