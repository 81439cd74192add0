"""Policies of retries, past attempts and dead letters, against a real broker and real workers."""

import asyncio
import math
import pickle

import pytest
import taskpipe
from conftest import LIMIT_S, UNKNOWN_ID, echo, python
from taskpipe import AsyncClient, Client, PastAttempt, Retry, Task, TaskPipeline, _types

FLAKY = "import os, sys; sys.exit(7 if int(os.environ['TASKPIPE_ATTEMPT']) < {enough} else 0)"
ILL = "import os, sys; sys.exit(0 if os.path.exists(os.environ['SIM_CURE']) else 4)"
ONCE_MORE = Retry(max_attempts=2, backoff_s=0)


def flaky(enough, **options):
    """Arguments of a submit whose task succeeds at that attempt."""
    return python(FLAKY.format(enough=enough), **options)


@pytest.fixture
def ill(tmp_path):
    """Arguments of a submit whose task fails until the file is there, and the file."""
    cure = tmp_path / "cure"
    return python(ILL, params={"cure": str(cure)}), cure


def test_a_failed_attempt_is_followed_by_another(client):
    policy = Retry(max_attempts=3, on=("exit",), backoff_s=0.1, max_backoff_s=0.5)
    task_id = client.submit(**flaky(3, retry=policy))
    result = client.wait(task_id, timeout=LIMIT_S)
    assert (result.state, result.attempt) == ("SUCCESS", 3)
    info = client.inspect(task_id)
    assert [(past.attempt, past.became) for past in info.attempts] == [
        (1, "retried"), (2, "retried"),
    ]
    for past in info.attempts:
        assert isinstance(past, PastAttempt)
        assert (past.state, past.failure, past.returncode) == ("FAILURE", "exit", 7)
        assert past.reason == "exited with code 7"
        assert past.worker in ("node-a", "node-b")
        assert past.started <= past.ended
        assert past.usage.wall_s > 0
    # The second half of a wait is scattered.
    assert info.started - info.attempts[1].ended >= 0.099
    assert pickle.loads(pickle.dumps(info)) == info
    assert client.status(task_id).attempts == ()


def test_the_output_is_followed_through_all_attempts(client):
    says = "print('attempt', os.environ['TASKPIPE_ATTEMPT'], '*' * (500 // int(os.environ['TASKPIPE_ATTEMPT'])));"
    task_id = client.submit(**python("import os;" + says + FLAKY.format(enough=3),
                                     retry=Retry(3, backoff_s=0.1)))
    said = {}
    for chunk in client.follow_log(task_id, timeout=LIMIT_S):
        assert chunk.offset == len(said.setdefault(chunk.attempt, b""))
        said[chunk.attempt] += chunk.data
    assert said == {n: b"attempt %d %s\n" % (n, b"*" * (500 // n)) for n in said}
    assert max(said) == 3
    assert client.log(task_id) == said[3]


def test_other_failures_are_final(client):
    task_id = client.submit(**flaky(2, retry=Retry(5, on=("timeout", "signal"))))
    assert client.wait(task_id, timeout=LIMIT_S).attempt == 1
    info = client.inspect(task_id)
    assert (info.state, info.attempts) == ("FAILURE", ())


def test_every_class_can_be_named(client):
    for name in _types.RETRYABLE_FAILURES:
        client.cancel(client.submit("echo", retry=Retry(2, on=[name])))


def test_a_silent_attempt_is_stopped(client, gate):
    result = client.wait(client.submit(**gate.task(no_progress_s=0.3)), timeout=LIMIT_S)
    assert (result.state, result.failure) == ("timeout", "timeout")
    assert result.reason == "made no progress for 300 ms (no_progress)"


def test_a_task_that_nobody_takes_ends(client):
    task_id = client.submit("no-such-tool", wait_for_capacity=True, queue_time_s=0.2)
    result = client.wait(task_id, timeout=LIMIT_S)
    assert (result.state, result.failure, result.attempt) == ("timeout", "timeout", 0)
    assert task_id in [letter.task_id for letter in client.dead_letters(state="timeout")]


def test_dead_letters_are_submitted_again(client, ill):
    arguments, cure = ill
    task_id = client.submit(**arguments, retry=ONCE_MORE)
    assert client.wait(task_id, timeout=LIMIT_S).attempt == 2
    assert task_id in [letter.task_id for letter in client.dead_letters(tool="python")]
    assert task_id not in [letter.task_id for letter in client.dead_letters(state="error")]
    cure.touch()
    (again,) = client.resubmit([task_id])
    assert client.wait(again, timeout=LIMIT_S).succeeded
    assert client.params(again) == client.params(task_id)
    assert client.status(again).original == task_id
    assert client.status(task_id).original is None
    assert task_id not in [letter.task_id for letter in client.dead_letters()]


def test_resubmit_refuses_each_for_itself(client, ill):
    arguments, cure = ill
    dead = client.submit(**arguments)
    good = client.submit(**echo())
    client.wait_all([dead, good], timeout=LIMIT_S)
    with pytest.raises(taskpipe.InvalidArgument, match="has succeeded"):
        client.resubmit(good)
    with pytest.raises(taskpipe.UnknownTask):
        client.resubmit([UNKNOWN_ID])
    cure.touch()
    with pytest.raises(taskpipe.BatchRefused) as caught:
        client.resubmit([good, dead, UNKNOWN_ID])
    refused = caught.value
    assert {index: error.code for index, error in refused.errors.items()} == {
        0: "INVALID", 2: "UNKNOWN_TASK",
    }
    assert client.wait(refused.accepted[0], timeout=LIMIT_S).succeeded
    with pytest.raises(taskpipe.UnknownTask):
        client.inspect(UNKNOWN_ID)


def test_with_asyncio(cluster, ill):
    arguments, cure = ill

    async def run():
        async with AsyncClient(cluster.client_endpoint) as client:
            task_id = await client.submit(**arguments, retry=ONCE_MORE)
            await client.wait(task_id, timeout=LIMIT_S)
            assert task_id in [letter.task_id async for letter in client.dead_letters()]
            assert len((await client.inspect(task_id)).attempts) == 1
            cure.touch()
            (again,) = await client.resubmit(task_id)
            return await client.wait(again, timeout=LIMIT_S)

    assert asyncio.run(run()).succeeded


def test_the_pipeline_takes_a_policy(pipeline):
    task_id = pipeline.submit_task(**flaky(2, retry=ONCE_MORE))
    assert pipeline.wait_for_task(task_id, timeout=LIMIT_S)["status"] == "success"


def test_a_workflow_waits_for_the_last_attempt(client):
    receipt = client.submit_workflow(
        [Task(**flaky(2, retry=ONCE_MORE)), Task("echo", after=[0])],
        on_failure="cancel_dependents",
    )
    assert client.wait_workflow(receipt.workflow_id, timeout=LIMIT_S).succeeded == 2


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"retry": 3}, "retry"),
        ({"retry": Retry(0)}, "retry.max_attempts"),
        ({"retry": Retry(101)}, "retry.max_attempts"),
        ({"retry": Retry(True)}, "retry.max_attempts"),
        ({"retry": Retry(2, on="exit")}, "retry.on"),
        ({"retry": Retry(2, on=("exit", "worker_lost"))}, "retry.on[1]"),
        ({"retry": Retry(2, on=(1,))}, "retry.on[0]"),
        ({"retry": Retry(2, backoff_s=-1)}, "retry.backoff_s"),
        ({"retry": Retry(2, backoff_s=61)}, "retry.backoff_s"),
        ({"retry": Retry(2, max_backoff_s=86_401)}, "retry.max_backoff_s"),
        ({"retry": Retry(2, max_backoff_s=math.nan)}, "retry.max_backoff_s"),
        ({"retry": Retry(2, max_worker_losses=101)}, "retry.max_worker_losses"),
        ({"queue_time_s": 0}, "queue_time_s"),
        ({"queue_time_s": 366 * 86_400}, "queue_time_s"),
        ({"no_progress_s": "1"}, "no_progress_s"),
    ],
)
def test_bad_policies_are_named_before_any_connection(nowhere, options, field):
    with Client(nowhere, connect_timeout=0.05) as client:
        for call, prefix in (
            (lambda: client.submit("t", **options), ""),
            (lambda: client.submit_batch([Task("t"), Task("t", **options)]), "tasks[1]."),
        ):
            with pytest.raises(taskpipe.InvalidArgument) as caught:
                call()
            assert caught.value.field == prefix + field
            assert prefix + field in str(caught.value)


def test_other_bad_arguments(nowhere):
    with TaskPipeline(nowhere, connect_timeout=0.05) as pipeline:
        client = pipeline.client
        for call, field in (
            (lambda: client.dead_letters(state="SUCCESS"), "state"),
            (lambda: client.inspect("no id"), "task_id"),
            (lambda: client.resubmit("no id"), "task_id"),
            (lambda: client.resubmit([UNKNOWN_ID, "no id"]), "task_ids[1]"),
        ):
            with pytest.raises(taskpipe.InvalidArgument) as caught:
                call()
            assert caught.value.field == field
    with pytest.raises(TypeError):
        Retry()
