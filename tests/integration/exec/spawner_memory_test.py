#!/usr/bin/env python3
"""taskpipe-spawner and its guards under valgrind: no bad access, no leak, no descriptor left open.

The integration test of the executor drives the spawner as always: starts that succeed and fail, stops,
kills, daemons, the end of the worker. Only the spawner runs in valgrind, built without sanitizers; what it
starts runs by itself. Each of its processes leaves a report, which is read here.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))
from unavailable import main  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
# Each kind of start and of end. Not those that need more speed than valgrind has, nor execve's own
# words for a bad program, which valgrind says in another way.
DRIVE = ":".join((
    "AgentDeath.*", "CannotExecute.AMissingProgram", "CannotExecute.AFolder", "Containment.*",
    "Destruction.*", "Ending.*", "*MemoryLimit.*/auto", "StartEnvironment.TakesLargeArgumentLists",
    "Stop.CancelsARunningAttempt", "Stop.KillsWhoIgnoresSigterm", "Stop.WithoutGraceKillsAtOnce",
    "Stop.BeforeTheStartIsThroughEndsItAllTheSame", "TimeLimit.EndsATool"))
# A race: the storm forks at full speed, and a guard that is thirty times slower may not win it.
DRIVE += "-Containment.AStormOfForksIsEnded"
WRAPPER = """#!/bin/sh
exec valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \\
  --track-fds=yes --log-file="{reports}/%p" "{spawner}" "$@"
"""
FEWEST_SPAWNERS = 20  # that ended in order; a filter that matches nothing proves nothing
DRIVE_LIMIT_S = 500


def why_unavailable():
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    probe = subprocess.run(["valgrind", "-q", "true"], capture_output=True, text=True, check=False)
    return None if probe.returncode == 0 else f"valgrind does not run: {probe.stderr.strip()}"


class Report:
    """What valgrind wrote about one process."""

    def __init__(self, path):
        self.pid = int(path.name)
        self.text = path.read_text(errors="replace")

    def find(self, pattern):
        found = re.search(pattern, self.text)
        return found and int(found.group(1).replace(",", ""))

    @property
    def parent(self):
        return self.find(r"Parent PID: (\d+)")

    @property
    def errors(self):
        """None when it was killed, or has become another program."""
        return self.find(r"ERROR SUMMARY: (\d+) errors")

    @property
    def open_beyond_standard(self):
        return self.find(r"FILE DESCRIPTORS: (\d+) open") - 3

    @property
    def bytes_at_exit(self):
        return self.find(r"in use at exit: ([\d,]+) bytes")


class SpawnerMemory(unittest.TestCase):
    def setUp(self):
        why_not = why_unavailable()
        if why_not:
            self.skipTest(f"the spawner in valgrind: {why_not}")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def drive(self):
        reports = self.folder / "reports"
        reports.mkdir()
        wrapper = self.folder / "spawner"
        wrapper.write_text(WRAPPER.format(reports=reports, spawner=BIN_DIR / "spawner_plain"))
        wrapper.chmod(0o755)
        done = subprocess.run([BIN_DIR / "exec_integration_test", f"--gtest_filter={DRIVE}"],
                              capture_output=True, text=True, check=False, timeout=DRIVE_LIMIT_S,
                              env={**os.environ, "TASKPIPE_SPAWNER": str(wrapper)})
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])
        return [Report(path) for path in reports.iterdir()]

    def test_no_process_of_the_spawner_touches_or_keeps_what_it_must_not(self):
        reports = self.drive()
        pids = {report.pid for report in reports}
        ended = [report for report in reports if report.errors is not None]
        spawners = [report for report in ended if report.parent not in pids]
        # Not their children, which had to give up before they became a tool.
        spawner_pids = {report.pid for report in reports if report.parent not in pids}
        guards = [report for report in ended if report.parent in spawner_pids]
        for report in ended:
            self.assertEqual(report.errors, 0, report.text)
        for report in spawners:
            self.assertEqual((report.bytes_at_exit, report.open_beyond_standard), (0, 0), report.text)
        for report in guards:
            # It ends by _exit, still holding the ends of its socket and of the lifeline.
            self.assertLessEqual(report.open_beyond_standard, 2, report.text)
        self.assertGreaterEqual(len(spawners), FEWEST_SPAWNERS)
        self.assertGreaterEqual(len(guards), FEWEST_SPAWNERS)
        print(f"{len(spawners)} spawners and {len(guards)} guards without an error or a leak")


if __name__ == "__main__":
    main()
