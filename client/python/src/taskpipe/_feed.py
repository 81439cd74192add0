"""Turns a blocking native call with a callback into an iterator: the call runs on a thread.

The thread never polls: the call waits for what is pushed. The consumer sets the pace, since the
callback blocks while so many items (``MOST_WAITING``) wait to be taken.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from taskpipe import _native
from taskpipe._errors import CallTimeout, ClientClosed

MOST_WAITING = 10_000
_JOIN_LIMIT_S = 5.0

Item = TypeVar("Item")
# Also of feeds that were dropped, until their threads have ended.
_running: set[tuple[_State[Any], _native.Stop, threading.Thread]] = set()


class Feed(Generic[Item]):
    """What a call on a thread of its own delivers, as an iterator.

    Ends when the call returns, raises what the call raises, and ends the call when it is closed or
    dropped. One consumer.
    """

    def __init__(
        self,
        run: Callable[[Callable[[Item], None], _native.Stop], object],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Starts the thread; ``run(put, stop)`` is the call."""
        state = _State[Item](most_waiting)
        self._state = state
        self._stop = _native.Stop()
        # The thread refers to the state, never to the feed: a feed that is dropped ends its call.
        self._thread = threading.Thread(
            target=state.carry_out, args=(run, self._stop), name="taskpipe-feed", daemon=True
        )
        self._finalizer = weakref.finalize(self, _end, state, self._stop)
        self._finalizer.atexit = False
        state.entry = (state, self._stop, self._thread)
        _running.add(state.entry)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        """The feed itself."""
        return self

    def __next__(self) -> Item:
        """The next item, as soon as it is there."""
        return self.next_within(None)

    def next_within(self, timeout_s: float | None) -> Item:
        """The next item.

        Args:
            timeout_s: Longest wait in seconds; None: without limit.

        Raises:
            StopIteration: The call has returned.
            CallTimeout: Nothing came in time.
        """
        return self._state.take(timeout_s)

    def drain(self) -> list[Item]:
        """What is waiting now; does not wait."""
        return self._state.drain()

    def close(self) -> None:
        """Ends the call, and waits for its thread."""
        self._finalizer()
        if self._thread is not threading.current_thread():
            _join(self._thread)

    def __enter__(self) -> Feed[Item]:
        """The feed itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()


class _State(Generic[Item]):
    """What the thread and the consumer share."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self.process = os.getpid()
        self.entry: tuple[_State[Any], _native.Stop, threading.Thread] | None = None

    def carry_out(
        self, run: Callable[[Callable[[Item], None], _native.Stop], object], stop: _native.Stop
    ) -> None:
        error: BaseException | None = None
        try:
            run(self._put, stop)
        except BaseException as raised:
            error = raised
        with self._changed:
            self._error = error
            self._ended = True
            self._changed.notify_all()
        if self.entry is not None:
            _running.discard(self.entry)
            self.entry = None

    def _put(self, item: Item) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._most_waiting)
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()

    def take(self, timeout_s: float | None) -> Item:
        if self.process != os.getpid():
            raise ClientClosed("the iterator belongs to the process before the fork")
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self._items:
                if self._closed or (self._ended and self._error is None):
                    raise StopIteration
                if self._error is not None:
                    error, self._error = self._error, None
                    raise error
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise CallTimeout(f"nothing came within {timeout_s} seconds")
                self._changed.wait(left)
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def drain(self) -> list[Item]:
        with self._changed:
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _end(state: _State[Item], stop: _native.Stop) -> None:
    if state.process != os.getpid():
        return  # in a forked child, where neither the thread nor its locks are ours
    stop.request()
    state.close()


def _join(thread: threading.Thread) -> None:
    # An interrupt may have come while it was being started: then it has not begun, or is about to
    # find its call stopped, and the client waits for its calls anyway.
    with contextlib.suppress(RuntimeError):
        thread.join(_JOIN_LIMIT_S)


def close_all() -> None:
    """Ends every feed of this process and waits for the threads. For the interpreter's end."""
    for state, stop, thread in list(_running):
        _end(state, stop)
        _join(thread)
