#!/usr/bin/env python3
"""A broker whose disk has become read-only answers questions, takes nothing, and says why."""

import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402
from small_disk import SmallDisk, Unavailable  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
OPTIONS = ("--journal-segment", "256K")


def client_port_alone(test, cluster):
    """Of the four ports one is open, and whoever wants files is told why there are none."""
    listening = json.loads(cluster.broker.wait_for('"listening"'))
    for port, endpoint in (("clients", cluster.client_endpoint), ("workers", cluster.worker_endpoint),
                           ("events", cluster.event_endpoint), ("bulk", cluster.bulk_endpoint)):
        host, number = endpoint.removeprefix("tcp://").split(":")
        with test.subTest(port=port), socket.socket() as probe:
            if port == "clients":
                probe.connect((host, int(number)))
                continue
            test.assertFalse(listening.get(port))
            with test.assertRaises(ConnectionRefusedError):
                probe.connect((host, int(number)))
    given = cluster.folder / "given"
    given.write_text("an input")
    said = cluster.run("taskpipe", "submit", "noop", "--input", given)
    test.assertNotEqual(said.returncode, 0)
    test.assertIn("serves reads only", said.stderr)


class ReadOnly(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.data = self.cluster.folder / "data"
        self.disk = SmallDisk(self.cluster.folder, self.data, "24M")
        try:
            self.disk.__enter__()
        except Unavailable as reason:
            self.skipTest(f"a loop-mounted file system: {reason}")
        self.addCleanup(self.disk.__exit__, None, None, None)

    def say(self, *arguments):
        done = self.cluster.run("taskpipe", *arguments)
        return done.returncode, done.stdout + done.stderr

    def contents(self):
        return {path.relative_to(self.data): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.data.rglob("*") if path.is_file()}

    def work_until(self, stop):
        """One task that has ended, one that waits for a tool that nobody has; then `stop`."""
        self.cluster.start_broker(*OPTIONS)
        worker = self.cluster.start_worker("w0")
        _, ended = self.say("submit", "noop")
        self.assertEqual(self.say("wait", ended.strip())[0], 0)
        code, waiting = self.say("submit", "nosuchtool", "--wait-for-capacity")
        self.assertEqual(code, 0, waiting)
        worker.kill()
        stop(self.cluster.broker)
        return ended.strip(), waiting.strip()

    def epoch(self):
        return re.search(r'"epoch":"(\d+)"', self.cluster.broker.wait_for('"recovered"')).group(1)

    def reads_only(self, ended, waiting):
        """Against the broker that runs now."""
        before = self.contents()
        self.cluster.broker.wait_for("serving reads only")
        said = self.cluster.broker.wait_for('"remedy"')
        self.assertIn("start taskpipe-broker again", said)
        self.assertEqual(self.say("wait", ended)[0], 0)
        self.assertIn("SUCCESS", self.say("status", ended)[1])
        self.assertIn("PENDING", self.say("status", waiting)[1])
        code, listed = self.say("list")
        self.assertEqual(code, 0, listed)
        self.assertIn(ended[:8], listed)
        self.assertIn(waiting[:8], listed)
        for refused in (("submit", "noop"), ("submit", "noop", "--wait-for-capacity"),
                        ("cancel", waiting), ("logs", ended)):
            code, said = self.say(*refused)
            self.assertEqual(code, 5, f"{refused}: {said}")
            self.assertIn("reads only", said)
            self.assertIn("start it again", said)
        code, health = self.say("health")
        self.assertEqual(code, 1, health)
        self.assertIn("reads only", health)
        self.assertNotIn("start taskpipe-worker", health)
        client_port_alone(self, self.cluster)
        self.assertEqual(self.contents(), before)

    def works_again(self, ended, waiting, epoch):
        self.cluster.start_broker(*OPTIONS)
        self.assertGreater(int(self.epoch()), int(epoch))
        self.cluster.start_worker("w0")
        self.assertEqual(self.say("wait", ended)[0], 0)
        self.assertEqual(self.say("submit", "noop", "--wait")[0], 0)
        self.assertEqual(self.say("cancel", waiting)[0], 0)
        self.assertIn("REVOKED", self.say("status", waiting)[1])

    def through_a_read_only_file_system(self, stop):
        tasks = self.work_until(stop)
        last = self.epoch()
        self.disk.remount("ro")
        self.cluster.start_broker(*OPTIONS)
        self.assertEqual(self.epoch(), last, "no epoch may begin that is not recorded")
        self.reads_only(*tasks)
        check = self.cluster.run("taskpipe-broker", "--check", "--data-dir", self.data)
        self.assertEqual(check.returncode, 2, "it is in use")
        self.assertEqual(self.cluster.broker.stop(), 0)
        check = self.cluster.run("taskpipe-broker", "--check", "--data-dir", self.data)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        self.disk.remount("rw")
        self.works_again(*tasks, last)

    def test_after_an_orderly_stop(self):
        self.through_a_read_only_file_system(lambda broker: broker.stop())

    def test_after_a_crash_whose_history_is_still_in_its_log(self):
        def crash(broker):
            log = self.data / "history.sqlite-wal"
            wait_until(lambda: log.stat().st_size > 0, "the history has a log")
            broker.kill()
        self.through_a_read_only_file_system(crash)

    def test_a_journal_that_is_damaged_is_still_refused(self):
        self.work_until(lambda broker: broker.stop())
        segment = min((self.data / "journal").glob("*.segment"))
        with open(segment, "r+b") as file:
            file.seek(4096 + 60)
            file.write(b"\xff\xff")
        self.disk.remount("ro")
        self.cluster.start_broker(*OPTIONS, wait=False)
        self.assertEqual(self.cluster.broker.child.wait(30), 1)

    def test_a_folder_without_a_journal_is_still_refused(self):
        self.disk.remount("ro")
        self.cluster.start_broker(*OPTIONS, wait=False)
        self.cluster.broker.wait_for("Read-only file system")
        self.assertEqual(self.cluster.broker.child.wait(30), 1)

    def test_a_full_disk_on_which_the_history_cannot_be_opened(self):
        tasks = self.work_until(lambda broker: broker.stop())
        last = self.epoch()
        self.disk.fill()
        self.cluster.start_broker(*OPTIONS)
        serves = json.loads(self.cluster.broker.wait_for('"listening"'))["serves"]
        print(f"on a full disk the broker serves {serves}")
        if serves == "reads":
            self.assertEqual(self.epoch(), last)
            self.reads_only(*tasks)
        self.cluster.broker.kill()
        self.disk.release()
        self.works_again(*tasks, last)


class FailedWrite(unittest.TestCase):
    """Without a file system of our own: a limit on the size of files fails writes behind it."""

    LIMIT_BYTES = 96 << 10  # SQLite's shared memory fits below it, the journal's end does not

    def test_a_first_record_that_cannot_be_written(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # EFBIG instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.LIMIT_BYTES, self.LIMIT_BYTES))

        with Cluster(BIN_DIR) as cluster:
            cluster.start_broker(*OPTIONS)
            done = cluster.run("taskpipe", "submit", "later", "--wait-for-capacity", "-p",
                               "text=" + "x" * 100_000)
            self.assertEqual(done.returncode, 0, done.stderr)
            task = done.stdout.strip()
            cluster.broker.stop()
            cluster.start_broker(*OPTIONS, preexec_fn=limit)
            cluster.broker.wait_for("serving reads only")
            said = cluster.broker.wait_for('"remedy"')
            self.assertIn("File too large", said)
            self.assertIn(".segment", said)
            self.assertIn("PENDING", cluster.run("taskpipe", "status", task).stdout)
            client_port_alone(self, cluster)
            refused = cluster.run("taskpipe", "cancel", task)
            self.assertEqual(refused.returncode, 5, refused.stdout + refused.stderr)
            self.assertEqual(cluster.broker.stop(), 0)
            cluster.start_broker(*OPTIONS)
            self.assertEqual(cluster.run("taskpipe", "cancel", task).returncode, 0)


if __name__ == "__main__":
    main()
