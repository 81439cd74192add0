"""What happens to the links between hosts (namespaces.py): cut, lossy, late and out of order, slow.

    weather = Weather(net)
    weather.cut("worker", "broker"); …; weather.clear()
    why = weather.unavailable("late", "worker", "broker")   # None: this host has it

Everything acts on what one host receives from another.
"""

import pathlib
import shutil
import subprocess
import sys

from namespaces import NamespaceError

PACKET_QUEUE = pathlib.Path(__file__).resolve().parent / "packet_queue.py"


class Weather:
    def __init__(self, net):
        self._net = net
        self._undo = []
        self._queues = {}  # by host: there is one queue on each

    def clear(self):
        while self._undo:
            self._undo.pop()()
        while self._queues:
            _, queue = self._queues.popitem()
            queue.terminate()
            queue.wait()
            queue.stdout.close()

    def _rule(self, source, target, *what):
        rule = ("INPUT", "-s", self._net.address(source), *what)
        self._net.run_in(target, "iptables", "-A", *rule)
        self._undo.append(lambda: self._net.run_in(target, "iptables", "-D", *rule))

    def cut(self, source, target):
        """Silently, as a broken switch does: no reset, no answer."""
        self._rule(source, target, "-j", "DROP")

    def lossy(self, source, target, share):
        self._rule(source, target, "-m", "statistic", "--mode", "random", "--probability",
                   str(share), "-j", "DROP")

    def late(self, source, target, delay_ms, jitter_ms=0, overtake=0.0):
        """`overtake`: the share of packets that is not delayed, and so comes too early. All that is
        late at one target is late in the same way."""
        if target not in self._queues:
            self._queues[target] = self._start_queue(target, delay_ms, jitter_ms, overtake)
        # Without its reader (bypass) a queue lets everything through.
        self._rule(source, target, "-j", "NFQUEUE", "--queue-num", "0", "--queue-bypass")

    def _start_queue(self, target, *how):
        queue = subprocess.Popen(
            [*self._net.prefix(target), sys.executable, PACKET_QUEUE, *map(str, how)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if queue.stdout.readline().strip() != "ready":
            _, complaints = queue.communicate()
            raise NamespaceError((complaints.strip().splitlines() or ["it ended"])[-1])
        queue.stderr.close()
        return queue

    def slow(self, host, rate):
        """All that leaves it."""
        self._net.run_in(host, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate,
                         "burst", "16kbit", "latency", "200ms")
        self._undo.append(lambda: self._net.run_in(host, "tc", "qdisc", "del", "dev", "eth0", "root"))

    def unavailable(self, kind, source, target):
        """Why this host has no such weather ("lossy", "late" or "slow"), or None."""
        if kind == "slow" and shutil.which("tc") is None:
            return "tc is not installed"
        try:
            if kind == "lossy":
                self.lossy(source, target, 0.5)
            elif kind == "late":
                self.late(source, target, 1)
            elif kind == "slow":
                self.slow(source, "10mbit")
        except NamespaceError as error:
            return str(error)
        finally:
            self.clear()
        return None
