#!/usr/bin/env python3
"""A cluster of six hosts with keys: real solvers from two clients, then load through broken networks.

    TASKPIPE_BIN_DIR=… [TASKPIPE_PYTHON=…] cluster_test.py [--rounds N] [--tasks N]

What must hold is asserted: every acknowledged task ends exactly once, a task whose worker is cut off
runs elsewhere, nothing of a task is left running. How long it takes is printed, as medians over the
rounds, and asserted nowhere: a bound that is exceeded means that something hangs.
TASKPIPE_PYTHON: an interpreter that has the package.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from faults import client_cuts, opened_sessions, worker_cuts  # noqa: E402
from hosts import BROKER, CLIENTS, LEASE_S, WORKERS, Hosts, end_on_signals  # noqa: E402

import namespaces  # noqa: E402
from cluster import wait_until  # noqa: E402
from figures import Figures  # noqa: E402
from load import check_history  # noqa: E402
from unavailable import SKIPPED  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SOLVERS = [
    {"tool": "lammps", "script": "example.lammps", "params": {"steps": 500}},
    {"tool": "fenicsx", "script": "poisson.py", "params": {"mesh_size": 16}},
    {"tool": "openfoam", "script": "example_cavity.py", "params": {"n": 20}},
]
TERMINAL = {"SUCCESS", "FAILURE", "timeout", "error", "REVOKED"}  # as events name them
CLIENT_LIMIT_S = 240.0
CUT_S = 4.5  # beyond the lease
LIGHT_SHARE = 10  # of the tasks where each answer takes its time to arrive
ORPHAN_LIMIT_S = 30.0


def say(text):
    print(text, flush=True)


def heading(text):
    say(f"\n-- {text}")


# --- Solvers --------------------------------------------------------------------------------------


def offered_solvers(hosts):
    offered = {tool["name"] for tool in json.loads(hosts.on("c1", "tools", "--json"))["tools"]}
    for task in SOLVERS:
        if task["tool"] not in offered:
            say(f"UNAVAILABLE: {task['tool']}: no worker offers it; ./run deps-solvers installs it")
    return [task for task in SOLVERS if task["tool"] in offered]


def solve_by_command_line(hosts, tasks):
    """Each alone, then all of them one after the other; then a file of the first, from its node."""
    ids = []
    for task in tasks:
        given = [f"--param={name}={value}" for name, value in task["params"].items()]
        ids.append(hosts.on("c1", "submit", task["tool"], task["script"], *given).strip())
    hosts.on("c1", "wait", *ids)
    names = [task["tool"] for task in tasks]
    chain = [{**task, "name": task["tool"], **({"after": [before]} if before else {})}
             for task, before in zip(tasks, [None, *names])]
    path = hosts.folder / "solvers.json"
    path.write_text(json.dumps(chain))
    hosts.on("c1", "workflow", "run", path)
    fetched = hosts.folder / "fetched"
    hosts.on("c1", "artifacts", "get", ids[0], "--to", fetched)
    if not any(entry.is_file() for entry in fetched.rglob("*")):
        raise AssertionError(f"no artifact of {ids[0]} was fetched")
    return 2 * len(tasks)


def solve_by_python(hosts, python, tasks):
    done = subprocess.run([*hosts.net.prefix("c2"), python, HERE / "python_tasks.py",
                           json.dumps(tasks)], env=hosts.client_environment(), capture_output=True,
                          text=True, timeout=CLIENT_LIMIT_S, check=False)
    if done.returncode != 0:
        raise AssertionError(f"python_tasks.py: {done.stdout}{done.stderr}")
    return int(done.stdout)


def usable_python():
    python = os.environ.get("TASKPIPE_PYTHON", "")
    if python and subprocess.run([python, "-c", "import taskpipe"], capture_output=True,
                                 check=False).returncode == 0:
        return python
    say("UNAVAILABLE: Python client: TASKPIPE_PYTHON names no interpreter with the package")
    return None


def solve(hosts):
    heading("simulations, from the command line and from Python")
    tasks = offered_solvers(hosts)
    python = usable_python()
    if not tasks:
        return
    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [pool.submit(solve_by_command_line, hosts, tasks)]
        if python:
            clients.append(pool.submit(solve_by_python, hosts, python, tasks))
        done = sum(client.result() for client in clients)
    say(f"{done} simulations succeeded")


# --- Load through broken networks -----------------------------------------------------------------


def links(one, other=BROKER):
    return [(one, other), (other, one)]


def weathers(hosts, worker):
    """(name, kind of weather or None for a cut, what to do). A cut comes amid the load, all else is
    there from its beginning."""
    weather = hosts.weather
    everywhere = [link for host in (worker, *CLIENTS) for link in links(host)]

    def cut(*which):
        return lambda: [weather.cut(*link) for link in which]

    def late(*how):
        return lambda: [weather.late(*link, *how) for link in everywhere]

    return [
        ("calm", "calm", lambda: None),
        ("worker -> broker cut", None, cut((worker, BROKER))),
        ("broker -> worker cut", None, cut((BROKER, worker))),
        ("worker cut off", None, cut(*links(worker))),
        ("client -> broker cut", None, cut(("c1", BROKER))),
        ("broker -> client cut", None, cut((BROKER, "c1"))),
        ("client cut off", None, cut(*links("c1"))),
        ("20 to 40 ms late", "late", late(20, 20)),
        ("a tenth overtakes", "late", late(20, 0, 0.1)),
        ("3 % lost", "lossy", lambda: [weather.lossy(*link, 0.03) for link in everywhere]),
        ("2 Mbit/s", "slow", lambda: [weather.slow(host, "2mbit") for host in (worker, "c1")]),
    ]


def carry_load(hosts, tasks, is_cut, begin):
    """Both clients, through that weather; (ids, seconds)."""
    if not is_cut:
        begin()
    before = opened_sessions(hosts)
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(hosts.load(host, tasks)) for host in CLIENTS]
        if is_cut:
            wait_until(lambda: opened_sessions(hosts) >= before + len(clients), "both have sessions")
            if not clients[0].is_running():
                raise AssertionError("the load was over before the cut; more --tasks")
            begin()
            time.sleep(CUT_S)  # the length of the cut is what is tested
            hosts.weather.clear()
        ids = []
        for host, client in zip(CLIENTS, clients):
            client.wait(CLIENT_LIMIT_S)
            books = client.books()
            if (books["acknowledged"], books["lost"], books["wrong"]) != (tasks, 0, 0):
                raise AssertionError(f"{host}: {books['acknowledged']} of {tasks} acknowledged, "
                                     f"{books['lost']} lost, {books['wrong']} wrong: "
                                     f"{books['complaints']}")
            ids += books["ids"]
        seconds = time.monotonic() - start
    hosts.weather.clear()
    return ids, seconds


def load_through_weather(hosts, tasks, round_number, figures):
    ids = []
    worker = WORKERS[round_number % len(WORKERS)]
    for name, kind, begin in weathers(hosts, worker):
        if kind not in (None, "calm"):
            why = hosts.weather.unavailable(kind, worker, BROKER)
            if why:
                if round_number == 0:
                    say(f"UNAVAILABLE: {name}: {why}")
                continue
        few = tasks if kind in (None, "calm") else max(1, tasks // LIGHT_SHARE)
        done, seconds = carry_load(hosts, few, kind is None, begin)
        figures.add(name, "tasks", len(done))
        figures.add(name, "seconds", seconds)
        ids += done
        say(f"{name}: {len(done)} tasks in {seconds:.1f} s, none lost")
    return ids


# --- The end --------------------------------------------------------------------------------------


def check_ends(hosts, ids):
    """By the broker's own event stream: each task ended once."""
    ends = collections.Counter()
    lines = hosts.on("c2", "events", "--since", "0", "--json", "--join", hosts.join("admin"))
    for line in lines.splitlines():
        event = json.loads(line)
        if event.get("state") in TERMINAL:
            ends[event["task_id"]] += 1
    wrong = [(task, ends[task]) for task in ids if ends[task] != 1]
    if wrong:
        raise AssertionError(f"{len(wrong)} tasks did not end exactly once: {wrong[:3]}")


def stop(hosts):
    for name in WORKERS:
        code = hosts.workers[name].stop()
        if code != 0:
            raise AssertionError(f"{name} ended with {code}: {hosts.workers[name].tail()}")
    code = hosts.broker.stop()
    if code != 0:
        raise AssertionError(f"the broker ended with {code}: {hosts.broker.tail()}")
    wait_until(lambda: not hosts.leftovers(), f"no process is left: {hosts.leftovers()}",
               ORPHAN_LIMIT_S)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often everything but the solvers")
    parser.add_argument("--tasks", type=int, default=1500, help="of each client in each weather")
    parser.add_argument("--limit", type=int, default=0, help="seconds, after which it ends; 0 = none")
    options = parser.parse_args()
    why_not = namespaces.unavailable()
    if why_not:
        say(f"UNAVAILABLE: a cluster of several hosts: {why_not}")
        return SKIPPED
    end_on_signals()
    signal.alarm(options.limit)
    cuts, loads = Figures(), Figures()
    with Hosts(pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])) as hosts:
        solve(hosts)
        ids = []
        for number in range(options.rounds):
            heading(f"round {number + 1} of {options.rounds}: who is cut off, and when it is seen")
            ids += worker_cuts(hosts, number, cuts)
            ids += client_cuts(hosts, number, cuts)
            heading("load")
            ids += load_through_weather(hosts, options.tasks, number, loads)
        check_ends(hosts, ids)
        stop(hosts)
        check_history(hosts.keys / "data" / "history.sqlite", ids)
    heading(f"medians of {options.rounds}, in seconds; lease {LEASE_S:.0f} s")
    say(cuts.table())
    heading(f"medians of {options.rounds}: load through each weather, a cut of {CUT_S} s amid it")
    say(loads.table())
    say(f"\n{len(ids)} tasks under faults: each ended once, with success; nothing is left running")
    return 0


if __name__ == "__main__":
    sys.exit(main())
