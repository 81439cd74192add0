"""From the dicts of the extension module to the classes of ``_types``."""

from __future__ import annotations

from typing import Any

from taskpipe._cluster import Health, Resources, Tool, Worker
from taskpipe._errors import TaskpipeError
from taskpipe._types import (
    Artifact,
    EventBatch,
    PastAttempt,
    StreamChanges,
    TaskEvent,
    TaskInfo,
    TaskResult,
    Usage,
    WorkerEvent,
    WorkflowEvent,
)

Record = dict[str, Any]


def task_result(record: Record) -> TaskResult:
    """A TaskResult. The record is used up."""
    record["artifacts"] = tuple(Artifact(**artifact) for artifact in record["artifacts"])
    record["usage"] = Usage(**record["usage"])
    return TaskResult(**record)


def ended_task(record: Record | None, error: BaseException | None) -> TaskResult:
    """The result of a wait, or its error, raised. The record is used up."""
    if record is None:
        assert error is not None
        raise error
    return task_result(record)


def result_or_error(
    record: Record | None, error: BaseException | None
) -> TaskResult | TaskpipeError:
    """The result of a run, or its error. The record is used up."""
    if record is None:
        assert isinstance(error, TaskpipeError)
        return error
    return task_result(record)


def task_info(record: Record) -> TaskInfo:
    """A TaskInfo. The record is used up."""
    record["attempts"] = tuple(_past_attempt(attempt) for attempt in record["attempts"])
    return TaskInfo(**record)


def _past_attempt(record: Record) -> PastAttempt:
    record["usage"] = Usage(**record["usage"])
    return PastAttempt(**record)


def event_batch(record: Record) -> EventBatch:
    """An EventBatch."""
    return EventBatch(
        topic=record["topic"],
        gap=record["gap"],
        tasks=tuple(TaskEvent(**event) for event in record["tasks"]),
        workflows=tuple(WorkflowEvent(**event) for event in record["workflows"]),
        workers=tuple(WorkerEvent(**event) for event in record["workers"]),
    )


def stream_changes(record: Record) -> StreamChanges:
    """A StreamChanges."""
    return StreamChanges(
        seq=record["seq"],
        tasks=tuple(TaskEvent(**event) for event in record["tasks"]),
        workflows=tuple(WorkflowEvent(**event) for event in record["workflows"]),
        resynchronised=record["resynchronised"],
        first_page=record["first_page"],
    )


def tool(record: Record) -> Tool:
    """A Tool. The record is used up."""
    record["scripts"] = tuple(record["scripts"])
    return Tool(**record)


def worker(record: Record) -> Worker:
    """A Worker. The record is used up."""
    record["total"] = Resources(**record["total"])
    record["free"] = Resources(**record["free"])
    record["tools"] = tuple(record["tools"])
    return Worker(**record)


def health(record: Record) -> Health:
    """A Health. The record is used up."""
    record["warnings"] = tuple(record["warnings"])
    return Health(**record)
