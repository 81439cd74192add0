"""Images that a worker fetches when it starts, from a registry on loopback. Part of container_test.py."""

import shutil
import socket
import subprocess
import unittest

from cluster import free_port, wait_until
from container_tools import ARGUMENTS, IMAGE, LIMIT_S, ContainerTools, manifest

REGISTRY = "docker-registry"  # Debian's name of the program
CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
# Docker takes loopback for a place that needs no TLS; podman wants to be told.
REGISTRIES_CONF = """\
[[registry]]
location = "127.0.0.1:{port}"
insecure = true
"""


class FromRegistry(ContainerTools):
    @classmethod
    def setUpClass(cls):
        if shutil.which(REGISTRY) is None:
            raise unittest.SkipTest(f"images of a registry: {REGISTRY} is not installed")
        cls.port = free_port()
        super().setUpClass()

    @classmethod
    def start_registry(cls):
        config = cls.folder / "registry.yml"
        config.write_text(CONFIG.format(folder=cls.folder / "registry", port=cls.port), "utf-8")
        with open(cls.folder / "registry.log", "wb") as log:
            registry = subprocess.Popen([REGISTRY, "serve", config], stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log)
        cls.addClassCleanup(registry.wait, LIMIT_S)
        cls.addClassCleanup(registry.kill)

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", cls.port)) == 0
        wait_until(listens, "the registry listens", LIMIT_S)

    @classmethod
    def write_tools(cls, tools):
        if ARGUMENTS.runtime == "podman":
            conf = cls.folder / "registries.conf"
            conf.write_text(REGISTRIES_CONF.format(port=cls.port), "utf-8")
            cls.environment["CONTAINERS_REGISTRIES_CONF"] = str(conf)
        cls.start_registry()
        (tools / "scripts").mkdir(parents=True)
        closed = free_port()  # nobody listens there
        for name, image, pull in (("fetched", f"127.0.0.1:{cls.port}/boxed:1", "missing"),
                                  ("unwanted", f"127.0.0.1:{cls.port}/boxed:2", "never"),
                                  ("unknown", f"127.0.0.1:{cls.port}/boxed:3", "missing"),
                                  ("nowhere", f"127.0.0.1:{closed}/boxed:1", "missing")):
            (tools / f"{name}.toml").write_text(manifest(name, image=image, more=f'pull = "{pull}"'), "utf-8")
            if name in ("fetched", "unwanted"):
                cls.call("tag", IMAGE, image)
                cls.call("push", "-q", image)
                cls.call("rmi", image)
                cls.addClassCleanup(cls.call, "rmi", "-f", image, expect=None)

    def test_1_a_missing_image_is_fetched_when_the_worker_starts(self):
        result = self.ran('echo "$OF_THE_IMAGE"; id -u\n', tool="fetched")
        self.assertEqual((result["status"], result["stdout"]), ("success", f"yes\n{self.uid}\n"), result)
        self.none_left()

    def why_not(self, tool):
        line, = (line for line in self.worker.lines if "not offered" in line and f"'{tool}'" in line)
        script = self.folder / "script.sh"
        script.write_text("true\n", "utf-8")
        done = self.cluster.run("taskpipe", "submit", tool, "--script", script)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("UNSATISFIABLE", done.stderr)  # at once: no task waits behind it
        return line

    def test_2_what_cannot_be_fetched_is_told(self):
        self.assertIn("cannot be fetched", self.why_not("unknown"))
        self.assertRegex(self.why_not("unknown"), "manifest unknown|not found")
        self.assertIn("cannot be fetched", self.why_not("nowhere"))
        self.assertIn("refused", self.why_not("nowhere"))

    def test_3_nothing_is_fetched_unasked(self):
        self.assertIn("cannot be used by", self.why_not("unwanted"))
        self.call("image", "inspect", f"127.0.0.1:{self.port}/boxed:2", expect=125 if self.is_podman() else 1)

    @staticmethod
    def is_podman():
        return ARGUMENTS.runtime == "podman"
