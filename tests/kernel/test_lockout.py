"""apply refuses to cut the SSH session that it is typed in: with a real sshd, over a real tunnel, in a fresh table and in one that is there."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))
from cases import check, ran, run, skipped  # noqa: E402
from lab import TUNNEL, Lab  # noqa: E402

GATEWAY = TUNNEL["extgw01"]
SSH_LINE = 'input.ssh  = { from = ["clients"], limit = "6/minute" }           # the bastion'
SCOPE_LINE = 'scope      = "tunnel"                     # judge only what enters or leaves wg-ext (the default)'
MUTE = 'scope = "host"\noutput = ["dns"]'
HOST = 'scope = "host"\nlisten_port = 51820'
PHONE_ONLY = 'input.ssh  = { from = ["phone"], limit = "60/minute" }'
BOTH = 'input.ssh  = { from = ["clients"], limit = "60/minute" }'


def policyc_apply(lab, *options):
    # (The leak sanitizer of a build that has one can't read /proc there.)
    words = ["env", "ASAN_OPTIONS=detect_leaks=0", f"{os.environ['POLICYC_BUILD']}/policyc", "--node", "extgw01"]
    return " ".join([*words, "--state-dir", f"{lab.directory}/state", "apply", lab.policy, "--offline", *options])


def typed(lab, client, *options, before="", timeout=60):
    """What `policyc apply` says that is typed in an ssh session from there."""
    line = ["nsenter", f"--net={lab.spaces.path(client)}", *lab.ssh_command(GATEWAY, f"{before} {policyc_apply(lab, *options)}")]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)


def refused(done, what):
    check(done.returncode == 1, f"{what}: wanted exit 1, saw {done.returncode}\n{done.stdout}{done.stderr}")
    for words in ("error[E0901]: apply refused: your own SSH session would be cut", "input.ssh", f"your session comes from {TUNNEL['laptop']} over wg-ext",
                  f"-> {GATEWAY}:22/tcp is ", "denied by this policy", "--force-lockout"):
        check(words in done.stderr, f"{what}: no `{words}` in\n{done.stderr}")


def a_tunnel_that_is_exempt_from_tracking_is_not_cut(lab):
    """In scope host its own packets are judged, and policyc refuses what is not tracked. (More of that, of the session itself: test_lockout_tracked.py.)"""
    raw = "table ip raw {\nchain early { type filter hook prerouting priority raw; udp dport 51820 notrack; }\nchain out { type filter hook output priority raw; udp sport 51820 notrack; }\n"
    raw += "chain on { type filter hook input priority 0; ct state established accept; }\n}\n"  # what is not exempt is tracked
    lab.nft("extgw01", "-f", "-", input=raw)
    lab.edit(SCOPE_LINE, HOST)
    done = typed(lab, "laptop")
    check(done.returncode == 1, f"wanted exit 1, saw {done.returncode}\n{done.stdout}{done.stderr}")
    for words in ("error[E0901]: apply refused: the tunnel that your own SSH session comes through would be cut", "[nodes.extgw01]",
                  ":51820/udp, which carries wg-ext, is let through now, where there is no table inet policyc, and would be cut: "
                  "nothing tracks it, chain early of table ip raw takes packets from connection tracking, and what is not tracked is refused"):
        check(words in done.stderr, f"no `{words}` in\n{done.stderr}")
    lab.nft("extgw01", "delete", "table", "ip", "raw")
    ran(typed(lab, "laptop", "--dry-run"), 0, "a dry run where nothing is exempt")
    lab.edit(HOST, SCOPE_LINE)


def a_first_apply_is_refused(lab):
    lab.edit(SSH_LINE, PHONE_ONLY)
    refused(typed(lab, "laptop"), "a first apply")
    check(lab.nft("extgw01", "list", "ruleset") == "", "there are rules after an apply that was refused")
    refused(typed(lab, "laptop", "--dry-run"), "a dry run")
    # sudo takes SSH_CONNECTION away; then the sshd above tells. (The lab's has processes of its own, and would see /proc of others.)
    refused(typed(lab, "laptop", before="mount -t proc proc /proc && env -u SSH_CONNECTION"), "a first apply without SSH_CONNECTION")


def an_apply_that_wakes_a_dormant_table_is_refused(lab):
    """As it is after a rescue from a console: laptop's sessions are refused by the table, which judges nothing."""
    ran(typed(lab, "phone"), 0, "an apply from where ssh is allowed")
    lab.nft("extgw01", "add table inet policyc { flags dormant; }")
    for options in ([], ["--dry-run"]):
        done = typed(lab, "laptop", *options)
        refused(done, "an apply that wakes the table")
        check(":22/tcp is let through now, where table inet policyc is dormant, and denied by this policy" in done.stderr, done.stderr)
    check("flags dormant" in lab.nft("extgw01", "list", "table", "inet", "policyc"), "it is awake")
    ran(typed(lab, "phone"), 0, "an apply that wakes the table, from where ssh is allowed")
    check("flags dormant" not in lab.nft("extgw01", "list", "table", "inet", "policyc"), "it is dormant")
    lab.nft("extgw01", "delete", "table", "inet", "policyc")


def what_is_no_session_here_is_not_believed(lab):
    """As in a terminal that was left, and joined again from elsewhere: the words are those of before."""
    refused(typed(lab, "laptop", "--dry-run", before='SSH_CONNECTION="10.69.50.99 1 10.69.50.2 22"'), "a session of nobody, below one that would be cut")
    stale = {"SSH_CONNECTION": f"10.69.50.99 1 {GATEWAY} 22"}
    ran(lab.policyc("extgw01", "apply", lab.policy, "--offline", "--dry-run", env=stale), 0, "a session of nobody, where nobody is logged in")
    # Joined again from laptop: nothing above is laptop's sshd, and its session is one of those at that port.
    line = ["nsenter", f"--net={lab.spaces.path('laptop')}", *lab.ssh_command(GATEWAY, "echo in; cat")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as joined:
        check(joined.stdout.readline() == "in\n", "laptop can't log in")
        refused(lab.policyc("extgw01", "apply", lab.policy, "--offline", "--dry-run", env=stale), "a terminal joined again")
        joined.stdin.close()


def who_is_allowed_may_apply(lab):
    ran(typed(lab, "phone"), 0, "an apply from where ssh is allowed")
    # Laptop's are refused now, so there is nothing to cut.
    lab.edit(PHONE_ONLY, BOTH)
    ran(typed(lab, "phone"), 0, "an apply that lets laptop in")


def an_apply_that_changes_the_table_is_refused(lab):
    before = lab.nft("extgw01", "-j", "list", "ruleset")
    lab.edit(BOTH, PHONE_ONLY)
    done = typed(lab, "laptop")
    refused(done, "an apply")
    check("allowed by the live ruleset" in done.stderr, done.stderr)
    check(without_traffic(lab.nft("extgw01", "-j", "list", "ruleset")) == without_traffic(before), "the rules changed in an apply that was refused")
    # Not for those who are not concerned, and not for what nobody typed: a session of laptop does not keep what takes laptop's permission from being applied.
    ran(typed(lab, "phone", "--dry-run"), 0, "an apply from elsewhere")
    ran(lab.policyc("extgw01", "apply", lab.policy, "--offline", "--dry-run"), 0, "an apply that nobody typed")


def what_a_rule_by_hand_carries_is_not_cut(lab):
    """Laptop's SYN is refused before and after, but its session lives by a rule that the apply removes."""
    ran(typed(lab, "phone"), 0, "an apply that takes laptop's permission")
    for rule in ("ct state established,related accept", "ct status assured accept", "ct mark 0 accept"):
        # Laptop logs in while it may, and types the apply when only that rule carries it.
        lab.edit(PHONE_ONLY, BOTH)
        ran(typed(lab, "phone"), 0, "an apply that lets laptop in")
        script = f"read go; exec {policyc_apply(lab)}"
        line = ["nsenter", f"--net={lab.spaces.path('laptop')}", *lab.ssh_command(GATEWAY, "echo in; " + script)]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as joined:
            check(joined.stdout.readline() == "in\n", "laptop can't log in")
            lab.edit(BOTH, PHONE_ONLY)
            ran(typed(lab, "phone"), 0, "an apply that takes laptop's permission")
            lab.nft("extgw01", f"insert rule inet policyc input {rule}")
            before = without_traffic(lab.nft("extgw01", "-j", "list", "ruleset"))
            try:
                out, err = joined.communicate("go\n", timeout=20)
            except subprocess.TimeoutExpired:
                joined.kill()
                out, err = joined.communicate()
                check(False, f"{rule}: the session is cut\n{out}{err}")
            refused(subprocess.CompletedProcess(line, joined.returncode, out, err), f"an apply that removes `{rule}`")
            check(without_traffic(lab.nft("extgw01", "-j", "list", "ruleset")) == before, "the rules changed in an apply that was refused")
        ran(lab.policyc("extgw01", "apply", lab.policy, "--offline"), 0, "an apply that nobody typed")


def others_come_through_it(lab):
    """Typed at the console, it is refused as well."""
    for options in ([], ["--dry-run"]):
        done = lab.policyc("extgw01", "apply", lab.policy, "--offline", *options, sees_tunnels=True)
        check(done.returncode == 1, f"wanted exit 1, saw {done.returncode}\n{done.stdout}{done.stderr}")
        for words in ("error[E0901]: apply refused: the tunnel that others come through would be cut", "[nodes.extgw01]", "a peer of wg-ext comes from 192.0.2.1",
                      "192.0.2.1:51821 -> ", ":51820/udp, which carries wg-ext, is allowed by the live ruleset and denied by this policy", "--force-lockout"):
            check(words in done.stderr, f"no `{words}` in\n{done.stderr}")


def track_as_begun_by_the_peer(lab):
    """The flow that carries the tunnel: the vps speaks first."""
    flow = ["-p", "udp", "--orig-src", "192.0.2.1", "--sport", "51821", "--dport", "51820"]
    for _ in range(50):
        lab.spaces.run("extgw01", "conntrack", "-D", "-p", "udp", "--orig-dst", "192.0.2.1", "--sport", "51820", "--dport", "51821")
        lab.ping("phone", GATEWAY)
        if "dport=51820" in lab.spaces.run("extgw01", "conntrack", "-L", *flow).stdout:
            return
    raise RuntimeError("the flow of the tunnel can't be turned round")


def an_apply_that_cuts_the_tunnel_is_refused(lab):
    """The gateway dials the vps, and would no longer be allowed to."""
    before = without_traffic(lab.nft("extgw01", "-j", "list", "ruleset"))
    lab.edit(SCOPE_LINE, MUTE)
    done = typed(lab, "phone")
    check(done.returncode == 1, f"wanted exit 1, saw {done.returncode}\n{done.stdout}{done.stderr}")
    for words in ("error[E0901]: apply refused: the tunnel that your own SSH session comes through would be cut", "[nodes.extgw01]",
                  "192.0.2.1:51821 -> ", ":51820/udp, which carries wg-ext, is allowed by the live ruleset and denied by this policy",
                  "write listen_port = 51820 for this node"):
        check(words in done.stderr, f"no `{words}` in\n{done.stderr}")
    others_come_through_it(lab)
    check(without_traffic(lab.nft("extgw01", "-j", "list", "ruleset")) == before, "the rules changed in an apply that was refused")
    lab.edit(MUTE, MUTE.replace('["dns"]', '["dns", "192.0.2.1:51821/udp"]'))
    # Connection tracking has it as begun by the peer, which it may not any more. The apply makes it the gateway's own.
    track_as_begun_by_the_peer(lab)
    ran(typed(lab, "phone"), 0, "an apply that lets the gateway dial")
    ran(typed(lab, "phone", "--dry-run"), 0, "an apply over the tunnel that was kept")
    lab.edit(MUTE.replace('["dns"]', '["dns", "192.0.2.1:51821/udp"]'), SCOPE_LINE)
    ran(typed(lab, "phone"), 0, "back again")


def force_lockout_cuts_it(lab):
    # No answer comes: the session is cut in the middle of it.
    try:
        done = typed(lab, "laptop", "--force-lockout", ";", "sleep", "2", ";", "echo", "alive", timeout=6)
        check("alive" not in done.stdout, f"the session lives on: {done.stdout}")
    except subprocess.TimeoutExpired as expired:
        check(b"alive" not in (expired.stdout or b""), "the session lives on")
    check(lab.policyc("extgw01", "diff", lab.policy).returncode == 0, "it was not applied")
    check(typed(lab, "laptop", "--version").returncode == 255, "laptop can still log in")


def without_traffic(text):
    """Without the numbers of counters and what is in buckets."""
    def strip(node):
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if key not in ("packets", "bytes", "expires")}
        return [strip(one) for one in node] if isinstance(node, list) else node

    objects = [one for one in strip(json.loads(text))["nftables"]]
    for one in objects:
        if one.get("set", {}).get("name", "").startswith("rate"):
            one["set"].pop("elem", None)
    return objects


def main():
    why = Lab.missing()
    if why:
        return skipped(why)
    with Lab() as lab:
        lab.edit('only = ["grafana", "media", "dns", "extgw01:22", "extgw01:ping"]', 'deny = ["home:23"]')
        ran(lab.policyc("extgw01", "resolve", lab.policy), 0, "resolve")
        return run([a_tunnel_that_is_exempt_from_tracking_is_not_cut, a_first_apply_is_refused, an_apply_that_wakes_a_dormant_table_is_refused, what_is_no_session_here_is_not_believed, who_is_allowed_may_apply, an_apply_that_cuts_the_tunnel_is_refused, an_apply_that_changes_the_table_is_refused,
                    what_a_rule_by_hand_carries_is_not_cut,
                    force_lockout_cuts_it], lab)


if __name__ == "__main__":
    sys.exit(main())
