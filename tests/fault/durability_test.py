#!/usr/bin/env python3
"""What each --durability costs and keeps: the running broker's syncs are counted, then it is killed.

A kill -9 keeps what the system has been given. What a power loss leaves is for the simulated disk.
"""

import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import failpoint  # noqa: E402
from cluster import Cluster  # noqa: E402
from load import check_history, load  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
SUBMITS = 20
TASKS = 2000
KILLS = 3
SEED = 20261126
CLIENT_LIMIT_S = 120.0
WHY_NOT = failpoint.unavailable()


class Killed(unittest.TestCase):
    """As in kill_broker, where the system has what was acknowledged and the disk perhaps not."""

    def test_os_keeps_all_through_kills_under_load(self):
        options = ("--durability", "os", "--lease", "10s", "--journal-segment", "256K")
        chance = random.Random(SEED)
        with Cluster(BIN_DIR) as cluster:
            cluster.start_broker(*options)
            cluster.start_worker("w0")
            kills = 0
            with load(cluster, TASKS) as client:
                while kills < KILLS and client.is_running():
                    client.wait(chance.uniform(0.05, 0.5))  # the kill may hit any step
                    cluster.broker.kill()
                    kills += 1
                    cluster.start_broker(*options)
                client.wait(CLIENT_LIMIT_S)
                books = client.books()
            self.assertGreater(kills, 0)
            self.assertEqual((books["refused"], books["acknowledged"]), (0, TASKS))
            self.assertEqual(cluster.broker.stop(), 0)
            check_history(cluster.folder / "data" / "history.sqlite", set(books["ids"]))
            print(f"{kills} kills, {TASKS} tasks acknowledged, none lost")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Durability(unittest.TestCase):
    def syncs_and_kept(self, durability):
        """(syncs of the journal's segments while tasks are submitted, those that survive a kill)."""
        with Cluster(BIN_DIR) as cluster:
            record = cluster.folder / "strace"
            prefix = ("strace", "-D", "-f", "-y", "-qq", "-o", record, "-e", "trace=fdatasync")

            def syncs():
                return sum("/journal/" in line for line in record.read_text().splitlines())

            cluster.start_broker("--durability", durability, prefix=prefix,
                                 env={**os.environ, **failpoint.ENVIRONMENT})
            self.assertIn(f'"durability":"{durability}"', cluster.broker.wait_for('"listening"'))
            before = syncs()
            ids = []
            for number in range(SUBMITS):
                # One by one: each is acknowledged before the next.
                done = cluster.run("taskpipe", "submit", "later", "-p", f"n={number}",
                                   "--wait-for-capacity")
                self.assertEqual(done.returncode, 0, done.stderr)
                ids.append(done.stdout.strip())
            while_submitting = syncs() - before
            cluster.broker.kill()
            cluster.start_broker("--durability", durability)
            kept = {row["task_id"] for row in cluster.cli("list", "--limit", SUBMITS)["tasks"]}
            return while_submitting, len(kept & set(ids))

    def test_fsync_syncs_each_and_keeps_all(self):
        syncs, kept = self.syncs_and_kept("fsync")
        print(f"fsync: {syncs} syncs, {kept} of {SUBMITS} kept")
        self.assertGreaterEqual(syncs, SUBMITS)
        self.assertEqual(kept, SUBMITS)

    def test_os_syncs_few_and_keeps_all(self):
        syncs, kept = self.syncs_and_kept("os")
        print(f"os: {syncs} syncs, {kept} of {SUBMITS} kept")
        self.assertLess(syncs, SUBMITS // 2)
        self.assertEqual(kept, SUBMITS)

    def test_none_syncs_few_and_promises_nothing(self):
        syncs, kept = self.syncs_and_kept("none")
        print(f"none: {syncs} syncs, {kept} of {SUBMITS} kept")
        self.assertLess(syncs, SUBMITS // 2)


if __name__ == "__main__":
    main()
