"""The headline: a burst of tasks from one client to one worker and back, beside raw libzmq."""

from measuring import cpu_s, fsync_us, quotients

NAME = "throughput"
TITLE = "A burst through one worker: 100-byte params, batches, results back"
ORDER = 10
DURABILITIES = {"fsync": "durable", "os": "os", "none": "memory"}
UNITS = {"raw_libzmq_tasks_per_s": "1/s", "raw_libzmq_packed_256_tasks_per_s": "1/s",
         "fdatasync_per_s": "1/s"}
for _label in DURABILITIES.values():
    UNITS |= {f"{_label}_tasks_per_s": "1/s", f"{_label}_submits_per_s": "1/s",
              f"{_label}_broker_cpu_us_per_task": "us"}

BURST_TASKS, QUICK_TASKS = 1_000_000, 200_000
WARM_UP_TASKS = 2_000  # of task_bench, which the broker's processor time includes


def burst(context, durability, tasks):
    """One burst through a cluster of its own."""
    with context.cluster(durability=durability) as running:
        before = cpu_s(running.broker.pid)
        rates = context.run_json("task_bench", "throughput", running.client_endpoint, tasks)
        rates["broker_cpu_us_per_task"] = (
            1e6 * (cpu_s(running.broker.pid) - before) / (tasks + WARM_UP_TASKS))
    return rates


def round(context):
    tasks = QUICK_TASKS if context.quick else BURST_TASKS
    figures = {"fdatasync_per_s": 1e6 / fsync_us(context.folder)}
    for durability, label in DURABILITIES.items():
        if label == "memory":  # between the two that are compared with it
            raw = context.run_json("raw_relay", "throughput", tasks)
            figures["raw_libzmq_tasks_per_s"] = raw["tasks_per_s"]
        figures.update({f"{label}_{name}": value
                        for name, value in burst(context, durability, tasks).items()})
    packed = context.run_json("raw_relay", "throughput", tasks, 256)
    figures["raw_libzmq_packed_256_tasks_per_s"] = packed["tasks_per_s"]
    return figures


def ratios(figures):
    return quotients(figures, {
        "durable_throughput_vs_raw_libzmq": ("durable_tasks_per_s", "raw_libzmq_tasks_per_s"),
        "memory_throughput_vs_raw_libzmq": ("memory_tasks_per_s", "raw_libzmq_tasks_per_s"),
    })
