"""What the tests share: one broker and two workers, and tasks that run until they are told.

What a task does is decided by inline Python scripts. One that must run for a while reads from a
named pipe, so that nothing depends on how long things take.
"""

import contextlib
import os
import pathlib
import socket
import sys

import pytest
import taskpipe
from taskpipe import TaskPipeline

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from cluster import Cluster, wait_until  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
TOOLBOX = REPOSITORY / "worker" / "toolbox"
LIMIT_S = 60.0  # of everything that must happen; sanitizers and busy machines included
UNKNOWN_ID = "0" * 31 + "1"

GATED = """
import os, sys
print("begun", flush=True)
print("taskpipe-progress 25 a quarter", flush=True)
with open(os.environ["SIM_GATE"]) as gate:
    gate.read()
print("went on", flush=True)
"""


@contextlib.contextmanager
def new_cluster(workers=("node-a", "node-b")):
    """A broker and workers of their own."""
    with Cluster(BIN_DIR) as cluster:
        cluster.start_broker()
        for name in workers:
            start_worker(cluster, name)
        yield cluster


def start_worker(cluster, name):
    """A worker with the toolbox of this tree, the handlers and two places for processes."""
    cluster.start_worker(name, "--tools", TOOLBOX, "--handlers", "--cpus", 2)


@pytest.fixture(scope="session")
def cluster():
    """The cluster of all tests that do not harm it."""
    with new_cluster() as running:
        yield running


@pytest.fixture
def client(cluster):
    """A client of its own for each test."""
    with taskpipe.Client(cluster.client_endpoint) as made:
        yield made


@pytest.fixture
def pipeline(cluster, monkeypatch):
    """A pipeline of its own for each test."""
    monkeypatch.setenv("TASKPIPE_BROKER", cluster.client_endpoint)
    with taskpipe.TaskPipeline() as made:
        yield made


class Gate:
    """A named pipe that tasks wait at."""

    def __init__(self, path):
        """Makes the pipe."""
        self.path = path
        self._opened = False
        os.mkfifo(path)

    def task(self, **options):
        """Arguments of a submit whose task runs until the gate is opened."""
        return {
            "tool": "python",
            "script": "gated.py",
            "params": {"gate": str(self.path)},
            "inline_script": GATED,
            **options,
        }

    def open(self):
        """Lets the task through, once it is there. Twice is harmless."""
        if self._opened:
            return
        self._opened = True
        with open(self.path, "w"):
            pass

    def abandon(self):
        """Lets through what a failed test has left waiting."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))


@pytest.fixture
def gate(tmp_path):
    """A closed gate."""
    made = Gate(tmp_path / "gate")
    yield made
    made.abandon()


def until_running(client, task_id):
    """Returns once the task runs and waits at its gate."""
    for event in client.events(task_id, timeout=LIMIT_S):
        if event.state == "RUNNING" and event.progress == 25:
            return
    raise AssertionError("the task ended before it was seen running")


def python(script, **options):
    """Arguments of a submit that runs `script`."""
    return {"tool": "python", "script": "inline.py", "inline_script": script, **options}


def echo(**params):
    """Arguments of a submit whose task returns its params."""
    return {"tool": "echo", "script": "", "params": params}


__all__ = [
    "GATED", "LIMIT_S", "REPOSITORY", "UNKNOWN_ID", "Gate", "echo", "new_cluster",
    "python", "start_worker", "until_running", "wait_until",
]


@pytest.fixture
def nowhere():
    """An address that nobody listens at."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def offline(nowhere):
    """A pipeline without a broker, that would fail at once if it asked one."""
    with TaskPipeline(nowhere, connect_timeout=0.05) as made:
        yield made
