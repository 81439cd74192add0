"""Submit simulations to a taskpipe broker, wait for them, watch them, cancel them.

``TaskPipeline`` is the interface for agents, with plain dicts; ``Client`` is what stands below it,
with typed values and every option; ``AsyncClient`` is the same for asyncio.

    from taskpipe import TaskPipeline

    pipeline = TaskPipeline()
    task_id = pipeline.submit_task("fenicsx", "poisson.py", {"mesh_size": 64})
    result = pipeline.wait_for_task(task_id, timeout=300)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskpipe import _native
from taskpipe._client import Client
from taskpipe._cluster import Connection, Health, Resources, Tool, Worker
from taskpipe._connection import DEFAULT_BROKER
from taskpipe._errors import (
    BatchRefused,
    BrokerUnreachable,
    CallStopped,
    CallTimeout,
    ClientClosed,
    HealthCheckFailed,
    InvalidArgument,
    Refused,
    TaskCancelled,
    TaskpipeError,
    UnknownTask,
)
from taskpipe._pipeline import TaskPipeline
from taskpipe._types import (
    Artifact,
    EventBatch,
    LogChunk,
    PastAttempt,
    Retry,
    StreamChanges,
    Task,
    TaskEvent,
    TaskInfo,
    TaskResult,
    TaskStatus,
    Usage,
    WorkerEvent,
    WorkflowEnd,
    WorkflowEvent,
    WorkflowReceipt,
)

if TYPE_CHECKING:
    from taskpipe._async_client import AsyncClient

__version__ = _native.VERSION

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """AsyncClient on first use: asyncio is most of the time that an import would take."""
        if name == "AsyncClient":
            from taskpipe._async_client import AsyncClient  # noqa: PLC0415

            return AsyncClient
        raise AttributeError(f"module 'taskpipe' has no attribute {name!r}")


__all__ = [
    "DEFAULT_BROKER",
    "Artifact",
    "AsyncClient",
    "BatchRefused",
    "BrokerUnreachable",
    "CallStopped",
    "CallTimeout",
    "Client",
    "ClientClosed",
    "Connection",
    "EventBatch",
    "Health",
    "HealthCheckFailed",
    "InvalidArgument",
    "LogChunk",
    "PastAttempt",
    "Refused",
    "Resources",
    "Retry",
    "StreamChanges",
    "Task",
    "TaskCancelled",
    "TaskEvent",
    "TaskInfo",
    "TaskPipeline",
    "TaskResult",
    "TaskStatus",
    "TaskpipeError",
    "Tool",
    "UnknownTask",
    "Usage",
    "Worker",
    "WorkerEvent",
    "WorkflowEnd",
    "WorkflowEvent",
    "WorkflowReceipt",
    "__version__",
]
