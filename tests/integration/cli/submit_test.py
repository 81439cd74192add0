#!/usr/bin/env python3
"""`taskpipe submit`, the smallest client program, and every bad input."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from cli_harness import BIN_DIR, ID, LIMIT_S, UNKNOWN_ID, CliTest
from cluster import free_port  # noqa: E402


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
        for command in ("logs", "status", "result", "events"):
            said = self.refused(command, UNKNOWN_ID, expect=1)
            self.assertIn(f"there is no task {UNKNOWN_ID}, or it is another user's", said)
            self.assertIn("taskpipe list", said)

    def test_a_result_that_is_not_there_yet(self):
        with self.held_task() as task:
            self.assertIn(f"taskpipe wait {task}", self.refused("result", task, expect=1))
            error = json.loads(self.refused("result", task, "--json", expect=1))["error"]
            self.assertIn("has not ended: it is running", error["text"])

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
            self.assertIn("TASKPIPE_BROKER", self.refused("list", "--broker", address, expect=2))
        self.assertIn("TASKPIPE_EVENTS",
                      self.refused("events", "--events", "http://host:1", expect=2))

    def test_a_full_disk_and_a_closed_reader(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BIN_DIR / "taskpipe", "tools"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False,
                                  env=self.environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        # A stream that ends early by it says so as well, rather than that nobody reads.
        task = self.submit("echo hello")
        self.cli("wait", task)
        for command in (["logs", task], ["monitor", task], ["events", "--topic", "heartbeat"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([BIN_DIR / "taskpipe", *command], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=LIMIT_S,
                                      check=False, env=self.environment())
            self.assertEqual(done.returncode, 1, command)
            self.assertIn("No space left", done.stderr)
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([BIN_DIR / "taskpipe", "tools"], stdout=writer,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False,
                              env=self.environment())
        os.close(writer)
        # The signal itself, which a shell shows as 128 + 13 = 141.
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, ""))



class Hello(CliTest):
    def test_the_smallest_client(self):
        done = subprocess.run([BIN_DIR / "taskpipe_hello", self.cluster.client_endpoint],
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("SUCCESS on node-", done.stdout)
        self.assertIn("hello, taskpipe", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
