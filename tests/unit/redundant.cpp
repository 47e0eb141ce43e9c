// W0501 of random small policies, against the meaning of the policy: what is warned about can go and nothing changes, and what is left can't.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "checked.h"
#include "compiler/proof/meaning.h"
#include "draft.h"

using namespace policyc;

namespace {

// No UDP by itself: which of its ports a policy names has a say in sessions that are picked up in the middle.
const std::string head = R"(version = 1
[networks]
home = ["10.69.13.0/24"]
[nodes.laptop]
address = "10.69.50.8"
[nodes.phone]
address = "10.69.50.9"
[nodes.tablet]
address = "10.69.50.10"
[nodes.gw]
role = "gateway"
address = "10.69.50.2"
interface = "wg0"
serves = ["home"]
)";

using Entries = std::vector<std::string>;
struct SmallList {
    enum class Kind : std::uint8_t { output, input, tier };
    Kind kind{};
    Entries who;
    Entries what;
    bool limited = false;
    bool logs = false;
};
// Scope, and the lists in the order of Kind.
struct Small {
    std::string scope = "tunnel";
    std::vector<SmallList> lists;
};

// A list, or an entry of its `who` or of what it opens.
struct Part {
    enum class Of : std::uint8_t { list, who, what };
    std::size_t list = 0;
    Of of{};
    std::size_t entry = 0;
    auto operator<=>(const Part&) const = default;
};

struct Written {
    std::string text = head;
    std::map<std::uint32_t, Part> parts;  // by line

    explicit Written(const Small& policy) {
        text += "scope = \"" + policy.scope + "\"\n";
        for (std::size_t i = 0; i < policy.lists.size(); ++i) {
            const SmallList& list = policy.lists[i];
            const std::string number = std::to_string(i);
            switch (list.kind) {
                case SmallList::Kind::output: entries("output", list.what, i, Part::Of::what); continue;
                case SmallList::Kind::input: line("[nodes.gw.input.i" + number + "]", {i, Part::Of::list, 0}); break;
                case SmallList::Kind::tier: line("[tiers.t" + number + "]", {i, Part::Of::list, 0}); break;
            }
            const bool input = list.kind == SmallList::Kind::input;
            entries(input ? "from" : "who", list.who, i, Part::Of::who);
            entries(input ? "ports" : "allow", list.what, i, Part::Of::what);
            if (list.limited) text += "limit = \"5/second\"\n";
            if (list.logs) text += "log = \"new\"\n";
        }
    }

private:
    void line(const std::string& words, Part part) {
        parts[static_cast<std::uint32_t>(std::ranges::count(text, '\n')) + 1] = part;
        text += words + "\n";
    }
    void entries(const std::string& key, const Entries& list, std::size_t number, Part::Of of) {
        text += key + " = [\n";
        for (std::size_t i = 0; i < list.size(); ++i) line("\"" + list[i] + "\",", {number, of, i});
        text += "]\n";
    }
};

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}

    Small policy(bool terms) {
        Small small{.scope = below(2) == 0 ? "tunnel" : "host", .lists = {}};
        if (below(2) == 0) {
            SmallList& output = small.lists.emplace_back(SmallList{.kind = SmallList::Kind::output});
            for (unsigned i = 0; i <= below(4); ++i) output.what.push_back(at_home());
        }
        for (unsigned i = below(4); i > 0; --i) {
            SmallList& input = add(small, SmallList::Kind::input, terms);
            for (unsigned j = 0; j <= below(3); ++j) input.what.push_back(ports());
        }
        for (unsigned i = below(4); i > 0; --i) {
            SmallList& tier = add(small, SmallList::Kind::tier, terms);
            for (unsigned j = 0; j <= below(4); ++j) tier.what.push_back(entry());
        }
        return small;
    }

private:
    unsigned below(unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(engine_); }
    SmallList& add(Small& small, SmallList::Kind kind, bool terms) {
        SmallList& list = small.lists.emplace_back(SmallList{.kind = kind});
        for (unsigned i = 0; i <= below(3); ++i) list.who.push_back(person());
        list.limited = terms && below(3) == 0;
        list.logs = terms && below(3) == 0;
        return list;
    }
    std::string person() {
        const Entries people{"laptop", "phone", "tablet", "10.69.50.8/31", "10.69.50.8/30", "10.69.50.0/28"};
        return people[below(6)];
    }
    std::string ports() {
        const unsigned low = 1 + below(4);
        const unsigned high = low + below(4);
        switch (below(8)) {
            case 0: return "*";
            case 1: return "ping";
            default: return std::to_string(low) + "-" + std::to_string(high);
        }
    }
    std::string entry() {
        const Entries own{"gw", "10.69.50.2", "10.69.50.2/31"};
        return below(4) == 0 ? own[below(3)] + ":" + ports() : at_home();
    }
    std::string at_home() {
        const unsigned bits = 29 + below(4);
        const unsigned address = below(8) & (0xffU << (32 - bits));
        return "10.69.13." + std::to_string(address) + (bits < 32 ? "/" + std::to_string(bits) : "") + ":" + ports();
    }
    std::mt19937 engine_;
};

// What W0501 is about, the last one first.
std::vector<Part> warned(const Checked& checked, const Written& written) {
    std::set<Part, std::greater<>> found;
    for (const Diagnostic& diagnostic : checked.diagnostics.all()) {
        const Span span = diagnostic.primary.span;
        if (diagnostic.code == Code::W0501)
            found.insert(written.parts.at(checked.sources.position(span.file, span.begin).line));
    }
    return {found.begin(), found.end()};
}

Small without(Small policy, const std::vector<Part>& parts) {
    for (const Part& part : parts) {
        SmallList& list = policy.lists[part.list];
        const auto at = static_cast<std::ptrdiff_t>(part.entry);
        switch (part.of) {
            case Part::Of::list:
                policy.lists.erase(policy.lists.begin() + static_cast<std::ptrdiff_t>(part.list));
                break;
            case Part::Of::who: list.who.erase(list.who.begin() + at); break;
            case Part::Of::what: list.what.erase(list.what.begin() + at); break;
        }
    }
    return policy;
}

// Whether a packet is treated differently. What is sent to an address of the host itself is received, and its answer sent: neither is forwarded, nor does the
// one leave or the other arrive.
bool differ(const Small& one, const Small& other) {
    const Checked a(Written(one).text);
    const Checked b(Written(other).text);
    CAPTURE(a.said());
    CAPTURE(b.said());
    REQUIRE(a.policy);
    REQUIRE(b.policy);
    constexpr std::size_t gateway = 3;
    proof::Diagrams diagrams(proof::flow_levels(Family::ipv4));
    const auto meaning = [&](const Checked& checked) {
        auto meant = proof::meaning_of(*checked.policy, {}, gateway, today, Family::ipv4, diagrams);
        REQUIRE(meant.meaning);
        return meant.meaning.value();
    };
    const proof::Meaning first = meaning(a);
    const proof::Meaning second = meaning(b);
    proof::FlowBox to_host = proof::any_flow(Family::ipv4);
    to_host[proof::place(proof::Field::destination)] =
        proof::just(a.policy->nodes[gateway].addresses.front().value.bits);
    proof::Boxes boxes(diagrams.levels());
    const auto add_never = [&](proof::Hook hook, proof::Way way) {
        to_host[proof::place(proof::Field::hook)] = proof::just(hook);
        to_host[proof::place(proof::Field::way)] = proof::just(way);
        boxes.add({to_host.begin(), to_host.end()});
    };
    add_never(proof::Hook::forward, proof::Way::begin);
    add_never(proof::Hook::forward, proof::Way::reply);
    add_never(proof::Hook::output, proof::Way::begin);
    add_never(proof::Hook::input, proof::Way::reply);
    const Result<proof::Set> never = diagrams.build(boxes).set;
    const auto some = [&](proof::Set left, proof::Set right) {
        const Result<proof::Set> more = diagrams.subtract(diagrams.subtract(left, right), never);
        REQUIRE(more);
        return more.value() != proof::nothing;
    };
    const auto change = [&](proof::Set left, proof::Set right) { return some(left, right) || some(right, left); };
    return change(first.allowed, second.allowed) || change(first.judged, second.judged) ||
           change(first.unlimited, second.unlimited) || change(first.errors, second.errors);
}

}  // namespace

TEST_CASE("entries that are warned about can go, all of them, and none of the others can") {
    Random random(71);
    std::map<std::pair<SmallList::Kind, Part::Of>, int> gone;
    int together = 0;
    int by_inputs = 0;
    int stay = 0;
    for (int i = 0; i < 400; ++i) {
        const bool terms = i % 4 == 0;
        const Small policy = random.policy(terms);
        const Written written(policy);
        const Checked checked(written.text);
        CAPTURE(written.text);
        CAPTURE(checked.said());
        const std::vector<Part> redundant = warned(checked, written);
        const Small left = without(policy, redundant);
        for (const Part& part : redundant) ++gone[{policy.lists[part.list].kind, part.of}];
        const std::string said = checked.said();
        for (std::size_t at = 0; (at = said.find("covers a part of it", at)) != std::string::npos; ++at) ++together;
        for (std::size_t at = 0; (at = said.find("` of `gw`, for", at)) != std::string::npos; ++at) ++by_inputs;
        CHECK_FALSE(differ(policy, left));
        // What is under a rate of its own may have a double that is as well.
        for (std::size_t list = 0; !terms && list < left.lists.size(); ++list) {
            const SmallList& some = left.lists[list];
            for (std::size_t entry = 0; entry < some.what.size(); ++entry) {
                const bool last = some.kind == SmallList::Kind::input && some.what.size() == 1;
                CAPTURE(some.what[entry]);
                CHECK(differ(left, without(left, {{list, last ? Part::Of::list : Part::Of::what, entry}})));
                ++stay;
            }
        }
    }
    using Kind = SmallList::Kind;
    using Of = Part::Of;
    for (const auto& [what, count] : gone)
        MESSAGE(count << " of list " << static_cast<int>(what.first) << ", part " << static_cast<int>(what.second));
    MESSAGE(together << " parts are covered by one of several, " << by_inputs << " by an input; " << stay
                     << " entries can't go");
    CHECK(gone[{Kind::tier, Of::what}] > 100);
    CHECK(gone[{Kind::tier, Of::who}] > 50);
    CHECK(gone[{Kind::input, Of::who}] > 50);
    CHECK(gone[{Kind::input, Of::what}] > 50);
    CHECK(gone[{Kind::input, Of::list}] > 20);
    CHECK(gone[{Kind::output, Of::what}] > 20);
    CHECK(together > 20);
    CHECK(by_inputs > 10);
}
