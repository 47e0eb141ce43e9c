"""Random small policies: what their diagrams say must be what the naive evaluator says, of packets at the boundaries of every address, port and protocol that the
policy names, at every hook, in both directions, through every kind of interface.

    test_meaning.py [--policies N] [--first SEED] [--probes N]

A disagreement prints the seed, the packet, both verdicts and the policy."""

import argparse
import datetime
import os
import random
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("lab", "reference", "kernel")]
from evaluator import Flow, Packet, Policy  # noqa: E402
from random_policy import OWN_ADDRESSES, PAST, generate  # noqa: E402
from test_random import address_boundaries, item_boundaries  # noqa: E402

INTERFACES = ["wg0", "wg0", "lan0", "dmz0", "old0", "lo"]
EPOCH = datetime.date(1970, 1, 1)
GRE = 47


def numbers(kind, port, version):
    """Protocol and port of a point."""
    icmp, echo = (1, 8 * 256) if version == 4 else (58, 128 * 256)
    return {
        "tcp": (6, port),
        "udp": (17, port),
        "ping": (icmp, echo),
        "timestamp": (icmp, 13 * 256),
        "neighbour code": (icmp, echo + 1),
        "foreign ping": (59 - icmp, echo),
        "other": (GRE, port),
    }[kind]


class Probes:
    def __init__(self, case):
        self.rng = random.Random(case.seed)
        self.permissions = [p for p in case.permissions if p[0] and p[1]]
        own = set(OWN_ADDRESSES)
        self.sources = self.addresses(case.sources | own)
        self.destinations = self.addresses(case.destinations | case.sources | own)
        kinds = {b for item in case.items | {"51821/udp", "51820/udp", "51820"} for b in item_boundaries(item)}
        self.kinds = sorted(kinds) + [("timestamp", 0), ("neighbour code", 0), ("foreign ping", 0), ("other", 22)]

    @staticmethod
    def addresses(cidrs):
        return sorted({a for c in cidrs for a in address_boundaries(c)}, key=lambda a: (a.version, a))

    def draw(self):
        rng = self.rng
        source, destination = rng.choice(self.sources), rng.choice(self.destinations)
        kind, port = rng.choice(self.kinds)
        if self.permissions and rng.random() < 0.7:  # near something that may be allowed: two sides of it inside, mostly
            who, where, item = rng.choice(self.permissions)
            if rng.random() < 0.9:
                source = rng.choice(address_boundaries(rng.choice(who)))
            if rng.random() < 0.9:
                destination = rng.choice(address_boundaries(rng.choice(where)))
            if rng.random() < 0.9:
                kind, port = rng.choice(item_boundaries(item))
        if source.version != destination.version:
            return None
        hook = rng.choice(["forward", "forward", "input", "output"])
        way_in = "" if hook == "output" else rng.choice(INTERFACES)
        way_out = "" if hook == "input" else rng.choice(INTERFACES)
        loopback = "lo" in (way_in, way_out)
        # Nothing is forwarded through loopback.
        if loopback and hook == "forward":
            return None
        return hook, way_in, way_out, rng.random() < 0.3, kind, source, destination, port


def verdicts(probe, policy):
    hook, way_in, way_out, reply, kind, source, destination, port = probe
    protocol = kind if kind in ("tcp", "udp", "ping") else "other"
    packet = Packet(hook, Flow(source, destination, protocol, port), way_in, way_out, reply)
    wanted = policy.judge("gw", packet)
    number, at = numbers(kind, port, source.version)
    way = "reply" if reply else "begin"
    return wanted, f"{hook} {way} {way_in or '-'} {way_out or '-'} {source} {destination} {number} {at}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--probes", type=int, default=500, help="for each policy")
    arguments = parser.parse_args()
    began = time.monotonic()
    counts, wrong, largest = {"allow": 0, "deny": 0, "not judged": 0}, 0, 0
    points = os.path.join(os.environ["POLICYC_BUILD"], "points")
    with tempfile.TemporaryDirectory(prefix="policyc-meaning-") as directory, subprocess.Popen(
        [points], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(lines):
            process.stdin.write("".join(f"{line}\n" for line in lines))
            process.stdin.flush()

        for seed in range(arguments.first, arguments.first + arguments.policies):
            case = generate(seed)
            # The day on which some things hold for the last time, the day after, and a day like any other.
            day = datetime.date.fromisoformat(PAST) + datetime.timedelta(days=[0, 1, 2000][seed % 3])
            for name, text in (("policy.toml", case.text), ("policy.lock", case.lock())):
                with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                    file.write(text)
            ask([f"load {directory}/policy.toml {directory}/policy.lock gw {(day - EPOCH).days}"])
            answer = process.stdout.readline().split()
            if answer[:1] != ["ok"]:
                print(f"seed {seed}: {' '.join(answer)}\n{case.text}")
                return 1
            largest = max(largest, int(answer[1]))
            policy = Policy(case.text, case.names, day)
            draw = Probes(case).draw
            probes = list(dict.fromkeys(p for p in (draw() for _ in range(arguments.probes)) if p))
            pairs = [verdicts(probe, policy) for probe in probes]
            ask([line for _, line in pairs])
            for wanted, line in pairs:
                said = process.stdout.readline().rstrip("\n")
                counts[wanted] += 1
                if said != wanted:
                    wrong += 1
                    if wrong <= 3:
                        print(f"seed {seed}, {day}: {line}: evaluator {wanted}, diagram {said}\n{case.text}")
        process.stdin.close()
    total = sum(counts.values())
    print(
        f"{arguments.policies} policies, {total} packets ({counts['allow']} allowed, {counts['not judged']} not judged) in "
        f"{time.monotonic() - began:.1f} s, the largest diagram {largest} edges; {wrong} disagree"
    )
    return 1 if wrong or min(counts.values()) < total // 50 else 0


sys.exit(main())
