"""explain: on the example of the house, and what bad questions get."""

import json
import shutil

from harness import SOURCE, case, expect, expect_data, expect_equal, expect_exit, expect_words, main, record_of, run, with_lock, write_policy

HOSTS = {
    "monitoring01.home.2rjus.net": "10.69.13.30",
    "jelly01.home.2rjus.net": "10.69.13.20",
    "sonarr-jail.home.2rjus.net": "10.69.13.41",
    "radarr-jail.home.2rjus.net": "10.69.13.42",
}


def house(folder):
    """The example and a lock, in which nzbget has no entry."""
    shutil.copy(SOURCE / "policy/examples/homelab.toml", folder / "policy.toml")
    lock = "version = 1\n"
    for name, address in HOSTS.items():
        lock += f'\n[names."{name}"]\naddresses = ["{address}"]\nttl = 300\nresolved = "2026-11-24T10:00:00Z"\n'
    (folder / "policy.lock").write_text(lock)


def explain(folder, source, target, *more):
    return run("explain", "policy.toml", source, target, *more, cwd=folder)


def line_of(folder, text):
    """The number of the line of the policy that begins so."""
    return next(i for i, line in enumerate((folder / "policy.toml").read_text().splitlines(), 1) if line.startswith(text))


@case
def an_answer_that_allows_shows_the_lines(folder):
    house(folder)
    result = explain(folder, "phone", "jellyfin:8096")
    expect_exit(0, result)
    allow = line_of(folder, 'allow = ["grafana", "media", "dns"]')
    expect_equal(
        f"""allowed: phone -> jellyfin:8096/tcp

  from  phone     10.69.50.12
  to    jellyfin  10.69.13.20  jelly01.home.2rjus.net, locked 2 h ago
  on    extgw01   forwards it from wg-ext to another interface

  --> policy.toml:{allow}:21
   |
{allow - 1} | who   = ["clients"]
   |          --------- holds phone
{allow} | allow = ["grafana", "media", "dns"]
   |                     ^^^^^^^ tiers.vpn, at most 50/second

  implied on extgw01
    ICMP errors about a flow that is tracked
    replies to what extgw01 itself began
""",
        result.stdout,
        "stdout",
    )


@case
def an_answer_that_denies_says_what_would_allow_it(folder):
    house(folder)
    result = explain(folder, "phone", "jellyfin:22")
    expect_exit(1, result)
    allow = line_of(folder, 'allow = ["grafana", "media", "dns"]')
    full = line_of(folder, 'allow   = ["home:*"]')
    expect_equal(
        f"""denied: phone -> jellyfin:22/tcp

  from  phone     10.69.50.12
  to    jellyfin  10.69.13.20  jelly01.home.2rjus.net, locked 2 h ago
  on    extgw01   forwards it from wg-ext to another interface
  why   no line of the policy allows it

  it would be allowed
    on port 8096                                           policy.toml:{allow}  tiers.vpn
    with a grant of tier full, at most 4h, given by wheel  policy.toml:{full}  tiers.full
    from a session on extgw01                              policy.toml:{full}  tiers.full

  implied on extgw01
    ICMP errors about a flow that is tracked
    replies to what extgw01 itself began
""",
        result.stdout,
        "stdout",
    )


@case
def who_is_nobody_is_no_way_out(folder):
    house(folder)
    with (folder / "policy.toml").open("a") as policy:
        policy.write('\n[tiers.nobody]\nwho = []\nallow = ["home:22"]\n')
    result = explain(folder, "vps", "home:22")
    expect_exit(1, result)
    expect("tiers.nobody" not in result.stdout, result)


@case
def groups_are_answered_one_by_one(folder):
    house(folder)
    result = explain(folder, "clients", "media")
    expect_exit(1, result)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    expect_equal("partly allowed: clients -> media", lines[0], "headline")
    allow = line_of(folder, 'allow = ["grafana", "media", "dns"]')
    expect(f"phone sonarr:8989/tcp 10.69.13.41 allowed policy.toml:{allow} tiers.vpn, at most 50/second" in lines, result)
    expect(f"laptop nzbget:6789/tcp denied policy.toml:{allow} would be allowed once it has an address" in lines, result)
    expect("for example, denied: what has no address" in lines, result)
    expect_words("nzbget-jail.home.2rjus.net", result)


@case
def the_record_has_all_of_it(folder):
    house(folder)
    # The lock lacks a name, of which a warning tells.
    result = explain(folder, "phone", "jellyfin:22", "--format", "json")
    expect_exit(1, result)
    record = record_of(result)
    expect_equal(["W0305"], [one["code"] for one in record["diagnostics"]], "diagnostics")
    expect_equal(("extgw01", "phone", "jellyfin:22", "denied"), tuple(record[k] for k in ("node", "from", "to", "verdict")), "head")
    (answer,) = record["answers"]
    expect_equal(7200, answer["age"], "age")
    expect_equal("2026-11-24T10:00:00Z", answer["locked"], "locked")
    expect_equal((["10.69.50.12"], ["10.69.13.20"], "22/tcp"), (answer["who_addresses"], answer["addresses"], answer["ports"]), "addresses")
    (finding,) = answer["findings"]
    expect_equal(("denied", "no_permission", "forward", "tunnel", "other"), tuple(finding[k] for k in ("verdict", "why", "hook", "in", "out")), "finding")
    expect_equal([], answer["allowed_by"], "lines")
    expect_equal(["port", "grant", "bastion"], [near["kind"] for near in answer["near_misses"]], "near misses")
    expect_equal(
        ("on port 8096", "tiers.vpn", "policy.toml", line_of(folder, 'allow = ["grafana", "media", "dns"]')),
        tuple(answer["near_misses"][0][k] for k in ("text", "via", "file", "line")),
        "the first near miss",
    )
    record = record_of(explain(folder, "phone", "jellyfin", "--format", "json"))
    expect_equal("allowed", record["verdict"], "verdict")
    expect_equal([("tiers.vpn", ["at most 50/second"], True)], [(one["via"], one["terms"], one["whole"]) for one in record["answers"][0]["allowed_by"]], "lines")
    expect_equal("partly", record_of(explain(folder, "phone", "home:8096", "--format", "json"))["verdict"], "verdict")
    expect_equal("not_judged", record_of(explain(folder, "10.69.13.5", "jellyfin", "--format", "json"))["verdict"], "verdict")


@case
def bad_questions_are_told_like_bad_policies(folder):
    house(folder)
    for source, target, code, words in (
        ("phne", "jellyfin", "E0201", "did you mean `phone`?"),
        ("phone", "jelyfin:8096", "E0201", "did you mean `jellyfin`?"),
        ("phone", "home", "E0203", 'write "home:22" for a port'),
        ("phone", "10.69.13.20", "E0203", 'write "10.69.13.20:22" for a port'),
        ("jellyfin", "home:22", "E0202", "`jellyfin` is a service, and can't be a source"),
        ("phone:22", "home:22", "E0204", 'write "phone"'),
        ("phone", "home:80960", "E0103", "did you mean 8096?"),
        ("phone", "home:22/icmp", "E0107", "ICMP echo is written `ping`"),
        ("10.69.13.5/24", "home:22", "E0403", "10.69.13.0/24"),
        ("phone", "home:22:tcp", "E0112", 'write one "host:port"'),
        ("phone", "fd69::1:22", "E0203", 'write "[fd69::1:22]:22" for a port'),
        ("phone", "http://jelly01/", "E0113", ""),
        ('ph"one', "home:22", "E0201", ""),
        ("phone", "\x1b[31m\xe4:22", "E0201", ""),
    ):
        result = explain(folder, source, target)
        expect_exit(2, result)
        expect_words(f"error[{code}]", result)
        expect_words("--> the command line:1:", result)
        expect_words(words, result)
        expect("\x1b" not in result.stderr, result, "a terminal would be steered")
        record = record_of(explain(folder, source, target, "--format", "json"))
        expect(code in [one["code"] for one in record["diagnostics"]], json.dumps(record))


@case
def the_place_of_a_mistake_is_underlined(folder):
    house(folder)
    expect_words(' 1 | "phone" "jelyfin:8096"\n   |          ^^^^^^^ not found\n', explain(folder, "phone", "jelyfin:8096"))


@case
def usage_is_trouble(folder):
    house(folder)
    expect_exit(2, run("explain", "policy.toml", "phone", cwd=folder))
    expect_words("wants TO", run("explain", "policy.toml", "phone", cwd=folder))
    expect_exit(2, explain(folder, "phone", "jellyfin", "--in", "lo"))
    expect_exit(2, explain(folder, "phone", "jellyfin", "--node", "nobody"))


@case
def the_tests_of_the_policy_are_not_judged_but_its_mistakes_are(folder):
    with_lock(folder)
    text = (folder / "policy.toml").read_text()
    write_policy(folder, text + '\n[[test]]\nname = "t"\nfrom = ["phone"]\ndeny = ["jellyfin"]\n')
    expect_exit(0, explain(folder, "phone", "jellyfin"))
    write_policy(folder, text + "\n[[test]]\n")
    expect_exit(1, explain(folder, "phone", "jellyfin"))
    write_policy(folder, text + "\n[test]\n")
    expect_words("`test` can't be", explain(folder, "phone", "jellyfin"))


@case
def another_node_can_be_asked_about(folder):
    house(folder)
    result = explain(folder, "phone", "jellyfin", "--node", "vps")
    expect_exit(0, result)
    expect_data('not judged: phone -> jellyfin:8096/tcp', result)
    expect_data('the scope of vps is "none"', result)


@case
def colours_are_for_terminals_and_for_whoever_asks(folder):
    house(folder)
    expect("\x1b" not in explain(folder, "phone", "jellyfin").stdout, "colours")
    expect_data("\x1b[1;32mallowed\x1b[0m: phone", explain(folder, "phone", "jellyfin", "--color", "always"))


@case
def an_answer_shows_no_control_character_of_a_file_name(folder):
    house(folder)
    (folder / "policy.toml").rename(folder / "odd\n\x1b[31m.toml")
    result = run("explain", "odd\n\x1b[31m.toml", "phone", "media", "--lock", "policy.lock", cwd=folder)
    expect_data("says more of one", result)
    expect("\x1b" not in result.stdout and "odd\n" not in result.stdout, result)


@case
def a_tier_may_open_an_address_of_the_node_that_no_line_says(folder):
    policy = """version = 1
networks.home = "10.69.13.0/24"
nodes.gw = { role = "gateway", address = "10.69.50.2", interface = "wg0", serves = ["home"] }
nodes.a = { address = "10.69.50.11" }
nodes.b = { address = "10.69.50.12" }
services.nas = "10.69.13.9:80"
tiers.t = { who = ["a"], allow = ["home:22", "10.69.13.1:53", "nas", "10.70.0.0/16:23"] }
tiers.u = { who = ["a", "b"], allow = ["10.69.0.0/16:25"], grant = { max = "1h" } }
"""
    write_policy(folder, policy)

    def asked(who, what):
        return run("explain", "policy.toml", who, what, cwd=folder)

    expect_data("it would be allowed\n    at an address that gw itself has in 10.69.13.0/24  policy.toml:7  tiers.t\n", asked("a", "gw:22"))
    expect_data("    if 10.69.13.1 is an address of gw itself  policy.toml:7  tiers.t\n", asked("a", "gw:53"))
    for who, what in (("b", "gw:22"), ("a", "gw:80"), ("a", "gw:23"), ("a", "gw:25")):
        expect("gw itself has" not in asked(who, what).stdout and "of gw itself" not in asked(who, what).stdout, who, what)


main()
