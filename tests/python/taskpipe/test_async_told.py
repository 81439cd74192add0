"""What is told about cancelled submits of AsyncClient, of calls that end as they are told to."""

import asyncio
import gc
import threading
import uuid

import pytest
from conftest import LIMIT_S
from taskpipe import BatchRefused, CallStopped, CallTimeout, Refused, _loop_calls


class CrowdedClient:
    """A native client that has no room for a submit before it is told so."""

    def __init__(self):
        """Without room."""
        self.waits = threading.Event()
        self.room = threading.Event()
        self.done = None

    def submit_async(self, _request, done, _timeout_ms, stop):
        """The id, once there is room; it has been sent then."""
        if not self.waits.is_set():
            assert stop.requested()
            self.waits.set()
            raise CallStopped("there is no room")
        self.done = done
        assert self.room.wait(LIMIT_S)
        return own_ids(1)[0]


def own_ids(count):
    """Ids that do not count up."""
    return [uuid.UUID(int=2**100 + 2 * n).hex for n in range(count)]


def drawn(count):
    """Ids as a client draws them; the end of 32 bits is among them."""
    return [uuid.UUID(int=2**100 + 2**32 - 1 + n).hex for n in range(count)]


def unsure(task_id):
    """Why nobody knows about a task."""
    error = CallTimeout("nobody has answered")
    error.maybe_accepted = task_id
    return error


def told_of(end, caplog):
    """What is in the log after a submit that was cancelled has ended."""

    async def go():
        may_end, told = threading.Event(), asyncio.Event()

        def call():
            assert may_end.wait(LIMIT_S)
            if isinstance(end, Exception):
                raise end
            return end

        submitting = asyncio.create_task(_loop_calls.submit_in_executor(call, told.set))
        await asyncio.sleep(0)
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        await told.wait()
        may_end.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)  # callbacks of what has ended come in order

    asyncio.run(asyncio.wait_for(go(), LIMIT_S))
    return [record.getMessage() for record in caplog.records]


def test_ids_that_count_up_are_a_range(caplog):
    ids = drawn(5)
    (line,) = told_of(ids, caplog)
    assert line == f"a submit was cancelled; accepted: task {ids[0]} to {ids[4]}"


def test_ids_of_the_callers_own_are_told_each(caplog):
    ids = own_ids(3)
    (line,) = told_of(ids, caplog)
    assert line.endswith(f"; accepted: task {ids[0]}, {ids[1]}, {ids[2]}")


def test_a_line_is_bounded(caplog):
    ids = own_ids(1000)
    (line,) = told_of(ids, caplog)
    assert line.endswith(f"{ids[98]}, {ids[99]}, and 900 more")


def test_who_was_accepted_and_who_may_have_been(caplog):
    ids = drawn(6)
    errors = {5: unsure(ids[5]), 3: Refused("no"), 1: unsure(ids[1]), 2: unsure(ids[2])}
    lines = told_of(BatchRefused(ids, errors), caplog)
    assert [line.partition("; ")[2] for line in lines] == [
        f"accepted: task {ids[0]}, {ids[4]}",
        f"may have been accepted: task {ids[1]} to {ids[2]}, {ids[5]}",
    ]


@pytest.mark.parametrize("answer", [None, Refused("no")], ids=["accepted", "refused"])
def test_a_submit_that_is_cancelled_while_it_is_sent(caplog, answer):
    async def go():
        native = CrowdedClient()
        submitting = asyncio.create_task(_loop_calls.submit(native, None, None))
        while native.done is None:
            await asyncio.sleep(0.01)
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        native.room.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        native.done(answer)
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(go(), LIMIT_S))
    gc.collect()  # an error that nobody looks at would be told by asyncio
    (record,) = caplog.records
    assert record.getMessage().endswith(f"; may have been accepted: task {own_ids(1)[0]}")
