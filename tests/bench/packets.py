"""What a packet pays for the rules it meets: packets, connections and round trips through a gateway, in network namespaces of its own.

usage: packets.py BUILD [--most PERMISSIONS] [--rounds N] [--write]        as ./dev bench packets calls it

One processor does all of it: the sender's system call carries each packet through the gateway to its end, so the sender's processor time is what a packet costs, whoever
else is busy on the machine. All chains are tables of one gateway and take turns in every round; each is compared with the chain that only tracks connections and accepts, in the same round
and with the same flows. docs/performance.md has what was found."""
import argparse
import os
import statistics
import sys
import tempfile
import time

import chains
import gateways
import page
import policies
import where
from spaces import Spaces, needs

FLOWS = 32768
WARM, COLD, CONNECTING = 5, 60, 100  # milliseconds of one turn
TRIPS = 4000


class Bench:
    def __init__(self, build, folder, most, processor):
        self.build, self.processor = build, processor
        self.spaces = Spaces()
        self.bare = gateways.Gateway(self.spaces, "bare")
        self.gateway = gateways.Gateway(self.spaces, "gate")
        self.blast = gateways.Blast(build, processor)
        self.cases = []
        path = os.path.join(folder, "table.nft")
        for case in chains.cases(os.path.join(build, "policyc"), folder, most):
            print(f"loading: {case.title}", file=sys.stderr)
            if case.text:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(case.text)
                self.gateway.load(path)
            case.text = ""
            self.cases.append(case)
        self.traffic = {}
        for permissions in sorted({case.permissions for case in self.cases}):
            one = policies.flows(permissions, 1, os.path.join(folder, f"one{permissions}"))
            many = policies.flows(permissions, FLOWS, os.path.join(folder, f"many{permissions}"))
            self.traffic[permissions] = {"one": one, "many": many}
        self.targets = {}

    def place(self, case):
        return self.gateway if case.table else self.bare

    def target(self, case, which, back):
        gateway = self.place(case)
        key = gateway.name, case.permissions, which, back
        if key not in self.targets:
            self.targets[key] = self.blast.target(gateway, self.traffic[case.permissions][which], back)
        return self.targets[key]

    def groups(self):
        """Cases with the same flows, the base line first."""
        base = next(case for case in self.cases if case.table == "tracked")
        for permissions in self.traffic:
            group = [case for case in self.cases if case.permissions == permissions and case is not base]
            yield [chains.Case(base.title, base.table, permissions, ""), *group]

    def prime(self, group):
        """Every flow has been answered and is more than two seconds old: connection tracking calls it assured."""
        gateway = self.gateway
        gateway.wake("tracked")
        for which in ("one", "many"):
            for back in (False, True):
                self.blast.ask(f"once {self.target(group[0], which, back)}")
        time.sleep(2.1)
        for which in ("one", "many"):
            for back in (False, True):
                self.blast.ask(f"once {self.target(group[0], which, back)}")

    def forget(self):
        """Forgets the flows of a group; they would fill the table of connections."""
        self.spaces.run(self.gateway.name, "conntrack", "-F", check=True)

    def turn(self, case, which, back, milliseconds):
        """Nanoseconds of processor time per packet that arrived."""
        gateway = self.place(case)
        gateway.wake(case.table or None)
        target = self.target(case, which, back)
        before = gateway.arrived(back)
        packets, cpu, _ = self.blast.ask(f"run {target} {milliseconds}")
        arrived = gateway.arrived(back) - before
        if arrived < packets:
            raise RuntimeError(f"{case.title}: {arrived} of {packets} packets arrived")
        return cpu / packets

    def packets(self, rounds):
        """{(title, permissions): {column: [(ns, ns of the base line)]}}"""
        results = {}
        for gateway in (self.gateway, self.bare):
            gateway.deliver(False)
        for group in self.groups():
            print(f"packets of {group[0].permissions:,} permissions", file=sys.stderr)
            self.prime(group)
            for _ in range(rounds):
                for which, milliseconds in (("one", WARM), ("many", COLD)):
                    for back in (False, True):
                        base = None
                        for case in group:
                            cost = self.turn(case, which, back, milliseconds)
                            base = base or cost
                            column = results.setdefault((case.title, case.permissions), {}).setdefault((which, back), [])
                            column.append((cost, base))
            self.forget()
        return results

    def talks(self, rounds):
        """{(title, permissions): {"connect": [(ns of a connection, base line)], "trip": [(median, base line)], "p99": ...}}"""
        results = {}
        for gateway in (self.gateway, self.bare):
            gateway.deliver(True)
        for group in self.groups():
            print(f"connections of {group[0].permissions:,} permissions", file=sys.stderr)
            tools = {gateway: gateways.talk(self.build, self.processor, gateway, self.traffic[group[0].permissions]["many"])
                     for gateway in {self.place(case) for case in group}}
            for _ in range(rounds):
                base = None
                for case in group:
                    gateway = self.place(case)
                    gateway.wake(case.table or None)
                    count, cpu, _ = tools[gateway].ask(f"connect {CONNECTING}")
                    median, slow = tools[gateway].ask(f"roundtrip {TRIPS}")
                    values = {"connect": cpu / count, "trip": median, "p99": slow}
                    base = base or values
                    for name, value in values.items():
                        results.setdefault((case.title, case.permissions), {}).setdefault(name, []).append((value, base[name]))
            for tool in tools.values():
                tool.close()
            self.forget()
        return results

    def close(self):
        self.blast.close()
        self.spaces.close()


def summary(column):
    """The median, and the median of the ratios to the base line of the same round: how much of its rate is left."""
    return statistics.median(cost for cost, _ in column), statistics.median(base / cost for cost, base in column)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--most", type=int, default=10**6, help="leave out what needs more permissions")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--processor", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--write", action="store_true", help="put the results into docs/")
    options = parser.parse_args()
    missing = needs("nft", "ip", "conntrack", "nsenter")
    if missing:
        sys.exit(f"bench packets: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.build, folder, options.most, options.processor)
        try:
            packets = bench.packets(options.rounds)
            talks = bench.talks(max(3, options.rounds // 3))
            costs = where.measure(bench)
        finally:
            bench.close()
    report(bench.cases, packets, talks, costs, options)


def report(cases, packets, talks, costs, options):
    columns = [("one", False), ("one", True), ("many", False), ("many", True)]
    rows = []
    for case in cases:
        key = case.title, case.permissions
        cells = [case.title]
        for column in columns:
            cost, ratio = summary(packets[key][column])
            cells += [f"{10**6 / cost:,.0f}", f"{ratio:.2f}"]
        cost, ratio = summary(talks[key]["connect"])
        cells += [f"{10**9 / cost:,.0f}", f"{ratio:.2f}"]
        cells += [f"{summary(talks[key]['trip'])[0] / 1000:.1f}", f"{summary(talks[key]['p99'])[0] / 1000:.1f}"]
        rows.append(cells)
    head = ["chain", "1 flow, out", "", "1 flow, answers", "", f"{FLOWS:,} flows, out", "", "answers", "", "TCP/s", "", "trip", "p99"]
    print(f"\nthousands of packets a second on one processor, beside it the share of what the chain gets that tracks and accepts; medians of {options.rounds} rounds;")
    print("round trips in microseconds\n")
    print(page.text_table(head, rows))
    print(where.text(costs))
    if options.write:
        shares = [(case.title, [summary(packets[case.title, case.permissions][column])[1] for column in columns]) for case in cases]
        page.write_packets(head, rows, shares, ["1 flow, out", "1 flow, answers", f"{FLOWS:,} flows, out", "answers"], costs)


main()
