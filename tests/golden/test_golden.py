"""What each stage makes of a policy, byte for byte.

A case is a folder cases/NAME/ with policy.toml, policy.lock where it needs one, `node` (the node to compile for), and
`layout` where the sets are to be laid out otherwise than by size.
Next to them lie ruleset.nft, ruleset.json, ruleset.ir and list.txt: what policyc prints; and stderr, where compile warns of
something. POLICYC_ACCEPT=1 rewrites them."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from harness import SOURCE, case, expect, expect_equal, expect_exit, main, run

CASES = SOURCE / "tests/golden/cases"
STAGES = {
    "ruleset.nft": ["compile", "policy.toml", "--to", "nft"],
    "ruleset.json": ["compile", "policy.toml", "--to", "json"],
    "ruleset.ir": ["compile", "policy.toml", "--to", "ir"],
    "list.txt": ["list", "policy.toml"],
}


def golden(folder):
    def compare(_):
        node = (folder / "node").read_text().strip()
        layout = folder / "layout"
        more = ["--layout", layout.read_text().strip()] if layout.exists() else []
        for file, arguments in STAGES.items():
            result = run(*arguments, "--node", node, *more, cwd=folder)
            expect_exit(0, result)
            warnings = folder / "stderr"
            if os.environ.get("POLICYC_ACCEPT") == "1":
                (folder / file).write_text(result.stdout)
                if arguments[0] == "compile" and result.stderr:
                    warnings.write_text(result.stderr)
            expected = warnings.read_text() if arguments[0] == "compile" and warnings.exists() else ""
            expect_equal(expected, result.stderr, "stderr")
            path = folder / file
            expect_equal(path.read_text() if path.exists() else "", result.stdout, f"{folder.name}/{file}")

    compare.__name__ = folder.name
    return compare


for one in sorted(CASES.iterdir()):
    case(golden(one))


@case
def every_case_is_whole(_):
    expect(len(list(CASES.iterdir())) >= 8, "cases are missing")
    for one in CASES.iterdir():
        known = {"policy.toml", "policy.lock", "policy.d", "node", "layout", "stderr", *STAGES}
        expect(not {path.name for path in one.iterdir()} - known, f"{one.name}: what are the other files for?")


@case
def the_examples_are_among_them(_):
    for name in ("homelab", "minimal"):
        example = (SOURCE / f"policy/examples/{name}.toml").read_text()
        expect_equal(example, (CASES / name / "policy.toml").read_text(), f"{name}: a copy of the example")


main()
