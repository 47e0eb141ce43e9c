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
