"""Small random policies, and the boundaries of all that they name. Same seed, same policy.

generate(seed) makes a policy for a gateway `gw` that has the tunnel `wg0` and the interfaces `lan0`, `dmz0` and
`old0`. All of the language is drawn from that decides about packets; rates are far above what a test sends. What a
reference stands for is written down here while it is made, by hand as it were, so that neither the compiler nor the
evaluator says where to look."""

import random
from dataclasses import dataclass, field
from ipaddress import ip_network

OWN_ADDRESSES = ["10.69.50.2", "fd69:50::2"]  # of gw in the tunnel
RATES = ["100000/second", "150000/second", "999999/minute"]
PAST, FUTURE = "2020-02-29", "2099-12-31"


@dataclass
class Case:
    """A policy, what its names resolve to, and where to probe: ranges as CIDR texts, and port items as texts."""

    seed: int
    text: str = ""
    names: dict = field(default_factory=dict)
    sources: set = field(default_factory=set)
    destinations: set = field(default_factory=set)
    items: set = field(default_factory=set)
    # (source CIDRs, destination CIDRs, port item) of what could be a permission, whether or not it is in force
    permissions: list = field(default_factory=list)
    masquerade: bool = False

    def lock(self):
        text = "version = 1\n"
        for name, addresses in sorted(self.names.items()):
            listed = ", ".join(f'"{a}"' for a in addresses)
            text += f'\n[names."{name}"]\naddresses = [{listed}]\nttl = 60\nresolved = "2026-01-01T00:00:00Z"\n'
        return text


def quoted(values):
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.rates = random.Random(seed)
        self.case = Case(seed)
        self.lines = ["version = 1"]
        self.dual = self.chance(0.4)
        self.families = (4, 6) if self.dual else (4,)
        # What can be said where a source, or the host of a target, is asked for: name -> CIDRs.
        self.hosts = {}
        self.services = {}  # name -> (CIDRs, port items)
        self.host_groups = {}  # name -> CIDRs
        self.target_groups = {}  # name -> [(CIDRs, port item)]

    # ---- dice ------------------------------------------------------------------------------------------------------

    def rate(self):
        return self.rates.choice(RATES)

    def chance(self, probability):
        return self.rng.random() < probability

    def some(self, population, most, least=1):
        population = sorted(population)
        return self.rng.sample(population, min(len(population), self.rng.randint(least, most)))

    def cidr(self, family, inside=None):
        """A random block. `inside` is a third octet (or group): blocks with different ones don't meet."""
        inside = self.rng.choice([13, 14, 77, 200]) if inside is None else inside
        if family == 4:
            length = self.rng.choice([24, 25, 27, 29, 30, 31, 32, 32, 32])
            block = ip_network(f"10.69.{inside}.{self.rng.randrange(256)}/{length}", strict=False)
            return str(block) if length < 32 else str(block[0])
        length = self.rng.choice([64, 96, 112, 120, 127, 128, 128])
        block = ip_network(f"fd69:{inside}::{self.rng.choice(['', 'a:'])}{self.rng.randrange(256):x}/{length}", strict=False)
        return str(block) if length < 128 else str(block[0])

    def item(self):
        port = self.rng.choice([1, 22, 53, 80, 443, 3000, 8096, 65535, self.rng.randint(2, 30000)])
        low = self.rng.choice([1, 1000, 8000, 20000])
        high = self.rng.choice([low + 1, low + 3, low + 15, low + 16, low + 500, 65535])
        return self.rng.choice(
            [f"{port}", f"{port}", f"{port}", f"{port}/tcp", f"{port}/udp", f"{port}/udp", f"{low}-{high}"]
            + [f"{low}-{high}/udp", "ping", "ping", "*/tcp", "*/udp", "*"]
        )

    # ---- references ------------------------------------------------------------------------------------------------

    def source(self):
        """A source and its CIDRs."""
        kind = self.rng.random()
        if self.host_groups and kind < 0.3:
            name = self.rng.choice(sorted(self.host_groups))
            return name, self.host_groups[name]
        if kind < 0.8:
            name = self.rng.choice(sorted(self.hosts))
            return name, self.hosts[name]
        cidr = self.cidr(self.rng.choice(self.families))
        return cidr, [cidr]

    def target(self):
        """A target and its (CIDRs, port item) pairs."""
        kind = self.rng.random()
        if self.services and kind < 0.35:
            name = self.rng.choice(sorted(self.services))
            cidrs, items = self.services[name]
            return name, [(cidrs, item) for item in items]
        if self.target_groups and kind < 0.5:
            name = self.rng.choice(sorted(self.target_groups))
            return name, self.target_groups[name]
        item = self.item()
        if self.services and kind < 0.57:
            name = self.rng.choice(sorted(self.services))
            return f"{name}:{item}", [(self.services[name][0], item)]
        if kind < 0.9:
            name, cidrs = self.source()
        else:
            name = cidr = self.cidr(4)
            cidrs = [cidr]
        if ":" in name:  # an address of IPv6 wants brackets; a block of it is never written with a port here
            if "/" in name:
                name = self.rng.choice(sorted(self.hosts))
                return f"{name}:{item}", [(self.hosts[name], item)]
            return f"[{name}]:{item}", [(cidrs, item)]
        return f"{name}:{item}", [(cidrs, item)]

    def source_list(self, most, least=1):
        return self.reference_list(self.source, most, least)

    def target_list(self, most, least=1):
        return self.reference_list(self.target, most, least)

    def reference_list(self, draw, most, least):
        found = dict(draw() for _ in range(self.rng.randint(least, most)))
        return list(found), [meaning for meanings in found.values() for meaning in meanings]

    def may(self, sources, targets):
        """Remembers what a permission names."""
        self.case.sources.update(sources)
        for cidrs, item in targets:
            self.case.destinations.update(cidrs)
            self.case.items.add(item)
            self.case.permissions.append((sources, cidrs, item))

    # ---- the parts of a policy -------------------------------------------------------------------------------------

    def add_networks(self):
        self.lines += ["", "[networks]"]
        for name, inside in (("home", 13), ("lab", 14), ("old", 222)):
            cidrs = [self.cidr(family, inside) for family in self.families]
            if name == "home":
                cidrs = [c for c in cidrs if "/" in c] or ["10.69.13.0/24"]
            self.hosts[name] = cidrs
            self.lines.append(f"{name} = {quoted(cidrs)}")

    def addresses(self, last):
        addresses = [f"10.69.50.{last}"] + ([f"fd69:50::{last:x}"] if self.dual else [])
        return addresses, (quoted(addresses) if self.dual or self.chance(0.2) else f'"{addresses[0]}"')

    def add_node(self, name, last, *lines):
        addresses, text = self.addresses(last)
        self.hosts[name] = addresses
        self.lines += ["", f"[nodes.{name}]", f"address = {text}", *lines]

    def add_nodes(self):
        hub = self.chance(0.5)
        if hub:
            self.add_node("vps", 1, 'role = "hub"', 'endpoint = "203.0.113.1:51820"', 'interface = "wg1"')
        for i in range(self.rng.randint(1, 3)):
            self.add_node(f"client{i}", self.rng.choice([10, 30, 50]) + i)
        if self.chance(0.3):
            serves = quoted(["lab"]) if self.chance(0.5) else quoted([self.cidr(4, 15)])
            self.add_node("gw2", 3, 'role = "gateway"', 'interface = "wg0"', f"serves = {serves}")
        # gw is written last: its lists may use groups, which may use every node.
        self.hosts["gw"] = self.addresses(2)[0]
        self.peer = ['peer = "vps"'] if hub else []

    def add_services(self):
        self.lines += ["", "[services]"]
        for i in range(self.rng.randint(1, 5)):
            kind = self.rng.random()
            if kind < 0.4:
                host = f"host{self.rng.randint(0, 3)}.home.example"
                if host not in self.case.names:
                    self.case.names[host] = self.name_addresses()
                cidrs = [a for a in self.case.names[host] if self.dual or ":" not in a]
            elif kind < 0.7:
                host = self.rng.choice(sorted(self.hosts))
                cidrs = self.hosts[host]
            else:
                host = self.cidr(4)
                cidrs = [host]
            items = [self.item()]
            if self.chance(0.5):
                self.lines.append(f'service{i} = "{host}:{items[0]}"')
            else:
                items = list({self.item(): None for _ in range(self.rng.randint(1, 3))})
                ports = quoted(items) if len(items) > 1 or self.chance(0.3) else f'"{items[0]}"'
                more = ""
                if self.chance(0.3):
                    more += f", expires = {self.rng.choice([PAST, FUTURE])}"
                if self.chance(0.2):
                    more += f', limit = "{self.rate()}"'
                if self.chance(0.2):
                    more += ', log = "new"'
                self.lines.append(f'service{i} = {{ host = "{host}", ports = {ports}{more} }}')
            self.services[f"service{i}"] = (cidrs, items)

    def name_addresses(self):
        """Addresses in `home`, where answers are believed; sometimes none."""
        found = set()
        for cidr in self.hosts["home"]:
            block = ip_network(cidr)
            for _ in range(self.rng.randint(0, 2)):
                found.add(str(block[self.rng.randrange(min(block.num_addresses, 200))]))
        return sorted(found)

    def add_groups(self):
        self.lines += ["", "[groups]"]
        for i in range(self.rng.randint(0, 3)):
            names, cidrs = self.source_list(3, 0 if self.chance(0.2) else 1)
            self.host_groups[f"people{i}"] = cidrs
            self.lines.append(f"people{i} = {quoted(names)}")
        for i in range(self.rng.randint(0, 2)):
            names, pairs = self.target_list(3, 0 if self.chance(0.2) else 1)
            self.target_groups[f"things{i}"] = pairs
            self.lines.append(f"things{i} = {quoted(names)}")

    def add_tiers(self):
        for i in range(self.rng.randint(1, 4)):
            who, cidrs = self.source_list(3, 0 if self.chance(0.1) else 1)
            allow, pairs = self.target_list(4, 0 if self.chance(0.1) else 1)
            self.lines += ["", f"[tiers.tier{i}]", f"who = {quoted(who)}", f"allow = {quoted(allow)}"]
            if self.chance(0.2):
                self.lines.append(f"expires = {self.rng.choice([PAST, FUTURE])}")
            if self.chance(0.2):
                self.lines.append(f'limit = "{self.rate()}"')
            if self.chance(0.2):
                self.lines.append('log = "new"')
            if self.chance(0.1):
                self.lines.append('grant = { max = "4h", default = "1h" }')
            if self.chance(0.1):
                self.lines.append('bastion = { node = "gw", auth = ["publickey"] }')
            self.may(cidrs, pairs)

    def add_gateway(self):
        lines = ['role = "gateway"', 'interface = "wg0"', *self.peer]
        scope = self.rng.choice(["tunnel"] * 10 + ["host"] * 9 + ["none"])
        if scope != "tunnel" or self.chance(0.3):
            lines.append(f'scope = "{scope}"')
        serves = self.some(["home", "lab", self.cidr(4, 16)], 3, 0)
        if serves and ("gw2" not in self.hosts or serves != ["lab"]):
            lines.append(f"serves = {quoted(s for s in serves if s != 'lab' or 'gw2' not in self.hosts)}")
            self.case.sources.update(c for s in serves for c in self.hosts.get(s, [s]))
        if self.chance(0.25):
            lines.append('source = "masquerade"')
            self.case.masquerade = True
        if self.chance(0.3):
            lines.append('denied = "reject"')
        if self.chance(0.3):
            lines.append("listen_port = 51821")
            self.case.items.add("51821/udp")
        if self.chance(0.4 if scope == "host" else 0.1):
            untouched = self.some(["if:old0", "old"], 2)
            lines.append(f"untouched = {quoted(untouched)}")
            self.case.sources.update(self.hosts["old"])
            self.case.destinations.update(self.hosts["old"])
        own = self.hosts["gw"]
        for name in self.some(["ssh", "ping", "dns", "https", "custom"], 3, 0):
            sources, cidrs = self.source_list(2, 0 if self.chance(0.1) else 1)
            items = {"ssh": ["22"], "ping": ["ping"], "dns": ["53/udp", "53/tcp"], "https": ["443"]}.get(name)
            ports = ""
            if items is None:
                items = list({self.item(): None for _ in range(self.rng.randint(1, 3))})
                ports = f", ports = {quoted(items)}"
            limit = f', limit = "{self.rate()}"' if self.chance(0.2) else ""
            lines.append(f"input.{name} = {{ from = {quoted(sources)}{ports}{limit} }}")
            self.may(cidrs, [(own, item) for item in items])
        if self.chance(0.35):
            names, pairs = self.target_list(3, 0 if self.chance(0.2) else 1)
            lines.append(f"output = {quoted(names)}")
            self.may(own, pairs)
        self.add_node("gw", 2, *lines)

    def build(self):
        self.lines.append(f'ipv6 = "{"dual" if self.dual else "deny"}"')
        self.add_networks()
        self.add_nodes()
        self.add_services()
        self.add_groups()
        self.add_tiers()
        self.add_gateway()
        if self.chance(0.3):
            log = self.rng.choice(["denied = false", 'denied = { limit = "5/second", burst = 5, to = "kernel" }'])
            self.lines += ["", "[log]", log, f'counters = "{self.rng.choice(["none", "service"])}"']
        for cidrs in self.hosts.values():
            self.case.sources.update(cidrs)
        self.case.text = "\n".join(self.lines) + "\n"
        return self.case


def generate(seed):
    return Generator(seed).build()
