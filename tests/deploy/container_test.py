#!/usr/bin/env python3
"""Tools in real containers: a worker on this host, an image that is built here, and what is left of it.

    container_test.py --bin DIR [--runtime docker|podman] [--ordinary]   # root; a Docker daemon must answer

--ordinary: worker and runtime are an ordinary user's (tests/support/ordinary_user.py).

Every container is asked for by the worker's label, so that others on this host do not count. Waits for what is
to happen, with a bound, never for a time.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import ordinary_user  # noqa: E402
from cluster import wait_until  # noqa: E402
from container_registry import FromRegistry  # noqa: E402
from container_tools import ARGUMENTS, IMAGE, LIMIT_S, STUBBORN, ContainerTools, manifest  # noqa: E402
from unavailable import main as run_tests  # noqa: E402


KILLED = 128 + signal.SIGKILL


class Containers(ContainerTools):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.limits = cls.runtime_limits()
        cls.tells_memory = "memory" in cls.limits and cls.runtime_tells_memory()

    @classmethod
    def runtime_limits(cls):
        """Podman without root has the control groups that were given to its user, often none."""
        if os.geteuid() == 0:
            return {"memory", "cpu", "pids"}
        return set(cls.call("info", "-f", "{{.Host.CgroupControllers}}").strip(" []\n").split())

    @classmethod
    def runtime_tells_memory(cls):
        """Docker does; podman does not where it cannot watch the control group."""
        name = f"taskpipe-memory-{os.getpid()}"
        cls.call("run", "--name", name, "--init", "--network", "none", "--memory", "32m", "--memory-swap", "32m",
                 "--entrypoint", "tail", IMAGE, "/dev/zero", expect=KILLED)
        told = cls.call("container", "inspect", "-f", "{{.State.OOMKilled}}", name).strip() == "true"
        cls.call("rm", "-f", name)
        return told

    @classmethod
    def write_tools(cls, tools):
        (tools / "scripts").mkdir(parents=True)
        (tools / "scripts/own.sh").write_text('echo "from the folder: $1"\n', "utf-8")
        data = cls.folder / "data"
        data.mkdir()
        (data / "mesh").write_text("of the site\n", "utf-8")
        mounts = f'mounts = ["{data}:/site"]'
        (tools / "boxed.toml").write_text(manifest("boxed", more=mounts), "utf-8")
        (tools / "absent.toml").write_text(manifest("absent", image="taskpipe/none:test"), "utf-8")
        (tools / "norun.toml").write_text(manifest("norun", runtime="apptainer"), "utf-8")
        (tools / "noprog.toml").write_text(
            manifest("noprog", version="", argv=["no-such-solver", "{script}", "{params}"]), "utf-8")
        cls.call("tag", IMAGE, IMAGE + "-gone")
        (tools / "gone.toml").write_text(manifest("gone", image=IMAGE + "-gone"), "utf-8")

    def test_1_what_a_program_finds(self):
        data = self.folder / "data.in"
        data.write_text("forty-two\n", "utf-8")
        result = self.ran(f"""\
            id -u; id -g; pwd; cat data.in; cat /site/mesh
            echo "== network"; ls /sys/class/net
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
        self.assertEqual(parts["who"].split()[:2], [str(self.uid), str(self.gid)])
        self.assertIn("/attempts/", parts["who"])
        self.assertIn("forty-two\nof the site\n", parts["who"])
        self.assertEqual(parts["network"].split(), ["lo"])
        self.assertEqual(parts["rights"].split(), ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"])
        self.assertEqual(parts["write"].split("\n")[:6],
                         ["refused", "refused", "refused", "fine", "params", "param n=3"])
        environment = dict(line.split("=", 1) for line in parts["env"].splitlines())
        self.assertEqual((environment["SIM_N"], environment["SIM_TEXT"], environment["OF_THE_IMAGE"]),
                         ("3", "a b", "yes"))
        self.assertEqual(environment["HOME"], environment["TMPDIR"])
        self.assertNotIn("A_SECRET", environment)
        self.assertNotIn(str(self.cluster.bin_dir), environment["PATH"])
        self.assertEqual({name for name in environment if name.startswith(("TASKPIPE_", "DOCKER", "CONTAINER"))},
                         {"TASKPIPE_TASK_ID", "TASKPIPE_ATTEMPT", "TASKPIPE_CPUS"})
        self.assertEqual(result["stderr"], "to-stderr\n")
        artifacts = {artifact["name"]: artifact for artifact in result["artifact_details"]}
        self.assertTrue(artifacts["made.txt"]["stored"], artifacts)
        self.none_left()

    def test_2_scripts_of_the_tool_and_exit_codes(self):
        done = self.cluster.run("taskpipe", "submit", "boxed", "own.sh", "-p", "n=1")
        self.assertEqual(self.result(done.stdout.strip())["stdout"], "from the folder: n=1\n")
        for code in (3, 125, 127):
            result = self.ran(f"exit {code}\n")
            self.assertEqual((result["status"], result["failure_class"], result["returncode"]),
                             ("failed", "exit", code), result)
        self.none_left()

    def test_3_a_memory_limit(self):
        if "memory" not in self.limits:
            return self.check_no_limit()
        result = self.ran("tail /dev/zero\n", "--memory", "32M")
        self.assertEqual(result["status"], "failed", result)
        if self.tells_memory:
            self.assertEqual(result["failure_class"], "oom", result)
            self.assertIn(f"its memory limit of 32 MiB ({ARGUMENTS.runtime})", result["error"])
        else:
            self.assertEqual((result["failure_class"], result["returncode"]), ("exit", 137), result)
            self.assertIn("perhaps for its memory limit of 32 MiB", result["error"])
        self.none_left()

    def check_no_limit(self):
        """The worker says so when it starts; the program hears nothing of it."""
        warning = json.loads(self.worker.wait_for("tool runs without limits"))
        self.assertEqual(warning["tool"], "boxed")
        self.assertIn("memory", warning["limits"])
        result = self.ran("echo runs\n", "--memory", "32M")
        self.assertEqual((result["status"], result["stdout"], result["stderr"]), ("success", "runs\n", ""), result)
        result = self.ran("kill -KILL $$\n", "--memory", "32M")
        self.assertEqual((result["failure_class"], result["returncode"]), ("exit", 137), result)
        self.assertNotIn("memory limit", result["error"])  # it was not that
        self.none_left()

    def test_4_a_cancel_is_heard_and_leaves_nothing(self):
        polite = self.submit("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done\n",
                             "--grace", "30s")
        stubborn = self.submit(STUBBORN)
        for task in (polite, stubborn):
            self.says(task, "up")  # live: the task still runs
        self.assertEqual(len(self.containers()), 2)
        for task in (polite, stubborn):
            self.assertEqual(self.cluster.run("taskpipe", "cancel", task).returncode, 0)
        for task in (polite, stubborn):
            self.assertEqual(self.result(task)["status"], "cancelled")
        wait_until(lambda: not self.containers(), "nothing is left of cancelled tasks", LIMIT_S)
        self.says(polite, "bye")

    def test_5_a_time_limit_leaves_nothing(self):
        result = self.ran(STUBBORN, "--timeout", "2s")
        self.assertEqual((result["status"], result["failure_class"]), ("timeout", "timeout"), result)
        self.none_left()  # when the end is told, it is gone

    def once(self):
        """A task whose first attempt lasts."""
        task = self.submit('[ "$TASKPIPE_ATTEMPT" = 1 ] || exit 0\n' + STUBBORN)
        self.says(task, "up")
        return task

    def attempt_two(self, task):
        result = self.result(task)
        self.assertEqual((result["status"], result["attempt"]), ("success", 2), result)

    def test_6_a_killed_worker_leaves_nothing(self):
        task = self.once()
        self.worker.kill()
        wait_until(lambda: not self.containers(), "the guard has removed the container", LIMIT_S)
        self.start_worker()
        self.attempt_two(task)

    def test_7_what_nobody_could_remove_is_removed_at_the_next_start(self):
        task = self.once()
        spawner = self.children(self.worker.pid, "taskpipe-spawner")
        guards = [pid for parent in spawner for pid in self.children(parent, "taskpipe-spawner")]
        self.assertTrue(guards)
        everyone = [*guards, *spawner, self.worker.pid]
        for pid in everyone:  # stopped first: none of them sees another's end
            os.kill(pid, signal.SIGSTOP)
        for pid in everyone:
            os.kill(pid, signal.SIGKILL)
        self.worker.kill()
        left = self.containers()
        if ARGUMENTS.runtime == "docker":
            self.assertEqual(len(left), 1)
        self.start_worker()
        # The second attempt may have one by now.
        self.assertEqual(set(left) & set(self.containers()), set())
        if ARGUMENTS.runtime == "docker":
            self.worker.wait_for("removed old containers")
        self.attempt_two(task)
        self.none_left()

    @staticmethod
    def children(parent, name):
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent and f"({name[:15]})" in stat:
                found.append(int(folder.name))
        return found

    def test_8_a_guard_that_is_killed(self):
        task = self.submit(STUBBORN)
        self.says(task, "up")
        spawner, = self.children(self.worker.pid, "taskpipe-spawner")
        guard, = (pid for pid in self.children(spawner, "taskpipe-spawner")
                  if pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text())  # others wait
        os.kill(guard, signal.SIGKILL)
        self.assertEqual(self.result(task)["status"], "failed")
        self.none_left()

    def test_9_what_is_missing_is_told(self):
        log = "\n".join(line for line in self.worker.lines if "not offered" in line)
        self.assertIn(f"image 'taskpipe/none:test' cannot be used by {ARGUMENTS.runtime}", log)
        self.assertIn("norun", log)
        if shutil.which("apptainer"):  # which has no such file
            self.assertIn("is missing; make it with 'apptainer build", log)
        else:
            self.assertIn("container runtime 'apptainer' is not installed", log)
        result = self.ran("true\n", tool="noprog")
        self.assertEqual((result["status"], result["failure_class"]), ("error", "spawn"), result)
        self.assertIn("no-such-solver" if ARGUMENTS.runtime == "docker" else "cannot run", result["error"])
        self.call("rmi", "-f", IMAGE + "-gone")
        result = self.ran("true\n", tool="gone")
        self.assertEqual((result["status"], result["failure_class"]), ("error", "spawn"), result)
        self.assertIn(f"{ARGUMENTS.runtime} cannot run the tool's container (exit code 125)", result["error"])
        self.none_left()


def on_sigterm(*_):
    """Ends the tests at once. unittest takes SystemExit for the failure of one test and goes on, but lets
    KeyboardInterrupt pass; `main` makes SystemExit of it."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # the cleanups are not broken off
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--runtime", choices=("docker", "podman"), default="docker")
    parser.add_argument("--ordinary", action="store_true")
    options, rest = parser.parse_known_args(namespace=ARGUMENTS)
    if options.ordinary and os.geteuid() == 0:
        sys.exit(ordinary_user.run_again(sys.argv))
    options.bin = options.bin.resolve()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        run_tests(argv=[sys.argv[0], *rest])
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        for tests in (Containers, FromRegistry):  # unittest does not, where it was interrupted
            tests.doClassCleanups()
        who = " without root" if options.ordinary else ""
        print(f"containers of {options.runtime}{who}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
