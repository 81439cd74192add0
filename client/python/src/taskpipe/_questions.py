"""What a client asks: states, the cluster, cancelling, logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from taskpipe import _arguments, _feed, _native, _records
from taskpipe._cluster import Health, Tool, Worker
from taskpipe._connection import Connected, milliseconds
from taskpipe._errors import TaskpipeError, UnknownTask, invalid
from taskpipe._types import LogChunk, TaskInfo, TaskStatus

_DEAD_STATES = (TaskStatus.FAILURE, TaskStatus.TIMEOUT, TaskStatus.ERROR)


class Questions(Connected):
    """The calls with a short answer, and logs. Default timeout: ``request_timeout``."""

    def status(self, task_id: str, *, timeout: float | None = None) -> TaskInfo:
        """What the broker knows of a task now.

        Args:
            task_id: Its id.
            timeout: In seconds; None: ``request_timeout``.

        Raises:
            UnknownTask: There is no such task.
        """
        return self.statuses([_arguments.id_text(task_id)], timeout=timeout)[0]

    def statuses(self, task_ids: Iterable[str], *, timeout: float | None = None) -> list[TaskInfo]:
        """The same of many, in their order.

        Args:
            task_ids: Their ids.
            timeout: In seconds; None: ``request_timeout``.

        Raises:
            UnknownTask: One does not exist; the message names it.
        """
        ids = _arguments.task_ids(task_ids)
        rows, unknown = self._native.statuses(ids, _arguments.timeout_ms(timeout))
        if unknown:
            error = UnknownTask(
                f"task {unknown[0]}: it does not exist, or belongs to somebody else"
            )
            error.code = "UNKNOWN_TASK"
            raise error
        return [_records.task_info(row) for row in rows]

    def inspect(self, task_id: str, *, timeout: float | None = None) -> TaskInfo:
        """What the broker knows of a task now, with the ``attempts`` that did not decide its end.

        Args:
            task_id: Its id.
            timeout: In seconds; None: ``request_timeout``.

        Raises:
            UnknownTask: There is no such task.
        """
        row = self._native.inspect(_arguments.id_text(task_id), _arguments.timeout_ms(timeout))
        return _records.task_info(row)

    def params(self, task_id: str, *, timeout: float | None = None) -> dict[str, Any]:
        """What a task was submitted with.

        Args:
            task_id: Its id.
            timeout: In seconds; None: ``request_timeout``.

        Raises:
            UnknownTask: There is no such task.
        """
        ids = [_arguments.id_text(task_id)]
        return self._native.params(ids, _arguments.timeout_ms(timeout))[0]

    def list(
        self,
        *,
        workflow_id: str = "",
        state: str = "",
        tool: str = "",
        timeout: float | None = None,
    ) -> Iterator[TaskInfo]:
        """Tasks that meet every condition, newest first, fetched as they are consumed.

        Args:
            workflow_id: Of this workflow; empty: of any or none.
            state: One of ``TaskStatus``; empty: any.
            tool: Empty: any.
            timeout: In seconds, of each page of 500; None: ``request_timeout``.

        Raises:
            InvalidArgument: The state or the id is none.
        """
        listing = self._native.list_tasks(
            _arguments.text("workflow_id", workflow_id),
            _arguments.text("state", state),
            _arguments.text("tool", tool),
            False,
            _arguments.timeout_ms(timeout),
        )
        return _pages(listing)

    def dead_letters(
        self, *, state: str = "", tool: str = "", timeout: float | None = None
    ) -> Iterator[TaskInfo]:
        """Tasks that have failed for good, newest first, fetched as they are consumed.

        They have ended in state FAILURE, "timeout" or "error", and were not submitted again.

        Args:
            state: One of these; empty: any.
            tool: Empty: any.
            timeout: In seconds, of each page of 500; None: ``request_timeout``.

        Raises:
            InvalidArgument: No dead letter has this state.
        """
        if state and state not in _DEAD_STATES:
            raise invalid("state", f"is {state!r}; it must be one of {', '.join(_DEAD_STATES)}")
        listing = self._native.list_tasks(
            "", state, _arguments.text("tool", tool), True, _arguments.timeout_ms(timeout)
        )
        return _pages(listing)

    def cancel(self, task_id: str, *, grace: float = 0.0, timeout: float | None = None) -> bool:
        """Cancels a task that waits or runs; the whole process group ends.

        Args:
            task_id: Its id.
            grace: Seconds between SIGTERM and SIGKILL; 0: the task's own.
            timeout: In seconds; None: ``request_timeout``.

        Returns:
            True when it had not ended: it is cancelled, or will be in a moment.

        Raises:
            UnknownTask: There is no such task.
        """
        codes = self._native.cancel(
            [_arguments.id_text(task_id)],
            milliseconds("grace", grace),
            _arguments.timeout_ms(timeout),
        )
        return _was_live(*codes[0])

    def cancel_workflow(
        self, workflow_id: str, *, grace: float = 0.0, timeout: float | None = None
    ) -> int:
        """Cancels what has not ended of a workflow.

        Args:
            workflow_id: From ``submit_workflow``.
            grace: Seconds between SIGTERM and SIGKILL; 0: the tasks' own.
            timeout: In seconds; None: ``request_timeout``.

        Returns:
            How many tasks had not ended.

        Raises:
            UnknownTask: There is no such workflow.
        """
        codes = self._native.cancel_workflow(
            _arguments.id_text(workflow_id, "workflow_id"),
            milliseconds("grace", grace),
            _arguments.timeout_ms(timeout),
        )
        return sum(_was_live(*code) for code in codes)

    def tools(self, *, timeout: float | None = None) -> tuple[Tool, ...]:
        """What the workers offer; also what known but absent workers did.

        Args:
            timeout: In seconds; None: ``request_timeout``.
        """
        records = self._native.tools(_arguments.timeout_ms(timeout))
        return tuple(_records.tool(record) for record in records)

    def workers(self, *, timeout: float | None = None) -> tuple[Worker, ...]:
        """The workers that the broker knows.

        Args:
            timeout: In seconds; None: ``request_timeout``.
        """
        records = self._native.workers(_arguments.timeout_ms(timeout))
        return tuple(_records.worker(record) for record in records)

    def health(self, *, timeout: float | None = None) -> Health:
        """How the service is.

        Args:
            timeout: In seconds; None: ``request_timeout``.
        """
        return _records.health(self._native.health(_arguments.timeout_ms(timeout)))

    # --- Logs

    def log(
        self,
        task_id: str,
        stream: str = "stdout",
        *,
        offset: int = 0,
        timeout: float | None = None,
    ) -> bytes:
        """What a task has written until now.

        Args:
            task_id: Its id.
            stream: ``"stdout"`` or ``"stderr"``.
            offset: Where to begin, in bytes.
            timeout: In seconds; None: ``request_timeout`` for each step.

        Raises:
            UnknownTask: There is no such task.
        """
        chunks: list[bytes] = []
        self._native.fetch_log(
            _arguments.id_text(task_id),
            _is_stderr(stream),
            _arguments.count("offset", offset, 2**63),
            False,
            lambda _, data, __: chunks.append(data),
            _arguments.timeout_ms(timeout),
        )
        return b"".join(chunks)

    def follow_log(
        self,
        task_id: str,
        stream: str = "stdout",
        *,
        offset: int = 0,
        timeout: float | None = None,
    ) -> _feed.Feed[LogChunk]:
        """What a task writes, as it writes it, until it ends. Nothing is lost or repeated.

        A task that is tried again writes anew: with a higher ``attempt`` the offset begins at 0.

        Args:
            task_id: Its id.
            stream: ``"stdout"`` or ``"stderr"``. One reader per task and stream at a time.
            offset: Where to begin, in bytes.
            timeout: In seconds, for all of it; None: without limit.

        Raises:
            UnknownTask: There is no such task; raised by the iteration, as the next.
            CallTimeout: It has not ended in time.
        """
        _arguments.id_text(task_id)
        of_stderr = _is_stderr(stream)
        _arguments.count("offset", offset, 2**63)
        limit_ms = _arguments.timeout_ms(timeout)
        native = self._native

        def run(put: Callable[[LogChunk], None], stop: _native.Stop) -> None:
            native.fetch_log(
                task_id,
                of_stderr,
                offset,
                True,
                lambda start, data, attempt: put(LogChunk(start, data, attempt)),
                limit_ms,
                stop,
            )

        return _feed.Feed(run)


def _pages(listing: _native.Listing) -> Iterator[TaskInfo]:
    while page := listing.next_page():
        for row in page:
            yield _records.task_info(row)


def _is_stderr(stream: str) -> bool:
    if stream not in ("stdout", "stderr"):
        raise invalid("stream", f"is {stream!r}; it must be 'stdout' or 'stderr'")
    return stream == "stderr"


def _was_live(task_id: str, code: str, was_live: bool) -> bool:
    if code == "OK":
        return was_live
    if code == "UNKNOWN_TASK":
        error: TaskpipeError = UnknownTask(
            f"task {task_id}: it does not exist, or belongs to somebody else"
        )
    else:
        error = TaskpipeError(f"task {task_id} cannot be cancelled: {code}")
    error.code = code
    raise error
