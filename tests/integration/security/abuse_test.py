#!/usr/bin/env python3
"""Strangers at the ports of a broker with keys: what they say, what they get, what they leave."""

import os
import pathlib
import resource
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from secured import SecuredCluster, entry  # noqa: E402
from cluster import wait_until  # noqa: E402
import zmq  # noqa: E402

BIN_DIR = pathlib.Path(os.environ["TASKPIPE_BIN_DIR"])
HANDSHAKE_LIMIT_S = 10  # of the broker
CONNECTIONS = 10_000
CONNECTION_BYTES_MAX = 64 << 10  # generous: libzmq's engine and buffers, with sanitizers
PER_PROCESS = 5_000
AUDITED_PER_MINUTE, REFUSALS = 600, 700
LONGEST_SILENCE_S = 6.0  # three heartbeats, after which a worker would be suspect
# ZMTP 3.0 greeting of a peer that wants no security.
NULL_GREETING = (b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0")
                 + b"\0" + bytes(31))
ZMTP_1 = b"\x01\x00"  # an anonymous routing id
ZMTP_2 = b"\xff" + bytes(7) + b"\x01\x7f" + b"\x01\x05"


def address_of(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    return host, int(port)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Abuse(unittest.TestCase):
    def setUp(self):
        self.cluster = SecuredCluster(BIN_DIR)
        self.cluster.__enter__()
        self.addCleanup(self.cluster.__exit__, None, None, None)
        self.cluster.start_broker()
        self.client = self.cluster.peer(self.cluster.keys / "join/client.join")
        self.addCleanup(self.client.close)
        self.client.handshake()
        self.pid = self.cluster.broker.pid
        self.ports = [address_of(endpoint) for endpoint in (
            self.cluster.client_endpoint, self.cluster.worker_endpoint, self.cluster.event_endpoint,
            self.cluster.bulk_endpoint)]

    def knock(self, port):
        stranger = socket.create_connection(port, timeout=20)
        self.addCleanup(stranger.close)
        return stranger

    def knock_with(self, join):
        """A DEALER with the keys of a join file, whose monitor tells when it is refused."""
        stranger = zmq.Context.instance().socket(zmq.DEALER)
        stranger.linger = 0
        stranger.curve_serverkey, stranger.curve_publickey, stranger.curve_secretkey = (
            entry(join, name).encode() for name in ("server-key", "public-key", "secret-key"))
        stranger.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        stranger.connect(self.cluster.client_endpoint)
        return stranger

    def assert_served(self):
        """The client that behaves is answered, also now."""
        self.assertIn("healthy", self.client.ask("HEALTH", {}, "HEALTH_REPLY"))

    def assert_all_gone(self, before):
        wait_until(lambda: descriptors(self.pid) <= before, "the broker closed what strangers opened",
                   limit_s=60, step_s=0.2)

    def read_to_end(self, stranger):
        """All that a stranger is told until the broker hangs up."""
        stranger.settimeout(HANDSHAKE_LIMIT_S + 20)
        said = b""
        try:
            while piece := stranger.recv(4096):
                said += piece
        except ConnectionResetError:
            pass
        return said

    def test_silent_connections_are_closed(self):
        before = descriptors(self.pid)
        strangers = [self.knock(port) for port in self.ports for _ in range(50)]
        self.assert_served()
        for stranger in strangers[::25]:
            self.read_to_end(stranger)
        self.assert_all_gone(before)

    def test_a_greeting_byte_by_byte_ends_as_well(self):
        before = descriptors(self.pid)
        strangers = [self.knock(port) for port in self.ports]
        began = time.monotonic()
        for byte in NULL_GREETING * 100:
            for stranger in strangers[:]:
                try:
                    stranger.send(bytes([byte]))
                except OSError:
                    strangers.remove(stranger)
            if not strangers:
                break
            time.sleep(0.3)
        self.assertEqual(strangers, [], "the broker hangs up")
        self.assertLess(time.monotonic() - began, HANDSHAKE_LIMIT_S + 20)
        self.assert_served()
        self.assert_all_gone(before)

    def test_old_versions_and_other_mechanisms_get_no_further_than_the_greeting(self):
        before = descriptors(self.pid)
        for port in self.ports:
            for greeting in (ZMTP_1, ZMTP_2, NULL_GREETING):
                stranger = self.knock(port)
                # What may follow: a message, as if it were admitted.
                stranger.sendall(greeting + b"\x00\x00" + os.urandom(100))
                said = self.read_to_end(stranger)
                # The ports leak that they speak ZMTP with CURVE, and nothing else.
                self.assertLessEqual(len(said), 64, said)
                self.assertNotIn(b"taskpipe", said)
        self.assert_served()
        self.assert_all_gone(before)

    def test_random_bytes(self):
        before = descriptors(self.pid)
        for port in self.ports:
            for size in (1, 10, 64, 65, 1000, 100_000):
                stranger = self.knock(port)
                try:
                    stranger.sendall(os.urandom(size))
                except OSError:
                    pass  # it was closed by then
                stranger.close()
        self.assert_served()
        self.assert_all_gone(before)

    def test_an_endless_multipart_needs_a_key_first(self):
        """Frames without end, from somebody who never shows a key: nothing of them is kept."""
        before, memory = descriptors(self.pid), resident_bytes(self.pid)
        frame = b"\x03" + (1 << 20).to_bytes(8, "big") + bytes(1 << 20)  # long, more to come
        for port in self.ports:
            stranger = self.knock(port)
            try:
                stranger.sendall(NULL_GREETING)
                for _ in range(200):
                    stranger.sendall(frame)
            except OSError:
                pass
            self.assert_served()
            stranger.close()
        self.assert_all_gone(before)
        self.assertLess(resident_bytes(self.pid) - memory, 64 << 20)

    def test_refusals_do_not_fill_the_disk(self):
        """More than are written down in a minute, and who is admitted is written down all the same."""
        unknown = self.cluster.join("unknown")
        self.cluster.revoke("unknown")
        for _ in range(REFUSALS // 50):
            knocking = [self.knock_with(unknown) for _ in range(50)]
            for stranger in knocking:
                refusals = stranger.get_monitor_socket()
                self.assertTrue(refusals.poll(20_000), "the broker refuses the key")
                stranger.disable_monitor()
                stranger.close()
        self.client.close()
        self.client = self.cluster.peer(self.cluster.keys / "join/client.join")
        self.client.handshake()
        self.assert_served()

        def count(event):
            return sum(f'"{event}"' in line for line in self.cluster.audit())

        wait_until(lambda: count("key_admitted") == 2, "the second admission is written down")
        minutes = 1 + count("denials_not_written")  # one, unless this took so long
        self.assertLessEqual(count("key_denied"), minutes * AUDITED_PER_MINUTE)
        self.assertGreaterEqual(count("key_denied"), AUDITED_PER_MINUTE)

    def test_ten_thousand_connections(self):
        """From two processes, while the client goes on; afterwards all is as before."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard < CONNECTIONS + 1000:
            self.fail(f"this host allows {hard} descriptors; raise the hard limit (ulimit -Hn)")
        before, memory_before = descriptors(self.pid), resident_bytes(self.pid)
        cpu_before, began = cpu_seconds(self.pid), time.monotonic()
        program = (
            "import resource, socket, sys\n"
            "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n"
            f"ports = {self.ports!r}\n"
            f"all = [socket.create_connection(ports[i % len(ports)], timeout=60)"
            f" for i in range({PER_PROCESS})]\n"
            "print('connected', flush=True)\n"
            "sys.stdin.read()\n")
        crowds = [subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
                  for _ in range(CONNECTIONS // PER_PROCESS)]
        self.addCleanup(lambda: [crowd.kill() for crowd in crowds])
        served = [began]
        stop = threading.Event()

        def go_on():
            while not stop.is_set():
                self.assert_served()
                served.append(time.monotonic())

        client = threading.Thread(target=go_on)
        client.start()
        try:
            for crowd in crowds:
                self.assertEqual(crowd.stdout.readline(), "connected\n")
        finally:
            stop.set()
            client.join(60)
        silence_s = max(later - earlier for earlier, later in
                        zip(served, [*served[1:], time.monotonic()]))
        took_s, cpu_s = time.monotonic() - began, cpu_seconds(self.pid) - cpu_before
        memory = resident_bytes(self.pid)
        print(f"with {CONNECTIONS} strangers: {memory >> 20} MiB, {cpu_s:.1f} s of CPU in {took_s:.1f} s; "
              f"client served {len(served) - 1} times, never silent for more than {silence_s:.2f} s")
        self.assertLess(silence_s, LONGEST_SILENCE_S)
        self.assertLess(memory - memory_before, CONNECTIONS * CONNECTION_BYTES_MAX)
        for crowd in crowds:
            crowd.stdin.close()
            crowd.wait(60)
        self.assert_all_gone(before)
        self.assert_served()


if __name__ == "__main__":
    unittest.main(verbosity=2)
