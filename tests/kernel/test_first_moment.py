"""The first apply on a busy host where nothing tracked connections before: the kernel begins to track them a moment before the rules are in force. Whatever that moment made of live
sessions, all that the policy permits go on, those too whose server speaks all the time; and the others end."""

import os
import socket
import sys
import tempfile
import threading
import time
from contextlib import closing

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, run, skipped  # noqa: E402
from spaces import Spaces, needs  # noqa: E402

SESSIONS = 200  # that the policy permits
OTHERS = 5
ROUNDS = 10  # about every third loses some of them, where nothing is done about that moment
POLICY = """version = 1
networks.home = ["10.69.13.0/24"]
nodes.gw = { role = "gateway", address = "10.69.50.2", interface = "wg0", serves = ["home"] }
nodes.laptop = { address = "10.69.50.11" }
tiers.vpn = { who = ["laptop"], allow = ["10.69.13.20:8000"] }
"""
# Rules enough that the kernel needs a while from the first of them to the last.
MANY = "".join(f'tiers.t{i} = {{ who = ["laptop"], allow = ["10.69.13.{i + 30}:{i + 1000}"], limit = "{i + 1}/minute" }}\n' for i in range(25))


class House:
    """A client, a gateway and a server whose sessions say something every few milliseconds."""

    def __init__(self, spaces):
        self.spaces = spaces
        spaces.add("laptop", "gw", "server")
        spaces.link("laptop", "eth0", "gw", "wg0")
        spaces.link("server", "eth0", "gw", "lan0")
        spaces.ip("gw", "link set lo up", "link set wg0 up", "link set lan0 up", "address add 10.69.50.2/24 dev wg0", "address add 10.69.13.1/24 dev lan0")
        spaces.ip("laptop", "link set lo up", "link set eth0 up", "address add 10.69.50.11/24 dev eth0", "route add default via 10.69.50.2")
        spaces.ip("server", "link set lo up", "link set eth0 up", "address add 10.69.13.20/24 dev eth0", "route add default via 10.69.13.1")
        spaces.sysctl("gw", ipv4__ip_forward=1)
        self.pairs = []
        self.talks = True
        for port in (8000, 8001):
            with spaces.inside("server"):
                listener = socket.create_server(("10.69.13.20", port), backlog=SESSIONS)
            for _ in range(SESSIONS if port == 8000 else OTHERS):
                client = spaces.socket("laptop", timeout=3)
                client.connect(("10.69.13.20", port))
                self.pairs.append((port, client, listener.accept()[0]))
            listener.close()
        for _, client, server in self.pairs:
            client.setblocking(False)
            server.setblocking(False)
        self.talker = threading.Thread(target=self.talk)
        self.talker.start()

    def talk(self):
        while self.talks:
            for _, _, server in self.pairs:
                try:
                    server.send(b"tick")
                except OSError:
                    pass
            time.sleep(0.002)

    def living(self, port, within):
        """How many sessions of a port bring something; until all do, each client says something now and then."""
        clients = [client for at, client, _ in self.pairs if at == port]
        for client in clients:
            drain(client)
        end = time.monotonic() + within
        silent = set(clients)
        while time.monotonic() < end and silent:
            for client in silent:
                try:
                    client.send(b".")
                except OSError:
                    pass
            time.sleep(0.05)
            silent = {client for client in silent if not drain(client)}
        return len(clients) - len(silent)

    def close(self):
        self.talks = False
        self.talker.join()
        for _, client, server in self.pairs:
            client.close()
            server.close()


def drain(client):
    got = 0
    try:
        while chunk := client.recv(65536):
            got += len(chunk)
    except OSError:
        pass
    return got


def first_applies_on_a_busy_host(more):
    with closing(Spaces()) as spaces, tempfile.TemporaryDirectory() as folder:
        house = House(spaces)
        try:
            path = os.path.join(folder, "policy.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(POLICY + more)
            for i in range(ROUNDS):
                check(house.living(8000, 5) == SESSIONS and house.living(8001, 5) == OTHERS, "there are no sessions to begin with")
                words = [os.path.join(os.environ["POLICYC_BUILD"], "policyc"), "--node", "gw", "--state-dir", os.path.join(folder, f"state{i}"), "apply", path, "--offline"]
                if i % 2:
                    spaces.run("gw", "nft", "add", "table", "inet", "policyc", check=True)  # which judges nothing and tracks nothing
                done = spaces.run("gw", *words)
                check(done.returncode == 0, done.stdout + done.stderr)
                lost = SESSIONS - house.living(8000, 3)
                check(lost == 0, f"{lost} of {SESSIONS} sessions that the policy permits are gone after first apply {i + 1}")
                if i == 0:
                    check(house.living(8001, 1) == 0, "sessions that nothing permits live on")
                spaces.run("gw", "nft", "delete", "table", "inet", "policyc", check=True)
                spaces.run("gw", "conntrack", "-F", check=True)
        finally:
            house.close()


def a_small_policy(*_):
    first_applies_on_a_busy_host("")


def a_policy_of_many_rules(*_):
    first_applies_on_a_busy_host(MANY)


def flows_that_others_track_are_kept(*_):
    """Docker's, say: IPv4 is tracked, IPv6 is not, and only of that anything is forgotten."""
    with closing(Spaces()) as spaces, tempfile.TemporaryDirectory() as folder:
        house = House(spaces)
        try:
            spaces.run("gw", "nft", "-f", "-", input="table ip x {\nchain c {\ntype filter hook forward priority 0; ct state new accept;\n}\n}\n", check=True)
            check(house.living(8000, 5) == SESSIONS, "there are no sessions to begin with")
            before = flows(spaces)
            check(len(before) >= SESSIONS, "the other table tracks nothing")
            path = os.path.join(folder, "policy.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(POLICY)
            done = spaces.run("gw", os.path.join(os.environ["POLICYC_BUILD"], "policyc"), "--node", "gw", "--state-dir", os.path.join(folder, "state"), "apply", path, "--offline")
            check(done.returncode == 0, done.stdout + done.stderr)
            check(before <= flows(spaces), "flows that were tracked are forgotten")
        finally:
            house.close()


def flows(spaces):
    """By the numbers that the kernel gave them."""
    listed = spaces.run("gw", "conntrack", "-L", "-o", "id", check=True).stdout
    return {word for word in listed.split() if word.startswith("id=")}


def main():
    why = needs("nft", "conntrack", "nsenter", "unshare")
    if why:
        return skipped(why)
    return run([a_small_policy, a_policy_of_many_rules, flows_that_others_track_are_kept])


if __name__ == "__main__":
    sys.exit(main())
