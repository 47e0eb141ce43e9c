"""apply, diff and resolve --apply with a real kernel."""

import own_network

own_network.enter()

import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

from harness import (
    LOCK_ANSWERS,
    POLICY,
    POLICYC,
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
    write_answers,
    write_policy,
)
from own_network import clear, generation, nft, ruleset, table

NAME = "monitoring01.home.example"

OTHERS = """
table ip docker {
    chain forward { type filter hook forward priority filter; policy accept; iifname "docker0" counter accept; }
}
table inet byhand {
    set s { type ipv4_addr; elements = { 192.0.2.1 }; }
    chain c { type filter hook input priority 5; ip saddr @s drop; }
}
"""


def policyc(folder, *arguments, **more):
    return run("--state-dir", folder / "state", *arguments, cwd=folder, **more)


def apply(folder, *arguments, **more):
    return policyc(folder, "apply", "policy.toml", *arguments, **more)


def applied(folder, text=POLICY):
    """A policy that is in force, from nothing."""
    clear()
    with_lock(folder, text)
    expect_exit(0, apply(folder))


def state(folder):
    return files_of(folder / "state")


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
    expect(lines[-1].startswith("5 wider, and what is marked ! closes more; "), result)
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


@case
def a_name_that_is_nowhere_is_asked_now_and_added_to_the_lock(folder):
    clear()
    write_policy(folder)
    answers = write_answers(folder)
    result = apply(folder, "--answers", answers)
    expect_exit(0, result)
    expect("3000" in table(), table())
    expect(NAME in (folder / "policy.lock").read_text(), "not in the lock")
    expect_exit(0, policyc(folder, "diff", "policy.toml"))


@case
def offline_asks_nobody_and_denies(folder):
    clear()
    write_policy(folder)
    answers = write_answers(folder)
    result = apply(folder, "--offline", "--answers", answers)
    expect_exit(0, result)
    expect_words("W0305", result)
    expect("3000" not in table() and "8096" in table(), table())
    expect(not (folder / "policy.lock").exists(), "a lock was written")


@case
def a_dry_run_keeps_the_answers_to_itself(folder):
    clear()
    write_policy(folder)
    result = apply(folder, "--dry-run", "--answers", write_answers(folder))
    expect_exit(0, result)
    expect_data("grafana", result)
    expect(not (folder / "policy.lock").exists() and not (folder / "state").exists(), files_of(folder).keys())


@case
def answers_go_to_the_state_directory_where_the_lock_can_not_be_written(folder):
    clear()
    # /proc takes no files, like a read-only store.
    write_policy(folder, POLICY + '\n[resolve]\nlock = "/proc/policy.lock"\n')
    result = apply(folder, "--answers", write_answers(folder))
    expect_exit(0, result)
    expect_words("names.lock", result)
    expect(NAME in (folder / "state/names.lock").read_text(), state(folder).keys())
    expect("3000" in table(), table())
    again = apply(folder, "--offline")
    expect_equal("extgw01: nothing to change\n", again.stdout, "with the names of the state directory")

    later = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": ["10.69.13.31"]}})
    moved = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", later, now="2026-11-24T12:30:00Z")
    expect_exit(0, moved)
    expect("10.69.13.31" in table() and "10.69.13.30" not in table(), table())
    expect_equal(
        "extgw01: nothing to change\n", apply(folder, "--offline", now="2026-11-24T12:40:00Z").stdout, "after the move"
    )


@case
def of_two_entries_for_a_name_the_later_one_holds(folder):
    with_lock(folder)
    clear()
    (folder / "state").mkdir()
    later = (
        (folder / "policy.lock").read_text().replace("10.69.13.30", "10.69.13.35").replace("2026-11-24", "2026-11-25")
    )
    (folder / "state/names.lock").write_text(later)
    expect_exit(0, apply(folder))
    expect("10.69.13.35" in table() and "10.69.13.30" not in table(), table())
    (folder / "state/names.lock").write_text(later.replace("2026-11-25", "2026-11-23"))
    expect_exit(0, apply(folder))
    expect("10.69.13.30" in table() and "10.69.13.35" not in table(), table())


@case
def names_in_the_state_directory_that_can_not_be_read_are_left_out(folder):
    applied(folder)
    (folder / "state/names.lock").write_text("half a fi")
    result = apply(folder)
    expect_exit(0, result)
    expect_words("names.lock are left out", result)


@case
def resolve_apply_brings_new_answers_into_the_kernel_at_once(folder):
    applied(folder)
    answers = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": ["10.69.13.31"]}})
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, now="2026-11-24T14:00:00Z")
    expect_exit(0, result)
    expect_data(f"{NAME}  10.69.13.30 -> 10.69.13.31", result)
    expect_data("1 moved", result)
    expect("10.69.13.31" in table() and "10.69.13.30" not in table(), table())
    expect("10.69.13.31" in (folder / "policy.lock").read_text(), "the lock")
    record_of(policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, "--format", "json"))


@case
def resolve_apply_without_the_capability_writes_nothing(folder):
    clear()
    write_policy(folder)
    answers = write_answers(folder)
    before = files_of(folder)
    command = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, command=command)
    expect_exit(2, result)
    expect_words("CAP_NET_ADMIN", result)
    after = {name: text for name, text in files_of(folder).items() if name != "state/lock"}
    expect_equal(before, after, "the files")


@case
def what_stdout_can_not_say_of_an_apply_stderr_says(folder):
    applied(folder)
    texts = [POLICY.replace("6/minute", f"{n}/minute") for n in (7, 8, 9)]
    write_policy(folder, texts[0])
    with open("/dev/full", "w") as full:
        result = apply(folder, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    expect_exit(2, result)
    expect_words("cannot write to standard output: No space left on device; the new ruleset is in force", result)
    write_policy(folder, texts[1])
    reader, writer = os.pipe()
    os.close(reader)
    result = apply(folder, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    expect_exit(2, result)
    expect_words("cannot write to standard output: Broken pipe; the new ruleset is in force", result)
    write_policy(folder, texts[2])
    closed = subprocess.run(
        ["sh", "-c", f"exec '{POLICYC}' --hosts /dev/null --state-dir state apply policy.toml >&-"],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )
    expect_exit(2, closed)
    expect_words("; the new ruleset is in force", closed)
    expect_data("nothing to change", apply(folder))
    # What changed nothing has nothing to say.
    reader, writer = os.pipe()
    os.close(reader)
    result = apply(folder, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    expect("in force" not in result.stderr, result.stderr)


@case
def resolve_apply_goes_on_with_the_names_it_has(folder):
    text = POLICY.replace("jellyfin = ", 'wiki = "wiki.home.example:443"\njellyfin = ').replace(
        '"grafana", ', '"grafana", "wiki", '
    )
    clear()
    write_policy(folder, text)
    answers = write_answers(
        folder, {**LOCK_ANSWERS, "wiki.home.example": {"outcome": "no_such_name", "server": "10.69.13.5"}}
    )
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers)
    expect_exit(1, result)
    expect_words("error[E0301]", result)
    expect("3000" in table() and "443" not in table(), table())


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
    for edit, words in (
        (["insert rule inet policyc forward accept"], "! not from policyc: chain forward, rule 1: accept"),
        (["insert rule inet policyc tiers counter accept"], "! not from policyc: chain tiers, rule 1: counter accept"),
        (["flush chain inet policyc forward"], "! missing from the kernel: chain forward: its rules from rule 1 on"),
        (["delete element inet policyc tunnel4 { 10.69.50.11-10.69.50.12 }"],
         "! missing from the kernel: set tunnel4: 10.69.50.11-10.69.50.12"),
        (["add element inet policyc tunnel4 { 8.8.8.8 }"], "! not from policyc: set tunnel4 holds 8.8.8.8 too"),
        (["add element inet policyc server_ports { 40000-50000 }"], "! not from policyc: set server_ports holds 40000-50000 too"),
        (["add set inet policyc mine { type ipv4_addr; }"], "! not from policyc: set mine"),
        (["add counter inet policyc mine"], "! not from policyc: counter mine"),
        (["add chain inet policyc forward { policy accept; }"], "! not from policyc: chain forward: its hook, priority or policy"),
        (["add chain inet policyc more { type filter hook forward priority -20; policy drop; }"], "! not from policyc: chain more"),
        (["add table inet policyc { flags dormant; }"], "! not from policyc: the table is dormant: it judges nothing"),
    ):
        applied(folder)
        good = table()
        for line in edit:
            nft("-f", "-", input=line + "\n")
        result = policyc(folder, "diff", "policy.toml")
        expect_exit(1, result)
        expect_data(words, result)
        record = record_of(policyc(folder, "diff", "policy.toml", "--format", "json"))
        expect_equal((False, True, True), (record["same"], record["widens"], record["narrows"]), words)
        expect_exit(0, apply(folder))
        expect_equal(good, table(), "the table")
        expect_exit(0, policyc(folder, "diff", "policy.toml"))


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
    expect_equal((True, True), (record["widens"], record["narrows"]), "the record")


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


@case
def an_apply_waits_for_another_and_then_names_it(folder):
    applied(folder)
    write_policy(folder, POLICY.replace('"grafana", "jellyfin"', '"jellyfin"'))
    before = ruleset(), state(folder)
    with open(folder / "state/lock", "r+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        start = time.monotonic()
        result = apply(folder)
        waited = time.monotonic() - start
        expect_exit(2, result)
        expect_words(f"waiting for another policyc (process {os.getpid()})", result)
        expect_words(f"another policyc (process {os.getpid()}) is at work on", result)
        expect(8 < waited < 20, f"waited {waited:.1f} s")
        expect_equal(before, (ruleset(), state(folder)), "ruleset and state")

        fcntl.lockf(lock, fcntl.LOCK_EX)  # reading the files above let go of it
        waiting = subprocess.Popen(
            [POLICYC, "--state-dir", folder / "state", "--hosts", os.devnull, "apply", "policy.toml"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.5)
        expect(waiting.poll() is None, "it did not wait")
        fcntl.lockf(lock, fcntl.LOCK_UN)
    out, err = waiting.communicate(timeout=30)
    expect(waiting.returncode == 0 and "policy.toml applied" in out, out + err)


@case
def many_applies_at_once_leave_one_whole_table(folder):
    applied(folder)
    write_policy(folder, POLICY.replace('"grafana", "jellyfin"', '"jellyfin"'), "other.toml")
    command = [POLICYC, "--state-dir", folder / "state", "--hosts", os.devnull, "--lock", "policy.lock", "apply"]
    running = [
        subprocess.Popen([*command, name], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for name in ("policy.toml", "other.toml") * 4
    ]
    for process in running:
        _, err = process.communicate(timeout=60)
        expect(process.returncode == 0, err)
    last = json.loads((folder / "state/applied.json").read_text())["files"][0]["name"]
    expect_exit(0, policyc(folder, "diff", last, "--lock", "policy.lock"))


@case
def killed_at_any_moment_the_table_is_whole_and_so_is_the_state(folder):
    clear()
    # Enough to make the transaction take a while.
    many = "".join(f's{i} = "10.69.13.{i % 200 + 1}:{1000 + i}"\n' for i in range(400))
    names = ", ".join(f'"s{i}"' for i in range(400))
    one = POLICY.replace("[tiers.vpn]", f"{many}\n[tiers.vpn]").replace('"grafana", "jellyfin"', names)
    other = POLICY
    write_answers(folder)
    write_policy(folder, one, "one.toml")
    write_policy(folder, other, "other.toml")
    expect_exit(0, run("resolve", "one.toml", "--answers", "answers.json", cwd=folder))
    whole = {}
    takes = {}
    for name in ("one.toml", "other.toml", "one.toml", "other.toml"):  # the first has no table to take away
        start = time.monotonic()
        expect_exit(0, policyc(folder, "apply", name))
        takes[name] = time.monotonic() - start
        whole[name] = table()
    expect(whole["one.toml"] != whole["other.toml"], "the two policies are the same")

    # Each round goes for the policy that is not in force, so what is in force afterwards says on which side of the transaction it
    # was killed. Enough rounds for both, and for some between the transaction and its record.
    fell = {"before": 0, "after": 0, "unrecorded": 0, "done": 0}
    chance = random.Random(7)
    in_force = "other.toml"
    for round_ in range(300):
        if round_ >= 40 and fell["before"] >= 5 and fell["after"] >= 5:
            break
        name = "one.toml" if in_force == "other.toml" else "other.toml"
        process = subprocess.Popen(
            [POLICYC, "--state-dir", folder / "state", "--hosts", os.devnull, "apply", name],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0, takes[name] * 1.2))
        process.send_signal(signal.SIGKILL)
        killed = process.wait(timeout=30) == -signal.SIGKILL
        now = table()
        held = [key for key, text in whole.items() if text == now]
        expect(len(held) == 1, f"round {round_}: the table is neither policy's\n{now}")
        in_force = held[0]
        for file in ("applied.json", "applied.next.json"):
            path = folder / "state" / file
            if path.exists():
                json.loads(path.read_text())
        recorded = json.loads((folder / "state/applied.json").read_text())["files"][0]["name"]
        if not killed:
            fell["done"] += 1
            expect_equal((name, name), (in_force, recorded), "what is in force and recorded after a whole run")
        else:
            fell["after" if in_force == name else "before"] += 1
            fell["unrecorded"] += recorded != in_force
        # Whatever was killed, nobody else had a hand in it.
        expect_exit(0, policyc(folder, "diff", in_force))
        other = policyc(folder, "diff", "one.toml" if in_force == "other.toml" else "other.toml")
        expect("policyc: " not in other.stdout and "! missing" not in other.stdout, other, f"round {round_}")
    print(f"        killed {fell['before']} times before the transaction and {fell['after']} times after, "
          f"{fell['unrecorded']} of these before the record; {fell['done']} were faster")
    expect(fell["before"] >= 5 and fell["after"] >= 5, f"it was always killed at the same stage: {fell}")
    expect_exit(0, policyc(folder, "apply", "one.toml"))
    expect_equal(whole["one.toml"], table(), "the table after all that")


main()
