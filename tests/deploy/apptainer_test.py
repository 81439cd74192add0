#!/usr/bin/env python3
"""Tools in Apptainer's containers: a worker on this host, an unpacked folder and an image file made here.

    apptainer_test.py --bin DIR [--ordinary]        # root; apptainer is on PATH

As root the attempts are nobody's, who has an account everywhere; --ordinary: worker and attempts are an ordinary
user's (tests/support/ordinary_user.py). A container is processes below the attempt's own: what is left of it would be
processes.
"""

import argparse
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import ordinary_user  # noqa: E402
from cluster import wait_until  # noqa: E402
from container_tools import ARGUMENTS, BUSYBOX, LIMIT_S, ContainerTools, manifest  # noqa: E402
from unavailable import main as run_tests  # noqa: E402

FOLDER, FILE = "box", "box.sif"  # beside the manifests
MARK = "taskpipe-apptainer-"  # in the command line of what lasts


class Apptainer(ContainerTools):
    run_as = "nobody"

    @classmethod
    def setUpClass(cls):
        if shutil.which("apptainer") is None:
            raise unittest.SkipTest("tools in containers of apptainer: it is not installed")
        account = pwd.getpwnam(cls.run_as)
        cls.uid, cls.gid = account.pw_uid, account.pw_gid
        cls.mark = f"{MARK}{os.getpid()}"
        super().setUpClass()

    @classmethod
    def build_image(cls):
        """A root with a shell and its tools, and an image file of it."""
        tools = cls.folder / "tools"
        root = tools / FOLDER
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp", "var/tmp"):
            (root / folder).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", "utf-8")
        (root / "etc/group").write_text("root:x:0:\n", "utf-8")
        for path in (tools, root):
            path.chmod(0o755)
        cls.call("build", tools / FILE, root)

    @classmethod
    def write_tools(cls, tools):
        (tools / "scripts").mkdir()
        data = cls.folder / "data"
        data.mkdir()
        (data / "mesh").write_text("of the site\n", "utf-8")
        (tools / "boxed.toml").write_text(manifest("boxed", FOLDER, more=f'mounts = ["{data}:/site"]'), "utf-8")
        # The version is not asked for, since who may not mount a file shall hear it of a task.
        (tools / "filed.toml").write_text(manifest("filed", FILE, version=""), "utf-8")
        (tools / "noprog.toml").write_text(
            manifest("noprog", FOLDER, version="", argv=["no-such-solver", "{script}", "{params}"]), "utf-8")
        (tools / "nofile.toml").write_text(manifest("nofile", "none.sif"), "utf-8")

    def running(self):
        """Processes with this test's mark in their command lines."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if self.mark.encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def lasting(self):
        """A script that does not end, and whose processes show the mark."""
        return f"sh -c 'trap \"\" TERM; while :; do sleep 1; done' {self.mark}\n"

    def start_lasting(self, *options, before=""):
        task = self.submit(before + self.lasting(), *options)
        wait_until(self.running, "the program runs", LIMIT_S)
        return task

    def test_1_what_a_program_finds(self):
        data = self.folder / "data.in"
        data.write_text("forty-two\n", "utf-8")
        result = self.ran(f"""\
            id -u; id -g; cat data.in; cat /site/mesh
            echo "== network"; sed -n 's/^ *\\([^ ]*\\):.*/\\1/p' /proc/net/dev
            echo "== rights"; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
            echo "== write"; touch /bin/intruder 2>/dev/null || echo refused
            touch /site/intruder 2>/dev/null || echo refused
            touch {self.folder}/w/spool/intruder 2>/dev/null || echo refused
            touch /tmp/fine "$HOME/fine" "$TMPDIR/fine" && echo fine
            grep -q '"n": *3' params.json && echo params
            echo "param $1"; echo made > made.txt; echo to-stderr >&2
            echo "== env"; env
            """, "--input", data, "-p", "n=3", "-p", "text=a b")
        self.assertEqual(result["status"], "success", result)
        parts = dict(part.split("\n", 1) for part in ("who\n" + result["stdout"]).split("== "))
        self.assertEqual(parts["who"], f"{self.uid}\n{self.gid}\nforty-two\nof the site\n")
        self.assertEqual(parts["network"].split(), ["lo"])
        self.assertEqual(parts["rights"].split(), ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"])
        self.assertEqual(parts["write"].split("\n")[:6],
                         ["refused", "refused", "refused", "fine", "params", "param n=3"])
        environment = dict(line.split("=", 1) for line in parts["env"].splitlines() if "=" in line)
        self.assertEqual((environment["SIM_N"], environment["SIM_TEXT"]), ("3", "a b"))
        self.assertEqual(environment["HOME"], environment["TMPDIR"])
        self.assertNotIn("A_SECRET", environment)
        self.assertEqual(result["stderr"], "to-stderr\n")
        artifacts = {artifact["name"]: artifact for artifact in result["artifact_details"]}
        self.assertTrue(artifacts["made.txt"]["stored"], artifacts)

    def test_2_exit_codes(self):
        for code in (3, 127, 255):
            result = self.ran(f"exit {code}\n")
            self.assertEqual((result["status"], result["failure_class"], result["returncode"]),
                             ("failed", "exit", code), result)

    def test_3_a_cancel_and_a_time_limit_leave_nothing(self):
        task = self.start_lasting()
        self.assertEqual(self.cluster.run("taskpipe", "cancel", task).returncode, 0)
        self.assertEqual(self.result(task)["status"], "cancelled")
        self.assertEqual(self.running(), [])
        result = self.result(self.start_lasting("--timeout", "4s"))
        self.assertEqual((result["status"], result["failure_class"]), ("timeout", "timeout"), result)
        self.assertEqual(self.running(), [])

    def test_4_a_killed_worker_leaves_nothing(self):
        task = self.start_lasting(before='[ "$TASKPIPE_ATTEMPT" = 1 ] || exit 0\n')
        self.worker.kill()
        wait_until(lambda: not self.running(), "the guard has ended it", LIMIT_S)
        self.start_worker()
        result = self.result(task)
        self.assertEqual((result["status"], result["attempt"]), ("success", 2), result)

    def test_5_an_image_file(self):
        """Who is not root mounts it by FUSE, if he may; else he is told."""
        result = self.ran("id -u\n", tool="filed")
        if self.may_mount_files():
            self.assertEqual((result["status"], result["stdout"]), ("success", f"{self.uid}\n"), result)
        else:
            self.assertEqual((result["status"], result["failure_class"]), ("error", "spawn"), result)
            self.assertIn("apptainer cannot run the tool's container (exit code 255): FATAL", result["error"])

    def may_mount_files(self):
        done = subprocess.run(["apptainer", "exec", self.folder / "tools" / FILE, "true"], check=False,
                              capture_output=True, cwd="/", timeout=LIMIT_S,
                              **({"user": self.uid, "group": self.gid, "extra_groups": [],
                                  "env": {"PATH": os.environ["PATH"], "HOME": "/"}} if os.geteuid() == 0 else {}))
        return done.returncode == 0

    def test_6_what_is_missing_is_told(self):
        log = "\n".join(line for line in self.worker.lines if "not offered" in line)
        self.assertIn("none.sif' is missing; make it with 'apptainer build", log)
        result = self.ran("true\n", tool="noprog")
        self.assertEqual((result["status"], result["failure_class"]), ("error", "spawn"), result)
        self.assertIn("no-such-solver", result["error"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--ordinary", action="store_true")
    options, rest = parser.parse_known_args(namespace=ARGUMENTS)
    if options.ordinary and os.geteuid() == 0:
        sys.exit(ordinary_user.run_again(sys.argv))
    options.bin, options.runtime = options.bin.resolve(), "apptainer"
    if os.geteuid() != 0:
        Apptainer.run_as = pwd.getpwuid(os.geteuid()).pw_name
    run_tests(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
