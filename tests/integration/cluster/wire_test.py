#!/usr/bin/env python3
"""A client and a worker written with pyzmq alone, against the real broker; and garbage on every port."""

import os
import pathlib
import random
import socket
import sys
import unittest

import zmq

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "python")]
import taskpipe_wire as wire  # noqa: E402
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
OFFER = {"slots": 1, "resources": {"cpus": 1}, "tools": [{"name": "mirror"}]}
SUCCESS = 2
GARBAGE_MESSAGES = 200
SEED = 7


def address(endpoint):
    host, port = endpoint.removeprefix("tcp://").split(":")
    return host, int(port)


class Wire(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.cluster.start_broker()

    def peer(self, *arguments, **keywords):
        peer = wire.Peer(*arguments, **keywords)
        self.addCleanup(peer.close)
        peer.handshake()
        return peer

    def run_one_task(self):
        worker = self.peer(self.cluster.worker_endpoint, role=wire.WORKER, offer=OFFER)
        worker.send("CREDIT", {"slots_total": 10, "bytes_total": 100_000})
        client = self.peer(self.cluster.client_endpoint, user="ada")
        (task_id,) = wire.new_ids(1)
        ack = client.ask("SUBMIT", {"specs": [{"tool": "mirror"}],
                                    "items": [wire.new_item(task_id, {"n": 5})]}, "SUBMIT_ACK")
        self.assertEqual([item["code"] for item in ack["items"]], [0])
        client.send("WAIT", {"tasks": [task_id]})
        item = worker.expect("TASKS").body["items"][0]
        self.assertEqual(item["attempt"]["task_id"], task_id)
        self.assertEqual(wire.decode_params(item["params"]), {"n": 5})
        worker.send("STARTED", {"items": [{"attempt": item["attempt"], "pid": os.getpid()}]})
        outcome = {"state": SUCCESS, "failure": 0, "exit_code": 0, "signal": 0,
                   "usage": {"wall_us": 1, "user_us": 1, "system_us": 1, "max_rss_bytes": 1},
                   "reason": "", "report": b"anything: the broker does not read it"}
        worker.send("RESULT", {"items": [{"attempt": item["attempt"], "outcome": outcome}]})
        self.assertEqual(worker.expect("RESULT_ACK").body["items"][0]["code"], 0)
        done = client.expect("DONE").body["tasks"][0]
        self.assertEqual(done["attempt"], item["attempt"])
        self.assertEqual(done["outcome"]["report"], outcome["report"])
        self.assertEqual(done["worker"], "pyzmq")

    def test_a_task_from_submit_to_done(self):
        self.run_one_task()

    def test_garbage_on_every_port_harms_nobody(self):
        chance = random.Random(SEED)
        for endpoint in (self.cluster.client_endpoint, self.cluster.worker_endpoint):
            noise = zmq.Context.instance().socket(zmq.DEALER)
            noise.setsockopt(zmq.LINGER, 2000)
            noise.connect(endpoint)
            good = wire.encode("PING", {"t": 1}, 1, 12345)
            for i in range(GARBAGE_MESSAGES):
                frames = [chance.randbytes(chance.randrange(0, 300))
                          for _ in range(chance.randrange(1, 6))]
                if i % 4 == 0:  # a well-formed envelope around a damaged body
                    frames = [good[0], chance.randbytes(40)]
                noise.send_multipart(frames)
            noise.close()
        for endpoint in (self.cluster.client_endpoint, self.cluster.worker_endpoint,
                         self.cluster.event_endpoint):
            with socket.create_connection(address(endpoint), timeout=10) as raw:
                raw.sendall(chance.randbytes(4096))
        subscriber = zmq.Context.instance().socket(zmq.XSUB)
        subscriber.setsockopt(zmq.LINGER, 2000)
        subscriber.connect(self.cluster.event_endpoint)
        for _ in range(GARBAGE_MESSAGES):
            subscriber.send(chance.randbytes(chance.randrange(1, 260)))
        subscriber.close()
        self.run_one_task()
        self.assertIsNone(self.cluster.broker.child.poll(), self.cluster.broker.tail())


if __name__ == "__main__":
    unittest.main(verbosity=2)
