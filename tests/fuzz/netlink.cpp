// Any bytes as the messages of a dump: the decoder doesn't fall over, and what it read without a doubt is written and read as the same.
#include <set>

#include "messages.h"
#include "target.h"

namespace {

using namespace policyc;

// What no kernel has: two things of one name.
bool has_twins(const ir::Ruleset& ruleset) {
    std::set<std::string> sets;
    std::set<std::string> chains;
    std::set<std::string> counters;
    for (const ir::Set& set : ruleset.sets)
        if (!sets.insert(set.name).second) return true;
    for (const ir::Chain& chain : ruleset.chains)
        if (!chains.insert(chain.name).second) return true;
    for (const ir::Counter& counter : ruleset.counters)
        if (!counters.insert(counter.name).second) return true;
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bool understood = false;
    const auto ruleset = fuzz::decoded(fuzz::text_of(data, size), understood);
    // Without chains there is no table to send.
    if (!ruleset || ruleset->empty() || has_twins(*ruleset)) return 0;
    const bool whole = same(*ruleset, *ruleset);  // nothing in it is equal to nothing
    const netlink::Batch batch = fuzz::encoded(*ruleset);
    if (!whole || batch.unknown) return 0;
    const auto again = fuzz::decoded(batch.bytes, understood);
    fuzz::require(understood && again.has_value(), "what was encoded can be decoded");
    fuzz::require(same(*ruleset, *again), "what was encoded decodes to the same");
    fuzz::require(plan(&*again, *ruleset).empty(), "there is nothing to plan between equals");
    fuzz::require(fuzz::encoded(*again).bytes == fuzz::encoded(*again).bytes, "the same Ruleset gives the same bytes");
    return 0;
}
