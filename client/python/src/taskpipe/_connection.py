"""A connection to a broker: made, shared by all threads of a process, closed."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import NoReturn, TypeVar

from taskpipe import _arguments, _feed, _native
from taskpipe._cluster import Connection

DEFAULT_BROKER = "tcp://127.0.0.1:7610"  #: where a broker of this host listens
_EXIT_LIMIT_MS = 5000
_clients: weakref.WeakSet[Connected] = weakref.WeakSet()

Self = TypeVar("Self", bound="Connected")


class Connected:
    """The life of a client."""

    def __init__(
        self,
        broker: str | None = None,
        *,
        events: str | None = None,
        join: str | None = None,
        user: str | None = None,
        name: str = "",
        connect_timeout: float = 5.0,
        request_timeout: float = 30.0,
        linger: float = 2.0,
        max_unacknowledged: int = 262_144,
    ) -> None:
        """Makes a client; connects to nothing.

        Args:
            broker: ``host``, ``host:port``, ``[v6]:port``, ``tcp://host:port`` or ``ipc://path``.
                None: ``$TASKPIPE_BROKER``, else what the join file says, else this host's broker.
            events: Where events come from, same forms; None: ``$TASKPIPE_EVENTS``, unless
                ``broker`` is given, to whom it need not belong. Empty: where the broker says.
            join: A join file with keys, as ``taskpipe keygen`` makes it; None: ``$TASKPIPE_JOIN``.
                Empty: no keys.
            user: Whose tasks, where there are no keys; None: ``$TASKPIPE_USER``. Empty: the login
                name.
            name: Shown to operators.
            connect_timeout: How long to look for a broker, in seconds.
            request_timeout: Default limit of submits, queries and cancels, in seconds.
            linger: How long closing may wait for unsent data, in seconds; at most 2 count.
            max_unacknowledged: Unanswered asynchronous submits before further ones wait.

        Raises:
            InvalidArgument: An argument has the wrong type or range.
        """
        # As client_options_from_environment of the C++ library. Other types are refused below.
        if events is None:
            events = os.environ.get("TASKPIPE_EVENTS", "") if broker is None else ""
        if user is None:
            user = os.environ.get("TASKPIPE_USER", "")
        if join is None:
            join = os.environ.get("TASKPIPE_JOIN", "")
        if broker is None:
            broker = os.environ.get("TASKPIPE_BROKER") or ("" if join else DEFAULT_BROKER)
        self._native = _native.Client(
            broker=_arguments.text("broker", broker),
            events=_arguments.text("events", events),
            join=_arguments.text("join", join),
            user=_arguments.text("user", user),
            name=_arguments.text("name", name),
            connect_timeout_ms=milliseconds("connect_timeout", connect_timeout),
            request_timeout_ms=milliseconds("request_timeout", request_timeout),
            linger_ms=milliseconds("linger", linger),
            max_unacknowledged=_arguments.count("max_unacknowledged", max_unacknowledged, 2**32),
        )
        self._broker = broker or join
        self._request_timeout = request_timeout
        _clients.add(self)

    def __repr__(self) -> str:
        """The class and the broker's address."""
        return f"{type(self).__name__}({self._broker!r})"

    def __reduce__(self) -> NoReturn:
        """Refuses: a connection cannot be pickled."""
        raise TypeError(
            f"a {type(self).__name__} holds a connection and cannot be pickled; pass its broker's "
            "address and task ids, and make a client over there"
        )

    def __enter__(self: Self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def connect(self, *, timeout: float | None = None) -> Connection:
        """Makes sure that there is a session and tells about it.

        Args:
            timeout: In seconds; None: ``connect_timeout``.

        Raises:
            BrokerUnreachable: No broker answers.
        """
        return Connection(**self._native.connect(_arguments.timeout_ms(timeout)))

    def close(self) -> None:
        """Ends every call in progress with ``ClientClosed``, and every later one.

        Takes at most ``linger`` seconds plus the callback that is running. Twice is harmless.
        """
        self._native.close()


def milliseconds(field: str, value: float) -> int:
    """A duration in whole milliseconds, rounded up."""
    limit_ms = _arguments.timeout_ms(_arguments.seconds(field, value), field)
    return 0 if limit_ms is None else limit_ms


@atexit.register
def _close_all() -> None:
    # Before the interpreter goes: the threads of clients must not need it afterwards.
    _feed.close_all()
    for client in list(_clients):
        client.close()
    _native.await_calls(_EXIT_LIMIT_MS)
