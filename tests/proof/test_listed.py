"""Random edits of random small policies: `diff` lists all that comes and goes, or the diagrams of both find a packet that it does not name. And it
lists nothing else: wherever a record and something that the policies name begin and end, the naive evaluator has one policy allow the flow and the other not.

    test_listed.py [--policies N] [--first SEED]

Prints the seed, the edit and the packet where something was left out."""

import argparse
import difflib
import ipaddress
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("lab", "reference", "kernel")]
from evaluator import Flow, Policy, port_item  # noqa: E402
from random_policy import generate  # noqa: E402
from test_random import LAYOUTS  # noqa: E402

PROGRAM = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
# What can be left out of a policy and mostly leaves one.
OPTIONAL = ("input", "output", "limit", "untouched", "expires", "ipv6", "scope", "listen_port", "source", "serves", "denied", "log")


def edited(text, rng):
    """The policy with one line less, or one entry less in a list."""
    lines = text.splitlines()
    entries = [i for i, line in enumerate(lines) if line.startswith(("who", "allow", "input", "output", "serves")) and line.count('", "')]
    if entries and rng.random() < 0.6:
        at = rng.choice(entries)
        begin = lines[at].rindex("[")
        end = lines[at].index("]", begin)
        items = lines[at][begin + 1 : end].split(", ")
        del items[rng.randrange(len(items))]
        lines[at] = lines[at][: begin + 1] + ", ".join(items) + lines[at][end:]
    else:
        optional = [i for i, line in enumerate(lines) if line.startswith(OPTIONAL)]
        if not optional:
            return text
        del lines[rng.choice(optional)]
    return "\n".join(lines) + "\n"


def record_of(folder, new, old, layout):
    done = subprocess.run(
        [PROGRAM, "diff", f"{new}.toml", "--against", f"{old}.toml", "--node", "gw", "--lock", "policy.lock", "--format", "json", "--layout", layout],
        cwd=folder, capture_output=True, text=True, check=False)
    record = json.loads(done.stdout)
    if done.returncode == 2:
        sys.exit(f"trouble: {done.stdout}{done.stderr}")
    return record if "remarks" in record else None


def corners(text):
    """The first and the last address of "10.0.0.1", "10.0.0.0/24" or "10.0.0.1-10.0.0.9"."""
    low, _, high = text.partition("-")
    if high:
        return ipaddress.ip_address(low), ipaddress.ip_address(high)
    network = ipaddress.ip_network(text)
    return network[0], network[-1]


class Named:
    """Where what the policies name begins and ends."""

    def __init__(self, cases):
        self.addresses = {corner for case in cases for text in case.sources | case.destinations for corner in corners(text)}
        self.kinds = {("igmp", 0), ("ping", 0), ("tcp", 1), ("udp", 65535)}
        for item in {item for case in cases for item in case.items}:
            item = port_item(item)
            if item.proto in ("tcp", "udp"):
                self.kinds |= {(item.proto, item.low), (item.proto, item.high)}

    def addresses_in(self, text):
        low, high = corners(text)
        return {low, high} | {address for address in self.addresses if address.version == low.version and low <= address <= high}

    def kinds_in(self, record):
        """(protocol, port). "igmp" stands for any protocol but TCP, UDP and ping."""
        if record["proto"] in ("tcp", "udp"):
            low, _, high = record["port"].replace("*", "1-65535").partition("-")
            low, high = int(low), int(high or low)
            ports = {port for protocol, port in self.kinds if protocol == record["proto"] and low <= port <= high}
            return {(record["proto"], port) for port in ports | {low, high}}
        return {"ping": {("ping", 0)}, "other": {("igmp", 0)}, "any": self.kinds}[record["proto"]]


def allows(policy, record, flow):
    if policy.scope(policy.nodes["gw"]) == "none" or (flow.destination.version == 6 and not policy.dual):
        return False
    if record["destination"] == "gw":
        return policy.input_covers("gw", flow)
    if not record["sources"]:
        return policy.output_covers("gw", flow)
    return policy.tiers_cover(flow)


def untrue(record, policies, named):
    """A flow that the record has come or go, or move, and that doesn't."""
    if record["change"] == "move" and record["who"]:
        ends = [(policies["new"], policies["old"], record["sources"], record["destination"]),
                (policies["old"], policies["new"], record["was"], record["destination"])]
    elif record["change"] == "move":
        ends = [(policies["new"], policies["old"], record["sources"], record["destination"])]
        ends += [(policies["old"], policies["new"], record["sources"], was) for was in record["was"]]
    else:
        has, has_not = ("new", "old") if record["change"] == "gain" else ("old", "new")
        ends = [(policies[has], policies[has_not], record["sources"], record["destination"])]
    for has, has_not, sources, destination in ends:
        for source, to in itertools.product(sources or ["10.69.50.2", "fd69:50::2"], [destination]):
            own = {ipaddress.ip_address(address) for address in ("10.69.50.2", "fd69:50::2")}
            there = own if to == "gw" else named.addresses_in(to)
            for a, b, (protocol, port) in itertools.product(named.addresses_in(source), there, named.kinds_in(record)):
                flow = Flow(a, b, protocol, port)
                if a.version == b.version and (not allows(has, record, flow) or allows(has_not, record, flow)):
                    return flow
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=1500 if os.environ.get("POLICYC_FULL") else 150)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    compared = differing = silent = incomplete = records = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.policies):
            rng = random.Random(seed)
            case = generate(seed)
            other = generate(seed + 1_000_000)
            named = Named((case, other))
            texts = {"new": case.text, "old": edited(case.text, rng) if rng.random() < 0.8 else other.text}
            files = {f"{name}.toml": text for name, text in texts.items()} | dict.fromkeys(("policy.lock", "old.lock", "new.lock"), case.lock())
            for name, text in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for new, old in (("new", "old"), ("old", "new")):
                record = record_of(folder, new, old, LAYOUTS[seed % len(LAYOUTS)])
                if record is None:  # the edit made something that is no policy
                    continue
                compared += 1
                differing += not record["same"]
                silent += not any(remark["widens"] or remark["narrows"] for remark in record["remarks"])
                policies = {name: Policy(texts[file], case.names) for name, file in (("new", new), ("old", old))}
                for one in record["changes"]:
                    records += 1
                    flow = untrue(one, policies, named)
                    if flow:
                        incomplete += 1
                        print(f"seed {seed}, {new} against {old}: not so: {flow} of {one}")
                left_out = [remark["text"] for remark in record["remarks"] if "nothing above says so" in remark["text"]]
                if left_out:
                    incomplete += 1
                    print(f"seed {seed}, {new} against {old}: {left_out}")
                    print("\n".join(difflib.unified_diff(texts[old].splitlines(), texts[new].splitlines(), old, new, lineterm="")))
    print(f"{compared} comparisons, {differing} with a difference, {silent} without a remark, {records} records, {incomplete} not true or left out")
    return 1 if incomplete or not records or differing < options.policies else 0


sys.exit(main())
