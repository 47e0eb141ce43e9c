"""The naive evaluator: what docs/language.md says of one packet, read straight off a policy.toml.

Written from that page alone, as plainly as it can be, to be compared with what the compiled ruleset does to real
packets. It shares nothing with the compiler and checks nothing: it expects a policy that `policyc check` accepts.
Fragments (`include`) and tests are left out, and a rate only tells how many connections pass, not which.

    policy = Policy(text, {"jelly01.home.example": ["10.69.13.20"]})
    policy.judge("extgw01", Packet("forward", Flow(source, destination, "tcp", 8096), iif="wg0", oif="eth0"))

says "allow", "deny" or "not judged"."""

import datetime
import ipaddress
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property

PRESETS = {
    "ssh": ["22/tcp"],
    "ping": ["ping"],
    "dns": ["53/udp", "53/tcp"],
    "http": ["80/tcp"],
    "https": ["443/tcp"],
    "ntp": ["123/udp"],
}


@dataclass(frozen=True)
class Flow:
    """The packet that began it. `proto` is tcp, udp, ping, or anything else for a protocol without ports."""

    source: ipaddress.IPv4Address | ipaddress.IPv6Address
    destination: ipaddress.IPv4Address | ipaddress.IPv6Address
    proto: str
    port: int = 0


@dataclass(frozen=True)
class Packet:
    """One packet of a flow at a hook: forward, input or output. A reply goes from the flow's destination to its
    source. `begun_here` says whether the node itself began the flow; a packet that is no part of a flow is not
    `tracked`."""

    hook: str
    flow: Flow
    iif: str = ""
    oif: str = ""
    reply: bool = False
    tracked: bool = True

    @property
    def source(self):
        return self.flow.destination if self.reply else self.flow.source

    @property
    def destination(self):
        return self.flow.source if self.reply else self.flow.destination

    @property
    def begun_here(self):
        return self.hook == ("input" if self.reply else "output")


@dataclass(frozen=True)
class Range:
    version: int
    low: int
    high: int

    def holds(self, address):
        return address.version == self.version and self.low <= int(address) <= self.high


@cache
def range_of(text):
    network = ipaddress.ip_network(text)
    return Range(network.version, int(network[0]), int(network[-1]))


def is_range(text):
    try:
        range_of(text)
        return True
    except ValueError:
        return False


def as_list(value):
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class PortItem:
    """`proto` "*" is every protocol; `ping` has no ports."""

    proto: str
    low: int = 1
    high: int = 65535

    def holds(self, flow):
        if self.proto == "*":
            return True
        if self.proto != flow.proto:
            return False
        return flow.proto == "ping" or self.low <= flow.port <= self.high


def port_item(item):
    """A port item as written: a number or a string."""
    item = str(item)
    if item in ("*", "ping"):
        return PortItem(item)
    ports, _, proto = item.partition("/")
    if ports == "*":
        return PortItem(proto)
    low, _, high = ports.partition("-")
    return PortItem(proto or "tcp", int(low), int(high or low))


@dataclass(frozen=True)
class Target:
    ranges: list
    item: PortItem

    def holds(self, flow):
        return self.item.holds(flow) and any(r.holds(flow.destination) for r in self.ranges)


class Policy:
    def __init__(self, text, addresses=None, today=None):
        self.toml = tomllib.loads(text)
        self.addresses = addresses or {}
        self.today = today or datetime.datetime.now(datetime.timezone.utc).date()
        self.nodes = self.toml.get("nodes", {})
        self.networks = self.toml.get("networks", {})
        self.services = self.toml.get("services", {})
        self.groups = self.toml.get("groups", {})
        self.tiers = self.toml.get("tiers", {})
        self.dual = self.toml.get("ipv6", "deny") == "dual"

    # ---- references ------------------------------------------------------------------------------------------------

    def host(self, text):
        """The address ranges of a node, network, address, CIDR or host name."""
        if text in self.nodes:
            return [range_of(a) for a in as_list(self.nodes[text]["address"])]
        if text in self.networks:
            return [range_of(a) for a in as_list(self.networks[text])]
        if is_range(text):
            return [range_of(text)]
        return [range_of(a) for a in self.addresses.get(text.lower(), [])]

    def sources(self, references):
        ranges = []
        for reference in references:
            if reference in self.groups:
                ranges += self.sources(self.groups[reference])
            else:
                ranges += self.host(reference)
        return ranges

    def service(self, name):
        """The targets of a service; none once it has expired."""
        service = self.services[name]
        if isinstance(service, str):
            host, _, item = service.rpartition(":")
            return [Target(self.host(host.strip("[]")), port_item(item))]
        if "expires" in service and service["expires"] < self.today:
            return []
        return [Target(self.host(service["host"]), port_item(item)) for item in as_list(service["ports"])]

    def hosts(self, reference):
        """The addresses of what stands before the port item of a reference."""
        if reference in self.groups:
            return [r for member in self.groups[reference] for r in self.hosts(member)]
        if reference in self.services:
            return [r for target in self.service(reference) for r in target.ranges]
        return self.host(reference.strip("[]"))

    def targets(self, references):
        found = []
        for reference in references:
            if reference in self.services:
                found += self.service(reference)
            elif reference in self.groups:
                found += self.targets(self.groups[reference])
            else:
                host, _, item = reference.rpartition(":")
                found.append(Target(self.hosts(host), port_item(item)))
        return found

    # ---- what a policy allows, read once -----------------------------------------------------------------------------

    def tier_in_force(self, tier):
        if "grant" in tier or "bastion" in tier:
            return False
        return not ("expires" in tier and tier["expires"] < self.today)

    @cached_property
    def tier_permissions(self):
        return [
            (self.sources(tier["who"]), self.targets(tier["allow"]))
            for tier in self.tiers.values()
            if self.tier_in_force(tier)
        ]

    @cache
    def input_permissions(self, name):
        return [
            (
                self.sources(entry["from"]),
                [port_item(item) for item in (as_list(entry["ports"]) if "ports" in entry else PRESETS[key])],
            )
            for key, entry in self.nodes[name].get("input", {}).items()
        ]

    @cache
    def output_permissions(self, name):
        return self.targets(self.nodes[name].get("output", []))

    @cache
    def near(self, name):
        node = self.nodes[name]
        return self.host(name) + [r for served in node.get("serves", []) for r in self.host(served)]

    @cached_property
    def named_sources(self):
        """Every address that appears as a source, whether in force or not."""
        named = [r for tier in self.tiers.values() for r in self.sources(tier["who"])]
        for node in self.nodes.values():
            for entry in node.get("input", {}).values():
                named += self.sources(entry["from"])
        return named

    @cache
    def untouched(self, name):
        entries = self.nodes[name].get("untouched", [])
        interfaces = [e.removeprefix("if:") for e in entries if e.startswith("if:")]
        return interfaces, [r for e in entries if not e.startswith("if:") for r in self.host(e)]

    # ---- section 2 ---------------------------------------------------------------------------------------------------

    def tiers_cover(self, flow):
        return any(
            any(r.holds(flow.source) for r in sources) and any(t.holds(flow) for t in targets)
            for sources, targets in self.tier_permissions
        )

    def input_covers(self, name, flow):
        return any(
            any(r.holds(flow.source) for r in sources) and any(i.holds(flow) for i in items)
            for sources, items in self.input_permissions(name)
        )

    def output_covers(self, name, flow):
        return any(t.holds(flow) for t in self.output_permissions(name))

    def limited_targets(self, references):
        """Targets, each with the limit of the service that it is one of."""
        for reference in references:
            if reference in self.groups:
                yield from self.limited_targets(self.groups[reference])
            elif reference in self.services:
                service = self.services[reference]
                limit = service.get("limit") if isinstance(service, dict) else None
                limits = {f"services.{reference}": limit} if limit else {}
                yield from ((target, limits) for target in self.service(reference))
            else:
                yield from ((target, {}) for target in self.targets([reference]))

    def ways(self, name, flow):
        """For each way in which a node lets a flow through, receives it or sends it, the limits of it: (what has it, its rate)."""
        node = self.nodes[name]
        found = set()
        if any(r.holds(flow.source) for r in self.host(name)):
            if "output" not in node or any(r.holds(flow.destination) for r in self.host(name)):
                return found  # not judged, or implied
            if self.output_covers(name, flow):
                found.add(frozenset())
        if any(r.holds(flow.destination) for r in self.host(name)):
            for key, (sources, items) in zip(node.get("input", {}), self.input_permissions(name)):
                if any(r.holds(flow.source) for r in sources) and any(i.holds(flow) for i in items):
                    limit = node["input"][key].get("limit")
                    found.add(frozenset({(f"input.{key}", limit)} if limit else ()))
        for key, tier in self.tiers.items():
            if not self.tier_in_force(tier) or not any(r.holds(flow.source) for r in self.sources(tier["who"])):
                continue
            own = {f"tiers.{key}": tier["limit"]} if "limit" in tier else {}
            for target, limits in self.limited_targets(tier["allow"]):
                if target.holds(flow):
                    found.add(frozenset({**own, **limits}.items()))
        return found

    def wireguard_port(self, node):
        if "endpoint" in node:
            return int(node["endpoint"].rpartition(":")[2])
        return node.get("listen_port")

    @staticmethod
    def is_endpoint(node, address):
        """Whether a node's WireGuard may be there: where its endpoint has a name, anywhere."""
        host = node.get("endpoint", "").rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host) == address
        except ValueError:
            return True

    def scope(self, node):
        return node.get("scope", "tunnel" if node.get("role") == "gateway" else "none")

    def is_judged(self, name, packet):
        node = self.nodes[name]
        scope = self.scope(node)
        tunnel = node.get("interface")
        interfaces = {"forward": [packet.iif, packet.oif], "input": [packet.iif], "output": [packet.oif]}[packet.hook]
        if scope == "none":
            return False
        if packet.hook == "output" and "output" not in node:
            return False
        if tunnel in interfaces:
            return True
        if scope == "tunnel":
            return False
        untouched_interfaces, untouched_ranges = self.untouched(name)
        if any(i in untouched_interfaces for i in interfaces):
            return False
        return not any(r.holds(packet.source) or r.holds(packet.destination) for r in untouched_ranges)

    def on_near_side(self, name, address):
        if any(r.holds(address) for other in self.nodes if other != name for r in self.host(other)):
            return False
        return any(r.holds(address) for r in self.near(name))

    def on_far_side(self, name, address):
        if self.on_near_side(name, address):
            return False
        return any(r.holds(address) for other in self.nodes if other != name for r in self.near(other))

    def on_tunnel_side(self, name, address):
        if self.on_near_side(name, address):
            return False
        return self.on_far_side(name, address) or any(r.holds(address) for r in self.named_sources)

    def is_beside(self, name, flow, here=()):
        """Whether a flow is between two places on one side of a node: networks that this node serves and no other, or one that it serves and this
        host, which has the addresses `here` too; or from this host to one that it serves and no other. In scope tunnel nothing judges it."""
        own = self.host(name)
        elsewhere = [r for other in self.nodes if other != name for r in self.near(other)]

        def is_this_host(address):
            return address in here or any(r.holds(address) for r in own)

        def is_served_here_alone(address):
            return self.on_near_side(name, address) and not any(r.holds(address) for r in elsewhere)

        if is_this_host(flow.source):
            return is_this_host(flow.destination) or is_served_here_alone(flow.destination)
        if is_this_host(flow.destination):
            return self.on_near_side(name, flow.source)
        return is_served_here_alone(flow.source) and is_served_here_alone(flow.destination)

    def is_spoofed(self, name, packet):
        if packet.hook == "output" or packet.iif == "lo":
            return False
        if packet.iif == self.nodes[name].get("interface"):
            if packet.reply and (packet.hook == "forward" or "output" in self.nodes[name]):
                return self.on_near_side(name, packet.source)
            return not self.on_tunnel_side(name, packet.source)
        return self.on_far_side(name, packet.source)

    def is_implied(self, node, packet):
        if packet.begun_here and packet.hook == "input" and "output" not in node:
            return True
        if self.scope(node) != "host":
            return False
        if packet.hook != "forward" and "lo" in (packet.iif, packet.oif):
            return True
        if packet.flow.proto != "udp" or packet.hook == "forward":
            return False
        if packet.begun_here:
            peer = self.nodes.get(node.get("peer"), {})
            return "output" in node and packet.flow.port == self.wireguard_port(peer) and self.is_endpoint(peer, packet.flow.destination)
        return packet.flow.port == self.wireguard_port(node)

    def is_permitted(self, name, packet):
        if packet.hook == "forward":
            return self.tiers_cover(packet.flow)
        if packet.begun_here:
            return self.output_covers(name, packet.flow) or self.tiers_cover(packet.flow)
        return self.input_covers(name, packet.flow) or self.tiers_cover(packet.flow)

    def judge(self, name, packet):
        if not self.is_judged(name, packet):
            return "not judged"
        loopback = packet.hook != "forward" and "lo" in (packet.iif, packet.oif)
        if not self.dual and packet.flow.destination.version == 6 and not loopback:
            return "deny"
        if not packet.tracked or self.is_spoofed(name, packet):
            return "deny"
        if self.is_implied(self.nodes[name], packet) or self.is_permitted(name, packet):
            return "allow"
        return "deny"
