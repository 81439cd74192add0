"""What the tests of artifacts and inputs share."""

import hashlib
import json
import os
import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "python")]
import taskpipe_wire as wire  # noqa: E402
from cluster import Cluster, wait_until  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class ArtifactCase(unittest.TestCase):
    """A broker and a worker; the client works in a folder of its own."""

    broker_options = ()
    broker_environment = None
    worker_options = ()

    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.here = self.cluster.folder / "client"
        self.here.mkdir()
        self.start_cluster()

    def start_cluster(self):
        self.cluster.start_broker(*self.broker_options, env=self.broker_environment)
        if self.worker_options is not None:
            self.start_worker()

    def start_worker(self, *options):
        return self.cluster.start_worker("w0", *self.worker_options, *options)

    def submit(self, script, *options):
        """A shell script as a task; its id."""
        path = self.here / "script.sh"
        path.write_text(script)
        return self.cluster.cli("submit", "shell", "--script", path, *options)["task_ids"][0]

    def result(self, task_id):
        """Of a task, however it ended."""
        self.cluster.run("taskpipe", "wait", task_id)
        return json.loads(self.cluster.run("taskpipe", "result", task_id, "--json").stdout)

    def run_script(self, script, *options):
        task_id = self.submit(script, *options)
        return task_id, self.result(task_id)

    def blobs(self):
        """Hash → path of what the store holds."""
        folder = self.cluster.folder / "data" / "blobs"
        return {path.name: path for path in folder.glob("??/*")}

    def partials(self):
        return list((self.cluster.folder / "data" / "blobs" / "partial").iterdir())

    def peer(self, role=wire.CLIENT, **options):
        endpoint = (self.cluster.client_endpoint if role == wire.CLIENT
                    else self.cluster.worker_endpoint)
        peer = wire.Peer(endpoint, role=role, **options)
        self.addCleanup(peer.close)
        peer.handshake()
        return peer

    def bulk_peer(self):
        bulk = wire.BulkPeer(self.peer())
        self.addCleanup(bulk.close)
        bulk.handshake()
        return bulk


__all__ = ["ArtifactCase", "BIN_DIR", "Cluster", "sha256", "wait_until", "wire"]
