"""Where the time of a packet goes, by sampling the kernel with perf while `blast` sends: nanoseconds per packet and part of the kernel."""
import os
import re
import shutil
import subprocess
import tempfile

SECONDS = 2
# The first that matches names the part.
PARTS = (
    ("nf_tables", r"nft_|nf_hook_slow|sized_strscpy|strnlen|bsearch|memcmp"),
    ("connection tracking", r"nf_ct|nf_conntrack|nf_confirm|conntrack|nf_nat|__siphash|hash_conntrack|ipv4_conntrack|get_l4proto|nf_defrag|ipv4_confirm"),
    ("sending (system call, packet socket)", r"packet_|sys_|sock_|_copy_from|copy_|__check_|entry_|syscall|do_syscall|import_|iovec|__virt_addr|tpacket|"
                                             r"__put_user|skb_copy_datagram|x64_sys|\[user\]|security_|check_"),
    ("memory of packets", r"alloc|free|kmem|slab|skb_release|consume|refill|___slab"),
    ("IP: routing and forwarding", r"^ip_|^__ip|fib_|rt_|dst_|neigh|inet_|arp|early_demux"),
    ("locks, interrupts", r"_raw_|rcu"),
    ("devices", r"dev_|veth|net_rx|netif|napi|backlog|eth_|xmit|__netif|validate|skb_|softirq|bh_|rps|flow_dissect|gro"),
)


def part_of(symbol):
    for name, pattern in PARTS:
        if re.search(pattern, symbol):
            return name
    return "the rest"


def samples(bench, case, which):
    """({symbol: share}, ns per packet) of a case while it forwards, or None where perf can't."""
    bench.place(case).wake(case.table or None)
    target = bench.target(case, which, False)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        words = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "8000", "-p", str(bench.blast.process.pid), "-o", data]
        perf = subprocess.Popen([*words, "--", "sleep", str(SECONDS + 1)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        packets, cpu, _ = bench.blast.ask(f"run {target} {SECONDS * 1000}")
        if perf.wait(timeout=60) != 0:
            return None
        words = ["perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none", "-F", "overhead,sym", "--percent-limit", "0"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    shares = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s+([\d.]+)%\s+\[([.k])\]\s+(\S+)", line)
        if match:
            symbol = match[3] if match[2] == "k" else "[user]"
            shares[symbol] = shares.get(symbol, 0) + float(match[1]) / 100
    return (shares, cpu / packets) if shares else None


def measure(bench):
    """[(title, which flows, {part: ns}, {symbol: ns} of nf_tables)] of the base line and of the largest program."""
    if not shutil.which("perf"):
        return []
    largest = max(bench.traffic)
    group = next(g for g in bench.groups() if g[0].permissions == largest)
    for gateway in (bench.gateway, bench.bare):
        gateway.deliver(False)
    bench.prime(group)
    found = []
    for which in ("one", "many"):
        for case in (group[0], group[-1]):
            sampled = samples(bench, case, which)
            if not sampled:
                continue
            shares, cost = sampled
            parts, symbols = {}, {}
            for symbol, share in shares.items():
                part = part_of(symbol)
                parts[part] = parts.get(part, 0) + share * cost
                if part == "nf_tables":
                    symbols[symbol] = share * cost
            found.append((case.title, which, parts, symbols))
    return found


def text(costs):
    if not costs:
        return "where the time goes: n/a (perf is missing or not allowed)"
    lines = ["where the time goes, ns per packet, as perf samples it (cpu-clock)", ""]
    names = [name for name, _ in PARTS] + ["the rest"]
    for name in names:
        lines.append(f"{name:<38}" + "".join(f"{parts.get(name, 0):>10.0f}" for _, _, parts, _ in costs))
    lines.append(f"{'':<38}" + "".join(f"{which:>10}" for _, which, _, _ in costs))
    for title, which, _, symbols in costs:
        best = sorted(symbols.items(), key=lambda item: -item[1])[:10]
        lines.append(f"\n{title}, {which}: " + ", ".join(f"{symbol} {cost:.0f}" for symbol, cost in best))
    return "\n".join(lines)
