"""Every C++ file is as clang-format leaves it; `./dev fmt` mends."""
import os
import shutil
import subprocess
import sys

source = os.environ["POLICYC_SOURCE"]
if not shutil.which("clang-format"):
    print("SKIPPED: clang-format is not installed")
    sys.exit(77)
files = subprocess.run(["git", "-C", source, "ls-files", "*.cpp", "*.h"], capture_output=True, text=True, check=True).stdout.split()
sys.exit(subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=source).returncode)
