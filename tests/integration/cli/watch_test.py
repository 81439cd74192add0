#!/usr/bin/env python3
"""`taskpipe` waiting, following, looking, and running workflows."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from cli_harness import BIN_DIR, LIMIT_S, CliTest


class Watching(CliTest):
    SCRIPT = 'for i in 1 2 3; do echo "taskpipe-progress $((i * 25)) part $i"; done; echo done'

    def test_follow_into_a_pipe_is_a_line_per_change(self):
        lines = self.cli("submit", "shell", "--script", self.script(self.SCRIPT),
                         "--follow").splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d shell script\d+\.sh ")
            self.assertNotIn("\x1b", line)
        # How long it took is told of a run whose beginning was seen.
        self.assertRegex(lines[-1], r" SUCCESS (in \d.* )?on node-[ab]$")

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
        self.assertEqual(result["params"], {})
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

    def test_logs_as_json_hold_what_was_written_and_no_more(self):
        task = self.submit(r"printf 'a\303'")
        self.cli("wait", task)
        pieces = [json.loads(line) for line in self.cli("logs", task, "--json").splitlines()]
        self.assertEqual([(piece["offset"], piece["data"]) for piece in pieces],
                         [(0, "a"), (1, "\ufffd")])

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
