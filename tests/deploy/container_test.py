#!/usr/bin/env python3
"""Tools in real containers: a worker on this host, an image that is built here, and what is left of it.

    container_test.py --bin DIR [--runtime docker|podman]     # root; a Docker daemon must answer

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

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from cluster import Cluster, wait_until  # noqa: E402
from unavailable import main as run_tests  # noqa: E402

IMAGE = "taskpipe/container-test:test"
UID, GID = 64321, 64322  # without an account: nothing on this host belongs to them
BUSYBOX = "/bin/busybox"
LIMIT_S = 60
STUBBORN = "trap '' TERM; echo up; while :; do sleep 1; done\n"

ARGUMENTS = argparse.Namespace(bin=None, runtime="docker")

# runc, since Debian's crun refuses hosts with both generations of control groups; limits that a host without
# CAP_SYS_RESOURCE can set.
PODMAN_CONF = """\
[engine]
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""

MANIFEST = """\
name = "{name}"
artifacts = ["*.txt"]
{version}
[command]
argv = {argv}
params_as = ["{{name}}={{value}}"]
[scripts]
folders = ["scripts"]
patterns = ["*.sh"]
inline = true
[limits]
grace_s = 1
[container]
image = "{image}"
runtime = "{runtime}"
{more}
"""
VERSION = '[version]\nargv = ["sh", "-c", "echo boxed 1.0"]\nregex = \'boxed (\\S+)\'\n'


def manifest(name, image=IMAGE, runtime=None, more="", version=VERSION, argv=("sh", "{script}", "{params}")):
    return MANIFEST.format(name=name, image=image, runtime=runtime or ARGUMENTS.runtime, more=more,
                           version=version, argv=json.dumps(list(argv)))


class Containers(unittest.TestCase):
    worker = None
    uuid = None

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("containers: the tests do not run as root")
        cls.cluster = cls.enterClassContext(Cluster(ARGUMENTS.bin))
        cls.folder = cls.cluster.folder
        cls.folder.chmod(0o711)
        cls.environment = dict(os.environ)
        if ARGUMENTS.runtime == "podman":
            conf = cls.folder / "containers.conf"
            conf.write_text(PODMAN_CONF, "utf-8")
            cls.environment["CONTAINERS_CONF"] = str(conf)
        cls.build_image()
        cls.tells_memory = cls.runtime_tells_memory()
        cls.write_tools()
        cls.cluster.start_broker("--heartbeat", "500ms", "--lease", "3s")
        cls.start_worker()

    @classmethod
    def call(cls, *arguments, expect=0):
        done = subprocess.run([ARGUMENTS.runtime, *map(str, arguments)], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, cwd=cls.folder,
                              env={**cls.environment, "DOCKER_BUILDKIT": "0"})
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"{ARGUMENTS.runtime} {arguments}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    @classmethod
    def build_image(cls):
        """A shell and its tools, 2 MB: no network is needed."""
        context = cls.folder / "image"
        context.mkdir()
        shutil.copy(BUSYBOX, context / "busybox")
        (context / "Dockerfile").write_text(
            'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
            'RUN ["/bin/mkdir", "-m", "1777", "/tmp"]\n'
            "ENV OF_THE_IMAGE=yes\n", "utf-8")
        cls.call("build", "-t", IMAGE, context)
        cls.addClassCleanup(cls.call, "rmi", "-f", IMAGE, IMAGE + "-gone", expect=None)
        cls.addClassCleanup(cls.remove_containers)

    @classmethod
    def remove_containers(cls):
        """What is left by a test that was broken off, so that the image can go."""
        if cls.worker is None:
            return
        cls.worker.kill()
        if cls.uuid is not None:
            for container in cls.containers():
                cls.call("rm", "-f", container, expect=None)

    @classmethod
    def runtime_tells_memory(cls):
        """Docker does; podman does not where it cannot watch the control group."""
        name = f"taskpipe-memory-{os.getpid()}"
        cls.call("run", "--name", name, "--init", "--network", "none", "--memory", "32m", "--memory-swap", "32m",
                 "--entrypoint", "tail", IMAGE, "/dev/zero", expect=None)
        told = cls.call("container", "inspect", "-f", "{{.State.OOMKilled}}", name).strip() == "true"
        cls.call("rm", "-f", name)
        return told

    @classmethod
    def write_tools(cls):
        tools = cls.folder / "tools"
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

    @classmethod
    def start_worker(cls):
        cls.worker = cls.cluster.start_worker(
            "w", "--tools", cls.folder / "tools", "--run-as", f"{UID}:{GID}", "--cpus", "2",
            env={**cls.environment, "A_SECRET": "of the worker"})
        # Said once the tools are known and old containers are gone.
        cls.uuid = json.loads(cls.worker.wait_for('"worker starts"'))["uuid"]

    @classmethod
    def containers(cls):
        """All of this worker's, in whatever state."""
        return cls.call("ps", "-a", "-q", "--filter", f"label=taskpipe.worker={cls.uuid}").split()

    def none_left(self):
        self.assertEqual(self.containers(), [])

    def submit(self, script, *options, tool="boxed"):
        path = self.folder / "script.sh"
        path.write_text(textwrap.dedent(script), "utf-8")
        done = self.cluster.run("taskpipe", "submit", tool, "--script", path, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def result(self, task):
        self.cluster.run("taskpipe", "wait", task)
        return json.loads(self.cluster.run("taskpipe", "result", task, "--json").stdout)

    def ran(self, script, *options, tool="boxed"):
        return self.result(self.submit(script, *options, tool=tool))

    def says(self, task, text):
        """Until the live output holds the text."""
        wait_until(lambda: text in self.cluster.run("taskpipe", "logs", task).stdout, f"{task} says {text}",
                   LIMIT_S)

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
        self.assertEqual(parts["who"].split()[:2], [str(UID), str(GID)])
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
        result = self.ran("tail /dev/zero\n", "--memory", "32M")
        self.assertEqual(result["status"], "failed", result)
        if self.tells_memory:
            self.assertEqual(result["failure_class"], "oom", result)
            self.assertIn(f"its memory limit of 32 MiB ({ARGUMENTS.runtime})", result["error"])
        else:
            self.assertEqual((result["failure_class"], result["returncode"]), ("exit", 137), result)
            self.assertIn("perhaps for its memory limit of 32 MiB", result["error"])
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
    options, rest = parser.parse_known_args(namespace=ARGUMENTS)
    options.bin = options.bin.resolve()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        run_tests(argv=[sys.argv[0], *rest])
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        Containers.doClassCleanups()  # unittest does not, where it was interrupted
        print(f"containers of {options.runtime}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
