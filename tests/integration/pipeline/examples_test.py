#!/usr/bin/env python3
"""Every TaskPipeline example against a real broker and worker: with the small tools, and with the
solvers that are installed."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from cluster import Cluster, free_port  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
TOOLBOX = pathlib.Path(__file__).resolve().parents[3] / "worker" / "toolbox"
LIMIT_S = 200.0


class Examples:
    """The tests, on whatever tools the class below offers."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(BIN_DIR))
        cls.cluster.start_broker()
        cls.cluster.start_worker("w0", "--cpus", "2", *cls.worker_options())

    def example(self, name, expect=0, broker=None):
        done = subprocess.run(
            [BIN_DIR / f"taskpipe_pipeline_{name}", broker or self.cluster.client_endpoint],
            capture_output=True, text=True, timeout=LIMIT_S, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout if expect == 0 else done.stderr

    def test_basic_shows_progress_and_result(self):
        output = self.example("basic")
        self.assertIn("RUNNING", output)
        self.assertIn("success after ", output)
        self.assertIn("artifact /", output)

    def test_parallel_completes_all_and_tells_the_speedup(self):
        output = self.example("parallel")
        self.assertIn("3 of 3 completed", output)
        self.assertRegex(output, r"speedup [1-3]")

    def test_sequential_ends_in_order(self):
        output = self.example("sequential")
        self.assertEqual([line.split()[0:2] for line in output.splitlines()],
                         [["step", "1"], ["step", "2"], ["step", "3"]])
        self.assertEqual(output.count("SUCCESS"), 3, output)

    def test_cancel_ends_a_running_task(self):
        output = self.example("cancel")
        self.assertIn("RUNNING", output)
        self.assertIn("REVOKED", output)
        self.assertIn("was cancelled", output)

    def test_status_is_looked_at_until_ready(self):
        output = self.example("status")
        self.assertIn("SUCCESS", output)
        self.assertIn('"successful":true', output)


class SmallTools(Examples, unittest.TestCase):
    @classmethod
    def worker_options(cls):
        folder = cls.cluster.folder / "tools"
        folder.mkdir()
        for name in ("python.toml", "shell.toml"):
            shutil.copy(TOOLBOX / name, folder)
        shutil.copytree(TOOLBOX / "scripts", folder / "scripts")
        return ["--tools", folder]

    def test_without_a_broker_each_says_so(self):
        nowhere = f"tcp://127.0.0.1:{free_port()}"
        for name in ("basic", "parallel", "sequential", "cancel", "status"):
            error = self.example(name, expect=2, broker=nowhere)
            self.assertIn("no broker answers at " + nowhere, error)


class InstalledTools(Examples, unittest.TestCase):
    @classmethod
    def worker_options(cls):
        return []


if __name__ == "__main__":
    unittest.main(verbosity=2)
