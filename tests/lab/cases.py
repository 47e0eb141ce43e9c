"""The frame of a test script with several cases: one line for each, and what was seen where one fails."""

import sys
import time
import traceback

PASSED, FAILED, SKIPPED = 0, 1, 77


class Failed(Exception):
    pass


def check(holds, seen):
    """Fails the case unless `holds`; `seen` says what was seen instead."""
    if not holds:
        raise Failed(seen)


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: wanted {wanted!r}, saw {seen!r}")


def ran(done, status, what):
    """Checks the exit status of a finished process, and shows all it said where it is another one."""
    check(done.returncode == status, f"{what}: wanted exit {status}, saw {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def run(cases, *arguments):
    """Runs the functions in order, each with the arguments. Later ones may build on what earlier ones left."""
    failed = 0
    for case in cases:
        name = case.__name__.replace("_", " ")
        began = time.monotonic()
        try:
            note = case(*arguments)
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)" + (f": {note}" if note else ""), flush=True)
        except Failed as failure:
            failed += 1
            print(f"FAILED  {name}\n        " + str(failure).replace("\n", "\n        "), flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} cases passed")
    return FAILED if failed else PASSED


def skipped(why):
    print(f"SKIPPED: {why}", file=sys.stdout)
    return SKIPPED
