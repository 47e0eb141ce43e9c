"""apply refuses to cut the tunnel that others come through: a real one, whose hub is programmed from its console. At boot the rules come first."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, ran, run, skipped  # noqa: E402
from lab import Lab  # noqa: E402

HUB = """version = 1

[nodes.vps]
role       = "gateway"
scope      = "host"
address    = "10.69.50.1"
interface  = "wg1"
input.ping = { from = ["laptop"] }

[nodes.laptop]
address = "10.69.50.11"

[nodes.phone]
address = "10.69.50.12"
"""
INTERFACE = 'interface  = "wg1"\n'
CUT = ("error[E0901]: apply refused: the tunnel that others come through would be cut", "[nodes.vps]", "a peer of wg1 comes from ",
       "-> 192.0.2.1:51820/udp, which carries wg1, is let through now, where there is no table inet policyc, and denied by this policy")
REFUSED = "WireGuard of wg1 listens on 51820/udp, which this policy refuses: who dials this host can't come in: "


def write(lab, line):
    lab.write_text(HUB.replace(INTERFACE, INTERFACE + line))


def policyc(lab, *words):
    return lab.policyc("vps", *words, sees_tunnels=True)


def apply(lab, *options):
    return policyc(lab, "apply", lab.policy, "--offline", *options)


def table(lab):
    return lab.nft("vps", "list", "tables").strip()


def said(done, code, *words):
    check(done.returncode == code, f"wanted exit {code}, saw {done.returncode}\n{done.stdout}{done.stderr}")
    for one in words:
        check(one in done.stdout + done.stderr, f"no `{one}` in\n{done.stdout}{done.stderr}")


def answers(lab):
    """Whether the hub answers laptop through the tunnel."""
    return lab.ping("laptop", "10.69.50.1")


def check_warns(lab):
    write(lab, "")
    said(policyc(lab, "check", lab.policy), 0, "warning[W0210]: `vps` refuses WireGuard itself")


def a_first_apply_is_refused(lab):
    for line, help_ in (("", "write listen_port = 51820 for this node; where this host dials that peer, name it as `peer`; or `policyc apply --force-lockout` cuts it"),
                        ("listen_port = 51821\n", "write listen_port = 51820 for this node (it says 51821, and the interface listens on another)"),
                        ('endpoint = "192.0.2.1:51821"\n', "write port 51820 in its `endpoint`, which the interface listens on")):
        write(lab, line)
        said(apply(lab, "--dry-run"), 1, *CUT, help_)
        said(apply(lab), 1, *CUT, help_)
        check(table(lab) == "", "there are rules after an apply that was refused")
    check(answers(lab), "the tunnel is cut by an apply that was refused")


def where_the_port_is_open_it_is_not(lab):
    write(lab, "listen_port = 51820\n")
    done = apply(lab)
    said(done, 0, "vps: " + lab.policy + " applied")
    check("which this policy refuses" not in done.stderr, done.stderr)
    check(answers(lab), "the tunnel is cut, and its port is open")
    check("which this policy refuses" not in ran(policyc(lab, "verify", lab.policy), 0, "verify").stdout, "verify says that the port is refused")
    # Nor by an input.
    write(lab, "input.tunnel = { from = [\"198.51.100.11\", \"203.0.113.12\"], ports = [\"51820/udp\"] }\n")
    check("which this policy refuses" not in ran(apply(lab), 0, "an apply with an input").stderr, "an input of that port counts for nothing")
    check(answers(lab), "the tunnel is cut, and an input opens its port")


def an_apply_that_closes_the_port_is_refused(lab):
    write(lab, "")
    said(apply(lab), 1, CUT[0], "which carries wg1, is allowed by the live ruleset and denied by this policy")
    check(answers(lab), "the tunnel is cut by an apply that was refused")


def force_lockout_cuts_it(lab):
    said(apply(lab, "--force-lockout"), 0, "warning: " + REFUSED + "write listen_port = 51820 for vps")
    check(not answers(lab), "the tunnel lives on")
    said(policyc(lab, "verify", lab.policy), 0, "can narrow it", REFUSED.split(":")[0])


def at_boot_the_rules_come_first(lab):
    """The table is gone, the record of the last apply is there; and whoever comes by now."""
    lab.nft("vps", "delete", "table", "inet", "policyc")
    check(answers(lab), "the tunnel does not come back")
    write(lab, "listen_port = 51821\n")
    said(apply(lab), 0, "warning: " + REFUSED + "listen_port says 51821")
    check(table(lab) == "table inet policyc", "no rules after a boot")


def who_dials_is_not_refused(lab):
    """A client without keepalives: the tunnel is its own to begin anew."""
    client = HUB.replace('scope      = "host"\n', 'endpoint   = "192.0.2.1:51820"\n').replace(INTERFACE, "").replace('address = "10.69.50.11"', 'address = "10.69.50.11"\ninterface = "wg0"\nscope = "host"\npeer = "vps"')
    client = client.replace("input.ping = { from = [\"laptop\"] }\n", "").replace('role       = "gateway"\n', "")
    lab.write_text(client)
    lab.spaces.run("laptop", "nsenter", f"--mount=/proc/{lab.nodes['laptop'].pid}/ns/mnt", "wg", "set", "wg0", "peer", lab.keys["vps"][1], "persistent-keepalive", "0", check=True)
    words = ("apply", lab.policy, "--offline")
    silent = "vps is heard only after this host has sent something: let WireGuard keep alive (PersistentKeepalive), or write listen_port = "
    said(lab.policyc("laptop", *words, sees_tunnels=True), 0, "laptop: " + lab.policy + " applied", "which this policy refuses: " + silent)
    said(lab.policyc("laptop", "verify", lab.policy, sees_tunnels=True), 0, silent)
    # Without the word of it, nobody knows who dials.
    lab.nft("laptop", "delete", "table", "inet", "policyc")
    shutil.rmtree(os.path.join(lab.directory, "state-laptop"))
    lab.write_text(client.replace('peer = "vps"', ""))
    said(lab.policyc("laptop", *words, sees_tunnels=True), 1, CUT[0], "a peer of wg0 comes from 192.0.2.1", "where this host dials that peer, name it as `peer`")


def others_may_dial_a_node_that_dials(lab):
    """Its `peer` is somebody else, at a port that one of those who dial it has too."""
    port = next(word.split(":")[1] for word in lab.spaces.run("vps", "nsenter", f"--mount=/proc/{lab.nodes['vps'].pid}/ns/mnt", "wg", "show", "wg1", "endpoints").stdout.split() if ":" in word and word.startswith("198.51.100.11:"))
    write(lab, 'peer = "phone"\n')
    lab.edit('[nodes.phone]\n', f'[nodes.phone]\nendpoint = "203.0.113.99:{port}"\n')
    lab.nft("vps", "delete", "table", "inet", "policyc")
    shutil.rmtree(os.path.join(lab.directory, "state-vps"))
    check(answers(lab), "the tunnel does not come back")
    said(apply(lab), 1, CUT[0], "a peer of wg1 comes from ")
    said(apply(lab, "--force-lockout"), 0, "warning: " + REFUSED + "write listen_port = 51820 for vps")
    said(policyc(lab, "verify", lab.policy), 0, REFUSED.split(":")[0])


def main():
    why = Lab.missing()
    if why:
        return skipped(why)
    with Lab() as lab:
        return run([check_warns, who_dials_is_not_refused, a_first_apply_is_refused, where_the_port_is_open_it_is_not, an_apply_that_closes_the_port_is_refused, force_lockout_cuts_it,
                    at_boot_the_rules_come_first, others_may_dial_a_node_that_dials], lab)


if __name__ == "__main__":
    sys.exit(main())
