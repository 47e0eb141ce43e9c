"""clang-tidy with the checks of .clang-tidy over every source of the program, two at a time; `./dev lint` adds the static analyzer, which takes
three times as long. A file that was clean, and whose text and included texts did not change since, is not looked at again (the record is in the
build folder)."""
import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys

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


def run(path):
    done = subprocess.run([tidy, "--quiet", "--checks=-clang-analyzer-*", "-p", build, path], capture_output=True, text=True)
    return path, done.returncode, done.stdout


def main():
    headers = digest_of_headers()
    try:
        with open(record, encoding="utf-8") as file:
            clean = json.load(file)
    except (OSError, ValueError):
        clean = {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        paths = sorted({entry["file"] for entry in json.load(file)})
    paths = [p for p in paths if os.path.relpath(p, source).split(os.sep)[0] in folders]
    digests = {}
    for path in paths:
        with open(path, "rb") as file:
            digests[path] = hashlib.sha256(headers.encode() + file.read()).hexdigest()
    todo = [p for p in paths if clean.get(p) != digests[p]]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for path, code, text in pool.map(run, todo):
            if code == 0:
                clean[path] = digests[path]
            else:
                failed += 1
                print(text, flush=True)
    with open(record, "w", encoding="utf-8") as file:
        json.dump(clean, file)
    print(f"{len(paths)} files, {len(todo)} looked at, {failed} with findings")
    return 1 if failed or not paths else 0


sys.exit(main())
