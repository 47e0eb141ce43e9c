"""Random edits of small policies that overlap a lot, and answers of DNS that change beside them: each record of `diff` has the cause and the line that the naive
evaluator finds for it. What comes by DNS comes with the new addresses alone, what goes by DNS goes with them alone, what is an edit does not; the entry on the line that is named
allows all of the record by itself; all that comes and goes is in some record; and no two records are the same.

    test_causes.py [--policies N] [--first SEED]

Prints the seed and the record where that is not so."""

import argparse
import ipaddress
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "reference")]
from evaluator import Flow, Policy, port_item, range_of  # noqa: E402

PROGRAM = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
NAMES = ("one.example", "two.example")
# Where what the policies name begins and ends, and some beyond.
SOURCES = [ipaddress.ip_address(f"10.9.0.{last}") for last in range(7, 17)] + [ipaddress.ip_address(f"10.9.1.{last}") for last in range(0, 5)]
DESTINATIONS = [ipaddress.ip_address(f"10.1.0.{last}") for last in (*range(9), 200)]
KINDS = [("tcp", port) for port in (1, *range(79, 93), 65535)] + [("udp", port) for port in (1, *range(78, 88), 90, 91, 65535)] + [("ping", 0), ("igmp", 0)]
WHO = ["a", "b", "c", "lan", "some", "10.9.0.8/29", "10.9.0.8/30", "10.9.0.12/30", "10.9.0.11", "10.9.0.12/31"]
PORTS = ["80", "81", "80-85", "85-90", "86/udp", "80-82/udp", "ping", "*", "90"]
HOSTS = [*NAMES, "10.1.0.2", "10.1.0.3", "10.1.0.4/30", "home"]
TARGETS = ["s1", "s2", "s3", "wide", "s1:81", "10.1.0.2:80", "10.1.0.3:80-85", "10.1.0.0/29:85", "home:90"]


class Draft:
    """A policy in parts that can be edited, and the answers of DNS."""

    def __init__(self, rng):
        some = lambda population, most: rng.sample(population, rng.choice([1, 1, 2, most]))  # noqa: E731
        self.nodes = {"a": "10.9.0.11", "b": "10.9.0.12", "c": "10.9.0.13"}
        self.services = {name: (rng.choice(HOSTS), some(PORTS, 3)) for name in ("s2", "s3")} | {"s1": (rng.choice(NAMES), some(PORTS, 3))}
        self.groups = {"some": some(["a", "b", "c", "lan"], 3), "wide": some(["s1", "s2", "s3"], 2)}
        self.tiers = {f"t{i}": (some(WHO, 3), some(TARGETS, 3)) for i in range(rng.randint(1, 3))}
        self.input = {f"i{i}": (some(WHO, 2), some(PORTS, 2)) for i in range(rng.randint(0, 2))}
        self.answers = {name: [f"10.1.0.{last}" for last in sorted(rng.sample(range(1, 8), rng.choice([1, 1, 2])))] for name in NAMES}

    def edit(self, rng):
        """Takes some parts of another one, grows or shrinks."""
        other = Draft(rng)
        if rng.random() < 0.6:
            self.answers[rng.choice(NAMES)] = other.answers[rng.choice(NAMES)]
        for _ in range(rng.randint(1, 3)):
            part = rng.choice(["services", "services", "tiers", "tiers", "who", "allow", "groups", "input", "less", "nodes"])
            name = rng.choice(sorted(self.tiers))
            who, allow = self.tiers[name]
            if part == "nodes":
                self.nodes[rng.choice("abc")] = rng.choice(["10.9.0.14", "10.9.0.15"])
                if len(set(self.nodes.values())) < len(self.nodes):
                    self.nodes = {"a": "10.9.0.11", "b": "10.9.0.15", "c": "10.9.0.13"}
            elif part == "input":
                self.input = other.input
            elif part == "who":
                self.tiers[name] = (list(dict.fromkeys(who + other.tiers["t0"][0])), allow)
            elif part == "allow":
                self.tiers[name] = (who, list(dict.fromkeys(allow + other.tiers["t0"][1])))
            elif part == "less":
                self.tiers[name] = (who[1:] or who, allow[1:] or allow)
            else:
                mine, others = getattr(self, part), getattr(other, part)
                key = rng.choice(sorted(mine))
                mine[key] = others.get(key, mine[key])

    def known(self):
        """The answers that count: of names in the policy."""
        named = {host for host, _ in self.services.values()}
        return {name: found for name, found in self.answers.items() if name in named}

    def write(self, folder, name):
        """The file, and what the entry on each line lets through; entries of tiers have lines of their own."""
        lines = ["version = 1", "[networks]", 'home = ["10.1.0.0/24"]', 'lan = ["10.9.1.0/30"]', "[nodes.gw]", 'role = "gateway"', 'address = "10.9.0.1"', 'interface = "wg0"', 'serves = ["home"]']
        entries = {}
        for key, (sources, ports) in self.input.items():
            lines.append(f"input.{key} = {{ from = {json.dumps(sources)}, ports = {json.dumps(ports)} }}")
            entries[len(lines)] = (sources, None, ports)
        for key, address in self.nodes.items():
            lines += [f"[nodes.{key}]", f'address = "{address}"']
        lines.append("[services]")
        lines += [f'{key} = {{ host = "{host}", ports = {json.dumps(ports)} }}' for key, (host, ports) in self.services.items()]
        lines.append("[groups]")
        lines += [f"{key} = {json.dumps(members)}" for key, members in self.groups.items()]
        for key, (who, allow) in self.tiers.items():
            lines += [f"[tiers.{key}]", f"who = {json.dumps(who)}", "allow = ["]
            for entry in allow:
                lines.append(f'  "{entry}",')
                entries[len(lines)] = (who, entry, None)
            lines.append("]")
        text = "\n".join(lines) + "\n"
        lock = "version = 1\n" + "".join(f'[names."{key}"]\naddresses = {json.dumps(found)}\nttl = 300\nresolved = "2026-01-01T00:00:00Z"\n' for key, found in self.answers.items())
        for path, content in ((f"{name}/policy.toml", text), (f"{name}/policy.lock", lock)):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(content)
        return text, entries


def flows_of(policy, entry):
    """What one entry lets through, of the flows above; to "gw" by an input."""
    sources, target, ports = entry
    begin = [address for address in SOURCES if any(r.holds(address) for r in policy.sources(sources))]
    if target is None:
        kinds = [kind for kind in KINDS if any(port_item(item).holds(Flow(None, None, *kind)) for item in ports)]
        return set(itertools.product(begin, ["gw"], kinds))
    found = set()
    for one in policy.targets([target]):
        end = [address for address in DESTINATIONS if any(r.holds(address) for r in one.ranges)]
        found |= set(itertools.product(begin, end, [kind for kind in KINDS if one.item.holds(Flow(None, None, *kind))]))
    return found


class Meaning:
    """What each line of a policy lets through with some answers, and all of it."""

    def __init__(self, written, answers):
        text, entries = written
        policy = Policy(text, answers)
        self.lines = {line: flows_of(policy, entry) for line, entry in entries.items()}
        self.all = set().union(*self.lines.values())


def corners(text):
    low, _, high = text.partition("-")
    return (ipaddress.ip_address(low), ipaddress.ip_address(high)) if high else (range_of(text).low, range_of(text).high)


def addresses_in(text, addresses):
    low, high = (int(corner) for corner in corners(text))
    return [address for address in addresses if low <= int(address) <= high]


def flows_in(record, sources, destination):
    begin = [address for text in sources for address in addresses_in(text, SOURCES)]
    end = ["gw"] if destination == "gw" else addresses_in(destination, DESTINATIONS)
    if record["proto"] == "other":
        return set(itertools.product(begin, end, [("igmp", 0)]))
    item = {"any": "*", "ping": "ping"}.get(record["proto"]) or f"{record['port'] or '*'}/{record['proto']}"
    return set(itertools.product(begin, end, [kind for kind in KINDS if port_item(item).holds(Flow(None, None, *kind))]))


def faults(records, old, new, old_answers, new_answers):
    """What is not so in the records; `old` and `new` are written policies."""
    was, now = Meaning(old, old_answers), Meaning(new, new_answers)
    by_answers_alone = {"gain": Meaning(old, new_answers).all, "loss": Meaning(new, old_answers).all}
    named_by_dns = {"gain": new, "loss": old}
    new_addresses = [number for number, line in enumerate(new[0].splitlines(), 1) if line.startswith("address = ")]
    left_out = {"gain": now.all - was.all, "loss": was.all - now.all}
    for record in records:
        sources, to = record["sources"], record["destination"]
        flows = flows_in(record, sources, to)
        kind = record["change"]
        if kind == "move":
            left = [flows_in(record, [place], to) if record["who"] else flows_in(record, sources, place) for place in record["was"]]
            left_out["gain"] -= flows
            left_out["loss"] -= set().union(*left)
            continue
        left_out[kind] -= flows
        by_dns = flows & by_answers_alone[kind]
        if record["cause"] == "dns" and flows - by_dns:
            yield f"is no answer of DNS: {record}"
        service = Policy(named_by_dns[kind][0]).services.get(record["service"])
        if record["cause"] == "edit" and by_dns and service and service["host"] in NAMES:
            yield f"is an answer of DNS: {record}"
        # What goes by DNS has no line in the old policy: the answer is what was removed.
        if record["reason"] == "its address was edited":
            if record["line"] not in new_addresses:
                yield f"is no line of an address: {record}"
        elif kind == "gain" or record["cause"] == "edit":
            allows = (now if kind == "gain" else was).lines.get(record["line"])
            if allows is None or flows - allows:
                yield f"does not come from that line: {record}"
    for kind, flows in left_out.items():
        if flows:
            yield f"a {kind} that is in no record: {min(flows, key=str)}"
    texts = [json.dumps(record) for record in records]
    for text in {text for text in texts if texts.count(text) > 1}:
        yield f"twice: {text}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=3000 if os.environ.get("POLICYC_FULL") else 400)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    causes = {"edit": 0, "dns": 0}
    records = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.policies):
            rng = random.Random(seed)
            draft = Draft(rng)
            old, old_answers = draft.write(folder, "old"), draft.known()
            draft.edit(rng)
            new, new_answers = draft.write(folder, "new"), draft.known()
            done = subprocess.run([PROGRAM, "diff", "new/policy.toml", "--against", "old/policy.toml", "--node", "gw", "--format", "json"],
                                  cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode == 2:
                sys.exit(f"trouble: seed {seed}: {done.stdout}{done.stderr}")
            found = json.loads(done.stdout)["changes"]
            for record in found:
                causes[record["cause"]] += 1
            records += len(found)
            for fault in faults(found, old, new, old_answers, new_answers):
                wrong += 1
                print(f"seed {seed}: {fault}")
    print(f"{options.policies} edits, {records} records, {causes['edit']} of them of an edit and {causes['dns']} of DNS, {wrong} wrong")
    return 1 if wrong or min(causes.values()) < options.policies // 4 else 0


sys.exit(main())
