"""The single tasks of a pipeline, and the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

from taskpipe import _arguments, _shapes
from taskpipe._client import Client
from taskpipe._deadline import interval_of
from taskpipe._errors import CallTimeout, HealthCheckFailed, TaskCancelled, TaskpipeError, invalid
from taskpipe._shapes import StatusDict
from taskpipe._types import Task, TaskResult, TaskStatus

StatusCallback = Callable[[dict[str, Any]], object]
Self = TypeVar("Self", bound="SingleTasks")


class SingleTasks:
    """What ``TaskPipeline`` does with one task at a time."""

    def __init__(
        self, broker: str | None = None, *, client: Client | None = None, **options: Any
    ) -> None:
        """Makes a pipeline; connects to nothing.

        Args:
            broker: The broker's address; None: ``$TASKPIPE_BROKER``, else this host's broker.
            client: A client whose connection to share, instead of an address.
            **options: As of ``Client``.

        Raises:
            InvalidArgument: An argument has the wrong type or range.
        """
        if client is not None and (broker is not None or options):
            raise invalid("client", "and an address or options exclude each other")
        self._owns_client = client is None
        self._client = Client(broker, **options) if client is None else client
        self._active_tasks: dict[str, Any] = {}

    def __reduce__(self) -> NoReturn:
        """Refuses: a connection cannot be pickled."""
        raise TypeError(
            f"a {type(self).__name__} holds a connection and cannot be pickled; pass task ids, and "
            "make a pipeline over there"
        )

    def __enter__(self: Self) -> Self:
        """The pipeline itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Closes the connection, unless it is a shared one. Tasks go on."""
        if self._owns_client:
            self._client.close()

    @property
    def client(self) -> Client:
        """The client below, with typed values and every option."""
        return self._client

    # --- Single tasks

    def submit_task(
        self, tool: str, script: str, params: Mapping[str, Any] | None = None, **options: Any
    ) -> str:
        """Submits a task. Once it returns, the task survives a crash of the broker.

        Args:
            tool: What runs it, such as ``"fenicsx"``.
            script: A name in the tool's script folders, such as ``"poisson.py"``.
            params: Reach the script as ``SIM_<KEY>`` in its environment.
            **options: Further fields of ``Task``: priority, cpus, run_time_s, labels, …

        Returns:
            The task's id.

        Raises:
            ValueError: An argument has an unacceptable value; nothing was sent.
            Refused: No worker could ever run it.
            BrokerUnreachable: There is no broker.
        """
        task_id = self._client.submit(tool, script, params, **options)
        self._track(task_id, Task(tool, script, params))
        return task_id

    def get_task_status(self, task_id: str) -> StatusDict:
        """The status of a task now; see the class for its form.

        Args:
            task_id: From ``submit_task``, of any process.

        Raises:
            UnknownTask: There is no such task.
        """
        return self._fetch_statuses([_arguments.id_text(task_id)])[0]

    def monitor_task(
        self,
        task_id: str,
        callback: StatusCallback | None = None,
        poll_interval: float = 2.0,
    ) -> StatusDict:
        """Calls ``callback(status)`` on every change, and once more at the end.

        Args:
            task_id: What to watch.
            callback: Runs in this thread; what it raises ends the call.
            poll_interval: Longest silence in seconds: then the callback is called again. Changes
                are pushed and do not wait for it.

        Returns:
            The final status.

        Raises:
            UnknownTask: There is no such task.
        """
        interval_s = interval_of(poll_interval)
        if self._replaced("get_task_status"):
            return self._poll_task(task_id, callback, interval_s)
        status: StatusDict | None = None
        with self._client.events(task_id) as events:
            while True:
                try:
                    event = events.next_within(interval_s)
                except StopIteration:
                    break
                except CallTimeout:
                    if callback is not None and status is not None:
                        callback(dict(status))
                    continue
                if event.ready:
                    break
                changed = _shapes.live_status(event)
                if changed != status and callback is not None:
                    callback(dict(changed))
                status = changed
        status = self.get_task_status(task_id)
        if callback is not None:
            callback(status)
        return status

    def wait_for_task(self, task_id: str, timeout: float | None = None) -> dict[str, Any]:
        """Waits for a task's end, which is pushed.

        Args:
            task_id: From ``submit_task``, of any process.
            timeout: In seconds; None: without limit.

        Returns:
            The result; see the class. A task that failed has one as well: look at ``status``.

        Raises:
            TimeoutError: It has not ended in time; it goes on.
            TaskCancelled: It was cancelled.
            UnknownTask: There is no such task.
        """
        timeout_ms = _arguments.timeout_ms(timeout)
        try:
            if timeout_ms == 0 and not self._client.status(task_id).ready:
                raise CallTimeout("not yet")
            result = self._client.wait(task_id, timeout=timeout or None)
        except CallTimeout as error:
            raise CallTimeout(
                f"Task {task_id} did not complete within {timeout} seconds"
            ) from error
        if result.state == TaskStatus.CANCELLED:
            raise TaskCancelled(f"Task {task_id} was cancelled: {result.reason}")
        return self._result_of(result)

    def cancel_task(self, task_id: str) -> bool:
        """Cancels a task that waits or runs; the whole process group ends.

        Args:
            task_id: From ``submit_task``, of any process.

        Returns:
            True if it had not ended.

        Raises:
            UnknownTask: There is no such task.
        """
        return self._client.cancel(task_id)

    # --- The service

    def health_check(self) -> dict[str, Any]:
        """Whether tasks can be run.

        Returns:
            ``status`` "healthy", ``worker`` (the name of one) and ``message``.

        Raises:
            HealthCheckFailed: "Health check failed: …" when no worker answers.
        """
        try:
            health = self._client.health()
            ready = [worker.name for worker in self._client.workers() if worker.state == "ready"]
        except TaskpipeError as error:
            raise HealthCheckFailed(f"Health check failed: {error}") from error
        if not health.healthy or not ready:
            why = "; ".join(health.warnings) or "no worker is connected"
            raise HealthCheckFailed(f"Health check failed: {why}")
        message = f"{len(ready)} of the workers answer; {health.tasks_running} tasks running"
        return {"status": "healthy", "worker": ready[0], "message": message}

    def list_available_simulations(self) -> dict[str, Any]:
        """What the connected workers really offer.

        Returns:
            ``status`` "success", and ``tools``: by name a dict of ``description`` and ``scripts``.
        """
        return {
            "status": "success",
            "tools": {
                tool.name: {"description": tool.description, "scripts": list(tool.scripts)}
                for tool in self._client.tools()
                if tool.workers > 0
            },
        }

    def cleanup(self) -> None:
        """Forgets what this object tracks. Tasks go on, and results stay readable by id."""
        self._active_tasks.clear()

    # --- How

    def _replaced(self, *names: str) -> bool:
        """Whether a subclass, the object or a test has its own of one of these methods."""
        return any(
            name in vars(self) or getattr(type(self), name) is not OWN[name] for name in names
        )

    def _track(self, task_id: str, task: Task) -> None:
        self._active_tasks[task_id] = {
            "tool": task.tool,
            "script": task.script,
            "params": dict(task.params or {}),
        }

    def _result_of(self, result: TaskResult) -> dict[str, Any]:
        entry = self._tracked(result.task_id)
        if entry is not None:
            return _shapes.result_dict(result, entry["tool"], entry["script"], entry["params"])
        # Another object's task: the broker knows.
        info = self._client.status(result.task_id)
        params = self._client.params(result.task_id)
        return _shapes.result_dict(result, info.tool, info.script, params)

    def _tracked(self, task_id: str) -> Mapping[str, Any] | None:
        # Callers know the dict and may have put anything there.
        entry = self._active_tasks.get(task_id)
        return entry if isinstance(entry, Mapping) and "params" in entry else None

    def _params_of(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        entries = [(task_id, self._tracked(task_id)) for task_id in ids]
        params = {task_id: entry["params"] for task_id, entry in entries if entry is not None}
        others = [task_id for task_id, entry in entries if entry is None]
        params.update(zip(others, self._client._native.params(others), strict=True))
        return params

    def _fetch_statuses(self, ids: Sequence[str], with_params: bool = True) -> list[StatusDict]:
        """Asks for the states of all, then for the results of those that have ended.

        The broker is also asked for the params of each ended task that this object did not submit,
        many at a time. Without ``with_params`` it is not: those in the results mean nothing then.
        """
        infos = self._client.statuses(ids)
        ended = [info for info in infos if info.ready and info.state != TaskStatus.CANCELLED]
        # They have ended, so that nobody is waited for: the answers come as others do.
        names = [info.task_id for info in ended]
        results = self._client.wait_all(names, timeout=self._client._request_timeout)
        params = self._params_of(names) if with_params else {}
        shapes = {
            info.task_id: _shapes.result_dict(
                result, info.tool, info.script, params.get(info.task_id, {})
            )
            for info, result in zip(ended, results, strict=True)
        }
        return [
            _shapes.ended_status(info, shapes.get(info.task_id))
            if info.ready
            else _shapes.live_status(info)
            for info in infos
        ]

    def _poll_task(
        self, task_id: str, callback: StatusCallback | None, interval_s: float
    ) -> StatusDict:
        while True:
            status = self.get_task_status(task_id)
            if callback is not None:
                callback(status)
            if status["ready"]:
                return status
            time.sleep(interval_s)


# The methods that may be replaced. ``_waiting`` adds one.
OWN: Final[dict[str, Callable[..., Any]]] = {
    "submit_task": SingleTasks.submit_task,
    "wait_for_task": SingleTasks.wait_for_task,
    "get_task_status": SingleTasks.get_task_status,
}
