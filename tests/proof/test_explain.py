"""Random small policies: what `policyc explain` says of flows at the boundaries of every address, port and protocol that a policy names must be what the naive
evaluator says, whichever way they come in; what it says of networks and groups must hold of every flow drawn from them.

    test_explain.py [--policies N] [--first SEED] [--flows N] [--sets N]

A disagreement prints the seed, the question, both verdicts and the policy. (That the diagram says the same is a part of each run: it would end with 2.)"""

import argparse
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_address, ip_network

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("lab", "reference", "kernel")]
from evaluator import Flow, Packet, Policy  # noqa: E402
from random_policy import OWN_ADDRESSES, PAST, generate  # noqa: E402
from test_random import address_boundaries, item_boundaries  # noqa: E402

NAMES = {"tunnel": "wg0", "other": "lan0", "untouched": "old0", "loopback": "lo"}
WAYS_IN = [None, None, "wg0", "lan0", "old0"]
VERDICTS = {"allow": "allowed", "deny": "denied", "not judged": "not_judged"}
LOCAL = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


def bracketed(text):
    return f"[{text}]" if ":" in str(text) else str(text)


def item_of(kind, port):
    return kind if kind == "ping" else f"{port}/{kind}"


class Asker:
    def __init__(self, folder, case, day):
        self.folder, self.case = folder, case
        self.rng = random.Random(case.seed)
        self.policy = Policy(case.text, case.names, day)
        self.now = f"{day}T12:00:00Z"
        for name, text in (("policy.toml", case.text), ("policy.lock", case.lock())):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        own = set(OWN_ADDRESSES)
        self.sources = self.addresses(case.sources | own)
        self.destinations = self.addresses(case.destinations | case.sources | own)
        items = {b for item in case.items | {"51821/udp", "51820/udp"} for b in item_boundaries(item)}
        self.kinds = sorted((kind, port) for kind, port in items if kind == "ping" or kind in ("tcp", "udp") and port > 0)
        self.permissions = [p for p in case.permissions if p[0] and p[1]]

    @staticmethod
    def addresses(cidrs):
        return sorted({a for c in cidrs for a in address_boundaries(c)}, key=lambda a: (a.version, a))

    def ask(self, source, target, way_in=None):
        policyc = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
        command = [policyc, "--hosts", os.devnull, "--now", self.now, "--node", "gw", "--format", "json"]
        command += ["explain", "policy.toml", source, target, *(["--in", way_in] if way_in else [])]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        record = json.loads(done.stdout) if done.stdout else {}
        if done.returncode == 2 or "verdict" not in record:
            raise AssertionError(f"{source} -> {target}: exit {done.returncode}: {record.get('error', done.stdout + done.stderr)}")
        return record, done.returncode

    def judge(self, finding):
        """What the evaluator says of the flow of a finding, where it passes."""
        hook = finding["hook"]
        port, _, kind = finding["port"].partition("/")
        source, destination = ip_address(finding["source"]), ip_address(finding["destination"])
        flow = Flow(source, destination, "ping") if port == "ping" else Flow(source, destination, kind, int(port))
        way_in = "" if hook == "output" else NAMES[finding["in"]]
        way_out = "" if hook == "input" else NAMES[finding["out"]]
        return VERDICTS[self.policy.judge("gw", Packet(hook, flow, way_in, way_out))]

    def draw(self):
        rng = self.rng
        source, destination = rng.choice(self.sources), rng.choice(self.destinations)
        kind, port = rng.choice(self.kinds)
        if self.permissions and rng.random() < 0.7:
            who, where, item = rng.choice(self.permissions)
            source = rng.choice(address_boundaries(rng.choice(who)))
            destination = rng.choice(address_boundaries(rng.choice(where)))
            near = [(k, p) for k, p in item_boundaries(item) if k == "ping" or k in ("tcp", "udp") and p > 0]
            kind, port = rng.choice(near or self.kinds)
        return (source, destination, kind, port) if source.version == destination.version else None

    def one(self):
        """One flow: nothing, or what is wrong."""
        flow = self.draw()
        if not flow:
            return None, None
        source, destination, kind, port = flow
        way_in = self.rng.choice(WAYS_IN)
        record, code = self.ask(str(source), f"{bracketed(destination)}:{item_of(kind, port)}", way_in)
        (answer,) = record["answers"]
        (finding,) = answer["findings"]
        hook = self.hook_of(source, destination, way_in)
        if finding["hook"] != hook:
            return None, f"{flow} by {way_in}: hook {finding['hook']}, not {hook}"
        if way_in and hook != "output" and NAMES[finding["in"]] != way_in and (finding["in"] != "other" or way_in == "wg0"):
            return None, f"{flow}: --in {way_in} was taken for {finding['in']}"
        wanted = self.judge(finding)
        said = {record["verdict"], answer["verdict"], finding["verdict"]}
        if said != {wanted} or code != (1 if wanted == "denied" else 0):
            return None, f"{flow} by {way_in}: evaluator {wanted}, explain {said}, exit {code}"
        if (wanted == "allowed") != bool(answer["allowed_by"]) and finding["why"] not in ("wireguard", "loopback"):
            return None, f"{flow}: {wanted}, and the lines are {answer['allowed_by']}"
        return wanted, None

    def hook_of(self, source, destination, way_in):
        own = self.policy.host("gw")
        here = lambda a: any(r.holds(a) for r in own) or any(a.version == n.version and a in n for n in LOCAL)  # noqa: E731
        return "input" if here(destination) else "output" if here(source) and not way_in else "forward"

    def sets(self):
        """Networks, names and ranges of ports: each example is right, and flows drawn from both sides are told of."""
        rng = self.rng
        if not self.permissions:
            return None
        who, where, item = rng.choice(self.permissions)
        source, destination = rng.choice(who), rng.choice(where)
        if ip_network(source).version != ip_network(destination).version:
            return None
        try:
            record, _ = self.ask(source, f"{bracketed(destination)}:{item}")
        except AssertionError as error:
            if "`*`" in str(error):
                return None
            raise
        (answer,) = record["answers"]
        for finding in answer["findings"]:
            if finding["port"] == "*" or "other" in finding["port"]:
                continue
            wanted = self.judge(finding)
            if wanted != finding["verdict"]:
                return f"{source} -> {destination}:{item}: evaluator {wanted} of {finding}"
        found = {finding["verdict"] for finding in answer["findings"]}
        shown = {(f["hook"], f["in"], f["out"]) for f in answer["findings"]}
        for _ in range(30):
            a = rng.choice([x for x in address_boundaries(source) if x in ip_network(source)] or [ip_network(source)[0]])
            b = rng.choice([x for x in address_boundaries(destination) if x in ip_network(destination)] or [ip_network(destination)[0]])
            inside = [(k, p) for k, p in item_boundaries(item) if k == "ping" or k in ("tcp", "udp") and p > 0]
            kind, port = rng.choice(inside)
            if not self.holds(item, kind, port):
                continue
            hook = self.hook_of(a, b, None)
            ways = {(i, o) for h, i, o in shown if h == hook}
            verdicts = {
                self.judge({"hook": hook, "in": i, "out": o, "source": a, "destination": b, "port": "ping" if kind == "ping" else f"{port}/{kind}"})
                for i, o in ways
            }
            if not verdicts & found:
                return f"{source} -> {destination}:{item}: {a} -> {b}:{port}/{kind} is {verdicts} of {ways}, explain knows {found}"
        return None

    @staticmethod
    def holds(item, kind, port):
        if item in ("*", "ping"):
            return item == "*" or kind == "ping"
        ports, _, proto = item.partition("/")
        low, _, high = ports.partition("-")
        return kind == (proto or "tcp") and (ports == "*" or int(low) <= port <= int(high or low))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", type=int, default=80)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--flows", type=int, default=12, help="for each policy")
    parser.add_argument("--sets", type=int, default=3, help="for each policy")
    arguments = parser.parse_args()
    began = time.monotonic()
    counts, wrong, sets = {"allowed": 0, "denied": 0, "not_judged": 0}, 0, 0
    with tempfile.TemporaryDirectory(prefix="policyc-explain-") as folder:
        for seed in range(arguments.first, arguments.first + arguments.policies):
            case = generate(seed)
            day = datetime.date.fromisoformat(PAST) + datetime.timedelta(days=[0, 1, 2000][seed % 3])
            asker = Asker(folder, case, day)
            troubles = []
            for _ in range(arguments.flows):
                try:
                    verdict, trouble = asker.one()
                except AssertionError as error:
                    verdict, trouble = None, str(error)
                if verdict:
                    counts[verdict] += 1
                troubles += [trouble] if trouble else []
            for _ in range(arguments.sets):
                try:
                    trouble = asker.sets()
                except AssertionError as error:
                    trouble = str(error)
                sets += 1
                troubles += [trouble] if trouble else []
            for trouble in troubles:
                wrong += 1
                if wrong <= 3:
                    print(f"seed {seed}, {day}: {trouble}\n{case.text}")
    total = sum(counts.values())
    print(
        f"{arguments.policies} policies, {total} flows ({counts['allowed']} allowed, {counts['not_judged']} not judged) and {sets} sets of flows in "
        f"{time.monotonic() - began:.1f} s; {wrong} disagree"
    )
    return 1 if wrong or min(counts.values()) < total // 50 else 0


if __name__ == "__main__":
    sys.exit(main())
