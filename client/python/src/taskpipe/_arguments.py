"""Checks of arguments, all before anything is sent. Each names the argument that is wrong."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskpipe import _native
from taskpipe._errors import invalid
from taskpipe._types import RETRYABLE_FAILURES, Retry, Task

_MAX_INT32 = 2**31 - 1
_MAX_UINT32 = 2**32 - 1
_MAX_UINT64 = 2**64 - 1
_ID = re.compile(r"[0-9a-fA-F]{32}")


def text(field: str, value: object) -> str:
    """A str that has a UTF-8 form."""
    if not isinstance(value, str):
        raise invalid(field, f"must be a str, not {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(field, "has lone surrogates, which have no UTF-8 form") from None
    return value


def count(field: str, value: object, largest: int, smallest: int = 0) -> int:
    """A whole number within its range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, f"must be an int, not {type(value).__name__}")
    if not smallest <= value <= largest:
        raise invalid(field, f"is {value}; it must be between {smallest} and {largest}")
    return value


def seconds(field: str, value: object) -> float:
    """A duration that is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(field, f"must be a number of seconds, not {type(value).__name__}")
    if math.isnan(value) or value < 0:
        raise invalid(field, f"is {value}; it must not be negative")
    if value * 1000 > _native.MAX_CALL_TIMEOUT_MS:
        raise invalid(field, f"is {value}; it must be at most ten years")
    return float(value)


def timeout_ms(value: object, field: str = "timeout") -> int | None:
    """Milliseconds, rounded up; None for no limit, as is infinity."""
    if value is None or value == math.inf:
        return None
    return math.ceil(seconds(field, value) * 1000)


def texts(field: str, values: object) -> list[str]:
    """Strs as a list. A str alone is refused: it would count as a list of characters."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise invalid(field, f"must be an iterable of str, not {type(values).__name__}")
    return [text(f"{field}[{index}]", value) for index, value in enumerate(values)]


def id_text(value: object, field: str = "task_id") -> str:
    """An id as text. Whether something has this id is another question."""
    value = text(field, value)
    if _ID.fullmatch(value) is None:
        raise invalid(field, f"{value!r} is no id: ids are 32 hex digits")
    return value


def task_ids(values: object) -> list[str]:
    """Ids as a list; the one that is none is named by its place."""
    listed = texts("task_ids", values)
    return [id_text(value, f"task_ids[{index}]") for index, value in enumerate(listed)]


def distinct_ids(values: object) -> list[str]:
    """Each once, in the order of first mention."""
    return list(dict.fromkeys(task_ids(values)))


def some_ids(values: object) -> list[str]:
    """At least one."""
    listed = task_ids(values)
    if not listed:
        raise invalid("task_ids", "is empty; there is nothing to wait for")
    return listed


def one_or_more_ids(values: object) -> list[str]:
    """One id, or several."""
    return [id_text(values)] if isinstance(values, str) else task_ids(values)


def _mapping(field: str, value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise invalid(field, f"must be a dict, not {type(value).__name__}")
    return value


def _limits(task: Task, prefix: str) -> dict[str, object]:
    options: dict[str, object] = {}
    for name, instead in (
        ("run_time", "the tool's own limit"),
        ("queue_time", "a task that waits as long as it takes"),
        ("no_progress", "a task that may be silent"),
    ):
        value = getattr(task, f"{name}_s")
        if value is None:
            continue
        field = f"{prefix}{name}_s"
        limit_ms = math.ceil(seconds(field, value) * 1000)
        if limit_ms == 0:
            raise invalid(field, f"is 0; leave it out for {instead}")
        if name != "run_time" and limit_ms > _native.MAX_WAIT_MS:
            raise invalid(field, f"is {value}; it must be at most a year")
        options[f"{name}_ms"] = limit_ms
    if task.grace_s is not None:
        field = prefix + "grace_s"
        options["grace_ms"] = math.ceil(seconds(field, task.grace_s) * 1000)
        count(field, options["grace_ms"], _MAX_UINT32)
    return options


def _retry(retry: object, prefix: str) -> dict[str, object]:
    if not isinstance(retry, Retry):
        raise invalid(prefix + "retry", f"must be a Retry, not {type(retry).__name__}")
    place = prefix + "retry."
    failures = texts(place + "on", retry.on)
    for index, name in enumerate(failures):
        if name not in RETRYABLE_FAILURES:
            choices = ", ".join(RETRYABLE_FAILURES)
            raise invalid(f"{place}on[{index}]", f"is {name!r}; it must be one of {choices}")
    options: dict[str, object] = {
        "max_attempts": count(
            place + "max_attempts", retry.max_attempts, _native.MAX_TASK_ATTEMPTS, 1
        ),
        "retry_on": failures,
    }
    for name in ("backoff", "max_backoff"):
        field = f"{place}{name}_s"
        wait_ms = math.ceil(seconds(field, getattr(retry, f"{name}_s")) * 1000)
        if wait_ms > _native.MAX_BACKOFF_MS:
            raise invalid(field, f"is {getattr(retry, f'{name}_s')}; it must be at most a day")
        options[f"{name}_ms"] = wait_ms
    if retry.backoff_s > retry.max_backoff_s:
        raise invalid(place + "backoff_s", "is more than max_backoff_s, the longest wait")
    if retry.max_worker_losses is not None:
        options["max_worker_losses"] = count(
            place + "max_worker_losses", retry.max_worker_losses, _native.MAX_TASK_WORKER_LOSSES
        )
    return options


def _inputs(inputs: object, prefix: str) -> list[tuple[str, str]]:
    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        raise invalid(prefix + "inputs", f"must be a list of paths, not {type(inputs).__name__}")
    files = []
    for index, value in enumerate(inputs):
        field = f"{prefix}inputs[{index}]"
        path, name = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
        if not isinstance(path, (str, os.PathLike)):
            raise invalid(field, "must be a path, or a pair of path and name")
        path = text(field, os.fspath(path))
        files.append((path, Path(path).name if name is None else text(field, name)))
    return files


def request(task: Task, prefix: str = "") -> _native.Request:
    """The request for a task.

    Args:
        task: What to submit.
        prefix: What the names of its fields start with in errors, such as ``"tasks[3]."``.

    Raises:
        InvalidArgument: A field has an unacceptable value.
    """
    options = _limits(task, prefix)
    if task.retry is not None:
        options.update(_retry(task.retry, prefix))
    if task.priority:
        options["priority"] = count(prefix + "priority", task.priority, _MAX_INT32, -_MAX_INT32 - 1)
    for name, largest in (("cpus", _MAX_UINT32), ("gpus", _MAX_UINT32)):
        if getattr(task, name):
            options[name] = count(prefix + name, getattr(task, name), largest)
    if task.memory_bytes:
        options["memory_bytes"] = count(prefix + "memory_bytes", task.memory_bytes, _MAX_UINT64)
    if task.resources:
        options["named"] = {
            text(prefix + "resources", name): count(
                f"{prefix}resources[{name!r}]", amount, _MAX_UINT64
            )
            for name, amount in _mapping(prefix + "resources", task.resources).items()
        }
    if task.labels:
        options["labels"] = {
            text(prefix + "labels", key): text(f"{prefix}labels[{key!r}]", value)
            for key, value in _mapping(prefix + "labels", task.labels).items()
        }
    if task.inline_script:
        options["inline_script"] = text(prefix + "inline_script", task.inline_script)
    if task.inputs:
        options["inputs"] = _inputs(task.inputs, prefix)
    if task.wait_for_capacity:
        options["wait_for_capacity"] = True
    if task.task_id is not None:
        options["task_id"] = id_text(task.task_id, prefix + "task_id")
    params = task.params
    if params is not None and not isinstance(params, dict):
        params = dict(_mapping(prefix + "params", params))
    return _native.Request(
        text(prefix + "tool", task.tool), text(prefix + "script", task.script), params, **options
    )


def single_request(
    tool: str, script: str, params: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> _native.Request:
    """The request of a task that is submitted alone; ``options`` are further fields of ``Task``."""
    task = Task(tool, script, params, **options)
    if task.after:
        raise invalid("after", "has a meaning in workflows only")
    return request(task)


def requests(tasks: Iterable[Task]) -> list[_native.Request]:
    """The requests of a batch.

    Raises:
        InvalidArgument: A field has an unacceptable value; it is named with the task's index.
    """
    made = []
    for index, task in enumerate(tasks):
        if not isinstance(task, Task):
            raise invalid(f"tasks[{index}]", f"must be a Task, not {type(task).__name__}")
        try:
            made.append(request(task, f"tasks[{index}]."))
        except ValueError as error:
            field = getattr(error, "field", None) or ""
            if field.startswith("tasks["):
                raise
            raise invalid(
                f"tasks[{index}].{field}", str(error).removeprefix(field).lstrip()
            ) from None
    return made
