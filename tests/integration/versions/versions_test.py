#!/usr/bin/env python3
"""Other releases against this one: Python peers that play an older or a newer client, worker and
broker, against the real broker, worker and command line (docs/protocol.md §12)."""

import os
import pathlib
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from other_release import UNKNOWN_TYPE, OtherBroker, grown, patched  # noqa: E402

import taskpipe_wire as wire  # noqa: E402
from cluster import Cluster  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
OFFER = {"slots": 1, "resources": {"cpus": 1}, "tools": [{"name": "mirror"}]}
OUTCOME = {"state": 2, "failure": 0, "exit_code": 0, "signal": 0, "reason": "", "report": b"x",
           "usage": {"wall_us": 1, "user_us": 1, "system_us": 1, "max_rss_bytes": 1}}
VERSION, UNSUPPORTED = 1, 15
EXIT_REFUSED = 5  # of a worker


class AgainstTheBroker(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(Cluster(BIN_DIR))
        self.cluster.start_broker()

    def connect(self, worker=False):
        endpoint = self.cluster.worker_endpoint if worker else self.cluster.client_endpoint
        peer = wire.Peer(endpoint, role=int(worker), offer=OFFER if worker else None, user="ada")
        self.addCleanup(peer.close)
        return peer

    def hello(self, peer, lowest, highest):
        """Says which versions it speaks; the next answer."""
        peer.expect("WHO")
        peer.send("HELLO", {"role": peer.role, "user": "ada", "uuid": peer.uuid, "incarnation": 1,
                            "version_min": lowest, "version_max": highest, "worker": peer.offer,
                            **({"features": ["later"]} if highest > 1 else {})})
        answer = peer.receive()
        if answer.name == "WELCOME":
            peer.welcome, peer.session = answer.body, answer.body["session"]
        return answer

    def run_one_task(self, worker, client):
        worker.send("CREDIT", {"slots_total": 10, "bytes_total": 100_000})
        (task_id,) = wire.new_ids(1)
        ack = client.ask("SUBMIT", {"specs": [{"tool": "mirror"}], "items": [wire.new_item(task_id)]},
                         "SUBMIT_ACK")
        self.assertEqual([item["code"] for item in ack["items"]], [0])
        client.send("WAIT", {"tasks": [task_id]})
        attempt = worker.expect("TASKS").body["items"][0]["attempt"]
        worker.send("STARTED", {"items": [{"attempt": attempt, "pid": 1}]})
        worker.send("RESULT", {"items": [{"attempt": attempt, "outcome": OUTCOME}]})
        self.assertEqual(worker.expect("RESULT_ACK").body["items"][0]["code"], 0)
        done = client.expect("DONE").body["tasks"][0]
        self.assertEqual((done["attempt"], done["outcome"]), (attempt, OUTCOME))

    def test_peers_of_a_later_minor_release_are_served_in_version_1(self):
        with grown():
            worker, client = self.connect(worker=True), self.connect()
            for peer in (worker, client):
                answer = self.hello(peer, 1, 9)
                self.assertEqual((answer.name, answer.body.get("version")), ("WELCOME", 1))
            self.run_one_task(worker, client)

    def test_peers_that_know_only_what_is_required_are_served(self):
        worker, client = self.connect(worker=True), self.connect()
        for peer in (worker, client):
            self.assertEqual(self.hello(peer, 1, 1).name, "WELCOME")
        self.run_one_task(worker, client)

    def test_no_version_in_common_is_refused_by_name_and_harms_nobody(self):
        worker, client = self.connect(worker=True), self.connect()
        for peer in (worker, client):
            self.assertEqual(self.hello(peer, 1, 1).name, "WELCOME")
        for is_worker in (False, True):
            for lowest, highest in ((2, 9), (0, 0)):
                answer = self.hello(self.connect(is_worker), lowest, highest)
                self.assertEqual((answer.name, answer.body["code"]), ("ERROR", VERSION))
                self.assertIn("update the older side", answer.body["text"])
        self.run_one_task(worker, client)

    def refused(self, peer, frames, code):
        """That the answer to them is an ERROR with that code; the session goes on."""
        peer.socket.send_multipart(frames)
        answer = peer.receive()
        self.assertEqual((answer.name, answer.body.get("code")), ("ERROR", code), answer.body)
        self.assertEqual(peer.ask("PING", {"t": 5}, "PONG")["t"], 5)
        return answer

    def test_what_only_a_later_release_knows_is_refused_and_the_session_goes_on(self):
        worker, client = self.connect(worker=True), self.connect()
        for peer in (worker, client):
            self.assertEqual(self.hello(peer, 1, 2).name, "WELCOME")
            if peer is worker:
                peer.expect("RECONCILE")  # once the disk has its name: it may come amid what follows
            frames = wire.encode("PING", {"t": 1}, 77, peer.session)
            answer = self.refused(peer, patched(frames, kind=UNKNOWN_TYPE), UNSUPPORTED)
            self.assertEqual(answer.header.correlation, 77)
            answer = self.refused(peer, patched(frames, major=2), VERSION)
            self.assertIn("update the older side", answer.body["text"])
            flags = bytearray(frames[0])
            struct.pack_into(">H", flags, 4, 0xFFFE)  # all but RESEND: to be ignored
            peer.socket.send_multipart([bytes(flags), *frames[1:]])
            self.assertEqual(peer.expect("PONG").body["t"], 1)
        self.run_one_task(worker, client)


class AgainstWorkerAndClient(unittest.TestCase):
    """The broker is another release's."""

    def use(self, **what):
        other = self.enterContext(OtherBroker(**what))
        cluster = self.enterContext(Cluster(BIN_DIR))
        cluster.client_endpoint, cluster.worker_endpoint = other.client_endpoint, other.worker_endpoint
        return other, cluster

    def start_worker(self, cluster):
        return cluster.start_worker("w", wait=False)

    def submit(self, cluster, *options):
        script = cluster.folder / "through.sh"
        script.write_text("echo through\n")
        return cluster.run("taskpipe", "submit", "shell", "--script", script, *options)

    def run_a_task(self, cluster):
        worker = self.start_worker(cluster)
        worker.wait_for("registered with the broker")
        done = self.submit(cluster)
        self.assertEqual(done.returncode, 0, done.stderr)
        task = done.stdout.strip()
        done = cluster.run("taskpipe", "wait", task)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + worker.tail())
        done = cluster.run("taskpipe", "result", task)
        self.assertIn("through", done.stdout, done.stderr)
        return worker

    def test_a_broker_of_the_first_release(self):
        _, cluster = self.use()
        self.run_a_task(cluster)
        # What it does not have is refused with a reason, and never left out silently.
        done = cluster.run("taskpipe", "dead", "resubmit", "0" * 31 + "1")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("UNSUPPORTED", done.stderr)
        done = self.submit(cluster, "--input", __file__)
        self.assertNotEqual(done.returncode, 0, "a task without its input was submitted")
        self.assertIn("bulk", done.stderr)

    def test_a_broker_of_a_later_minor_release(self):
        _, cluster = self.use(newer=True)
        worker = self.run_a_task(cluster)
        # The message of an unknown type cost its reader a line of log, and nothing else.
        worker.wait_for("cannot be read")
        self.assertIsNone(worker.child.poll())

    def refuses(self, cluster):
        done = self.submit(cluster)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("VERSION", done.stderr)
        worker = self.start_worker(cluster)
        self.assertEqual(worker.child.wait(60), EXIT_REFUSED)
        worker.wait_for("another version of the protocol")
        return done.stderr

    def test_a_broker_that_chooses_a_version_nobody_offered(self):
        _, cluster = self.use(version=2)
        self.assertIn("install matching versions", self.refuses(cluster))

    def test_a_broker_of_another_major_version(self):
        _, cluster = self.use(major=2)
        self.assertIn("protocol 2", self.refuses(cluster))


if __name__ == "__main__":
    unittest.main(verbosity=2)
