"""Run simulations one after the other, ordered by the broker: coarse mesh first.

python sequential_workflow.py   # a broker and a worker with FEniCSx must be running
"""

from taskpipe import TaskPipeline


def main() -> None:
    """Submits three meshes; each starts when the one before it has ended."""
    pipeline = TaskPipeline()
    tasks = [
        {"tool": "fenicsx", "script": "poisson.py", "params": {"mesh_size": size}}
        for size in (8, 16, 32)
    ]
    task_ids = pipeline.submit_workflow(tasks, sequential=True)
    for task_id in task_ids:
        result = pipeline.wait_for_task(task_id)
        size = result["params"]["mesh_size"]
        print(f"mesh {size}: {result['status']} in {result['duration_seconds']:.2f} s")


if __name__ == "__main__":
    main()
