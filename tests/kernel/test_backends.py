"""Text, JSON, netlink and libnftables mean the same to the kernel, and what they load reads back as it was meant."""

import own_network

own_network.enter()

import os
import re
import shutil
import subprocess
import threading
import time

from harness import POLICYC, SOURCE, case, expect, expect_equal, main, run
from listing import listing
from own_network import clear, generation, nft

LOAD = POLICYC.parent / "kernel_load"  # tests/kernel/tools/load.cpp: rulesets made by hand
GOLDEN = SOURCE / "tests/golden/cases"

OTHERS = """
table ip docker {
  set peers { type ipv4_addr; flags interval; elements = { 172.17.0.0/16 }; }
  chain nat { type nat hook prerouting priority dstnat; policy accept; tcp dport 8080 dnat to 172.17.0.2:80; }
  chain forward { type filter hook forward priority filter; policy accept; iifname "docker0" counter packets 5 bytes 300 accept; }
}
table inet byhand {
  counter seen { packets 3 bytes 180; }
  set banned { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1d }; }
  chain input { type filter hook input priority 5; policy accept; ip saddr @banned counter name "seen" drop comment "mine"; }
}
"""


def load(*arguments, command=(), **more):
    return subprocess.run([*command, LOAD, *arguments], capture_output=True, text=True, timeout=120, **more)


def made(kind, name):
    done = load(kind, name)
    expect(done.returncode == 0, done)
    return done.stdout


def listed():
    return listing(nft("-j", "list", "ruleset"))


def in_fresh_network(script, text=None):
    """The listing after a shell line in a network namespace that nothing has touched."""
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script + " && exec nft -j list ruleset"], input=text, capture_output=True, text=True, timeout=120
    )
    expect(done.returncode == 0 and done.stderr == "", done)
    return listing(done.stdout)


def all_agree(name, text, as_json, transaction):
    """`transaction` is a shell line in which {} stands for what chooses the backend, of the two that there are."""
    by_text = in_fresh_network("nft -f -", text)
    expect(by_text.count("\n") > 3, by_text, f"{name}: next to nothing was loaded")
    expect_equal(by_text, in_fresh_network("nft -j -f -", as_json), f"{name}: text and JSON")
    for backend in ("netlink", "libnftables"):
        expect_equal(by_text, in_fresh_network(transaction.format(backend)), f"{name}: text and {backend}")


@case
def text_json_netlink_and_libnftables_load_the_same_by_hand(_):
    for name in ("everything", "small", "exact:500", "ranges:50"):
        all_agree(name, made("text", name), made("json", name), f"{LOAD} replace {name} {{}}")


@case
def text_json_netlink_and_libnftables_load_the_same_from_policies(folder):
    seen = 0
    for golden in sorted(GOLDEN.iterdir()):
        node = (golden / "node").read_text().strip()
        layout = (golden / "layout").read_text().split() if (golden / "layout").exists() else []
        options = ["--layout", *layout] if layout else []
        work = folder / golden.name
        shutil.copytree(golden, work)
        outputs = [run("compile", "policy.toml", "--node", node, "--to", form, *options, cwd=work) for form in ("nft", "json")]
        for output in outputs:
            expect(output.returncode == 0, output)
        apply = f"cd {work} && rm -rf {work}/state && {POLICYC} --hosts /dev/null --state-dir {work}/state --now 2026-11-24T12:00:00Z"
        apply += f" apply policy.toml --offline --node {node} {' '.join(options)} --backend {{}} > {work}/apply.out 2>&1"
        all_agree(golden.name, outputs[0].stdout, outputs[1].stdout, apply)
        seen += 1
    expect(seen >= 5, f"only {seen} policies")


@case
def random_changes_are_planned_sent_and_read_back(_):
    """Each a plan of what differs, from whatever the one before left; prints how many elements and rules came and went."""
    clear()
    done = load("mutate", "1", "400")
    print(done.stdout, end="")
    expect(done.returncode == 0 and done.stdout.startswith("400 changes"), done)


@case
def another_writer_loses_nothing_and_breaks_nothing(_):
    """A second process changes a table of its own all the time. What was planned before it wrote is refused by the kernel, and sent again."""
    clear()
    nft("add table inet byhand; add set inet byhand seen { type ipv4_addr; }")
    wanted = 2000
    writer = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def feed():
        for i in range(wanted):
            writer.stdin.write(f"add element inet byhand seen {{ 10.0.{i >> 8}.{i & 255} }}\n")
            writer.stdin.flush()
            time.sleep(0.006)
        writer.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    overtaken = 0
    seed = 1000
    while writer.poll() is None:
        done = load("mutate", str(seed), "50")
        expect(done.returncode == 0, done)
        overtaken += int(re.search(r"overtaken (\d+)", done.stdout)[1])
        seed += 50
    feeder.join()
    expect_equal("", writer.stderr.read(), "the other writer's errors")
    print(f"{seed - 1000} changes beside {wanted} of another writer, overtaken {overtaken} times")
    expect(overtaken > 0, "nobody was overtaken: this tested nothing")
    expect_equal(wanted, nft("-j", "list", "set", "inet", "byhand", "seen").count("10.0."), "elements of the other writer")


@case
def what_is_loaded_reads_back_as_it_was_meant(_):
    for name in ("everything", "small", "exact:500", "ranges:50"):
        clear()
        done = load("round", name)
        expect(done.returncode == 0 and done.stdout == "same\n" and done.stderr == "", done, name)


@case
def what_people_change_is_seen(_):
    """One edit by hand each, and the ruleset read back is another."""
    edits = [
        "add rule inet policyc forward accept",
        "add rule inet policyc forward ip saddr 10.0.0.1 accept",
        "insert rule inet policyc forward meta l4proto tcp accept",
        "delete element inet policyc allow_tcp4 { 10.69.50.11 . 10.69.13.30 . 3000 }; "
        "add element inet policyc allow_tcp4 { 10.69.50.11 . 10.69.13.30 . 3001 }",
        "delete element inet policyc allow_tcp4 { 10.69.50.11 . 10.69.13.30 . 3000 }",
        "add set inet policyc more { type ipv4_addr; }",
        "add map inet policyc more { type ipv4_addr : verdict; }",
        "add chain inet policyc more",
        "add chain inet policyc more { type filter hook prerouting priority 0; }",
        "add chain inet policyc forward { policy accept; }",
        "add counter inet policyc more",
        "add quota inet policyc more { over 1 mbytes; }",
        "add table inet policyc { flags dormant; }",
    ]
    for edit in edits:
        clear()
        expect(load("round", "small").returncode == 0, edit)
        nft(edit)
        done = load("read", "small")
        expect(done.returncode == 1 and done.stdout.endswith("differs\n"), done, edit)


@case
def other_tables_stay_as_they_are(_):
    clear()
    nft("-f", "-", input=OTHERS)

    def others():
        return re.sub(r"expires \w+", "expires", nft("-a", "list", "table", "ip", "docker") + nft("-a", "list", "table", "inet", "byhand"))

    before = others()
    expect(before.count("handle") >= 8, before)
    for step in (["replace", "everything"], ["replace", "small"], ["replace", "refused"], ["replace", "empty"]):
        load(*step)
        expect_equal(before, others(), str(step))
    nft("-f", "-", input=made("text", "everything"))
    expect_equal(before, others(), "nft -f")
    nft("-j", "-f", "-", input=made("json", "everything"))
    expect_equal(before, others(), "nft -j -f")


@case
def empty_takes_the_table_away_and_may_come_twice(_):
    clear()
    nft("-f", "-", input=OTHERS)
    before = listed()
    for _ in range(2):
        expect(load("replace", "small").returncode == 0, "small")
        for _ in range(2):
            done = load("round", "empty")
            expect(done.returncode == 0 and done.stdout == "no table\n", done)
            expect_equal(before, listed(), "after the table is gone")
    for form, flags in (("text", []), ("json", ["-j"])):
        load("replace", "small")
        nft(*flags, "-f", "-", input=made(form, "empty"))
        expect_equal(before, listed(), form)


@case
def a_refused_ruleset_changes_nothing_and_is_named(_):
    clear()
    load("replace", "small")
    before, number = nft("-a", "list", "ruleset"), generation()
    done = load("replace", "refused")
    expect_equal(
        "error: the kernel refused the ruleset and keeps the one it had: `jump not_there` in chain forward: No such file or directory\n"
        "help: `policyc compile POLICY | nft -c -f -` shows what nft says of it without changing anything\n",
        done.stdout,
        "message",
    )
    expect(done.returncode == 1 and done.stderr == "", done)
    expect_equal(before, nft("-a", "list", "ruleset"), "ruleset")
    expect_equal(number, generation(), "generation")


@case
def a_refused_element_says_what_it_is_for(_):
    clear()
    done = load("replace", "overfull")
    expect(done.returncode == 1, done)
    expect("`10.69.50.11 . 10.69.13.30 . 3000` in set allow_tcp4, which is for laptop -> grafana," in done.stdout, done)
    expect_equal("", nft("list", "ruleset"), "ruleset")


@case
def a_replacement_is_one_transaction(_):
    """While one ruleset takes the other's place again and again, whoever looks sees one of them, whole."""
    clear()
    load("replace", "small")
    number = generation()
    load("replace", "exact:300")
    expect_equal(number + 1, generation(), "generation")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            load("replace", "small")
            load("replace", "exact:300")

    worker = threading.Thread(target=swap)
    worker.start()
    seen = set()
    try:
        for _ in range(60):
            done = subprocess.run(["nft", "-t", "list", "table", "inet", "policyc"], capture_output=True, text=True)
            expect(done.returncode == 0, done, "the table was away for a moment")
            seen.add(done.stdout)
    finally:
        stop.set()
        worker.join()
    expect(len(seen) == 2, "\n".join(seen), f"{len(seen)} rulesets were seen")


@case
def counters_keep_the_numbers_they_are_given(_):
    clear()
    expect(load("round", "everything").returncode == 0, "everything")
    text = nft("list", "counters", "table", "inet", "policyc")
    expect("packets 5 bytes 777" in text, text)
    rules = nft("list", "chain", "inet", "policyc", "matches")
    expect("counter packets 3 bytes 180 accept" in rules, rules)


@case
def without_privileges_the_message_says_so(_):
    clear()
    drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    if os.geteuid() == 0 and shutil.which("setpriv"):
        for verb in ("replace", "read"):
            done = load(verb, "small", command=drop)
            expect_equal(
                "error: not permitted to read or change nftables: CAP_NET_ADMIN is missing\n"
                "help: run this as root; in a container, give it CAP_NET_ADMIN in the network namespace it runs in\n",
                done.stdout,
                verb,
            )
            expect(done.returncode == 1 and done.stderr == "", done)
    expect_equal("", nft("list", "ruleset"), "ruleset")


@case
def many_elements_load_and_read_back(_):
    clear()
    done = load("round", "exact:50000")
    expect(done.returncode == 0 and done.stdout == "same\n", done)


main()
