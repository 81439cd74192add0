"""The end of a test script: tells what its host could not do, and does not let that pass for passed.

    if __name__ == "__main__":
        main()   # instead of unittest.main()

Each reason for which a test was skipped is printed as a line `UNAVAILABLE: reason`, which
count_results.py finds. A script none of whose tests could run ends with SKIPPED, which ctest counts as
skipped (taskpipe_script_test); one that could run some of them has passed.
"""

import sys
import unittest

SKIPPED = 77  # SKIP_RETURN_CODE


class CountingResult(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main(**options):
    """`options`: of unittest.main."""
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=CountingResult)
    result = unittest.main(testRunner=runner, exit=False, **options).result
    for reason in dict.fromkeys(reason for _, reason in result.skipped):
        print(f"UNAVAILABLE: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and not result.passed else 0)
