"""list of one person or one thing where both have addresses of two families: who is asked for by one family reaches nothing by the other."""

from harness import case, expect_data, expect_equal, expect_exit, main, record_of, run, write_policy

# laptop and home have both families; four and six have one, and so has a guest.
POLICY = """version = 1
ipv6 = "dual"
networks.home = ["10.69.13.0/24", "fd69:13::/64"]
nodes.gw = { role = "gateway", address = ["10.69.50.2", "fd69:50::2"], interface = "wg0", serves = ["home"], input.ssh = { from = ["laptop"] }, input.dns = { from = ["fd69:99::/64"] }, output = ["10.69.13.9:53/udp", "[fd69:13::9]:53/udp"] }
nodes.laptop = { address = ["10.69.50.11", "fd69:50::11"] }
services.four = "10.69.14.5:80"
services.six = "[fd69:14::5]:80"
services.none = "nas.home.example:80"
tiers.a = { who = ["laptop"], allow = ["home:80", "four", "six", "none"] }
tiers.b = { who = ["10.69.50.11"], allow = ["home:81"] }
tiers.c = { who = ["fd69:99::/64"], allow = ["home:82", "four"] }
"""

BOTH = {("laptop", "home"), ("laptop", "none"), ("laptop", "gw")}
GUEST = "fd69:99::/64"


def listed(folder, *arguments):
    rows = record_of(run("list", "policy.toml", *arguments, "--format", "json", cwd=folder))["access"]
    return {(row["who"], row["what"]) for row in rows}


@case
def an_address_reaches_what_has_its_family(folder):
    write_policy(folder, POLICY)
    four, six = ("laptop", "four"), ("laptop", "six")
    expect_equal(BOTH | {four, six, ("10.69.50.11", "home")}, listed(folder, "--who", "laptop"), "both")
    expect_equal(BOTH | {four, ("10.69.50.11", "home")}, listed(folder, "--who", "10.69.50.11"), "IPv4")
    expect_equal(BOTH | {six}, listed(folder, "--who", "fd69:50::11"), "IPv6")
    expect_equal({("gw", "10.69.13.9")}, listed(folder, "--who", "10.69.50.2"), "an output by IPv4")
    expect_equal({("gw", "fd69:13::9")}, listed(folder, "--who", "fd69:50::2"), "an output by IPv6")
    result = run("list", "policy.toml", "--who", "fd69:50::11", "--what", "four", cwd=folder)
    expect_exit(0, result)
    expect_data("fd69:50::11 does not reach four", result)


@case
def an_address_is_reached_by_what_has_its_family(folder):
    write_policy(folder, POLICY)
    home = ("laptop", "home")
    expect_equal({home, ("10.69.50.11", "home"), (GUEST, "home")}, listed(folder, "--what", "home") - {("laptop", "gw"), (GUEST, "gw"), ("gw", "10.69.13.9"), ("gw", "fd69:13::9")}, "both")
    expect_equal({home, ("10.69.50.11", "home"), ("laptop", "gw")}, listed(folder, "--what", "10.69.13.7"), "IPv4")
    expect_equal({home, (GUEST, "home"), ("laptop", "gw"), (GUEST, "gw")}, listed(folder, "--what", "fd69:13::7"), "IPv6")
    expect_equal({("laptop", "gw")}, listed(folder, "--what", "10.69.50.2"), "an input by IPv4")
    expect_equal({("laptop", "gw"), (GUEST, "gw")}, listed(folder, "--what", "fd69:50::2"), "an input by IPv6")
    expect_equal({home, ("laptop", "gw")}, listed(folder, "--who", "fd69:50::11", "--what", "home"), "both asked for, and one by IPv6")
    expect_equal(set(), listed(folder, "--who", "fd69:50::11", "--what", "10.69.13.7"), "of two families")


@case
def what_is_not_in_force_for_want_of_a_family_is_shown_as_that(folder):
    write_policy(folder, POLICY)
    expect_equal({(GUEST, "home"), (GUEST, "four"), (GUEST, "gw")}, listed(folder, "--who", GUEST), "by who")
    expect_data("not in force: no address of one family", run("list", "policy.toml", "--who", GUEST, cwd=folder))
    expect_equal({("laptop", "four"), (GUEST, "four")}, listed(folder, "--what", "four"), "by what")
    expect_equal({("laptop", "none")}, listed(folder, "--what", "none"), "without an address")


@case
def rows_are_counted_as_they_are_shown(folder):
    people = "".join(f'nodes.p{i} = {{ address = ["10.70.{i // 200}.{20 + i % 200}", "fd69:51::{i:x}"] }}\n' for i in range(1, 502))
    things = "".join(f'services.s{i} = "[fd69:14::5]:{i}"\n' for i in range(1, 501))
    text = POLICY + people + things
    text += f"[tiers.d]\nwho = {[f'p{i}' for i in range(1, 502)]}\nallow = {[f's{i}' for i in range(1, 501)]}\n".replace("'", '"')
    write_policy(folder, text)
    expect_exit(2, run("list", "policy.toml", "--what", "fd69:14::5", cwd=folder))
    expect_equal(500, len(listed(folder, "--who", "p7")), "one person")
    # That would be too many rows, were they counted by who is asked for alone.
    expect_equal(set(), listed(folder, "--who", "10.70.0.0/16", "--what", "fd69:14::5"), "of two families")


main()
