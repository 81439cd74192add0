"""A cluster of which every program may be of another release."""

import contextlib
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "fault")]
from cluster import Cluster, Process  # noqa: E402

BROKER_OPTIONS = ("--lease", "10s", "--heartbeat", "500ms")


def knows(program, option):
    """Whether a program has an option; releases differ."""
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return option in done.stdout


class MixedCluster(Cluster):
    """Cluster whose programs come from the folder that `using` names at the moment."""

    @contextlib.contextmanager
    def using(self, bin_dir):
        former, self.bin_dir = self.bin_dir, pathlib.Path(bin_dir).resolve()
        try:
            yield self
        finally:
            self.bin_dir = former

    def start_broker(self, *options, wait=True, **popen):
        program = self.bin_dir / "taskpipe-broker"
        binds = ["--client-bind", self.client_endpoint, "--worker-bind", self.worker_endpoint,
                 "--event-bind", self.event_endpoint]
        if knows(program, "--bulk-bind"):
            binds += ["--bulk-bind", self.bulk_endpoint]
        self.broker = Process("broker", [program, "--data-dir", self.folder / "data", *binds,
                                         "--log-format", "json", *BROKER_OPTIONS, *options],
                              self.folder / "broker.log", **popen)
        if wait:
            self.broker.wait_for('"listening"')
        return self.broker

    def submit_script(self, text, *options):
        """A shell task; what the command line said of it."""
        script = self.folder / "task.sh"
        script.write_text(text)
        return self.run("taskpipe", "submit", "shell", "--script", script, *options)

    def row(self, task):
        (row,) = self.cli("status", task)["tasks"]
        return row
