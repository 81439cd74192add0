"""The interface for agents: submit, monitor, wait, cancel, with plain dicts."""

from __future__ import annotations

from taskpipe._batches import Batches
from taskpipe._waiting import Waiting


class TaskPipeline(Batches, Waiting):
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
