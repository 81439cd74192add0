"""What every scenario of `./run bench` is given, and the arithmetic of its figures.

A scenario is a module in scenarios/ with

    NAME      what --only calls it
    TITLE     the heading of its figures in the table
    UNITS     {figure: unit} of every figure that it may return
    round(context)   -> {figure: value}, one measurement of each, taskpipe and reference in turns
    ratios(figures)  -> {ratio: value}, from {figure: [value of each round]} of all that has run

and, where it applies, ORDER (small: early in a round; 50), ROUNDS_MAX (for what takes long),
BY_DEFAULT = False (runs only when --only names it) and unavailable(context) -> why it cannot run
here, or None. A round is bounded, and whatever it starts has ended when it returns.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cluster import Cluster, ClusterError  # noqa: E402, F401: both for scenarios

RUN_LIMIT_S = 300.0
FSYNCS = 400
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something that makes the figures meaningless."""


@dataclasses.dataclass
class Context:
    """Where and how to measure. A scenario that draws a curve leaves it in `series`."""

    bin_dir: pathlib.Path  # the programs
    folder: pathlib.Path  # on the disk to measure
    python: pathlib.Path | None = None  # an interpreter that has the taskpipe package
    quick: bool = False  # fewer tasks: seconds, not minutes
    peers: bool = False  # measure beside the neighbours as well
    hq: pathlib.Path | None = None  # HyperQueue's program
    minutes: float = 10.0  # of the sustained load
    series: dict = dataclasses.field(default_factory=dict)  # {name: {"x": […], "y": […], …}}
    leftovers: list = dataclasses.field(default_factory=list)  # folders to remove when all is measured

    @contextlib.contextmanager
    def cluster(self, workers=1, durability="fsync", broker=(), worker=(), remove=True):
        """A broker and its workers, started for this; with their further options. `remove`: when
        it ends, and not after the last round."""
        with Cluster(self.bin_dir, self.folder, remove=remove) as running:
            running.start_broker("--durability", durability, *broker)
            for i in range(workers):
                running.start_worker(f"worker{i}", *worker)
            yield running
        if not remove:
            self.leftovers.append(running.folder)

    @contextlib.contextmanager
    def scratch(self):
        """A folder on the disk to measure, gone at the end."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            yield pathlib.Path(name)

    def latencies(self, name, measured):
        """Quantiles as figures; the histogram beside them is added to those of earlier rounds."""
        figures = dict(measured)
        total = self.series.setdefault(f"{name}histogram_us", {})
        for edge_us, count in figures.pop("histogram"):
            total[edge_us] = total.get(edge_us, 0) + count
        return prefixed(name, figures)

    def run_json(self, program, *arguments, **popen):
        """What one of our measuring programs prints."""
        return run_json(self.bin_dir / program, *arguments, **popen)


def run_json(*command, limit_s=RUN_LIMIT_S, **popen):
    """Runs a program to its end and decodes what it prints."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False,
                              **popen)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{' '.join(command)}: not done within {limit_s:.0f} s") from error
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def remove_leftovers(context):
    """For the end of a run."""
    for folder in context.leftovers:
        shutil.rmtree(folder, ignore_errors=True)


def prefixed(prefix, values):
    """{name: value} with longer names."""
    return {prefix + name: value for name, value in values.items()}


def fsync_us(folder, count=FSYNCS):
    """Median time of one 4 KiB overwrite and fdatasync, on the disk that the journal uses."""
    path = folder / "fsync.probe"
    block = b"\0" * 4096
    with open(path, "wb", buffering=0) as file:
        file.write(block * 256)
        os.fsync(file.fileno())
        times = []
        for i in range(count):
            start = time.perf_counter()
            os.pwrite(file.fileno(), block, (i % 256) * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    path.unlink()
    return statistics.median(times)


def cpu_s(pid):
    """Processor time that a process has used, all its threads together."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S


def resident_bytes(pid):
    """Memory of a process that is in RAM now."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def folder_bytes(folder):
    """What the files below a folder take on the disk; files may come and go meanwhile."""
    total = 0
    for path in pathlib.Path(folder).rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total


def summary(name, unit, values):
    """One row of the results."""
    return {"name": name, "unit": unit, "median": statistics.median(values), "min": min(values),
            "max": max(values), "rounds": len(values)}


def have(figures, *names):
    """Whether each of these was measured."""
    return all(figures.get(name) for name in names)


def quotient(figures, above, below):
    """Round by round, then the median: what drifts between rounds cancels out."""
    return statistics.median(a / b for a, b in zip(figures[above], figures[below]))


def quotients(figures, table):
    """{ratio: (above, below)} -> {ratio: value}, of those whose figures were measured."""
    return {ratio: quotient(figures, above, below)
            for ratio, (above, below) in table.items() if have(figures, above, below)}
