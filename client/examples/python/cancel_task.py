"""Cancel a simulation that runs, and see what is left of it.

python cancel_task.py           # a broker and a worker with Python must be running
"""

from taskpipe import TaskCancelled, TaskPipeline, TaskStatus

ENDLESS = """
import time
print("taskpipe-progress 1 begun", flush=True)
while True:
    time.sleep(1)
"""


def main() -> None:
    """Submits an endless task and cancels it once it runs."""
    pipeline = TaskPipeline()
    task_id = pipeline.submit_task("python", "endless.py", inline_script=ENDLESS)
    for event in pipeline.client.events(task_id, timeout=60):
        if event.state == TaskStatus.RUNNING:
            break
    print(f"cancelled: {pipeline.cancel_task(task_id)}")
    try:
        pipeline.wait_for_task(task_id, timeout=60)
    except TaskCancelled as error:
        print(error)
    print(f"state: {pipeline.get_task_status(task_id)['state']}")
    print(f"once more: {pipeline.cancel_task(task_id)}")


if __name__ == "__main__":
    main()
