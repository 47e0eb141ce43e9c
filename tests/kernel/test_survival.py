"""What an apply leaves alone while packets go through the gateway: counters, the remaining time of timed elements, live sessions, and
every packet of what is allowed before and after.

The libnftables backend replaces the whole table in one transaction, and keeps less. Live sessions go on. Counters begin with the numbers
that were read before, so they don't go down, but what is counted in between is lost; buckets are filled anew. And the kernel puts the
new table's intervals into force a moment after its rules: of a stream of packets some are refused with each apply. All of that is
tested too, so that these words stay true."""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
from backend import BACKEND, IN_PLACE, with_backend  # noqa: E402
from cases import check, equal, ran, run, skipped  # noqa: E402
from spaces import Spaces, needs  # noqa: E402

LISTENERS = os.path.join(HERE, "..", "lab", "listeners.py")
LAPTOP, PHONE, STRANGER = "10.69.50.11", "10.69.50.12", "10.69.50.13"
HOST, OTHER = "10.69.13.20", "10.69.13.30"
WEB, TICKER, LOST, SLOW, FLOOD, SMALL = 8096, 9999, 6789, 7000, 6000, 5000

POLICY = f"""version = 1

[networks]
home = ["10.69.13.0/24"]

[nodes.gw]
role      = "gateway"
address   = "10.69.50.2"
interface = "wg0"
serves    = ["home"]

[nodes.laptop]
address = "{LAPTOP}"

[nodes.phone]
address = "{PHONE}"

[services]
web    = "{HOST}:{WEB}"
ticker = "{HOST}:{TICKER}"
lost   = "{HOST}:{LOST}"
slow   = {{ host = "{HOST}", ports = "{SLOW}/udp", limit = "6/minute" }}
flood  = "{HOST}:{FLOOD}/udp"
small  = "{HOST}:{SMALL}/udp"

[tiers.vpn]
who   = ["laptop"]
allow = ["web", "ticker", "lost", "slow", "flood", "small"]

[tiers.phone]
who   = ["phone"]
allow = ["web"]

[log]
denied = false
"""

# What else an edit may change: who and what is there, a range, a rate, what this host itself answers, how it refuses.
EDITED = (
    POLICY.replace('who   = ["phone"]\nallow = ["web"]', 'who   = ["phone", "tablet"]\nallow = ["more"]\nlimit = "50/second"')
    .replace("[services]", f'[nodes.tablet]\naddress = "10.69.50.14"\n\n[services]\nmore = {{ host = "{OTHER}", ports = [22, "8000-8100"] }}')
    .replace('serves    = ["home"]', 'serves    = ["home"]\ndenied    = "reject"\ninput.ping = { from = ["laptop", "phone"] }')
)
# Many sources that no range holds, so that the intervals of those who may come through the tunnel are others.
CROWD = range(20, 60, 2)
CROWDED = POLICY.replace("[services]", "".join(f'[nodes.n{i}]\naddress = "10.69.50.{i}"\n' for i in CROWD) + "\n[services]").replace(
    'who   = ["phone"]', 'who   = ["phone", ' + ", ".join(f'"n{i}"' for i in CROWD) + "]"
)
# The same permissions for the laptop, kept in another way: a network and a rate, so that other sets and chains say so.
RESHAPED = POLICY.replace("[tiers.phone]", '[tiers.all]\nwho   = ["10.69.50.8/29"]\nallow = ["home:*"]\n\n[tiers.phone]').replace(
    '"small"]\n', '"small"]\nlimit = "1000000/second"\n'
)


class Gateway:
    """client -- gw -- server, by cable; the cable on the client's side stands for the tunnel."""

    def __init__(self):
        self.spaces = Spaces()
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def build(self):
        spaces = self.spaces
        spaces.add("client", "gw", "server", "spare")
        spaces.link("client", "up0", "gw", "wg0")
        spaces.link("server", "eth0", "gw", "eth0")
        addresses = [f"address add {a}/24 dev up0" for a in (LAPTOP, PHONE, STRANGER)]
        spaces.ip("client", "link set lo up", *addresses, "link set up0 up", "route add default via 10.69.50.2")
        addresses = [f"address add {a}/24 dev eth0" for a in (HOST, OTHER)]
        spaces.ip("server", "link set lo up", *addresses, "link set eth0 up", "route add default via 10.69.13.2")
        addresses = ["address add 10.69.50.2/24 dev wg0", "address add 10.69.13.2/24 dev eth0"]
        spaces.ip("gw", "link set lo up", *addresses, "link set wg0 up", "link set eth0 up")
        spaces.sysctl("gw", ipv4__ip_forward=1)
        ports = (str(WEB), str(TICKER), str(LOST), f"{SLOW}/udp", f"{SMALL}/udp")
        self.ready(spaces.start("server", sys.executable, LISTENERS, "4", *ports, stdout=subprocess.PIPE, text=True))

    @staticmethod
    def ready(process):
        equal(process.stdout.readline(), "ready\n", f"what {process.args[-3:]} says")

    def close(self):
        self.spaces.close()

    def apply(self, folder, text):
        path = os.path.join(folder, "policy.toml")
        with open(path, "w") as file:
            file.write(text)
        binary = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
        words = [binary, "--node", "gw", "--state-dir", f"{folder}/state", "--color", "never"]
        words += with_backend(["apply", path, "--offline"])
        return ran(self.spaces.run("gw", *words), 0, "apply").stdout

    def objects(self, *words):
        done = self.spaces.run("gw", "nft", "-j", "list", *words, check=True)
        return json.loads(done.stdout)["nftables"]

    def services(self):
        """{name: (handle, packets)} of the counters of services."""
        found = [o["counter"] for o in self.objects("counters", "table", "inet", "policyc") if "counter" in o]
        return {c["name"]: (c["handle"], c["packets"]) for c in found}

    def rules(self):
        """{handle: packets} of all rules that count."""
        found = [o["rule"] for o in self.objects("table", "inet", "policyc") if "rule" in o]
        counts = {r["handle"]: e["counter"]["packets"] for r in found for e in r["expr"] if "packets" in e.get("counter", {})}
        check(len(counts) > 4, f"hardly any rule counts: {counts}")
        return counts

    def denied(self):
        """(handle, packets) of the rule that refuses what no permission covers."""
        for item in self.objects("chain", "inet", "policyc", "denied"):
            rule = item.get("rule", {})
            if rule.get("comment") == "not allowed by the policy":
                return rule["handle"], next(e["counter"]["packets"] for e in rule["expr"] if "counter" in e)
        raise RuntimeError("no rule refuses what is not allowed")

    def socket(self, source, kind, timeout=2.0, number=0):
        made = self.spaces.socket("client", kind=kind, timeout=timeout)
        made.bind((source, number))
        return made

    def say(self, source, port, timeout=0.3):
        """Whether a datagram from a port of its own, which is a flow of its own, comes back."""
        with self.socket(source, socket.SOCK_DGRAM, timeout) as made:
            made.sendto(b"!", (HOST, port))
            try:
                return made.recv(10) == b"!"
            except OSError:
                return False


class Session(threading.Thread):
    """A live TCP session: says something every 10 ms and waits for the echo, or only listens. Knows when it last heard something,
    and how long it ever had to wait."""

    def __init__(self, gateway, source, port, speaks=True):
        super().__init__(daemon=True)
        self.connection = gateway.socket(source, socket.SOCK_STREAM)
        self.connection.connect((HOST, port))
        self.speaks, self.stopped = speaks, False
        self.last, self.gap, self.heard, self.ended = time.monotonic(), 0.0, 0, None
        self.start()

    def run(self):
        self.connection.settimeout(3)
        try:
            while not self.stopped:
                if self.speaks:
                    self.connection.sendall(b"0123456789")
                if not self.connection.recv(4096):
                    raise ConnectionError("the other side closed it")
                now = time.monotonic()
                self.gap, self.last, self.heard = max(self.gap, now - self.last), now, self.heard + 1
                if self.speaks:
                    time.sleep(0.01)
        except OSError as error:
            self.ended = error

    def close(self):
        self.stopped = True
        self.join(timeout=5)
        self.connection.close()

    def survived(self, what):
        self.close()
        check(self.ended is None, f"{what} ended: {self.ended!r}")
        check(self.heard > 20, f"{what} heard {self.heard} times only: that says nothing")
        check(self.gap < 1, f"{what} was silent for {self.gap:.2f} s")


@contextmanager
def flood(gateway, *how):
    """A flow of datagrams and their answers, or of datagrams alone; the result is filled in when the block ends."""
    script = os.path.join(HERE, "traffic.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    receiver = gateway.spaces.start("server", sys.executable, script, "receive", str(FLOOD), *how, **pipes)
    gateway.ready(receiver)
    sender = gateway.spaces.start("client", sys.executable, script, "send", HOST, str(FLOOD), *how, **pipes)
    seen = {}
    try:
        yield seen
        sender.stdin.close()
        seen["sent"], seen["back"] = map(int, sender.stdout.readline().split())
        time.sleep(0.2)
        receiver.stdin.close()
        seen["arrived"] = int(receiver.stdout.readline())
    finally:
        gateway.spaces.stop(sender)
        gateway.spaces.stop(receiver)


class Repeat(threading.Thread):
    """Calls something again and again while the block lasts, `times` in all."""

    def __init__(self, what, pause=0.002):
        super().__init__(daemon=True)
        self.what, self.pause, self.times, self.stopped = what, pause, 0, False
        self.start()

    def run(self):
        while not self.stopped:
            self.what()
            self.times += 1
            time.sleep(self.pause)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.join(timeout=5)


next_port = itertools.count(20000)  # one of its own for each flow: conntrack remembers those before for a while


def begin_flow(gateway, source, port):
    with gateway.socket(source, socket.SOCK_DGRAM, number=next(next_port)) as made:
        made.sendto(b"!", (HOST, port))


# ---- the cases -----------------------------------------------------------------------------------------------------


def counters_of_services_go_on(gateway, folder):
    """Each flow that begins is counted once, also those that begin while something else is applied."""
    gateway.apply(folder, POLICY)
    handle, before = gateway.services()["svc_small"]
    values = [before]
    with Repeat(lambda: begin_flow(gateway, LAPTOP, SMALL)) as flows:
        for i in range(10):
            gateway.apply(folder, EDITED if i % 2 == 0 else POLICY)
            seen = gateway.services()["svc_small"]
            check(seen[0] == handle or not IN_PLACE, f"the service's counter is another one: {seen} instead of {handle}")
            values.append(seen[1])
    begun = flows.times
    time.sleep(0.2)
    check(values == sorted(values) and values[-1] > values[1] > 0, f"the counter goes down or stands still: {values}")
    if IN_PLACE:
        equal(gateway.services()["svc_small"], (handle, before + begun), "handle and number of the counter")
    return f"{begun} flows counted over 10 applies"


def counters_of_rules_go_on(gateway, folder):
    gateway.apply(folder, POLICY)
    before = gateway.rules()
    handle, refused = gateway.denied()
    last = before
    with Repeat(lambda: begin_flow(gateway, LAPTOP, 4444)) as packets:
        for i in range(6):
            # Not the one that refuses in another way: there the rule itself is another.
            gateway.apply(folder, (EDITED if i % 2 == 0 else POLICY).replace('denied    = "reject"\n', ""))
            now = gateway.rules()
            if IN_PLACE:
                lower = {h: (n, now.get(h)) for h, n in last.items() if now.get(h, -1) < n}
                equal(lower, {}, "rules that are gone, or whose counter went down (before, now)")
            else:
                check(sum(now.values()) >= sum(last.values()), f"counters went down from {last} to {now}")
            last = now
    sent = packets.times
    time.sleep(0.2)
    if IN_PLACE:
        equal(gateway.denied(), (handle, refused + sent), "handle and number of the rule that refuses")
    return f"{sent} refused packets counted over 6 applies"


def remaining(text, key):
    found = re.search(rf"\b{re.escape(key)} .*?expires ((?:\d+[dhms]+)+)", text)
    check(found, f"{key} has no remaining time in\n{text}")
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|[dhms])", found[1]))


def bucket(gateway):
    """Seconds that the laptop's bucket of service slow has left, and when that was read."""
    text = gateway.spaces.run("gw", "nft", "list", "table", "inet", "policyc", check=True).stdout
    now = time.monotonic()
    sets = [s for s in re.findall(r"set rate\d+_ip4 \{.*?\n\t\}", text, re.S) if "timeout 1m" in s]
    equal(len(sets), 1, "sets of buckets that live a minute")
    return remaining(sets[0], LAPTOP), now


def use_up(gateway):
    """Takes all that the rate of 6 a minute grants."""
    seen = [gateway.say(LAPTOP, SLOW) for _ in range(7)]
    equal(seen[-1], False, f"whether the rate holds at all, of {seen}")


def buckets_keep_their_level_and_their_time(gateway, folder):
    gateway.apply(folder, POLICY)
    use_up(gateway)
    first, began = bucket(gateway)
    for text in (EDITED, POLICY, EDITED):
        time.sleep(0.3)
        gateway.apply(folder, text)
        left, when = bucket(gateway)
        gone, passed = first - left, when - began
        check(abs(gone - passed) < 0.3, f"in {passed:.2f} s the bucket's time went from {first:.2f} to {left:.2f}")
    check(not gateway.say(LAPTOP, SLOW), "the bucket was filled by an apply of something else")
    return f"{first:.2f} s, {passed:.2f} s later {left:.2f} s"


def timed_elements_keep_their_time(gateway, _):
    """An element with a time of its own, in a table made by hand: one that stays while its neighbour comes and rules change."""
    spare = gateway.spaces
    load = [os.path.join(os.environ["POLICYC_BUILD"], "kernel_load"), "replace"]

    def left():
        text = spare.run("spare", "nft", "list", "set", "inet", "policyc", "grants4", check=True).stdout
        return remaining(text, "10.69.50.11 . 10.69.13.1"), text

    ran(spare.run("spare", *load, "everything"), 0, "load")
    first, _ = left()
    began = time.monotonic()
    for name in ("edited", "everything", "edited"):
        time.sleep(0.5)
        ran(spare.run("spare", *load, name), 0, "load")
        now, text = left()
        equal("10.69.50.13" in text, name == "edited", f"whether the neighbour is there: {text}")
        gone, passed = first - now, time.monotonic() - began
        check(abs(gone - passed) < 0.3, f"in {passed:.2f} s the element's time went from {first:.2f} to {now:.2f}")
    return f"{first:.2f} s, {passed:.2f} s later {now:.2f} s"


def the_other_backend_fills_buckets(gateway, folder):
    gateway.apply(folder, POLICY)
    use_up(gateway)
    gateway.apply(folder, EDITED)
    check(gateway.say(LAPTOP, SLOW), "the bucket is still empty: then what the pages say about this backend is wrong")


def not_a_packet_is_refused(gateway, folder, other, applies, *how):
    """While applies alternate two policies that both allow them: datagrams in both directions, a session in which both speak, one in which
    only the server does."""
    gateway.apply(folder, POLICY)
    before = sum(gateway.rules().values())
    spoken = Session(gateway, LAPTOP, WEB)
    heard = Session(gateway, LAPTOP, TICKER, speaks=False)
    began = time.monotonic()
    with flood(gateway, *how) as seen:
        for i in range(applies):
            said = gateway.apply(folder, other if i % 2 == 0 else POLICY)
            check("nothing" not in said.splitlines()[-1], f"an apply changed nothing: {said}")
        refused = sum(gateway.rules().values()) - before
    seconds = time.monotonic() - began
    spoken.survived("the session in which both speak")
    heard.survived("the session in which the server speaks")
    check(seen["sent"] > 1000, f"only {seen['sent']} datagrams were sent: that says nothing")
    lost = seen["sent"] - (seen["arrived"] if how else seen["back"])
    if IN_PLACE:
        equal(lost, 0, f"datagrams and answers that did not arrive, of {seen}")
        equal(refused, 0, "packets counted by rules that refuse")
    else:
        check(lost < seen["sent"] / 20, f"{lost} of {seen['sent']} datagrams were refused: far more than a moment's")
    silence = max(spoken.gap, heard.gap)
    return f"{lost} of {seen['sent']} lost in {applies} applies, {seconds:.1f} s; longest silence of a session {silence:.2f} s"


def no_packet_is_refused_by_50_applies_of_something_else(gateway, folder):
    return not_a_packet_is_refused(gateway, folder, EDITED, 50)


def no_packet_is_refused_where_many_sources_come_and_go(gateway, folder):
    return not_a_packet_is_refused(gateway, folder, CROWDED, 50, "quiet")


def no_packet_is_refused_where_the_permission_moves_to_other_sets(gateway, folder):
    return not_a_packet_is_refused(gateway, folder, RESHAPED, 50)


def a_session_ends_within_a_second_of_its_permission(gateway, folder):
    """Whoever speaks: and the others go on."""
    gateway.apply(folder, POLICY)
    kept = Session(gateway, LAPTOP, WEB)
    lost = {"spoken": Session(gateway, LAPTOP, LOST), "heard": Session(gateway, LAPTOP, TICKER, speaks=False)}
    time.sleep(0.5)
    check(all(s.ended is None and s.heard > 5 for s in lost.values()), "no live sessions to begin with")
    gateway.apply(folder, POLICY.replace('"ticker", "lost", ', ""))
    applied = time.monotonic()
    time.sleep(1.5)
    for name, session in lost.items():
        check(session.last < applied + 1, f"the session ({name}) lives on for {session.last - applied:.2f} s")
    kept.survived("the session whose permission stays")
    for session in lost.values():
        session.close()
    return ", ".join(f"{name} {max(0.0, session.last - applied):.2f} s after apply" for name, session in lost.items())


CASES = [
    counters_of_services_go_on,
    counters_of_rules_go_on,
    *([buckets_keep_their_level_and_their_time, timed_elements_keep_their_time] if IN_PLACE else [the_other_backend_fills_buckets]),
    no_packet_is_refused_by_50_applies_of_something_else,
    no_packet_is_refused_where_many_sources_come_and_go,
    no_packet_is_refused_where_the_permission_moves_to_other_sets,
    a_session_ends_within_a_second_of_its_permission,
]


def main():
    why = needs("nft", "nsenter", "unshare")
    if why:
        return skipped(why)
    gateway = Gateway()
    try:
        with tempfile.TemporaryDirectory(prefix="policyc-survival-") as folder:
            print(f"backend {BACKEND}")
            return run(CASES, gateway, folder)
    finally:
        gateway.close()


if __name__ == "__main__":
    sys.exit(main())
