"""The committed stub is the one that the extension module has."""

import subprocess
import sys

from conftest import REPOSITORY


def test_the_stub_is_up_to_date(tmp_path):
    generated = tmp_path / "_native.pyi"
    subprocess.run(
        [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "taskpipe._native", "-o", generated],
        check=True,
    )
    committed = REPOSITORY / "client" / "python" / "src" / "taskpipe" / "_native.pyi"
    assert generated.read_text() == committed.read_text()
