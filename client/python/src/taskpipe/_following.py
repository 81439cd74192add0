"""Following a stream of changes without gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from taskpipe import _arguments, _feed, _native, _records
from taskpipe._questions import Questions
from taskpipe._types import StreamChanges

MOST_AHEAD = 100  # batches of changes that wait here for a consumer; the rest waits at the broker


class Following(Questions):
    """The call that misses nothing. Default timeout: none."""

    def follow(
        self,
        stream: str = "",
        *,
        task_ids: Iterable[str] = (),
        since: int | None = None,
        everybody: bool = False,
        until_present: bool = False,
        over_router: bool = False,
        timeout: float | None = None,
    ) -> _feed.Feed[StreamChanges]:
        """Every change of state of a stream, each once and in order, as an iterator.

        Nothing is missed: not what happened before the call (``since``), nor during a lost
        connection, a restart of the broker, or while the iterator was not advanced. Where the
        broker no longer keeps what was missed, the present states come instead, and say so. The
        items wait at the broker, not here, while the iterator is slow.

        ``for changes in client.follow("task.lammps.", since=last): last = changes.seq``

        Args:
            stream: ``"task.<tool>."``, ``"task."`` for every tool, or ``"workflow.<id>."``.
            task_ids: Instead of a stream; at most 256.
            since: From the change after this number; 0: from the very first. None: from now on;
                which number that is is told at once, by the first item.
            everybody: Also tasks of other users.
            until_present: Ends once everything was told that had happened when it began.
            over_router: Never uses the event port, where that cannot be reached.
            timeout: In seconds, for all of it; None: without limit.

        Raises:
            InvalidArgument: There is no such stream; raised by the iteration, as the next.
            CallTimeout: The time is over.
        """
        return _feed.Feed(
            self._follow_call(
                stream,
                task_ids=task_ids,
                since=since,
                everybody=everybody,
                until_present=until_present,
                over_router=over_router,
                timeout=timeout,
            ),
            MOST_AHEAD,
        )

    def _follow_call(
        self,
        stream: str,
        *,
        task_ids: Iterable[str] = (),
        since: int | None = None,
        everybody: bool = False,
        until_present: bool = False,
        over_router: bool = False,
        timeout: float | None = None,
    ) -> Callable[[Callable[[StreamChanges], None], _native.Stop], None]:
        ids = _arguments.texts("task_ids", task_ids)
        _arguments.text("stream", stream)
        if since is not None:
            _arguments.count("since", since, 2**63)
        limit_ms = _arguments.timeout_ms(timeout)
        native = self._native

        def run(put: Callable[[StreamChanges], None], stop: _native.Stop) -> None:
            native.follow(
                stream,
                ids,
                since,
                everybody,
                until_present,
                over_router,
                lambda record: put(_records.stream_changes(record)),
                limit_ms,
                stop,
            )

        return run
