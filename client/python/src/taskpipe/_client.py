"""The client: submitting, waiting, watching."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from taskpipe import _arguments, _feed, _native, _records
from taskpipe._errors import BatchRefused, TaskpipeError, invalid, not_ended, simplest
from taskpipe._files import Files
from taskpipe._following import Following
from taskpipe._types import EventBatch, Task, TaskEvent, TaskResult, WorkflowEnd, WorkflowReceipt

_ON_FAILURE = ("run_dependents", "cancel_dependents")


class Client(Following, Files):
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
                run_time_s, grace_s, labels, inline_script, wait_for_capacity, retry, queue_time_s,
                no_progress_s, task_id.

        Returns:
            The task's id, 32 hex digits.

        Raises:
            InvalidArgument: An argument has an unacceptable value; ``field`` names it.
            Refused: No worker could ever run it (UNSATISFIABLE), the ``task_id`` exists with other
                contents (ID_CONFLICT), …
            CallTimeout: Not acknowledged in time; ``maybe_accepted`` has the id.
        """
        request = _arguments.single_request(tool, script, params, options)
        return self._native.submit(request, _arguments.timeout_ms(timeout))

    def submit_batch(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        """Submits many tasks at once; each is accepted or refused for itself.

        Args:
            tasks: What to submit; ``after`` does not count here.
            timeout: In seconds, for all of them; None: ``request_timeout``.

        Returns:
            The ids in the order of ``tasks``.

        Raises:
            InvalidArgument: A task has an unacceptable value; nothing was accepted.
            BatchRefused: Some were not accepted; it says which and why. Where none was, and none
                may have been, the first cause is raised instead, as by ``submit``.
        """
        requests = _arguments.requests(tasks)
        try:
            return self._native.submit_batch(requests, _arguments.timeout_ms(timeout))
        except BatchRefused as refused:
            error = simplest(refused)
        raise error

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

    def resubmit(self, task_ids: str | Iterable[str], *, timeout: float | None = None) -> list[str]:
        """Submits ended tasks again, each as a new task with the same specification and params.

        Args:
            task_ids: One id or several, of tasks that have ended without success.
            timeout: In seconds, for every 256 of them; None: ``request_timeout``.

        Returns:
            The ids of the new tasks, in the order of ``task_ids``.

        Raises:
            InvalidArgument: A task has not ended, or has succeeded.
            UnknownTask: One does not exist.
            BatchRefused: As by ``submit_batch``; its ids are those of the new tasks.
        """
        ids = _arguments.one_or_more_ids(task_ids)
        try:
            return self._native.resubmit(ids, _arguments.timeout_ms(timeout))
        except BatchRefused as refused:
            error = simplest(refused)
        raise error

    # --- Submitting and waiting in one

    def run(
        self,
        tool: str,
        script: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> TaskResult:
        """Submits one task and waits for its end: a message and its answer less than both.

        Args:
            tool: What runs it.
            script: As ``submit``.
            params: As ``submit``.
            timeout: In seconds, for all of it; None: ``request_timeout`` until the submit is
                acknowledged, and without limit then.
            **options: As ``submit``.

        Raises:
            InvalidArgument: As ``submit``.
            Refused: As ``submit``.
            CallTimeout: It was not acknowledged or has not ended in time; ``maybe_accepted`` has
                the id of the task, which goes on.
        """
        request = _arguments.single_request(tool, script, params, options)
        return _records.task_result(self._native.run(request, _arguments.timeout_ms(timeout)))

    def run_batch(
        self, tasks: Iterable[Task], *, timeout: float | None = None
    ) -> list[TaskResult | TaskpipeError]:
        """Submits many tasks and waits for their ends; each is accepted and ends for itself.

        Args:
            tasks: What to run; ``after`` does not count here.
            timeout: As ``run``, for all of them.

        Returns:
            In the order of ``tasks`` the result of each, or the exception that ``run`` would have
            raised.

        Raises:
            InvalidArgument: A task has an unacceptable value; nothing was accepted.
        """
        ends = self._native.run_batch(_arguments.requests(tasks), _arguments.timeout_ms(timeout))
        return [_records.result_or_error(record, error) for record, error in ends]

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
        ids = [_arguments.id_text(task_id)]
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
        ids = _arguments.some_ids(task_ids)
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
            _arguments.id_text(workflow_id, "workflow_id"), _arguments.timeout_ms(timeout)
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
        ids = _arguments.distinct_ids(task_ids)
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
                    raise not_ended(left, timeout) from None
                yield _records.ended_task(record, error)
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
        ids = _arguments.one_or_more_ids(task_ids)
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
        """Follows the raw stream of events, which is lossy; ``follow`` is not.

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
        listed = _arguments.texts("topics", topics)
        return self._native.subscribe(
            listed,
            lambda record: on_events(_records.event_batch(record)),
            _arguments.timeout_ms(timeout),
        )
