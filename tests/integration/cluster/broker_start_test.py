#!/usr/bin/env python3
"""What the broker refuses to start with, and what it says then."""

import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
LIMIT_S = 60


def refused(*options):
    done = subprocess.run([BIN_DIR / "taskpipe-broker", *map(str, options)], capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)
    return done.returncode, done.stdout + done.stderr


class BrokerStart(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)

    def binds(self):
        return ("--client-bind", "tcp://127.0.0.1:*", "--worker-bind", "tcp://127.0.0.1:*",
                "--event-bind", "tcp://127.0.0.1:*", "--bulk-bind", "tcp://127.0.0.1:*")

    def test_an_unknown_option_names_the_nearest(self):
        code, said = refused("--data-dri", "x")
        self.assertEqual(code, 2)
        self.assertIn("data-dir", said)

    def test_an_open_bind_needs_insecure(self):
        code, said = refused("--data-dir", self.cluster.folder / "d", "--client-bind",
                             "tcp://0.0.0.0:7610")
        self.assertEqual(code, 2)
        self.assertIn("--insecure", said)
        self.assertIn("client-bind", said)

    def test_an_address_in_use(self):
        self.cluster.start_broker()
        code, said = refused("--data-dir", self.cluster.folder / "other", "--client-bind",
                             self.cluster.client_endpoint, "--worker-bind", "tcp://127.0.0.1:*",
                             "--event-bind", "tcp://127.0.0.1:*", "--bulk-bind", "tcp://127.0.0.1:*")
        self.assertEqual(code, 1)
        self.assertIn("--client-bind: ", said)
        self.assertIn("in use", said)
        self.assertIsNone(self.cluster.broker.child.poll())

    def test_a_data_folder_that_another_broker_holds(self):
        self.cluster.start_broker()
        code, said = refused("--data-dir", self.cluster.folder / "data", *self.binds())
        self.assertEqual(code, 1)
        self.assertIn("another", said)
        self.assertIsNone(self.cluster.broker.child.poll())

    def test_a_data_folder_that_cannot_be_made(self):
        blocker = self.cluster.folder / "file"
        blocker.write_text("not a folder")
        code, said = refused("--data-dir", blocker / "data", *self.binds())
        self.assertEqual(code, 1)
        self.assertIn("data-dir", said)

    def test_a_journal_that_is_gone_while_the_history_is_there(self):
        self.cluster.start_broker()
        self.cluster.start_worker("w0")
        self.cluster.cli("submit", "noop", "--wait")
        self.cluster.broker.stop()
        for segment in (self.cluster.folder / "data" / "journal").iterdir():
            segment.unlink()
        code, said = refused("--data-dir", self.cluster.folder / "data", *self.binds())
        self.assertEqual(code, 1)
        self.assertIn("ahead of the journal", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
