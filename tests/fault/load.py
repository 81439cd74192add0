"""A client under load in the background (load_client.cpp), while a test breaks things."""

import contextlib
import json
import sqlite3
import subprocess
import threading


class Load:
    def __init__(self, client):
        self._client = client
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        self._output, self._errors = self._client.communicate()

    def is_running(self):
        return self._reader.is_alive()

    def wait(self, seconds):
        """At most that long, for its end."""
        self._reader.join(seconds)

    def books(self):
        """What it has counted; it must have ended, and found nothing lost or wrong."""
        if self.is_running():
            raise AssertionError("the client still waits")
        if self._client.returncode != 0:
            raise AssertionError(self._errors)
        return {**json.loads(self._output), "complaints": self._errors}


@contextlib.contextmanager
def load(cluster, tasks, prefix=(), padding=0, join=None):
    client = subprocess.Popen(
        [*prefix, cluster.bin_dir / "load_client", cluster.client_endpoint, str(tasks), str(padding),
         *([join] if join else [])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running = Load(client)
    try:
        yield running
    finally:
        client.kill()
        running.wait(None)


def check_history(path, ids):
    """Of a stopped broker: every task of `ids` is there, with SUCCESS. (Its schema keeps the first row
    of a task whatever comes: that there was one end alone is what follower.check_whole sees.)"""
    with contextlib.closing(sqlite3.connect(path)) as database:
        states = {task.lower(): state for task, state in
                  database.execute("SELECT id, state FROM tasks_readable")}
    missing = [task for task in ids if task not in states]
    if missing:
        raise AssertionError(f"{len(missing)} acknowledged tasks are missing in the history: "
                             f"{missing[:3]}")
    others = [(task, states[task]) for task in ids if states[task] != "SUCCESS"]
    if others:
        raise AssertionError(f"{len(others)} tasks did not end in SUCCESS: {others[:3]}")
