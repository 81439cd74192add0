"""Brokers and workers as real processes, for integration tests and benchmarks.

    with Cluster(bin_dir) as cluster:
        cluster.start_broker()
        cluster.start_worker("w0")
        ... cluster.client_endpoint ...

Every process logs JSON lines into a pipe that a thread reads: waiting for a line needs no polling.
Whatever was started is ended when the context ends, by its own process handle, and the folder goes.
Standard library only.
"""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

START_LIMIT_S = 30.0  # sanitizers and two busy cores
STOP_LIMIT_S = 30.0
FIRST_PORT, LAST_PORT = 20_000, 32_000  # below the ephemeral range: no self-connects


class ClusterError(Exception):
    """A process did not do what it had to within its limit; the text holds the end of its log."""


_reserved_ports = []  # locked files: a lock lasts as long as this process


def free_port():
    """A port below the ephemeral range that nobody listens on, and that no other process that asks
    here is given while this one lives."""
    locks = pathlib.Path(tempfile.gettempdir()) / f"taskpipe-test-ports-{os.geteuid()}"
    locks.mkdir(exist_ok=True)
    span = LAST_PORT - FIRST_PORT
    start = int.from_bytes(os.urandom(4), "big") % span
    for offset in range(span):
        port = FIRST_PORT + (start + offset) % span
        lock = open(locks / str(port), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _reserved_ports.append(lock)
        return port
    raise ClusterError("no free port on loopback")


class Process:
    """A child whose output is collected line by line."""

    def __init__(self, name, command, log_path, **popen):
        self.name = name
        self.lines = []
        self._changed = threading.Condition()
        self._closed = False
        self._log = open(log_path, "ab")
        self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **popen)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.child.stdout as output, self._log as log:
            for raw in output:
                log.write(raw)
                log.flush()
                with self._changed:
                    self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def pid(self):
        return self.child.pid

    def wait_for(self, text, count=1, limit_s=START_LIMIT_S):
        """The `count`-th line that contains `text`, as soon as it is there."""
        def found():
            return [line for line in self.lines if text in line]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= count or self._closed, limit_s)
            lines = found()
        if len(lines) < count:
            raise ClusterError(f"{self.name} never said '{text}':\n" + self.tail())
        return lines[count - 1]

    def tail(self, lines=30):
        return "\n".join(self.lines[-lines:])

    def kill(self):
        """kill -9, and wait until it is gone."""
        self.child.kill()
        return self._reap()

    def stop(self, limit_s=STOP_LIMIT_S):
        """SIGTERM, and wait for the orderly end; the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ClusterError(f"{self.name} did not stop:\n{self.tail()}") from error
        return self._reap()

    def _reap(self):
        code = self.child.wait()
        self._reader.join(STOP_LIMIT_S)
        return code


class Cluster:
    """One broker and any number of workers in a folder of their own."""

    def __init__(self, bin_dir, base=None, remove=True):
        """`base`: where its folder is made. `remove`: whether that goes at the end."""
        self.remove = remove
        self.bin_dir = pathlib.Path(bin_dir).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="taskpipe-", dir=base))
        self.broker = None
        self.workers = {}
        # Fixed for the cluster's life, so that a restarted broker is found again.
        self.client_endpoint, self.worker_endpoint, self.event_endpoint, self.bulk_endpoint = (
            f"tcp://127.0.0.1:{free_port()}" for _ in range(4))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in [*self.workers.values(), self.broker]:
            if process is not None and process.child.poll() is None:
                process.kill()
        if kind is None and not self.remove:
            return
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"kept for inspection: {self.folder}")

    # `prefix`: what is put before the command, to run it elsewhere (namespaces.py).
    def start_broker(self, *options, wait=True, prefix=(), **popen):
        self.broker = Process(
            "broker",
            [*prefix, self.bin_dir / "taskpipe-broker", "--data-dir", self.folder / "data",
             "--client-bind", self.client_endpoint, "--worker-bind", self.worker_endpoint,
             "--event-bind", self.event_endpoint, "--bulk-bind", self.bulk_endpoint,
             "--log-format", "json", *options],
            self.folder / "broker.log", **popen)
        if wait:
            self.broker.wait_for('"listening"')
        return self.broker

    def start_worker(self, name, *options, wait=True, prefix=(), **popen):
        worker = Process(
            name,
            [*prefix, self.bin_dir / "taskpipe-worker", "--broker", self.worker_endpoint, "--name", name,
             "--work-dir", self.folder / name, "--log-format", "json", *options],
            self.folder / f"{name}.log", **popen)
        self.workers[name] = worker
        if wait:
            self.broker.wait_for(f"worker '{name}' on ")
        return worker

    def client_environment(self):
        """For our client programs: the broker's address, and no colours."""
        return {**os.environ, "TASKPIPE_BROKER": self.client_endpoint, "NO_COLOR": "1"}

    def start_cli(self, *arguments):
        """`taskpipe …` in the background; its lines are collected."""
        return Process("taskpipe", [self.program("taskpipe"), *arguments],
                       self.folder / "taskpipe.log", env=self.client_environment())

    def program(self, name):
        """TASKPIPE_CLI: a command line that need not be built as the others are."""
        if name == "taskpipe" and "TASKPIPE_CLI" in os.environ:
            return pathlib.Path(os.environ["TASKPIPE_CLI"])
        return self.bin_dir / name

    def run(self, program, *arguments, limit_s=120.0, prefix=(), **popen):
        """Runs one of our programs to its end."""
        return subprocess.run([*prefix, str(self.program(program)), *map(str, arguments)],
                              capture_output=True, text=True, timeout=limit_s, check=False,
                              env=self.client_environment(), **popen)

    def cli(self, *arguments, **keywords):
        """`taskpipe … --json`, decoded; raises when it does not succeed."""
        done = self.run("taskpipe", *arguments, "--json", **keywords)
        if done.returncode != 0:
            raise ClusterError(f"taskpipe {' '.join(map(str, arguments))}: exit "
                               f"{done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def process_state(pid):
    """The letter of /proc/PID/stat, or None when there is no such process (any more)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[0]


def wait_until(condition, what, limit_s=START_LIMIT_S, step_s=0.02):
    """For facts of the system that nobody announces (a process is gone, a file has appeared)."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"not within {limit_s} s: {what}")
        time.sleep(step_s)
