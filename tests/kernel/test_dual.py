"""ipv6 = "dual" on a gateway that judges everything (scope "host", output judged too), over Ethernet: TCP, UDP and
ping in both families, neighbour discovery, and the ICMP errors that path MTU discovery and closed ports live by.

    client --wg0-- gw --lan0-- router --narrow (MTU 1280)-- server

The link to the client is called wg0 and stands for the tunnel, so that its neighbours must be discovered too."""

import errno
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, equal, ran, run, skipped  # noqa: E402
from spaces import Spaces, needs  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LISTENERS = os.path.join(HERE, "..", "lab", "listeners.py")
SERVER = {4: "10.69.14.20", 6: "fd69:14::20"}
GATEWAY = {4: "10.69.50.2", 6: "fd69:50::2"}
CLIENT = {4: "10.69.50.11", 6: "fd69:50::11"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IPV6_MTU_DISCOVER = 10, 2, 23

POLICY = """
version = 1
ipv6 = "dual"

[networks]
home = ["10.69.13.0/24", "fd69:13::/64", "10.69.14.0/24", "fd69:14::/64"]

[nodes.gw]
role      = "gateway"
address   = ["10.69.50.2", "fd69:50::2"]
interface = "wg0"
serves    = ["home"]
scope     = "host"
output    = ["router:7000/udp", "router:ping"]
input.ssh  = { from = ["client"] }
input.ping = { from = ["client"] }
input.late = { from = ["home"], ports = ["7100/udp"] }

[nodes.client]
address = ["10.69.50.11", "fd69:50::11"]

[services]
web    = { host = "server.home.example", ports = [80, "ping"] }
media  = { host = "server.home.example", ports = ["5000/udp", "5001/udp"] }
router = { host = "router.home.example", ports = ["7000/udp"] }

[tiers.vpn]
who   = ["client"]
allow = ["web", "media"]
"""

LOCK = """version = 1

[names."router.home.example"]
addresses = ["10.69.13.1", "fd69:13::1"]
ttl = 60
resolved = "2026-01-01T00:00:00Z"

[names."server.home.example"]
addresses = ["10.69.14.20", "fd69:14::20"]
ttl = 60
resolved = "2026-01-01T00:00:00Z"
"""


class Network:
    def __init__(self):
        self.spaces = Spaces()
        self.directory = tempfile.TemporaryDirectory(prefix="policyc-dual-")
        self.policy = os.path.join(self.directory.name, "policy.toml")
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.spaces.close()
        self.directory.cleanup()

    def build(self):
        spaces = self.spaces
        spaces.add("client", "gw", "router", "server")
        for name in ("client", "gw", "router", "server"):
            spaces.sysctl(
                name,
                ipv4__ip_forward=1,
                ipv6__conf__all__forwarding=1,
                ipv6__conf__default__accept_dad=0,
                ipv4__icmp_ratelimit=0,
                ipv6__icmp__ratelimit=0,
            )
        spaces.link("client", "wg0", "gw", "wg0")
        spaces.link("gw", "lan0", "router", "lan0")
        spaces.link("router", "narrow", "server", "narrow")
        wires = {
            "client": {"wg0": ("10.69.50.11/24", "fd69:50::11/64")},
            "gw": {"wg0": ("10.69.50.2/24", "fd69:50::2/64"), "lan0": ("10.69.13.2/24", "fd69:13::2/64")},
            "router": {"lan0": ("10.69.13.1/24", "fd69:13::1/64"), "narrow": ("10.69.14.1/24", "fd69:14::1/64")},
            "server": {"narrow": ("10.69.14.20/24", "fd69:14::20/64")},
        }
        routes = {"client": ("10.69.50.2", "fd69:50::2"), "gw": ("10.69.13.1", "fd69:13::1")}
        routes |= {"router": ("10.69.13.2", "fd69:13::2"), "server": ("10.69.14.1", "fd69:14::1")}
        for name, interfaces in wires.items():
            lines = ["link set lo up"]
            for interface, addresses in interfaces.items():
                lines += [f"link set {interface} up"] + (["link set narrow mtu 1280"] if interface == "narrow" else [])
                lines += [f"address add {addresses[0]} dev {interface}", f"address add {addresses[1]} dev {interface} nodad"]
            spaces.ip(name, *lines, *(f"route add default via {via}" for via in routes[name]))
        # As a tunnel's: smaller than what the client, who is told nothing, believes.
        spaces.ip("gw", "link set wg0 mtu 1400")
        started = []
        ports = {"server": ["80", "81", "5000/udp"], "gw": ["22", "80", "7100/udp"], "router": ["7000/udp", "7001/udp"]}
        for name, listed in ports.items():
            command = [sys.executable, LISTENERS, "46", *listed]
            started.append(spaces.start(name, *command, stdout=subprocess.PIPE, text=True))
        for process in started:
            equal(process.stdout.readline(), "ready\n", "a listener")
        with open(self.policy, "w") as file:
            file.write(POLICY)
        with open(os.path.join(self.directory.name, "policy.lock"), "w") as file:
            file.write(LOCK)

    def apply(self):
        binary = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
        command = [binary, "--node", "gw", "--state-dir", f"{self.directory.name}/state", "apply", self.policy, "--offline"]
        ran(self.spaces.run("gw", *command), 0, "apply")

    def connects(self, name, host, port, timeout=0.5):
        with self.spaces.socket(name, FAMILY[6 if ":" in host else 4], timeout=timeout) as made:
            try:
                made.connect((host, port))
                return True
            except OSError:
                return False

    def datagram(self, name, host, port, size=10, timeout=0.5):
        """The answer to a datagram; an error that ICMP brought as its errno; None for silence. Never fragmented on the way."""
        version = 6 if ":" in host else 4
        with self.spaces.socket(name, FAMILY[version], socket.SOCK_DGRAM, timeout) as made:
            if version == 4:
                made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
            else:
                made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DO)
            try:
                made.connect((host, port))
                made.send(b"x" * size)
                return made.recv(4096)
            except TimeoutError:
                return None
            except OSError as error:
                return error.errno

    def ping(self, name, host):
        return self.spaces.run(name, "ping", "-n", "-c", "1", "-W", "1", host).returncode == 0

    def forget_neighbours(self):
        for name in ("client", "gw", "router"):
            self.spaces.run(name, "ip", "neigh", "flush", "all", check=True)
            self.spaces.run(name, "ip", "-6", "neigh", "flush", "all", check=True)

    def forget_path_mtu(self):
        for name in ("client", "gw"):
            for family in ("-4", "-6"):
                self.spaces.run(name, "ip", family, "route", "flush", "cache", check=True)


def in_both(test):
    for version in (4, 6):
        test(version)


# ---- the cases -----------------------------------------------------------------------------------------------------


def without_rules_everything_is_open(network):
    def test(v):
        for name, host, port in (("client", SERVER[v], 80), ("client", SERVER[v], 81), ("client", GATEWAY[v], 80)):
            check(network.connects(name, host, port, 3), f"{name} does not reach {host}:{port}")
        equal(network.datagram("client", SERVER[v], 5000, timeout=3), b"x" * 10, "UDP")
        check(network.ping("client", SERVER[v]), "no ping")

    in_both(test)
    network.apply()


def tcp_is_what_the_policy_says(network):
    def test(v):
        check(network.connects("client", SERVER[v], 80, 3), f"no way to web, IPv{v}")
        check(not network.connects("client", SERVER[v], 81), f"another port is open, IPv{v}")
        check(not network.connects("server", CLIENT[v], 80), f"the server reaches the client, IPv{v}")
        check(network.connects("client", GATEWAY[v], 22, 3), f"no ssh, IPv{v}")
        check(not network.connects("client", GATEWAY[v], 80), f"another port of the gateway is open, IPv{v}")
        check(not network.connects("router", {4: "10.69.13.2", 6: "fd69:13::2"}[v], 22), f"ssh is open to the house, IPv{v}")

    in_both(test)


def udp_is_what_the_policy_says(network):
    def test(v):
        router = {4: "10.69.13.1", 6: "fd69:13::1"}[v]
        near = {4: "10.69.13.2", 6: "fd69:13::2"}[v]
        equal(network.datagram("client", SERVER[v], 5000, timeout=3), b"x" * 10, f"the echo of a datagram, IPv{v}")
        equal(network.datagram("client", SERVER[v], 5002), None, f"a datagram to another port, IPv{v}")
        equal(network.datagram("gw", router, 7000, timeout=3), b"x" * 10, f"what output allows, IPv{v}")
        check(network.datagram("gw", router, 7001) in (None, errno.EPERM), f"the gateway sends what output does not hold, IPv{v}")
        equal(network.datagram("router", near, 7100, timeout=3), b"x" * 10, f"what input allows, IPv{v}")

    in_both(test)


def ping_is_what_the_policy_says(network):
    def test(v):
        check(network.ping("client", SERVER[v]), f"no answer from the server, IPv{v}")
        check(network.ping("client", GATEWAY[v]), f"no answer from the gateway, IPv{v}")
        check(network.ping("gw", {4: "10.69.13.1", 6: "fd69:13::1"}[v]), f"the gateway may not ping the router, IPv{v}")
        check(not network.ping("client", {4: "10.69.13.1", 6: "fd69:13::1"}[v]), f"the router answers the client, IPv{v}")
        check(not network.ping("server", CLIENT[v]), f"the client answers the server, IPv{v}")
        check(not network.ping("router", {4: "10.69.13.2", 6: "fd69:13::2"}[v]), f"the gateway answers the router, IPv{v}")

    in_both(test)


def neighbours_are_discovered(network):
    def test(v):
        network.forget_neighbours()
        check(network.connects("client", SERVER[v], 80, 5), f"no way from the client once neighbours are forgotten, IPv{v}")
        network.forget_neighbours()
        router = {4: "10.69.13.1", 6: "fd69:13::1"}[v]
        equal(network.datagram("gw", router, 7000, timeout=5), b"x" * 10, f"from the gateway once neighbours are forgotten, IPv{v}")

    in_both(test)


def closed_ports_say_so(network):
    """5001/udp of the server is allowed, and nothing listens: "port unreachable" comes back as an error about a
    tracked flow."""

    def test(v):
        equal(network.datagram("client", SERVER[v], 5001, timeout=3), errno.ECONNREFUSED, f"a datagram to a closed port, IPv{v}")

    in_both(test)


def path_mtu_is_discovered(network):
    """A datagram of 1,300 bytes is too big behind the router, which says so to the client, through the gateway."""

    def test(v):
        network.forget_path_mtu()
        first = network.datagram("client", SERVER[v], 5000, 1300, 1)
        check(first in (None, errno.EMSGSIZE), f"a big datagram came through: {first!r}, IPv{v}")
        time.sleep(0.1)
        equal(network.datagram("client", SERVER[v], 5000, 1300, 1), errno.EMSGSIZE, f"the second big datagram, IPv{v}")
        equal(network.datagram("client", SERVER[v], 5000, 1200, 3), b"x" * 1200, f"a smaller datagram, IPv{v}")

    in_both(test)


def segments_are_made_to_fit_the_tunnel(network):
    """The client's SYN says 1460 (1440), and arrives with what fits into the MTU of the gateway's wg0."""
    for v, wanted in ((4, 1400 - 40), (6, 1400 - 60)):
        with open_raw(network, "server", v, socket.IPPROTO_TCP) as seen:
            check(network.connects("client", SERVER[v], 80, 3), f"no way to web, IPv{v}")
            syn = seen.recv(4096)
        segment = syn[20:] if v == 4 else syn
        equal((segment[13], segment[20:22]), (2, b"\x02\x04"), "flags and first option of the first segment")
        equal(struct.unpack(">H", segment[22:24])[0], wanted, f"maximum segment size at the server, IPv{v}")


def errors_about_nothing_are_denied(network):
    """An ICMP error that quotes no flow of ours does not reach the client."""
    for v in (4, 6):
        kind = socket.IPPROTO_ICMP if v == 4 else socket.IPPROTO_ICMPV6
        with open_raw(network, "client", v, kind) as seen:
            while receive(seen):
                pass
            with open_raw(network, "server", v, kind) as sender:
                quoted = quote(v)
                header = struct.pack(">BBHI", 3 if v == 4 else 1, 3 if v == 4 else 4, 0, 0)
                body = header + quoted
                if v == 4:
                    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
                sender.sendto(body, (CLIENT[v], 0))
            check(not receive(seen, b"nobody asked"), f"an error about no flow arrives, IPv{v}")


def open_raw(network, name, version, protocol):
    with network.spaces.inside(name):
        made = socket.socket(FAMILY[version], socket.SOCK_RAW, protocol)
    made.settimeout(0.3)
    return made


def receive(seen, text=b""):
    try:
        return text in seen.recv(4096)
    except TimeoutError:
        return False


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def quote(version):
    """The beginning of a UDP packet from the client to the server that was never sent."""
    udp = struct.pack(">HHHH", 40000, 5000, 20, 0) + b"nobody asked"
    source, destination = (socket.inet_pton(FAMILY[version], a[version]) for a in (CLIENT, SERVER))
    if version == 4:
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 63, 17, 0) + source + destination
        return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + udp
    return struct.pack(">IHBB", 6 << 28, len(udp), 17, 63) + source + destination + udp


CASES = [
    without_rules_everything_is_open,
    tcp_is_what_the_policy_says,
    udp_is_what_the_policy_says,
    ping_is_what_the_policy_says,
    neighbours_are_discovered,
    closed_ports_say_so,
    segments_are_made_to_fit_the_tunnel,
    path_mtu_is_discovered,
    errors_about_nothing_are_denied,
]


def main():
    why = needs("nft", "ip", "ping", "nsenter", "unshare")
    if why:
        return skipped(why)
    network = Network()
    try:
        return run(CASES, network)
    finally:
        network.close()


if __name__ == "__main__":
    sys.exit(main())
