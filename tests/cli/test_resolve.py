"""resolve and the lock, without a network."""

import fcntl
import json
import os
import subprocess
import time

from harness import (
    POLICY,
    POLICYC,
    case,
    expect,
    expect_data,
    expect_equal,
    expect_exit,
    expect_words,
    main,
    run,
    with_lock,
    write_answers,
    write_policy,
)

NAME = "monitoring01.home.example"


def resolve(folder, answers, *more, **settings):
    path = write_answers(folder, answers)
    return run("resolve", "policy.toml", "--answers", path, *more, cwd=folder, **settings)


def answered(*addresses):
    return {"outcome": "answered", "addresses": list(addresses), "ttl": 300, "server": "10.69.13.5"}


@case
def resolve_writes_the_lock_once_and_says_what_changed(folder):
    write_policy(folder)
    first = resolve(folder, {NAME: answered("10.69.13.30")})
    expect_exit(0, first)
    expect_equal(f"{NAME}  10.69.13.30\n1 name: 1 changed, 0 as before\npolicy.lock written\n", first.stdout, "first")
    lock = (folder / "policy.lock").read_bytes()
    stamp = os.stat(folder / "policy.lock").st_mtime_ns

    again = resolve(folder, {NAME: answered("10.69.13.30")}, now="2026-11-25T12:00:00Z")
    expect_exit(0, again)
    expect_equal("1 name: 0 changed, 1 as before\n", again.stdout, "again")
    expect_equal(
        (lock, stamp), ((folder / "policy.lock").read_bytes(), os.stat(folder / "policy.lock").st_mtime_ns), "the lock"
    )

    moved = resolve(folder, {NAME: answered("10.69.13.31")}, now="2026-11-26T12:00:00Z")
    expect_exit(0, moved)
    expect_data(f"{NAME}  10.69.13.30 -> 10.69.13.31\n", moved)
    expect_data("10.69.13.31", run("compile", "policy.toml", cwd=folder))


@case
def resolve_counts_what_it_got_no_answer_for(folder):
    write_policy(folder, POLICY.replace(
        "jellyfin =", 'wiki = "wiki.home.example:80"\nfiles = "files.home.example:80"\nmail = "mail.home.example:25"\njellyfin ='
    ))
    silent = {"outcome": "timeout", "detail": "no answer"}
    gone = {"outcome": "no_such_name", "server": "10.69.13.5"}
    answers = {NAME: answered("10.69.13.30"), "wiki.home.example": silent, "files.home.example": gone,
               "mail.home.example": answered("10.69.13.25")}
    result = resolve(folder, answers)
    expect_exit(1, result)
    expect_data("4 names: 2 changed, 0 as before, 1 without an answer, 1 without an address\n", result)
    # What was had before is still there, and still not answered.
    answers[NAME] = silent
    result = resolve(folder, answers, "--format", "json")
    record = json.loads(result.stdout)
    expect_equal((4, [], [NAME, "wiki.home.example"]), (record["names"], record["changed"], record["unanswered"]), "the record")
    expect_data("4 names: 0 changed, 1 as before, 2 without an answer, 1 without an address\n", resolve(folder, answers))


@case
def what_another_run_writes_while_resolve_asks_is_kept(folder):
    other = "wiki.home.example"
    write_policy(folder, POLICY.replace("jellyfin =", f'wiki = "{other}:80"\njellyfin ='))
    expect_exit(0, resolve(folder, {NAME: answered("10.69.13.30"), other: answered("10.69.13.40")}))
    written = (folder / "policy.lock").read_text()
    os.unlink(folder / "policy.lock")
    answers = write_answers(folder, {NAME: answered("10.69.13.30"), other: {"outcome": "timeout", "detail": "no answer"}})
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_EX)
    process = subprocess.Popen(
        [POLICYC, "--hosts", os.devnull, "resolve", "policy.toml", "--answers", answers],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    time.sleep(0.5)
    expect(process.poll() is None, "it did not wait for the lock of the folder")
    (folder / "policy.lock").write_text(written)
    os.close(held)
    out, err = process.communicate(timeout=30)
    expect(process.returncode == 0, out + err)
    expect_equal(written, (folder / "policy.lock").read_text(), "the lock")


@case
def resolve_keeps_the_last_answer_when_the_server_is_silent(folder):
    with_lock(folder)
    lock = (folder / "policy.lock").read_bytes()
    result = resolve(folder, {NAME: {"outcome": "timeout", "detail": "no answer"}})
    expect_exit(0, result)
    expect_words("warning[", result)
    expect_equal(lock, (folder / "policy.lock").read_bytes(), "the lock")


@case
def a_name_that_can_not_be_had_exits_1_and_the_others_are_written(folder):
    two = POLICY.replace("jellyfin = ", 'wiki = "wiki.home.example:443"\njellyfin = ')
    write_policy(folder, two)
    result = resolve(
        folder,
        {NAME: answered("10.69.13.30"), "wiki.home.example": {"outcome": "no_such_name", "server": "10.69.13.5"}},
    )
    expect_exit(1, result)
    expect_words("error[E0301]", result)
    expect("10.69.13.30" in (folder / "policy.lock").read_text(), (folder / "policy.lock").read_text())


@case
def an_answer_outside_within_is_refused_and_the_old_one_kept(folder):
    with_lock(folder)
    lock = (folder / "policy.lock").read_bytes()
    result = resolve(folder, {NAME: answered("203.0.113.9")})
    expect_exit(1, result)
    expect_words("error[E0302]", result)
    expect_equal(lock, (folder / "policy.lock").read_bytes(), "the lock")


@case
def ten_thousand_addresses_for_a_name_are_refused(folder):
    with_lock(folder)
    lock = (folder / "policy.lock").read_bytes()
    many = [f"10.69.{13 if i < 256 else 14 + i // 256}.{i % 256}" for i in range(10000)]
    result = resolve(folder, {NAME: answered(*many)})
    expect_exit(1, result)
    expect_words("error[E0304]", result)
    expect_equal(lock, (folder / "policy.lock").read_bytes(), "the lock")


@case
def a_name_the_policy_no_longer_has_is_dropped_from_the_lock(folder):
    with_lock(folder)
    write_policy(folder, POLICY.replace(f'"{NAME}:3000"', '"10.69.13.30:3000"'))
    result = run("check", "policy.toml", cwd=folder)
    expect_exit(0, result)  # too much in a lock opens nothing
    result = resolve(folder, {})
    expect_exit(0, result)
    expect_data("dropped: the policy has no such name", result)
    expect(NAME not in (folder / "policy.lock").read_text(), (folder / "policy.lock").read_text())


@case
def a_lock_that_can_not_be_written_is_trouble(folder):
    write_policy(folder)
    result = resolve(folder, {NAME: answered("10.69.13.30")}, "--lock", "no/such/folder/policy.lock")
    expect_exit(2, result)
    expect_words("no/such/folder", result)


@case
def a_broken_lock_is_an_error_with_its_place(folder):
    write_policy(folder)
    (folder / "policy.lock").write_text("version = 1\n<<<<<<< ours\n")
    for verb in ("check", "compile", "list"):
        result = run(verb, "policy.toml", cwd=folder)
        expect_exit(1, result)
        expect_words("--> policy.lock:2", result)


@case
def lock_names_another_file_and_it_must_be_there(folder):
    with_lock(folder)
    os.rename(folder / "policy.lock", folder / "other.lock")
    expect_words("W0305", run("check", "policy.toml", cwd=folder))
    expect_equal("", run("check", "policy.toml", "--lock", "other.lock", cwd=folder).stderr, "with --lock")
    result = run("check", "policy.toml", "--lock", "none.lock", cwd=folder)
    expect_exit(2, result)
    expect_words("none.lock", result)


@case
def the_lock_is_found_beside_the_policy_from_any_folder(folder):
    (folder / "etc").mkdir()
    with_lock(folder / "etc")
    result = run("check", "etc/policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_equal("", result.stderr, "stderr")


@case
def what_was_written_shows_no_control_character_of_a_file_name(folder):
    write_policy(folder)
    result = resolve(folder, {NAME: answered("10.69.13.30")}, "--lock", "odd\n\x1b[31m.lock")
    expect_exit(0, result)
    expect(".lock written\n" in result.stdout and "\x1b" not in result.stdout and "odd\n" not in result.stdout, result)


@case
def hosts_are_honoured(folder):
    write_policy(folder)
    (folder / "hosts").write_text(f"10.69.13.33 {NAME}\n")
    result = run("compile", "policy.toml", cwd=folder, hosts="hosts")
    expect_exit(0, result)
    expect_data("10.69.13.33", result)
    # resolve locks what stands there, and asks nobody for it.
    expect_equal(f"{NAME}  10.69.13.33\n1 name: 1 changed, 0 as before\npolicy.lock written\n",
                 run("resolve", "policy.toml", cwd=folder, hosts="hosts").stdout, "resolve")
    expect_data("10.69.13.33", run("compile", "policy.toml", cwd=folder))


@case
def a_lock_where_no_file_can_be_made_says_so(folder):
    write_policy(folder)
    result = resolve(folder, {NAME: answered("10.69.13.30")}, "--lock", "/proc/policy.lock")
    expect_exit(2, result)
    expect_words("cannot write /proc/policy.lock: no file can be made in /proc\n", result)


main()
