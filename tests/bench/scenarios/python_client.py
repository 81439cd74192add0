"""From Python, as an agent would use it."""

import pathlib
import statistics

from measuring import quotients, run_json

NAME = "python"
TITLE = "From Python: submit_batch and wait_all, one worker"
ORDER = 30
TASKS, QUICK_TASKS = 100_000, 30_000
TRIPS, QUICK_TRIPS = 1_000, 300
IMPORTS = 5
PROGRAM = pathlib.Path(__file__).parent.parent / "python_bench.py"
UNITS = {"python_durable_tasks_per_s": "1/s", "python_durable_round_trip_p50_us": "us",
         "python_durable_round_trip_p99_us": "us", "python_import_ms": "ms"}


def unavailable(context):
    return None if context.python else "no interpreter with the package (--python)"


def round(context):
    with context.cluster() as running:
        def run(kind, count):
            return run_json(context.python, PROGRAM, kind, count, running.client_endpoint)

        rate = run("throughput", QUICK_TASKS if context.quick else TASKS)
        trip = run("roundtrip", QUICK_TRIPS if context.quick else TRIPS)
    return {"python_durable_tasks_per_s": rate["tasks_per_s"],
            "python_durable_round_trip_p50_us": trip["p50_us"],
            "python_durable_round_trip_p99_us": trip["p99_us"],
            "python_import_ms": statistics.median(
                run_json(context.python, PROGRAM, "import")["import_ms"] for _ in range(IMPORTS))}


def ratios(figures):
    return quotients(figures, {
        "python_round_trip_vs_cpp":
            ("python_durable_round_trip_p50_us", "durable_round_trip_p50_us"),
        "python_batch_vs_celery_redis":
            ("python_durable_tasks_per_s", "celery_redis_tasks_per_s"),
    })
