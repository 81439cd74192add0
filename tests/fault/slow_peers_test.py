#!/usr/bin/env python3
"""Peers that do not read: the broker's memory stays bounded, and nobody else is slowed."""

import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, Process, wait_until  # noqa: E402
from load import load  # noqa: E402
from peer_memory import lean_environment, resident_bytes  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
OTHERS_TASKS = 400
OTHERS_LIMIT_S = 90.0
REPORT = 512 << 10
RESULTS = 1200  # 600 MiB in all, for one client
GLUTTONS_TASKS, GLUTTONS_BYTES = 200, 512 << 10  # 100 MiB, for one worker
# For one peer 64 MiB are queued at most; what the journal and the history do not have yet comes on
# top, and what sanitizers add.
ALLOWED = 400 * MIB


class SlowPeers(unittest.TestCase):
    def start(self, lease):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.broker = self.cluster.start_broker("--lease", lease, "--heartbeat", "3s",
                                                env=lean_environment())
        self.cluster.start_worker("one")
        self.idle = resident_bytes(self.broker.pid)
        self.peak = self.idle

    def mute(self, name, *arguments):
        peer = Process(name, [sys.executable, HERE / "mute_peer.py", *arguments],
                       self.cluster.folder / f"{name}.log")
        self.addCleanup(peer.kill)
        peer.wait_for("ready")
        return peer

    def wait_for_all_done(self, limit_s):
        def all_done():
            self.look()
            health = json.loads(self.cluster.run("taskpipe", "health", "--json").stdout)
            return health["tasks_pending"] + health["tasks_running"] == 0

        wait_until(all_done, "everything is done", limit_s, step_s=0.2)

    def look(self):
        self.peak = max(self.peak, resident_bytes(self.broker.pid))

    def others_are_served(self):
        began = time.monotonic()
        with load(self.cluster, OTHERS_TASKS) as client:
            while client.is_running() and time.monotonic() - began < OTHERS_LIMIT_S:
                self.look()
                client.wait(0.2)
            books = client.books()
        self.assertEqual((books["acknowledged"], books["lost"], books["wrong"]),
                         (OTHERS_TASKS, 0, 0))

    def stays_bounded(self):
        grown = self.peak - self.idle
        print(f"resident: {self.idle >> 20} MiB idle, at most {self.peak >> 20} MiB")
        self.assertLess(grown, ALLOWED, f"grew by {grown >> 20} MiB")

    def test_a_client_that_does_not_read_its_results(self):
        self.start(lease="30s")
        client = self.mute("client", "client", self.cluster.client_endpoint, "mute", str(RESULTS),
                           "0")
        worker = self.mute("worker", "worker", self.cluster.worker_endpoint, "mute", str(REPORT))
        client.wait_for("first", limit_s=60.0)
        client.child.send_signal(signal.SIGSTOP)
        self.broker.wait_for("is unreachable, or does not read", limit_s=120.0)
        self.others_are_served()

        self.wait_for_all_done(120.0)
        self.stays_bounded()
        self.assertIsNone(worker.child.poll())
        client.child.send_signal(signal.SIGCONT)
        client.wait_for("all", limit_s=150.0)  # nothing of it was lost

    def test_a_worker_that_does_not_read_its_tasks(self):
        self.start(lease="12s")
        glutton = self.mute("glutton", "glutton", self.cluster.worker_endpoint, "glutton")
        glutton.child.send_signal(signal.SIGSTOP)
        client = self.mute("client", "client", self.cluster.client_endpoint, "mute",
                           str(GLUTTONS_TASKS), str(GLUTTONS_BYTES))
        self.broker.wait_for("does not read", limit_s=60.0)
        self.others_are_served()
        self.stays_bounded()
        glutton.kill()
        self.mute("worker", "worker", self.cluster.worker_endpoint, "mute", "10")
        client.wait_for("all", limit_s=90.0)

    def test_a_subscriber_that_does_not_read(self):
        self.start(lease="30s")
        subscriber = self.mute("subscriber", "subscriber", self.cluster.event_endpoint)
        subscriber.child.send_signal(signal.SIGSTOP)
        for _ in range(5):
            self.others_are_served()
        self.stays_bounded()


if __name__ == "__main__":
    unittest.main()
