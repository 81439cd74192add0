#!/usr/bin/env python3
"""The stack of compose/ in real containers: brought up, used, disturbed, and brought down.

    compose_test.py --bin DIR --base IMAGE      # a Docker daemon must answer; `taskpipe` is in DIR

By docker-compose 1 and by `docker compose` (version 2 or later), each if it is installed: all tests with each.
Everything that they make has the project name `taskpipe-test` and is removed at the end; images stay,
as taskpipe/*:test. Waits for what is to happen, with a bound, never for a time.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from cluster import free_port  # noqa: E402
from unavailable import main as run_tests  # noqa: E402

PROJECT = "taskpipe-test"
PROFILES = ("lammps", "fenicsx", "openfoam", "client")
SOLVERS = ("lammps", "fenicsx", "openfoam")
BUILD_LIMIT_S = 1200  # the first time it downloads three solvers
LIMIT_S = 300
PAUSE_S = 0.25
UID = 761  # of every container: see compose/Dockerfile

ARGUMENTS = argparse.Namespace(bin=None, base=None)


def run(*command, expect=0, limit_s=LIMIT_S, env=None, **options):
    """The output of a command that must end with `expect` (None: any code)."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          timeout=limit_s, check=False, env=env, **options)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n"
                             f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def until(what, condition, limit_s=LIMIT_S):
    """The first true value of `condition`, which is asked until the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(PAUSE_S)


COMMANDS = (("docker-compose",), ("docker", "compose"))  # the former is version 1, or stands for the latter


def compose_version(command):
    """Such as (2, "2.40.3"), or None where there is no such command."""
    try:
        done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
    except FileNotFoundError:
        return None
    found = re.search(r"^v?((\d+)\.\S+)", done.stdout, re.MULTILINE)
    return (int(found[2]), found[1]) if done.returncode == 0 and found else None


class Stack:
    """The project under one command of Compose."""

    def __init__(self, folder, command):
        self.folder, self.command = folder, command
        self.client_port, self.bulk_port = free_port(), free_port()
        self.env = {**os.environ, "BASE": ARGUMENTS.base, "TASKPIPE_TAG": "test",
                    "TASKPIPE_CLIENT_PORT": str(self.client_port),
                    "TASKPIPE_BULK_PORT": str(self.bulk_port),
                    "TASKPIPE_DRAIN_TIMEOUT": "5s", "TASKPIPE_WORKER_CPUS": "2",
                    "TASKPIPE_FILES": str(ROOT / "client/examples"), "DOCKER_BUILDKIT": "0",
                    "COMPOSE_DOCKER_CLI_BUILD": "0"}
        self.join = folder / "client.join"
        self.volumes = set()

    def compose(self, *arguments, expect=0, limit_s=LIMIT_S):
        profiles = [part for profile in PROFILES for part in ("--profile", profile)]
        return run(*self.command, "-p", PROJECT, "-f", ROOT / "compose/docker-compose.yml", *profiles,
                   *arguments, expect=expect, limit_s=limit_s, env=self.env)

    def up(self, workers):
        services = ["broker", "worker", *(f"worker-{tool}" for tool in SOLVERS)]
        self.compose("up", "-d", "--no-build", "--scale", f"worker={workers}", *services)
        self.volumes |= self.volumes_in_use()

    def volumes_in_use(self):
        """Names of the volumes of the project's containers."""
        containers = run("docker", "ps", "-aq", "--filter",
                         f"label=com.docker.compose.project={PROJECT}").split()
        names = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
        return set(run("docker", "inspect", "-f", names, *containers).split()) if containers else set()

    def down(self):
        self.compose("down", "-v", "--remove-orphans", limit_s=300)

    def containers(self, service):
        return run("docker", "ps", "-q", "--no-trunc",
                   "--filter", f"label=com.docker.compose.project={PROJECT}",
                   "--filter", f"label=com.docker.compose.service={service}").split()

    def inspect(self, container, pattern):
        return run("docker", "inspect", "-f", pattern, container).strip()

    def fetch_join(self):
        """The client's join file for this host, as docs/deployment.md tells it."""
        text = self.compose("exec", "-T", "broker", "cat",
                            "/var/lib/taskpipe-broker/cluster/join/client.join")
        self.join.write_text(text, "utf-8")
        self.join.chmod(0o600)

    def taskpipe(self, *arguments, expect=0, limit_s=LIMIT_S):
        """The command line on this host, over the published ports."""
        env = {name: value for name, value in self.env.items() if not name.startswith("TASKPIPE_")}
        return run(ARGUMENTS.bin / "taskpipe", "--broker", f"tcp://127.0.0.1:{self.client_port}",
                   "--join", self.join, *arguments, expect=expect, limit_s=limit_s,
                   env={**env, "TASKPIPE_CONFIG": "/dev/null"})

    def in_client(self, *command, expect=0, limit_s=LIMIT_S):
        """A command in a client container of its own."""
        return self.compose("run", "--rm", "-T", "client", *command, expect=expect, limit_s=limit_s)

    def ready_workers(self):
        rows = json.loads(self.taskpipe("workers", "--json"))["workers"]
        return {row["name"]: row for row in rows if row["state"] == "ready"}

    def python_workers(self):
        """Names, which are short container ids, of the plain workers that take tasks."""
        mine = {container[:12] for container in self.containers("worker")}
        return mine & set(self.ready_workers())

    def submit(self, *arguments):
        return self.taskpipe("submit", *arguments).strip()

    def row(self, task):
        return json.loads(self.taskpipe("status", task, "--json", expect=None))["tasks"][0]

    def result(self, task, limit_s=LIMIT_S):
        self.taskpipe("wait", task, "--timeout", f"{limit_s}s", limit_s=limit_s + 30)
        return json.loads(self.taskpipe("result", task, "--json"))


def left_over():
    """What is there with the project's name: containers, volumes, networks."""
    label = f"label=com.docker.compose.project={PROJECT}"
    return (run("docker", "ps", "-aq", "--filter", label).split()
            + run("docker", "volume", "ls", "-q", "--filter", label).split()
            + run("docker", "network", "ls", "-q", "--filter", label).split())


class OfStack:
    """The tests, of one version of Compose after the other."""

    @staticmethod
    def is_wanted(version):
        raise NotImplementedError

    @classmethod
    def find_command(cls):
        for command in COMMANDS:
            version = compose_version(command)
            if version and cls.is_wanted(version[0]):
                print(f"{' '.join(command)} {version[1]}", flush=True)
                return command
        raise unittest.SkipTest(f"the stack of containers under {cls.__doc__}: not installed")

    @classmethod
    def setUpClass(cls):
        command = cls.find_command()
        cls.folder = pathlib.Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="taskpipe-compose-")))
        cls.stack = stack = Stack(cls.folder, command)
        began = time.monotonic()
        stack.compose("build", limit_s=BUILD_LIMIT_S)
        print(f"images built in {time.monotonic() - began:.0f} s", flush=True)
        for line in run("docker", "images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}",
                        "--filter", "reference=taskpipe/*:test").splitlines():
            print("  " + line, flush=True)
        cls.addClassCleanup(cls.bring_down)
        stack.up(workers=2)
        broker, = stack.containers("broker")
        until("the broker is healthy",
              lambda: stack.inspect(broker, "{{.State.Health.Status}}") == "healthy")
        stack.fetch_join()
        cls.settle(workers=2)

    @classmethod
    def bring_down(cls):
        cls.stack.down()
        # Workers that --scale took away leave theirs, which have no name: docs/deployment.md.
        for volume in cls.stack.volumes & set(run("docker", "volume", "ls", "-q").split()):
            run("docker", "volume", "rm", volume)
        remains = left_over()
        if remains:
            raise AssertionError(f"{' '.join(cls.stack.command)} down left {remains}")

    @classmethod
    def settle(cls, workers):
        """All solvers and so many plain workers are there."""
        stack = cls.stack

        def settled():
            tools = [row["tools"] for row in stack.ready_workers().values()]
            offered = {name for names in tools for name in names}
            return offered.issuperset(SOLVERS) and len(stack.python_workers()) == workers

        until(f"three solvers and {workers} workers are ready", settled)

    def test_1_each_container_has_its_own_key_and_nothing_to_write(self):
        worker = self.stack.containers("worker")[0]
        keys = run("docker", "exec", worker, "find", "/keys", "-type", "f").split()
        self.assertEqual(keys, ["/keys/worker/worker.join"])
        for service in ("broker", "worker"):
            container = self.stack.containers(service)[0]
            self.assertEqual(run("docker", "exec", container, "id", "-u").strip(), str(UID))
            run("docker", "exec", container, "touch", "/usr/bin/intruder", expect=1)
            self.assertEqual(self.stack.inspect(container, "{{.HostConfig.ReadonlyRootfs}}"), "true")
        said = self.stack.in_client("sh", "-c", "find /keys -type f; id -u")
        self.assertEqual(said.split(), ["/keys/client/client.join", str(UID)])
        # Without a key nobody is admitted.
        self.stack.in_client("env", "-u", "TASKPIPE_JOIN", "taskpipe", "-b", "broker", "health",
                             "--connect-timeout", "30s", expect=5)  # told at once, on a busy host within this

    def test_2_every_container_is_healthy(self):
        services = ("broker", "worker", *(f"worker-{tool}" for tool in SOLVERS))
        for service in services:
            for container in self.stack.containers(service):
                until(f"{service} is healthy", lambda c=container: self.stack.inspect(
                    c, "{{.State.Health.Status}}") == "healthy")

    def check_workflow(self, tasks):
        results = [self.stack.result(task) for task in tasks]
        self.assertEqual({result["tool"] for result in results}, set(SOLVERS))
        for result in results:
            self.assertEqual(result["status"], "success", result)
            self.assertTrue(result["artifacts"], result)
        return {result["tool"]: result for result in results}

    def test_3_three_solvers_from_a_client_container(self):
        said = self.stack.in_client(
            "sh", "-c", "set -e; w=$(taskpipe workflow submit /files/demo.json); "
            "taskpipe monitor --workflow $w >&2; taskpipe workflow status $w --json")
        tasks = sorted(set(re.findall(r'"task_id":\s*"([0-9a-f]{32})"', said)))
        self.assertEqual(len(tasks), 3, said)
        self.check_workflow(tasks)
        python = self.stack.in_client(
            "python3", "-c", "from taskpipe import TaskPipeline; p = TaskPipeline(); "
            "t = p.submit_task('python', 'pi.py', {'samples': 100000}); "
            "print(p.wait_for_task(t, timeout=60)['status'])")
        self.assertIn("success", python.lower())

    def test_4_three_solvers_from_the_host_with_what_they_leave(self):
        said = json.loads(self.stack.taskpipe("workflow", "submit", ROOT / "client/examples/demo.json",
                                              "--json"))
        results = self.check_workflow(said["task_ids"])
        target = self.folder / "artifacts"
        self.stack.taskpipe("artifacts", "get", results["lammps"]["task_id"], "--to", target)
        self.assertTrue([path for path in target.rglob("*") if path.is_file()])

    def sleeper(self, seconds):
        """A task whose first attempt takes so long, and every other one no time; its id."""
        script = self.folder / "sleeper.py"
        script.write_text("import os, time\n"
                          f"time.sleep({seconds} if os.environ['TASKPIPE_ATTEMPT'] == '1' else 0)\n",
                          "utf-8")
        return self.stack.submit("python", "sleeper.py", "--script", script)

    def running_on(self, task):
        """The name of the worker that runs it, once one does."""
        def place():
            row = self.stack.row(task)
            return row["worker"] if row["state"] == "RUNNING" else None
        return until("the task runs", place)

    def container_of(self, worker_name):
        for service in ("worker", *(f"worker-{tool}" for tool in SOLVERS)):
            for container in self.stack.containers(service):
                if container.startswith(worker_name):
                    return container
        raise AssertionError(f"no container is {worker_name}")

    def test_5_a_killed_worker_loses_no_task(self):
        task = self.sleeper(300)
        victim = self.container_of(self.running_on(task))
        run("docker", "kill", victim)
        result = self.stack.result(task)
        self.assertEqual((result["status"], result["attempt"]), ("success", 2), result)
        self.assertNotEqual(self.container_of(self.stack.row(task)["worker"]), victim)
        run("docker", "start", victim)
        self.settle(workers=2)

    def test_6_a_restarted_broker_knows_everything(self):
        before = self.stack.submit("python", "pi.py", "-p", "samples=1000")
        self.assertEqual(self.stack.result(before)["status"], "success")
        task = self.sleeper(20)
        self.running_on(task)
        run("docker", "restart", self.stack.containers("broker")[0])
        result = self.stack.result(task)
        self.assertEqual((result["status"], result["attempt"]), ("success", 1), result)
        self.assertEqual(self.stack.result(before)["status"], "success")
        self.settle(workers=2)

    def test_7_more_workers_and_fewer(self):
        self.stack.up(workers=4)
        self.settle(workers=4)
        self.stack.up(workers=1)
        self.settle(workers=1)
        self.assertEqual(len(self.stack.containers("worker")), 1)
        self.stack.up(workers=2)
        self.settle(workers=2)

    def test_8_a_worker_that_was_cut_off_comes_back(self):
        task = self.sleeper(1)
        name = self.running_on(task)
        self.stack.result(task)
        container = self.container_of(name)
        service = self.stack.inspect(container, '{{index .Config.Labels "com.docker.compose.service"}}')
        network = f"{PROJECT}_cluster"
        run("docker", "network", "disconnect", network, container)
        until("the broker misses it", lambda: name not in self.stack.ready_workers())
        # Work goes on elsewhere meanwhile.
        self.assertEqual(self.stack.result(self.sleeper(0))["status"], "success")
        run("docker", "network", "connect", "--alias", service, network, container)
        until("the worker is back", lambda: name in self.stack.ready_workers())
        self.settle(workers=2)


class Version1(OfStack, unittest.TestCase):
    """docker-compose 1"""

    @staticmethod
    def is_wanted(version):
        return version == 1


class Version2(OfStack, unittest.TestCase):
    """docker compose 2"""

    @staticmethod
    def is_wanted(version):
        return version >= 2


def clear():
    """Of a run that was stopped."""
    if left_over():
        command = next(command for command in COMMANDS if compose_version(command))
        Stack(pathlib.Path("/nonexistent"), command).down()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--base", required=True)
    options, rest = parser.parse_known_args(namespace=ARGUMENTS)
    options.bin = options.bin.resolve()
    clear()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends by the cleanups
    try:
        run_tests(argv=[sys.argv[0], *rest])
    finally:
        clear()


if __name__ == "__main__":
    main()
