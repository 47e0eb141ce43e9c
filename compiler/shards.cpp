// Splits large sets along a binary trie of addresses; entry point split_large_sets().
#include "compiler/shards.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <span>

#include "compiler/program.h"

namespace policyc {

namespace {

using IndexSpan = std::span<std::uint32_t>;

constexpr std::size_t small_set = 1024;

class Splitter {
public:
    Splitter(std::size_t most, std::vector<ir::Set>& out) : most_(most), out_(out) {}

    Splits run(ir::Set set) {
        const std::vector<std::size_t> fields = program::shard_fields(set.types);
        add(std::move(set), fields);
        return std::move(splits_);
    }

private:
    void add(ir::Set set, std::vector<std::size_t> fields) {
        if (set.elements.size() <= most_ || fields.empty()) {
            out_.push_back(std::move(set));
            return;
        }
        const std::size_t field = fields.front();
        fields.erase(fields.begin());
        std::vector<u128> address(set.elements.size());
        for (std::size_t i = 0; i < address.size(); ++i) address[i] = set.elements.bound(i, field).lo;
        std::vector<std::uint32_t> order(address.size());
        std::iota(order.begin(), order.end(), 0U);
        std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return address[i]; });

        const Family family = set.types[field] == ir::Type::ipv4_addr ? Family::ipv4 : Family::ipv6;
        std::vector<std::pair<Range, IndexSpan>> parts;
        halve({family, 0, top(family)}, order, address, parts);

        Split& split = splits_[set.name];
        split.field = field;
        for (const auto& [network, indices] : parts)
            split.parts.push_back({network, program::shard_name(set.name, network)});
        for (const auto& [network, indices] : parts)
            add(take(set, program::shard_name(set.name, network), indices), fields);
    }

    void halve(const Range& network, IndexSpan indices, const std::vector<u128>& address,
               std::vector<std::pair<Range, IndexSpan>>& parts) const {
        if (indices.empty()) return;
        if (indices.size() <= most_ || network.single()) {
            parts.emplace_back(network, indices);
            return;
        }
        const u128 middle = network.lo + (network.hi - network.lo) / 2;
        const auto upper = std::ranges::partition_point(indices, [&](std::uint32_t i) { return address[i] <= middle; });
        const auto low = static_cast<std::size_t>(upper - indices.begin());
        halve({network.family, network.lo, middle}, indices.first(low), address, parts);
        halve({network.family, middle + 1, network.hi}, indices.subspan(low), address, parts);
    }

    static ir::Set take(const ir::Set& whole, const std::string& name, IndexSpan indices) {
        ir::Set part{.name = name,
                     .types = whole.types,
                     .map_to = whole.map_to,
                     .timed = whole.timed,
                     .timeout = whole.timeout,
                     .comment = whole.comment,
                     .verdicts = whole.verdicts};
        part.elements = ir::Elements(part.types, false);
        part.elements.reserve(indices.size());
        std::ranges::sort(indices);
        for (const std::uint32_t i : indices) {
            part.elements.add_key(whole.elements.key(i), whole.elements.cause(i), whole.elements.value(i));
            part.elements.set_life(whole.elements.life(i));
        }
        part.size = size_to_declare(part.elements.size());
        return part;
    }

    std::size_t most_;
    std::vector<ir::Set>& out_;
    Splits splits_;
};

}  // namespace

ir::Set shard_map_of(const std::string& set, const Split& split, const std::string& prefix) {
    const Family family = split.parts.front().network.family;
    ir::Set map{.name = prefix + program::shard_map(set),
                .types = {ir::address_type(family)},
                .interval = true,
                .map_to = ir::MapTo::verdict};
    map.elements = ir::Elements(map.types, true);
    for (const Split::Part& part : split.parts) {
        map.elements.add({{part.network.lo, part.network.hi}}, {}, static_cast<std::uint32_t>(map.verdicts.size()));
        map.verdicts.push_back({false, prefix + part.name});
    }
    return map;
}

std::uint32_t size_to_declare(std::size_t elements) {
    return elements < small_set ? 0 : static_cast<std::uint32_t>(std::bit_ceil(elements));
}

Splits split_large_sets(ir::Ruleset& ruleset, std::size_t most) {
    Splits splits;
    std::vector<ir::Set> sets;
    for (ir::Set& set : ruleset.sets) {
        if (set.dynamic || set.interval || set.elements.size() <= most)
            sets.push_back(std::move(set));
        else
            splits.merge(Splitter(most, sets).run(std::move(set)));
    }
    ruleset.sets = std::move(sets);
    return splits;
}

}  // namespace policyc
