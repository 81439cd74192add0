#!/usr/bin/env python3
"""Hosts that are cut off from each other, in each direction alone and in both.

Broker, workers and client are on hosts of their own (network namespaces). Packets are dropped
silently, so that nobody is told: only the lease and the heartbeats find out.
"""

import os
import pathlib
import random
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import namespaces  # noqa: E402
from cluster import Cluster, wait_until  # noqa: E402
from follower import check_whole, follower  # noqa: E402
from gated_tool import GatedTool, is_gone  # noqa: E402
from load import check_history, load  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
LEASE_S = 3.0
BROKER_OPTIONS = ("--insecure", "--lease", "3s", "--heartbeat", "500ms")
DIRECTIONS = {"from the worker": [("one", "broker")], "to the worker": [("broker", "one")],
              "in both directions": [("one", "broker"), ("broker", "one")]}
MOST_CUTS = 6
CLIENT_LIMIT_S = 180.0
LOAD_TASKS = int(os.environ.get("TASKPIPE_FAULT_PARTITION_TASKS", "3000"))
WHY_NOT = namespaces.unavailable()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Partition(unittest.TestCase):
    def setUp(self):
        self.net = self.enterContext(namespaces.Namespaces("broker", "one", "two", "client"))
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        address = self.net.address("broker")
        self.cluster.client_endpoint = f"tcp://{address}:7610"
        self.cluster.worker_endpoint = f"tcp://{address}:7611"
        self.cluster.event_endpoint = f"tcp://{address}:7612"
        self.cluster.bulk_endpoint = f"tcp://{address}:7613"
        self.cluster.start_broker(*BROKER_OPTIONS, prefix=self.net.prefix("broker"))
        self.client = self.net.prefix("client")

    def start_worker(self, host):
        return self.cluster.start_worker(host, "--cpus", "2", prefix=self.net.prefix(host))

    def cut(self, links):
        for source, target in links:
            self.net.cut(source, target)

    def mend(self, links):
        for source, target in links:
            self.net.mend(source, target)

    def wait_for_end(self, task):
        done = self.cluster.run("taskpipe", "wait", task, prefix=self.client)
        self.assertEqual(done.returncode, 0, done.stderr + self.cluster.broker.tail())
        (row,) = self.cluster.cli("status", task, prefix=self.client)["tasks"]
        return row

    def test_a_task_of_a_worker_that_is_cut_off_runs_elsewhere_and_ends_once(self):
        for name, links in DIRECTIONS.items():
            with self.subTest(name):
                self.check_moved(links)
                self.tearDown()
                self.doCleanups()
                self.setUp()

    def check_moved(self, links):
        self.start_worker("one")
        tool = GatedTool(self.cluster)
        task = tool.submit(prefix=self.client)
        ((first, where),) = tool.wait_for_runs(1)
        self.assertEqual(where, "one")
        self.start_worker("two")
        self.cut(links)
        runs = tool.wait_for_runs(2)
        ((second, _),) = [run for run in runs if run[1] == "two"]
        self.mend(links)
        # Back again, the first worker is told to stop what others have by now.
        wait_until(lambda: is_gone(first), "the superseded run is stopped", 60.0)
        self.assertFalse(is_gone(second))
        tool.open_gate()
        row = self.wait_for_end(task)
        self.assertEqual((row["state"], row["worker"], row["attempt"]), ("SUCCESS", "two", 2))

    def test_a_short_cut_moves_nothing(self):
        self.start_worker("one")
        tool = GatedTool(self.cluster)
        task = tool.submit(prefix=self.client)
        ((first, _),) = tool.wait_for_runs(1)
        self.start_worker("two")
        for links in DIRECTIONS.values():
            self.cut(links)
            threading.Event().wait(LEASE_S / 3)  # the length of the cut is what is tested
            self.mend(links)
        tool.open_gate()
        row = self.wait_for_end(task)
        self.assertEqual((row["state"], row["worker"], row["attempt"]), ("SUCCESS", "one", 1))
        self.assertEqual(len(tool.runs()), 1)

    def test_load_through_partitions_loses_nothing(self):
        chance = random.Random(int(os.environ.get("TASKPIPE_FAULT_SEED", "20261126")))
        for host in ("one", "two"):
            self.start_worker(host)
        cuts = 0
        with (follower(self.cluster, "all", "--since", 0, prefix=self.client) as seen,
              load(self.cluster, LOAD_TASKS, prefix=self.client) as client):
            while cuts < MOST_CUTS and client.is_running():
                host = chance.choice(("one", "two", "client"))
                links = chance.choice(([(host, "broker")], [("broker", host)],
                                       [(host, "broker"), ("broker", host)]))
                self.cut(links)
                cuts += 1
                client.wait(chance.choice((0.3, 1.0, LEASE_S + 1.5)))
                self.mend(links)
                client.wait(chance.uniform(0.1, 0.5))
            client.wait(CLIENT_LIMIT_S)
            books = client.books()
            ids = set(books["ids"])
            seen.wait_for_ends(ids)
        self.assertEqual((books["acknowledged"], books["lost"], books["wrong"]), (LOAD_TASKS, 0, 0))
        self.assertGreater(cuts, 0)
        check_whole(seen.changes(), ids)
        self.assertEqual(self.cluster.broker.stop(), 0)
        check_history(self.cluster.folder / "data" / "history.sqlite", ids)


if __name__ == "__main__":
    main()
