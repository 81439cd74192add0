"""What a process takes, as the kernel counts it."""

import os
import pathlib


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"process {pid} is gone")


def lean_environment():
    """For a process whose memory is measured: AddressSanitizer keeps 256 MiB of what was freed, and
    glibc an arena for each thread."""
    asan = "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    given = os.environ.get("ASAN_OPTIONS")
    return {**os.environ, "ASAN_OPTIONS": f"{given}:{asan}" if given else asan,
            "MALLOC_ARENA_MAX": "2"}
