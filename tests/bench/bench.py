"""Measures `policyc compile` beside `nft -c -f` of what it wrote, in one run: medians of several, whole processes, wall time and peak memory.

usage: bench.py BUILD [RUNS]        as ./dev bench calls it
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

policyc = os.path.join(sys.argv[1], "policyc")
runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5

HEAD = """version = 1

[networks]
home = ["10.0.0.0/8"]

[nodes.gw]
role = "gateway"
address = "172.16.0.1"
interface = "wg0"
serves = ["home"]
"""


def services(count):
    """A policy of two people and `count` services, each at an address and port of its own."""
    lines = [HEAD]
    for i in range(2):
        lines.append(f'[nodes.peer{i}]\naddress = "172.16.1.{i + 1}"\n')
    lines.append("[services]")
    for i in range(count):
        lines.append(f's{i} = "10.{i >> 14 & 255}.{i >> 6 & 255}.{(i & 63) + 1}:{1024 + i % 50000}"')
    names = ", ".join(f'"s{i}"' for i in range(count))
    lines.append(f'\n[tiers.all]\nwho = ["peer0", "peer1"]\nallow = [{names}]')
    return "\n".join(lines) + "\n"


def product(peers, count):
    """A policy of `peers` people who may all reach `count` services."""
    lines = [HEAD]
    for i in range(peers):
        lines.append(f'[nodes.peer{i}]\naddress = "172.16.{1 + i // 250}.{i % 250 + 1}"\n')
    lines.append("[services]")
    for i in range(count):
        lines.append(f's{i} = "10.1.{i // 250}.{i % 250 + 1}:{8000 + i}"')
    who = ", ".join(f'"peer{i}"' for i in range(peers))
    names = ", ".join(f'"s{i}"' for i in range(count))
    lines.append(f"\n[tiers.all]\nwho = [{who}]\nallow = [{names}]")
    return "\n".join(lines) + "\n"


def measure(command, output):
    """Seconds and peak memory (MiB) of one run of the command."""
    with open(output, "wb") as out:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        words = process.stderr.read().decode()
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"{' '.join(command)}: exit {code}\n{words}")
    return seconds, usage.ru_maxrss / 1024


def medians(command, output):
    results = [measure(command, output) for _ in range(runs)]
    return statistics.median(r[0] for r in results), statistics.median(r[1] for r in results)


def main():
    print(f"medians of {runs} runs, whole process; elements are what the table holds\n")
    print(f"{'policy':<22} {'elements':>9} | {'compile':>9} {'peak':>8} | {'nft -c -f':>9} {'peak':>8} | {'ratio':>5}")
    with tempfile.TemporaryDirectory() as folder:
        cases = [(f"{n} services", services(n)) for n in (10**3, 10**4, 10**5)] + [("300 peers x 300", product(300, 300))]
        for name, text in cases:
            path = os.path.join(folder, "policy.toml")
            nft = os.path.join(folder, "policy.nft")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            compile_time, compile_peak = medians([policyc, "--node", "gw", "compile", path, "--to", "nft"], nft)
            with open(nft, encoding="utf-8") as file:
                elements = sum(1 for line in file if " . " in line and "@" not in line)
            check_time, check_peak = medians(["unshare", "-rn", "nft", "-c", "-f", nft], os.devnull)
            print(f"{name:<22} {elements:>9} | {compile_time:>7.3f} s {compile_peak:>5.0f} MB | {check_time:>7.3f} s {check_peak:>5.0f} MB |"
                  f" {compile_time / check_time:>5.2f}")


main()
