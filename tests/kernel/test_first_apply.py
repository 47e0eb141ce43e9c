"""The first apply on a host where nothing tracked connections before keeps the live sessions that the policy permits,
whichever side speaks next, and ends the others. The same once the tracked connections are forgotten.

The apply is typed in an SSH session to the gateway, over the tunnel that it programs."""

import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, ran, run, skipped  # noqa: E402
from lab import HOSTS, TUNNEL, Lab  # noqa: E402
from probing import Prober  # noqa: E402

GATEWAY = TUNNEL["extgw01"]
OTHER = "10.69.13.77"
SCOPE_LINE = 'scope      = "tunnel"                     # judge only what enters or leaves wg-ext (the default)'
SSH_LINE = 'input.ssh  = { from = ["clients"], limit = "6/minute" }           # the bastion'
WEB_LINE = '\ninput.web = { from = ["clients"], ports = [8199, "8299/udp"] }'
# More sessions are alive than may begin in a minute.
ECHO_LINE = '\ninput.echo = { from = ["clients"], ports = [9100], limit = "3/minute" }'
# The tunnel's own packets: the vps listens for the gateway on a port of its own in the lab.
OUTER = '"192.0.2.1:51821/udp"'


class Ssh:
    """A live ssh session, driven through pipes."""

    def __init__(self, lab, client, command):
        words = ["nsenter", f"--net={lab.spaces.path(client)}", *lab.ssh_command(GATEWAY, command)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(words, bufsize=0, **pipes)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.seen = b""

    def read(self):
        while True:
            chunk = self.process.stdout.read(65536)
            if not chunk:
                return self.seen
            self.seen += chunk

    def say(self, text):
        self.process.stdin.write(text)

    def hears(self, text, timeout):
        """Whether it comes within the time; what came before it is forgotten."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            before, found, after = self.read().partition(text)
            if found:
                self.seen = after
                return True
            time.sleep(0.01)
        return False

    def forget(self):
        self.read()
        self.seen = b""

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def hears(connection, text, timeout, saying=b""):
    """Whether a live connection brings that text within the time; meanwhile the client says something, where told."""
    end = time.monotonic() + timeout
    connection.settimeout(0.2)
    seen = b""
    while time.monotonic() < end:
        try:
            if saying:
                connection.sendall(saying)
            seen += connection.recv(65536)
        except TimeoutError:
            pass
        except OSError:
            return False
        if text in seen:
            return True
    return False


def drain(connection):
    connection.settimeout(0.05)
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass


def falls_silent(connection):
    """Whether a session whose server speaks every 50 ms is dead: nothing for a second. What the gateway itself sends is
    not judged, so for a while it repeats what is not acknowledged, at growing intervals."""
    end = time.monotonic() + 6
    connection.settimeout(1)
    while time.monotonic() < end:
        try:
            connection.sendall(b".")
            if not connection.recv(65536):
                return True
        except OSError:
            return True
    return False


def is_heard(connection, timeout):
    """Whether a UDP server that says how much it heard hears what is said now."""
    drain(connection)
    connection.settimeout(0.2)
    end = time.monotonic() + timeout
    first = None
    while time.monotonic() < end:
        try:
            connection.send(b".")
            heard = int(connection.recv(100))
        except OSError:
            continue
        first = heard if first is None else first
        if heard > first + 1:
            return True
    return False


class Sessions:
    """What is alive before the first apply."""

    def __init__(self, lab):
        self.lab = lab
        self.idle = lab.open("laptop", HOSTS["monitoring01"], 3000, 3)
        self.ticker = lab.open("phone", OTHER, 9999, 3)
        self.forbidden = lab.open("laptop", OTHER, 8097, 3)
        self.tick_forbidden = lab.open("phone", GATEWAY, 8099, 3)
        self.tick_permitted = lab.open("phone", GATEWAY, 8199, 3)
        check(hears(self.tick_forbidden, b"tick", 3) and hears(self.tick_permitted, b"tick", 3), "the gateway's servers don't speak")
        self.udp_tick = lab.spaces.socket("phone", kind=socket.SOCK_DGRAM)
        self.udp_tick.connect((GATEWAY, 8299))
        check(is_heard(self.udp_tick, 3), "the gateway's UDP server does not speak")
        self.many = [lab.open("phone", GATEWAY, 9100, 3) for _ in range(8)]
        check(all(hears(one, b"!", 3, b"!") for one in self.many), "the gateway does not echo")
        self.house = lab.open("house", "10.69.13.2", 9100, 3)
        self.ssh_ticks = Ssh(lab, "laptop", "while :; do echo tick; sleep 0.05; done")
        self.ssh_quiet = Ssh(lab, "phone", "echo on; cat")
        for session in (self.ssh_ticks, self.ssh_quiet):
            check(session.hears(b"tick" if session is self.ssh_ticks else b"on", 5), "no ssh session to begin with")
        check(hears(self.idle, b"!", 3, b"!") and hears(self.ticker, b"tick", 3), "no live sessions to begin with")
        check(hears(self.forbidden, b"!", 3, b"!") and hears(self.house, b"!", 3, b"!"), "no live sessions to begin with")
        # These two speak in 2 seconds, after the apply, and first.
        self.late = lab.open("laptop", OTHER, 9998, 3)
        self.ssh_late = Ssh(lab, "laptop", "sleep 2; echo late; cat")
        check(self.late is not None, "no live session to begin with")
        for connection in (self.idle, self.forbidden, self.house):
            drain(connection)

    def survive(self, late=False):
        """`late`: the two that speak late have yet to do so."""
        self.ssh_ticks.forget()
        check(self.ssh_ticks.hears(b"tick", 3), "ssh: what the server goes on saying no longer arrives")
        if late:
            check(self.ssh_late.hears(b"late", 6), "ssh: what the server says first after the apply does not arrive")
        self.ssh_late.say(b"echo me\n")
        check(self.ssh_late.hears(b"echo me\n", 4), "ssh: no answer where the server spoke first")
        self.ssh_quiet.say(b"who is there\n")
        check(self.ssh_quiet.hears(b"who is there\n", 4), "ssh: no answer where the client spoke first")
        check(hears(self.idle, b"still", 4, b"still"), "grafana: no answer where the client spoke first")
        for name, ticker in (("the house's", self.ticker), ("the gateway's", self.tick_permitted)):
            drain(ticker)
            if not hears(ticker, b"tick", 5, b"."):
                check(False, f"{name} ticker, {'after the apply' if late else 'forgotten'}: {self.why_dead(ticker)}")
        lost = sum(not hears(one, b"!", 2, b"!") for one in self.many)
        check(lost == 0, f"{lost} of 8 sessions are gone under a rate that is for new ones")
        check(is_heard(self.udp_tick, 3), "udp: what the client says no longer arrives")
        check(hears(self.late, b"late" if late else b"more", 6, b"more"), "no answer where the server spoke first")
        check(hears(self.house, b"!", 2, b"!"), "a session of the house with the gateway itself is gone")

    def why_dead(self, connection):
        """What became of a connection that says nothing: its state at either end, and what the gateway refused."""
        ends = [self.lab.spaces.run(space, "ss", "-tinH", f"sport = :{connection.getpeername()[1]}").stdout for space in ("extgw01", "house")]
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        counters = self.lab.nft("extgw01", "list", "counters")
        return f"no tick for 5 s (error {error}, state {state})\n{ends}\n{counters}"

    def close(self):
        for session in (self.idle, self.ticker, self.forbidden, self.house, self.late, self.tick_forbidden, self.tick_permitted, self.udp_tick, *self.many):
            session.close()
        for session in (self.ssh_ticks, self.ssh_quiet, self.ssh_late):
            session.close()


def scenario(*edits):
    """The whole story on a fresh lab, with the policy edited so."""
    with Lab() as lab:
        lab.edit('dns      = { host =', f'ticker   = "{OTHER}:9999"\nlate     = "{OTHER}:9998"\ndns      = {{ host =')
        lab.edit('media   = ["jellyfin",', 'media   = ["ticker", "late", "jellyfin",')
        lab.edit(SSH_LINE, SSH_LINE + WEB_LINE + ECHO_LINE)
        lab.edit('"extgw01:22", "extgw01:ping"]', '"extgw01:22", "extgw01:8199", "extgw01:8299/udp", "extgw01:9100", "extgw01:ping"]')
        for old, new in edits:
            lab.edit(old, new)
        ran(lab.policyc("extgw01", "resolve", lab.policy), 0, "resolve")
        sessions = Sessions(lab)
        try:
            check(lab.nft("extgw01", "list", "ruleset") == "", "there are rules already, so connections may be tracked")
            # (The leak sanitizer of a build that has one can't read /proc there.)
            words = ["ASAN_OPTIONS=detect_leaks=0", f"{os.environ['POLICYC_BUILD']}/policyc", "--node", "extgw01"]
            words += ["--state-dir", f"{lab.directory}/state", "apply", lab.policy, "--offline", "&&", "echo", "applied"]
            began = time.monotonic()
            typed_in = Ssh(lab, "laptop", " ".join(words))
            for _ in range(100):
                if typed_in.hears(b"applied\n", 0.2):
                    break
            else:
                check(False, f"no answer to an apply that is typed in an ssh session: {typed_in.read().decode()}")
            typed_in.close()
            took = time.monotonic() - began
            sessions.survive(late=True)
            check(not hears(sessions.forbidden, b"!", 1.2, b"!"), "a session that nothing permits lives on")
            check(falls_silent(sessions.tick_forbidden), "a session with the gateway that nothing permits lives on")

            with Prober() as prober:
                prober.command(f"flush {lab.spaces.path('extgw01')}")
            sessions.survive()

            # What was picked up in the middle ends with its permission as everything does.
            lab.edit(SSH_LINE + WEB_LINE + ECHO_LINE, 'input.ssh = { from = ["laptop"] }')
            lab.edit('only = ["grafana", "media", "dns", "extgw01:22", "extgw01:8199", "extgw01:8299/udp", "extgw01:9100", "extgw01:ping"]', 'deny = ["home:23"]')
            lab.edit('media   = ["ticker", ', "media   = [")
            ran(lab.policyc("extgw01", "apply", lab.policy, "--offline"), 0, "apply that revokes")
            time.sleep(0.5)
            sessions.ssh_quiet.say(b"and now\n")
            check(not sessions.ssh_quiet.hears(b"and now", 1), "phone's ssh session outlives its permission")
            drain(sessions.ticker)
            check(not hears(sessions.ticker, b"tick", 1, b"."), "the ticker outlives its permission")
            check(falls_silent(sessions.tick_permitted), "the gateway's ticker outlives its permission")
            check(not is_heard(sessions.udp_tick, 2), "the gateway's UDP server hears phone beyond its permission")
            differs = lab.policyc("extgw01", "diff", lab.policy)
            check(differs.returncode == 0, f"diff after apply: {differs.stdout}{differs.stderr}")
            sessions.ssh_ticks.forget()
            check(sessions.ssh_ticks.hears(b"tick", 3), "laptop's ssh session ended, though it is permitted")
            return f"apply took {took:.1f} s, login and all"
        finally:
            sessions.close()


# ---- the cases -----------------------------------------------------------------------------------------------------


def in_scope_tunnel(*_):
    return scenario()


# In scope "host" the gateway judges the outer packets of its tunnel too: what it listens on must be known.
HOST = 'scope = "host"\nlisten_port = 51820\ninput.house = { from = ["home"], ports = ["9100"] }'


def in_scope_host(*_):
    return scenario((SCOPE_LINE, HOST))


def in_scope_host_where_output_is_judged(*_):
    return scenario((SCOPE_LINE, f'{HOST}\noutput = ["dns", {OUTER}]'))


def main():
    why = Lab.missing()
    if why:
        return skipped(why)
    return run([in_scope_tunnel, in_scope_host, in_scope_host_where_output_is_judged])


if __name__ == "__main__":
    sys.exit(main())
