#!/usr/bin/env python3
"""`taskpipe man` through groff."""

import subprocess
import unittest

from cli_harness import LIMIT_S, CliTest


class Manual(CliTest):
    def test_groff_has_nothing_to_complain_about(self):
        for command in ([], ["submit"], ["workflow", "run"], ["sweep"], ["events"]):
            page = self.cli("man", *command)
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou"], input=page,
                                  capture_output=True, text=True, timeout=LIMIT_S, check=True,
                                  env=self.environment())
            self.assertEqual(done.stderr, "", command)
            self.assertIn("--broker", done.stdout)
            self.assertIn("NO_COLOR", done.stdout)
        self.refused("man", "frobnicate", expect=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
