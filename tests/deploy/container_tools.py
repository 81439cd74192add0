"""What the tests of tools in containers share: an image that is built here, manifests, a worker on this host."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from cluster import Cluster, wait_until  # noqa: E402

IMAGE = "taskpipe/container-test:test"
UID, GID = 64321, 64322  # without an account: nothing on this host belongs to them
BUSYBOX = "/bin/busybox"
LIMIT_S = 60
PROBES_LIMIT_S = 120  # of all tools: podman tries a refused pull again, later and later
STUBBORN = "trap '' TERM; echo up; while :; do sleep 1; done\n"

ARGUMENTS = argparse.Namespace(bin=None, runtime="docker")

# runc, since Debian's crun refuses hosts with both generations of control groups; limits that a host without
# CAP_SYS_RESOURCE can set.
PODMAN_CONF = """\
[engine]
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""

MANIFEST = """\
name = "{name}"
artifacts = ["*.txt"]
{version}
[command]
argv = {argv}
params_as = ["{{name}}={{value}}"]
[scripts]
folders = ["scripts"]
patterns = ["*.sh"]
inline = true
[limits]
grace_s = 1
[container]
image = "{image}"
runtime = "{runtime}"
{more}
"""
VERSION = '[version]\nargv = ["sh", "-c", "echo boxed 1.0"]\nregex = \'boxed (\\S+)\'\n'


def manifest(name, image=IMAGE, runtime=None, more="", version=VERSION, argv=("sh", "{script}", "{params}")):
    return MANIFEST.format(name=name, image=image, runtime=runtime or ARGUMENTS.runtime, more=more,
                           version=version, argv=json.dumps(list(argv)))


class ContainerTools(unittest.TestCase):
    """As root the worker has its attempts run as somebody else; else they run as its own user."""

    worker = None
    uuid = None
    uid, gid = UID, GID

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            cls.uid, cls.gid = os.getuid(), os.getgid()
        cls.cluster = cls.enterClassContext(Cluster(ARGUMENTS.bin))
        cls.folder = cls.cluster.folder
        cls.folder.chmod(0o711)
        cls.environment = dict(os.environ)
        if ARGUMENTS.runtime == "podman":
            conf = cls.folder / "containers.conf"
            conf.write_text(PODMAN_CONF, "utf-8")
            cls.environment["CONTAINERS_CONF"] = str(conf)
        cls.build_image()
        cls.write_tools(cls.folder / "tools")
        cls.cluster.start_broker("--heartbeat", "500ms", "--lease", "3s")
        cls.start_worker()

    @classmethod
    def call(cls, *arguments, expect=0):
        done = subprocess.run([ARGUMENTS.runtime, *map(str, arguments)], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, cwd=cls.folder,
                              env={**cls.environment, "DOCKER_BUILDKIT": "0"})
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"{ARGUMENTS.runtime} {arguments}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    @classmethod
    def build_image(cls):
        """A shell and its tools, 2 MB: no network is needed."""
        context = cls.folder / "image"
        context.mkdir()
        shutil.copy(BUSYBOX, context / "busybox")
        (context / "Dockerfile").write_text(
            'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
            'RUN ["/bin/mkdir", "-m", "1777", "/tmp"]\n'
            "ENV OF_THE_IMAGE=yes\n", "utf-8")
        cls.call("build", "--network", "none", "-t", IMAGE, context)
        cls.addClassCleanup(cls.call, "rmi", "-f", IMAGE, IMAGE + "-gone", expect=None)
        cls.addClassCleanup(cls.remove_containers)

    @classmethod
    def remove_containers(cls):
        """What is left by a test that was broken off, so that the image can go."""
        if cls.worker is None:
            return
        cls.worker.kill()
        if cls.uuid is not None:
            for container in cls.containers():
                cls.call("rm", "-f", container, expect=None)

    @classmethod
    def write_tools(cls, folder):
        """Manifests, before the worker starts."""
        raise NotImplementedError

    @classmethod
    def start_worker(cls):
        cls.worker = cls.cluster.start_worker(
            "w", "--tools", cls.folder / "tools", "--cpus", "2",
            *(("--run-as", f"{cls.uid}:{cls.gid}") if os.geteuid() == 0 else ()),
            wait=False, env={**cls.environment, "A_SECRET": "of the worker"})
        # Said once the tools are known and old containers are gone.
        cls.uuid = json.loads(cls.worker.wait_for('"worker starts"', limit_s=PROBES_LIMIT_S))["uuid"]
        cls.worker.wait_for("registered with the broker")

    @classmethod
    def containers(cls):
        """All of this worker's, in whatever state."""
        return cls.call("ps", "-a", "-q", "--filter", f"label=taskpipe.worker={cls.uuid}").split()

    def none_left(self):
        self.assertEqual(self.containers(), [])

    def submit(self, script, *options, tool="boxed"):
        path = self.folder / "script.sh"
        path.write_text(textwrap.dedent(script), "utf-8")
        done = self.cluster.run("taskpipe", "submit", tool, "--script", path, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def result(self, task):
        self.cluster.run("taskpipe", "wait", task)
        return json.loads(self.cluster.run("taskpipe", "result", task, "--json").stdout)

    def ran(self, script, *options, tool="boxed"):
        return self.result(self.submit(script, *options, tool=tool))

    def says(self, task, text):
        """Until the live output holds the text."""
        wait_until(lambda: text in self.cluster.run("taskpipe", "logs", task).stdout, f"{task} says {text}",
                   LIMIT_S)
