"""What stands beside the table at the devices, in bridges, in ARP, what answers in the place of servers, and routes that packets bring along: packets show what it can do, and verify, apply and diff say so."""

import ctypes
import json
import os
import platform
import socket
import struct
import sys
import tempfile
import time
from contextlib import closing, contextmanager

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, equal, ran, run, skipped  # noqa: E402
from spaces import Spaces, needs  # noqa: E402

POLICY = """version = 1
networks.home = ["10.69.13.0/24"]
nodes.gw = { role = "gateway", address = "10.69.50.2", interface = "wg0", serves = ["home"] }
nodes.laptop = { address = "10.69.50.11" }
nodes.phone = { address = "10.69.50.12" }
tiers.vpn = { who = ["laptop"], allow = ["10.69.13.20:8000/udp", "gw:8002/udp", "10.69.13.1:8003/udp"] }
"""
LAPTOP, PHONE, SERVER, OTHER = "10.69.50.11", "10.69.50.12", "10.69.13.20", "10.69.13.21"
GATEWAY, AT_HOME = "10.69.50.2", "10.69.13.1"
LOOSE, STRICT = 0x83, 0x89  # IPOPT_LSRR, IPOPT_SSRR
HOLDS, FAILS = "gw: the kernel does what ", "gw: the kernel does not do what "
FRAME_OF_ALL = 3  # ETH_P_ALL


class House:
    """A client with two addresses, a gateway with a policy, and a server with two addresses and an ear."""

    def __init__(self, spaces, folder):
        self.spaces, self.folder = spaces, folder
        spaces.add("client", "gw", "server")
        spaces.link("client", "eth0", "gw", "wg0")
        spaces.link("server", "eth0", "gw", "lan0")
        spaces.ip("gw", "link set lo up", "link set wg0 up", "link set lan0 up", "address add 10.69.50.2/24 dev wg0", "address add 10.69.13.1/24 dev lan0")
        spaces.ip("client", "link set lo up", "link set eth0 up", f"address add {LAPTOP}/24 dev eth0", f"address add {PHONE}/24 dev eth0", "route add default via 10.69.50.2")
        spaces.ip("server", "link set lo up", "link set eth0 up", f"address add {SERVER}/24 dev eth0", f"address add {OTHER}/24 dev eth0", "route add default via 10.69.13.1")
        spaces.sysctl("gw", ipv4__ip_forward=1)
        self.ear = spaces.socket("server", socket.AF_PACKET, socket.SOCK_DGRAM, 0.01)
        self.ear.bind(("eth0", FRAME_OF_ALL))
        self.server_link = json.loads(spaces.run("server", "ip", "-j", "link", "show", "eth0", check=True).stdout)[0]["address"]
        self.path = os.path.join(folder, "policy.toml")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(POLICY)
        ran(self.policyc("apply", "--offline"), 0, "apply")

    def policyc(self, verb, *words):
        return self.spaces.run("gw", os.path.join(os.environ["POLICYC_BUILD"], "policyc"), "--node", "gw", "--state-dir", os.path.join(self.folder, "state"), verb, self.path, *words)

    @contextmanager
    def loaded(self, table, text):
        done = self.spaces.run("gw", "nft", "-f", "-", input=f"table {table} {{\n{text}\n}}\n".replace("; }", ";\n}\n"))
        check(done.returncode == 0, f"nft: {done.stderr}\n{text}")
        try:
            yield
        finally:
            self.spaces.run("gw", "nft", "delete", "table", *table.split(), check=True)

    def arrives(self, source, to, port, kind=socket.SOCK_DGRAM, via=None, option=LOOSE):
        """What comes to the server of a packet, which may go by way of another host: (from, to, protocol, port) of each that is addressed to it."""
        drain(self.ear)
        with self.spaces.socket("client", kind=kind) as it:
            if via:
                go_by_way_of(via, it, option)
            it.bind((source, 0))
            it.setblocking(False)
            it.connect_ex((to, port))
            if kind == socket.SOCK_DGRAM:
                it.send(b"hello")
            end = time.monotonic() + 0.4
            seen = set()
            while time.monotonic() < end and not seen:
                seen |= {one for one in drain(self.ear) if one[3] == port}
        return seen

    def beside(self):
        """The exit status of verify, and what it says of others: effect and words."""
        done = self.policyc("verify", "--format", "json")
        record = json.loads(done.stdout)
        equal(record["table"], "as compiled", "the table")
        words = self.policyc("verify")
        equal(words.returncode, done.returncode, "exit status of verify in words")
        check((HOLDS if done.returncode == 0 else FAILS) in words.stdout, words.stdout)
        for one in record["beside"]:
            check(one["what"] in words.stdout and one["why"] in words.stdout, f"{one} is not in\n{words.stdout}")
        return done.returncode, [(one["effect"], one["what"]) for one in record["beside"]]


def go_by_way_of(via, sender, option=LOOSE):
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, struct.pack("!BBB4sx", option, 7, 4, socket.inet_aton(via)))


def drain(ear):
    """Those of the packets that came which are IPv4, TCP or UDP, and addressed to this host on the link."""
    found = set()
    while True:
        try:
            packet, (_, protocol, kind, *_) = ear.recvfrom(2048)
        except (BlockingIOError, TimeoutError):
            return found
        if protocol == 0x0800 and kind == socket.PACKET_HOST and packet[9] in (6, 17):
            port = struct.unpack_from("!H", packet, (packet[0] & 15) * 4 + 2)[0]
            found.add((socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), packet[9], port))


def without_others(house):
    equal(house.beside(), (0, []), "nothing beside it")
    equal(house.arrives(LAPTOP, SERVER, 8000), {(LAPTOP, SERVER, 17, 8000)}, "what the policy allows")
    for source, port in ((PHONE, 8000), (LAPTOP, 8001)):
        equal(house.arrives(source, SERVER, port), set(), "what the policy denies")
    equal(house.arrives(LAPTOP, SERVER, 8001, socket.SOCK_STREAM), set(), "what the policy denies")


def what_carries_packets_past_the_policy_is_found(house):
    link = house.server_link
    for rules, probe, comes, words in (
        (f'type filter hook ingress device "wg0" priority 0; udp dport 8001 fwd ip to {SERVER} device "lan0";', (LAPTOP, 8001), (LAPTOP, SERVER, 17, 8001),
         "sends packets out through another interface (ingress hook of wg0)"),
        (f'type filter hook ingress device "wg0" priority 0; udp dport 8001 ether daddr set {link} fwd to "lan0";', (LAPTOP, 8001), (LAPTOP, SERVER, 17, 8001),
         "sends packets out through another interface (ingress hook of wg0)"),
        (f'type filter hook ingress device "wg0" priority 0; udp dport 8001 ether daddr set {link} dup to "lan0";', (PHONE, 8001), (PHONE, SERVER, 17, 8001),
         "sends packets out through another interface (ingress hook of wg0)"),
        (f'type filter hook ingress device "wg0" priority 0; ip saddr {PHONE} ip saddr set {LAPTOP};', (PHONE, 8000), (LAPTOP, SERVER, 17, 8000),
         "writes addresses or ports into packets (ingress hook of wg0)"),
        (f'type filter hook egress device "lan0" priority 0; ip daddr {SERVER} ip daddr set {OTHER};', (LAPTOP, 8000), (LAPTOP, OTHER, 17, 8000),
         "writes addresses or ports into packets (egress hook of lan0)"),
    ):  # fmt: skip
        source, port = probe
        with house.loaded("netdev x", f"chain c {{ {rules} }}"):
            equal(house.arrives(source, SERVER, port), {comes}, rules)
            status, beside = house.beside()
            check(("widens", f"chain c of table netdev x {words}") in beside, f"{rules}: {beside}")
            equal(status, 1, f"{rules}: exit status")
            done = ran(house.policyc("apply", "--offline"), 0, "apply")
            check(f"warning: chain c of table netdev x {words}" in done.stderr, done.stderr)
        equal(house.beside(), (0, []), "nothing beside it any more")


def what_answers_for_servers_is_found(house):
    house.spaces.sysctl("gw", netfilter__nf_conntrack_tcp_loose=0)
    begin = "type filter hook forward priority -200; tcp dport 8001 ct state { invalid, untracked }"
    early = "chain early { type filter hook prerouting priority raw; tcp dport 8001 tcp flags syn notrack; }"
    for what in (f"chain c {{ {begin} synproxy mss 1460 wscale 7; }}", f"synproxy s {{\nmss 1460\nwscale 7\n}}\nchain c {{ {begin} synproxy name s; }}"):
        with house.loaded("ip x", f"{what} {early}"):
            equal(house.arrives(LAPTOP, SERVER, 8001, socket.SOCK_STREAM), {(LAPTOP, SERVER, 6, 8001)}, "a SYN to a server that the policy denies")
            status, beside = house.beside()
            check(("widens", "chain c of table ip x begins sessions in the name of others (synproxy) (forward hook)") in beside, beside)
            equal(status, 1, "exit status")


def what_refuses_is_named(house):
    for table, rules, expected in (
        ("netdev x", 'type filter hook ingress device "wg0" priority 0; policy drop;', [("narrows", "chain c of table netdev x drops what it does not accept itself (ingress hook of wg0)")]),
        ("netdev x", "type filter hook ingress devices = { wg0, lan0 } priority 0; jump d;", [("narrows", "chain c of table netdev x has a rule that refuses (ingress hook of lan0, wg0, in chain d)")]),
        ("netdev x", 'type filter hook egress device "lan0" priority 0; policy drop;', [("narrows", "chain c of table netdev x drops what it does not accept itself (egress hook of lan0)")]),
        ("netdev x", 'type filter hook ingress device "wg0" priority 0; meta pkttype set other;', [("narrows", "chain c of table netdev x changes which packets this host takes or bridges (ingress hook of wg0)")]),
        ("bridge x", "type filter hook forward priority 0; policy drop;", [("narrows", "chain c of table bridge x drops what it does not accept itself (forward hook)")]),
        ("bridge x", "type filter hook prerouting priority 0; meta pkttype set host;", [("narrows", "chain c of table bridge x changes which packets this host takes or bridges (prerouting hook)")]),
        ("arp x", "type filter hook input priority 0; policy drop;", [("narrows", "chain c of table arp x drops what it does not accept itself (input hook)")]),
        ("arp x", "type filter hook output priority 0; arp operation reply drop;", [("narrows", "chain c of table arp x has a rule that refuses (output hook)")]),
        ("netdev x", 'type filter hook ingress device "wg0" priority 0; meta mark set 7; ip dscp set cs1; accept;', []),
        ("netdev x", 'type filter hook ingress device "wg0" priority 0; policy drop;\n}\nflags dormant;\nchain e {\ncounter;', []),
    ):  # fmt: skip
        with house.loaded(table, f"chain c {{ {rules} }} chain d {{ drop; }}"):
            equal(house.beside(), (0, expected), f"{table}: {rules}")
            goes = not table.startswith("netdev") or not expected
            equal(house.arrives(LAPTOP, SERVER, 8000), {(LAPTOP, SERVER, 17, 8000)} if goes else set(), f"{rules}: what the policy allows")


def what_writes_into_bridged_frames_and_into_arp_is_found(house):
    for table, rules in (("bridge x", "type filter hook prerouting priority 0; ip saddr set 10.69.50.11;"), ("bridge x", f"type filter hook output priority 0; ether daddr set {house.server_link};"),
                         ("arp x", "type filter hook input priority 0; arp saddr ip set 10.69.13.20;")):  # fmt: skip
        with house.loaded(table, f"chain c {{ {rules} }}"):
            hook = rules.split()[3]
            equal(house.beside(), (1, [("widens", f"chain c of table {table} writes addresses or ports into packets ({hook} hook)")]), rules)


def diff_names_the_devices(house):
    drops = 'chain c { type filter hook ingress device "wg0" priority 0; policy drop; }'
    copies = 'chain e { type filter hook egress device "lan0" priority 0; dup to "wg0"; }'
    with house.loaded("netdev x", drops + copies):
        done = ran(house.policyc("diff", "--format", "json"), 0, "diff")
        equal([(one["chain"], one["hook"], one.get("devices"), one.get("policy"), one.get("effect")) for one in json.loads(done.stdout)["foreign_chains"]],
              [("c", "ingress", ["wg0"], "drop", None), ("e", "egress", ["lan0"], None, "widens")], "the record")  # fmt: skip
        words = ran(house.policyc("diff"), 0, "diff").stderr
        check("note: chain c of table netdev x drops what it does not accept itself (ingress hook of wg0): " in words, words)
        check("warning: chain e of table netdev x sends packets out through another interface (egress hook of lan0): " in words, words)


def programs_at_the_tunnel_are_named(house):
    def seen(words):
        for verb in (("diff",), ("apply", "--offline")):
            told = ran(house.policyc(*verb), 0, verb[0]).stderr
            check(f"warning: {words}: " in told, f"{verb[0]} does not say it:\n{told}")
        return (1, [("widens", words)])

    run_in = house.spaces.run
    run_in("gw", "tc", "qdisc", "add", "dev", "wg0", "clsact", check=True)
    equal(house.beside(), (0, []), "a qdisc without filters")
    for side in ("ingress", "egress"):
        run_in("gw", "tc", "filter", "add", "dev", "wg0", side, "protocol", "ip", "prio", "1", "u32", "match", "u32", "0", "0", "flowid", ":1", check=True)
        equal(house.beside(), seen("tc filters see what passes wg0 before or after all chains"), side)
        run_in("gw", "tc", "filter", "delete", "dev", "wg0", side, check=True)
    run_in("gw", "tc", "qdisc", "delete", "dev", "wg0", "clsact", check=True)
    run_in("gw", "tc", "qdisc", "add", "dev", "lan0", "ingress", check=True)
    run_in("gw", "tc", "filter", "add", "dev", "lan0", "ingress", "protocol", "ip", "prio", "1", "u32", "match", "u32", "0", "0", "flowid", ":1", check=True)
    equal(house.beside(), (0, []), "filters of another interface")
    run_in("gw", "tc", "qdisc", "delete", "dev", "lan0", "ingress", check=True)
    if why := attach_xdp(house.spaces):
        return f"SKIPPED: XDP: {why}"
    equal(house.beside(), seen("XDP programs see what comes in through wg0 before all chains"), "XDP")
    return None


def heard(house, to, port, via):
    """Whether what laptop sends comes to a socket of the gateway itself."""
    with house.spaces.socket("gw", kind=socket.SOCK_DGRAM, timeout=0.3) as ear, house.spaces.socket("client", kind=socket.SOCK_DGRAM) as it:
        ear.bind((to, port))
        it.bind((LAPTOP, 0))
        if via:
            go_by_way_of(via, it)
        it.sendto(b"hello", (to, port))
        try:
            return ear.recv(64) == b"hello"
        except TimeoutError:
            return False


def routes_that_packets_bring_along_are_named(house):
    def accept(**interfaces):
        house.spaces.sysctl("gw", **{f"ipv4__conf__{name}__accept_source_route": value for name, value in interfaces.items()})

    def goes(port, via, **more):
        return house.arrives(LAPTOP, SERVER, port, via=via, **more) == {(LAPTOP, SERVER, 17, port)}

    words = "net.ipv4.conf.all.accept_source_route is on, as it is for "
    for everywhere, tunnel, lan, named in ((0, 1, 1, None), (1, 0, 0, None), (1, 1, 1, "wg0, lan0"), (1, 1, 0, "wg0"), (1, 0, 1, "lan0"), (0, 1, 1, None)):
        accept(all=everywhere, wg0=tunnel, lan0=lan)
        what = f"all={everywhere} wg0={tunnel} lan0={lan}"
        equal(house.beside(), (1, [("widens", words + named)]) if named else (0, []), what)
        for verb in (("apply", "--offline"), ("diff",)):
            told = ran(house.policyc(*verb), 0, verb[0]).stderr
            equal(told.count("accept_source_route is on"), 1 if named else 0, f"{what}: {verb[0]} says {told}")
            check(not named or (f"warning: {words}{named}: " in told and "`sysctl -w net.ipv4.conf.all.accept_source_route=0`" in told), told)
        # The policy denies the server at these ports, and allows the gateway's addresses at them.
        hole = bool(everywhere and tunnel)
        equal(goes(8002, GATEWAY), hole, f"{what}: by way of the address in the tunnel")
        equal(goes(8003, AT_HOME), hole, f"{what}: by way of the address at home")
        equal(goes(8002, GATEWAY, option=STRICT), hole, f"{what}: strictly, by way of the address in the tunnel")
        check(goes(8000, None), f"{what}: what the policy allows")
        for to, via, port in ((AT_HOME, GATEWAY, 8002), (GATEWAY, AT_HOME, 8003)):
            equal(heard(house, to, port, via), hole, f"{what}: {to}:{port} of the gateway by way of {via}")
        if hole:
            check(not goes(8002, None) and not goes(8003, None) and not goes(8001, GATEWAY), f"{what}: what the policy denies")
            equal([heard(house, AT_HOME, 8002, None), heard(house, GATEWAY, 8003, None)], [False, False], f"{what}: what it denies of the gateway")


def attach_xdp(spaces):
    """A program that lets all pass. Returns why there is none."""
    number = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
    if number is None:
        return "no number of bpf(2) for this machine"
    xdp, xdp_pass = 6, 2
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, xdp_pass, 0x95, 0, 0, 0))
    license_ = ctypes.create_string_buffer(b"GPL")
    attributes = ctypes.create_string_buffer(struct.pack("=IIQQ", xdp, 2, ctypes.addressof(code), ctypes.addressof(license_)), 72)
    libc = ctypes.CDLL(None, use_errno=True)
    program = libc.syscall(number, 5, attributes, len(attributes.raw))
    if program < 0:
        return os.strerror(ctypes.get_errno())
    rtm_setlink, ifla_xdp, ifla_xdp_fd, ifla_xdp_flags, skb_mode, request_ack = 19, 43, 1, 3, 2, 5
    with spaces.inside("gw"):
        index = socket.if_nametoindex("wg0")
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    nest = struct.pack("=HHi", 8, ifla_xdp_fd, program) + struct.pack("=HHI", 8, ifla_xdp_flags, skb_mode)
    body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + struct.pack("=HH", 4 + len(nest), 0x8000 | ifla_xdp) + nest
    with netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(body), rtm_setlink, request_ack, 1, 0) + body)
        error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    os.close(program)
    return os.strerror(-error) if error else ""


def main():
    why = needs("nft", "nsenter", "unshare", "tc")
    if why:
        return skipped(why)
    cases = [without_others, what_carries_packets_past_the_policy_is_found, what_answers_for_servers_is_found, what_refuses_is_named,
             what_writes_into_bridged_frames_and_into_arp_is_found, diff_names_the_devices, routes_that_packets_bring_along_are_named, programs_at_the_tunnel_are_named]  # fmt: skip
    with closing(Spaces()) as spaces, tempfile.TemporaryDirectory() as folder:
        return run(cases, House(spaces, folder))


if __name__ == "__main__":
    sys.exit(main())
