#!/usr/bin/env python3
"""The soak's ledger sees what is missing, double, or in a wrong state."""

import pathlib
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fault"))
from soak import Ledger, growth  # noqa: E402


class SoakLedger(unittest.TestCase):
    def complaints(self, *rows):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        with sqlite3.connect(folder / "history.sqlite") as history:
            history.execute("CREATE TABLE tasks_readable(id TEXT, state TEXT)")
            history.executemany("INSERT INTO tasks_readable VALUES (?, ?)", rows)
        history.close()
        ledger = Ledger(folder / "expected.sqlite")
        ledger.add(["0A"], {"SUCCESS"})
        ledger.add(["0B"], {"REVOKED", "SUCCESS"})
        self.addCleanup(ledger.database.close)
        return ledger.complaints(folder / "history.sqlite")

    def test_what_ended_as_it_had_to_is_well(self):
        rows = ("0A", "SUCCESS"), ("0B", "REVOKED"), ("0C", "FAILURE")
        self.assertEqual(self.complaints(*rows), ([], 2))

    def test_missing_double_and_wrong_are_seen(self):
        self.assertEqual(len(self.complaints(("0A", "SUCCESS"))[0]), 1)
        self.assertEqual(len(self.complaints(("0A", "SUCCESS"), ("0B", "SUCCESS"),
                                             ("0A", "SUCCESS"))[0]), 1)
        (wrong,), _ = self.complaints(("0A", "FAILURE"), ("0B", "SUCCESS"))
        self.assertIn("0a ended in FAILURE", wrong)

    def test_growth_is_that_of_the_longest_life(self):
        samples = [{"t_s": t, "processes": {"one": {"pid": 1 if t < 20 else 2, "rss_bytes": 5 * t}}}
                   for t in range(100)]
        self.assertAlmostEqual(growth(samples, "one", "rss_bytes")["per_hour"], 18_000)
        self.assertNotIn("per_hour", growth(samples[:5], "one", "rss_bytes"))


if __name__ == "__main__":
    unittest.main()
