"""Measures the diagrams of proof alone: building those of 10^5 and 10^6 permissions in several shapes, and the difference after one edit. Medians of several, peak memory
of the whole process, in which two of them were built.

usage: proof.py BUILD [--runs N]        as ./dev bench proof calls it
"""
import argparse
import os
import tempfile

import page
from running import Cell, Runner

SHAPES = {
    "pairs": "hosts with a port, a source each",
    "pairs6": "the same in IPv6",
    "product": "sources x services, multiplied out",
    "permissions": "services for one list of sources",
    "networks": "networks x ranges of ports",
}


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


main()
