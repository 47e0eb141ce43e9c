"""A gateway between a sender and a receiver, in three namespaces, and the tools that send through it.

A gateway holds many tables of which at most one is awake (NFT_TABLE_F_DORMANT): what is compared meets the same tracked connections at the same places of memory, and
the next can be woken within milliseconds."""
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

SENDER, TUNNEL, LAN, RECEIVER, NOBODY = (f"02:00:00:00:00:{n:02x}" for n in (1, 2, 3, 4, 0x99))

# linux/netfilter/nfnetlink.h and nf_tables.h
NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 16, 17
NFT_MSG_NEWTABLE = 0
NFTA_TABLE_NAME, NFTA_TABLE_FLAGS = 1, 2
NFT_TABLE_F_DORMANT = 1
NFPROTO_INET = 1
NLM_F_REQUEST, NLM_F_ACK = 1, 4


def message(kind, flags, family, resource, payload=b""):
    body = struct.pack(">BBH", family, 0, resource) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


class Gateway:
    def __init__(self, spaces, name):
        self.spaces, self.name = spaces, name
        self.sender, self.receiver = f"{name}-from", f"{name}-to"
        self.awake = None
        spaces.add(self.sender, name, self.receiver)
        spaces.link(self.sender, "out0", name, "wg0")
        spaces.link(self.receiver, "in0", name, "lan0")
        spaces.ip(
            self.sender, "link set lo up", f"link set out0 address {SENDER} up", "addr add 172.31.255.2/30 dev out0",
            f"neigh add 172.31.255.1 lladdr {TUNNEL} dev out0 nud permanent",
            "route add local 172.16.0.0/16 dev lo", "route add 10.0.0.0/8 via 172.31.255.1 src 172.31.255.2",
        )
        spaces.ip(
            self.receiver, "link set lo up", f"link set in0 address {RECEIVER} up", "addr add 192.168.255.2/30 dev in0",
            f"neigh add 192.168.255.1 lladdr {LAN} dev in0 nud permanent",
            "route add local 10.0.0.0/8 dev lo", "route add 172.16.0.0/16 via 192.168.255.1 src 192.168.255.2",
        )
        spaces.ip(
            name, "link set lo up", f"link set wg0 address {TUNNEL} up", f"link set lan0 address {LAN} up",
            "addr add 172.31.255.1/30 dev wg0", "addr add 192.168.255.1/30 dev lan0",
            "route add 172.16.0.0/16 via 172.31.255.2", "route add 10.0.0.0/8 via 192.168.255.2",
        )
        self.deliver(True)
        spaces.sysctl(name, ipv4__ip_forward=1)
        for space in (self.sender, name, self.receiver):
            spaces.sysctl(space, ipv4__conf__all__rp_filter=0)
        with spaces.inside(name):
            self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)

    def deliver(self, real):
        """Whether what is forwarded reaches the hosts, or ends where it arrives since it bears nobody's address."""
        self.spaces.ip(
            self.name, f"neigh replace 172.31.255.2 lladdr {SENDER if real else NOBODY} dev wg0 nud permanent",
            f"neigh replace 192.168.255.2 lladdr {RECEIVER if real else NOBODY} dev lan0 nud permanent",
        )

    def load(self, path):
        self.spaces.run(self.name, "nft", "-f", path, check=True, timeout=300)
        # A flow lasts as long as the benchmark, a closed connection makes room.
        self.spaces.sysctl(self.name, netfilter__nf_conntrack_udp_timeout=3600, netfilter__nf_conntrack_udp_timeout_stream=3600,
                           netfilter__nf_conntrack_tcp_timeout_close=1)

    def wake(self, table):
        """That table and no other; None for none."""
        if table == self.awake:
            return
        changes = [(name, dormant) for name, dormant in ((self.awake, True), (table, False)) if name]
        batch = message(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, 0, NFNL_SUBSYS_NFTABLES)
        for name, dormant in changes:
            flags = struct.pack(">I", NFT_TABLE_F_DORMANT if dormant else 0)
            batch += message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_ACK, NFPROTO_INET, 0,
                             attribute(NFTA_TABLE_NAME, name.encode() + b"\0") + attribute(NFTA_TABLE_FLAGS, flags))
        batch += message(NFNL_MSG_BATCH_END, NLM_F_REQUEST, 0, NFNL_SUBSYS_NFTABLES)
        self.netlink.send(batch)
        for _ in changes:
            error = struct.unpack_from("=i", self.netlink.recv(8192), 16)[0]
            if error:
                raise OSError(-error, f"table {table}: {os.strerror(-error)}")
        self.awake = table

    def arrived(self, back=False):
        """How many packets the receiver (or, of the way back, the sender) has got so far."""
        device, space = ("out0", self.sender) if back else ("in0", self.receiver)
        with self.spaces.inside(space), open("/proc/thread-self/net/dev", encoding="ascii") as file:
            line = next(line for line in file if line.split(":")[0].strip() == device)
        return int(line.split(":")[1].split()[1])


class Tool:
    """A program that answers each line with a line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args[0]} ended at: {line}")
        return [int(word) for word in answer.split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


class Blast(Tool):
    """Packets per target; a target is a way through a gateway (out of the tunnel, or back) with the flows that take it."""

    def __init__(self, build, processor):
        super().__init__(os.path.join(build, "blast"), str(processor))

    def target(self, gateway, flows, back=False):
        space, device, mac = (gateway.receiver, "in0", LAN) if back else (gateway.sender, "out0", TUNNEL)
        line = f"open {gateway.spaces.prefix}{space} {device} {mac} {flows}" + (" back" if back else "")
        return self.ask(line)[0]


def talk(build, processor, gateway, flows):
    prefix = gateway.spaces.prefix
    return Tool(os.path.join(build, "talk"), str(processor), prefix + gateway.sender, prefix + gateway.receiver, flows)
