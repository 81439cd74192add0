"""Submitting many tasks: workflows, batches, sweeps."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from taskpipe import _arguments, _native, _shapes
from taskpipe._errors import BatchRefused, TaskCancelled, simplest, with_earlier
from taskpipe._single_tasks import SingleTasks, StatusCallback
from taskpipe._types import Task

_log = logging.getLogger("taskpipe")
_OPTION_FIELDS: Final = tuple(
    name for name in Task.__dataclass_fields__ if name not in ("tool", "script", "params", "after")
)


class Batches(SingleTasks):
    """What ``TaskPipeline`` submits in one go."""

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

    # --- How

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
