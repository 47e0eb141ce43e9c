"""What README.md shows is what policyc does: its policy compiles, and its outputs are those of the edits that it speaks of."""

import re

from harness import SOURCE, case, expect, expect_equal, expect_exit, main, run, write_policy

README = (SOURCE / "README.md").read_text()
BLOCKS = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", README)
(POLICY,) = (text for kind, text in BLOCKS if kind == "toml")


def shown(words):
    """The one block that has these words in it."""
    (text,) = (text for _, text in BLOCKS if words in text)
    return text


@case
def the_policy_is_ten_lines_at_most_and_compiles(folder):
    write_policy(folder, POLICY)
    expect(len(POLICY.splitlines()) <= 10, POLICY)
    for verb in ("check", "compile", "list"):
        result = run(verb, "policy.toml", cwd=folder)
        expect_exit(0, result)
        expect_equal("", result.stderr, f"stderr of {verb}")


@case
def a_test_that_fails_prints_what_is_shown(folder):
    message = shown("error[E0701]")
    lines = {int(number): text for number, text in re.findall(r"(?m)^ *(\d+) \| (.*)$", message)}
    edited = POLICY.splitlines()
    expect_equal(8, next(iter(lines)), "the line that is edited")
    edited[7] = lines[8]
    last = max(lines)
    (name,) = re.findall(r'test failed: "(.*)"', message)
    edited += ["[[test]]", f'name = "{name}"', 'from = ["laptop", "phone"]', lines[last]]
    expect_equal(last, len(edited), "the line of the test")
    write_policy(folder, "\n".join(edited) + "\n")
    result = run("check", "policy.toml", cwd=folder)
    expect_exit(1, result)
    expect(message in result.stderr, result, "not as it is shown")


@case
def the_files_and_verbs_it_names_are_there(folder):
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        expect((SOURCE / path).exists(), path)
    for verb in set(re.findall(r"`policyc (\w+)", README)):
        expect_exit(0, run(verb, "--help", cwd=folder))


main()
