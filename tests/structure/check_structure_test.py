#!/usr/bin/env python3
"""Shows that every rule of check_structure.py can fail, and that what is right passes."""

import tempfile
import unittest
from pathlib import Path

import check_structure

PRAGMA = "#pragma once\n"


class StructureTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def violations_of(self, path, content):
        """Of a tree that holds this one file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = check_structure.violations(self.root)
        file.unlink()
        return found

    def assert_refused(self, path, content, why):
        found = self.violations_of(path, content)
        self.assertEqual(len(found), 1, f"{path}: {content!r}: {found}")
        self.assertIn(path + ":", found[0])
        self.assertIn(why, found[0])

    def assert_fine(self, path, content):
        self.assertEqual(self.violations_of(path, content), [])

    def test_the_direction_of_includes(self):
        for path, included in [
            ("common/model/ids.cpp", "common/protocol/codec.hpp"),
            ("common/model/ids.cpp", "common/process/logging.hpp"),
            ("common/protocol/codec.cpp", "common/net/socket.hpp"),
            ("common/process/options.cpp", "common/protocol/codec.hpp"),
            ("common/net/socket.cpp", "broker/core/record.hpp"),
            ("broker/core/fold.cpp", "common/protocol/codec.hpp"),
            ("broker/core/fold.cpp", "common/process/clock.hpp"),
            ("broker/core/fold.cpp", "broker/journal/journal.hpp"),
            ("broker/core/fold.cpp", "broker/history/history.hpp"),
            ("broker/journal/segment.cpp", "broker/history/history.hpp"),
            ("broker/history/sqlite.cpp", "broker/journal/journal.hpp"),
            ("broker/history/sqlite.cpp", "broker/shell/broker_loop.hpp"),
            ("broker/shell/loop.cpp", "worker/core/worker_core.hpp"),
            ("broker/main.cpp", "worker/core/worker_core.hpp"),
            ("broker/main.cpp", "taskpipe/client.hpp"),
            ("worker/main.cpp", "broker/core/record.hpp"),
            ("worker/core/worker_core.cpp", "worker/shell/broker_link.hpp"),
            ("worker/core/worker_core.cpp", "worker/exec/process_executor.hpp"),
            ("worker/tools/tool.cpp", "common/process/logging.hpp"),
            ("worker/spawner/main.cpp", "worker/exec/process_executor.hpp"),
            ("worker/exec/outcome.cpp", "worker/core/worker_core.hpp"),
            ("client/src/connection.cpp", "broker/core/record.hpp"),
            ("client/src/connection.cpp", "worker/exec/executor.hpp"),
            ("client/src/connection.cpp", "client/cli/console.hpp"),
            ("client/cli/main.cpp", "client/src/connection.hpp"),
            ("client/include/taskpipe/client.hpp", "common/net/socket.hpp"),
        ]:
            with self.subTest(path=path, included=included):
                head = PRAGMA if path.endswith(".hpp") else ""
                self.assert_refused(path, f'{head}#include "{included}"\n', "may not include")

    def test_what_may_be_included(self):
        for path, included in [
            ("common/model/ids.cpp", "common/model/ids.hpp"),
            ("common/net/socket.cpp", "common/protocol/codec.hpp"),
            ("broker/history/sqlite_history.cpp", "broker/core/finished.hpp"),
            ("broker/shell/loop.cpp", "broker/history/history.hpp"),
            ("broker/main.cpp", "broker/shell/broker_loop.hpp"),
            ("worker/core/worker_core.cpp", "worker/exec/executor.hpp"),
            ("worker/shell/loop.cpp", "worker/tools/tool_registry.hpp"),
            ("client/cli/commands/submit.cpp", "client/cli/console.hpp"),
            ("client/cli/main.cpp", "taskpipe/client.hpp"),
        ]:
            with self.subTest(path=path, included=included):
                self.assert_fine(path, f'#include "{included}"\n')

    def test_includes_are_paths_from_the_root(self):
        for included in ["ids.hpp", "../model/ids.hpp", "core/record.hpp"]:
            self.assert_refused("broker/core/x.cpp", f'#include "{included}"\n', "path from the root")

    def test_a_folder_without_rules(self):
        self.assert_refused(
            "common/extras/x.cpp", '#include "common/model/ids.hpp"\n', "a folder without rules"
        )

    def test_headers_that_few_may_know(self):
        for path, header in [
            ("common/protocol/codec.hpp", "msgpack.hpp"),
            ("common/net/socket.cpp", "msgpack.hpp"),
            ("common/process/options.cpp", "spdlog/spdlog.h"),
            ("common/process/logging.hpp", "spdlog/spdlog.h"),
            ("common/process/options.cpp", "boost/program_options.hpp"),
            ("broker/history/sqlite_history.cpp", "sqlite3.h"),
            ("broker/history/history.cpp", "zmq.hpp"),
            ("broker/shell/loop.hpp", "zmq.hpp"),
            ("worker/exec/executor.cpp", "zmq.h"),
        ]:
            with self.subTest(path=path, header=header):
                head = PRAGMA if path.endswith(".hpp") else ""
                found = self.violations_of(path, f"{head}#include <{header}>\n")
                self.assertEqual(len(found), 1, found)
        for path, header in [
            ("common/protocol/codec.cpp", "msgpack.hpp"),
            ("common/process/logging.cpp", "spdlog/logger.h"),
            ("common/net/socket.cpp", "zmq.hpp"),
            ("worker/shell/broker_link.cpp", "zmq.hpp"),
            ("broker/history/sqlite.cpp", "sqlite3.h"),
        ]:
            with self.subTest(path=path, header=header):
                self.assert_fine(path, f"#include <{header}>\n")

    def test_pure_folders_do_no_io(self):
        for folder in check_structure.PURE:
            for header in ["fstream", "thread", "mutex", "unistd.h", "sys/stat.h", "random",
                           "filesystem", "openssl/sha.h", "time.h"]:  # fmt: skip
                with self.subTest(folder=folder, header=header):
                    self.assert_refused(
                        f"{folder}/x.cpp", f"#include <{header}>\n", "no place in a pure folder"
                    )
            self.assert_fine(f"{folder}/x.cpp", "#include <vector>\n#include <chrono>\n")
        self.assert_fine("broker/shell/x.cpp", "#include <thread>\n")

    def test_pure_folders_ask_for_nothing(self):
        for code, why in [
            ("auto t = std::chrono::steady_clock::now();", "clock"),
            ("auto t = Clock::system_clock :: now();", "clock"),
            ('auto* home = std::getenv("HOME");', "environment"),
            ("std::random_device device;", "randomness"),
            ("int x = rand();", "randomness"),
            ("thread_local int calls = 0;", "state outside"),
        ]:
            with self.subTest(code=code):
                self.assert_refused("broker/core/x.cpp", code + "\n", why)
        for code in ["// never calls steady_clock::now()", "int operand(int x);", "state.rand(1);"]:
            with self.subTest(code=code):
                self.assert_fine("broker/core/x.cpp", code + "\n")
        self.assert_fine("broker/shell/x.cpp", "auto t = std::chrono::steady_clock::now();\n")

    def test_tests_may_include_anything(self):
        self.assert_fine("tests/unit/x_test.cpp", '#include <msgpack.hpp>\n#include "broker/x.hpp"\n')

    def test_headers_are_guarded(self):
        self.assert_refused("common/model/x.hpp", "int x();\n", "#pragma once")

    def test_length(self):
        self.assert_fine("common/model/x.cpp", "\n" * 400)
        self.assert_refused("common/model/x.cpp", "\n" * 401, "more than 400 lines")

    def test_white_space(self):
        self.assert_refused("common/model/x.cpp", "\tint x;\n", "a tab")
        self.assert_refused("common/model/x.cpp", "int x;\r\n", "carriage return")
        self.assert_refused("common/model/x.cpp", "int x;", "no end")
        self.assert_refused("cmake/X.cmake", "\tset(x)\n", "a tab")
        self.assert_refused("tests/unit/CMakeLists.txt", "\tset(x)\n", "a tab")
        self.assert_refused("tests/lint/x.sh", "\techo\n", "a tab")
        self.assert_fine("common/model/x.cpp", "")

    def test_encoding(self):
        self.assert_refused("common/model/x.cpp", b"// \xff\n", "not UTF-8")

    def test_unfinished_work(self):
        for word in ["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]:
            with self.subTest(word=word):
                self.assert_refused("common/model/x.cpp", f"// {word}: later\n", word)
                self.assert_refused("client/python/x.py", f"# {word} later\n", word)
        self.assert_fine("tests/unit/x.cpp", "mkdtemp(\"x.XXXXXX\"); // hackathon, todo list\n")

    def test_build_folders_are_skipped(self):
        self.assert_fine("tests/build/x.cpp", "\tint x;")


if __name__ == "__main__":
    unittest.main()
