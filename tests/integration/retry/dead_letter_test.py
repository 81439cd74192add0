#!/usr/bin/env python3
"""What has failed for good: listed, shown, submitted again."""

import json
import unittest

from retry_cluster import UNKNOWN_ID, RetryTest


class DeadLetters(RetryTest):
    def dead(self, *options):
        listed = self.cli_json("dead", "list", *options)
        self.assertFalse(listed["more"])
        return [row["task_id"] for row in listed["tasks"]]

    def pair(self, line):
        old, arrow, new = line.split()
        self.assertEqual(arrow, "->")
        return old, new

    def test_from_the_last_attempt_to_the_cure(self):
        task, cure = self.ill("--retries", 1, "--backoff", "10ms")
        self.run_cli("wait", task, expect=1)
        self.assertIn(task, self.dead("--tool", "shell", "--state", "failed"))
        self.assertNotIn(task, self.dead("--state", "timeout"))

        shown = self.cli_json("dead", "show", task)
        self.assertEqual(self.became(shown), [(1, "retried"), (2, "decided")])
        self.assertEqual([one["exit_code"] for one in shown["attempts"]], [4, 4])
        self.assertEqual(shown["params"], {"cure": str(cure)})
        self.assertIsNone(shown["original"])
        text = self.cli("dead", "show", task[:20])
        for part in ("shell", "FAILURE", task, "retried", "decided", "exited with code 4"):
            self.assertIn(part, text)

        cure.touch()
        old, new = self.pair(self.cli("dead", "resubmit", task))
        self.assertEqual(old, task)
        repeated = self.ended(new)
        self.assertEqual((repeated["state"], repeated["original"]), ("SUCCESS", task))
        self.assertEqual(repeated["params"], shown["params"])
        self.assertIn(f"repeats     {task}", self.cli("dead", "show", new))
        self.assertEqual(self.cli_json("dead", "show", task)["state"], "FAILURE")
        self.assertNotIn(task, self.dead())

    def test_the_policy_goes_with_it(self):
        task, _ = self.ill("--retries", 2, "--backoff", "0")
        self.run_cli("wait", task, expect=1)
        _, new = self.pair(self.cli("dead", "resubmit", task))
        self.assertEqual(len(self.ended(new)["attempts"]), 3)

    def test_all_of_a_tool(self):
        cure = self.path("cure")
        text = self.script(f'[ -e "{cure}" ] || exit 4')
        tasks = self.cli("submit", "shell", "--script", text, "--count", 5).split()
        self.run_cli("wait", *tasks, expect=1)
        self.assertEqual(set(tasks) - set(self.dead()), set())
        cure.touch()
        done = self.cli_json("dead", "resubmit", "--all", "--tool", "no-such-tool")
        self.assertEqual(done, {"refused": [], "resubmitted": []})
        lines = self.cli("dead", "resubmit", "--all", "--tool", "shell", "--state", "failed",
                         "--wait", "--json", expect=None).splitlines()
        pairs = json.loads(lines[0])["resubmitted"]
        mine = [pair["task_id"] for pair in pairs if pair["original"] in tasks]
        self.assertEqual(len(mine), 5)
        results = {result["task_id"]: result for result in json.loads(lines[1])["tasks"]}
        self.assertEqual({results[task]["status"] for task in mine}, {"success"})
        self.assertEqual(set(tasks) & set(self.dead()), set())

    def test_what_cannot_be_submitted_again_is_named(self):
        good = self.submit("true")
        self.run_cli("wait", good)
        self.assertIn("has succeeded", self.refused("dead", "resubmit", good, expect=5))
        with self.held_task() as running:
            self.assertIn("has not ended", self.refused("dead", "resubmit", running, expect=5))
        self.refused("dead", "resubmit", UNKNOWN_ID, expect=1)
        self.refused("dead", "show", UNKNOWN_ID, expect=1)
        ill, _ = self.ill()
        self.run_cli("wait", ill, expect=1)
        done = self.run_cli("dead", "resubmit", good, ill, "--json", expect=5)
        document = json.loads(done.stdout)
        self.assertEqual([pair["original"] for pair in document["resubmitted"]], [ill])
        self.assertEqual([one["original"] for one in document["refused"]], [good])
        self.assertEqual(document["refused"][0]["error"]["code"], "INVALID")

    def test_the_attempt_that_runs_is_shown(self):
        with self.held_task() as running:
            shown = self.cli_json("dead", "show", running)
            self.assertEqual(self.became(shown), [(1, "running")])
            (attempt,) = shown["attempts"]
            self.assertEqual((attempt["state"], attempt["ended"]), ("RUNNING", None))
            self.assertTrue(attempt["worker"] and attempt["started"], attempt)
            self.assertRegex(self.cli("dead", "show", running),
                             rf"1  running +RUNNING +- +- +{attempt['worker']}")

    def test_they_survive_the_broker(self):
        task, cure = self.ill("--retries", 1, "--backoff", "0")
        self.run_cli("wait", task, expect=1)
        before = self.cli_json("dead", "show", task)
        self.cluster.broker.kill()
        self.cluster.start_broker()
        for worker in ("node-a", "node-b"):
            self.cluster.broker.wait_for(f"worker '{worker}' on ")
        self.assertIn(task, self.dead())
        self.assertEqual(self.cli_json("dead", "show", task), before)
        cure.touch()
        _, new = self.pair(self.cli("dead", "resubmit", task))
        self.assertEqual(self.ended(new)["state"], "SUCCESS")
        self.assertNotIn(task, self.dead())


if __name__ == "__main__":
    unittest.main()
