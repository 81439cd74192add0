#!/usr/bin/env python3
"""A mixed load for hours while workers and the broker are killed: is everything kept, does nothing grow?

    soak.py BIN_DIR --dir DIR [--hours H] [--seed N]

Clients with books of their own (load_client: numbered echoes, of sizes from nothing to 100 KiB), the
command line (scripts that succeed, fail, are cancelled), three workers. Every few seconds a line of
JSON goes to DIR/samples.jsonl: memory and descriptors of each process, sizes of journal and history.
At the end every task that was acknowledged must be in the history once, in the state that it had to
reach, and `taskpipe-broker --check` must find nothing; DIR/summary.json says that and how fast memory
grew. Fails when something is lost, double or wrong; growth is for a reader to judge, since minutes
show it badly.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, ClusterError  # noqa: E402
from load import load  # noqa: E402
from peer_memory import resident_bytes  # noqa: E402

LOOK_AGAIN_S = 0.5  # for the end of all tasks
WORKERS = ("one", "two", "three")
BROKER_OPTIONS = ("--lease", "5s", "--heartbeat", "1s", "--journal-segment", "1M")
# Tasks of one client and their size; the history keeps all of it, for hours.
ECHOES = ((2_000, 0), (2_000, 100), (1_000, 2_000), (50, 100_000))
LOAD_LIMIT_S = 900.0
SUNDRY_PAUSE_S = 0.5
# The shortest pause between two deaths, and the longest, unless the whole is too short for that.
WORKER_KILL_S, BROKER_KILL_S = (10.0, 120.0), (60.0, 1800.0)
LEAST_KILLS = 4
SAMPLES = 2_000  # in the whole soak, but not more often than
SAMPLE_S = 2.0
LIFE_SAMPLES = 10  # of one process, before its growth means anything
SCRIPTS = {"true": ("exit 0", {"SUCCESS"}), "false": ("exit 3", {"FAILURE"}),
           "cancelled": ("sleep 60", {"REVOKED"})}


class Ledger:
    """What was acknowledged, and how it may end; on the disk, since it grows."""

    def __init__(self, path):
        self.database = sqlite3.connect(path, check_same_thread=False)
        self.lock = threading.Lock()
        self.database.execute("CREATE TABLE expected(id TEXT PRIMARY KEY, states TEXT NOT NULL)")

    def add(self, ids, states):
        with self.lock, self.database:
            self.database.executemany("INSERT INTO expected VALUES (?, ?)",
                                      [(task.lower(), ",".join(sorted(states))) for task in ids])

    def complaints(self, history):
        """What is wrong in a stopped broker's history; and how many tasks were looked at."""
        with self.lock, self.database as database:
            database.execute("ATTACH ? AS history", (str(history),))
            database.execute("CREATE TABLE found AS SELECT lower(id) AS id, state "
                             "FROM history.tasks_readable")
            database.execute("CREATE INDEX found_id ON found(id)")
            rows = database.execute(
                "SELECT e.id, e.states, count(f.id), group_concat(f.state) FROM expected e "
                "LEFT JOIN found f ON f.id = e.id GROUP BY e.id").fetchall()
        wrong = [f"task {task} is in the history {count} times" for task, _, count, _ in rows
                 if count != 1]
        wrong += [f"task {task} ended in {state}, not in {states}"
                  for task, states, count, state in rows
                  if count == 1 and state not in states.split(",")]
        return wrong, len(rows)


class Soak:
    def __init__(self, cluster, folder, duration_s, seed):
        self.cluster, self.folder, self.duration_s = cluster, folder, duration_s
        self.chance = random.Random(seed)
        self.ledger = Ledger(folder / "expected.sqlite")
        self.over = threading.Event()
        self.failures = []
        self.lives = threading.Lock()  # held while a process is replaced
        self.counts = {"echoes": 0, "sundries": 0, "refused": 0, "worker_kills": 0,
                       "broker_kills": 0}

    # --- Load ---
    def echoes(self):
        while not self.over.is_set():
            tasks, padding = self.chance.choice(ECHOES)
            with load(self.cluster, tasks, padding=padding) as client:
                client.wait(LOAD_LIMIT_S)
                books = client.books()
            self.ledger.add(books["ids"], {"SUCCESS"})
            self.counts["echoes"] += books["acknowledged"]
            self.counts["refused"] += books["refused"]

    def sundries(self):
        """By the command line. Only what it says was accepted counts."""
        scripts = {}
        for name, (text, states) in SCRIPTS.items():
            scripts[name] = (self.folder / f"{name}.sh", states)
            scripts[name][0].write_text(text + "\n")
        while not self.over.wait(SUNDRY_PAUSE_S):
            name = self.chance.choice(sorted(scripts))
            script, states = scripts[name]
            done = self.cluster.run("taskpipe", "submit", "shell", "--script", script,
                                    "--connect-timeout", "60s", "--request-timeout", "60s")
            if done.returncode != 0:
                self.counts["refused"] += 1
                continue
            task = done.stdout.strip()
            if name == "cancelled" and not self.cancel(task):
                states = {"REVOKED", "SUCCESS"}
            self.ledger.add([task], states)
            self.counts["sundries"] += 1

    def cancel(self, task):
        """Until it is known to be recorded; false when the soak is over before."""
        while True:
            done = self.cluster.run("taskpipe", "cancel", task, "--connect-timeout", "60s",
                                    "--request-timeout", "60s")
            if done.returncode == 0:
                return True
            if self.over.is_set():
                return False

    # --- Death ---
    def pause(self, bounds):
        """A random one; whether the soak goes on after it."""
        most = min(bounds[1], self.duration_s / LEAST_KILLS)
        return not self.over.wait(self.chance.uniform(min(bounds[0], most / 2), most))

    def kill_workers(self):
        while self.pause(WORKER_KILL_S):
            name = self.chance.choice(WORKERS)
            with self.lives:
                self.cluster.workers[name].kill()
                self.cluster.start_worker(name, wait=False)
            self.counts["worker_kills"] += 1

    def kill_broker(self):
        while self.pause(BROKER_KILL_S):
            with self.lives:
                self.cluster.broker.kill()
                self.cluster.start_broker(*BROKER_OPTIONS)
            self.counts["broker_kills"] += 1

    # --- Records ---
    def sample(self, began):
        with self.lives:
            processes = {"broker": self.cluster.broker, **self.cluster.workers}
            seen = {name: {"pid": process.pid, "rss_bytes": resident_bytes(process.pid),
                           "descriptors": len(os.listdir(f"/proc/{process.pid}/fd"))}
                    for name, process in processes.items()}
        data = self.cluster.folder / "data"
        return {"t_s": round(time.monotonic() - began, 1), **self.counts, "processes": seen,
                "journal_bytes": size_of(data / "journal"),
                "history_bytes": sum(path.stat().st_size for path in data.glob("history.sqlite*"))}

    def guarded(self, work):
        try:
            work()
        except Exception as error:  # noqa: BLE001: whatever it is, the soak has failed
            self.failures.append(f"{work.__name__}: {error}")
            self.over.set()

    def run(self):
        """The samples of the whole time."""
        began, samples = time.monotonic(), []
        threads = [threading.Thread(target=self.guarded, args=(work,)) for work in
                   (self.echoes, self.sundries, self.kill_workers, self.kill_broker)]
        for thread in threads:
            thread.start()
        self.guarded(lambda: self.keep_records(began, samples))
        self.over.set()
        for thread in threads:
            thread.join()
        return samples

    def keep_records(self, began, samples):
        step = max(SAMPLE_S, self.duration_s / SAMPLES)
        with open(self.folder / "samples.jsonl", "w") as lines:
            while not self.over.is_set() and time.monotonic() - began < self.duration_s:
                samples.append(self.sample(began))
                lines.write(json.dumps(samples[-1]) + "\n")
                lines.flush()
                self.over.wait(step)


def size_of(folder):
    """Of files that may go meanwhile."""
    total = 0
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def slope_per_hour(points):
    """Of the line through (seconds, value), by least squares."""
    count = len(points)
    mean_x, mean_y = (sum(column) / count for column in zip(*points))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 3600 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def growth(samples, role, figure):
    """Of the process of this role that lived longest: {samples, first, last, per_hour}; of the second
    half of its life, since caches fill in the first."""
    lives = {}
    for sample in samples:
        process = sample["processes"][role]
        lives.setdefault(process["pid"], []).append((sample["t_s"], process[figure]))
    longest = max(lives.values(), key=len)
    if len(longest) < LIFE_SAMPLES:
        return {"samples": len(longest), "first": longest[0][1], "last": longest[-1][1]}
    return {"samples": len(longest), "first": longest[0][1], "last": longest[-1][1],
            "per_hour": round(slope_per_hour(longest[len(longest) // 2:]), 1)}


def summarise(samples, soak, looked_at, wrong):
    processes = {role: {figure: growth(samples, role, figure)
                        for figure in ("rss_bytes", "descriptors")}
                 for role in ("broker", *WORKERS)}
    return {"duration_s": samples[-1]["t_s"], **soak.counts, "tasks_checked": looked_at,
            "wrong": wrong[:20], "wrong_count": len(wrong), "processes": processes,
            "journal_bytes_most": max(sample["journal_bytes"] for sample in samples),
            "journal_bytes_last": samples[-1]["journal_bytes"],
            "history_bytes_last": samples[-1]["history_bytes"]}


def settle(cluster, limit_s=300.0):
    """Until nothing waits or runs, and the history has it all (an orderly end writes the rest)."""
    deadline = time.monotonic() + limit_s
    while True:
        health = json.loads(cluster.run("taskpipe", "health", "--json", "--connect-timeout",
                                        "60s").stdout)
        if health["tasks_pending"] + health["tasks_running"] == 0:
            break
        if time.monotonic() > deadline:
            raise ClusterError(f"still at work: {health}")
        time.sleep(LOOK_AGAIN_S)
    if cluster.broker.stop() != 0:
        raise ClusterError(f"the broker did not end well:\n{cluster.broker.tail()}")


def check_files(cluster):
    """What `taskpipe-broker --check` complains about."""
    done = subprocess.run([cluster.bin_dir / "taskpipe-broker", "--check", "--data-dir",
                           cluster.folder / "data"], capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"--check: {(done.stdout + done.stderr).strip()}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path, help="where the programs were built")
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="for records and data")
    parser.add_argument("--hours", type=float, default=1.0, help="default: 1")
    parser.add_argument("--seed", type=int, default=None, help="of loads and deaths; default: random")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    options.dir.mkdir(parents=True, exist_ok=True)
    (options.dir / "expected.sqlite").unlink(missing_ok=True)
    print(f"soak: {options.hours} h, seed {seed}, records in {options.dir}", flush=True)
    with Cluster(options.bin_dir, options.dir) as cluster:
        cluster.start_broker(*BROKER_OPTIONS)
        for name in WORKERS:
            cluster.start_worker(name)
        soak = Soak(cluster, options.dir, options.hours * 3600, seed)
        samples = soak.run()
        wrong, looked_at = list(soak.failures), 0
        if not wrong:
            settle(cluster)
            wrong, looked_at = soak.ledger.complaints(cluster.folder / "data" / "history.sqlite")
            wrong += check_files(cluster)
        summary = summarise(samples, soak, looked_at, wrong)
        (options.dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        print(json.dumps(summary, indent=2))
        if wrong:
            raise ClusterError(f"{len(wrong)} complaints, {wrong[0]}")


if __name__ == "__main__":
    main()
