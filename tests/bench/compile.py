"""Measures `policyc compile` beside `nft -c -f` of what it wrote, in one run: medians of several, whole processes, wall time and peak memory.

usage: compile.py BUILD [--runs N]        as ./dev bench compile calls it
"""
import argparse
import os
import tempfile

import page
import policies
from running import Runner


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    runner = Runner(build)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        policy, nft = os.path.join(folder, "policy.toml"), os.path.join(folder, "policy.nft")
        cases = [(f"{n:,} services", policies.services_of_two(n)) for n in (10**3, 10**4, 10**5)]
        cases.append(("300 people x 300 services", policies.product(300, 300, f'"{policies.PORT}"')))
        cases.append(("100,000 addresses with a port", policies.of_one(10**5)))
        for name, text in cases:
            with open(policy, "w", encoding="utf-8") as file:
                file.write(text)
            compile_nft = (os.path.join(build, "policyc"), "--node", "gw", "compile", policy, "--to", "nft")
            cells = {}
            for _ in range(options.runs):
                runner.measure(cells, "compile", lambda: None, compile_nft)
                runner.measure(cells, "check", lambda: runner.run(*compile_nft, output=nft), ("unshare", "-n", "nft", "-c", "-f", nft))
            one, other = cells["compile"], cells["check"]
            rows.append([name, f"{os.path.getsize(nft) / 2**20:.1f}", page.seconds(one), page.megabytes(one), page.seconds(other), page.megabytes(other),
                         page.ratio(one.seconds, other.seconds)])
    print(f"medians of {options.runs} runs, whole processes\n")
    print(page.text_table(["policy", "MB of text", "compile", "MB", "nft -c -f", "MB", "ratio"], rows))


main()
