"""One task at a time: from submit until its result is back, beside raw libzmq and the disk."""

import statistics

from measuring import fsync_us, have, quotients

NAME = "round_trip"
TITLE = "One task at a time: submit until its result is back"
ORDER = 40
TRIPS, QUICK_TRIPS = 5_000, 1_000
SYNCS_PER_TRIP = 2  # the submit is durable before it is acknowledged, and so is the result
KINDS = ("durable", "memory", "raw_libzmq")
QUANTILES = ("p10_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us")
UNITS = {f"{kind}_round_trip_{quantile}": "us" for kind in KINDS for quantile in QUANTILES}
UNITS["fdatasync_us"] = "us"


def round(context):
    trips = QUICK_TRIPS if context.quick else TRIPS
    figures = {}
    syncs = [fsync_us(context.folder)]
    for label, durability in (("durable", "fsync"), ("memory", "none")):
        with context.cluster(durability=durability) as running:
            figures |= context.latencies(f"{label}_round_trip_", context.run_json(
                "task_bench", "roundtrip", running.client_endpoint, trips))
        syncs.append(fsync_us(context.folder))
    figures |= context.latencies("raw_libzmq_round_trip_",
                                 context.run_json("raw_relay", "roundtrip", trips))
    figures["fdatasync_us"] = statistics.median(syncs)  # before, between and after
    return figures


def floor_us(figures):
    """What the fastest durable system would take in each round: messages and disk, no more."""
    return [raw + SYNCS_PER_TRIP * sync for raw, sync in zip(
        figures["raw_libzmq_round_trip_p50_us"], figures["fdatasync_us"])]


def ratios(figures):
    found = quotients(figures, {
        "memory_round_trip_vs_raw_libzmq":
            ("memory_round_trip_p50_us", "raw_libzmq_round_trip_p50_us")})
    if have(figures, "durable_round_trip_p50_us", "raw_libzmq_round_trip_p50_us", "fdatasync_us"):
        found["durable_round_trip_vs_floor"] = statistics.median(
            trip / floor for trip, floor in zip(figures["durable_round_trip_p50_us"],
                                                floor_us(figures)))
    return found
