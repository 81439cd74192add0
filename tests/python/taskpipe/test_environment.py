"""What is read from the environment, as ``client_options_from_environment`` of the C++ library does."""

import asyncio
import subprocess

import pytest
import taskpipe
from conftest import BIN_DIR

ELSEWHERE = "tcp://127.0.0.1:9"


@pytest.fixture(autouse=True)
def environment(cluster, monkeypatch):
    """Names this cluster; a test adds to it."""
    monkeypatch.setenv("TASKPIPE_BROKER", cluster.client_endpoint)
    for name in ("TASKPIPE_EVENTS", "TASKPIPE_USER"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_where_events_come_from(cluster, environment):
    with taskpipe.Client() as client:
        assert client.connect().events == cluster.event_endpoint
    environment.setenv("TASKPIPE_EVENTS", ELSEWHERE)
    with taskpipe.Client() as client:
        assert client.connect().events == ELSEWHERE
    with taskpipe.TaskPipeline() as pipeline:
        assert pipeline.client.connect().events == ELSEWHERE
    # The variable belongs to the environment's broker, not to one that is given.
    with taskpipe.Client(cluster.client_endpoint) as client:
        assert client.connect().events == cluster.event_endpoint
    with taskpipe.TaskPipeline(cluster.client_endpoint, events=ELSEWHERE) as pipeline:
        assert pipeline.client.connect().events == ELSEWHERE
    with taskpipe.Client(events="tcp://127.0.0.1:10") as client:
        assert client.connect().events == "tcp://127.0.0.1:10"
    with taskpipe.TaskPipeline(events="") as pipeline:
        assert pipeline.client.connect().events == cluster.event_endpoint
    environment.setenv("TASKPIPE_EVENTS", "")
    with taskpipe.Client() as client:
        assert client.connect().events == cluster.event_endpoint


def test_whose_tasks(environment):
    environment.setenv("TASKPIPE_USER", "somebody")
    with taskpipe.TaskPipeline() as pipeline, taskpipe.Client(user="another") as another:
        task_id = pipeline.submit_task("echo", "")
        assert pipeline.client.status(task_id).owner == "somebody"
        with pytest.raises(taskpipe.UnknownTask):
            another.status(task_id)

        async def owner():
            async with taskpipe.AsyncClient() as client:
                return (await client.status(task_id)).owner

        assert asyncio.run(owner()) == "somebody"


def test_a_bad_address_is_named(environment):
    environment.setenv("TASKPIPE_EVENTS", "ftp://x")
    with pytest.raises(taskpipe.InvalidArgument) as caught, taskpipe.Client() as client:
        client.connect()
    assert caught.value.field == "events"


def test_the_join_file(cluster, environment, tmp_path):
    """Its keys are shown, and this broker has none."""
    keys = tmp_path / "keys"
    subprocess.run([BIN_DIR / "taskpipe-broker", "init", keys], check=True, capture_output=True)
    join = str(keys / "join" / "client.join")
    environment.setenv("TASKPIPE_JOIN", join)
    with taskpipe.Client() as client, pytest.raises(taskpipe.TaskpipeError, match="has none|it has none"):
        client.connect()
    with taskpipe.Client(join="") as client:
        assert client.connect().role is None
    environment.delenv("TASKPIPE_JOIN")
    with (
        taskpipe.Client(cluster.client_endpoint, join=join) as client,
        pytest.raises(taskpipe.TaskpipeError, match="has none|it has none"),
    ):
        client.connect()
    (keys / "join" / "client.join").chmod(0o644)
    with taskpipe.Client(join=join) as client, pytest.raises(taskpipe.TaskpipeError, match="chmod 600"):
        client.connect()
