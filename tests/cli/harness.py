"""Runs cases that call policyc, each in an empty folder, and prints a line for each.

    @case
    def an_unknown_verb_is_named(folder): ...

    main()"""

import difflib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from backend import with_backend  # noqa: E402

SOURCE = Path(os.environ.get("POLICYC_SOURCE", Path(__file__).resolve().parents[2]))
POLICYC = Path(os.environ.get("POLICYC_BUILD", SOURCE / "build/dev")) / "policyc"
NOW = "2026-11-24T12:00:00Z"

# Two people, a gateway, a service by name and one by address.
POLICY = """version = 1

[networks]
home = ["10.69.13.0/24"]

[nodes.extgw01]
role      = "gateway"
address   = "10.69.50.2"
interface = "wg0"
serves    = ["home"]
input.ssh = { from = ["laptop"], limit = "6/minute" }

[nodes.laptop]
address = "10.69.50.11"

[nodes.phone]
address = "10.69.50.12"

[services]
grafana  = "monitoring01.home.example:3000"
jellyfin = "10.69.13.20:8096"

[tiers.vpn]
who   = ["laptop", "phone"]
allow = ["grafana", "jellyfin"]
"""

LOCK_ANSWERS = {"monitoring01.home.example": {"outcome": "answered", "addresses": ["10.69.13.30"], "ttl": 300}}

cases = []


def case(function):
    cases.append(function)
    return function


class Failed(Exception):
    pass


class Skipped(Exception):
    """A case that can't run here. A script with one is counted as skipped, though its other cases passed."""


def skip(why):
    raise Skipped(why)


def run(*arguments, cwd, hosts=os.devnull, env=None, now=NOW, command=(), **more):
    """policyc with a fixed time and no /etc/hosts; what it printed, as text."""
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TERM": "dumb", "STATE_DIRECTORY": "/nonexistent"}
    environment.update(env or {})
    arguments = with_backend(arguments)
    hidden = ["--hosts", hosts] if now is None else ["--hosts", hosts, "--now", now]
    settings = {"capture_output": True, "text": True, "timeout": 120, **more}
    return subprocess.run([*command, POLICYC, *hidden, *arguments], cwd=cwd, env=environment, **settings)


def show(result):
    return f"exit {result.returncode}\nstdout: {result.stdout}\nstderr: {result.stderr}"


def expect(truth, result, why=""):
    """`result` is what a run gave, or any text; it is shown when `truth` is not so."""
    if not truth:
        seen = show(result) if hasattr(result, "returncode") else str(result)
        raise Failed(f"{why}\n{seen}".strip())


def expect_exit(status, result):
    expect(result.returncode == status, result, f"expected exit {status}")


def expect_words(text, result):
    expect(text in result.stderr, result, f"expected on stderr: {text}")


def expect_data(text, result):
    expect(text in result.stdout, result, f"expected on stdout: {text}")


def expect_equal(expected, seen, what):
    if expected == seen:
        return
    if isinstance(expected, str) and isinstance(seen, str):
        lines = difflib.unified_diff(
            expected.splitlines(), seen.splitlines(), f"{what} (expected)", f"{what} (seen)", lineterm=""
        )
        raise Failed("\n".join(lines))
    raise Failed(f"{what}: expected {expected!r}, seen {seen!r}")


def record_of(result):
    """The one JSON record on stdout; nothing else is said."""
    expect(result.stderr == "", result, "stderr is not empty with --format json")
    try:
        record = json.loads(result.stdout)
    except json.JSONDecodeError as error:
        raise Failed(f"stdout is not JSON: {error}\n{show(result)}") from error
    expect(record.get("version") == 1, result, "the record has no version 1")
    return record


def write_policy(folder, text=POLICY, name="policy.toml"):
    path = folder / name
    path.write_text(text)
    return path


def write_answers(folder, answers=None, name="answers.json"):
    path = folder / name
    path.write_text(json.dumps(LOCK_ANSWERS if answers is None else answers))
    return path


def with_lock(folder, text=POLICY):
    """A policy and its lock, as `resolve` writes it."""
    write_policy(folder, text)
    answers = write_answers(folder)
    expect_exit(0, run("resolve", "policy.toml", "--answers", answers, cwd=folder))


def files_of(folder):
    """Name, text and mode of every file below."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = (path.read_bytes(), path.stat().st_mode)
    return found


def main():
    only = sys.argv[1:]
    failures = skips = 0
    for function in cases:
        name = function.__name__.replace("_", " ")
        if only and not any(word in function.__name__ for word in only):
            continue
        with tempfile.TemporaryDirectory(prefix="policyc-") as folder:
            try:
                function(Path(folder))
                print(f"ok      {name}", flush=True)
            except Skipped as reason:
                skips += 1
                print(f"SKIPPED {name}: {reason}", flush=True)
            except Failed as failure:
                failures += 1
                print(
                    f"FAILED  {name}\n" + "\n".join("        " + line for line in str(failure).splitlines()), flush=True
                )
            except Exception:
                failures += 1
                print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(cases)} cases, {failures} failed" + (f", {skips} skipped" if skips else ""))
    sys.exit(1 if failures else 77 if skips else 0)
