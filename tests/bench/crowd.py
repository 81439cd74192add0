"""Queues and crowds for the scenarios: programs that fill a queue, thousands of workers, and what the
broker has spent on them."""

import contextlib
import json
import pathlib
import subprocess

from cluster import Process
from measuring import CLOCK_TICKS_PER_S, RUN_LIMIT_S, BenchError, cpu_s

WORKERS_PER_PROCESS = 5_000  # two descriptors each, of the 20,000 that Linux hosts allow at least
CONNECT_LIMIT_S = 120.0


@contextlib.contextmanager
def queue(context, running, tasks, tool, *mode):
    """fill_queue in the background; "submitted" and "done" are lines of its output."""
    client = Process("fill_queue", [context.bin_dir / "fill_queue", running.client_endpoint, tasks,
                                    tool, *mode], running.folder / "fill_queue.log")
    try:
        yield client
    finally:
        client.kill()


def fill(context, running, tasks, tool):
    """Submits tasks and leaves."""
    with queue(context, running, tasks, tool) as client:
        client.wait_for("submitted", limit_s=RUN_LIMIT_S)
        if client.child.wait(RUN_LIMIT_S) != 0:
            raise BenchError(f"fill_queue failed: {client.tail()}")


def health(running):
    """What the broker says of itself; an unhealthy one does too."""
    done = running.run("taskpipe", "health", "--json", "--connect-timeout", "60s",
                       "--request-timeout", "60s")
    if not done.stdout:
        raise BenchError(f"taskpipe health: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Crowd:
    """Workers by the thousand, in as few processes as descriptors allow."""

    def __init__(self, context, running, count, tool="noop", first=0):
        self.children = []
        for begin in range(0, count, WORKERS_PER_PROCESS):
            size = min(WORKERS_PER_PROCESS, count - begin)
            with open(running.folder / "many_workers.log", "ab") as errors:
                self.children.append(subprocess.Popen(
                    [context.bin_dir / "many_workers", running.worker_endpoint, str(size),
                     str(first + begin), tool],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True))
        for child in self.children:
            if child.stdout.readline().strip() != "ready":
                self.end()
                raise BenchError("many_workers: " + (running.folder / "many_workers.log").read_text())

    def end(self):
        """How many tasks they ran; 0 when they have ended before."""
        tasks = 0
        children, self.children = self.children, []
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                output, _ = child.communicate("\n", timeout=CONNECT_LIMIT_S)
                if output.strip():
                    tasks += json.loads(output)["tasks"]
            child.kill()
        return tasks


@contextlib.contextmanager
def crowd(context, running, count, tool="noop", first=0):
    workers = Crowd(context, running, count, tool, first)
    try:
        yield workers
    finally:
        workers.end()


def loop_cpu_s(pid):
    """Processor time of the first thread alone: the broker's loop."""
    fields = pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S


class Spent:
    """Processor time of the broker from here on."""

    def __init__(self, running):
        self.pid = running.broker.pid
        self.all, self.loop = cpu_s(self.pid), loop_cpu_s(self.pid)

    def us_per(self, tasks):
        """(all threads, the loop alone), in microseconds."""
        return (1e6 * (cpu_s(self.pid) - self.all) / tasks,
                1e6 * (loop_cpu_s(self.pid) - self.loop) / tasks)


def descriptors(pid):
    """How many a process has open."""
    return sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())
