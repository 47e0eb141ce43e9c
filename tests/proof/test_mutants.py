"""What is emitted for a policy, damaged one small thing at a time: the proof must refuse every mutant that changes the verdict of a packet, and every wrong hook.

    test_mutants.py [--policies N] [--every N]

Of the golden policies and of random ones. A mutant whose packets all have the verdict they had may be refused too (`strict`), as long as few are: what is different may be met by a
packet that nobody thought of. By default 20 random policies and each tenth mutant; with POLICYC_FULL=1 in the environment 200 and all of them."""

import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", folder) for folder in ("lab", "reference", "kernel")]
from policies import golden_cases, random_cases  # noqa: E402

TODAY = str((datetime.date(2026, 11, 24) - datetime.date(1970, 1, 1)).days)
FULL = bool(os.environ.get("POLICYC_FULL"))


def run(case, every, number):
    _, policy, node, layout = case
    command = [os.path.join(os.environ["POLICYC_BUILD"], "mutants"), str(policy), str(policy.with_name("policy.lock"))]
    return subprocess.run([*command, node, TODAY, layout, str(every), str(number % every)], capture_output=True, text=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", type=int, default=200 if FULL else 20)
    parser.add_argument("--every", type=int, default=1 if FULL else 10)
    parser.add_argument("--show", action="store_true", help="what was refused although no packet showed why")
    arguments = parser.parse_args()
    began = time.monotonic()
    total = collections.Counter()
    trouble = 0
    with tempfile.TemporaryDirectory(prefix="policyc-mutants-") as directory, concurrent.futures.ThreadPoolExecutor(2) as pool:
        cases = [*golden_cases(), *random_cases(directory, arguments.policies)]
        answers = pool.map(run, cases, [arguments.every] * len(cases), range(len(cases)))
        for (name, policy, _, layout), done in zip(cases, answers):
            if done.returncode != 0:
                trouble += 1
                print(f"{name}, layout {layout}: {done.stderr.strip()}\n{policy.read_text() if 'seed' in name else ''}")
                continue
            record = json.loads(done.stdout)
            for what in record["missed"]:
                print(f"{name}, layout {layout}: not found: {what}")
            if arguments.show:
                for what in record["strict"]:
                    print(f"{name}, layout {layout}: no packet shows it: {what}")
            total.update({key: len(value) if isinstance(value, list) else value for key, value in record.items()})
    telling, hooks = total["telling"], total["hooks"]
    print(
        f"{len(cases)} policies: {total['found']} of {telling} telling mutants found, {total['hooks_found']} of {hooks} wrong hooks; "
        f"{total['accepted']} of {total['silent']} others accepted, {total['not_understood']} not understood; "
        f"{total['packets']} packets, {time.monotonic() - began:.1f} s"
    )
    few = total["strict"] <= (total["telling"] + total["silent"]) // 20
    return 0 if not trouble and not total["missed"] and few and telling > 100 else 1


sys.exit(main())
