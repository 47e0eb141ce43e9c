"""The policies that tests damage: golden_cases() and random_cases(). Each is (name, path of the policy, node, layout), with a policy.lock beside the policy where it needs one."""

import os
from pathlib import Path

from random_policy import generate
from test_random import layout_of

GOLDEN = Path(os.environ["POLICYC_SOURCE"]) / "tests/golden/cases"


def golden_cases():
    for folder in sorted(GOLDEN.iterdir()):
        layout = folder / "layout"
        yield folder.name, folder / "policy.toml", (folder / "node").read_text().strip(), layout.read_text().strip() if layout.exists() else "automatic"


def random_cases(directory, number):
    """Those of the seeds from 1 on, written into a folder each."""
    for seed in range(1, number + 1):
        case = generate(seed)
        folder = Path(directory) / str(seed)
        folder.mkdir()
        (folder / "policy.toml").write_text(case.text)
        (folder / "policy.lock").write_text(case.lock())
        yield f"seed {seed}", folder / "policy.toml", "gw", layout_of(seed)
