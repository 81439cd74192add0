#!/usr/bin/env python3
"""What docs/retries.md shows: its commands and its C++ program are run, its workflow is read."""

import os
import pathlib
import re
import subprocess
import unittest

from retry_cluster import BIN_DIR, LIMIT_S, RetryTest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "docs" / "retries.md").read_text()
EXAMPLE = (REPOSITORY / "client" / "examples" / "retries.cpp").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.S)


class Documented(RetryTest):
    def bash(self, text, expect=0):
        environment = self.environment(PATH=f"{BIN_DIR}:{os.environ['PATH']}",
                                       TMPDIR=str(self.folder))
        done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, check=False,
                              timeout=LIMIT_S, env=environment)
        self.assertEqual(done.returncode, expect, text + done.stdout + done.stderr)
        return done.stdout

    def test_the_commands_run(self):
        first, listing, resubmit = blocks("bash")
        self.assertIn("SUCCESS", self.bash(first))
        task, _ = self.ill()
        self.run_cli("wait", task, expect=1)
        self.assertIn(task, self.bash(listing))
        self.assertRegex(self.bash(resubmit), rf"{task}  ->  [0-9a-f]{{32}}\n")

    def test_the_workflow_is_accepted_as_far_as_its_tools(self):
        (text,) = blocks("toml")
        flow = self.folder / "flow.toml"
        flow.write_text(text.replace('"openfoam"', '"no-such-tool"'))
        said = self.refused("workflow", "submit", flow, expect=5)
        self.assertIn("no worker has ever offered", said)

    def test_the_program_is_the_documented_one_and_runs(self):
        (text,) = blocks("cpp")
        for line in text.splitlines():
            self.assertIn(f"  {line}\n", EXAMPLE)
        done = subprocess.run([BIN_DIR / "taskpipe_retries", self.cluster.client_endpoint],
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("FAILURE at attempt 2\n  attempt 1 retried: exited with code 1\n",
                      done.stdout)
        again = re.search(r"submitted again as ([0-9a-f]{32})", done.stdout)
        self.assertTrue(again, done.stdout)
        self.assertEqual(len(self.ended(again[1])["attempts"]), 2)


if __name__ == "__main__":
    unittest.main()
