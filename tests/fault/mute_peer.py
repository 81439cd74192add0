#!/usr/bin/env python3
"""Peers that tests stop (SIGSTOP) at the worst moment, and let go on later. Written with pyzmq.

    mute_peer.py client ENDPOINT USER COUNT BYTES
                                                submits COUNT tasks of `bulk`, with BYTES of params
                                                each, and waits for them
    mute_peer.py worker ENDPOINT NAME BYTES     runs `bulk`: each result has BYTES of report
    mute_peer.py glutton ENDPOINT NAME          offers `bulk`, takes whatever it is given, ends nothing
    mute_peer.py subscriber ENDPOINT            subscribes to everything

Each says "ready" once the broker knows it, the client "first" at the first result and "all" when it
has every one of them.
"""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import taskpipe_wire as wire  # noqa: E402

SUCCESS = 2
CREDIT = {"slots_total": 1 << 20, "bytes_total": 1 << 40}
PATIENCE_S = 200
PING_S = 1.0


def say(word):
    print(word, flush=True)


class Link:
    """A session that is kept: PING when nothing comes, HELLO again when the broker asks for it."""

    def __init__(self, endpoint, on_session, **arguments):
        self.peer = wire.Peer(endpoint, timeout=PATIENCE_S, **arguments)
        self.on_session = on_session
        self.greeted = time.monotonic()
        self.peer.handshake()
        on_session(self.peer)

    def next(self):
        while True:
            message = self.peer.receive(PING_S)
            if message is None:
                self.peer.send("PING", {"t": 1})
            elif message.name == "WHO":
                if self.may_greet():
                    self.greet()
            else:
                return message

    def may_greet(self):
        """One HELLO answers all the WHOs that are on their way: they would multiply otherwise."""
        return time.monotonic() - self.greeted >= PING_S

    def greet(self):
        self.greeted = time.monotonic()
        hello = {"role": self.peer.role, "user": self.peer.user, "uuid": self.peer.uuid,
                 "incarnation": self.peer.incarnation, "name": "mute", "version_min": 1,
                 "version_max": 1, "worker": self.peer.offer}
        self.peer.session = 0
        self.peer.send("HELLO", hello)
        while True:
            message = self.peer.receive(PING_S)
            if message is not None and message.name == "WELCOME":
                break
            if message is not None and message.name == "WHO" and self.may_greet():
                return self.greet()
        self.peer.session = message.body["session"]
        self.on_session(self.peer)
        return None


def run_client(endpoint, user, count, size):
    params = {"padding": "p" * int(size)}
    per_message = max(1, min(256, (2 << 20) // (int(size) + 100)))
    open_ids = set(wire.new_ids(int(count)))
    submitted = []

    def wait(peer):
        ids = sorted(open_ids)
        for at in range(0, len(ids), per_message):
            some = ids[at:at + per_message]
            if not submitted:
                spec = {"tool": "bulk", "wait_for_capacity": True}
                peer.send("SUBMIT", {"specs": [spec],
                                     "items": [wire.new_item(i, params) for i in some]})
            peer.send("WAIT", {"tasks": some})
        submitted.append(True)

    link = Link(endpoint, wait, user=user)
    say("ready")
    while open_ids:
        message = link.next()
        if message.name != "DONE":
            continue
        before = len(open_ids)
        for task in message.body["tasks"]:
            assert task["outcome"]["state"] == SUCCESS, task["outcome"]
            open_ids.discard(task["attempt"]["task_id"])
        if before == int(count) > len(open_ids):
            say("first")
    say("all")


def offer(slots):
    return {"slots": slots, "resources": {"cpus": slots}, "tools": [{"name": "bulk"}]}


def run_worker(endpoint, name, size):
    report = os.urandom(int(size))
    link = Link(endpoint, lambda peer: peer.send("CREDIT", CREDIT), role=wire.WORKER, user=name,
                offer=offer(4))
    say("ready")
    outcome = {"state": SUCCESS, "failure": 0, "exit_code": 0, "signal": 0,
               "usage": {"wall_us": 50_000, "user_us": 1, "system_us": 1, "max_rss_bytes": 1},
               "reason": "", "report": report}
    while True:
        message = link.next()
        if message.name != "TASKS":
            continue
        for item in message.body["items"]:
            link.peer.send("RESULT", {"items": [{"attempt": item["attempt"], "outcome": outcome}]})


def run_glutton(endpoint, name):
    link = Link(endpoint, lambda peer: peer.send("CREDIT", CREDIT), role=wire.WORKER, user=name,
                offer=offer(100_000))
    link.peer.send("PING", {"t": 1})
    while link.next().name != "PONG":  # the credit, sent before, has arrived as well
        pass
    say("ready")
    while True:
        link.next()


def run_subscriber(endpoint):
    import zmq

    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 1)
    socket.connect(endpoint)
    socket.subscribe(b"")
    socket.recv_multipart()  # the heartbeat says that the subscription is there
    say("ready")
    while True:
        socket.recv_multipart()


if __name__ == "__main__":
    {"client": run_client, "worker": run_worker, "glutton": run_glutton,
     "subscriber": run_subscriber}[sys.argv[1]](*sys.argv[2:])
