"""Between the client's threads and an event loop: who is woken, what a cancelled call leaves."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from taskpipe import _native
from taskpipe._errors import BatchRefused, CallStopped, TaskpipeError
from taskpipe._types import WorkflowReceipt

_log = logging.getLogger("taskpipe")
Returned = TypeVar("Returned")
_MAX_RANGES_TOLD = 100  # of ids in one line of the log: 7 KB
Ended = tuple[dict[str, Any] | None, BaseException | None]


def waker(loop: asyncio.AbstractEventLoop, then: Callable[[Any], None]) -> Callable[..., None]:
    """A callback for the client's thread that calls ``then`` in the loop.

    Several arguments arrive as one tuple.
    """

    def wake(*arguments: Any) -> None:
        argument = arguments[0] if len(arguments) == 1 else arguments
        try:
            loop.call_soon_threadsafe(then, argument)
        except RuntimeError:
            if not loop.is_closed():  # a closed loop has nobody left who waits
                raise

    return wake


async def in_executor(
    function: Callable[..., Returned], *arguments: Any, **options: Any
) -> Returned:
    """What the function returns, called in the loop's default executor."""
    call = functools.partial(function, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(None, call)


# --- Waiting


def settle(end: asyncio.Future[dict[str, Any]], ended: Ended) -> None:
    """Gives a future what a task's end has brought."""
    record, error = ended
    if end.done():
        return
    if error is not None:
        end.set_exception(error)
    elif record is not None:
        end.set_result(record)


async def next_end(ended: asyncio.Queue[Ended], limit_s: float | None) -> Ended:
    """The next in the queue; ``asyncio.TimeoutError`` past the limit."""
    # What has come in time counts, however late it is taken. Once no time is left, wait_for does
    # not look any more; and the loop may not have had a turn to take in what has come.
    if ended.empty() and limit_s is not None and limit_s <= 0:
        await asyncio.sleep(0)
    with contextlib.suppress(asyncio.QueueEmpty):
        return ended.get_nowait()
    return await asyncio.wait_for(ended.get(), limit_s)


# --- Submitting: a call that is cancelled returns at once, and what it has submitted is told


async def submit(native: _native.Client, request: _native.Request, timeout_ms: int | None) -> str:
    """The id of a task, once it is accepted. Costs a thread only while too many are open."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[None] = loop.create_future()

    def settle_submit(error: BaseException | None) -> None:
        if accepted.done():
            return
        if error is None:
            accepted.set_result(None)
        else:
            accepted.set_exception(error)

    done = waker(loop, settle_submit)
    at_once = _native.Stop()
    at_once.request()
    try:
        task_id = native.submit_async(request, done, timeout_ms, at_once)
    except CallStopped:  # the loop must not wait for room
        stop = _native.Stop()

        def submit_when_there_is_room() -> str:
            if stop.requested():
                raise CallStopped("it was given up before it began") from None
            return native.submit_async(request, done, timeout_ms, stop)

        try:
            task_id = await submit_in_executor(submit_when_there_is_room, give_up=stop.request)
        except asyncio.CancelledError:
            accepted.cancel()  # nobody looks at its error any more
            raise
    try:
        await accepted
    except asyncio.CancelledError:
        tell([task_id], "may have been accepted")
        raise
    return task_id


async def submit_in_executor(
    call: Callable[[], Returned], give_up: Callable[[], None] = lambda: None
) -> Returned:
    """What the call returns; ``give_up`` is called when the coroutine is cancelled meanwhile."""
    running = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        give_up()
        running.add_done_callback(_tell_what_was_accepted)
        raise


def _tell_what_was_accepted(call: asyncio.Future[Any]) -> None:
    if call.cancelled():
        return
    error = call.exception()
    if isinstance(error, BatchRefused):
        tell(error.accepted, "accepted")
        unsure = [error.errors[index].maybe_accepted for index in sorted(error.errors)]
        tell([task_id for task_id in unsure if task_id is not None], "may have been accepted")
    elif isinstance(error, TaskpipeError) and error.maybe_accepted is not None:
        tell([error.maybe_accepted], "may have been accepted")
    elif error is None:
        result = call.result()
        if isinstance(result, str):  # sent, see submit_when_there_is_room
            tell([result], "may have been accepted")
        else:
            tell(result.task_ids if isinstance(result, WorkflowReceipt) else result, "accepted")


def tell(task_ids: Sequence[str], what: str) -> None:
    """Logs the ids of what a cancelled call has submitted."""
    if not task_ids:
        return
    ranges = _ranges(task_ids)
    told = [first if first == last else f"{first} to {last}" for first, last in ranges]
    if len(told) > _MAX_RANGES_TOLD:
        left = ranges[_MAX_RANGES_TOLD:]
        count = sum(int(last, 16) - int(first, 16) + 1 for first, last in left)
        told = [*told[:_MAX_RANGES_TOLD], f"and {count} more"]
    _log.warning("a submit was cancelled; %s: task %s", what, ", ".join(told))


def _ranges(task_ids: Iterable[str]) -> list[tuple[str, str]]:
    """The first and the last of those that count up by one. Ids that were drawn here do."""
    ranges: list[tuple[str, str]] = []
    for task_id in task_ids:
        if ranges and int(task_id, 16) == int(ranges[-1][1], 16) + 1:
            ranges[-1] = (ranges[-1][0], task_id)
        else:
            ranges.append((task_id, task_id))
    return ranges
