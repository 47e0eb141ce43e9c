"""`policyc resolve` against real name servers (dnsmasq, unbound), and against one that delays, truncates, refuses, lies and vanishes."""
import os
import shutil
import subprocess
import sys
import traceback

from dns.world import DEAD, SERVER, SERVER6, World, missing

HOST = "10.69.13.20"
RECORDS = ["host-record=jelly.home.example,10.69.13.20,fd69:13::20", "host-record=grafana.home.example,10.69.13.30",
           "cname=media.home.example,jelly.home.example,40", "host-record=six.home.example,fd69:13::6", "txt-record=text.home.example,hello"]


def same(seen, wanted, what):
    if seen != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, seen {seen!r}")


def holds(text, part):
    if part not in text:
        raise AssertionError(f"not found: {part!r}\n in: {text}")


def told(run, names):
    """The code of what was said of each of these names, where something was."""
    return {name: run.code(name) for name in names if run.code(name)}


def answers(world):
    """A real server: A, AAAA, CNAME, /etc/hosts; the second run changes nothing."""
    server = world.dnsmasq(RECORDS)
    names = ["jelly.home.example", "grafana.home.example", "media.home.example", "six.home.example", "local.home.example"]
    policy = world.policy(names)
    run = policy.resolve()
    same(run.status, 0, run.err)
    same(policy.entries(), {
        "grafana.home.example": (["10.69.13.30"], [], 300),
        "jelly.home.example": ([HOST, "fd69:13::20"], [], 300),
        "local.home.example": (["10.69.13.70"], [], 0),
        "media.home.example": ([HOST, "fd69:13::20"], ["jelly.home.example"], 40),
        "six.home.example": (["fd69:13::6"], [], 300)}, "the lock")
    first = policy.lock()
    same(policy.resolve().status, 0, "the second run")
    same(policy.lock(), first, "the lock after the second run")
    world.stop(server)


def absent(world):
    """NXDOMAIN and no address are answers: an error for a name never locked, and closed access for one that was."""
    server = world.dnsmasq(RECORDS)
    names = ["jely.home.example", "text.home.example"]
    fresh = world.policy(names)
    fresh.lock_all(["jelly.home.example"], HOST)
    run = fresh.resolve()
    same((run.status, run.code("jely.home.example"), run.code("text.home.example")), (1, "E0301", "E0309"), run.err)
    holds(run.text("jely.home.example"), "does not exist (NXDOMAIN)")
    holds(run.text("jely.home.example"), f"asked {SERVER} just now")
    holds(run.text("jely.home.example"), "did you mean `jelly.home.example`?")
    same(fresh.entries(), {}, "the lock")
    known = world.policy(names)
    known.lock_all(names, HOST)
    run = known.resolve()
    same((run.status, run.code("jely.home.example"), run.code("text.home.example")), (0, "W0308", "W0308"), run.err)
    same({name: entry[0] for name, entry in known.entries().items()}, {name: [] for name in names}, "the lock")
    world.stop(server)
    return run.text("jely.home.example")


def moves(world):
    """A record that changes: within the network it is followed, outside it is refused and the old one kept."""
    server = world.dnsmasq(["host-record=jelly.home.example,10.69.13.20"])
    policy = world.policy(["jelly.home.example"])
    same(policy.resolve().status, 0, "resolve")
    world.stop(server)
    server = world.dnsmasq(["host-record=jelly.home.example,10.69.13.21"])
    run = policy.resolve()
    same((run.status, policy.entries()["jelly.home.example"][0]), (0, ["10.69.13.21"]), run.err)
    world.stop(server)
    before = policy.lock()
    server = world.dnsmasq(["host-record=jelly.home.example,203.0.113.9"])
    run = policy.resolve()
    same((run.status, run.code("jelly.home.example")), (1, "E0302"), run.err)
    holds(run.text("jelly.home.example"), f"{SERVER} answered 203.0.113.9")
    holds(run.text("jelly.home.example"), "the locked 10.69.13.21 stays in force")
    same(policy.lock(), before, "the lock")
    world.stop(server)
    return run.text("jelly.home.example")


def vanishes(world):
    """Nothing listens any more: the last answers are kept, byte for byte; a name never locked is an error."""
    policy = world.policy(["jelly.home.example", "new.home.example"])
    policy.lock_all(["jelly.home.example"], HOST)
    before = policy.lock()
    run = policy.resolve()
    same((run.status, run.code("jelly.home.example"), run.code("new.home.example")), (1, "W0307", "E0303"), run.err)
    holds(run.text("jelly.home.example"), "can't be reached (port closed, or no route)")
    holds(run.text("jelly.home.example"), f"the locked {HOST} stays in force, resolved")
    same(policy.entries()["jelly.home.example"][0], [HOST], "the lock")
    known = world.policy(["jelly.home.example"])
    known.lock_path.write_text(before)
    same(known.resolve().status, 0, "only kept names")
    same(known.entries(), policy.entries(), "the lock")
    return run.text("jelly.home.example")


# name: what the message says (or "" where the name is answered), and the addresses it is then locked with.
MISBEHAVIOUR = {
    "late": ("", [HOST]),
    "toolate": (f"no reply from {SERVER}", None),
    "silent": (f"no reply from {SERVER}", None),
    "truncated": ("", [f"10.69.13.{i}" for i in range(100, 150)]),
    "cut": (f"{SERVER} sent a reply that is cut short, over TCP too", None),
    "servfail": (f"{SERVER} answered SERVFAIL", None),
    "refused": (f"{SERVER} answered REFUSED", None),
    "formerr": (f"{SERVER} answered FORMERR", None),
    "notimp": (f"{SERVER} answered NOTIMP", None),
    "wrongid": (f"no reply from {SERVER}", None),
    "wrongquestion": (f"no reply from {SERVER}", None),
    "wrongowner": (f"{SERVER} sent records of another name only", None),
    "forged": ("", [HOST]),
    "noise": (f"no reply from {SERVER}", None),
    "garbage": (f"{SERVER} sent a malformed reply", None),
    "short": (f"{SERVER} sent a malformed reply", None),
    "loop": (f"{SERVER} sent a loop of CNAMEs", None),
    "chain": ("", [HOST]),
    "half": ("", [HOST]),
    "halffails": ("", [HOST]),
    "referral": (f"{SERVER} sent a referral instead of an answer", None),
}


def misbehaves(world):
    """Delays, truncation, failures and lies: what is no answer keeps the locked address, and is an error where there is none."""
    server = world.responder()
    names = [f"{how}.home.example" for how in MISBEHAVIOUR]
    fresh, known = world.policy(names), world.policy(names)
    old = "10.69.13.77"
    known.lock_all(names, old)
    shown = []
    for policy, code, kept in ((fresh, "E0303", None), (known, "W0307", [old])):
        run = policy.resolve()
        same(run.status, 1 if kept is None else 0, run.err)
        if run.seconds > 15:
            raise AssertionError(f"it took {run.seconds:.1f} s")
        entries = policy.entries()
        for how, (message, addresses) in MISBEHAVIOUR.items():
            name = f"{how}.home.example"
            if addresses is None:
                same(run.code(name), code, f"{how}: {run.text(name)}")
                holds(run.text(name), message)
                addresses = kept
            else:
                same(run.code(name), "", f"{how}: {run.text(name)}")
            same(entries.get(name, [None])[0], addresses, f"the lock of {name}")
            if policy is known and message:
                lines = run.text(name).splitlines()
                shown.append(f"{how:14} {code}  {lines[4].split('^ ')[-1]}\n{'':22}{lines[6].split('= ')[-1]}")
    same(known.entries()["chain.home.example"], ([HOST], ["one.home.example", "two.home.example"], 40), "the chain")
    world.stop(server)
    return "\n".join(shown)


def half_answers(world):
    """AAAA fails and A is good: with ipv6 = "deny" A is the answer; in dual half an answer is none."""
    server = world.responder()
    names = ["half.home.example", "halffails.home.example", "good.home.example"]
    policy = world.policy(names)
    run = policy.resolve()
    same((run.status, told(run, names)), (0, {}), run.err)
    same({name: entry[0] for name, entry in policy.entries().items()}, {name: [HOST] for name in names}, "the lock")
    dual = world.policy(names, dual=True)
    run = dual.resolve()
    same((run.status, [run.code(name) for name in names]), (1, ["E0303", "E0303", ""]), run.err)
    holds(run.text(names[0]), f"no reply from {SERVER} (about AAAA; A was answered)")
    holds(run.text(names[1]), f"{SERVER} answered SERVFAIL (about AAAA; A was answered)")
    same(list(dual.entries()), ["good.home.example"], "the lock")
    world.stop(server)


def plain_dnsmasq(world):
    """A dnsmasq with an A record, no upstream and nothing else refuses AAAA: the name resolves all the same."""
    server = world.dnsmasq(["host-record=jelly.home.example,10.69.13.20"], local=False)
    policy = world.policy(["jelly.home.example"])
    run = policy.resolve()
    same((run.status, run.messages), (0, {}), run.err)
    same(policy.entries(), {"jelly.home.example": ([HOST], [], 300)}, "the lock")
    world.stop(server)


def cut_short_without_tcp(world):
    """A reply that is cut short by a server that takes no TCP fails alone: what else is in flight is answered."""
    server = world.responder("no-tcp")
    cut = [f"truncated-{i}.home.example" for i in range(4)]
    late = [f"late-{i}.home.example" for i in range(40)]
    names = [*late[:20], *cut, *late[20:]]
    policy = world.policy(names)
    run = policy.resolve()
    same(told(run, names), {name: "E0303" for name in cut}, run.err)
    holds(run.text(cut[0]), f"{SERVER} cut its reply short, and can't be reached over TCP (port closed, or no route)")
    same({name: entry[0] for name, entry in policy.entries().items()}, {name: [HOST] for name in late}, "the lock")
    world.stop(server)
    return run.text(cut[0])


def one_reply_for_a_connection(world):
    """A server that closes each TCP connection after one reply: all that waited on it is asked again."""
    server = world.responder("one-each")
    names = [f"truncated-{i}.home.example" for i in range(30)]
    policy = world.policy(names)
    run = policy.resolve()
    same((run.status, told(run, names)), (0, {}), run.err)
    same({name: len(entry[0]) for name, entry in policy.entries().items()}, {name: 50 for name in names}, "addresses in the lock")
    world.stop(server)


def too_many(world):
    """4,000 addresses over TCP, and 10,000 of which a part fits into the message: refused, the old one kept."""
    server = world.responder()
    names = ["many.home.example", "toomany.home.example", "outside.home.example"]
    policy = world.policy(names)
    policy.lock_all(names, HOST)
    run = policy.resolve()
    same([run.code(name) for name in names], ["E0304", "E0304", "E0302"], run.err)
    holds(run.text("many.home.example"), "has more than 64 addresses")
    holds(run.text("many.home.example"), f"{SERVER} answered 4000 of them")
    same(run.status, 1, run.err)
    same({name: entry[0] for name, entry in policy.entries().items()}, {name: [HOST] for name in names}, "the lock")
    world.stop(server)
    return run.text("many.home.example")


def ten_thousand_addresses(world):
    """dnsmasq with 10,000 addresses for one name."""
    server = world.dnsmasq([f"address=/crowd.home.example/10.69.{i // 250 + 1}.{i % 250 + 1}" for i in range(10_000)])
    policy = world.policy(["crowd.home.example"])
    policy.lock_all(["crowd.home.example"], HOST)
    run = policy.resolve()
    same((run.status, run.code("crowd.home.example")), (1, "E0304"), run.err)
    holds(run.text("crowd.home.example"), "of them, and cut its reply short")
    same(policy.entries()["crowd.home.example"][0], [HOST], "the lock")
    world.stop(server)
    return run.text("crowd.home.example")


def second_server(world):
    """The first server is dead: the second one is asked. Ports and IPv6 servers; the system's servers, and no search domain."""
    server = world.dnsmasq([*RECORDS, "log-queries"])
    for servers in ((DEAD, SERVER), (SERVER6,), (f"[{SERVER6}]:53",), (f"{SERVER}:53",), ()):
        policy = world.policy(["grafana.home.example", "local.home.example"], servers)
        run = policy.resolve()
        same(run.status, 0, f"{servers}: {run.err}")
        same(policy.entries()["grafana.home.example"][0], ["10.69.13.30"], f"asked {servers}")
    policy = world.policy(["grafana"], ())
    run = policy.resolve()
    same((run.status, run.code("grafana")), (1, "E0301"), run.err)
    world.stop(server)
    asked = {line.split("] ")[1].split(" ")[0] for line in (world.folder / "server.log").read_text().splitlines() if ": query[" in line}
    same(asked, {"grafana.home.example", "grafana"}, "names that the server was asked for")


def other_server(world):
    """unbound: the same, and sixty addresses over TCP."""
    if not shutil.which("unbound"):
        print("      (no unbound here)")
        return
    crowd = [f"crowd.home.example. 120 IN A 10.69.13.{i}" for i in range(100, 160)]
    server = world.unbound(["jelly.home.example. 200 IN A 10.69.13.20", "jelly.home.example. 100 IN AAAA fd69:13::20", *crowd])
    names = ["jelly.home.example", "crowd.home.example", "gone.home.example"]
    policy = world.policy(names)
    run = policy.resolve()
    same((run.status, run.code("gone.home.example")), (1, "E0301"), run.err)
    same(policy.entries(), {"jelly.home.example": ([HOST, "fd69:13::20"], [], 100),
                            "crowd.home.example": ([f"10.69.13.{i}" for i in range(100, 160)], [], 120)}, "the lock")
    world.stop(server)


def dead_with_many(world):
    """A server that says nothing costs seconds, not seconds for each of 5,000 names."""
    names = [f"h{i}.home.example" for i in range(5_000)]
    policy = world.policy(names, (DEAD,))
    policy.lock_all(names, HOST)
    server = world.mute(DEAD)
    run = policy.resolve()
    same(run.status, 0, run.err[-2000:])
    holds(run.err, "warning[W0307]: 4980 more like these")
    same([code for code, _ in run.messages.values()].count("W0307"), 20, "messages")
    if run.seconds > 15:
        raise AssertionError(f"it took {run.seconds:.1f} s")
    same(len(policy.entries()), 5_000, "names in the lock")
    world.stop(server)
    print(f"      5,000 names and a dead server: {run.seconds:.1f} s")


def pace(world):
    """10,000 names within 3 s of the server's own pace."""
    names = [f"host{i}.home.example" for i in range(10_000)]
    server = world.dnsmasq([], "".join(f"10.69.13.{i % 250 + 1} {name}\n" for i, name in enumerate(names)))
    policy = world.policy(names)
    blast = os.path.join(os.path.dirname(__file__), "dns", "blast.py")
    own = float(subprocess.run(world.inside(sys.executable, "-B", blast, SERVER), input="\n".join(names), capture_output=True, text=True,
                               check=True, timeout=120).stdout)
    run = policy.resolve()
    same(run.status, 0, run.err[-2000:])
    entries = policy.entries()
    same(len(entries), 10_000, "names in the lock")
    same(entries["host7.home.example"][0], ["10.69.13.8"], "the lock of host7")
    print(f"      10,000 names: the server's own pace {own:.2f} s, policyc resolve {run.seconds:.2f} s")
    if run.seconds - own > 3:
        raise AssertionError("more than 3 s above the server's own pace")
    world.stop(server)


CASES = [answers, absent, moves, vanishes, misbehaves, half_answers, plain_dnsmasq, cut_short_without_tcp, one_reply_for_a_connection, too_many, ten_thousand_addresses, second_server, other_server, dead_with_many, pace]


def main():
    reason = missing()
    if reason:
        print(f"SKIPPED: {reason}")
        return 77
    failed = 0
    chosen = [case for case in CASES if not sys.argv[1:] or case.__name__ in sys.argv[1:]]
    for case in chosen:
        try:
            with World() as world:
                shown = case(world)
            print(f"ok    {case.__name__}: {case.__doc__}")
            if shown:
                print("\n".join("      " + line for line in shown.splitlines()))
        except Exception:  # each case tells, and the next one runs
            failed += 1
            print(f"FAIL  {case.__name__}: {case.__doc__}")
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
