"""apply refuses to cut the session that it is typed in where connection tracking has it otherwise than plainly: not yet and never (tcp_loose is 0), exempt,
or with a rewritten destination. And it takes the interface from a zone. Real TCP sessions; each case sees that what is refused would have been cut."""

import os
import shutil
import socket
import sys
import tempfile
import threading
from contextlib import suppress

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, ran, run, skipped  # noqa: E402
from spaces import Spaces, needs  # noqa: E402

CLIENT, HOST = "10.69.13.1", "10.69.13.2"
POLICY = """version = 1
ipv6 = "dual"
[networks]
home = ["10.69.13.0/24"]
[nodes.gw]
role        = "gateway"
address     = ["10.69.50.2", "fd00:50::2"]
interface   = "wg0"
serves      = ["home"]
scope       = "host"
listen_port = 51820
input.ssh   = { from = ["home"] }
untouched   = ["if:eth9"]
"""
REFUSED = "error[E0901]: apply refused: your own SSH session would be cut"
NAT = "table ip nat {\nchain pre { type nat hook prerouting priority -100; tcp dport 2200 redirect to :22; }\n}\n"
RAW = """table inet raw {
chain early { type filter hook prerouting priority raw; tcp dport 22 notrack; }
chain out { type filter hook output priority raw; tcp sport 22 notrack; }
}
"""


def echo(listener, sessions):
    def serve(made):
        try:
            while chunk := made.recv(4096):
                made.sendall(chunk)
        except OSError:
            pass

    while True:
        made, _ = listener.accept()
        sessions.append(made)
        threading.Thread(target=serve, args=[made], daemon=True).start()


class Host:
    """A client and a host with two cables between them, and something that answers at port 22."""

    def __init__(self):
        self.spaces = Spaces()
        self.directory = tempfile.mkdtemp(prefix="policyc-tracked-")
        self.policy = os.path.join(self.directory, "policy.toml")
        self.sessions = []
        self.spaces.add("client", "host")
        for name in ("eth0", "eth1"):
            self.spaces.link("host", name, "client", name)
        self.spaces.ip("client", "link set lo up", f"address add {CLIENT}/24 dev eth0", *self.links_up("a"))
        self.spaces.ip("host", "link set lo up", "tuntap add wg0 mode tun", f"address add {HOST}/24 dev eth0", *self.links_up("b"))
        listener = self.spaces.socket("host", socket.AF_INET6)
        listener.settimeout(None)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", 22))
        listener.listen()
        threading.Thread(target=echo, args=[listener, self.sessions], daemon=True).start()

    @staticmethod
    def links_up(last):
        for name in ("eth0", "eth1"):
            yield f"link set {name} addrgenmode none"
            yield f"link set {name} up"
            yield f"address add fe80::{last}/64 dev {name} nodad"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.spaces.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def begin(self, *edits, others="", loose=1):
        """Other tables, nothing of policyc's, and no session."""
        for session in self.sessions:
            with suppress(OSError):
                session.shutdown(socket.SHUT_RDWR)
        self.nft("flush", "ruleset")
        if others:
            self.nft("-f", "-", input=others)
        self.loose(loose)
        self.write(*edits)

    def write(self, *edits):
        text = POLICY
        for old, new in edits:
            check(old in text, old)
            text = text.replace(old, new)
        with open(self.policy, "w") as file:
            file.write(text)

    def loose(self, value):
        self.spaces.sysctl("host", netfilter__nf_conntrack_tcp_loose=value)

    def nft(self, *words, **more):
        return self.spaces.run("host", "nft", *words, check=True, **more).stdout

    def open(self, port=22, to=HOST, zone=None):
        made = self.spaces.socket("client", socket.AF_INET if zone is None else socket.AF_INET6, timeout=3)
        if zone is None:
            made.connect((to, port))
        else:
            with self.spaces.inside("client"):
                index = socket.if_nametoindex(zone)
            made.connect((to, port, 0, index))
        check(alive(made), "no session to begin with")
        return made

    def apply(self, said, *options, verb="apply"):
        words = ["env", f"SSH_CONNECTION={said}", f"{os.environ['POLICYC_BUILD']}/policyc", "--node", "gw", "--color", "never"]
        words += ["--state-dir", f"{self.directory}/state", verb, self.policy, *options]
        return self.spaces.run("host", *words)

    def refuses(self, said, *words):
        rules = self.nft("list", "ruleset")
        for options in ([], ["--dry-run"]):
            done = ran(self.apply(said, *options), 1, "an apply that would cut the session")
            for one in (REFUSED, "input.ssh", "`policyc apply --force-lockout`", *words):
                check(one in done.stderr, f"no `{one}` in\n{done.stderr}")
        check(self.nft("list", "ruleset") == rules, "the rules changed in an apply that was refused")


def alive(session, patience=1.0):
    session.settimeout(patience)
    try:
        session.sendall(b"x")
        return session.recv(4096) != b""
    except OSError:
        return False


def said_by(session, mapped=""):
    return f"{mapped}{CLIENT} {session.getsockname()[1]} {mapped}{HOST} 22"


# ---- the cases -----------------------------------------------------------------------------------------------------


def a_session_that_nothing_tracks_and_nothing_picks_up(host):
    host.begin(loose=0)
    session = host.open()
    said = said_by(session)
    host.refuses(said, f"{said.split()[0]}:{said.split()[1]} -> {HOST}:22/tcp is let through now, where there is no table inet policyc, and would be cut: nothing tracks it yet",
                 "`sysctl -w net.netfilter.nf_conntrack_tcp_loose=1` before the apply")
    # As the help says: it is picked up, and stays.
    host.loose(1)
    done = ran(host.apply(said), 0, "an apply that picks sessions up")
    check("nf_conntrack_tcp_loose" not in done.stderr, done.stderr)
    check(alive(session), "the session was not picked up")
    host.loose(0)
    check(alive(session), "the session that was picked up is gone")
    # One that another table's rules had tracked from its beginning is no obstacle.
    host.begin(loose=0, others="table ip t {\nchain c { type filter hook input priority 0; ct state established accept; }\n}\n")
    session = host.open()
    said = said_by(session)
    ran(host.apply(said), 0, "an apply where the session is tracked")
    check(alive(session), "the session that was tracked is gone")
    # Another one is: its policy lets it in, and yet it goes.
    host.begin(loose=0)
    session = host.open()
    done = ran(host.apply(said_by(session), "--force-lockout"), 0, "an apply that cuts")
    check("warning: live TCP sessions that nothing tracks yet are cut by a first apply while net.netfilter.nf_conntrack_tcp_loose is 0" in done.stderr, done.stderr)
    check(not alive(session), "what would be cut lives")


def what_is_not_judged_is_not_cut(host):
    host.begin(('"host"\n', '"tunnel"\n'), ('untouched   = ["if:eth9"]', ""), loose=0)
    session = host.open()
    done = ran(host.apply(said_by(session)), 0, "an apply that does not judge the session")
    check("warning: live TCP sessions that nothing tracks yet are cut" in done.stderr, done.stderr)
    check(alive(session), "the session is cut")


def a_session_that_came_through_a_redirect(host):
    host.begin(others=NAT)
    session = host.open(2200)
    host.refuses(said_by(session), "its destination was rewritten (chain pre of table ip nat), which is refused", "log in at port 22 itself, and leave this session")
    ran(host.apply(said_by(session), "--force-lockout"), 0, "an apply that cuts")
    check(not alive(session), "what would be cut lives")
    host.begin(others=NAT)
    plain = host.open()
    done = ran(host.apply(said_by(plain)), 0, "an apply at port 22")
    check("note: chain pre of table ip nat rewrites destinations (prerouting hook): policyc refuses a flow whose destination was rewritten" in done.stderr, done.stderr)
    check(alive(plain), "a session with port 22 is cut")


def an_ipv6_session_that_came_through_a_redirect(host):
    host.begin(('from = ["home"]', 'from = ["home", "fe80::/10"]'), others=NAT.replace("table ip ", "table ip6 "))
    session = host.open(2200, to="fe80::b", zone="eth1")
    host.refuses(f"fe80::a%eth1 {session.getsockname()[1]} fe80::b%eth1 22", "its destination was rewritten (chain pre of table ip6 nat), which is refused")


def a_session_that_is_exempt_from_tracking(host):
    host.begin(others=RAW)
    session = host.open()
    said = said_by(session)
    host.refuses(said, "nothing tracks it, chain early of table inet raw takes packets from connection tracking, and what is not tracked is refused",
                 "let those rules leave port 22 alone; where they do already, `policyc apply --force-lockout` goes on")
    done = ran(host.apply(said, "--force-lockout"), 0, "an apply that cuts")
    check("note: chain early of table inet raw takes packets from connection tracking (prerouting hook): policyc refuses what is not tracked" in done.stderr, done.stderr)
    diff = ran(host.apply(said, verb="diff"), 0, "diff")
    check("chain early of table inet raw takes packets" in diff.stderr, diff.stderr)
    check(not alive(session), "what would be cut lives")


def the_zone_of_an_address_is_the_interface(host):
    """Each of the two cables has the same link-local addresses: a route alone doesn't say which."""
    for mine, other in (("eth0", "eth1"), ("eth1", "eth0")):
        host.begin(("eth9", other))
        session = host.open(to="fe80::b", zone=mine)
        said = f"fe80::a%{mine} {session.getsockname()[1]} fe80::b%{mine} 22"
        host.refuses(said, f"your session comes from fe80::a over {mine}")
        host.write(("eth9", mine))
        ran(host.apply(said), 0, f"an apply that leaves {mine} alone")
        check(alive(session), "the session is cut")


def ipv4_in_ipv6_is_ipv4(host):
    host.begin(('from = ["home"]', 'from = ["10.69.13.99"]'))
    session = host.open()
    host.refuses(said_by(session, "::ffff:"), f"{CLIENT}:", "denied by this policy")


def main():
    why = needs("nft", "nsenter", "unshare")
    if why:
        return skipped(why)
    with Host() as host:
        return run([a_session_that_nothing_tracks_and_nothing_picks_up, what_is_not_judged_is_not_cut, a_session_that_came_through_a_redirect, an_ipv6_session_that_came_through_a_redirect,
                    a_session_that_is_exempt_from_tracking, the_zone_of_an_address_is_the_interface, ipv4_in_ipv6_is_ipv4], host)


if __name__ == "__main__":
    sys.exit(main())
