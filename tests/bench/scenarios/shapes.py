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
# One and the same measurement: where each of the four curves meets the others.
PLAIN = ("workers_1", "clients_1", "payload_100b", "batch_20000")


def variants(tasks):
    """(name, tasks, workers, options of task_bench) of each but the plain one."""
    for count in WORKERS:
        yield f"workers_{count}", tasks, count, ()
    for count in CLIENTS:
        yield f"clients_{count}", tasks, 1, ("--clients", count)
    for size, most in PAYLOADS.items():
        yield f"payload_{label_bytes(size)}", min(tasks, most), 1, ("--payload", size)
    for size in BATCHES:
        yield f"batch_{size}", min(tasks, BATCH_TASKS.get(size, tasks)), 1, ("--batch", size)


def rate(context, tasks, workers=1, options=()):
    with context.cluster(workers=workers) as running:
        return context.run_json("task_bench", "throughput", running.client_endpoint, tasks,
                                *options)["tasks_per_s"]


def round(context):
    tasks = QUICK_TASKS if context.quick else TASKS
    plain = rate(context, tasks)
    figures = {f"durable_{name}_tasks_per_s": plain for name in PLAIN}
    for name, *measured in variants(tasks):
        if name not in PLAIN:
            figures[f"durable_{name}_tasks_per_s"] = rate(context, *measured)
    return figures


def ratios(figures):
    return quotients(figures, {
        "two_workers_vs_one": ("durable_workers_2_tasks_per_s", "durable_workers_1_tasks_per_s"),
    })
