"""The interface for agents: submit, monitor, wait, cancel, with plain dicts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from taskpipe import _arguments, _native, _shapes
from taskpipe._deadline import Deadline, interval_of
from taskpipe._errors import (
    BatchRefused,
    CallTimeout,
    TaskCancelled,
    invalid,
    simplest,
    with_earlier,
)
from taskpipe._shapes import StatusDict
from taskpipe._single_tasks import OWN, SingleTasks, StatusCallback
from taskpipe._types import Task
from taskpipe._watching import Followed, follow

_log = logging.getLogger("taskpipe")
_OPTION_FIELDS: Final = tuple(
    name for name in Task.__dataclass_fields__ if name not in ("tool", "script", "params", "after")
)
# How often a replaced get_task_status is asked where the caller gives no interval, in seconds.
_POLL_S: Final = 0.1


class TaskPipeline(SingleTasks):
    """Simulation tasks for agents: submit, monitor, wait, cancel; alone or as workflows.

    Making one connects to nothing; the first call does. Every method may be called from any
    thread. Ends and changes are pushed by the broker, nothing polls. Where a subclass, an attribute
    of the object or a test replaces one of the public single-task methods, the methods that are
    made of it go through the replacement.

    Status dicts have ``task_id``, ``state`` (one of ``TaskStatus``), ``ready``, and ``successful``
    and ``failed``, which are None until the task has ended; while it runs also ``progress`` (0 to
    100), ``tool`` and ``script``; once it has ended ``result``, or ``error``, or both.

    Result dicts have ``status`` ("success", "failed", "timeout", "error"), ``tool``, ``script``,
    ``params``, ``returncode``, ``stdout`` and ``stderr`` (their ends), ``artifacts`` (paths),
    ``artifact_details``, ``resource_usage``, ``duration_seconds``, ``error`` where there is one,
    and ``value`` where a handler returned one.

    Example:
        >>> pipeline = TaskPipeline()
        >>> task_id = pipeline.submit_task("fenicsx", "poisson.py", {"mesh_size": 64})
        >>> pipeline.wait_for_task(task_id, timeout=300)["status"]
        'success'
    """

    def submit_workflow(
        self, tasks: Iterable[Mapping[str, Any]], sequential: bool = True
    ) -> list[str]:
        """Submits several tasks as one workflow: all of them or none.

        Args:
            tasks: Dicts with ``tool``, ``script``, ``params`` and further fields of ``Task``.
            sequential: True: each starts after the one before it has ended, however it ended (a
                failure is logged), and the call returns when all have. False: all at once, and the
                call returns at once.

        Returns:
            The ids in the order of ``tasks``.

        Raises:
            ValueError: A task lacks the tool or the script, or is otherwise unacceptable.
            BrokerUnreachable: There is no broker.
        """
        made = _shapes.tasks_of(tasks)
        if not made:
            return []
        if self._replaced("submit_task", "wait_for_task"):
            return self._submit_singly(made, sequential)
        if sequential:
            made = [
                replace(task, after=(index - 1,) if index else ())
                for index, task in enumerate(made)
            ]
        task_ids = self._client.submit_workflow(made).task_ids
        for task_id, task in zip(task_ids, made, strict=True):
            self._track(task_id, task)
        if sequential:
            for result in self._client.as_completed(task_ids):
                if not result.succeeded:
                    _log.warning(
                        "task %s ended in %s: %s", result.task_id, result.state, result.reason
                    )
        return task_ids

    def get_workflow_status(self, task_ids: Iterable[str]) -> dict[str, Any]:
        """How far several tasks have come.

        Args:
            task_ids: Their ids.

        Returns:
            ``total``, ``completed`` (successfully), ``failed`` (otherwise), ``running``,
            ``pending``, ``all_complete``, and ``tasks``: the status of each by id.

        Raises:
            UnknownTask: One does not exist.
        """
        ids = self._ids_of(task_ids)
        return _shapes.workflow_status(ids, self._statuses(ids))

    def wait_for_workflow(
        self,
        task_ids: Iterable[str],
        timeout: float | None = None,
        callback: StatusCallback | None = None,
        poll_interval: float = 2.0,
    ) -> dict[str, Any]:
        """Waits until all tasks have ended.

        Args:
            task_ids: Their ids.
            timeout: In seconds, for all of them; None: without limit.
            callback: Called in this thread with the workflow's status after changes; those that
                come while it runs are told together.
            poll_interval: Longest silence in seconds: then the callback is called again.

        Returns:
            The final status of the workflow.

        Raises:
            TimeoutError: Not all have ended in time; they go on.
            UnknownTask: One does not exist.
        """
        ids = self._ids_of(task_ids)
        interval_s = interval_of(poll_interval)
        deadline = Deadline(timeout, "Workflow did not complete within {} seconds")
        polls = self._replaced("get_task_status", "get_workflow_status")
        if self._replaced("wait_for_task") and not (polls and callback is not None):
            self._wait_for_each(ids, deadline)  # then what follows finds them ended
        if polls:
            return self._poll_workflow(ids, deadline, callback, interval_s)
        if callback is not None:
            return self._watch_workflow(ids, deadline, callback, interval_s)
        if not all(info.ready for info in self._client.statuses(ids)):
            deadline.check()
            try:
                self._client.wait_all(ids, timeout=deadline.left())
            except CallTimeout as error:
                raise deadline.error() from error
        return self.get_workflow_status(ids)

    def submit_batch_workflow(
        self,
        tasks: Iterable[Mapping[str, Any]],
        batch_size: int | None = None,
        callback: StatusCallback | None = None,
    ) -> list[str]:
        """Submits many independent tasks in batches.

        Args:
            tasks: Dicts as for ``submit_workflow``.
            batch_size: Tasks per batch; None: all in one.
            callback: Called after each batch with ``batch_num`` (from 1), ``batch_size``,
                ``submitted`` (so far), ``total`` and ``task_ids`` (of this batch).

        Returns:
            The ids in the order of ``tasks``.

        Raises:
            ValueError: A task or the batch size is unacceptable; nothing was accepted.
            Refused: No connected worker could ever run them.
            BrokerUnreachable: There is no broker.
            BatchRefused: Some tasks were accepted, in this batch or in earlier ones, and some were
                not; it says which and why. Later batches were not sent.
        """
        made = _shapes.tasks_of(tasks)
        if batch_size is not None:
            _arguments.count("batch_size", batch_size, 2**32, 1)
        requests = _arguments.requests(made)  # all of them, before the first is sent
        step = batch_size or max(1, len(made))
        task_ids: list[str] = []
        for number, start in enumerate(range(0, len(made), step), 1):
            batch = slice(start, start + step)
            submitted = self._submit_batch(made[batch], requests[batch], task_ids)
            task_ids += submitted
            if callback is not None:
                callback(
                    {
                        "batch_num": number,
                        "batch_size": len(submitted),
                        "submitted": len(task_ids),
                        "total": len(made),
                        "task_ids": submitted,
                    }
                )
        return task_ids

    def parameter_sweep(
        self,
        tool: str,
        script: str,
        param_grid: Mapping[str, Sequence[Any]],
        callback: StatusCallback | None = None,
    ) -> list[str]:
        """Submits one task for every combination of parameters.

        Args:
            tool: What runs them.
            script: Which script.
            param_grid: The values of each parameter; the last one varies fastest.
            callback: As for ``submit_batch_workflow``.

        Returns:
            The ids, in the order of ``itertools.product``. No ids where a parameter has no values:
            there is no combination.

        Raises:
            ValueError: The grid is no dict of lists, a value is unacceptable, or there are more
                than a million combinations; nothing was accepted.
            BatchRefused: As ``submit_batch_workflow``; so are the others.
        """
        _arguments.text("tool", tool)
        _arguments.text("script", script)
        tasks = [
            {"tool": tool, "script": script, "params": params}
            for params in _shapes.sweep_combinations(param_grid)
        ]
        return self.submit_batch_workflow(tasks, callback=callback)

    def wait_for_any(self, task_ids: Iterable[str], timeout: float | None = None) -> dict[str, Any]:
        """Waits for the first task that has ended or ends.

        Args:
            task_ids: At least one id.
            timeout: In seconds; None: without limit.

        Returns:
            ``task_id`` and ``status``, its status.

        Raises:
            ValueError: There are no ids.
            TimeoutError: No task completed within the timeout.
            UnknownTask: One does not exist.
        """
        ids = self._ids_of(task_ids)
        if not ids:
            raise invalid("task_ids", "is empty; there is nothing to wait for")
        deadline = Deadline(timeout, "No task completed within {} seconds")
        while self._replaced("get_task_status"):
            for task_id in ids:
                status = self.get_task_status(task_id)
                if status["ready"]:
                    return {"task_id": task_id, "status": status}
            deadline.sleep(_POLL_S)
        for info in self._client.statuses(ids):
            if info.ready:
                return {"task_id": info.task_id, "status": self.get_task_status(info.task_id)}
        deadline.check()
        try:
            first = self._client.wait_any(ids, timeout=deadline.left()).task_id
        except CallTimeout as error:
            raise deadline.error() from error
        return {"task_id": first, "status": self.get_task_status(first)}

    def get_parallel_execution_stats(self, task_ids: Iterable[str]) -> dict[str, Any]:
        """How well several tasks ran side by side.

        Args:
            task_ids: Their ids.

        Returns:
            ``total_tasks``, ``completed``, ``failed``, ``running``, ``pending``;
            ``total_duration``, ``avg_duration`` and ``max_duration`` in seconds of those that
            ended; ``speedup`` (total over longest) and ``efficiency`` (speedup over tasks).

        Raises:
            UnknownTask: One does not exist.
        """
        if self._replaced("get_task_status", "get_workflow_status"):
            return _shapes.parallel_stats(self.get_workflow_status(task_ids))
        ids = self._ids_of(task_ids)
        statuses = self._fetch_statuses(ids, with_params=False)
        return _shapes.parallel_stats(_shapes.workflow_status(ids, statuses))

    # --- How

    def _ids_of(self, task_ids: Iterable[str]) -> list[str]:
        """Each once. What is an id is the replacement's business where there is one."""
        if self._replaced("get_task_status", "wait_for_task", "get_workflow_status"):
            listed = _arguments.texts("task_ids", task_ids)
        else:
            listed = _arguments.task_ids(task_ids)
        return list(dict.fromkeys(listed))

    def _statuses(self, ids: Sequence[str]) -> list[StatusDict]:
        if self._replaced("get_task_status"):
            return [self.get_task_status(task_id) for task_id in ids]
        return self._fetch_statuses(ids)

    def _submit_batch(
        self,
        tasks: Sequence[Task],
        requests: Sequence[_native.Request],
        earlier: Sequence[str],
    ) -> list[str]:
        """One batch; ``earlier`` ids belong to the tasks of the call before it."""
        if self._replaced("submit_task"):
            return [self._submit_one(task) for task in tasks]
        try:
            task_ids = self._client._native.submit_batch(requests)
        except BatchRefused as refused:
            for index, (task_id, task) in enumerate(zip(refused.task_ids, tasks, strict=True)):
                if index not in refused.errors:
                    self._track(task_id, task)
            error = simplest(with_earlier(refused, earlier))
        else:
            for task_id, task in zip(task_ids, tasks, strict=True):
                self._track(task_id, task)
            return task_ids
        raise error

    def _submit_one(self, task: Task) -> str:
        defaults = Task(task.tool)
        options = {
            name: getattr(task, name)
            for name in _OPTION_FIELDS
            if getattr(task, name) != getattr(defaults, name)
        }
        return self.submit_task(
            tool=task.tool, script=task.script, params=dict(task.params or {}), **options
        )

    def _submit_singly(self, tasks: Sequence[Task], sequential: bool) -> list[str]:
        task_ids = []
        for task in tasks:
            task_id = self._submit_one(task)
            task_ids.append(task_id)
            if not sequential:
                continue
            try:
                result = self.wait_for_task(task_id)
            except TaskCancelled as error:  # anything else is no end of the task
                _log.warning("task %s: %s", task_id, error)
                continue
            if isinstance(result, Mapping) and result.get("status", "success") != "success":
                _log.warning("task %s: %s", task_id, result.get("error", result["status"]))
        return task_ids

    def _wait_for_each(self, ids: Sequence[str], deadline: Deadline) -> None:
        for task_id in ids:
            try:
                self.wait_for_task(task_id, timeout=deadline.left())
            except TaskCancelled:
                continue  # which is an end as well
            except TimeoutError:
                if deadline.left() is None:
                    raise
                return  # the caller sees who has ended, and that no time is left

    def _poll_workflow(
        self,
        ids: Sequence[str],
        deadline: Deadline,
        callback: StatusCallback | None,
        interval_s: float,
    ) -> dict[str, Any]:
        while True:
            status = self.get_workflow_status(ids)
            if callback is not None:
                callback(status)
            if status["all_complete"]:
                return status
            deadline.sleep(interval_s)

    def _watch_workflow(
        self,
        ids: Sequence[str],
        deadline: Deadline,
        callback: StatusCallback,
        interval_s: float,
    ) -> dict[str, Any]:
        followed = Followed(ids, self._fetch_statuses)
        status = followed.status()
        callback(status)
        if status["all_complete"]:
            return status
        with self._client.events(ids) as events:
            while not status["all_complete"]:
                follow(followed, events, deadline, interval_s)
                status = followed.status()
                callback(status)
        return status


OWN["get_workflow_status"] = TaskPipeline.get_workflow_status
