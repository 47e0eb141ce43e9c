// Holds the entries of rate sets against the rules that fill them: odd_bucket().
#include "backends/netlink/decode_buckets.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "backends/netlink/words.h"

namespace policyc::netlink {

std::optional<ir::Limit> limit_of(const Expression& e) {
    if (e.u32(NFTA_LIMIT_TYPE) != NFT_LIMIT_PKTS || e.u32(NFTA_LIMIT_FLAGS) != 0) return std::nullopt;
    const std::uint64_t rate = e.u64(NFTA_LIMIT_RATE);
    if (rate > UINT32_MAX) return std::nullopt;
    for (const Rate::Unit unit : {Rate::Unit::second, Rate::Unit::minute, Rate::Unit::hour, Rate::Unit::day})
        if (e.u64(NFTA_LIMIT_UNIT) == seconds_of(unit))
            return ir::Limit{{static_cast<std::uint32_t>(rate), unit}, e.u32(NFTA_LIMIT_BURST)};
    return std::nullopt;
}

std::string odd_bucket(const Bucket& bucket, const ir::Set& set, const std::vector<ir::Limit>& rates) {
    if (!bucket.odd.empty()) return bucket.key + bucket.odd;
    if (rates.empty()) return {};
    if (bucket.bare) return bucket.key + " without the rate of its rule";
    const auto is_its = [&](const ir::Limit& rate) { return bucket.limit && ir::same(rate, *bucket.limit); };
    if (std::ranges::none_of(rates, is_its)) return bucket.key + " with a rate of its own";
    constexpr std::uint64_t slack = 1000;  // the kernel counts in ticks
    const std::uint64_t timeout = std::uint64_t{set.timeout} * 1000;
    if (bucket.timeout.value_or(timeout) != timeout || bucket.left > timeout + slack)
        return bucket.key + " with a timeout of its own";
    return {};
}

std::vector<ir::Limit> rates_into(const std::vector<ir::Chain>& chains, const std::string& set) {
    std::vector<ir::Limit> rates;
    for (const ir::Chain& chain : chains)
        for (const ir::Rule& rule : chain.rules)
            for (const ir::Statement& statement : rule.statements)
                if (const auto* update = std::get_if<ir::UpdateRate>(&statement);
                    update != nullptr && update->set == set)
                    rates.push_back({update->rate, update->burst});
    return rates;
}

}  // namespace policyc::netlink
