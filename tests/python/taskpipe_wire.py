"""The taskpipe wire protocol, version 1, with pyzmq and msgpack alone.

Written from docs/protocol.md and independent of the C++ code: where the two disagree, one of them
or the document is wrong. Tests use it as a client and as a worker.

    peer = Peer("tcp://127.0.0.1:7610", role=CLIENT, user="ada")
    peer.handshake()
    peer.send("SUBMIT", {"specs": [{"tool": "shell"}], "items": [new_item(peer.new_ids(1)[0])]})
    reply = peer.expect("SUBMIT_ACK")

Bodies are dicts with the field names of the document; its tuples are dicts as well.
"""

import hashlib
import os
import struct
import time
from collections import namedtuple

import msgpack

from taskpipe_messages import EVENT_ITEMS, MESSAGES, RUN_REPORT, TYPES
from taskpipe_schema import MAX_BLOBS, ProtocolError, check

MAGIC, MAJOR, RESEND = 0x5450, 1, 1
MAX_FRAME, MAX_MESSAGE, MAX_DEPTH = 4 << 20, 16 << 20, 8
CLIENT, WORKER = 0, 1

HEADER = struct.Struct(">HBBHHQQ")
POSITION = struct.Struct(">QQQ")
Header = namedtuple("Header", "type flags blob_count correlation session")
Message = namedtuple("Message", "name header body")


def encode(name, body, correlation=0, session=0, flags=0):
    """Frames of a message; ProtocolError when the peer would refuse it."""
    blobs = []
    packed = msgpack.packb(MESSAGES[TYPES[name]][1].pack(body, blobs, ""), use_bin_type=True)
    header = HEADER.pack(MAGIC, MAJOR, TYPES[name], flags, len(blobs), correlation, session)
    frames = [header, packed, *blobs]
    check(max(map(len, frames)) <= MAX_FRAME, "frames", "hold one of more than 4 MiB")
    check(sum(map(len, frames)) <= MAX_MESSAGE, "frames", "hold more than 16 MiB together")
    return frames


def decode_header(frame):
    check(len(frame) == HEADER.size, "header", "does not have 24 bytes")
    magic, major, *rest = HEADER.unpack(frame)
    check(magic == MAGIC, "header", "does not start with 0x5450")
    check(major == MAJOR, "header", "is of another major version")
    return Header(*rest)


def unpack_map(packed):
    """A body, refused where it repeats a key, nests too deep, or goes on behind its end."""

    def unique(pairs):
        keys = [key for key, _ in pairs]
        check(len(set(keys)) == len(keys), "body", "has a key twice")
        return dict(pairs)

    try:
        body = msgpack.unpackb(
            packed, raw=False, strict_map_key=False, object_pairs_hook=unique
        )
    except ProtocolError:
        raise
    except Exception as failure:
        raise ProtocolError(f"body is no msgpack: {failure}") from failure
    check(depth_of(body) <= MAX_DEPTH, "body", "is nested too deep")
    return body


def depth_of(value):
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def decode(frames):
    """Message of frames without any routing id; ProtocolError when it is to be refused."""
    check(2 <= len(frames) <= 2 + MAX_BLOBS, "frames", "are too few or too many")
    header = decode_header(frames[0])
    check(len(frames) == 2 + header.blob_count, "frames", "are not as many as announced")
    check(header.type in MESSAGES, "header", "has a type that is not in use")
    name, schema = MESSAGES[header.type]
    blobs = list(frames[2:])
    body = schema.unpack(unpack_map(frames[1]), blobs, "")
    check(all(blob is None for blob in blobs), "blobs", "hold one that belongs to no field")
    return Message(name, header, body)


def encode_events(topic, epoch, prev_seq, seq, items):
    packed = msgpack.packb(EVENT_ITEMS.pack(items, [], ""), use_bin_type=True)
    return [topic.encode(), POSITION.pack(epoch, prev_seq, seq), packed]


def decode_events(frames):
    """(topic, epoch, prev_seq, seq, items) of a message of the PUB channel."""
    check(len(frames) == 3 and len(frames[1]) == POSITION.size, "frames", "are no event")
    items = EVENT_ITEMS.unpack(unpack_map(frames[2]), [], "")
    return (frames[0].decode(), *POSITION.unpack(frames[1]), items)


def encode_params(params):
    return msgpack.packb(dict(sorted(params.items())), use_bin_type=True)


def decode_params(packed):
    return msgpack.unpackb(packed, raw=False) if packed else {}


def encode_report(report):
    return msgpack.packb(RUN_REPORT.pack(report, [], ""), use_bin_type=True)


def decode_report(packed):
    raw = msgpack.unpackb(packed, raw=False, strict_map_key=False)
    return RUN_REPORT.unpack(raw, [], "")


def new_ids(count):
    """Task ids of one batch: milliseconds, 48 random bits, and the index within the batch."""
    prefix = int(time.time() * 1000).to_bytes(6, "big") + os.urandom(6)
    return [prefix + index.to_bytes(4, "big") for index in range(count)]


def new_item(task_id, params=None, spec=0):
    """An item of SUBMIT. Any fingerprint will do, as long as equal params have equal ones."""
    packed = encode_params(params or {})
    fingerprint = hashlib.blake2b(packed, digest_size=16).digest()
    return {"task_id": task_id, "spec": spec, "params": packed, "params_hash": fingerprint}


class Peer:
    """A client or a worker: one DEALER, one session. Waits are bounded by `timeout` seconds."""

    def __init__(self, endpoint, role=CLIENT, user="tester", offer=None, uuid=None, timeout=20,
                 keys=None):
        """`keys`: the broker's public key, ours, and our secret one; None = without."""
        import zmq  # not needed by those who only encode and decode

        self.zmq = zmq
        self.role, self.user, self.offer, self.timeout = role, user, offer, timeout
        self.uuid = uuid or os.urandom(16)
        self.incarnation = int.from_bytes(os.urandom(8), "big")
        self.session = self.epoch = self.last_correlation = 0
        self.welcome = None
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        for option, value in ((zmq.IMMEDIATE, 1), (zmq.PROBE_ROUTER, 1), (zmq.LINGER, 0)):
            self.socket.setsockopt(option, value)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if keys:
            self.socket.curve_serverkey, self.socket.curve_publickey, self.socket.curve_secretkey = keys
        self.socket.connect(endpoint)

    def close(self):
        self.socket.close()

    def receive(self, timeout=None):
        """The next message, or None when `timeout` has passed."""
        wait_ms = int(1000 * (self.timeout if timeout is None else timeout))
        if not self.socket.poll(wait_ms):
            return None
        return decode(self.socket.recv_multipart())

    def expect(self, name, **fields):
        """The next message of that name whose body has these fields; others are dropped, but an
        ERROR raises."""
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            message = self.receive(max(0.0, end - time.monotonic()))
            if message is None:
                break
            if message.name == name and all(message.body[k] == v for k, v in fields.items()):
                return message
            if message.name == "ERROR":
                raise ProtocolError(f"the broker refused: {message.body}")
        raise TimeoutError(f"no {name} within {self.timeout} s")

    def handshake(self):
        """Waits for WHO, says HELLO, and returns the body of WELCOME."""
        self.expect("WHO")
        self.session = 0
        hello = {
            "role": self.role,
            "user": self.user,
            "uuid": self.uuid,
            "incarnation": self.incarnation,
            "name": "pyzmq",
            "pid": os.getpid(),
            "version_min": 1,
            "version_max": 1,
            "worker": self.offer,
        }
        self.send("HELLO", hello)
        self.welcome = self.expect("WELCOME").body
        self.session, self.epoch = self.welcome["session"], self.welcome["epoch"]
        return self.welcome

    def send(self, name, body, flags=0, correlation=None):
        """Sends and returns the correlation, a new one unless it is given."""
        if correlation is None:
            self.last_correlation += 1
            correlation = self.last_correlation
        frames = encode(name, body, correlation, self.session, flags)
        # With IMMEDIATE a send waits for a connection.
        self.socket.setsockopt(self.zmq.SNDTIMEO, int(1000 * self.timeout))
        self.socket.send_multipart(frames)
        return correlation

    def ask(self, name, body, reply):
        """Sends, and returns the body of the reply with the same correlation."""
        correlation = self.send(name, body)
        while True:
            message = self.expect(reply)
            if message.header.correlation == correlation:
                return message.body


class BulkPeer(Peer):
    """A connection to the bulk port (§13), shown by the session of another peer."""

    def __init__(self, peer, endpoint=None, **options):
        super().__init__(endpoint or peer.welcome["bulk_endpoint"], **options)
        self.session, self.token = peer.session, peer.welcome["bulk_token"]

    def handshake(self):
        self.expect("WHO")
        self.send("BULK_HELLO", {"token": self.token})
        self.welcome = self.expect("BULK_WELCOME").body
        return self.welcome

    def put(self, content, most=None):
        """Uploads it, or its first `most` bytes; (what was there before, bytes sent)."""
        chunk = 256 << 10
        stop = len(content) if most is None else most
        sha256 = hashlib.sha256(content).hexdigest()
        correlation = self.send("PUT", {"sha256": sha256, "size_bytes": len(content)})
        state = self.expect("PUT_STATE").body
        begun = at = len(content) if state["have"] else state["offset"]
        while not state["have"] and (most is None or at < stop):
            while at < min(state["credit"], stop):
                piece = content[at:min(at + chunk, state["credit"], stop)]
                self.send("PUT_DATA", {"offset": at, "data": piece}, correlation=correlation)
                at += len(piece)
            if at < stop or most is None:
                state = self.expect("PUT_STATE").body
        return begun, at - begun

    def get(self, sha256, offset=0):
        """The content behind `offset`."""
        window = 1 << 20
        correlation = self.send("GET", {"sha256": sha256, "offset": offset,
                                        "credit": offset + window})
        content = b""
        while True:
            data = self.expect("GET_DATA").body
            check(data["offset"] == offset + len(content), "offset", "is not the next one")
            content += data["data"]
            if offset + len(content) == data["size_bytes"]:
                return content
            self.send("GET_CREDIT", {"credit": offset + len(content) + window},
                      correlation=correlation)
