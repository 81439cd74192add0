"""The neighbours that taskpipe is measured beside, started here and ended here."""

import contextlib
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Process, free_port  # noqa: E402

CELERY_PEER = pathlib.Path(__file__).with_name("celery_peer.py")


@contextlib.contextmanager
def celery_redis(folder):
    """Redis in memory alone (no snapshot, no log) and one Celery worker; the environment that
    celery_peer.py needs. Both over TCP on loopback, like taskpipe."""
    port = free_port()
    with contextlib.ExitStack() as cleanup:
        redis = Process("redis", ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "",
                                  "--appendonly", "no", "--daemonize", "no"],
                        folder / "redis.log", cwd=folder)
        cleanup.callback(redis.stop)
        redis.wait_for("Ready to accept connections")
        environment = {**os.environ, "REDIS_URL": f"redis://127.0.0.1:{port}/0",
                       "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        worker = Process("celery", ["/usr/bin/python3", CELERY_PEER, "worker"],
                         folder / "celery.log", cwd=folder, env=environment)
        cleanup.callback(worker.stop)
        # The worker prints its banner before it listens; the first task waits in Redis until then,
        # and the warm-up of every measurement comes before its clock.
        worker.wait_for("[queues]")
        yield environment


def celery_figures(folder, throughput_tasks, round_trips, run_json):
    """One measurement of each kind, by name."""
    with celery_redis(folder) as environment:
        def run(kind, count):
            return run_json("/usr/bin/python3", CELERY_PEER, kind, str(count), env=environment)

        rate = run("throughput", throughput_tasks)
        trip = run("roundtrip", round_trips)
    return {"celery_redis_tasks_per_s": rate["tasks_per_s"],
            "celery_redis_round_trip_p50_us": trip["p50_us"],
            "celery_redis_round_trip_p99_us": trip["p99_us"]}


def unavailable():
    """Why the peers cannot run here, or None."""
    if subprocess.run(["which", "redis-server"], capture_output=True, check=False).returncode != 0:
        return "redis-server is not installed"
    probe = subprocess.run(["/usr/bin/python3", "-c", "import celery, redis"], capture_output=True,
                           text=True, check=False)
    return None if probe.returncode == 0 else probe.stderr.strip().splitlines()[-1]
