"""Tasks that are processes: /bin/true, beside xargs -P with the same parallelism."""

import json
import os
import pathlib
import subprocess
import time

from measuring import BenchError, quotients

NAME = "processes"
TITLE = "Tasks that are processes: /bin/true, all processors at once"
TASKS, QUICK_TASKS = 4_000, 1_500
UNITS = {"process_tasks_per_s": "1/s", "xargs_processes_per_s": "1/s",
         "hyperqueue_tasks_per_s": "1/s"}
MANIFEST = """name = "true"
description = "Does nothing, in a process of its own"
[command]
argv = ["/bin/true"]
"""
LIMIT_S = 150
HYPERQUEUE_PEER = pathlib.Path(__file__).parent.parent / "hyperqueue_peer.py"


def xargs(count, parallel):
    """Processes a second that a shell script would get."""
    numbers = "\n".join(map(str, range(count))) + "\n"
    start = time.perf_counter()
    done = subprocess.run(["xargs", "-P", str(parallel), "-n", "1", "/bin/true"], input=numbers,
                          text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise BenchError(f"xargs failed with {done.returncode}")
    return count / (time.perf_counter() - start)


def taskpipe(context, count, parallel):
    with context.scratch() as tools:
        (tools / "true.toml").write_text(MANIFEST)
        # ext4 without a journal passes by every inode that was freed in the last five minutes, one by
        # one, whenever it makes a file: the folders of a round would slow the next ones down tenfold.
        with context.cluster(worker=("--tools", tools, "--cpus", parallel), remove=False) as running:
            return context.run_json("task_bench", "throughput", running.client_endpoint, count,
                                    "--tool", "true")["tasks_per_s"]


def hyperqueue_in_python(context, count, parallel):
    """Server and worker of HyperQueue's Python package, where the interpreter has it; else None."""
    if not context.python or subprocess.run([context.python, "-c", "import hyperqueue"],
                                            capture_output=True, check=False).returncode != 0:
        return None
    with context.scratch() as folder:
        done = subprocess.run([context.python, HYPERQUEUE_PEER, str(count), str(parallel)],
                              capture_output=True, text=True, timeout=2 * LIMIT_S, check=False,
                              cwd=folder)
    if done.returncode != 0:
        raise BenchError(f"HyperQueue: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])["tasks_per_s"]


def hyperqueue(context, count, parallel):
    """As an array, which is its fastest way: no output kept."""
    with context.scratch() as folder:
        environment = {**os.environ, "HQ_SERVER_DIR": str(folder)}

        def hq(*arguments, must=True):
            done = subprocess.run([context.hq, *arguments], env=environment, cwd=folder, text=True,
                                  capture_output=True, timeout=LIMIT_S, check=False)
            if must and done.returncode != 0:
                raise BenchError(f"hq {' '.join(arguments)}: {done.stderr.strip()}")
            return done.returncode == 0

        server = subprocess.Popen([context.hq, "server", "start"], env=environment, cwd=folder,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        worker = None
        try:
            deadline = time.monotonic() + 30
            while not hq("server", "info", must=False):
                if time.monotonic() > deadline:
                    raise BenchError("HyperQueue's server did not start")
                time.sleep(0.1)
            worker = subprocess.Popen([context.hq, "worker", "start", f"--cpus={parallel}"],
                                      env=environment, cwd=folder, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            hq("submit", "--wait", "--stdout=none", "--stderr=none", "/bin/true")
            start = time.perf_counter()
            hq("submit", "--wait", "--stdout=none", "--stderr=none", f"--array=1-{count}",
               "/bin/true")
            return count / (time.perf_counter() - start)
        finally:
            for process in (worker, server):
                if process:
                    process.kill()
                    process.wait()


def round(context):
    count = QUICK_TASKS if context.quick else TASKS
    parallel = len(os.sched_getaffinity(0))
    figures = {"xargs_processes_per_s": xargs(count, parallel),
               "process_tasks_per_s": taskpipe(context, count, parallel)}
    rate = (hyperqueue(context, count, parallel) if context.hq
            else context.peers and hyperqueue_in_python(context, count, parallel))
    if rate:
        figures["hyperqueue_tasks_per_s"] = rate
    return figures


def ratios(figures):
    return quotients(figures, {
        "process_tasks_vs_xargs": ("process_tasks_per_s", "xargs_processes_per_s"),
        "process_tasks_vs_hyperqueue": ("process_tasks_per_s", "hyperqueue_tasks_per_s"),
    })
