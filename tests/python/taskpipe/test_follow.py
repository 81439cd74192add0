"""Streams of changes without gaps: late, from a number on, closed amid, and for asyncio."""

import asyncio

import pytest
import taskpipe
from conftest import LIMIT_S, echo
from taskpipe import AsyncClient, Task


def changes_of(feed, wanted):
    """(seq, task, state) of these tasks, until all of them have ended."""
    found, ended = [], set()
    with feed:
        for changes in feed:
            assert not changes.resynchronised
            for event in changes.tasks:
                if event.task_id in wanted:
                    found.append((event.seq, event.task_id, event.state))
                    if event.ready:
                        ended.add(event.task_id)
            if ended == wanted:
                return found
    raise AssertionError("the stream has ended")


def run_some(client, count=300):
    """The ids of that many tasks, all of which have ended."""
    ids = client.submit_batch([Task("echo", params={"i": i}) for i in range(count)])
    client.wait_all(ids, timeout=LIMIT_S)
    return set(ids)


@pytest.mark.parametrize("over_router", [False, True])
@pytest.mark.parametrize("everybody", [False, True])
def test_a_late_joiner_is_told_everything(client, everybody, over_router):
    ids = run_some(client)
    told = changes_of(
        client.follow("task.echo.", since=0, everybody=everybody, over_router=over_router), ids
    )
    assert [seq for seq, _, _ in told] == sorted(seq for seq, _, _ in told)
    assert len({(seq, task) for seq, task, _ in told}) == len(told)
    for task_id in ids:
        states = [state for _, task, state in told if task == task_id]
        assert (states[0], states[-1], states.count("SUCCESS")) == ("PENDING", "SUCCESS", 1)


def test_what_follows_is_told_as_it_happens(client):
    with client.follow("task.echo.", everybody=True, timeout=LIMIT_S) as feed:
        first = next(feed)  # of a cluster in which nothing happens
        assert first.seq > 0
        assert not first.tasks
        ids = run_some(client, 5)
        assert changes_of(feed, ids)[0][0] > first.seq
        assert changes_of(client.follow("task.echo.", since=first.seq), run_some(client, 5))


def test_it_ends_at_the_present_where_asked_to(client):
    ids = run_some(client, 10)
    told = [
        event.task_id
        for changes in client.follow("task.", since=0, until_present=True)
        for event in changes.tasks
    ]
    assert ids <= set(told)


def test_it_goes_on_from_a_number(client):
    run_some(client, 10)
    last = 0
    for changes in client.follow("task.echo.", since=0, until_present=True):
        last = changes.seq
    ids = run_some(client, 10)
    rest = client.follow("task.echo.", since=last, until_present=True)
    assert {event.task_id for changes in rest for event in changes.tasks} == ids


def test_single_tasks_and_workflows(client):
    receipt = client.submit_workflow([Task("echo"), Task("echo", after=[0])])
    client.wait_workflow(receipt.workflow_id, timeout=LIMIT_S)
    only = receipt.task_ids[0]
    one = client.follow(task_ids=[only], since=0, until_present=True)
    assert {event.task_id for changes in one for event in changes.tasks} == {only}
    counts = None
    stream = f"workflow.{receipt.workflow_id}."
    for changes in client.follow(stream, since=0, until_present=True):
        counts = changes.workflows[-1] if changes.workflows else counts
    assert (counts.total, counts.ended, counts.succeeded) == (2, 2, 2)


def test_numbers_of_another_journal_are_replaced_by_the_present(client):
    with client.follow("task.echo.", since=2**60, timeout=LIMIT_S) as feed:
        changes = next(feed)
    assert changes.resynchronised
    assert changes.first_page


def test_what_is_no_stream_is_refused(client):
    with pytest.raises(taskpipe.InvalidArgument):
        next(client.follow("worker."))
    with pytest.raises(taskpipe.InvalidArgument):
        next(client.follow())


def test_for_asyncio(cluster):
    async def follow():
        async with AsyncClient(cluster.client_endpoint) as client:
            task_id = await client.submit(**echo(word="hi"))
            await client.wait(task_id, timeout=LIMIT_S)
            async for changes in client.follow("task.echo.", since=0):
                if any(event.task_id == task_id and event.ready for event in changes.tasks):
                    return changes.seq

    assert asyncio.run(follow()) > 0
