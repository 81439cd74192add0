#!/usr/bin/env python3
"""Chooses the inputs worth keeping.

    choose.py CONTROL_FILE FOLDER MAX_BYTES MAX_INPUTS

CONTROL_FILE is what libFuzzer's -merge=1 leaves: what each input reaches. FOLDER is emptied
and gets those that reach the most that is new for their bytes, until nothing is new or a bound is
reached. An input is named by its checksum.
"""

import hashlib
import sys
from pathlib import Path

BYTES_PER_FILE = 256  # what a file costs besides its contents


def read_control(path):
    """Files in order, and what each reaches by its number."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    count = int(lines[0])
    files = lines[2 : 2 + count]  # behind how many of them stand in the first folder
    features = {}
    for line in lines[2 + count :]:
        kind, number, *values = line.split()
        if kind == "FT":
            features[int(number)] = frozenset(values)
    return files, features


def choose(files, features, max_bytes, max_inputs):
    contents = {number: Path(files[number]).read_bytes() for number in features}
    reached, chosen, total = set(), [], 0
    left = dict(features)
    while left and len(chosen) < max_inputs:
        gains = {number: len(new - reached) for number, new in left.items()}
        left = {number: new for number, new in left.items() if gains[number]}
        fitting = [n for n in left if total + len(contents[n]) <= max_bytes]
        if not fitting:
            break
        best = max(fitting, key=lambda n: (gains[n] / (BYTES_PER_FILE + len(contents[n])), -n))
        reached |= left.pop(best)
        total += len(contents[best])
        chosen.append(contents[best])
    return chosen


def main():
    control, folder, *bounds = sys.argv[1:]
    folder = Path(folder)
    files, features = read_control(control)
    chosen = choose(files, features, *map(int, bounds))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for content in chosen:
        (folder / hashlib.sha1(content).hexdigest()[:16]).write_bytes(content)
    print(f"{folder}: {len(chosen)} inputs, {sum(map(len, chosen))} bytes")


if __name__ == "__main__":
    main()
