#!/usr/bin/env python3
"""Each planted bug still fits the source that it is planted into: the run that plants them is rare."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "simulation"))
from mutations import MUTATIONS, ROOT, mutated_source  # noqa: E402


class PlantedBugs(unittest.TestCase):
    def test_each_fits(self):
        for name in MUTATIONS:
            with self.subTest(name):
                path, text = mutated_source(name)
                self.assertNotEqual(text, (ROOT / path).read_text())


if __name__ == "__main__":
    unittest.main()
