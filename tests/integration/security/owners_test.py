#!/usr/bin/env python3
"""A broker with keys: what one user can do with what another one owns. Nothing, by any message."""

import contextlib
import os
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import FAILED, SUCCEEDED, Secured  # noqa: E402
from taskpipe_wire import RESEND, new_ids, new_item  # noqa: E402

ID_CONFLICT, UNKNOWN_TASK = 8, 11


class AnotherOwner(Secured):
    broker_options = ()  # these peers send no PING: on a busy host 5 s would be over amid a test

    def test_another_users_task_does_not_exist(self):
        """Every verb, on a waiting task and on a running one."""
        ann, bob = self.client("ann"), self.client("bob")
        worker = self.worker()
        running = self.submit(ann)
        key = worker.expect("TASKS").body["items"][0]["attempt"]
        worker.send("STARTED", {"items": [{"attempt": key, "pid": 1}]})
        for task in (running, self.submit(ann)):
            self.assert_hidden(bob, task)
        for name, body, reply in (("WATCH", {"stream": "task.", "everybody": True, "credit": 8}, "EVENTS"),
                                  ("SNAPSHOT", {"stream": "task.", "everybody": True}, "SNAP")):
            self.assertIn("observer or admin", self.refusal(bob, name, body, reply))
        rows = ann.ask("QUERY", {"tasks": [running]}, "ROWS")["rows"]
        self.assertEqual([row["state"] for row in rows], [1])

    def test_another_users_ended_task_does_not_exist_either(self):
        """Only the history knows them, after a restart: one that succeeded, a dead letter, a workflow."""
        ann, worker = self.client("ann"), self.worker()
        succeeded, failed = self.submit(ann), self.submit(ann)
        workflow, member = os.urandom(16), new_ids(1)[0]
        self.send_workflow(ann, workflow, member)
        ends = {succeeded: SUCCEEDED, failed: FAILED, member: SUCCEEDED}
        while ends:
            for item in worker.expect("TASKS").body["items"]:
                key = item["attempt"]
                worker.send("RESULT", {"items": [{"attempt": key, "outcome": ends.pop(key["task_id"])}]})
        ann.send("WAIT", {"workflows": [workflow]})
        ann.expect("DONE")
        self.assertEqual(self.cluster.broker.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.cluster.folder / "data/history.sqlite")) as history:
            kept = {bytes(task) for (task,) in history.execute("SELECT id FROM tasks")}
        self.assertLessEqual({succeeded, failed, member}, kept)
        self.cluster.start_broker()
        ann.handshake()
        bob = self.peer(self.cluster.join("bob"))
        bob.handshake()
        for task in (succeeded, failed, member):
            self.assert_hidden(bob, task)
        self.assert_workflow_hidden(bob, workflow, member)
        for mine in (succeeded, failed, member):
            (row,) = ann.ask("QUERY", {"tasks": [mine], "with_params": True}, "ROWS")["rows"]
            self.assertEqual(row["owner"], "ann")

    def assert_hidden(self, bob, task):
        """Every verb that names a task answers as if there were none, and lists leave it out."""
        for wish in ({}, {"with_params": True}, {"with_attempts": True}):
            rows = bob.ask("QUERY", {"tasks": [task], **wish}, "ROWS")
            self.assertEqual((rows["rows"], rows["unknown"]), ([], [task]))
        for wish in ({}, {"dead": True}, {"tool": "tool"}, {"state": 1}, {"state": 2}, {"state": 3}):
            self.assertEqual(bob.ask("QUERY", wish, "ROWS")["rows"], [])
        bob.send("WAIT", {"tasks": [task]})
        done = bob.expect("DONE").body
        self.assertEqual((done["tasks"], done["unknown"]), ([], [task]))
        ack = bob.ask("CANCEL", {"tasks": [task]}, "CANCEL_ACK")
        self.assertEqual([item["code"] for item in ack["items"]], [UNKNOWN_TASK])
        for wish in ({}, {"follow": True}, {"attempt": 1}):
            self.assertIn("no such task", self.refusal(
                bob, "FETCH", {"task_id": task, "stream": 0, **wish}, "CHUNK"))
        self.assertEqual(bob.ask("SNAPSHOT", {"tasks": [task]}, "SNAP")["tasks"], [])
        self.assertEqual(self.changes(bob, tasks=[task]), ([], []))
        again = bob.ask("RESUBMIT", {"items": [{"original": task, "task_id": new_ids(1)[0]}]},
                        "RESUBMIT_ACK")
        self.assertEqual([item["code"] for item in again["items"]], [UNKNOWN_TASK])
        # What it is cannot be learnt by guessing, either: equal or not, the id is taken.
        for params in ({}, {"guess": 1}):
            correlation = bob.send("SUBMIT", {"specs": [{"tool": "tool", "wait_for_capacity": True}],
                                              "items": [new_item(task, params)]}, flags=RESEND)
            ack = bob.expect("SUBMIT_ACK")
            self.assertEqual(ack.header.correlation, correlation)
            self.assertEqual([item["code"] for item in ack.body["items"]], [ID_CONFLICT])

    def changes(self, peer, **stream):
        """(tasks, workflows) that a WATCH of all that the broker still has is told at first."""
        oldest = peer.ask("SNAPSHOT", stream, "SNAP")["oldest_seq"]
        events = peer.ask("WATCH", {**stream, "after_seq": oldest, "credit": 8}, "EVENTS")
        peer.send("WATCH_CREDIT", {"total": 8, "end": True}, correlation=peer.last_correlation)
        return events["tasks"], events["workflows"]

    def send_workflow(self, peer, workflow, task, flags=0):
        correlation = peer.send("WORKFLOW", {
            "workflow_id": workflow, "name": "w", "total": 1, "items": [new_item(task)],
            "specs": [{"tool": "tool", "wait_for_capacity": True}], "dependencies": [[]]}, flags=flags)
        ack = peer.expect("WORKFLOW_ACK")
        self.assertEqual(ack.header.correlation, correlation)
        return ack.body["error"]["code"]

    def assert_workflow_hidden(self, bob, workflow, task):
        bob.send("WAIT", {"workflows": [workflow]})
        done = bob.expect("DONE").body
        self.assertEqual((done["workflows"], done["unknown_workflows"]), ([], [workflow]))
        self.assertIn("there is no workflow", self.refusal(
            bob, "CANCEL", {"workflows": [workflow]}, "CANCEL_ACK"))
        self.assertEqual(bob.ask("QUERY", {"workflow_id": workflow}, "ROWS")["rows"], [])
        stream = f"workflow.{workflow.hex()}."
        snap = bob.ask("SNAPSHOT", {"stream": stream}, "SNAP")
        self.assertEqual((snap["tasks"], snap["workflows"]), ([], []))
        self.assertEqual(self.changes(bob, stream=stream), ([], []))
        for member in (task, new_ids(1)[0]):
            self.assertEqual(self.send_workflow(bob, workflow, member, RESEND), ID_CONFLICT)

    def test_another_users_workflow_does_not_exist(self):
        ann, bob = self.client("ann"), self.client("bob")
        workflow, (task,) = os.urandom(16), new_ids(1)
        self.assertEqual(self.send_workflow(ann, workflow, task), 0)
        self.assert_workflow_hidden(bob, workflow, task)
        self.assert_hidden(bob, task)
        stream = f"workflow.{workflow.hex()}."
        tasks, _ = self.changes(ann, stream=stream)
        self.assertEqual([event["task_id"] for event in tasks], [task])


if __name__ == "__main__":
    unittest.main(verbosity=2)
