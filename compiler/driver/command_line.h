// argv to a verb and its options, by CLI11 and the table of verbs.
#pragma once

#include <string>
#include <variant>

#include "compiler/driver/verbs.h"
#include "policy/result.h"

namespace policyc {

struct Command {
    const Verb* verb = nullptr;
    Options options;
};

// Text that answers the whole call, for stdout: --help and --version.
struct Spoken {
    std::string text;
};

// Whether --format json is among the words: what is wrong with the rest is told in that form too.
bool asks_for_json(int argc, const char* const* argv);

std::variant<Command, Spoken, Error> read_command_line(int argc, const char* const* argv);

}  // namespace policyc
