#!/usr/bin/env python3
"""Artifacts and inputs at a broker with keys."""

import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import SecuredCluster  # noqa: E402
from taskpipe_wire import Peer  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])


class Files(unittest.TestCase):
    def setUp(self):
        self.cluster = SecuredCluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.cluster.start_broker()

    def test_files_travel_for_those_with_keys(self):
        self.cluster.start_worker("w0", "--join", self.cluster.keys / "join/worker.join")
        content = os.urandom(700_000)
        given = self.cluster.folder / "given.bin"
        given.write_bytes(content)
        script = self.cluster.folder / "turn.sh"
        script.write_text("cat given.bin given.bin > made.bin\n")
        join = self.cluster.keys / "join/client.join"
        code, out, err = self.cluster.cli_as(join, "submit", "shell", "--script", script, "--input",
                                             given, "--wait", "--json")
        self.assertEqual(code, 0, out + err)
        (task,) = [row["task_id"] for row in json.loads(out)["tasks"]]
        for name, key in (("own", join), ("seen", self.cluster.join("otto", "observer"))):
            to = self.cluster.folder / name
            code, out, err = self.cluster.cli_as(key, "artifacts", "get", task, "made.bin", "--to", to)
            self.assertEqual(code, 0, out + err)
            self.assertEqual((to / "made.bin").read_bytes(), content + content)
        code, _, _ = self.cluster.cli_as(self.cluster.join("other"), "artifacts", "get", task,
                                         "--to", self.cluster.folder / "stolen")
        self.assertNotEqual(code, 0)
        self.assertFalse((self.cluster.folder / "stolen").exists())
        # The port itself: no key, a key without a session, and a session that may only read.
        stranger = Peer(self.cluster.bulk_endpoint)
        self.addCleanup(stranger.close)
        self.assertIsNone(stranger.receive(timeout=0.5))
        bulk = self.cluster.peer(self.cluster.join("odd", "observer"),
                                 endpoint=self.cluster.bulk_endpoint)
        self.addCleanup(bulk.close)
        bulk.expect("WHO")


if __name__ == "__main__":
    unittest.main(verbosity=2)
