"""Client against a real broker and real workers."""

import threading

import pytest
import taskpipe
from conftest import LIMIT_S, UNKNOWN_ID, python, until_running
from taskpipe import Task, TaskStatus


def test_connect_tells_about_the_session(client, cluster):
    connection = client.connect()
    assert connection.broker == cluster.client_endpoint
    assert connection.session > 0
    assert connection.epoch > 0


def test_submit_and_wait(client):
    result = client.wait(
        client.submit(**python("import os; print(os.environ['SIM_WORD'])", params={"word": "hi"})),
        timeout=LIMIT_S,
    )
    assert result.succeeded
    assert (result.state, result.returncode, result.stdout) == ("SUCCESS", 0, "hi\n")
    assert result.worker in ("node-a", "node-b")
    assert result.usage.wall_s > 0
    assert result.submitted <= result.started <= result.finished
    assert result.failure is None


def test_run_submits_and_waits(client):
    result = client.run(**python("print('hi')"), timeout=LIMIT_S)
    assert (result.state, result.stdout) == ("SUCCESS", "hi\n")
    assert client.run(**python("import sys; sys.exit(3)"), timeout=LIMIT_S).returncode == 3
    with pytest.raises(taskpipe.Refused):
        client.run("no-such-tool")
    with pytest.raises(taskpipe.InvalidArgument) as caught:
        client.run("")
    assert caught.value.field == "tool"


def test_a_run_that_takes_too_long_names_its_task(client, gate):
    with pytest.raises(taskpipe.CallTimeout) as caught:
        client.run(**gate.task(), timeout=0.5)
    task_id = caught.value.maybe_accepted
    assert task_id in str(caught.value)
    assert not client.status(task_id).ready
    gate.open()
    assert client.wait(task_id, timeout=LIMIT_S).succeeded


def test_run_batch_tells_what_became_of_each(client):
    good = [Task("echo", params={"i": i}) for i in range(300)]
    ends = client.run_batch([*good, Task("no-such-tool")], timeout=LIMIT_S)
    assert all(end.succeeded for end in ends[:-1])
    assert isinstance(ends[-1], taskpipe.Refused)
    assert ends[-1].code == "UNSATISFIABLE"
    assert client.run_batch([]) == []


def test_a_failed_program(client):
    script = "import sys; print('why', file=sys.stderr); sys.exit(3)"
    result = client.wait(client.submit(**python(script)), timeout=LIMIT_S)
    assert (result.state, result.failure, result.returncode) == ("FAILURE", "exit", 3)
    assert "why" in result.stderr
    assert "3" in result.reason


def test_a_killed_program(client):
    script = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    result = client.wait(client.submit(**python(script)), timeout=LIMIT_S)
    assert (result.state, result.failure, result.returncode) == ("FAILURE", "signal", -11)


def test_run_time_limit(client, gate):
    result = client.wait(client.submit(**gate.task(run_time_s=0.3)), timeout=LIMIT_S)
    assert (result.state, result.failure) == (TaskStatus.TIMEOUT, "timeout")


def test_options_arrive(client):
    task_id = client.submit(
        "echo", "", {}, priority=-3, cpus=1, labels={"k": "v"}, memory_bytes=1 << 20
    )
    client.wait(task_id, timeout=LIMIT_S)
    info = client.status(task_id)
    assert (info.tool, info.priority, info.state) == ("echo", -3, "SUCCESS")
    assert info.ready
    assert info.attempt >= 1


def test_unsatisfiable_is_refused_unless_it_may_wait(client):
    with pytest.raises(taskpipe.Refused) as caught:
        client.submit("no-such-tool")
    assert caught.value.code == "UNSATISFIABLE"
    task_id = client.submit("no-such-tool", wait_for_capacity=True)
    assert client.status(task_id).state == "PENDING"
    assert client.cancel(task_id)


def test_repeated_submit_runs_once(client):
    task_id = client.submit("echo", "", {"a": 1})
    assert client.submit("echo", "", {"a": 1}, task_id=task_id) == task_id
    with pytest.raises(taskpipe.Refused) as caught:
        client.submit("echo", "", {"a": 2}, task_id=task_id)
    assert caught.value.code == "ID_CONFLICT"


def test_batch(client):
    ids = client.submit_batch([Task("echo", params={"i": i}) for i in range(500)])
    results = client.wait_all(ids, timeout=LIMIT_S)
    assert [result.value["i"] for result in results] == list(range(500))


def test_batch_partly_refused(client):
    tasks = [Task("echo"), Task("no-such-tool"), Task("echo")]
    with pytest.raises(taskpipe.BatchRefused) as caught:
        client.submit_batch(tasks)
    refused = caught.value
    assert list(refused.errors) == [1]
    assert refused.code == "UNSATISFIABLE"
    ends = client.wait_all([refused.task_ids[0], refused.task_ids[2]], timeout=LIMIT_S)
    assert all(end.succeeded for end in ends)


def test_workflow(client):
    receipt = client.submit_workflow(
        [Task("echo"), Task("echo", params={"fail": "no"}, after=[0]), Task("echo", after=[1])],
        on_failure="cancel_dependents",
        name="three",
    )
    end = client.wait_workflow(receipt.workflow_id, timeout=LIMIT_S)
    assert (end.total, end.succeeded) == (3, 1)
    states = [result.state for result in client.wait_all(receipt.task_ids, timeout=LIMIT_S)]
    assert states[0] == "SUCCESS"
    assert states[2] == "REVOKED"
    listed = client.list(workflow_id=receipt.workflow_id)
    assert {info.task_id for info in listed} == set(receipt.task_ids)


def test_a_cycle_is_refused(client):
    with pytest.raises(taskpipe.InvalidArgument) as caught:
        client.submit_workflow([Task("echo", after=[1]), Task("echo", after=[0])])
    assert caught.value.code == "CYCLE"


def test_cancel_workflow(client, gate):
    first = Task(**gate.task())
    receipt = client.submit_workflow([first, Task("echo", after=[0])])
    until_running(client, receipt.task_ids[0])
    assert client.cancel_workflow(receipt.workflow_id) == 2
    states = [result.state for result in client.wait_all(receipt.task_ids, timeout=LIMIT_S)]
    assert states == ["REVOKED", "REVOKED"]


def test_wait_any_and_as_completed(client, gate):
    slow = client.submit(**gate.task())
    fast = client.submit("echo")
    assert client.wait_any([slow, fast], timeout=LIMIT_S).task_id == fast
    ends = client.as_completed([slow, fast, fast], timeout=LIMIT_S)
    assert next(ends).task_id == fast
    gate.open()
    assert next(ends).task_id == slow
    assert list(ends) == []


def test_timeouts_end_the_wait_and_not_the_task(client, gate):
    task_id = client.submit(**gate.task())
    until_running(client, task_id)
    for wait in (
        lambda: client.wait(task_id, timeout=0.05),
        lambda: client.wait_all([task_id], timeout=0.05),
        lambda: client.wait_any([task_id], timeout=0.05),
        lambda: list(client.as_completed([task_id], timeout=0.05)),
        lambda: list(client.events(task_id, timeout=0.05)),
        lambda: client.monitor([task_id], lambda _: None, timeout=0.05),
        lambda: list(client.follow_log(task_id, offset=1 << 20, timeout=0.05)),
    ):
        with pytest.raises(TimeoutError):
            wait()
    assert client.status(task_id).state == "RUNNING"
    gate.open()
    assert client.wait(task_id, timeout=LIMIT_S).succeeded


def test_events_end_with_the_task(client, gate):
    task_id = client.submit(**gate.task())
    seen = []
    for event in client.events([task_id], timeout=LIMIT_S):
        seen.append(event)
        if event.progress == 25:
            assert event.message == "a quarter"
            gate.open()
    assert seen[-1].state == "SUCCESS"
    assert [event.ready for event in seen].count(True) == 1
    assert seen[-1].tool == "python"


def test_a_dropped_iterator_ends_its_call(client, gate):
    task_id = client.submit(**gate.task())
    events = client.events(task_id)
    next(events)
    thread = events._thread
    del events
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    gate.open()


def test_what_a_callback_raises_reaches_the_caller(client):
    def complain(_):
        raise ZeroDivisionError("in the callback")

    with pytest.raises(ZeroDivisionError, match="in the callback"):
        client.monitor([client.submit("echo")], complain, timeout=LIMIT_S)


def test_subscription(client):
    client.wait(client.submit("echo"), timeout=LIMIT_S)
    ended = threading.Event()
    subscription = client.subscribe(
        ["task.echo."],
        lambda batch: ended.set() if any(event.ready for event in batch.tasks) else None,
    )
    # The stream does not tell when a subscription has taken hold.
    for _ in range(200):
        client.wait(client.submit("echo"), timeout=LIMIT_S)
        if ended.wait(0.05):
            break
    assert ended.is_set()
    subscription.close()
    subscription.close()
    with pytest.raises(taskpipe.InvalidArgument) as caught:
        client.subscribe(["task.echo"], print)
    assert caught.value.field == "topics"


def test_unknown_ids(client):
    for call in (
        lambda: client.wait(UNKNOWN_ID, timeout=LIMIT_S),
        lambda: client.status(UNKNOWN_ID),
        lambda: client.cancel(UNKNOWN_ID),
        lambda: client.wait_any([UNKNOWN_ID], timeout=LIMIT_S),
        lambda: list(client.as_completed([UNKNOWN_ID], timeout=LIMIT_S)),
        lambda: list(client.events(UNKNOWN_ID, timeout=LIMIT_S)),
        lambda: client.log(UNKNOWN_ID),
        lambda: client.wait_workflow(UNKNOWN_ID, timeout=LIMIT_S),
    ):
        with pytest.raises(taskpipe.UnknownTask) as caught:
            call()
        assert isinstance(caught.value, LookupError)


def test_list(client):
    ids = client.submit_batch([Task("echo", params={"n": n}) for n in range(3)])
    client.wait_all(ids, timeout=LIMIT_S)
    listed = [info.task_id for info in client.list(tool="echo", state="SUCCESS")]
    assert set(ids) <= set(listed)
    assert len(listed) == len(set(listed))


def test_logs(client, gate):
    task_id = client.submit(**gate.task())
    pieces = []
    for chunk in client.follow_log(task_id, timeout=LIMIT_S):
        pieces.append(chunk.data)
        if b"begun" in b"".join(pieces):
            gate.open()
    whole = b"".join(pieces)
    assert whole.startswith(b"begun\n") and whole.endswith(b"went on\n")
    assert client.log(task_id) == whole
    assert client.log(task_id, offset=2) == whole[2:]
    assert client.log(task_id, "stderr") == b""


def test_the_service(client):
    assert client.health().healthy
    workers = {worker.name: worker for worker in client.workers()}
    assert workers["node-a"].total.cpus == 2
    tools = {tool.name: tool for tool in client.tools()}
    assert tools["echo"].workers == 2
    assert tools["python"].inline_scripts


def test_a_closed_client(client):
    client.close()
    for call in (client.connect, client.health, lambda: client.submit("echo")):
        with pytest.raises(taskpipe.ClientClosed):
            call()


def test_ten_thousand_at_once(client):
    ids = client.submit_batch([Task("noop")] * 10_000, timeout=LIMIT_S)
    assert len(set(ids)) == 10_000
    assert sum(result.succeeded for result in client.wait_all(ids, timeout=LIMIT_S)) == 10_000
