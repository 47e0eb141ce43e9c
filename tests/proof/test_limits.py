"""Random edits of random small policies: where the limits of the new one let more connections of a flow through than those of the old one do, `diff`
says so, and where no flow is under other limits, it says nothing of limits. The naive evaluator reads the limits.

    test_limits.py [--policies N] [--first SEED]"""

import argparse
import ipaddress
import json
import math
import os
import random
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("reference",)]
from evaluator import Flow, Policy  # noqa: E402
from random_policy import RATES, generate  # noqa: E402

PROGRAM = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def with_limits(text, rng):
    """The policy with a limit, or none, or another one at each tier, service and input. More tiers name the gateway."""
    lines = []
    for line in text.splitlines():
        if line.startswith('limit = "'):
            continue
        if line.startswith("service") and "{" in line:
            line = line.split(", limit = ")[0].rstrip(" }") + " }" if ", limit = " in line else line
            if rng.random() < 0.4:
                line = line.rstrip(" }") + f', limit = "{rng.choice(RATES)}" }}'
        if line.startswith("input.") and rng.random() < 0.5:
            line = line.split(", limit = ")[0].rstrip(" }") + f', limit = "{rng.choice(RATES)}" }}'
        if line.startswith("allow = [") and rng.random() < 0.4:
            line = line.rstrip("]") + (", " if '"' in line else "") + f'"gw:{rng.choice([22, 53, 443])}"]'
        if line.startswith("who = [") and rng.random() < 0.2:
            line = line.rstrip("]") + (", " if '"' in line else "") + '"gw"]'
        lines.append(line)
        if line.startswith("[tiers.") and rng.random() < 0.7:
            lines.append(f'limit = "{rng.choice(RATES)}"')
    return "\n".join(lines) + "\n"


def edited(text, rng):
    """The policy with one person or target more in a tier, or with other limits at one tier or service."""
    lines = text.splitlines()
    lists = [i for i, line in enumerate(lines) if line.startswith(("who = ", "allow = "))]
    if rng.random() < 0.6:
        to = rng.choice(lists)
        alike = [i for i in lists if i != to and lines[i].split(" = ")[0] == lines[to].split(" = ")[0]]
        items = [item for i in alike for item in json.loads(lines[i].split(" = ", 1)[1])]
        there = json.loads(lines[to].split(" = ", 1)[1])
        more = [item for item in items if item not in there]
        if more:
            lines[to] = f"{lines[to].split(' = ')[0]} = {json.dumps([*there, rng.choice(more)])}"
            return "\n".join(lines) + "\n"
    limits = [i for i, line in enumerate(lines) if 'limit = "' in line and "denied" not in line]
    if not limits:
        return text
    at = rng.choice(limits)
    before, _, after = lines[at].partition('limit = "')
    if before:
        lines[at] = before + f'limit = "{rng.choice(RATES)}"' + after.partition('"')[2]
    elif rng.random() < 0.5:
        lines[at] = f'limit = "{rng.choice(RATES)}"'
    else:
        del lines[at]
    return "\n".join(lines) + "\n"


def flows(policies):
    """Where what is limited begins and ends, each end of an address with each of a port."""
    sources, targets, ports = set(), set(), set()
    for policy in policies:
        for tier in policy.tiers.values():
            sources |= {(r.version, end) for r in policy.sources(tier["who"]) for end in (r.low, r.high)}
            for target, _ in policy.limited_targets([*tier["allow"], *policy.nodes["gw"].get("output", [])]):
                targets |= {(r.version, end) for r in target.ranges for end in (r.low, r.high)}
                ports |= ends_of(target.item)
        for names, items in policy.input_permissions("gw"):
            sources |= {(r.version, end) for r in names for end in (r.low, r.high)}
            targets |= {(r.version, r.low) for r in policy.host("gw")}
            ports |= {end for item in items for end in ends_of(item)}
    for version, source in sources:
        for other, destination in targets:
            if other != version:
                continue
            address = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
            for protocol, port in ports:
                yield Flow(address(source), address(destination), protocol, port)


def ends_of(item):
    if item.proto == "*":
        return {("igmp", 0)}
    return {(item.proto, port if item.proto in ("tcp", "udp") else 0) for port in (item.low, item.high)}


def capacity(ways):
    """(in the long run, at once) for what is under these limits."""
    if not all(ways):
        return math.inf, math.inf

    def rate(text, which):
        count, _, unit = text.partition("/")
        return int(count) / SECONDS[unit] if which == 0 else int(count)

    common = frozenset.intersection(*ways)
    rests = [way - common for way in ways]
    out = []
    for which in (0, 1):
        least = min((rate(text, which) for _, text in common), default=math.inf)
        total = sum(min((rate(text, which) for _, text in rest), default=math.inf) for rest in rests)
        out.append(min(least, total))
    return tuple(out)


def compare(folder, new, old, names):
    done = subprocess.run(
        [PROGRAM, "diff", f"{new}.toml", "--against", f"{old}.toml", "--node", "gw", "--lock", "policy.lock", "--format", "json"],
        cwd=folder, capture_output=True, text=True, check=False)
    record = json.loads(done.stdout)
    if "remarks" not in record:  # the edit made something that is no policy
        return None
    said = [remark for remark in record["remarks"] if remark["text"].startswith("new connections to ")]
    policies = []
    for name in (new, old):
        with open(os.path.join(folder, f"{name}.toml"), encoding="utf-8") as file:
            policies.append(Policy(file.read(), names))
    wider = differ = None
    for flow in flows(policies):
        now, then = (policy.ways("gw", flow) if policy.dual or flow.source.version == 4 else set() for policy in policies)
        if not now or not then or now == then or all(policy.scope(policy.nodes["gw"]) == "tunnel" and policy.is_beside("gw", flow) for policy in policies):
            continue
        differ = flow
        if any(a > b for a, b in zip(capacity(now), capacity(then))):
            wider = flow
            break
    if wider and not any(remark["widens"] for remark in said):
        return f"not said: {wider} of {said}"
    if said and not differ:
        return f"not so: {said}"
    return "more" if wider else "else" if differ else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=1500 if os.environ.get("POLICYC_FULL") else 150)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    compared = more = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.policies):
            rng = random.Random(seed)
            case = generate(seed)
            old = with_limits(case.text, rng).replace('scope = "none"\n', "")  # where nothing is judged
            files = {"old.toml": old, "new.toml": edited(old, rng)} | dict.fromkeys(("policy.lock", "old.lock", "new.lock"), case.lock())
            for name, text in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for new, before in (("new", "old"), ("old", "new")):
                found = compare(folder, new, before, case.names)
                compared += found is not None
                more += found == "more"
                if found and found not in ("more", "else"):
                    wrong += 1
                    print(f"seed {seed}, {new} against {before}: {found}")
    print(f"{compared} comparisons, {more} with more connections for some flow, {wrong} wrong")
    return 1 if wrong or more < options.policies / 10 else 0


sys.exit(main())
