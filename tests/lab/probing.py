"""Drives the prober (prober.cpp says what it does) and makes the network namespace around it in which one gateway is
judged."""

import ctypes
import os
import subprocess
from dataclasses import dataclass

CLONE_NEWNET = 0x40000000


class ProberError(Exception):
    pass


class Prober:
    """A running prober. Starts in the network namespace of the caller."""

    def __init__(self):
        binary = os.path.join(os.environ["POLICYC_BUILD"], "prober")
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if not answer:
            raise ProberError(f"the prober died of: {text[:200]}")
        if answer.startswith("error "):
            raise ProberError(f"{answer} (asked: {text[:200]})")
        return answer

    def go(self, probes):
        """The verdicts of probes, each a line as in prober.cpp: a list of two-character strings."""
        if not probes:
            return []
        answer = self.command("\n".join([f"go {len(probes)}", *probes]))
        return [answer[i : i + 2] for i in range(0, len(answer), 2)]

    def stats(self):
        words = self.command("stats").split()
        return dict(zip(words[::2], map(int, words[1::2])))


def own_network_namespace():
    """Moves this process into a new network namespace that dies with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def ip_batch(lines, namespace=None):
    command = ["ip"] + (["-n", namespace] if namespace else []) + ["-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}\n" + "\n".join(lines))


def sysctl(settings):
    for name, value in settings.items():
        path = "/proc/sys/" + name.replace(".", "/")
        if os.path.exists(path):
            with open(path, "w") as file:
                file.write(str(value))


# The type of service that makes the gateway below send a packet out of an interface, wherever it is addressed to.
EGRESS = {"wg0": 0x04, "lan0": 0x08, "dmz0": 0x0C, "old0": 0x10}


@dataclass
class Gateway:
    """A gateway in the namespace of this process, between four TUN devices that the prober holds the other ends of.
    Any packet can be made to enter and leave through any pair of them; `locals` are the addresses that are its own.
    The prober's ports are named as the interfaces, and `host`."""

    prober: Prober
    locals: list

    @staticmethod
    def build(addresses):
        """`addresses` maps interfaces to the gateway's own addresses there."""
        sysctl(
            {
                "net.ipv4.ip_forward": 1,
                "net.ipv6.conf.all.forwarding": 1,
                "net.ipv4.conf.all.rp_filter": 0,
                "net.ipv4.conf.default.rp_filter": 0,
                "net.ipv4.conf.all.accept_local": 1,
                "net.ipv4.conf.default.accept_local": 1,
                "net.ipv4.conf.all.send_redirects": 0,
                "net.ipv4.conf.default.send_redirects": 0,
                "net.ipv6.conf.default.accept_dad": 0,
                "net.ipv6.conf.default.accept_ra": 0,
                "net.ipv4.icmp_ratelimit": 0,
                "net.ipv6.icmp.ratelimit": 0,
            }
        )
        prober = Prober()
        for interface, tos in EGRESS.items():
            prober.command(f"port {interface} tun - {interface} {tos}")
        prober.command("port host host -")
        lines = ["link set lo up"]
        for interface in EGRESS:
            for address in addresses.get(interface, []):
                lines.append(f"address add {address} dev {interface}" + (" nodad" if ":" in address else ""))
        for metric, (interface, tos) in enumerate(EGRESS.items(), 10):
            for family in ("-4", "-6"):
                lines += [
                    f"{family} route add default dev {interface} metric {metric}",
                    f"{family} route add default dev {interface} table {100 + metric}",
                    f"{family} rule add tos {tos:#x} table {100 + metric}",
                ]
        # `ip -batch` takes no options per line: one run a family.
        ip_batch([line for line in lines if line[0] != "-"])
        for family in ("-4", "-6"):
            batch = "\n".join(line[3:] for line in lines if line.startswith(family)) + "\n"
            subprocess.run(["ip", family, "-batch", "-"], input=batch, text=True, check=True)
        return Gateway(prober, [a.partition("/")[0] for own in addresses.values() for a in own])
