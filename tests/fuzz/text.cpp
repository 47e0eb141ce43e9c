// Any bytes as nft text and as JSON of a table: they are read or told why not, and what was read is written so that it reads as the same.
#include "backends/text.h"

#include "backends/json.h"
#include "backends/read_json.h"
#include "backends/read_text.h"
#include "target.h"

namespace {

using namespace policyc;

void check(const Result<ir::Ruleset>& read, std::string (*write)(const ir::Ruleset&),
           Result<ir::Ruleset> (*read_again)(std::string_view)) {
    if (!read) return fuzz::require(read.error().message.starts_with("line "), "an error has a place");
    const std::string text = write(read.value());
    const Result<ir::Ruleset> again = read_again(text);
    fuzz::require(again.ok(), "what was written can be read");
    fuzz::require(same(read.value(), again.value()), "what was written reads as the same");
    fuzz::require(write(again.value()) == text, "the same Ruleset is the same text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes = fuzz::text_of(data, size);
    check(
        read_text(bytes), [](const ir::Ruleset& ruleset) { return to_nft(ruleset, nullptr); }, read_text);
    check(read_json(bytes), to_json, read_json);
    return 0;
}
