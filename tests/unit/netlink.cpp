// Plans as bytes and back, without a kernel: what encode() writes, Decoder reads.
#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "../kernel/tools/mutate.h"
#include "../kernel/tools/samples.h"
#include "backends/netlink/batch.h"
#include "backends/netlink/decode.h"
#include "compiler/plan.h"

using namespace policyc;
using namespace policyc::ir;

namespace {

// Calls `take` for each message whose length is not a lie, as mnl_nlmsg_ok() has it.
template <typename F>
void for_each_message(const std::string& bytes, F take) {
    std::size_t at = 0;
    while (bytes.size() - at >= sizeof(nlmsghdr)) {
        nlmsghdr header{};
        std::memcpy(&header, bytes.data() + at, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size() - at) return;
        // A copy of its own, so that a read beyond its end is seen.
        std::vector<char> message(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(at + header.nlmsg_len));
        take(*reinterpret_cast<const nlmsghdr*>(message.data()));
        at += (header.nlmsg_len + 3U) / 4U * 4U;
        if (at > bytes.size()) return;
    }
}

std::optional<Ruleset> decoded(const std::string& bytes) {
    netlink::Decoder decoder;
    for_each_message(bytes, [&](const nlmsghdr& message) { CHECK(decoder.take(message)); });
    return decoder.finish();
}

netlink::Batch encoded(const Ruleset& ruleset) {
    return netlink::encode(plan(nullptr, ruleset), 7);
}

const Set& set_of_name(const Ruleset& ruleset, const char* name) {
    return *std::ranges::find(ruleset.sets, name, &Set::name);
}

}  // namespace

TEST_CASE("netlink: what is encoded decodes to the same") {
    for (const Ruleset& ruleset :
         {samples::everything(), samples::small(), samples::large(200000, false), samples::large(20000, true)}) {
        const netlink::Batch batch = encoded(ruleset);
        CHECK_FALSE(batch.unknown);
        const auto back = decoded(batch.bytes);
        REQUIRE(back);
        CHECK(back->foreign.empty());
        CHECK(same(*back, ruleset));
        CHECK(plan(&*back, ruleset).empty());
        for (std::size_t i = 0; i < ruleset.chains.size(); ++i) {
            CAPTURE(ruleset.chains[i].name);
            CHECK(same(ruleset.chains[i], back->chains.at(i)));
        }
        for (std::size_t i = 0; i < ruleset.sets.size(); ++i) {
            CAPTURE(ruleset.sets[i].name);
            CHECK(same(ruleset.sets[i], ruleset.counters, back->sets.at(i), back->counters));
        }
    }
}

TEST_CASE("netlink: counters, lives and comments come through") {
    const auto back = decoded(encoded(samples::everything()).bytes);
    REQUIRE(back);
    CHECK(back->counters[0].packets == 5);
    CHECK(back->counters[0].bytes == 777);
    CHECK(back->counters[0].comment == "laptop's 'grafana'?? $x");
    const Set& grants = set_of_name(*back, "grants4");
    CHECK(grants.timed);
    CHECK(grants.elements.life(0).timeout == 3600000);
    CHECK(grants.elements.life(1).timeout == 0);
    CHECK(set_of_name(*back, "leases4").timeout == 86400);
}

TEST_CASE("netlink: the same plan gives the same bytes, and every message an origin") {
    const Ruleset everything = samples::everything();
    const netlink::Batch batch = encoded(everything);
    CHECK(batch.bytes == encoded(everything).bytes);
    std::uint32_t sequence = 0;
    for_each_message(batch.bytes, [&](const nlmsghdr& message) {
        CHECK(message.nlmsg_seq == sequence++);
        CHECK(message.nlmsg_len % 4 == 0);
    });
    CHECK(sequence == batch.origins.size());
}

TEST_CASE("netlink: a rule that policyc did not write is not sent") {
    Ruleset ruleset = samples::small();
    ruleset.chains[0].rules.push_back({{Unknown{"[ queue ]"}}, "", {}, 0});
    const netlink::Batch batch = encoded(ruleset);
    CHECK(batch.unknown == "chain forward");
    CHECK(batch.bytes.empty());
}

// A field of a packet is read only where the rule made sure that the packet has it.
TEST_CASE("netlink: a rule without the match that its fields need is not taken for ours") {
    Ruleset ruleset;
    ruleset.sets.push_back(samples::set_of("exact4", {Type::ipv4_addr}));
    ruleset.chains.push_back({"c", {}, {}, {{{Lookup{{Field::ip_saddr}, "exact4"}, Accept{}}, "", {}, 0}}});
    std::string bytes = encoded(ruleset).bytes;
    // The rule matches NFPROTO_IPV4 (2) first; another family there, and what follows means something else.
    const std::string compare("\x02\x00\x00\x00", 4);
    const std::size_t at = bytes.find(std::string("\x05\x00\x01\x00", 4) + compare, bytes.find("meta"));
    REQUIRE(at != std::string::npos);
    bytes[at + 4] = 10;
    const auto back = decoded(bytes);
    REQUIRE(back);
    CHECK_FALSE(same(*back, ruleset));
    const auto& statements = back->chains[0].rules[0].statements;
    CHECK(std::holds_alternative<Unknown>(statements.back()));
}

TEST_CASE("netlink: no bytes make the decoder fall over") {
    const std::string bytes = encoded(samples::everything()).bytes;
    std::mt19937_64 random(1);
    std::size_t understood = 0;
    for (int round = 0; round < 300; ++round) {
        std::string broken = bytes;
        for (std::size_t i = 0, changes = 1 + random() % 8; i < changes; ++i)
            broken[random() % broken.size()] = static_cast<char>(random());
        netlink::Decoder decoder;
        for_each_message(broken, [&](const nlmsghdr& message) { understood += decoder.take(message) ? 1U : 0U; });
        static_cast<void>(decoder.finish());
    }
    CHECK(understood > 1000);
}

TEST_CASE("netlink: one bit of an element's key or of a rule is seen") {
    const Ruleset small = samples::small();
    const std::string bytes = encoded(small).bytes;
    // Headers of messages and lengths of attributes apart, every bit means something; most flips must not decode to the same.
    std::size_t same_count = 0;
    std::size_t count = 0;
    for (std::size_t at = bytes.find("allow_tcp4"); at < bytes.size() - 20; ++at) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        netlink::Decoder decoder;
        bool taken = true;
        for_each_message(flipped, [&](const nlmsghdr& message) { taken = decoder.take(message) && taken; });
        const auto back = decoder.finish();
        ++count;
        same_count += taken && back && same(*back, small) ? 1U : 0U;
    }
    CHECK(count > 300);
    // What may differ unseen: padding, sequence numbers, pids, flags and res_id of headers, ids of sets, byte order marks.
    CHECK(same_count < count / 3);
}

TEST_CASE("netlink: an attribute that policyc doesn't write makes the rule another") {
    Ruleset ruleset;
    ruleset.chains.push_back({"c", {}, {}, {{{Count{}, Drop{}}, "", {}, 0}}});
    std::string bytes = encoded(ruleset).bytes;
    REQUIRE(same(*decoded(bytes), ruleset));
    // NFTA_COUNTER_BYTES (1) of the expression becomes an attribute that counters don't have (9).
    const std::size_t at = bytes.find(std::string("\x0c\x00\x01\x00", 4), bytes.find("counter"));
    REQUIRE(at != std::string::npos);
    bytes[at + 2] = 9;
    const auto back = decoded(bytes);
    REQUIRE(back);
    CHECK_FALSE(same(*back, ruleset));
    CHECK(std::holds_alternative<Unknown>(back->chains[0].rules[0].statements.at(0)));
}
