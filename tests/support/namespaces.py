"""Hosts on one network, as namespaces of the kernel: each with its own address, and links that can
be cut in one direction.

    why_not = namespaces.unavailable()
    with Namespaces("broker", "worker") as net:
        net.address("broker"); net.prefix("broker")    # to be put before a command
        net.cut("worker", "broker")                    # nothing from worker reaches broker
        net.mend("worker", "broker")

The bridge between them lives in a namespace of its own, so that nothing of the host's network is
touched. All of it is gone when the context ends. Needs root, iproute2 and iptables.
"""

import os
import shutil
import subprocess

SUBNET = "10.77.0"  # only inside these namespaces
SWITCH = "switch"


class NamespaceError(Exception):
    """A command failed; the text says which and why."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NamespaceError(f"{' '.join(command)}: {done.stderr.strip()}")


def unavailable():
    """Why this host cannot do it, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "iptables"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    try:
        with Namespaces("probe", "other") as net:
            net.cut("probe", "other")
    except NamespaceError as error:
        return str(error)
    return None


class Namespaces:
    def __init__(self, *hosts):
        self._hosts = hosts
        self._tag = f"tp{os.getpid()}"
        self._made = []

    def _name(self, host):
        return f"{self._tag}-{host}"

    def __enter__(self):
        try:
            self._make(SWITCH)
            self.run_in(SWITCH, "ip", "link", "add", "bridge", "type", "bridge")
            self.run_in(SWITCH, "ip", "link", "set", "bridge", "up")
            for number, host in enumerate(self._hosts, start=1):
                self._plug_in(host, number)
        except NamespaceError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for host in reversed(self._made):  # a namespace takes its ends of the cables with it
            subprocess.run(["ip", "netns", "del", self._name(host)], check=False)
        self._made.clear()

    def _make(self, host):
        run("ip", "netns", "add", self._name(host))
        self._made.append(host)
        self.run_in(host, "ip", "link", "set", "lo", "up")

    def _plug_in(self, host, number):
        self._make(host)
        port = f"port{number}"
        self.run_in(SWITCH, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0",
                 "netns", self._name(host))
        self.run_in(SWITCH, "ip", "link", "set", port, "master", "bridge", "up")
        self.run_in(host, "ip", "address", "add", f"{self.address(host)}/24", "dev", "eth0")
        self.run_in(host, "ip", "link", "set", "eth0", "up")

    def run_in(self, host, *command):
        run(*self.prefix(host), *command)

    def prefix(self, host):
        """Runs a command on that host; it keeps its process id."""
        return ("ip", "netns", "exec", self._name(host))

    def address(self, host):
        return f"{SUBNET}.{self._hosts.index(host) + 1}"

    def cut(self, source, target):
        """Silently, as a broken switch does: no reset, no answer."""
        self.run_in(target, "iptables", "-A", "INPUT", "-s", self.address(source), "-j", "DROP")

    def mend(self, source, target):
        self.run_in(target, "iptables", "-D", "INPUT", "-s", self.address(source), "-j", "DROP")
