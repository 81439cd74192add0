"""What needs no service: constructors, checks of arguments, exceptions, replaced methods."""

import copy
import itertools
import math
import pickle
import time

import pytest
import taskpipe
from conftest import REPOSITORY
from taskpipe import TaskPipeline, TaskStatus, _errors, _native, _shapes

CONTRACT = (
    "submit_task", "get_task_status", "monitor_task", "wait_for_task", "cancel_task",
    "submit_workflow", "get_workflow_status", "wait_for_workflow", "submit_batch_workflow",
    "parameter_sweep", "wait_for_any", "get_parallel_execution_stats", "health_check",
    "list_available_simulations", "cleanup",
)


def test_every_method_of_the_contract_is_there(offline):
    for name in CONTRACT:
        assert callable(getattr(offline, name)), name
        assert getattr(TaskPipeline, name).__doc__, name
    assert offline._active_tasks == {}
    assert not hasattr(offline, "celery_app")


def test_states():
    assert (TaskStatus.PENDING, TaskStatus.RUNNING) == ("PENDING", "RUNNING")
    assert (TaskStatus.SUCCESS, TaskStatus.FAILURE) == ("SUCCESS", "FAILURE")
    assert (TaskStatus.TIMEOUT, TaskStatus.ERROR) == ("timeout", "error")
    assert TaskStatus.CANCELLED == "REVOKED"


def test_constructors_connect_to_nothing(nowhere):
    begun = time.monotonic()
    TaskPipeline(nowhere, connect_timeout=60)
    taskpipe.AsyncClient(nowhere, connect_timeout=60)
    assert time.monotonic() - begun < 5


def test_without_a_broker_calls_fail_and_say_where(offline, nowhere):
    with pytest.raises(taskpipe.BrokerUnreachable, match=nowhere) as caught:
        offline.submit_task("fenicsx", "poisson.py")
    assert isinstance(caught.value, ConnectionError)
    with pytest.raises(taskpipe.BrokerUnreachable):
        offline.wait_for_task("0" * 31 + "1")
    with pytest.raises(taskpipe.HealthCheckFailed, match="Health check failed: no broker answers"):
        offline.health_check()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda p: p.submit_task(1, "s"), "tool"),
        (lambda p: p.submit_task("t", None), "script"),
        (lambda p: p.submit_task("t", "s", [1]), "params"),
        (lambda p: p.submit_task("t", "s", {"x": math.nan}), "params['x']"),
        (lambda p: p.submit_task("t", "s", priority=2**31), "priority"),
        (lambda p: p.submit_task("t", "s", cpus=-1), "cpus"),
        (lambda p: p.submit_task("t", "s", run_time_s=0), "run_time_s"),
        (lambda p: p.submit_task("t", "s", task_id="x"), "task_id"),
        (lambda p: p.submit_task("t", "s", labels={"a": 1}), "labels['a']"),
        (lambda p: p.submit_workflow([{"tool": "t"}]), "tasks[0]"),
        (lambda p: p.submit_workflow([{"script": "s"}]), "tasks[0]"),
        (lambda p: p.submit_workflow([7]), "tasks[0]"),
        (lambda p: p.submit_workflow({"tool": "t", "script": "s"}), "tasks"),
        (lambda p: p.submit_workflow([{"tool": "t", "script": "s", "parms": {}}]),
         "tasks[0]['parms']"),
        (lambda p: p.submit_workflow([{"tool": "t", "script": "s", "params": {"g": [math.nan]}}]),
         "tasks[0].params['g'][0]"),
        (lambda p: p.submit_batch_workflow([], batch_size=0), "batch_size"),
        (lambda p: p.parameter_sweep("t", "s", [1]), "param_grid"),
        (lambda p: p.parameter_sweep(1, "s", {"a": []}), "tool"),
        (lambda p: p.parameter_sweep("t", "s", {"a": "abc"}), "param_grid['a']"),
        (lambda p: p.wait_for_any([]), "task_ids"),
        (lambda p: p.get_workflow_status("abc"), "task_ids"),
        (lambda p: p.get_task_status("no id"), "task_id"),
        (lambda p: p.get_task_status(""), "task_id"),
        (lambda p: p.get_task_status(7), "task_id"),
        (lambda p: p.wait_for_task("0" * 33), "task_id"),
        (lambda p: p.monitor_task("no id"), "task_id"),
        (lambda p: p.cancel_task("no id"), "task_id"),
        (lambda p: p.get_workflow_status(["0" * 32, "0" * 32, "no id"]), "task_ids[2]"),
        (lambda p: p.wait_for_workflow(["0" * 32, "no id"]), "task_ids[1]"),
        (lambda p: p.wait_for_workflow(["no id"], callback=print), "task_ids[0]"),
        (lambda p: p.wait_for_any(["0" * 32, "no id"]), "task_ids[1]"),
        (lambda p: p.get_parallel_execution_stats(["no id"]), "task_ids[0]"),
        (lambda p: p.client.wait_all(["0" * 32, "no id"]), "task_ids[1]"),
        (lambda p: p.client.events("no id"), "task_id"),
        (lambda p: p.client.subscribe("worker.", print), "topics"),
        (lambda p: p.client.cancel_workflow("no id"), "workflow_id"),
        (lambda p: p.client.submit_batch([taskpipe.Task("t", task_id="x")]), "tasks[0].task_id"),
        (lambda p: p.wait_for_task("0" * 32, timeout=-1), "timeout"),
        (lambda p: p.wait_for_task("0" * 32, timeout=math.nan), "timeout"),
        (lambda p: p.wait_for_task("0" * 32, timeout="5"), "timeout"),
        (lambda p: p.monitor_task("0" * 32, poll_interval=0), "poll_interval"),
        (lambda p: TaskPipeline(7), "broker"),
        (lambda p: TaskPipeline(connect_timeout=-1), "connect_timeout"),
        (lambda p: p.client.list(state="DONE"), "state"),
        (lambda p: p.client.log("0" * 32, "stdin"), "stream"),
        (lambda p: p.client.submit_workflow([]), "tasks"),
        (lambda p: p.client.submit_workflow([taskpipe.Task("t", after=[1])]), "tasks[0].after"),
        (lambda p: p.client.submit("t", after=[0]), "after"),
    ],
)
def test_bad_arguments_are_named_before_any_connection(offline, call, field):
    with pytest.raises(ValueError) as caught:
        call(offline)
    assert isinstance(caught.value, taskpipe.InvalidArgument)
    assert caught.value.field == field
    assert field in str(caught.value)


def test_a_sweep_is_bounded_before_anything_is_made(offline):
    for grid in (
        {"a": range(1000), "b": range(1001)},
        {name: range(10) for name in "abcdefghijkl"},
        {"a": range(10**30)},
        {"a": itertools.count()},
    ):
        with pytest.raises(ValueError) as caught:
            offline.parameter_sweep("t", "s", grid)
        assert str(caught.value) == "param_grid has more than 1000000 combinations; split it"
        assert caught.value.field == "param_grid"


def test_bounds_are_those_of_the_library(offline):
    limits = (REPOSITORY / "common/model/limits.hpp").read_text()
    assert f"kMaxSweepTasks = {_native.MAX_SWEEP_TASKS:_}".replace("_", "'") in limits
    assert f"kMaxCallTimeoutMs = {_native.MAX_CALL_TIMEOUT_MS:_}".replace("_", "'") in limits
    longest_s = _native.MAX_CALL_TIMEOUT_MS / 1000
    with pytest.raises(taskpipe.InvalidArgument, match="at most ten years"):
        offline.wait_for_task("0" * 32, timeout=longest_s + 1)
    with pytest.raises(taskpipe.BrokerUnreachable):
        offline.wait_for_task("0" * 32, timeout=longest_s)


def test_a_sweep_has_every_combination():
    combinations = _shapes.sweep_combinations
    assert combinations({"a": (1, 2), "b": iter("xy")}) == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    ]
    assert combinations({}) == [{}]
    assert combinations({"a": [], "b": [1, 2]}) == []
    assert len(combinations({"a": range(1000), "b": range(1000)})) == 1_000_000


def test_a_sweep_over_no_values_submits_nothing(offline):
    told = []
    assert offline.parameter_sweep("t", "s", {"a": [1, 2], "b": []}, told.append) == []
    assert told == []


def test_a_workflow_task_without_a_field_names_both(offline):
    with pytest.raises(ValueError, match="'tool' and 'script'"):
        offline.submit_workflow([{"tool": "fenicsx", "params": {}}])


@pytest.mark.parametrize("copier", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pickling_is_refused_and_says_what_to_do(offline, copier):
    for held in (offline, offline.client):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copier(held)


def test_exceptions():
    for name in ("InvalidArgument", "UnknownTask", "TaskCancelled", "CallTimeout", "Refused",
                 "BrokerUnreachable", "ClientClosed", "BatchRefused", "HealthCheckFailed"):
        assert issubclass(getattr(taskpipe, name), taskpipe.TaskpipeError)
    assert issubclass(taskpipe.CallTimeout, TimeoutError)
    refused = taskpipe.BatchRefused(["a", "b"], {1: taskpipe.Refused("no")})
    again = pickle.loads(pickle.dumps(refused))
    assert (again.task_ids, str(again)) == (["a", "b"], str(refused))


def test_a_closed_client_says_so(offline):
    offline.close()
    offline.close()
    with pytest.raises(taskpipe.ClientClosed):
        offline.submit_task("t", "s")
    with pytest.raises(taskpipe.ClientClosed):
        offline.parameter_sweep("t", "s", {"a": [1, 2]})


def test_a_batch_without_a_broker_says_so(offline, nowhere):
    for call in (
        lambda: offline.parameter_sweep("t", "s", {"a": [1, 2]}),
        lambda: offline.submit_batch_workflow([{"tool": "t", "script": "s"}] * 3, batch_size=2),
        lambda: offline.client.submit_batch([taskpipe.Task("t")] * 2),
    ):
        with pytest.raises(ConnectionError, match=nowhere) as caught:
            call()
        assert isinstance(caught.value, taskpipe.BrokerUnreachable)
    with TaskPipeline(nowhere, connect_timeout=60, request_timeout=0.05) as impatient, \
            pytest.raises(TimeoutError):
        impatient.parameter_sweep("t", "s", {"a": [1, 2]})


def unsure(task_id):
    error = taskpipe.CallTimeout(f"not acknowledged: {task_id}")
    error.maybe_accepted = task_id
    return error


def test_the_plain_cause_of_a_batch_is_raised_where_it_says_all():
    no, late = taskpipe.Refused("no"), taskpipe.CallTimeout("not sent")
    for errors in ({0: no, 1: late}, {0: unsure("a"), 1: late}, {0: late, 1: no}):
        assert _errors.simplest(taskpipe.BatchRefused(["a", "b"], errors)) is errors[0]
    for errors in (
        {1: no},  # the other was accepted
        {0: late, 1: unsure("b")},  # the first says nothing of the second
        {0: unsure("a"), 1: unsure("b")},
    ):
        refused = taskpipe.BatchRefused(["a", "b"], errors)
        assert _errors.simplest(refused) is refused


def test_a_batch_behind_others_is_told_by_the_place_in_the_call():
    error = taskpipe.InvalidArgument("tool is empty")
    error.field = "tasks[1].tool"
    refused = _errors.with_earlier(taskpipe.BatchRefused(["c", "d"], {1: error}), ["a", "b"])
    assert refused.task_ids == ["a", "b", "c", "d"]
    assert refused.accepted == ["a", "b", "c"]
    assert refused.errors == {3: error}
    assert (error.field, refused.field) == ("tasks[3].tool", "tasks[3].tool")
    assert "1 of 4 tasks were not accepted; tasks[3]: tool is empty" in str(refused)


def test_cleanup_forgets(offline):
    offline._active_tasks["anything"] = object()
    offline.cleanup()
    assert offline._active_tasks == {}


def test_stats_of_nothing(offline):
    assert offline.get_workflow_status([])["all_complete"] is True
    stats = offline.get_parallel_execution_stats([])
    assert (stats["speedup"], stats["efficiency"], stats["total_tasks"]) == (1.0, 0.0, 0)


@pytest.mark.parametrize(("state", "word"), [("error", "error"), ("timeout", "timeout"),
                                             ("FAILURE", "failed")])
def test_shapes_of_what_did_not_succeed(state, word):
    result = taskpipe.TaskResult(
        "id", state, "spawn", None, "cannot be started", 1, "w", "n", None, "", "", 0, 0,
        (taskpipe.Artifact("a", "/d/a", 1, None, problem="no room"),), {}, None,
        taskpipe.Usage(2.0, 1.0, 0.5, 9), 1.0, 2.0, 4.0,
    )
    info = taskpipe.TaskInfo("id", state, None, "me", "t", "s", "spawn", 0, 1, "w", None, "m",
                             1.0, 2.0, 4.0)
    shape = _shapes.result_dict(result, "t", "s", {"a": 1})
    assert shape == {
        "status": word, "tool": "t", "script": "s", "params": {"a": 1}, "returncode": None,
        "stdout": "", "stderr": "", "artifacts": ["/d/a"],
        "artifact_details": [{"name": "a", "path": "/d/a", "size": 1, "sha256": None,
                              "stored": False, "shared": False, "problem": "no room"}],
        "resource_usage": {"wall_seconds": 2.0, "user_seconds": 1.0, "system_seconds": 0.5,
                           "max_rss_bytes": 9},
        "duration_seconds": 2.0, "error": "cannot be started",
    }
    assert _shapes.ended_status(info, shape) == {
        "task_id": "id", "state": state, "ready": True, "successful": False, "failed": True,
        "result": shape, "error": "cannot be started",
    }
