"""The Peer of taskpipe_wire against a broker of a dozen lines: probe, WHO, HELLO, WELCOME."""

import sys
import threading

import zmq

import taskpipe_wire as wire

EPOCH, SESSION = 7, 99
WELCOME = {
    "version": 1,
    "session": SESSION,
    "broker": bytes(range(16)),
    "epoch": EPOCH,
    "heartbeat_ms": 2000,
    "lease_ms": 30000,
    "max_message_bytes": wire.MAX_FRAME,
    "max_batch_items": 256,
    "messages_total": 1,
    "bytes_total": 1,
}


def serve(router, seen):
    """Answers a probe, HELLO and PING, until it is pinged with 0 or nobody has come for 20 s."""
    while router.poll(20_000):
        routing, *frames = router.recv_multipart()
        if frames == [b""]:
            seen.append("probe")
            router.send_multipart([routing, *wire.encode("WHO", {"epoch": EPOCH})])
            continue
        name, header, body = wire.decode(frames)
        seen.append((name, header.session))
        if name == "HELLO":
            reply = wire.encode("WELCOME", WELCOME, header.correlation)
        else:
            reply = wire.encode("PONG", {"t": body["t"], "epoch": EPOCH}, header.correlation, SESSION)
        router.send_multipart([routing, *reply])
        if name == "PING" and body["t"] == 0:
            return


def main():
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    seen = []
    broker = threading.Thread(target=serve, args=(router, seen), daemon=True)
    broker.start()
    peer = wire.Peer(f"tcp://127.0.0.1:{port}")
    assert peer.handshake()["epoch"] == EPOCH
    assert peer.ask("PING", {"t": 5}, "PONG") == {"t": 5, "epoch": EPOCH}
    assert peer.ask("PING", {"t": 0}, "PONG")["t"] == 0
    broker.join(20)
    expected = ["probe", ("HELLO", 0), ("PING", SESSION), ("PING", SESSION)]
    assert seen == expected, seen
    peer.close()
    router.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
