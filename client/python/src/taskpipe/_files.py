"""What a client does with files: fetching what tasks leave."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from taskpipe import _arguments, _records
from taskpipe._connection import Connected
from taskpipe._deadline import Deadline
from taskpipe._errors import invalid
from taskpipe._types import Artifact, TaskResult


class Files(Connected):
    """The calls about artifacts. Without a timeout they go on as long as there is progress."""

    def artifacts(self, task_id: str, *, timeout: float | None = None) -> tuple[Artifact, ...]:
        """The files that a task left; waits for its end.

        Args:
            task_id: Its id.
            timeout: In seconds; None: without limit.

        Raises:
            UnknownTask: There is no such task.
            CallTimeout: It has not ended in time.
        """
        return self._ended(task_id, timeout).artifacts

    def get_artifacts(
        self,
        task_id: str,
        directory: str | os.PathLike[str],
        names: str | Iterable[str] | None = None,
        *,
        on_progress: Callable[[str, int, int], object] | None = None,
        timeout: float | None = None,
    ) -> list[Path]:
        """Fetches files that a task left; waits for its end.

        A file is there under its name only once its size and hash are right. A download that was
        broken off goes on where it was.

        Args:
            task_id: Its id.
            directory: Where they go; made when it does not exist.
            names: Names or patterns such as ``"*.dump"``; None: all.
            on_progress: Called with name, bytes done and size, in this thread. What it raises ends
                the call.
            timeout: In seconds, for all of it, the wait included; None: as long as the task takes,
                and then as long as there is progress.

        Returns:
            Where the files are, in the order of their names.

        Raises:
            InvalidArgument: A name fits no artifact, or an artifact's name would leave the
                directory.
            Refused: A file is only on its worker's node, or cannot be written here.
            CallTimeout: The time is over; files that are whole stay.
        """
        deadline = Deadline(timeout, "the artifacts were not fetched within {} seconds")
        result = self._ended(task_id, timeout)
        wanted = _matching(result.artifacts, names)
        paths = []
        for artifact in wanted:
            path = _place(Path(directory), artifact.name)
            tell = None if on_progress is None else _progress_of(artifact.name, on_progress)
            deadline.check()
            limit_ms = _arguments.timeout_ms(deadline.left())
            self._native.fetch_artifact(task_id, artifact.name, str(path), tell, limit_ms)
            paths.append(path)
        return paths

    def _ended(self, task_id: str, timeout: float | None) -> TaskResult:
        ids = [_arguments.id_text(task_id)]
        return _records.task_result(self._native.wait_all(ids, _arguments.timeout_ms(timeout))[0])


def _progress_of(
    name: str, on_progress: Callable[[str, int, int], object]
) -> Callable[[int, int], object]:
    return lambda done, size: on_progress(name, done, size)


def _matching(artifacts: Iterable[Artifact], names: object) -> list[Artifact]:
    listed = list(artifacts)
    if names is None:
        return listed
    patterns = [names] if isinstance(names, str) else _arguments.texts("names", names)
    wanted: set[str] = set()
    for pattern in patterns:
        fitting = {
            artifact.name
            for artifact in listed
            if artifact.name == pattern or fnmatch.fnmatchcase(artifact.name, pattern)
        }
        if not fitting:
            raise invalid("names", f"has {pattern!r}, which fits no artifact of the task")
        wanted |= fitting
    return [artifact for artifact in listed if artifact.name in wanted]


def _place(directory: Path, name: str) -> Path:
    """Where the file goes; its folders are there then."""
    parts = PurePosixPath(name).parts
    if name != "/".join(parts) or not parts or ".." in parts or name.startswith("/"):
        raise invalid("names", f"would have the artifact {name!r} leave the directory")
    directory.mkdir(parents=True, exist_ok=True)
    folder = directory
    for part in parts[:-1]:
        folder = folder / part
        if folder.is_symlink():
            raise invalid("names", f"would have the artifact {name!r} follow a link")
        folder.mkdir(exist_ok=True)
    return folder / parts[-1]
