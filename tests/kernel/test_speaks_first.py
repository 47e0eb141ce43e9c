"""The hub speaks first through its tunnel, while what it sends is judged: after a first apply, when nothing tracked connections before, and once the flow that carries the tunnel
is forgotten. Real WireGuard, whose peer sends no keepalives."""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, ran, run, skipped  # noqa: E402
from lab import TUNNEL, Lab  # noqa: E402

HUB = """version = 1

[nodes.vps]
role      = "hub"
scope     = "host"
address   = "10.69.50.1"
endpoint  = "192.0.2.1:51820"
interface = "wg1"
input.ssh = { from = ["laptop"] }
output    = ["laptop:80"]

[nodes.laptop]
address = "10.69.50.11"
"""


class Session:
    """A live TCP session from laptop to the hub's port 22, through the tunnel."""

    def __init__(self, lab):
        with lab.spaces.inside("vps"):
            listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((TUNNEL["vps"], 22))
        listener.listen()
        self.client = lab.open("laptop", TUNNEL["vps"], 22, timeout=2)
        self.server, _ = listener.accept()
        listener.close()

    def server_says(self, text, within):
        """Whether the client, which says nothing, hears it."""
        self.server.sendall(text)
        self.client.settimeout(within)
        try:
            return self.client.recv(len(text)) == text
        except OSError:
            return False

    def close(self):
        self.client.close()
        self.server.close()


def the_tunnel_is_silent(lab):
    peer = lab.keys["vps"][1]
    words = ["nsenter", f"--mount=/proc/{lab.nodes['laptop'].pid}/ns/mnt", "wg", "set", "wg0", "peer", peer, "persistent-keepalive", "0"]
    lab.spaces.run("laptop", *words, check=True)


def a_session_goes_on_where_the_hub_speaks_first(lab, session):
    check(session.server_says(b"before", 2), "there is no session")
    ran(lab.policyc("vps", "apply", lab.policy, "--offline", sees_tunnels=True), 0, "a first apply")
    check(session.server_says(b"after", 3), "nothing comes through after a first apply, while the client is silent")


def it_does_when_the_flow_is_forgotten(lab, session):
    lab.spaces.sysctl("vps", netfilter__nf_conntrack_udp_timeout=1, netfilter__nf_conntrack_udp_timeout_stream=1)
    time.sleep(3)
    check(session.server_says(b"later", 3), "nothing comes through once the flow of the tunnel is forgotten")
    time.sleep(3)
    check(lab.connect("vps", TUNNEL["laptop"], 80, timeout=2), "what `output` allows does not pass")


def all_else_that_it_sends_is_refused(lab, _):
    """From another port, and to the port itself from another one."""
    with lab.spaces.socket("vps", kind=socket.SOCK_DGRAM) as other:
        for host, port in (("198.51.100.11", 51820), ("198.51.100.254", 53)):
            try:
                other.sendto(b"x", (host, port))
            except PermissionError:
                continue
            check(False, f"it may send to {host}:{port}")
    check("WireGuard itself, where this host spoke first" in lab.nft("vps", "list", "chain", "inet", "policyc", "output"), "no such rule")
    ran(lab.policyc("vps", "verify", lab.policy, sees_tunnels=True), 0, "verify")


def main():
    why = Lab.missing()
    if why:
        return skipped(why)
    with Lab() as lab:
        lab.write_text(HUB)
        the_tunnel_is_silent(lab)
        session = Session(lab)
        try:
            return run([a_session_goes_on_where_the_hub_speaks_first, it_does_when_the_flow_is_forgotten, all_else_that_it_sends_is_refused], lab, session)
        finally:
            session.close()


if __name__ == "__main__":
    sys.exit(main())
