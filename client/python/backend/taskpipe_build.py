"""How pip builds the package: scikit-build-core, and an archive that needs no checkout.

The client library is compiled from the repository that this folder is part of. A source archive
(``python -m build --sdist``) takes what is needed of it along, in ``sources``; pyproject.toml looks
there when it is built from an archive.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scikit_build_core import build as _build
from scikit_build_core.build import (
    build_editable,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

_PACKAGE = Path(__file__).resolve().parents[1]
_NEEDED = (
    "CMakeLists.txt",
    "LICENSE",
    "cmake",
    "common",
    "client/CMakeLists.txt",
    "client/include",
    "client/src",
    "client/python/native",
)


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Makes the archive; returns its name."""
    place = str(Path(sdist_directory).resolve())
    if (_PACKAGE / "sources").is_dir():  # this is an archive already
        return _build.build_sdist(place, config_settings)
    with _with_sources() as tree:
        before = Path.cwd()
        os.chdir(tree)  # where scikit-build-core looks for the package
        try:
            return _build.build_sdist(place, config_settings)
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _with_sources() -> Iterator[Path]:
    """A copy of the package, with the sources of the library in it."""
    repository = _PACKAGE.parents[1]
    missing = [name for name in _NEEDED if not (repository / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{repository} has no {missing[0]}: a source archive is made in a checkout of taskpipe"
        )
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.so", ".*", "dist")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "taskpipe"
        shutil.copytree(_PACKAGE, tree, ignore=ignore)
        shutil.rmtree(tree / "native")  # comes with the sources
        for name in _NEEDED:
            target = tree / "sources" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (repository / name).is_dir():
                shutil.copytree(repository / name, target, ignore=ignore)
            else:
                shutil.copy(repository / name, target)
        yield tree


__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
]
