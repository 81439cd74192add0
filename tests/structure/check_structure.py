#!/usr/bin/env python3
"""Proves the shape of the source tree: who may include whom, and what a source file looks like.

    check_structure.py ROOT

Prints one line per violation, `file:line: what and why`, and exits with 1 if there are any.
check_structure_test.py shows that each rule can fail.
"""

import os
import re
import sys
from pathlib import Path

# Product folders in the direction of dependencies: what stands on the right may be included by what
# stands on the left. A folder may always include itself; the longest matching folder counts.
MODEL = "common/model"
PROTOCOL = "common/protocol"
SECURITY = "common/security"
NET = "common/net"
PROCESS = "common/process"
SHA256 = "common/process/sha256.hpp"  # the only thing of it that tools need
BENEATH = "common/process/beneath.hpp"
BULK = "common/bulk"
COMMON = [MODEL, PROTOCOL, SECURITY, NET, PROCESS, BULK]
CREDENTIALS = "worker/spawner/credentials.hpp"  # to become the user of attempts, in one place
EXECUTOR = "worker/exec/executor.hpp"  # the seam between the worker's core and execution
PUBLIC = "taskpipe/"  # client/include/taskpipe, as users write it

MAY_INCLUDE = {
    "common/model": [],
    "common/protocol": [MODEL],
    "common/security": [MODEL],
    "common/net": [MODEL, PROTOCOL, SECURITY],
    "common/process": [MODEL],
    "common/bulk": [MODEL, PROTOCOL, NET, PROCESS],
    "broker/core": [MODEL],
    "broker/journal": [MODEL, "broker/core"],
    "broker/history": [MODEL, "broker/core"],
    "broker/bulk": [MODEL],
    "broker/store": [MODEL, PROCESS, "broker/bulk"],
    "broker/shell": [*COMMON, "broker"],
    "broker": [*COMMON, "broker"],
    "worker/core": [MODEL, EXECUTOR],
    "worker/tools": [MODEL, SHA256, BENEATH, CREDENTIALS, EXECUTOR],
    "worker/spawner": [MODEL, PROCESS],
    "worker/exec": [MODEL, PROTOCOL, PROCESS, "worker/spawner"],
    "worker/handlers": [MODEL, PROTOCOL, PROCESS, EXECUTOR],
    "worker/shell": [*COMMON, "worker"],
    "worker": [*COMMON, "worker"],
    "client/include": [MODEL, PUBLIC],
    "client/src": [*COMMON, PUBLIC],
    "client/cli": [*COMMON, PUBLIC],
    "client/examples": [PUBLIC],
    "client/python": [MODEL, PUBLIC],
    "client/gateway": [*COMMON, PUBLIC],
}

# Headers that are known to few files, because of what they cost or what they would spread.
KNOWN_TO = {
    "msgpack": (r"common/protocol/[^/]+\.cpp", "only the codec knows msgpack"),
    "spdlog/": (r"common/process/logging\.cpp", "only logging.cpp knows spdlog"),
    "boost/program_options": (
        r"common/process/boost_options\.cpp",
        "only boost_options.cpp knows Boost.Program_options",
    ),
    "sqlite3.h": (r"broker/history/sqlite\.cpp", "only broker/history/sqlite.cpp knows SQLite"),
    "zmq": (
        r"common/net/[^/]+|common/security/keys\.cpp|(broker/shell|worker/shell|client/src)/[^/]+\.cpp",
        "libzmq is common/net's business",
    ),
}

# The cores are told the time and do no input or output.
PURE = ("common/model", "broker/bulk", "broker/core", "worker/core")
IMPURE_HEADERS = {
    "condition_variable", "csignal", "cstdio", "cstdlib", "ctime", "filesystem", "fstream",
    "future", "iostream", "mutex", "random", "semaphore", "shared_mutex", "stop_token", "thread",
}
IMPURE_CALLS = {
    r"_clock\s*::\s*now\b": "reads a clock; the time is an argument",
    r"\bgetenv\s*\(": "reads the environment",
    r"\brandom_device\b": "draws randomness; it is an argument",
    r"(?<![\w.>])s?rand\s*\(": "draws randomness; it is an argument",
    r"\bthread_local\b": "keeps state outside its objects",
}  # fmt: skip

PRODUCT_FOLDERS = ("common", "broker", "worker", "client")
SOURCE_FOLDERS = (*PRODUCT_FOLDERS, "tests", "cmake")
SKIPPED_FOLDERS = {"build", "__pycache__", ".venv", "golden", "corpus"}
CPP = {".cpp", ".hpp"}
SOURCES = CPP | {".py", ".sh", ".cmake"}
MAX_LINES = 400
MAY_BE_LONGER = {"common/model/messages.hpp"}  # the schema of the wire is one file, whatever its length
FORBIDDEN_WORDS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def source_files(root):
    for top in SOURCE_FOLDERS:
        for folder, folders, files in os.walk(root / top):
            folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
            for name in sorted(files):
                path = Path(folder, name)
                if path.suffix in SOURCES or name == "CMakeLists.txt":
                    yield path


def folder_of(relative):
    """The entry of MAY_INCLUDE that a file belongs to, or None."""
    matching = [folder for folder in MAY_INCLUDE if relative.startswith(folder + "/")]
    return max(matching, key=len, default=None)


def check_project_include(relative, included):
    owner = folder_of(relative)
    if owner is None:
        return "stands in a folder without rules; add it to check_structure.py"
    allowed = [owner, *MAY_INCLUDE[owner]]
    for prefix in allowed:
        if included == prefix or included.startswith(prefix.rstrip("/") + "/"):
            return None
    if included.startswith(PRODUCT_FOLDERS) or included.startswith(PUBLIC):
        return f"{owner} may not include {included}"
    return f'"{included}" is not a path from the root of the sources'


def check_system_include(relative, included):
    for header, (allowed, why) in KNOWN_TO.items():
        if included.startswith(header) and not re.fullmatch(allowed, relative):
            return why
    is_pure = relative.startswith(tuple(folder + "/" for folder in PURE))
    # A plain value type is no input or output, whoever wrote it.
    is_foreign = included != "tl/expected.hpp" and ("/" in included or included.endswith(".h"))
    if is_pure and (included in IMPURE_HEADERS or is_foreign):
        return f"<{included}> has no place in a pure folder"
    return None


def without_comments(line):
    return line.split("//", 1)[0]


def check_cpp(relative, lines):
    is_product = relative.startswith(tuple(folder + "/" for folder in PRODUCT_FOLDERS))
    is_pure = relative.startswith(tuple(folder + "/" for folder in PURE))
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include and is_product:
            check = check_project_include if include[1] == '"' else check_system_include
            if problem := check(relative, include[2]):
                yield number, problem
        if is_pure:
            for pattern, why in IMPURE_CALLS.items():
                if re.search(pattern, without_comments(line)):
                    yield number, why
    if relative.endswith(".hpp") and "#pragma once" not in lines:
        yield 1, "a header needs #pragma once"


def check_text(relative, content, lines):
    if content and not content.endswith("\n"):
        yield len(lines), "the last line has no end"
    if len(lines) > MAX_LINES and relative not in MAY_BE_LONGER:
        yield len(lines), f"more than {MAX_LINES} lines: split it by responsibility"
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            yield number, "a tab"
        if "\r" in line:
            yield number, "a carriage return"
        if word := FORBIDDEN_WORDS.search(line):
            yield number, f"{word[0]}: finish it, or describe the limit in the docs"


def violations(root):
    found = []
    for path in source_files(root):
        relative = path.relative_to(root).as_posix()
        try:
            content = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            found.append(f"{relative}:1: is not UTF-8")
            continue
        lines = content.split("\n")
        if lines[-1] == "":
            lines.pop()
        problems = list(check_text(relative, content, lines))
        if path.suffix in CPP:
            problems += check_cpp(relative, lines)
        found += [f"{relative}:{number}: {problem}" for number, problem in problems]
    return found


def main(arguments):
    if len(arguments) != 2 or not Path(arguments[1], "common").is_dir():
        print("usage: check_structure.py ROOT, where ROOT holds common/", file=sys.stderr)
        return 2
    found = violations(Path(arguments[1]))
    print("\n".join(found) if found else "the structure is as it should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
