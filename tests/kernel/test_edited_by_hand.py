"""What somebody else put into our table, of each kind: diff and verify name it, one apply takes it away, by either backend."""

import own_network

own_network.enter()

import subprocess
import time

from gateway import applied, apply, policyc
from harness import POLICY, Failed, case, expect, expect_data, expect_equal, expect_exit, main, record_of, write_policy
from own_network import clear, nft, table

BACKENDS = ("netlink", "libnftables")
T = "inet policyc"


def edited(change):
    """The table taken away and loaded again from its listing as `change` makes it."""

    def edit():
        text = nft("list", "table", "inet", "policyc")
        after = change(text)
        expect(after != text, "the edit changes nothing")
        nft("-f", "-", input=f"delete table {T}\n" + after)

    return edit


def behind(line, more):
    return edited(lambda text: text.replace(line + "\n", f"{line}\n{more}\n", 1))


def instead(old, new):
    return edited(lambda text: text.replace(old, new))


# What is done, and what diff says of it. A text is for nft.
EDITS = [
    # Elements of rate sets.
    (f"add element {T} rate1_ip4 {{ 10.69.50.11 limit rate 100000/second timeout 30d }}", "an element of rate1_ip4: 10.69.50.11 with a rate of its own"),
    (f"add element {T} rate1_ip4 {{ 10.69.50.11 limit rate 6/minute burst 6 packets timeout 30d }}", "an element of rate1_ip4: 10.69.50.11 with a timeout of its own"),
    (f"add element {T} rate1_ip4 {{ 10.69.50.11 limit rate 6/minute burst 6 packets comment \"mine\" }}", "an element of rate1_ip4: 10.69.50.11 with a comment"),
    (f"add element {T} rate1_ip4 {{ 10.69.50.11 limit rate over 6/minute burst 6 packets }}", "an element of rate1_ip4: 10.69.50.11 with a rate of its own"),
    (f"add element {T} rate1_ip4 {{ 10.69.50.11 counter }}", "an element of rate1_ip4: 10.69.50.11 with a counter of its own"),
    (f"add element {T} rate1_ip4 {{ 10.69.50.11 }}", "an element of rate1_ip4: 10.69.50.11 without the rate of its rule"),
    (f"add element {T} rate1_ip4 {{ * limit rate 6/minute burst 6 packets }}", "an element of rate1_ip4: *"),
    # Rules.
    (f"insert rule {T} forward jump {{ accept; }}", "chain forward, rule 1: jump { ... } (1 rule)"),
    (f"insert rule {T} forward ip saddr 10.69.50.11 goto {{ ip daddr 10.0.0.1 counter; drop; }}", "goto { ... } (2 rules)"),
    (f"insert rule {T} forward accept; insert rule {T} forward counter", "chain forward, rule 2: accept"),
    (f"insert rule {T} tiers tcp dport vmap {{ 22 : accept, 23 : drop }}", "chain tiers, rule 1: meta l4proto tcp tcp dport vmap { ... }"),
    (f"insert rule {T} forward ip saddr {{ 10.0.0.1, 10.0.0.9 }} accept", "chain forward, rule 1: meta nfproto ipv4 ip saddr { ... } accept"),
    (f"insert rule {T} forward ip saddr 10.69.50.12 update @rate1_ip4 {{ ip saddr limit rate 1000/second }} accept", "chain forward, rule 1: "),
    (f"insert rule {T} forward notrack", None),
    (f"insert rule {T} forward meta mark set 7", "chain forward, rule 1: "),
    # Objects.
    (f"add quota {T} svc_grafana {{ over 1 mbytes; }}", "quota svc_grafana"),
    (f"add quota {T} mine {{ over 1 mbytes; }}; insert rule {T} forward quota name \"mine\" drop", "quota mine"),
    (f"add limit {T} svc_grafana {{ rate 5/second; }}", "limit svc_grafana"),
    (f"add ct helper {T} ftp {{ type \"ftp\" protocol tcp; }}", None),
    (f"add ct timeout {T} slow {{ protocol tcp; l3proto ip; policy = {{ established: 120 }}; }}", "ct timeout slow"),
    (f"add ct expectation {T} later {{ protocol tcp; dport 9876; timeout 2m; size 12; l3proto ip; }}", "ct expectation later"),
    (f"add synproxy {T} proxy {{ mss 1460; wscale 7; }}", None),
    (f"add secmark {T} ssh {{ \"system_u:object_r:ssh_server_packet_t:s0\"; }}", None),
    (f"add counter {T} mine; insert rule {T} forward counter name \"mine\"", "counter mine"),
    (f"insert rule {T} forward counter name \"svc_grafana\"", "chain forward, rule 1: "),
    (instead('comment "grafana"', 'comment "something"'), 'counter svc_grafana: its comment "something"'),
    (instead('counter svc_grafana {\n\t\tcomment "grafana"\n', "counter svc_grafana {\n"), 'counter svc_grafana: its comment ""'),
    # Elements.
    (f"add element {T} allow_tcp4 {{ 10.69.50.13 . 10.69.13.30 . 3000 comment \"x\" }}",
     "an element of allow_tcp4: 10.69.50.13 . 10.69.13.30 . 3000 with a comment"),
    (f"add element {T} tunnel4 {{ 10.69.50.128/25 comment \"x\" }}", "an element of tunnel4: 10.69.50.128/25 with a comment"),
    (f"add element {T} tunnel4 {{ 10.69.50.128/25 }}", "set tunnel4 holds 10.69.50.128/25 too"),
    (f"add element {T} tunnel4 {{ * }}", None),
    (f"add element {T} allow_tcp4 {{ * }}", None),
    (f"add element {T} count_tcp4 {{ 10.69.50.13 . 99 : \"svc_grafana\" }}", "map count_tcp4 holds 10.69.50.13 . 99 too"),
    (f"add element {T} untouched_interfaces {{ \"eth9\" }}", None),
    (f"flush set {T} allow_tcp4", None),
    # Sets.
    (f"add set {T} mine {{ type ether_addr; }}; insert rule {T} forward ether saddr @mine accept", "set mine"),
    (f"add map {T} mine {{ type ipv4_addr : verdict; elements = {{ 10.0.0.1 : accept }}; }}", "map mine"),
    (f"add map {T} mine {{ type ipv4_addr : mark; elements = {{ 10.0.0.1 : 7 }}; }}", "map mine"),
    (f"add map {T} mine {{ type ipv4_addr : quota; }}", "map mine"),
    (f"add set {T} mine {{ type ipv4_addr; flags dynamic; size 99; }}; insert rule {T} forward add @mine {{ ip saddr }}", "set mine"),
    (f"add set {T} mine {{ type ipv4_addr; counter; }}", "set mine"),
    (f"add set {T} mine {{ type ipv4_addr; flags timeout; elements = {{ 10.0.0.1 timeout 1h }}; }}", "set mine"),
    (behind("\tset tunnel4 {\n\t\ttype ipv4_addr\n\t\tflags interval", "\t\tauto-merge"), "set tunnel4 has auto-merge"),
    (behind("\tset tunnel4 {\n\t\ttype ipv4_addr\n\t\tflags interval", '\t\tcomment "mine"'), "set tunnel4 has a comment"),
    (behind("\tset rate1_ip4 {\n\t\ttype ipv4_addr", "\t\tgc-interval 7s"), "set rate1_ip4 has a gc-interval"),
    (behind("\tset tunnel4 {\n\t\ttype ipv4_addr\n\t\tflags interval", "\t\tpolicy memory"), "set tunnel4 has a policy of its own"),
    (behind("\tset tunnel4 {\n\t\ttype ipv4_addr", "\t\tsize 99"), "set tunnel4: its type, flags, timeout or size"),
    (behind("\tset allow_tcp4 {", "\t\tcounter"), "set allow_tcp4"),
    # Chains.
    (f"add chain {T} mine {{ comment \"x\"; }}", "chain mine"),
    (edited(lambda text: text.replace("chain denied {", 'chain denied {\n\t\tcomment "x"', 1)), "chain denied has a comment"),
    (f"add chain {T} mine {{ type route hook output priority 0; }}", "chain mine"),
    (f"add chain {T} mine {{ type nat hook prerouting priority -100; }}; add rule {T} mine dnat ip to 10.0.0.1", "chain mine"),
    (f"rename chain {T} denied other", "chain denied"),
    (f"add chain {T} forward {{ policy accept; }}", "chain forward: its hook, priority or policy"),
    # The table.
    (behind(f"table {T} {{", '\tcomment "hi"'), "the table has a comment"),
    (behind(f"table {T} {{", '\tcomment "hi"\n\tflags dormant'), "the table has a comment"),
    (f"add table {T} {{ flags dormant; }}", "the table is dormant"),
]


def listed():
    return "\n".join(sorted((table() or "").splitlines()))


def try_edit(folder, backend, edit, words):
    applied(folder, POLICY)
    expect_exit(0, apply(folder, "--backend", backend))
    nft("flush", "set", "inet", "policyc", "rate1_ip4")
    good = listed()
    try:
        edit() if callable(edit) else nft("-f", "-", input=edit.replace("; insert", "\ninsert").replace("; add", "\nadd") + "\n")
    except subprocess.CalledProcessError as refused:
        print(f"not possible here: {edit}: {refused.stderr.splitlines()[:1]}")
        return False
    expect(good != listed(), "the listing shows nothing of it")
    result = policyc(folder, "diff", "policy.toml")
    print(f"--- {backend}: {edit if isinstance(edit, str) else words}\n{result.stdout}", end="")
    expect_exit(1, result)
    expect(words is None or words in result.stdout, result)
    result = policyc(folder, "verify", "policy.toml")
    expect_exit(1, result)
    expect(words is None or words in result.stdout, result)
    result = apply(folder, "--backend", backend)
    expect_exit(0, result)
    expect(words is None or words in result.stdout, result)
    expect_equal(good, listed(), "the table")
    expect_equal("extgw01: nothing to change\n", apply(folder, "--backend", backend).stdout, "again")
    return True


@case
def whatever_was_edited_is_named_and_one_apply_takes_it_away(folder):
    tried, failures = 0, []
    for backend in BACKENDS:
        for edit, words in EDITS:
            try:
                tried += try_edit(folder, backend, edit, words)
            except Failed as failed:
                failures.append(f"{backend}: {edit if isinstance(edit, str) else words}: {failed}")
    print(f"{tried} of {len(EDITS) * len(BACKENDS)} edits")
    expect(not failures, "\n".join(failures))
    expect(tried > len(EDITS), "most edits were not possible")


@case
def a_table_that_a_program_owns_is_told(folder):
    """While the program lives, the kernel lets nobody else change it: apply says so. Then it is gone with it."""
    applied(folder)
    text = nft("list", "table", "inet", "policyc").replace("{", "{\n\tflags owner", 1)
    owner = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    (folder / "owned.nft").write_text(f"delete table {T}\n{text}")
    owner.stdin.write(f'include "{folder}/owned.nft"\n')
    owner.stdin.flush()
    for _ in range(100):
        if "flags owner" in (table() or ""):
            break
        time.sleep(0.05)
    try:
        result = policyc(folder, "diff", "policy.toml")
        expect_exit(1, result)
        expect_data("! not from policyc: the table has flags: a program owns it", result)
        for backend in BACKENDS:
            result = apply(folder, "--backend", backend)
            expect_exit(2, result)
            expect("another program owns table inet policyc" in result.stderr, result)
    finally:
        owner.communicate("quit\n")
    expect_equal(None, table(), "the table")
    expect_exit(0, apply(folder))


@case
def what_a_rule_put_into_a_rate_set_is_no_drift(folder):
    """Nor is it where the policy gets another rate, or none: the set goes then."""
    applied(folder)
    bucket = "10.69.50.11 limit rate 6/minute burst 6 packets"
    nft("add", "element", "inet", "policyc", "rate1_ip4", "{ " + bucket + " }")
    held = nft("list", "set", "inet", "policyc", "rate1_ip4")
    expect("10.69.50.11" in held, held)
    expect_exit(0, policyc(folder, "diff", "policy.toml"))
    expect_equal("extgw01: nothing to change\n", apply(folder).stdout, "apply")
    expect("10.69.50.11" in nft("list", "set", "inet", "policyc", "rate1_ip4"), "the bucket is gone")
    for rate in ("6/minute", "7/minute"):
        write_policy(folder, POLICY.replace("6/minute", rate).replace('"laptop", "phone"]\nallow', '"laptop"]\nallow'))
        expect("not from policyc" not in policyc(folder, "diff", "policy.toml").stdout, rate)
        result = apply(folder)
        expect_exit(0, result)
        expect("not from policyc" not in result.stdout, result)
        expect_equal(rate == "6/minute", "10.69.50.11" in nft("list", "set", "inet", "policyc", "rate1_ip4"), "the bucket")


@case
def a_table_that_is_made_anew_keeps_what_it_counted(folder):
    for backend in BACKENDS:
        applied(folder)
        edited(lambda text: text.replace("packets 0 bytes 0", "packets 7 bytes 420").replace("{", '{\n\tcomment "hi"', 1))()
        before = nft("list", "table", "inet", "policyc").count("packets 7 bytes 420")
        expect(before > 10, before)
        expect_exit(0, apply(folder, "--backend", backend))
        expect_equal(before, nft("list", "table", "inet", "policyc").count("packets 7 bytes 420"), "counters that went on")


@case
def every_rule_that_differs_is_named(folder):
    applied(folder)
    for i in range(20):
        nft("insert", "rule", "inet", "policyc", "forward", "meta", "mark", str(i), "counter")
    nft("insert", "rule", "inet", "policyc", "tiers", "accept")
    nft("flush", "chain", "inet", "policyc", "denied")
    result = policyc(folder, "diff", "policy.toml")
    expect_data("! not from policyc: and 13 more, which `--format json` names\n", result)
    expect_data("! missing from the kernel: chain denied, rule 1: ", result)
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal(21, len(record["foreign"]), record["foreign"])
    expect("chain tiers, rule 1: accept" in record["foreign"], record["foreign"])
    expect_exit(0, apply(folder))
    expect_exit(0, policyc(folder, "diff", "policy.toml"))


main()
