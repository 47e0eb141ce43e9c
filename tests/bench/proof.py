"""Measures the diagrams of proof alone: building those of 10^5 and 10^6 permissions in several shapes, and the difference after one edit; peak memory is that of the whole
process, in which two of them were built. Then the whole proof, as `compile` makes it: how long it takes, and the run that it is a part of. Medians of several.

usage: proof.py BUILD [--runs N]        as ./dev bench proof calls it
"""
import argparse
import os
import tempfile

import page
import policies
from running import Cell, Runner

SHAPES = {
    "pairs": "hosts with a port, a source each",
    "pairs6": "the same in IPv6",
    "product": "sources x services, multiplied out",
    "permissions": "services for one list of sources",
    "networks": "networks x ranges of ports",
}


def whole_proofs(build, runner, runs, folder):
    example = os.path.join(os.path.dirname(__file__), "..", "golden", "cases", "homelab")
    cases = [("the homelab example", os.path.join(example, "policy.toml"), "extgw01", "automatic")]

    def add(title, text, layout="automatic"):
        path = os.path.join(folder, f"{len(cases)}.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        cases.append((title, path, "gw", layout))

    add("100 people x 1,000 services, in pairs", policies.product(100, 1000, f'"{policies.PORT}"'))
    add("the same multiplied out", policies.product(100, 1000, f'"{policies.PORT}"'), "tuples")
    add("1,000 people x 1,000 services, in pairs", policies.product(1000, 1000, f'"{policies.PORT}"'))
    add("the same multiplied out", policies.product(1000, 1000, f'"{policies.PORT}"'), "tuples")
    add("100,000 addresses with a port", policies.of_one(10**5))
    add("50,000 services of two people", policies.services_of_two(50000))
    rows = []
    for title, path, node, layout in cases:
        whole = Cell()
        for _ in range(runs):
            whole.runs.append(runner.run(os.path.join(build, "policyc"), "--node", node, "--layout", layout, "compile", path))
        rows.append([title, page.seconds(whole.phase("prove")), page.seconds(whole), page.megabytes(whole)])
    print("\n" + page.text_table(["policy", "proof s", "compile s", "peak MB"], rows))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    runner = Runner(build)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        said = os.path.join(folder, "said")
        for count in (10**5, 10**6):
            for shape, title in SHAPES.items():
                whole = Cell()
                for _ in range(options.runs):
                    whole.runs.append(runner.run(os.path.join(build, "proof"), shape, str(count), output=said))
                with open(said, encoding="ascii") as file:
                    values = dict(line.split() for line in file)
                rows.append([f"{count:,} {title}", page.seconds(whole.phase("build")), f"{int(values['edges']):,}", page.megabytes(whole),
                             page.seconds(whole.phase("difference"))])
    print(f"medians of {options.runs} runs\n")
    print(page.text_table(["boxes", "build s", "edges", "peak MB", "difference s"], rows))
    with tempfile.TemporaryDirectory() as folder:
        whole_proofs(build, runner, options.runs, folder)


main()
