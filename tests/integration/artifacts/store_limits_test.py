#!/usr/bin/env python3
"""What goes when the store is full or old, what must stay, and a disk that fills up under an upload.

Time is what the files say: the broker is stopped, and finds files that were last used long ago.
"""

import contextlib
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import ArtifactCase, sha256, wait_until  # noqa: E402
from small_disk import SmallDisk, Unavailable  # noqa: E402
from unavailable import main  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
HOUR_S = 3600


def artifact(result, name):
    return next(a for a in result["artifact_details"] if a["name"] == name)


class OldFiles(ArtifactCase):
    broker_options = ("--artifact-quota", "1M", "--artifact-retention", "2d")

    def age(self, hours):
        """Stops the broker, makes each named file so many hours old, starts it again."""
        self.assertEqual(self.cluster.broker.stop(), 0)
        for digest, since in hours.items():
            then = time.time() - since * HOUR_S
            os.utime(self.blobs()[digest], (then, then))
        self.cluster.start_broker(*self.broker_options)

    def stored(self, size):
        task_id, result = self.run_script(f"head -c {size} /dev/urandom > out")
        out = artifact(result, "out")
        self.assertTrue(out["stored"], out)
        return task_id, out["sha256"]

    def get(self, task_id, name="out"):
        return self.cluster.run("taskpipe", "artifacts", "get", task_id, name,
                                "--to", self.here / task_id)

    def test_what_was_used_longest_ago_makes_room(self):
        first, first_hash = self.stored(400 * KIB)
        second, second_hash = self.stored(400 * KIB)
        self.age({first_hash: 3, second_hash: 4})
        self.assertEqual(self.get(second).returncode, 0)  # a use: it is the younger one now
        _, third_hash = self.stored(400 * KIB)
        self.assertEqual(set(self.blobs()), {second_hash, third_hash})
        self.cluster.broker.wait_for("files were removed from the store")
        gone = self.get(first)
        self.assertNotEqual(gone.returncode, 0)
        self.assertIn("out", gone.stderr)
        self.assertEqual(self.cluster.run("taskpipe", "wait", first).returncode, 0,
                         "the task's result stays")

    def test_what_a_waiting_task_needs_stays(self):
        path = self.here / "data"
        path.write_bytes(os.urandom(600 * KIB))
        needed = sha256(path.read_bytes())
        task_id = self.submit("cp data copy", "--input", path, "--resource", "late=1",
                              "--wait-for-capacity")
        self.age({needed: 24 * 30})
        _, result = self.run_script(f"head -c {600 * KIB} /dev/urandom > out")
        out = artifact(result, "out")
        self.assertFalse(out["stored"], "it has no room beside the input")
        self.assertIn("--artifact-quota", out["problem"])
        self.assertIn(needed, self.blobs())
        self.cluster.start_worker("late", "--resource", "late=1")
        result = self.result(task_id)
        self.assertEqual(result["status"], "success", result)
        self.assertEqual(artifact(result, "copy")["sha256"], needed)

    def test_what_is_too_old_goes(self):
        old_task, old = self.stored(10 * KIB)
        _, young = self.stored(10 * KIB)
        self.age({old: 49, young: 47})
        wait_until(lambda: set(self.blobs()) == {young}, "the old file is removed")
        self.assertNotEqual(self.get(old_task).returncode, 0)


class FullDisk(ArtifactCase):
    # The store begins an upload only where 256 MiB stay free beside it.
    DISK, SIZE = "1100M", 200 * MIB
    TRIES = 3

    def start_cluster(self):
        self.disk = SmallDisk(self.cluster.folder, self.cluster.folder / "data", self.DISK)
        try:
            self.disk.__enter__()
        except Unavailable as reason:
            self.skipTest(f"a loop-mounted file system: {reason}")
        self.addCleanup(self.disk.__exit__, None, None, None)
        super().start_cluster()

    def written(self):
        """What is there of an upload that has not ended; 0 when there is none."""
        sizes = [0]
        for path in self.partials():
            with contextlib.suppress(FileNotFoundError):  # it has ended just now
                sizes.append(path.stat().st_size)
        return max(sizes)

    def stop_in_an_upload(self):
        """A task whose upload has begun, its worker stopped in the middle; and how far it came."""
        worker = self.cluster.workers["w0"]
        for _ in range(self.TRIES):
            task_id = self.submit(f"head -c {self.SIZE} /dev/urandom > big; echo done > small")
            stored = len(self.blobs())
            wait_until(lambda: self.written() > 0 or len(self.blobs()) > stored,
                       "the upload begins", limit_s=120, step_s=0.002)
            os.kill(worker.pid, signal.SIGSTOP)
            if 0 < self.written() < self.SIZE:
                return task_id, self.written()
            os.kill(worker.pid, signal.SIGCONT)  # too late: it was through already
            self.result(task_id)
        return self.fail(f"no upload was met in its middle, in {self.TRIES} tries")

    def test_a_disk_that_fills_up_under_an_upload(self):
        task_id, written = self.stop_in_an_upload()
        self.disk.fill()
        os.kill(self.cluster.workers["w0"].pid, signal.SIGCONT)
        result = self.result(task_id)
        self.assertEqual(result["status"], "success", "a task does not fail for it")
        big = artifact(result, "big")
        self.assertFalse(big["stored"])
        self.assertTrue(big["problem"])
        self.assertIsNone(self.cluster.broker.child.poll(), self.cluster.broker.tail())
        self.assertEqual(self.partials(), [], "what cannot be finished takes no room")

        self.disk.release()
        wait_until(lambda: self.cluster.run("taskpipe", "health").returncode == 0,
                   "the broker is healthy again")
        again_id, again = self.run_script("head -c 3000000 /dev/urandom > out")
        self.assertTrue(artifact(again, "out")["stored"], again)
        self.cluster.cli("artifacts", "get", again_id, "out", "--to", self.here)
        print(f"the disk was full after {written >> 10} of {self.SIZE >> 10} KiB: "
              f"{big['problem']}")


if __name__ == "__main__":
    main()
