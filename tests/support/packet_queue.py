#!/usr/bin/env python3
"""Holds packets back: delay, jitter and overtaking, where the kernel has no netem.

    iptables -A INPUT -s ADDRESS -j NFQUEUE --queue-num 0 --queue-bypass
    packet_queue.py DELAY_MS JITTER_MS OVERTAKE_SHARE      # in the same network namespace

Each packet of queue 0 is let go after DELAY_MS and up to JITTER_MS more; a share of them at once, so
that they overtake others. Says "ready" once the queue is its own, and ends with SIGTERM. It speaks
the kernel's netlink itself (linux/netfilter/nfnetlink_queue.h): no library is needed.
"""

import errno
import heapq
import random
import select
import socket
import struct
import sys
import time

NETLINK_NETFILTER = 12
SUBSYSTEM_QUEUE = 3
PACKET, VERDICT, CONFIG = 0, 1, 2
REQUEST, ACKNOWLEDGE = 1, 4  # flags
CONFIG_COMMAND, CONFIG_PARAMETERS, CONFIG_LENGTH = 1, 2, 3
BIND, COPY_META = 1, 1
PACKET_HEADER = 1
VERDICT_HEADER, ACCEPT = 2, 1
QUEUE_LENGTH = 100_000  # beyond it the kernel drops
RECEIVE_BYTES = 4 << 20
MESSAGE, FAMILY = struct.Struct("=IHHII"), struct.Struct(">BBH")
SEED = 20261126


def attribute(kind, payload):
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def message(kind, body, flags):
    body = FAMILY.pack(0, 0, 0) + body
    return MESSAGE.pack(MESSAGE.size + len(body), SUBSYSTEM_QUEUE << 8 | kind, flags, 0, 0) + body


class Queue:
    """Queue 0 of this network namespace. OSError when the kernel has none to give."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self.socket.bind((0, 0))
        self._configure(CONFIG_COMMAND, struct.pack(">BBH", BIND, 0, socket.AF_INET))
        self._configure(CONFIG_PARAMETERS, struct.pack(">IB", 0, COPY_META))
        self._configure(CONFIG_LENGTH, struct.pack(">I", QUEUE_LENGTH))

    def _configure(self, kind, payload):
        self.socket.send(message(CONFIG, attribute(kind, payload), REQUEST | ACKNOWLEDGE))
        answer = self.socket.recv(1 << 16)
        (code,) = struct.unpack_from("=i", answer, MESSAGE.size)
        if code != 0:
            raise OSError(-code, f"NFQUEUE: {errno.errorcode.get(-code, code)}")

    def packets(self):
        """The ids of what has arrived."""
        try:
            data = self.socket.recv(1 << 16)
        except OSError as error:
            if error.errno == errno.ENOBUFS:  # more than its buffer takes: those are lost packets
                return []
            raise
        found, at = [], 0
        while at + MESSAGE.size <= len(data):
            length, kind, *_ = MESSAGE.unpack_from(data, at)
            if kind == SUBSYSTEM_QUEUE << 8 | PACKET:
                found += self._ids(data, at + MESSAGE.size + FAMILY.size, at + length)
            at += (length + 3) & ~3
        return found

    @staticmethod
    def _ids(data, at, end):
        while at + 4 <= end:
            length, kind = struct.unpack_from("=HH", data, at)
            if kind == PACKET_HEADER:
                yield struct.unpack_from(">I", data, at + 4)[0]
                return
            at += (length + 3) & ~3

    def accept(self, packet):
        verdict = attribute(VERDICT_HEADER, struct.pack(">II", ACCEPT, packet))
        self.socket.send(message(VERDICT, verdict, REQUEST))


def main():
    delay_s, jitter_s, overtake = (float(value) for value in sys.argv[1:4])
    delay_s, jitter_s = delay_s / 1000, jitter_s / 1000
    chance = random.Random(SEED)
    queue = Queue()
    print("ready", flush=True)
    held = []
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else None
        if select.select([queue.socket], [], [], wait)[0]:
            now = time.monotonic()
            for packet in queue.packets():
                if chance.random() < overtake:
                    queue.accept(packet)
                else:
                    heapq.heappush(held, (now + delay_s + chance.random() * jitter_s, packet))
        while held and held[0][0] <= time.monotonic():
            queue.accept(heapq.heappop(held)[1])


if __name__ == "__main__":
    sys.exit(main())
