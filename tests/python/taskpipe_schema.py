"""The types and messages of docs/protocol.md as tables, section by section."""

import copy

MAX_INLINE = 4096
MAX_BLOBS = 64
MAX_PAYLOAD = 4193280


class ProtocolError(ValueError):
    """What the document tells a receiver to refuse, or a sender not to send."""


def check(condition, place, why):
    if not condition:
        raise ProtocolError(f"{place.lstrip('.') or 'body'} {why}")


# --- §4 Types -------------------------------------------------------------------------------------
# `pack(value, blobs, place)` gives what msgpack takes, `unpack` the other way. Large payloads are
# appended to, or taken out of, the list `blobs`.


class Integer:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def unpack(self, value, blobs, place):
        check(isinstance(value, int) and not isinstance(value, bool), place, "is not an integer")
        check(self.low <= value <= self.high, place, "is out of range")
        return value

    pack = unpack


class Boolean:
    def unpack(self, value, blobs, place):
        check(isinstance(value, bool), place, "is not a boolean")
        return value

    pack = unpack


class Text:
    def __init__(self, most):
        self.most = most

    def unpack(self, value, blobs, place):
        check(isinstance(value, str), place, "is not a text")
        check(len(value.encode()) <= self.most, place, f"is longer than {self.most} bytes")
        return value

    pack = unpack


class Prose(Text):
    def pack(self, value, blobs, place):
        cut = value.encode(errors="replace")[: self.most]
        return cut.decode(errors="ignore")


class Id:
    def unpack(self, value, blobs, place):
        check(isinstance(value, bytes) and len(value) == 16, place, "is not 16 bytes long")
        return value

    pack = unpack


class Percent:
    def unpack(self, value, blobs, place):
        if value is None:
            return None
        check(isinstance(value, (int, float)), place, "is not a number")
        check(0 <= value <= 100, place, "is not within 0 and 100")
        return float(value)

    pack = unpack


class Metrics:
    def __init__(self, most):
        self.most = most

    def unpack(self, value, blobs, place):
        check(isinstance(value, dict) and len(value) <= self.most, place, "has too many entries")
        return {NAME.unpack(k, blobs, place): float(v) for k, v in value.items()}

    pack = unpack


class Payload:
    def __init__(self, most):
        self.most = most

    def pack(self, value, blobs, place):
        check(isinstance(value, bytes), place, "is not bytes")
        check(len(value) <= self.most, place, "is too large")
        if len(value) <= MAX_INLINE:
            return value
        check(len(blobs) < MAX_BLOBS, place, "is one blob too many")
        blobs.append(value)
        return len(blobs) - 1

    def unpack(self, value, blobs, place):
        if isinstance(value, bytes):
            check(len(value) <= min(MAX_INLINE, self.most), place, "is too large to be inline")
            return value
        index = Integer(0, len(blobs) - 1).unpack(value, blobs, place)
        blob, blobs[index] = blobs[index], None
        check(blob is not None, place, "refers to a blob that is taken already")
        check(len(blob) <= self.most, place, "is too large")
        return blob


class List:
    def __init__(self, element, most):
        self.element, self.most = element, most

    def pack(self, value, blobs, place):
        check(len(value) <= self.most, place, f"has more than {self.most} entries")
        return [self.element.pack(v, blobs, f"{place}[{i}]") for i, v in enumerate(value)]

    def unpack(self, value, blobs, place):
        check(isinstance(value, list), place, "is not an array")
        check(len(value) <= self.most, place, f"has more than {self.most} entries")
        return [self.element.unpack(v, blobs, f"{place}[{i}]") for i, v in enumerate(value)]


class Tuple:
    """Elements in order; longer ones of later versions are accepted."""

    def __init__(self, **elements):
        self.elements = elements

    def pack(self, value, blobs, place):
        return [t.pack(value[n], blobs, f"{place}.{n}") for n, t in self.elements.items()]

    def unpack(self, value, blobs, place):
        check(isinstance(value, list), place, "is not an array")
        check(len(value) >= len(self.elements), place, "has too few elements")
        pairs = zip(self.elements.items(), value)
        return {n: t.unpack(v, blobs, f"{place}.{n}") for (n, t), v in pairs}


class Optional:
    """A field that is left out while it holds its default."""

    def __init__(self, kind, default):
        self.kind, self.default = kind, default


class Map:
    """Fields by key; the keys count from `first` in the order given."""

    def __init__(self, first=1, **fields):
        self.fields = [(first + i, name, kind) for i, (name, kind) in enumerate(fields.items())]

    def pack(self, value, blobs, place):
        unknown = set(value) - {name for _, name, _ in self.fields}
        check(not unknown, place, f"has no field {', '.join(sorted(unknown))}")
        packed = {}
        for key, name, kind in self.fields:
            if isinstance(kind, Optional):
                given = value.get(name, kind.default)
                if given is not None and given != kind.default:
                    packed[key] = kind.kind.pack(given, blobs, f"{place}.{name}")
            else:
                check(name in value, f"{place}.{name}", "is missing")
                packed[key] = kind.pack(value[name], blobs, f"{place}.{name}")
        return packed

    def unpack(self, value, blobs, place):
        check(isinstance(value, dict), place, "is not a map")
        for key in value:
            check(isinstance(key, int) and key >= 0, place, "has a key that is no integer")
        unpacked = {}
        for key, name, kind in self.fields:
            is_optional = isinstance(kind, Optional)
            if key in value:
                inner = kind.kind if is_optional else kind
                unpacked[name] = inner.unpack(value[key], blobs, f"{place}.{name}")
            else:
                check(is_optional, f"{place}.{name}", "is missing")
                unpacked[name] = copy.copy(kind.default)
        return unpacked


def number(kind):
    return Optional(kind, 0)


def text(kind):
    return Optional(kind, "")


def flag():
    return Optional(BOOL, False)


def some(kind):
    return Optional(kind, [])


def maybe(kind):
    """Absent is something else than any value."""
    return Optional(kind, None)


U32 = Integer(0, 2**32 - 1)
U64 = Integer(0, 2**64 - 1)
I32 = Integer(-(2**31), 2**31 - 1)
TIME = Integer(-(2**63), 2**63 - 1)
BOOL = Boolean()
ID = Id()
NAME, SCRIPT, TEXT, PATH, SHA256 = Text(128), Text(512), Text(1024), Text(4096), Text(64)
PROSE = Prose(1024)
PERCENT = Percent()
PARAMS = Payload(MAX_PAYLOAD)

# --- §6 Shared structures -------------------------------------------------------------------------

ATTEMPT = Tuple(task_id=ID, epoch=U64, attempt=U32)
CODE, STATE, FAILURE = Integer(0, 18), Integer(0, 6), Integer(0, 8)
STREAM, WORKER_STATE = Integer(0, 1), Integer(0, 3)
ERROR = Map(code=CODE, text=text(PROSE), field=text(PROSE), retry_ms=maybe(U32))
LABELS = List(Tuple(key=NAME, value=TEXT), 64)
RESOURCES = Map(
    cpus=number(U32),
    gpus=number(U32),
    memory_bytes=number(U64),
    named=some(List(Tuple(name=NAME, amount=U64), 32)),
)
LIMITS = Map(
    run_time_ms=number(U64),
    grace_ms=number(U32),
    queue_time_ms=number(U64),
    no_progress_ms=number(U64),
)
RETRY = Map(
    max_attempts=U32,
    failures=U32,
    backoff_ms=U32,
    max_backoff_ms=U32,
    max_worker_losses=maybe(U32),
)
INPUT = Map(name=PATH, sha256=SHA256, size_bytes=number(U64), executable=flag())
SPEC = Map(
    tool=NAME,
    script=text(SCRIPT),
    inline_script=Optional(PARAMS, b""),
    priority=number(I32),
    resources=maybe(RESOURCES),
    limits=maybe(LIMITS),
    labels=some(LABELS),
    wait_for_capacity=flag(),
    retry=maybe(RETRY),
    inputs=some(List(INPUT, 256)),
)
SUBMIT_ITEM = Tuple(task_id=ID, spec=U32, params=PARAMS, params_hash=ID)
USAGE = Tuple(wall_us=U64, user_us=U64, system_us=U64, max_rss_bytes=U64)
OUTCOME = Tuple(
    state=Integer(2, 6),
    failure=FAILURE,
    exit_code=I32,
    signal=I32,
    usage=USAGE,
    reason=PROSE,
    report=Payload(1 << 20),
)
TOOL_OFFER = Map(
    name=NAME,
    version=text(NAME),
    description=text(PROSE),
    scripts=some(List(Tuple(name=SCRIPT, sha256=SHA256), 1024)),
    inline_scripts=flag(),
    requires_script=flag(),
)
ATTEMPTS = List(ATTEMPT, 16384)
OFFER = Map(
    slots=U32,
    resources=maybe(RESOURCES),
    tools=some(List(TOOL_OFFER, 1024)),
    labels=some(LABELS),
    running=some(ATTEMPTS),
    unacknowledged=some(ATTEMPTS),
)
