"""diff --against, without a kernel."""

import shutil

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
    write_answers,
    write_policy,
)

NAME = "monitoring01.home.example"


@case
def diff_of_the_same_policy_is_no_difference(folder):
    with_lock(folder)
    result = run("diff", "policy.toml", "--against", "policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_data("no difference", result)
    record = record_of(run("diff", "policy.toml", "--against", "policy.toml", "--format", "json", cwd=folder))
    expect_equal((True, []), (record["same"], record["changes"]), "the record")


@case
def diff_warns_of_what_has_expired_as_apply_does(folder):
    with_lock(folder)
    shutil.copy(folder / "policy.toml", folder / "old.toml")
    write_policy(folder, POLICY + "expires = 2026-11-20\n")
    ended = run("diff", "policy.toml", "--against", "old.toml", cwd=folder)
    expect_exit(1, ended)
    expect_words("warning[W0506]: `vpn` has expired", ended)
    # Of the other policy, it is no news.
    expect("W0506" not in run("diff", "old.toml", "--against", "policy.toml", cwd=folder).stderr, ended)
    write_policy(folder, POLICY + "expires = 2026-11-25\n")
    expect_words("warning[W0505]: `vpn` ends tomorrow", run("diff", "policy.toml", "--against", "old.toml", cwd=folder))


@case
def diff_names_who_gains_and_loses_what(folder):
    with_lock(folder)
    shutil.copy(folder / "policy.toml", folder / "old.toml")
    edited = POLICY.replace(
        'who   = ["laptop", "phone"]\nallow = ["grafana", "jellyfin"]',
        'who   = ["laptop", "phone"]\nallow = ["jellyfin"]',
    )
    write_policy(folder, edited + '\n[tiers.more]\nwho = ["phone"]\nallow = ["home:443"]\n')
    result = run("diff", "policy.toml", "--against", "old.toml", cwd=folder)
    expect_exit(1, result)
    lines = result.stdout.splitlines()
    expect_equal("extgw01: policy.toml against old.toml", lines[0], "the headline")
    expect_equal(3, sum(line.startswith(("  + ", "  - ", "  ~ ")) for line in lines), "lines")
    words = [" ".join(line.split()) for line in lines]
    expect(
        any(
            line.startswith("+ phone gains home 10.69.13.0/24:443/tcp policy.toml:") and "tiers.more" in line
            for line in words
        ),
        result,
    )
    expect(any(line.startswith("- laptop loses grafana 10.69.13.30:3000/tcp") for line in words), result)
    expect(any(line.startswith("- phone loses grafana 10.69.13.30:3000/tcp") for line in words), result)
    expect(lines[-1].startswith("1 wider, 2 narrower; "), result)

    record = record_of(run("diff", "policy.toml", "--against", "old.toml", "--format", "json", cwd=folder))
    expect_equal(
        ("extgw01", False, True, True),
        tuple(record[key] for key in ("node", "same", "widens", "narrows")),
        "the record",
    )
    gain = next(change for change in record["changes"] if change["change"] == "gain")
    expect_equal(
        ("phone", "home", "10.69.13.0/24", "443", "tcp", "edit", "policy.toml"),
        tuple(gain[key] for key in ("who", "service", "destination", "port", "proto", "cause", "file")),
        "the gain",
    )
    expect(gain["line"] > 0, gain)


@case
def diff_says_what_opens_beyond_permissions(folder):
    with_lock(folder)
    shutil.copy(folder / "policy.toml", folder / "old.toml")
    write_policy(folder, POLICY.replace("6/minute", "7/minute"))
    result = run("diff", "policy.toml", "--against", "old.toml", cwd=folder)
    expect_exit(1, result)
    expect_data("! new connections to input.ssh: 7/minute instead of 6/minute, for laptop\n", result)
    expect_data("no permission comes or goes, but what is marked ! opens more; ", result)
    record = record_of(run("diff", "policy.toml", "--against", "old.toml", "--format", "json", cwd=folder))
    expect_equal((True, False, []), (record["widens"], record["narrows"], record["changes"]), "the record")
    expect_equal((True, False), (record["remarks"][0]["widens"], record["remarks"][0]["narrows"]), "the remark")


@case
def fail_on_wider_lets_what_only_closes_pass(folder):
    with_lock(folder)
    shutil.copy(folder / "policy.toml", folder / "old.toml")
    write_policy(folder, POLICY.replace('allow = ["grafana", "jellyfin"]', 'allow = ["jellyfin"]'))
    narrower = ("diff", "policy.toml", "--against", "old.toml")
    wider = ("diff", "old.toml", "--against", "policy.toml")
    expect_exit(1, run(*narrower, cwd=folder))
    result = run(*narrower, "--fail-on", "wider", cwd=folder)
    expect_exit(0, result)
    expect_data("loses  grafana", result)
    expect_exit(0, run(*narrower, "--fail-on=wider", "--format", "json", cwd=folder))
    expect_exit(1, run(*wider, "--fail-on", "wider", cwd=folder))
    # What no permission says opens too.
    write_policy(folder, POLICY.replace("6/minute", "7/minute"))
    expect_exit(1, run(*narrower, "--fail-on", "wider", cwd=folder))
    result = run(*narrower, "--fail-on", "narrower", cwd=folder)
    expect_exit(2, result)
    expect_words("--fail-on takes any or wider, and not `narrower`", result)


@case
def diff_shows_a_move_of_dns_as_a_move(folder):
    with_lock(folder)
    (folder / "old").mkdir()
    for file in ("policy.toml", "policy.lock"):
        shutil.copy(folder / file, folder / "old" / file)
    moved = {"outcome": "answered", "addresses": ["10.69.13.31"], "ttl": 300, "server": "10.69.13.5"}
    answers = write_answers(folder, {NAME: moved})
    expect_exit(0, run("resolve", "policy.toml", "--answers", answers, cwd=folder))
    result = run("diff", "policy.toml", "--against", "old/policy.toml", cwd=folder)
    expect_exit(1, result)
    expect_data("10.69.13.30 -> 10.69.13.31", result)
    expect_data("1 moved", result)
    expect_exit(1, run("diff", "policy.toml", "--against", "old/policy.toml", "--fail-on", "wider", cwd=folder))


def edited_and_resolved(folder, target, addresses):
    """The changes of diff as (change, cause, who, destination, port) and widens, where grafana was at 10.69.13.30:3000 for laptop and phone."""
    old = folder / "old"
    old.mkdir(exist_ok=True)
    text = "\n".join([
        "version = 1", "[networks]", 'home = ["10.69.13.0/24"]', "[nodes.gw]", 'role = "gateway"', 'address = "10.69.50.2"', 'interface = "wg0"',
        "[nodes.laptop]", 'address = "10.69.50.11"', "[services]", 'grafana = "mon.home.example:3000"', "[tiers.vpn]", 'who = ["laptop"]',
        'allow = ["grafana"]', ""])
    lock = 'version = 1\n\n[names."mon.home.example"]\naddresses = [{}]\nttl = 60\nresolved = "2026-11-24T11:00:00Z"\n'
    listed = ", ".join(f'"{address}"' for address in addresses)
    for where, policy, locked in ((old, text, '"10.69.13.30"'), (folder, text.replace("mon.home.example:3000", target), listed)):
        (where / "policy.toml").write_text(policy)
        (where / "policy.lock").write_text(lock.format(locked))
    record = record_of(run("diff", "policy.toml", "--against", "old/policy.toml", "--format", "json", cwd=folder))
    return sorted((c["change"], c["cause"], c["destination"], c["port"]) for c in record["changes"]), record["widens"], record["narrows"]


@case
def an_edit_is_an_edit_and_dns_is_dns(folder):
    was = ("loss", "edit", "10.69.13.30", "3000")
    expect_equal(([("gain", "edit", "10.69.13.30", "22"), was], True, True), edited_and_resolved(folder, "mon.home.example:22", ["10.69.13.30"]), "a port")
    both, widens, narrows = edited_and_resolved(folder, "mon.home.example:*", ["10.69.13.31"])
    expect_equal(([("gain", "dns", "10.69.13.31", "3000"), ("loss", "dns", "10.69.13.30", "3000")], True, True),
                 ([one for one in both if one[1] == "dns"], widens, narrows), "a port and an address")
    expect_equal([("gain", "edit", "10.69.13.31", port) for port in ("", "*", "*", "0-2999", "3001-65535")], [one for one in both if one[1] != "dns"], "the other ports")
    expect_equal(([("gain", "edit", "10.69.13.30", "3001-3010")], True, False), edited_and_resolved(folder, "mon.home.example:3000-3010", ["10.69.13.30"]), "more ports")
    expect_equal(([("move", "dns", "10.69.13.31", "3000")], True, True), edited_and_resolved(folder, "mon.home.example:3000", ["10.69.13.31"]), "an address")
    more = [("gain", "dns", "10.69.13.31", "3000"), ("gain", "dns", "10.69.13.32", "3000"), ("loss", "dns", "10.69.13.30", "3000")]
    expect_equal((more, True, True), edited_and_resolved(folder, "mon.home.example:3000", ["10.69.13.31", "10.69.13.32"]), "two addresses")
    expect_equal(([("loss", "dns", "10.69.13.30", "3000")], False, True), edited_and_resolved(folder, "mon.home.example:3000", []), "no address")


@case
def what_an_edit_lets_expire_has_expired(folder):
    with_lock(folder)
    shutil.copy(folder / "policy.toml", folder / "old.toml")
    write_policy(folder, POLICY.replace('allow = ["grafana", "jellyfin"]', 'allow = ["grafana", "jellyfin"]\nexpires = 2020-01-01'))
    result = run("diff", "policy.toml", "--against", "old.toml", cwd=folder)
    expect_exit(1, result)
    losses = [line for line in result.stdout.splitlines() if line.startswith("  - ")]
    expect(losses and all(line.endswith("expired") for line in losses), result)


@case
def a_difference_shows_no_control_character_of_a_file_name(folder):
    with_lock(folder)
    odd = "odd\n\x1b[31m.toml"
    # What goes has its place in the old file, and what comes in the new one.
    write_policy(folder, POLICY, odd)
    write_policy(folder, POLICY.replace('who   = ["laptop", "phone"]', 'who   = ["laptop"]'), "less.toml")
    for new, old in (("less.toml", odd), (odd, "less.toml")):
        result = run("diff", new, "--against", old, "--lock", "policy.lock", cwd=folder)
        expect_exit(1, result)
        changes = [line for line in result.stdout.splitlines() if line.startswith(("  + ", "  - "))]
        expect(len(changes) == 2 and all("odd" in line and ".toml:" in line for line in changes), result)
        expect("\x1b" not in result.stdout + result.stderr and "odd\n" not in result.stdout + result.stderr, result)


@case
def an_old_policy_without_the_node_is_said(folder):
    with_lock(folder)
    write_policy(folder, POLICY.replace("extgw01", "gw"), "old.toml")
    result = run("diff", "policy.toml", "--against", "old.toml", "--node", "extgw01", cwd=folder)
    expect_exit(1, result)
    expect_words("old.toml has no node `extgw01`: this is compared with a host without a policy", result)
    # Nothing was judged there, so nothing opens.
    expect_data(" allowed, and what is marked ! closes more; ", result)
    expect_exit(0, run("diff", "policy.toml", "--against", "old.toml", "--node", "extgw01", "--fail-on", "wider", cwd=folder))


@case
def an_old_policy_without_a_lock_is_read_with_the_new_addresses(folder):
    with_lock(folder)
    (folder / "old").mkdir()
    shutil.copy(folder / "policy.toml", folder / "old/policy.toml")
    result = run("diff", "policy.toml", "--against", "old/policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_words("old/policy.lock is not there", result)


@case
def an_error_in_the_old_policy_is_shown(folder):
    with_lock(folder)
    write_policy(folder, POLICY.replace("who  ", "whom "), "old.toml")
    result = run("diff", "policy.toml", "--against", "old.toml", cwd=folder)
    expect_exit(1, result)
    expect_words("old.toml", result)
    expect_words("error[E0101]", result)


@case
def who_comes_to_be_behind_the_tunnel_sends_no_tunnel_from_elsewhere_and_that_is_no_news(folder):
    """In scope host, where WireGuard's port is open to anywhere but for those."""
    old = POLICY.replace('serves    = ["home"]', 'serves    = ["home"]\nscope = "host"\nlisten_port = 51820')
    expect(old != POLICY, "the policy of the tests has changed")
    write_policy(folder, old)
    shutil.copy(folder / "policy.toml", folder / "old.toml")
    with_lock(folder, old + "\n[nodes.tablet]\naddress = \"10.69.50.13\"\n")
    for new, before in (("policy.toml", "old.toml"), ("old.toml", "policy.toml")):
        found = run("diff", new, "--against", before, "--lock", "policy.lock", cwd=folder)
        expect_exit(1, found)
        expect("!" not in found.stdout and "nothing above says so" not in found.stdout, found)


main()
