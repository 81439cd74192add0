#!/usr/bin/env python3
"""What docs/artifacts.md shows in C++: its lines are those of the example, which is run."""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from artifact_cluster import BIN_DIR, ArtifactCase  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "docs" / "artifacts.md").read_text()
EXAMPLE = (REPOSITORY / "client" / "examples" / "artifacts.cpp").read_text()
LIMIT_S = 120.0


class Documented(ArtifactCase):
    def run_example(self, folder, expect=0):
        done = subprocess.run([BIN_DIR / "taskpipe_artifacts", folder, self.cluster.client_endpoint],
                              cwd=self.here, capture_output=True, text=True, timeout=LIMIT_S,
                              check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout.splitlines(), done.stderr

    def test_the_lines_are_those_of_the_example(self):
        shown = [block for block in re.findall(r"```cpp\n(.*?)```", GUIDE, re.S)
                 if "client.submit({" not in block]
        self.assertEqual(len(shown), 2)
        for line in "".join(shown).splitlines():
            self.assertIn(f"  {line}\n", EXAMPLE)

    def test_the_example_runs_where_there_is_no_folder_yet(self):
        lines, _ = self.run_example("results/of/today")
        content = b"1\n2\n3\n"
        self.assertIn(f"out/sorted.txt 6 {hashlib.sha256(content).hexdigest()}", lines)
        self.assertEqual([line for line in lines if line.startswith("results/")],
                         ["results/of/today/largest.txt", "results/of/today/out/sorted.txt"])
        self.assertEqual((self.here / "results/of/today/out/sorted.txt").read_bytes(), content)
        self.assertEqual((self.here / "results/of/today/largest.txt").read_text(), "3\n")

    def test_a_link_in_the_folder_is_not_followed(self):
        (self.here / "results").mkdir()
        (self.here / "elsewhere").mkdir()
        (self.here / "results/out").symlink_to(self.here / "elsewhere")
        _, complaint = self.run_example("results", expect=1)
        self.assertIn("would leave the folder", complaint)
        self.assertEqual(os.listdir(self.here / "elsewhere"), [])


if __name__ == "__main__":
    unittest.main()
