"""What a million waiting tasks take in memory and on the disk, and how soon a broker that was killed
with them serves again."""

import time

from crowd import fill, health
from measuring import BenchError, cpu_s, folder_bytes, resident_bytes

NAME = "waiting_tasks"
TITLE = "A million waiting tasks of 100 bytes: memory, disk, and the start after kill -9"
ROUNDS_MAX = 3
TASKS, QUICK_TASKS = 1_000_000, 200_000
WARM_UP_TASKS = 2_000
TOOL = "parked"  # which no worker offers
UNITS = {"submit_waiting_tasks_per_s": "1/s", "bytes_per_waiting_task": "B",
         "disk_bytes_per_waiting_task": "B", "recovery_s": "s", "recovery_cpu_s": "s",
         "recovered_bytes_per_task": "B",
         "empty_start_s": "s"}


def start(running):
    """Seconds until it listens."""
    began = time.monotonic()
    running.start_broker("--durability", "fsync")
    return time.monotonic() - began


def round(context):
    tasks = QUICK_TASKS if context.quick else TASKS
    with context.cluster(workers=0) as running:
        fill(context, running, WARM_UP_TASKS, TOOL)
        before = resident_bytes(running.broker.pid)
        began = time.monotonic()
        fill(context, running, tasks, TOOL)
        figures = {"submit_waiting_tasks_per_s": tasks / (time.monotonic() - began),
                   "bytes_per_waiting_task":
                       (resident_bytes(running.broker.pid) - before) / tasks,
                   "disk_bytes_per_waiting_task":
                       folder_bytes(running.folder / "data" / "journal") / tasks}
        running.broker.kill()
        figures["recovery_s"] = start(running)
        figures["recovery_cpu_s"] = cpu_s(running.broker.pid)
        figures["recovered_bytes_per_task"] = (resident_bytes(running.broker.pid) - before) / tasks
        pending = health(running)["tasks_pending"]
        if pending != tasks + WARM_UP_TASKS:
            raise BenchError(f"{pending} tasks wait after the restart, not {tasks + WARM_UP_TASKS}")
    with context.cluster(workers=0) as running:
        running.broker.kill()
        figures["empty_start_s"] = start(running)
    if context.quick:  # the rest of the start does not shrink with the tasks
        for name in ("recovery_s", "recovery_cpu_s"):
            figures[name] *= TASKS / tasks
    return figures


def ratios(figures):
    names = {"bytes_per_waiting_task": "bytes_per_waiting_task",
             "recovery_s_1m_live_tasks": "recovery_s"}
    return {ratio: sorted(figures[name])[len(figures[name]) // 2]
            for ratio, name in names.items() if figures.get(name)}
