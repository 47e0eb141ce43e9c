// Any text as policy.lock: it is read or told why not, and what was read is written so that it reads as the same.
#include "policy/lock.h"

#include "target.h"

namespace {

using namespace policyc;

std::optional<Lock> read(const std::string& text) {
    Sources sources;
    Diagnostics diagnostics;
    auto lock = parse_lock(sources.add("policy.lock", text), sources, diagnostics);
    fuzz::require(lock.has_value() == (diagnostics.errors() == 0), "a lock is read, or has errors");
    diagnostics.finish(sources);
    static_cast<void>(render(diagnostics, sources, false));
    return lock;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto lock = read(fuzz::text_of(data, size));
    if (!lock) return 0;
    const std::string text = write_lock(*lock);
    const auto again = read(text);
    fuzz::require(again.has_value(), "what was written can be read");
    fuzz::require(*again == *lock, "what was written reads as the same");
    fuzz::require(write_lock(*again) == text, "the same lock is the same text");
    return 0;
}
