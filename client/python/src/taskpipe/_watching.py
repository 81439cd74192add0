"""Following the tasks of a workflow by their events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from taskpipe import _shapes
from taskpipe._deadline import Deadline
from taskpipe._errors import CallTimeout
from taskpipe._feed import Feed
from taskpipe._shapes import StatusDict
from taskpipe._types import TaskEvent

Fetch = Callable[[Sequence[str]], list[StatusDict]]


class Followed:
    """The statuses of tasks: asked for once, then told by events, asked for again at the end.

    However often something changes, the broker is asked for each task twice at most.
    """

    def __init__(self, ids: Sequence[str], fetch: Fetch) -> None:
        """Asks for all; ``fetch`` does so, in the order of its argument."""
        self._ids = ids
        self._fetch = fetch
        found = fetch(ids)
        self._names = [status["task_id"] for status in found]  # ids as events spell them
        self._known = dict(zip(self._names, found, strict=True))

    def status(self) -> dict[str, Any]:
        """The status of the workflow."""
        return _shapes.workflow_status(self._ids, [self._known[name] for name in self._names])

    def take_in(self, events: Iterable[TaskEvent]) -> bool:
        """Brings the statuses up to date. False when nothing that they tell has changed."""
        changed = False
        ended = []
        for event in events:
            known = self._known[event.task_id]
            if known["ready"]:
                continue  # asked for when it had ended already
            if event.ready:
                ended.append(event.task_id)
                continue
            told = _shapes.live_status(event)
            changed = changed or told != known
            self._known[event.task_id] = told
        self._ask_for(ended)
        return changed or bool(ended)

    def ask_for_live(self) -> None:
        """Asks for those that are not known to have ended."""
        self._ask_for([name for name, status in self._known.items() if not status["ready"]])

    def _ask_for(self, names: Sequence[str]) -> None:
        if names:
            self._known.update(zip(names, self._fetch(names), strict=True))


def follow(
    followed: Followed, events: Feed[TaskEvent], deadline: Deadline, interval_s: float
) -> None:
    """Takes in what comes; returns after a change, or after so much time without any."""
    silence = Deadline(interval_s, "")
    while True:
        deadline.check()
        try:
            first = events.next_within(silence.left_before(deadline))
        except CallTimeout:
            changed = False
        except StopIteration:  # all have ended
            followed.ask_for_live()
            return
        else:
            changed = followed.take_in([first, *events.drain()])
        if changed or silence.over():
            return
