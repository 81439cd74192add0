#!/usr/bin/env python3
"""How many instructions the hot path takes per task, against the table in docs/benchmarks.md.

    instruction_counts.py PROGRAM [--table FILE] [--update]

Runs PROGRAM (instruction_counts.cpp, an optimised build) under callgrind, whose counts repeat exactly
and do not depend on what else the machine does. Fails when a piece takes more than 10 % more than
the table says, or when table and program do not have the same pieces. --update writes the table:
do so in the change that means to cost more, or that costs less.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "benchmarks.md"
HEADING = "## Instruction counts"
ALLOWED_GROWTH = 0.10
WORTH_SAYING = 0.02
RUN_LIMIT_S = 300.0
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<count>[\d,]+) \|$")
REMEDY = "if it is meant to, ./run counts --update, and say why in the commit"


def measured(program):
    """{piece: instructions per task}, in the order of the program."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "counts")
        # Fixed surroundings: the environment lies on the stack, which moves with its size.
        done = subprocess.run(
            ["setarch", "-R", "valgrind", "--tool=callgrind", "--collect-atstart=no",
             f"--callgrind-out-file={out}", str(program)],
            capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False, cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
        if done.returncode != 0:
            sys.exit(f"instruction_counts: {program} failed:\n{done.stderr.strip()}")
        totals = {}
        for dump in pathlib.Path(folder).glob("counts.*"):
            text = dump.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE)
            total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
            if name and total:
                totals[name[1]] = int(total[1])
    tasks = [line.split() for line in done.stdout.splitlines()]
    return {name: round(totals[name] / int(count)) for name, count in tasks}


def section_of(text):
    """(begin, end) of the section's own text."""
    begin = text.find(HEADING + "\n")
    if begin < 0:
        sys.exit(f"instruction_counts: the table's file has no section '{HEADING}'")
    begin += len(HEADING) + 1
    end = text.find("\n## ", begin)
    return begin, len(text) if end < 0 else end + 1


def recorded(text):
    begin, end = section_of(text)
    rows = filter(None, map(ROW.match, text[begin:end].splitlines()))
    return {row["name"]: int(row["count"].replace(",", "")) for row in rows}


def updated(text, counts):
    """The text with the counts in place of the section's rows."""
    begin, end = section_of(text)
    lines = text[begin:end].splitlines()
    rows = [f"| `{name}` | {count:,} |" for name, count in counts.items()]
    rule = next((i for i, line in enumerate(lines) if line.startswith("|--")), None)
    if rule is None:
        sys.exit("instruction_counts: the section has no table")
    rest = [line for line in lines[rule + 1:] if not ROW.match(line)]
    return text[:begin] + "\n".join([*lines[:rule + 1], *rows, *rest]) + "\n" + text[end:]


def complaints(counts, before):
    """What is wrong, one sentence each."""
    found = [f"{name} is not in the table: ./run counts --update" for name in counts.keys() - before]
    found += [f"{name} is in the table alone: ./run counts --update" for name in before.keys() - counts]
    for name in counts.keys() & before.keys():
        if counts[name] > before[name] * (1 + ALLOWED_GROWTH):
            found.append(f"{name} takes {counts[name]:,} instructions per task, "
                         f"{counts[name] / before[name] - 1:.0%} more than {before[name]:,}: {REMEDY}")
    return sorted(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path, default=TABLE, help="default: %(default)s")
    parser.add_argument("--update", action="store_true", help="write the table")
    options = parser.parse_args()
    counts = measured(options.program.resolve())
    text = options.table.read_text()
    before = recorded(text)
    for name, count in counts.items():
        change = count / before[name] - 1 if before.get(name) else 0.0
        print(f"{name:16} {count:7,}" + (f"  {change:+.1%}" if abs(change) > WORTH_SAYING else ""))
    if options.update:
        options.table.write_text(updated(text, counts))
        return
    found = complaints(counts, before)
    for complaint in found:
        print(f"instruction_counts: {complaint}", file=sys.stderr)
    if found:
        sys.exit(1)


if __name__ == "__main__":
    main()
