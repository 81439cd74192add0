"""The neighbours, each with its best sensible settings: the same payload, results back."""

import sys

import peers
from measuring import prefixed, quotients

NAME = "peers"
TITLE = "The neighbours: 100-byte payload, results back, one client"
ORDER = 20
WORKERS = (1, 2)
ALL = ("nats_jetstream", "beanstalkd_fsync", "beanstalkd", "gearmand", "celery_redis", "dask")
UNITS = {}
for _name in ALL:
    UNITS |= {f"{_name}_tasks_per_s": "1/s", f"{_name}_workers_2_tasks_per_s": "1/s"}
for _name in ALL:
    UNITS |= {f"{_name}_round_trip_{q}_us": "us" for q in ("p50", "p99")}
_missing = set()  # told once


def unavailable(context):
    return None if context.peers else "not asked for (--peers)"


def able(context):
    """Those that are installed."""
    found = []
    for peer in peers.all_peers(context.bin_dir):
        why_not = peer.unavailable()
        if why_not is None:
            found.append(peer)
        elif peer.name not in _missing:
            _missing.add(peer.name)
            print(f"UNAVAILABLE: {peer.name}: {why_not}", file=sys.stderr)
    return found


def measure(context, peer, workers, kind, count):
    with context.scratch() as folder, peer.running(folder, workers, kind) as place:
        return peer.run(place, kind, count)


def round(context):
    figures = {}
    for peer in able(context):
        count = peer.quick_tasks if context.quick else peer.tasks
        for workers in WORKERS[:1] if context.quick else WORKERS:
            label = peer.name if workers == 1 else f"{peer.name}_workers_{workers}"
            figures[f"{label}_tasks_per_s"] = measure(
                context, peer, workers, "throughput", count)["tasks_per_s"]
        trips = peer.trips // 4 if context.quick else peer.trips
        trip = measure(context, peer, 1, "roundtrip", trips)
        figures |= prefixed(f"{peer.name}_round_trip_",
                            {name: trip[name] for name in ("p50_us", "p99_us")})
    return figures


def ratios(figures):
    found = quotients(figures, {f"durable_throughput_vs_{name}":
                                ("durable_tasks_per_s", f"{name}_tasks_per_s") for name in ALL})
    return found | quotients(figures, {
        f"durable_round_trip_vs_{name}":
            ("durable_round_trip_p50_us", f"{name}_round_trip_p50_us") for name in ALL})
