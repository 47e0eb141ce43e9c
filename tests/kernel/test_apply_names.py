"""apply and resolve --apply with a real kernel: the names of a policy."""

import own_network

own_network.enter()

import os
import subprocess

from gateway import NAME, applied, apply, policyc, state
from harness import (
    LOCK_ANSWERS,
    POLICY,
    POLICYC,
    case,
    expect,
    expect_data,
    expect_equal,
    expect_exit,
    expect_words,
    files_of,
    main,
    record_of,
    run,
    with_lock,
    write_answers,
    write_policy,
)
from own_network import clear, ruleset, table


@case
def a_name_that_is_nowhere_is_asked_now_and_added_to_the_lock(folder):
    clear()
    write_policy(folder)
    answers = write_answers(folder)
    result = apply(folder, "--answers", answers)
    expect_exit(0, result)
    expect("3000" in table(), table())
    expect(NAME in (folder / "policy.lock").read_text(), "not in the lock")
    expect_exit(0, policyc(folder, "diff", "policy.toml"))


@case
def offline_asks_nobody_and_denies(folder):
    clear()
    write_policy(folder)
    answers = write_answers(folder)
    result = apply(folder, "--offline", "--answers", answers)
    expect_exit(0, result)
    expect_words("W0305", result)
    expect("3000" not in table() and "8096" in table(), table())
    expect(not (folder / "policy.lock").exists(), "a lock was written")


@case
def a_dry_run_keeps_the_answers_to_itself(folder):
    clear()
    write_policy(folder)
    result = apply(folder, "--dry-run", "--answers", write_answers(folder))
    expect_exit(0, result)
    expect_data("grafana", result)
    expect(not (folder / "policy.lock").exists() and not (folder / "state").exists(), files_of(folder).keys())


@case
def answers_go_to_the_state_directory_where_the_lock_can_not_be_written(folder):
    clear()
    # /proc takes no files, like a read-only store.
    write_policy(folder, POLICY + '\n[resolve]\nlock = "/proc/policy.lock"\n')
    result = apply(folder, "--answers", write_answers(folder))
    expect_exit(0, result)
    expect_words("names.lock", result)
    expect(NAME in (folder / "state/names.lock").read_text(), state(folder).keys())
    expect("3000" in table(), table())
    again = apply(folder, "--offline")
    expect_equal("extgw01: nothing to change\n", again.stdout, "with the names of the state directory")

    later = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": ["10.69.13.31"]}})
    moved = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", later, now="2026-11-24T12:30:00Z")
    expect_exit(0, moved)
    expect("10.69.13.31" in table() and "10.69.13.30" not in table(), table())
    expect_equal(
        "extgw01: nothing to change\n", apply(folder, "--offline", now="2026-11-24T12:40:00Z").stdout, "after the move"
    )


@case
def of_two_entries_for_a_name_the_later_one_holds(folder):
    with_lock(folder)
    clear()
    (folder / "state").mkdir()
    later = (
        (folder / "policy.lock").read_text().replace("10.69.13.30", "10.69.13.35").replace("2026-11-24", "2026-11-25")
    )
    (folder / "state/names.lock").write_text(later)
    result = apply(folder, now="2026-11-26T12:00:00Z")
    expect_exit(0, result)
    expect("10.69.13.35" in table() and "10.69.13.30" not in table(), table())
    said = f"`{NAME}` is 10.69.13.35 by {folder / 'state/names.lock'}, which counts as later than policy.lock: 10.69.13.30 there"
    expect_words(said, result)
    for verb in ("diff", "verify"):
        expect_words(said, policyc(folder, verb, "policy.toml", now="2026-11-26T12:00:00Z"))
    (folder / "state/names.lock").write_text(later.replace("2026-11-25", "2026-11-23"))
    result = apply(folder, now="2026-11-26T12:00:00Z")
    expect_exit(0, result)
    expect("10.69.13.30" in table() and "10.69.13.35" not in table(), table())
    expect("counts as later" not in result.stderr, result)


@case
def what_resolve_apply_settled_is_not_overridden(folder):
    with_lock(folder)
    clear()
    (folder / "state").mkdir()
    ahead = (folder / "policy.lock").read_text().replace("10.69.13.30", "10.69.13.35").replace("2026", "2031")
    names = folder / "state/names.lock"
    names.write_text(ahead)
    result = apply(folder)
    expect_exit(0, result)
    expect_words(f"warning: {names}: `{NAME}` is dated 2031-11-24T12:00:00Z, and it is 2026-11-24T12:00:00Z now: a clock is wrong", result)
    expect("10.69.13.30" in table() and "10.69.13.35" not in table(), table())

    answers = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": ["10.69.13.31"]}})
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, now="2026-11-24T14:00:00Z")
    expect_exit(0, result)
    expect_data(f"{NAME}  10.69.13.30 -> 10.69.13.31", result)
    expect("10.69.13.31" in table() and not names.exists(), table())

    # Nor where the lock had the answer already, and is older.
    names.write_text(ahead.replace("2031-11-24", "2026-12-01"))
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, now="2026-12-02T14:00:00Z")
    expect_exit(0, result)
    expect("2026-12-02" in (folder / "policy.lock").read_text() and not names.exists(), files_of(folder).keys())
    quiet = apply(folder, now="2026-12-02T15:00:00Z")
    expect_equal("extgw01: nothing to change\n", quiet.stdout, "afterwards")
    expect("clock" not in quiet.stderr and "counts as later" not in quiet.stderr, quiet)

    # A lock that is dated ahead gives way to what the state directory has, and is dated anew.
    (folder / "policy.lock").write_text(ahead)
    names.write_text(ahead.replace("2031-11-24", "2026-12-01").replace("10.69.13.35", "10.69.13.31"))
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, now="2026-12-02T16:00:00Z")
    expect_exit(0, result)
    expect_equal(1, result.stderr.count("a clock is wrong"), "warnings")
    expect_words("warning: policy.lock: ", result)
    expect("2031" not in (folder / "policy.lock").read_text() and not names.exists(), files_of(folder).keys())


@case
def names_in_the_state_directory_that_can_not_be_read_are_left_out(folder):
    applied(folder)
    (folder / "state/names.lock").write_text("half a fi")
    result = apply(folder)
    expect_exit(0, result)
    expect_words("names.lock are left out", result)


@case
def resolve_apply_brings_new_answers_into_the_kernel_at_once(folder):
    applied(folder)
    answers = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": ["10.69.13.31"]}})
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, now="2026-11-24T14:00:00Z")
    expect_exit(0, result)
    expect_data(f"{NAME}  10.69.13.30 -> 10.69.13.31", result)
    expect_data("1 moved", result)
    expect("10.69.13.31" in table() and "10.69.13.30" not in table(), table())
    expect("10.69.13.31" in (folder / "policy.lock").read_text(), "the lock")
    for address, was in (("10.69.13.31", None), ("10.69.13.32", "10.69.13.31")):
        answers = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": [address]}})
        record = record_of(policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, "--format", "json"))
        names = [{"name": NAME, "before": [was], "after": [address]}] if was else []
        expect_equal((names, bool(was), bool(was)), (record["changed"], record["applied"], bool(record["changes"])), "the record")


@case
def resolve_apply_writes_no_lock_that_a_test_refuses(folder):
    text = POLICY + '\n[[test]]\nname = "nobody reaches the nas"\nfrom = ["phone"]\ndeny = ["10.69.13.9:3000"]\n'
    applied(folder, text)
    before, kernel = files_of(folder), table()
    answers = write_answers(folder, {NAME: {**LOCK_ANSWERS[NAME], "addresses": ["10.69.13.9"]}})
    arguments = ("resolve", "policy.toml", "--apply", "--answers", answers)
    result = policyc(folder, *arguments, now="2026-11-24T14:00:00Z")
    expect_exit(1, result)
    expect_words("error[E0701]: test failed", result)
    expect_words("policy.lock and the kernel are left as they were", result)
    after = {name: text for name, text in files_of(folder).items() if name != "answers.json"}
    expect_equal({name: text for name, text in before.items() if name != "answers.json"}, after, "the files")
    expect_equal(kernel, table(), "the table")
    expect_equal("extgw01: nothing to change\n", apply(folder, "--offline").stdout, "the next apply")


@case
def resolve_apply_without_the_capability_writes_nothing(folder):
    clear()
    write_policy(folder)
    answers = write_answers(folder)
    before = files_of(folder)
    command = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers, command=command)
    expect_exit(2, result)
    expect_words("CAP_NET_ADMIN", result)
    after = {name: text for name, text in files_of(folder).items() if name != "state/lock"}
    expect_equal(before, after, "the files")


@case
def what_stdout_can_not_say_of_an_apply_stderr_says(folder):
    applied(folder)
    texts = [POLICY.replace("6/minute", f"{n}/minute") for n in (7, 8, 9)]
    write_policy(folder, texts[0])
    with open("/dev/full", "w") as full:
        result = apply(folder, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    expect_exit(2, result)
    expect_words("cannot write to standard output: No space left on device; the new ruleset is in force", result)
    write_policy(folder, texts[1])
    reader, writer = os.pipe()
    os.close(reader)
    result = apply(folder, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    expect_exit(2, result)
    expect_words("cannot write to standard output: Broken pipe; the new ruleset is in force", result)
    write_policy(folder, texts[2])
    closed = subprocess.run(
        ["sh", "-c", f"exec '{POLICYC}' --hosts /dev/null --state-dir state apply policy.toml >&-"],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )
    expect_exit(2, closed)
    expect_words("; the new ruleset is in force", closed)
    expect_data("nothing to change", apply(folder))
    # What changed nothing has nothing to say.
    reader, writer = os.pipe()
    os.close(reader)
    result = apply(folder, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    expect("in force" not in result.stderr, result.stderr)


@case
def resolve_apply_goes_on_with_the_names_it_has(folder):
    text = POLICY.replace("jellyfin = ", 'wiki = "wiki.home.example:443"\njellyfin = ').replace(
        '"grafana", ', '"grafana", "wiki", '
    )
    clear()
    write_policy(folder, text)
    answers = write_answers(
        folder, {**LOCK_ANSWERS, "wiki.home.example": {"outcome": "no_such_name", "server": "10.69.13.5"}}
    )
    result = policyc(folder, "resolve", "policy.toml", "--apply", "--answers", answers)
    expect_exit(1, result)
    expect_words("error[E0301]", result)
    expect("3000" in table() and "443" not in table(), table())


main()
