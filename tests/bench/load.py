"""What it takes to bring a policy into the kernel, to change it there, and to read it back: policyc, nft, libnftables, and the least that is possible.

usage: load.py BUILD [--most ELEMENTS] [--runs N] [--write]        as ./dev bench load calls it

Everything happens in a network namespace of its own. What is compared takes turns. policyc says how long its phases took where it knows POLICYC_TIMINGS; else they are n/a."""
import argparse
import ipaddress
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernel"))

import own_network
import page
import policies
from running import Failed, Runner

SHARD = 65536


class Bench:
    def __init__(self, build, folder):
        self.policyc, self.floor, self.by_library, self.program = (os.path.join(build, name) for name in ("policyc", "floor", "library", "program"))
        self.runner = Runner(build)
        self.folder = folder
        self.state = self.path("state")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def apply(self, policy):
        return self.policyc, "--node", "gw", "--state-dir", self.state, "apply", self.path(policy)

    def compile(self, policy, kind, output):
        return self.runner.run(self.policyc, "--node", "gw", "compile", self.path(policy), "--to", kind, output=self.path(output))

    def clear(self):
        own_network.clear()
        shutil.rmtree(self.state, ignore_errors=True)

    def elements(self):
        """How many the kernel holds in our table."""
        self.runner.run(self.floor, "read", output=self.path("count"))
        with open(self.path("count"), encoding="ascii") as file:
            return int(file.read())

    def size(self, count, runs):
        """{what: Cell} of a policy that is `count` elements."""
        self.write("policy.toml", policies.of_one(count))
        self.write("changed.toml", policies.of_one(count, changed=count // 2))
        self.write("other.toml", policies.of_one(count, port=policies.PORT + 1))
        self.compile("policy.toml", "nft", "policy.nft")
        self.compile("policy.toml", "json", "policy.json")
        self.compile("other.toml", "nft", "other.nft")
        text, json, other = self.path("policy.nft"), self.path("policy.json"), self.path("other.nft")
        cells = {}

        def in_place(*command):
            def prepare():
                self.clear()
                self.runner.run(*command)
            return prepare

        floored, sharded = in_place(self.floor, "load", str(count)), in_place(self.floor, "load", str(count), str(SHARD))
        for number in range(runs):
            print(f"{count:,} elements, run {number + 1} of {runs}", file=sys.stderr)
            self.runner.measure(cells, "apply", self.clear, self.apply("policy.toml"))
            # Each finds what the one before it left.
            self.runner.measure(cells, "apply again", lambda: None, self.apply("policy.toml"))
            self.runner.measure(cells, "apply, one changed", lambda: None, self.apply("changed.toml"))
            self.runner.measure(cells, "apply, all changed", lambda: None, self.apply("other.toml"))
            self.runner.measure(cells, "program", self.clear, (self.program, self.path("policy.toml"), "gw"))
            self.runner.measure(cells, "nft -f", self.clear, ("nft", "-f", text))
            self.runner.measure(cells, "nft list", lambda: None, ("nft", "list", "table", "inet", "policyc"))
            self.runner.measure(cells, "nft -j list", lambda: None, ("nft", "-j", "list", "table", "inet", "policyc"))
            self.runner.measure(cells, "nft, one changed", lambda: self.one_by_nft(count), ("nft", "-f", self.path("one.nft")))
            self.runner.measure(cells, "nft -f, all changed", lambda: None, ("nft", "-f", other))
            self.runner.measure(cells, "libnftables text", self.clear, (self.by_library, "text", text))
            self.runner.measure(cells, "libnftables JSON", self.clear, (self.by_library, "json", json))
            self.runner.measure(cells, "floor", self.clear, (self.floor, "load", str(count)))
            # As cold as the caches are after a policy was compiled.
            self.runner.measure(cells, "floor, one changed", sharded, (self.floor, "change", "64"))
            self.runner.measure(cells, "floor, all changed", floored, (self.floor, "replace", str(count)))
            self.runner.measure(cells, "floor, shards", self.clear, (self.floor, "load", str(count), str(SHARD)))
            self.runner.measure(cells, "floor, read", sharded, (self.floor, "read"))
            for _ in range(2 if count == 10**6 else 5):
                self.turn(cells, count)
        self.clear()
        return cells

    def turn(self, cells, count):
        """What is promised of the floor differs by less than one of these machines does from one minute to the next: both of a pair run right after each other, and often."""
        self.runner.measure(cells, "apply, in turn", self.clear, self.apply("policy.toml"))
        self.runner.measure(cells, "apply, one changed, in turn", lambda: None, self.apply("changed.toml"))
        # In the same table, whose chains the kernel goes through at each transaction, and as cold as the caches are after a policy was compiled.
        self.runner.measure(cells, "floor, one changed, in turn", lambda: None, (self.floor, "change", "64", self.first_set()))
        self.runner.measure(cells, "floor, shards, in turn", self.clear, (self.floor, "load", str(count), str(SHARD)))

    def first_set(self):
        """The set of our table with the lowest destinations."""
        self.runner.run("nft", "-t", "list", "table", "inet", "policyc", output=self.path("terse"))
        with open(self.path("terse"), encoding="utf-8") as file:
            names = [words[1] for words in map(str.split, file) if words[:1] == ["set"] and words[1].startswith("allow_tcp4")]
        return min(names, key=lambda name: ipaddress.ip_network(name.partition("_at_")[2] or "0.0.0.0/0"))

    def one_by_nft(self, count):
        """A file that changes what `changed.toml` changes, for the table that nft loaded."""
        with open(self.path("policy.nft"), encoding="utf-8") as file:
            old = policies.spread(count // 2)
            name = line = ""
            for line in file:
                words = line.split()
                if words[:1] in (["set"], ["map"]):
                    name = words[1]
                if f" {old} . " in f" {line.strip()} " and "," in line:
                    break
            else:
                raise Failed("n/a")
        element = line.split("#")[0].strip().rstrip(",")
        self.write("one.nft", f"delete element inet policyc {name} {{ {element} }}\n"
                              f"add element inet policyc {name} {{ {element.replace(old, policies.beside(count // 2))} }}\n")

    def policy(self, title, text, runs):
        """(title, elements, {what: Cell}) of a whole policy, whatever it becomes."""
        self.write("policy.toml", text)
        cells = {}
        elements = None
        for _ in range(runs):
            print(title, file=sys.stderr)
            command = (self.policyc, "--node", "gw", "compile", self.path("policy.toml"), "--to", "nft")
            self.runner.measure(cells, "compile", lambda: None, command)
            self.runner.measure(cells, "apply", self.clear, self.apply("policy.toml"))
            if cells["apply"].runs and elements is None:
                elements = self.elements()
            self.runner.measure(cells, "apply again", lambda: None, self.apply("policy.toml"))
            self.runner.measure(cells, "nft -f", lambda: (self.clear(), self.compile("policy.toml", "nft", "policy.nft")), ("nft", "-f", self.path("policy.nft")))
        self.clear()
        return title, elements, cells


def whole_policies(most):
    for permissions in (10**3, 10**5, 10**6):
        if permissions <= most:
            peers, services = policies.shape(permissions)
            yield f"{peers:,} people x {services:,} services, {permissions:,} permissions", policies.product(peers, services)
    if most >= 10**6:
        yield "10,000 people in 2 of 20 tiers of 1,000 services, 20,000,000 permissions", policies.people(10000, 1000, 20, 2)


def main():
    own_network.enter()
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--most", type=int, default=10**6, help="leave out what has more elements")
    parser.add_argument("--runs", type=int, default=7, help="for the smallest; the largest get a third")
    parser.add_argument("--write", action="store_true", help="put the results into docs/")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench load: needs root, for socket buffers of this size")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(options.build), folder)
        sizes = {count: bench.size(count, max(1, options.runs // (3 if count == 10**6 else 1)))
                 for count in (10**3, 10**4, 10**5, 10**6) if count <= options.most}
        wholes = [bench.policy(title, text, max(1, options.runs // 3)) for title, text in whole_policies(options.most)]
    report(sizes, wholes, options)


# A row: what people read, the cell, the phase of it if not all, and the cell that it is compared with.
ROWS = (
    ("from nothing", (
        ("policyc apply, from TOML to read back", "apply", None, "nft -f"),
        ("its program phase alone", "apply", "program", "nft -f"),
        ("nft -f of the compiled text", "nft -f", None, "nft -f"),
        ("libnftables, text", "libnftables text", None, "nft -f"),
        ("libnftables, JSON", "libnftables JSON", None, "nft -f"),
        ("by hand, one set", "floor", None, "nft -f"),
        ("by hand, sets of 65,536", "floor, shards", None, "nft -f"),
        ("the same without the start of the process", "floor, shards", "program", "nft -f"),
    )),
    ("nothing changed", (
        ("policyc apply", "apply again", None, "nft -f"),
        ("nft -f, which replaces all", "nft -f, all changed", None, "nft -f"),
    )),
    ("one address changed", (
        ("policyc apply", "apply, one changed", None, "nft -f"),
        ("its program phase alone", "apply, one changed", "program", "nft -f"),
        ("what the kernel takes of it", "apply, one changed", "send", "nft -f"),
        ("nft -f of one deletion and one addition", "nft, one changed", None, "nft -f"),
        ("by hand, one deletion and one addition", "floor, one changed", None, "nft -f"),
        ("what the kernel takes of it", "floor, one changed", "send", "nft -f"),
    )),
    ("everything changed", (
        ("policyc apply", "apply, all changed", None, "nft -f"),
        ("its program phase alone", "apply, all changed", "program", "nft -f"),
        ("nft -f", "nft -f, all changed", None, "nft -f"),
        ("by hand, another table", "floor, all changed", None, "nft -f"),
    )),
    ("read back", (
        ("policyc, reading back what it applied", "apply", "read-back", "nft list"),
        ("nft list", "nft list", None, "nft list"),
        ("nft -j list", "nft -j list", None, "nft list"),
        ("by hand, sets of 65,536", "floor, read", None, "nft list"),
    )),
)


# What is promised: words, the greatest that it may be, the sizes for which it holds, and how it is found.
BOUNDS = (
    ("policyc apply, from TOML to read back, of the time of nft -f", 1.0, (10**5,), lambda cells: quotient(cells["apply"].seconds, cells["nft -f"].seconds)),
    ("its program phase, of the least that is possible: by hand, sets of 65,536", 1.2, (10**5, 10**6),
     lambda cells: quotient(cells["apply, in turn"].phase("program").seconds, cells["floor, shards, in turn"].phase("program").seconds)),
    ("memory that the program phase takes beyond the Ruleset, of that of nft -f", 0.15, (10**6,),
     lambda cells: quotient(cells["program"].memory("program").peak, cells["nft -f"].peak)),
    ("policyc apply, nothing changed, of the time of nft -f", 0.1, (10**5,), lambda cells: quotient(cells["apply again"].seconds, cells["nft -f"].seconds)),
    ("one address changed, what the kernel takes of it, of one deletion and one addition by hand", 1.0, (10**5,),
     lambda cells: quotient(cells["apply, one changed, in turn"].phase("send").seconds, cells["floor, one changed, in turn"].phase("send").seconds)),
    ("reading back what was applied, of the time of nft list", 0.25, (10**5,),
     lambda cells: quotient(cells["apply"].phase("read-back").seconds, cells["nft list"].seconds)),
)


def quotient(value, base):
    return None if value is None or not base else value / base


def bounds(sizes):
    """Rows: words, the bound, and for each size what was found; in brackets where nothing is promised for it."""
    for words, bound, where, find in BOUNDS:
        line = [words, f"{bound:g}"]
        for count, cells in sizes.items():
            found = find(cells)
            text = "n/a" if found is None else f"{found:.3f}" if found < 0.1 else f"{found:.2f}"
            line.append(f"({text})" if count not in where else text if found is None or found <= bound else f"{text}: more")
        yield line


def report(sizes, wholes, options):
    head = ["elements", *[x for count in sizes for x in (f"{count:,}", "ratio")]]
    times, peaks = [], []
    for title, rows in ROWS:
        times.append([title.upper()] + [""] * (2 * len(sizes)))
        for words, name, phase, against in rows:
            line = [words]
            for cells in sizes.values():
                cell = cells[name].phase(phase) if phase else cells[name]
                base = cells[against].seconds
                line += [page.seconds(cell), page.ratio(cell.seconds, base)]
            times.append(line)
    for words, name, part in (("policyc apply", "apply", None), ("its program phase, beyond the Ruleset", "program", "program"),
                              ("the Ruleset and the process", "program", "ruleset"), ("nft -f", "nft -f", None), ("libnftables, text", "libnftables text", None),
                              ("libnftables, JSON", "libnftables JSON", None), ("by hand, one set", "floor", None), ("policyc apply, nothing changed", "apply again", None),
                              ("nft list", "nft list", None), ("nft -j list", "nft -j list", None), ("by hand, reading", "floor, read", None)):
        line = [words]
        for cells in sizes.values():
            cell = cells[name].memory(part) if part else cells[name]
            line += [page.megabytes(cell), page.ratio(cell.peak, cells["nft -f"].peak)]
        peaks.append(line)
    policies_head = ["policy", "elements", "compile", "apply", "again", "nft -f", "MB of apply", "of nft -f"]
    policies_rows = [[title, f"{elements:,}" if elements is not None else "n/a", *(page.seconds(cells[name]) for name in ("compile", "apply", "apply again", "nft -f")),
                      page.megabytes(cells["apply"]), page.megabytes(cells["nft -f"])] for title, elements, cells in wholes]
    print(f"\nseconds, medians of up to {options.runs} runs in turn, whole processes; ratios to `nft -f` of the same elements, those of reading to `nft list`\n")
    print(page.text_table(head, times))
    print("peak memory, MB\n")
    print(page.text_table(head, peaks))
    print(page.text_table(policies_head, policies_rows))
    phases = {}
    for count, cells in sizes.items():
        for name in sorted({name for r in cells["apply"].runs for name in r.phases}):
            phases.setdefault(name, {})[count] = cells["apply"].phase(name)
    phase_rows = [[name, *(page.seconds(cells[count]) if count in cells else "n/a" for count in sizes)] for name, cells in phases.items()]
    if phase_rows:
        print("phases of policyc apply, seconds\n")
        print(page.text_table(["phase", *(f"{count:,}" for count in sizes)], phase_rows))
    bounds_head = ["what is promised", "at most", *(f"{count:,}" for count in sizes)]
    bounds_rows = list(bounds(sizes))
    print("what is promised, and what was found; in brackets where nothing is promised for that size\n")
    print(page.text_table(bounds_head, bounds_rows))
    if options.write:
        page.write_load(head, times, peaks, bounds_head, bounds_rows, policies_head, policies_rows, phase_rows, sizes)


main()
