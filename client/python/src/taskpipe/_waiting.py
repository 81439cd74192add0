"""States of many tasks, and waiting for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from taskpipe import _arguments, _shapes
from taskpipe._deadline import Deadline, interval_of
from taskpipe._errors import CallTimeout, TaskCancelled, invalid
from taskpipe._shapes import StatusDict
from taskpipe._single_tasks import OWN, SingleTasks, StatusCallback
from taskpipe._watching import Followed, follow

# How often a replaced get_task_status is asked where the caller gives no interval, in seconds.
_POLL_S: Final = 0.1


class Waiting(SingleTasks):
    """What ``TaskPipeline`` does with several tasks that were submitted."""

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


OWN["get_workflow_status"] = Waiting.get_workflow_status
