"""The source archive: made in a checkout, built without one."""

import importlib.util
import os
import subprocess
import sys
import tarfile

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "client" / "python"
MAKE = "import sys, taskpipe_build; print(taskpipe_build.build_sdist(sys.argv[1]))"


@pytest.fixture(scope="module")
def python_with_backend(tmp_path_factory):
    """Runs Python code with what the backend needs: pip gives it to builds, not to tests."""
    path = [str(PACKAGE / "backend")]
    if importlib.util.find_spec("scikit_build_core") is None:
        place = str(tmp_path_factory.mktemp("backend"))
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--target", place, "scikit-build-core>=0.10"], check=True)
        path.append(place)

    def run(code, *arguments, backend=path[0], **options):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(backend), *path[1:]])}
        return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], text=True,
                              capture_output=True, check=False, env=environment, **options)

    return run


@pytest.fixture(scope="module")
def archive(python_with_backend, tmp_path_factory):
    """The unpacked archive, far from the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    done = python_with_backend(MAKE, folder, cwd=PACKAGE)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.tar.gz")
    assert done.stdout.splitlines()[-1] == made.name
    with tarfile.open(made) as tar:
        tar.extractall(folder)
    return folder / made.name.removesuffix(".tar.gz")


def test_it_has_every_source_and_nothing_twice(archive):
    def names(root):
        found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return {str(name) for name in found if "__pycache__" not in name.parts}

    for part in ("common", "client/src", "client/include", "client/python/native"):
        assert names(archive / "sources" / part) == names(REPOSITORY / part), part
    assert names(archive / "src") == {
        name for name in names(PACKAGE / "src") if not name.endswith(".so")
    }
    assert not (archive / "native").exists()


def test_it_can_be_configured_by_itself(archive, tmp_path):
    import nanobind

    done = subprocess.run(
        ["cmake", "-S", archive / "sources", "-B", tmp_path / "build", "-G", "Ninja",
         "-DTASKPIPE_BUILD_TESTS=OFF", "-DTASKPIPE_BUILD_PROGRAMS=OFF",
         "-DTASKPIPE_BUILD_PYTHON=ON", f"-Dnanobind_DIR={nanobind.cmake_dir()}",
         f"-DPython_EXECUTABLE={sys.executable}"], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    # Every header that its sources include is there as well.
    needed = subprocess.run(["grep", "-rhoE", r'#include "(common|client)/[^"]+"', "sources"],
                            cwd=archive, text=True, capture_output=True, check=True).stdout
    for line in sorted(set(needed.splitlines())):
        assert (archive / "sources" / line.split('"')[1]).is_file(), line


def test_an_archive_makes_archives(archive, python_with_backend, tmp_path):
    done = python_with_backend(MAKE, tmp_path, backend=archive / "backend", cwd=archive)
    assert done.returncode == 0, done.stderr
    (again,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(again) as tar:
        assert f"{archive.name}/sources/client/src/client.cpp" in tar.getnames()


def test_a_part_of_a_checkout_says_what_is_missing(python_with_backend, tmp_path):
    lone = tmp_path / "client" / "python"
    (lone / "backend").mkdir(parents=True)
    text = (PACKAGE / "backend" / "taskpipe_build.py").read_text()
    (lone / "backend" / "taskpipe_build.py").write_text(text)
    done = python_with_backend(MAKE, tmp_path, backend=lone / "backend", cwd=lone)
    assert done.returncode != 0
    assert "a source archive is made in a checkout of taskpipe" in done.stderr
