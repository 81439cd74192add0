"""A cluster as sites have it: a broker with keys, workers and clients, each on a host of its own.

The hosts are network namespaces; the programs are started as the documentation says, with what
`taskpipe-broker init` makes.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "fault")]
from cluster import Cluster, Process  # noqa: E402
from load import load  # noqa: E402
from namespaces import Namespaces  # noqa: E402
from weather import Weather  # noqa: E402

BROKER, WORKERS, CLIENTS = "broker", ("w1", "w2", "w3"), ("c1", "c2")
LEASE_S = 3.0
BROKER_OPTIONS = ("--lease", "3s", "--heartbeat", "500ms")


class Hosts(Cluster):
    def __init__(self, bin_dir):
        super().__init__(bin_dir)
        self.keys = self.folder / "cluster"
        self.net = Namespaces(BROKER, *WORKERS, *CLIENTS)
        self.weather = Weather(self.net)

    def __enter__(self):
        self.net.__enter__()
        try:
            return self._set_up()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def _set_up(self):
        address = self.net.address(BROKER)
        self.client_endpoint = f"tcp://{address}:7610"
        done = subprocess.run([self.bin_dir / "taskpipe-broker", "init", self.keys, "--host", address],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        self.broker = Process(
            BROKER, [*self.net.prefix(BROKER), self.bin_dir / "taskpipe-broker", "--config",
                     self.keys / "broker.conf", "--log-format", "json", *BROKER_OPTIONS],
            self.folder / "broker.log")
        self.broker.wait_for('"listening"')
        for name in WORKERS:
            self.start_worker(name)
        for name in WORKERS:
            self.broker.wait_for(f"worker '{name}' on ")
        return self

    def __exit__(self, *problem):
        try:
            self.weather.clear()
        finally:
            try:
                super().__exit__(*problem)
            finally:
                self.net.__exit__(*problem)

    def join(self, name="client"):
        return self.keys / "join" / f"{name}.join"

    def start_worker(self, name, *options, **_):
        self.workers[name] = Process(
            name, [*self.net.prefix(name), self.bin_dir / "taskpipe-worker", "--join",
                   self.join("worker"), "--name", name, "--work-dir", self.folder / name,
                   "--cpus", "2", "--log-format", "json", *options],
            self.folder / f"{name}.log")
        return self.workers[name]

    def client_environment(self):
        others = {name: value for name, value in os.environ.items()
                  if not name.startswith("TASKPIPE_")}
        return {**others, "TASKPIPE_JOIN": str(self.join()), "TASKPIPE_CONFIG": "/dev/null",
                "NO_COLOR": "1"}

    def on(self, host, *arguments, limit_s=300.0):
        """`taskpipe …` on that host; what it printed. It must succeed."""
        done = self.run("taskpipe", *arguments, prefix=self.net.prefix(host), limit_s=limit_s)
        if done.returncode != 0:
            raise AssertionError(f"taskpipe {arguments[0]} on {host}: exit {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        return done.stdout

    def row(self, host, task):
        (row,) = json.loads(self.on(host, "status", task, "--json"))["tasks"]
        return row

    def begin(self, host, *arguments):
        """The same in the background."""
        return Process(f"taskpipe on {host}",
                       [*self.net.prefix(host), self.bin_dir / "taskpipe", *arguments],
                       self.folder / f"{host}.log", env=self.client_environment())

    def load(self, host, tasks):
        return load(self, tasks, prefix=self.net.prefix(host), join=self.join())

    def leftovers(self):
        """Processes that still work in the cluster's folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                where = os.readlink(entry / "cwd")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it is gone, or another's
            if where.startswith(str(self.folder)) or str(self.folder) in command:
                found.append((int(entry.name), command.strip()))
        return found


def end_on_signals():
    """So that contexts end, and take hosts and processes with them."""
    def leave(number, _):
        raise SystemExit(f"ended by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, leave)
