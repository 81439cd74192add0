"""Ten thousand workers that have nothing to do: memory, descriptors, and the price of their pings."""

import time

from crowd import crowd, descriptors, health
from measuring import BenchError, cpu_s, resident_bytes

NAME = "idle_workers"
TITLE = "Ten thousand idle workers, each with a connection of its own"
ROUNDS_MAX = 3
WORKERS, QUICK_WORKERS = 10_000, 2_000
IDLE_S, QUICK_IDLE_S = 20.0, 5.0
UNITS = {"idle_workers_connect_s": "s", "idle_workers_rss_mb": "MB",
         "idle_workers_bytes_each": "B", "idle_workers_descriptors": "",
         "idle_workers_cpu_percent": "%"}


def round(context):
    count = QUICK_WORKERS if context.quick else WORKERS
    with context.cluster(workers=0) as running:
        pid = running.broker.pid
        before = resident_bytes(pid)
        began = time.monotonic()
        with crowd(context, running, count):
            figures = {"idle_workers_connect_s": time.monotonic() - began}
            start, used = time.monotonic(), cpu_s(pid)
            time.sleep(QUICK_IDLE_S if context.quick else IDLE_S)
            figures["idle_workers_cpu_percent"] = (
                100 * (cpu_s(pid) - used) / (time.monotonic() - start))
            resident = resident_bytes(pid)
            figures["idle_workers_descriptors"] = descriptors(pid)
            workers = health(running)["workers"]
            if workers != count:
                raise BenchError(f"the broker knows {workers} workers, not {count}")
    each = (resident - before) / count
    return {**figures, "idle_workers_bytes_each": each,
            "idle_workers_rss_mb": (before + each * WORKERS) / 1e6}


def ratios(figures):
    values = figures.get("idle_workers_rss_mb")
    return {"idle_workers_10k_rss_mb": sorted(values)[len(values) // 2]} if values else {}
