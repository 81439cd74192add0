"""Pings the broker, and looks at its memory, while a test does something else.

    with PingMeter(peer, broker_pid) as meter:
        ...
    print(meter.told(), meter.most_bytes)

`peer` is a taskpipe_wire.Peer that nobody else uses meanwhile.
"""

import threading
import time

from peer_memory import resident_bytes

BETWEEN_PINGS_S = 0.01


class PingMeter:
    """Round trips in ms, and the most memory that the broker had, from entering to leaving."""

    def __init__(self, peer, pid):
        self.peer, self.pid = peer, pid
        self.trips_ms, self.most_bytes = [], 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def run(self):
        while not self.stopping.wait(BETWEEN_PINGS_S):
            begun = time.perf_counter()
            self.peer.ask("PING", {"t": 1}, "PONG")
            self.trips_ms.append(1000 * (time.perf_counter() - begun))
            self.most_bytes = max(self.most_bytes, resident_bytes(self.pid))

    def quantile(self, share):
        return sorted(self.trips_ms)[min(int(share * len(self.trips_ms)), len(self.trips_ms) - 1)]

    def told(self):
        return (f"{len(self.trips_ms)} pings, p50 {self.quantile(0.5):.2f} ms, "
                f"p99 {self.quantile(0.99):.2f} ms, most {max(self.trips_ms):.2f} ms")
