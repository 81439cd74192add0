"""Dask's distributed scheduler, set up for speed. Run by peers.py.

    dask_peer.py throughput TASKS WORKERS   → {"tasks_per_s": …}
    dask_peer.py roundtrip TASKS WORKERS    → {"p50_us": …, "p99_us": …}

Each worker is a process with one thread; the scheduler hands out without limit (saturation inf),
and there is no dashboard. A throughput counts from the first submit until every result is back.
"""

import json
import statistics
import sys
import time

PAYLOAD = "x" * 100
WARM_UP_TASKS = 500
WARM_UP_ROUND_TRIPS = 50


def noop(_number, _data):
    """Returns nothing, like the noop of taskpipe."""


def throughput(client, count):
    start = time.perf_counter()
    futures = client.map(noop, range(count), [PAYLOAD] * count, pure=False)
    values = client.gather(futures)
    elapsed = time.perf_counter() - start
    if len(values) != count:
        sys.exit("dask_peer: a result is missing")
    return count / elapsed


def round_trips(client, count):
    times = []
    for number in range(count):
        start = time.perf_counter()
        client.submit(noop, number, PAYLOAD, pure=False).result()
        times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)


def main():
    import dask  # noqa: PLC0415: only in the process that is started, not in those that it starts
    from distributed import Client, LocalCluster  # noqa: PLC0415

    kind, count, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dask.config.set({"distributed.scheduler.worker-saturation": float("inf")})
    with LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, protocol="tcp",
                      dashboard_address=None) as cluster, Client(cluster) as client:
        if kind == "throughput":
            throughput(client, WARM_UP_TASKS)
            figures = {"tasks_per_s": throughput(client, count)}
        else:
            round_trips(client, WARM_UP_ROUND_TRIPS)
            times = round_trips(client, count)
            figures = {"p50_us": statistics.median(times), "p99_us": times[len(times) * 99 // 100]}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
