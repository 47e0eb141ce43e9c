"""init, check and compile, and what all verbs have in common, without a kernel and without a network."""

import ipaddress
import json
import os
import random
import re
import shutil
import subprocess

from harness import (
    POLICY,
    SOURCE,
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
    skip,
    with_lock,
    write_policy,
)


# ---- init ----------------------------------------------------------------------------------------------------------


@case
def init_writes_a_policy_that_checks_and_compiles(folder):
    result = run("init", cwd=folder)
    expect_exit(0, result)
    expect_data("policy.toml written", result)
    check = run("check", "policy.toml", cwd=folder)
    expect_exit(0, check)
    expect_equal("", check.stderr, "what check says of it")
    result = run("compile", "policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_data("table inet policyc", result)


@case
def init_takes_a_path_or_a_folder(folder):
    (folder / "sub").mkdir()
    expect_exit(0, run("init", "mine.toml", cwd=folder))
    expect_exit(0, run("init", "sub", cwd=folder))
    expect(sorted(files_of(folder)) == ["mine.toml", "sub/policy.toml"], files_of(folder).keys())


@case
def init_never_overwrites(folder):
    write_policy(folder, "mine\n")
    (folder / "dangling").symlink_to("nowhere")
    for path in ("policy.toml", "dangling"):
        result = run("init", path, cwd=folder)
        expect_exit(2, result)
        expect_words("is there already, and is left as it is", result)
        expect_words("policyc init other.toml", result)
    expect_equal("mine\n", (folder / "policy.toml").read_text(), "the policy")
    expect(not (folder / "nowhere").exists(), "nowhere was made")


@case
def init_says_why_it_cannot_write(folder):
    result = run("init", "no/such/folder/policy.toml", cwd=folder)
    expect_exit(2, result)
    expect_words("no/such/folder", result)


# ---- check and compile ---------------------------------------------------------------------------------------------


@case
def check_says_what_it_saw(folder):
    with_lock(folder)
    result = run("check", "policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_equal("policy.toml: 3 nodes, 2 services, 1 tier, 0 tests passed\n", result.stdout, "stdout")
    expect_equal("", result.stderr, "stderr")


@case
def a_failed_test_stops_every_verb_that_would_print_or_program_a_ruleset(folder):
    test = '\n[[test]]\nname = "the phone does not watch films"\nfrom = ["phone"]\ndeny = ["jellyfin"]\n'
    with_lock(folder, POLICY + test)
    for verb in ("check", "compile", "diff", "apply"):
        result = run("--state-dir", folder / "state", verb, "policy.toml", cwd=folder)
        expect_exit(1, result)
        expect(result.stdout == "", result, "data on stdout")
        expect_words("the phone does not watch films", result)


@case
def the_minimal_example_compiles_as_it_stands(folder):
    shutil.copy(SOURCE / "policy/examples/minimal.toml", folder / "policy.toml")
    result = run("compile", "policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_data("10.69.13.20", result)
    expect_words("monitoring01.home.example", result)  # in neither lock nor hosts: which and how to get it
    expect_words("policyc resolve", result)


@case
def compile_prints_each_form(folder):
    with_lock(folder)
    expect_data("table inet policyc", run("compile", "policy.toml", cwd=folder))
    expect(
        "nftables" in json.loads(run("compile", "policy.toml", "--to", "json", cwd=folder).stdout),
        "not libnftables JSON",
    )
    expect_data("node extgw01\n", run("compile", "policy.toml", "--to", "ir", cwd=folder))


@case
def compile_gives_the_same_bytes_each_time(folder):
    with_lock(folder)
    for form in ("nft", "json", "ir"):
        first = run("compile", "policy.toml", "--to", form, cwd=folder)
        second = run("compile", "policy.toml", "--to", form, cwd=folder, now="2026-11-24T23:00:00Z")
        expect_exit(0, first)
        expect_equal(first.stdout, second.stdout, form)


@case
def an_expired_tier_is_gone_the_day_after(folder):
    with_lock(folder, POLICY + "expires = 2026-12-31\n")
    for now, there in (("2026-12-31T23:59:59Z", True), ("2027-01-01T00:00:00Z", False)):
        result = run("compile", "policy.toml", "--to", "ir", cwd=folder, now=now)
        expect(("10.69.13.20" in result.stdout) == there, result, now)


@case
def check_and_compile_need_neither_network_nor_kernel_nor_privileges(folder):
    with_lock(folder)
    os.chmod(folder, 0o755)
    command = [
        "unshare",
        "-n",
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ]
    if os.geteuid() != 0:
        command = ["unshare", "-rn"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0 or not shutil.which("setpriv"):
        command = []
    for verb in ("check", "compile", "list"):
        plain = run(verb, "policy.toml", cwd=folder)
        bare = run(verb, "policy.toml", cwd=folder, command=command)
        expect_exit(0, bare)
        expect_equal(plain.stdout, bare.stdout, verb)


@case
def check_and_compile_do_not_even_open_a_socket(folder):
    if not shutil.which("strace"):
        skip("no strace")
    write_policy(folder)
    for verb in ("check", "compile"):
        result = run(
            verb,
            "policy.toml",
            cwd=folder,
            command=["strace", "-f", "-e", "trace=socket,connect", "-o", "trace"],
            env={"ASAN_OPTIONS": "detect_leaks=0"},  # the leak sanitizer traces too, and two can't
        )
        expect_exit(0, result)
        expect("socket(" not in (folder / "trace").read_text(), (folder / "trace").read_text())


# ---- which node ----------------------------------------------------------------------------------------------------

TWO_GATEWAYS = POLICY.replace(
    "[nodes.laptop]", '[nodes.gw2]\nrole = "gateway"\naddress = "10.69.50.3"\ninterface = "wg9"\n\n[nodes.laptop]'
)


@case
def the_only_gateway_is_chosen(folder):
    with_lock(folder)
    expect_data("node extgw01\n", run("compile", "policy.toml", "--to", "ir", cwd=folder))


@case
def two_gateways_want_a_name(folder):
    with_lock(folder, TWO_GATEWAYS)
    result = run("compile", "policy.toml", cwd=folder)
    expect_exit(2, result)
    expect_words("which node?", result)
    expect_words("extgw01, gw2, laptop, phone", result)
    expect_data("node gw2\n", run("compile", "policy.toml", "--to", "ir", "--node", "gw2", cwd=folder))


@case
def an_unknown_node_gets_the_nearest(folder):
    with_lock(folder)
    result = run("compile", "policy.toml", "--node", "extgw02", cwd=folder)
    expect_exit(2, result)
    expect_words("the policy has no node `extgw02`", result)
    expect_words("did you mean `extgw01`?", result)
    expect_words("its nodes are extgw01, laptop, phone", run("compile", "policy.toml", "--node", "zzz", cwd=folder))
    expect_exit(2, run("compile", "policy.toml", "--node", "", cwd=folder))


@case
def the_host_name_chooses_whole_or_by_its_first_label(folder):
    with_lock(folder, TWO_GATEWAYS)
    for name in ("gw2", "gw2.example.org"):
        command = ["unshare", "-ru", "sh", "-c", f'hostname {name} && exec "$@"', "sh"]
        if not shutil.which("hostname") or subprocess.run([*command, "true"], capture_output=True).returncode != 0:
            skip("can't set a host name here")
        expect_data("node gw2\n", run("compile", "policy.toml", "--to", "ir", cwd=folder, command=command))


@case
def a_node_of_scope_none_compiles_to_nothing_and_says_so(folder):
    with_lock(folder)
    result = run("compile", "policy.toml", "--node", "phone", cwd=folder)
    expect_exit(0, result)
    expect_words('phone: scope is "none"', result)
    expect("chain" not in result.stdout, result)


# ---- JSON ----------------------------------------------------------------------------------------------------------


@case
def every_verb_gives_one_record(folder):
    with_lock(folder)
    write_policy(folder, POLICY.replace("who  ", "whom "), "bad.toml")
    for arguments in (
        ["check"],
        ["compile"],
        ["compile", "--to", "json"],
        ["compile", "--to", "ir"],
        ["list"],
        ["diff", "--against", "policy.toml"],
    ):
        result = run("--format", "json", arguments[0], "policy.toml", *arguments[1:], cwd=folder)
        expect_exit(0, result)
        expect_equal(([], []), (record_of(result)["diagnostics"], record_of(result)["notes"]), "diagnostics and notes")
        result = run("--format", "json", arguments[0], "bad.toml", *arguments[1:], cwd=folder)
        expect_exit(1, result)
        unknown = next(one for one in record_of(result)["diagnostics"] if one["code"] == "E0101")
        expect_equal(
            ("error", "bad.toml", 24), (unknown["severity"], unknown["file"], unknown["line"]), "the diagnostic"
        )
    result = run("--format", "json", "compile", "policy.toml", "--node", "zzz", cwd=folder)
    expect_exit(2, result)
    expect("zzz" in record_of(result)["error"]["message"], result)
    record_of(run("version", "--format", "json", cwd=folder))
    record_of(run("init", "x.toml", "--format", "json", cwd=folder))
    record_of(run("codes", "--format", "json", cwd=folder))


@case
def what_overlaps_in_too_many_ways_is_refused_and_named(folder):
    """Each of 4,000 entries is a small line; cut to be disjoint they would be tens of millions of elements, and tens of gigabytes."""
    draw = random.Random(1)

    def network():
        return str(ipaddress.ip_network((10 << 24 | draw.getrandbits(24), draw.randint(9, 30)), strict=False))

    lines = ['version = 1\n[nodes.gw]\nrole = "gateway"\naddress = "10.69.50.1"\ninterface = "wg0"\n[tiers]']
    for number in range(4000):
        low = draw.randint(1, 60000)
        lines.append(f't{number} = {{ who = ["{network()}", "{network()}", "{network()}"], allow = ["{network()}:{low}-{low + draw.randint(20, 5000)}"] }}')
    (folder / "policy.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for verb in ("check", "compile"):
        result = run(verb, "policy.toml", cwd=folder)
        expect_exit(2, result)
        expect_equal("", result.stdout, "stdout")
        expect(re.match(r"error: this policy is too entangled: .* more than \d+ ranges\n  --> policy.toml:\d+\n   = help: of what overlaps the most: 10\.", result.stderr), result)


@case
def stages_say_how_long_they_took_where_that_is_asked_for(folder):
    with_lock(folder)
    result = run("compile", "policy.toml", cwd=folder, env={"POLICYC_TIMINGS": "1"})
    expect_exit(0, result)
    names = [line.split()[1] for line in result.stderr.splitlines()]
    expect_equal(["parse", "check", "names", "judge", "prove_tests", "lower", "write", "read_written", "prove", "total"], names, "stages")
    expect(all(re.fullmatch(r"timing: \S+ \d+\.\d+", line) for line in result.stderr.splitlines()), result)
    expect_equal("", run("compile", "policy.toml", cwd=folder).stderr, "stderr")


main()
