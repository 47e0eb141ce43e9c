// Orders changes and joins those that overlap; entry point tell_once().
#include "compiler/told_once.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "compiler/box_text.h"
#include "compiler/lines.h"

namespace policyc {

namespace {

bool comes_first(const Change& a, const Change& b) {
    const auto key = [](const Change& c) {
        return std::tie(c.kind, c.cause, c.who, c.service, c.destination, c.file, c.line, c.reason);
    };
    if (key(a) != key(b)) return key(a) < key(b);
    if (!std::ranges::equal(a.boxes, b.boxes)) return std::ranges::lexicographical_compare(a.boxes, b.boxes);
    if (!std::ranges::equal(a.left, b.left)) return std::ranges::lexicographical_compare(a.left, b.left);
    return std::ranges::lexicographical_compare(a.people, b.people);
}

// Of one person and service, and for one reason.
bool stand_together(const Change& a, const Change& b) {
    const auto key = [](const Change& c) { return std::tie(c.kind, c.cause, c.who, c.service); };
    return key(a) == key(b);
}

bool alike(const Change& a, const Change& b) {
    const auto key = [](const Change& c) { return std::tie(c.among, c.file, c.line, c.reason); };
    return a.kind != Change::Kind::move && a.people.empty() && b.people.empty() && key(a) == key(b);
}

// Where both together are still all true of all sources: "phone" of one entry, and a part of a network of another that is the phone.
bool take_in(Change& change, const Change& other, const std::string& node, Arena& arena) {
    if (!alike(change, other)) return false;
    std::vector<Box> boxes(change.boxes.begin(), change.boxes.end());
    std::ranges::copy(other.boxes, std::back_inserter(boxes));
    const std::vector<std::vector<Box>> lists = by_sources(boxes);
    if (lists.size() > 1) return false;
    change.boxes = arena.keep(std::span<const Box>(lists.front()));
    change.destination = arena.keep(destinations_text(change.boxes, node));
    return true;
}

}  // namespace

void tell_once(std::vector<Change>& changes, const std::string& node, Arena& arena) {
    if (!std::ranges::is_sorted(changes, comes_first)) std::ranges::sort(changes, comes_first);
    std::vector<Change>::iterator kept = changes.begin();
    for (auto first = changes.begin(); first != changes.end();) {
        const auto last =
            std::find_if_not(first, changes.end(), [&](const Change& c) { return stand_together(*first, c); });
        const auto begin = kept;
        for (; first != last; ++first) {
            const bool taken = std::any_of(begin, kept, [&](Change& c) { return take_in(c, *first, node, arena); });
            if (!taken) *kept++ = *first;
        }
    }
    changes.erase(kept, changes.end());
}

}  // namespace policyc
