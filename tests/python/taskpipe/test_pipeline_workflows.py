"""Workflows, batches and sweeps of TaskPipeline against a real broker and real workers."""

import pytest
import taskpipe
from conftest import LIMIT_S, echo, python, until_running
from taskpipe import TaskPipeline


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


class Asked:
    """The extension's client, which notes what is asked and how long the answers may take."""

    def __init__(self, native):
        """Passes everything on to ``native``."""
        self._native = native
        self.params_of = []
        self.limits_ms = []

    def __getattr__(self, name):
        return getattr(self._native, name)

    def params(self, ids, timeout_ms=None):
        self.params_of.append(ids)
        return self._native.params(ids, timeout_ms)

    def wait_all(self, ids, timeout_ms=None):
        self.limits_ms.append(timeout_ms)
        return self._native.wait_all(ids, timeout_ms)


def test_questions_about_tasks_of_others(pipeline, cluster, monkeypatch):
    with TaskPipeline(cluster.client_endpoint, request_timeout=47) as other:
        task_ids = pipeline.submit_batch_workflow([echo(n=n) for n in range(3)])
        pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S)
        asked = Asked(other.client._native)
        monkeypatch.setattr(other.client, "_native", asked)
        assert other.get_parallel_execution_stats(task_ids)["completed"] == 3
        assert asked.params_of == []  # they are no part of it
        mine = other.submit_task(**echo(n=3))
        other.wait_for_task(mine)
        asked.limits_ms.clear()
        status = other.get_workflow_status([*task_ids, mine])
        results = [status["tasks"][task_id]["result"] for task_id in [*task_ids, mine]]
        assert [result["params"] for result in results] == [{"n": n} for n in range(4)]
        assert [result["tool"] for result in results] == ["echo"] * 4
        assert asked.params_of == [task_ids]  # together; its own are known
        assert asked.limits_ms == [47_000]  # no answer of the broker is waited for without end


@pytest.mark.parametrize("sequential", [True, False])
def test_a_thousand_tasks_in_one_workflow(pipeline, sequential):
    tasks = [{"tool": "noop", "script": "", "params": {}}] * 1000
    task_ids = pipeline.submit_workflow(tasks, sequential=sequential)
    final = pipeline.wait_for_workflow(task_ids, timeout=LIMIT_S)
    assert (final["total"], final["completed"], final["all_complete"]) == (1000, 1000, True)
