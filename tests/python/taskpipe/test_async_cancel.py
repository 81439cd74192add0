"""Submits of AsyncClient that are cancelled: they end at once, and what they submitted is told."""

import asyncio
import re
import signal
import time

import pytest
from conftest import LIMIT_S, new_cluster
from taskpipe import AsyncClient, CallTimeout, Task, _loop_calls

AT_ONCE_S = 5.0  # far less than a request may take, far more than nothing


@pytest.fixture
def halted():
    """A client whose broker is there, but does not answer before it is told to go on."""
    with new_cluster(workers=("node-a",)) as cluster:
        pid = cluster.broker.child

        async def connected():
            client = AsyncClient(cluster.client_endpoint, max_unacknowledged=1)
            await client.health()
            pid.send_signal(signal.SIGSTOP)
            return client, lambda: pid.send_signal(signal.SIGCONT)

        yield connected
        pid.send_signal(signal.SIGCONT)


def run(coroutine):
    """Runs it to its end, within a bound."""
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


async def cancelled_at_once(task):
    """Cancels it; it ends, and the loop has gone on meanwhile."""
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begun < AT_ONCE_S


async def begun(coroutine):
    """As a task that has had its turns."""
    task = asyncio.create_task(coroutine)
    started = time.monotonic()
    await asyncio.sleep(0.05)
    assert time.monotonic() - started < AT_ONCE_S
    assert not task.done()
    return task


def ids_told(caplog):
    """The ids in the log."""
    return re.findall(r"[0-9a-f]{32}", caplog.text)


async def until_told(caplog, count):
    """Until so many ids are in the log."""
    while len(ids_told(caplog)) < count:
        await asyncio.sleep(0.02)
    return ids_told(caplog)


def test_a_submit_that_was_sent(halted, caplog):
    async def go():
        client, go_on = await halted()
        async with client:
            await cancelled_at_once(await begun(client.submit("echo", "", {"a": 1})))
            assert "may have been accepted" in caplog.text
            (task_id,) = ids_told(caplog)
            go_on()
            # It was on its way. Submitting again under the same id runs nothing twice.
            assert await client.submit("echo", "", {"a": 1}, task_id=task_id) == task_id
            assert (await client.wait(task_id, timeout=LIMIT_S)).value == {"a": 1}

    run(go())


def test_a_submit_that_waits_for_an_earlier_one_blocks_no_loop(halted, caplog):
    async def go():
        client, go_on = await halted()
        async with client:
            first = await begun(client.submit("echo", "", {"n": 1}))
            second = await begun(client.submit("echo", "", {"n": 2}))
            third = await begun(client.submit("echo", "", {"n": 3}))
            with pytest.raises(CallTimeout, match="waiting for earlier submits"):
                await client.submit("echo", timeout=0.05)
            await cancelled_at_once(second)
            go_on()
            ids = [await first, await third]
            values = [(await client.wait(task_id, timeout=LIMIT_S)).value for task_id in ids]
            assert values == [{"n": 1}, {"n": 3}]
            listed = [info.task_id async for info in client.list(tool="echo")]
            assert set(listed) == set(ids)  # the second one was never sent
            assert caplog.text == ""

    run(go())


def test_a_batch_and_a_workflow(halted, caplog):
    async def go():
        client, go_on = await halted()
        async with client:
            await cancelled_at_once(await begun(client.submit_batch([Task("echo")] * 3)))
            workflow = client.submit_workflow([Task("echo"), Task("echo", after=[0])])
            await cancelled_at_once(await begun(workflow))
            assert ids_told(caplog) == []  # nobody knows yet
            go_on()
            told = await until_told(caplog, 4)  # the first and the last of each
            listed = {info.task_id async for info in client.list(tool="echo")}
            assert len(listed) == 5
            assert set(told) <= listed

    run(go())


def test_a_batch_that_nobody_acknowledges(halted, caplog):
    async def go():
        client, go_on = await halted()
        async with client:
            batch = client.submit_batch([Task("echo")] * 3, timeout=2 * AT_ONCE_S / 5)
            await cancelled_at_once(await begun(batch))
            first, last = await until_told(caplog, 2)
            assert f"; may have been accepted: task {first} to {last}\n" in caplog.text
            go_on()
            listed = {info.task_id async for info in client.list(tool="echo")}
            assert len(listed) == 3
            assert {first, last} == {min(listed), max(listed)}

    run(go())


def test_a_batch_that_was_refused_in_part(halted, caplog):
    async def go():
        client, go_on = await halted()
        async with client:
            batch = client.submit_batch([Task(tool) for tool in ("echo", "nowhere", "echo", "echo")])
            await cancelled_at_once(await begun(batch))
            go_on()
            one, two, three = await until_told(caplog, 3)
            assert f"; accepted: task {one}, {two} to {three}\n" in caplog.text
            assert {info.task_id async for info in client.list(tool="echo")} == {one, two, three}

    run(go())


def test_what_was_refused_is_not_told(halted, caplog, monkeypatch):
    async def go():
        told = asyncio.Event()
        tell = _loop_calls._tell_what_was_accepted

        def tell_it(call):
            tell(call)
            told.set()

        monkeypatch.setattr(_loop_calls, "_tell_what_was_accepted", tell_it)
        client, go_on = await halted()
        async with client:
            await cancelled_at_once(await begun(client.submit_batch([Task("nobody-has-it")])))
            go_on()
            await told.wait()
            assert caplog.text == ""

    run(go())
