"""One gateway whose policy is applied, asked and edited: for the tests of apply and diff."""

from harness import POLICY, expect_exit, files_of, run, with_lock
from own_network import clear

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
