#!/usr/bin/env python3
"""A whole cluster on ipc sockets: what keeps other users of the host out where there are no keys."""

import os
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
SCRIPT = """
echo "taskpipe-progress 50 half way"
cat given.txt > left.txt
head -c 700000 /dev/zero >> left.txt
"""


class Ipc(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        sockets = self.cluster.folder / "sockets"
        sockets.mkdir(mode=0o700)
        self.sockets = {name: sockets / name for name in ("client", "worker", "event", "bulk")}
        (self.cluster.client_endpoint, self.cluster.worker_endpoint, self.cluster.event_endpoint,
         self.cluster.bulk_endpoint) = (f"ipc://{path}" for path in self.sockets.values())

    def start(self):
        self.cluster.start_broker()
        self.cluster.start_worker("w0")

    def run_task(self):
        """With a file each way, and progress."""
        here = self.cluster.folder / "here"
        here.mkdir(exist_ok=True)
        (here / "given.txt").write_text("given\n")
        (here / "task.sh").write_text(SCRIPT)
        task = self.cluster.cli("submit", "shell", "--script", here / "task.sh", "--input",
                                here / "given.txt")["task_ids"][0]
        done = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.cluster.cli("artifacts", "get", task, "left.txt", "--to", here / "got")
        self.assertEqual((here / "got/left.txt").read_bytes(), b"given\n" + bytes(700_000))

    def test_tasks_files_and_events(self):
        self.start()
        follower = self.cluster.start_cli("events", "--topic", "task.shell", "--topic", "heartbeat",
                                          "--json")
        self.addCleanup(follower.kill)
        follower.wait_for('"heartbeat"')  # it has subscribed
        self.run_task()
        follower.wait_for('"SUCCESS"')
        self.assertTrue(all(path.is_socket() for path in self.sockets.values()))
        code = self.cluster.run("taskpipe", "health").returncode
        self.assertEqual(code, 0)

    def test_a_killed_broker_leaves_sockets_that_the_next_one_takes(self):
        self.start()
        self.cluster.broker.kill()
        with socket.socket(socket.AF_UNIX) as probe, self.assertRaises(ConnectionRefusedError):
            probe.connect(str(self.sockets["client"]))
        self.cluster.start_broker()
        # It tries again after up to 15 s, and a busy machine takes its own time.
        self.cluster.broker.wait_for("worker 'w0' on ", limit_s=90.0)
        self.run_task()


if __name__ == "__main__":
    unittest.main(verbosity=2)
