#!/usr/bin/env python3
"""Installs into a temporary prefix, moves it, builds programs outside of the project against it with
find_package and with pkg-config, and runs them: without a broker, and on the installed programs."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from cluster import Cluster, free_port  # noqa: E402

BUILD_DIR = pathlib.Path(os.environ["TASKPIPE_BUILD_DIR"])
CXX = os.environ["TASKPIPE_CXX"]
SANITIZE = os.environ["TASKPIPE_SANITIZE"]  # the library under test was built with it
CONSUMER = pathlib.Path(__file__).resolve().parent / "consumer"
LIMIT_S = 120.0


class Installation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="taskpipe-install-")))
        cls.run_command("cmake", "--install", BUILD_DIR, "--prefix", cls.folder / "first")
        cls.prefix = cls.folder / "moved"  # nothing may depend on where it was installed
        (cls.folder / "first").rename(cls.prefix)
        (cls.pkg_config,) = cls.prefix.rglob("taskpipe.pc")

    @classmethod
    def run_command(cls, *command, expect=0, **environment):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, env={**os.environ, **environment})
        if done.returncode != expect:
            raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    @property
    def flags(self):
        return [f"-fsanitize={SANITIZE}"] if SANITIZE else []

    def built_with_cmake(self):
        build = self.folder / "cmake"
        self.run_command("cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_CXX_COMPILER={CXX}",
                         f"-DCMAKE_PREFIX_PATH={self.prefix}",
                         f"-DCMAKE_CXX_FLAGS={' '.join(self.flags)}")
        self.run_command("cmake", "--build", build)
        return build / "consumer"

    def built_with_pkg_config(self):
        flags = self.run_command("pkg-config", "--cflags", "--libs", "taskpipe",
                                 PKG_CONFIG_PATH=str(self.pkg_config.parent))
        program = self.folder / "consumer"
        self.run_command(CXX, "-Wall", "-Werror", *self.flags, CONSUMER / "consumer.cpp",
                         *shlex.split(flags), "-o", program)
        return program

    def run_without_broker(self, program):
        broker = f"tcp://127.0.0.1:{free_port()}"
        said = self.run_command(program, expect=4, TASKPIPE_BROKER=broker)
        self.assertIn(f"unreachable: no broker answers at {broker}", said)

    def test_find_package(self):
        self.run_without_broker(self.built_with_cmake())

    def test_pkg_config_and_the_installed_programs(self):
        program = self.built_with_pkg_config()
        self.run_without_broker(program)
        with Cluster(self.prefix / "bin") as cluster:
            cluster.start_broker()
            cluster.start_worker("w0")  # finds its toolbox and its spawner in the prefix
            said = self.run_command(program, TASKPIPE_BROKER=cluster.client_endpoint)
            self.assertEqual(said.split("\n")[0], "success")
            self.assertIn("hello, world", said)
            shown = cluster.cli("tools")["tools"]
            self.assertIn("shell", [tool["name"] for tool in shown])

    def test_headers_name_nothing_outside_the_prefix(self):
        headers = sorted((self.prefix / "include").rglob("*.hpp"))
        self.assertIn(self.prefix / "include/taskpipe/task_pipeline.hpp", headers)
        for header in headers:
            text = header.read_text("utf-8")
            self.assertNotIn('#include "common/', text, header)
            self.assertNotIn('#include "client/', text, header)

    def test_the_toolbox_is_complete_and_can_be_run(self):
        toolbox = self.prefix / "share/taskpipe/toolbox"
        self.assertTrue((toolbox / "scripts/python/pi.py").is_file())
        self.assertTrue(os.access(toolbox / "launchers/openfoam.sh", os.X_OK))


if __name__ == "__main__":
    unittest.main(verbosity=2)
