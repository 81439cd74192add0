#!/usr/bin/env python3
"""The bulk port, spoken to with pyzmq alone: what it takes, gives and refuses."""

import os
import pathlib
import random
import sys
import unittest

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import ArtifactCase, sha256, wait_until, wire  # noqa: E402

NOT_REGISTERED, FLOW, INVALID = 5, 10, 16


class BulkWire(ArtifactCase):
    worker_options = None

    def refused(self, peer):
        while True:
            message = peer.receive()
            self.assertIsNotNone(message, "no answer")
            if message.name == "ERROR":
                return message.body

    def test_up_and_down_in_many_pieces(self):
        content = os.urandom(3_000_001)
        bulk = self.bulk_peer()
        self.assertEqual(bulk.put(content), (0, len(content)))
        self.assertEqual(bulk.get(sha256(content)), content)
        self.assertEqual(bulk.get(sha256(content), offset=2_999_990), content[2_999_990:])
        self.assertEqual(set(self.blobs()), {sha256(content)})

    def test_what_is_there_is_not_sent_again(self):
        content = os.urandom(500_000)
        self.assertEqual(self.bulk_peer().put(content), (0, len(content)))
        self.assertEqual(self.bulk_peer().put(content), (len(content), 0))

    def test_without_a_token_there_is_nothing(self):
        content = os.urandom(1000)
        self.bulk_peer().put(content)
        client = self.peer()
        stranger = wire.BulkPeer(client)
        self.addCleanup(stranger.close)
        stranger.expect("WHO")
        stranger.send("GET", {"sha256": sha256(content), "credit": 1000})
        self.assertEqual(stranger.receive().name, "WHO")
        stranger.send("BULK_HELLO", {"token": os.urandom(16)})
        self.assertEqual(self.refused(stranger)["code"], NOT_REGISTERED)
        # Another session's token is none.
        stranger.session, own = self.peer().session, stranger.token
        stranger.send("BULK_HELLO", {"token": own})
        self.assertEqual(self.refused(stranger)["code"], NOT_REGISTERED)

    def test_the_end_of_a_session_ends_its_transfers(self):
        client = self.peer()
        bulk = wire.BulkPeer(client)
        self.addCleanup(bulk.close)
        bulk.handshake()
        client.send("BYE", {})

        def has_ended():  # the bulk port is a thread of its own, which hears of it a little later
            bulk.send("GET", {"sha256": "0" * 64, "credit": 1})
            return bulk.receive().name == "WHO"

        wait_until(has_ended, "the bulk port knows the session no more")

    def test_an_unknown_hash(self):
        bulk = self.bulk_peer()
        bulk.send("GET", {"sha256": "0" * 64, "credit": 1})
        error = self.refused(bulk)
        self.assertEqual((error["code"], error["field"]), (INVALID, "sha256"))

    def test_a_wrong_content_is_not_kept(self):
        bulk = self.bulk_peer()
        correlation = bulk.send("PUT", {"sha256": sha256(b"right"), "size_bytes": 5})
        bulk.expect("PUT_STATE")
        bulk.send("PUT_DATA", {"offset": 0, "data": b"wrong"}, correlation=correlation)
        self.assertEqual(self.refused(bulk)["field"], "sha256")
        self.assertEqual(self.blobs(), {})
        self.assertEqual(self.partials(), [])

    def test_more_than_the_credit_ends_the_transfer(self):
        content = os.urandom(4 << 20)
        bulk = self.bulk_peer()
        correlation = bulk.send("PUT", {"sha256": sha256(content), "size_bytes": len(content)})
        bulk.expect("PUT_STATE")
        for offset in range(0, 2 << 20, 256 << 10):
            # Every piece is offered in one place only: the second one is out of order.
            bulk.send("PUT_DATA", {"offset": offset * 2, "data": content[:256 << 10]},
                      correlation=correlation)
        self.assertEqual(self.refused(bulk)["code"], FLOW)
        self.assertEqual(bulk.put(os.urandom(1000))[1], 1000, "the port went with it")

    def test_garbage_harms_nobody(self):
        chance = random.Random(11)
        noise = zmq.Context.instance().socket(zmq.DEALER)
        noise.setsockopt(zmq.LINGER, 2000)
        noise.connect(self.cluster.bulk_endpoint)
        for _ in range(200):
            noise.send_multipart([chance.randbytes(chance.randrange(0, 300))
                                  for _ in range(chance.randrange(1, 6))])
        noise.close()
        content = os.urandom(1000)
        bulk = self.bulk_peer()
        bulk.put(content)
        self.assertEqual(bulk.get(sha256(content)), content)


if __name__ == "__main__":
    unittest.main(verbosity=2)
