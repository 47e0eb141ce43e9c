"""explain --live with a real kernel: elements, counters, remaining time, and its own look-ups in sets of every form."""

import own_network

own_network.enter()

import subprocess

from harness import POLICY, case, expect, expect_data, expect_equal, expect_exit, expect_words, main, record_of, run, with_lock, write_policy
from own_network import clear, nft

WIDE = (
    POLICY
    + """
[tiers.wide]
who   = ["laptop", "192.0.2.0/24"]
allow = ["10.69.13.64/26:1000-2000", "10.69.13.7:*", "home:ping", "10.69.13.99:9000-9004/udp"]
"""
)
HOST = WIDE.replace('interface = "wg0"', 'interface = "wg0"\nscope = "host"\noutput = ["home:53/udp"]\nuntouched = ["if:old0", "10.69.77.0/24"]')


def policyc(folder, *arguments):
    return run("--state-dir", folder / "state", *arguments, cwd=folder)


def applied(folder, text=POLICY, *options):
    clear()
    with_lock(folder, text)
    expect_exit(0, policyc(folder, "apply", "policy.toml", *options))


def live(folder, source, target, *options):
    return policyc(folder, "explain", "policy.toml", source, target, "--live", *options)


@case
def an_element_is_shown_with_its_counter(folder):
    applied(folder)
    result = live(folder, "phone", "jellyfin")
    expect_exit(0, result)
    expect_data("passes   phone 10.69.50.12 -> 10.69.13.20:8096/tcp", result)
    expect_data("element  allow_tcp4 { 10.69.50.12 . 10.69.13.20 . 8096 }", result)
    expect_data("counter  svc_jellyfin: 0 packets, 0 bytes of new connections", result)
    result = live(folder, "phone", "jellyfin:22")
    expect_exit(1, result)
    expect_data("dropped", result)
    expect_data("allow_tcp4", result)


@case
def every_form_of_set_is_looked_up_as_the_policy_says(folder):
    questions = 0
    for text in (WIDE, HOST):
        for layout in ("tuples", "pairs", "pairs,shard=2", "pairs,shard=2,jumps=0"):
            applied(folder, text, "--layout", layout)
            for source in ("phone", "laptop", "192.0.2.0", "192.0.2.255", "192.0.3.0", "10.69.13.5", "extgw01"):
                for target in (
                    "jellyfin", "grafana", "jellyfin:8097", "10.69.13.64:1000", "10.69.13.127:2000", "10.69.13.128:1500",
                    "10.69.13.63:1500", "10.69.13.64:999", "10.69.13.7:1/udp", "10.69.13.7:ping", "10.69.13.8:ping",
                    "10.69.13.99:9004/udp", "10.69.13.99:9005/udp", "extgw01:22", "extgw01:23", "10.69.13.5:53/udp",
                    "phone:22", "10.69.77.3:80",
                ):  # fmt: skip
                    result = live(folder, source, target, "--layout", layout, "--format", "json")
                    record = record_of(result)
                    expect("error" not in record, result)
                    expect(record["kernel"] == {"table": True, "same": True}, result)
                    for finding in record["answers"][0]["findings"]:
                        passes = finding["kernel"]["verdict"] in ("accept", "no_chain")
                        expect(passes == (finding["verdict"] != "denied"), result)
                        questions += 1
    print(f"        {questions} flows asked of the kernel, which says the same of each")


@case
def an_address_of_this_host_that_the_policy_does_not_know_is_its_own(folder):
    applied(folder)
    asked = ("explain", "policy.toml", "laptop", "10.69.13.2:22")
    before = policyc(folder, *asked)
    expect_exit(1, before)
    expect_data("denied: laptop -> 10.69.13.2:22/tcp", before)
    expect_data("if 10.69.13.2 is an address of extgw01 itself", before)
    expect_exit(1, policyc(folder, *asked, "--live"))
    subprocess.run(["ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "10.69.13.2/24", "dev", "lan0"], check=True)
        result = policyc(folder, *asked, "--live")
        expect_exit(0, result)
        expect_data("allowed: laptop -> 10.69.13.2:22/tcp", result)
        expect_data("input.ssh", result)
        for who, what in (("phone", "10.69.13.2:22"), ("laptop", "10.69.13.2:23"), ("laptop", "10.69.13.3:22")):
            result = live(folder, who, what)
            expect_exit(1, result)
            expect("an address of" not in result.stdout, result)
    finally:
        subprocess.run(["ip", "link", "delete", "lan0"], check=True)


@case
def a_network_that_holds_an_address_of_this_host_is_asked_about_both_ways(folder):
    applied(folder, POLICY.replace('"jellyfin"]', '"jellyfin", "home:22"]'))
    subprocess.run(["ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "10.69.13.2/24", "dev", "lan0"], check=True)
        result = live(folder, "phone", "home:22")
        expect_exit(0, result)
        for line in ("forwards it from wg0 to another interface", "is where it goes, and it comes from wg0",
                     "passes   phone 10.69.50.12 -> 10.69.13.1:22/tcp", "passes   phone 10.69.50.12 -> 10.69.13.2:22/tcp"):  # fmt: skip
            expect_equal(1, result.stdout.count(line), line)
        for hook, verdicts in (("forward", ("drop", "accept")), ("input", ("accept", "drop"))):
            nft(*f"insert rule inet policyc {hook} drop".split())
            result = live(folder, "phone", "home:22", "--format", "json")
            expect_exit(1, result)
            seen = {one["hook"]: (one["destination"], one["kernel"]["verdict"]) for one in record_of(result)["answers"][0]["findings"]}
            expect_equal({"forward": ("10.69.13.1", verdicts[0]), "input": ("10.69.13.2", verdicts[1])}, seen, hook)
            expect_exit(0, policyc(folder, "apply", "policy.toml"))
    finally:
        subprocess.run(["ip", "link", "delete", "lan0"], check=True)


@case
def where_nothing_says_what_a_packet_comes_in_through_the_kernel_is_asked(folder):
    """Somebody whom a `who` names is taken to come out of the tunnel; the route of this host may say otherwise."""
    back = '\n[tiers.back]\nwho = ["192.168.7.0/24"]\nallow = ["laptop:22"]\n'
    question = ("192.168.7.5", "extgw01:80")
    for text, why in ((POLICY, "neither enters nor leaves through wg0"), (HOST.replace("10.69.77.0/24", "192.168.7.0/24"), "`untouched` holds its address"),
                      (HOST.replace("old0", "lan0"), "an interface of `untouched`")):  # fmt: skip
        applied(folder, text + back)
        for arguments, more in (((), "--live asks for the route"), (("--live",), "--in names the interface")):
            result = policyc(folder, "explain", "policy.toml", *question, *arguments)
            expect_exit(1, result)
            expect_data("comes from wg0", result)
            expect_data("taken to be so, for no node has 192.168.7.5", result)
            expect_data(more, result)
        subprocess.run(["ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1"], check=True)
        try:
            for command in ("address add 192.168.7.1/24 dev lan0", "link set lan0 up", "link set lan1 up"):
                subprocess.run(["ip", *command.split()], check=True)
            result = live(folder, *question)
            expect_exit(0, result)
            expect_data("not judged: 192.168.7.5 -> extgw01:80/tcp", result)
            expect_data(why, result)
            expect("taken to be so" not in result.stdout, result)
        finally:
            subprocess.run(["ip", "link", "delete", "lan0"], check=True)
    wrong = live(folder, *question, "--in", "lan7")
    expect_exit(2, wrong)
    expect_words("there is no interface `lan7` here", wrong)


@case
def what_is_refused_with_an_answer_is_called_so(folder):
    applied(folder, POLICY.replace('interface = "wg0"', 'interface = "wg0"\ndenied = "reject"'))
    result = live(folder, "phone", "jellyfin:22")
    expect_exit(1, result)
    expect_data("    rejected    phone 10.69.50.12 -> 10.69.13.20:22/tcp", result)


@case
def what_nft_did_meanwhile_is_called_drift(folder):
    applied(folder)
    nft("delete", "element", "inet", "policyc", "allow_tcp4", "{ 10.69.50.12 . 10.69.13.20 . 8096 }")
    result = live(folder, "phone", "jellyfin")
    expect_exit(1, result)
    expect_data("allowed: phone -> jellyfin:8096/tcp", result)
    expect_data("the table is not what this policy makes: `policyc diff policy.toml`", result)
    nft("add", "element", "inet", "policyc", "allow_tcp4", "{ 10.69.50.12 . 10.69.13.20 . 22 }")
    result = live(folder, "phone", "jellyfin:22")
    expect_exit(1, result)
    expect_data("passes", result)
    expect_data("element  allow_tcp4 { 10.69.50.12 . 10.69.13.20 . 22 }", result)


@case
def the_time_that_is_left_is_shown(folder):
    applied(folder)
    nft("add", "set", "inet", "policyc", "brief", "{ type ipv4_addr . ipv4_addr . inet_service; flags timeout; }")
    nft("add", "element", "inet", "policyc", "brief", "{ 10.69.50.12 . 10.69.13.20 . 22 timeout 1h }")
    look = "ct original ip saddr . ct original ip daddr . ct original proto-dst @brief accept"
    nft(*f"insert rule inet policyc tiers meta l4proto tcp {look}".split())
    result = live(folder, "phone", "jellyfin:22")
    expect_data("element  brief { 10.69.50.12 . 10.69.13.20 . 22 }, 59 min left", result)
    expect_exit(1, result)


@case
def counters_count_what_begins(folder):
    applied(folder)
    # As if seven connections had begun: the number of the object is all that is read.
    nft("-f", "-", input="delete element inet policyc count_tcp4 { 10.69.13.20 . 8096 }\n"
        "delete counter inet policyc svc_jellyfin\nadd counter inet policyc svc_jellyfin { packets 7 bytes 420 }\n"
        "add element inet policyc count_tcp4 { 10.69.13.20 . 8096 : \"svc_jellyfin\" }\n")
    expect_data("7 packets, 420 bytes", live(folder, "phone", "jellyfin"))


@case
def without_a_table_or_privileges_it_says_so(folder):
    clear()
    with_lock(folder)
    result = live(folder, "phone", "jellyfin")
    expect_exit(0, result)
    expect_data("there is no table inet policyc: everything passes", result)
    expect_exit(1, live(folder, "phone", "jellyfin:22"))
    bare = ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    folder.chmod(0o755)
    result = run("explain", "policy.toml", "phone", "jellyfin", "--live", cwd=folder, command=bare)
    if subprocess.run([*bare, "true"], capture_output=True).returncode == 0:
        expect_exit(2, result)
        expect_words("error", result)
        expect_equal("", result.stdout, "stdout")


@case
def a_dormant_table_judges_nothing(folder):
    applied(folder)
    nft("add table inet policyc { flags dormant; }")
    for target, code in (("jellyfin", 0), ("jellyfin:22", 1)):
        result = live(folder, "phone", target)
        expect_exit(code, result)
        expect_data("  in the kernel\n    table inet policyc is dormant, it judges nothing: everything passes\n", result)
    record = record_of(live(folder, "phone", "jellyfin:22", "--format", "json"))
    expect_equal({"table": True, "same": False, "dormant": True}, record["kernel"], "the kernel")
    expect_equal("no_chain", record["answers"][0]["findings"][0]["kernel"]["verdict"], "the verdict")


@case
def neighbours_that_may_refuse_are_named(folder):
    applied(folder)
    nft("-f", "-", input="table ip other {\n chain f { type filter hook forward priority 0; policy drop; }\n}\n")
    expect_words("chain f of table ip other drops", live(folder, "phone", "jellyfin"))
    write_policy(folder)


main()
