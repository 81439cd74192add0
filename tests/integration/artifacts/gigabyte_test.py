#!/usr/bin/env python3
"""A gigabyte through the bulk port, up and down, while a client pings the broker.

What is asserted: the bytes, that the broker's memory does not grow with them, and that control traffic
passes them by: no ping takes so long that its peer would be suspect, and one in a hundred less than a
heartbeat. What is printed: how long it took, and the round trips of the pings meanwhile.
"""

import hashlib
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import ArtifactCase  # noqa: E402
from peer_memory import lean_environment, resident_bytes  # noqa: E402
from ping_meter import PingMeter  # noqa: E402

SIZE = int(os.environ.get("TASKPIPE_BULK_BYTES", str(1 << 30)))
MIB = 1 << 20
# What may wait for peers (kMaxBulkQueueBytes), a window for the upload, and what allocator, libzmq and
# sanitizers add.
MOST_GROWTH = 128 * MIB
HEARTBEAT_MS, SUSPECT_MS = 2000, 6000  # the broker's defaults; far above what is seen


class Gigabyte(ArtifactCase):
    broker_environment = lean_environment()
    worker_options = ("--upload-patience", "5m")

    def test_memory_is_bounded_and_every_byte_arrives(self):
        pid = self.cluster.broker.pid
        before = resident_bytes(pid)
        with PingMeter(self.peer(), pid) as idle:
            time.sleep(2)
        begun = time.monotonic()
        with PingMeter(self.peer(), pid) as up:
            task_id = self.submit(f"head -c {SIZE} /dev/urandom > big")
            done = self.cluster.run("taskpipe", "wait", task_id, limit_s=600)
            self.assertEqual(done.returncode, 0, done.stderr)
        made_s = time.monotonic() - begun
        big = next(a for a in self.result(task_id)["artifact_details"] if a["name"] == "big")
        self.assertTrue(big["stored"], big)
        begun = time.monotonic()
        with PingMeter(self.peer(), pid) as down:
            got = self.cluster.run("taskpipe", "artifacts", "get", task_id, "big", "--to", self.here,
                                   limit_s=600)
        self.assertEqual(got.returncode, 0, got.stderr)
        fetched_s = time.monotonic() - begun
        with open(self.here / "big", "rb") as file:
            self.assertEqual(hashlib.file_digest(file, "sha256").hexdigest(), big["sha256"])
        growth = max(up.most_bytes, down.most_bytes) - before
        print(f"{SIZE >> 20} MiB: made, hashed and uploaded in {made_s:.1f} s, fetched in "
              f"{fetched_s:.1f} s; the broker grew by {growth >> 20} MiB")
        print(f"idle: {idle.told()}\nup:   {up.told()}\ndown: {down.told()}")
        self.assertLess(growth, MOST_GROWTH)
        for pings in (up, down):
            self.assertLess(pings.quantile(0.99), HEARTBEAT_MS)
            self.assertLess(max(pings.trips_ms), SUSPECT_MS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
