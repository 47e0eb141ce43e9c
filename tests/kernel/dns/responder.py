"""A DNS server that misbehaves in the way the first label of a name asks for. Run as: responder.py ADDRESS [no-tcp|one-each]

no-tcp: nobody listens for TCP. one-each: a TCP connection is closed after one reply.

It prints "ready" when it listens. Real servers do what is right; this one is for what they can't be made to do.
"""
import os
import socket
import struct
import sys
import threading

import wire

HOST4, HOST6, OUTSIDE = "10.69.13.20", "fd69:13::20", "203.0.113.9"


def many(count):
    return [wire.address(wire.QUESTION, f"10.69.{14 + i // 250}.{1 + i % 250}") for i in range(count)]


def honest(number, name, kind):
    """What a good server says: HOST4 for A, and that there is no AAAA."""
    if kind == wire.A:
        return wire.reply(number, name, kind, [wire.address(wire.QUESTION, HOST4)])
    return wire.reply(number, name, kind, authority=[wire.soa("home.example")])


def datagrams(number, name, kind):
    """(delay, bytes) of each datagram to send back."""
    how = name.split(".")[0].split("-")[0]
    good = honest(number, name, kind)
    lie = wire.reply(number, name, wire.A, [wire.address(wire.QUESTION, OUTSIDE)])
    none = wire.reply(number, name, kind, authority=[wire.soa("home.example")])
    if how == "late":          # in time, but only just
        return [(1.0, good)]
    if how == "toolate":       # after the last try
        return [(9.0, good)]
    if how == "silent":
        return []
    if how in ("truncated", "many", "cut", "toomany"):
        return [(0, wire.reply(number, name, kind, truncated=True))]
    for text, rcode in (("servfail", wire.SERVFAIL), ("refused", wire.REFUSED), ("formerr", wire.FORMERR), ("notimp", wire.NOTIMP)):
        if how == text:
            return [(0, wire.reply(number, name, kind, rcode=rcode))]
    if how == "wrongid":
        return [(0, struct.pack(">H", number ^ 0x5A5A) + lie[2:])]
    if how == "wrongquestion":
        return [(0, wire.reply(number, "other.home.example", kind, [wire.address(wire.QUESTION, OUTSIDE)]))]
    if how == "wrongowner":    # the right question, and records about another name
        return [(0, wire.reply(number, name, kind, [wire.address("other.home.example", OUTSIDE)]))]
    if how == "forged":        # a flood of wrong ids and questions before the truth
        wrong = [struct.pack(">H", (number + i) & 0xFFFF) + lie[2:] for i in range(1, 20)]
        wrong.append(wire.reply(number, "other.home.example", kind, [wire.address(wire.QUESTION, OUTSIDE)]))
        return [(0, data) for data in wrong] + [(0.05, good)]
    if how == "noise":
        return [(0, os.urandom(200)), (0, b"\0" * 5), (0, b"\xff")]
    if how == "garbage":       # a proper head, then noise
        head = wire.reply(number, name, kind)
        return [(0, head[:6] + struct.pack(">H", 3) + head[8:] + b"\xc0\xff" * 40)]
    if how == "short":         # ends in the middle of a record
        return [(0, good[:-3])]
    if how == "outside":
        return [(0, lie if kind == wire.A else none)]
    if how == "loop":
        return [(0, wire.reply(number, name, kind, [wire.alias(name, "loop-b.home.example"), wire.alias("loop-b.home.example", name)]))]
    if how == "chain":
        answers = [wire.alias(wire.QUESTION, "one.home.example", 500), wire.alias("one.home.example", "two.home.example", 40)]
        if kind == wire.A:
            answers.append(wire.address("two.home.example", HOST4, 200))
        return [(0, wire.reply(number, name, kind, answers))]
    if how == "half":          # A answers, AAAA never does
        return [(0, good)] if kind == wire.A else []
    if how == "halffails":
        return [(0, good)] if kind == wire.A else [(0, wire.reply(number, name, kind, rcode=wire.SERVFAIL))]
    if how == "referral":
        return [(0, wire.reply(number, name, kind, authority=[wire.record("home.example", wire.NS, 60, wire.name("ns.other.example"))]))]
    if how == "gone":
        return [(0, wire.reply(number, name, kind, authority=[wire.soa("home.example")], rcode=wire.NXDOMAIN))]
    if how == "bare":
        return [(0, none)]
    return [(0, good)]


def stream(number, name, kind):
    how = name.split(".")[0].split("-")[0]
    if kind != wire.A:
        return honest(number, name, kind)
    if how == "truncated":
        return wire.reply(number, name, kind, [wire.address(wire.QUESTION, f"10.69.13.{i}") for i in range(100, 150)])
    if how == "many":
        return wire.reply(number, name, kind, many(4000))
    if how == "toomany":       # 10,000 don't fit into a message: what fits is marked as truncated
        return wire.reply(number, name, kind, many(4000), truncated=True)
    if how == "cut":
        return wire.reply(number, name, kind, [wire.address(wire.QUESTION, HOST4)], truncated=True)
    return honest(number, name, kind)


def serve_udp(listener):
    while True:
        data, peer = listener.recvfrom(4096)
        for delay, answer in datagrams(*wire.read_query(data)):
            if delay:
                threading.Timer(delay, listener.sendto, (answer, peer)).start()
            else:
                listener.sendto(answer, peer)


def serve_stream(connection, one_each):
    with connection:
        incoming = connection.makefile("rb")
        while True:
            head = incoming.read(2)
            if len(head) < 2:
                return
            answer = stream(*wire.read_query(incoming.read(struct.unpack(">H", head)[0])))
            connection.sendall(struct.pack(">H", len(answer)) + answer)
            if one_each:
                return


def serve_tcp(listener, one_each):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_stream, args=(connection, one_each), daemon=True).start()


def main():
    where, tcp_way = (sys.argv[1], 53), (sys.argv[2:] or ["many-each"])[0]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(where)
    if tcp_way != "no-tcp":
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(where)
        tcp.listen(64)
        threading.Thread(target=serve_tcp, args=(tcp, tcp_way == "one-each"), daemon=True).start()
    print("ready", flush=True)
    serve_udp(udp)


if __name__ == "__main__":
    main()
