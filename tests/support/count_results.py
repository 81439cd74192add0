#!/usr/bin/env python3
"""Counts what a run of tests came to: `count_results.py REPORT [FOLDER]`.

REPORT is JUnit's XML, as ctest and pytest write it. FOLDER holds googletest's own reports of those
ctest entries that run many tests in one process (SHARDS in cmake/TaskpipeTargets.cmake): each of
their tests counts. One that left no report, because it crashed or was ended, counts as one failure.

Prints `PASSED FAILED SKIPPED`, then a line per failed and per skipped test with its reason. A script
tells its reasons by lines `UNAVAILABLE: reason` (unavailable.py): one that has passed with such lines
counts as passed, and gets its line `skipped: …` all the same.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def reasons(case):
    """What a script says that its host lacks."""
    return re.findall(r"^UNAVAILABLE: (.*?)\s*$", case.findtext("system-out") or "", re.MULTILINE)


def outcome(case):
    """(status, reason) of one <testcase> of ctest, pytest or googletest."""
    for status, tags in (("failed", ("failure", "error")), ("skipped", ("skipped",))):
        for tag in tags:
            found = case.find(tag)
            if found is not None:
                told = reasons(case) if status == "skipped" else []
                return status, "; ".join(told) or " ".join((found.get("message") or "").split())
    if case.get("status") == "fail":
        return "failed", ""
    return "passed", "; ".join(reasons(case))


def results(report, folder):
    """(name, status, reason) of every test."""
    for case in xml.parse(report).getroot().iter("testcase"):
        name = case.get("name")
        status, reason = outcome(case)
        shard = folder / f"{name}.xml" if folder else None
        if shard is None or not shard.exists():
            yield name, status, reason
            continue
        inner = [(f"{test.get('classname')}.{test.get('name')}", *outcome(test))
                 for test in xml.parse(shard).getroot().iter("testcase")]
        yield from inner
        if status == "failed" and all(result != "failed" for _, result, _ in inner):
            yield name, status, reason  # it ended badly after its tests: a leak, for one


def main(arguments):
    report = pathlib.Path(arguments[0])
    folder = pathlib.Path(arguments[1]) if len(arguments) > 1 else None
    found = list(results(report, folder))
    print(*(sum(status == wanted for _, status, _ in found)
            for wanted in ("passed", "failed", "skipped")))
    for name, status, reason in found:
        if status == "passed" and reason:
            print(f"skipped: {name}: {reason} (the rest of it passed)")
        elif status != "passed":
            print(f"{status}: {name}{': ' if reason else ''}{reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
