#!/usr/bin/env python3
"""Runs task_pipeline_live_test against a real broker and worker, and kills the broker when it asks.

The program says "broker kill", "broker start" or "worker lose" (killed, and started again) on its
standard output and goes on when a line comes back on its standard input.
"""

import os
import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from broken_tools import write_tools  # noqa: E402
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
TOOLBOX = pathlib.Path(__file__).resolve().parents[3] / "worker" / "toolbox"
LIMIT_S = 280.0


class Live(unittest.TestCase):
    def test_every_row_of_the_contract(self):
        with Cluster(BIN_DIR) as cluster:
            cluster.start_broker()
            options = ["--tools", write_tools(cluster.folder), "--tools", TOOLBOX, "--cpus", "2",
                       "--handlers"]
            cluster.start_worker("w0", *options)
            child = subprocess.Popen(
                [BIN_DIR / "task_pipeline_live_test", *sys.argv[1:]], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
                env={**os.environ, "TASKPIPE_BROKER": cluster.client_endpoint,
                     "TASKPIPE_TEST_FOLDER": str(cluster.folder)})
            overdue = threading.Timer(LIMIT_S, child.kill)
            overdue.start()
            try:
                for line in child.stdout:
                    print(line, end="", flush=True)
                    if line == "broker kill\n":
                        cluster.broker.kill()
                    elif line == "broker start\n":
                        cluster.start_broker()
                    elif line == "worker lose\n":
                        cluster.workers["w0"].kill()
                        cluster.start_worker("w0", *options, wait=False)
                    else:
                        continue
                    child.stdin.write("done\n")
                    child.stdin.flush()
                self.assertEqual(child.wait(), 0)
            finally:
                overdue.cancel()
                child.kill()
                child.wait()
                child.stdin.close()
                child.stdout.close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
