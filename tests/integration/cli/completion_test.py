#!/usr/bin/env python3
"""`taskpipe completion`: TAB in real, interactive shells, against a real broker.

Each shell answers the same questions (Questions); what differs is how one asks it (`press_tab`).
A shell that is not installed is skipped with that reason; COMPLETION_SHELL names the one to test.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from cli_harness import BIN_DIR, LIMIT_S, CliTest
from unavailable import main

HERE = pathlib.Path(__file__).resolve().parent


class Questions:
    """What every shell must answer. `press_tab(line)` gives the candidates for its last word."""

    SHELL = ""

    @classmethod
    def setUpClass(cls):
        if shutil.which(cls.SHELL) is None:
            raise unittest.SkipTest(f"{cls.SHELL} is not installed")
        super().setUpClass()
        (cls.folder / "flow one.toml").write_text("")
        (cls.folder / "params.json").write_text("{}")

    def environment(self, **more):
        return {**super().environment(), "HOME": str(self.folder), "TERM": "xterm",
                "PATH": f"{BIN_DIR}:{os.environ['PATH']}", **more}

    def test_commands(self):
        self.assertEqual(self.press_tab("taskpipe su"), ["submit"])
        self.assertEqual(self.press_tab("taskpipe workflow r"), ["run"])
        self.assertEqual(self.press_tab("taskpipe frob"), [])

    def test_options_and_their_values(self):
        self.assertEqual(self.press_tab("taskpipe submit --prio"), ["--priority"])
        self.assertEqual(self.press_tab("taskpipe list --color al"), ["always"])
        self.assertEqual(self.press_tab("taskpipe list --state s"), ["success"])
        self.assertEqual(self.press_tab("taskpipe submit shell x -p 'a=b c' --lab"), ["--label"])

    def test_a_value_behind_an_equals_sign(self):
        self.assertEqual(self.press_tab("taskpipe list --color=al"),
                         [self.joined("--color=always")])

    def test_an_address_before_the_command(self):
        address = self.cluster.client_endpoint  # has colons, which bash takes for borders of words
        self.assertEqual(self.press_tab(f"taskpipe --broker {address} list --sta"), ["--state"])
        self.assertEqual(self.press_tab(f"taskpipe --broker={address} submit she",
                                        TASKPIPE_BROKER="tcp://127.0.0.1:1"), ["shell"])

    def test_names_from_the_broker(self):
        self.assertEqual(self.press_tab("taskpipe submit she"), ["shell"])
        self.assertEqual(self.press_tab("taskpipe submit shell hel"), ["hello.sh"])
        task = self.submit("true")
        self.assertEqual(self.press_tab(f"taskpipe result {task[:-1]}"), [task])
        self.assertEqual(self.press_tab("taskpipe submit she", TASKPIPE_BROKER="tcp://127.0.0.1:1"),
                         [])

    def test_names_of_files(self):
        self.assertEqual(self.press_tab("taskpipe workflow run flow"),
                         [self.escaped("flow one.toml")])
        self.assertEqual(self.press_tab("taskpipe submit shell --params par"), ["params.json"])
        self.assertEqual(self.press_tab("taskpipe submit shell --params=par"),
                         [self.joined("--params=params.json")])

    def test_within_quotes(self):
        self.assertEqual(self.press_tab('taskpipe submit "she'), ["shell"])

    # --- How the shells differ ------------------------------------------------------------------

    @staticmethod
    def joined(word):
        return word

    @staticmethod
    def escaped(name):
        return name


class Fish(Questions, CliTest):
    SHELL = "fish"

    def press_tab(self, line, **more):
        done = subprocess.run(
            ["fish", "--no-config", "-c", 'taskpipe completion fish | source; complete -C $argv[1]',
             line], capture_output=True, text=True, timeout=LIMIT_S, check=False,
            cwd=self.folder, env=self.environment(**more))
        self.assertEqual(done.stderr, "")
        return [candidate.split("\t")[0] for candidate in done.stdout.splitlines()]


class Zsh(Questions, CliTest):
    SHELL = "zsh"

    def press_tab(self, line, **more):
        out = self.folder / "answers"
        out.unlink(missing_ok=True)
        done = subprocess.run(["zsh", "-f", HERE / "capture_completion.zsh", line],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, cwd=self.folder,
                              env=self.environment(OUT=str(out), **more))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        out.unlink(missing_ok=True)
        # Groups of candidates may be added twice: with and without a description.
        found = re.findall(r"(?m)^candidate (.*)$", done.stdout)
        return list(dict.fromkeys(found))

    @staticmethod
    def joined(word):
        return word if "always" in word else word.partition("=")[2]  # _files adds what follows '='

    @staticmethod
    def escaped(name):
        return name.replace(" ", "\\ ")


class Bash(Questions, CliTest):
    """Its answer is the line that it makes of the one candidate."""

    SHELL = "bash"
    SHOW = '"\\C-o": printf "%s\\n" "line <$READLINE_LINE>" >> "$OUT"'

    def press_tab(self, line, **more):
        out = self.folder / "answers"
        out.write_text("")
        child, master = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       self.environment(OUT=str(out), PS1="", **more))
        try:
            os.write(master, (f"source <(taskpipe completion bash); bind -x '{self.SHOW}'; "
                              "echo ready''-now\n").encode())
            self.read_until(master, lambda text: "ready-now" in text)
            os.write(master, f"{line}\t\x0f".encode())
            self.read_until(master, lambda text: "line <" in out.read_text())
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(master)
        after = re.search(r"(?s)line <(.*)>\n", out.read_text())[1]
        out.unlink()
        if after == line:
            return []
        word = re.split(r"(?<!\\)[ \"]", after.rstrip(' "'))[-1]
        return [word]

    def read_until(self, master, found):
        text = ""
        deadline = time.monotonic() + LIMIT_S
        while not found(text):
            self.assertLess(time.monotonic(), deadline, text)
            if select.select([master], [], [], 0.05)[0]:  # what `found` reads may be a file
                text += os.read(master, 65536).decode(errors="replace")

    @staticmethod
    def escaped(name):
        return name.replace(" ", "\\ ")

    def test_an_unknown_shell_has_a_nearest_one(self):
        self.assertIn("did you mean 'bash'?", self.refused("completion", "bsh", expect=2))


if __name__ == "__main__":
    shell = os.environ.get("COMPLETION_SHELL", "")
    main(defaultTest=shell.capitalize() or None)
