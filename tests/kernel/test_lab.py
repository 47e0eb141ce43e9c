"""The main job in the lab: the plan's policy is resolved, applied and edited on extgw01, and what gets through is
what it says.

The cases build on each other: they are the days of one gateway."""

import os
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, equal, ran, run, skipped  # noqa: E402
from lab import DOMAIN, HOSTS, RESOLVER, SERVICES, TUNNEL, Lab  # noqa: E402
from probing import Prober  # noqa: E402

CLIENTS = ("laptop", "phone")
GATEWAY = TUNNEL["extgw01"]
ALLOWED = [(HOSTS[host], port) for host, port in SERVICES.values()]
OTHER_TCP = [1, 21, 22, 53, 80, 443, 3000, 6789, 7878, 8095, 8096, 8097, 8989, 9999, 65535]

CANARY = ("udp", RESOLVER, 53)

# As Docker writes them, through iptables-nft, and what a person keeps besides: maps, counters, comments, an odd
# priority.
FOREIGN = """
table ip nat {
    chain DOCKER {
        iifname "docker0" return
        iifname != "docker0" tcp dport 18080 dnat to 172.17.0.2:80
    }
    chain PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local jump DOCKER
    }
    chain POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
    }
}
table ip filter {
    chain DOCKER-USER {
        return
    }
    chain FORWARD {
        type filter hook forward priority filter; policy accept;
        jump DOCKER-USER
        oifname "docker0" ct state related,established accept
        iifname "docker0" oifname "docker0" accept
    }
}
table inet mine {
    comment "made by hand"
    counter seen {
        packets 7 bytes 700
    }
    set trusted {
        type ipv4_addr . inet_service
        flags interval, timeout
        counter
        elements = { 10.0.0.0/8 . 22 comment "ssh" }
    }
    map where {
        type inet_service : verdict
        elements = { 80 : accept, 443 : jump log_it }
    }
    chain log_it {
        counter packets 3 bytes 180 comment "never hooked"
    }
    chain mangle_it {
        type filter hook postrouting priority mangle + 3; policy accept;
        oifname "none" tcp dport vmap @where
    }
}
"""


def foreign_tables(lab):
    names = re.findall(r"^table (\S+ \S+)$", lab.nft("extgw01", "list", "tables"), re.M)
    return {name: lab.nft("extgw01", "-a", "list", "table", *name.split()) for name in names if name != "inet policyc"}


def denials(lab, node="extgw01"):
    """The sum of all counters of policyc's rules."""
    text = lab.nft(node, "list", "table", "inet", "policyc")
    return sum(int(n) for n in re.findall(r"packets (\d+)", text))


def apply(lab, *words, node="extgw01"):
    return ran(lab.policyc(node, "apply", lab.policy, *words), 0, "apply")


def talks(connection, timeout=0.3):
    """Whether an echo comes back over a live connection."""
    connection.settimeout(timeout)
    try:
        connection.sendall(b"?")
        return connection.recv(100) != b""
    except OSError:
        return False


def seconds_until_dead(connection, limit):
    began = time.monotonic()
    while talks(connection, 0.1):
        if time.monotonic() - began > limit:
            return None
        time.sleep(0.01)
    return time.monotonic() - began


# Microseconds of rest after 64 packets. WireGuard in user space loses some where the machine is busy: what was lost is sent again, more slowly.
PACES = (2500, 5000, 10000, 20000, 40000)


class Lines:
    """The probes of what clients could try: every host of the network, and every TCP port of one. Each 50th is one
    that must arrive: on the way through the tunnels a packet can be lost as well as denied, and these show that none
    was lost for good."""

    def __init__(self, client):
        address = TUNNEL[client]
        hosts = [f"10.69.13.{i}" for i in range(256) if i not in (0, 2, 3, 255)]
        wanted = [("tcp", host, port) for host in hosts for port in OTHER_TCP]
        wanted += [("udp", host, port) for host in hosts for port in (53, 5000, 8096)]
        wanted += [(kind, host, 0) for host in hosts for kind in ("ping", "other", "timestamp")]
        if client == "laptop":
            wanted += [("tcp", HOSTS["jelly01"], port) for port in range(1, 65536)]
        wanted = [p for p in dict.fromkeys(wanted) if p != CANARY]
        self.probes = [p for i in range(0, len(wanted), 79) for p in [CANARY, *wanted[i : i + 79]]]
        self.lines = [f"{client} lan {kind} {address} {host} {port}" for kind, host, port in self.probes]


def probe(lab, client):
    """What of Lines arrives in the house, and how many packets it took."""
    with Prober() as prober:
        prober.command(f"port {client} host {lab.spaces.path(client)}")
        prober.command(f"port lan packet {lab.spaces.path('house')} lan")
        lines = Lines(client)
        arrived = set()
        for start in range(0, len(lines.lines), 16000):
            for pace in PACES:
                prober.command(f"pace {pace}")
                verdicts = dict(zip(range(start, len(lines.lines)), prober.go(lines.lines[start : start + 16000])))
                arrived |= {lines.probes[i] for i, verdict in verdicts.items() if verdict[0] != "."}
                lost = sum(lines.probes[i] == CANARY and verdict[0] == "." for i, verdict in verdicts.items())
                if lost == 0:
                    break
            equal(lost, 0, "packets that were lost on the way each time")
        return arrived, prober.stats()["sent"]


# ---- the cases -----------------------------------------------------------------------------------------------------


def without_policyc_everything_is_open(lab):
    targets = [*ALLOWED, ("10.69.13.77", 8097), (GATEWAY, 22), (GATEWAY, 9100)]
    seen = lab.matrix(CLIENTS, targets, 3)
    check(all(seen.values()), f"not reached, so that a refusal would mean nothing: {[k for k, v in seen.items() if not v]}")
    seen = lab.matrix(["laptop"], [(TUNNEL["phone"], 80)], 3)
    check(all(seen.values()), "laptop does not reach phone even without a firewall")
    with Prober() as prober:
        prober.command(f"port laptop host {lab.spaces.path('laptop')}")
        prober.command(f"port lan packet {lab.spaces.path('house')} lan")
        lines = missing = Lines("laptop").lines[::40]
        for pace in PACES:
            prober.command(f"pace {pace}")
            missing = [line for line, verdict in zip(missing, prober.go(missing)) if verdict[0] == "."]
            if not missing:
                break
        check(not missing, f"probes that do not arrive without a firewall: {missing[:10]}")
    return f"{len(lines)} probes arrived"


def names_come_from_the_lab_s_dns_server(lab):
    ran(lab.policyc("extgw01", "resolve", lab.policy), 0, "resolve")
    with open(os.path.join(lab.directory, "policy.lock")) as file:
        lock = file.read()
    for name, address in HOSTS.items():
        check(f'[names."{name}.{DOMAIN}"]\naddresses = ["{address}"]' in lock, f"policy.lock lacks {name}:\n{lock}")
    ran(lab.policyc("extgw01", "check", lab.policy), 0, "check")


def apply_leaves_other_tables_alone(lab):
    lab.nft("extgw01", "-f", "-", input=FOREIGN)
    before = foreign_tables(lab)
    done = apply(lab)
    after = foreign_tables(lab)
    equal(sorted(before), ["inet mine", "ip filter", "ip nat"], "tables")
    equal(after, before, "foreign tables")
    check(" gains " in done.stdout, f"apply does not say who gains what:\n{done.stdout}")


def apply_twice_changes_nothing(lab):
    generation = lab.spaces.generation("extgw01")
    done = apply(lab)
    check("nothing" in done.stdout, f"the second apply does not say that nothing changed:\n{done.stdout}")
    equal(lab.spaces.generation("extgw01"), generation, "generation of nf_tables")


def diff_after_apply_is_empty(lab):
    done = ran(lab.policyc("extgw01", "diff", lab.policy), 0, "diff")
    check(" gains " not in done.stdout and " loses " not in done.stdout, done.stdout)


def services_and_dns_are_reached_from_laptop_and_phone(lab):
    seen = lab.matrix(CLIENTS, ALLOWED, 3)
    check(all(seen.values()), f"not reached: {[k for k, v in seen.items() if not v]}")
    for client in CLIENTS:
        for tcp in (False, True):
            for name, address in HOSTS.items():
                answer = lab.ask(client, f"{name}.{DOMAIN}", tcp, timeout=3)
                equal(answer, address, f"{client} asks for {name} (tcp: {tcp})")


def every_other_port_and_host_is_refused(lab):
    with open(lab.policy) as file:
        text = file.read()
    # With its limit, the policy would refuse the packets that must arrive.
    lab.edit('limit = "50/second"', 'limit = "1000000/second"')
    apply(lab)
    allowed = {("tcp", host, port) for host, port in ALLOWED} | {("tcp", RESOLVER, 53), ("udp", RESOLVER, 53)}
    sent = 0
    for client in CLIENTS:
        arrived, number = probe(lab, client)
        sent += number
        equal(sorted(arrived - allowed), [], f"what arrived from {client} besides the allowlist")
        equal(sorted(allowed - arrived), [], f"what did not arrive from {client}")
    lab.write_text(text)
    apply(lab)
    return f"{sent} probes"


def clients_are_cut_off_from_each_other(lab):
    pairs = [("laptop", "phone"), ("phone", "laptop")]
    for one, other in pairs:
        check(not lab.connect(one, TUNNEL[other], 80), f"{one} reaches {other}")
        check(not lab.ping(one, TUNNEL[other]), f"{one} pings {other}")
        with Prober() as prober:
            prober.command(f"port from host {lab.spaces.path(one)}")
            prober.command(f"port to packet {lab.spaces.path(other)} wg0")
            kinds = ("tcp", "syn_ack", "ack", "fin", "null", "udp", "ping", "timestamp", "other")
            way = f"{TUNNEL[one]} {TUNNEL[other]}"
            lines = [f"from to {kind} {way} {port}" for kind in kinds for port in (22, 53, 80, 8096)]
            verdicts = prober.go(lines)
            check(set(verdicts) == {".-"}, f"arrived: {[p for p in zip(lines, verdicts) if p[1] != '.-']}")


def unreachable(lab, node, flow):
    """Sends from a node, to who began that UDP flow: its port is unreachable (RFC 792)."""
    (source, source_port), (destination, port) = flow
    begun = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
    message = struct.pack(">BBHI", 3, 3, 0, 0) + begun + struct.pack(">HHHH", source_port, port, 8, 0)
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    message = message[:2] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + message[4:]
    with lab.spaces.inside(node):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with raw:
        raw.sendto(message, (source, 0))


def errors_come_from_where_a_flow_goes(lab):
    """What tells phone that its question arrives nowhere may come from the house, and not from laptop."""

    def is_told_by(node):
        with lab.spaces.socket("phone", kind=socket.SOCK_DGRAM, timeout=1) as asking:
            asking.connect((RESOLVER, 53))
            asking.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01")
            asking.recv(4096)
            unreachable(lab, node, (asking.getsockname(), (RESOLVER, 53)))
            try:
                asking.recv(4096)
            except ConnectionRefusedError:
                return True
            except TimeoutError:
                pass
            return False

    check(is_told_by("house"), "an ICMP error about phone's flow does not arrive from the house")
    check(not is_told_by("laptop"), "an ICMP error about phone's flow arrives from laptop")


def gateway_answers_ssh_and_ping_and_nothing_else(lab):
    for client in CLIENTS:
        done = lab.spaces.run(client, *lab.ssh_command(GATEWAY, "echo", "it", "is", "me"))
        equal((done.returncode, done.stdout), (0, "it is me\n"), f"ssh from {client} ({done.stderr.strip()})")
        check(lab.ping(client, GATEWAY, 3), f"{client} gets no answer to a ping")
        for host, port in ((GATEWAY, 80), (GATEWAY, 9100), ("10.69.13.2", 22), ("10.69.13.2", 9100)):
            if (host, port) != ("10.69.13.2", 22):
                check(not lab.connect(client, host, port), f"{client} reaches {host}:{port}")
    check(not lab.ping("vps", GATEWAY), "the vps may ping, which the policy does not say")
    check(not lab.connect("vps", GATEWAY, 22), "the vps may use ssh, which the policy does not say")
    check(not lab.connect("vps", *ALLOWED[0]), "the vps reaches a service")
    # What does not come through the tunnel is not judged.
    check(lab.connect("house", "10.69.13.2", 9100, 3), "the house no longer reaches the gateway's own services")
    check(lab.connect("house", "10.69.13.2", 22, 3), "the house no longer reaches the gateway's ssh")


def other_tunnel_is_as_it_was_and_not_judged(lab):
    before = denials(lab)
    check(lab.connect("vps", "10.69.222.2", 8096, 3), "vps no longer reaches http-proxy over the other tunnel")
    check(lab.connect("http-proxy", "10.69.13.20", 8096, 3), "http-proxy no longer reaches jelly01")
    check(lab.connect("http-proxy", "10.69.13.77", 8097, 3), "http-proxy no longer reaches the house")
    equal(denials(lab), before, "packets that policyc counted on extgw01")
    # On the vps itself, where both tunnels end: scope "none" loads nothing.
    ran(lab.policyc("vps", "apply", lab.policy, "--offline"), 0, "apply on the vps")
    equal(lab.nft("vps", "list", "tables"), "", "tables on the vps")
    check(lab.connect("vps", "10.69.222.2", 8096, 3), "vps no longer reaches http-proxy")
    for client in CLIENTS:
        check(not lab.connect(client, "10.69.222.2", 8096), f"{client} reaches the other tunnel")


def untouched_tunnel_is_not_judged_in_scope_host(lab):
    """The vps judges everything: but not its other tunnel."""
    with open(lab.policy) as file:
        text = file.read()
    lab.spaces.ip("internet", "route add 10.69.222.0/24 via 192.0.2.1")
    try:
        check(lab.connect("internet", "10.69.222.2", 8096, 3), "no way through the vps to http-proxy before apply")
        lab.edit(
            'scope      = "none"                       # just routing, no firewall here (the default for a hub)',
            'scope = "host"\ninput.tunnels = { from = ["100.64.7.7"], ports = ["51821/udp", "51822/udp"] }',
        )
        apply(lab, "--offline", node="vps")
        before = denials(lab, "vps")
        check(lab.connect("vps", "10.69.222.2", 8096, 3), "vps itself no longer reaches http-proxy")
        check(lab.connect("internet", "10.69.222.2", 8096, 3), "what the vps forwards no longer reaches http-proxy")
        check(lab.ping("http-proxy", "10.69.222.1", 3), "http-proxy no longer reaches the vps over the other tunnel")
        equal(denials(lab, "vps"), before, "packets that policyc counted on the vps")
        check(not lab.connect("internet", "192.0.2.1", 22), "a port of the vps is open")
        check(denials(lab, "vps") > before, "nothing was denied on the vps, so its counters say nothing")
    finally:
        lab.write_text(text)
        ran(lab.policyc("vps", "apply", lab.policy, "--offline"), 0, "apply of the old policy")
    equal(lab.nft("vps", "list", "tables"), "", "tables on the vps after scope none")


def diff_after_an_edit_has_a_line_per_person_and_service(lab):
    lab.edit('media   = ["jellyfin", "sonarr", "radarr", "nzbget"]', 'media   = ["jellyfin", "sonarr", "radarr", "tv"]')
    lab.edit('nzbget   = "nzbget-jail.home.2rjus.net:6789"', 'tv = "10.69.13.77:9999"')
    generation = lab.spaces.generation("extgw01")
    done = ran(lab.policyc("extgw01", "diff", lab.policy), 1, "diff")
    for client in CLIENTS:
        for words in (["gains", "tv", "10.69.13.77:9999/tcp"], ["loses", "nzbget", "10.69.13.44:6789/tcp"]):
            found = [line for line in done.stdout.splitlines() if line.split()[1:5] == [client, *words]]
            equal(len(found), 1, f"lines with {client} {' '.join(words)} in\n{done.stdout}")
    changes = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    equal(len(changes), 4, f"lines of change in\n{done.stdout}")
    equal(lab.spaces.generation("extgw01"), generation, "generation of nf_tables")


def live_connection_ends_within_a_second_of_its_permission(lab):
    kept = {client: lab.open(client, HOSTS["monitoring01"], 3000, 3) for client in CLIENTS}
    lost = {client: lab.open(client, HOSTS["nzbget-jail"], 6789, 3) for client in CLIENTS}
    check(all([*kept.values(), *lost.values()]), "no live connections to begin with")
    check(all(talks(c, 2) for c in [*kept.values(), *lost.values()]), "the live connections do not talk")
    apply(lab)
    seen = {}
    for client in CLIENTS:
        seen[client] = seconds_until_dead(lost[client], 3)
        check(seen[client] is not None and seen[client] < 1, f"{client}'s connection to nzbget lives on: {seen[client]}")
        check(talks(kept[client], 2), f"{client}'s connection to grafana died with it")
        check(not lab.connect(client, HOSTS["nzbget-jail"], 6789), f"{client} begins a new connection to nzbget")
        check(lab.connect(client, "10.69.13.77", 9999, 3), f"{client} does not reach what was added")
    for connection in (*kept.values(), *lost.values()):
        connection.close()
    return ", ".join(f"{client} {when:.2f} s" for client, when in seen.items())


def what_the_server_sends_ends_too(lab):
    """The other direction of a connection whose permission goes, where only the server speaks."""
    connection = lab.open("laptop", "10.69.13.77", 9999, 3)
    check(connection is not None, "no connection")
    equal(connection.recv(5), b"tick\n", "what the server says")
    lab.edit('"radarr", "tv"]', '"radarr"]')
    apply(lab)
    connection.settimeout(0.5)
    ended = time.monotonic() + 1
    try:
        while time.monotonic() < ended + 2:
            connection.recv(4096)
            check(time.monotonic() < ended, "the server's words still come through after a second")
    except TimeoutError:
        pass
    connection.close()


def ssh_session_to_the_gateway_ends_with_its_permission(lab):
    connection = lab.open("phone", GATEWAY, 22, 3)
    check(connection is not None and connection.recv(100).startswith(b"SSH-"), "no ssh banner")
    text = 'input.ssh  = { from = ["clients"], limit = "6/minute" }           # the bastion'
    lab.edit(text, 'input.ssh = { from = ["laptop"], limit = "6/minute" }')
    lab.edit('only = ["grafana", "media", "dns", "extgw01:22", "extgw01:ping"]', 'deny = ["home:23"]')
    apply(lab)
    check(not lab.connect("phone", GATEWAY, 22), "phone still begins ssh")
    connection.settimeout(1)
    connection.sendall(b"SSH-2.0-test\r\n")
    try:
        check(connection.recv(100) == b"", "phone's ssh session lives on")
    except TimeoutError:
        pass
    connection.close()


def rate_limit_holds_per_source(lab):
    """6/minute with a burst of 6; the laptop has used some of it before, and the house is not limited at all."""
    seen = [lab.connect("laptop", GATEWAY, 22, 0.4) for _ in range(9)]
    check(not all(seen), f"9 connections in a row are let through: {seen}")
    check(not any(seen[seen.index(False) :][1:3]), f"after a refusal: {seen}")
    check(all(lab.connect("house", "10.69.13.2", 22, 1) for _ in range(9)), "the house is limited too")


def a_moved_name_moves_what_is_open(lab):
    """resolve --apply after the DNS record of jelly01 has changed."""
    live = lab.open("phone", HOSTS["jelly01"], 8096, 3)
    check(live is not None and talks(live, 2), "no live connection to jelly01")
    lab.edit('overlap = "2m"                            # an old address stays allowed this long after a change', "")
    lab.restart_dns({"jelly01": "10.69.13.21"})
    done = ran(lab.policyc("extgw01", "resolve", lab.policy, "--apply"), 0, "resolve --apply")
    check("10.69.13.21" in done.stdout + done.stderr, f"resolve does not show the new address:\n{done.stdout}{done.stderr}")
    check(lab.connect("phone", "10.69.13.21", 8096, 3), "the new address is not open")
    check(not lab.connect("phone", "10.69.13.20", 8096), "the old address is still open")
    check(not talks(live, 1), "a live connection to the old address goes on")
    live.close()


def removing_the_table_opens_nothing_of_others(lab):
    before = foreign_tables(lab)
    lab.nft("extgw01", "delete", "table", "inet", "policyc")
    equal(foreign_tables(lab), before, "foreign tables")
    done = ran(lab.policyc("extgw01", "diff", lab.policy), 1, "diff without a table")
    check(" gains " in done.stdout, done.stdout)
    apply(lab)
    ran(lab.policyc("extgw01", "diff", lab.policy), 0, "diff")


CASES = [
    without_policyc_everything_is_open,
    names_come_from_the_lab_s_dns_server,
    apply_leaves_other_tables_alone,
    apply_twice_changes_nothing,
    diff_after_apply_is_empty,
    services_and_dns_are_reached_from_laptop_and_phone,
    every_other_port_and_host_is_refused,
    clients_are_cut_off_from_each_other,
    errors_come_from_where_a_flow_goes,
    gateway_answers_ssh_and_ping_and_nothing_else,
    other_tunnel_is_as_it_was_and_not_judged,
    untouched_tunnel_is_not_judged_in_scope_host,
    diff_after_an_edit_has_a_line_per_person_and_service,
    live_connection_ends_within_a_second_of_its_permission,
    what_the_server_sends_ends_too,
    ssh_session_to_the_gateway_ends_with_its_permission,
    rate_limit_holds_per_source,
    a_moved_name_moves_what_is_open,
    removing_the_table_opens_nothing_of_others,
]


def main():
    why = Lab.missing()
    if why:
        return skipped(why)
    began = time.monotonic()
    with Lab() as lab:
        print(f"the lab is up after {time.monotonic() - began:.1f} s")
        status = run(CASES, lab)
        ended = time.monotonic()
    print(f"the lab is gone after {time.monotonic() - ended:.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
