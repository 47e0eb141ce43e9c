"""Just enough of the DNS wire format (RFC 1035) to ask, to answer, and to answer wrongly."""
import ipaddress
import struct

A, NS, CNAME, SOA, AAAA = 1, 2, 5, 6, 28
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


def name(text):
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def query(number, text, kind):
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + name(text) + struct.pack(">2H", kind, 1)


def read_query(data):
    """(id, name, type) of a query; without compression, as queries are."""
    number = struct.unpack(">H", data[:2])[0]
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return number, ".".join(labels).lower(), struct.unpack(">H", data[at + 1:at + 3])[0]


def record(owner, kind, ttl, data):
    """`owner` as text, or as bytes that are already encoded (a pointer)."""
    owner = owner if isinstance(owner, bytes) else name(owner)
    return owner + struct.pack(">2HIH", kind, 1, ttl, len(data)) + data


def address(owner, text, ttl=300):
    ip = ipaddress.ip_address(text)
    return record(owner, A if ip.version == 4 else AAAA, ttl, ip.packed)


def alias(owner, target, ttl=300):
    return record(owner, CNAME, ttl, name(target))


def soa(zone, ttl=900, minimum=60):
    return record(zone, SOA, ttl, name("ns." + zone) + name("root." + zone) + struct.pack(">5I", 1, 2, 3, 4, minimum))


QUESTION = b"\xc0\x0c"  # a pointer to the name of the question


def reply(number, text, kind, answers=(), authority=(), rcode=NOERROR, truncated=False):
    flags = 0x8180 | rcode | (0x0200 if truncated else 0)
    head = struct.pack(">6H", number, flags, 1, len(answers), len(authority), 0)
    return head + name(text) + struct.pack(">2H", kind, 1) + b"".join(answers) + b"".join(authority)
