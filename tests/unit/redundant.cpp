// W0501 of random small policies, against the proof: what is warned about can go and nothing changes, and what is left can't.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "checked.h"
#include "compiler/lower.h"
#include "compiler/proof/prove.h"
#include "draft.h"

using namespace policyc;

namespace {

// No UDP by itself: which of its ports a policy names has a say in sessions that are picked up in the middle.
const std::string head = R"(version = 1
[networks]
home = ["10.69.13.0/24"]
[nodes.gw]
role = "gateway"
address = "10.69.50.2"
interface = "wg0"
serves = ["home"]
[nodes.laptop]
address = "10.69.50.8"
[nodes.phone]
address = "10.69.50.9"
[nodes.tablet]
address = "10.69.50.10"
)";

struct SmallTier {
    std::vector<std::string> who;
    std::vector<std::string> allow;  // a line each
};
using Small = std::vector<SmallTier>;

std::string quoted(const std::vector<std::string>& list, const char* between) {
    std::string text;
    for (const std::string& one : list) text += "\"" + one + "\"," + between;
    return text;
}

std::string text_of(const Small& tiers) {
    std::string text = head;
    for (std::size_t i = 0; i < tiers.size(); ++i) {
        text += "[tiers.t" + std::to_string(i) + "]\nwho = [" + quoted(tiers[i].who, "") + "]\nallow = [\n";
        text += quoted(tiers[i].allow, "\n") + "]\n";
    }
    return text;
}

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}

    Small policy() {
        Small tiers(1 + below(3));
        for (SmallTier& tier : tiers) {
            for (unsigned i = 0; i <= below(3); ++i) tier.who.push_back(person());
            for (unsigned i = 0; i <= below(4); ++i) tier.allow.push_back(entry());
        }
        return tiers;
    }

private:
    unsigned below(unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(engine_); }
    std::string person() {
        const std::vector<std::string> people{"laptop", "phone", "tablet", "10.69.50.8/31", "10.69.50.8/30"};
        return people[below(5)];
    }
    std::string entry() {
        const unsigned bits = 29 + below(4);
        const unsigned address = below(8) & (0xffU << (32 - bits));
        const std::string host = "10.69.13." + std::to_string(address) + (bits < 32 ? "/" + std::to_string(bits) : "");
        const unsigned low = 1 + below(4);
        const unsigned high = low + below(4);
        switch (below(8)) {
            case 0: return host + ":*";
            case 1: return host + ":ping";
            default: return host + ":" + std::to_string(low) + "-" + std::to_string(high);
        }
    }
    std::mt19937 engine_;
};

// Those that W0501 is about, by tier and place in its list.
std::set<std::pair<std::size_t, std::size_t>> warned(const Checked& checked, const Small& tiers) {
    std::vector<std::pair<std::size_t, std::size_t>> lines(static_cast<std::size_t>(std::ranges::count(head, '\n')) +
                                                           1);
    for (std::size_t i = 0; i < tiers.size(); ++i) {
        lines.resize(lines.size() + 3);
        for (std::size_t j = 0; j < tiers[i].allow.size(); ++j) lines.emplace_back(i, j);
        lines.resize(lines.size() + 1);
    }
    std::set<std::pair<std::size_t, std::size_t>> found;
    for (const Diagnostic& diagnostic : checked.diagnostics.all()) {
        const Span span = diagnostic.primary.span;
        if (diagnostic.code == Code::W0501 && diagnostic.message == "this entry allows nothing new")
            found.insert(lines.at(checked.sources.line_number(span.file, span.begin)));
    }
    return found;
}

// A packet that the two treat differently, in words; "" where there is none.
std::string difference(const Small& one, const Small& other) {
    const Checked a(text_of(one));
    const Checked b(text_of(other));
    CAPTURE(a.said());
    CAPTURE(b.said());
    REQUIRE(a.policy);
    REQUIRE(b.policy);
    const proof::Proof proof = proof::prove(*a.policy, {}, 0, today, lower(*b.policy, {}, 0, today));
    REQUIRE((proof.found == proof::Proof::Found::same || proof.found == proof::Proof::Found::differs));
    return proof.error.message;
}

}  // namespace

TEST_CASE("entries that are warned about can go, all of them, and none of the others can") {
    Random random(71);
    int gone = 0;
    int together = 0;
    int stay = 0;
    for (int i = 0; i < 400; ++i) {
        const Small policy = random.policy();
        const Checked checked(text_of(policy));
        CAPTURE(text_of(policy));
        CAPTURE(checked.said());
        const auto redundant = warned(checked, policy);
        Small left = policy;
        for (auto place = redundant.rbegin(); place != redundant.rend(); ++place) {
            auto& list = left[place->first].allow;
            list.erase(list.begin() + static_cast<std::ptrdiff_t>(place->second));
        }
        gone += static_cast<int>(redundant.size());
        const std::string said = checked.said();
        for (std::size_t at = 0; (at = said.find("covers a part of it", at)) != std::string::npos; ++at) ++together;
        CHECK(difference(policy, left) == "");
        for (std::size_t tier = 0; tier < left.size(); ++tier) {
            for (std::size_t entry = 0; entry < left[tier].allow.size(); ++entry) {
                Small less = left;
                less[tier].allow.erase(less[tier].allow.begin() + static_cast<std::ptrdiff_t>(entry));
                CAPTURE(left[tier].allow[entry]);
                CHECK(difference(left, less) != "");
                ++stay;
            }
        }
    }
    MESSAGE(gone << " entries that can go, " << together << " parts of them covered by one of several; " << stay
                 << " that can't");
    CHECK(gone > 200);
    CHECK(together > 20);
}
