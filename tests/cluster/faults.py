"""Cuts between hosts, one at a time: when each is seen, and when all is well again."""

import datetime
import json
import time

from hosts import BROKER, LEASE_S

from cluster import wait_until
from gated_tool import GatedTool, is_gone

HANGS_S = 90.0


def directions(host):
    """Name of a cut → links."""
    return {f"{host[0]} -> broker": [(host[1], BROKER)], f"broker -> {host[0]}": [(BROKER, host[1])],
            f"{host[0]} off": [(host[1], BROKER), (BROKER, host[1])]}


def moment(line):
    """Of a line of the broker's log, in seconds since 1970."""
    return datetime.datetime.fromisoformat(json.loads(line)["ts"]).timestamp()


def after(hosts, position, *texts):
    """The first line of the broker's log from that position on that holds one of the texts."""
    def found():
        return next((line for line in hosts.broker.lines[position:]
                     if any(text in line for text in texts)), None)

    wait_until(lambda: found() is not None, f"the broker says one of {texts}", HANGS_S)
    return moment(found())


def ended_once(hosts, host, task, **expected):
    hosts.on(host, "wait", task)
    row = hosts.row(host, task)
    if row["state"] != "SUCCESS" or any(row[name] != value for name, value in expected.items()):
        raise AssertionError(f"expected {expected}, found {row}")


def cut(hosts, links):
    for link in links:
        hosts.weather.cut(*link)
    return time.time()


def worker_cuts(hosts, number, figures):
    """A task begins, its worker is cut off, the task runs elsewhere; the worker comes back, and what
    was superseded is stopped."""
    ids = []
    for name in directions(("worker", "")):
        tool = GatedTool(hosts, f"gate-{number}-{name.replace(' ', '')}")
        task = tool.submit(prefix=hosts.net.prefix("c1"))
        ((first, where),) = tool.wait_for_runs(1)
        position = len(hosts.broker.lines)
        begun = cut(hosts, directions(("worker", where))[name])
        lost = after(hosts, position, f"worker '{where}' was silent for its whole lease")
        seen = after(hosts, position, f"worker '{where}' is silent", f"worker '{where}' disconnected",
                     f"worker '{where}' was silent")
        (second, elsewhere), = [run for run in tool.wait_for_runs(2, HANGS_S) if run[1] != where]
        moved = time.time()
        position = len(hosts.broker.lines)
        hosts.weather.clear()
        healed = time.time()
        back = after(hosts, position, f"worker '{where}' on ")
        wait_until(lambda: is_gone(first), "the superseded run is stopped", HANGS_S)
        stopped = time.time()
        if is_gone(second):
            raise AssertionError("the run that counts was stopped")
        tool.open_gate()
        ended_once(hosts, "c1", task, worker=elsewhere, attempt=2)
        for column, seconds in (("suspect", seen - begun), ("lost", lost - begun),
                                ("runs elsewhere", moved - begun), ("session again", back - healed),
                                ("old run stopped", stopped - healed)):
            figures.add(name, column, seconds)
        print(f"{name}: suspect after {seen - begun:.1f} s, elsewhere after {moved - begun:.1f} s, "
              f"back {back - healed:.1f} s after the cut", flush=True)
        ids.append(task)
    return ids


def opened_sessions(hosts):
    """Of clients, so far: one that is cut off before its first session gives up after 5 s."""
    log = hosts.keys / "data" / "audit.log"
    return sum('"session_opened"' in line and '"role":"client"' in line
               for line in log.read_text().splitlines())


def client_cuts(hosts, number, figures):
    """A client waits and is cut off, its task ends meanwhile; it is told when the cut is over."""
    ids = []
    for name in directions(("client", "")):
        tool = GatedTool(hosts, f"gate-{number}-{name.replace(' ', '')}")
        task = tool.submit(prefix=hosts.net.prefix("c2"))
        tool.wait_for_runs(1)
        before = opened_sessions(hosts)
        waiter = hosts.begin("c1", "wait", task)
        wait_until(lambda: opened_sessions(hosts) > before, "the client has its session")
        begun = cut(hosts, directions(("client", "c1"))[name])
        tool.open_gate()
        ended_once(hosts, "c2", task, attempt=1)
        time.sleep(max(0.0, begun + LEASE_S + 1.5 - time.time()))  # its session must be over as well
        if waiter.child.poll() is not None and name != "client -> broker":
            raise AssertionError(f"{name}: the client was told in spite of the cut")
        hosts.weather.clear()
        healed = time.time()
        if waiter.child.wait(HANGS_S) != 0:
            raise AssertionError(waiter.tail())
        figures.add(name, "answer after the cut", max(0.0, time.time() - healed))
        ids.append(task)
        print(f"{name}: told {time.time() - healed:.1f} s after the cut", flush=True)
    return ids
