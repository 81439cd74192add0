"""Solvers from Python, as a user would: each alone, then all of them as a workflow.

    python_tasks.py '[{"tool": …, "script": …, "params": {…}}, …]'
"""

import json
import sys

from taskpipe import TaskPipeline

LIMIT_S = 300


def main():
    tasks = json.loads(sys.argv[1])
    pipeline = TaskPipeline()
    single = [pipeline.submit_task(task["tool"], task["script"], task["params"]) for task in tasks]
    workflow = pipeline.submit_workflow(tasks, sequential=True)
    for ids in (single, workflow):
        end = pipeline.wait_for_workflow(ids, timeout=LIMIT_S)
        if end["completed"] != len(tasks) or end["failed"]:
            sys.exit(f"not all of {ids} succeeded: {end}")
    print(len(single) + len(workflow))


if __name__ == "__main__":
    main()
