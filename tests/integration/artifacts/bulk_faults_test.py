#!/usr/bin/env python3
"""kill -9 in the middle of a transfer: it goes on where it was."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import ArtifactCase, sha256, wait_until, wire  # noqa: E402

MIB = 1 << 20


class BulkFaults(ArtifactCase):
    worker_options = ("--upload-patience", "2m")

    def test_an_upload_goes_on_after_the_broker_was_killed(self):
        content = os.urandom(8 * MIB)
        bulk = self.bulk_peer()
        bulk.put(content, most=3 * MIB)
        wait_until(lambda: any(p.stat().st_size == 3 * MIB for p in self.partials()),
                   "the broker has written what was sent")
        self.cluster.broker.kill()
        self.cluster.start_broker()
        again = self.bulk_peer()
        begun, sent = again.put(content)
        self.assertEqual((begun, sent), (3 * MIB, 5 * MIB))
        self.assertEqual(again.get(sha256(content)), content)

    def test_a_worker_brings_its_artifacts_through_a_restart(self):
        # Large enough that the kill comes before its end: it is killed once the first bytes are there.
        task_id = self.submit("head -c 400000000 /dev/urandom > big")
        wait_until(lambda: any(p.stat().st_size > 0 for p in self.partials()),
                   "the upload begins", limit_s=120)
        self.cluster.broker.kill()
        left = [p.stat().st_size for p in self.partials()]
        self.assertTrue(left)
        self.cluster.start_broker()
        result = self.result(task_id)
        self.assertEqual(result["status"], "success", result)
        big = next(a for a in result["artifact_details"] if a["name"] == "big")
        self.assertTrue(big["stored"], big)
        self.assertEqual(self.blobs()[big["sha256"]].stat().st_size, 400_000_000)
        self.assertEqual(self.partials(), [])

    def test_a_download_goes_on_after_the_client_was_killed(self):
        content = os.urandom(300 * MIB)
        path = self.here / "data"
        path.write_bytes(content)
        task_id = self.submit("mv data out", "--input", path)
        self.assertEqual(self.result(task_id)["status"], "success")
        to = self.here / "to"
        part = to / "out.part"
        client = self.cluster.start_cli("artifacts", "get", task_id, "out", "--to", str(to))
        wait_until(lambda: part.exists() and part.stat().st_size > 0, "the download begins")
        client.kill()
        self.assertFalse((to / "out").exists(), "killed too late")
        self.assertGreater(part.stat().st_size, 0)
        inode = part.stat().st_ino
        self.cluster.cli("artifacts", "get", task_id, "out", "--to", str(to))
        self.assertEqual((to / "out").stat().st_ino, inode)
        self.assertEqual(sha256((to / "out").read_bytes()), sha256(content))


if __name__ == "__main__":
    unittest.main(verbosity=2)
