"""Two applies at once, many, and one that is killed."""

import own_network

own_network.enter()

import fcntl
import json
import os
import random
import signal
import subprocess
import time

from gateway import applied, apply, policyc, state
from harness import (
    POLICY,
    POLICYC,
    case,
    expect,
    expect_equal,
    expect_exit,
    expect_words,
    main,
    run,
    write_answers,
    write_policy,
)
from own_network import clear, ruleset, table


@case
def an_apply_waits_for_another_and_then_names_it(folder):
    applied(folder)
    write_policy(folder, POLICY.replace('"grafana", "jellyfin"', '"jellyfin"'))
    before = ruleset(), state(folder)
    with open(folder / "state/lock", "r+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        start = time.monotonic()
        result = apply(folder)
        waited = time.monotonic() - start
        expect_exit(2, result)
        expect_words(f"waiting for another policyc (process {os.getpid()})", result)
        expect_words(f"another policyc (process {os.getpid()}) is at work on", result)
        expect(8 < waited < 20, f"waited {waited:.1f} s")
        expect_equal(before, (ruleset(), state(folder)), "ruleset and state")

        fcntl.lockf(lock, fcntl.LOCK_EX)  # reading the files above let go of it
        waiting = subprocess.Popen(
            [POLICYC, "--state-dir", folder / "state", "--hosts", os.devnull, "apply", "policy.toml"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.5)
        expect(waiting.poll() is None, "it did not wait")
        fcntl.lockf(lock, fcntl.LOCK_UN)
    out, err = waiting.communicate(timeout=30)
    expect(waiting.returncode == 0 and "policy.toml applied" in out, out + err)


@case
def many_applies_at_once_leave_one_whole_table(folder):
    applied(folder)
    write_policy(folder, POLICY.replace('"grafana", "jellyfin"', '"jellyfin"'), "other.toml")
    command = [POLICYC, "--state-dir", folder / "state", "--hosts", os.devnull, "--lock", "policy.lock", "apply"]
    running = [
        subprocess.Popen([*command, name], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for name in ("policy.toml", "other.toml") * 4
    ]
    for process in running:
        _, err = process.communicate(timeout=60)
        expect(process.returncode == 0, err)
    last = json.loads((folder / "state/applied.json").read_text())["files"][0]["name"]
    expect_exit(0, policyc(folder, "diff", last, "--lock", "policy.lock"))


@case
def killed_at_any_moment_the_table_is_whole_and_so_is_the_state(folder):
    clear()
    # Enough to make the transaction take a while.
    many = "".join(f's{i} = "10.69.13.{i % 200 + 1}:{1000 + i}"\n' for i in range(400))
    names = ", ".join(f'"s{i}"' for i in range(400))
    one = POLICY.replace("[tiers.vpn]", f"{many}\n[tiers.vpn]").replace('"grafana", "jellyfin"', names)
    other = POLICY
    write_answers(folder)
    write_policy(folder, one, "one.toml")
    write_policy(folder, other, "other.toml")
    expect_exit(0, run("resolve", "one.toml", "--answers", "answers.json", cwd=folder))
    whole = {}
    takes = {}
    for name in ("one.toml", "other.toml", "one.toml", "other.toml"):  # the first has no table to take away
        start = time.monotonic()
        expect_exit(0, policyc(folder, "apply", name))
        takes[name] = time.monotonic() - start
        whole[name] = table()
    expect(whole["one.toml"] != whole["other.toml"], "the two policies are the same")

    # Each round goes for the policy that is not in force, so what is in force afterwards says on which side of the transaction it
    # was killed. Enough rounds for both, and for some between the transaction and its record.
    fell = {"before": 0, "after": 0, "unrecorded": 0, "done": 0}
    chance = random.Random(7)
    in_force = "other.toml"
    for round_ in range(300):
        if round_ >= 40 and fell["before"] >= 5 and fell["after"] >= 5:
            break
        name = "one.toml" if in_force == "other.toml" else "other.toml"
        process = subprocess.Popen(
            [POLICYC, "--state-dir", folder / "state", "--hosts", os.devnull, "apply", name],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0, takes[name] * 1.2))
        process.send_signal(signal.SIGKILL)
        killed = process.wait(timeout=30) == -signal.SIGKILL
        now = table()
        held = [key for key, text in whole.items() if text == now]
        expect(len(held) == 1, f"round {round_}: the table is neither policy's\n{now}")
        in_force = held[0]
        for file in ("applied.json", "applied.next.json"):
            path = folder / "state" / file
            if path.exists():
                json.loads(path.read_text())
        recorded = json.loads((folder / "state/applied.json").read_text())["files"][0]["name"]
        if not killed:
            fell["done"] += 1
            expect_equal((name, name), (in_force, recorded), "what is in force and recorded after a whole run")
        else:
            fell["after" if in_force == name else "before"] += 1
            fell["unrecorded"] += recorded != in_force
        # Whatever was killed, nobody else had a hand in it.
        expect_exit(0, policyc(folder, "diff", in_force))
        other = policyc(folder, "diff", "one.toml" if in_force == "other.toml" else "other.toml")
        expect("policyc: " not in other.stdout and "! missing" not in other.stdout, other, f"round {round_}")
    print(f"        killed {fell['before']} times before the transaction and {fell['after']} times after, "
          f"{fell['unrecorded']} of these before the record; {fell['done']} were faster")
    expect(fell["before"] >= 5 and fell["after"] >= 5, f"it was always killed at the same stage: {fell}")
    expect_exit(0, policyc(folder, "apply", "one.toml"))
    expect_equal(whole["one.toml"], table(), "the table after all that")

    # Nobody begins to write with a name like this but one that was killed, or it is somebody else's.
    (folder / "state/.applied.next.json.abcdef").write_text("{")
    (folder / "state/.notes.backup").write_text("mine")
    expect_exit(0, policyc(folder, "apply", "other.toml"))
    expect_equal([".notes.backup"], [name for name in os.listdir(folder / "state") if name.startswith(".")], "what is left")


main()
