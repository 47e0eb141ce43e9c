// Reads what was written and compares it with what it was written from: read_back_text(), read_back_json().
#include "backends/read_written.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/read_json.h"
#include "backends/read_text.h"

namespace policyc {

using namespace ir;

namespace {

constexpr const char* wrong_writer = "nothing was printed or sent; please report this, with the policy";

// The first part that is not the same, as a person finds it in the text.
std::string first_difference(const Ruleset& written, const Ruleset& read) {
    for (const Counter& counter : written.counters) {
        const auto found = std::ranges::find(read.counters, counter.name, &Counter::name);
        if (found == read.counters.end() || !same(counter, *found)) return "counter " + counter.name;
    }
    for (const Set& set : written.sets) {
        const auto found = std::ranges::find(read.sets, set.name, &Set::name);
        if (found == read.sets.end() || !same(set, written.counters, *found, read.counters)) return "set " + set.name;
    }
    for (const Chain& chain : written.chains) {
        const auto found = std::ranges::find(read.chains, chain.name, &Chain::name);
        if (found == read.chains.end() || !same(chain, *found)) return "chain " + chain.name;
    }
    return "the table";
}

Result<Ruleset> compared(Result<Ruleset> read, const Ruleset& written, const char* form) {
    if (!read)
        return Error{
            fmt::format("internal error: the {} that was written can't be read: {}", form, read.error().message),
            wrong_writer,
            {}};
    if (written.empty() ? read.value().empty() : same(written, read.value())) return read;
    return Error{fmt::format("internal error: the {} that was written says something else: {} differs", form,
                             first_difference(written, read.value())),
                 wrong_writer,
                 {}};
}

}  // namespace

Result<Ruleset> read_back_text(std::string_view text, const Ruleset& written) {
    return compared(read_text(text), written, "text");
}

Result<Ruleset> read_back_json(std::string_view json, const Ruleset& written) {
    return compared(read_json(json), written, "JSON");
}

}  // namespace policyc
