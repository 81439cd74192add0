#!/usr/bin/env python3
"""kill -9 of the broker under load, again and again: nothing acknowledged is lost.

A client submits numbered echo tasks and waits for all of them, while the broker is killed and started
again. Afterwards its books are held against the history, in which every acknowledged task is with
SUCCESS and its own number, and against what a follower of all changes was told: one end of each.
"""

import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster  # noqa: E402
from follower import check_whole, follower  # noqa: E402
from load import check_history, load  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
TASKS = int(os.environ.get("TASKPIPE_FAULT_TASKS", "4000"))
KILLS = int(os.environ.get("TASKPIPE_FAULT_KILLS", "6"))
SEED = int(os.environ.get("TASKPIPE_FAULT_SEED", "20261123"))
CLIENT_LIMIT_S = 240.0


class KillBroker(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        chance = random.Random(SEED)
        with Cluster(BIN_DIR) as cluster:
            options = ("--lease", "10s", "--journal-segment", "256K")
            cluster.start_broker(*options)
            cluster.start_worker("w0")
            cluster.start_worker("w1")
            kills = 0
            with follower(cluster, "all", "--since", 0) as seen, load(cluster, TASKS) as client:
                while kills < KILLS and client.is_running():
                    # A random moment is the point here: the kill may hit any step.
                    client.wait(chance.uniform(0.05, 1.0))
                    cluster.broker.kill()
                    kills += 1
                    cluster.start_broker(*options)
                client.wait(CLIENT_LIMIT_S)
                books = client.books()
                seen.wait_for_ends(set(books["ids"]))
            check_whole(seen.changes(), set(books["ids"]))
            self.assertGreater(kills, 0)
            self.assertEqual(books["refused"], 0)
            self.assertEqual(books["acknowledged"], TASKS)
            self.assertEqual(cluster.broker.stop(), 0)
            check_history(cluster.folder / "data" / "history.sqlite", set(books["ids"]))
            print(f"{kills} kills, {TASKS} tasks acknowledged, none lost")


if __name__ == "__main__":
    unittest.main(verbosity=2)
