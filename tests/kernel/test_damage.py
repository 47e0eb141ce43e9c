"""nft damages a table in the kernel, one small thing at a time, and `verify` must find each.

    test_damage.py [--policies N] [--all] [--only NAME] [--show]

Of the golden policies and of random ones (damage.py says what is damaged). What nft refuses is no damage, nor is what its listing doesn't show. By default 20 random policies and some of the
damages of each; with POLICYC_FULL=1 in the environment all of them."""

import argparse
import collections
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("lab", "reference", "cli")]
from damage import Table, all_of, bare, listing  # noqa: E402
from policies import golden_cases, random_cases  # noqa: E402
from probing import own_network_namespace  # noqa: E402

POLICYC = os.path.join(os.environ["POLICYC_BUILD"], "policyc")
FULL = bool(os.environ.get("POLICYC_FULL"))
NOW = "2026-11-24T12:00:00Z"
EACH = 24  # damages of a policy, where not all are tried


def nft(text, *words):
    done = subprocess.run(["nft", *words, "-f", "-"], input=text, capture_output=True, text=True)
    return done.stderr.strip().split("\n")[0] if done.returncode != 0 else ""


class Host:
    """A namespace in which a policy's interfaces are, and where it was applied."""

    def __init__(self, case, folder):
        _, self.policy, self.node, self.layout = case
        self.folder = folder  # of the record, which says what the last apply meant
        for interface in set(re.findall(r'interface *= *"([^"]+)"', self.policy.read_text())):
            subprocess.run(["ip", "link", "add", interface, "type", "veth", "peer", "name", "p" + interface], capture_output=True)
        self.text = self.run("compile").stdout
        applied = self.run("apply", "--offline")
        self.trouble = "" if applied.returncode == 0 else applied.stderr

    def run(self, verb, *words):
        command = [POLICYC, "--hosts", os.devnull, "--now", NOW, "--state-dir", self.folder, "--node", self.node, "--layout", self.layout, verb, str(self.policy)]
        return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)

    def verify(self):
        """Whether the policy holds, and whether the proof says so too."""
        done = self.run("verify", "--format", "json")
        if done.returncode not in (0, 1):
            return None, done.stderr
        record = json.loads(done.stdout)
        assert record["holds"] == (done.returncode == 0)
        return record["holds"], record["proof"] if record["holds"] or record["table"] == "differs" else str(record)


def damaged(host, damage):
    """What came of it: "found", "proved", "refused" by nft, "unseen" where nft's listing is the same, or what is wrong."""
    if refused := nft(damage.text) if damage.whole else nft(host.text) or nft(damage.text, "-j"):
        return "refused", refused
    holds, proof = host.verify()
    if holds is None:
        return "wrong", f"verify ended otherwise: {proof}"
    if holds:
        seen = bare(listing()) != host.listed
        return ("wrong", "not found") if seen else ("unseen", "")
    return ("found", "") if proof == "same" else ("proved", "")


def run(task):
    number, case, every = task
    with tempfile.TemporaryDirectory(prefix="policyc-damage-") as folder:
        return damage_of(Host(case, folder), number, every)


def damage_of(host, number, every):
    record = {"trouble": "", "wrong": [], "refused": [], "counts": collections.Counter(), "kinds": collections.Counter()}
    if "table inet policyc {" not in host.text:
        record["counts"]["nothing"] = 1
        return record
    trouble = host.trouble or nft(host.text)
    listed = listing() if not trouble else []
    host.listed = bare(listed)
    for words in ("as compiled", "each rule replaced by itself"):
        holds, proof = host.verify() if not trouble else (False, trouble)
        if not holds:
            record["trouble"] = f"{words}: does not hold: {proof}"
            return record
        trouble = nft(Table(listed).same_rules(), "-j")
    damages = all_of(host.text, listed)
    step = 1 if every else max(1, len(damages) // EACH)
    for damage in damages[number % step :: step]:
        came, why = damaged(host, damage)
        record["counts"][came] += 1
        record["kinds"][damage.kind] += came in ("found", "proved")
        if came in ("wrong", "refused"):
            record[came].append(f"{damage.kind}: {damage.what}: {why}")
    nft("delete table inet policyc")
    return record


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", type=int, default=20)
    parser.add_argument("--all", action="store_true", default=FULL, help="all damages of each policy")
    parser.add_argument("--only", help="one policy, by its name")
    parser.add_argument("--show", action="store_true", help="what nft refused, and how many there are of each kind")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: needs root, to make network namespaces")
        return 77
    began = time.monotonic()
    counts, kinds = collections.Counter(), collections.Counter()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="policyc-damage-") as directory:
        cases = [one for one in [*golden_cases(), *random_cases(directory, arguments.policies)] if arguments.only in (None, one[0])]
        with multiprocessing.Pool(min(2, os.cpu_count() or 1), own_network_namespace) as pool:
            for (name, _, _, layout), record in zip(cases, pool.imap(run, [(i, one, arguments.all) for i, one in enumerate(cases)])):
                for what in [*([record["trouble"]] if record["trouble"] else []), *record["wrong"]]:
                    bad += 1
                    print(f"{name}, layout {layout}: {what}")
                if arguments.show:
                    print("".join(f"{name}: refused: {what}\n" for what in record["refused"]), end="")
                counts += record["counts"]
                kinds += record["kinds"]
            pool.close()
            pool.join()
    if arguments.show:
        print(json.dumps(kinds, indent=1))
    found = counts["found"] + counts["proved"]
    print(
        f"{len(cases) - counts['nothing']} policies: {found} of {found + counts['wrong']} damages by nft found, {counts['proved']} of them by the proof too; "
        f"{counts['unseen']} that change nothing, {counts['refused']} that nft refused; {time.monotonic() - began:.1f} s"
    )
    return 1 if bad or (not arguments.only and (found < 400 or counts["refused"] > found // 3)) else 0


if __name__ == "__main__":
    sys.exit(main())
