#!/usr/bin/env python3
"""A broker with keys: what a revoked key is worth, and what nobody sees."""

import json
import os
import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import Secured, entry  # noqa: E402
from cluster import wait_until  # noqa: E402
from taskpipe_wire import ProtocolError  # noqa: E402


class WhatRevokingDoes(Secured):
    def test_a_live_session_is_dropped(self):
        client = self.client("ann")
        task = self.submit(client)
        self.cluster.revoke("ann")
        self.assertIn("not admitted any more", client.expect("BYE").body["reason"])
        client.send("QUERY", {"tasks": [task]})  # over the connection that still stands
        client.expect("WHO")
        with self.assertRaisesRegex(ProtocolError, "does not admit this key"):
            client.send("QUERY", {"tasks": [task]})
            client.handshake()

    def test_a_worker_ends_and_says_why(self):
        worker = self.cluster.start_worker("w0", "--join", self.cluster.join("node1", "worker"))
        self.cluster.revoke("node1")
        self.assertEqual(worker.child.wait(60), 5)
        worker.wait_for("does not admit this key")

    def test_sighup_makes_it_look(self):
        """At a cluster folder that was exchanged as a whole, of which the watch on the old one sees nothing."""
        ann, bob = self.client("ann"), self.client("bob")
        task = self.submit(bob)
        old, new = self.cluster.folder / "old-keys", self.cluster.folder / "new-keys"
        shutil.copytree(self.cluster.keys, new)
        (new / "peers/ann.key").unlink()
        self.cluster.keys.rename(old)
        new.rename(self.cluster.keys)
        before = self.cluster.reloads()
        self.cluster.broker.child.send_signal(signal.SIGHUP)
        self.cluster.wait_reload(before)
        self.assertIn("not admitted any more", ann.expect("BYE").body["reason"])
        self.assertEqual(len(bob.ask("QUERY", {"tasks": [task]}, "ROWS")["rows"]), 1)

    def test_a_cluster_folder_that_is_gone_admits_nobody(self):
        ann, worker = self.client("ann"), self.worker()
        newcomer = self.cluster.join("newcomer")
        before = self.cluster.reloads()
        self.cluster.keys.rename(self.cluster.folder / "away")
        self.cluster.broker.child.send_signal(signal.SIGHUP)
        self.cluster.wait_reload(before)
        self.cluster.broker.wait_for("the keys cannot be read; nobody is admitted")
        for peer in (ann, worker):
            self.assertIn("not admitted any more", peer.expect("BYE").body["reason"])
        code, _, err = self.cluster.cli_as(newcomer, "health")
        self.assertNotEqual(code, 0)
        self.assertIn("does not admit this key", err)
        # It comes back as it was: so do they.
        before = self.cluster.reloads()
        (self.cluster.folder / "away").rename(self.cluster.keys)
        self.cluster.broker.child.send_signal(signal.SIGHUP)
        self.cluster.wait_reload(before)
        code, out, err = self.cluster.cli_as(newcomer, "health", "--json")
        self.assertEqual(json.loads(out)["epoch"], 1, out + err)

    def test_subscribers_must_show_their_keys_again(self):
        import zmq

        socket = zmq.Context.instance().socket(zmq.SUB)
        self.addCleanup(socket.close, 0)
        join = self.cluster.join("eye", "observer")
        other = self.cluster.join("other", "observer")
        for option, name in ((zmq.CURVE_SERVERKEY, "server-key"), (zmq.CURVE_PUBLICKEY, "public-key"),
                             (zmq.CURVE_SECRETKEY, "secret-key")):
            socket.setsockopt(option, entry(join, name).encode())
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.subscribe("heartbeat.")
        socket.connect(self.cluster.event_endpoint)
        self.assertTrue(socket.poll(20_000), "an observer hears heartbeats")
        self.cluster.revoke("other")
        socket.recv_multipart()
        while socket.poll(0):
            socket.recv_multipart()
        self.assertTrue(socket.poll(20_000), "and goes on when somebody else was revoked")
        self.cluster.revoke("eye")
        # Heartbeats come each second: what was under way is read, then there is silence.
        wait_until(lambda: any('"key_denied"' in line and '"events"' in line
                               for line in self.cluster.audit()), "it was asked for its key")
        while socket.poll(0):
            socket.recv_multipart()
        self.assertFalse(socket.poll(3_000))
        self.assertTrue(other.exists())


class WhatMustNotBeSeen(Secured):
    def test_no_secret_in_logs_or_environments(self):
        self.cluster.start_worker("w0", "--join", self.cluster.keys / "join/worker.join",
                                  env={**os.environ, "TASKPIPE_JOIN": str(self.cluster.keys / "join/worker.join")})
        code, out, err = self.cluster.cli_as(self.cluster.keys / "join/client.join", "submit", "shell",
                                             "--script", self.script("env"), "--wait", "--json")
        self.assertEqual(code, 0, out + err)
        self.assertNotIn("TASKPIPE_JOIN", out)
        secrets = [entry(path, "secret-key") for path in (
            self.cluster.keys / "broker.key_secret", self.cluster.keys / "join/worker.join",
            self.cluster.keys / "join/client.join")]
        written = [out, err, *self.cluster.audit(), *self.cluster.broker.lines,
                   *self.cluster.workers["w0"].lines]
        for secret in secrets:
            self.assertFalse(any(secret in text for text in written))

    def script(self, text):
        path = self.cluster.folder / "look.sh"
        path.write_text(text + "\n")
        return path


if __name__ == "__main__":
    unittest.main(verbosity=2)
