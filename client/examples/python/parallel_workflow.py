"""Run several simulations side by side, and see how much that saved.

python parallel_workflow.py     # a broker and a worker with FEniCSx and LAMMPS must be running
"""

from typing import Any

from taskpipe import TaskPipeline


def on_change(status: dict[str, Any]) -> None:
    """Shows how far the workflow is."""
    print(f"{status['completed']} of {status['total']} done, {status['running']} running")


def main() -> None:
    """Submits three tasks at once and waits for all of them."""
    pipeline = TaskPipeline()
    tasks = [
        {"tool": "fenicsx", "script": "poisson.py", "params": {"mesh_size": 16}},
        {"tool": "lammps", "script": "example.lammps", "params": {"steps": 100}},
        {"tool": "python", "script": "pi.py", "params": {"samples": 100_000}},
    ]
    task_ids = pipeline.submit_workflow(tasks, sequential=False)
    first = pipeline.wait_for_any(task_ids, timeout=300)
    print(f"first: {first['task_id']} is {first['status']['state']}")
    final = pipeline.wait_for_workflow(task_ids, timeout=600, callback=on_change)
    stats = pipeline.get_parallel_execution_stats(task_ids)
    print(f"{final['completed']} completed, {final['failed']} failed")
    print(f"speedup {stats['speedup']:.1f}, efficiency {stats['efficiency']:.0%}")


if __name__ == "__main__":
    main()
