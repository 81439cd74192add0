"""A gigabyte through the bulk port beside scp over loopback, while a client pings the broker."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from measuring import BenchError, RUN_LIMIT_S, quotient, resident_bytes

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "python"),
                str(TESTS / "integration" / "security")]
from cluster import free_port  # noqa: E402

NAME = "bulk"
TITLE = "1 GiB from a client into the store and back, beside scp (loopback)"
SIZE, QUICK_SIZE = 1 << 30, 256 << 20
BLOCK = 1 << 20
IDLE_S = 2.0
SSHD = "/usr/sbin/sshd"
START_LIMIT_S, CONNECT_AGAIN_S = 10.0, 0.05
KINDS = ("plain", "curve")
UNITS = {"scp_s": "s", "bulk_idle_ping_p99_ms": "ms", "bulk_broker_growth_mb": "MB"}
for _kind in KINDS:
    UNITS |= {f"bulk_{_kind}_up_s": "s", f"bulk_{_kind}_down_s": "s",
              f"bulk_{_kind}_ping_p99_ms": "ms"}


def unavailable(_context):
    if not os.access(SSHD, os.X_OK) or shutil.which("scp") is None:
        return "no sshd and scp to compare with (apt-get install openssh-server)"
    return None if os.geteuid() == 0 else "an sshd of its own needs root"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=RUN_LIMIT_S, check=False)
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def wait_for_port(server, port, log):
    """Until the server takes connections: it has no other way to tell."""
    deadline = time.monotonic() + START_LIMIT_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(CONNECT_AGAIN_S)
    raise BenchError(f"sshd does not start: {log.read_text(errors='replace')[-1000:]}")


@contextlib.contextmanager
def ssh_server(folder):
    """An sshd of its own, with keys of its own, on loopback; yields the options of scp."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "user")
    port = free_port()
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    command = [SSHD, "-D", "-e", "-f", "/dev/null", "-h", folder / "host"]
    for option in (f"Port={port}", "ListenAddress=127.0.0.1", "StrictModes=no", "PidFile=none",
                   f"AuthorizedKeysFile={folder / 'user.pub'}", "Subsystem=sftp internal-sftp"):
        command += ["-o", option]
    with open(folder / "sshd.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen([str(part) for part in command], stderr=log)
    try:
        wait_for_port(server, port, folder / "sshd.log")
        yield ["-q", "-P", port, "-i", folder / "user", "-o", "StrictHostKeyChecking=no",
               "-o", "UserKnownHostsFile=/dev/null"]
    finally:
        server.terminate()
        server.wait()


def seconds(action):
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def up_and_down(running, folder, data, join=None):
    """The data as a task's input, and as its artifact; seconds of each, and pings meanwhile."""
    from ping_meter import PingMeter
    from taskpipe_wire import Peer

    options = ["--join", join] if join else []

    def cli(*arguments):
        done = running.run("taskpipe", *options, *arguments, limit_s=RUN_LIMIT_S)
        if done.returncode != 0:
            raise BenchError(f"taskpipe {arguments[0]} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    peer = running.peer(join) if join else Peer(running.client_endpoint)
    with contextlib.closing(peer):
        peer.handshake()
        pid = running.broker.pid
        before = resident_bytes(pid)
        with PingMeter(peer, pid) as idle:
            time.sleep(IDLE_S)
        script = folder / "keep.sh"
        script.write_text("mv data out\n")
        with PingMeter(peer, pid) as meter:
            begun = time.perf_counter()
            task_id = cli("submit", "shell", "--script", script, "--input", data)
            up_s = time.perf_counter() - begun
            cli("wait", task_id)
            down_s = seconds(lambda: cli("artifacts", "get", task_id, "out", "--to", folder / "got"))
    if (folder / "got" / "out").stat().st_size != data.stat().st_size:
        raise BenchError("the file came back with another size")
    shutil.rmtree(folder / "got")
    return up_s, down_s, meter, idle, before


@contextlib.contextmanager
def a_cluster(context, kind):
    """Without keys, or with them; yields it and a client's join file."""
    if kind == "plain":
        with context.cluster() as running:
            yield running, None
        return
    os.environ["TASKPIPE_BIN_DIR"] = str(context.bin_dir)  # secured.py asks for it
    from secured import SecuredCluster

    with SecuredCluster(context.bin_dir) as running:
        running.start_broker()
        running.start_worker("worker0", "--join", running.join("worker0", "worker"))
        yield running, running.join("bench")


def round(context):
    figures = {}
    with context.scratch() as folder:
        data = folder / "data"
        with open(data, "wb") as file:
            for _ in range((QUICK_SIZE if context.quick else SIZE) // BLOCK):
                file.write(os.urandom(BLOCK))
        with ssh_server(folder) as options:
            figures["scp_s"] = seconds(
                lambda: run("scp", *options, data, f"127.0.0.1:{folder / 'copy'}"))
        (folder / "copy").unlink()
        for kind in KINDS:
            with a_cluster(context, kind) as (running, join):
                up_s, down_s, meter, idle, before = up_and_down(running, folder, data, join)
            figures[f"bulk_{kind}_up_s"] = up_s
            figures[f"bulk_{kind}_down_s"] = down_s
            figures[f"bulk_{kind}_ping_p99_ms"] = meter.quantile(0.99)
            if kind == "plain":
                figures["bulk_idle_ping_p99_ms"] = idle.quantile(0.99)
                figures["bulk_broker_growth_mb"] = (meter.most_bytes - before) / 1e6
    return figures


def ratios(figures):
    return {f"bulk_{kind}_{way}_vs_scp": quotient(figures, f"bulk_{kind}_{way}_s", "scp_s")
            for kind in KINDS for way in ("up", "down")
            if figures.get(f"bulk_{kind}_{way}_s") and figures.get("scp_s")}
