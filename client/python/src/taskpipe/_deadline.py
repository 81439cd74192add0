"""When a call has to give up, and how long it may be silent."""

from __future__ import annotations

import time

from taskpipe import _arguments
from taskpipe._errors import CallTimeout, invalid


class Deadline:
    """When a call has to give up, and what it says then."""

    def __init__(self, timeout: float | None, text: str) -> None:
        """Counts from now; ``{}`` in ``text`` becomes the timeout."""
        timeout_ms = _arguments.timeout_ms(timeout)
        self._at = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        self._text = text.format(timeout)

    def left(self) -> float | None:
        """Seconds, more than nothing; None without a limit."""
        return None if self._at is None else max(0.001, self._at - time.monotonic())

    def left_before(self, other: Deadline) -> float | None:
        """The same until the earlier of the two."""
        limits = [limit for limit in (self.left(), other.left()) if limit is not None]
        return min(limits, default=None)

    def over(self) -> bool:
        """Whether its time has passed."""
        return self._at is not None and time.monotonic() >= self._at

    def error(self) -> CallTimeout:
        """What to raise once it is over."""
        return CallTimeout(self._text)

    def check(self) -> None:
        """Raises once it is over."""
        if self.over():
            raise self.error()

    def sleep(self, longest_s: float) -> None:
        """Sleeps so long, or until it is over; raises when it is over already."""
        self.check()
        left = self.left()
        time.sleep(longest_s if left is None else min(longest_s, left))


def interval_of(poll_interval: float) -> float:
    """Seconds, more than none."""
    interval_s = _arguments.seconds("poll_interval", poll_interval)
    if interval_s == 0:
        raise invalid("poll_interval", "is 0; it must be more")
    return interval_s
