"""Artifacts and inputs, to and from a worker that shares no folder with this process."""

import asyncio
import hashlib
import os

import pytest
import taskpipe
from conftest import LIMIT_S, UNKNOWN_ID, python
from taskpipe import _files

MAKES = """
import os
os.makedirs("deep", exist_ok=True)
open("big.bin", "wb").write(os.urandom(1_000_000))
open("deep/small.txt", "w").write("small")
"""


def test_artifacts_arrive_as_they_were(client, tmp_path):
    result = client.wait(client.submit(**python(MAKES)), timeout=LIMIT_S)
    artifacts = {artifact.name: artifact for artifact in client.artifacts(result.task_id)}
    assert artifacts["big.bin"].stored
    assert artifacts["big.bin"].problem is None
    told = []
    paths = client.get_artifacts(result.task_id, tmp_path / "to",
                                 on_progress=lambda *how_far: told.append(how_far))
    assert tmp_path / "to" / "deep" / "small.txt" in paths
    for path in paths:
        artifact = artifacts[str(path.relative_to(tmp_path / "to"))]
        content = path.read_bytes()
        assert len(content) == artifact.size_bytes
        assert hashlib.sha256(content).hexdigest() == artifact.sha256
    assert ("big.bin", 1_000_000, 1_000_000) in told


def test_some_by_name_or_pattern(client, tmp_path):
    result = client.wait(client.submit(**python(MAKES)), timeout=LIMIT_S)
    paths = client.get_artifacts(result.task_id, tmp_path, names="*.bin")
    assert paths == [tmp_path / "big.bin"]
    paths = client.get_artifacts(result.task_id, tmp_path, names=["deep/small.txt"])
    assert paths == [tmp_path / "deep" / "small.txt"]
    with pytest.raises(taskpipe.InvalidArgument, match="none"):
        client.get_artifacts(result.task_id, tmp_path, names=["none"])
    with pytest.raises(taskpipe.UnknownTask):
        client.get_artifacts(UNKNOWN_ID, tmp_path)


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "a//b", "", ".."])
def test_names_that_would_leave_the_directory_are_refused(tmp_path, name):
    with pytest.raises(taskpipe.InvalidArgument, match="names"):
        _files._place(tmp_path, name)


def test_a_directory_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to("/tmp")
    with pytest.raises(taskpipe.InvalidArgument, match="link"):
        _files._place(tmp_path, "link/out")


def test_the_timeout_is_also_that_of_the_wait(client, tmp_path):
    task_id = client.submit(**python("import time; time.sleep(600)"))
    with pytest.raises(taskpipe.CallTimeout):
        client.get_artifacts(task_id, tmp_path, timeout=0.3)
    assert client.cancel(task_id)


def test_what_a_callback_raises_ends_the_call(client, tmp_path):
    result = client.wait(client.submit(**python(MAKES)), timeout=LIMIT_S)

    def refuse(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        client.get_artifacts(result.task_id, tmp_path, "big.bin", on_progress=refuse)
    assert not (tmp_path / "big.bin").exists()
    client.get_artifacts(result.task_id, tmp_path, "big.bin")


def test_inputs_travel_with_the_task(client, tmp_path):
    (tmp_path / "mesh.msh").write_bytes(os.urandom(700_000))
    (tmp_path / "x").write_text("renamed")
    script = """
import hashlib
print(hashlib.sha256(open("mesh.msh", "rb").read()).hexdigest(), open("data/y").read())
"""
    inputs = [tmp_path / "mesh.msh", (str(tmp_path / "x"), "data/y")]
    result = client.wait(client.submit(**python(script), inputs=inputs), timeout=LIMIT_S)
    digest = hashlib.sha256((tmp_path / "mesh.msh").read_bytes()).hexdigest()
    assert result.stdout == f"{digest} renamed\n"


def test_bad_inputs_are_named(client, tmp_path):
    with pytest.raises(taskpipe.InvalidArgument, match="inputs"):
        client.submit(**python("pass"), inputs="mesh.msh")
    with pytest.raises(taskpipe.InvalidArgument, match="inputs"):
        client.submit(**python("pass"), inputs=[5])
    with pytest.raises(taskpipe.TaskpipeError, match="missing"):
        client.submit(**python("pass"), inputs=[tmp_path / "missing"])


def test_the_same_for_asyncio(cluster, tmp_path):
    (tmp_path / "data").write_text("hello")

    async def run():
        async with taskpipe.AsyncClient(cluster.client_endpoint) as client:
            task_id = await client.submit(**python("open('out.txt', 'w').write(open('data').read())"),
                                          inputs=[tmp_path / "data"])
            artifacts = await client.artifacts(task_id, timeout=LIMIT_S)
            assert "out.txt" in [artifact.name for artifact in artifacts]
            return await client.get_artifacts(task_id, tmp_path / "to", "out.txt")

    (path,) = asyncio.run(run())
    assert path.read_text() == "hello"
