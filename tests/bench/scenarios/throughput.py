"""The headline: a burst of tasks from one client to one worker and back, beside raw libzmq."""

import resource

from measuring import cpu_s, fsync_us, quotients

NAME = "throughput"
TITLE = "A burst through one worker: 100-byte params, batches, results back"
ORDER = 10
DURABILITIES = {"fsync": "durable", "os": "os", "none": "memory"}
UNITS = {"raw_libzmq_tasks_per_s": "1/s", "raw_libzmq_packed_256_tasks_per_s": "1/s",
         "fdatasync_per_s": "1/s"}
for _label in DURABILITIES.values():
    UNITS |= {f"{_label}_tasks_per_s": "1/s", f"{_label}_submits_per_s": "1/s",
              f"{_label}_broker_cpu_us_per_task": "us", f"{_label}_worker_cpu_us_per_task": "us",
              f"{_label}_client_cpu_us_per_task": "us"}

BURST_TASKS, QUICK_TASKS = 1_000_000, 200_000
WARM_UP_TASKS = 2_000  # of task_bench, which the processor times include


def ended_children_cpu_s():
    """Processor time of the programs that have ended: here the client."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def burst(context, durability, tasks):
    """One burst through a cluster of its own."""
    with context.cluster(durability=durability) as running:
        spent = {"broker": lambda: cpu_s(running.broker.pid),
                 "worker": lambda: cpu_s(running.workers["worker0"].pid),
                 "client": ended_children_cpu_s}
        before = {who: read() for who, read in spent.items()}
        rates = context.run_json("task_bench", "throughput", running.client_endpoint, tasks)
        for who, read in spent.items():
            rates[f"{who}_cpu_us_per_task"] = (
                1e6 * (read() - before[who]) / (tasks + WARM_UP_TASKS))
    return rates


def submits(context, durability, tasks):
    """The rate of submits alone, while a worker runs what is submitted."""
    with context.cluster(durability=durability) as running:
        return context.run_json("task_bench", "submits", running.client_endpoint, tasks)


def round(context):
    tasks = QUICK_TASKS if context.quick else BURST_TASKS
    figures = {"fdatasync_per_s": 1e6 / fsync_us(context.folder)}
    for durability, label in DURABILITIES.items():
        if label == "memory":  # between the two that are compared with it
            raw = context.run_json("raw_relay", "throughput", tasks)
            figures["raw_libzmq_tasks_per_s"] = raw["tasks_per_s"]
        figures.update({f"{label}_{name}": value
                        for name, value in burst(context, durability, tasks).items()})
        figures.update({f"{label}_{name}": value
                        for name, value in submits(context, durability, tasks).items()})
    packed = context.run_json("raw_relay", "throughput", tasks, 256)
    figures["raw_libzmq_packed_256_tasks_per_s"] = packed["tasks_per_s"]
    return figures


def ratios(figures):
    return quotients(figures, {
        "durable_throughput_vs_raw_libzmq": ("durable_tasks_per_s", "raw_libzmq_tasks_per_s"),
        "memory_throughput_vs_raw_libzmq": ("memory_tasks_per_s", "raw_libzmq_tasks_per_s"),
    })
