"""Events to a hundred subscribers, one of which has stopped reading: who is slowed, what is lost."""

import contextlib
import json
import pathlib
import signal
import subprocess

from crowd import Spent, queue
from measuring import RUN_LIMIT_S, BenchError, quotients, resident_bytes

NAME = "fan_out"
TITLE = "A burst while 100 subscribers hear everything, one of them stalled"
ROUNDS_MAX = 3
TASKS, QUICK_TASKS = 200_000, 50_000
SUBSCRIBERS = 100
PROGRAM = pathlib.Path(__file__).parent.parent / "subscribers.py"
PYTHON = "/usr/bin/python3"
UNITS = {"fan_out_cost_alone_us": "us", "fan_out_cost_us": "us", "fan_out_messages": "",
         "fan_out_events_mb": "MB", "fan_out_gaps": "", "fan_out_behind": "",
         "fan_out_rss_growth_mb": "MB"}


def unavailable(context):
    probe = subprocess.run([PYTHON, "-c", "import zmq"], capture_output=True, check=False)
    return None if probe.returncode == 0 else "python3-zmq is not installed"


@contextlib.contextmanager
def subscribers(endpoint, count):
    child = subprocess.Popen([PYTHON, PROGRAM, endpoint, str(count)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    try:
        if child.stdout.readline().strip() != "ready":
            raise BenchError("the subscribers hear nothing")
        yield child
    finally:
        child.kill()
        child.wait()


def burst(context, running, tasks):
    spent = Spent(running)
    with queue(context, running, tasks, "noop", "wait") as client:
        client.wait_for("done", limit_s=RUN_LIMIT_S)
    return spent.us_per(tasks)[0]


def round(context):
    tasks = QUICK_TASKS if context.quick else TASKS
    with context.cluster() as running:
        figures = {"fan_out_cost_alone_us": burst(context, running, tasks)}
    with context.cluster() as running, \
            subscribers(running.event_endpoint, SUBSCRIBERS - 1) as listening, \
            subscribers(running.event_endpoint, 1) as stalled:
        stalled.send_signal(signal.SIGSTOP)
        before = resident_bytes(running.broker.pid)
        figures["fan_out_cost_us"] = burst(context, running, tasks)
        figures["fan_out_rss_growth_mb"] = (resident_bytes(running.broker.pid) - before) / 1e6
        output, _ = listening.communicate("\n", timeout=RUN_LIMIT_S)
        heard = json.loads(output)
    return {**figures, "fan_out_messages": heard["messages"], "fan_out_gaps": heard["gaps"],
            "fan_out_events_mb": heard["bytes"] / 1e6, "fan_out_behind": heard["behind"]}


def ratios(figures):
    return quotients(figures, {"fan_out_cost_100_over_none":
                               ("fan_out_cost_us", "fan_out_cost_alone_us")})
