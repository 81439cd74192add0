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


def echo(**params):
    return {"tool": "echo", "script": "", "params": params}


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


def test_sequential_workflow(pipeline, tmp_path, caplog):
    log = tmp_path / "order"
    note = "import os; open(os.environ['SIM_LOG'], 'a').write(os.environ['SIM_N'])"
    tasks = [python(note, params={"log": str(log), "n": n}) for n in range(3)]
    tasks[1]["inline_script"] += "; raise SystemExit(1)"
    task_ids = pipeline.submit_workflow(tasks)
    assert log.read_text() == "012"
    states = [pipeline.get_task_status(task_id)["state"] for task_id in task_ids]
    assert states == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert task_ids[1] in caplog.text
    rows = pipeline.client.statuses(task_ids)
    assert len({row.workflow_id for row in rows}) == 1 and rows[0].workflow_id


def test_parallel_workflow(pipeline, gate):
    task_ids = pipeline.submit_workflow([gate.task(), echo(a=1)], sequential=False)
    until_running(pipeline.client, task_ids[0])
    assert pipeline.wait_for_any(task_ids, timeout=LIMIT_S)["task_id"] == task_ids[1]
    status = pipeline.get_workflow_status(task_ids)
    assert set(status) == {
        "total", "completed", "failed", "running", "pending", "all_complete", "tasks"
    }
    assert (status["total"], status["completed"], status["running"]) == (2, 1, 1)
    assert (status["failed"], status["pending"], status["all_complete"]) == (0, 0, False)
    assert list(status["tasks"]) == task_ids
    gate.open()
    final = pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S)
    assert final["all_complete"] and final["completed"] == 2
    assert final == pipeline.get_workflow_status(task_ids)


def test_workflow_callback(pipeline, gate):
    task_ids = pipeline.submit_workflow([gate.task(), echo(), echo(fail="no")], sequential=False)
    seen = []

    def on_status(status):
        seen.append(status)
        if status["completed"] + status["failed"] == 2:
            gate.open()

    final = pipeline.wait_for_workflow(
        task_ids, timeout=LIMIT_S, callback=on_status, poll_interval=3600
    )
    assert seen[-1] == final
    assert (final["completed"], final["failed"]) == (2, 1)
    assert not seen[0]["all_complete"]


def test_a_callback_costs_two_questions_for_each_task(pipeline, gate, monkeypatch):
    task_ids = pipeline.submit_workflow([gate.task(), echo(), echo(fail="no")], sequential=False)
    asked, seen = [], []
    ask = taskpipe.Client.statuses

    def statuses(client, ids, **options):
        asked.extend(ids)
        return ask(client, ids, **options)

    def on_status(status):
        seen.append(status)
        if status["tasks"][task_ids[0]].get("progress") == 25:
            gate.open()

    monkeypatch.setattr(taskpipe.Client, "statuses", statuses)
    pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S, callback=on_status, poll_interval=3600)
    assert asked[:3] == task_ids
    assert len(set(asked[3:])) == len(asked[3:])  # at its end, unless that was known
    assert all(before != now for before, now in zip(seen, seen[1:], strict=False))


def test_a_workflow_callback_is_repeated_in_silence(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task())
    repeated = []

    def on_status(status):
        if status["tasks"][task_id].get("progress") == 25:
            repeated.append(status)
            if len(repeated) == 3:
                gate.open()

    pipeline.wait_for_workflow([task_id], LIMIT_S, on_status, poll_interval=0.01)
    assert len(repeated) >= 3 and repeated[0] == repeated[2]


def test_ids_may_be_spelled_in_upper_case(pipeline, gate):
    task_id = pipeline.submit_task(**gate.task()).upper()
    seen = []

    def on_status(status):
        seen.append(status)
        if status["tasks"][task_id].get("progress") == 25:
            gate.open()

    final = pipeline.wait_for_workflow([task_id, task_id.lower()], LIMIT_S, on_status, 3600)
    assert final["completed"] == 2 and seen[-1] == final


def test_batches(pipeline):
    told = []
    task_ids = pipeline.submit_batch_workflow([echo(n=n) for n in range(5)], 2, told.append)
    assert [tell["batch_num"] for tell in told] == [1, 2, 3]
    assert [tell["batch_size"] for tell in told] == [2, 2, 1]
    assert [tell["submitted"] for tell in told] == [2, 4, 5]
    assert {tell["total"] for tell in told} == {5}
    assert [i for tell in told for i in tell["task_ids"]] == task_ids
    assert pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S)["completed"] == 5


def test_a_bad_task_in_the_last_batch_sends_nothing(pipeline):
    told = []
    with pytest.raises(ValueError, match=r"tasks\[2\]"):
        pipeline.submit_batch_workflow([echo(), echo(), echo(x={1})], 1, told.append)
    assert told == [] and pipeline._active_tasks == {}


def nobody_can():
    return {"tool": "no-such-tool", "script": "", "params": {}}


def test_a_batch_of_which_nothing_was_accepted_raises_the_cause(pipeline):
    for tasks in ([nobody_can()], [nobody_can(), nobody_can()]):
        with pytest.raises(taskpipe.Refused) as caught:
            pipeline.submit_batch_workflow(tasks)
        assert caught.value.code == "UNSATISFIABLE"
    with pytest.raises(ValueError) as caught:
        pipeline.parameter_sweep("python", "no-such-script.py", {"a": [1, 2]})
    assert isinstance(caught.value, taskpipe.InvalidArgument)
    assert pipeline._active_tasks == {}


def test_a_batch_of_which_some_were_accepted_tells_their_ids(pipeline):
    told = []
    tasks = [echo(n=0), echo(n=1), echo(n=2), nobody_can(), echo(n=4)]
    with pytest.raises(taskpipe.BatchRefused) as caught:
        pipeline.submit_batch_workflow(tasks, 2, told.append)
    refused = caught.value
    assert len(refused.task_ids) == 4  # the last batch was not sent
    assert [tell["task_ids"] for tell in told] == [refused.task_ids[:2]]
    assert list(refused.errors) == [3]
    assert (type(refused.errors[3]), refused.code) == (taskpipe.Refused, "UNSATISFIABLE")
    assert refused.accepted == refused.task_ids[:3]
    assert list(pipeline._active_tasks) == refused.accepted
    ends = [pipeline.wait_for_task(task_id, timeout=LIMIT_S) for task_id in refused.accepted]
    assert [end["params"]["n"] for end in ends] == [0, 1, 2]


def test_a_later_batch_that_fails_as_a_whole_tells_the_ids_of_the_earlier(pipeline):
    accepted = []

    def close(tell):
        accepted.extend(tell["task_ids"])
        pipeline.close()

    with pytest.raises(taskpipe.BatchRefused) as caught:
        pipeline.submit_batch_workflow([echo(n=n) for n in range(4)], 2, close)
    assert caught.value.accepted == accepted == list(pipeline._active_tasks)
    assert [type(error) for error in caught.value.errors.values()] == [taskpipe.ClientClosed] * 2


def test_sweep(pipeline):
    task_ids = pipeline.parameter_sweep("echo", "", {"a": [1, 2], "b": ["x", "y", "z"]})
    values = [pipeline.wait_for_task(i, timeout=LIMIT_S)["value"] for i in task_ids]
    assert values == [{"a": a, "b": b} for a in (1, 2) for b in "xyz"]


def test_stats(pipeline):
    task_ids = pipeline.submit_workflow([echo(sleep_ms=30), echo(sleep_ms=30)], sequential=False)
    pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S)
    stats = pipeline.get_parallel_execution_stats(task_ids)
    assert set(stats) == {
        "total_tasks", "completed", "failed", "running", "pending", "total_duration",
        "avg_duration", "max_duration", "speedup", "efficiency",
    }
    assert stats["total_tasks"] == stats["completed"] == 2
    assert stats["avg_duration"] == pytest.approx(stats["total_duration"] / 2)
    assert stats["speedup"] == pytest.approx(stats["total_duration"] / stats["max_duration"])
    assert stats["efficiency"] == pytest.approx(stats["speedup"] / 2)


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


@pytest.mark.parametrize("sequential", [True, False])
def test_a_thousand_tasks_in_one_workflow(pipeline, sequential):
    tasks = [{"tool": "noop", "script": "", "params": {}}] * 1000
    task_ids = pipeline.submit_workflow(tasks, sequential=sequential)
    final = pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S)
    assert (final["total"], final["completed"], final["all_complete"]) == (1000, 1000, True)
