#!/usr/bin/env python3
"""Artifacts and inputs at a broker with keys."""

import hashlib
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import Secured, entry  # noqa: E402
from cluster import wait_until  # noqa: E402
from taskpipe_wire import BulkPeer, Peer, ProtocolError  # noqa: E402

MIB = 1 << 20
NOT_REGISTERED, DENIED = 5, 4


class Files(Secured):
    broker_options = ()  # these peers send no PING: on a busy host 5 s would be over amid a test

    def bulk_peer(self, session, join):
        """A connection to the bulk port with the keys of `join`, for the session of another peer."""
        keys = tuple(entry(join, name).encode() for name in ("server-key", "public-key", "secret-key"))
        bulk = BulkPeer(session, keys=keys)
        self.addCleanup(bulk.close)
        return bulk

    def opened(self, name, **keywords):
        """A session of a new key, and its connection to the bulk port."""
        join = self.cluster.join(name, **keywords)
        session = self.peer(join)
        session.handshake()
        bulk = self.bulk_peer(session, join)
        bulk.handshake()
        return bulk

    def denied_at_bulk_port(self):
        lines = map(json.loads, self.cluster.audit())
        return [line["why"] for line in lines
                if line["event"] == "key_denied" and line["port"] == "bulk"]

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

    def test_the_port_wants_a_key_and_a_session(self):
        stranger = Peer(self.cluster.bulk_endpoint)
        self.addCleanup(stranger.close)
        self.assertIsNone(stranger.receive(timeout=0.5))
        unknown = self.cluster.join("unknown")
        self.cluster.revoke("unknown")
        peer = self.peer(unknown, endpoint=self.cluster.bulk_endpoint)
        wait_until(lambda: self.denied_at_bulk_port() == ["unknown key"], "the key is refused")
        self.assertIsNone(peer.receive(timeout=0.1))
        # A key, and no session.
        peer = self.peer(self.cluster.join("ann"), endpoint=self.cluster.bulk_endpoint)
        peer.expect("WHO")
        peer.send("GET", {"sha256": "0" * 64, "credit": 1})
        self.assertEqual(peer.receive().name, "WHO")
        # A token is worth nothing without its session, whose number only its own messages bear.
        peer.send("BULK_HELLO", {"token": os.urandom(16)})
        self.assertEqual(peer.receive().body["code"], NOT_REGISTERED)

    def test_who_may_only_read_brings_nothing(self):
        content = os.urandom(1000)
        digest = hashlib.sha256(content).hexdigest()
        eye = self.opened("eye", role="observer")
        with self.assertRaisesRegex(ProtocolError, f"'code': {DENIED}"):
            eye.put(content)
        self.opened("ann").put(content)
        self.assertEqual(eye.get(digest), content)

    def test_a_revoked_key_ends_its_transfers(self):
        content = os.urandom(3 * MIB)
        digest = hashlib.sha256(content).hexdigest()
        bob = self.opened("bob")
        bob.put(content)
        ann = self.opened("ann")
        correlation = ann.send("GET", {"sha256": digest, "credit": MIB})
        got = 0
        while got < MIB:  # all that was granted: the transfer stands in the middle of the file
            got += len(ann.expect("GET_DATA").body["data"])
        self.cluster.revoke("ann")

        def has_ended():  # the bulk port is a thread of its own, which hears of it a little later
            ann.send("GET", {"sha256": "0" * 64, "credit": 1})
            return ann.receive().name == "WHO"

        wait_until(has_ended, "the bulk port knows the session no more")
        ann.send("GET_CREDIT", {"credit": 3 * MIB}, correlation=correlation)
        self.assertEqual(ann.receive().name, "WHO")
        ann.send("BULK_HELLO", {"token": ann.token})
        self.assertEqual(ann.receive().body["code"], NOT_REGISTERED)
        again = self.peer(self.cluster.folder / "ann.join", endpoint=self.cluster.bulk_endpoint)
        wait_until(lambda: self.denied_at_bulk_port() == ["unknown key"], "the key is refused")
        self.assertIsNone(again.receive(timeout=0.1))
        self.assertEqual(bob.get(digest), content, "others are not disturbed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
