#!/usr/bin/env python3
"""What the broker refuses to start with, and what it says then."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
LIMIT_S = 60
PORTS = ("client", "worker", "event", "bulk")


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

    def bind(self, port, endpoint):
        """The options with which that port alone is bound elsewhere."""
        binds = list(self.binds())
        binds[binds.index(f"--{port}-bind") + 1] = endpoint
        return binds

    def warnings(self, broker):
        """What `health` warns of, asked at that address."""
        said = self.cluster.run("taskpipe", "health", "--json", "--broker", broker)
        return json.loads(said.stdout)["warnings"]

    def test_an_open_bind_needs_insecure(self):
        for port in PORTS:
            for endpoint in ("tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*"):
                with self.subTest(port=port, endpoint=endpoint):
                    code, said = refused("--data-dir", self.cluster.folder / "d",
                                         *self.bind(port, endpoint))
                    self.assertEqual(code, 2, said)
                    self.assertIn(f"--{port}-bind {endpoint} can be reached by other hosts", said)
                    self.assertIn("--insecure", said)

    def test_insecure_warns_at_the_start_and_in_health(self):
        opened = [endpoint.replace("127.0.0.1", "0.0.0.0") for endpoint in (
            self.cluster.client_endpoint, self.cluster.worker_endpoint, self.cluster.event_endpoint,
            self.cluster.bulk_endpoint)]
        own = self.cluster.client_endpoint
        (self.cluster.client_endpoint, self.cluster.worker_endpoint, self.cluster.event_endpoint,
         self.cluster.bulk_endpoint) = opened
        broker = self.cluster.start_broker("--insecure")
        told = self.warnings(own)
        for port, endpoint in zip(PORTS, opened):
            warning = f"--{port}-bind {endpoint} can be reached by other hosts, without keys (--insecure)"
            self.assertIn('"level":"warning"', broker.wait_for(warning))
            self.assertIn(warning, told)

    def test_a_secure_bind_warns_of_nothing(self):
        self.cluster.start_broker("--insecure")
        self.assertFalse([text for text in self.warnings(self.cluster.client_endpoint)
                          if "insecure" in text])

    def test_insecure_is_not_for_brokers_with_keys(self):
        keys = self.cluster.folder / "keys"
        code, said = refused("init", keys)
        self.assertEqual(code, 0, said)
        code, said = refused("--data-dir", self.cluster.folder / "d", "--keys", keys, "--insecure",
                             *self.binds())
        self.assertEqual(code, 2, said)
        self.assertIn("--insecure is for brokers without keys", said)

    def test_a_socket_that_other_users_can_reach_needs_insecure(self):
        opened = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))  # whatever TMPDIR is, /tmp is everybody's
        self.addCleanup(shutil.rmtree, opened)
        opened.chmod(0o755)
        for endpoint in (f"ipc://{opened}/socket", "ipc://@taskpipe-test"):
            for port in PORTS:
                with self.subTest(port=port, endpoint=endpoint):
                    code, said = refused("--data-dir", self.cluster.folder / "d",
                                         *self.bind(port, endpoint))
                    self.assertEqual(code, 2, said)
                    self.assertIn(f"--{port}-bind {endpoint} can be reached by other users", said)
                    self.assertIn("--insecure", said)
                    self.assertRegex(said, "chmod 700|mode 0700")
        self.cluster.client_endpoint = f"ipc://{opened}/socket"
        broker = self.cluster.start_broker("--insecure")
        broker.wait_for("other users of this host, who may enter")
        self.assertTrue(any("other users" in text for text in self.warnings(self.cluster.client_endpoint)))

    def test_a_folder_above_the_socket_may_be_the_closed_one(self):
        inner = self.cluster.folder / "inner"  # below a folder of mode 0700
        inner.mkdir(mode=0o755)
        self.cluster.client_endpoint = f"ipc://{inner}/socket"
        self.cluster.start_broker()
        self.assertEqual([text for text in self.warnings(self.cluster.client_endpoint)
                          if "other users" in text], [])

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
