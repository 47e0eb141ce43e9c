"""What bad input gets: a clear error, and nothing changed, neither in the kernel nor in the state directory."""

import own_network

own_network.enter()

import ctypes
import errno
import os
import platform
import shutil
import struct
import subprocess

from gateway import NAME, applied, apply, policyc
from harness import (
    POLICY,
    case,
    expect,
    expect_data,
    expect_equal,
    expect_exit,
    expect_words,
    files_of,
    main,
    run,
    skip,
    with_lock,
    write_answers,
    write_policy,
)
from own_network import clear, generation, nft, ruleset, table

EDITED = POLICY.replace('"grafana", "jellyfin"', '"jellyfin"')  # what a run would apply if it could


def held(folder):
    return generation(), ruleset(), files_of(folder / "state"), files_of(folder).get("policy.lock")


def refused(folder, status, *words, **more):
    """An apply that ends with that status and these words on stderr, and changes nothing."""
    before = held(folder)
    result = apply(folder, **more)
    expect_exit(status, result)
    expect(result.stdout == "", result, "data on stdout")
    for text in words:
        expect_words(text, result)
    expect("invalid" not in result.stderr, result)
    expect_equal(before, held(folder), "generation, ruleset, state and lock")
    return result


@case
def mistakes_in_the_policy(folder):
    applied(folder)
    for old, new, code, words in [
        ("who  ", "whom ", "E0101", "unknown key `whom`"),
        ('who   = ["laptop", "phone"]', "who   = 7", "", "policy.toml:"),
        ("10.69.50.12", "10.69.50.11", "E0401", "`phone`"),
        ("[tiers.vpn]", '[groups]\na = ["b"]\nb = ["a"]\n\n[tiers.vpn]', "", "a"),
        (":8096", ":80960", "E0103", "80960"),
        ("10.69.13.0/24", "10.69.13.7/24", "", "10.69.13.0/24"),
        ("allow = [", "allow = [[", "", "policy.toml:"),
        ('"grafana", "jellyfin"', '"grafana", "jellyfn"', "E0201", "did you mean `jellyfin`?"),
    ]:
        expect(old in POLICY, old)
        write_policy(folder, POLICY.replace(old, new))
        result = refused(folder, 1, f"error[{code}" if code else "error[E", words, " --> policy.toml:", "policy.toml: ")
        expect("help:" in result.stderr or "note:" in result.stderr, result)


@case
def a_file_of_200_megabytes(folder):
    applied(folder)
    with open(folder / "policy.toml", "wb") as file:
        file.truncate(200 << 20)
    refused(folder, 2, "policy.toml", "larger than", "  = help: no more is read")


@case
def a_nul_byte(folder):
    applied(folder)
    (folder / "policy.toml").write_bytes(POLICY.replace("jellyfin", "jelly\0fin", 1).encode())
    refused(folder, 1, "error[E", "--> policy.toml:")


@case
def bytes_that_are_not_utf_8(folder):
    applied(folder)
    (folder / "policy.toml").write_bytes(POLICY.encode().replace(b"jellyfin", b"jelly\xfffin", 1))
    refused(folder, 1, "error[E", "UTF-8")


@case
def a_directory_for_a_file(folder):
    applied(folder)
    (folder / "policy.toml").unlink()
    (folder / "policy.toml").mkdir()
    refused(folder, 2, "policy.toml", "directory")


@case
def a_device_or_a_pipe_for_a_file(folder):
    applied(folder)
    (folder / "policy.toml").unlink()
    os.mkfifo(folder / "policy.toml")
    refused(folder, 2, "policy.toml", "not a regular file", "  = help: write what it would give to a file")


@case
def a_file_that_is_not_there(folder):
    applied(folder)
    (folder / "policy.toml").unlink()
    refused(folder, 2, "policy.toml", "does not exist")


@case
def half_a_file(folder):
    applied(folder)
    (folder / "policy.toml").write_text(POLICY[: len(POLICY) // 2])
    before = held(folder)
    result = apply(folder)
    expect(result.returncode in (1, 2), result)
    expect_equal(before, held(folder), "generation, ruleset, state and lock")


@case
def an_empty_file(folder):
    applied(folder)
    write_policy(folder, "")
    refused(folder, 1, "error[E", "version")


@case
def a_lock_with_an_address_outside_within(folder):
    applied(folder)
    lock = folder / "policy.lock"
    lock.write_text(lock.read_text().replace("10.69.13.30", "203.0.113.9"))
    refused(folder, 1, "error[E0302]", NAME)


@case
def a_lock_with_a_name_that_the_policy_no_longer_has(folder):
    applied(folder, POLICY)
    lock = folder / "policy.lock"
    lock.write_text(lock.read_text().replace(NAME, "gone.home.example") + "")
    write_policy(folder, POLICY.replace(f'"{NAME}:3000"', '"10.69.13.30:3000"'))
    result = apply(folder)
    expect_exit(0, result)
    expect("gone" not in table(), table())


def on_a_tmpfs(folder, options):
    """The state directory of what is applied, moved onto a small file system of its own."""
    applied(folder)
    kept = folder / "kept"
    shutil.copytree(folder / "state", kept)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "policyc-test", folder / "state"], check=True)
    for path in kept.iterdir():
        shutil.copy(path, folder / "state")
    write_policy(folder, EDITED)


def unmount(folder):
    subprocess.run(["umount", folder / "state"], check=True)


@case
def a_full_disk(folder):
    on_a_tmpfs(folder, "size=64k")
    try:
        filler = os.open(folder / "state/filler", os.O_CREAT | os.O_WRONLY)
        try:
            while os.write(filler, b"x" * 4096):
                pass
        except OSError as error:
            expect_equal(errno.ENOSPC, error.errno, "why the disk takes no more")
        os.close(filler)
        refused(folder, 2, "state", "o space left on device")
        os.unlink(folder / "state/filler")
        expect_exit(0, apply(folder))
    finally:
        unmount(folder)


@case
def a_read_only_state_directory(folder):
    on_a_tmpfs(folder, "size=1m")
    try:
        subprocess.run(["mount", "-o", "remount,ro", folder / "state"], check=True)
        refused(folder, 2, "cannot write the state directory", "ead-only file system", "nothing was changed")
        # A dry run needs to write nothing.
        result = apply(folder, "--dry-run")
        expect_exit(0, result)
        expect_data("would be applied", result)
    finally:
        unmount(folder)


@case
def a_file_for_the_state_directory(folder):
    clear()
    with_lock(folder)
    (folder / "state").write_text("")
    before = generation(), ruleset()
    result = apply(folder)
    expect_exit(2, result)
    expect_words("state directory", result)
    expect_equal(before, (generation(), ruleset()), "generation and ruleset")


@case
def no_cap_net_admin(folder):
    applied(folder)
    write_policy(folder, EDITED)
    drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    refused(folder, 2, "CAP_NET_ADMIN", command=drop)
    result = policyc(folder, "diff", "policy.toml", command=drop)
    expect_exit(2, result)
    expect_words("CAP_NET_ADMIN", result)


SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def without_nf_tables():
    """From here on netfilter's sockets give EPROTONOSUPPORT, as in a kernel that has none: seccomp(2)."""
    arch, number = SOCKET[platform.machine()]
    ld, jeq, ret = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, refuse = 0x7FFF0000, 0x00050000 | 93  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPROTONOSUPPORT
    program = [
        (ld, 0, 0, 4),
        (jeq, 0, 7, arch),
        (ld, 0, 0, 0),
        (jeq, 0, 5, number),
        (ld, 0, 0, 16),
        (jeq, 0, 3, 16),  # AF_NETLINK
        (ld, 0, 0, 32),
        (jeq, 0, 1, 12),  # NETLINK_NETFILTER
        (ret, 0, 0, refuse),
        (ret, 0, 0, allow),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    filter_ = ctypes.create_string_buffer(header)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.addressof(filter_), 0, 0) != 0:
        os._exit(99)


@case
def no_nf_tables_in_the_kernel(folder):
    if platform.machine() not in SOCKET:
        skip("no seccomp numbers for this machine")
    applied(folder)
    write_policy(folder, EDITED)
    refused(folder, 2, "nf_tables", preexec_fn=without_nf_tables)


@case
def a_kernel_that_refuses_the_batch_half_way(folder):
    applied(folder)
    # A hook takes 1024 chains (MAX_HOOK_COUNT of net/netfilter/core.c). The one of ours that somebody took out would be
    # too many: the kernel finds that out when much of the batch is done.
    nft("delete", "chain", "inet", "policyc", "forward")
    others = 1024 - table().count("hook forward")
    chains = "".join(f"chain c{i} {{ type filter hook forward priority 100; }};\n" for i in range(others))
    nft("-f", "-", input=f"table ip crowd {{\n{chains}}}\n")
    write_policy(folder, EDITED)
    refused(folder, 2, "error: ", "policyc")
    expect_exit(1, policyc(folder, "diff", "policy.toml"))
    nft("delete", "table", "ip", "crowd")
    expect_exit(0, apply(folder))


@case
def a_table_that_another_program_owns(folder):
    clear()
    with_lock(folder)
    # It can be changed through the socket that made it alone.
    owner = subprocess.Popen(
        ["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        owner.stdin.write("add table inet policyc { flags owner; }\n")
        owner.stdin.flush()
        for _ in range(100):
            if table() is not None:
                break
        else:
            skip("no owned tables here")
        before = generation(), ruleset()
        result = apply(folder)
        expect_exit(2, result)
        expect_words("error: ", result)
        expect_equal(before, (generation(), ruleset()), "generation and ruleset")
        expect(set(files_of(folder / "state")) == {"lock"}, files_of(folder / "state").keys())
    finally:
        owner.stdin.close()
        owner.wait(timeout=10)


@case
def a_table_that_somebody_else_edited(folder):
    applied(folder)
    nft("add", "chain", "inet", "policyc", "mine", "{ type filter hook forward priority 7; policy accept; }")
    result = policyc(folder, "diff", "policy.toml")
    expect_exit(1, result)
    result = apply(folder)
    expect_exit(0, result)
    expect("mine" not in table(), table())
    expect_exit(0, policyc(folder, "diff", "policy.toml"))


@case
def a_resolver_that_fails_lies_or_floods(folder):
    clear()
    write_policy(folder)
    many = [f"10.69.13.{i}" for i in range(256)] + [f"10.70.{i // 256}.{i % 256}" for i in range(9744)]
    for answer in (
        {"outcome": "timeout"},
        {"outcome": "server_error", "detail": "a malformed reply"},
        {"outcome": "no_such_name"},
        {"outcome": "no_address"},
        {"outcome": "answered", "addresses": ["203.0.113.9"]},
        {"outcome": "answered", "addresses": many},
    ):
        answers = write_answers(folder, {NAME: {"server": "10.69.13.5", **answer}})
        result = apply(folder, "--answers", answers)
        expect_exit(0, result)  # the gateway is not left without a firewall
        expect_words("warning[W0306]", result)
        expect("3000" not in table() and "8096" in table(), table())
        expect(
            "10.69.13" not in (folder / "policy.lock").read_text() if (folder / "policy.lock").exists() else True,
            "the lock",
        )
        expect_exit(1, policyc(folder, "resolve", "policy.toml", "--answers", answers))


@case
def answers_that_are_no_answers(folder):
    applied(folder)
    before = held(folder)
    for text in ("not json", "[]", '{"a": {"outcome": "perhaps"}}', '{"a": {"addresses": ["x"]}}'):
        (folder / "bad.json").write_text(text)
        result = apply(folder, "--answers", "bad.json")
        expect_exit(2, result)
    expect_equal(before, held(folder), "generation, ruleset, state and lock")


@case
def a_record_that_can_not_be_read_only_costs_names(folder):
    applied(folder)
    for text in ("", "half a", '{"version": 1}', '{"version": 99}', '{"version": 1, "node": 7}'):
        (folder / "state/applied.json").write_text(text)
        write_policy(folder, EDITED)
        result = policyc(folder, "diff", "policy.toml")
        expect_exit(1, result)
        expect_data("loses", result)
        expect_words("applied.json is", result)
        expect_words("; without the record of what was applied last, ", result)


@case
def a_directory_where_the_record_belongs_is_told_before_anything_is_applied(folder):
    applied(folder)
    before = held(folder)[:2]
    (folder / "state/applied.json").unlink()
    (folder / "state/applied.json").mkdir()
    write_policy(folder, EDITED)
    for verb in ("diff", "verify"):
        expect_words("applied.json: is a directory; without the record", policyc(folder, verb, "policy.toml"))
    result = apply(folder)
    expect_exit(2, result)
    expect_words("applied.json: is a directory, so nothing was applied\n   = help: remove it", result)
    expect_equal(before, held(folder)[:2], "generation and ruleset")
    (folder / "state/applied.json").rmdir()
    expect_exit(0, apply(folder))
    result = policyc(folder, "verify", "policy.toml")
    expect("applied.json" not in result.stderr, result)


main()
