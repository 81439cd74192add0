#!/usr/bin/env python3
"""The command line against a real broker and two real workers: every command, every bad input.

What a task does is decided here by inline shell scripts; one that must run until it is told otherwise
reads from a named pipe, so that nothing depends on how long things take.
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import pty
import re
import selectors
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from cluster import Cluster, free_port  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
LIMIT_S = 60.0
ID = re.compile(r"[0-9a-f]{32}")
UNKNOWN_ID = "0" * 31 + "1"


class CliTest(unittest.TestCase):
    """One cluster for all tests of a class; each test makes its own tasks."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(BIN_DIR))
        cls.cluster.start_broker()
        cls.cluster.start_worker("node-a")
        cls.cluster.start_worker("node-b")
        cls.folder = cls.cluster.folder / "files"
        cls.folder.mkdir()

    # --- Running the program --------------------------------------------------------------------

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("TASKPIPE_")}
        return {**kept, "TASKPIPE_BROKER": self.cluster.client_endpoint,
                "TASKPIPE_CONFIG": "/dev/null", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **more}

    def run_cli(self, *arguments, expect=0, stdin=None, **more):
        """Runs `taskpipe`; its exit code must be `expect`, None: any."""
        done = subprocess.run([BIN_DIR / "taskpipe", *map(str, arguments)], input=stdin,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False,
                              env=self.environment(**more))
        if expect is not None:
            self.assertEqual(done.returncode, expect,
                             f"{arguments}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def cli(self, *arguments, **keywords):
        return self.run_cli(*arguments, **keywords).stdout

    def cli_json(self, *arguments, **keywords):
        return json.loads(self.cli(*arguments, "--json", **keywords))

    def refused(self, *arguments, expect, **keywords):
        """What is said on stderr; nothing may be on stdout."""
        done = self.run_cli(*arguments, expect=expect, **keywords)
        self.assertEqual(done.stdout, "")
        return done.stderr

    @contextlib.contextmanager
    def background(self, *arguments, **popen):
        child = subprocess.Popen([BIN_DIR / "taskpipe", *map(str, arguments)],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=self.environment(), **popen)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
            child.stdout.close()
            child.stderr.close()

    # --- Tasks ----------------------------------------------------------------------------------

    def script(self, text):
        path = self.folder / f"script{len(list(self.folder.iterdir()))}.sh"
        path.write_text(text)
        return path

    def submit(self, text, *options):
        """Submits an inline shell script and returns the id."""
        printed = self.cli("submit", "shell", "--script", self.script(text), *options)
        self.assertRegex(printed, rf"\A{ID.pattern}\n\Z")
        return printed.strip()

    @contextlib.contextmanager
    def held_task(self, *options):
        """A task that runs until the context ends; it has started when the context begins."""
        pipe = self.folder / f"pipe{len(list(self.folder.iterdir()))}"
        os.mkfifo(pipe)
        task = self.submit(f"echo begun; read -r _ < {pipe}; echo released", *options)
        end = os.open(pipe, os.O_RDWR)  # O_RDWR: neither blocks nor fails without a reader
        try:
            with self.background("monitor", task, "--json") as watcher:
                for line in watcher.stdout:
                    event = json.loads(line)
                    self.assertFalse(event["ready"], event)
                    if event["state"] == "RUNNING":
                        break
            yield task
        finally:
            os.write(end, b"\n")
            self.run_cli("wait", task, expect=None)
            os.close(end)


class Submit(CliTest):
    def test_prints_the_id_alone_and_runs_the_task(self):
        task = self.submit("echo hello")
        self.assertIn("SUCCESS", self.cli("wait", task))
        self.assertEqual(self.cli("logs", task), "hello\n")

    def test_params_are_typed_and_reach_the_tool(self):
        done = self.cli_json(
            "submit", "shell", "--script", self.script("env | grep ^SIM_ | sort"), "--wait",
            "-p", "steps=10", "-p", "ratio=0.5", "-p", "on=true", "-p", "name=a b=c",
            "-p", "list=[1, 2]", "-p", 'id="007"', "-p", "steps=20")
        result = done["tasks"][0]
        self.assertEqual(result["params"], {"steps": 20, "ratio": 0.5, "on": True,
                                            "name": "a b=c", "list": [1, 2], "id": "007"})
        self.assertEqual(result["stdout"].split("\n")[:-1],
                         ["SIM_ID=007", "SIM_LIST=[1,2]", "SIM_NAME=a b=c", "SIM_ON=true",
                          "SIM_RATIO=0.5", "SIM_STEPS=20"])

    def test_params_from_a_file_and_from_standard_input(self):
        script = self.script('echo "$SIM_A $SIM_B"')
        path = self.folder / "params.json"
        path.write_text('{"a": 1, "b": "two"}')
        result = self.cli_json("submit", "shell", "--script", script, "--wait",
                               "--params", path, "-p", "a=5")["tasks"][0]
        self.assertEqual(result["stdout"], "5 two\n")
        result = self.cli_json("submit", "shell", "--script", script, "--wait",
                               "--params", "-", stdin='{"a": "größer", "b": null}')["tasks"][0]
        self.assertEqual(result["stdout"], "größer \n")

    def test_a_script_of_the_toolbox(self):
        result = self.cli_json("submit", "shell", "hello.sh", "-p", "pause=0", "-p", "name=you",
                               "--wait")["tasks"][0]
        self.assertEqual(result["status"], "success")
        self.assertIn("hello, you\n", result["stdout"])
        names = [detail["name"] for detail in result["artifact_details"]]
        self.assertIn("greeting.txt", names)
        for path in result["artifacts"]:
            self.assertTrue(pathlib.Path(path).is_file(), path)

    def test_many_equal_ones(self):
        ids = self.cli("submit", "shell", "--script", self.script("true"), "--count", 20).split()
        self.assertEqual(len(set(ids)), 20)
        done = self.cli_json("wait", *ids)
        self.assertEqual([task["task_id"] for task in done["tasks"]], ids)
        self.assertEqual({task["status"] for task in done["tasks"]}, {"success"})

    def test_a_failure_is_exit_code_1_with_the_reason(self):
        done = self.run_cli("submit", "shell", "--script", self.script("echo oops >&2; exit 3"),
                            "--wait", expect=1)
        self.assertIn("FAILURE", done.stdout)
        self.assertIn("3", done.stdout)
        done = self.run_cli("submit", "shell", "--script", self.script("echo oops >&2; exit 3"),
                            "--wait", "--json", expect=1)
        result = json.loads(done.stdout)["tasks"][0]
        self.assertEqual((result["status"], result["returncode"], result["stderr"]),
                         ("failed", 3, "oops\n"))
        self.assertEqual(result["failure_class"], "exit")
        self.assertTrue(result["error"])

    def test_a_signal_is_a_negative_return_code(self):
        done = self.run_cli("submit", "shell", "--script", self.script("kill -SEGV $$"), "--wait",
                            "--json", expect=1)
        self.assertEqual(json.loads(done.stdout)["tasks"][0]["returncode"], -signal.SIGSEGV)

    def test_run_time_limit(self):
        done = self.run_cli("submit", "shell", "--script", self.script("sleep 1000"), "--wait",
                            "--json", "--timeout", "200ms", "--grace", "100ms", expect=1)
        self.assertEqual(json.loads(done.stdout)["tasks"][0]["status"], "timeout")

    def test_labels_priority_and_resources_are_taken(self):
        self.submit("true", "--label", "run=7", "--priority", "-5", "--cpus", "1", "--memory",
                    "64M", "--grace", "1s")

    def test_json_prints_the_ids(self):
        done = self.cli_json("submit", "shell", "hello.sh", "-p", "pause=0")
        self.assertEqual(len(done["task_ids"]), 1)
        self.assertRegex(done["task_ids"][0], ID)


class BadInput(CliTest):
    def test_unknown_tool(self):
        said = self.refused("submit", "lamps", "in.melt", expect=5)
        self.assertIn("lamps", said)
        self.assertIn("UNSATISFIABLE", said)
        self.assertIn("taskpipe tools", said)

    def test_unknown_script(self):
        done = self.run_cli("submit", "shell", "no-such-script.sh", "--wait", "--json", expect=None)
        self.assertIn(done.returncode, (1, 5))
        self.assertIn("no-such-script.sh", done.stdout + done.stderr)

    def test_a_script_that_climbs_out(self):
        for script in ("../../../../etc/passwd", "/etc/passwd", "a/../../b.sh"):
            done = self.run_cli("submit", "shell", script, "--wait", "--json", expect=None)
            self.assertIn(done.returncode, (1, 5), script)
            self.assertNotIn("root:", done.stdout)
            self.assertIn("script", done.stdout + done.stderr)

    def test_params_that_are_no_map(self):
        self.assertIn("must be a map", self.refused("submit", "shell", "hello.sh", "--params", "-",
                                                    stdin="[1, 2]", expect=2))

    def test_no_numbers(self):
        self.assertIn("NaN", self.refused("submit", "shell", "hello.sh", "--params", "-",
                                          stdin='{"dt": NaN}', expect=2))
        self.refused("submit", "shell", "hello.sh", "-p", "dt=1e999", expect=2)

    def test_params_of_10_megabytes(self):
        said = self.refused("submit", "shell", "hello.sh", "--params", "-", "--json",
                            stdin=json.dumps({"blob": "x" * 10_000_000}), expect=5)
        error = json.loads(said)["error"]
        self.assertEqual((error["code"], error["field"]), ("TOO_BIG", "params"))
        self.assertLess(len(said), 2000)

    def test_params_nested_too_deeply(self):
        self.assertIn("nested", self.refused("submit", "shell", "hello.sh", "--params", "-",
                                             stdin='{"a": ' + "[" * 100 + "]" * 100 + "}",
                                             expect=2))

    def test_no_utf_8(self):
        done = subprocess.run([BIN_DIR / "taskpipe", "submit", "shell", "hello.sh", "-p", b"a=\xff"],
                              capture_output=True, timeout=LIMIT_S, check=False,
                              env=self.environment())
        self.assertEqual(done.returncode, 2)
        self.assertIn("UTF-8", done.stderr.decode())

    def test_unknown_options_and_commands(self):
        self.assertIn("--priority", self.refused("submit", "shell", "--priorty", "3", expect=2))
        self.assertIn("'submit'", self.refused("sumbit", "shell", expect=2))
        self.assertIn("TOOL", self.refused("submit", expect=2))

    def test_no_worker_could_ever_run_it(self):
        said = self.refused("submit", "shell", "hello.sh", "--cpus", "100000", "--json", expect=5)
        error = json.loads(said)["error"]
        self.assertEqual((error["code"], error["field"]), ("UNSATISFIABLE", "cpus"))
        self.refused("submit", "shell", "hello.sh", "--resource", "license.abaqus=1", expect=5)

    def test_capacity_can_be_waited_for(self):
        task = self.cli("submit", "shell", "hello.sh", "--cpus", "100000",
                        "--wait-for-capacity").strip()
        self.assertIn("PENDING", self.cli("status", task))
        self.assertIn("cancelled", self.cli("cancel", task))

    def test_unknown_ids(self):
        for command in ("status", "wait", "monitor", "result", "logs", "cancel"):
            done = self.run_cli(command, UNKNOWN_ID, expect=1)
            self.assertNotIn("PENDING", done.stdout)
        self.assertIn("UNKNOWN_TASK", self.refused("status", UNKNOWN_ID, expect=1))
        self.assertIn("unknown", self.cli("cancel", UNKNOWN_ID, expect=1))
        done = self.run_cli("status", UNKNOWN_ID, "--json", expect=1)
        self.assertEqual(json.loads(done.stdout), {"tasks": [], "unknown": [UNKNOWN_ID]})
        self.assertEqual(json.loads(done.stderr)["error"]["code"], "UNKNOWN_TASK")

    def test_unknown_workflows(self):
        for command in ("wait", "result", "status", "monitor"):
            self.refused(command, "--workflow", UNKNOWN_ID, expect=1)

    def test_what_is_no_id(self):
        self.assertIn("32 hex digits", self.refused("status", "lammps", expect=2))
        self.refused("status", expect=2)

    def test_no_broker(self):
        started = time.monotonic()
        said = self.refused("list", "--broker", f"tcp://127.0.0.1:{free_port()}",
                            "--connect-timeout", "300ms", expect=3)
        self.assertIn("TASKPIPE_BROKER", said)
        self.assertLess(time.monotonic() - started, LIMIT_S / 2)

    def test_addresses_that_are_none(self):
        for address in ("tcp://", "http://host:1", "a b", "127.0.0.1:99999"):
            done = self.run_cli("list", "--broker", address, "--connect-timeout", "300ms",
                                expect=None)
            self.assertIn(done.returncode, (3, 5), address)
            self.assertIn("taskpipe:", done.stderr)

    def test_a_full_disk_and_a_closed_reader(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BIN_DIR / "taskpipe", "tools"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False,
                                  env=self.environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([BIN_DIR / "taskpipe", "tools"], stdout=writer,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False,
                              env=self.environment())
        os.close(writer)
        # The signal itself, which a shell shows as 128 + 13 = 141.
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, ""))


class Watching(CliTest):
    SCRIPT = 'for i in 1 2 3; do echo "taskpipe-progress $((i * 25)) part $i"; done; echo done'

    def test_follow_into_a_pipe_is_a_line_per_change(self):
        lines = self.cli("submit", "shell", "--script", self.script(self.SCRIPT),
                         "--follow").splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d shell script\d+\.sh ")
            self.assertNotIn("\x1b", line)
        self.assertRegex(lines[-1], r" SUCCESS in \d.* on node-[ab]$")

    def test_follow_of_a_failure_shows_why(self):
        text = self.cli("submit", "shell", "--script",
                        self.script("echo lost atoms >&2; exit 4"), "--follow", expect=1)
        self.assertIn(" FAILURE", text)
        self.assertIn("| lost atoms", text)

    def test_follow_as_json_lines(self):
        lines = self.cli("submit", "shell", "--script", self.script(self.SCRIPT), "--follow",
                         "--json").splitlines()
        documents = [json.loads(line) for line in lines]
        self.assertEqual([d["type"] for d in documents],
                         ["event"] * (len(documents) - 1) + ["result"])
        events = documents[:-1]
        self.assertEqual(events[-1]["state"], "SUCCESS")
        self.assertEqual(sum(event["ready"] for event in events), 1)
        self.assertEqual(documents[-1]["status"], "success")
        self.assertIn("done\n", documents[-1]["stdout"])

    def test_monitor_of_several_and_of_what_has_ended(self):
        first, second = self.submit("true"), self.submit("exit 1")
        text = self.cli("monitor", first, second, expect=1)
        self.assertIn("SUCCESS", text)
        self.assertIn("FAILURE", text)
        self.assertIn("SUCCESS", self.cli("monitor", first))

    def test_wait_gives_up_and_the_task_goes_on(self):
        with self.held_task() as task:
            done = self.run_cli("wait", task, "--timeout", "100ms", expect=4)
            self.assertIn(f"taskpipe cancel {task}", done.stderr)
            self.assertIn("RUNNING", self.cli("status", task))
            self.run_cli("monitor", task, "--timeout", "100ms", expect=4)
            self.run_cli("result", task, expect=1)
        self.assertIn("SUCCESS", self.cli("wait", task))

    def test_ctrl_c_leaves_the_task_running(self):
        with self.held_task() as task:
            for command in ("monitor", "wait"):
                with self.background(command, task) as child:
                    if command == "monitor":
                        self.assertIn("RUNNING", child.stdout.readline())
                    self.interrupt(child)
                    _, said = child.communicate(timeout=LIMIT_S)
                    self.assertEqual(child.returncode, 130)
                    self.assertIn(f"taskpipe wait {task}", said)
            self.assertIn("RUNNING", self.cli("status", task))

    @staticmethod
    def interrupt(child):
        """SIGINT once the program looks after signals; before, it would just die of it."""
        status = pathlib.Path(f"/proc/{child.pid}/status")
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            blocked = re.search(r"SigBlk:\s*([0-9a-f]+)", status.read_text())
            if int(blocked[1], 16) >> (signal.SIGINT - 1) & 1:
                break
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)

    def test_wait_any(self):
        with self.held_task() as held:
            quick = self.submit("true")
            done = self.cli_json("wait", "--any", held, quick)
            self.assertEqual([task["task_id"] for task in done["tasks"]], [quick])

    def test_bars_on_a_terminal(self):
        task = self.submit(self.SCRIPT)
        text = self.on_a_terminal("monitor", task, columns=100)
        self.assertIn("\x1b[", text)
        self.assertIn("\x1b[32m", text)
        self.assertIn("SUCCESS", text)
        plain = self.on_a_terminal("monitor", task, columns=40, NO_COLOR="1")
        self.assertNotIn("\x1b[32m", plain)
        self.assertIn("SUCCESS", plain)

    def test_bars_without_utf_8(self):
        with self.held_task() as task:
            text = self.on_a_terminal("monitor", task, "--timeout", "300ms", columns=100, expect=4,
                                      LC_ALL="C")
            self.assertTrue(text.split("taskpipe:")[0].isascii())

    def test_a_table_fits_its_terminal(self):
        self.submit("true")
        text = self.on_a_terminal("list", columns=120, NO_COLOR="1")
        for line in text.splitlines():
            self.assertLessEqual(len(line), 120, line)

    def on_a_terminal(self, *arguments, columns, expect=0, **more):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen([BIN_DIR / "taskpipe", *map(str, arguments)], stdin=slave,
                                 stdout=slave, stderr=slave, start_new_session=True,
                                 env=self.environment(**{"TERM": "xterm", **more}))
        os.close(slave)
        text = b""
        deadline = time.monotonic() + LIMIT_S
        with selectors.DefaultSelector() as selector:
            selector.register(master, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                try:
                    text += os.read(master, 65536)
                except OSError as problem:
                    if problem.errno == errno.EIO:  # the other side is closed
                        break
                    raise
            else:
                child.kill()
                self.fail(f"{arguments} does not end: {text!r}")
        os.close(master)
        self.assertEqual(child.wait(LIMIT_S), expect, text)
        return text.decode()


class Looking(CliTest):
    def test_status_and_list(self):
        task = self.submit("true", "--priority", "3")
        self.cli("wait", task)
        row = self.cli_json("status", task)["tasks"][0]
        self.assertEqual((row["task_id"], row["state"], row["ready"], row["successful"]),
                         (task, "SUCCESS", True, True))
        self.assertEqual((row["tool"], row["priority"]), ("shell", 3))
        self.assertIn(task, self.cli("list"))
        self.assertIn(task, self.cli("list", "--state", "success", "--tool", "shell"))
        self.assertNotIn(task, self.cli("list", "--state", "failed"))
        self.assertNotIn(task, self.cli("list", "--tool", "python"))

    def test_list_is_limited_and_says_so(self):
        self.cli("submit", "shell", "--script", self.script("true"), "--count", 5)
        page = self.cli_json("list", "--limit", 3)
        self.assertEqual((len(page["tasks"]), page["more"]), (3, True))
        self.assertFalse(self.cli_json("list", "--limit", 100000)["more"])

    def test_ids_may_be_abbreviated(self):
        task = self.submit("true")
        self.cli("wait", task)
        for text in (task[:28], task.upper()):
            self.assertEqual(self.cli_json("status", text)["tasks"][0]["task_id"], task)
        twins = self.cli("submit", "shell", "--script", self.script("true"), "--count", 2).split()
        self.assertIn("ambiguous", self.refused("status", os.path.commonprefix(twins)[:24],
                                                expect=2))
        self.assertIn("UNKNOWN_TASK", self.refused("status", "ffffffffff", expect=1))

    def test_result_for_people_and_programs(self):
        task = self.submit("echo out; echo err >&2; echo data > table.csv")
        self.cli("wait", task)
        text = self.cli("result", task)
        for part in ("SUCCESS", task, "node-", "exit code   0", "table.csv", "out", "err"):
            self.assertIn(part, text)
        result = self.cli_json("result", task)
        for key in ("status", "tool", "script", "params", "returncode", "stdout", "stderr",
                    "artifacts", "artifact_details", "resource_usage", "duration_seconds"):
            self.assertIn(key, result)
        self.assertNotIn("error", result)
        self.assertGreater(result["duration_seconds"], 0)
        self.assertGreater(result["resource_usage"]["max_rss_bytes"], 0)

    def test_logs(self):
        task = self.submit("echo one; echo two >&2; printf 'thr\\303\\251\\377e'")
        self.cli("wait", task)
        done = subprocess.run([BIN_DIR / "taskpipe", "logs", task], capture_output=True,
                              timeout=LIMIT_S, check=True, env=self.environment())
        self.assertEqual(done.stdout, b"one\nthr\xc3\xa9\xffe")
        self.assertEqual(self.cli("logs", task, "--stderr"), "two\n")
        self.assertEqual(self.cli("logs", task, "--stderr", "--offset", 1), "wo\n")
        pieces = [json.loads(line) for line in self.cli("logs", task, "--json").splitlines()]
        self.assertEqual("".join(piece["data"] for piece in pieces), "one\nthré\ufffde")
        self.assertEqual(pieces[0]["offset"], 0)

    def test_logs_follow_until_the_end(self):
        with contextlib.ExitStack() as stack:
            with self.held_task() as task:
                child = stack.enter_context(self.background("logs", "--follow", task))
                self.assertEqual(child.stdout.readline(), "begun\n")
            rest, _ = child.communicate(timeout=LIMIT_S)
            self.assertEqual((child.returncode, rest), (0, "released\n"))

    def test_cancel(self):
        with self.held_task() as task:
            self.assertEqual(self.cli("cancel", task, "--grace", "200ms"), f"{task}  cancelled\n")
            done = self.run_cli("wait", task, "--json", expect=1)
            result = json.loads(done.stdout)["tasks"][0]
            self.assertEqual((result["status"], result["state"]), ("cancelled", "REVOKED"))
        self.assertEqual(self.cli("cancel", task), f"{task}  had ended\n")
        done = self.cli_json("cancel", task)
        self.assertEqual(done["tasks"], [{"task_id": task, "cancelled": False, "code": "OK"}])

    def test_tools_workers_health(self):
        tools = {tool["name"]: tool for tool in self.cli_json("tools")["tools"]}
        self.assertEqual(tools["shell"]["workers"], 2)
        self.assertIn("hello.sh", [script["name"] for script in tools["shell"]["scripts"]])
        self.assertIn("hello.sh", self.cli("tools"))
        workers = self.cli_json("workers")["workers"]
        self.assertEqual(sorted(worker["name"] for worker in workers), ["node-a", "node-b"])
        self.assertIn("node-a", self.cli("workers"))
        health = self.cli_json("health")
        self.assertEqual((health["status"], health["workers"]), ("healthy", 2))
        self.assertIn("healthy", self.cli("health"))


class Workflows(CliTest):
    def write(self, document):
        path = self.folder / f"flow{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps(document))
        return path

    def test_dependencies_are_kept(self):
        log = self.folder / "order"
        append = f"echo $SIM_NAME >> {log}"
        tasks = [{"name": "c", "tool": "shell", "inline_script": append, "params": {"name": "c"},
                  "script": "c.sh", "after": ["b"]},
                 {"name": "b", "tool": "shell", "inline_script": append, "params": {"name": "b"},
                  "script": "b.sh", "after": [2]},
                 {"name": "a", "tool": "shell", "inline_script": append, "params": {"name": "a"},
                  "script": "a.sh"}]
        text = self.cli("workflow", "submit", self.write(tasks), "--follow")
        self.assertEqual(log.read_text(), "a\nb\nc\n")
        self.assertRegex(text, r"(?m)^\d\d:\d\d:\d\d a SUCCESS")

    def test_sequential(self):
        log = self.folder / "sequence"
        tasks = [{"tool": "shell", "script": "x.sh", "inline_script": f"echo {i} >> {log}"}
                 for i in range(4)]
        self.cli("workflow", "submit", "-", "--sequential", "--wait", stdin=json.dumps(tasks))
        self.assertEqual(log.read_text(), "0\n1\n2\n3\n")

    def test_its_id_stands_for_its_tasks(self):
        tasks = [{"tool": "shell", "script": "x.sh", "inline_script": f"echo {i}; exit {i}"}
                 for i in range(2)]
        done = self.cli_json("workflow", "submit", self.write(tasks))
        workflow, ids = done["workflow_id"], done["task_ids"]
        waited = json.loads(self.run_cli("wait", "--workflow", workflow, "--json",
                                         expect=1).stdout)
        self.assertEqual([task["task_id"] for task in waited["tasks"]], ids)
        self.assertEqual([task["returncode"] for task in waited["tasks"]], [0, 1])
        rows = self.cli_json("status", "--workflow", workflow)["tasks"]
        self.assertEqual({row["workflow_id"] for row in rows}, {workflow})
        self.assertEqual(len(self.cli_json("list", "--workflow", workflow)["tasks"]), 2)
        self.assertIn("FAILURE", self.cli("result", "--workflow", workflow, expect=1))
        self.assertIn("had ended", self.cli("cancel", "--workflow", workflow))

    def test_a_failure_can_cancel_what_depends_on_it(self):
        tasks = [{"tool": "shell", "script": "x.sh", "inline_script": "exit 1"},
                 {"tool": "shell", "script": "x.sh", "inline_script": "true", "after": [0]}]
        done = self.run_cli("workflow", "submit", self.write(
            {"name": "w", "on_failure": "cancel_dependents", "tasks": tasks}), "--wait", "--json",
                            expect=1)
        states = [task["state"] for task in json.loads(done.stdout)["tasks"]]
        self.assertEqual(states, ["FAILURE", "REVOKED"])

    def test_mistakes_are_named(self):
        for tasks, field in (([{"tool": "shell", "parms": {}}], "tasks[0].parms"),
                             ([{"script": "x"}], "tasks[0].tool"),
                             ([{"tool": "shell", "after": ["x"]}], "tasks[0].after[0]"),
                             ([], "tasks")):
            said = self.refused("workflow", "submit", self.write(tasks), expect=2)
            self.assertIn(field, said)
        self.refused("workflow", "submit", "no/such/file", expect=2)

    def test_a_cycle(self):
        tasks = [{"tool": "shell", "script": "hello.sh", "after": [1]},
                 {"tool": "shell", "script": "hello.sh", "after": [0]}]
        said = self.refused("workflow", "submit", self.write(tasks), expect=5)
        self.assertIn("CYCLE", said)


class Hello(CliTest):
    def test_the_smallest_client(self):
        done = subprocess.run([BIN_DIR / "taskpipe_hello", self.cluster.client_endpoint],
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("SUCCESS on node-", done.stdout)
        self.assertIn("hello, taskpipe", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
