"""Random edits of random small policies: `diff` lists all that comes and goes, or the diagrams of both find a packet that it does not name. And it
lists nothing else: wherever a record and something that the policies name begin and end, the naive evaluator has one policy let the flow pass and the other not,
whatever lets it: a record of an input is held against the tiers too, and one of a tier against inputs and outputs.

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
from evaluator import PRESETS, Flow, Policy, as_list, port_item, range_of  # noqa: E402
from random_policy import OWN_ADDRESSES, generate  # noqa: E402
from test_random import LAYOUTS  # noqa: E402

PROGRAM = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
OWN = {ipaddress.ip_address(address) for address in OWN_ADDRESSES}
# And what else may be an address of this host: inputs and outputs are about it too.
HERE = OWN | {ipaddress.ip_address(address) for address in ("192.0.2.77", "fd99::77")}
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


def with_own(case, rng):
    """The policy with one tier more, which names this host beside its inputs or outputs."""
    node = Policy(case.text).nodes["gw"]
    inputs = sorted(node.get("input", {}).items())
    block = "10.69.50.0/28"
    if inputs and (rng.random() < 0.7 or not node.get("output")):
        name, entry = rng.choice(inputs)
        item = rng.choice(as_list(entry.get("ports", PRESETS.get(name))) + ["*", "*/tcp"])
        who = rng.choice([entry["from"], entry["from"], [block], ["10.69.0.0/16"]])
        allow = [f"{rng.choice(['gw', 'gw', block])}:{item}"]
        case.items.add(str(item))
    elif node.get("output"):
        who = [rng.choice(["gw", "gw", block])]
        allow = [rng.choice(node["output"])]
    else:
        return
    case.sources |= {block, "10.69.0.0/16"}
    case.destinations.add(block)
    case.text += f"\n[tiers.own]\nwho = {json.dumps(who)}\nallow = {json.dumps(allow)}\n"


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


def here_in(networks, policies, named):
    """Addresses that this host may have there, which no line says."""
    others = {corner for policy in policies for node in policy.nodes if node != "gw" for r in policy.host(node) for corner in (r.low, r.high)}
    found = set()
    for r in networks:
        address = ipaddress.IPv4Address if r.version == 4 else ipaddress.IPv6Address
        found |= {address(min(r.low + 2, r.high))} | {a for a in named.addresses if r.holds(a)}
    return {address for address in found if int(address) not in others}


def passes(policy, flow, here):
    """Whether the first packet of a flow may pass, where it is judged: to or from this host, which has the addresses `here`, by its lists as well as by a
    tier."""
    node = policy.nodes["gw"]
    if policy.scope(node) == "none":
        return False
    if flow.source in HERE and "output" not in node:
        return True
    if flow.destination.version == 6 and not policy.dual:
        return False
    return (policy.tiers_cover(flow) or (flow.destination in here and policy.input_covers("gw", flow))
            or (flow.source in HERE and policy.output_covers("gw", flow)))


def is_left_alone(policy, flow, policies, here):
    """What a policy never judges, for it does not pass the tunnel, under neither."""
    return policy.scope(policy.nodes["gw"]) == "tunnel" and all(one.is_beside("gw", flow, here) for one in policies)


def is_meant(flow, sources, policies, here):
    """Not what this host sends to itself: that goes over loopback. Of a network that this host is in, what it sends only where that is judged."""
    if flow.source in HERE and (flow.destination in here or len(set(corners(sources or str(flow.source)))) > 1):
        return flow.destination not in here and all("output" in policy.nodes["gw"] for policy in policies)
    return True


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
    excepted = [range_of(text) for text in record.get("except", ())]

    def less(addresses):
        return {address for address in addresses if not any(r.holds(address) for r in excepted)}

    served = [r for policy in policies.values() for name in policy.nodes["gw"].get("serves", ()) for r in policy.host(name)]
    for has, has_not, sources, to in ends:
        for source in sources or [None]:
            begin = named.addresses_in(source) if source else less(HERE)
            end = less(HERE | here_in(served, policies.values(), named)) if to == "gw" else named.addresses_in(to)
            for a, b, (protocol, port) in itertools.product(begin, end, named.kinds_in(record)):
                flow = Flow(a, b, protocol, port)
                here = HERE | {b} if to == "gw" else HERE
                met = a.version == b.version and a != b and is_meant(flow, source, policies.values(), here)
                if met and (not passes(has, flow, here) or passes(has_not, flow, here) or is_left_alone(has_not, flow, policies.values(), here)):
                    return flow
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=1500 if os.environ.get("POLICYC_FULL") else 150)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    compared = differing = silent = incomplete = records = less = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.policies):
            rng = random.Random(seed)
            case = generate(seed)
            other = generate(seed + 1_000_000)
            if rng.random() < 0.6:
                with_own(case, rng)
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
                    less += "except" in one
                    flow = untrue(one, policies, named)
                    if flow:
                        incomplete += 1
                        print(f"seed {seed}, {new} against {old}: not so: {flow} of {one}")
                left_out = [remark["text"] for remark in record["remarks"] if "nothing above says so" in remark["text"]]
                if left_out:
                    incomplete += 1
                    print(f"seed {seed}, {new} against {old}: {left_out}")
                    print("\n".join(difflib.unified_diff(texts[old].splitlines(), texts[new].splitlines(), old, new, lineterm="")))
    print(f"{compared} comparisons, {differing} with a difference, {silent} without a remark, {records} records, {less} of them less an own address, {incomplete} not true or left out")
    return 1 if incomplete or not records or differing < options.policies else 0


sys.exit(main())
