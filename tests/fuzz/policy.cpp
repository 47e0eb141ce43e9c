// Any text as a policy: it is read, checked, judged and lowered for each node in several layouts, or told why not; and what is lowered
// comes through the encoder and the decoder, and through text and JSON, as it was, and means what the policy means.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backends/json.h"
#include "backends/read_written.h"
#include "backends/text.h"
#include "compiler/lower.h"
#include "compiler/proof/prove.h"
#include "messages.h"
#include "policy/check.h"
#include "policy/expect.h"
#include "policy/parse.h"
#include "target.h"

namespace {

using namespace policyc;

constexpr std::size_t most_nodes = 3;
const Days today{std::chrono::year{2026} / 11 / 24};

// Every host name has an address of each family, where an answer is believed, so that services have something to stand for.
Addresses answers(const Policy& policy) {
    Addresses out;
    std::uint32_t number = 20;
    for (const NameUse& use : names_of(policy)) {
        for (const std::string& text :
             {fmt::format("10.69.13.{}", number % 250), fmt::format("fd69:13::{:x}", number % 250)})
            out[use.name].push_back(*parse_address(text));
        ++number;
    }
    return out;
}

void lower_and_back(const Policy& policy, const Sources& sources, const Addresses& addresses, std::size_t node,
                    const Layout& layout) {
    std::optional<ir::Ruleset> lowered;
    try {
        lowered = lower(policy, addresses, node, today, layout);
    } catch (const TooEntangled&) {
        return;
    }
    const ir::Ruleset& ruleset = *lowered;
    fuzz::require(read_back_text(to_nft(ruleset, &sources), ruleset).ok(), "the text says what was lowered");
    fuzz::require(read_back_json(to_json(ruleset), ruleset).ok(), "the JSON says what was lowered");
    if (ruleset.empty()) return;
    const netlink::Batch batch = fuzz::encoded(ruleset);
    fuzz::require(!batch.unknown, "all that was lowered can be encoded");
    bool understood = false;
    const auto back = fuzz::decoded(batch.bytes, understood);
    fuzz::require(understood && back.has_value(), "what was encoded can be decoded");
    fuzz::require(same(*back, ruleset), "what was lowered comes back as it was");
    const proof::Proof proof = proof::prove(policy, addresses, node, today, *back);
    if (proof.found == proof::Proof::Found::same || proof.found == proof::Proof::Found::too_large) return;
    fmt::print(stderr, "{}\n", proof.error.message);
    fuzz::require(false, "what was lowered means what the policy means");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FakeFiles files;
    files.files["policy.toml"] = fuzz::text_of(data, size);
    files.files["policy.d/one.toml"] = "[services]\nfragment = \"10.69.13.99:99\"\n";
    Sources sources;
    Diagnostics diagnostics;
    std::optional<Policy> policy;
    const auto ast = parse("policy.toml", files, sources, diagnostics);
    fuzz::require(ast.has_value() == (diagnostics.errors() == 0), "a policy is parsed, or has errors");
    if (ast) {
        policy = check(*ast, sources, diagnostics);
        fuzz::require(policy.has_value() == (diagnostics.errors() == 0), "a policy is checked, or has errors");
    }
    if (policy) {
        const Addresses hosts = answers(*policy);
        const Addresses addresses = addresses_of(*policy, {}, hosts, Time(today), diagnostics);
        judge(*policy, addresses, today, diagnostics);
        static constexpr std::array layouts{"automatic", "pairs,shard=2,jumps=0", "tuples,shard=2"};
        for (std::size_t node = 0, done = 0; node < policy->nodes.size() && done < most_nodes; ++node) {
            if (policy->nodes[node].scope == Scope::none || !policy->nodes[node].interface) continue;
            const char* layout = done == 0 ? layouts[0] : layouts[1 + size % 2];
            lower_and_back(*policy, sources, addresses, node, *parse_layout(layout));
            if (done == 0) lower_and_back(*policy, sources, addresses, node, *parse_layout(layouts[1 + size % 2]));
            ++done;
        }
    }
    diagnostics.finish(sources);
    static_cast<void>(render(diagnostics, sources, true));
    static_cast<void>(render_json(diagnostics, sources));
    return 0;
}
