#!/usr/bin/env python3
"""Draws what `./run bench --json FILE` has written, as SVG files that can be committed.

    plots.py FOLDER FILE [MORE…]

MORE: files of further runs (the sustained one). Writes neighbours.svg, round_trips.svg, shapes.svg,
latency.svg, histogram.svg, sustained.svg and growth.svg, each only when its figures were measured.
taskpipe is the one colour; what it is compared with is grey. The same figures give the same bytes:
no date, and ids that do not change.
"""

import json
import math
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402: the backend is chosen before
import matplotlib.ticker  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from tables import merged  # noqa: E402

OURS, OTHERS, LIMIT, INK, FAINT = "#0b6e99", "#b4b4b4", "#7a7a7a", "#222222", "#dddddd"
WIDTH_IN = 7.5
PLACES_PER_DOUBLING = 8  # as in measure.hpp
RC = {"svg.hashsalt": "taskpipe", "svg.fonttype": "none",
      "font.family": "DejaVu Sans", "font.size": 10,
      "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
      "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
      "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left"}


class Figures:
    """What was measured, by name."""

    def __init__(self, written):
        self.rows = {row["name"]: row for row in written["results"]}
        self.series = written.get("series", {})

    def __contains__(self, name):
        return name in self.rows

    def median(self, name):
        return self.rows[name]["median"]

    def spread(self, name):
        """How far below and above the median the rounds went."""
        row = self.rows[name]
        return row["median"] - row["min"], row["max"] - row["median"]


def short(value):
    """1234567 -> 1.2M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.0f}{suffix}" if scaled >= 10 else f"{scaled:.1f}{suffix}"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def save(figure, folder, name):
    path = folder / f"{name}.svg"
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    # matplotlib leaves spaces at the ends of lines, which reviews complain about.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
    print(path)


def bars(figures, rows, title, unit, describe, less_is_better=False):
    """Horizontal bars on a logarithmic axis, each with its value. `rows`: (figure, label,
    colour)."""
    rows = [row for row in rows if row[0] in figures]
    rows.sort(key=lambda row: figures.median(row[0]), reverse=less_is_better)  # the best on top
    figure, axes = plt.subplots(figsize=(WIDTH_IN, 0.36 * len(rows) + 0.9))
    values = [figures.median(name) for name, _, _ in rows]
    spreads = list(zip(*(figures.spread(name) for name, _, _ in rows)))
    axes.barh(range(len(rows)), values, color=[colour for _, _, colour in rows], height=0.72,
              xerr=spreads, error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 2})
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2.5, max(values) * 4)
    for at, (name, _, colour) in enumerate(rows):
        axes.text((figures.median(name) + figures.spread(name)[1]) * 1.12, at,
                  describe(figures.median(name)), va="center",
                  fontweight="bold" if colour == OURS else "normal")
    axes.set_yticks(range(len(rows)), [label for _, label, _ in rows])
    for tick, (_, _, colour) in zip(axes.get_yticklabels(), rows):
        if colour == OURS:
            tick.set_fontweight("bold")
            tick.set_color(OURS)
    axes.tick_params(axis="y", length=0)
    axes.minorticks_off()
    axes.set_xlabel(unit)
    axes.set_title(title, x=0, ha="left")
    return figure


THROUGHPUTS = [
    ("raw_libzmq_packed_256_tasks_per_s", "raw libzmq, 256 a message", LIMIT),
    ("raw_libzmq_tasks_per_s", "raw libzmq, one a message", LIMIT),
    ("memory_tasks_per_s", "taskpipe, durability none", OURS),
    ("os_tasks_per_s", "taskpipe, durability os", OURS),
    ("durable_tasks_per_s", "taskpipe, durability fsync", OURS),
    ("nats_jetstream_tasks_per_s", "NATS JetStream, file", OTHERS),
    ("beanstalkd_fsync_tasks_per_s", "beanstalkd, fsync", OTHERS),
    ("beanstalkd_tasks_per_s", "beanstalkd, memory", OTHERS),
    ("gearmand_tasks_per_s", "gearmand, memory", OTHERS),
    ("celery_redis_tasks_per_s", "Celery with Redis, memory", OTHERS),
    ("dask_tasks_per_s", "Dask, memory", OTHERS),
    ("python_durable_tasks_per_s", "taskpipe from Python, fsync", OURS),
]


def label_ends(axes, ends):
    """Names lines at their right ends, pushed apart where the names would cover each other. `ends`:
    (x, y, name, colour)."""
    axes.figure.canvas.draw()  # so that the places on the page are known
    least_px = 14
    placed = []
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        _, at_px = axes.transData.transform((x, y))
        up_px = max(0, placed[-1] + least_px - at_px) if placed else 0
        placed.append(at_px + up_px)
        axes.annotate(name, (x, y), textcoords="offset pixels", xytext=(9, up_px), va="center",
                      color=colour)


def neighbours(figures):
    if "durable_tasks_per_s" not in figures:
        return None
    return bars(figures, THROUGHPUTS, "Tasks a second: one client, one worker, 100 bytes, results "
                "back", "tasks/s, logarithmic", short)


def round_trips(figures):
    rows = [(name.replace("tasks_per_s", "round_trip_p50_us"), label, colour)
            for name, label, colour in THROUGHPUTS]
    if "durable_round_trip_p50_us" not in figures:
        return None
    return bars(figures, rows, "One task at a time: submit until its result, median",
                "microseconds, logarithmic; less is better", lambda us: f"{us:,.0f} µs",
                less_is_better=True)


def curve(axes, figures, points, xlabel, logarithmic):
    """One line through (x, figure), each point with its value; `logarithmic`: upwards as well."""
    points = [(x, name) for x, name in points if name in figures]
    xs = [x for x, _ in points]
    ys = [figures.median(name) for _, name in points]
    axes.set_xscale("log")
    axes.errorbar(xs, ys, yerr=list(zip(*(figures.spread(name) for _, name in points))), color=OURS,
                  marker="o", markersize=5, linewidth=1.8, capsize=2, elinewidth=0.8)
    for x, y in zip(xs, ys):
        axes.annotate(short(y), (x, y), textcoords="offset points", xytext=(0, 9), ha="center",
                      color=OURS, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.set_xticks(xs, [f"{x:,}" for x in xs], fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel(xlabel)
    axes.margins(x=0.15)
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(min(ys) / 3, max(ys) * 6)
    else:
        axes.set_ylim(0, max(ys) * 1.3)
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: short(value) if value else "0")
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def shapes(figures):
    panels = (
        ([(n, f"durable_batch_{n}_tasks_per_s") for n in (1, 16, 256, 4096, 20_000)],
         "tasks in a batch, one batch after the other", True),
        ([(n, f"durable_workers_{n}_tasks_per_s") for n in (1, 2, 8)], "workers", False),
        ([(n, f"durable_clients_{n}_tasks_per_s") for n in (1, 8)], "clients", False),
        ([(n, f"durable_payload_{label}_tasks_per_s")
          for n, label in ((100, "100b"), (10_000, "10kb"), (1_000_000, "1mb"))],
         "bytes of params", True),
    )
    if "durable_batch_1_tasks_per_s" not in figures:
        return None
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH_IN, 5.2), layout="constrained")
    for axes, (points, xlabel, logarithmic) in zip(grid.flat, panels):
        curve(axes, figures, points, xlabel, logarithmic)
    figure.suptitle("Durable tasks a second, by shape", x=0.01, ha="left", fontweight="bold")
    return figure


QUANTILES = (("p10", 0.10), ("p50", 0.50), ("p90", 0.90), ("p99", 0.99), ("p999", 0.999))


def latency(figures):
    """Latency by share of the tasks that took longer, to the right ever rarer."""
    lines = (("durable_round_trip_", "one at a time, fsync", OURS, "-"),
             ("memory_round_trip_", "one at a time, none", OURS, "--"),
             ("half_load_", "at half load, fsync", OURS, ":"),
             ("raw_libzmq_round_trip_", "raw libzmq", LIMIT, "-"))
    drawn = [line for line in lines if f"{line[0]}p50_us" in figures]
    if not drawn:
        return None
    figure, axes = plt.subplots(figsize=(WIDTH_IN, 3.8))
    ends = []
    for prefix, label, colour, style in drawn:
        ys = [figures.median(f"{prefix}{name}_us") for name, _ in QUANTILES]
        axes.plot(range(len(QUANTILES)), ys, color=colour, linestyle=style, marker="o",
                  markersize=4)
        ends.append((len(QUANTILES) - 1, ys[-1], label, colour))
    axes.set_yscale("log")
    label_ends(axes, ends)
    axes.set_xticks(range(len(QUANTILES)), ["p10", "median", "p90", "p99", "p99.9"])
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter(
        lambda us, _: f"{us / 1000:g} ms" if us >= 1000 else f"{us:g} µs")
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("Latency", x=0, ha="left")
    return figure


def histogram(figures):
    """How often each latency came, all rounds together; on one axis, one below the other."""
    drawn = [(label, colour, figures.series[f"{prefix}histogram_us"])
             for prefix, label, colour in (("raw_libzmq_round_trip_", "raw libzmq", LIMIT),
                                           ("memory_round_trip_", "one at a time, none", OURS),
                                           ("durable_round_trip_", "one at a time, fsync", OURS),
                                           ("half_load_", "at half load, fsync", OURS))
             if f"{prefix}histogram_us" in figures.series]
    if not drawn:
        return None
    figure, rows = plt.subplots(len(drawn), 1, figsize=(WIDTH_IN, 1.25 * len(drawn) + 0.6),
                                sharex=True, squeeze=False, layout="constrained")
    for axes, (label, colour, counts) in zip(rows[:, 0], drawn):
        edges = sorted((float(edge), count) for edge, count in counts.items())
        total = sum(count for _, count in edges)
        axes.bar([edge for edge, _ in edges], [100 * count / total for _, count in edges],
                 width=[edge * (2 ** (1 / PLACES_PER_DOUBLING) - 1) for edge, _ in edges],
                 align="edge", color=colour, linewidth=0)
        axes.set_xscale("log")
        axes.set_ylabel("%")
        axes.set_title(f"{label} ({total:,})", fontsize=10, fontweight="normal", color=colour)
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.xaxis.set_major_formatter(
        lambda us, _: f"{us / 1000:g} ms" if us >= 1000 else f"{us:g} µs")
    figure.suptitle("Latency: share of all", x=0, ha="left", fontweight="bold")
    return figure


def rates(load, width=5):
    """Tasks a second from a count that grows, over a few seconds each."""
    at, finished = load["at_s"], load["finished"]
    points = range(width, len(at), width)
    return ([at[i] / 60 for i in points],
            [(finished[i] - finished[i - width]) / (at[i] - at[i - width]) for i in points])


def sustained(figures):
    ours = figures.series.get("sustained_taskpipe")
    if not ours:
        return None
    theirs = figures.series.get("sustained_nats_jetstream")
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH_IN, 5.4), sharex=True,
                                         layout="constrained")
    ends = []
    for measured, label, colour in ((theirs, "NATS JetStream", LIMIT), (ours, "taskpipe", OURS)):
        if measured:
            xs, ys = rates(measured["load"])
            top.plot(xs, ys, color=colour)
            ends.append((xs[-1], ys[-1], label, colour))
    top.set_ylim(bottom=0)
    label_ends(top, ends)
    ends = []
    top.yaxis.set_major_formatter(lambda value, _: short(value) if value else "0")
    top.set_ylabel("tasks/s")
    minutes = [at / 60 for at in ours["readings"]["at_s"]]
    for name, label, style in (("rss_mb", "broker's memory", "-"), ("journal_mb", "journal", "--"),
                               ("history_mb", "history (kept)", ":")):
        bottom.plot(minutes, ours["readings"][name], color=OURS, linestyle=style)
        ends.append((minutes[-1], ours["readings"][name][-1], label, OURS))
    bottom.set_ylabel("taskpipe, MiB")
    bottom.set_ylim(bottom=0)
    label_ends(bottom, ends)
    bottom.set_xlabel("minutes")
    top.set_title("Load without a pause", x=0, ha="left")
    for axes in (top, bottom):
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
    return figure


GROWTH = {"queued": "tasks in the queue", "workers": "workers", "history": "tasks in the history"}


def growth(figures):
    """Cost of a task against the size of everything else; flat is good."""
    curves = {label: figures.series[f"cost_us_by_{axis}"] for axis, label in GROWTH.items()
              if f"cost_us_by_{axis}" in figures.series}
    if not curves:
        return None
    figure, grid = plt.subplots(1, len(curves), figsize=(WIDTH_IN, 2.9), squeeze=False, sharey=True,
                                layout="constrained")
    for axes, (label, points) in zip(grid.flat, curves.items()):
        axes.loglog(points["x"], points["y"], color=OURS, marker="o", markersize=4)
        for at in (0, -1):
            axes.annotate(f"{points['y'][at]:.1f}", (points["x"][at], points["y"][at]),
                          textcoords="offset points", xytext=(0, 7), ha="center", color=OURS)
        axes.set_xlabel(label)
        axes.set_xticks([points["x"][0], points["x"][-1]])
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.margins(x=0.25)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
    least = min(min(points["y"]) for points in curves.values())
    most = max(max(points["y"]) for points in curves.values())
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most * 1.2))
    grid.flat[0].set_ylim(10.0 ** low, 10.0 ** high)
    grid.flat[0].set_ylabel("broker, µs of processor a task")
    figure.suptitle("Cost of a task as the rest grows", x=0.01, ha="left", fontweight="bold")
    return figure


PLOTS = {"neighbours": neighbours, "round_trips": round_trips, "shapes": shapes, "latency": latency,
         "histogram": histogram, "sustained": sustained, "growth": growth}


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: plots.py FOLDER FILE [MORE…]")
    figures = Figures(merged([json.loads(pathlib.Path(name).read_text()) for name in sys.argv[2:]]))
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update(RC)
    for name, draw in PLOTS.items():
        figure = draw(figures)
        if figure is not None:
            save(figure, folder, name)


if __name__ == "__main__":
    main()
