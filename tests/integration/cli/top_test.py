#!/usr/bin/env python3
"""`taskpipe top` on a pseudo terminal, against a real broker and workers."""

import contextlib
import fcntl
import os
import pty
import re
import selectors
import signal
import struct
import subprocess
import termios
import time
import unittest

from cli_harness import BIN_DIR, LIMIT_S, CliTest

LEAVE = b"\x1b[?1049l"  # back from the second screen


class Terminal:
    """`taskpipe top` and the other end of its terminal."""

    def __init__(self, test, *options):
        self.test = test
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.resize(30, 120)
        self.slave = slave
        self.child = subprocess.Popen([BIN_DIR / "taskpipe", "top", *options], stdin=slave,
                                      stdout=slave,
                                      stderr=slave, start_new_session=True,
                                      # Its own, so that it hears of a new size.
                                      preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
                                      env=test.environment(TERM="xterm"))
        self.text = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        self.text = b""
        os.write(self.master, keys.encode())

    def wait_for(self, wanted):
        """Reads until what has come since the last key contains `wanted`."""
        deadline = time.monotonic() + LIMIT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.master, selectors.EVENT_READ)
            while not re.search(wanted, self.text):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.test.fail(f"never shown: {wanted}\n{self.text!r}")
                self.text += os.read(self.master, 65536)

    def end(self, expect):
        """The program has ended, and the terminal is as it was."""
        self.wait_for(re.escape(LEAVE))
        self.test.assertEqual(self.child.wait(LIMIT_S), expect)
        self.test.assertEqual(termios.tcgetattr(self.slave), self.before)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.slave)
        os.close(self.master)


class Top(CliTest):
    @contextlib.contextmanager
    def top(self, *options):
        terminal = Terminal(self, *options)
        try:
            terminal.wait_for(rb"node-b")
            yield terminal
        finally:
            terminal.close()

    def test_a_task_appears_by_its_event_and_is_cancelled(self):
        with self.top() as terminal:
            with self.held_task() as task:
                terminal.wait_for(rb"RUNNING")
                terminal.press("c")
                terminal.wait_for(task.encode() + rb"\? y = yes")
                terminal.press("y")
                terminal.wait_for(rb"REVOKED")
            self.assertIn("REVOKED", self.cli("status", task))
            terminal.press("q")
            terminal.end(0)

    def test_a_log_is_followed(self):
        with self.held_task(), self.top() as terminal:
            terminal.wait_for(rb"RUNNING")
            terminal.press("l")
            terminal.wait_for(rb"begun")
            terminal.press("q")
            terminal.wait_for(rb"sort: ")
            terminal.press("?")
            terminal.wait_for(rb"any key goes back")
            terminal.press("qq")
            terminal.end(0)

    def test_a_log_goes_on_after_an_outage_of_the_broker(self):
        pipe = self.folder / "held"
        os.mkfifo(pipe)
        task = self.submit(f"echo begun; read -r _ < {pipe}; echo released")
        with self.top("--request-timeout", "500ms", "--connect-timeout", "500ms") as terminal:
            terminal.wait_for(rb"RUNNING")
            self.cluster.broker.stop()
            terminal.press("l")
            terminal.wait_for(rb"within 500 ms")  # nobody answers
            terminal.text = b""
            self.cluster.start_broker()
            terminal.wait_for(rb"begun")
            terminal.text = b""
            self.cluster.broker.stop()
            self.cluster.start_broker()
            pipe.write_text("\n")
            terminal.wait_for(rb"released")
            self.assertNotIn(b"begun", terminal.text)  # nothing is told twice
            terminal.press("qq")
            terminal.end(0)
        self.cli("wait", task)

    def test_a_stop_gives_the_terminal_back_and_a_continuation_draws_again(self):
        with self.top() as terminal:
            terminal.press("\x1a")  # Ctrl-Z
            terminal.wait_for(re.escape(LEAVE))
            self.stopped(terminal)
            self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)
            self.continued(terminal)
            # SIGSTOP asks nobody, and a shell then sets the modes that it likes.
            terminal.child.send_signal(signal.SIGSTOP)
            self.stopped(terminal)
            termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)
            self.continued(terminal)
            terminal.press("q")
            terminal.end(0)

    def stopped(self, terminal):
        pid, status = os.waitpid(terminal.child.pid, os.WUNTRACED)
        self.assertTrue(pid == terminal.child.pid and os.WIFSTOPPED(status), status)

    def continued(self, terminal):
        terminal.text = b""
        terminal.child.send_signal(signal.SIGCONT)
        terminal.wait_for(rb"(?s)\x1b\[\?1049h.*node-b")
        flags = termios.tcgetattr(terminal.slave)[3]
        self.assertEqual(flags & (termios.ICANON | termios.ECHO), 0)

    def test_it_follows_the_size_of_the_terminal(self):
        with self.top() as terminal:
            terminal.press("")
            terminal.resize(10, 60)
            terminal.wait_for(rb"\x1b\[10;1H|\x1b\[10d")  # its last line is drawn on the tenth row
            terminal.press("q")
            terminal.end(0)

    def test_signals_give_the_terminal_back(self):
        for sent, code in ((signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGHUP, 130),
                           (signal.SIGQUIT, -signal.SIGQUIT), (signal.SIGABRT, -signal.SIGABRT)):
            with self.subTest(sent), self.top() as terminal:
                terminal.text = b""
                terminal.child.send_signal(sent)
                terminal.end(code)

    def test_a_second_signal_gives_it_back_as_well(self):
        with self.top() as terminal:
            terminal.text = b""
            for sent in (signal.SIGINT, signal.SIGTERM):
                terminal.child.send_signal(sent)
            terminal.end(130)

    def test_it_needs_a_terminal(self):
        self.assertIn("needs a terminal", self.refused("top", expect=2))
        text = self.on_a_terminal("top", columns=80, expect=5, TERM="no-such-terminal")
        self.assertIn("no-such-terminal", text)
        text = self.on_a_terminal("top", "--connect-timeout", "200ms", columns=80, expect=3,
                                  TASKPIPE_BROKER="tcp://127.0.0.1:1")
        self.assertIn("TASKPIPE_BROKER", text)

    def test_no_color(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.held_task())
            text = self.colours_of_a_screen()
            self.assertRegex(text, rb"\x1b\[3[0-9]m")
            self.assertNotRegex(self.colours_of_a_screen(NO_COLOR="1"), rb"\x1b\[3[0-9]m")

    def colours_of_a_screen(self, **more):
        environment = self.environment
        self.environment = lambda **other: environment(**{**other, **more})
        try:
            with self.top() as terminal:
                terminal.wait_for(rb"RUNNING")
                shown = terminal.text
                terminal.press("q")
                terminal.end(0)
                return shown
        finally:
            del self.environment


if __name__ == "__main__":
    unittest.main(verbosity=2)
