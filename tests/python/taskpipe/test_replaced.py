"""Methods that a subclass or a test has replaced are honoured by those that are made of them."""

import pytest
import taskpipe
from taskpipe import TaskPipeline


class Scripted(TaskPipeline):
    """Answers from a list instead of a broker, as a test of a caller would."""

    def __init__(self, address):
        """Tasks succeed when they are asked about for the second time."""
        super().__init__(address, connect_timeout=0.05)
        self.submitted = []
        self.asked = []
        self.waited = []

    def submit_task(self, tool, script, params=None):
        self.submitted.append((tool, script, params))
        return f"task-{len(self.submitted)}"

    def wait_for_task(self, task_id, timeout=None):
        self.waited.append(task_id)
        if task_id == "task-2":
            raise taskpipe.TaskCancelled("on purpose")
        return {"status": "success"}

    def get_task_status(self, task_id):
        ready = task_id in self.asked
        self.asked.append(task_id)
        return {
            "task_id": task_id, "state": "SUCCESS" if ready else "RUNNING", "ready": ready,
            "successful": True if ready else None, "failed": False if ready else None,
            "result": {"duration_seconds": 2.0},
        }


def test_a_subclass_is_honoured(nowhere, caplog):
    scripted = Scripted(nowhere)
    task = {"tool": "t", "script": "s", "params": {"a": 1}}
    assert scripted.submit_workflow([task] * 3) == ["task-1", "task-2", "task-3"]
    assert scripted.waited == ["task-1", "task-2", "task-3"]
    assert "on purpose" in caplog.text
    assert scripted.submitted == [("t", "s", {"a": 1})] * 3
    assert scripted.submit_batch_workflow([task], batch_size=1) == ["task-4"]
    assert len(scripted.parameter_sweep("t", "s", {"a": [1, 2]})) == 2
    seen = []
    assert scripted.monitor_task("m", seen.append, poll_interval=0.001)["ready"]
    assert [status["state"] for status in seen] == ["RUNNING", "SUCCESS"]
    assert scripted.wait_for_any(["x", "y"], timeout=30)["task_id"] == "x"
    assert scripted.wait_for_workflow(["u", "v"], poll_interval=0.001)["completed"] == 2
    stats = scripted.get_parallel_execution_stats(["u", "v"])
    assert (stats["total_duration"], stats["speedup"], stats["efficiency"]) == (4.0, 2.0, 1.0)


def test_replacements_on_the_object_and_on_the_class_are_honoured(offline, monkeypatch):
    offline.submit_task = lambda tool, script, params=None: f"{tool}/{script}"
    task = {"tool": "t", "script": "s"}
    assert offline.submit_workflow([task], sequential=False) == ["t/s"]
    assert offline.submit_batch_workflow([task]) == ["t/s"]
    del offline.submit_task
    monkeypatch.setattr(TaskPipeline, "submit_task", lambda self, **_: "of the class")
    assert offline.submit_workflow([task], sequential=False) == ["of the class"]


def test_a_replaced_wait_is_honoured_by_the_wait_for_a_workflow(nowhere):
    scripted = Scripted(nowhere)
    status = scripted.wait_for_workflow(["task-1", "task-2"], timeout=60, poll_interval=0.001)
    assert scripted.waited == ["task-1", "task-2"]  # the cancelled one has ended as well
    assert status["completed"] == 2


def test_a_replaced_status_tells_a_callback_of_the_wait_for_a_workflow(nowhere):
    scripted = Scripted(nowhere)
    seen = []
    scripted.wait_for_workflow(["task-1"], callback=seen.append, poll_interval=0.001)
    assert [status["completed"] for status in seen] == [0, 1]
    assert scripted.waited == []  # it would have told of nothing before the end


def test_a_replaced_wait_that_times_out_ends_the_wait_for_a_workflow(nowhere):
    scripted = Scripted(nowhere)
    limits = []

    def wait_for_task(task_id, timeout=None):
        limits.append(timeout)
        raise TimeoutError("of the replacement")

    scripted.wait_for_task = wait_for_task
    with pytest.raises(TimeoutError, match="Workflow did not complete within 0 seconds"):
        scripted.wait_for_workflow(["task-1", "task-2"], timeout=0)
    assert len(limits) == 1 and 0 < limits[0] < 1
    with pytest.raises(TimeoutError, match="of the replacement"):
        scripted.wait_for_workflow(["task-1", "task-2"])


def test_one_after_the_other_stops_where_the_end_of_one_is_not_known(offline, caplog):
    submitted = []

    def submit_task(tool, script, params=None):
        submitted.append(tool)
        return "0" * 31 + str(len(submitted))

    offline.submit_task = submit_task
    task = {"tool": "t", "script": "s"}
    with pytest.raises(taskpipe.BrokerUnreachable):
        offline.submit_workflow([task] * 3)
    assert len(submitted) == 1
    for error in (taskpipe.ClientClosed("closed"), taskpipe.UnknownTask("?"), ZeroDivisionError()):
        def wait_for_task(task_id, timeout=None, error=error):
            raise error

        offline.wait_for_task = wait_for_task
        with pytest.raises(type(error)):
            offline.submit_workflow([task] * 3)
    assert len(submitted) == 4
    assert caplog.text == ""


def test_one_after_the_other_goes_on_after_one_that_failed(nowhere, caplog):
    scripted = Scripted(nowhere)
    scripted.wait_for_task = lambda task_id: {"status": "failed", "error": f"{task_id} diverged"}
    assert len(scripted.submit_workflow([{"tool": "t", "script": "s"}] * 2)) == 2
    assert "task-1 diverged" in caplog.text


def test_a_replaced_status_that_never_ends_times_out(offline):
    offline.get_task_status = lambda task_id: {"task_id": task_id, "state": "PENDING",
                                               "ready": False, "successful": None, "failed": None}
    with pytest.raises(TimeoutError, match="No task completed within 0.05 seconds"):
        offline.wait_for_any(["a"], timeout=0.05)
    with pytest.raises(TimeoutError, match="within 0.05 seconds"):
        offline.wait_for_workflow(["a"], timeout=0.05, poll_interval=0.01)
