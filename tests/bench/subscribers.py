#!/usr/bin/python3
"""Subscribers of the broker's PUB channel in numbers. Debian's pyzmq.

    subscribers.py ENDPOINT COUNT

Says "ready" when every one of them hears the broker. Counts until a line comes on standard input, and
then prints {"messages": n, "gaps": n, "bytes": n, "behind": n} of all together: `gaps` are places where
a stream's numbers do not follow each other, `behind` are subscribers that have not heard the newest
number that any of them has.
"""

import json
import struct
import sys
import time

import zmq

POSITION = struct.Struct(">QQQ")  # epoch, previous number, number
RECEIVE_HIGH_WATER = 10_000
CATCH_UP_S = 3.0


class Subscriber:
    def __init__(self, context, endpoint):
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVHWM, RECEIVE_HIGH_WATER)
        self.socket.connect(endpoint)
        self.socket.subscribe(b"")
        self.last = {}  # of each stream, by its topic
        self.messages = self.gaps = self.bytes = 0

    def drain(self):
        while True:
            try:
                topic, position, body = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            _, previous, number = POSITION.unpack(position)
            if topic in self.last and self.last[topic] != previous:
                self.gaps += 1
            self.last[topic] = number
            self.messages += 1
            self.bytes += len(body)


def main():
    endpoint, count = sys.argv[1], int(sys.argv[2])
    context = zmq.Context()
    subscribers = [Subscriber(context, endpoint) for _ in range(count)]
    poller = zmq.Poller()
    for subscriber in subscribers:
        poller.register(subscriber.socket, zmq.POLLIN)
    poller.register(sys.stdin, zmq.POLLIN)
    by_socket = {subscriber.socket: subscriber for subscriber in subscribers}
    said, end = False, None
    while end is None or time.monotonic() < end:
        for ready, _ in poller.poll(100):
            if ready in by_socket:
                by_socket[ready].drain()
            elif end is None:
                end = time.monotonic() + CATCH_UP_S
                poller.unregister(sys.stdin)
        if not said and all(subscriber.messages for subscriber in subscribers):
            said = True
            print("ready", flush=True)
    newest = {}
    for subscriber in subscribers:
        for topic, number in subscriber.last.items():
            newest[topic] = max(number, newest.get(topic, 0))
    print(json.dumps({
        "messages": sum(s.messages for s in subscribers), "gaps": sum(s.gaps for s in subscribers),
        "bytes": sum(s.bytes for s in subscribers),
        "behind": sum(any(s.last.get(t) != n for t, n in newest.items()) for s in subscribers)}),
        flush=True)


if __name__ == "__main__":
    main()
