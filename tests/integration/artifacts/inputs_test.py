#!/usr/bin/env python3
"""What a task needs travels with it, by hash."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import ArtifactCase, sha256, wire  # noqa: E402

ERROR = 5


class Inputs(ArtifactCase):
    def write(self, name, content):
        path = self.here / name
        path.write_bytes(content)
        return path

    def test_files_arrive_under_their_names(self):
        mesh = self.write("mesh.msh", os.urandom(3_000_000))
        small = self.write("small.txt", b"small")
        empty = self.write("empty.txt", b"")
        tool = self.write("tool.sh", b"#!/bin/sh\necho ran\n")
        tool.chmod(0o755)
        _, result = self.run_script(
            "sha256sum < mesh.msh; cat data/renamed.txt; test -e empty.txt; ./tool.sh; "
            "echo more >> mesh.msh",
            "--input", mesh, "--input", f"{small}:data/renamed.txt", "--input", empty,
            "--input", tool)
        self.assertEqual(result["status"], "success", result)
        self.assertIn(sha256(mesh.read_bytes()), result["stdout"])
        self.assertIn("small", result["stdout"])
        self.assertIn("ran", result["stdout"])
        names = {artifact["name"] for artifact in result["artifact_details"]}
        self.assertIn("mesh.msh", names, "it was changed")
        self.assertNotIn("tool.sh", names, "it is what was sent")
        # A task that changes its input changes nobody else's.
        _, result = self.run_script("sha256sum < mesh.msh", "--input", mesh)
        self.assertIn(sha256(mesh.read_bytes()), result["stdout"])

    def test_the_worker_keeps_them_for_the_next_task(self):
        data = self.write("data", os.urandom(500_000))
        self.run_script("test -e data", "--input", data)
        self.assertIn(sha256(data.read_bytes()), self.blobs())
        # Without the store's copy: the cache has it.
        self.blobs()[sha256(data.read_bytes())].unlink()
        client = self.peer(user=os.environ.get("USER", "root"))
        state = self.run_raw(client, sha256(data.read_bytes()), 500_000)
        self.assertEqual(state["outcome"]["state"], 2)

    def run_raw(self, client, digest, size):
        (task_id,) = wire.new_ids(1)
        spec = {"tool": "shell", "script": "x.sh", "inline_script": b"test -e data",
                "inputs": [{"name": "data", "sha256": digest, "size_bytes": size}]}
        client.ask("SUBMIT", {"specs": [spec], "items": [wire.new_item(task_id)]}, "SUBMIT_ACK")
        client.send("WAIT", {"tasks": [task_id]})
        return client.expect("DONE").body["tasks"][0]

    def test_a_missing_input_ends_the_task_and_is_named(self):
        client = self.peer()
        digest = sha256(b"nobody has it")
        done = self.run_raw(client, digest, 13)
        self.assertEqual(done["outcome"]["state"], ERROR)
        self.assertIn("'data'", done["outcome"]["reason"])
        self.assertIn(digest, done["outcome"]["reason"])

    def test_a_large_script_goes_by_hash(self):
        script = self.write("large.sh", b"echo large\n" + b"# padding\n" * 150_000)
        ids = self.cluster.cli("submit", "shell", "--script", script)["task_ids"]
        result = self.result(ids[0])
        self.assertEqual(result["status"], "success", result)
        self.assertEqual(result["stdout"], "large\n")
        self.assertIn(sha256(script.read_bytes()), self.blobs())

    def test_a_file_that_is_not_there_is_named_before_anything_is_sent(self):
        done = self.cluster.run("taskpipe", "submit", "shell", "hello.sh", "--input",
                                self.here / "none")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("none", done.stderr)
        done = self.cluster.run("taskpipe", "submit", "shell", "hello.sh", "--input",
                                f"{self.write('x', b'x')}:../x")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("..", done.stderr)

    def test_a_dead_letter_that_is_submitted_again_has_them(self):
        data = self.write("data", os.urandom(200_000))
        task_id, result = self.run_script("sha256sum < data; exit 1", "--input", data)
        self.assertEqual(result["status"], "failed")
        (pair,) = self.cluster.cli("dead", "resubmit", task_id)["resubmitted"]
        again = self.result(pair["task_id"])
        self.assertIn(sha256(data.read_bytes()), again["stdout"], again)

    def test_a_restarted_broker_still_knows_them(self):
        self.assertEqual(self.cluster.workers["w0"].stop(), 0)
        data = self.write("data", os.urandom(200_000))
        task_id = self.submit("sha256sum < data", "--input", data)
        self.cluster.broker.kill()
        self.cluster.start_broker()
        self.start_worker()
        self.assertIn(sha256(data.read_bytes()), self.result(task_id)["stdout"])


class Eviction(ArtifactCase):
    broker_options = ("--artifact-quota", "1M")

    def test_an_input_of_a_waiting_task_is_not_given_away(self):
        # Without a worker the task waits; its input fills most of the store.
        self.assertEqual(self.cluster.workers["w0"].stop(), 0)
        path = self.here / "data"
        path.write_bytes(os.urandom(900_000))
        self.submit("true", "--input", path, "--wait-for-capacity")
        other = self.here / "other"
        other.write_bytes(os.urandom(900_000))
        done = self.cluster.run("taskpipe", "submit", "shell", "--script", self.here / "script.sh",
                                "--input", other, "--wait-for-capacity")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--artifact-quota", done.stderr)
        self.assertIn(sha256(path.read_bytes()), self.blobs())


if __name__ == "__main__":
    unittest.main(verbosity=2)
