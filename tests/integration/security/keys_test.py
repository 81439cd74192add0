#!/usr/bin/env python3
"""A broker with keys: who gets in, and who may do what."""

import json
import os
import pathlib
import stat
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import BIN_DIR, FAILED, OFFER, SUCCEEDED, Secured, entry  # noqa: E402
from cluster import Cluster, ClusterError, wait_until  # noqa: E402
from taskpipe_wire import WORKER, ProtocolError, new_ids, new_item  # noqa: E402

RELOAD_DELAY_S = 0.1  # kKeyReloadDelayMs


class WhoGetsIn(Secured):
    def test_the_files_that_init_makes(self):
        for secret in (self.cluster.keys / "broker.key_secret", self.cluster.keys / "join/admin.join"):
            self.assertEqual(stat.S_IMODE(secret.stat().st_mode), 0o600, secret)
        self.assertEqual(stat.S_IMODE(self.cluster.keys.stat().st_mode), 0o700)
        import zmq.auth

        public, secret = zmq.auth.load_certificate(str(self.cluster.keys / "broker.key_secret"))
        self.assertEqual(len(public), 40)
        self.assertEqual(len(secret), 40)

    def test_a_client_and_a_worker_with_their_join_files(self):
        self.cluster.start_worker("w0", "--join", self.cluster.keys / "join/worker.join")
        code, out, err = self.cluster.cli_as(self.cluster.keys / "join/client.join", "submit", "echo",
                                             "-p", "n=1", "--follow")
        self.assertEqual(code, 0, out + err)
        code, out, err = self.cluster.cli_as(self.cluster.keys / "join/client.join", "list", "--json")
        self.assertEqual([row["owner"] for row in json.loads(out)["tasks"]], ["cleo"], err)
        opened = [json.loads(line) for line in self.cluster.audit() if '"session_opened"' in line]
        self.assertIn(("cleo", "client"), {(line["user"], line["role"]) for line in opened})
        code, out, err = self.cluster.cli_as(self.cluster.keys / "join/client.join", "health")
        self.assertEqual(code, 0, out + err)

    def test_an_unknown_key_is_refused_with_a_remedy(self):
        join = self.cluster.join("stranger")
        self.cluster.revoke("stranger")
        code, _, err = self.cluster.cli_as(join, "health")
        self.assertNotEqual(code, 0)
        self.assertIn("does not admit this key", err)
        self.assertIn("keygen", err)
        self.assertTrue(any('"key_denied"' in line and "unknown key" in line
                            for line in self.cluster.audit()))

    def test_the_example_with_keys(self):
        self.cluster.start_worker("w0", "--join", self.cluster.keys / "join/worker.join")
        done = self.cluster.run("taskpipe_with_keys", self.cluster.keys / "join/client.join")
        self.assertEqual((done.returncode, done.stdout), (0, "SUCCESS, owned by cleo\n"), done.stderr)
        refused = self.cluster.run("taskpipe_with_keys", self.cluster.keys / "join/worker.join")
        self.assertEqual(refused.returncode, 1, refused.stdout)

    def test_another_server_key_is_noticed(self):
        join = self.cluster.folder / "client.join"
        join.write_text((self.cluster.keys / "join/client.join").read_text().replace(
            entry(self.cluster.keys / "broker.key", "public-key"),
            entry(self.cluster.keys / "peers/admin.key", "public-key")))
        join.chmod(0o600)
        code, _, err = self.cluster.cli_as(join, "health", "--connect-timeout", "20s")
        self.assertNotEqual(code, 0)
        self.assertIn("its key is not the one that the join file tells", err)

    def test_a_client_without_keys_is_told_about_join(self):
        done = self.cluster.run("taskpipe", "health")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--join", done.stderr)

    def test_a_worker_without_keys_ends_and_says_why(self):
        worker = self.cluster.start_worker("bare", wait=False)
        worker.wait_for("--join")
        self.assertEqual(worker.child.wait(30), 5)

    def test_keys_against_a_broker_without(self):
        with Cluster(BIN_DIR) as plain:
            plain.start_broker()
            done = plain.run("taskpipe", "health", "--join", self.cluster.keys / "join/client.join",
                             "--broker", plain.client_endpoint)
            self.assertNotEqual(done.returncode, 0)
            # Whoever notices first: this side tells the reason, the broker just hangs up.
            self.assertRegex(done.stderr, "the broker has none|or it has none")

    def test_each_port_asks_for_its_role(self):
        denied = {"client": [self.cluster.worker_endpoint, self.cluster.event_endpoint],
                  "worker": [self.cluster.client_endpoint, self.cluster.event_endpoint],
                  "observer": [self.cluster.worker_endpoint],
                  "admin": [self.cluster.worker_endpoint]}
        for role, endpoints in denied.items():
            join = self.cluster.join(f"some-{role}", role)
            for endpoint in endpoints:
                peer = self.peer(join, endpoint=endpoint)
                self.assertIsNone(peer.receive(timeout=0.5), f"{role} at {endpoint}")
        refused = [json.loads(line) for line in self.cluster.audit() if '"key_denied"' in line]
        self.assertEqual({(line["role"], line["port"]) for line in refused},
                         {("client", "workers"), ("client", "events"), ("worker", "clients"),
                          ("worker", "events"), ("observer", "workers"), ("admin", "workers")})

    def test_a_secret_that_others_can_read_is_refused(self):
        join = self.cluster.join("careless")
        join.chmod(0o644)
        code, _, err = self.cluster.cli_as(join, "health")
        self.assertNotEqual(code, 0)
        self.assertIn("chmod 600", err)

    def test_a_key_whose_secret_never_travelled(self):
        own = self.cluster.folder / "own"
        self.cluster.made(self.cluster.run("taskpipe", "keygen", "dora", "--out", own))
        join = own / "dora.join"
        before = self.cluster.reloads()
        self.cluster.made(self.cluster.run("taskpipe", "keygen", "dora", "--keys", self.cluster.keys,
                                           "--public-key", own / "dora.key", "--out", join))
        self.cluster.wait_reload(before)
        self.assertNotIn("secret-key", join.read_text())
        code, out, err = self.cluster.cli_as(join, "health", "--json")
        self.assertEqual(json.loads(out)["epoch"], 1, out + err)

    def test_a_bad_file_admits_nobody_and_harms_nobody(self):
        client = self.client("ann")
        before = self.cluster.reloads()
        (self.cluster.keys / "peers/broken.key").write_text("metadata\n    user = \"x\"\n")
        self.cluster.wait_reload(before)
        self.assertTrue(any("broken.key" in line for line in self.cluster.audit()))
        self.submit(client)


    def test_a_file_that_is_being_written_is_no_change(self):
        """On a slow disk it is there for long before the key has its name."""
        before = self.cluster.reloads()
        unfinished = self.cluster.keys / "peers/.new-eve.key-x"
        unfinished.write_text("")
        with self.assertRaises(ClusterError):
            wait_until(lambda: self.cluster.reloads() > before, "a reload", 3 * RELOAD_DELAY_S)
        os.link(unfinished, self.cluster.keys / "peers/eve.key")
        unfinished.unlink()
        self.cluster.wait_reload(before)


class WhoMayDoWhat(Secured):
    def test_hello_cannot_choose_the_user(self):
        liar = self.peer(self.cluster.join("liar"), user="ann")
        welcome = liar.handshake()
        self.assertEqual((welcome["user"], welcome["role"]), ("liar", 0))
        ann = self.client("ann")
        task = self.submit(liar)
        self.assertEqual(ann.ask("QUERY", {"tasks": [task]}, "ROWS")["unknown"], [task])

    def test_keys_of_one_owner_share_their_tasks(self):
        desk = self.client("ann-desk", owner="ann")
        home = self.client("ann-home", owner="ann")
        task = self.submit(desk)
        self.assertEqual(len(home.ask("QUERY", {"tasks": [task]}, "ROWS")["rows"]), 1)

    def test_an_observer_reads_everything_and_changes_nothing(self):
        ann = self.client("ann")
        task = self.submit(ann)
        eye = self.client("eye", role="observer")
        self.assertEqual([row["owner"] for row in eye.ask("QUERY", {}, "ROWS")["rows"]], ["ann"])
        self.assertEqual(len(eye.ask("SNAPSHOT", {"stream": "task.", "everybody": True}, "SNAP")["tasks"]), 1)
        for name, body, reply in (
                ("SUBMIT", {"specs": [{"tool": "tool"}], "items": [new_item(new_ids(1)[0])]}, "SUBMIT_ACK"),
                ("CANCEL", {"tasks": [task]}, "CANCEL_ACK"),
                ("RESUBMIT", {"items": [{"original": task, "task_id": new_ids(1)[0]}]}, "RESUBMIT_ACK")):
            self.assertIn("role observer may not send", self.refusal(eye, name, body, reply))

    def test_an_admin_acts_for_others_and_is_written_down(self):
        ann = self.client("ann")
        task = self.submit(ann)
        admin = self.peer(self.cluster.keys / "join/admin.join")
        admin.handshake()
        ack = admin.ask("CANCEL", {"tasks": [task]}, "CANCEL_ACK")
        self.assertEqual([item["code"] for item in ack["items"]], [0])
        wait_until(lambda: any('"cancelled_for_another"' in line and task.hex() in line
                               for line in self.cluster.audit()), "the admin's act is in the log")
        again = new_ids(1)[0]
        ann.send("WAIT", {"tasks": [task]})
        ann.expect("DONE")
        failed = self.submit(ann)
        worker = self.worker()
        key = worker.expect("TASKS").body["items"][0]["attempt"]
        worker.send("RESULT", {"items": [{"attempt": key, "outcome": FAILED}]})
        worker.expect("RESULT_ACK")
        ack = admin.ask("RESUBMIT", {"items": [{"original": failed, "task_id": again}]}, "RESUBMIT_ACK")
        self.assertEqual([item["code"] for item in ack["items"]], [0])
        rows = ann.ask("QUERY", {"tasks": [again]}, "ROWS")["rows"]
        self.assertEqual([row["owner"] for row in rows], ["ann"])

    def test_a_uuid_cannot_be_taken_over(self):
        ann = self.client("ann")
        thief = self.peer(self.cluster.join("thief"), uuid=ann.uuid)
        with self.assertRaisesRegex(ProtocolError, "belongs to another user"):
            thief.handshake()
        worker = self.worker()
        rogue = self.peer(self.cluster.join("rogue", "worker"), role=WORKER, offer=OFFER,
                          uuid=worker.uuid, endpoint=self.cluster.worker_endpoint)
        with self.assertRaisesRegex(ProtocolError, "belongs to another user"):
            rogue.handshake()
        self.submit(ann)
        worker.expect("TASKS")

    def test_a_plain_client_watches_progress_over_the_client_port(self):
        ann, worker = self.client("ann"), self.worker()
        task = self.submit(ann)
        key = worker.expect("TASKS").body["items"][0]["attempt"]
        ann.ask("WATCH", {"tasks": [task], "credit": 32, "progress": True}, "EVENTS")
        worker.send("STARTED", {"items": [{"attempt": key, "pid": 1}]})
        worker.send("PROGRESS", {"items": [{"attempt": key, "percent": 42.0, "message": "half way",
                                            "metrics": {"loss": 0.5}}]})
        seen = []
        while not any(event["percent"] == 42.0 for event in seen):
            seen += ann.expect("EVENTS").body["tasks"]
        progress = next(event for event in seen if event["percent"] == 42.0)
        self.assertEqual((progress["seq"], progress["message"], progress["metrics"]),
                         (0, "half way", {"loss": 0.5}))


    def test_the_command_line_follows_its_own_tasks_without_the_event_port(self):
        ann, worker = self.client("ann"), self.worker()
        task = self.submit(ann)
        key = worker.expect("TASKS").body["items"][0]["attempt"]
        for name, arguments in (("monitor", ("monitor", task.hex(), "--json")),
                                ("events", ("events", "--topic", "progress", "--json"))):
            with self.subTest(name):
                follower = self.cluster.start_cli(*arguments, "--join", self.cluster.folder / "ann.join")
                self.addCleanup(follower.kill)
                self.repeat_progress(worker, key, follower)
        worker.send("RESULT", {"items": [{"attempt": key, "outcome": SUCCEEDED}]})
        worker.expect("RESULT_ACK")

    def repeat_progress(self, worker, key, follower):
        """Progress is lossy and the follower begins when it likes: tell it until it is shown."""
        percent = 0.0

        def shown():
            nonlocal percent
            percent += 0.5
            worker.send("PROGRESS", {"items": [{"attempt": key, "percent": percent,
                                                "message": "on the way", "metrics": {}}]})
            return any("on the way" in line for line in follower.lines)

        wait_until(shown, "the follower shows progress", step_s=0.1)

    def test_everybodys_events_are_not_for_clients(self):
        code, out, err = self.cluster.cli_as(self.cluster.join("ann"), "events", "--topic", "worker",
                                             "--timeout", "5s")
        self.assertNotEqual(code, 0, out)
        self.assertIn("observers and admins", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
