#!/usr/bin/env python3
"""Measures taskpipe beside the raw libzmq relay, in one run.

Each figure is the median of five rounds (minimum and maximum beside it); taskpipe and its reference
take turns within a round, so that a machine that drifts moves both. Prints a table; with --json FILE
writes {"results": [...], "ratios": {name: value}}. With --python the same from Python, with --peers
beside Celery and Redis.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import peers  # noqa: E402
from cluster import Cluster, ClusterError  # noqa: E402

ROUNDS = 5
THROUGHPUT_TASKS = 200_000
RAW_TASKS = 1_000_000
PYTHON_TASKS = 10_000
ROUND_TRIPS = 1_000
IMPORTS = 5
FSYNCS = 400
RUN_LIMIT_S = 300.0
PYTHON_BENCH = pathlib.Path(__file__).with_name("python_bench.py")


class BenchError(Exception):
    """Something that makes the figures meaningless."""


def run_json(*command, **popen):
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False,
                          **popen)
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def fsync_us(folder, count=FSYNCS):
    """Median time of one 4 KiB overwrite and fdatasync, on the disk that the journal uses."""
    path = folder / "fsync.probe"
    block = b"\0" * 4096
    with open(path, "wb", buffering=0) as file:
        file.write(block * 256)
        os.fsync(file.fileno())
        times = []
        for i in range(count):
            start = time.perf_counter()
            os.pwrite(file.fileno(), block, (i % 256) * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    path.unlink()
    return statistics.median(times)


@contextlib.contextmanager
def cluster(bin_dir, base, workers, durability):
    with Cluster(bin_dir, base) as running:
        running.start_broker("--durability", durability)
        for i in range(workers):
            running.start_worker(f"worker{i}")
        yield running


def summary(name, unit, values):
    return {"name": name, "unit": unit, "median": statistics.median(values), "min": min(values),
            "max": max(values), "rounds": len(values)}


def python_figures(python, endpoint):
    """From Python, on a cluster that runs."""
    def run(*arguments):
        return run_json(python, PYTHON_BENCH, *arguments)

    rate = run("throughput", str(PYTHON_TASKS), endpoint)
    trip = run("roundtrip", str(ROUND_TRIPS), endpoint)
    return {"python_durable_tasks_per_s": rate["tasks_per_s"],
            "python_durable_round_trip_p50_us": trip["p50_us"],
            "python_durable_round_trip_p99_us": trip["p99_us"],
            "python_import_ms": statistics.median(run("import")["import_ms"]
                                                  for _ in range(IMPORTS))}


def one_round(bin_dir, base, figures, python, with_peers):
    def add(name, value):
        figures.setdefault(name, []).append(value)

    def add_all(more):
        for name, value in more.items():
            add(name, value)

    add("fdatasync_us", fsync_us(base))
    raw = run_json(bin_dir / "raw_relay", "throughput", str(RAW_TASKS))
    add("raw_libzmq_tasks_per_s", raw["tasks_per_s"])
    for durability in ("fsync", "none"):
        label = "durable" if durability == "fsync" else "memory"
        for workers in (1, 2):
            with cluster(bin_dir, base, workers, durability) as running:
                rates = run_json(bin_dir / "task_bench", "throughput", str(THROUGHPUT_TASKS),
                                 running.client_endpoint)
                add(f"{label}_tasks_per_s_w{workers}", rates["tasks_per_s"])
                if workers == 1:
                    add(f"{label}_submits_per_s", rates["submits_per_s"])
                    trip = run_json(bin_dir / "task_bench", "roundtrip", str(ROUND_TRIPS),
                                    running.client_endpoint)
                    add(f"{label}_round_trip_p50_us", trip["p50_us"])
                    add(f"{label}_round_trip_p99_us", trip["p99_us"])
                    if python and durability == "fsync":
                        add_all(python_figures(python, running.client_endpoint))
    raw_trip = run_json(bin_dir / "raw_relay", "roundtrip", str(ROUND_TRIPS))
    add("raw_round_trip_p50_us", raw_trip["p50_us"])
    add("raw_round_trip_p99_us", raw_trip["p99_us"])
    if with_peers:
        with tempfile.TemporaryDirectory(dir=base) as folder:
            add_all(peers.celery_figures(pathlib.Path(folder), PYTHON_TASKS, ROUND_TRIPS, run_json))


def ratios(figures):
    """Round by round, then the median: what drifts between rounds cancels out."""
    def per_round(value):
        return statistics.median(value(i) for i in range(len(figures["fdatasync_us"])))

    def of(name):
        return lambda i: figures[name][i]

    raw, raw_trip, sync = (of("raw_libzmq_tasks_per_s"), of("raw_round_trip_p50_us"),
                           of("fdatasync_us"))
    quotients = {
        "durable_throughput_vs_raw_libzmq":
            per_round(lambda i: figures["durable_tasks_per_s_w1"][i] / raw(i)),
        "memory_throughput_vs_raw_libzmq":
            per_round(lambda i: figures["memory_tasks_per_s_w1"][i] / raw(i)),
        "durable_round_trip_vs_floor":
            per_round(lambda i: figures["durable_round_trip_p50_us"][i]
                      / (raw_trip(i) + 2 * sync(i))),
        "memory_round_trip_vs_raw_libzmq":
            per_round(lambda i: figures["memory_round_trip_p50_us"][i] / raw_trip(i)),
    }
    for name, above, below in (
            ("python_round_trip_vs_cpp", "python_durable_round_trip_p50_us",
             "durable_round_trip_p50_us"),
            ("durable_throughput_vs_celery_redis", "durable_tasks_per_s_w1",
             "celery_redis_tasks_per_s"),
            ("python_batch_vs_celery_redis", "python_durable_tasks_per_s",
             "celery_redis_tasks_per_s")):
        if above in figures and below in figures:
            quotients[name] = per_round(
                lambda i, above=above, below=below: figures[above][i] / figures[below][i])
    return quotients


UNITS = {"_us": "us", "_ms": "ms"}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path, help="where the programs were built")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--dir", type=pathlib.Path, default=None,
                        help="folder on the disk to measure (default: the current one)")
    parser.add_argument("--python", type=pathlib.Path, metavar="PYTHON",
                        help="an interpreter that has the taskpipe package: measure from Python too")
    parser.add_argument("--peers", action="store_true", help="measure Celery with Redis too")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    why_not = peers.unavailable() if options.peers else None
    if why_not:
        print(f"UNAVAILABLE: the peers: {why_not}", file=sys.stderr)
    base = (options.dir or pathlib.Path.cwd()).resolve()
    figures = {}
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} …", file=sys.stderr, flush=True)
            one_round(options.bin_dir.resolve(), base, figures, options.python,
                      options.peers and not why_not)
    except (BenchError, ClusterError) as error:
        sys.exit(f"bench: {error}")
    results = []
    for name, values in figures.items():
        unit = UNITS.get(name[-3:], "1/s")
        results.append(summary(name, unit, values))
    print(f"{'figure':34} {'median':>12} {'min':>12} {'max':>12}")
    for row in results:
        print(f"{row['name']:34} {row['median']:12.1f} {row['min']:12.1f} {row['max']:12.1f}")
    print(f"\n{'ratio (median of the rounds)':34}")
    quotients = ratios(figures)
    for name, value in quotients.items():
        print(f"{name:34} {value:12.3f}")
    if options.json:
        options.json.write_text(json.dumps({"results": results, "ratios": quotients}, indent=2) + "\n")


if __name__ == "__main__":
    main()
