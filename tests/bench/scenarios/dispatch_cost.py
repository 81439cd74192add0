"""Whether a task costs the broker more when many others wait, or when there are many workers."""

import time

from crowd import Spent, crowd, queue
from measuring import RUN_LIMIT_S, BenchError, cpu_s, quotients

NAME = "dispatch_cost"
TITLE = "The broker's processor time per task, from submit to result, as queue and crowd grow"
ROUNDS_MAX = 3
LONG, QUICK_LONG = 1_000_000, 200_000
SHORT = 1_000
SHORT_TASKS, QUICK_SHORT_TASKS = 300_000, 100_000
FEW, MANY, QUICK_MANY = 10, 10_000, 2_000
CROWD_TASKS, QUICK_CROWD_TASKS = 60_000, 20_000
IDLE_S, QUICK_IDLE_S = 10.0, 3.0
TOOL = "noop"
_COSTS = ("queued_1k", "queued_1m", "10_workers", "10k_workers", "10_of_10k_workers")
UNITS = {f"cost_{name}_us": "us" for name in _COSTS}
UNITS |= {f"loop_cost_{name}_us": "us" for name in _COSTS}
UNITS["idle_10k_broker_cpu_percent"] = "%"


def pair(name, costs):
    return {f"cost_{name}_us": costs[0], f"loop_cost_{name}_us": costs[1]}


def short_queue(context, tasks, waiting=SHORT):
    """Never more than `waiting` at a time; a worker takes them at once."""
    with context.cluster(workers=1) as running:
        spent = Spent(running)
        with queue(context, running, tasks, TOOL, "window", waiting) as client:
            client.wait_for("done", limit_s=RUN_LIMIT_S)
        return spent.us_per(tasks)


def long_queue(context, tasks):
    """All wait before the worker comes."""
    with context.cluster(workers=0) as running:
        spent = Spent(running)
        with queue(context, running, tasks, TOOL, "wait") as client:
            client.wait_for("submitted", limit_s=RUN_LIMIT_S)
            running.start_worker("worker0")
            client.wait_for("done", limit_s=RUN_LIMIT_S)
        return spent.us_per(tasks)


def among_workers(context, tasks, working, idle=0, idle_s=0.0):
    """Costs per task, and the share of a processor that the crowd takes while nothing happens.

    Each worker has one slot, and its tasks claim to be slow: one message for each task, however many
    workers there are. What the crowd's own signs of life take is part of the cost."""
    with context.cluster(workers=0) as running, crowd(context, running, working) as workers, \
            crowd(context, running, idle, "other", first=working):
        began, before = time.monotonic(), cpu_s(running.broker.pid)
        time.sleep(idle_s)
        share = (cpu_s(running.broker.pid) - before) / max(time.monotonic() - began, 1e-9)
        spent = Spent(running)
        with queue(context, running, tasks, TOOL, "wait") as client:
            client.wait_for("done", limit_s=RUN_LIMIT_S)
        costs = spent.us_per(tasks)
        ran = workers.end()
        if ran != tasks:
            raise BenchError(f"the workers ran {ran} tasks, not {tasks}")
        return costs, 100 * share


def round(context):
    tasks = QUICK_CROWD_TASKS if context.quick else CROWD_TASKS
    many = QUICK_MANY if context.quick else MANY
    figures = pair("queued_1k",
                   short_queue(context, QUICK_SHORT_TASKS if context.quick else SHORT_TASKS))
    figures |= pair("queued_1m", long_queue(context, QUICK_LONG if context.quick else LONG))
    figures |= pair("10_workers", among_workers(context, tasks, FEW)[0])
    costs, share = among_workers(context, tasks, many,
                                 idle_s=QUICK_IDLE_S if context.quick else IDLE_S)
    figures |= pair("10k_workers", costs)
    figures["idle_10k_broker_cpu_percent"] = share
    figures |= pair("10_of_10k_workers", among_workers(context, tasks, FEW, many - FEW)[0])
    return figures


def ratios(figures):
    return quotients(figures, {
        "dispatch_cost_1m_over_1k_queued": ("cost_queued_1m_us", "cost_queued_1k_us"),
        "dispatch_cost_10k_over_10_workers": ("cost_10k_workers_us", "cost_10_workers_us"),
    })
