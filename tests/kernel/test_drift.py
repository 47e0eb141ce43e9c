"""diff and apply with a real kernel: edits by hand, tables that are gone, what is no permission."""

import own_network

own_network.enter()

import os
import socket

from gateway import applied, apply, policyc, state
from harness import (
    POLICY,
    case,
    expect,
    expect_data,
    expect_equal,
    expect_exit,
    expect_words,
    main,
    record_of,
    run,
    with_lock,
    write_policy,
)
from own_network import clear, nft, table


@case
def a_node_of_scope_none_has_no_table(folder):
    applied(folder)
    write_policy(folder, POLICY.replace('interface = "wg0"', 'interface = "wg0"\nscope = "none"'))
    result = apply(folder)
    expect_exit(0, result)
    expect_words('scope is "none"', result)
    expect_data("table inet policyc removed", result)
    expect_equal(None, table(), "the table")
    expect_equal("extgw01: nothing to change\n", apply(folder).stdout, "again")


@case
def an_edit_by_hand_is_drift_and_apply_mends_it(folder):
    applied(folder)
    good = table()
    name = "allow_tcp4"
    nft("add", "element", "inet", "policyc", name, "{ 10.69.50.12 . 10.69.13.99 . 22 }")
    result = policyc(folder, "diff", "policy.toml")
    expect_exit(1, result)
    expect_data("10.69.13.99", result)
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal(["drift"], [change["cause"] for change in record["changes"]], "the cause")
    expect_exit(0, apply(folder))
    expect_equal(good, table(), "the table")

    nft("insert", "rule", "inet", "policyc", "forward", "meta", "mark", "0x7", "accept")
    result = policyc(folder, "diff", "policy.toml")
    expect_exit(1, result)
    expect_data("! not from policyc: chain forward", result)
    result = apply(folder)
    expect_exit(0, result)
    expect_data("not from policyc", result)
    expect_equal(good, table(), "the table")


@case
def edits_of_rules_and_chains_by_hand_are_named(folder):
    for edit, words, widens, narrows in (
        (["insert rule inet policyc forward accept"], "! not from policyc: chain forward, rule 1: accept", False, True),
        (["insert rule inet policyc tiers counter accept"], "! not from policyc: chain tiers, rule 1: counter accept", False, True),
        (["flush chain inet policyc forward"], "! missing from the kernel: chain forward, rule 1: ", True, False),
        (["delete element inet policyc tunnel4 { 10.69.50.11-10.69.50.12 }"],
         "! missing from the kernel: set tunnel4: 10.69.50.11-10.69.50.12", True, False),
        (["delete element inet policyc tunnel4 { 10.69.50.11-10.69.50.12 }", "add element inet policyc tunnel4 { 10.69.50.11 }", "add element inet policyc tunnel4 { 10.69.50.12 }"],
         "! not from policyc: set tunnel4 is cut into other pieces: 10.69.50.11, 10.69.50.12 instead of 10.69.50.11-10.69.50.12", False, False),
        (["add element inet policyc tunnel4 { 8.8.8.8 }"], "! not from policyc: set tunnel4 holds 8.8.8.8 too", False, True),
        (["add element inet policyc server_ports { 40000-50000 }"], "! not from policyc: set server_ports holds 40000-50000 too", True, True),
        (["add set inet policyc mine { type ipv4_addr; }"], "! not from policyc: set mine", False, False),
        (["add counter inet policyc mine"], "! not from policyc: counter mine", False, False),
        (["add chain inet policyc forward { policy accept; }"], "! not from policyc: chain forward: its hook, priority or policy", True, True),
        (["add chain inet policyc more { type filter hook forward priority -20; policy drop; }"], "! not from policyc: chain more", True, True),
        (["add table inet policyc { flags dormant; }"], "! not from policyc: the table is dormant: it judges nothing", False, True),
        (["insert rule inet policyc tiers counter accept", "add table inet policyc { flags dormant; }"],
         "! not from policyc: chain tiers, rule 1: counter accept", False, True),
    ):
        applied(folder)
        good = table()
        for line in edit:
            nft("-f", "-", input=line + "\n")
        result = policyc(folder, "diff", "policy.toml")
        expect_exit(1, result)
        expect_data(words, result)
        record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
        expect_equal((False, widens, narrows), (record["same"], record["widens"], record["narrows"]), words)
        expect_exit(0, apply(folder))
        expect_equal(good, table(), "the table")
        expect_exit(0, policyc(folder, "diff", "policy.toml"))


@case
def a_dormant_table_is_told_as_a_first_apply(folder):
    """The rescue from a console: all is open, so an apply only closes. It keeps what the table counted."""
    applied(folder)
    nft("-f", "-", input="delete element inet policyc count_tcp4 { 10.69.13.20 . 8096 }\ndelete counter inet policyc svc_jellyfin\n"
        "add counter inet policyc svc_jellyfin { comment \"jellyfin\"; packets 7 bytes 420; }\nadd element inet policyc count_tcp4 { 10.69.13.20 . 8096 : \"svc_jellyfin\" }\n")
    good = table()
    nft("add table inet policyc { flags dormant; }")
    closes = "! whatever else enters or leaves wg0 is refused from now on unless the policy allows it\n"
    for result, words in ((policyc(folder, "diff", "policy.toml"), "extgw01: policy.toml against the kernel, where table inet policyc is dormant\n"),
                          (apply(folder, "--dry-run"), "would be applied, where table inet policyc was dormant\n"),
                          (apply(folder), "extgw01: policy.toml applied, where table inet policyc was dormant\n")):
        for part in (words, "+ phone ", closes, "! not from policyc: the table is dormant", "\n5 allowed, and what is marked ! closes more; no elements "):
            expect_data(part, result)
    expect_equal(good, table(), "the table")
    expect("packets 7 bytes 420" in nft("list", "counters"), "the counter is another")
    # Without a record, and where the node is to have none: nothing of it opens.
    nft("add table inet policyc { flags dormant; }")
    os.unlink(folder / "state/applied.json")
    result = policyc(folder, "diff", "policy.toml")
    expect_data(closes, result)
    expect_data("\n5 allowed, and what is marked ! closes more; ", result)
    expect_exit(0, apply(folder))
    nft("add table inet policyc { flags dormant; }")
    write_policy(folder, POLICY.replace('interface = "wg0"', 'interface = "wg0"\nscope = "none"'))
    record = record_of(apply(folder, "--format", "json"))
    expect_equal((True, False, False, []), (record["changed"], record["widens"], record["narrows"], record["remarks"]), "the record")
    expect_equal(None, table(), "the table")


@case
def a_table_that_is_gone_as_after_a_reboot_is_nobodys_doing(folder):
    applied(folder)
    good = table()
    clear()
    for result in (policyc(folder, "diff", "policy.toml"), apply(folder, "--dry-run"), apply(folder)):
        expect_data("+ phone ", result)
        expect("policyc: " not in result.stdout.split("\n", 1)[1], result, "somebody is accused")
        expect("not by policyc" not in result.stdout and "missing" not in result.stdout, result)
    expect_data("applied, where there was no table inet policyc", result)
    expect_equal(good, table(), "the table")


@case
def without_a_record_every_chain_that_differs_is_shown(folder):
    applied(folder)
    os.unlink(folder / "state/applied.json")
    expect_exit(0, policyc(folder, "diff", "policy.toml"))
    nft("insert", "rule", "inet", "policyc", "tiers", "counter", "accept")
    result = policyc(folder, "diff", "policy.toml")
    expect_data("! differs, and no record says who wrote it: chain tiers, rule 1: counter accept", result)
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal((False, True), (record["widens"], record["narrows"]), "the record")


@case
def a_ruleset_that_listens_and_is_edited_says_only_what_the_edit_does(folder):
    clear()
    with_lock(folder)
    with socket.create_server(("127.0.0.1", 47321)):
        expect_exit(0, apply(folder))
    expect("47321" in table(), table())
    # Nothing listens there any more, but a session may be left.
    expect_exit(0, policyc(folder, "diff", "policy.toml"))
    write_policy(folder, POLICY.replace("6/minute", "7/minute"))
    result = apply(folder)
    expect_data("! new connections to input.ssh: 7/minute instead of 6/minute, for laptop\n", result)
    expect(result.stdout.count("!") == 2, result)  # the line and the summary
    expect("47321" in table(), table())


@case
def what_begins_or_ends_to_be_judged_is_no_gain_and_no_loss(folder):
    applied(folder)
    judged = POLICY.replace('interface = "wg0"', 'interface = "wg0"\noutput = ["home:53/udp"]')
    none = POLICY.replace('interface = "wg0"', 'interface = "wg0"\nscope = "none"')
    for text, words, widens, narrows in (
        (judged, "! what this host itself sends is judged from now on, and refused unless it is listed", False, True),
        (POLICY, "! what this host itself sends is no longer judged: all of it is let through", True, False),
        (none, "! nothing is judged any more: policyc refuses nothing here", True, False),
    ):
        write_policy(folder, text)
        result = policyc(folder, "diff", "policy.toml")
        expect_exit(1, result)
        expect_data(words, result)
        expect(" gains " not in result.stdout and " loses " not in result.stdout, result)
        record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
        expect_equal((widens, narrows, []), (record["widens"], record["narrows"], record["changes"]), words)
        expect_exit(0, apply(folder))


@case
def what_has_expired_says_so(folder):
    text = POLICY + '\n[tiers.guest]\nwho = ["phone"]\nallow = ["home:443"]\nexpires = 2026-12-31\n'
    clear()
    with_lock(folder, text)
    expect_exit(0, policyc(folder, "apply", "policy.toml", now="2026-12-31T12:00:00Z"))
    expect_exit(0, policyc(folder, "diff", "policy.toml", now="2026-12-31T23:00:00Z"))
    result = policyc(folder, "diff", "policy.toml", now="2027-01-01T12:00:00Z")
    expect_exit(1, result)
    words = " ".join(result.stdout.split())
    expect("- phone loses home 10.69.13.0/24:443/tcp policy.toml:" in words and " expired " in words, result)
    expect("not from policyc" not in result.stdout, result)


@case
def diff_with_no_table_says_so(folder):
    clear()
    with_lock(folder)
    result = policyc(folder, "diff", "policy.toml")
    expect_exit(1, result)
    expect_words("the kernel has no table inet policyc", result)


main()
