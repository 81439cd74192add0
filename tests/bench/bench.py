#!/usr/bin/env python3
"""Measures taskpipe beside its limits and its neighbours, in one run.

Each figure is the median of five rounds (minimum and maximum beside it); taskpipe and what it is
compared with take turns within a round, so that a machine that drifts moves both. A ratio is taken
round by round, then the median. Prints a table, each ratio beside its target; with --json FILE
writes {"results": [...], "ratios": {name: value}, ...}. docs/benchmarks.md explains each figure.
"""

import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import targets  # noqa: E402
from measuring import BenchError, ClusterError, Context, remove_leftovers, summary  # noqa: E402

ROUNDS = 5
QUICK_ROUNDS = 1
SCENARIOS = pathlib.Path(__file__).with_name("scenarios")


def load_scenarios(folder=SCENARIOS):
    """Every scenario by its name: the headline, then what is measured beside it, then the rest."""
    modules = [importlib.import_module(f"scenarios.{path.stem}")
               for path in sorted(folder.glob("[a-z]*.py"))]
    modules.sort(key=lambda module: getattr(module, "ORDER", 50))
    return {module.NAME: module for module in modules}


def chosen(scenarios, only, context):
    """The scenarios to run; those that cannot run here are named and left out."""
    if only:
        picked = [module for name, module in scenarios.items() if name in only]
    else:
        picked = [module for module in scenarios.values() if getattr(module, "BY_DEFAULT", True)]
    able = []
    for module in picked:
        why_not = module.unavailable(context) if hasattr(module, "unavailable") else None
        if why_not:
            print(f"UNAVAILABLE: {module.NAME}: {why_not}", file=sys.stderr)
        else:
            able.append(module)
    return able


def figures_of(module, context):
    """One round of a scenario."""
    values = module.round(context)
    unknown = set(values) - set(module.UNITS)
    if unknown:
        raise BenchError(f"figures without a unit: {', '.join(sorted(unknown))}")
    return values


def measure(scenarios, context, rounds):
    """{figure: [value of each round]}, and {scenario: why it failed}. One that fails is left out of
    later rounds; the others go on, and what was measured before it failed stays."""
    figures, failures = {}, {}
    for number in range(rounds):
        for module in scenarios:
            if module.NAME in failures or number >= getattr(module, "ROUNDS_MAX", rounds):
                continue
            start = time.monotonic()
            try:
                values = figures_of(module, context)
            except (BenchError, ClusterError, subprocess.TimeoutExpired, OSError) as error:
                failures[module.NAME] = str(error)
                print(f"FAILED: {module.NAME}: {error}", file=sys.stderr, flush=True)
                continue
            for name, value in values.items():
                figures.setdefault(name, []).append(value)
            print(f"round {number + 1} of {rounds}: {module.NAME}, "
                  f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return figures, failures


def all_ratios(scenarios, figures):
    found = {}
    for module in scenarios:
        found.update(module.ratios(figures))
    return found


def command_output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def machine(context):
    """What a reader must know to compare."""
    packages = ["libzmq5", "g++", "libsqlite3-0"]
    if context.peers:
        packages += ["redis-server", "celery", "gearman-job-server", "beanstalkd", "nats-server",
                     "libnats3.4", "python3-distributed"]
    versions = {}
    for package in packages:
        version = command_output("dpkg-query", "-W", "-f", "${Version}", package)
        if version:
            versions[package] = version
    own = command_output(str(context.bin_dir / "taskpipe-broker"), "--version")
    versions["taskpipe"] = own.rpartition(" ")[2]
    if context.peers and context.python:
        own = command_output(str(context.python), "-c",
                             "import importlib.metadata as m; print(m.version('hyperqueue'))")
        if own:
            versions["hyperqueue"] = own
    if context.hq:
        versions["hq"] = command_output(str(context.hq), "--version")
    disk = command_output("findmnt", "-n", "-o", "FSTYPE", "-T", str(context.folder))
    with open("/proc/loadavg", encoding="ascii") as load:
        return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                "cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
                "kernel": platform.release(), "file_system": disk,
                "load_average_at_start": float(load.read().split()[0]), "versions": versions}


def describe(value):
    """A figure with three or more digits that mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def print_table(scenarios, results):
    width = max((len(row["name"]) for row in results), default=0)
    by_name = {row["name"]: row for row in results}
    for module in scenarios:
        rows = [by_name[name] for name in module.UNITS if name in by_name]
        if not rows:
            continue
        print(f"\n{module.TITLE}\n{'':{width}} {'median':>12} {'min':>12} {'max':>12}")
        for row in rows:
            print(f"{row['name']:{width}} {describe(row['median']):>12} {describe(row['min']):>12} "
                  f"{describe(row['max']):>12} {row['unit']}")


def print_ratios(ratios):
    print(f"\n{'ratio (median of the rounds)':42} {'value':>10}   target")
    for name, value in ratios.items():
        verdict = {True: "met", False: "MISSED", None: ""}[targets.met(name, value)]
        wanted = " ".join(map(str, targets.TARGETS[name])) if name in targets.TARGETS else ""
        print(f"{name:42} {describe(value):>10}   {wanted:10} {verdict}")


def report(scenarios, context, about, figures):
    """What is printed and written."""
    units = {name: unit for module in scenarios for name, unit in module.UNITS.items()}
    results = [summary(name, units[name], values) for name, values in figures.items()]
    ratios = all_ratios(scenarios, figures)
    print_table(scenarios, results)
    print_ratios(ratios)
    goals = {name: {"wanted": " ".join(map(str, targets.TARGETS[name])),
                    "met": targets.met(name, value)}
             for name, value in ratios.items() if name in targets.TARGETS}
    return {**about, "quick": context.quick, "results": results, "ratios": ratios, "targets": goals,
            "scenarios": [{"title": module.TITLE, "figures": list(module.UNITS)}
                          for module in scenarios],
            "series": context.series}


def read_options(scenarios):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path, help="where the programs were built")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help=f"default: {ROUNDS}, with --quick {QUICK_ROUNDS}")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(scenarios),
                        help="these scenarios alone: " + ", ".join(sorted(scenarios)))
    parser.add_argument("--quick", action="store_true", help="fewer tasks: minutes in all")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path(),
                        help="folder on the disk to measure (default: the current one)")
    parser.add_argument("--python", type=pathlib.Path, metavar="PYTHON",
                        help="an interpreter that has the taskpipe package: measure it too")
    parser.add_argument("--peers", action="store_true",
                        help="measure beside NATS JetStream, beanstalkd, gearmand, Celery with "
                        "Redis and Dask")
    parser.add_argument("--hq", type=pathlib.Path, metavar="PATH",
                        help="measure beside HyperQueue, whose program this is")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M",
                        help="of each system in the scenario 'sustained' (default: 10)")
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.minutes <= 0:
        parser.error("--minutes must be above 0")
    return options


def main():
    # An order to stop ends what runs, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    scenarios = load_scenarios()
    options = read_options(scenarios)
    context = Context(bin_dir=options.bin_dir.resolve(), folder=options.dir.resolve(),
                      python=options.python and options.python.absolute(), quick=options.quick,
                      peers=options.peers, hq=options.hq and options.hq.resolve(),
                      minutes=options.minutes)
    picked = chosen(scenarios, options.only, context)
    about = machine(context)
    try:
        figures, failures = measure(picked, context, options.rounds)
    finally:
        remove_leftovers(context)
    written = report(picked, context, about, figures)
    if options.json:
        options.json.write_text(json.dumps({**written, "failures": failures}, indent=2) + "\n")
    if failures:
        sys.exit(f"bench: failed: {', '.join(failures)}")


if __name__ == "__main__":
    main()
