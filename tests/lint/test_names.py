"""No two types of one name in one namespace. Each file may be right on its own, and yet the linker takes for both of `std::vector<T>` what the
compiler made for one: what is then freed, copied or compared has another size (the one definition rule)."""
import os
import re
import sys

source = os.environ["POLICYC_SOURCE"]
OPENED = re.compile(r"^\s*(?:inline )?namespace(?: ([\w:]+))? \{")
CLOSED = re.compile(r"^\s*\}  // namespace")  # as clang-format writes it
TYPE = re.compile(r"^(?:template <.*> )?(?:struct|class|union|enum class|enum) (?:\[\[\w+\]\] )?(\w+)(?: final)?(?: :[^;]*)?(?: \{|$)")


def types_of(path):
    """(namespace, name, line) of each type that isn't inside another one; what is in an unnamed namespace belongs to its file."""
    spaces = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if opened := OPENED.match(line):
                if "}" not in line:
                    spaces.append(opened[1] or f"unnamed in {path}")
            elif CLOSED.match(line):
                spaces.pop()
            elif found := TYPE.match(line):
                yield "::".join(spaces), found[1], number
    if spaces:
        raise RuntimeError(f"{path}: namespaces are not closed as clang-format closes them: {spaces}")


def main():
    seen = {}
    count = wrong = 0
    for folder in ("policy", "compiler", "backends"):
        for where, _, names in sorted(os.walk(os.path.join(source, folder))):
            for name in sorted(names):
                if not name.endswith((".h", ".cpp")):
                    continue
                path = os.path.join(where, name)
                for space, kind, line in types_of(path):
                    count += 1
                    place = f"{os.path.relpath(path, source)}:{line}"
                    first = seen.setdefault((space, kind), place)
                    if first != place:
                        wrong += 1
                        print(f"{place}: {space}::{kind} is another type than that of {first}")
    print(f"{count} types, {wrong} share a name")
    return 1 if wrong or count < 100 else 0


sys.exit(main())
