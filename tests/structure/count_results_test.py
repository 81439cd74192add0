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


if __name__ == "__main__":
    unittest.main()
