"""Measures the proof: the diagrams alone (building those of 10^5 and 10^6 permissions in several shapes, and the difference after one edit), the proof that `compile` makes of whole policies,
`diff` of two policies that differ at one address and of two that differ at all, and what proving adds to an apply of the homelab example. Medians of several runs of whole processes.

usage: proof.py BUILD [--runs N] [--write]        as ./dev bench proof calls it

What applies does so in a network namespace of its own."""
import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernel"))

import own_network
import page
import policies
from running import Cell, Runner

HOMELAB = Path(__file__).resolve().parents[1] / "golden" / "cases" / "homelab" / "policy.toml"
SHAPES = {
    "pairs": "hosts with a port, a source each",
    "pairs6": "the same in IPv6",
    "product": "sources x services, multiplied out",
    "permissions": "services for one list of sources",
    "networks": "networks x ranges of ports",
}


class Bench:
    def __init__(self, build, runs, folder):
        self.build, self.runs, self.folder = build, runs, Path(folder)
        self.runner = Runner(build)

    def repeat(self, *command, prepare=lambda: None, output=os.devnull, fine=(0,)):
        cell = Cell()
        print(" ".join(map(str, command[:1] + command[-4:])), file=sys.stderr)
        for _ in range(self.runs):
            prepare()
            cell.runs.append(self.runner.run(*map(str, command), output=output, fine=fine))
        return cell

    def policyc(self, *words, **more):
        return self.repeat(os.path.join(self.build, "policyc"), *words, **more)

    def write(self, name, text):
        path = self.folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def diagrams(self):
        said = self.folder / "said"
        for count in (10**5, 10**6):
            for shape, title in SHAPES.items():
                cell = self.repeat(os.path.join(self.build, "proof"), shape, count, output=said)
                values = dict(line.split() for line in said.read_text(encoding="ascii").splitlines())
                yield count, title, cell, int(values["edges"])

    def proofs(self):
        """(title, elements or none, Cell of the proof, Cell of the whole)"""
        hosts, product = f'"{policies.PORT}"', policies.product
        cases = [
            ("the homelab example", None, HOMELAB, "extgw01", "automatic"),
            ("100 people x 1,000 services, in pairs", None, self.write("hundred", product(100, 1000, hosts)), "gw", "automatic"),
            ("the same multiplied out", 10**5, self.folder / "hundred.toml", "gw", "tuples"),
            ("100,000 addresses with a port", 10**5, self.write("of_one5", policies.of_one(10**5)), "gw", "automatic"),
            ("50,000 services of two people, each at an address and a port of its own", 10**5, self.write("of_two", policies.services_of_two(50000)), "gw", "automatic"),
            ("10,000 people in 2 of 20 tiers of 50 services", None, self.write("company", policies.people(10000, 50, 20, 2)), "gw", "automatic"),
            ("1,000 people x 1,000 services, in pairs", None, self.write("thousand", product(1000, 1000, hosts)), "gw", "automatic"),
            ("the same multiplied out", 10**6, self.folder / "thousand.toml", "gw", "tuples"),
            ("1,000,000 addresses with a port", 10**6, self.write("of_one6", policies.of_one(10**6)), "gw", "automatic"),
        ]
        for title, elements, path, node, layout in cases:
            whole = self.policyc("--node", node, "--layout", layout, "check", path)
            yield title, elements, whole.phase("prove"), whole

    def difference(self):
        """Of 10^5 addresses with a port, where one is another."""
        changed = self.write("changed", policies.of_one(10**5, changed=5 * 10**4))
        return self.policyc("--node", "gw", "diff", "--against", self.folder / "of_one5.toml", changed, fine=(1,))

    def ranges(self):
        """Of 10^4 ranges of ports in two tiers that overlap, where all have grown."""
        old, new = self.write("ranges", policies.ranges(10**4)), self.write("grown", policies.ranges(10**4, more=2))
        return self.policyc("--node", "gw", "diff", "--against", old, new, fine=(1,))

    def homelab(self):
        """Cells of an apply from nothing, of one that changes a line, and of one that changes nothing."""
        state = self.folder / "state"
        changed = self.folder / "homelab" / "policy.toml"
        changed.parent.mkdir()
        shutil.copy(HOMELAB.with_name("policy.lock"), changed.parent)
        text = HOMELAB.read_text(encoding="utf-8")
        changed.write_text(text.replace('["grafana", "media"', '["10.69.13.99:99", "grafana", "media"'), encoding="utf-8")

        def clear():
            own_network.clear()
            shutil.rmtree(state, ignore_errors=True)

        def apply(path):
            return "--node", "extgw01", "--state-dir", state, "apply", "--offline", path

        def in_place():
            clear()
            self.runner.run(os.path.join(self.build, "policyc"), *map(str, apply(HOMELAB)))

        first = self.policyc(*apply(HOMELAB), prepare=clear)
        edited = self.policyc(*apply(changed), prepare=in_place)
        again = self.policyc(*apply(changed))
        clear()
        return {"from nothing": first, "after an edit": edited, "nothing changed": again}


def proving(cell):
    """What an apply or check would not do without the proof: reading its own batch, following it, and the tests by diagrams."""
    return max((sum(run.phases.get(name, 0) for name in ("unpack", "prove", "prove_tests")) for run in cell.runs), default=0)


def bounds(diagrams, proofs, differences, applies):
    """Rows: what is promised, the bound, what was found at worst."""
    def worst(values):
        return max(values, default=float("nan"))

    built = {count: worst([cell.phase("build").seconds for n, _, cell, _ in diagrams if n == count]) for count in (10**5, 10**6)}
    proved = {count: worst([proof.seconds for _, n, proof, _ in proofs if n == count]) for count in (10**5, 10**6)}
    rows = [("the proof of 100,000 entries, s", 1, max(built[10**5], proved[10**5])),
            ("the proof of 1,000,000 entries, s", 10, max(built[10**6], proved[10**6])),
            ("the whole process that proves 1,000,000 entries, MB", 1000, worst([whole.peak for _, n, _, whole in proofs if n == 10**6])),
            ("diff at 100,000 entries, once both are built, s", 0.05, differences.phase("compare").seconds),
            ("the same of the diagrams alone, s", 0.05, worst([cell.phase("difference").seconds for n, _, cell, _ in diagrams if n == 10**5])),
            ("what proving adds to an apply of the homelab policy, the slowest run, s", 0.01, worst([proving(cell) for cell in applies.values()]))]
    return [[words, f"{bound:g}", page.number(found) + ("" if found <= bound else ": more")] for words, bound, found in rows]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    own_network.enter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(options.build), options.runs, folder)
        diagrams, proofs = list(bench.diagrams()), list(bench.proofs())
        differences, ranges, applies = bench.difference(), bench.ranges(), bench.homelab()
    tables = [
        ("What is promised, and what was found at worst.", ["what is promised", "at most", "found"], bounds(diagrams, proofs, differences, applies)),
        ("Policies, as `check` proves them.", ["policy", "proof s", "check s", "peak MB"],
         [[title, page.seconds(proof), page.seconds(whole), page.megabytes(whole)] for title, _, proof, whole in proofs]),
        ("Applies of the homelab example.", ["apply", "proof s", "apply s"], [[title, page.number(proving(cell)), page.seconds(cell)] for title, cell in applies.items()]),
        ("`diff` of two policies of 100,000 addresses with a port, of which one is another, and of two of 10,000 ranges of ports, all of which grow, in two tiers that overlap.",
         ["part", "one of 100,000 s", "10,000 ranges s"],
         [[words, page.seconds(differences.phase(phase)), page.seconds(ranges.phase(phase))]
          for words, phase in (("building both", "both"), ("comparing", "compare"), ("proving that the list is all", "diagrams"), ("all, with reading and checking both", "total"))]),
        ("Diagrams alone; the peak is of a process with two of them.", ["boxes", "build s", "edges", "peak MB", "difference s"],
         [[f"{count:,} {title}", page.seconds(cell.phase("build")), f"{edges:,}", page.megabytes(cell), page.seconds(cell.phase("difference"))] for count, title, cell, edges in diagrams]),
    ]
    print(f"medians of {options.runs} runs\n")
    for words, head, rows in tables:
        print(f"{words}\n\n{page.text_table(head, rows)}")
    if options.write:
        page.write_proof(tables)


main()
