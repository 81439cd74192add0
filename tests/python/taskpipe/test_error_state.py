"""State ``error``: what could not be run, and what was lost, with a real broker and worker."""

import sys

import pytest
import taskpipe
from conftest import BIN_DIR, LIMIT_S, REPOSITORY, TOOLBOX, python
from taskpipe import TaskStatus

sys.path.insert(0, str(REPOSITORY / "tests" / "integration" / "pipeline"))
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from broken_tools import write_tools  # noqa: E402
from cluster import Cluster  # noqa: E402


class OneWorker:
    """A broker, a worker with tools that can be broken, and a pipeline."""

    def __init__(self, cluster):
        """Starts them."""
        self.cluster = cluster
        self.tools = write_tools(cluster.folder)
        cluster.start_broker()
        self.start_worker()
        self.pipeline = taskpipe.TaskPipeline(cluster.client_endpoint)

    def start_worker(self, **options):
        """Starts it, or starts it again."""
        self.cluster.start_worker("w0", "--tools", self.tools, "--tools", TOOLBOX, **options)

    def expect_error(self, task_id, failure, why):
        """It ends in ``error``, tells why, and looks the same from every side."""
        result = self.pipeline.wait_for_task(task_id, timeout=LIMIT_S)  # raises nothing
        assert result["status"] == "error"
        assert why in result["error"]
        assert result["returncode"] is None
        status = self.pipeline.get_task_status(task_id)
        assert status == {
            "task_id": task_id, "state": TaskStatus.ERROR, "ready": True, "successful": False,
            "failed": True, "result": result, "error": result["error"],
        }
        assert self.pipeline.client.status(task_id).failure == failure
        assert self.pipeline.get_workflow_status([task_id])["failed"] == 1
        seen = []
        assert self.pipeline.monitor_task(task_id, seen.append) == status
        assert seen == [status]


@pytest.fixture(scope="module")
def one():
    """Shared by the tests here: none of them harms the others."""
    with Cluster(BIN_DIR) as cluster:
        made = OneWorker(cluster)
        with made.pipeline:
            yield made


def test_a_param_that_the_tool_needs_is_missing(one):
    given = one.pipeline.submit_task("picky", "", {"depth": 3})
    assert one.pipeline.wait_for_task(given, timeout=LIMIT_S)["stdout"] == "3\n"
    one.expect_error(one.pipeline.submit_task("picky", ""), "rejected",
                     "params.depth is missing; this tool needs it")


def test_a_program_that_cannot_be_executed(one):
    task_id = one.pipeline.submit_task("vanishing", "")
    assert one.pipeline.wait_for_task(task_id, timeout=LIMIT_S)["status"] == "success"
    program = one.tools / "vanishing-program"
    program.write_text("#!/no/such/interpreter\n")
    one.expect_error(one.pipeline.submit_task("vanishing", ""), "spawn",
                     "the file exists, but not the interpreter")
    program.unlink()
    one.expect_error(one.pipeline.submit_task("vanishing", ""), "rejected",
                     "is no longer installed on this node")


def test_a_worker_that_dies_with_it_each_time(one):
    losses = 4  # limits::kMaxWorkerLosses and the last
    task_id = one.pipeline.submit_task(**python("import time; time.sleep(1000)"))
    attempts = []
    for event in one.pipeline.client.events(task_id, timeout=LIMIT_S):
        if event.state == "RUNNING" and event.attempt not in attempts:
            attempts.append(event.attempt)
            one.cluster.workers["w0"].kill()
            one.start_worker(wait=False)
    assert attempts == list(range(1, losses + 1))
    one.expect_error(task_id, "worker_lost",
                     f"lost with its worker {losses} times; the last was 'w0'")
