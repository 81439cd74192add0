#!/usr/bin/env python3
"""What a task leaves reaches a client that shares no disk with the worker."""

import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import ArtifactCase, sha256, wait_until, wire  # noqa: E402
from unavailable import main  # noqa: E402

SEVERAL = """
head -c 3000000 /dev/urandom > big.bin
mkdir -p deep/er
head -c 300000 big.bin > deep/er/part.bin
printf short > short.txt
: > empty.txt
echo said
"""

MELT = """
units lj
lattice fcc 0.8442
region box block 0 4 0 4 0 4
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
fix 1 all nve
dump 1 all atom 10 melt.dump
run 50
"""


def by_name(result):
    return {artifact["name"]: artifact for artifact in result["artifact_details"]}


class Artifacts(ArtifactCase):
    def test_they_come_without_the_worker_and_its_disk(self):
        task_id, result = self.run_script(SEVERAL)
        self.assertEqual(result["status"], "success", result)
        artifacts = by_name(result)
        self.assertLessEqual({"big.bin", "deep/er/part.bin", "short.txt", "empty.txt", "stdout.log"},
                             set(artifacts))
        self.assertTrue(artifacts["big.bin"]["stored"])
        self.assertFalse(artifacts["stdout.log"]["stored"], "it is in the report")
        left = {name: pathlib.Path(artifact["path"]).read_bytes()
                for name, artifact in artifacts.items()}
        self.assertEqual(self.cluster.workers["w0"].stop(), 0)
        shutil.rmtree(self.cluster.folder / "w0")

        to = self.here / "results"
        got = self.cluster.cli("artifacts", "get", task_id, "--to", to)["artifacts"]
        self.assertEqual({item["name"] for item in got}, set(artifacts))
        for name, content in left.items():
            self.assertEqual((to / name).read_bytes(), content, name)
            self.assertEqual(artifacts[name]["sha256"], sha256(content), name)
        self.assertEqual(list(to.rglob("*.part")), [])

        listed = self.cluster.cli("artifacts", "list", task_id)["artifacts"]
        self.assertEqual({item["name"]: item["size"] for item in listed},
                         {name: len(content) for name, content in left.items()})
        text = self.cluster.run("taskpipe", "artifacts", "list", task_id).stdout
        self.assertIn(artifacts["big.bin"]["sha256"], text)

    def test_some_of_them_by_name_and_pattern(self):
        task_id, _ = self.run_script(SEVERAL)
        to = self.here / "some"
        self.cluster.cli("artifacts", "get", task_id, "short.txt", "*.bin", "--to", to)
        found = {str(path.relative_to(to)) for path in to.rglob("*") if path.is_file()}
        self.assertEqual(found, {"short.txt", "big.bin", "deep/er/part.bin"})
        done = self.cluster.run("taskpipe", "artifacts", "get", task_id, "none.*", "--to", to)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("none.*", done.stderr)

    def test_equal_contents_are_kept_once(self):
        script = "yes 0123456789 | head -c 700000 > a; cp a b; echo $SIM_N > n"
        self.run_script(script, "-p", "n=1")
        before = self.blobs()
        _, result = self.run_script(script, "-p", "n=2")
        artifacts = by_name(result)
        self.assertEqual(artifacts["a"]["sha256"], artifacts["b"]["sha256"])
        new = set(self.blobs()) - set(before)
        self.assertEqual(new, {artifacts["n"]["sha256"]})

    def test_a_failed_task_leaves_its_files_too(self):
        task_id, result = self.run_script("head -c 400000 /dev/zero > core; exit 3")
        self.assertEqual(result["status"], "failed")
        self.cluster.cli("artifacts", "get", task_id, "core", "--to", self.here)
        self.assertEqual((self.here / "core").stat().st_size, 400_000)

    def test_a_task_that_goes_on_has_none_yet(self):
        task_id = self.submit("read -t 300 line < <(sleep 300)")
        done = self.cluster.run("taskpipe", "artifacts", "list", task_id)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("has not ended", done.stderr)
        self.cluster.run("taskpipe", "cancel", task_id)

    def test_names_that_would_leave_the_folder_are_refused(self):
        offer = {"slots": 1, "resources": {"cpus": 1}, "tools": [{"name": "evil"}]}
        worker = self.peer(role=wire.WORKER, offer=offer)
        worker.send("CREDIT", {"slots_total": 1, "bytes_total": 100_000})
        task_id = self.cluster.cli("submit", "evil")["task_ids"][0]
        item = worker.expect("TASKS").body["items"][0]
        names = ["../outside", "/tmp/absolute", "a/../../outside", "good"]
        report = wire.encode_report({"artifacts": [{"name": name, "size_bytes": 0}
                                                   for name in names]})
        outcome = {"state": 2, "failure": 0, "exit_code": 0, "signal": 0, "reason": "",
                   "usage": {"wall_us": 1, "user_us": 1, "system_us": 1, "max_rss_bytes": 1},
                   "report": report}
        worker.send("RESULT", {"items": [{"attempt": item["attempt"], "outcome": outcome}]})
        to = self.here / "to"
        done = self.cluster.run("taskpipe", "artifacts", "get", task_id, "--to", to, "--wait")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("is not fetched"), 3, done.stderr)
        self.assertEqual([path.name for path in to.iterdir()], ["good"])
        self.assertFalse((self.here / "outside").exists())

    def test_a_folder_that_is_a_link_is_not_followed(self):
        task_id, _ = self.run_script("mkdir d; echo x > d/file; head -c 70000 /dev/zero >> d/file")
        to = self.here / "to"
        to.mkdir()
        (self.here / "elsewhere").mkdir()
        (to / "d").symlink_to(self.here / "elsewhere")
        done = self.cluster.run("taskpipe", "artifacts", "get", task_id, "d/file", "--to", to)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(list((self.here / "elsewhere").iterdir()), [])


    def test_what_the_worker_wrote_is_no_artifact_unless_it_was_changed(self):
        _, result = self.run_script("true", "-p", "n=1")
        self.assertEqual(set(by_name(result)) - {"stdout.log", "stderr.log"}, set())
        self.assertEqual(self.blobs(), {}, "an empty task has sent something")
        _, result = self.run_script("echo '{}' > params.json", "-p", "n=1")
        self.assertIn("params.json", by_name(result))


    def test_a_backup_has_them(self):
        task_id, result = self.run_script("head -c 500000 /dev/urandom > big")
        copy = self.cluster.folder / "copy"
        done = self.cluster.run("taskpipe-broker", "--backup", copy, "--data-dir",
                                self.cluster.folder / "data")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.cluster.broker.kill()
        shutil.rmtree(self.cluster.folder / "data")
        copy.rename(self.cluster.folder / "data")
        self.cluster.start_broker()
        self.cluster.cli("artifacts", "get", task_id, "big", "--to", self.here)
        content = (self.here / "big").read_bytes()
        self.assertEqual(sha256(content), by_name(result)["big"]["sha256"])


    @unittest.skipUnless(shutil.which("lmp"), "LAMMPS is not installed")
    def test_the_dump_of_a_solver(self):
        path = self.here / "melt.lammps"
        path.write_text(MELT)
        task_id = self.cluster.cli("submit", "lammps", "--script", path)["task_ids"][0]
        result = self.result(task_id)
        self.assertEqual(result["status"], "success", result)
        self.cluster.cli("artifacts", "get", task_id, "*.dump", "log.lammps", "--to", self.here)
        frames = (self.here / "melt.dump").read_text().count("ITEM: TIMESTEP")
        self.assertEqual(frames, 6)
        self.assertIn("Total wall time", (self.here / "log.lammps").read_text())
        self.assertEqual(sha256((self.here / "melt.dump").read_bytes()),
                         by_name(result)["melt.dump"]["sha256"])


class Quota(ArtifactCase):
    broker_options = ("--artifact-quota", "1M")

    def test_what_does_not_fit_stays_and_says_so(self):
        task_id, result = self.run_script(
            "head -c 3000000 /dev/urandom > big; head -c 100000 /dev/urandom > small")
        self.assertEqual(result["status"], "success", "a task does not fail for it")
        artifacts = by_name(result)
        self.assertTrue(artifacts["small"]["stored"])
        self.assertFalse(artifacts["big"]["stored"])
        self.assertIn("--artifact-quota", artifacts["big"]["problem"])
        done = self.cluster.run("taskpipe", "artifacts", "get", task_id, "big", "--to", self.here)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--artifact-quota", done.stderr)
        self.cluster.cli("artifacts", "get", task_id, "small", "--to", self.here)


class Patience(ArtifactCase):
    worker_options = ("--upload-patience", "1s")

    def test_without_a_broker_a_task_ends_with_its_own_state(self):
        task_id = self.submit("mkfifo go; read line < go; head -c 500000 /dev/zero > big")
        work = self.cluster.folder / "w0" / "attempts"
        wait_until(lambda: list(work.glob("*/*/go")), "the attempt runs")
        self.cluster.broker.kill()
        next(iter(work.glob("*/*/go"))).write_text("on\n")
        self.cluster.workers["w0"].wait_for("artifacts stay on this node")
        self.cluster.start_broker()
        result = self.result(task_id)
        self.assertEqual(result["status"], "success")
        self.assertFalse(by_name(result)["big"]["stored"])
        self.assertTrue(by_name(result)["big"]["problem"])


class Shared(ArtifactCase):
    worker_options = None

    def test_a_shared_file_system_is_used(self):
        (self.cluster.folder / "w0").mkdir()
        self.cluster.start_worker("w0", "--shared-dir", self.cluster.folder / "w0")
        task_id, result = self.run_script("head -c 3000000 /dev/urandom > big")
        big = by_name(result)["big"]
        self.assertTrue(big["shared"])
        self.assertFalse(big["stored"])
        self.assertEqual(self.blobs(), {})
        self.cluster.cli("artifacts", "get", task_id, "big", "--to", self.here)
        path = pathlib.Path(big["path"])
        self.assertEqual((self.here / "big").read_bytes(), path.read_bytes())
        path.write_bytes(b"changed" * 1000)
        done = self.cluster.run("taskpipe", "artifacts", "get", task_id, "big", "--to",
                                self.here / "again")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("changed", done.stderr)


if __name__ == "__main__":
    main()
