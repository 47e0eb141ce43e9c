"""verify with a real kernel: what it says of a table that is as compiled, of one that isn't (test_damage.py does all the damage), and of tables and settings beside it."""

import own_network

own_network.enter()

import os
import re
import shutil
import subprocess

from gateway import OTHERS, applied, apply, policyc
from harness import POLICY, case, expect, expect_data, expect_equal, expect_exit, main, record_of, skip, with_lock, write_policy
from own_network import clear, nft

subprocess.run(["ip", "link", "add", "wg0", "type", "veth", "peer", "name", "wg0-peer"], check=True)

HOLDS = "extgw01: the kernel does what policy.toml says\n"
FAILS = "extgw01: the kernel does not do what policy.toml says\n"


def verify(folder, *arguments):
    return policyc(folder, "verify", "policy.toml", *arguments)


def expect_fails(folder, *words):
    result = verify(folder)
    expect_exit(1, result)
    for text in (FAILS, *words):
        expect_data(text, result)


def load(text):
    done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    expect_equal(0, done.returncode, f"nft of {text}: {done.stderr}")


@case
def what_was_applied_holds(folder):
    applied(folder)
    result = verify(folder)
    expect_exit(0, result)
    expect_data(HOLDS, result)
    expect_data("table inet policyc is as compiled:", result)
    record = record_of(verify(folder, "--format", "json"))
    expect_equal([True, "as compiled", "same", []], [record[key] for key in ("holds", "table", "proof", "wrong")], "the record")
    expect(record["generation"] > 0, "no generation")


@case
def a_policy_that_grows_and_shrinks_holds_each_time(folder):
    clear()
    for layout in ("tuples,shard=2,jumps=1", "pairs,shard=2", "tuples,shard=3", "automatic"):
        for count in (9, 4, 1, 7, 2):
            allow = ", ".join(f'"10.69.13.{7 * i % 250 + 20}:{80 + i}"' for i in range(count))
            with_lock(folder, POLICY.replace('allow = ["grafana"', f'allow = [{allow}, "grafana"'))
            for verb in ("apply", "verify"):
                expect_exit(0, policyc(folder, "--layout", layout, verb, "policy.toml"))


@case
def nothing_applied_does_not_hold(folder):
    applied(folder)
    clear()
    expect_fails(folder, "there is no table inet policyc")


@case
def an_edit_that_was_not_applied_does_not_hold(folder):
    applied(folder)
    write_policy(folder, POLICY.replace(":8096", ":8097"))
    expect_fails(folder, "would be let through, and the policy denies it")


@case
def what_has_expired_meanwhile_does_not_hold(folder):
    applied(folder, POLICY.replace('allow = ["grafana"', 'expires = 2026-11-30\nallow = ["grafana"'))
    expect_exit(0, verify(folder))
    result = policyc(folder, "verify", "policy.toml", now="2026-12-02T12:00:00Z")
    expect_exit(1, result)
    expect_data("would be let through, and the policy denies it", result)


@case
def scope_none_wants_no_table(folder):
    applied(folder)
    write_policy(folder, POLICY.replace('interface = "wg0"', 'interface = "wg0"\nscope = "none"'))
    expect_fails(folder, "there is a table inet policyc, and this node judges nothing")
    clear()
    result = verify(folder)
    expect_exit(0, result)
    expect_data("this node judges nothing, and there is no table", result)


@case
def a_wider_table_is_shown_by_a_packet(folder):
    applied(folder)
    nft("add", "element", "inet", "policyc", "allow_tcp4", "{ 10.69.50.12 . 10.69.13.99 . 22 }")
    expect_fails(folder, "from 10.69.50.12 to 10.69.13.99", "would be let through, and the policy denies it",
                 "more than the policy compiles to: set allow_tcp4 holds 10.69.50.12 . 10.69.13.99 . 22 too")
    expect_exit(0, apply(folder))
    expect_exit(0, verify(folder))
    nft("insert", "rule", "inet", "policyc", "forward", "meta", "mark", "0x7", "accept")
    expect_fails(folder, "can't be verified: ", "more than the policy compiles to: chain forward, rule 1: ")


@case
def a_narrower_table_is_shown_by_a_packet(folder):
    applied(folder)
    nft("flush", "set", "inet", "policyc", "allow_tcp4")
    expect_fails(folder, "would be refused, and the policy allows it", "less than the policy compiles to: set allow_tcp4: ")


@case
def a_dormant_table_and_another_priority_are_found(folder):
    applied(folder)
    good = policyc(folder, "compile", "policy.toml").stdout
    load("add table inet policyc { flags dormant; }")
    expect_fails(folder, "the table is dormant: it judges nothing")
    load("table inet other {\nflags dormant;\nchain c { type filter hook forward priority 0; policy drop; }\n}")
    expect("other" not in verify(folder).stdout, "what is dormant beside it is named")
    for of, to in (("priority filter - 10", "priority filter + 10"), ("priority filter - 10; policy drop", "priority filter - 10; policy accept")):
        expect(of in good, f"no {of} in the table")
        load(good.replace(of, to))
        expect_fails(folder)
    load(good)
    expect_exit(0, verify(folder))


def has_flowtables():
    text = "table inet probe {\nflowtable t {\nhook ingress priority 0; devices = {lo}\n}\n}"
    return subprocess.run(["nft", "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False).returncode == 0


@case
def what_is_beside_it_is_named(folder):
    applied(folder)
    for text, effect, words in (
        ("table inet f { chain input { type filter hook input priority 0; policy drop; } }", "narrows",
         "chain input of table inet f drops what it does not accept itself (input hook)"),
        ("table ip f { chain c { type filter hook forward priority 0; jump d; }\n chain d { reject; } }", "narrows",
         "chain c of table ip f has a rule that refuses (forward hook, in chain d)"),
        ("table ip f { chain c { type filter hook prerouting priority -300; ip saddr 10.0.0.1 drop; } }", "narrows",
         "chain c of table ip f has a rule that refuses (prerouting hook)"),
        ("table ip f { chain c { type filter hook prerouting priority raw; notrack; } }", "narrows",
         "chain c of table ip f takes packets from connection tracking (prerouting hook)"),
        ('table inet f { chain c { type filter hook prerouting priority raw; iifname "wg0" ct zone set 7; } }', "narrows",
         "chain c of table inet f puts packets into zones of connection tracking (prerouting hook)"),
        ("table ip f { chain c { type filter hook output priority raw; jump d; }\n chain d { ct original zone set 7; } }", "narrows",
         "chain c of table ip f puts packets into zones of connection tracking (output hook, in chain d)"),
        ("table ip f { chain c { type nat hook prerouting priority dstnat; tcp dport 80 dnat to 10.69.13.9; } }", "narrows",
         "chain c of table ip f rewrites destinations (prerouting hook)"),
        ("table ip f { chain c { type nat hook postrouting priority srcnat; masquerade; } }", "neither",
         "chain c of table ip f rewrites sources (postrouting hook)"),
        ("table ip f { chain c { type filter hook postrouting priority 0; ip daddr set 10.69.13.9; } }", "widens",
         "chain c of table ip f writes addresses or ports into packets (postrouting hook)"),
        ("table ip f { chain c { type filter hook postrouting priority 0; @nh,32,128 set 1; } }", "widens",
         "chain c of table ip f writes addresses or ports into packets (postrouting hook)"),
        ("table inet f { chain c { type filter hook ingress device lo priority 0; ip saddr set 10.69.50.12; } }", "widens",
         "chain c of table inet f writes addresses or ports into packets (ingress hook of lo)"),
        ("table ip f { chain c { type filter hook prerouting priority mangle; meta l4proto tcp tproxy to :3128; } }", "widens",
         "chain c of table ip f hands packets to a program or another host (prerouting hook)"),
        ("table inet f { flowtable t { hook ingress priority 0; devices = {lo}\n }\n"
         "chain c { type filter hook forward priority 0; meta l4proto tcp flow add @t; } }", "breaks",
         "chain c of table inet f hands flows to a flowtable (forward hook)"),
    ):
        if effect == "breaks" and not has_flowtables():
            print("        SKIPPED: flowtables: this kernel has none")
            continue
        load(text.replace(" }", "\n}"))
        result = verify(folder)
        expect_exit(0 if effect in ("narrows", "neither") else 1, result)
        expect_data(words, result)
        record = record_of(verify(folder, "--format", "json"))
        expect_equal([(effect, words)], [(one["effect"], one["what"]) for one in record["beside"] if " of table " in one["what"]], "beside")
        nft("delete", "table", *text.split()[1:3])
    load("table ip f { chain c { type filter hook output priority 0; ip dscp set cs1; ip ttl set 64;\n}\n}")
    expect("of table ip f" not in verify(folder).stdout, "dscp and ttl are no addresses")
    nft("delete", "table", "ip", "f")
    load("table ip f { chain c { type filter hook prerouting priority raw; ct zone 7 counter; ct mark set 7; meta nftrace set 0; meta mark set 7;\n}\n}")
    expect("of table ip f" not in verify(folder).stdout, "a zone that is asked for, a mark")
    load(OTHERS)
    expect_exit(0, verify(folder))
    clear()


@case
def what_iptables_does_with_connection_tracking_is_named(folder):
    if shutil.which("iptables-nft") is None:
        skip("there is no iptables-nft")
    applied(folder)
    for words, expected in (
        ("--notrack", "takes packets from connection tracking"),
        ("--zone 7", "puts packets into zones of connection tracking"),
        ("--zone-orig mark", "puts packets into zones of connection tracking"),
        ("--ctevents new", None),
    ):
        command = ["iptables-nft", "-t", "raw", "-A", "PREROUTING", "-j", "CT", *words.split()]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            skip("this kernel has no target CT")
        result = verify(folder)
        expect_exit(0, result)
        if expected is None:
            expect("of table ip raw" not in result.stdout, result)
        else:
            expect_data(f"chain PREROUTING of table ip raw {expected} (prerouting hook)", result)
            expect_equal(1, result.stdout.count("of table ip raw"), words)
        nft("delete", "table", "ip", "raw")


@case
def a_tunnel_that_is_not_there_is_no_policy_in_force(folder):
    applied(folder, POLICY.replace('"wg0"', '"wg7"'))
    result = verify(folder)
    expect_exit(1, result)
    expect_data("there is no interface wg7 here", result)
    expect_data("no packet is judged", result)
    expect_equal(["breaks"], [one["effect"] for one in record_of(verify(folder, "--format", "json"))["beside"] if "wg7" in one["what"]], "beside")
    applied(folder, POLICY.replace('"wg0"', '"wg7"\nscope = "host"'))
    result = verify(folder)
    expect_exit(0, result)
    expect_data("nothing passes the tunnel", result)


@case
def a_tunnel_that_is_a_part_of_a_bridge_is_no_policy_in_force(folder):
    for command in ("add tap7 type veth peer name tap8", "add br7 type bridge", "set tap7 master br7"):
        subprocess.run(["ip", "link", *command.split()], check=True)
    try:
        applied(folder, POLICY.replace('"wg0"', '"tap7"'))
        result = verify(folder)
        expect_exit(1, result)
        expect_data("tap7 is a part of br7", result)
        expect_data("no packet is judged", result)
        subprocess.run(["ip", "link", "set", "tap7", "nomaster"], check=True)
        expect_exit(0, verify(folder))
    finally:
        for link in ("br7", "tap7"):
            subprocess.run(["ip", "link", "delete", link], check=True)


@case
def settings_of_the_kernel_are_named(folder):
    def beside(policy):
        applied(folder, policy)
        return {one["what"]: one["why"] for one in record_of(verify(folder, "--format", "json"))["beside"] if "forward" in one["what"]}

    dual = re.sub(r'"10\.69\.50\.(\d+)"', r'["10.69.50.\1", "fd69:50::\1"]', POLICY).replace("version = 1", 'version = 1\nipv6 = "dual"')
    four, six = "net.ipv4.ip_forward is 0", "net.ipv6.conf.all.forwarding is 0"

    def write(path, value):
        with open(f"/proc/sys/net/{path}", "w", encoding="ascii") as file:
            file.write(value)

    write("ipv4/ip_forward", "0")
    write("ipv6/conf/all/forwarding", "0")
    expect_equal({four: "nothing passes through this host"}, beside(POLICY), "IPv6 is denied")
    expect_equal({four: "no IPv4 passes through this host", six: "no IPv6 passes through this host"}, beside(dual), "dual")
    # Each interface has its own say of IPv4, whatever all of them were set to, and none of IPv6.
    own = "net.ipv4.conf.wg0.forwarding is 0"
    write("ipv4/conf/wg0/forwarding", "1")
    expect_equal({four: "nothing is forwarded but what comes in through wg0 or another interface whose own forwarding is 1"}, beside(POLICY), "wg0 alone")
    for path, value in (("ipv4/ip_forward", "1"), ("ipv4/conf/wg0/forwarding", "0"), ("ipv6/conf/all/forwarding", "1"), ("ipv6/conf/wg0/forwarding", "0")):
        write(path, value)
    expect_equal({own: "nothing that comes in through wg0 is forwarded"}, beside(POLICY), "all but wg0")
    expect_equal({own: "no IPv4 that comes in through wg0 is forwarded"}, beside(dual), "all but wg0, dual")
    if os.path.exists("/proc/sys/net/ipv6/conf/wg0/force_forwarding"):
        write("ipv6/conf/all/forwarding", "0")
        write("ipv6/conf/wg0/force_forwarding", "1")
        expect("no IPv6 is forwarded but what comes in through wg0 or" in beside(dual)[six], beside(dual))
    applied(folder)
    for path, bad, good, words in (
        ("/proc/sys/net/ipv4/conf/wg0/forwarding", "0", "1", "net.ipv4.conf.wg0.forwarding is 0"),
        ("/proc/sys/net/ipv4/ip_forward", "0", "1", "net.ipv4.ip_forward is 0"),
        ("/proc/sys/net/ipv4/conf/all/rp_filter", "1", "0", "rp_filter is strict on wg0"),
    ):
        for value in (good, bad):
            with open(path, "w", encoding="ascii") as file:
                file.write(value)
            result = verify(folder)
            expect_exit(0, result)
            expect_equal(value == bad, words in result.stdout, f"{path} = {value}")


main()
