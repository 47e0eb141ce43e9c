"""list: who reaches what, as a table, a record and a graph, without a kernel and without a network."""

import json
import shutil
import subprocess

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
    skip,
    with_lock,
    write_policy,
)

LISTED = (
    POLICY
    + """
[tiers.full]
who     = ["laptop"]
allow   = ["home:*"]
grant   = { max = "4h" }
log     = "new"

[tiers.guest]
who     = ["phone"]
allow   = ["home:443"]
expires = 2026-12-31
"""
)


@case
def list_shows_who_reaches_what(folder):
    with_lock(folder, LISTED)
    result = run("list", "policy.toml", cwd=folder)
    expect_exit(0, result)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in (
        "laptop 10.69.50.11",
        "grafana monitoring01.home.example 10.69.13.30 3000/tcp tiers.vpn policy.toml:25",
        "jellyfin 10.69.13.20 8096/tcp tiers.vpn policy.toml:25",
        "home 10.69.13.0/24 * tiers.full policy.toml:29 logged, not in force: needs a grant, at most 4h",
        "home 10.69.13.0/24 443/tcp tiers.guest policy.toml:35 until 2026-12-31",
        "extgw01 10.69.50.2 and its other addresses 22/tcp input.ssh policy.toml:11 6/minute",
        "phone 10.69.50.12",
        "implied on extgw01",
        "replies to what extgw01 itself began",
    ):
        expect(line in lines, result, f"missing: {line}")
    gone = run("list", "policy.toml", cwd=folder, now="2027-01-01T00:00:00Z")
    expect_data("not in force: expired 2026-12-31", gone)


@case
def list_takes_a_group_for_who_is_in_it(folder):
    groups = '\n[groups]\nall = ["mobile", "laptop"]\nmobile = ["phone"]\nwatch = ["jellyfin"]\n'
    with_lock(folder, LISTED + groups)

    def listed(*arguments):
        return sorted((row["who"], row["what"]) for row in record_of(run("list", *arguments, "policy.toml", "--format", "json", cwd=folder))["access"])

    everything = listed()
    expect_equal(everything, listed("--who", "all"), "the whole of it")
    expect_equal([row for row in everything if row[0] == "phone"], listed("--who", "mobile"), "one of them")
    seen = [("laptop", "home"), ("laptop", "jellyfin"), ("phone", "jellyfin")]  # jellyfin is in home
    expect_equal(seen, listed("--what", "watch"), "what is in it")
    expect_equal([], listed("--what", "mobile"), "the people of a group")
    expect_words("did you mean `mobile`?", run("list", "policy.toml", "--who", "mobil", cwd=folder))


@case
def list_says_where_a_name_has_no_address(folder):
    write_policy(folder)
    expect_data("monitoring01.home.example (no address)", run("list", "policy.toml", cwd=folder))


# laptop has both families, the guests IPv6 only.
BOTH_FAMILIES = """version = 1
networks.home = ["10.69.13.0/24", "fd69:13::/64"]
nodes.gw = { role = "gateway", address = ["10.69.50.2", "fd69:50::2"], interface = "wg0", serves = ["home"], input.ssh = { from = ["laptop", "fd69:99::/64"] }, output = ["10.69.13.9:53/udp", "[fd69:13::9]:53/udp"] }
nodes.laptop = { address = ["10.69.50.11", "fd69:50::11"] }
services.six = "[fd69:13::5]:80"
tiers.a = { who = ["laptop"], allow = ["home:80", "six"] }
tiers.b = { who = ["fd69:99::/64"], allow = ["home:80", "10.69.13.7:22"] }
"""


@case
def list_shows_what_no_packet_can_be_of_as_not_in_force(folder):
    def listed(*arguments):
        rows = record_of(run("list", "policy.toml", *arguments, "--format", "json", cwd=folder))["access"]
        for row in rows:
            expect_equal("why_not" in row, not row["in_force"], row)
        return {(row["who"], row["what"], row["via"]): (" ".join(row["addresses"]), row.get("why_not", "in force")) for row in rows}

    def graph(form):
        return run("list", "policy.toml", "--format", form, cwd=folder).stdout

    write_policy(folder, BOTH_FAMILIES)
    denied, apart = 'ipv6 = "deny"', "no address of one family"
    guests, ssh, output = "fd69:99::/64", "nodes.gw.input.ssh", "nodes.gw.output"
    expect_equal(
        {
            ("laptop", "home", "tiers.a"): ("10.69.13.0/24", "in force"),
            ("laptop", "six", "tiers.a"): ("fd69:13::5", denied),
            ("laptop", "gw", ssh): ("10.69.50.2", "in force"),
            (guests, "home", "tiers.b"): ("10.69.13.0/24", denied),
            (guests, "10.69.13.7", "tiers.b"): ("10.69.13.7", apart),
            (guests, "gw", ssh): ("10.69.50.2", denied),
            ("gw", "10.69.13.9", output): ("10.69.13.9", "in force"),
            ("gw", "fd69:13::9", output): ("fd69:13::9", denied),
        },
        listed(),
        "denied",
    )
    table = [" ".join(line.split()) for line in run("list", "policy.toml", cwd=folder).stdout.splitlines()]
    for line in (
        "laptop 10.69.50.11",
        "home 10.69.13.0/24 80/tcp tiers.a policy.toml:6",
        f"six fd69:13::5 80/tcp tiers.a policy.toml:6 not in force: {denied}",
        f"10.69.13.7 10.69.13.7 22/tcp tiers.b policy.toml:7 not in force: {apart}",
    ):
        expect(line in table, table, f"missing: {line}")
    expect_equal((3, 5), (graph("mermaid").count("-->"), graph("mermaid").count("-.->")), "mermaid")
    expect_equal(5, graph("dot").count("style=dashed"), "dot")
    # What is in force by IPv4 alone is nothing that somebody reaches by IPv6.
    expect_equal({("laptop", "six", "tiers.a"), ("gw", "fd69:13::9", output)}, set(listed("--what", "fd69:13::/64")), "--what")
    expect_equal({}, listed("--who", "fd69:50::11"), "--who")

    write_policy(folder, 'ipv6 = "dual"\n' + BOTH_FAMILIES)
    both = listed()
    expect_equal({(guests, "10.69.13.7", "tiers.b")}, {key for key, (_, why) in both.items() if why == apart}, "dual")
    expect_equal(7, sum(why == "in force" for _, why in both.values()), "dual")
    expect_equal("10.69.13.0/24 fd69:13::/64", both["laptop", "home", "tiers.a"][0], "dual")

    # An input is open at all addresses of its node, and an output from all.
    write_policy(folder, BOTH_FAMILIES.replace('["10.69.50.2", "fd69:50::2"]', '"fd69:50::2"'))
    lone = listed()
    expect_equal(("", "in force"), lone["laptop", "gw", ssh], "an input")
    expect_equal(("10.69.13.9", "in force"), lone["gw", "10.69.13.9", output], "an output")
    expect_data("its own addresses", run("list", "policy.toml", cwd=folder))


@case
def a_list_shows_no_control_character_of_a_file_name(folder):
    with_lock(folder)
    write_policy(folder, POLICY, "odd\n\x1b[31m.toml")
    result = run("list", "odd\n\x1b[31m.toml", "--lock", "policy.lock", cwd=folder)
    expect_exit(0, result)
    expect("\x1b" not in result.stdout and "odd\n" not in result.stdout and ".toml:" in result.stdout, result)


@case
def list_as_json_says_the_same(folder):
    with_lock(folder, LISTED)
    record = record_of(run("list", "policy.toml", "--format", "json", cwd=folder))
    rows = {(row["who"], row["what"], row["via"]): row for row in record["access"]}
    full = rows["laptop", "home", "tiers.full"]
    expect_equal(
        (False, ["*"], True, 29), (full["in_force"], full["ports"], full["log"], full["line"]), "the full tier"
    )
    grafana = rows["phone", "grafana", "tiers.vpn"]
    expect_equal(
        (True, ["10.69.13.30"], ["3000/tcp"]), (grafana["in_force"], grafana["addresses"], grafana["ports"]), "grafana"
    )
    ssh = rows["laptop", "extgw01", "nodes.extgw01.input.ssh"]
    expect_equal((["6/minute"], ["22/tcp"]), (ssh["limits"], ssh["ports"]), "ssh")
    expect(any(row["node"] == "extgw01" for row in record["implied"]), record["implied"])


@case
def list_says_what_a_node_does_not_judge(folder):
    def listed(lines, *arguments):
        write_policy(folder, POLICY.replace('interface = "wg0"', 'interface = "wg0"' + "".join("\n" + line for line in lines)))
        record = record_of(run("list", "policy.toml", "--format", "json", *arguments, cwd=folder))
        table = run("list", "policy.toml", *arguments, cwd=folder).stdout
        for row in record["not_judged"]:
            expect(f"\nnot judged on {row['node']}: {row['what']}\n" in table, table, row)
        expect_equal(len(record["not_judged"]), table.count("\nnot judged on "), "rows of both")
        return [row["what"] for row in record["not_judged"]]

    untouched = 'untouched = ["if:wg-old", "10.9.0.0/24"]'
    beside = "what neither enters nor leaves through wg0"
    expect_equal([beside + "; what it sends itself"], listed([]), "scope tunnel")
    expect_equal([beside + ", be it of `untouched` or not"], listed([untouched, 'output = ["jellyfin"]']), "with output")
    expect_equal(['anything, for its scope is "none"'], listed(['scope = "none"']), "scope none")
    host = listed(['scope = "host"', untouched])
    expect_equal(
        ["what comes from or goes to wg-old, 10.9.0.0/24 (`untouched`) and does not cross wg0; what it sends itself"],
        host,
        "scope host",
    )
    expect_equal([], listed(['scope = "host"', "output = []"]), "all is judged")
    expect_equal([], listed([], "--who", "laptop"), "one person")


@case
def list_of_one_person_or_one_thing(folder):
    with_lock(folder, LISTED)

    def listed(*arguments):
        record = record_of(run("list", "policy.toml", *arguments, "--format", "json", cwd=folder))
        return {(row["who"], row["what"]) for row in record["access"]}, record["implied"]

    everything, implied = listed()
    expect(len(everything) > 5 and implied, everything)
    for who in {who for who, _ in everything}:
        expect_equal(({pair for pair in everything if pair[0] == who}, []), listed("--who", who), who)
    grafana = {("laptop", "grafana"), ("phone", "grafana"), ("laptop", "home")}  # of home, laptop has all ports and phone 443
    for what in ("grafana", "monitoring01.home.example", "10.69.13.30:3000"):
        expect_equal((grafana, []), listed("--what", what), what)
    for what in ("extgw01", "10.69.50.2", "10.69.50.2:22", "10.69.50.0/24"):
        expect_equal(({("laptop", "extgw01")}, []), listed("--what", what), what)
    # The gateway has an address in the network that it serves, and its ssh is open there too.
    expect_equal((everything, []), listed("--what", "home"), "home")
    expect_equal(({("laptop", "home"), ("laptop", "extgw01")}, []), listed("--what", "10.69.13.2:22"), "one address of it")
    expect_equal(({("laptop", "grafana"), ("laptop", "home")}, []), listed("--who", "laptop", "--what", "grafana"), "both")
    for arguments, answer in (
        (("--who", "extgw01"), "extgw01 reaches nothing"),
        (("--what", "phone"), "nobody reaches phone"),
        (("--who", "phone", "--what", "extgw01:80"), "phone does not reach extgw01:80"),
    ):
        result = run("list", "policy.toml", *arguments, cwd=folder)
        expect_exit(0, result)
        expect_equal(answer + "\n", result.stdout, "stdout")
    for arguments, message, help_ in (
        (("--who", "lapto"), "`lapto` is not a group, node or network", "did you mean `laptop`?"),
        (("--who", "bogus.example"), "`bogus.example` is not a group, node or network", "and never a host name"),
        (("--who", "10.69.50.2-5"), "`10.69.50.2-5` is not an address", "or the addresses one by one"),
        (("--what", "graphana"), "`graphana` is not a service, group, node or network", "did you mean `grafana`?"),
        (("--who", "grafana"), "`grafana` is a service, and can't be a source", "a source is a node, a network, an address"),
    ):
        result = run("list", "policy.toml", *arguments, cwd=folder)
        expect_exit(2, result)
        expect_words(message, result)
        expect_words(help_, result)
        expect_words("the command line:1:1", result)
    # What is wrong with the policy too is no matter of usage.
    write_policy(folder, LISTED + "\n[log]\ncounters = 7\n")
    expect_exit(1, run("list", "policy.toml", "--who", "lapto", cwd=folder))


@case
def list_sees_who_is_in_a_network_and_what_is_at_an_address(folder):
    """Names are not all: who is let in as a network is let in as each address of it."""
    write_policy(folder, """version = 1
[networks]
home = ["10.69.13.0/24"]
staff = ["10.69.50.8/29"]
[nodes.gw]
role = "gateway"
address = "10.69.50.2"
interface = "wg0"
serves = ["home"]
[nodes.laptop]
address = "10.69.50.11"
[nodes.phone]
address = "10.69.50.22"
[services]
a = "10.69.13.20:80"
b = "10.69.13.20:80"
c = "10.69.13.20:81"
unused = "10.69.13.21:81"
[tiers.one]
who = ["staff"]
allow = ["b"]
[tiers.two]
who = ["10.69.50.0/24"]
allow = ["10.69.13.20:70-80", "c"]
""")

    def listed(*arguments):
        table = run("list", "policy.toml", "--format", "json", *arguments, cwd=folder)
        return sorted((row["who"], row["what"]) for row in json.loads(table.stdout)["access"])

    all_of_it = [("10.69.50.0/24", "10.69.13.20"), ("10.69.50.0/24", "c"), ("staff", "b")]
    expect_equal(all_of_it, listed("--who", "laptop"), "in both networks")
    expect_equal(all_of_it[:2], listed("--who", "phone"), "in one")
    expect_equal(all_of_it[::2], listed("--what", "a"), "which no tier names")
    expect_equal([], listed("--what", "unused"), "where nothing is allowed")
    expect_equal(all_of_it[1:2], listed("--who", "10.69.50.22", "--what", "10.69.13.20:81"), "by address")
    expect_data("nobody reaches unused", run("list", "policy.toml", "--what", "unused", cwd=folder))
    checked = run("check", "policy.toml", cwd=folder)
    expect_words("no tier names service `unused`", checked)
    expect_equal(False, "service `a`" in checked.stderr, "by its address it is open")


@case
def list_and_explain_know_the_names_of_the_state_directory(folder):
    with_lock(folder)
    (folder / "state").mkdir()
    (folder / "policy.lock").rename(folder / "state/names.lock")
    for verb in (["list", "policy.toml"], ["explain", "policy.toml", "phone", "grafana"]):
        result = run(*verb, "--state-dir", folder / "state", cwd=folder)
        expect_exit(0, result)
        expect_data("10.69.13.30", result)
        expect_equal("", result.stderr, "stderr")
        expect_words("W0305", run(*verb, cwd=folder))


@case
def list_says_where_wireguard_itself_may_send(folder):
    policy = """version = 1
[nodes.gw]
role = "gateway"
address = "10.69.50.2"
interface = "wg0"
scope = "host"
peer = "vps"
output = ["10.69.13.5:53"]
[nodes.vps]
address = "10.69.50.1"
ENDPOINT
"""
    for endpoint, said in (
        ('endpoint = "192.0.2.1:443"', "  WireGuard to vps at 192.0.2.1: 443/udp\n"),
        ('endpoint = "vpn.example:443"', "  WireGuard to vps, anywhere over IPv4 since its endpoint is a name: 443/udp\n"),
        ("listen_port = 443", "  WireGuard to vps, anywhere over IPv4 since it has no endpoint: 443/udp\n"),
    ):
        write_policy(folder, policy.replace("ENDPOINT", endpoint))
        expect_data(said, run("list", "policy.toml", cwd=folder))


@case
def list_and_explain_say_where_the_state_directory_overrides_the_lock(folder):
    with_lock(folder)
    (folder / "state").mkdir()
    later = (folder / "policy.lock").read_text().replace("10.69.13.30", "10.69.13.35").replace("2026-11-24", "2026-11-25")
    (folder / "state/names.lock").write_text(later)
    for verb in (["list", "policy.toml"], ["explain", "policy.toml", "phone", "grafana"]):
        result = run(*verb, "--state-dir", folder / "state", cwd=folder, now="2026-11-26T12:00:00Z")
        expect_exit(0, result)
        expect_data("10.69.13.35", result)
        expect_words(f"is 10.69.13.35 by {folder}/state/names.lock, which counts as later than policy.lock: 10.69.13.30 there", result)
        wrong = run(*verb, "--state-dir", folder / "state", cwd=folder)
        expect_data("10.69.13.30", wrong)
        expect_words(f"warning: {folder}/state/names.lock: ", wrong)


@case
def a_list_that_nobody_could_read_is_refused_with_a_way_out(folder):
    nodes = "".join(f'[nodes.p{i}]\naddress = "10.9.{i >> 8}.{i & 255}"\n' for i in range(1, 503))
    services = "".join(f's{i} = "10.8.{i >> 8}.{i & 255}:80"\n' for i in range(500))
    people, things = (", ".join(f'"{letter}{i}"' for i in numbers) for letter, numbers in (("p", range(1, 502)), ("s", range(500))))
    write_policy(folder, 'version = 1\n[nodes.gw]\nrole = "gateway"\naddress = "10.9.0.0"\ninterface = "wg0"\nserves = ["10.8.0.0/16"]\n'
                         f"{nodes}[services]\n{services}[tiers.all]\nwho = [{people}]\nallow = [{things}]\n")
    for form in ("table", "json", "mermaid", "dot"):
        result = run("list", "policy.toml", "--format", form, cwd=folder)
        expect_exit(2, result)
        said = json.loads(result.stdout)["error"] if form == "json" else result.stderr
        expect("the list would have 250500 lines, and 250000 is the most that is shown" in str(said), said)
        expect("ask for one person or one service: --who p1, --what s0" in str(said), said)
    expect_equal(500 + 1, run("list", "policy.toml", "--who", "p7", cwd=folder).stdout.count("\n"), "lines of one person")
    expect_data("p502 reaches nothing", run("list", "policy.toml", "--who", "p502", cwd=folder))


@case
def list_draws_graphs(folder):
    with_lock(folder, LISTED)
    mermaid = run("list", "policy.toml", "--format", "mermaid", cwd=folder)
    expect(mermaid.stdout.startswith("graph LR\n"), mermaid)
    expect_data("-.->", mermaid)  # what is not in force
    dot = run("list", "policy.toml", "--format", "dot", cwd=folder)
    expect(dot.stdout.startswith("digraph") and dot.stdout.endswith("}\n"), dot)
    expect_data("style=dashed", dot)
    for line in dot.stdout.splitlines():
        expect(line.replace('\\"', "").count('"') % 2 == 0, line, "quotes don't match")
    if not shutil.which("dot"):
        skip("no dot")
    drawn = subprocess.run(["dot", "-Tsvg"], input=dot.stdout, capture_output=True, text=True)
    expect_exit(0, drawn)
    expect_data("<svg", drawn)


@case
def list_says_where_nobody_may_yet_reach_a_node_at_an_address_that_no_line_says(folder):
    policy = """version = 1
networks.home = "10.69.13.0/24"
nodes.gw = { role = "gateway", address = "10.69.50.2", interface = "wg0", serves = ["home"] }
nodes.a = { address = "10.69.50.11" }
nodes.b = { address = "10.69.50.12" }
tiers.t = { who = ["a"], allow = ["home:22", "10.69.13.9:80"] }
tiers.u = { who = ["b"], allow = ["home:22"], grant = { max = "1h" } }
"""
    write_policy(folder, policy)
    hint = "but at an address of its own in a network that it serves, if it has one:\n  a  home 10.69.13.0/24  22/tcp  tiers.t  policy.toml:6\n"
    expect_equal(f"nobody reaches gw:22\n{hint}", run("list", "policy.toml", "--what", "gw:22", cwd=folder).stdout, "--what")
    expect_equal(f"a does not reach gw:22\n{hint}", run("list", "policy.toml", "--what", "gw:22", "--who", "a", cwd=folder).stdout, "and --who")
    expect_equal("b does not reach gw:22\n", run("list", "policy.toml", "--what", "gw:22", "--who", "b", cwd=folder).stdout, "of somebody else")
    expect_equal("nobody reaches gw:80\n", run("list", "policy.toml", "--what", "gw:80", cwd=folder).stdout, "of single addresses")
    expect_equal("nobody reaches b:22\n", run("list", "policy.toml", "--what", "b:22", cwd=folder).stdout, "of a node that serves nothing")


main()
