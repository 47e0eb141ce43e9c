"""The server's own pace: sends A and AAAA of every name on stdin, a window of them at a time, and counts the replies. Run as: blast.py ADDRESS"""
import select
import socket
import sys
import time

import wire

WINDOW = 100


def main():
    queries = [(name, kind) for name in sys.stdin.read().split() for kind in (wire.A, wire.AAAA)]
    packets = [wire.query(i & 0xFFFF, name, kind) for i, (name, kind) in enumerate(queries)]
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.connect((sys.argv[1], 53))
    connection.setblocking(False)
    begin = time.monotonic()
    sent = received = 0
    while received < len(packets):
        while sent < len(packets) and sent - received < WINDOW:
            connection.send(packets[sent])
            sent += 1
        if not select.select([connection], [], [], 5)[0]:
            sys.exit(f"{sent - received} queries were not answered")
        try:
            while True:
                connection.recv(4096)
                received += 1
        except BlockingIOError:
            pass
    print(time.monotonic() - begin)


if __name__ == "__main__":
    main()
