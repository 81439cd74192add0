"""The client: one connection to a broker, shared by all threads of a process."""

from __future__ import annotations

import atexit
import os
import queue
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from taskpipe import _arguments, _feed, _native, _records
from taskpipe._errors import CallTimeout, TaskpipeError, UnknownTask, invalid
from taskpipe._types import (
    Connection,
    EventBatch,
    Health,
    LogChunk,
    Task,
    TaskEvent,
    TaskInfo,
    TaskResult,
    Tool,
    Worker,
    WorkflowEnd,
    WorkflowReceipt,
)

DEFAULT_BROKER = "tcp://127.0.0.1:7610"
_ON_FAILURE = ("run_dependents", "cancel_dependents")
_EXIT_LIMIT_MS = 5000
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


class Client:
    """Submits tasks to a broker, waits for them, watches them, reads what they wrote.

    Making one connects to nothing and starts no thread; the first call connects. Every method may
    be called from any thread; waits release the GIL, and Ctrl-C ends them. After a fork the child's
    first call makes a connection and an identity of its own; iterators and subscriptions stay with
    the parent. A client is no value: it refuses to be pickled.

    Timeouts are seconds. None means the default of the method: no limit for waits, and
    ``request_timeout`` for everything else. An expired timeout raises ``CallTimeout``, which is a
    ``TimeoutError``, and never ends a task. Without a broker every call raises
    ``BrokerUnreachable`` after ``connect_timeout``; once connected, calls survive its restarts.

    Example:
        >>> client = Client()
        >>> task_id = client.submit("fenicsx", "poisson.py", {"mesh_size": 64})
        >>> client.wait(task_id).state
        'SUCCESS'
    """

    def __init__(
        self,
        broker: str | None = None,
        *,
        events: str = "",
        user: str = "",
        name: str = "",
        connect_timeout: float = 5.0,
        request_timeout: float = 30.0,
        linger: float = 2.0,
        max_unacknowledged: int = 262_144,
    ) -> None:
        """Makes a client; connects to nothing.

        Args:
            broker: ``host``, ``host:port``, ``[v6]:port``, ``tcp://host:port`` or ``ipc://path``.
                None: ``$TASKPIPE_BROKER``, else this host's broker.
            events: Where events come from, same forms. Empty: what the broker says.
            user: Empty: the login name.
            name: Shown to operators.
            connect_timeout: How long to look for a broker, in seconds.
            request_timeout: Default limit of submits, queries and cancels, in seconds.
            linger: How long closing may wait for unsent data, in seconds; at most 2 count.
            max_unacknowledged: Unanswered asynchronous submits before further ones wait.

        Raises:
            InvalidArgument: An argument has the wrong type or range.
        """
        if broker is None:
            broker = os.environ.get("TASKPIPE_BROKER") or DEFAULT_BROKER
        self._native = _native.Client(
            broker=_arguments.text("broker", broker),
            events=_arguments.text("events", events),
            user=_arguments.text("user", user),
            name=_arguments.text("name", name),
            connect_timeout_ms=_milliseconds("connect_timeout", connect_timeout),
            request_timeout_ms=_milliseconds("request_timeout", request_timeout),
            linger_ms=_milliseconds("linger", linger),
            max_unacknowledged=_arguments.count("max_unacknowledged", max_unacknowledged, 2**32),
        )
        self._broker = broker
        _clients.add(self)

    def __repr__(self) -> str:
        """The class and the broker's address."""
        return f"{type(self).__name__}({self._broker!r})"

    def __reduce__(self) -> NoReturn:
        """Refuses: a connection cannot be pickled."""
        raise TypeError(
            f"a {type(self).__name__} holds a connection and cannot be pickled; pass its broker's "
            "address and task ids, and make a client over there"
        )

    def __enter__(self) -> Client:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def connect(self, *, timeout: float | None = None) -> Connection:
        """Makes sure that there is a session and tells about it.

        Args:
            timeout: In seconds; None: ``connect_timeout``.

        Raises:
            BrokerUnreachable: No broker answers.
        """
        return Connection(**self._native.connect(_arguments.timeout_ms(timeout)))

    def close(self) -> None:
        """Ends every call in progress with ``ClientClosed``, and every later one.

        Takes at most ``linger`` seconds plus the callback that is running. Twice is harmless.
        """
        self._native.close()

    # --- Submitting

    def submit(
        self,
        tool: str,
        script: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> str:
        """Submits one task. Once it returns, the task survives a crash of the broker.

        Args:
            tool: What runs it.
            script: A name in the tool's script folders, or the inline script's name.
            params: Reach the tool as ``SIM_<KEY>``.
            timeout: In seconds; None: ``request_timeout``.
            **options: Further fields of ``Task``: priority, cpus, gpus, memory_bytes, resources,
                run_time_s, grace_s, labels, inline_script, wait_for_capacity, task_id.

        Returns:
            The task's id, 32 hex digits.

        Raises:
            InvalidArgument: An argument has an unacceptable value; ``field`` names it.
            Refused: No worker could ever run it (UNSATISFIABLE), the ``task_id`` exists with other
                contents (ID_CONFLICT), …
            CallTimeout: Not acknowledged in time; ``maybe_accepted`` has the id.
        """
        task = Task(tool, script, params, **options)
        if task.after:
            raise invalid("after", "has a meaning in workflows only")
        return self._native.submit(_arguments.request(task), _arguments.timeout_ms(timeout))

    def submit_batch(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        """Submits many tasks at once; each is accepted or refused for itself.

        Args:
            tasks: What to submit; ``after`` does not count here.
            timeout: In seconds, for all of them; None: ``request_timeout``.

        Returns:
            The ids in the order of ``tasks``.

        Raises:
            InvalidArgument: A task has an unacceptable value; nothing was sent.
            BatchRefused: Some were not accepted; it says which and why.
        """
        return self._native.submit_batch(_arguments.requests(tasks), _arguments.timeout_ms(timeout))

    def submit_workflow(
        self,
        tasks: Iterable[Task],
        *,
        name: str = "",
        on_failure: str = "run_dependents",
        timeout: float | None = None,
    ) -> WorkflowReceipt:
        """Submits tasks that depend on each other: all of them or none. The broker orders them.

        Args:
            tasks: Each starts once those in its ``after`` have ended.
            name: For people, up to 128 bytes.
            on_failure: ``"run_dependents"``: however a dependency ended, the next one runs.
                ``"cancel_dependents"``: what depends on a failed task is cancelled.
            timeout: In seconds; None: ``request_timeout``.

        Raises:
            InvalidArgument: A task has an unacceptable value, or dependencies form a cycle.
            Refused: As ``submit``.
        """
        if on_failure not in _ON_FAILURE:
            raise invalid("on_failure", f"is {on_failure!r}; it must be one of {_ON_FAILURE}")
        listed = list(tasks)
        if not listed:
            raise invalid("tasks", "is empty; a workflow has at least one task")
        made = _arguments.requests(listed)
        after = [
            [_arguments.count(f"tasks[{i}].after", index, len(listed) - 1) for index in task.after]
            for i, task in enumerate(listed)
        ]
        return WorkflowReceipt(
            *self._native.submit_workflow(
                _arguments.text("name", name),
                on_failure == "cancel_dependents",
                made,
                after,
                _arguments.timeout_ms(timeout),
            )
        )

    # --- Waiting

    def wait(self, task_id: str, *, timeout: float | None = None) -> TaskResult:
        """Waits for a task's end, which is pushed; at once when it has ended already.

        Args:
            task_id: Its id; tasks of other clients of the same user count as well.
            timeout: In seconds; None: without limit.

        Raises:
            UnknownTask: There is no such task.
            CallTimeout: It has not ended in time; it goes on.
        """
        ids = [_arguments.text("task_id", task_id)]
        return _records.task_result(self._native.wait_all(ids, _arguments.timeout_ms(timeout))[0])

    def wait_all(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> list[TaskResult]:
        """Waits until every task has ended.

        Args:
            task_ids: Ids in any order; repeated ones get repeated results.
            timeout: In seconds, for all of them; None: without limit.

        Returns:
            The results in the order of ``task_ids``.

        Raises:
            UnknownTask: One does not exist.
            CallTimeout: Not all have ended in time; they go on.
        """
        ids = _arguments.task_ids(task_ids)
        records = self._native.wait_all(ids, _arguments.timeout_ms(timeout))
        return [_records.task_result(record) for record in records]

    def wait_any(self, task_ids: Iterable[str], *, timeout: float | None = None) -> TaskResult:
        """The first that has ended or ends.

        Args:
            task_ids: At least one id.
            timeout: In seconds; None: without limit.

        Raises:
            InvalidArgument: There are no ids.
            UnknownTask: One does not exist.
            CallTimeout: None has ended in time.
        """
        ids = _arguments.task_ids(task_ids)
        return _records.task_result(self._native.wait_any(ids, _arguments.timeout_ms(timeout)))

    def wait_workflow(self, workflow_id: str, *, timeout: float | None = None) -> WorkflowEnd:
        """Waits until all tasks of a workflow have ended.

        Args:
            workflow_id: From ``submit_workflow``.
            timeout: In seconds; None: without limit.

        Raises:
            UnknownTask: There is no such workflow.
            CallTimeout: It has not ended in time; it goes on.
        """
        record = self._native.wait_workflow(
            _arguments.text("workflow_id", workflow_id), _arguments.timeout_ms(timeout)
        )
        return WorkflowEnd(**record)

    def as_completed(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> Iterator[TaskResult]:
        """The results as the tasks end, each once.

        Args:
            task_ids: Ids; repeated ones count once.
            timeout: In seconds, from the call until the last result; None: without limit.

        Raises:
            UnknownTask: One does not exist.
            CallTimeout: Not all have ended in time.
        """
        ids = list(dict.fromkeys(_arguments.task_ids(task_ids)))
        limit_ms = _arguments.timeout_ms(timeout)
        deadline = None if limit_ms is None else time.monotonic() + limit_ms / 1000
        return self._as_completed(ids, deadline, timeout)

    def _as_completed(
        self, ids: list[str], deadline: float | None, timeout: float | None
    ) -> Iterator[TaskResult]:
        ended: queue.SimpleQueue[tuple[dict[str, Any] | None, BaseException | None]]
        ended = queue.SimpleQueue()
        native = self._native
        open_calls: set[int] = set()
        try:
            for task_id in ids:
                open_calls.add(native.wait_async(task_id, lambda *end: ended.put(end)))
            for left in range(len(ids), 0, -1):
                limit_s = None if deadline is None else max(0.0, deadline - time.monotonic())
                try:
                    record, error = ended.get(timeout=limit_s)
                except queue.Empty:
                    raise CallTimeout(
                        f"{left} tasks did not end within {timeout} seconds"
                    ) from None
                if error is not None:
                    raise error
                if record is not None:
                    yield _records.task_result(record)
        finally:
            for call in open_calls:
                native.forget(call)

    # --- Watching

    def monitor(
        self,
        task_ids: Iterable[str],
        on_event: Callable[[TaskEvent], object],
        *,
        timeout: float | None = None,
    ) -> list[TaskResult]:
        """Calls ``on_event`` with the present state of every task and then with each change.

        Args:
            task_ids: What to watch.
            on_event: Runs in this thread. Its last event of each task is the terminal state,
                exactly once; progress may be thinned out. What it raises ends the call.
            timeout: In seconds; None: without limit.

        Returns:
            The results in the order of ``task_ids``, once all have ended.

        Raises:
            UnknownTask: One does not exist.
            CallTimeout: Not all have ended in time.
        """
        records = self._native.monitor(
            _arguments.task_ids(task_ids),
            lambda record: on_event(TaskEvent(**record)),
            _arguments.timeout_ms(timeout),
        )
        return [_records.task_result(record) for record in records]

    def events(
        self, task_ids: str | Iterable[str], *, timeout: float | None = None
    ) -> _feed.Feed[TaskEvent]:
        """The events of ``monitor`` as an iterator, which ends when all tasks have ended.

        ``for event in client.events(task_id): print(event.state, event.progress)``

        Args:
            task_ids: One id or several.
            timeout: In seconds, for all of it; None: without limit.

        Raises:
            UnknownTask: One does not exist; raised by the iteration, as the next.
            CallTimeout: Not all have ended in time.
        """
        ids = [task_ids] if isinstance(task_ids, str) else _arguments.task_ids(task_ids)
        limit_ms = _arguments.timeout_ms(timeout)
        native = self._native

        def run(put: Callable[[TaskEvent], None], stop: _native.Stop) -> None:
            native.monitor(ids, lambda record: put(TaskEvent(**record)), limit_ms, stop)

        return _feed.Feed(run)

    def subscribe(
        self,
        topics: Iterable[str],
        on_events: Callable[[EventBatch], object],
        *,
        timeout: float | None = None,
    ) -> _native.Subscription:
        """Follows the raw stream of events, which is lossy.

        Args:
            topics: Prefixes that end in a dot: ``"task.<tool>."``, ``"progress.<tool>."``,
                ``"workflow.<id>."``, ``"worker."``, ``"id.<task id>."``.
            on_events: Runs on the client's thread of callbacks, one at a time. What it raises is
                reported and goes nowhere.
            timeout: In seconds, for the connection; None: ``request_timeout``.

        Returns:
            What ends the subscription when it is closed or dropped.

        Raises:
            InvalidArgument: A topic is not acceptable.
        """
        listed = _arguments.task_ids(topics, "topics")
        return self._native.subscribe(
            listed,
            lambda record: on_events(_records.event_batch(record)),
            _arguments.timeout_ms(timeout),
        )

    # --- Asking and cancelling. Default timeout: ``request_timeout``.

    def status(self, task_id: str, *, timeout: float | None = None) -> TaskInfo:
        """What the broker knows of a task now.

        Args:
            task_id: Its id.
            timeout: In seconds; None: ``request_timeout``.

        Raises:
            UnknownTask: There is no such task.
        """
        return self.statuses([task_id], timeout=timeout)[0]

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
        return [TaskInfo(**row) for row in rows]

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
            _arguments.timeout_ms(timeout),
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
            [_arguments.text("task_id", task_id)],
            _milliseconds("grace", grace),
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
            _arguments.text("workflow_id", workflow_id),
            _milliseconds("grace", grace),
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
            _arguments.text("task_id", task_id),
            _is_stderr(stream),
            _arguments.count("offset", offset, 2**63),
            False,
            lambda _, data: chunks.append(data),
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

        Args:
            task_id: Its id.
            stream: ``"stdout"`` or ``"stderr"``. One reader per task and stream at a time.
            offset: Where to begin, in bytes.
            timeout: In seconds, for all of it; None: without limit.

        Raises:
            UnknownTask: There is no such task; raised by the iteration, as the next.
            CallTimeout: It has not ended in time.
        """
        _arguments.text("task_id", task_id)
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
                lambda start, data: put(LogChunk(start, data)),
                limit_ms,
                stop,
            )

        return _feed.Feed(run)


def _pages(listing: _native.Listing) -> Iterator[TaskInfo]:
    while page := listing.next_page():
        for row in page:
            yield TaskInfo(**row)


def _milliseconds(field: str, value: float) -> int:
    limit_ms = _arguments.timeout_ms(_arguments.seconds(field, value), field)
    return 0 if limit_ms is None else limit_ms


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


@atexit.register
def _close_all() -> None:
    # Before the interpreter goes: the threads of clients must not need it afterwards.
    _feed.close_all()
    for client in list(_clients):
        client.close()
    _native.await_calls(_EXIT_LIMIT_MS)
