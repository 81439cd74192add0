#!/usr/bin/env python3
"""Measures taskpipe beside the raw libzmq relay, in one run.

Each figure is the median of five rounds (minimum and maximum beside it); taskpipe and its reference
take turns within a round, so that a machine that drifts moves both. Prints a table; with --json FILE
writes {"results": [...], "ratios": {name: value}}.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
THROUGHPUT_TASKS = 200_000
RAW_TASKS = 1_000_000
ROUND_TRIPS = 1_000
FSYNCS = 400
START_LIMIT_S = 20.0
STOP_LIMIT_S = 20.0
RUN_LIMIT_S = 300.0


class BenchError(Exception):
    """Something that makes the figures meaningless."""


def run_json(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False)
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


class Cluster:
    """A broker and workers as processes of their own, on free ports of loopback."""

    def __init__(self, bin_dir, folder, workers, durability):
        self.bin_dir, self.folder, self.processes = bin_dir, folder, []
        self.workers, self.durability = workers, durability
        self.broker = ""

    def start(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "wb")
        command = [self.bin_dir / arguments[0], *arguments[1:]]
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def __enter__(self):
        self.start("broker", "taskpipe-broker", "--data-dir", self.folder / "data",
                   "--client-bind", "tcp://127.0.0.1:*", "--worker-bind", "tcp://127.0.0.1:*",
                   "--event-bind", "tcp://127.0.0.1:*", "--durability", self.durability,
                   "--log-format", "json")
        listening = self.wait_for_line("broker", "listening")
        self.broker = listening["clients"]
        for i in range(self.workers):
            self.start(f"worker{i}", "taskpipe-worker", "--broker", listening["workers"],
                       "--name", f"worker{i}", "--work-dir", self.folder / f"work{i}",
                       "--log-format", "json")
        for _ in range(self.workers):
            self.wait_for_line("broker", "worker 'worker", self.workers)
        return self

    def wait_for_line(self, name, text, count=1):
        """The `count`-th log line with `text`; the log is read as it grows, for a bounded time."""
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            lines = [line for line in (self.folder / f"{name}.log").read_text().splitlines()
                     if text in line]
            if len(lines) >= count:
                return json.loads(lines[-1])
            if self.processes[0].poll() is not None:
                break
            time.sleep(0.02)
        raise BenchError(f"no '{text}' in {self.folder / (name + '.log')}")

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def cluster(bin_dir, base, workers, durability):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=base))
    try:
        with Cluster(bin_dir, folder, workers, durability) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def summary(name, unit, values):
    return {"name": name, "unit": unit, "median": statistics.median(values), "min": min(values),
            "max": max(values), "rounds": len(values)}


def one_round(bin_dir, base, figures):
    def add(name, value):
        figures.setdefault(name, []).append(value)

    add("fdatasync_us", fsync_us(base))
    raw = run_json(bin_dir / "raw_relay", "throughput", str(RAW_TASKS))
    add("raw_libzmq_tasks_per_s", raw["tasks_per_s"])
    for durability in ("fsync", "none"):
        label = "durable" if durability == "fsync" else "memory"
        for workers in (1, 2):
            with cluster(bin_dir, base, workers, durability) as running:
                rates = run_json(bin_dir / "task_bench", "throughput", str(THROUGHPUT_TASKS),
                                 running.broker)
                add(f"{label}_tasks_per_s_w{workers}", rates["tasks_per_s"])
                if workers == 1:
                    add(f"{label}_submits_per_s", rates["submits_per_s"])
                    trip = run_json(bin_dir / "task_bench", "roundtrip", str(ROUND_TRIPS),
                                    running.broker)
                    add(f"{label}_round_trip_p50_us", trip["p50_us"])
                    add(f"{label}_round_trip_p99_us", trip["p99_us"])
    raw_trip = run_json(bin_dir / "raw_relay", "roundtrip", str(ROUND_TRIPS))
    add("raw_round_trip_p50_us", raw_trip["p50_us"])
    add("raw_round_trip_p99_us", raw_trip["p99_us"])


def ratios(figures):
    """Round by round, then the median: what drifts between rounds cancels out."""
    def per_round(value):
        return statistics.median(value(i) for i in range(len(figures["fdatasync_us"])))

    def of(name):
        return lambda i: figures[name][i]

    raw, raw_trip, sync = (of("raw_libzmq_tasks_per_s"), of("raw_round_trip_p50_us"),
                           of("fdatasync_us"))
    return {
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


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path, help="where the programs were built")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--dir", type=pathlib.Path, default=None,
                        help="folder on the disk to measure (default: the current one)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    base = (options.dir or pathlib.Path.cwd()).resolve()
    figures = {}
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} …", file=sys.stderr, flush=True)
            one_round(options.bin_dir.resolve(), base, figures)
    except BenchError as error:
        sys.exit(f"bench: {error}")
    results = []
    for name, values in figures.items():
        unit = "us" if name.endswith("_us") else "1/s"
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
