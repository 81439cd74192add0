"""Load without a pause for minutes: taskpipe, then NATS JetStream with its file storage. History is
kept; memory, journal and history are watched."""

import json
import statistics
import threading
import time

import peers
from measuring import folder_bytes, have, quotients, resident_bytes

NAME = "sustained"
TITLE = "Load without a pause, history kept, taskpipe and then NATS JetStream"
BY_DEFAULT = False  # twenty minutes a round
ROUNDS_MAX = 1
MIB = 1 << 20
SAMPLE_S = 2.0
# Growth is told from the middle on: what comes before fills caches and recycled files.
UNITS = {"sustained_minutes": "min", "sustained_tasks_per_s": "1/s",
         "sustained_last_quarter_tasks_per_s": "1/s",
         "sustained_rss_max_mb": "MiB", "sustained_rss_end_over_middle": "",
         "sustained_journal_max_mb": "MiB", "sustained_journal_end_over_middle": "",
         "sustained_history_lag_max_tasks": "tasks", "sustained_history_bytes_per_task": "bytes",
         "sustained_nats_jetstream_tasks_per_s": "1/s",
         "sustained_nats_jetstream_last_quarter_tasks_per_s": "1/s",
         "sustained_nats_jetstream_rss_max_mb": "MiB",
         "sustained_nats_jetstream_folder_max_mb": "MiB"}
FLAT = ("sustained_rss_end_over_middle", "sustained_journal_end_over_middle")


class Watcher:
    """Takes named readings every few seconds until it is left. Those of a program that does not
    answer, or has ended, are left out."""

    def __init__(self, readings):
        self.readings = readings
        self.curves = {name: [] for name in ("at_s", *readings)}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        start = time.monotonic()
        while not self._ended.wait(SAMPLE_S):
            try:
                values = {name: read() for name, read in self.readings.items()}
            except (OSError, ValueError):
                continue
            self.curves["at_s"].append(time.monotonic() - start)
            for name, value in values.items():
                self.curves[name].append(value)


def rate_of_last_quarter(curve):
    """From {"at_s": […], "finished": […]}: does it slow down?"""
    at, finished = curve["at_s"], curve["finished"]
    first = len(at) * 3 // 4
    if first >= len(at) - 1:
        return curve["tasks_per_s"]
    return (finished[-1] - finished[first]) / (at[-1] - at[first])


def end_over_middle(values):
    """1 for what is flat, once it has settled: means of the last quarter and of that in the middle.

    Of ten minutes a quarter holds two of the journal's swings: segments are given up several at a
    time, and what stands at one moment, or its median over a minute, says where in a swing it was.
    """
    width = max(1, len(values) // 4)
    middle = values[(len(values) - width) // 2:][:width]
    return statistics.fmean(values[-width:]) / statistics.fmean(middle)


def taskpipe(context, seconds):
    with context.cluster() as running:
        data = running.folder / "data"
        readings = {"rss_mb": lambda: resident_bytes(running.broker.pid) / MIB,
                    "journal_mb": lambda: folder_bytes(data / "journal") / MIB,
                    "history_mb": lambda: history_bytes(data) / MIB,
                    "history_lag_tasks": lambda: history_lag_tasks(running)}
        with Watcher(readings) as watched:
            curve = context.run_json("task_bench", "sustained", running.client_endpoint, seconds,
                                     limit_s=seconds + 300)
        curves = watched.curves
    context.series["sustained_taskpipe"] = {"load": curve, "readings": curves}
    tasks = curve["tasks_per_s"] * seconds
    return {"tasks_per_s": curve["tasks_per_s"],
            "last_quarter_tasks_per_s": rate_of_last_quarter(curve),
            "rss_max_mb": max(curves["rss_mb"]), "rss_end_over_middle": end_over_middle(curves["rss_mb"]),
            "journal_max_mb": max(curves["journal_mb"]),
            "journal_end_over_middle": end_over_middle(curves["journal_mb"]),
            "history_lag_max_tasks": max(curves["history_lag_tasks"]),
            "history_bytes_per_task": curves["history_mb"][-1] * MIB / tasks}


def history_bytes(data):
    """The folder's files that are neither journal nor store."""
    return sum(path.stat().st_blocks * 512 for path in data.glob("history.sqlite*"))


def history_lag_tasks(running):
    """What has ended and is not in the history yet, as the broker says, also one that is unwell."""
    return json.loads(running.run("taskpipe", "health", "--json").stdout)["history_lag_tasks"]


def nats(context, seconds):
    peer = peers.NatsJetstream(context.bin_dir)
    with context.scratch() as folder, peer.running(folder, 1, "sustained") as port:
        readings = {"rss_mb": lambda: resident_bytes(peer.server.pid) / MIB,
                    "folder_mb": lambda: folder_bytes(folder) / MIB}
        with Watcher(readings) as watched:
            curve = peer.run(port, "sustained", seconds, limit_s=seconds + 300)
    curves = watched.curves
    context.series["sustained_nats_jetstream"] = {"load": curve, "readings": curves}
    return {"nats_jetstream_tasks_per_s": curve["tasks_per_s"],
            "nats_jetstream_last_quarter_tasks_per_s": rate_of_last_quarter(curve),
            "nats_jetstream_rss_max_mb": max(curves["rss_mb"]),
            "nats_jetstream_folder_max_mb": max(curves["folder_mb"])}


def round(context):
    seconds = max(10, int(context.minutes * 60))
    figures = {"minutes": seconds / 60, **taskpipe(context, seconds)}
    if context.peers and peers.NatsJetstream(context.bin_dir).unavailable() is None:
        figures |= nats(context, seconds)
    return {f"sustained_{name}": value for name, value in figures.items()}


def ratios(figures):
    found = quotients(figures, {"sustained_throughput_vs_nats_jetstream": (
        "sustained_tasks_per_s", "sustained_nats_jetstream_tasks_per_s")})
    # What is fast because it postpones its work has not sustained anything.
    return found | {name: statistics.median(figures[name]) for name in FLAT if have(figures, name)}
