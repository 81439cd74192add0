"""Ask for a task's status by hand. Waiting and monitoring are pushed; this is for other loops.

python poll_status.py           # a broker and a worker with Python must be running
"""

import time

from taskpipe import TaskPipeline, TaskStatus


def main() -> None:
    """Submits a task and asks about it every half second."""
    pipeline = TaskPipeline()
    task_id = pipeline.submit_task("python", "pi.py", {"samples": 200_000})
    status = pipeline.get_task_status(task_id)
    while not status["ready"]:
        print(f"{status['state']}: {status.get('progress', 0):.0f}%")
        time.sleep(0.5)
        status = pipeline.get_task_status(task_id)
    if status["state"] == TaskStatus.SUCCESS:
        print(status["result"]["stdout"])
    else:
        print(status["error"])


if __name__ == "__main__":
    main()
