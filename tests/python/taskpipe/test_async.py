"""AsyncClient against a real broker and real workers."""

import asyncio

import pytest
import taskpipe
from conftest import LIMIT_S, UNKNOWN_ID, until_running
from taskpipe import AsyncClient, Task


def run(coroutine):
    """Runs it to its end, within a bound."""
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


def test_submit_and_wait(cluster):
    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            task_id = await client.submit("echo", "", {"a": 1})
            result = await client.wait(task_id)
            assert result.value == {"a": 1}
            assert (await client.status(task_id)).ready

    run(go())


def test_a_thousand_at_once_need_no_threads(cluster):
    import threading

    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            await client.wait(await client.submit("echo"))
            before = threading.active_count()
            ids = await asyncio.gather(*(client.submit("noop") for _ in range(1000)))
            results = await asyncio.gather(*(client.wait(task_id) for task_id in ids))
            assert threading.active_count() == before
            assert [result.task_id for result in results] == ids

    run(go())


def test_run_returns_the_result_and_names_a_task_that_goes_on(cluster, gate):
    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            assert (await client.run("echo", "", {"a": 1})).value == {"a": 1}
            with pytest.raises(taskpipe.Refused):
                await client.run("no-such-tool")
            with pytest.raises(taskpipe.CallTimeout, match="within 1 s") as caught:
                await client.run(**gate.task(), timeout=1)
            task_id = caught.value.maybe_accepted
            assert task_id in str(caught.value)
            gate.open()
            assert (await client.wait(task_id)).succeeded

    run(go())


def test_a_run_that_is_cancelled_tells_what_was_accepted(cluster, caplog, monkeypatch):
    async def go():
        waits = asyncio.Event()
        waited_for = []

        async def wait_for_ever(task_id, **_):
            waited_for.append(task_id)
            waits.set()
            await asyncio.Event().wait()

        async with AsyncClient(cluster.client_endpoint) as client:
            monkeypatch.setattr(client, "wait", wait_for_ever)
            cancelled = asyncio.create_task(client.run("noop"))
            await waits.wait()
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        assert f"; accepted: task {waited_for[0]}" in caplog.text

    run(go())


def test_the_loop_goes_on_while_a_task_runs(cluster, gate):
    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            waiting = asyncio.create_task(client.wait(await client.submit(**gate.task())))
            await client.wait(await client.submit("echo"))
            assert not waiting.done()
            gate.open()
            assert (await waiting).succeeded

    run(go())


def test_giving_up_a_wait_leaves_the_task(cluster, client, gate):
    async def go():
        async with AsyncClient(client) as shared:
            task_id = await shared.submit(**gate.task())
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(shared.wait(task_id), 0.05)
            with pytest.raises(taskpipe.CallTimeout):
                await shared.wait(task_id, timeout=0.05)
            with pytest.raises(taskpipe.CallTimeout):
                await shared.wait_any([task_id], timeout=0.05)
            return task_id

    task_id = run(go())
    until_running(client, task_id)  # the shared connection is still open
    gate.open()
    assert client.wait(task_id, timeout=LIMIT_S).succeeded


def test_many_forms(cluster):
    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            ids = await client.submit_batch([Task("echo", params={"i": i}) for i in range(20)])
            assert [r.value["i"] for r in await client.wait_all(ids)] == list(range(20))
            assert {r.task_id async for r in client.as_completed(ids)} == set(ids)
            assert (await client.wait_any(ids)).task_id in ids
            receipt = await client.submit_workflow([Task("echo"), Task("echo", after=[0])])
            assert all(r.succeeded for r in await client.wait_all(receipt.task_ids))
            assert set(ids) <= {info.task_id async for info in client.list(tool="echo")}
            assert (await client.health()).healthy
            assert any(tool.name == "echo" for tool in await client.tools())
            assert len(await client.workers()) == 2
            assert await client.cancel(ids[0]) is False
            assert len(await client.statuses(ids)) == 20

    run(go())


class Prompt:
    """Stands in for the extension's client: every end is there before its call returns."""

    def __init__(self, records):
        """Takes the records of the ends by id."""
        self._records = records

    def wait_async(self, task_id, done):
        done(self._records[task_id], None)
        return 0

    def forget(self, call):
        pass


def test_results_that_came_in_time_count_however_late_they_are_taken(client, monkeypatch):
    ids = client.submit_batch([Task("echo")] * 3)
    records = client._native.wait_all(ids)

    async def go():
        results = AsyncClient(client).as_completed(ids, timeout=0)  # which has passed at once
        assert [result.task_id async for result in results] == ids

    with monkeypatch.context() as patched:
        patched.setattr(client, "_native", Prompt(dict(zip(ids, records, strict=True))))
        run(go())


def test_events(cluster, gate):
    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            task_id = await client.submit(**gate.task())
            seen = []
            async for event in client.events(task_id):
                seen.append(event.state)
                if event.progress == 25:
                    gate.open()
            assert seen[-1] == "SUCCESS"
            assert b"went on" in await client.log(task_id)

    run(go())


def test_errors_arrive(cluster):
    async def go():
        async with AsyncClient(cluster.client_endpoint) as client:
            with pytest.raises(taskpipe.UnknownTask):
                await client.wait(UNKNOWN_ID)
            with pytest.raises(taskpipe.UnknownTask):
                await client.wait_all([UNKNOWN_ID])
            with pytest.raises(taskpipe.UnknownTask):
                async for _ in client.events(UNKNOWN_ID):
                    pass
            with pytest.raises(taskpipe.Refused):
                await client.submit("no-such-tool")
            with pytest.raises(taskpipe.InvalidArgument):
                await client.submit("echo", "", {"x": {1}})

    run(go())
