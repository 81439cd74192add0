"""taskpipe from Python, as an agent would use it. Run by bench.py with the package installed.

    python_bench.py throughput TASKS BROKER   → {"tasks_per_s": …}
    python_bench.py roundtrip TASKS BROKER    → {"p50_us": …, "p99_us": …}
    python_bench.py import                    → {"import_ms": …}

Tasks are `noop` with 100 bytes of params, as in task_bench; a throughput counts from the first
submit until every result is a Python object.
"""

import json
import statistics
import sys
import time

PAYLOAD = "x" * 100
WARM_UP_TASKS = 2_000
WARM_UP_ROUND_TRIPS = 100


def throughput(client, task, count):
    start = time.perf_counter()
    ids = client.submit_batch([task] * count)
    results = client.wait_all(ids)
    elapsed = time.perf_counter() - start
    if len(results) != count or not all(result.succeeded for result in results):
        sys.exit("python_bench: a task did not succeed")
    return count / elapsed


def round_trips(client, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        client.run("noop", "", {"data": PAYLOAD})
        times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)


def main():
    kind, *rest = sys.argv[1:]
    start = time.perf_counter()
    import taskpipe  # noqa: PLC0415: its time is one of the figures
    import_ms = (time.perf_counter() - start) * 1e3
    if kind == "import":
        print(json.dumps({"import_ms": import_ms}))
        return
    count, broker = int(rest[0]), rest[1]
    with taskpipe.Client(broker) as client:
        if kind == "throughput":
            task = taskpipe.Task(tool="noop", script="", params={"data": PAYLOAD})
            throughput(client, task, WARM_UP_TASKS)
            print(json.dumps({"tasks_per_s": throughput(client, task, count)}))
        else:
            round_trips(client, WARM_UP_ROUND_TRIPS)
            times = round_trips(client, count)
            print(json.dumps({"p50_us": statistics.median(times),
                              "p99_us": times[len(times) * 99 // 100]}))


if __name__ == "__main__":
    main()
