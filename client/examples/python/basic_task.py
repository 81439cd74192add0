"""Submit one simulation, watch it, and use its result.

python basic_task.py            # a broker and a worker with FEniCSx must be running
"""

from typing import Any

from taskpipe import TaskPipeline


def on_progress(status: dict[str, Any]) -> None:
    """Shows every change as it is pushed."""
    print(f"{status['state']}: {status.get('progress', 0):.0f}%")


def main() -> None:
    """Submits, monitors, and prints what came out."""
    pipeline = TaskPipeline()
    print(pipeline.health_check()["message"])
    task_id = pipeline.submit_task("fenicsx", "poisson.py", {"mesh_size": 32})
    print(f"submitted {task_id}")
    pipeline.monitor_task(task_id, callback=on_progress, poll_interval=2)
    result = pipeline.wait_for_task(task_id, timeout=300)
    print(f"{result['status']} after {result['duration_seconds']:.2f} s")
    for path in result["artifacts"]:
        print(f"  {path}")


if __name__ == "__main__":
    main()
