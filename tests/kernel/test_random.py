"""Random small policies: what the kernel does with real packets must be what the naive evaluator says, on every
probe.

Each policy is compiled, in one of the forms that its sets can have, and loaded by netlink and by libnftables: both
must make the same table. That is in a namespace whose interfaces are TUN devices (wg0 stands for the tunnel), and it is
probed at the boundaries of every address, port and protocol it names: forwarded, to the host and from it, and the
answers to what arrived. Conntrack is flushed between policies.

The diagrams of the proof are asked too, of packets at their own boundaries: each edge of a box that is allowed, one beside it, one inside.

    test_random.py [--policies N] [--first SEED] [--boundaries N] [--seconds N]

With --seconds it goes on with further policies until the time is over, as `./dev fuzz packets` does. A disagreement prints the seed, the policy, the packet and both verdicts; `--policies 1 --first SEED` runs that one
again."""

import argparse
import datetime
import ipaddress
import itertools
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from functools import cache

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("lab", "reference")]
from backend import BACKEND, IN_PLACE, with_backend  # noqa: E402
from evaluator import Flow, Packet, Policy  # noqa: E402
from listing import listing  # noqa: E402
from probing import EGRESS, Gateway, own_network_namespace  # noqa: E402
from random_policy import OWN_ADDRESSES, generate  # noqa: E402

# What gw has besides its tunnel addresses; masquerade uses them.
LOCALS = {
    "wg0": [f"{OWN_ADDRESSES[0]}/32", f"{OWN_ADDRESSES[1]}/128"],
    "lan0": ["10.69.13.2/32", "fd69:13::2/128"],
    "dmz0": ["10.69.77.2/32", "fd69:77::2/128"],
    "old0": ["10.69.222.2/32", "fd69:222::2/128"],
}
FORWARD_PATHS = [(a, b) for a in EGRESS for b in EGRESS]
LIKELY_PATHS = [("wg0", "lan0"), ("wg0", "lan0"), ("wg0", "wg0"), ("lan0", "wg0"), ("lan0", "dmz0"), ("wg0", "old0")]
PROBES = 1200  # about, per policy
BOUNDARIES = 140  # more, at those of its diagrams, as far as there are so many
# Fewer with the backend that is not the default, unless all is asked for.
POLICIES = 1000 if IN_PLACE or os.environ.get("POLICYC_FULL") else 150
# By seed in turn: as a small policy is, tiers with sets of their own, and all that only large ones are split into.
LAYOUTS = [
    "automatic",
    "pairs",
    "pairs,jumps=0",
    "tuples,shard=2",
    "pairs,shard=2",
    "pairs,shard=1,jumps=0",
]

gateway = None
own_addresses = None  # the gateway's
scratch = None
points = None  # the program that knows the diagrams


# ---- where to probe ------------------------------------------------------------------------------------------------


def routable(address):
    """Whether a packet can bear it on both sides of a router: no loopback, multicast, link-local and the like."""
    if address.version == 4:
        return 1 <= int(address) >> 24 <= 223 and int(address) >> 24 != 127
    return int(address) >> 125 == 1 or int(address) >> 121 == 0x7E  # 2000::/3, fc00::/7


@cache
def address_boundaries(cidr):
    network = ipaddress.ip_network(cidr)
    low, high = int(network[0]), int(network[-1])
    kind = type(network[0])
    found = []
    for number in (low - 1, low, high, high + 1):
        if 0 <= number < 1 << network.max_prefixlen and routable(kind(number)) and kind(number) not in found:
            found.append(kind(number))
    return found


def item_boundaries(item):
    """(kind of packet, port) at the edges of a port item, and of its neighbours in other protocols."""
    ports, _, proto = item.partition("/")
    if item == "*":
        return [("tcp", 1), ("udp", 65535), ("tcp", 0), ("ping", 0), ("other", 0), ("timestamp", 0)]
    if item == "ping":
        return [("ping", 0), ("timestamp", 0), ("tcp", 8 * 256), ("udp", 8 * 256)]
    low, _, high = ports.partition("-")
    low, high = (1, 65535) if ports == "*" else (int(low), int(high or low))
    proto = proto or "tcp"
    found = [(proto, port) for port in (low - 1, low, high, high + 1) if 0 <= port <= 65535]
    found += [("udp" if proto == "tcp" else "tcp", low), ("other", 0), ("ping", 0)]
    return list(dict.fromkeys(found))


class Probes:
    """Collects (port in, port out, kind, source, destination, destination port), each once."""

    def __init__(self, case):
        self.case = case
        self.rng = random.Random(case.seed)
        self.found = {}
        self.untagged = set()

    def add(self, way_in, way_out, kind, source, destination, port):
        if source.version != destination.version or source == destination:
            return
        local = destination in own_addresses
        own = source in own_addresses
        if local:
            way_out = "host"
        if way_in == "host" and (not own or local):
            return
        if kind == "timestamp" and source.version == 6:
            return
        if kind == "other":
            # Without ports, a flow is its two addresses: the same ones turned round belong to it, and where one of
            # them may have been masqueraded, others too.
            keys = {source, destination} if self.case.masquerade else {(destination, source)}
            if keys & self.untagged:
                return
            self.untagged |= keys if self.case.masquerade else {(source, destination)}
        self.found[way_in, way_out, kind, source, destination, port] = None

    def collect(self):
        rng = self.rng
        sources = sorted({a for c in self.case.sources for a in address_boundaries(c)}, key=lambda a: (a.version, a))
        destinations = {a for c in self.case.destinations for a in address_boundaries(c)}
        destinations = sorted(destinations, key=lambda a: (a.version, a))
        items = sorted({b for item in self.case.items for b in item_boundaries(item)})
        locals_ = sorted(own_addresses, key=lambda a: (a.version, a))

        # Around each permission: one of its three sides at a time steps over its boundaries, while the others are
        # inside.
        for who, where, item in self.case.permissions:
            if not who or not where:
                continue
            inside_kind, inside_port = item_boundaries(item)[0 if item in ("*", "ping") else 1]
            for _ in range(2):
                from_, to = rng.choice(who), rng.choice(where)
                inside_source = ipaddress.ip_network(from_)[0]
                inside_destination = ipaddress.ip_network(to)[-1]
                paths = [("wg0", "lan0"), rng.choice(LIKELY_PATHS), ("host", rng.choice(list(EGRESS)))]
                for way_in, way_out in paths:
                    for source in address_boundaries(from_):
                        self.add(way_in, way_out, inside_kind, source, inside_destination, inside_port)
                    for destination in address_boundaries(to):
                        self.add(way_in, way_out, inside_kind, inside_source, destination, inside_port)
                    for kind, port in item_boundaries(item):
                        self.add(way_in, way_out, kind, inside_source, inside_destination, port)

        if not sources or not destinations:
            return list(self.found)
        items = items or item_boundaries("80")  # of a policy that names no port
        # Every boundary of the policy at least once on its own, then as they fall together.
        longest = max(len(sources), len(destinations), len(items))
        for values in (sources, destinations, items):
            rng.shuffle(values)
        for i in range(longest):
            kind, port = items[i % len(items)]
            self.anywhere(kind, sources[i % len(sources)], destinations, locals_, port)
            self.anywhere(kind, rng.choice(sources), [destinations[i % len(destinations)]], locals_, port)
        for _ in range(50 * PROBES):
            if len(self.found) >= PROBES:
                break
            kind, port = rng.choice(items)
            self.anywhere(kind, rng.choice(sources), destinations, locals_, port)
        return list(self.found)

    def anywhere(self, kind, source, destinations, locals_, port):
        rng = self.rng
        destination = rng.choice(destinations)
        if destination.version != source.version:
            destination = next((d for d in destinations if d.version == source.version), destination)
        way = rng.random()
        if way < 0.5:
            self.add(*rng.choice(LIKELY_PATHS), kind, source, destination, port)
        elif way < 0.7:
            self.add(*rng.choice(FORWARD_PATHS), kind, source, destination, port)
        elif way < 0.85:
            self.add(rng.choice(list(EGRESS)), "host", kind, source, rng.choice(locals_), port)
        else:
            self.add("host", rng.choice(list(EGRESS)), kind, rng.choice(locals_), destination, port)


def kind_of(protocol, port, version):
    """What the prober sends for a point of a diagram; None where it has no such packet."""
    icmp, echo = (1, 8 * 256) if version == 4 else (58, 128 * 256)
    if protocol in (6, 17):
        return ("tcp" if protocol == 6 else "udp"), port
    if protocol == icmp:
        return ("ping", 0) if port == echo else ("timestamp", 0) if (version, port) == (4, 13 * 256) else (None, 0)
    return (None, 0) if protocol in (1, 58) else ("other", 0)


class DiagramProbes(Probes):
    """Those at the boundaries of the diagrams, of which `points` tells. Not those that `others` has."""

    def __init__(self, case, others, most):
        super().__init__(case)
        self.most = most
        self.others = set(others.found)
        self.untagged = set(others.untagged)

    def collect(self):
        points.stdin.write(f"boundaries {8 * self.most} {self.case.seed}\n")
        points.stdin.flush()
        lines = []
        while line := points.stdout.readline().split():
            lines.append(line)
        for hook, side_in, side_out, source, destination, protocol, port in lines:
            if len(self.found.keys() - self.others) >= self.most:
                break
            source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
            kind, port = kind_of(int(protocol), int(port), source.version)
            if kind is None or "loopback" in (side_in, side_out) or not routable(source) or not routable(destination):
                continue
            # What comes to the gateway, or from it, bears an address of its own, though the policy says nothing of it.
            own = sorted(a for a in own_addresses if a.version == source.version)
            if hook == "input" and destination not in own:
                destination = self.rng.choice(own)
            if hook == "output" and source not in own:
                source = self.rng.choice(own)
            way_in, way_out = ("host" if side == "-" else self.interface(side) for side in (side_in, side_out))
            self.add(way_in, way_out, kind, source, destination, port)
        return [probe for probe in self.found if probe not in self.others]

    def interface(self, side):
        return {"tunnel": "wg0", "untouched": "old0", "other": self.rng.choice(["lan0", "dmz0"])}[side]


# ---- what should happen --------------------------------------------------------------------------------------------


def protocol_of(kind):
    return kind if kind in ("tcp", "udp", "ping") else "other"


def hook_of(way_in, way_out):
    return "output" if way_in == "host" else "input" if way_out == "host" else "forward"


class Expected:
    def __init__(self, case):
        self.case = case
        self.policy = Policy(case.text, case.names)

    def judge(self, probe):
        """(verdict of the packet, verdict of its answer or None where none is sent)"""
        way_in, way_out, kind, source, destination, port = probe
        flow = Flow(source, destination, protocol_of(kind), port)
        hook = hook_of(way_in, way_out)
        there = self.policy.judge("gw", Packet(hook, flow, way_in, way_out))
        if not wants_reply(probe):
            return there, None
        back_hook = {"forward": "forward", "input": "output", "output": "input"}[hook]
        return there, self.policy.judge("gw", Packet(back_hook, flow, way_out, way_in, reply=True))

    def masquerades(self, probe):
        way_in, way_out, _, source, *_ = probe
        # What has the address already that it would get is not seen to get it.
        if f"{source}/{source.max_prefixlen}" in LOCALS.get(way_out, ()):
            return False
        if not self.case.masquerade or self.policy.scope(self.policy.nodes["gw"]) == "none":
            return False
        return way_in == "wg0" and way_out not in ("wg0", "host")


def numbers(kind, port, version):
    """Protocol and port of a point."""
    icmp, echo = (1, 8 * 256) if version == 4 else (58, 128 * 256)
    return {"tcp": (6, port), "udp": (17, port), "ping": (icmp, echo), "timestamp": (icmp, 13 * 256), "other": (47, 0)}[kind]


def said_by_diagrams(probes):
    """As Expected.judge() has it, of each."""
    questions = []
    for probe in probes:
        way_in, way_out, kind, source, destination, port = probe
        way_in, way_out = ("-" if way == "host" else way for way in (way_in, way_out))
        hook = hook_of(probe[0], probe[1])
        back = {"forward": "forward", "input": "output", "output": "input"}[hook]
        flow = f"{source} {destination} {' '.join(map(str, numbers(kind, port, source.version)))}"
        questions += [f"{hook} begin {way_in} {way_out} {flow}", f"{back} reply {way_out} {way_in} {flow}"]
    points.stdin.write("".join(f"{line}\n" for line in questions))
    points.stdin.flush()
    answers = [points.stdout.readline().rstrip("\n") for _ in questions]
    return [(there, back if wants_reply(probe) else None) for probe, there, back in zip(probes, answers[::2], answers[1::2])]


def wants_reply(probe):
    way_in, way_out, kind, source, _, _ = probe
    if way_in != "host" and source in own_addresses:
        return False  # an answer to the gateway's own address would not leave it
    # The kernel answers a SYN to a closed port with a reset, which ends the connection before the prober can answer.
    return way_out != "host" or kind == "udp"


def agrees(expected, verdict, masquerade):
    there, back = expected
    if there == "deny":
        return verdict[0] in ".r"
    if verdict[0] != ("m" if masquerade else "+"):
        return False
    return back is None or verdict[1] == ("." if back == "deny" else "+")


# ---- one policy ----------------------------------------------------------------------------------------------------


def start_worker(directory=None):
    global gateway, own_addresses, scratch, points
    own_network_namespace()
    points = subprocess.Popen([os.path.join(os.environ["POLICYC_BUILD"], "points")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    gateway = Gateway.build(LOCALS)
    own_addresses = {ipaddress.ip_address(a) for a in gateway.locals}
    scratch = tempfile.mkdtemp(dir=directory)


def layout_of(seed):
    return LAYOUTS[seed // 3 % len(LAYOUTS)]


def policyc(seed, *words):
    binary = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
    command = [binary, "--state-dir", f"{scratch}/state", "--node", "gw", "--color", "never"]
    command += ["--layout", layout_of(seed), *with_backend(words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def load_by(way, case, path):
    """Programs the namespace in one of three ways. Returns what went wrong, or ""."""
    if way == "apply":
        done = policyc(case.seed, "apply", path, "--offline")
        return done.stderr if done.returncode != 0 else ""
    done = policyc(case.seed, "compile", path, "--to", way)
    if done.returncode != 0:
        return done.stderr
    command = ["nft", "-f", "-"] if way == "nft" else ["nft", "-j", "-f", "-"]
    loaded = subprocess.run(command, input=done.stdout, capture_output=True, text=True, timeout=60)
    return f"{loaded.stderr}" if loaded.returncode != 0 else ""


def loaded():
    listed = subprocess.run(["nft", "-j", "list", "table", "inet", "policyc"], capture_output=True, text=True, timeout=60)
    # Of an interface that comes up, packets are on their way that nobody sent on purpose: rules count them.
    return re.sub(r'"packets": \d+, "bytes": \d+', "counted", listing(listed.stdout)) if listed.returncode == 0 else "no table"


def load(case):
    """Programs the namespace with the policy, in one of three ways in turn, and before that in another one: both must load the same. Where a backend is asked for,
    always by that one. Returns what went wrong, or ""."""
    path = f"{scratch}/policy.toml"
    with open(path, "w") as file:
        file.write(case.text)
    with open(f"{scratch}/policy.lock", "w") as file:
        file.write(case.lock())
    if not IN_PLACE:
        return load_by("apply", case, path)
    way, other = (("apply", "nft"), ("nft", "apply"), ("json", "apply"))[case.seed % 3]
    by_other = load_by(other, case, path) or loaded()
    subprocess.run(["nft", "delete table inet policyc"], capture_output=True)
    if trouble := load_by(way, case, path):
        return trouble
    if (by_way := loaded()) == by_other:
        return ""
    differ = [pair for pair in itertools.zip_longest(by_way.splitlines(), by_other.splitlines()) if pair[0] != pair[1]]
    return f"{way} and {other} do not load the same: {differ[0][0]}\nand {differ[0][1]}\n"


def run(task):
    """A record of one policy: probes, what was let through, disagreements."""
    seed, boundaries = task
    case = generate(seed)
    record = {"seed": seed, "probes": 0, "boundaries": 0, "passed": 0, "answers": 0, "rejected": 0, "wrong": [], "trouble": ""}
    subprocess.run(["nft", "delete table inet policyc"], capture_output=True)
    record["trouble"] = load(case)
    if record["trouble"]:
        record["trouble"] += case.text
        return record
    gateway.prober.command("flush -")
    points.stdin.write(f"load {scratch}/policy.toml {scratch}/policy.lock gw {(datetime.date.today() - datetime.date(1970, 1, 1)).days}\n")
    points.stdin.flush()
    if (answer := points.stdout.readline()).split()[:1] != ["ok"]:
        record["trouble"] = answer + case.text
        return record
    collected = Probes(case)
    probes = collected.collect()
    ours = len(probes)
    probes += DiagramProbes(case, collected, boundaries).collect()
    text = cache(str)  # of addresses, which come again and again
    lines = []
    for probe in probes:
        way_in, way_out, kind, source, destination, port = probe
        reply = " reply" if wants_reply(probe) else ""
        lines.append(f"{way_in} {way_out} {kind} {text(source)} {text(destination)} {port}{reply}")
    verdicts = gateway.prober.go(lines)
    expected = Expected(case)
    record["boundaries"] = len(probes) - ours
    said = [None] * ours + said_by_diagrams(probes[ours:])
    for probe, line, verdict, diagram in zip(probes, lines, verdicts, said):
        wanted = expected.judge(probe)
        record["probes"] += 1
        record["passed"] += verdict[0] in "+m"
        record["answers"] += verdict[1] != "-"
        record["rejected"] += verdict[0] == "r"
        if not agrees(wanted, verdict, expected.masquerades(probe)):
            record["wrong"].append(f"{line}: evaluator {wanted[0]}, answer {wanted[1]}; kernel {verdict}")
        elif diagram and not agrees(diagram, verdict, expected.masquerades(probe)):
            record["wrong"].append(f"{line}: diagram {diagram[0]}, answer {diagram[1]}; kernel {verdict}")
    if record["wrong"]:
        record["policy"] = case.text + "\n" + json.dumps(case.names)
    return record


def rounds(arguments):
    """The seeds, a part at a time: all that were asked for, or as many as there is time for."""
    first, count = arguments.first, arguments.policies
    if arguments.seconds is None:
        yield range(first, first + count)
        return
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        yield range(first, first + 40)
        first += 40


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", type=int, default=POLICIES)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--boundaries", type=int, default=BOUNDARIES)
    parser.add_argument("--seconds", type=int)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: needs root, to make network namespaces")
        return 77
    began = time.monotonic()
    totals = {"probes": 0, "boundaries": 0, "passed": 0, "answers": 0, "rejected": 0}
    policies = wrong = trouble = 0
    workers = min(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="policyc-random-") as directory, multiprocessing.Pool(
        workers, start_worker, [directory]
    ) as pool:
        for record in (r for seeds in rounds(arguments) for r in pool.imap_unordered(run, [(s, arguments.boundaries) for s in seeds], chunksize=4)):
            policies += 1
            for key in totals:
                totals[key] += record[key]
            if record["trouble"]:
                trouble += 1
                print(f"seed {record['seed']}: not loaded" + (f"\n{record['trouble']}" if trouble <= 5 else ""))
            if record["wrong"]:
                wrong += 1
                print(
                    f"seed {record['seed']}, layout {layout_of(record['seed'])}: {len(record['wrong'])} probes disagree, "
                    f"the first {record['wrong'][0]}"
                )
                if wrong <= 5:
                    print("\n".join(record["wrong"][1:8]))
                    print(record["policy"])
        pool.close()
        pool.join()
    seconds = time.monotonic() - began
    print(
        f"{policies} policies, {totals['probes']} probes ({totals['boundaries']} at boundaries of diagrams, {totals['passed']} let through, {totals['answers']} answered, "
        f"{totals['rejected']} rejected by ICMP) in {seconds:.1f} s; "
        f"{wrong} policies disagree, {trouble} were not loaded ({BACKEND})"
    )
    return 1 if wrong or trouble else 0


if __name__ == "__main__":
    sys.exit(main())
