#!/usr/bin/env python3
"""taskpipe-broker --check on real data folders: sound ones, torn ones, damaged ones, newer ones."""

import hashlib
import json
import os
import pathlib
import sqlite3
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from cluster import Cluster, wait_until  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
HEADER_BYTES = 4096  # of a segment, before its first batch: segment_format.hpp


def contents(folder):
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


class DataCheck(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.data = self.cluster.folder / "data"
        self.cluster.start_broker("--journal-segment", "256K")
        self.cluster.start_worker("w0")
        self.task = self.cluster.cli("submit", "noop", "--wait")

    def check(self, *options):
        done = self.cluster.run("taskpipe-broker", "--check", "--data-dir", self.data, *options)
        return done.returncode, done.stdout + done.stderr

    def tasks_in_history(self):
        with sqlite3.connect(self.data / "history.sqlite") as database:
            return database.execute("SELECT count(*) FROM tasks").fetchone()[0]

    def segment(self):
        return min((self.data / "journal").glob("*.segment"))

    def patch(self, path, offset, data):
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def test_a_stopped_broker_leaves_a_sound_folder_and_the_check_leaves_it_alone(self):
        self.cluster.broker.stop()
        before = contents(self.data)
        code, said = self.check("--json")
        self.assertEqual(code, 0, said)
        report = json.loads(said)
        self.assertTrue(report["sound"])
        self.assertGreaterEqual(report["journal"]["records"], 4, "epoch, tool, submit, dispatch, …")
        self.assertEqual(report["journal"]["torn_records"], 0)
        self.assertEqual(report["history"]["tasks"], 1)
        self.assertEqual(contents(self.data), before)

    def test_a_killed_broker_too_though_its_history_has_a_log_to_read(self):
        wait_until(lambda: self.tasks_in_history() == 1, "the task is in the history")
        self.cluster.broker.kill()
        self.assertGreater((self.data / "history.sqlite-wal").stat().st_size, 0)
        before = contents(self.data)
        code, said = self.check()
        self.assertEqual(code, 0, said)
        self.assertIn("history: 1 tasks", said)
        self.assertIn("sound", said)
        self.assertEqual(contents(self.data), before)

    def test_a_file_of_the_store_with_another_content_is_named(self):
        self.cluster.broker.stop()
        for content in (b"right", b"changed"):
            digest = hashlib.sha256(content).hexdigest()
            folder = self.data / "blobs" / digest[:2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / digest).write_bytes(content)
        code, said = self.check("--json")
        self.assertEqual(code, 0, said)
        self.assertEqual(json.loads(said)["store"], {"files": 2, "bytes": 12, "unfinished": 0})
        (folder / digest).write_bytes(b"chanqed")
        code, said = self.check()
        self.assertEqual(code, 1, said)
        self.assertIn(digest, said)

    def test_a_running_broker_is_named(self):
        code, said = self.check()
        self.assertEqual(code, 2, said)
        self.assertIn(f"pid {self.cluster.broker.pid}", said)
        self.assertIsNone(self.cluster.broker.child.poll())

    def test_no_data_folder(self):
        self.data = self.cluster.folder / "nothing"
        code, said = self.check()
        self.assertEqual(code, 2)
        self.assertIn("nothing", said)
        self.assertFalse(self.data.exists())

    def test_a_torn_tail_is_counted_and_no_damage(self):
        self.cluster.broker.kill()
        first = json.loads(self.check("--json")[1])
        # A batch of the same life without its place in the chain: what a torn write leaves.
        segment = self.segment()
        data = segment.read_bytes()
        starts = [at for at in range(HEADER_BYTES, len(data) - 48, 8) if data[at:at + 4] == b"TPjb"]
        last = [at for at in starts if struct.unpack_from("<I", data, at + 8)[0] > 0][-1]
        self.patch(segment, last + 48, bytes([data[last + 48] ^ 1]))
        before = contents(self.data)
        code, said = self.check("--json")
        report = json.loads(said)
        self.assertGreater(report["journal"]["torn_records"], 0, said)
        self.assertGreater(report["journal"]["torn_bytes"], 0)
        self.assertLess(report["journal"]["last"], first["journal"]["last"])
        self.assertEqual(contents(self.data), before)
        if report["history"]["watermark"] <= report["journal"]["last"]:
            self.assertEqual(code, 0, said)
        else:  # the history had it already, so it was no torn write: nothing may be cut
            self.assertEqual(code, 1, said)
            self.assertIn("ahead of the journal", said)

    def test_a_flipped_bit_below_what_was_durable_names_file_offset_and_record(self):
        self.cluster.broker.stop()  # its closing note proves everything durable
        self.patch(self.segment(), HEADER_BYTES + 60, b"\xff\xff")
        before = contents(self.data)
        code, said = self.check()
        self.assertEqual(code, 1, said)
        self.assertIn(f"record 1, in {self.segment()} at offset {HEADER_BYTES}", said)
        self.assertIn("restore the data folder from a backup", said)
        self.assertEqual(contents(self.data), before)

    def test_a_damaged_history(self):
        self.cluster.broker.stop()
        history = self.data / "history.sqlite"
        size = history.stat().st_size
        self.patch(history, size // 2, os.urandom(size // 4))
        code, said = self.check()
        self.assertEqual(code, 1, said)
        self.assertIn("history.sqlite", said)
        self.assertIn("restore", said)

    def test_a_history_ahead_of_the_journal(self):
        self.cluster.broker.stop()
        with sqlite3.connect(self.data / "history.sqlite") as database:
            database.execute("UPDATE progress SET watermark = 1000000")
        database.close()
        code, said = self.check()
        self.assertEqual(code, 1, said)
        self.assertIn("ahead of the journal (LSN 1000000", said)

    def newer_is_refused(self, what):
        before = contents(self.data)
        code, said = self.check()
        self.assertEqual(code, 2, said)
        for text in what:
            self.assertIn(text, said)
        self.assertEqual(contents(self.data), before)
        self.cluster.start_broker(wait=False)
        self.cluster.broker.wait_for(what[0])
        self.assertEqual(self.cluster.broker.child.wait(30), 1)
        now = contents(self.data)
        for path in before:
            if path.suffix == ".segment" or path.name in ("history.sqlite", "broker.id"):
                self.assertEqual(now[path], before[path], f"{path} was changed")

    def test_a_journal_of_a_newer_format_is_refused_and_left_alone(self):
        self.cluster.broker.stop()
        self.patch(self.segment(), 8, struct.pack("<I", 4))
        self.newer_is_refused(("journal format 4", "reads up to 3", "release that wrote it"))

    def test_a_history_of_a_newer_schema_is_refused_and_left_alone(self):
        self.cluster.broker.stop()
        with sqlite3.connect(self.data / "history.sqlite") as database:
            database.execute("PRAGMA user_version = 4")
        database.close()
        self.newer_is_refused(("schema 4", "reads up to 3", "release that wrote it"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
