"""What the cluster is asked about itself: tools, workers, health, the connection. Plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A tool as the workers offer it; ``workers`` of those connected do, 0: none at present."""

    name: str  #: what tasks call it
    version: str  #: of the program
    description: str  #: a line for people
    scripts: tuple[str, ...]  #: names of its scripts
    inline_scripts: bool  #: whether tasks may bring a script
    requires_script: bool  #: whether a task must name one
    workers: int  #: number of connected workers that offer it; 0 if none at present


@dataclass(frozen=True)
class Resources:
    """Amounts of one node."""

    cpus: int  #: number
    gpus: int  #: number
    memory_bytes: int  #: size
    named: dict[str, int]  #: amounts of named resources


@dataclass(frozen=True)
class Worker:
    """A worker that is or was connected; ``state`` is ready, suspect, draining or lost."""

    uuid: str  #: of its installation; survives restarts
    name: str  #: for people
    host: str  #: host name of its node
    pid: int  #: of its process
    state: str  #: ready, suspect, draining or lost
    total: Resources  #: what its node has
    free: Resources  #: what is not in use; nothing when it is not connected
    running: int  #: tasks that it has been given and not ended
    last_heard_s: float  #: seconds since its last message
    tools: tuple[str, ...]  #: names of what it offers
    labels: dict[str, str]  #: given when it was started


@dataclass(frozen=True)
class Health:
    """The state of the service; ``healthy``: a worker is ready and tasks are accepted."""

    healthy: bool  #: a worker is ready and tasks are accepted
    warnings: tuple[str, ...]  #: what is wrong, in sentences
    version: str  #: of the broker
    epoch: int  #: counts the broker's starts
    uptime_s: float  #: seconds since its start
    workers_ready: int  #: number
    tasks_pending: int  #: number
    tasks_running: int  #: number
    tasks_finished: int  #: number since its start
    journal_bytes: int  #: size of the journal
    history_lag_tasks: int  #: ended tasks that are not in the history yet
    memory_bytes: int  #: what tasks, results and unsent messages take in the broker
    memory_limit_bytes: int  #: from there on submits wait; 0 when the broker does not say


@dataclass(frozen=True)
class Connection:
    """The session in use. ``epoch`` counts the broker's starts."""

    broker: str  #: address in use
    events: str  #: where events come from
    bulk: str  #: where artifacts and inputs go; empty: nowhere
    broker_uuid: str  #: of the broker's data folder
    epoch: int  #: counts the broker's starts
    session: int  #: number of this session
    heartbeat_s: float  #: how often both sides say that they are alive, in seconds
    lease_s: float  #: silence after which the other side counts as gone, in seconds
    role: str | None = None  #: with keys: client, observer or admin
    user: str = ""  #: with keys: whose tasks it submits
