#!/usr/bin/env python3
"""Followers of a stream of changes that come late, stand still, or see the broker die."""

import contextlib
import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "fault"))
from cluster import Cluster, wait_until  # noqa: E402
from follower import PATIENCE_S, Follower, check_whole, replayed  # noqa: E402
from load import load  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
TASKS = 2000
MORE_THAN_KEPT = 40_000  # changes of a batch are kept as one, so it takes many to fill 16 KiB
MOST_GROWTH_BYTES = 200 << 20  # of the broker while nobody reads; sanitizers triple what it takes
WAYS = {"published": (), "client port": ("--client-port-only",)}


class EventReplay(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))

    def start(self, *options):
        self.cluster.start_broker(*options)
        self.cluster.start_worker("one")

    @contextlib.contextmanager
    def followers(self, *options):
        """One for each way that changes come."""
        running = {name: Follower(self.cluster, name.replace(" ", "-"), *options, *way)
                   for name, way in WAYS.items()}
        try:
            yield running
        finally:
            for follower in running.values():
                follower.kill()

    def run_tasks(self, count=TASKS):
        """The ids of that many tasks, all of which have ended."""
        with load(self.cluster, count) as running:
            running.wait(PATIENCE_S)
            return set(running.books()["ids"])

    def broker_bytes(self):
        status = pathlib.Path(f"/proc/{self.cluster.broker.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) << 10

    def test_a_late_joiner_and_one_that_goes_on_miss_nothing(self):
        self.start()
        ids = self.run_tasks()
        whole = replayed(self.cluster, "--since", 0)
        check_whole(whole, ids)
        self.assertEqual(replayed(self.cluster, "--since", 0, "--client-port-only"), whole)
        # From the middle: what shares the number of the last one that was seen comes again.
        seen = whole[:len(whole) // 2]
        rest = replayed(self.cluster, "--since", seen[-1][0] - 1)
        self.assertEqual(seen + [change for change in rest if change not in seen], whole)
        self.assertEqual(len(replayed(self.cluster, "--since", 0, "--count", 5)), 5)

    def test_one_that_stood_still_has_missed_nothing_and_cost_nothing(self):
        self.start()
        with self.followers("--since", "0") as followers:
            first = self.run_tasks(200)
            for follower in followers.values():
                follower.wait_for_ends(first)
                follower.child.send_signal(signal.SIGSTOP)
            before = self.broker_bytes()
            ids = first | self.run_tasks(3 * TASKS)
            self.assertLess(self.broker_bytes() - before, MOST_GROWTH_BYTES)
            whole = replayed(self.cluster, "--since", 0)
            check_whole(whole, ids)
            for name, follower in followers.items():
                follower.child.send_signal(signal.SIGCONT)
                follower.wait_for_ends(ids)
                self.assertEqual(follower.changes(), whole, name)
                follower.end()

    def test_a_killed_broker_takes_nothing_away(self):
        self.start()
        with self.followers("--since", "0") as followers, load(self.cluster, TASKS) as running:
            for share in (10, 3):
                some = followers["published"]
                wait_until(lambda: len(some.ended()) > TASKS // share, "some tasks have ended",
                           PATIENCE_S, 0.05)
                self.cluster.broker.kill()
                self.cluster.start_broker()
            running.wait(PATIENCE_S)
            ids = set(running.books()["ids"])
            whole = replayed(self.cluster, "--since", 0)
            check_whole(whole, ids)
            for name, follower in followers.items():
                follower.wait_for_ends(ids)
                self.assertEqual(follower.changes(), whole, name)
                follower.end()

    def test_what_is_not_kept_any_more_is_replaced_by_the_present_and_said_so(self):
        self.start("--event-retention-bytes", "16K")
        with self.followers("--since", "0") as followers:
            first = self.run_tasks(50)
            for follower in followers.values():
                follower.wait_for_ends(first)
                follower.child.send_signal(signal.SIGSTOP)
            self.run_tasks(MORE_THAN_KEPT)
            for follower in followers.values():
                follower.child.send_signal(signal.SIGCONT)
            wait_until(lambda: any(d["type"] == "resynchronised"
                                   for d in followers["client port"].documents()),
                       "the follower is told", PATIENCE_S, 0.1)
            last = self.run_tasks(50)
            for name, follower in followers.items():
                follower.wait_for_ends(last)
                of_last = [change for change in follower.changes() if change[1] in last]
                check_whole(of_last, last)
                follower.end()


if __name__ == "__main__":
    unittest.main()
