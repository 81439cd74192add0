"""HyperQueue with its own Python package, which has server and worker inside. Run by the scenario
`processes`.

    hyperqueue_peer.py TASKS CORES   → {"tasks_per_s": …}

One job of TASKS times /bin/true, no output kept, no journal. The package asks for the end of a job
once a second; so a last task, of the lowest priority, makes a file, which is seen at once.
"""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import time

WARM_UP_TASKS = 50
LIMIT_S = 240


def seconds_for(client, count, mark):
    from hyperqueue import Job  # noqa: PLC0415: only where it is installed

    job = Job()
    for _ in range(count):
        job.program(["/bin/true"], stdout=None, stderr=None)
    job.program(["touch", str(mark)], stdout=None, stderr=None, priority=-1)
    start = time.perf_counter()
    submitted = client.submit(job)
    while not mark.exists():
        if time.perf_counter() - start > LIMIT_S:
            sys.exit(f"hyperqueue_peer: not within {LIMIT_S} s")
        time.sleep(0.002)
    elapsed = time.perf_counter() - start
    with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
        if not client.wait_for_jobs([submitted]):
            sys.exit("hyperqueue_peer: a task failed")
    return elapsed


def main():
    from hyperqueue import LocalCluster  # noqa: PLC0415: only where it is installed
    from hyperqueue.cluster import WorkerConfig  # noqa: PLC0415

    count, cores = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=".") as folder, LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=cores))
        client = cluster.client()
        marks = pathlib.Path(folder).absolute()
        seconds_for(client, WARM_UP_TASKS, marks / "warm")
        elapsed = seconds_for(client, count, marks / "done")
    print()  # the server's banner may stand before it
    print(json.dumps({"tasks_per_s": count / elapsed}))


if __name__ == "__main__":
    main()
