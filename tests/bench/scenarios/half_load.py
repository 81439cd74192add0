"""Latency while the cluster does half of what it can: an open loop, so that waiting counts."""

from measuring import quotients

NAME = "half_load"
TITLE = "Latency at half load: the tasks of each millisecond as one batch, until its last result"
ORDER = 45
SECONDS, QUICK_SECONDS = 10, 4
TASKS, QUICK_TASKS = 300_000, 100_000
UNITS = {"full_load_tasks_per_s": "1/s", "half_load_tasks_per_s": "1/s"}
UNITS |= {f"half_load_{q}_us": "us" for q in ("p10", "p50", "p90", "p99", "p999", "max")}


def round(context):
    with context.cluster() as running:
        full = context.run_json("task_bench", "throughput", running.client_endpoint,
                                QUICK_TASKS if context.quick else TASKS)["tasks_per_s"]
        paced = context.run_json("task_bench", "paced", running.client_endpoint, int(full / 2),
                                 QUICK_SECONDS if context.quick else SECONDS)
    return {"full_load_tasks_per_s": full, **context.latencies("half_load_", paced)}


def ratios(figures):
    return quotients(figures,
                     {"p99_over_p50_at_half_load": ("half_load_p99_us", "half_load_p50_us")})
