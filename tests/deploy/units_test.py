#!/usr/bin/env python3
"""The systemd units: understood by systemd, shut off as far as docs/deployment.md says, and stated
there with the score that `systemd-analyze security` gives them."""

import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ROOT / "compose/systemd"
MOST = {"broker": 1.4, "worker": 3.4}  # exposure; 0 is none, 10 is all. Lower it when it falls
LIMIT_S = 60


class Units(unittest.TestCase):
    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)

    def exposure(self, role):
        done = self.analyze("security", "--offline=true", "--no-pager",
                            UNITS / f"taskpipe-{role}.service")
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        return float(found.group(1))

    def test_systemd_understands_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for role in MOST:
                unit = pathlib.Path(folder) / f"taskpipe-{role}.service"
                text = (UNITS / unit.name).read_text("utf-8")
                self.assertIn(f"ExecStart=/usr/bin/taskpipe-{role} ", text)
                # The program need not be installed for this; everything else is as it is.
                unit.write_text(text.replace(f"/usr/bin/taskpipe-{role}", "/bin/true"), "utf-8")
                done = self.analyze("verify", "--man=no", unit)
                said = [line for line in done.stderr.splitlines() if unit.name in line]
                self.assertEqual((done.returncode, said), (0, []), done.stderr)

    def test_verify_sees_a_mistake(self):
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "wrong.service"
            unit.write_text("[Service]\nExecStart=/bin/true\nProtectSytem=strict\n", "utf-8")
            self.assertIn("ProtectSytem", self.analyze("verify", "--man=no", unit).stderr)

    def test_they_expose_no_more_than_they_did(self):
        for role, most in MOST.items():
            self.assertLessEqual(self.exposure(role), most, role)

    def test_the_documentation_tells_the_score(self):
        text = (ROOT / "docs/deployment.md").read_text("utf-8")
        for role in MOST:
            self.assertRegex(text, rf"`taskpipe-{role}` \| {re.escape(str(self.exposure(role)))} ")

    def test_the_user_is_the_one_that_the_package_makes(self):
        for role in MOST:
            unit = (UNITS / f"taskpipe-{role}.service").read_text("utf-8")
            self.assertIn(f"\nUser=taskpipe-{role}\n", unit)
            script = (ROOT / f"cmake/debian/{role}/postinst").read_text("utf-8")
            self.assertIn(f"adduser --system --quiet --group --home /var/lib/taskpipe-{role}", script)


if __name__ == "__main__":
    unittest.main(verbosity=2)
