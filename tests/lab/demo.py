"""The main job, shown: a policy is applied to a gateway between real tunnels, and what gets through is what it says.
`./dev demo` runs it.

Exit 0 only if everything that was tried went as the policy says; the naive evaluator of tests/reference says what
that is."""

import ipaddress
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "reference")]
from evaluator import Flow, Packet, Policy  # noqa: E402
from lab import DOMAIN, HOSTS, RESOLVER, SERVICES, TUNNEL, Lab  # noqa: E402

CLIENTS = ("laptop", "phone", "vps")
COLOR = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
YES, NO = ("✔", "·") if (sys.stdout.encoding or "").lower().startswith("utf") else ("yes", "-")
MAP = """
    laptop 10.69.50.11 --.                    .-- monitoring01, jelly01, sonarr-, radarr-, nzbget-jail
                          >-- vps == extgw01 <    the resolver, and 240 more hosts
    phone  10.69.50.12 --'    ||     policyc  `-- http-proxy
                              ``== the other tunnel ==''
"""


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOR else text


def title(number, text):
    print(f"\n{paint('1', f'{number}. {text}')}")


class Demo:
    def __init__(self, lab):
        self.lab = lab
        self.tried = 0
        self.wrong = []

    def expect(self, seen, wanted, what):
        self.tried += 1
        if seen != wanted:
            self.wrong.append(f"{what}: the policy says {wanted}, seen was {seen}")
        return seen == wanted

    def policyc(self, *words, status=0):
        print(paint("36", f"extgw01$ policyc {' '.join(w.replace(self.lab.directory + '/', '') for w in words)}"))
        done = self.lab.policyc("extgw01", *(["--color", "always"] if COLOR else []), *words)
        for text in (done.stdout, done.stderr):
            for line in text.replace(self.lab.directory + "/", "").splitlines():
                print("  " + line)
        print(paint("2", f"  exit {done.returncode}"))
        self.expect(done.returncode, status, f"exit status of policyc {words[0]}")

    def show_policy(self):
        with open(self.lab.policy) as file:
            text = file.read()
        shown = re.search(r"^\[services\].*?(?=^\[tiers\.full\])", text, re.M | re.S)[0]
        for line in shown.splitlines():
            line = re.sub(r"\s*(#.*)?$", "", line)
            if line:
                print("  " + line)
        print(paint("2", "  ... the nodes, an escalated tier and four [[test]]s: policy/examples/homelab.toml is all of it"))

    # ---- who gets through ------------------------------------------------------------------------------------------

    def rows(self):
        """(what people call it, host, port, protocol)"""
        rows = [(name, HOSTS[host], port, "tcp") for name, (host, port) in SERVICES.items()]
        rows += [("dns", RESOLVER, 53, "udp"), ("dns", RESOLVER, 53, "tcp")]
        rows += [("jelly01, its ssh", HOSTS["jelly01"], 22, "tcp")]
        rows += [("jelly01, next port", HOSTS["jelly01"], 8097, "tcp")]
        rows += [("another host", "10.69.13.77", 443, "tcp"), ("another host", "10.69.13.77", 5000, "udp")]
        rows += [("extgw01, ssh", TUNNEL["extgw01"], 22, "tcp"), ("extgw01, ping", TUNNEL["extgw01"], 0, "ping")]
        rows += [("extgw01, http", TUNNEL["extgw01"], 80, "tcp"), ("jelly01, ping", HOSTS["jelly01"], 0, "ping")]
        rows += [("phone", TUNNEL["phone"], 80, "tcp"), ("laptop", TUNNEL["laptop"], 80, "tcp")]
        rows += [("the other tunnel", "10.69.222.2", 80, "tcp")]
        return rows

    def says(self, policy, client, host, port, proto):
        """What the policy says of a new flow from a client, at extgw01."""
        hook, way_out = ("input", "") if host == TUNNEL["extgw01"] else ("forward", "eth0")
        if host in TUNNEL.values() and hook == "forward":
            way_out = "wg-ext"
        flow = Flow(ipaddress.ip_address(TUNNEL[client]), ipaddress.ip_address(host), proto, port)
        return policy.judge("extgw01", Packet(hook, flow, "wg-ext", way_out)) != "deny"

    def matrix(self):
        rows = self.rows()
        with open(self.lab.policy) as file:
            policy = Policy(file.read(), {f"{name}.{DOMAIN}": [address] for name, address in HOSTS.items()})
        seen = self.lab.matrix(CLIENTS, [(host, port) for _, host, port, proto in rows if proto == "tcp"], 1)
        print(paint("2", f"  {'':20}{'':24}" + "".join(f"{c:^9}" for c in CLIENTS)))
        for name, host, port, proto in rows:
            cells = ""
            for client in CLIENTS:
                beside = client == "vps" and host in (TUNNEL["laptop"], TUNNEL["phone"], "10.69.222.2")
                if beside or host == TUNNEL[client]:  # not a way through extgw01
                    cells += f"{'':9}"
                    continue
                if proto == "tcp":
                    got = seen[client, host, port]
                elif proto == "ping":
                    got = self.lab.ping(client, host)
                elif port == 53:
                    got = self.lab.ask(client, f"jelly01.{DOMAIN}") is not None
                else:
                    got = self.lab.udp(client, host, port) is not None
                wanted = self.says(policy, client, host, port, proto)
                as_it_should = self.expect(got, wanted, f"{client} to {host}:{port}/{proto}")
                mark = (YES if got else NO).center(9)
                cells += paint("32" if got else "2", mark) if as_it_should else paint("1;31", f"{'WRONG':^9}")
            where = f"{host} {proto}" if proto == "ping" else f"{host}:{port}/{proto}"
            print(f"  {name:20}{where:24}{cells}")
        print(paint("2", f"  {YES} came through   {NO} did not; something listens on every one of these"))

    # ---- the connection that dies ----------------------------------------------------------------------------------

    def alive(self, connection):
        connection.settimeout(0.25)
        try:
            connection.sendall(b"ping")
            return connection.recv(100) != b""
        except OSError:
            return False

    def connections(self):
        lab = self.lab
        live = {}
        for name in ("nzbget", "grafana"):
            host, port = SERVICES[name]
            live[name] = lab.open("phone", HOSTS[host], port, 2)
        for name, connection in live.items():
            self.expect(connection is not None and self.alive(connection), True, f"a live connection to {name}")
        print("phone holds open connections to nzbget and to grafana; then someone edits the policy:")
        gone, old, new = (
            'nzbget   = "nzbget-jail.home.2rjus.net:6789"\n',
            'media   = ["jellyfin", "sonarr", "radarr", "nzbget"]\n',
            'media   = ["jellyfin", "sonarr", "radarr"]\n',
        )
        lab.edit(gone, "")
        lab.edit(old, new)
        print(paint("31", f"  - {gone}  - {old}"), end="")
        print(paint("32", f"  + {new}"), end="")
        self.policyc("diff", lab.policy, status=1)
        self.policyc("apply", lab.policy)
        began = time.monotonic()
        while live["nzbget"] and self.alive(live["nzbget"]) and time.monotonic() - began < 5:
            time.sleep(0.01)
        took = time.monotonic() - began
        kept = live["grafana"] is not None and self.alive(live["grafana"])
        self.expect(took < 1, True, f"nzbget's connection ends within a second (it took {took:.1f})")
        self.expect(kept, True, "grafana's connection goes on")
        dead, alive = paint("31", f"dead {took:.1f} s after apply"), paint("32", "alive" if kept else "dead")
        print(f"phone's connection to nzbget: {dead}; to grafana: {alive}")
        self.policyc("diff", lab.policy)
        for connection in live.values():
            if connection:
                connection.close()

    def run(self, built):
        print(paint("1", "policyc: who may reach what over a WireGuard network, compiled into nftables"))
        print(f"A network of namespaces with real tunnels, DNS, sshd and listeners, just built ({built:.1f} s):{MAP}", end="")
        title(1, "The policy")
        self.show_policy()
        title(2, "Its names are looked up, and the gateway is programmed in one transaction")
        self.policyc("resolve", self.lab.policy)
        self.policyc("apply", self.lab.policy)
        title(3, "What gets through, tried with real connections")
        self.matrix()
        title(4, "An edit: what it would change, and the connection that dies with its permission")
        self.connections()
        print()
        for wrong in self.wrong:
            print(paint("1;31", f"WRONG  {wrong}"))
        right = self.tried - len(self.wrong)
        print(paint("1;31" if self.wrong else "1;32", f"{right} of {self.tried} things went as the policy says"))
        return 1 if self.wrong else 0


def main():
    why = Lab.missing()
    if why:
        print(f"demo: {why}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with Lab() as lab:
        return Demo(lab).run(time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
