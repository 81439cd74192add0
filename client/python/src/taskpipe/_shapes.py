"""The dicts that ``TaskPipeline`` returns, made from the client's values."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from taskpipe import _native
from taskpipe._arguments import text
from taskpipe._errors import invalid
from taskpipe._types import TERMINAL_STATES, Task, TaskEvent, TaskInfo, TaskResult, TaskStatus

StatusDict = dict[str, Any]

_STATUS_WORDS = {
    TaskStatus.SUCCESS: "success",
    TaskStatus.FAILURE: "failed",
    TaskStatus.TIMEOUT: "timeout",
    TaskStatus.ERROR: "error",
    TaskStatus.CANCELLED: "cancelled",
}


def result_dict(
    result: TaskResult, tool: str, script: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """The result of a task.

    Args:
        result: How it ended.
        tool: What ran it.
        script: Which script.
        params: What it was submitted with.
    """
    shape: dict[str, Any] = {
        "status": _STATUS_WORDS[result.state],
        "tool": tool,
        "script": script,
        "params": dict(params),
        "returncode": result.returncode,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "artifacts": [artifact.path for artifact in result.artifacts],
        "artifact_details": [
            {
                "name": artifact.name,
                "path": artifact.path,
                "size": artifact.size_bytes,
                "sha256": artifact.sha256,
                "stored": artifact.stored,
                "shared": artifact.shared,
                **({"problem": artifact.problem} if artifact.problem else {}),
            }
            for artifact in result.artifacts
        ],
        "resource_usage": {
            "wall_seconds": result.usage.wall_s,
            "user_seconds": result.usage.user_s,
            "system_seconds": result.usage.system_s,
            "max_rss_bytes": result.usage.max_rss_bytes,
        },
        "duration_seconds": result.usage.wall_s,
    }
    if result.value is not None:
        shape["value"] = result.value
    if not result.succeeded:
        shape["error"] = result.reason
    return shape


def _status(task_id: str, state: str) -> StatusDict:
    ready = state in TERMINAL_STATES
    return {
        "task_id": task_id,
        "state": state,
        "ready": ready,
        "successful": state == TaskStatus.SUCCESS if ready else None,
        "failed": state != TaskStatus.SUCCESS if ready else None,
    }


def live_status(info: TaskInfo | TaskEvent) -> StatusDict:
    """The status of a task that has not ended."""
    status = _status(info.task_id, info.state)
    if info.state == TaskStatus.RUNNING:
        status["progress"] = info.progress if info.progress is not None else 0
        status["tool"] = info.tool
        status["script"] = info.script
    return status


def ended_status(info: TaskInfo, result: dict[str, Any] | None) -> StatusDict:
    """The status of an ended task; ``result`` is None for a cancelled one."""
    status = _status(info.task_id, info.state)
    if result is not None:
        status["result"] = result
    if info.state != TaskStatus.SUCCESS:
        error = info.message if result is None else result["error"]
        status["error"] = error or "the task was cancelled"
    return status


def workflow_status(task_ids: Sequence[str], statuses: Sequence[StatusDict]) -> dict[str, Any]:
    """Counts of the given statuses, which belong to ``task_ids`` in their order."""
    counts = {"completed": 0, "failed": 0, "running": 0, "pending": 0}
    for status in statuses:
        if status["ready"]:
            counts["completed" if status["successful"] else "failed"] += 1
        elif status["state"] == TaskStatus.RUNNING:
            counts["running"] += 1
        else:
            counts["pending"] += 1
    return {
        "total": len(task_ids),
        **counts,
        "all_complete": counts["completed"] + counts["failed"] == len(task_ids),
        "tasks": dict(zip(task_ids, statuses, strict=True)),
    }


def parallel_stats(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """How well the tasks of a workflow status ran side by side; durations in seconds."""
    durations = []
    for status in workflow["tasks"].values():
        result = status.get("result")
        if isinstance(result, Mapping) and result.get("duration_seconds") is not None:
            durations.append(result["duration_seconds"])
    total, longest = sum(durations), max(durations, default=0.0)
    speedup = total / longest if longest > 0 else 1.0
    return {
        "total_tasks": workflow["total"],
        **{name: workflow[name] for name in ("completed", "failed", "running", "pending")},
        "total_duration": total,
        "avg_duration": total / len(durations) if durations else 0.0,
        "max_duration": longest,
        "speedup": speedup,
        "efficiency": speedup / workflow["total"] if workflow["total"] else 0.0,
    }


def tasks_of(tasks: object) -> list[Task]:
    """Tasks as callers describe them: dicts with tool, script, params and fields of ``Task``.

    Raises:
        InvalidArgument: One lacks the tool or the script, or has an unknown field.
    """
    if isinstance(tasks, (str, bytes, Mapping)) or not hasattr(tasks, "__iter__"):
        raise invalid("tasks", f"must be a list of dicts, not {type(tasks).__name__}")
    made = []
    for index, task in enumerate(tasks):
        place = f"tasks[{index}]"
        if not isinstance(task, Mapping):
            raise invalid(place, f"must be a dict, not {type(task).__name__}")
        if "tool" not in task or "script" not in task:
            raise invalid(place, "must have both 'tool' and 'script'")
        text(f"{place}['tool']", task["tool"])
        text(f"{place}['script']", task["script"])
        unknown = [key for key in task if key not in Task.__dataclass_fields__ or key == "after"]
        if unknown:
            raise invalid(f"{place}[{unknown[0]!r}]", "is no field of a task")
        made.append(Task(**task))
    return made


def sweep_combinations(param_grid: object) -> list[dict[str, Any]]:
    """The params of each task of a sweep; the last parameter varies fastest.

    Raises:
        InvalidArgument: The grid is no dict of lists, or has too many combinations.
    """
    if not isinstance(param_grid, Mapping):
        raise invalid("param_grid", f"must be a dict, not {type(param_grid).__name__}")
    values: list[list[Any]] = []
    total = 1
    for key, choices in param_grid.items():
        if isinstance(choices, (str, bytes)) or not isinstance(choices, Iterable):
            place = f"param_grid[{key!r}]"
            raise invalid(place, f"must be a list of values, not {type(choices).__name__}")
        # Bounded: it may be a generator without an end.
        values.append(list(itertools.islice(choices, _native.MAX_SWEEP_TASKS + 1)))
        total *= len(values[-1])
        if total > _native.MAX_SWEEP_TASKS:
            text = f"has more than {_native.MAX_SWEEP_TASKS} combinations; split it"
            raise invalid("param_grid", text)
    return [
        dict(zip(param_grid, combination, strict=True))
        for combination in itertools.product(*values)
    ]
