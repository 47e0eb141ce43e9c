"""Help, usage errors, exit codes, colours, and streams that can't be written."""

import os
import pty
import resource
import subprocess

from harness import (
    POLICY,
    POLICYC,
    SOURCE,
    case,
    expect,
    expect_data,
    expect_equal,
    expect_exit,
    expect_words,
    main,
    record_of,
    run,
    with_lock,
    write_policy,
)

VERBS = ["init", "check", "resolve", "compile", "apply", "diff", "list", "explain", "version"]


@case
def help_goes_to_stdout_and_exits_0(folder):
    for arguments in (["--help"], ["-h"], ["check", "--help"], ["--help", "check"], ["apply", "-h"]):
        result = run(*arguments, cwd=folder)
        expect_exit(0, result)
        expect(result.stdout and not result.stderr, result)
    for verb in VERBS:
        expect_data(f"\n  {verb}", run("--help", cwd=folder))
        expect_data(f"usage: policyc {verb}", run(verb, "--help", cwd=folder))
        expect_equal(run(verb, "--help", cwd=folder).stdout, run("help", verb, cwd=folder).stdout, f"help {verb}")
    expect_equal(run("--help", cwd=folder).stdout, run("help", cwd=folder).stdout, "help")
    wrong = run("help", "dif", cwd=folder)
    expect_exit(2, wrong)
    expect_words("did you mean `policyc diff`?", wrong)


@case
def help_ends_with_examples_and_hides_what_is_for_tests(folder):
    result = run("--help", cwd=folder)
    expect(result.stdout.index("Examples") > result.stdout.index("Exit status"), result)
    for hidden in ("--answers", "--hosts", "--now", "codes", "manual"):
        expect(hidden not in result.stdout, result, hidden)


@case
def what_a_terminal_would_obey_is_not_printed_as_it_was_given(folder):
    clear, shown = "\x1b[2J", "\u241b[2J"
    (folder / f"a{clear}.toml").write_text(POLICY)
    for arguments, words in (
        ([f"v{clear}"], f"error: `v{shown}` is not a verb of policyc"),
        (["check", "a", f"b{clear}"], f"error: `b{shown}` is one argument too many"),
        (["check", "a", f"--x{clear}"], f"has no option `--x{shown}`"),
        (["check", f"no{clear}.toml"], f"no{shown}.toml: 1 error"),
        (["check", f"a{clear}.toml", "--lock", f"l{clear}"], f"cannot read l{shown}: does not exist"),
        (["check", f"a{clear}.toml"], f"a{shown}.toml: 3 nodes"),
        (["diff", f"a{clear}.toml", "--against", f"a{clear}.toml"], f"a{shown}.toml against a{shown}.toml: no difference"),
        (["init", f"new{clear}.toml"], f"new{shown}.toml written"),
    ):
        result = run(*arguments, cwd=folder)
        said = result.stdout + result.stderr
        expect(words in said and "\x1b" not in said, result, words)


@case
def version_is_one_line(folder):
    expect(run("version", cwd=folder).stdout.startswith("policyc 0."), run("version", cwd=folder))
    expect_equal(run("version", cwd=folder).stdout, run("--version", cwd=folder).stdout, "version")


@case
def usage_errors_exit_2_and_say_the_way_out(folder):
    for arguments, message, help_text in [
        ([], "no verb was given", "policyc init"),
        (["chekc", "policy.toml"], "`chekc` is not a verb of policyc", "did you mean `policyc check`?"),
        (["frobnicate"], "`frobnicate` is not a verb of policyc", "the verbs are init, check"),
        (["check"], "`policyc check` wants POLICY", "usage: policyc check POLICY"),
        (["init", ""], "PATH of `policyc init` is empty", "usage: policyc init [PATH]"),
        (["check", "a", "b"], "`b` is one argument too many for `policyc check`", "usage: policyc check POLICY"),
        (["check", "--nod", "x", "a"], "`policyc check` has no option `--nod`", "did you mean `--node`?"),
        (["apply", "--dryrun", "a"], "`policyc apply` has no option `--dryrun`", "did you mean `--dry-run`?"),
        (["check", "a", "--dry-run"], "`policyc check` has no option `--dry-run`", "usage: policyc check POLICY"),
        (["compile", "a", "--to", "iptables"], "--to takes nft, json or ir, and not `iptables`", "write --to nft|json|ir"),
        (["compile", "a", "--to", "jsn"], "--to takes nft, json or ir, and not `jsn`", "did you mean `json`?"),
        (["check", "a", "--format", "xml"], "--format takes text or json, and not `xml`", "write --format text|json"),
        (["check", "a", "--format", "JSON"], "--format takes text or json, and not `JSON`", "did you mean `json`?"),
        (["list", "a", "--format", "mermade"], "--format takes table, json, mermaid or dot, and not `mermade`", "did you mean `mermaid`?"),
        (["list", "a", "--format", "svg"], "--format takes table, json, mermaid or dot, and not `svg`", None),
        (["check", "a", "--color", "maybe"], "--color takes auto, always or never, and not `maybe`", None),
        (["check", "a", "--node"], "--node wants a value", "write --node NODE"),
        (["check", "a", "--node="], "--node wants a value", "write --node NODE"),
        (["check", "--format", "--node", "x", "a"], "--format wants a value", "write --format text|json"),
        (["diff", "a", "--against"], "--against wants a value", "write --against OLD"),
        (["check", "a", "--against"], "`policyc check` has no option `--against`", "usage: policyc check POLICY"),
        (["check", "--node", "x", "--node=y", "a"], "--node is given twice", "write --node NODE"),
        (["apply", "a", "--dry-run=false"], "--dry-run takes no value", "give --dry-run or leave it out"),
        (["apply", "a", "--offline="], "--offline takes no value", "give --offline or leave it out"),
        (["check", "a", "--help=no"], "--help takes no value", None),
        (["check", "--", "a", "--node"], "`./--node` is one argument too many", "usage: policyc check POLICY"),
        (["check", "a", "-x"], "`policyc check` has no option `-x`", "usage: policyc check POLICY"),
        (["--frob"], "policyc has no option `--frob`", "policyc --help"),
    ]:
        result = run(*arguments, cwd=folder)
        expect_exit(2, result)
        expect(result.stdout == "", result, f"{arguments}: data on stdout")
        expect_words(f"error: {message}", result)
        if help_text:
            expect_words(help_text, result)


@case
def usage_errors_are_records_where_json_is_asked_for(folder):
    for arguments in (["chekc", "--format", "json"], ["--format=json", "check"], ["check", "a", "--nod", "--format", "json"],
                      ["check", "a", "--format", "json", "--state-dir="]):
        result = run(*arguments, cwd=folder)
        expect_exit(2, result)
        record = record_of(result)
        expect(record["version"] == 1 and record["error"]["message"] and not result.stderr, result)
    expect_words("error: `./--format` is one", run("check", "a", "--", "--format", "json", cwd=folder))


@case
def global_options_stand_before_and_after_the_verb(folder):
    with_lock(folder)
    before = run("--node", "extgw01", "compile", "policy.toml", cwd=folder)
    after = run("compile", "policy.toml", "--node", "extgw01", cwd=folder)
    between = run("compile", "--node=extgw01", "policy.toml", cwd=folder)
    expect_exit(0, before)
    expect_equal(before.stdout, after.stdout, "after the verb")
    expect_equal(before.stdout, between.stdout, "between")


@case
def what_stands_behind_two_dashes_is_no_option(folder):
    with_lock(folder)
    text = (folder / "policy.toml").read_text()
    (folder / "--dry-run").write_text(text)
    expect_data("3 nodes", run("check", "--", "policy.toml", cwd=folder))
    expect_data("3 nodes", run("check", "policy.toml", "--", cwd=folder))
    expect_data("3 nodes", run("--node", "extgw01", "--", "check", "policy.toml", cwd=folder))
    expect_data("./--dry-run: 3 nodes", run("check", "--", "--dry-run", cwd=folder))


@case
def the_state_directory_is_an_option_for_everyone(folder):
    expect_data("--state-dir DIR", run("--help", cwd=folder))
    expect_data("--state-dir DIR", run("apply", "--help", cwd=folder))


@case
def the_manual_pages_bear_one_date(folder):
    dates = {
        line
        for page in ("policyc", "policy.toml")
        for line in run("manual", page, cwd=folder).stdout.splitlines()
        if line.startswith(".Dd ")
    }
    expect(len(dates) == 1 and "$" not in dates.pop(), dates)


@case
def a_file_that_is_not_there_is_trouble(folder):
    result = run("check", "policy.toml", cwd=folder)
    expect_exit(2, result)
    expect_words("policy.toml", result)
    expect_words("does not exist", result)


@case
def an_error_in_the_policy_exits_1(folder):
    write_policy(folder, POLICY.replace("who  ", "whom "))
    for verb in ("check", "compile", "list", "diff", "apply", "resolve"):
        result = run("--state-dir", folder / "state", verb, "policy.toml", cwd=folder)
        expect_exit(1, result)
        expect_words("error[E0101]", result)
        expect(result.stderr.splitlines()[-1].startswith("policy.toml: "), result, "the last line counts the errors")


@case
def warnings_do_not_change_the_exit_code(folder):
    write_policy(folder)
    result = run("check", "policy.toml", cwd=folder)
    expect_exit(0, result)
    expect_words("warning[W0305]", result)
    expect(result.stderr.endswith("policy.toml: 1 warning\n"), result)


def on_a_terminal(arguments, folder, **variables):
    """What policyc writes to a terminal that is its stderr."""
    master, slave = pty.openpty()
    environment = {"PATH": os.environ["PATH"], **variables}
    process = subprocess.Popen(
        [POLICYC, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=slave
    )
    os.close(slave)
    text = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        text += piece
    process.wait(timeout=60)
    os.close(master)
    return text.decode()


@case
def colours_are_decided_for_each_stream(folder):
    write_policy(folder, POLICY.replace("who  ", "whom "))
    escape = "\x1b["
    check = ["check", "policy.toml"]
    expect(escape in on_a_terminal(check, folder, TERM="xterm"), "no colour on a terminal")
    expect(escape in on_a_terminal(check, folder, TERM="xterm", NO_COLOR=""), "an empty NO_COLOR says nothing")
    expect(escape not in on_a_terminal(check, folder, TERM="xterm", NO_COLOR="1"), "NO_COLOR is not honoured")
    expect(escape not in on_a_terminal(check, folder, TERM="dumb"), "TERM=dumb is not honoured")
    expect(escape not in on_a_terminal([*check, "--color", "never"], folder, TERM="xterm"), "--color never")
    expect(escape not in run(*check, cwd=folder, env={"TERM": "xterm"}).stderr, "colour in a pipe")
    expect(escape in run(*check, "--color", "always", cwd=folder, env={"NO_COLOR": "1"}).stderr, "--color always")


@case
def a_full_disk_on_stdout_is_reported(folder):
    with_lock(folder)
    for arguments in (
        ["--help"],
        ["version"],
        ["compile", "policy.toml"],
        ["list", "policy.toml"],
        ["check", "policy.toml", "--format", "json"],
    ):
        with open("/dev/full", "w") as full:
            result = run(*arguments, cwd=folder, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        expect_exit(2, result)
        expect_words("cannot write to standard output: No space left on device", result)


@case
def a_closed_pipe_is_no_crash_and_says_nothing(folder):
    with_lock(folder)
    reader, writer = os.pipe()
    os.close(reader)
    result = run("compile", "policy.toml", cwd=folder, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    expect_exit(2, result)
    expect_equal("", result.stderr, "stderr")


@case
def a_closed_stdout_is_reported_and_no_file_is_written_into(folder):
    with_lock(folder)
    text = (folder / "policy.toml").read_text()
    result = subprocess.run(
        ["sh", "-c", f"exec '{POLICYC}' compile policy.toml >&-"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    expect_exit(2, result)
    expect_words("cannot write to standard output", result)
    expect_equal(text, (folder / "policy.toml").read_text(), "the policy")


@case
def where_memory_ends_it_is_trouble_and_no_crash(folder):
    """Nothing foresees that, so it stands for every exception that nothing catches."""
    names = "".join(f's{i} = "10.69.{i // 250}.{i % 250}:80"\n' for i in range(30000))
    write_policy(folder, POLICY.replace("[services]\n", "[services]\n" + names))

    def little():
        resource.setrlimit(resource.RLIMIT_AS, (40 << 20, 40 << 20))

    if run("version", cwd=folder, preexec_fn=little).returncode != 0:
        return  # a build with sanitizers needs more to begin at all
    for options in ([], ["--format", "json"]):
        result = run("check", "policy.toml", *options, cwd=folder, preexec_fn=little)
        expect_exit(2, result)
        if options:
            expect_equal("there is not enough memory", record_of(result)["error"]["message"], "the record")
        else:
            expect_words("error: there is not enough memory\n   = help: ", result)
            expect_equal("", result.stdout, "stdout")


@case
def the_codes_are_listed(folder):
    result = run("codes", cwd=folder)
    expect_exit(0, result)
    expect_data("E0101\tunknown key\n", result)
    expect(all(line.count("\t") == 1 for line in result.stdout.splitlines()), result)


@case
def the_manual_pages_are_those_of_the_code(folder):
    for page, file in (("policyc", "policyc.8"), ("policy.toml", "policy.toml.5")):
        result = run("manual", page, cwd=folder)
        expect_exit(0, result)
        path = SOURCE / "docs" / file
        if os.environ.get("POLICYC_ACCEPT") == "1":
            path.write_text(result.stdout)
        expect_equal(
            path.read_text() if path.exists() else "", result.stdout, f"docs/{file} (POLICYC_ACCEPT=1 rewrites it)"
        )
    expect_exit(2, run("manual", "frob", cwd=folder))


@case
def the_manual_pages_have_one_sentence_per_line_and_name_every_verb(folder):
    page = run("manual", "policyc", cwd=folder).stdout
    for verb in VERBS:
        expect(f".Cm {verb}\n" in page, page, verb)
    for line in page.splitlines():
        expect(line.startswith(".") or line.count(". ") == 0, line, "two sentences in a line")


main()
