"""Who follows `taskpipe events` while a test breaks things, and what it must have been told.

    with follower(cluster, "all", "--since", "0") as seen:
        ...
        seen.wait_for_ends(ids)
        check_whole(seen.changes(), ids)

A result that is recorded twice, or a state that changes after the end, shows here: each change of a
task is an event, and comes once.
"""

import collections
import contextlib
import json
import signal
import subprocess

from cluster import ClusterError, wait_until

PATIENCE_S = 240.0  # sanitizers and two busy cores
ENDS = {"SUCCESS", "FAILURE", "timeout", "error", "REVOKED"}


class Follower:
    """`taskpipe events --follow --json` in the background, into a file."""

    def __init__(self, cluster, name, *options, topic="task.echo", prefix=()):
        self._path = cluster.folder / f"{name}.jsonl"
        with open(self._path, "wb") as out:
            self.child = subprocess.Popen(
                [*prefix, cluster.program("taskpipe"), "events", "--topic", topic, "--json", "--follow",
                 *map(str, options)],
                stdout=out, stderr=subprocess.PIPE, env=cluster.client_environment())

    def documents(self):
        *lines, _ = self._path.read_text().split("\n")  # the last one may be half written
        return [json.loads(line) for line in lines]

    def changes(self):
        return changes_of(self.documents())

    def ended(self):
        return {task for _, task, state in self.changes() if state in ENDS}

    def wait_for_ends(self, ids):
        wait_until(lambda: self.ended() >= ids, "the follower has seen every end", PATIENCE_S, 0.2)

    def end(self):
        self.child.send_signal(signal.SIGCONT)
        self.child.send_signal(signal.SIGINT)
        _, said = self.child.communicate(timeout=PATIENCE_S)
        return said.decode()

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()


@contextlib.contextmanager
def follower(cluster, name, *options, **keywords):
    running = Follower(cluster, name, *options, **keywords)
    try:
        yield running
    finally:
        running.kill()


def changes_of(documents):
    return [(d["seq"], d["task_id"], d["state"]) for d in documents if d["type"] == "task"]


def replayed(cluster, *options, topic="task.echo", prefix=()):
    """What `taskpipe events` tells to one that comes now."""
    done = cluster.run("taskpipe", "events", "--topic", topic, "--json", *options, limit_s=PATIENCE_S,
                       prefix=prefix)
    if done.returncode != 0:
        raise ClusterError(f"taskpipe events: exit {done.returncode}: {done.stderr.strip()}")
    return changes_of(map(json.loads, done.stdout.splitlines()))


def check_whole(changes, ids):
    """Each change once and in order; of each task of `ids`, and of no other, it was submitted first, it
    has one end, which is success, and that is the last."""
    numbers = [seq for seq, _, _ in changes]
    if numbers != sorted(numbers):
        raise AssertionError("the changes are out of order")
    counts = collections.Counter((seq, task) for seq, task, _ in changes)
    repeated = [key for key, count in counts.items() if count > 1]
    if repeated:
        raise AssertionError(f"{len(repeated)} changes came twice: {repeated[:3]}")
    states = collections.defaultdict(list)
    for _, task, state in changes:
        states[task].append(state)
    missing, others = ids - states.keys(), states.keys() - ids
    if missing or others:
        raise AssertionError(f"{len(missing)} tasks were never told of ({list(missing)[:3]}), "
                             f"{len(others)} are of nobody ({list(others)[:3]})")
    for task, told in states.items():
        ends = [state for state in told if state in ENDS]
        if told[0] != "PENDING" or ends != ["SUCCESS"] or told[-1] != "SUCCESS":
            raise AssertionError(f"{task} was told as {told}")
