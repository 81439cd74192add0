"""Celery with Redis, the system that taskpipe replaces, set up for speed. Run by peers.py.

    celery_peer.py worker NAME           → a worker, until a signal
    celery_peer.py throughput TASKS      → {"tasks_per_s": …}
    celery_peer.py roundtrip TASKS       → {"p50_us": …, "p99_us": …}

REDIS_URL says where Redis is. Nothing that costs time is on: no events, no gossip, no mingle, no
heartbeats, no result expiry; the worker runs tasks in its own process and prefetches without limit.
A throughput counts from the first submit until every result is back at the client.
"""

import json
import os
import statistics
import sys
import time

from celery import Celery, group

PAYLOAD = "x" * 100
WARM_UP_TASKS = 500
WARM_UP_ROUND_TRIPS = 50

app = Celery("peer", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(worker_prefetch_multiplier=0, worker_send_task_events=False,
                task_send_sent_event=False, result_expires=None, task_serializer="json",
                result_serializer="json", accept_content=["json"], worker_hijack_root_logger=False,
                broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(data):
    """Returns nothing, like the noop of taskpipe."""


def throughput(count):
    start = time.perf_counter()
    results = group(noop.s(PAYLOAD) for _ in range(count)).apply_async()
    values = results.get(timeout=600)
    elapsed = time.perf_counter() - start
    if len(values) != count:
        sys.exit("celery_peer: a result is missing")
    return count / elapsed


def round_trips(count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        noop.delay(PAYLOAD).get(timeout=60)
        times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)


def main():
    kind = sys.argv[1]
    if kind == "worker":
        app.worker_main(["worker", "--pool=solo", f"--hostname={sys.argv[2]}@%h",
                         "--loglevel=WARNING", "--without-gossip", "--without-mingle",
                         "--without-heartbeat"])
        return
    count = int(sys.argv[2])
    if kind == "throughput":
        throughput(WARM_UP_TASKS)
        print(json.dumps({"tasks_per_s": throughput(count)}))
    else:
        round_trips(WARM_UP_ROUND_TRIPS)
        times = round_trips(count)
        print(json.dumps({"p50_us": statistics.median(times),
                          "p99_us": times[len(times) * 99 // 100]}))


if __name__ == "__main__":
    main()
