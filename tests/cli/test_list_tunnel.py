"""list, where scope tunnel judges nothing: between two places on one side of a gateway, or one of them and itself."""

from harness import case, expect, expect_equal, main, record_of, run, write_policy

POLICY = """version = 1
networks.lan = ["10.69.13.0/24"]
nodes.gw = { address = "10.69.50.2", role = "gateway", interface = "wg0", serves = ["lan"], input.ssh = { from = ["lan", "laptop", "10.69.0.0/16"] }, output = ["nas:22", "gw:53", "10.69.12.0/23:80"] }
nodes.laptop = { address = "10.69.50.11" }
services.nas = "10.69.13.9:443"
tiers.all = { who = ["lan", "laptop", "10.69.12.0/23", "gw"], allow = ["nas", "laptop:22", "gw:53", "10.69.12.0/23:80"] }
tiers.some = { who = ["10.69.13.7"], allow = ["nas"], grant = { max = "1h" } }
"""


def marked(folder, text, *arguments):
    """What the list marks, and on which node; in the table as in JSON."""
    write_policy(folder, text)
    rows = record_of(run("list", "policy.toml", *arguments, "--format", "json", cwd=folder))["access"]
    table = run("list", "policy.toml", *arguments, cwd=folder).stdout
    found = {(row["who"], row["what"], row["via"].partition(".")[0]): row["not_judged_on"] for row in rows if "not_judged_on" in row}
    for row in rows:
        expect("not_judged_on" not in row or row["in_force"], row)
    lines = [line for line in table.splitlines() if line.endswith("not judged on gw")]
    expect_equal(len(found), len(lines), table)
    return found


@case
def what_never_passes_the_tunnel_is_marked(folder):
    sides = {("lan", "nas", "tiers"): "gw", ("lan", "gw", "tiers"): "gw", ("lan", "gw", "nodes"): "gw"}
    sides |= {("gw", what, via): "gw" for what in ("nas", "gw") for via in ("tiers", "nodes")}
    expect_equal(sides, marked(folder, POLICY), "all")
    expect_equal(sides, marked(folder, POLICY, "--node", "gw"), "of that node")
    expect_equal({}, marked(folder, POLICY, "--node", "laptop"), "of another node")
    expect_equal({key: "gw" for key in sides if key[1] == "nas" and key != ("gw", "nas", "nodes")}, marked(folder, POLICY, "--what", "nas"), "of one thing")
    expect_equal({}, marked(folder, POLICY.replace('role = "gateway"', 'role = "gateway", scope = "host"')), "scope host")


@case
def what_another_node_serves_too_is_not(folder):
    exit_node = 'nodes.exit = { address = "10.69.50.3", serves = ["%s"] }\n'
    own = {(who, "gw", via): "gw" for who in ("lan", "gw") for via in ("tiers", "nodes")}
    for network in ("0.0.0.0/0", "10.69.13.0/28"):
        expect_equal(own, marked(folder, POLICY + exit_node % network), network)
    expect_equal(7, len(marked(folder, POLICY + exit_node % "10.69.14.0/24")), "elsewhere")


@case
def graphs_say_it_too(folder):
    write_policy(folder, POLICY)
    for form in ("mermaid", "dot"):
        graph = run("list", "policy.toml", "--format", form, cwd=folder).stdout
        expect_equal(7, graph.count(" not judged on gw"), graph)
        expect("443/tcp (tiers.all) not judged on gw" in graph, graph)


main()
