#!/usr/bin/env python3
"""A worker of root whose tools are another user: what they are, what they cannot reach, how they end."""

import hashlib
import json
import os
import pathlib
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import SecuredCluster, entry  # noqa: E402
from cluster import process_state, wait_until  # noqa: E402
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"]).resolve()
# A number without an account, so that nothing on this host belongs to it.
UID, GID = 64321, 64322
NAMES = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "PYTHONUNBUFFERED", "PWD", "SHLVL", "_", "TZ",
         "TASKPIPE_TASK_ID", "TASKPIPE_ATTEMPT", "TASKPIPE_CPUS")


class RunAs(unittest.TestCase):
    """One broker for all tests of a class, a worker for each."""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("becoming another user: the tests do not run as root")
        cls.cluster = cls.enterClassContext(SecuredCluster(BIN_DIR))
        cls.cluster.folder.chmod(0o711)
        cls.cluster.start_broker("--heartbeat", "500ms", "--lease", "5s")
        cls.client_join = cls.cluster.keys / "join/client.join"
        cls.worker_join = cls.cluster.keys / "join/worker.join"

    def setUp(self):
        self.name = self.id().rpartition(".")[2][:40]
        self.work_dir = self.cluster.folder / self.name

    def start_worker(self, *options):
        worker = self.cluster.start_worker(
            self.name, "--join", self.worker_join, "--run-as", f"{UID}:{GID}", "--on-broker-lost", "stop",
            *options, env={**os.environ, "TASKPIPE_JOIN": str(self.worker_join), "A_SECRET": "of the worker"})
        self.addCleanup(lambda: worker.child.poll() is not None or worker.kill())
        return worker

    def taskpipe(self, *arguments, code=0):
        got, out, err = self.cluster.cli_as(self.client_join, *arguments)
        self.assertEqual(got, code, out + err + "\n" + self.cluster.broker.tail())
        return out

    def submit(self, script, *options):
        path = self.cluster.folder / "script.sh"
        path.write_text(script)
        return self.taskpipe("submit", "shell", "--script", path, *options).strip()

    def result(self, task):
        """Of a task, however it ended."""
        self.cluster.cli_as(self.client_join, "wait", task)
        return json.loads(self.cluster.cli_as(self.client_join, "result", task, "--json")[1])

    def ran(self, script, *options):
        task = self.submit(script, *options)
        result = self.result(task)
        self.assertEqual(result["state"], "SUCCESS", result)
        return task, result

    def attempt(self, task):
        return self.work_dir / "attempts" / task / "1-1"


class WhoTheyAre(RunAs):
    def test_user_groups_rights_and_environment(self):
        self.start_worker()
        _, result = self.ran("id -u; id -g; id -G; grep -E '^(Cap(Prm|Eff|Amb)|Groups)' /proc/self/status\n"
                             "echo to-stderr > /dev/stderr\n"
                             "touch mine && touch \"$HOME/mine\" && mkdir -p \"$HOME/.cache/fenics\"\n"
                             "echo == ; env")
        before, _, variables = result["stdout"].partition("==\n")
        lines = before.split("\n")
        self.assertEqual(lines[:3], [str(UID), str(GID), str(GID)])
        rights = dict(line.split(":") for line in lines[3:] if ":" in line)
        self.assertEqual({rights[name].strip() for name in ("CapPrm", "CapEff", "CapAmb")},
                         {"0000000000000000"})
        self.assertEqual(result["stderr"], "to-stderr\n")
        environment = dict(line.split("=", 1) for line in variables.splitlines())
        self.assertEqual({name for name in environment if name not in NAMES}, set())
        self.assertEqual(environment["HOME"], str(self.work_dir / "home"))
        self.assertEqual((environment["USER"], environment["LOGNAME"]), (str(UID), str(UID)))

    def test_files_inputs_logs_and_artifacts(self):
        self.start_worker()
        data = self.cluster.folder / "data.in"
        data.write_text("forty-two")
        data.chmod(0o600)
        task, result = self.ran("cat data.in; echo changed >> data.in; mkdir sub; echo x > sub/new.txt\n"
                                "chmod 000 sub/new.txt; head -c 40000 /dev/zero | tr '\\0' y",
                                "--input", data)
        self.assertTrue(result["stdout"].endswith("yyy"))
        names = {artifact["name"]: artifact for artifact in result["artifact_details"]}
        self.assertEqual(set(names), {"data.in", "sub/new.txt", "stdout.log"})
        self.assertTrue(all(artifact["stored"] for artifact in names.values()), names)
        self.assertTrue(self.taskpipe("logs", task).startswith("forty-two"))
        status = self.attempt(task).stat()
        self.assertEqual((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)), (UID, GID, 0o700))
        for path in self.attempt(task).rglob("*"):
            self.assertEqual(path.stat().st_uid, UID, path)

    def test_the_whole_tree_is_killed_by_a_cancel_and_by_the_workers_death(self):
        worker = self.start_worker("--cpus", "2")
        pids = self.cluster.folder / "pids"
        pids.mkdir()
        pids.chmod(0o777)
        script = (f"echo $$ > {pids}/$SIM_NAME\n"
                  f"setsid sh -c 'echo $$ > {pids}/d$SIM_NAME; trap \"\" TERM; while :; do sleep 1; done' &\n"
                  "trap '' TERM; while :; do sleep 1; done\n")
        first = self.submit(script, "-p", "name=a")
        self.submit(script, "-p", "name=b")
        files = [pids / name for name in ("a", "da", "b", "db")]
        wait_until(lambda: all(path.exists() and path.read_text().strip() for path in files), "the tools run")
        numbers = [int(path.read_text()) for path in files]
        self.assertEqual({pathlib.Path(f"/proc/{pid}").stat().st_uid for pid in numbers}, {UID})
        self.taskpipe("cancel", first)
        self.result(first)
        self.assertEqual([process_state(pid) for pid in numbers[:2]], [None, None])
        self.assertNotIn(None, [process_state(pid) for pid in numbers[2:]])
        worker.kill()
        wait_until(lambda: all(process_state(pid) in (None, "Z") for pid in numbers[2:]),
                   "nothing is left of a dead worker's attempts")


class WhatTheyCannotReach(RunAs):
    def test_the_workers_own_files_and_environment(self):
        worker = self.start_worker()
        task, result = self.ran(
            f"for f in {self.worker_join} {self.work_dir}/uuid {self.work_dir}/incarnation "
            f"{self.work_dir}/lock /proc/{worker.pid}/environ /proc/$PPID/environ /proc/$PPID/mem; do\n"
            "  cat \"$f\" 2>/dev/null && echo \"READ $f\"\ndone\n"
            f"for d in {self.work_dir} {self.work_dir}/spool {self.work_dir}/inputs "
            f"{self.work_dir}/attempts {self.work_dir}/attempts/$TASKPIPE_TASK_ID; do\n"
            "  ls \"$d\" 2>/dev/null && echo \"LISTED $d\"\n"
            "  touch \"$d/planted\" 2>/dev/null && echo \"WROTE $d\"\ndone\n"
            f"mv {self.work_dir}/attempts/$TASKPIPE_TASK_ID/1-1 /tmp/moved 2>/dev/null && echo MOVED\n"
            "kill -0 $PPID 2>/dev/null && echo SIGNALLED\necho end")
        self.assertEqual(result["stdout"], "end\n", task)
        self.assertNotIn(entry(self.worker_join, "secret-key"), json.dumps(result))

    def test_links_pipes_and_devices_lead_nowhere(self):
        secret = self.cluster.folder / "secret"
        secret.write_text("root's own")
        secret.chmod(0o600)
        worker = self.start_worker()
        gate = self.cluster.folder / "gate"
        task = self.submit(
            f"ln -s {secret} link; mkfifo fifo; ln -s {self.cluster.folder} folder; mkdir real\n"
            f"rm -f stdout.log; mkfifo stdout.log; ln -s {secret} stderr.log; echo mine > mine\n"
            f"echo said; touch ready; while [ ! -e {gate} ]; do sleep 0.05; done")
        ready = self.attempt(task) / "ready"
        wait_until(ready.exists, "the tool is ready")
        # What the tool cannot make where the kernel protects hard links and devices, root makes for it.
        os.link(secret, self.attempt(task) / "hard")
        os.mknod(self.attempt(task) / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        for options in ((), ("--stderr",)):
            _, out, err = self.cluster.cli_as(self.client_join, "logs", task, *options, limit_s=30)
            self.assertNotIn("root's own", out + err)
        gate.touch()
        result = self.result(task)
        self.assertEqual(result["state"], "SUCCESS", result)
        self.assertEqual({artifact["name"] for artifact in result["artifact_details"]}, {"mine", "ready"})
        self.assertNotIn("root's own", json.dumps(result))
        self.assertIsNone(worker.child.poll())
        self.ran("true")  # no thread of the worker hangs in the pipe

    def test_folders_exchanged_for_links_while_they_are_looked_at(self):
        """While the artifacts of one task are taken, another one of the same user exchanges folders."""
        outside = self.cluster.folder / "outside"
        outside.mkdir()
        kept = outside / "file.txt"
        kept.write_text("out of reach")
        os.chown(kept, UID, GID)  # so that its owner does not give it away
        outside.chmod(0o700)
        self.start_worker("--cpus", "2")
        for turn in range(5):
            gate = self.cluster.folder / f"gate{turn}"
            task = self.submit(f"mkdir d; echo mine > d/file.txt; ln -s {outside} l; touch ready\n"
                               f"while [ ! -e {gate} ]; do sleep 0.05; done")
            wait_until((self.attempt(task) / "ready").exists, "the tool is ready")
            swapper = self.submit("cd \"$SIM_DIR\" && touch swapping && exec python3 -c '\n"
                                  "import os\nwhile True:\n"
                                  "    os.rename(\"d\", \"x\"); os.rename(\"l\", \"d\")\n"
                                  "    os.rename(\"d\", \"l\"); os.rename(\"x\", \"d\")\n'",
                                  "-p", f"dir={self.attempt(task)}")
            wait_until((self.attempt(task) / "swapping").exists, "the other one exchanges folders")
            gate.touch()
            result = self.result(task)
            self.taskpipe("cancel", swapper)
            self.assertEqual(self.result(swapper)["state"], "REVOKED")
            self.assertEqual(result["state"], "SUCCESS", result)
            found = {artifact["name"]: artifact["sha256"] for artifact in result["artifact_details"]}
            self.assertIn("ready", found)
            self.assertNotIn(hashlib.sha256(b"out of reach").hexdigest(), found.values())
        blobs = [path for path in (self.cluster.folder / "data/blobs").rglob("*") if path.is_file()]
        self.assertFalse(any(b"out of reach" in path.read_bytes() for path in blobs))


class WhatIsRefused(RunAs):
    def refused(self, *options, **keywords):
        done = subprocess.run(
            [BIN_DIR / "taskpipe-worker", "--work-dir", self.cluster.folder / "other", *options],
            capture_output=True, text=True, timeout=60, check=False, **keywords)
        self.assertNotEqual(done.returncode, 0)
        return done.returncode, done.stderr + done.stdout

    def test_users_that_are_none_and_root(self):
        for user, word in (("no-such-user-here", "there is no user"), ("root", "is root"), ("0", "is root"),
                           ("0:100", "is root"), (f"{UID}:0", "root's"), ("64329", "must be given"),
                           (f"{UID}:no-such-group", "no group")):
            with self.subTest(user):
                code, said = self.refused("--run-as", user)
                self.assertEqual(code, 2, said)
                self.assertIn(word, said)

    def test_a_worker_that_is_not_root(self):
        code, said = self.refused("--run-as", "nobody", user=UID, group=GID, extra_groups=[], cwd="/")
        self.assertEqual(code, 2, said)
        self.assertIn("started as root", said)

    def test_a_work_folder_that_the_user_cannot_reach(self):
        closed = self.cluster.folder / "closed"
        closed.mkdir(mode=0o700)
        code, said = self.refused("--run-as", f"{UID}:{GID}", "--work-dir", closed / "w")
        self.assertEqual(code, 1, said)
        self.assertIn(f"cannot enter '{closed}'", said)

    def test_a_work_folder_that_another_could_exchange(self):
        his = self.cluster.folder / "his"
        his.mkdir()
        (his / "w").mkdir()
        kept = self.cluster.folder / "kept"
        kept.write_text("untouched")
        os.link(kept, his / "w/lock")
        os.chown(his, UID, GID)
        for work_dir, named in ((his / "w", his), (his, his), (his / "new", his)):
            code, said = self.refused("--run-as", f"{UID}:{GID}", "--work-dir", work_dir)
            self.assertEqual(code, 1, said)
            self.assertIn(f"'{named}' belongs to the user with the number {UID}", said)
            self.assertIn("choose a --work-dir", said)
        everybodys = self.cluster.folder / "everybodys"
        everybodys.mkdir()
        everybodys.chmod(0o777)
        code, said = self.refused("--run-as", f"{UID}:{GID}", "--work-dir", everybodys / "w")
        self.assertEqual(code, 1, said)
        self.assertIn(f"'{everybodys}' can be written to by others", said)
        self.assertEqual(kept.read_text(), "untouched")
        self.assertEqual([path.name for path in everybodys.iterdir()] + sorted(os.listdir(his)), ["w"])

    def test_root_without_it_is_warned(self):
        worker = self.cluster.start_worker(self.name, "--join", self.worker_join)
        self.addCleanup(worker.kill)
        worker.wait_for("tools run as root")


if __name__ == "__main__":
    main()
