"""What the packet benchmark compares: tables that forward what the policy of that many permissions allows."""
import os
import re
import subprocess
from dataclasses import dataclass

import policies


@dataclass
class Case:
    title: str
    table: str  # the name of the table; "" where there is none
    permissions: int  # whose flows it is measured with
    text: str


BASE = "type filter hook forward priority filter; policy accept;"


def table(name, body):
    return f"table inet {name} {{\n\tflags dormant\n{body}\n}}\n"


def tracked():
    return table("tracked", f"chain forward {{\n\t{BASE}\n\tct state established,new accept\n}}")


def pairs(permissions):
    """Source, destination and protocol of each permission; those of the flow that is measured alone come last."""
    peers, services = policies.shape(permissions)
    every = [(policies.peer(i), policies.service(j)) for i in range(peers) for j in range(services)]
    return [(*pair, protocol) for pair in reversed(every) for protocol in ("udp", "tcp")]


def linear(permissions):
    rules = "\n".join(f"ip saddr {source} ip daddr {destination} {protocol} dport {policies.PORT} accept"
                      for source, destination, protocol in pairs(permissions))
    return table(f"linear{permissions}", f"chain forward {{\n\t{BASE.replace('accept', 'drop')}\n\tct direction reply accept\n{rules}\n}}")


def established(permissions):
    sets = rules = ""
    for wanted in ("udp", "tcp"):
        elements = ", ".join(f"{source} . {destination} . {policies.PORT}"
                             for source, destination, protocol in pairs(permissions) if protocol == wanted)
        sets += f"set {wanted}s {{\n\ttype ipv4_addr . ipv4_addr . inet_service\n\telements = {{ {elements} }}\n}}\n"
        rules += f"ip saddr . ip daddr . {wanted} dport @{wanted}s accept\n"
    return table("established", f"{sets}chain forward {{\n\t{BASE.replace('accept', 'drop')}\n\tct state established accept\n{rules}}}")


def compiled(policyc, permissions, folder):
    """What policyc makes of it, under another name and asleep."""
    path = os.path.join(folder, "policy.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(policies.product(*policies.shape(permissions)))
    text = subprocess.run([policyc, "--node", "gw", "compile", path, "--to", "nft"], check=True, capture_output=True, text=True).stdout
    text, number = re.subn(r"(?m)^table inet policyc \{\n", f"table inet policyc{permissions} {{\n\tflags dormant\n", text)
    if number != 1:
        raise RuntimeError("not one table `inet policyc` in what policyc compiled")
    return re.sub(r"(?m)^(add|delete) table inet policyc\n", "", text)


def cases(policyc, folder, most):
    """All of them, up to so many permissions. The base line is the one called `tracked`."""
    sizes = [n for n in (10, 10**3, 10**5, 10**6) if n <= most]
    largest = sizes[-1]
    yield Case("no chain at all", "", largest, "")
    yield Case("tracks connections and accepts", "tracked", largest, tracked())
    for rules in (10, 100, 1000, 10000):
        if rules <= most:
            yield Case(f"{rules:,} accept rules in a row", f"linear{rules}", rules, linear(rules))
    size_of_set = min(largest, 10**5)
    yield Case(f"established accept + a set of {size_of_set:,}", "established", size_of_set, established(size_of_set))
    for size in sizes:
        yield Case(f"policyc, {size:,} permissions", f"policyc{size}", size, compiled(policyc, size, folder))
