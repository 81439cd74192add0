#!/usr/bin/env python3
"""Where the time goes: samples broker, worker or client under a burst through real sockets.

One worker, `noop` tasks with 100 bytes of params, the journal on the disk of --dir. For each
process looked at writes DIR/NAME.svg (a flame graph) and prints the functions by self and total.

perf samples the CPU clock, which needs no counters of the processor (virtual machines have none), and
unwinds by the tables that every library has: Debian's libzmq and libc keep no frame pointers.
"""

import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import flame_graph  # noqa: E402
from cluster import Cluster, wait_until  # noqa: E402

CALIBRATION_TASKS = 50_000
FREQUENCY_HZ = 499  # not a multiple of any timer of ours
STACK_BYTES = 16_384
RUN_LIMIT_S = 600.0
PROCESSES = ("broker", "worker", "client")


class Recording:
    """perf on one running process."""

    def __init__(self, name, pid, folder):
        self.name = name
        self.data = folder / f"{name}.perf"
        self.errors = open(folder / f"{name}.perf.log", "w+")
        self.perf = subprocess.Popen(
            ["perf", "record", "--event", "cpu-clock", "--freq", str(FREQUENCY_HZ),
             "--call-graph", f"dwarf,{STACK_BYTES}", "--pid", str(pid), "--output", str(self.data)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)

    def wait_until_on(self):
        """perf makes its file when it has attached itself."""
        wait_until(lambda: self.data.exists() or self.perf.poll() is not None, "perf begins")
        if self.perf.poll() is not None:
            self.errors.seek(0)
            sys.exit(f"perf record: {self.errors.read().strip()}")

    def samples(self):
        self.errors.close()
        done = subprocess.run(
            ["perf", "script", "--input", str(self.data), "--no-inline",
             "--fields", "comm,tid,ip,sym,dso"],
            capture_output=True, text=True, check=False, timeout=RUN_LIMIT_S)
        if done.returncode != 0:
            sys.exit(f"perf script: {done.stderr.strip()}")
        return flame_graph.parse(done.stdout)

    def end(self):
        if self.perf.poll() is None:
            self.perf.send_signal(signal.SIGINT)
        self.perf.wait(RUN_LIMIT_S)


def burst(cluster, tasks, **popen):
    return subprocess.Popen(
        [cluster.bin_dir / "task_bench", "throughput", cluster.client_endpoint, str(tasks)],
        stdout=subprocess.PIPE, text=True, **popen)


def rate(client):
    output, _ = client.communicate(timeout=RUN_LIMIT_S)
    if client.returncode != 0:
        sys.exit("task_bench failed")
    return json.loads(output)["tasks_per_s"]


def record(cluster, folder, names, seconds):
    """Recordings of one burst of about `seconds`, and its tasks per second."""
    tasks = int(rate(burst(cluster, CALIBRATION_TASKS)) * seconds)
    pids = {"broker": cluster.broker.pid, "worker": cluster.workers["worker0"].pid}
    with contextlib.ExitStack() as cleanup:
        recordings = [Recording(name, pids[name], folder) for name in names if name in pids]
        for recording in recordings:
            cleanup.callback(recording.end)
            recording.wait_until_on()
        client = burst(cluster, max(tasks, CALIBRATION_TASKS))
        cleanup.callback(client.kill)
        if "client" in names:
            recordings.append(Recording("client", client.pid, folder))
            cleanup.callback(recordings[-1].end)
        return recordings, rate(client)


def report(name, samples, folder, title, count):
    threads = sorted({sample[0] for sample in samples})
    (folder / f"{name}.svg").write_text(flame_graph.render(samples, title))
    rows = flame_graph.hottest(samples, count)
    print(f"\n{title}\nthreads: {', '.join(threads)}")
    for heading, column in (("self", 1), ("total", 2)):
        print(f"\n  {'self':>6} {'total':>6}  by {heading}")
        for row in sorted(rows, key=lambda row: -row[column])[:count]:
            print(f"  {row[1]:6.1%} {row[2]:6.1%}  {row[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path, help="where the programs were built")
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="for the results")
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long (default: 10)")
    parser.add_argument("--of", default="broker",
                        help=f"which processes, of {','.join(PROCESSES)} (default: broker)")
    parser.add_argument("--durability", default="fsync", help="of the broker (default: fsync)")
    parser.add_argument("--top", type=int, default=20, help="functions in each table")
    options = parser.parse_args()
    names = options.of.split(",")
    if unknown := set(names) - set(PROCESSES):
        parser.error(f"--of: no process '{unknown.pop()}'; there are {', '.join(PROCESSES)}")
    options.dir.mkdir(parents=True, exist_ok=True)
    for old in options.dir.glob("*.perf"):
        old.unlink()
    with Cluster(options.bin_dir, options.dir) as cluster:
        cluster.start_broker("--durability", options.durability)
        cluster.start_worker("worker0")
        began = time.monotonic()
        recordings, tasks_per_s = record(cluster, options.dir, names, options.seconds)
        print(f"{tasks_per_s:,.0f} tasks/s while watched, {time.monotonic() - began:.0f} s")
    for recording in recordings:
        samples = recording.samples()
        recording.data.unlink()
        if not samples:
            sys.exit(f"perf saw nothing of the {recording.name}")
        report(recording.name, samples, options.dir,
               f"{recording.name}: {len(samples)} samples at {FREQUENCY_HZ} Hz, "
               f"{tasks_per_s:,.0f} tasks/s, durability {options.durability}", options.top)
        print(f"\n{options.dir / recording.name}.svg")


if __name__ == "__main__":
    main()
