"""What the ratios of `./run bench` are to reach. docs/benchmarks.md says what each means."""

AT_LEAST, AT_MOST = ">=", "<="

TARGETS = {
    "durable_throughput_vs_raw_libzmq": (AT_LEAST, 0.50),
    "sustained_throughput_vs_nats_jetstream": (AT_LEAST, 1.0),
    "sustained_rss_end_over_middle": (AT_MOST, 1.1),
    "sustained_journal_end_over_middle": (AT_MOST, 1.1),
    "durable_throughput_vs_nats_jetstream": (AT_LEAST, 3.0),
    "durable_throughput_vs_celery_redis": (AT_LEAST, 300.0),
    "memory_throughput_vs_raw_libzmq": (AT_LEAST, 1.0),
    "durable_round_trip_vs_floor": (AT_MOST, 1.3),
    "memory_round_trip_vs_raw_libzmq": (AT_MOST, 1.3),
    "p99_over_p50_at_half_load": (AT_MOST, 4.0),
    "bytes_per_waiting_task": (AT_MOST, 300.0),
    "bytes_per_waiting_array_element": (AT_MOST, 16.0),
    "array_submit_s": (AT_MOST, 1.0),
    "recovery_s_1m_live_tasks": (AT_MOST, 2.0),
    "dispatch_cost_1m_over_1k_queued": (AT_MOST, 1.5),
    "dispatch_cost_10k_over_10_workers": (AT_MOST, 1.5),
    "idle_workers_10k_rss_mb": (AT_MOST, 400.0),
    "process_tasks_vs_xargs": (AT_LEAST, 0.8),
    "python_batch_vs_celery_redis": (AT_LEAST, 50.0),
}


def met(name, value):
    """Whether the ratio reaches its target; None when it has none."""
    if name not in TARGETS:
        return None
    direction, target = TARGETS[name]
    return value >= target if direction == AT_LEAST else value <= target
