#!/usr/bin/env python3
"""Far more work than the broker may hold: clients wait, nothing is lost, memory stays bounded."""

import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402
from load import load  # noqa: E402
from peer_memory import lean_environment, resident_bytes  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
MIB = 1 << 20
LIMIT = 32 * MIB
TASKS = 800
PADDING = 320 << 10  # of each task: 250 MiB in all, and again for the results
# Results are taken although the limit is reached, and wait for the history; idle buffers of journal
# and allocator come on top. Sanitizers take about as much again.
ALLOWED = 7 * LIMIT
CLIENT_LIMIT_S = 240.0


class Memory(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.broker = self.cluster.start_broker("--memory-limit", "32MiB", env=lean_environment())
        # From here on the tool is known, and tasks of it wait for a worker.
        self.cluster.start_worker("one").stop()
        self.peak = self.idle = resident_bytes(self.broker.pid)

    def health(self):
        done = self.cluster.run("taskpipe", "health", "--json", "--connect-timeout", "20s")
        self.peak = max(self.peak, resident_bytes(self.broker.pid))
        self.assertTrue(done.stdout, done.stderr + self.broker.tail(5))
        return json.loads(done.stdout)

    def wait_until_full(self):
        """By tasks: what waits for the disk fills it for moments only."""
        self.broker.wait_for("submits are answered BUSY")
        wait_until(lambda: self.health()["tasks_pending"] > LIMIT // PADDING, "it is full", 60.0)
        return self.health()

    def test_a_flood_waits_for_room_and_all_of_it_is_done(self):
        with load(self.cluster, TASKS, padding=PADDING) as client:
            health = self.wait_until_full()
            self.assertEqual(health["memory_limit_bytes"], LIMIT)
            self.assertGreaterEqual(health["memory_bytes"], LIMIT)
            self.assertLess(health["tasks_pending"], TASKS / 3)
            self.assertTrue(any("--memory-limit" in text for text in health["warnings"]), health)
            self.assertTrue(client.is_running())
            self.cluster.start_worker("one")
            while client.is_running():
                self.health()
                client.wait(0.3)
            client.wait(CLIENT_LIMIT_S)
            books = client.books()
        self.assertEqual((books["acknowledged"], books["lost"], books["wrong"]), (TASKS, 0, 0))
        self.assertEqual(len(set(books["ids"])), TASKS)
        grown = self.peak - self.idle
        self.assertLess(grown, ALLOWED, f"grew by {grown >> 20} MiB")
        print(f"resident: {self.idle >> 20} MiB idle, at most {self.peak >> 20} MiB")
        wait_until(lambda: self.health()["memory_bytes"] < LIMIT / 4, "everything is let go")
        self.assertIn("there is memory for submits again", "\n".join(self.broker.lines))

    def test_who_cannot_wait_is_told_why(self):
        with load(self.cluster, TASKS, padding=PADDING):
            self.wait_until_full()
            done = self.cluster.run("taskpipe", "submit", "echo", "--request-timeout", "2s")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("BUSY", done.stderr)
        self.assertIn("--memory-limit", done.stderr)


if __name__ == "__main__":
    unittest.main()
