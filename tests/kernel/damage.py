"""What somebody can do with nft to a table that is in the kernel, one small thing at a time: all_of(). Each is a Damage that nft is given, made from nft's own JSON listing."""

import copy
import ipaddress
import json
import re
import subprocess
from dataclasses import dataclass

TABLE = {"family": "inet", "table": "policyc"}
# Words of nft that a hand may take for another one.
LIKE = {
    "tcp": "udp", "udp": "tcp", "icmp": "tcp", "ipv6-icmp": "tcp", "ipv4": "ipv6", "ipv6": "ipv4", "original": "reply", "reply": "original", "ip saddr": "ip daddr",
    "ip daddr": "ip saddr", "ip6 saddr": "ip6 daddr", "ip6 daddr": "ip6 saddr", "saddr": "daddr", "daddr": "saddr", "sport": "dport", "dport": "sport",
    "proto-dst": "proto-src", "iifname": "oifname", "oifname": "iifname", "established": "new", "related": "established", "invalid": "new", "new": "established",
    "untracked": "new", "confirmed": "assured", "assured": "confirmed", "dnat": "snat", "syn": "rst", "echo-request": "echo-reply",
    "destination-unreachable": "echo-request", "time-exceeded": "redirect", "second": "minute", "minute": "hour", "hour": "day", "nd-neighbor-solicit": "echo-request",
}  # fmt: skip
OPPOSITE = {"==": "!=", "!=": "==", "in": "!=", "<": ">", ">": "<", "<=": ">", ">=": "<"}
VERDICTS = ("accept", "drop", "return")


@dataclass
class Damage:
    kind: str
    what: str
    text: str
    whole: bool = False  # the table anew, in the place of the one that is there; else a transaction on it, in JSON


def listing():
    found = subprocess.run(["nft", "-j", "list", "table", "inet", "policyc"], capture_output=True, text=True, check=True).stdout
    return json.loads(found)["nftables"]


def bare(listed):
    """A listing without what isn't the ruleset: handles, counts, the order of elements."""

    def strip(node):
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if key not in ("handle", "packets", "bytes", "expires")}
        return [strip(item) for item in node] if isinstance(node, list) else node

    out = strip([item for item in listed if "metainfo" not in item])
    for item in out:
        for one in item.values():
            if "elem" in one:
                one["elem"] = sorted(json.dumps(element) for element in one["elem"])
    return out


def address(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def narrower(value):
    """A part of an interval, or None."""
    if isinstance(value, dict) and "prefix" in value:
        return {"prefix": {"addr": value["prefix"]["addr"], "len": value["prefix"]["len"] + 1}}
    if isinstance(value, dict) and "range" in value:
        low, high = value["range"]
        under = high - 1 if isinstance(high, int) else str(address(high) - 1)
        return low if under == low else {"range": [low, under]}
    return None


def wider(value):
    """More than that: an interval in which it is, or None."""
    if isinstance(value, dict) and "prefix" in value:
        length = value["prefix"]["len"] - 1
        block = ipaddress.ip_network(f"{value['prefix']['addr']}/{length}", strict=False)
        return {"prefix": {"addr": str(block[0]), "len": length}}
    low, high = value["range"] if isinstance(value, dict) and "range" in value else (value, value)
    if isinstance(high, int):
        return {"range": [low, high + 1]} if high < 65535 else None
    return {"range": [low, str(address(high) + 1)]} if address(high) else None


def flipped(value):
    """Another value of the same size, or None."""
    if isinstance(value, dict) and "prefix" in value:
        block = ipaddress.ip_network(f"{value['prefix']['addr']}/{value['prefix']['len']}")
        return {"prefix": {"addr": str(type(block[0])(int(block[0]) ^ block.num_addresses)), "len": block.prefixlen}}
    if isinstance(value, dict):
        return None
    if isinstance(value, int):
        return value ^ 1 or 3
    if found := address(value):
        return str(type(found)(int(found) ^ 1))
    return LIKE.get(value, value + "x")


class Table:
    def __init__(self, listed):
        self.chains = [item["chain"] for item in listed if "chain" in item]
        self.rules = [item["rule"] for item in listed if "rule" in item]
        self.sets = {kind: [item[kind] for item in listed if kind in item] for kind in ("set", "map")}
        self.counters = [item["counter"]["name"] for item in listed if "counter" in item]
        self.types = {one["name"]: (kind, one["type"], one.get("map")) for kind, some in self.sets.items() for one in some}

    def like(self, name):
        """Another set of the same type."""
        return next((other for other, kind in self.types.items() if kind == self.types.get(name) and other != name), None)

    def variants(self, node):
        """Copies of a part of a rule in which one thing is something like it."""
        if isinstance(node, bool) or node is None:
            return
        if isinstance(node, int):
            yield node + 1
        elif isinstance(node, str):
            if node[:1] == "@" and self.like(node[1:]):
                yield "@" + self.like(node[1:])
            elif node in LIKE:
                yield LIKE[node]
            elif address(node):
                yield flipped(node)
            elif node in self.counters:
                yield from (other for other in self.counters[:2] if other != node)
            elif re.fullmatch(r"(wg|old|lan|tun|eth)[\w-]*", node):
                yield node + "x"
        elif isinstance(node, list):
            for i, item in enumerate(node):
                if len(node) > 1 and isinstance(item, (str, int)) and not str(item).startswith("@"):
                    yield node[:i] + node[i + 1 :]
                for other in self.variants(item):
                    yield node[:i] + [other] + node[i + 1 :]
        else:
            yield from self.of_statement(node)

    def of_statement(self, node):
        word = next(iter(node), "")
        if len(node) == 1 and word in VERDICTS:
            yield from ({verdict: None} for verdict in VERDICTS if verdict != word)
        elif word in ("jump", "goto"):
            yield {"goto" if word == "jump" else "jump": node[word]}
            yield {"accept": None}
            others = [chain["name"] for chain in self.chains if "hook" not in chain and chain["name"] != node[word]["target"]]
            yield from ({word: {"target": other}} for other in others[:2])
        elif word == "reject":
            yield {"drop": None}
        else:
            if node.get("op") in OPPOSITE:
                yield {**node, "op": OPPOSITE[node["op"]]}
            for key, value in node.items():
                if key in ("packets", "bytes", "key") and not isinstance(value, (str, dict)):
                    continue
                for other in self.variants(value):
                    yield {**node, key: other}

    # ---- elements --------------------------------------------------------------------------------------------------

    def of_elements(self):
        for kind, some in self.sets.items():
            for one in some:
                if "dynamic" in one.get("flags", []) or one.get("map", "") not in ("", "verdict", "counter"):
                    continue
                for element in one.get("elem", []):
                    yield from self.of_element(kind, one, element)

    def of_element(self, kind, one, element):
        key, data = element if kind == "map" else (element, None)
        where = {**TABLE, "name": one["name"]}

        def made(word, new):
            commands = [{"delete": {"element": {**where, "elem": [element]}}}]
            if new is not None:
                commands.append({"add": {"element": {**where, "elem": [new]}}})
            return Damage(f"element {word}", f"{one['name']}: {json.dumps(element)} -> {json.dumps(new)}", script(*commands))

        yield made("deleted", None)
        wrapped = isinstance(key, dict) and "elem" in key
        value = key["elem"]["val"] if wrapped else key
        fields = value["concat"] if isinstance(value, dict) and "concat" in value else [value]
        changes = [("flipped", flipped), ("narrowed", narrower)]
        if "interval" in one.get("flags", []):
            changes.append(("widened", wider))
        for word, change in changes:
            for i, field in enumerate(fields):
                if (other := change(field)) is None:
                    continue
                new = {"concat": [*fields[:i], other, *fields[i + 1 :]]} if len(fields) > 1 else other
                if wrapped:
                    new = {"elem": {**key["elem"], "val": new}}
                yield made(word, [new, data] if kind == "map" else new)
        if kind == "map":
            for other in self.variants(data):
                yield made("turned to something else", [key, other])

    # ---- rules -----------------------------------------------------------------------------------------------------

    def of_rules(self):
        for chain in self.chains:
            rules = [rule for rule in self.rules if rule["chain"] == chain["name"]]
            for word in (*VERDICTS, "counter"):
                rule = {**TABLE, "chain": chain["name"], "expr": [{word: None}]}
                yield Damage(f"{word} before all rules", chain["name"], script({"insert": {"rule": rule}}))
            for rule, after in zip(rules, [*rules[1:], None]):
                yield from self.of_rule(rule, after)

    def of_rule(self, rule, after):
        handle = {**TABLE, "chain": rule["chain"], "handle": rule["handle"]}
        name = f"{rule['chain']}: {json.dumps(rule['expr'])}"
        yield Damage("rule deleted", name, script({"delete": {"rule": handle}}))
        if after:
            yield Damage("rules swapped", f"{name} and the next", script({"delete": {"rule": handle}}, {"add": {"rule": {**rule, "handle": after["handle"]}}}))

        def replaced(kind, statements):
            return Damage(kind, f"{name} -> {json.dumps(statements)}", script({"replace": {"rule": {**rule, "expr": statements}}}))

        for i, statement in enumerate(rule["expr"]):
            rest = rule["expr"][:i] + rule["expr"][i + 1 :]
            if rest:
                yield replaced("statement dropped", rest)
            for other in self.variants(statement):
                negated = "match" in statement and other["match"]["op"] != statement["match"]["op"]
                yield replaced("statement negated" if negated else "statement turned to something like it", rule["expr"][:i] + [other] + rule["expr"][i + 1 :])

    def same_rules(self):
        """Each rule replaced by itself: no damage, which shows that the listing says all that is in a rule."""
        return script(*({"replace": {"rule": rule}} for rule in self.rules))


def script(*commands):
    return json.dumps({"nftables": list(commands)})


def of_frame(text):
    """Of the text that policyc compiles to: hooks, policies, flags and sizes of sets, a dormant table, and what is there beside."""

    def whole(kind, at, new):
        line = text[text.rfind("\n", 0, at.start()) + 1 : text.find("\n", at.end())].strip()
        return Damage(kind, f"{line} -> {new}", text[: at.start()] + new + text[at.end() :], True)

    for at in re.finditer(r"type \w+ hook (\w+) priority ([^;]+); policy (\w+);", text):
        line, hook, priority, policy = at[0], *at.groups()
        for other in ("0", f"{priority.split()[0]} - 9", f"{priority.split()[0]} + 10"):
            if other != priority:
                yield whole("priority", at, line.replace(f"priority {priority};", f"priority {other};"))
        yield whole("policy", at, line.replace(f"policy {policy};", "policy accept;" if policy == "drop" else "policy drop;"))
        for other in ("input", "forward", "output", "prerouting", "postrouting"):
            if other != hook:
                yield whole("hook", at, line.replace(f"hook {hook} ", f"hook {other} "))
    for at in re.finditer(r"\t(?:set|map) \S+ \{\n(?:\t\t.*\n)+?\t\}", text):
        block = at[0]
        if size := re.search(r"\t\tsize (\d+)\n", block):
            yield whole("size", at, block.replace(size[0], f"\t\tsize {int(size[1]) + 1}\n"))
        else:
            yield whole("size", at, re.sub(r"(\t\ttype .*\n)", r"\1\t\tsize 65000\n", block))
        flags = re.search(r"\t\tflags (.*)\n", block)
        for flag in ("timeout", "constant"):
            if flags and flag not in flags[1]:
                yield whole("flags", at, block.replace(flags[0], f"\t\tflags {flags[1]}, {flag}\n"))
            elif not flags:
                yield whole("flags", at, re.sub(r"(\t\ttype .*\n)", rf"\1\t\tflags {flag}\n", block))
        if flags and "interval" not in flags[1]:
            yield whole("flags", at, block.replace(flags[0], ""))
        if timeout := re.search(r"\t\ttimeout (\d+)(\w)", block):
            yield whole("timeout", at, block.replace(timeout[0], f"\t\ttimeout {int(timeout[1]) + 1}{timeout[2]}"))
    yield Damage("dormant", "the table", text + "\nadd table inet policyc { flags dormant; }\n", True)
    for more in ("chain more", "chain more { type filter hook prerouting priority 7; policy accept; }", "set more { type ipv4_addr; }", "counter more"):
        yield Damage("something more", more, f"{text}\nadd {more.split()[0]} inet policyc {more.split(' ', 1)[1]}\n", True)


def all_of(text, listed):
    """The damages of a table: `text` is what it was loaded from, by nft, and `listed` what nft says of it."""
    table = Table(copy.deepcopy(listed))
    return [*of_frame(text), *table.of_rules(), *table.of_elements()]
