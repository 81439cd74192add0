#!/usr/bin/env python3
"""`taskpipe completion` in a real bash, and `taskpipe man` through groff."""

import subprocess
import unittest

from cli_harness import BIN_DIR, LIMIT_S, CliTest


class Completion(CliTest):
    def complete(self, *words, **more):
        """What bash would offer for the last of `words`."""
        program = ('source <("$1" completion bash); shift; '
                   'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _taskpipe; '
                   'printf "%s\\n" "${COMPREPLY[@]}"')
        taskpipe = str(BIN_DIR / "taskpipe")
        done = subprocess.run(["bash", "--norc", "-c", program, "bash", taskpipe, taskpipe, *words],
                              capture_output=True, text=True, timeout=LIMIT_S, check=True,
                              cwd=self.folder, env=self.environment(**more))
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_commands_options_and_values(self):
        self.assertEqual(self.complete("work"), ["workflow", "workers"])
        self.assertEqual(self.complete("submit", "--prio"), ["--priority"])
        self.assertEqual(self.complete("list", "--color", "=", "al"), ["always"])

    def test_names_of_files(self):
        (self.folder / "my flow.toml").write_text("")
        self.assertEqual(self.complete("workflow", "run", "my f"), ["my", "flow.toml"])

    def test_tools_scripts_and_tasks_come_from_the_broker(self):
        self.assertEqual(self.complete("submit", "she"), ["shell"])
        self.assertIn("hello.sh", self.complete("submit", "shell", "hel"))
        task = self.submit("true")
        self.assertIn(task, self.complete("result", task[:6]))

    def test_no_broker_is_no_message(self):
        self.assertEqual(self.complete("submit", "she", TASKPIPE_BROKER="tcp://127.0.0.1:1"), [])

    def test_an_unknown_shell(self):
        self.assertIn("did you mean 'bash'?", self.refused("completion", "bsh", expect=2))


class Manual(CliTest):
    def test_groff_has_nothing_to_complain_about(self):
        for command in ([], ["submit"], ["workflow", "run"], ["sweep"], ["events"]):
            page = self.cli("man", *command)
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou"], input=page,
                                  capture_output=True, text=True, timeout=LIMIT_S, check=True,
                                  env=self.environment())
            self.assertEqual(done.stderr, "", command)
            self.assertIn("--broker", done.stdout)
            self.assertIn("NO_COLOR", done.stdout)
        self.refused("man", "frobnicate", expect=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
