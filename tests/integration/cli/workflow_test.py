#!/usr/bin/env python3
"""`taskpipe workflow run` and `status`, `taskpipe sweep`, `taskpipe events`."""

import json
import re
import signal
import unittest

from cli_harness import ID, LIMIT_S, UNKNOWN_ID, CliTest

FLOW = """
name = "airfoil"
on_failure = "cancel_dependents"

[[tasks]]
name = "mesh"
tool = "shell"
script = "mesh.sh"
inline_script = "echo meshed"

[[tasks]]
name = "flow"
tool = "shell"
script = "flow.sh"
inline_script = "{flow}"
after = ["mesh"]
"""


class Workflows(CliTest):
    def write(self, text, name="flow.toml"):
        path = self.folder / name
        path.write_text(text)
        return path

    def test_run_shows_progress_and_a_table_of_results(self):
        done = self.run_cli("workflow", "run", self.write(FLOW.format(flow="echo flown")))
        workflow = re.match(rf"workflow ({ID.pattern}), 2 tasks", done.stderr)[1]
        self.assertRegex(done.stdout, r"(?m)^\d\d:\d\d:\d\d mesh SUCCESS")
        self.assertRegex(done.stdout, r"(?m)^ID +TASK +STATE")
        self.assertRegex(done.stdout, rf"(?m)^{ID.pattern}  flow  SUCCESS")
        self.assertIn("2/2 done", self.cli("workflow", "status", workflow))

    def test_run_of_a_failure_says_why_and_ends_with_1(self):
        done = self.run_cli("workflow", "run", "-", expect=1,
                            stdin=FLOW.format(flow="echo diverged >&2; exit 3"))
        self.assertIn("| diverged", done.stdout)
        self.assertIn("exited with code 3", done.stdout)

    def test_run_as_json_lines(self):
        lines = [json.loads(line) for line in
                 self.cli("workflow", "run", self.write(FLOW.format(flow="true")),
                          "--json").splitlines()]
        self.assertEqual(lines[0]["type"], "workflow")
        self.assertEqual([line["type"] for line in lines[-2:]], ["result", "result"])
        self.assertEqual([line["task_id"] for line in lines[-2:]], lines[0]["task_ids"])

    def test_bars_have_a_summary(self):
        text = self.on_a_terminal("workflow", "run", self.write(FLOW.format(flow="true")),
                                  columns=100)
        self.assertIn("2/2 done", text)
        self.assertIn("\x1b[", text)

    def test_status_counts(self):
        done = self.cli_json("workflow", "submit", self.write(FLOW.format(flow="exit 1")))
        self.run_cli("wait", "--workflow", done["workflow_id"], expect=1)
        status = self.cli_json("workflow", "status", done["workflow_id"])
        self.assertEqual({key: status[key] for key in ("total", "completed", "failed", "running",
                                                       "pending", "all_complete")},
                         {"total": 2, "completed": 1, "failed": 1, "running": 0, "pending": 0,
                          "all_complete": True})
        self.assertEqual([task["task_id"] for task in status["tasks"]], done["task_ids"])
        self.assertIn("UNKNOWN_TASK", self.refused("workflow", "status", UNKNOWN_ID, expect=1))

    def test_mistakes_have_their_place(self):
        said = self.refused("workflow", "run", self.write("[[tasks]]\ntool = shell\n"), expect=2)
        self.assertIn("flow.toml: line 2, column 8: ", said)
        said = self.refused("workflow", "run", self.write("[[tasks]]\ntool = 'shell'\ncpu = 2\n"),
                            expect=2)
        self.assertIn("line 3, column 7: tasks[0].cpu is no field; did you mean 'cpus'?", said)

    def test_a_timeout_names_the_workflow(self):
        done = self.run_cli("workflow", "run", "-", "--timeout", "300ms", expect=4,
                            stdin=FLOW.format(flow="sleep 60"))
        workflow = ID.search(done.stderr)[0]
        self.assertIn(f"taskpipe cancel --workflow {workflow}", done.stderr)
        self.cli("cancel", "--workflow", workflow, "--grace", "100ms")
        self.run_cli("wait", "--workflow", workflow, expect=1)


class Sweeps(CliTest):
    def sweep(self, *arguments, **keywords):
        return self.run_cli("sweep", "shell", "--script", self.script('echo "$SIM_A-$SIM_B"'),
                            *arguments, **keywords)

    def test_every_combination_runs(self):
        done = self.sweep("-p", "a=1..3", "-p", "b=x,y", "--wait", "--json")
        outputs = [task["stdout"] for task in json.loads(done.stdout)["tasks"]]
        self.assertEqual(outputs, ["1-x\n", "1-y\n", "2-x\n", "2-y\n", "3-x\n", "3-y\n"])

    def test_it_says_how_many_and_prints_the_workflow(self):
        done = self.sweep("-p", "a=1,2", "-p", "b=x")
        self.assertRegex(done.stdout, rf"\A{ID.pattern}\n\Z")
        self.assertIn("2 tasks: a (2) × b (1)", done.stderr)
        self.cli("wait", "--workflow", done.stdout.strip())
        ids = self.sweep("-p", "a=1,2", "--task-ids").stdout.split()
        self.assertEqual(len(ids), 2)
        self.cli("wait", *ids)
        document = json.loads(self.sweep("-p", "a=1,2", "--json").stdout)
        self.assertEqual(document["params"], [{"a": 1}, {"a": 2}])
        self.cli("wait", *document["task_ids"])

    def test_a_dry_run_submits_nothing(self):
        before = len(self.cli_json("list", "--limit", 100000)["tasks"])
        done = self.sweep("-p", "a=1..3", "--dry-run")
        self.assertEqual(done.stdout, "a=1\na=2\na=3\n")
        document = json.loads(self.sweep("-p", "a=1..3", "--dry-run", "--json").stdout)
        self.assertEqual((document["count"], document["params"][2]), (3, {"a": 3}))
        self.assertEqual(len(self.cli_json("list", "--limit", 100000)["tasks"]), before)

    def test_mistakes(self):
        for assignment, text in (("a=1,,2", "empty"), ("a=1,1", "twice"), ("a=9..1", "upwards"),
                                 ("a=1..1000000", "at most")):
            said = self.refused("sweep", "shell", "x.sh", "-p", assignment, expect=2)
            self.assertIn(text, said)

    def test_many_do_not_flood_a_terminal(self):
        text = self.on_a_terminal("sweep", "shell", "--script", self.script("true"),
                                  "-p", "a=1..200", "--follow", columns=100)
        last_frame = text[text.rindex("200/200 done"):]
        self.assertLess(last_frame.count("\n"), 24)
        self.assertNotRegex(text, r"a=\d+ +[^\n]*pending")


class Streams(CliTest):
    def test_events_come_as_they_happen(self):
        with self.background("events", "--topic", "heartbeat", "--topic", "task.shell",
                             "--topic", "progress.shell", "--json") as child:
            # Its first heartbeat shows that the subscription stands.
            self.assertEqual(json.loads(child.stdout.readline())["type"], "heartbeat")
            task = self.submit("echo taskpipe-progress 50 half; exit 3")
            states = []
            for line in child.stdout:
                event = json.loads(line)
                if event.get("task_id") != task:
                    continue
                self.assertIn(event["type"], ("task", "progress"))
                states.append(event["state"])
                if event["ready"]:
                    break
            self.assertEqual(states[-1], "FAILURE")
            self.assertIn("RUNNING", states)
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=LIMIT_S)
            self.assertEqual(child.returncode, 130)

    def test_count_and_timeout_end_it(self):
        lines = self.cli("events", "--topic", "heartbeat", "--count", 2).splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^\d\d:\d\d:\d\d  heartbeat ")
        self.run_cli("events", "--topic", "worker.", "--timeout", "100ms", expect=4)
        self.refused("events", "--follow", "--count", 1, expect=2)

    def test_a_restart_of_the_broker_is_a_gap(self):
        # Of topics that have had events and of those that have not, and without a next event.
        self.cli("submit", "shell", "--script", self.script("true"), "--wait")
        with self.background("events", "--topic", "heartbeat", "--topic", "task.",
                             "--topic", "workflow", "--json") as child:
            self.assertEqual(json.loads(child.stdout.readline())["type"], "heartbeat")
            self.cli("submit", "shell", "--script", self.script("true"), "--wait")
            epoch = json.loads(next(line for line in child.stdout if '"task"' in line))["epoch"]
            self.cluster.broker.stop()
            self.cluster.start_broker()
            missing = {"task.shell.", "workflow."}
            while missing:
                gap = self.next_line(child, lambda event: event["epoch"] > epoch)
                self.assertEqual((gap["type"], gap["epoch"]), ("gap", epoch + 1))
                missing.remove(gap["topic"])

    def next_line(self, child, wanted):
        for line in child.stdout:
            event = json.loads(line)
            if wanted(event):
                return event
        self.fail("the stream has ended")


if __name__ == "__main__":
    unittest.main(verbosity=2)
