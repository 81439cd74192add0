#!/usr/bin/env python3
"""Failed attempts that are followed by another, and the limits of waiting and of silence."""

import json
import unittest

from retry_cluster import RetryTest, pauses


class Retries(RetryTest):
    def test_fails_twice_and_succeeds_at_the_third_attempt(self):
        task, count = self.counting(3, "--retries", 5, "--backoff", "300ms")
        shown = self.ended(task)
        self.assertEqual((shown["state"], shown["attempt"]), ("SUCCESS", 3))
        self.assertEqual(self.became(shown), [(1, "retried"), (2, "retried"), (3, "decided")])
        first, second, third = shown["attempts"]
        for failed in (first, second):
            self.assertEqual((failed["state"], failed["failure_class"], failed["exit_code"]),
                             ("FAILURE", "exit", 7))
            self.assertEqual(failed["reason"], "exited with code 7")
            self.assertIn(failed["worker"], ("node-a", "node-b"))
        self.assertEqual(third["exit_code"], 0)
        self.assertEqual(count.read_text().split(), ["1", "2", "3"])
        # The second half of a wait is scattered: 150 to 300 ms, then 300 to 600 ms.
        before_second, before_third = pauses(shown["attempts"])
        self.assertGreaterEqual(before_second, 0.149)
        self.assertGreaterEqual(before_third, 0.299)

    def test_the_wait_never_exceeds_the_longest(self):
        task, _ = self.counting(4, "--retries", 3, "--backoff", "100ms", "--max-backoff", "100ms")
        shown = self.ended(task)
        self.assertEqual((shown["state"], len(shown["attempts"])), ("SUCCESS", 4))

    def test_without_retries_the_first_failure_is_final(self):
        task, count = self.counting(2)
        shown = self.ended(task)
        self.assertEqual((shown["state"], self.became(shown)), ("FAILURE", [(1, "decided")]))
        self.assertEqual(len(count.read_text().split()), 1)

    def test_other_classes_of_failure_are_final(self):
        task, count = self.counting(2, "--retries", 3, "--retry-on", "signal,timeout")
        shown = self.ended(task)
        self.assertEqual((shown["state"], self.became(shown)), ("FAILURE", [(1, "decided")]))
        self.assertEqual(len(count.read_text().split()), 1)

    def test_a_signal_is_told_of_each_attempt(self):
        task = self.submit("kill -SEGV $$", "--retries", 1, "--backoff", "0",
                           "--retry-on", "signal")
        shown = self.ended(task)
        self.assertEqual([one["signal"] for one in shown["attempts"]], [11, 11])
        self.assertEqual([one["exit_code"] for one in shown["attempts"]], [None, None])

    def test_status_shows_the_attempts_of_a_task(self):
        task, _ = self.counting(2, "--retries", 1, "--backoff", "0")
        self.run_cli("wait", task)
        text = self.cli("status", task)
        self.assertRegex(text, r"\n  attempt 1 retried on node-[ab]: exited with code 7\n")
        (row,) = self.cli_json("status", task)["tasks"]
        self.assertEqual([one["became"] for one in row["attempts"]], ["retried"])
        other = self.submit("true")
        self.assertNotIn("attempt 1", self.cli("status", task, other))

    def test_a_task_can_be_cancelled_between_two_attempts(self):
        task, count = self.counting(2, "--retries", 1, "--backoff", "1h", "--max-backoff", "1h")
        with self.background("monitor", task, "--json") as watcher:
            for line in watcher.stdout:
                event = json.loads(line)
                if event["state"] == "PENDING" and "try 2 of 2" in event["message"]:
                    break
                self.assertFalse(event["ready"], event)
        self.assertEqual(self.cli_json("cancel", task)["tasks"][0]["cancelled"], True)
        shown = self.ended(task)
        self.assertEqual(shown["state"], "REVOKED")
        self.assertEqual(len(count.read_text().split()), 1)

    def test_of_a_workflow_file_too(self):
        count = self.path("count")
        script = json.dumps(
            'echo x >> "$SIM_COUNT"; [ "$(wc -l < "$SIM_COUNT")" -ge 2 ] || exit 1')
        flow = self.folder / "flow.toml"
        flow.write_text(f"""
[[tasks]]
name = "first"
tool = "shell"
script = "s.sh"
inline_script = {script}
params = {{count = "{count}"}}
retry = {{max_attempts = 2, on = ["exit"], backoff = "10ms", worker_losses = 2}}
queue_time = "10m"
no_progress = "5m"

[[tasks]]
tool = "shell"
script = "s.sh"
inline_script = "wc -l < $SIM_COUNT"
params = {{count = "{count}"}}
after = ["first"]
""")
        lines = self.cli("workflow", "run", flow, "--json").splitlines()
        results = [line for line in map(json.loads, lines) if line.get("type") == "result"]
        self.assertEqual([result["status"] for result in results], ["success", "success"])
        # Whoever waits for a task waits for its last attempt.
        self.assertEqual(results[1]["stdout"].strip(), "2")


class Limits(RetryTest):
    def test_a_task_that_no_worker_takes_ends_after_its_queue_time(self):
        task = self.cli("submit", "no-such-tool", "--wait-for-capacity", "--queue-time", "300ms",
                        "--retries", 2).strip()
        shown = self.ended(task)
        self.assertEqual((shown["state"], shown["failure_class"]), ("timeout", "timeout"))
        self.assertEqual(shown["attempts"], [])
        self.assertIn("300 ms", shown["message"])
        self.assertIn(task, self.cli("dead", "list", "--tool", "no-such-tool"))

    def test_an_attempt_that_is_silent_is_stopped_and_tried_again(self):
        task = self.submit("echo begun; exec sleep 600", "--no-progress", "400ms", "--grace", "1s",
                           "--retries", 1, "--retry-on", "timeout", "--backoff", "0")
        shown = self.ended(task)
        self.assertEqual((shown["state"], shown["failure_class"]), ("timeout", "timeout"))
        self.assertEqual(self.became(shown), [(1, "retried"), (2, "decided")])
        for attempt in shown["attempts"]:
            self.assertEqual(attempt["reason"], "made no progress for 400 ms (no_progress)")
            self.assertGreaterEqual(attempt["duration_seconds"], 0.4)

    def test_a_silent_handler_too(self):
        self.cluster.start_worker("node-c", "--handlers")
        task = self.cli("submit", "echo", "-p", "sleep_ms=3600000", "--no-progress",
                        "200ms").strip()
        shown = self.ended(task)
        self.assertEqual((shown["state"], shown["failure_class"]), ("timeout", "timeout"))
        self.assertEqual(shown["message"], "made no progress for 200 ms (no_progress)")


if __name__ == "__main__":
    unittest.main()
