"""Throughput when one thing at a time is otherwise: workers, clients, payload, batch."""

from measuring import quotients

NAME = "shapes"
TITLE = "Durable throughput by shape (one worker, one client, 100 bytes, large batches, but for)"
TASKS, QUICK_TASKS = 200_000, 60_000
WORKERS = (1, 2, 8)
CLIENTS = (1, 8)
BATCHES = (1, 16, 256, 4096, 20_000)
# Bytes and how many tasks, so that each takes seconds; the larger two are bound by the disk.
PAYLOADS = {100: TASKS, 10_000: 20_000, 1_000_000: 400}
# Batches that are sent one after the other: each waits for its own fdatasync.
BATCH_TASKS = {1: 4_000, 16: 40_000}


def label_bytes(count):
    return {100: "100b", 10_000: "10kb", 1_000_000: "1mb"}[count]


UNITS = ({f"durable_workers_{n}_tasks_per_s": "1/s" for n in WORKERS}
         | {f"durable_clients_{n}_tasks_per_s": "1/s" for n in CLIENTS}
         | {f"durable_payload_{label_bytes(n)}_tasks_per_s": "1/s" for n in PAYLOADS}
         | {f"durable_batch_{n}_tasks_per_s": "1/s" for n in BATCHES})


def rate(context, running, tasks, *options):
    return context.run_json("task_bench", "throughput", running.client_endpoint, tasks,
                            *options)["tasks_per_s"]


def round(context):
    tasks = QUICK_TASKS if context.quick else TASKS
    figures = {}
    for count in WORKERS:
        with context.cluster(workers=count) as running:
            figures[f"durable_workers_{count}_tasks_per_s"] = rate(context, running, tasks)
    for count in CLIENTS:
        with context.cluster() as running:
            figures[f"durable_clients_{count}_tasks_per_s"] = rate(
                context, running, tasks, "--clients", count)
    for size, most in PAYLOADS.items():
        with context.cluster() as running:
            figures[f"durable_payload_{label_bytes(size)}_tasks_per_s"] = rate(
                context, running, min(tasks, most), "--payload", size)
    for size in BATCHES:
        with context.cluster() as running:
            figures[f"durable_batch_{size}_tasks_per_s"] = rate(
                context, running, min(tasks, BATCH_TASKS.get(size, tasks)), "--batch", size)
    return figures


def ratios(figures):
    return quotients(figures, {
        "two_workers_vs_one": ("durable_workers_2_tasks_per_s", "durable_workers_1_tasks_per_s"),
    })
