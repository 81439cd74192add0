#!/usr/bin/env python3
"""count_results.py on reports as ctest, googletest and pytest write them."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

COUNT = pathlib.Path(__file__).resolve().parent.parent / "support" / "count_results.py"
CTEST = """<testsuite tests="4">
<testcase name="alone" status="run"/>
<testcase name="not here" status="notrun"><skipped message="no LAMMPS"/></testcase>
<testcase name="unit.0" status="{status}">{inner}</testcase>
</testsuite>"""
SHARD = """<testsuites><testsuite name="Codec">
<testcase classname="Codec" name="Reads" status="run" result="completed"/>
<testcase classname="Codec" name="Waits" status="run" result="skipped">
  <skipped message="a.cpp:7&#x0A;no /dev/full here"/></testcase>
<testcase classname="Codec" name="Writes" status="run" result="completed">{inner}</testcase>
</testsuite></testsuites>"""
FAILURE = '<failure message="Failed"/>'


class CountResults(unittest.TestCase):
    def count(self, shard, ctest_status="run", ctest_inner=""):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "tests.xml").write_text(CTEST.format(status=ctest_status, inner=ctest_inner))
            if shard is not None:
                (folder / "unit.0.xml").write_text(shard)
            return subprocess.run([sys.executable, "-B", COUNT, folder / "tests.xml", folder],
                                  capture_output=True, text=True, check=True).stdout.splitlines()

    def test_tests_within_a_shard_count(self):
        self.assertEqual(self.count(SHARD.format(inner="")),
                         ["3 0 2", "skipped: not here: no LAMMPS",
                          "skipped: Codec.Waits: a.cpp:7 no /dev/full here"])

    def test_a_failure_is_named(self):
        lines = self.count(SHARD.format(inner=FAILURE), "fail", FAILURE)
        self.assertEqual(lines[0], "2 1 2")
        self.assertIn("failed: Codec.Writes: Failed", lines)

    def test_a_shard_that_fails_after_its_tests_counts(self):
        lines = self.count(SHARD.format(inner=""), "fail", FAILURE)
        self.assertEqual(lines[0], "3 1 2")
        self.assertIn("failed: unit.0: Failed", lines)

    def test_a_shard_that_left_no_report_counts_as_one_failure(self):
        self.assertEqual(self.count(None, "fail", '<failure message=""/>')[0], "1 1 1")

    def test_an_entry_without_a_report_counts_as_itself(self):
        self.assertEqual(self.count(None)[0], "2 0 1")


SCRIPTS = """<testsuite tests="3">
<testcase name="disk" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
  <system-out>test_full ... skipped
UNAVAILABLE: a small disk: mounting needs root
</system-out></testcase>
<testcase name="shells" status="run"><system-out>UNAVAILABLE: zsh is not installed
OK</system-out></testcase>
<testcase name="broken" status="fail"><failure message=""/>
  <system-out>UNAVAILABLE: fish is not installed</system-out></testcase>
</testsuite>"""


class Scripts(unittest.TestCase):
    def test_a_script_tells_what_its_host_lacks(self):
        with tempfile.TemporaryDirectory() as name:
            report = pathlib.Path(name) / "tests.xml"
            report.write_text(SCRIPTS)
            lines = subprocess.run([sys.executable, "-B", COUNT, report], capture_output=True, text=True,
                                   check=True).stdout.splitlines()
        self.assertEqual(lines, ["1 1 1", "skipped: disk: a small disk: mounting needs root",
                                 "skipped: shells: zsh is not installed (the rest of it passed)",
                                 "failed: broken"])

    def test_the_end_of_a_script(self):
        """Run: nothing could, some could, one failed."""
        cases = {"skip": "self.skipTest('no way')", "pass": "pass", "fail": "self.fail('no')"}
        for bodies, code, told in ((("skip",), 77, True), (("skip", "pass"), 0, True), (("pass",), 0, False),
                                   (("skip", "fail"), 1, True)):
            tests = "".join(f"    def test_{body}(self):\n        {cases[body]}\n" for body in bodies)
            script = ("import sys, unittest\nsys.path.insert(0, sys.argv.pop())\n"
                      f"from unavailable import main\nclass T(unittest.TestCase):\n{tests}main()\n")
            done = subprocess.run([sys.executable, "-B", "-c", script, COUNT.parent], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertEqual("\nUNAVAILABLE: no way\n" in done.stdout, told)


if __name__ == "__main__":
    unittest.main()
