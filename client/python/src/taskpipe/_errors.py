"""What can go wrong, as exceptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class TaskpipeError(Exception):
    """Base of everything that this package raises.

    Attributes:
        code: The broker's code for it, such as ``"UNSATISFIABLE"``; None where none applies.
        field: The argument or field at fault, such as ``"params['grid'][2]"``; None if none is.
        maybe_accepted: Of a submit that was sent and never acknowledged: the id under which the
            task may have been accepted. Submitting again with this ``task_id`` cannot run it twice.
            Of a run that ended before its task: the task's id.
    """

    code: str | None = None
    field: str | None = None
    maybe_accepted: str | None = None


class InvalidArgument(TaskpipeError, ValueError):
    """An argument has an unacceptable value; ``field`` names it. Nothing was accepted."""


class UnknownTask(TaskpipeError, LookupError):
    """No task has this id, or it belongs to another user."""


class TaskCancelled(TaskpipeError):
    """The task was cancelled, so that there is no result to return."""


class CallTimeout(TaskpipeError, TimeoutError):
    """The call's own time has passed. The task, if any, goes on."""


class BrokerUnreachable(TaskpipeError, ConnectionError):
    """No broker has answered at the address within the connect timeout."""


class ClientClosed(TaskpipeError):
    """The client was closed, or replaced at the broker by another one."""


class CallStopped(TaskpipeError):
    """The call was ended on request of another thread."""


class Refused(TaskpipeError):
    """The broker said no; ``code`` says why: UNSATISFIABLE, DENIED, ID_CONFLICT, STORAGE, …."""


class HealthCheckFailed(TaskpipeError):
    """No worker answers, or the broker cannot accept tasks."""


class BatchRefused(TaskpipeError):
    """Some tasks of a batch were not accepted; others were, or may have been: those are durable.

    Where none was, the cause is raised instead: there is nothing to tell beside it.

    Attributes:
        task_ids: The ids of the tasks in their order, those of the refused ones included. Of
            several batches: up to the end of the one that failed; later ones were not sent.
        errors: Why, by index into ``task_ids``. One with ``maybe_accepted`` was never acknowledged.
    """

    def __init__(self, task_ids: Sequence[str], errors: Mapping[int, TaskpipeError]) -> None:
        """Makes one.

        Args:
            task_ids: The ids of the whole batch in its order.
            errors: Why, by index; not empty.
        """
        self.task_ids = list(task_ids)
        self.errors = dict(errors)
        first = min(self.errors)
        super().__init__(
            f"{len(self.errors)} of {len(self.task_ids)} tasks were not accepted; "
            f"tasks[{first}]: {self.errors[first]}"
        )
        self.code = self.errors[first].code
        self.field = self.errors[first].field

    @property
    def accepted(self) -> list[str]:
        """The ids of the tasks that were accepted, in their order: they will run."""
        return [task_id for i, task_id in enumerate(self.task_ids) if i not in self.errors]

    def __reduce__(self) -> tuple[type[BatchRefused], tuple[list[str], dict[int, TaskpipeError]]]:
        """Pickles by what it was made of, not by its text."""
        return type(self), (self.task_ids, self.errors)


def with_earlier(refused: BatchRefused, accepted: Sequence[str]) -> BatchRefused:
    """The same as told of a longer list, whose tasks before the batch had been accepted."""
    shift = len(accepted)
    for index, error in refused.errors.items():
        place = f"tasks[{index}]."
        if error.field is not None and error.field.startswith(place):
            error.field = f"tasks[{index + shift}].{error.field.removeprefix(place)}"
    errors = {index + shift: error for index, error in refused.errors.items()}
    return BatchRefused([*accepted, *refused.task_ids], errors)


def simplest(refused: BatchRefused) -> TaskpipeError:
    """What to raise for a batch: the first cause, if it says all that there is to know.

    It does not where a task was accepted, or where one may have been that it does not name.
    """
    first = refused.errors[min(refused.errors)]
    unsure = sum(error.maybe_accepted is not None for error in refused.errors.values())
    named = unsure == 0 or (unsure == 1 and first.maybe_accepted is not None)
    return first if named and not refused.accepted else refused


_BY_FAILURE: dict[str, type[TaskpipeError]] = {
    "timed out": CallTimeout,
    "unreachable": BrokerUnreachable,
    "stopped": CallStopped,
    "closed": ClientClosed,
}
_BY_CODE: dict[str, type[TaskpipeError]] = {
    "INVALID": InvalidArgument,
    "TOO_BIG": InvalidArgument,
    "CYCLE": InvalidArgument,
    "UNKNOWN_TASK": UnknownTask,
}


def from_native(
    failure: str, code: str | None, text: str, field: str | None, maybe_accepted: str | None
) -> TaskpipeError:
    """The exception for an error of the C++ client. Called by the extension module."""
    kind = _BY_FAILURE.get(failure) or _BY_CODE.get(code or "", Refused)
    error = kind(text)
    error.code = code
    error.field = field
    error.maybe_accepted = maybe_accepted
    return error


def not_ended(count: int, timeout: float | None) -> CallTimeout:
    """So many tasks have not ended in time."""
    return CallTimeout(f"{count} tasks did not end within {timeout} seconds")


def invalid(field: str, text: str) -> InvalidArgument:
    """An InvalidArgument about ``field``; the text goes on after the field's name."""
    error = InvalidArgument(f"{field} {text}")
    error.code = "INVALID"
    error.field = field
    return error
