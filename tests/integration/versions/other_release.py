"""Peers of another release: what a later one may add, and a broker of a page that plays either.

    with grown():                        # whatever is packed here has unknown keys and elements
        peer.handshake()
    with OtherBroker(major=2) as broker:
        broker.client_endpoint, broker.worker_endpoint
"""

import contextlib
import pathlib
import sys
import threading
from unittest import mock

import zmq

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "python")]
import taskpipe_schema as schema  # noqa: E402
import taskpipe_wire as wire  # noqa: E402

UNKNOWN_KEYS = {60: [1, {1: "later"}], 61: None, 200: b"later", 70_000: 1.5}
UNKNOWN_ELEMENTS = [{1: ["later"]}, None, "later"]
UNKNOWN_TYPE = 201
UNKNOWN_FLAGS = 0x40


@contextlib.contextmanager
def grown():
    """Every map gets keys, every tuple elements that today's release does not know (§12)."""
    pack_map, pack_tuple = schema.Map.pack, schema.Tuple.pack

    def larger_map(self, value, blobs, place):
        return {**pack_map(self, value, blobs, place), **UNKNOWN_KEYS}

    def larger_tuple(self, value, blobs, place):
        return [*pack_tuple(self, value, blobs, place), *UNKNOWN_ELEMENTS]

    with mock.patch.object(schema.Map, "pack", larger_map), \
            mock.patch.object(schema.Tuple, "pack", larger_tuple):
        yield


def patched(frames, *, major=wire.MAJOR, kind=None):
    """The frames with another major version, or another message type, in their header."""
    header = bytearray(frames[0])
    header[2] = major
    if kind is not None:
        header[3] = kind
    return [bytes(header), *frames[1:]]


class OtherBroker:
    """A broker without memory, resources or mercy: each task goes to the one worker there is."""

    def __init__(self, major=wire.MAJOR, version=1, newer=False):
        self._major, self._version, self._newer = major, version, newer
        self._sockets = {}
        for role in (wire.CLIENT, wire.WORKER):
            socket = zmq.Context.instance().socket(zmq.ROUTER)
            socket.setsockopt(zmq.LINGER, 0)
            self._sockets[role] = socket
        self.client_endpoint, self.worker_endpoint = (
            f"tcp://127.0.0.1:{self._sockets[role].bind_to_random_port('tcp://127.0.0.1')}"
            for role in (wire.CLIENT, wire.WORKER))
        self._peers = {}  # by role: where the last one is
        self._waiting, self._done, self._tasks = set(), {}, []
        self.errors = []  # that peers answered
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for socket in self._sockets.values():
            socket.close()

    def _serve(self):
        poller = zmq.Poller()
        for socket in self._sockets.values():
            poller.register(socket, zmq.POLLIN)
        roles = {socket: role for role, socket in self._sockets.items()}
        while not self._stop.is_set():
            for socket, _ in poller.poll(50):
                routing, *frames = socket.recv_multipart()
                role = roles[socket]
                if role == wire.WORKER or frames == [b""] or role not in self._peers:
                    self._peers[role] = routing
                if frames == [b""]:
                    self._send(role, "WHO", {"epoch": 1})
                    continue
                message = wire.decode(frames)
                if message.name == "HELLO":
                    self._peers[role] = routing
                getattr(self, f"_on_{message.name.lower()}", self._on_other)(role, message)

    def _send(self, role, name, body, correlation=0, session=0, kind=None):
        with grown() if self._newer else contextlib.nullcontext():
            frames = wire.encode(name, body, correlation, session,
                                 UNKNOWN_FLAGS if self._newer else 0)
        frames = patched(frames, major=self._major, kind=kind)
        self._sockets[role].send_multipart([self._peers[role], *frames])

    def _tell(self, role, name, body, correlation=0, kind=None):
        self._send(role, name, body, correlation, session=role + 1, kind=kind)

    # What a broker of the first day said: neither events nor files nor keys.
    def _on_hello(self, role, message):
        welcome = {"version": self._version, "session": role + 1, "broker": bytes(range(16)),
                   "epoch": 1, "heartbeat_ms": 500, "lease_ms": 10_000,
                   "max_message_bytes": wire.MAX_FRAME, "max_batch_items": 256,
                   "messages_total": 1000, "bytes_total": 1 << 20}
        self._tell(role, "WELCOME", welcome, message.header.correlation)
        if role == wire.WORKER:
            self._tell(role, "RECONCILE", {})
        if self._newer:
            self._tell(role, "PONG", {"t": 0, "epoch": 1}, kind=UNKNOWN_TYPE)

    def _on_ping(self, role, message):
        self._tell(role, "PONG", {"t": message.body["t"], "epoch": 1}, message.header.correlation)

    def _on_error(self, role, message):
        self.errors.append(message.body)

    def _on_other(self, role, message):
        if role == wire.CLIENT:
            self._tell(role, "ERROR", {"code": 15, "text": f"{message.name} is not offered"},
                       message.header.correlation)

    def _on_submit(self, role, message):
        self._tasks += [(message.body["specs"][item["spec"]], item) for item in message.body["items"]]
        acks = [{"task_id": item["task_id"], "code": 0} for item in message.body["items"]]
        self._tell(role, "SUBMIT_ACK", {"items": acks, "messages_total": 1000,
                                        "bytes_total": 1 << 20}, message.header.correlation)
        self._dispatch()

    def _on_credit(self, role, message):
        self._dispatch()

    def _dispatch(self):
        while self._tasks and wire.WORKER in self._peers:
            spec, item = self._tasks.pop()
            attempt = {"task_id": item["task_id"], "epoch": 1, "attempt": 1}
            # Not numbered (correlation 0), as by brokers before that was brought in.
            self._tell(wire.WORKER, "TASKS", {"specs": [spec], "items": [
                {"attempt": attempt, "spec": 0, "placements": [], "params": item["params"]}]})

    def _on_result(self, role, message):
        acks = []
        for item in message.body["items"]:
            acks.append({"attempt": item["attempt"], "code": 0})
            self._done[item["attempt"]["task_id"]] = item
        self._tell(role, "RESULT_ACK", {"items": acks})
        self._announce()

    def _on_wait(self, role, message):
        self._waiting |= set(message.body["tasks"])
        self._announce()

    def _on_query(self, role, message):
        rows = []
        for task in message.body["tasks"]:
            rows.append({"task_id": task, "tool": "shell", "state": 2 if task in self._done else 0})
        self._tell(role, "ROWS", {"rows": rows}, message.header.correlation)

    def _announce(self):
        for task in self._waiting & set(self._done):
            self._waiting.discard(task)
            self._tell(wire.CLIENT, "DONE", {"tasks": [
                {**self._done[task], "worker": "w", "submitted": 1, "started": 2, "finished": 3}]})
