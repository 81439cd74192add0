"""What the tests of retries share: tasks that fail until they are cured, what is told of them."""

import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from cli_harness import BIN_DIR, LIMIT_S, UNKNOWN_ID, CliTest  # noqa: E402, F401

# A line for each attempt; fails until there are as many as it takes.
COUNTING = """
echo "$TASKPIPE_ATTEMPT" >> "$SIM_COUNT"
[ "$(wc -l < "$SIM_COUNT")" -ge "$SIM_ENOUGH" ] && exit 0
echo "not yet" >&2
exit 7
"""
# Fails until the file is there.
ILL = '[ -e "$SIM_CURE" ] || exit 4; echo cured'


def moment(text):
    """The time of a document, in seconds."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def pauses(attempts):
    """Seconds between the end of each attempt and the start of the next."""
    return [moment(later["started"]) - moment(earlier["ended"])
            for earlier, later in zip(attempts, attempts[1:])]


class RetryTest(CliTest):
    """One cluster for all tests of a class."""

    def path(self, name):
        return self.folder / f"{name}{len(list(self.folder.iterdir()))}"

    def counting(self, enough, *options):
        """A task that succeeds at that attempt: its id, and the file with a line for each."""
        count = self.path("count")
        task = self.submit(COUNTING, "-p", f"count={count}", "-p", f"enough={enough}", *options)
        return task, count

    def ill(self, *options):
        """A task that fails until the file is there: its id, and the file."""
        cure = self.path("cure")
        return self.submit(ILL, "-p", f"cure={cure}", *options), cure

    def ended(self, task):
        """All that is told of a task, once it has ended."""
        self.run_cli("wait", task, expect=None)
        return self.cli_json("dead", "show", task)

    def became(self, shown):
        return [(one["attempt"], one["became"]) for one in shown["attempts"]]
