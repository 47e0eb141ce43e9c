// What rules of other tables do, told from the bytes that the kernel gives.
#include "backends/netlink/foreign_rule.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_CT.h>

#include <cstring>

#include "backends/netlink/messages.h"

using namespace policyc;

namespace {

using Does = ForeignChain::Does;

// An expression of numbers, as it was dumped: attributes and their values.
std::optional<Does> done_by_numbers(const char* name,
                                    const std::vector<std::pair<std::uint16_t, std::uint32_t>>& numbers) {
    netlink::Messages out;
    out.put_text(NFTA_EXPR_NAME, name);
    const std::size_t data = out.open(NFTA_EXPR_DATA);
    for (const auto& [type, number] : numbers) out.put_u32(type, number);
    out.close(data);
    const std::string bytes = out.take();
    const auto expression = netlink::Expression::read(bytes);
    REQUIRE(expression);
    return netlink::done_by(*expression);
}

std::optional<Does> done_by_target(const char* target) {
    netlink::Messages out;
    out.put_text(NFTA_EXPR_NAME, "target");
    const std::size_t data = out.open(NFTA_EXPR_DATA);
    out.put_text(NFTA_TARGET_NAME, target);
    out.close(data);
    const std::string bytes = out.take();
    const auto expression = netlink::Expression::read(bytes);
    REQUIRE(expression);
    return netlink::done_by(*expression);
}

// An expression as it was dumped: the target CT with so many bytes of numbers, of which the first are flags and zone.
std::optional<Does> done_by_ct(std::uint16_t flags, std::uint16_t zone, std::size_t size = sizeof(xt_ct_target_info_v1),
                               std::uint32_t revision = 2) {
    std::string info(size, '\0');
    const std::uint16_t numbers[] = {flags, zone};
    std::memcpy(info.data(), numbers, std::min(size, sizeof numbers));
    netlink::Messages out;
    out.put_text(NFTA_EXPR_NAME, "target");
    const std::size_t data = out.open(NFTA_EXPR_DATA);
    out.put_text(NFTA_TARGET_NAME, "CT");
    out.put_u32(NFTA_TARGET_REV, revision);
    out.put(NFTA_TARGET_INFO, info);
    out.close(data);
    const std::string bytes = out.take();
    const auto expression = netlink::Expression::read(bytes);
    REQUIRE(expression);
    return netlink::done_by(*expression);
}

std::string bytes_of(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

}  // namespace

TEST_CASE("statements of other tables are told by what they do") {
    CHECK(done_by_numbers("fwd", {{NFTA_FWD_SREG_DEV, 8}}) == Does::sends_on);
    CHECK(done_by_numbers("dup", {{NFTA_DUP_SREG_DEV, 8}}) == Does::sends_on);
    CHECK(done_by_numbers("dup", {{NFTA_DUP_SREG_ADDR, 8}, {NFTA_DUP_SREG_DEV, 9}}) == Does::hands_over);
    CHECK(done_by_numbers("synproxy", {}) == Does::answers);
    CHECK(done_by_numbers("objref", {{NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_SYNPROXY}}) == Does::answers);
    CHECK_FALSE(done_by_numbers("objref", {{NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER}}));
    constexpr std::uint32_t broute = 35;  // NFT_META_BRI_BROUTE of Linux 6.4
    for (const std::uint32_t key : {std::uint32_t{NFT_META_PKTTYPE}, broute}) {
        CHECK(done_by_numbers("meta", {{NFTA_META_KEY, key}, {NFTA_META_SREG, 8}}) == Does::diverts);
        CHECK_FALSE(done_by_numbers("meta", {{NFTA_META_KEY, key}, {NFTA_META_DREG, 8}}));
    }
    CHECK_FALSE(done_by_numbers("meta", {{NFTA_META_KEY, NFT_META_MARK}, {NFTA_META_SREG, 8}}));
    CHECK_FALSE(done_by_numbers("last", {}));
}

TEST_CASE("what is written into packets is told by where it lies") {
    const auto written = [](std::uint32_t base, std::uint32_t offset, std::uint32_t size) {
        return done_by_numbers("payload", {{NFTA_PAYLOAD_SREG, 8},
                                           {NFTA_PAYLOAD_BASE, base},
                                           {NFTA_PAYLOAD_OFFSET, offset},
                                           {NFTA_PAYLOAD_LEN, size}}) == Does::rewrites;
    };
    CHECK(written(NFT_PAYLOAD_LL_HEADER, 0, 6));        // ether daddr
    CHECK(written(NFT_PAYLOAD_LL_HEADER, 6, 6));        // ether saddr
    CHECK(written(NFT_PAYLOAD_LL_HEADER, 14, 2));       // vlan id
    CHECK(written(NFT_PAYLOAD_NETWORK_HEADER, 12, 4));  // ip saddr
    CHECK(written(NFT_PAYLOAD_NETWORK_HEADER, 8, 6));   // arp saddr ether
    CHECK_FALSE(written(NFT_PAYLOAD_NETWORK_HEADER, 0, 2));
    CHECK_FALSE(written(NFT_PAYLOAD_NETWORK_HEADER, 8, 2));  // ip ttl
    CHECK(written(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2));
    CHECK_FALSE(written(NFT_PAYLOAD_TRANSPORT_HEADER, 12, 2));
    CHECK_FALSE(done_by_numbers("payload", {{NFTA_PAYLOAD_DREG, 8}, {NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER}}));
}

TEST_CASE("targets of iptables-nft, ebtables-nft and arptables-nft are told by what they do") {
    for (const char* target : {"dnat", "snat", "redirect", "arpreply", "mangle", "DNPT"})
        CHECK(done_by_target(target) == Does::rewrites);
    CHECK(done_by_target("DNAT") == Does::translates);
    CHECK(done_by_target("SYNPROXY") == Does::answers);
    CHECK(done_by_target("TEE") == Does::hands_over);
    CHECK_FALSE(done_by_target("mark"));
    CHECK_FALSE(done_by_target("CLASSIFY"));
}

TEST_CASE("-j CT of iptables-nft is told by what it does") {
    CHECK(done_by_ct(XT_CT_NOTRACK, 0) == Does::untracks);
    CHECK(done_by_ct(XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS, 0) == Does::untracks);  // -j NOTRACK
    CHECK(done_by_ct(0, 7) == Does::zones);
    CHECK(done_by_ct(XT_CT_ZONE_DIR_ORIG, 5) == Does::zones);
    CHECK(done_by_ct(XT_CT_ZONE_DIR_REPL | XT_CT_ZONE_MARK, 0) == Does::zones);
    CHECK_FALSE(done_by_ct(0, 0));  // --ctevents, --helper, --timeout
    for (const std::uint32_t revision : {0U, 1U})
        CHECK(done_by_ct(0, 7, sizeof(xt_ct_target_info), revision) == Does::zones);
    // What can't be read is taken for the worst.
    CHECK(done_by_ct(0, 7, 0) == Does::untracks);
    CHECK(done_by_ct(0, 7, 8) == Does::untracks);
    CHECK(done_by_ct(0, 7, sizeof(xt_ct_target_info_v1), 3) == Does::untracks);
    CHECK(done_by_ct(XT_CT_MASK + 1, 7) == Does::untracks);
}

// As Linux 6.18 dumps them, of iptables 1.8.9, on a machine of little endian.
TEST_CASE("-j CT: bytes of a kernel") {
    if (htons(1) == 1) return;
    const std::string head =
        "0b0001007461726765740000600002000700010043540000080002000000000"
        "24c000300";
    for (const auto& [numbers, does] :
         std::vector<std::pair<std::string, std::optional<Does>>>{{"01000000", Does::untracks},
                                                                  {"00000700", Does::zones},
                                                                  {"04000500", Does::zones},
                                                                  {"10000000", Does::zones},
                                                                  {"0000000001000000", {}},
                                                                  {"03000000", Does::untracks}}) {
        CAPTURE(numbers);
        std::string hex = head + numbers;
        hex.resize(std::size_t{108} * 2, '0');
        const std::string bytes = bytes_of(hex);
        const auto expression = netlink::Expression::read(bytes);
        REQUIRE(expression);
        CHECK(netlink::done_by(*expression) == does);
    }
}
