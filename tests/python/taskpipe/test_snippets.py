"""The customer's snippets, verbatim but for the import, with the real solvers; and the examples."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import taskpipe
from conftest import REPOSITORY

HERE = REPOSITORY / "tests" / "python" / "taskpipe"
EXAMPLES = REPOSITORY / "client" / "examples" / "python"
LIMIT_S = 300  # FEniCSx compiles its forms on first use


def snippets():
    """The blocks of the document that use the pipeline, and how many do not."""
    blocks = re.findall(r"```python\n(.*?)```", (HERE / "original_snippets.md").read_text(), re.S)
    ours = [block for block in blocks if "celery_app" not in block]
    return ours, len(blocks) - len(ours)


def solvers_missing():
    """Solvers that this host does not have."""
    missing = [] if shutil.which("lmp") else ["lammps"]
    probe = subprocess.run(["/usr/bin/python3", "-c", "import dolfinx"], capture_output=True,
                           check=False)
    return missing + (["fenicsx"] if probe.returncode else [])


needs_solvers = pytest.mark.skipif(
    bool(solvers_missing()), reason=f"not on this host: {', '.join(solvers_missing())}"
)


def test_which_snippets_there_are():
    ours, others = snippets()
    assert (len(ours), others) == (6, 1)


@needs_solvers
def test_the_snippets_run_verbatim(pipeline):
    ours, _ = snippets()
    names = {
        # What the snippets take as given.
        "AgentState": dict,
        "pipeline": pipeline,
        "tasks": [
            {"tool": "fenicsx", "script": "poisson.py", "params": {"mesh_size": 8}},
            {"tool": "lammps", "script": "example.lammps", "params": {"steps": 50}},
        ],
        "task_id": pipeline.submit_task("fenicsx", "poisson.py", {"mesh_size": 8}),
    }
    for number, snippet in enumerate(ours):
        code = snippet.replace("from task_pipeline import", "from taskpipe import")
        exec(compile(code, f"snippet {number}", "exec"), names)
        if "result" in names:
            assert names.pop("result")["status"] == "success", snippet
    assert names["results"]["all_complete"] and names["results"]["completed"] == 2
    state = {"simulation_params": {"tool": "fenicsx", "script": "poisson.py",
                                   "params": {"mesh_size": 8}}, "kept": 1}
    after = names["simulation_node"](state)
    assert after["kept"] == 1
    assert any(path.endswith("result.json") for path in after["artifact_paths"])


@needs_solvers
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("basic_task", "success after"),
        ("parallel_workflow", "3 completed, 0 failed"),
        ("sequential_workflow", "mesh 32: success"),
        ("cancel_task", "state: REVOKED\nonce more: False"),
        ("poll_status", "pi = 3"),
    ],
)
def test_examples(cluster, name, words):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, check=False,
        timeout=LIMIT_S, env={**os.environ, "TASKPIPE_BROKER": cluster.client_endpoint},
    )
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_every_example_is_tested():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"basic_task", "parallel_workflow", "sequential_workflow", "cancel_task",
                     "poll_status"}


GUIDE = REPOSITORY / "docs" / "task_pipeline.md"
DOCUMENTS = (GUIDE, REPOSITORY / "docs" / "retries.md", REPOSITORY / "README.md",
             REPOSITORY / "client" / "python" / "README.md")


def documented_snippets():
    """The Python blocks of the documents, each with its place."""
    for document in DOCUMENTS:
        text = document.read_text()
        for found in re.finditer(r"```python\n(.*?)```", text, re.S):
            line = text.count("\n", 0, found.start()) + 1
            yield pytest.param(found[1], id=f"{document.relative_to(REPOSITORY)}:{line}")


def test_the_guide_names_every_public_thing():
    text = GUIDE.read_text()
    for name in taskpipe.__all__:
        if name != "__version__":
            assert f"`{name}" in text, name
    for owner in (taskpipe.TaskPipeline, taskpipe.Client):
        for name in dir(owner):
            if not name.startswith("_"):
                assert f"`{name}" in text, f"{owner.__name__}.{name}"
                assert getattr(owner, name).__doc__


@pytest.mark.parametrize("snippet", list(documented_snippets()))
def test_the_documents_snippets_are_python(snippet):
    compile(snippet, "document", "exec")


@needs_solvers
@pytest.mark.parametrize("snippet", list(documented_snippets()))
def test_the_documents_snippets_run(cluster, snippet, monkeypatch):
    if "celery_app" in snippet:
        return  # what one had to write before, shown for comparison
    monkeypatch.setenv("TASKPIPE_BROKER", cluster.client_endpoint)
    exec(compile(snippet, "document", "exec"), {"__name__": "document"})
