"""One end of a stream of numbered datagrams: traffic.py send ADDRESS PORT | receive PORT. Runs until its stdin closes, and says then how
many it sent and how many different ones came back, or how many different ones came. The receiver sends each back, so that both
directions of the flow are judged all the time; with `quiet` behind the words of both it doesn't, and the flow stays one that connection
tracking is not sure of."""

import contextlib
import select
import socket
import struct
import sys
import time

BURST, WINDOW = 32, 300  # datagrams at once, and on their way
PAUSE = 0.0005  # seconds between bursts that nobody answers
SO_RCVBUFFORCE = 33


def made():
    it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    it.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    it.setblocking(False)
    return it


def told_to_stop():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def drain(it):
    """What is there, and what it came from."""
    while True:
        try:
            yield it.recvfrom(64)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error about one of them
            continue


def number(data):
    return struct.unpack("!I", data)[0]


def send(address, port, quiet):
    it = made()
    it.connect((address, port))
    sent = last = 0
    seen = set()
    while not told_to_stop():
        if quiet or sent - last < WINDOW:
            for _ in range(BURST):
                with contextlib.suppress(OSError):
                    it.send(struct.pack("!I", sent))
                sent += 1
            if quiet:
                time.sleep(PAUSE)
        else:
            select.select([it, sys.stdin], [], [], 0.1)
        for data, _ in drain(it):
            last = number(data)
            seen.add(last)
    end = time.monotonic() + 2
    while not quiet and len(seen) < sent and time.monotonic() < end:
        select.select([it], [], [], 0.1)
        seen.update(number(data) for data, _ in drain(it))
    print(sent, len(seen), flush=True)


def receive(port, quiet):
    it = made()
    it.bind(("0.0.0.0", port))
    print("ready", flush=True)
    seen = set()
    while not told_to_stop():
        select.select([it, sys.stdin], [], [], 1)
        for data, source in drain(it):
            seen.add(number(data))
            if not quiet:
                it.sendto(data, source)
    print(len(seen), flush=True)


if __name__ == "__main__":
    hushed = sys.argv[-1] == "quiet"
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), hushed)
    else:
        receive(int(sys.argv[2]), hushed)
