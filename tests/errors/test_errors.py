"""The whole of what policyc says about each mistake, for every code of the table; and that docs/errors.md explains every code.

A case is a folder cases/CODE-what/ with
    policy.toml   and whatever else the run reads: policy.lock, policy.d/, hosts (given with --hosts), answers.json (with --answers)
    cmd           the arguments of policyc; absent: check policy.toml
    stderr, exit  what is expected: compared byte for byte
    stdout        likewise, where the case is about it
It runs in a copy of its folder, at noon of 24 November 2026. POLICYC_ACCEPT=1 writes what was seen."""

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ["POLICYC_SOURCE"])
POLICYC = Path(os.environ["POLICYC_BUILD"]) / "policyc"
CASES = SOURCE / "tests/errors/cases"
ACCEPT = os.environ.get("POLICYC_ACCEPT") == "1"
LIVE = {"E0901": "tests/kernel/test_lockout.py"}  # codes that take a kernel and somebody who is logged in, and where they are seen
EXPECTED = ("cmd", "stderr", "exit", "stdout")  # what policyc does not see


def run(*arguments, cwd=None):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "dumb", "STATE_DIRECTORY": "/nonexistent"}
    return subprocess.run([POLICYC, *arguments], cwd=cwd, env=environment, capture_output=True, timeout=60)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run_case(case):
    """What the run printed and its exit status, and whether it changed a file."""
    command = case / "cmd"
    arguments = shlex.split(command.read_text() if command.exists() else "check policy.toml")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "case"
        shutil.copytree(case, folder, symlinks=True, ignore=shutil.ignore_patterns(*EXPECTED))
        before = files_of(folder)
        extra = ["--now", "2026-11-24T12:00:00Z", "--hosts", "hosts" if (folder / "hosts").exists() else os.devnull]
        if (folder / "answers.json").exists():
            extra += ["--answers", "answers.json"]
        result = run(*extra, *arguments, cwd=folder)
        result.stderr = result.stderr.replace(str(folder.resolve()).encode(), b"/case")
        return result, files_of(folder) != before


def difference(expected, seen, name):
    lines = difflib.unified_diff(
        expected.decode(errors="backslashreplace").splitlines(),
        seen.decode(errors="backslashreplace").splitlines(),
        f"{name} (expected)",
        f"{name} (seen)",
        lineterm="",
    )
    return "\n".join("    " + line for line in lines) or f"    {name} differs in its line ends"


def check_case(case):
    """Problems of one case, as texts."""
    result, changed = run_case(case)
    code = case.name.split("-")[0]
    seen = {"stderr": result.stderr, "exit": f"{result.returncode}\n".encode()}
    if (case / "stdout").exists():
        seen["stdout"] = result.stdout
    problems = []
    if f"[{code}]".encode() not in result.stderr:
        problems.append(f"    {code} was not reported:\n" + result.stderr.decode(errors="backslashreplace"))
    if result.returncode not in (0, 1, 2):
        problems.append(f"    ended with {result.returncode}")
    if result.returncode == 2 and changed:
        problems.append("    ended in trouble and changed a file")
    if b"\x1b" in result.stderr:
        problems.append("    an escape character reached stderr")
    for name, data in seen.items():
        path = case / name
        if ACCEPT and not problems:
            path.write_bytes(data)
        elif not path.exists():
            problems.append(f"    has no file {name}")
        elif path.read_bytes() != data:
            problems.append(difference(path.read_bytes(), data, name))
    return problems


def check_table(table, cases):
    """Every code has a case, every case a code."""
    used = {case.name.split("-")[0] for case in cases}
    problems = [f"    {code} ({table[code]}) has no case in tests/errors/cases" for code in table if code not in used and code not in LIVE]
    problems += [f"    {script} does not expect {code}" for code, script in LIVE.items() if f"error[{code}]" not in (SOURCE / script).read_text()]
    return problems + [f"    cases of {code}, which is not in the table" for code in sorted(used - set(table))]


def check_docs(table):
    """docs/errors.md has `## CODE: title` for each code, in the order of the table, and no other; each with an example and a way out."""
    text = (SOURCE / "docs/errors.md").read_text()
    entries = re.findall(r"^## (.*)$", text, re.MULTILINE)
    wanted = [f"{code}: {title}" for code, title in table.items()]
    problems = [f"    docs/errors.md has no entry `## {entry}`" for entry in wanted if entry not in entries]
    problems += [f"    docs/errors.md has an entry `## {entry}`, which is not in the table" for entry in entries if entry not in wanted]
    if not problems and entries != wanted:
        problems.append("    the entries of docs/errors.md are not in the order of the table")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        if "```" not in section or len(section.split("\n\n")) < 3:
            problems.append(f"    the entry {section.splitlines()[0]} lacks an example, or what to do about it")
    return problems


def main():
    failed = 0

    def say(name, problems):
        nonlocal failed
        failed += bool(problems)
        print(("FAIL " if problems else "ok   ") + name)
        for problem in problems:
            print(problem)

    codes = run("codes")
    if codes.returncode != 0:
        sys.exit(f"`policyc codes` ended with {codes.returncode}: {codes.stderr.decode()}")
    table = dict(line.split("\t") for line in codes.stdout.decode().splitlines())
    only = sys.argv[1:]
    cases = sorted(path for path in CASES.iterdir() if path.is_dir())
    for case in cases:
        if not only or any(case.name.startswith(prefix) for prefix in only):
            say(case.name, check_case(case))
    if not only:
        say("every code has a case", check_table(table, cases))
        say("docs/errors.md explains every code", check_docs(table))
        print(f"{len(cases)} cases of {len(table)} codes, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
