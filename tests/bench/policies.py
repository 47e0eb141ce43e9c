"""Policies and traffic of any size, for the benchmarks."""

import ipaddress
import random
import struct

PORT = 9  # discard
HEAD = """version = 1

[networks]
home = ["10.0.0.0/8"]

[nodes.gw]
role = "gateway"
address = "172.16.0.1"
interface = "wg0"
serves = ["home"]
"""


def nth(base, number):
    """The address at that place of a network of which every eighth address is free."""
    return str(ipaddress.ip_address(base) + number // 7 * 8 + number % 7 + 1)


def peer(number):
    return nth("172.16.1.0", number)


def service(number):
    return nth("10.0.1.0", number)


def shape(permissions):
    """How many people and services make so many permissions, where each service is a TCP and a UDP port."""
    shapes = {10: (1, 5), 100: (5, 10), 10**3: (10, 50), 10**4: (50, 100), 10**5: (100, 500), 10**6: (1000, 500)}
    return shapes[permissions]


def quoted(names):
    """The inside of a list, a few to a line."""
    names = [f'"{name}"' for name in names]
    return ",\n  ".join(", ".join(names[i:i + 8]) for i in range(0, len(names), 8))


def product(peers, services, ports=f'["{PORT}/tcp", "{PORT}/udp"]'):
    """A policy of one tier: everybody may reach everything."""
    lines = [HEAD]
    lines += [f'[nodes.peer{i}]\naddress = "{peer(i)}"\n' for i in range(peers)]
    lines.append("[services]")
    lines += [f's{i} = {{ host = "{service(i)}", ports = {ports} }}' for i in range(services)]
    who, allow = quoted(f"peer{i}" for i in range(peers)), quoted(f"s{i}" for i in range(services))
    return "\n".join(lines) + f"\n\n[tiers.all]\nwho = [{who}]\nallow = [{allow}]\n"


def people(peers, services, tiers, each):
    """A policy of many people in a few tiers: each tier has its own `services`, each person is in `each` of the tiers."""
    lines = [HEAD]
    lines += [f'[nodes.peer{i}]\naddress = "{peer(i)}"\n' for i in range(peers)]
    lines.append("[services]")
    lines += [f's{i} = "{service(i)}:{PORT}"' for i in range(services * tiers)]
    draw = random.Random(1)
    members = [[] for _ in range(tiers)]
    for i in range(peers):
        for tier in draw.sample(range(tiers), each):
            members[tier].append(f"peer{i}")
    for tier in range(tiers):
        allow = quoted(f"s{i}" for i in range(tier * services, (tier + 1) * services))
        lines.append(f"\n[tiers.t{tier}]\nwho = [{quoted(members[tier])}]\nallow = [{allow}]")
    return "\n".join(lines) + "\n"


def services_of_two(count):
    """A policy of two people and `count` services, each at an address and port of its own."""
    lines = [HEAD]
    lines += [f'[nodes.peer{i}]\naddress = "{peer(i)}"\n' for i in range(2)]
    lines.append("[services]")
    lines += [f's{i} = "{spread(i)}:{1024 + i % 50000}"' for i in range(count)]
    allow = quoted(f"s{i}" for i in range(count))
    return "\n".join(lines) + f'\n\n[tiers.all]\nwho = ["peer0", "peer1"]\nallow = [{allow}]\n'


def spread(number):
    return f"10.{number >> 14 & 127}.{number >> 6 & 255}.{(number & 63) + 1}"


def beside(number):
    """An address that is nobody's, in the same network."""
    return spread(number | 63).rsplit(".", 1)[0] + ".200"


def of_one(count, changed=None, port=PORT):
    """A policy of one person and `count` addresses with a port, which is as many elements whatever the layout; one of them at another address."""
    lines = [HEAD, f'[nodes.peer0]\naddress = "{peer(0)}"\n\n[log]\ncounters = "none"\n']
    allow = quoted(f"{spread(i) if i != changed else beside(i)}:{port}" for i in range(count))
    return "\n".join(lines) + f'\n[tiers.all]\nwho = ["peer0"]\nallow = [{allow}]\n'


def ranges(count, more=0):
    """A policy of a network, `count` addresses and a range of ports at each, and of one person in it who is also allowed a part of each; `more` ports in each range."""
    lines = [HEAD, f'[nodes.peer0]\naddress = "{peer(0)}"\n\n[log]\ncounters = "none"\n']
    for tier, who, first, last in (("all", "172.16.0.0/16", 1000, 1010), ("one", "peer0", 1005, 1007)):
        allow = quoted(f"{spread(i)}:{first + i % 5000}-{last + i % 5000 + more}" for i in range(count))
        lines.append(f'[tiers.{tier}]\nwho = ["{who}"]\nallow = [{allow}]\n')
    return "\n".join(lines)


def flows(permissions, count, path):
    """Writes `count` flows for `blast` and `talk`, each by a permission of its own while there are enough. The first is that of peer 0 to service 0."""
    peers, services = shape(permissions)
    draw = random.Random(permissions)
    pairs = [(i, j) for i in range(peers) for j in range(services)]
    draw.shuffle(pairs)
    pairs.remove((0, 0))
    pairs.insert(0, (0, 0))
    with open(path, "wb") as file:
        for number in range(count):
            one, other = pairs[number % len(pairs)]
            source, destination = int(ipaddress.ip_address(peer(one))), int(ipaddress.ip_address(service(other)))
            file.write(struct.pack(">IIHH", source, destination, 1024 + number % 60000, PORT))
    return path
