"""Decodes every golden vector with plain msgpack, and encodes it again to the same bytes.

    python3 tests/python/check_golden.py tests/golden/messages.txt
"""

import sys

import taskpipe_wire as wire
from taskpipe_messages import MESSAGES

failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)


def read_vectors(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, frames = line.split(":", 1)
                yield name, [bytes.fromhex(frame) for frame in frames.split()]


def check_message(name, frames):
    message = wire.decode(frames)
    header = message.header
    expect(message.name == name.split()[0], f"{name}: decoded as {message.name}")
    again = wire.encode(message.name, message.body, header.correlation, header.session, header.flags)
    expect(again == frames, f"{name}: encodes to other bytes")
    check_truncation(name, frames)
    return message


def check_truncation(name, frames):
    """The independent decoder must not accept what the document says is to be refused."""
    for size in range(len(frames[1])):
        try:
            wire.decode([frames[0], frames[1][:size], *frames[2:]])
        except wire.ProtocolError:
            continue
        failures.append(f"{name}: accepted after {size} bytes")


def check_event(name, frames):
    event = wire.decode_events(frames)
    expect(wire.encode_events(*event) == frames, f"{name}: encodes to other bytes")


def check_payload(name, frames):
    if name.endswith("params"):
        params = wire.decode_params(frames[0])
        expect(params["name"] == "Poisson" and params["count"] == 300, f"{name}: {params}")
        expect(wire.encode_params(params) == frames[0], f"{name}: encodes to other bytes")
    else:
        report = wire.decode_report(frames[0])
        expect(report["node"] == "node-17" and report["value"] == {"answer": 42}, f"{name}: {report}")
        expect(wire.encode_report(report) == frames[0], f"{name}: encodes to other bytes")


def check_contents(seen):
    """A few fields by name: equal bytes alone would not notice two swapped names."""
    hello = seen["HELLO full"].body
    expect(hello["user"] == "ada" and hello["worker"]["slots"] == 8, "HELLO")
    expect(hello["worker"]["tools"][0]["scripts"][1]["name"] == "in.flow", "HELLO tools")
    submit = seen["SUBMIT full"]
    expect(submit.header.flags == wire.RESEND, "SUBMIT is not a resend")
    expect(submit.body["specs"][0]["resources"]["cpus"] == 4, "SUBMIT resources")
    expect(submit.body["specs"][0]["priority"] == -5, "SUBMIT priority")
    expect(submit.body["items"][1]["params"] == b"x" * 4097, "SUBMIT blob")
    done = seen["DONE full"].body["tasks"][0]
    expect(done["outcome"]["signal"] == 11 and done["worker"] == "node-17", "DONE")
    expect(done["submitted"] < done["started"] < done["finished"], "DONE times")
    expect(wire.decode_report(done["outcome"]["report"])["stderr_bytes"] == 17, "DONE report")
    progress = seen["PROGRESS full"].body["items"]
    expect(progress[0]["percent"] == 42.5 and progress[1]["percent"] is None, "PROGRESS")
    row = seen["ROWS full"].body["rows"][0]
    expect((row["owner"], row["exit_code"], row["percent"]) == ("ada", 3, 99.5), "ROWS")
    expect(row["attempts"][0]["outcome"]["signal"] == 11, "ROWS attempts")
    expect(seen["QUERY attempts"].body["with_attempts"] is True, "QUERY")
    expect(seen["KILL full"].body["items"][0]["grace_ms"] == 5000, "KILL")
    expect(seen["ERROR full"].body["retry_ms"] == 1000, "ERROR")


def main(path):
    seen = {}
    for name, frames in read_vectors(path):
        try:
            if name.startswith("EVENT "):
                check_event(name, frames)
            elif name.startswith("PAYLOAD "):
                check_payload(name, frames)
            else:
                seen[name] = check_message(name, frames)
        except Exception as failure:  # one bad vector must not hide the others
            failures.append(f"{name}: {failure!r}")
    expected = {f"{name} {kind}" for name, _ in MESSAGES.values() for kind in ("full", "minimal")}
    expect(expected <= set(seen), f"vectors are missing: {sorted(expected - set(seen))}")
    if not failures:
        check_contents(seen)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(seen)} messages, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
