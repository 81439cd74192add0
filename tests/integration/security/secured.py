"""A cluster with keys, for tests: the folder, its join files, and peers that use them."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(SUPPORT / "support"), str(SUPPORT / "python")]
from cluster import Cluster, ClusterError  # noqa: E402
from taskpipe_wire import WORKER, Peer, ProtocolError, new_ids, new_item  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
OFFER = {"slots": 4, "resources": {"cpus": 4}, "tools": [{"name": "tool"}]}
USAGE = {"wall_us": 1, "user_us": 0, "system_us": 0, "max_rss_bytes": 0}


def outcome(state, failure):
    return {"state": state, "failure": failure, "exit_code": 0, "signal": 0, "usage": USAGE,
            "reason": "", "report": b""}


SUCCEEDED, FAILED = outcome(2, 0), outcome(3, 1)


def entry(path, name):
    """A value of a certificate or join file."""
    return re.search(rf'^\s*{name} = "(.*)"$', pathlib.Path(path).read_text(), re.MULTILINE)[1]


class SecuredCluster(Cluster):
    """Cluster whose broker has keys; every peer gets its own by `join`."""

    def __init__(self, bin_dir):
        super().__init__(bin_dir)
        self.keys = self.folder / "keys"
        self.made(subprocess.run([self.bin_dir / "taskpipe-broker", "init", self.keys, "--user", "cleo"],
                                 capture_output=True, text=True, timeout=60, check=False))

    @staticmethod
    def made(done):
        if done.returncode != 0:
            raise ClusterError(done.stdout + done.stderr)
        return done.stdout

    def join(self, name, role="client", owner=None):
        """A new key, admitted; its join file."""
        out = self.folder / f"{name}.join"
        command = [self.program("taskpipe"), "keygen", name, "--role", role, "--keys", self.keys,
                   "--out", out, *(["--owner", owner] if owner else [])]
        reloads = sum('"keys_reloaded"' in line for line in self.audit()) if self.broker else 0
        self.made(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False))
        if self.broker:
            self.wait_reload(reloads)
        return out

    def wait_reload(self, before):
        from cluster import wait_until

        wait_until(lambda: sum('"keys_reloaded"' in line for line in self.audit()) > before,
                   "the keys were read again")

    def reloads(self):
        return sum('"keys_reloaded"' in line for line in self.audit())

    def revoke(self, name):
        """Takes the certificate away and waits until the broker has seen it."""
        before = self.reloads()
        (self.keys / "peers" / f"{name}.key").unlink()
        self.wait_reload(before)

    def audit(self):
        log = self.folder / "data" / "audit.log"
        return log.read_text().splitlines() if log.exists() else []

    def start_broker(self, *options, **keywords):
        return super().start_broker("--keys", self.keys, *options, **keywords)

    def peer(self, join, endpoint=None, **keywords):
        """A pyzmq peer with the keys of a join file."""
        keys = tuple(entry(join, name).encode() for name in ("server-key", "public-key", "secret-key"))
        return Peer(endpoint or self.client_endpoint, keys=keys, **keywords)

    def cli_as(self, join, *arguments, limit_s=60.0):
        """`taskpipe …` with that join file: (exit code, output, complaints)."""
        done = self.run("taskpipe", *arguments, "--join", join, limit_s=limit_s)
        return done.returncode, done.stdout, done.stderr


class Secured(unittest.TestCase):
    """Each test with such a cluster of its own, and peers that speak the protocol."""

    broker_options = ("--heartbeat", "500ms", "--lease", "5s")

    def setUp(self):
        self.cluster = SecuredCluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.cluster.start_broker(*self.broker_options)

    def peer(self, join, **keywords):
        peer = self.cluster.peer(join, **keywords)
        self.addCleanup(peer.close)
        return peer

    def client(self, name, **keywords):
        peer = self.peer(self.cluster.join(name, **keywords))
        peer.handshake()
        return peer

    def worker(self, name="wanda"):
        peer = self.peer(self.cluster.join(name, "worker"), role=WORKER, offer=OFFER,
                         endpoint=self.cluster.worker_endpoint)
        peer.handshake()
        peer.send("CREDIT", {"slots_total": 100, "bytes_total": 1 << 30})
        return peer

    def submit(self, client):
        (task,) = new_ids(1)
        reply = client.ask("SUBMIT", {"specs": [{"tool": "tool", "wait_for_capacity": True}],
                                      "items": [new_item(task)]}, "SUBMIT_ACK")
        self.assertEqual(reply["items"][0]["code"], 0)
        return task

    def refusal(self, peer, name, body, reply):
        with self.assertRaises(ProtocolError) as raised:
            peer.ask(name, body, reply)
        return str(raised.exception)
