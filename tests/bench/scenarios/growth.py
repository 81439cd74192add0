"""How the broker's cost per task grows with the queue, the workers and the history: the slope in a
log-log plot. 0 = it does not; 1 = a task costs in proportion to all others."""

import math
import statistics

from crowd import Spent, queue
from measuring import RUN_LIMIT_S
from scenarios import dispatch_cost

NAME = "growth"
TITLE = "Cost per task against the length of the queue, the number of workers, the tasks in the history"
ROUNDS_MAX = 1
BY_DEFAULT = False  # some minutes
QUEUED, QUICK_QUEUED = (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000, 100_000)
WORKERS, QUICK_WORKERS = (10, 100, 1_000, 10_000), (10, 100, 1_000)
HISTORY_STEP, QUICK_HISTORY_STEP = 250_000, 50_000
HISTORY_STEPS = 8
TASKS, QUICK_TASKS = 200_000, 50_000
CROWD_TASKS, QUICK_CROWD_TASKS = 40_000, 20_000
AXES = ("queued", "workers", "history")
UNITS = {f"slope_{axis}": "" for axis in AXES}


def slope(points):
    """Of the line through the logarithms, by least squares."""
    xs, ys = ([math.log(value) for value in column] for column in zip(*points))
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    return (sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
            / sum((x - mean_x) ** 2 for x in xs))


def queued(context):
    for size in QUICK_QUEUED if context.quick else QUEUED:
        tasks = max(size, QUICK_TASKS if context.quick else TASKS)
        yield size, (dispatch_cost.long_queue(context, size) if size == tasks
                     else dispatch_cost.short_queue(context, tasks, waiting=size))[0]


def workers(context):
    for count in QUICK_WORKERS if context.quick else WORKERS:
        tasks = QUICK_CROWD_TASKS if context.quick else CROWD_TASKS
        yield count, dispatch_cost.among_workers(context, tasks, count)[0][0]


def history(context):
    """One burst after the other, on the same broker."""
    step = QUICK_HISTORY_STEP if context.quick else HISTORY_STEP
    with context.cluster() as running:
        for number in range(1, HISTORY_STEPS + 1):
            spent = Spent(running)
            with queue(context, running, step, "noop", "wait") as client:
                client.wait_for("done", limit_s=RUN_LIMIT_S)
            yield number * step, spent.us_per(step)[0]


def round(context):
    figures = {}
    for axis, measure in zip(AXES, (queued, workers, history)):
        points = list(measure(context))
        context.series[f"cost_us_by_{axis}"] = {"x": [x for x, _ in points],
                                                "y": [y for _, y in points]}
        figures[f"slope_{axis}"] = slope(points)
    return figures


def ratios(figures):
    return {}
