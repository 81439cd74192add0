"""The client for asyncio."""

from __future__ import annotations

import asyncio
import builtins
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from taskpipe import _arguments, _feed, _records
from taskpipe._client import Client
from taskpipe._cluster import Health, Tool, Worker
from taskpipe._deadline import Deadline
from taskpipe._errors import CallTimeout, ClientClosed, invalid, not_ended
from taskpipe._following import MOST_AHEAD
from taskpipe._loop_calls import (
    Ended,
    in_executor,
    next_end,
    settle,
    submit,
    submit_in_executor,
    tell,
    waker,
)
from taskpipe._types import (
    Artifact,
    StreamChanges,
    Task,
    TaskEvent,
    TaskInfo,
    TaskResult,
    WorkflowReceipt,
)


class AsyncClient:
    """``Client`` with coroutines.

    Submits and waits are callbacks of the client's one thread that wake the event loop: ten
    thousand waits cost no thread and no polling. Questions (status, tools, …) run in the loop's
    default executor, each for at most ``request_timeout``. An object may be used from several
    loops.

    A coroutine that is cancelled ends at once, and never ends a task. A cancelled submit may have
    been accepted, or still be: its ids are logged to the logger ``taskpipe``. Who must know them
    draws them first, ``task_id=uuid.uuid4().hex``: submitting again under the same id runs nothing
    twice.

    Example:
        >>> async with AsyncClient() as client:
        ...     task_id = await client.submit("fenicsx", "poisson.py", {"mesh_size": 64})
        ...     result = await client.wait(task_id)
    """

    def __init__(self, broker: str | Client | None = None, **options: Any) -> None:
        """Makes a client; connects to nothing.

        Args:
            broker: The broker's address, or a ``Client`` whose connection to share; None as of
                ``Client``.
            **options: As of ``Client``, with an address only.

        Raises:
            InvalidArgument: An argument has the wrong type or range.
        """
        if isinstance(broker, Client) and options:
            raise invalid("options", "belong to the Client that is passed")
        self._owns_client = not isinstance(broker, Client)
        self._client = broker if isinstance(broker, Client) else Client(broker, **options)

    def __reduce__(self) -> NoReturn:
        """Refuses: a connection cannot be pickled."""
        raise TypeError("an AsyncClient holds a connection and cannot be pickled")

    async def __aenter__(self) -> AsyncClient:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes it."""
        await self.close()

    async def close(self) -> None:
        """Closes the connection, unless it is a shared one."""
        if self._owns_client:
            await in_executor(self._client.close)

    async def submit(
        self,
        tool: str,
        script: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> str:
        """As ``Client.submit``."""
        if options.get("inputs"):  # files to be hashed and sent: not in the event loop
            call = functools.partial(
                self._client.submit, tool, script, params, timeout=timeout, **options
            )
            return await submit_in_executor(call)
        request = _arguments.single_request(tool, script, params, options)
        return await submit(self._client._native, request, _arguments.timeout_ms(timeout))

    async def submit_batch(
        self, tasks: Iterable[Task], *, timeout: float | None = None
    ) -> list[str]:
        """As ``Client.submit_batch``."""
        call = functools.partial(self._client.submit_batch, list(tasks), timeout=timeout)
        return await submit_in_executor(call)

    async def submit_workflow(self, tasks: Iterable[Task], **options: Any) -> WorkflowReceipt:
        """As ``Client.submit_workflow``."""
        call = functools.partial(self._client.submit_workflow, list(tasks), **options)
        return await submit_in_executor(call)

    async def resubmit(
        self, task_ids: str | Iterable[str], *, timeout: float | None = None
    ) -> list[str]:
        """As ``Client.resubmit``."""
        ids = _arguments.one_or_more_ids(task_ids)
        call = functools.partial(self._client.resubmit, ids, timeout=timeout)
        return await submit_in_executor(call)

    async def run(
        self,
        tool: str,
        script: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> TaskResult:
        """As ``Client.run``, by a submit and a wait. Many at once: ``asyncio.gather``.

        The id of a task that was accepted by a call which is cancelled is logged, too.
        """
        deadline = Deadline(timeout, "the task did not end within {} s")
        task_id = await self.submit(tool, script, params, timeout=timeout, **options)
        try:
            return await self.wait(task_id, timeout=deadline.left())
        except asyncio.CancelledError:
            tell([task_id], "accepted")
            raise
        except CallTimeout:
            late = CallTimeout(f"{deadline.error()}; task {task_id} was accepted and goes on")
            late.maybe_accepted = task_id
        raise late

    async def wait(self, task_id: str, *, timeout: float | None = None) -> TaskResult:
        """As ``Client.wait``."""
        ids = [_arguments.id_text(task_id)]
        return (await self._ends(ids, _arguments.timeout_ms(timeout)))[0]

    async def wait_all(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> list[TaskResult]:
        """As ``Client.wait_all``."""
        ids = _arguments.task_ids(task_ids)
        return await self._ends(ids, _arguments.timeout_ms(timeout))

    async def wait_any(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> TaskResult:
        """As ``Client.wait_any``."""
        ids = _arguments.some_ids(task_ids)
        results = self.as_completed(ids, timeout=timeout)
        try:
            return await results.__anext__()
        finally:
            await results.aclose()  # type: ignore[attr-defined]

    async def as_completed(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> AsyncIterator[TaskResult]:
        """As ``Client.as_completed``, for ``async for``."""
        ids = _arguments.distinct_ids(task_ids)
        limit_ms = _arguments.timeout_ms(timeout)
        loop = asyncio.get_running_loop()
        deadline = None if limit_ms is None else loop.time() + limit_ms / 1000
        ended: asyncio.Queue[Ended] = asyncio.Queue()
        native = self._client._native
        calls: list[int] = []
        try:
            for task_id in ids:
                calls.append(native.wait_async(task_id, waker(loop, ended.put_nowait)))
            for left in range(len(ids), 0, -1):
                limit_s = None if deadline is None else max(0.0, deadline - loop.time())
                try:
                    record, error = await next_end(ended, limit_s)
                except asyncio.TimeoutError:
                    raise not_ended(left, timeout) from None
                yield _records.ended_task(record, error)
        finally:
            for call in calls:
                native.forget(call)

    async def events(
        self, task_ids: str | Iterable[str], *, timeout: float | None = None
    ) -> AsyncIterator[TaskEvent]:
        """As ``Client.events``, for ``async for``."""
        ids = _arguments.one_or_more_ids(task_ids)
        limit_ms = _arguments.timeout_ms(timeout)
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[TaskEvent | BaseException | None] = asyncio.Queue()
        wake = waker(loop, arrived.put_nowait)
        native = self._client._native

        def run(_: Callable[[TaskEvent], None], stop: Any) -> None:
            end: BaseException | None = None
            try:
                native.monitor(ids, lambda record: wake(TaskEvent(**record)), limit_ms, stop)
            except BaseException as error:
                end = error
            wake(end)

        feed: _feed.Feed[TaskEvent] = _feed.Feed(run)
        try:
            while (item := await arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            await in_executor(feed.close)

    async def follow(self, stream: str = "", **options: Any) -> AsyncIterator[StreamChanges]:
        """As ``Client.follow``, for ``async for``."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[StreamChanges | BaseException | None] = asyncio.Queue()
        wake = waker(loop, arrived.put_nowait)
        # What waits here is bounded: the rest waits at the broker.
        room = threading.Semaphore(MOST_AHEAD)
        closed = threading.Event()
        call = self._client._follow_call(stream, **options)

        def pass_on(changes: StreamChanges) -> None:
            room.acquire()
            if closed.is_set():
                room.release()
                raise ClientClosed("the iterator was closed")
            wake(changes)

        def run(_: Callable[[StreamChanges], None], stop: Any) -> None:
            end: BaseException | None = None
            try:
                call(pass_on, stop)
            except BaseException as error:
                end = error
            wake(end)

        feed: _feed.Feed[StreamChanges] = _feed.Feed(run)
        try:
            while (item := await arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                room.release()
                yield item
        finally:
            closed.set()
            room.release()
            await in_executor(feed.close)

    async def status(self, task_id: str, *, timeout: float | None = None) -> TaskInfo:
        """As ``Client.status``."""
        return await in_executor(self._client.status, task_id, timeout=timeout)

    async def statuses(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> list[TaskInfo]:
        """As ``Client.statuses``."""
        return await in_executor(self._client.statuses, list(task_ids), timeout=timeout)

    async def inspect(self, task_id: str, *, timeout: float | None = None) -> TaskInfo:
        """As ``Client.inspect``."""
        return await in_executor(self._client.inspect, task_id, timeout=timeout)

    async def params(self, task_id: str, *, timeout: float | None = None) -> dict[str, Any]:
        """As ``Client.params``."""
        return await in_executor(self._client.params, task_id, timeout=timeout)

    async def cancel(self, task_id: str, **options: Any) -> bool:
        """As ``Client.cancel``."""
        return await in_executor(self._client.cancel, task_id, **options)

    async def cancel_workflow(self, workflow_id: str, **options: Any) -> int:
        """As ``Client.cancel_workflow``."""
        return await in_executor(self._client.cancel_workflow, workflow_id, **options)

    async def tools(self, *, timeout: float | None = None) -> tuple[Tool, ...]:
        """As ``Client.tools``."""
        return await in_executor(self._client.tools, timeout=timeout)

    async def workers(self, *, timeout: float | None = None) -> tuple[Worker, ...]:
        """As ``Client.workers``."""
        return await in_executor(self._client.workers, timeout=timeout)

    async def health(self, *, timeout: float | None = None) -> Health:
        """As ``Client.health``."""
        return await in_executor(self._client.health, timeout=timeout)

    async def log(self, task_id: str, stream: str = "stdout", **options: Any) -> bytes:
        """As ``Client.log``."""
        return await in_executor(self._client.log, task_id, stream, **options)

    async def artifacts(self, task_id: str, **options: Any) -> tuple[Artifact, ...]:
        """As ``Client.artifacts``."""
        await self.wait(task_id, timeout=options.pop("timeout", None))
        return await in_executor(self._client.artifacts, task_id, **options)

    async def get_artifacts(
        self,
        task_id: str,
        directory: str | os.PathLike[str],
        names: str | Iterable[str] | None = None,
        **options: Any,
    ) -> builtins.list[Path]:
        """As ``Client.get_artifacts``. Progress is told in a thread of the executor."""
        await self.wait(task_id)
        return await in_executor(self._client.get_artifacts, task_id, directory, names, **options)

    # --- How

    async def _ends(self, ids: list[str], timeout_ms: int | None) -> list[TaskResult]:
        loop = asyncio.get_running_loop()
        native = self._client._native
        calls: list[int] = []
        ends: list[asyncio.Future[dict[str, Any]]] = []
        try:
            for task_id in ids:
                end: asyncio.Future[dict[str, Any]] = loop.create_future()
                ends.append(end)
                woken = waker(loop, functools.partial(settle, end))
                calls.append(native.wait_async(task_id, woken, timeout_ms))
            return [_records.task_result(record) for record in await asyncio.gather(*ends)]
        finally:
            for call in calls:
                native.forget(call)
            for end in ends:
                end.cancel()

    async def list(self, **conditions: Any) -> AsyncIterator[TaskInfo]:
        """As ``Client.list``, for ``async for``."""
        rows = self._client.list(**conditions)
        while (row := await in_executor(next, rows, None)) is not None:
            yield row

    async def dead_letters(self, **conditions: Any) -> AsyncIterator[TaskInfo]:
        """As ``Client.dead_letters``, for ``async for``."""
        rows = self._client.dead_letters(**conditions)
        while (row := await in_executor(next, rows, None)) is not None:
            yield row
