"""Every row of the TaskPipeline contract against a real broker and real workers."""

import threading

import pytest
import taskpipe
from conftest import LIMIT_S, UNKNOWN_ID, python, until_running
from taskpipe import TaskPipeline, TaskStatus

BASIC = {"task_id", "state", "ready", "successful", "failed"}
RESULT = {
    "status", "tool", "script", "params", "returncode", "stdout", "stderr", "artifacts",
    "artifact_details", "resource_usage", "duration_seconds",
}


def test_a_task_that_succeeds(pipeline):
    script = "open('out.txt', 'w').write('x' * 10); print('hello')"
    task_id = pipeline.submit_task(**python(script, params={"mesh_size": 64}))
    result = pipeline.wait_for_task(task_id, timeout=LIMIT_S)
    assert set(result) == RESULT
    assert (result["status"], result["returncode"]) == ("success", 0)
    assert (result["tool"], result["script"]) == ("python", "inline.py")
    assert result["params"] == {"mesh_size": 64}
    assert result["stdout"] == "hello\n"
    details = {detail["name"]: detail for detail in result["artifact_details"]}
    assert [detail["path"] for detail in result["artifact_details"]] == result["artifacts"]
    detail = details["out.txt"]
    assert detail["path"].endswith("/out.txt")
    assert (detail["size"], len(detail["sha256"])) == (10, 64)
    assert result["duration_seconds"] > 0
    assert result["resource_usage"]["max_rss_bytes"] > 0
    status = pipeline.get_task_status(task_id)
    assert set(status) == BASIC | {"result"}
    assert (status["state"], status["ready"]) == ("SUCCESS", True)
    assert (status["successful"], status["failed"]) == (True, False)
    assert status["result"] == result


def test_a_task_that_waits_and_one_that_runs(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task())
    until_running(pipeline.client, task_id)
    status = pipeline.get_task_status(task_id)
    assert set(status) == BASIC | {"progress", "tool", "script"}
    assert (status["state"], status["ready"]) == ("RUNNING", False)
    assert (status["successful"], status["failed"]) == (None, None)
    assert (status["progress"], status["tool"], status["script"]) == (25, "python", "gated.py")
    waiting = pipeline.submit_task("no-such-tool", "", wait_for_capacity=True)
    status = pipeline.get_task_status(waiting)
    assert set(status) == BASIC
    assert (status["state"], status["successful"], status["failed"]) == ("PENDING", None, None)
    assert pipeline.cancel_task(waiting) is True
    gate.open()


@pytest.mark.parametrize(
    ("task", "state", "word"),
    [
        (python("import sys; sys.exit(3)"), "FAILURE", "failed"),
        (python("import time; time.sleep(60)", run_time_s=0.3), "timeout", "timeout"),
        ({"tool": "echo", "script": "", "params": {"fail": "on purpose"}}, "FAILURE", "failed"),
    ],
)
def test_a_task_that_fails(pipeline, task, state, word):
    task_id = pipeline.submit_task(**task)
    result = pipeline.wait_for_task(task_id, timeout=LIMIT_S)
    assert set(result) == RESULT | {"error"}
    assert result["status"] == word
    assert result["error"]
    status = pipeline.get_task_status(task_id)
    assert set(status) == BASIC | {"result", "error"}
    assert (status["state"], status["successful"], status["failed"]) == (state, False, True)
    assert status["error"] == result["error"]


def test_cancelling_a_pending_task(pipeline):
    task_id = pipeline.submit_task("no-such-tool", "", wait_for_capacity=True)
    assert pipeline.cancel_task(task_id) is True
    with pytest.raises(taskpipe.TaskCancelled, match=task_id):
        pipeline.wait_for_task(task_id, timeout=LIMIT_S)
    assert pipeline.cancel_task(task_id) is False
    status = pipeline.get_task_status(task_id)
    assert set(status) == BASIC | {"error"}
    assert (status["state"], status["successful"], status["failed"]) == ("REVOKED", False, True)
    assert status["state"] == TaskStatus.CANCELLED


def test_cancelling_a_running_task(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task())
    until_running(pipeline.client, task_id)
    assert pipeline.cancel_task(task_id) is True
    with pytest.raises(taskpipe.TaskCancelled):
        pipeline.wait_for_task(task_id, timeout=LIMIT_S)


def test_an_id_that_never_existed_raises(pipeline):
    for call in (
        pipeline.get_task_status, pipeline.wait_for_task, pipeline.cancel_task,
        pipeline.monitor_task, lambda task_id: pipeline.get_workflow_status([task_id]),
        lambda task_id: pipeline.wait_for_any([task_id], timeout=LIMIT_S),
        lambda task_id: pipeline.wait_for_workflow([task_id], timeout=LIMIT_S),
    ):
        with pytest.raises(taskpipe.UnknownTask):
            call(UNKNOWN_ID)


def test_timeouts(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task())
    for limit_s in (0, 0.05):
        with pytest.raises(TimeoutError, match=f"did not complete within {limit_s} seconds"):
            pipeline.wait_for_task(task_id, timeout=limit_s)
        with pytest.raises(TimeoutError, match=f"No task completed within {limit_s} seconds"):
            pipeline.wait_for_any([task_id], timeout=limit_s)
        with pytest.raises(TimeoutError, match=f"within {limit_s} seconds"):
            pipeline.wait_for_workflow([task_id], timeout=limit_s)
        with pytest.raises(TimeoutError, match=f"within {limit_s} seconds"):
            pipeline.wait_for_workflow([task_id], timeout=limit_s, callback=lambda _: None)
    gate.open()
    assert pipeline.wait_for_task(task_id, timeout=LIMIT_S)["status"] == "success"
    assert pipeline.wait_for_task(task_id, timeout=0)["status"] == "success"
    assert pipeline.wait_for_any([task_id], timeout=0)["task_id"] == task_id
    assert pipeline.wait_for_workflow([task_id], timeout=0)["all_complete"]


def test_monitor_is_pushed(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task())
    seen = []

    def on_status(status):
        seen.append(status)
        if status.get("progress") == 25:
            gate.open()

    # With this interval a monitor that polls would take an hour.
    final = pipeline.monitor_task(task_id, callback=on_status, poll_interval=3600)
    assert seen[-1] == final == pipeline.get_task_status(task_id)
    assert final["state"] == "SUCCESS"
    assert [status["ready"] for status in seen] == [False] * (len(seen) - 1) + [True]
    assert any(status["state"] == "RUNNING" for status in seen)


def test_monitor_repeats_in_silence(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task())
    repeated = []

    def on_status(status):
        if status.get("progress") == 25:
            repeated.append(status)
            if len(repeated) == 3:
                gate.open()

    pipeline.monitor_task(task_id, on_status, poll_interval=0.01)
    assert len(repeated) >= 3 and repeated[0] == repeated[2]


def test_monitor_without_a_callback_and_of_an_ended_task(pipeline):
    task_id = pipeline.submit_task("echo", "")
    assert pipeline.monitor_task(task_id)["state"] == "SUCCESS"
    seen = []
    pipeline.monitor_task(task_id, seen.append)
    assert [status["state"] for status in seen] == ["SUCCESS"]


def test_health_and_simulations(pipeline):
    health = pipeline.health_check()
    assert set(health) == {"status", "worker", "message"}
    assert health["status"] == "healthy"
    assert health["worker"] in ("node-a", "node-b")
    offer = pipeline.list_available_simulations()
    assert offer["status"] == "success"
    assert set(offer["tools"]["python"]) == {"description", "scripts"}
    assert "pi.py" in offer["tools"]["python"]["scripts"]


def test_tracking_and_cleanup(pipeline):
    task_id = pipeline.submit_task("echo", "", {"a": 1})
    assert pipeline._active_tasks[task_id]["params"] == {"a": 1}
    pipeline.cleanup()
    assert pipeline._active_tasks == {}
    result = pipeline.wait_for_task(task_id, timeout=LIMIT_S)
    assert (result["status"], result["tool"], result["params"]) == ("success", "echo", {"a": 1})


def test_two_pipelines_at_once(pipeline, cluster):
    with TaskPipeline(cluster.client_endpoint) as other:
        mine = [pipeline.submit_task("echo", "", {"n": n}) for n in range(20)]
        theirs = [other.submit_task("echo", "", {"n": -n}) for n in range(20)]
        assert other.wait_for_task(mine[3], timeout=LIMIT_S)["value"] == {"n": 3}
        assert pipeline.wait_for_workflow(theirs, timeout=LIMIT_S)["completed"] == 20


def test_one_pipeline_in_many_threads(pipeline):
    values = []

    def work(number):
        for step in range(10):
            task_id = pipeline.submit_task("echo", "", {"v": [number, step]})
            values.append(pipeline.wait_for_task(task_id, timeout=LIMIT_S)["value"]["v"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(values) == [[number, step] for number in range(8) for step in range(10)]
