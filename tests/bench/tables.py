#!/usr/bin/env python3
"""Writes what `./run bench --json FILE` has written as a page of Markdown, to standard output.

    tables.py FILE [MORE…]

MORE: files of further runs (the sustained one), whose figures are added; what both have is FILE's.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bench import describe  # noqa: E402
from targets import TARGETS  # noqa: E402


BUSY_LOAD = 0.5  # of each processor, before anything was measured


def merged(documents):
    """The first one, with what only the others have."""
    whole = dict(documents[0])
    for more in documents[1:]:
        known = {row["name"] for row in whole["results"]}
        whole["results"] = whole["results"] + [row for row in more["results"]
                                               if row["name"] not in known]
        for key in ("ratios", "targets", "series", "versions"):
            whole[key] = {**more[key], **whole[key]}
        whole["scenarios"] = whole["scenarios"] + [part for part in more["scenarios"]
                                                   if part not in whole["scenarios"]]
    return whole


def row(*cells):
    return f"| {' | '.join(cells)} |"


def head(written):
    versions = ", ".join(f"{name} {version}" for name, version in written["versions"].items())
    rounds = max((entry["rounds"] for entry in written["results"]), default=0)
    yield (f"{written['date'][:10]}, {written['cpus']} processors ({written['cpu']}), Linux "
           f"{written['kernel']}, {written['file_system']}; load average at the start "
           f"{written['load_average_at_start']:.1f}. Rounds: {rounds}"
           f"{', quick: few tasks' if written['quick'] else ''}.")
    if written["load_average_at_start"] > BUSY_LOAD * written["cpus"]:
        yield ""
        yield "**Something else had kept the machine busy until shortly before, or still did.**"
    yield ""
    yield f"Versions: {versions}."


def targets(written):
    yield row("ratio", "measured", "target", "")
    yield "|---|---|---|---|"
    for name in TARGETS:
        goal = written["targets"].get(name)
        if goal:
            yield row(f"`{name}`", describe(written["ratios"][name]),
                      goal["wanted"].replace(">=", "≥").replace("<=", "≤"),
                      "met" if goal["met"] else "**missed**")
    others = [name for name in written["ratios"] if name not in written["targets"]]
    if others:
        yield ""
        yield row("without a target", "measured")
        yield "|---|---|"
        for name in others:
            yield row(f"`{name}`", describe(written["ratios"][name]))


def scenario(part, by_name):
    rows = [by_name[name] for name in part["figures"] if name in by_name]
    if not rows:
        return
    yield ""
    yield f"## {part['title']}"
    yield ""
    yield row("figure", "median", "min – max", "")
    yield "|---|---|---|---|"
    for entry in rows:
        spread = f"{describe(entry['min'])} – {describe(entry['max'])}"
        yield row(f"`{entry['name']}`", describe(entry["median"]),
                  spread if entry["rounds"] > 1 else "one round", entry["unit"])


def page(written):
    """The lines."""
    yield "# Results of the benchmarks"
    yield ""
    yield ("Written by `./run bench-report`. [benchmarks.md](../benchmarks.md) says what each "
           "figure means.")
    yield ""
    yield from head(written)
    yield ""
    yield "## Against the targets"
    yield ""
    yield from targets(written)
    by_name = {entry["name"]: entry for entry in written["results"]}
    for part in written["scenarios"]:
        yield from scenario(part, by_name)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: tables.py FILE [MORE…]")
    print("\n".join(page(merged([json.loads(pathlib.Path(name).read_text())
                                 for name in sys.argv[1:]]))))


if __name__ == "__main__":
    main()
