"""A shell tool that waits at a gate and leaves a trace of each of its runs."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import process_state, wait_until  # noqa: E402

# The folder of the attempt lies below the work folder of its worker, which is named after it.
SCRIPT = """
pwd > "$SIM_RUNS/$$.part" && mv "$SIM_RUNS/$$.part" "$SIM_RUNS/$$"
while [ ! -e "$SIM_GATE" ]; do sleep 0.05; done
echo "through the gate"
"""


class GatedTool:
    def __init__(self, cluster, name="gated"):
        """`name`: tells the gates of one cluster apart."""
        self._cluster = cluster
        folder = cluster.folder / name
        folder.mkdir()
        self._script = folder / "gated.sh"
        self._script.write_text(SCRIPT)
        self._runs = folder / "runs"
        self._runs.mkdir()
        self._gate = folder / "gate"

    def submit(self, prefix=()):
        """The task's id."""
        done = self._cluster.run("taskpipe", "submit", "shell", "--script", self._script, "-p",
                                 f"gate={self._gate}", "-p", f"runs={self._runs}", prefix=prefix)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def open_gate(self):
        self._gate.touch()

    def runs(self):
        """Of each run so far: (process id, name of the worker)."""
        found = []
        for path in self._runs.iterdir():
            if path.suffix == ".part":
                continue
            folder = pathlib.Path(path.read_text().strip()).relative_to(self._cluster.folder)
            found.append((int(path.name), folder.parts[0]))
        return sorted(found)

    def wait_for_runs(self, count, limit_s=60.0):
        wait_until(lambda: len(self.runs()) >= count, f"{count} runs have begun", limit_s)
        return self.runs()


def is_gone(pid):
    return process_state(pid) in (None, "Z")
