"""§5, §7, §8 and §10 of docs/protocol.md: every message as type → (name, body)."""

from taskpipe_schema import (
    ATTEMPT, ATTEMPTS, BOOL, CODE, ERROR, FAILURE, I32, ID, LABELS, NAME, OFFER, OUTCOME, PARAMS,
    PATH, PERCENT, PROSE, RESOURCES, SCRIPT, SHA256, SPEC, STATE, STREAM, SUBMIT_ITEM, TEXT, TIME,
    TOOL_OFFER, U32, U64, WORKER_STATE, Integer, List, Map, Metrics, Optional, Payload, Text, Tuple,
    flag, maybe, number, some, text,
)


def batch(element):
    return List(element, 256)


def metrics(most):
    return Optional(Metrics(most), {})


HELLO = Map(
    role=Integer(0, 1),
    user=NAME,
    uuid=ID,
    incarnation=U64,
    name=text(NAME),
    host=text(NAME),
    pid=number(U32),
    version_min=U32,
    version_max=U32,
    features=some(List(NAME, 64)),
    last_epoch=maybe(U64),
    worker=maybe(OFFER),
)
WELCOME = Map(
    version=U32,
    session=U64,
    broker=ID,
    epoch=U64,
    heartbeat_ms=U32,
    lease_ms=U32,
    max_message_bytes=U64,
    max_batch_items=U32,
    messages_total=U64,
    bytes_total=U64,
    event_endpoint=text(TEXT),
    bulk_endpoint=text(TEXT),
    bulk_token=Optional(ID, bytes(16)),
    role=maybe(U32),
    user=text(NAME),
)
SUBMIT_ACK = Map(
    items=batch(Tuple(task_id=ID, code=CODE)),
    error=maybe(ERROR),
    messages_total=U64,
    bytes_total=U64,
    waits=flag(),
)
WORKFLOW = Map(
    workflow_id=ID,
    name=text(NAME),
    on_failure=number(Integer(0, 1)),
    first_index=number(U32),
    total=U32,
    specs=batch(SPEC),
    items=batch(SUBMIT_ITEM),
    dependencies=batch(List(U32, 1024)),
)
DONE_TASK = Tuple(
    attempt=ATTEMPT, outcome=OUTCOME, worker=NAME, submitted=TIME, started=TIME, finished=TIME
)
DONE = Map(
    tasks=some(batch(DONE_TASK)),
    workflows=some(batch(Tuple(workflow_id=ID, total=U32, succeeded=U32))),
    unknown=some(batch(ID)),
    unknown_workflows=some(batch(ID)),
)
QUERY = Map(
    tasks=some(batch(ID)),
    workflow_id=maybe(ID),
    state=maybe(STATE),
    tool=text(NAME),
    cursor=text(TEXT),
    limit=number(Integer(0, 1000)),
    with_params=flag(),
    with_attempts=flag(),
    dead=flag(),
)
PAST_ATTEMPT = Tuple(
    kind=Integer(0, 2),
    epoch=U64,
    attempt=U32,
    worker=NAME,
    started=TIME,
    ended=TIME,
    outcome=OUTCOME,
)
ROW = Map(
    task_id=ID,
    workflow_id=maybe(ID),
    owner=text(NAME),
    tool=NAME,
    script=text(SCRIPT),
    state=STATE,
    failure=number(FAILURE),
    priority=number(I32),
    attempt=number(U32),
    worker=text(NAME),
    exit_code=number(I32),
    percent=maybe(PERCENT),
    message=text(PROSE),
    submitted=number(TIME),
    started=number(TIME),
    finished=number(TIME),
    params=maybe(PARAMS),
    attempts=some(List(PAST_ATTEMPT, 256)),
    original=maybe(ID),
)
FETCH = Map(
    task_id=ID, stream=number(STREAM), offset=number(U64), length=number(U32), follow=flag(),
    attempt=number(U32),
)
CHUNK = Map(
    task_id=ID, stream=number(STREAM), offset=U64, eof=flag(), data=Optional(Payload(65536), b""),
    attempt=number(U32),
)
WORKER_ROW = Map(
    uuid=ID,
    name=text(NAME),
    host=text(NAME),
    pid=number(U32),
    state=WORKER_STATE,
    total=maybe(RESOURCES),
    free=maybe(RESOURCES),
    running=number(U32),
    last_heard_ms=number(U32),
    tools=some(List(NAME, 1024)),
    labels=some(LABELS),
)
HEALTH_REPLY = Map(
    healthy=BOOL,
    warnings=some(List(PROSE, 64)),
    version=text(NAME),
    epoch=U64,
    uptime_ms=number(U64),
    workers_ready=number(U32),
    tasks_pending=number(U64),
    tasks_running=number(U64),
    tasks_finished=number(U64),
    journal_bytes=number(U64),
    history_lag_tasks=number(U64),
    memory_bytes=number(U64),
    memory_limit_bytes=number(U64),
)
TASK_ITEM = Tuple(attempt=ATTEMPT, spec=U32, placements=List(ID, 4096), params=PARAMS)
PROGRESS_ITEM = Tuple(attempt=ATTEMPT, percent=PERCENT, message=PROSE, metrics=Metrics(64))
LOG_ITEM = Tuple(attempt=ATTEMPT, stream=STREAM, offset=U64, data=Payload(65536))
TASK_EVENT = Map(
    task_id=ID,
    state=STATE,
    failure=number(FAILURE),
    attempt=number(U32),
    tool=text(NAME),
    script=text(SCRIPT),
    worker=text(NAME),
    percent=maybe(PERCENT),
    message=text(PROSE),
    metrics=metrics(64),
    at=TIME,
    seq=number(U64),
)
WORKFLOW_EVENT = Map(workflow_id=ID, total=U32, ended=U32, succeeded=U32)
EVENT_FIELDS = dict(
    tasks=some(batch(TASK_EVENT)),
    workflows=some(batch(WORKFLOW_EVENT)),
    workers=some(batch(Map(uuid=ID, name=text(NAME), state=WORKER_STATE))),
    positions=some(List(Tuple(topic=Text(200), seq=U64), 8192)),
    offset=number(U32),
)
FILTER = dict(stream=text(Text(200)), tasks=some(batch(ID)), everybody=flag())
SNAP = Map(
    epoch=U64,
    seq=U64,
    oldest_seq=U64,
    tasks=some(List(TASK_EVENT, 1000)),
    workflows=some(batch(WORKFLOW_EVENT)),
    next=number(U64),
)
EVENT_ITEMS = Map(first=4, **EVENT_FIELDS)

MESSAGES = {
    1: ("WHO", Map(epoch=U64)),
    2: ("HELLO", HELLO),
    3: ("WELCOME", WELCOME),
    4: ("PING", Map(t=U64)),
    5: ("PONG", Map(t=U64, epoch=U64)),
    6: ("BYE", Map(reason=text(PROSE))),
    7: ("ERROR", ERROR),
    16: ("SUBMIT", Map(specs=batch(SPEC), items=batch(SUBMIT_ITEM), wait=flag())),
    17: ("SUBMIT_ACK", SUBMIT_ACK),
    18: ("WORKFLOW", WORKFLOW),
    19: ("WORKFLOW_ACK", Map(workflow_id=ID, received=U32, error=ERROR)),
    20: ("WAIT", Map(tasks=some(batch(ID)), workflows=some(batch(ID)))),
    21: ("DONE", DONE),
    22: ("QUERY", QUERY),
    23: ("ROWS", Map(rows=List(ROW, 1000), unknown=some(batch(ID)), next=text(TEXT))),
    50: ("BULK_HELLO", Map(token=ID, connection=number(U64))),
    51: ("BULK_WELCOME", Map(chunk_bytes=U32, transfers=U32)),
    52: ("PUT", Map(sha256=SHA256, size_bytes=U64)),
    53: ("PUT_STATE", Map(have=flag(), offset=number(U64), credit=number(U64))),
    54: ("PUT_DATA", Map(offset=U64, data=Payload(1 << 18))),
    55: ("GET", Map(sha256=SHA256, offset=number(U64), credit=U64)),
    56: ("GET_DATA", Map(offset=U64, size_bytes=U64, data=Payload(1 << 18))),
    57: ("GET_CREDIT", Map(credit=U64)),
    58: ("BULK_CANCEL", Map()),
    40: ("RESUBMIT", Map(items=batch(Tuple(original=ID, task_id=ID)))),
    41: (
        "RESUBMIT_ACK",
        Map(items=batch(Tuple(task_id=ID, code=CODE)), error=maybe(ERROR)),
    ),
    24: ("CANCEL", Map(tasks=some(batch(ID)), workflows=some(batch(ID)), grace_ms=number(U32))),
    25: ("CANCEL_ACK", Map(items=batch(Tuple(task_id=ID, code=CODE, was_live=BOOL)), more=flag())),
    26: ("FETCH", FETCH),
    27: ("CHUNK", CHUNK),
    28: ("TOOLS", Map(cursor=text(TEXT))),
    29: ("TOOLS_REPLY", Map(tools=List(Map(offer=TOOL_OFFER, workers=U32), 4096), next=text(TEXT))),
    30: ("WORKERS", Map(cursor=text(TEXT))),
    31: ("WORKERS_REPLY", Map(workers=List(WORKER_ROW, 20000), next=text(TEXT))),
    32: ("HEALTH", Map()),
    33: ("HEALTH_REPLY", HEALTH_REPLY),
    34: ("WATCH", Map(**FILTER, epoch=maybe(U64), after_seq=maybe(U64), credit=U64,
                   progress=flag())),
    35: ("WATCH_CREDIT", Map(total=U64, end=flag())),
    36: ("SNAPSHOT", Map(**FILTER, cursor=number(U64))),
    37: ("SNAP", SNAP),
    64: (
        "RECONCILE",
        Map(keep=some(ATTEMPTS), kill=some(ATTEMPTS), resend=some(ATTEMPTS), drop=some(ATTEMPTS)),
    ),
    65: ("CREDIT", Map(slots_total=U64, bytes_total=U64)),
    66: ("TASKS", Map(specs=batch(SPEC), items=batch(TASK_ITEM))),
    67: ("TASKS_ACK", Map(refused=batch(Tuple(attempt=ATTEMPT, error=ERROR)))),
    68: ("RECALL", Map(attempts=batch(ATTEMPT))),
    69: ("RETURNED", Map(attempts=batch(ATTEMPT))),
    70: ("STARTED", Map(items=batch(Tuple(attempt=ATTEMPT, pid=U32)))),
    71: ("PROGRESS", Map(items=batch(PROGRESS_ITEM))),
    72: ("LOG", Map(items=batch(LOG_ITEM))),
    73: ("RESULT", Map(items=batch(Tuple(attempt=ATTEMPT, outcome=OUTCOME)))),
    74: ("RESULT_ACK", Map(items=batch(Tuple(attempt=ATTEMPT, code=CODE)))),
    75: ("KILL", Map(items=batch(Tuple(attempt=ATTEMPT, grace_ms=U32)))),
    76: ("DRAIN", Map(deadline_ms=U32)),
    77: ("DRAINED", Map(finished=BOOL)),
    96: ("EVENTS", Map(epoch=U64, prev_seq=U64, seq=U64, **EVENT_FIELDS)),
}
TYPES = {name: number for number, (name, _) in MESSAGES.items()}


class Value:
    """§9: whatever msgpack makes of it."""

    def unpack(self, value, blobs, place):
        return value

    pack = unpack


ARTIFACT = Map(
    name=PATH,
    path=text(PATH),
    size_bytes=number(U64),
    sha256=text(SHA256),
    stored=flag(),
    shared=flag(),
    problem=text(PROSE),
)
RUN_REPORT = Map(
    node=text(NAME),
    directory=text(PATH),
    stdout_tail=text(Text(49152)),
    stderr_tail=text(Text(49152)),
    stdout_bytes=number(U64),
    stderr_bytes=number(U64),
    artifacts=some(List(ARTIFACT, 1000)),
    metrics=metrics(1024),
    value=maybe(Value()),
)
