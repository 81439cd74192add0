"""What goes in and what comes out. Plain immutable values: they compare, print and pickle."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TERMINAL_STATES: Final = frozenset({"SUCCESS", "FAILURE", "timeout", "error", "REVOKED"})


class TaskStatus:
    """The states of a task, as constants; ``state`` is one of these everywhere."""

    PENDING: Final = "PENDING"  #: waits for its turn, a worker or a task before it
    RUNNING: Final = "RUNNING"  #: a worker has begun it
    SUCCESS: Final = "SUCCESS"  #: the tool ended well
    FAILURE: Final = "FAILURE"  #: the tool failed, by exit code, signal or lack of memory
    TIMEOUT: Final = "timeout"  #: ran longer than it may
    ERROR: Final = "error"  #: it could not start, or lost its workers too often
    CANCELLED: Final = "REVOKED"  #: on request


RETRYABLE_FAILURES: Final = ("exit", "signal", "oom", "timeout", "spawn", "rejected")


@dataclass(frozen=True)
class Retry:
    """Whether and when a failed attempt is followed by another.

    An attempt that was lost with its worker did not fail: it is repeated at once, and counted
    apart. The wait after the n-th failed attempt is ``min(max_backoff_s, backoff_s * 2**(n-1))``,
    of which the second half is scattered.

    Attributes:
        max_attempts: How many attempts may fail, 1 to 100; 1: the first failure is final.
        on: Which failures are tried again: exit, signal, oom, timeout, spawn, rejected.
        backoff_s: Seconds before the second attempt; doubles with each further one.
        max_backoff_s: The longest wait in seconds, at most a day.
        max_worker_losses: How often it may be lost with its worker, 0 to 100; one more loss ends
            it in state "error". None: the broker's own bound.
    """

    max_attempts: int
    on: Collection[str] = ("exit", "signal", "oom", "timeout", "spawn")
    backoff_s: float = 1.0
    max_backoff_s: float = 60.0
    max_worker_losses: int | None = None


@dataclass(frozen=True)
class Task:
    """One task of a batch or a workflow. ``Client.submit`` has the same options.

    Attributes:
        tool: What runs it; see ``Client.tools``.
        script: A name in the tool's script folders, or the inline script's name.
        params: Reach the tool as ``SIM_<KEY>``; None, bool, int of 64 bits, finite float, str,
            bytes, list, tuple and dict with str keys.
        priority: Larger runs earlier.
        cpus: CPUs it needs; 0 means 1.
        gpus: GPUs it needs.
        memory_bytes: Memory it needs, in bytes; also its limit.
        resources: Amounts of named resources, such as ``{"license.abaqus": 1}``.
        run_time_s: Longest run, in seconds; then it ends in state "timeout". None: the tool's own.
        grace_s: Seconds between SIGTERM and SIGKILL when it must stop. None: five.
        labels: For people and listings.
        inline_script: The script's text, which travels with the task. Empty: the worker's file.
        inputs: Files of this host that the task finds in its directory: paths, or pairs of path and
            name there. Sent only if the broker does not have them yet.
        wait_for_capacity: Wait, rather than be refused, while no worker could run it.
        retry: Whether and when a failed attempt is followed by another. None: the first failure is
            final.
        queue_time_s: Longest wait for a worker, in seconds, once what it depends on has ended; then
            it ends in state "timeout". None: as long as it takes.
        no_progress_s: Longest silence, in seconds: an attempt that writes nothing and reports
            nothing for longer is stopped, with failure "timeout". None: it may be silent.
        task_id: Only to repeat a submit. None: a new id.
        after: Of a workflow: indices of the tasks that must have ended before.
    """

    tool: str
    script: str = ""
    params: Mapping[str, Any] | None = None
    priority: int = 0
    cpus: int = 0
    gpus: int = 0
    memory_bytes: int = 0
    resources: Mapping[str, int] = field(default_factory=dict)
    run_time_s: float | None = None
    grace_s: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    inline_script: str = ""
    wait_for_capacity: bool = False
    retry: Retry | None = None
    queue_time_s: float | None = None
    no_progress_s: float | None = None
    task_id: str | None = None
    after: Sequence[int] = ()
    inputs: Sequence[str | os.PathLike[str] | tuple[str | os.PathLike[str], str]] = ()


@dataclass(frozen=True)
class WorkflowReceipt:
    """An accepted workflow: its id, and those of its tasks in the order of the request."""

    workflow_id: str  #: 32 hex digits
    task_ids: list[str]  #: in the order of the request


@dataclass(frozen=True)
class WorkflowEnd:
    """How many tasks an ended workflow had, and how many of them succeeded."""

    workflow_id: str  #: which one
    total: int  #: number of its tasks
    succeeded: int  #: number of those in state SUCCESS


@dataclass(frozen=True)
class Artifact:
    """A file that a task left; ``Client.get_artifacts`` fetches it.

    Attributes:
        name: Relative to the task's directory.
        path: Absolute, on the worker's node; good elsewhere only if ``shared``.
        size_bytes: Its size.
        sha256: 64 hex digits; None when it was too large to hash in time.
        stored: Whether the broker's store has it.
        shared: Whether ``path`` lies on a file system that all hosts share.
        problem: Why it can be had from neither, where that is not by design; else None.
    """

    name: str
    path: str
    size_bytes: int
    sha256: str | None
    stored: bool = False
    shared: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Usage:
    """What the kernel counted for a task and all its descendants: seconds and bytes."""

    wall_s: float  #: from start to end, in seconds
    user_s: float  #: CPU time of the programs, in seconds
    system_s: float  #: CPU time of the kernel for them, in seconds
    max_rss_bytes: int  #: largest resident memory


@dataclass(frozen=True)
class TaskResult:
    """How a task ended. A task that ended badly has a result as well.

    Attributes:
        task_id: Its id.
        state: A terminal state of ``TaskStatus``.
        failure: Why it did not succeed: exit, signal, oom, timeout, worker_lost, spawn, cancelled,
            rejected; None on success.
        returncode: The exit code; -N when signal N ended it; None when no process has exited.
        reason: A sentence for people; empty on success.
        attempt: The attempt that decided, from 1; 0 when it never ran.
        worker: Name of the worker that ran it, or None.
        node: Host name of that worker, or None.
        directory: The attempt's directory on that node, or None.
        stdout: The end of its output (16 KiB); ``Client.log`` has all of it.
        stderr: The end of its error output.
        stdout_bytes: Length of the whole output.
        stderr_bytes: Length of the whole error output.
        artifacts: The files that it left.
        metrics: Last value of each number that was read from its output.
        value: What a handler returned; None for programs.
        usage: Time and memory used.
        submitted: Seconds since 1970, as the next two.
        started: None when it never ran.
        finished: When it ended.
    """

    task_id: str
    state: str
    failure: str | None
    returncode: int | None
    reason: str
    attempt: int
    worker: str | None
    node: str | None
    directory: str | None
    stdout: str
    stderr: str
    stdout_bytes: int
    stderr_bytes: int
    artifacts: tuple[Artifact, ...]
    metrics: dict[str, float]
    value: Any
    usage: Usage
    submitted: float | None
    started: float | None
    finished: float | None

    @property
    def succeeded(self) -> bool:
        """Whether the state is SUCCESS."""
        return self.state == TaskStatus.SUCCESS


@dataclass(frozen=True)
class PastAttempt:
    """An attempt that is over and did not decide how its task ended.

    Attributes:
        attempt: Its number, from 1.
        epoch: Which start of the broker gave it out.
        became: ``"retried"``: it failed, and the policy allowed another; ``"lost"``: its worker was
            silent past the lease; ``"late"``: its result came when it counted no more.
        worker: Name of the worker, or None.
        state: How it ended, as of ``TaskResult``.
        failure: Why it did not succeed; None on success.
        returncode: The exit code; -N when signal N ended it; None when no process has exited.
        reason: A sentence for people; empty on success.
        usage: Time and memory used.
        started: Seconds since 1970; None when it never said so.
        ended: Seconds since 1970.
    """

    attempt: int
    epoch: int
    became: str
    worker: str | None
    state: str
    failure: str | None
    returncode: int | None
    reason: str
    usage: Usage
    started: float | None
    ended: float | None


@dataclass(frozen=True)
class TaskInfo:
    """What the broker knows of a task at a moment. Times are seconds since 1970.

    ``progress`` is 0 to 100, or None when nothing was reported; ``message`` is the last progress
    message, or the reason it ended. Only ``Client.inspect`` asks for the ``attempts``.
    """

    task_id: str  #: its id
    state: str  #: one of ``TaskStatus``
    workflow_id: str | None  #: the workflow it belongs to, or None
    owner: str  #: the user who submitted it
    tool: str  #: what runs it
    script: str  #: which script
    failure: str | None  #: why it did not succeed, as of ``TaskResult``; None otherwise
    priority: int  #: larger runs earlier
    attempt: int  #: the current or last one, from 1; 0 before the first
    worker: str | None  #: name of the worker that has or had it, or None
    progress: float | None  #: 0 to 100, or None when nothing was reported
    message: str  #: the last progress message, or the reason it ended
    submitted: float | None  #: seconds since 1970, as the next two
    started: float | None  #: None when it has not run
    finished: float | None  #: None until it has ended
    original: str | None = None  #: the dead letter that it repeats, or None
    attempts: tuple[PastAttempt, ...] = ()  #: those that did not decide, oldest first

    @property
    def ready(self) -> bool:
        """Whether it has ended."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True)
class TaskEvent:
    """A change of a task, or progress. ``at`` is in seconds since 1970."""

    task_id: str  #: which task
    state: str  #: one of ``TaskStatus``
    failure: str | None  #: why it did not succeed, as of ``TaskResult``; None otherwise
    attempt: int  #: the current or last one; 0 before the first
    tool: str  #: what runs it
    script: str  #: which script
    worker: str | None  #: name of the worker that has it, or None
    progress: float | None  #: 0 to 100, or None when nothing was reported
    message: str  #: the last progress message, or the reason it ended
    metrics: dict[str, float]  #: numbers read from its output, by name
    at: float | None  #: seconds since 1970, or None
    seq: int | None = None  #: number of the change; None of progress and of a present state

    @property
    def ready(self) -> bool:
        """Whether it says that the task has ended; the last event of each task does."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True)
class WorkflowEvent:
    """How far a workflow has come: numbers of tasks."""

    workflow_id: str  #: which workflow
    total: int  #: number of its tasks
    ended: int  #: number of those that have ended
    succeeded: int  #: number of those in state SUCCESS


@dataclass(frozen=True)
class StreamChanges:
    """What has changed in a followed stream since the last ones.

    Attributes:
        seq: Everything up to this number has been told: ``since`` of a later call. It moves on
            also where nothing has happened; ``tasks`` is empty then.
        tasks: In the order in which they became true; each names its own ``seq``, which the tasks
            that one record changed share. No task occurs twice under one number.
        workflows: Of a workflow's stream: its counts after ``tasks``.
        resynchronised: What was missed is not kept any more: ``tasks`` are the present states of
            the live tasks. Several of these may follow each other; a task in none has ended.
        first_page: Of a resynchronisation: forget what was known before.
    """

    seq: int
    tasks: tuple[TaskEvent, ...]
    workflows: tuple[WorkflowEvent, ...]
    resynchronised: bool
    first_page: bool


@dataclass(frozen=True)
class WorkerEvent:
    """A worker that came, went silent, drains or was lost."""

    uuid: str  #: of the worker's installation
    name: str  #: for people
    state: str  #: ready, suspect, draining or lost


@dataclass(frozen=True)
class EventBatch:
    """One message of the event stream; ``gap``: some of its topic were missed before it."""

    topic: str  #: that it was published on
    gap: bool  #: some messages of this topic were missed before it
    tasks: tuple[TaskEvent, ...]  #: what happened to tasks
    workflows: tuple[WorkflowEvent, ...]  #: what happened to workflows
    workers: tuple[WorkerEvent, ...]  #: what happened to workers


@dataclass(frozen=True)
class LogChunk:
    """A piece of a task's output; ``offset`` is that of its first byte in the stream."""

    offset: int  #: of the first byte in the stream
    data: bytes  #: the bytes, as they were written
    attempt: int = 0  #: that wrote it; with a later one ``offset`` begins again at 0
