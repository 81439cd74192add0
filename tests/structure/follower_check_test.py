#!/usr/bin/env python3
"""What the check of a follower's changes sees (tests/support/follower.py)."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from follower import check_whole  # noqa: E402

ONE = [(1, "a", "PENDING"), (2, "a", "RUNNING"), (3, "a", "SUCCESS")]


class CheckWhole(unittest.TestCase):
    def test_a_task_that_was_lost_once_and_then_succeeded_is_whole(self):
        check_whole([*ONE[:2], (3, "a", "PENDING"), (4, "a", "RUNNING"), (5, "a", "SUCCESS")], {"a"})

    def test_whatever_is_wrong_is_seen(self):
        wrong = {
            "two ends": [*ONE, (4, "a", "SUCCESS")],
            "two different ends": [*ONE[:2], (3, "a", "error"), (4, "a", "SUCCESS")],
            "another end": [*ONE[:2], (3, "a", "FAILURE")],
            "changed after its end": [*ONE, (4, "a", "RUNNING")],
            "a change twice": [*ONE[:2], ONE[1], ONE[2]],
            "out of order": [ONE[1], ONE[0], ONE[2]],
            "its beginning is missing": ONE[1:],
            "its end is missing": ONE[:2],
            "nothing of it": [],
            "one of nobody": [*ONE, (4, "b", "PENDING"), (5, "b", "SUCCESS")],
        }
        for what, changes in wrong.items():
            with self.subTest(what), self.assertRaises(AssertionError):
                check_whole(changes, {"a"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
