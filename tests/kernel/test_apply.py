"""apply with a real kernel: the first, the second, what it says and what it leaves alone."""

import own_network

own_network.enter()

import json
import os
import re
import shutil
import stat
import subprocess

from gateway import OTHERS, applied, apply, policyc, state
from harness import (
    POLICY,
    SOURCE,
    case,
    expect,
    expect_data,
    expect_equal,
    expect_exit,
    expect_words,
    files_of,
    main,
    record_of,
    run,
    skip,
    with_lock,
    write_policy,
)
from own_network import clear, generation, nft, ruleset, table


@case
def the_first_apply_says_who_gains_what_and_records_it(folder):
    clear()
    with_lock(folder)
    result = apply(folder)
    expect_exit(0, result)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    expect_equal("extgw01: policy.toml applied, where there was no table inet policyc", lines[0], "the headline")
    expect(any(line.startswith("+ phone gains grafana 10.69.13.30:3000/tcp policy.toml:") for line in lines), result)
    expect("! whatever else enters or leaves wg0 is refused from now on unless the policy allows it" in lines, result)
    expect(lines[-1].startswith("5 allowed, and what is marked ! closes more; "), result)
    expect("10.69.50.12 . 10.69.13.30 . 3000" in table().replace("tcp ", ""), table())
    expect_equal(0o700, stat.S_IMODE(os.stat(folder / "state").st_mode), "mode of the state directory")
    record = json.loads((folder / "state/applied.json").read_text())
    expect_equal(
        (1, "extgw01", "policy.toml", POLICY),
        (record["version"], record["node"], record["files"][0]["name"], record["files"][0]["text"]),
        "the record",
    )
    expect(not (folder / "state/applied.next.json").exists(), state(folder).keys())


@case
def the_second_apply_changes_nothing_says_so_and_sends_no_transaction(folder):
    applied(folder)
    before = generation(), ruleset(), state(folder)
    result = apply(folder, now="2026-11-24T13:00:00Z")
    expect_exit(0, result)
    expect_equal("extgw01: nothing to change\n", result.stdout, "stdout")
    expect_equal(before, (generation(), ruleset(), state(folder)), "generation, ruleset and state")
    record = record_of(apply(folder, "--format", "json"))
    expect_equal((False, "extgw01"), (record["changed"], record["node"]), "the record")


@case
def the_record_has_the_same_keys_whatever_changes(folder):
    clear()
    with_lock(folder)
    keys = set(record_of(apply(folder, "--format", "json")))
    expect({"changes", "widens", "narrows", "remarks", "notes"} <= keys, keys)
    for options in ((), ("--dry-run",)):
        for fast in (True, False):
            if not fast:
                os.unlink(folder / "state/unchanged")
            record = record_of(apply(folder, "--format", "json", *options))
            expect_equal(keys, set(record), f"keys where nothing changes, {options}, fast: {fast}")
            expect_equal(([], False, False), (record["changes"], record["widens"], record["narrows"]), "what changes")
            apply(folder)


def quick(folder, *arguments, **more):
    """Whether an apply that has nothing to do took the fast way, which neither parses nor reads the table."""
    result = apply(folder, *arguments, env={"POLICYC_TIMINGS": "1"}, **more)
    expect_exit(0, result)
    expect_equal("extgw01: nothing to change\n", result.stdout, "stdout")
    stages = re.findall(r"timing: (\S+)", result.stderr)
    expect("unchanged" in stages and ("parse" in stages) == ("read" in stages), result)
    return "read" not in stages


@case
def what_was_applied_before_is_known_without_reading_it(folder):
    applied(folder)
    expect(quick(folder), "not after the first apply")
    expect(quick(folder, now="2026-11-24T23:59:59Z"), "not on the same day")
    record = record_of(apply(folder, "--format", "json"))
    os.unlink(folder / "state/unchanged")
    expect_equal(record, record_of(apply(folder, "--format", "json")), "the record of the slow way")
    expect(quick(folder), "not after the slow way")


@case
def each_input_that_is_another_is_read_again(folder):
    text = POLICY.replace("version = 1\n", 'version = 1\ninclude = ["more.d/*.toml"]\n')
    (folder / "more.d").mkdir()
    hosts = folder / "hosts"
    hosts.write_text("192.0.2.1 nobody\n")
    applied(folder, text)
    sent = generation()

    def add(name):
        with open(folder / name, "a") as file:
            file.write("# more\n")

    for what, change in (
        ("the policy", lambda: add("policy.toml")),
        ("a new fragment", lambda: add("more.d/one.toml")),
        ("a fragment", lambda: add("more.d/one.toml")),
        ("no fragment", lambda: os.unlink(folder / "more.d/one.toml")),
        ("the lock", lambda: add("policy.lock")),
        ("names of the state directory", lambda: shutil.copy(folder / "policy.lock", folder / "state/names.lock")),
        ("the record", lambda: os.utime(folder / "state/applied.json")),
        ("no record", lambda: os.unlink(folder / "state/applied.json")),
        ("what was kept", lambda: add("state/unchanged")),
    ):
        change()
        expect(not quick(folder), f"{what}: not read again")
        expect(quick(folder), f"{what}: read again without need")
    for arguments in (("--node", "extgw01"), ("--lock", "policy.lock"), ("--offline",), ("--backend", "libnftables")):
        expect(not quick(folder, *arguments), f"{arguments}: not read again")
        expect(quick(folder, *arguments), f"{arguments}: read again without need")
    for more in ({"now": "2026-11-25T12:00:00Z"}, {"hosts": hosts}):
        expect(not quick(folder, **more), f"{more}: not read again")
        expect(quick(folder, **more), f"{more}: read again without need")
    hosts.write_text("192.0.2.2 nobody\n")
    expect(not quick(folder, hosts=hosts), "/etc/hosts: not read again")
    expect_equal(sent, generation(), "generation")


@case
def a_second_writer_is_seen(folder):
    applied(folder)
    good = table()
    nft("add", "table", "ip", "another")
    expect(not quick(folder), "not read again")
    expect(quick(folder), "read again without need")
    nft("add", "element", "inet", "policyc", "allow_tcp4", "{ 10.69.50.12 . 10.69.13.99 . 22 }")
    expect_data("10.69.13.99", apply(folder))
    expect_equal(good, table(), "the table")
    expect(quick(folder), "not after the repair")
    nft("delete", "table", "inet", "policyc")
    expect_data("applied, where there was no table inet policyc", apply(folder))
    expect_equal(good, table(), "the table")
    expect(quick(folder), "not after the table came again")


@case
def another_network_namespace_at_the_same_generation_is_another(folder):
    with_lock(folder)
    # A namespace begins with generation 1, and the first transaction makes it 2.
    there = ["unshare", "-n", "sh", "-c", '"$@" && "$@"', "sh"]
    result = apply(folder, command=there)
    expect_data("applied, where there was no table inet policyc\n", result)
    expect_data("nothing to change", result)
    here = ["unshare", "-n", "sh", "-c", 'nft add table ip another && "$@" && nft list table inet policyc', "sh"]
    result = apply(folder, command=here)
    expect_exit(0, result)
    expect_data("applied, where there was no table inet policyc\n", result)
    expect_data("chain forward", result)


@case
def another_boot_is_another(folder):
    applied(folder)
    expect(quick(folder), "not after the first apply")
    (folder / "boot").write_text("11111111-2222-3333-4444-555555555555\n")
    path = "/proc/sys/kernel/random/boot_id"
    if subprocess.run(["mount", "--bind", folder / "boot", path], capture_output=True).returncode != 0:
        skip("the boot id can't be replaced here")
    try:
        expect(not quick(folder), "not read again")
        expect(quick(folder), "read again without need")
    finally:
        subprocess.run(["umount", path], check=True)
    expect(not quick(folder), "not read again")


@case
def diff_after_apply_is_no_difference(folder):
    applied(folder)
    result = policyc(folder, "diff", "policy.toml")
    expect_exit(0, result)
    expect_data("no difference", result)


@case
def diff_after_an_edit_names_each_person_and_service_and_apply_says_the_same(folder):
    applied(folder)
    edited = POLICY.replace('grafana  = "monitoring01.home.example:3000"\n', "").replace(
        '"grafana", "jellyfin"', '"jellyfin", "home:443"'
    )
    write_policy(folder, edited)
    result = policyc(folder, "diff", "policy.toml")
    expect_exit(1, result)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    expect_equal("extgw01: policy.toml against the kernel", lines[0], "the headline")
    expect(sum(line[:2] in ("+ ", "- ", "~ ") for line in lines) == 4, result)
    for who in ("laptop", "phone"):
        expect(any(line.startswith(f"+ {who} gains home 10.69.13.0/24:443/tcp policy.toml:") for line in lines), result)
        # The service is gone from the policy: its name is known from what was applied.
        expect(any(line.startswith(f"- {who} loses grafana 10.69.13.30:3000/tcp") for line in lines), result)
    expect(lines[-1].startswith("2 wider, 2 narrower; ") and "would change" in lines[-1], result)

    done = apply(folder)
    expect_exit(0, done)
    expect_equal(result.stdout.splitlines()[1:-1], done.stdout.splitlines()[1:-1], "the lines of apply")
    expect_exit(0, policyc(folder, "diff", "policy.toml"))


@case
def the_difference_that_the_readme_shows_is_the_one_that_is_printed(folder):
    readme = (SOURCE / "README.md").read_text()
    (text,) = re.findall(r"(?ms)^```toml\n(.*?)^```$", readme)
    (shown,) = re.findall(r"(?ms)^```\n(extgw01: policy.toml against the kernel\n.*?)^```$", readme)
    applied(folder, text)
    *others, last = text.splitlines()
    write_policy(folder, "\n".join([*others, last.replace(', "jellyfin"', "")]) + "\n")
    expect_equal(shown, policyc(folder, "diff", "policy.toml").stdout, "the difference")


@case
def a_change_of_lines_alone_is_recorded_without_a_transaction(folder):
    applied(folder)
    before = generation()
    write_policy(folder, "# moved down by a line\n" + POLICY)
    result = apply(folder)
    expect_equal("extgw01: nothing to change\n", result.stdout, "stdout")
    expect_equal(before, generation(), "the generation")
    expect("moved down" in (folder / "state/applied.json").read_text(), "the record is the old one")


@case
def other_tables_stay_byte_for_byte(folder):
    clear()
    nft("-f", "-", input=OTHERS)
    before = nft("list", "ruleset")
    with_lock(folder)
    expect_exit(0, apply(folder))
    write_policy(folder, POLICY.replace('"grafana", "jellyfin"', '"jellyfin"'))
    expect_exit(0, apply(folder))
    for name in ("ip docker", "inet byhand"):
        expect(nft("list", "table", *name.split()) in before, name)
    nft("delete", "table", "inet", "policyc")
    expect_equal(before, nft("list", "ruleset"), "the other tables")


@case
def other_chains_that_may_refuse_are_named(folder):
    clear()
    nft("-f", "-", input="""
        table inet byhand {
            chain through { type filter hook forward priority 0; policy drop; }
            chain open { type filter hook input priority 0; policy accept; }
        }
        table ip docker {
            chain FORWARD { type filter hook forward priority 0; policy drop; }
        }""")
    with_lock(folder)
    for _ in range(2):  # also when there is nothing to change
        result = apply(folder)
        expect_exit(0, result)
        for chain, name in (("through", "inet byhand"), ("FORWARD", "ip docker")):
            expect_words(f"note: chain {chain} of table {name} drops what it does not accept itself (forward hook)", result)
        expect_equal(2, result.stderr.count("note: chain"), "chains named")
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal([("inet byhand", "through", "forward"), ("ip docker", "FORWARD", "forward")],
                 sorted((one["table"], one["chain"], one["hook"]) for one in record["foreign_chains"]), "the record")
    clear()
    expect_exit(0, apply(folder))
    expect_equal(0, apply(folder).stderr.count("note: chain"), "chains named")


@case
def a_tunnel_that_is_there_is_not_left_open_for_one_that_is_not(folder):
    clear()
    ip("tuntap", "add", "wg0", "mode", "tun")
    try:
        with_lock(folder)
        expect_exit(0, apply(folder))
        before = nft("-s", "list", "ruleset")
        write_policy(folder, POLICY.replace('interface = "wg0"', 'interface = "wg9"'))
        for more in ([], ["--dry-run"]):
            result = apply(folder, *more)
            expect_exit(2, result)
            expect_words("there is no interface `wg9` here, and `wg0`, which is judged now, would be left open", result)
            expect_words("if `wg0` is meant, write that; if not, bring `wg9` up first", result)
        expect_equal(before, nft("-s", "list", "ruleset"), "the ruleset")
        ip("link", "set", "wg0", "name", "wg9")
        expect_exit(0, apply(folder))
    finally:
        for name in ("wg0", "wg9"):
            subprocess.run(["ip", "link", "delete", name], capture_output=True)


@case
def other_chains_that_may_let_packets_past_are_warned_of(folder):
    clear()
    nft("-f", "-", input="table ip f {\nchain c { type filter hook postrouting priority 0; ip daddr set 10.69.13.9; }\n}\n")
    with_lock(folder)
    for _ in range(2):
        result = apply(folder)
        expect_exit(0, result)
        expect_words("warning: chain c of table ip f writes addresses or ports into packets (postrouting hook): a packet may go elsewhere than it was judged to go", result)
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal(["widens"], [one["effect"] for one in record["foreign_chains"]], "the record")


@case
def other_chains_that_make_policyc_refuse_are_named(folder):
    clear()
    nft("-f", "-", input="""
        table ip f {
            chain to { type nat hook prerouting priority dstnat; tcp dport 80 dnat to 10.69.13.9; }
            chain from { type nat hook postrouting priority srcnat; masquerade; }
            chain raw { type filter hook prerouting priority raw; notrack; }
            chain zone { type filter hook prerouting priority raw; ct zone set 7; }
        }""")
    with_lock(folder)
    expected = ["raw of table ip f takes packets from connection tracking (prerouting hook)", "to of table ip f rewrites destinations (prerouting hook)",
                "zone of table ip f puts packets into zones of connection tracking (prerouting hook)"]
    for words in (["apply", "--dry-run"], ["apply"], ["diff"], ["apply"]):
        result = policyc(folder, words[0], "policy.toml", *words[1:])
        expect_exit(0, result)
        expect_equal(expected, notes_of_chains(result), words)
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal([("to", "narrows"), ("raw", "narrows"), ("zone", "narrows")], [(one["chain"], one["effect"]) for one in record["foreign_chains"]], "the record")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def notes_of_chains(result):
    return sorted(line.removeprefix("note: chain ").split(":")[0] for line in result.stderr.splitlines() if line.startswith("note: chain"))


@case
def other_chains_with_a_rule_that_refuses_are_named(folder):
    plain = "type filter hook input priority 0; policy accept;"
    words = "has a rule that refuses"
    for rules, expected in (
        (f"chain c {{ {plain} tcp dport 22 drop; }}", [f"c of table inet byhand {words} (input hook)"]),
        (f"chain c {{ {plain} tcp dport 22 reject; }}", [f"c of table inet byhand {words} (input hook)"]),
        (f"chain b {{ drop; }} chain a {{ counter; goto b; }} chain c {{ {plain} iifname lo jump a; }}",
         [f"c of table inet byhand {words} (input hook, in chain b)"]),
        (f"chain b {{ drop; }} chain c {{ {plain} tcp dport vmap {{ 22: accept, 23: goto b }}; }}",
         [f"c of table inet byhand {words} (input hook, in chain b)"]),
        (f"map m {{ type inet_service : verdict; elements = {{ 22: accept, 23: drop }}; }} chain c {{ {plain} tcp dport vmap @m; }}",
         [f"c of table inet byhand {words} (input hook)"]),
        (f"chain c {{ {plain} iifname lo jump {{ udp dport 53 drop; }}; }}", None),
        ("chain c { type filter hook output priority 0; drop; }", [f"c of table inet byhand {words} (output hook)"]),
        ("chain c { type filter hook forward priority 5; policy drop; ip saddr 192.0.2.1 drop; }",
         ["c of table inet byhand drops what it does not accept itself (forward hook)"]),
        # What no packet comes to, and what refuses none.
        (f"chain b {{ drop; }} chain c {{ {plain} counter accept; }}", []),
        (f"chain b {{ counter; return; }} chain c {{ {plain} jump b; tcp dport vmap {{ 22: accept, 23: jump b }}; }}", []),
        ("chain c { type nat hook prerouting priority 0; ip saddr 192.0.2.1 drop; }", []),
        ("flags dormant;\nchain c { type filter hook forward priority 5; policy drop; ip saddr 192.0.2.1 drop; }", []),
    ):
        clear()
        nft("-f", "-", input="table inet byhand {\n" + rules.replace("} chain", "}\nchain") + "\n}\n")
        with_lock(folder)
        result = apply(folder)
        expect_exit(0, result)
        if expected is None:  # a chain without a name of its own
            seen = notes_of_chains(result)
            expect(len(seen) == 1 and seen[0].startswith(f"c of table inet byhand {words} (input hook, in chain __chain"), result)
        else:
            expect_equal(expected, notes_of_chains(result), rules)
        # diff says the same, and an apply that has nothing to do.
        for again in (policyc(folder, "diff", "policy.toml"), apply(folder)):
            expect_exit(0, again)
            expect_equal(notes_of_chains(result), notes_of_chains(again), rules)
    clear()
    nft("-f", "-", input=f"table ip byhand {{\nchain b {{ drop; }}\nchain c {{ {plain} jump b; }}\n}}\n")
    record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
    expect_equal([{"table": "ip byhand", "chain": "c", "hook": "input", "policy": "accept", "rule_in": "b"}],
                 record["foreign_chains"], "the record")


@case
def a_dry_run_says_what_would_change_and_writes_nothing(folder):
    clear()
    with_lock(folder)
    files = files_of(folder)
    result = apply(folder, "--dry-run")
    expect_exit(0, result)
    expect_data("extgw01: policy.toml would be applied", result)
    expect_data("would change", result)
    expect_equal((None, files), (table(), files_of(folder)), "table and files")
    expect_exit(0, apply(folder))
    expect_equal("extgw01: nothing to change\n", apply(folder, "--dry-run").stdout, "dry run of what is in force")


@case
def an_interface_that_is_not_there_is_warned_of(folder):
    applied(folder)
    words = "there is no interface `wg0` here, so no packet is judged"
    for result in (apply(folder), policyc(folder, "diff", "policy.toml")):
        expect_exit(0, result)
        expect_words(f"warning: policy.toml:9: {words}", result)
        expect_words("= help: no interface here is WireGuard's; if it comes up later, as at boot, the rules hold for it", result)
    subprocess.run(["ip", "tuntap", "add", "wg0", "mode", "tun"], check=True)
    try:
        for result in (apply(folder), policyc(folder, "diff", "policy.toml")):
            expect_exit(0, result)
            expect(words not in result.stderr, result)
        write_policy(folder, POLICY.replace('interface = "wg0"', 'interface = "wg-0"'))
        expect_words("= help: did you mean `wg0`? no interface here is WireGuard's; ", policyc(folder, "diff", "policy.toml"))
    finally:
        subprocess.run(["ip", "link", "delete", "wg0"], check=True)


@case
def counters_go_on_over_an_apply(folder):
    applied(folder)
    text = re.sub(r"packets 0 bytes 0", "packets 7 bytes 700", nft("list", "table", "inet", "policyc"))
    nft("-f", "-", input="add table inet policyc\ndelete table inet policyc\n" + text)
    numbers = nft("list", "table", "inet", "policyc").count("packets 7 bytes 700")
    expect(numbers > 2, text)
    expect_exit(0, policyc(folder, "diff", "policy.toml"))  # numbers are no difference
    write_policy(folder, POLICY.replace('who   = ["laptop", "phone"]', 'who   = ["laptop"]'))
    expect_exit(0, apply(folder))
    kept = nft("list", "table", "inet", "policyc").count("packets 7 bytes 700")
    expect_equal(numbers, kept, "counters with their numbers")


main()
