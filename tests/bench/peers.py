"""The neighbours that taskpipe is measured beside, started here and ended here.

Each is a context that yields what its measuring program needs. All listen on loopback, over TCP,
with data in a folder of their own on the disk to measure.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys

from measuring import run_json

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Process, free_port, wait_until  # noqa: E402

PYTHON = "/usr/bin/python3"  # which Debian's Celery and Dask are for
CELERY_PEER = pathlib.Path(__file__).with_name("celery_peer.py")
DASK_PEER = pathlib.Path(__file__).with_name("dask_peer.py")


@contextlib.contextmanager
def started(folder, server, ready, workers=()):
    """A server that says when it is ready (a text in its output, or a port), then its workers. All
    of them are ended in the end, whatever happens meanwhile."""
    with contextlib.ExitStack() as cleanup:
        process = Process("server", server, folder / "server.log", cwd=folder)
        cleanup.callback(process.kill)
        if isinstance(ready, int):
            wait_until(lambda: listens(ready), f"{server[0]} listens")
        else:
            process.wait_for(ready)
        for number, (command, text, environment) in enumerate(workers):
            worker = Process(f"worker{number}", command, folder / f"worker{number}.log", cwd=folder,
                             env=environment)
            cleanup.callback(worker.kill)
            worker.wait_for(text)
        yield process


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def as_user():
    """gearmand refuses to run as root unless it is told as whom."""
    return ["--user", "root"] if os.geteuid() == 0 else []


class Peer:
    """A neighbour: what it needs, and how it is started with so many workers. `run` then measures:
    `throughput`, `roundtrip` or, where it says so, `sustained`."""

    name = ""
    program = ""  # the server, which tells whether it is installed
    end = None  # our program at both ends, if there is one
    tasks, quick_tasks, trips = 50_000, 20_000, 2_000

    def __init__(self, bin_dir):
        self.bin_dir = bin_dir

    def unavailable(self):
        """Why it cannot be measured here, or None."""
        if not (shutil.which(self.program) or pathlib.Path("/usr/sbin", self.program).exists()):
            return f"{self.program} is not installed"
        if self.end and not (self.bin_dir / self.end).exists():
            return f"{self.end} was not built"
        return None

    def workers(self, count, port, *arguments):
        command = [self.bin_dir / self.end, "worker", port, *arguments]
        return [(command, "ready", None)] * count

    def run(self, port, kind, number, **more):
        return run_json(self.bin_dir / self.end, kind, port, number, **more)


class Gearmand(Peer):
    """In memory: it knows no durable foreground job."""

    name, program, end = "gearmand", "gearmand", "gearman_peer"

    @contextlib.contextmanager
    def running(self, folder, workers, _kind):
        port = free_port()
        server = ["gearmand", "--listen", "127.0.0.1", "--port", str(port), "--threads", "2",
                  "--log-file", "stderr", *as_user()]
        with started(folder, server, port, self.workers(workers, port)):
            yield port


class Beanstalkd(Peer):
    """In memory, and with a log that is synced at each change."""

    program, end = "beanstalkd", "beanstalk_peer"
    batch = 64

    def __init__(self, bin_dir, durable):
        super().__init__(bin_dir)
        self.durable = durable
        self.name = "beanstalkd_fsync" if durable else "beanstalkd"
        if durable:
            self.tasks, self.quick_tasks, self.trips = 4_000, 2_000, 500

    @contextlib.contextmanager
    def running(self, folder, workers, kind):
        port = free_port()
        log = ["-b", folder, "-f", "0"] if self.durable else []
        server = ["beanstalkd", "-l", "127.0.0.1", "-p", str(port), *log]
        batch = 1 if kind == "roundtrip" else self.batch
        with started(folder, server, port, self.workers(workers, port, batch)):
            yield port


class NatsJetstream(Peer):
    """A work queue in a file. NATS writes at once and syncs every two minutes, its default."""

    name, program, end = "nats_jetstream", "nats-server", "nats_peer"
    tasks, quick_tasks = 300_000, 100_000
    batch = 256

    @contextlib.contextmanager
    def running(self, folder, workers, kind):
        port = free_port()
        server = ["nats-server", "--addr", "127.0.0.1", "--port", str(port), "--jetstream",
                  "--store_dir", folder / "jetstream"]
        batch = 1 if kind == "roundtrip" else self.batch  # a batch waits to be full
        ends = self.workers(workers, port, batch)
        with started(folder, server, "Server is ready", ends) as self.server:
            yield port


class CeleryRedis(Peer):
    """Redis in memory alone (no snapshot, no log), Celery set up for speed."""

    name, program = "celery_redis", "redis-server"
    tasks, quick_tasks, trips = 6_000, 3_000, 1_000

    def unavailable(self):
        return super().unavailable() or module_missing("celery", "redis")

    @contextlib.contextmanager
    def running(self, folder, workers, _kind):
        port = free_port()
        self.environment = {**os.environ, "REDIS_URL": f"redis://127.0.0.1:{port}/0",
                            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        # A worker prints its banner before it listens; the first task waits in Redis until then,
        # and the warm-up of every measurement comes before its clock.
        ends = [([PYTHON, CELERY_PEER, "worker", str(i)], "[queues]", self.environment)
                for i in range(workers)]
        server = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                  "--appendonly", "no", "--daemonize", "no"]
        with started(folder, server, "Ready to accept connections", ends):
            yield port

    def run(self, _port, kind, number, **more):
        return run_json(PYTHON, CELERY_PEER, kind, number, env=self.environment, **more)


class Dask(Peer):
    """Scheduler and workers as processes, workers that are given all there is at once."""

    name = "dask"
    tasks, quick_tasks, trips = 10_000, 4_000, 500

    def unavailable(self):
        return module_missing("distributed")

    @contextlib.contextmanager
    def running(self, _folder, workers, _kind):
        yield workers  # the program starts and ends them itself

    def run(self, workers, kind, number, **more):
        return run_json(PYTHON, DASK_PEER, kind, number, workers, **more)


def module_missing(*names):
    """Why Debian's Python cannot import them, or None."""
    probe = subprocess.run([PYTHON, "-c", "import " + ", ".join(names)], capture_output=True,
                           text=True, check=False)
    return None if probe.returncode == 0 else probe.stderr.strip().splitlines()[-1]


def all_peers(bin_dir):
    """Every neighbour, in the order of the table."""
    return [NatsJetstream(bin_dir), Beanstalkd(bin_dir, durable=True),
            Beanstalkd(bin_dir, durable=False), Gearmand(bin_dir), CeleryRedis(bin_dir),
            Dask(bin_dir)]
