// Finds the element of a set that holds a key. Entry points: point_of(), element_at(), look_up().
#include "compiler/look_up.h"

#include <vector>

namespace policyc {

std::string point_of(const std::vector<ir::Type>& types, std::span<const u128> values) {
    ir::Elements elements(types, false);
    std::vector<ir::Elements::Bound> key;
    for (const u128 value : values) key.push_back({value, value});
    elements.add(key);
    return std::string(elements.key(0));
}

std::string point_of_name(const std::string& interface) {
    ir::Elements elements({ir::Type::ifname}, false);
    elements.add_name(interface);
    return std::string(elements.key(0));
}

std::optional<std::size_t> element_at(const ir::Set& set, std::string_view point) {
    std::size_t bytes = 0;
    for (const ir::Type type : set.types) bytes += ir::padded_size(type);
    if (point.size() != bytes) return std::nullopt;
    for (std::size_t i = 0; i < set.elements.size(); ++i) {
        const std::string_view key = set.elements.key(i);
        bool in = set.interval || key == point;
        std::size_t at = 0;
        for (std::size_t field = 0; set.interval && in && field < set.types.size(); ++field) {
            const std::size_t size = ir::padded_size(set.types[field]);
            const std::string_view value = point.substr(at, size);
            in = key.substr(at, size) <= value && value <= key.substr(bytes + at, size);
            at += size;
        }
        if (in) return i;
    }
    return std::nullopt;
}

std::optional<Held> look_up(const ir::Ruleset& ruleset, const ir::Set& set, std::string_view point) {
    const auto element = element_at(set, point);
    if (!element) return std::nullopt;
    Held held{set.elements.life(*element), {}, {}};
    const std::uint32_t value = set.elements.value(*element);
    if (set.map_to == ir::MapTo::counter && value < ruleset.counters.size())
        held.counter = ruleset.counters[value].name;
    if (set.map_to == ir::MapTo::verdict && value < set.verdicts.size()) held.verdict = set.verdicts[value];
    return held;
}

}  // namespace policyc
