"""clang-tidy with the checks of .clang-tidy over every source of the program; `./dev lint` adds the static analyzer, which takes three times as long.
Most of the time goes into the standard headers, so sources of one folder are looked at together, as one text that includes them; where they can't
be (two have a name in common), in halves. It keeps one processor busy and leaves the other to tests that wait for packets. A file that was clean,
and whose text and included texts did not change since, is not looked at again (the record is in the build folder)."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

source = os.environ["POLICYC_SOURCE"]
build = os.environ["POLICYC_BUILD"]
tidy = shutil.which("clang-tidy-19")  # earlier ones do not understand <ranges> of libstdc++ 12
if not tidy:
    print("SKIPPED: clang-tidy-19 is not installed")
    sys.exit(77)

folders = ("policy", "compiler", "backends")
record = os.path.join(build, "tidy-clean.json")


def digest_of_headers():
    digest = hashlib.sha256()
    for folder in folders:
        for where, _, names in sorted(os.walk(os.path.join(source, folder))):
            for name in sorted(names):
                if name.endswith(".h"):
                    with open(os.path.join(where, name), "rb") as file:
                        digest.update(name.encode() + file.read())
    with open(os.path.join(source, ".clang-tidy"), "rb") as file:
        digest.update(file.read())
    return digest.hexdigest()


def flags_of(commands):
    """What the sources are compiled with, all of it: a folder to look in that one of them lacks does no harm."""
    flags = {}
    for command in commands:
        for word in command.split():
            if word.startswith(("-I", "-D", "-std=", "-W")) and word != "-Werror":
                flags[word.replace('\\"', '"')] = None
    return list(flags)


halved = 0


def run(paths, flags, where):
    """The findings in `paths`, as (path, text), text empty where there are none."""
    global halved
    with tempfile.NamedTemporaryFile("w", suffix=".cpp", dir=where) as file:
        file.write("".join(f'#include "{path}"\n' for path in paths))
        file.flush()
        done = subprocess.run([tidy, "--quiet", "--checks=-clang-analyzer-*,-bugprone-suspicious-include", f"--config-file={source}/.clang-tidy",
                               r"--header-filter=(policy|compiler|backends)/.*\.(h|cpp)$", file.name, "--", *flags], capture_output=True, text=True)
    if done.returncode == 0:
        return [(path, "") for path in paths]
    if len(paths) == 1:
        return [(paths[0], done.stdout or done.stderr)]
    halved += 1
    half = len(paths) // 2
    return run(paths[:half], flags, where) + run(paths[half:], flags, where)


def main():
    headers = digest_of_headers()
    try:
        with open(record, encoding="utf-8") as file:
            clean = json.load(file)
    except (OSError, ValueError):
        clean = {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = {entry["file"]: entry["command"] for entry in json.load(file)}
    paths = sorted(p for p in commands if os.path.relpath(p, source).split(os.sep)[0] in folders)
    flags = flags_of(commands[p] for p in paths)
    digests = {}
    for path in paths:
        with open(path, "rb") as file:
            digests[path] = hashlib.sha256(headers.encode() + file.read()).hexdigest()
    todo = {}
    for path in paths:
        if clean.get(path) != digests[path]:
            todo.setdefault(os.path.dirname(path), []).append(path)
    looked_at = sum(len(part) for part in todo.values())
    failed = 0
    with tempfile.TemporaryDirectory() as where:
        for part in todo.values():
            for path, text in run(part, flags, where):
                if not text:
                    clean[path] = digests[path]
                else:
                    failed += 1
                    print(text, flush=True)
    with open(record, "w", encoding="utf-8") as file:
        json.dump(clean, file)
    print(f"{len(paths)} files, {looked_at} looked at, {failed} with findings"
          + (f"; {halved} texts were looked at in halves: names that two files of a folder have in common, or findings" if halved else ""))
    return 1 if failed or not paths else 0


sys.exit(main())
