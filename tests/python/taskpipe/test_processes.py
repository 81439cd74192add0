"""Forks, signals, and brokers that go away."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import taskpipe
from conftest import LIMIT_S, new_cluster, start_worker, until_running

HERE = pathlib.Path(__file__).parent

INTERRUPTED = """
import sys
import taskpipe
client = taskpipe.Client()
pipeline = taskpipe.TaskPipeline()
task_id = sys.argv[1]
try:
    print("waiting", flush=True)
    {wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(7)
"""

WAITS = {
    "wait": "client.wait(task_id)",
    "wait_all": "client.wait_all([task_id])",
    "wait_any": "client.wait_any([task_id])",
    "as_completed": "list(client.as_completed([task_id]))",
    "events": "list(client.events(task_id))",
    "monitor": "client.monitor([task_id], print)",
    "follow_log": "list(client.follow_log(task_id))",
    "wait_for_task": "pipeline.wait_for_task(task_id)",
    "monitor_task": "pipeline.monitor_task(task_id, print)",
    "wait_for_workflow": "pipeline.wait_for_workflow([task_id])",
    "workflow_callback": "pipeline.wait_for_workflow([task_id], callback=print)",
    "wait_for_any": "pipeline.wait_for_any([task_id])",
    "connect": "taskpipe.Client('tcp://127.0.0.1:9', connect_timeout=300).connect()",
    "asyncio": "import asyncio; asyncio.run(taskpipe.AsyncClient(client).wait(task_id))",
}


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_every_wait(cluster, client, gate, wait):
    task_id = client.submit(**gate.task())
    until_running(client, task_id)
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(wait=WAITS[wait]), task_id],
        env={**os.environ, "TASKPIPE_BROKER": cluster.client_endpoint},
        stdout=subprocess.PIPE, text=True,
    )
    try:
        assert child.stdout.readline() == "waiting\n"
        # Nobody tells that the wait has begun; a signal before it is as good a test.
        while child.poll() is None:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(1.0)
            except subprocess.TimeoutExpired:
                continue
        output = child.stdout.read()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert child.returncode == 7, output
    assert output.endswith("interrupted\n")
    assert client.status(task_id).state == "RUNNING"
    gate.open()


def test_a_signal_handler_that_raises_nothing_lets_the_wait_go_on(client, gate):
    handled = []
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.append(gate.open()))
    try:
        task_id = client.submit(**gate.task())
        until_running(client, task_id)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert client.wait(task_id, timeout=LIMIT_S).succeeded
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled


def in_child(work):
    """Runs `work` in a forked child; what it returns as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(work()).encode())
        except BaseException as error:
            os.write(writing, f"raised {error!r}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as output:
        text = output.read().decode()
    os.waitpid(child, 0)
    return text


def test_a_forked_child_has_a_connection_of_its_own(client):
    mine = client.connect().session
    task_id = client.submit("echo", "", {"from": "parent"})
    answer = in_child(lambda: (client.connect().session,
                               client.wait(task_id, timeout=LIMIT_S).value["from"],
                               client.wait(client.submit("echo"), timeout=LIMIT_S).state))
    session, *rest = eval(answer)
    assert session != mine and rest == ["parent", "SUCCESS"]
    assert client.connect().session == mine
    assert client.wait(client.submit("echo"), timeout=LIMIT_S).succeeded


def test_a_child_forked_amid_calls_of_other_threads(client, gate):
    task_id = client.submit(**gate.task())
    until_running(client, task_id)
    waits = [threading.Thread(target=client.wait, args=(task_id,)) for _ in range(4)]
    for wait in waits:
        wait.start()
    for _ in range(5):
        assert in_child(lambda: client.wait(client.submit("echo"), timeout=LIMIT_S).state) == \
            "SUCCESS"
    gate.open()
    for wait in waits:
        wait.join(LIMIT_S)
        assert not wait.is_alive()


def test_ids_of_children_differ(client):
    client.connect()
    ids = {in_child(lambda: client.submit("echo")) for _ in range(4)} | {client.submit("echo")}
    assert len(ids) == 5


def test_iterators_stay_with_the_parent(client, gate):
    client.wait(client.submit("echo"), timeout=LIMIT_S)
    listed = client._native.list_tasks("", "", "", False)
    assert listed.next_page()
    events = client.events(client.submit(**gate.task()))
    next(events)
    assert "ClientClosed" in in_child(listed.next_page)
    assert "ClientClosed" in in_child(lambda: next(events))
    assert in_child(lambda: len(list(client.list(tool="echo"))) > 0) == "True"
    gate.open()
    assert list(events)[-1].ready


def test_multiprocessing_with_fork(client):
    import multiprocessing

    client.connect()
    square = Square(client)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]


class Square:
    """Refuses to carry the client to another process; uses the inherited one instead."""

    clients = {}

    def __init__(self, client):
        """Leaves the client where a forked child finds it."""
        self.key = id(client)
        self.clients[self.key] = client

    def __call__(self, number):
        """The square, by way of a task."""
        client = self.clients[self.key]
        task_id = client.submit("echo", "", {"n": number * number})
        return client.wait(task_id, timeout=LIMIT_S).value["n"]


def test_the_interpreter_ends_with_everything_in_use(cluster, client, gate):
    task_id = client.submit(**gate.task())
    script = (
        "import sys, threading, taskpipe\n"
        "client = taskpipe.Client()\n"
        "events = client.events(sys.argv[1]); next(events)\n"
        "threading.Thread(target=client.wait, args=(sys.argv[1],), daemon=True).start()\n"
        "ends = client.as_completed([sys.argv[1], client.submit('echo')]); next(ends)\n"
        "subscription = client.subscribe(['task.echo.'], print)\n"
        "print('bye')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, task_id], capture_output=True, text=True, timeout=LIMIT_S,
        env={**os.environ, "TASKPIPE_BROKER": cluster.client_endpoint}, check=False,
    )
    assert (done.returncode, done.stdout) == (0, "bye\n"), done.stderr
    gate.open()


def test_a_broker_that_comes_back_in_the_middle_of_a_wait(gate):
    with new_cluster(["node"]) as cluster, taskpipe.TaskPipeline(cluster.client_endpoint) as p:
        task_id = p.submit_task(**gate.task())
        until_running(p.client, task_id)
        results = []
        wait = threading.Thread(target=lambda: results.append(p.wait_for_task(task_id)))
        wait.start()
        cluster.broker.kill()
        with pytest.raises(TimeoutError):
            p.wait_for_task(task_id, timeout=0.2)
        cluster.start_broker()
        gate.open()
        wait.join(LIMIT_S)
        assert results and results[0]["status"] == "success"


def test_no_worker(monkeypatch):
    with new_cluster([]) as cluster, taskpipe.TaskPipeline(cluster.client_endpoint) as p:
        with pytest.raises(taskpipe.HealthCheckFailed, match="Health check failed: "):
            p.health_check()
        assert p.list_available_simulations() == {"status": "success", "tools": {}}
        start_worker(cluster, "late")
        assert p.health_check()["worker"] == "late"


def test_waiting_threads_leave_the_interpreter_to_others(client, gate):
    task_id = client.submit(**gate.task())
    wait = threading.Thread(target=client.wait, args=(task_id,))
    wait.start()
    counted, until = 0, time.monotonic() + 0.2
    while time.monotonic() < until:
        counted += 1
    assert counted > 1000
    gate.open()
    wait.join(LIMIT_S)
    assert not wait.is_alive()
