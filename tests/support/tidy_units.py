#!/usr/bin/env python3
"""The translation units of a build folder that compile the product's given sources.

`tidy_units.py BUILD_DIR [FILE …]` prints one path per line; without files, all of the product. A build
that joins files names the joined file once, whichever of its parts were asked for.
"""

import json
import pathlib
import re
import sys

PRODUCT = ("broker", "client", "common", "worker")
JOINED = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def parts_of(unit):
    """The sources that `unit` compiles: those it joins, or itself."""
    if "/Unity/" in str(unit):
        return [pathlib.Path(part) for part in JOINED.findall(unit.read_text())]
    return [unit]


def main(build, *wanted):
    root = pathlib.Path.cwd()
    wanted = {(root / file).resolve() for file in wanted}
    commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    for unit in sorted({pathlib.Path(command["file"]) for command in commands}):
        parts = [part for part in parts_of(unit)
                 if part.is_relative_to(root) and part.relative_to(root).parts[0] in PRODUCT]
        if parts and (not wanted or wanted.intersection(parts)):
            print(unit)


if __name__ == "__main__":
    main(*sys.argv[1:])
