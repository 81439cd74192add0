#!/usr/bin/env python3
"""kill -9 of workers under load, again and again: nothing is lost, nothing is left running."""

import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402
from follower import check_whole, follower  # noqa: E402
from gated_tool import GatedTool, is_gone  # noqa: E402
from load import check_history, load  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
TASKS = int(os.environ.get("TASKPIPE_FAULT_TASKS", "4000"))
KILLS = int(os.environ.get("TASKPIPE_FAULT_KILLS", "6"))
SEED = int(os.environ.get("TASKPIPE_FAULT_SEED", "20261126"))
CLIENT_LIMIT_S = 200.0


class KillWorker(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.cluster.start_broker("--lease", "2s", "--heartbeat", "300ms")

    def test_nothing_is_lost_under_load(self):
        chance = random.Random(SEED)
        names = ("one", "two")
        for name in names:
            self.cluster.start_worker(name)
        kills = 0
        with follower(self.cluster, "all", "--since", 0) as seen, load(self.cluster, TASKS) as client:
            while kills < KILLS and client.is_running():
                # A random moment is the point here: the kill may hit any step.
                client.wait(chance.uniform(0.05, 0.8))
                name = chance.choice(names)
                self.cluster.workers[name].kill()
                kills += 1
                self.cluster.start_worker(name, wait=False)
            client.wait(CLIENT_LIMIT_S)
            books = client.books()
            ids = set(books["ids"])
            seen.wait_for_ends(ids)
        self.assertEqual((books["acknowledged"], books["lost"], books["wrong"]), (TASKS, 0, 0))
        self.assertGreater(kills, 0)
        check_whole(seen.changes(), ids)
        self.assertEqual(self.cluster.broker.stop(), 0)
        check_history(self.cluster.folder / "data" / "history.sqlite", ids)

    def test_a_killed_worker_takes_its_tools_along_and_they_run_elsewhere(self):
        one = self.cluster.start_worker("one")
        tool = GatedTool(self.cluster)
        task = tool.submit()
        ((first, _),) = tool.wait_for_runs(1)
        self.cluster.start_worker("two")
        one.kill()
        wait_until(lambda: is_gone(first), "nothing is left of the killed worker", 30.0)
        tool.wait_for_runs(2)
        tool.open_gate()
        done = self.cluster.run("taskpipe", "wait", task)
        self.assertEqual(done.returncode, 0, done.stderr)
        (row,) = self.cluster.cli("status", task)["tasks"]
        self.assertEqual((row["state"], row["worker"], row["attempt"]), ("SUCCESS", "two", 2))

    def test_a_task_that_kills_its_workers_is_stopped(self):
        self.cluster.start_worker("one")
        killer = self.cluster.folder / "killer.sh"
        killer.write_text('kill -9 "$(cat "$SIM_PID_FILE")"; sleep 60\n')
        pid_file = self.cluster.folder / "pid"

        def write_pid(worker):
            pid_file.with_suffix(".part").write_text(str(worker.pid))
            os.replace(pid_file.with_suffix(".part"), pid_file)

        write_pid(self.cluster.workers["one"])
        done = self.cluster.run("taskpipe", "submit", "shell", "--script", killer, "-p",
                                f"pid_file={pid_file}")
        self.assertEqual(done.returncode, 0, done.stderr)
        task = done.stdout.strip()
        deaths = 0
        while True:
            self.cluster.workers["one"].child.wait(60)
            deaths += 1
            self.assertLessEqual(deaths, 6, "nobody stops it")
            worker = self.cluster.start_worker("one", wait=False)
            write_pid(worker)
            if deaths == 4:
                break
        wait = self.cluster.run("taskpipe", "wait", task)
        self.assertNotEqual(wait.returncode, 0)
        (row,) = self.cluster.cli("status", task)["tasks"]
        self.assertEqual((row["state"], row["failure_class"]), ("error", "worker_lost"))
        self.assertEqual(row["attempt"], 4)


if __name__ == "__main__":
    unittest.main()
