// Compares a table that was read with the one that was meant: drift().
#include "compiler/driver/drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "backends/text_words.h"
#include "compiler/access.h"
#include "compiler/common_rules.h"
#include "compiler/program.h"
#include "policy/text.h"

namespace policyc {

namespace {

std::string rule_text(const ir::Rule& rule) {
    std::string text;
    for (const ir::Statement& statement : rule.statements) text += (text.empty() ? "" : " ") + to_nft(statement);
    return text;
}

// Whether it is among what is foreign, which says more of it.
bool is_told(const ir::Ruleset& seen, ir::Foreign::Kind kind, const std::string& name) {
    return std::ranges::any_of(seen.foreign, [&](const ir::Foreign& f) { return f.kind == kind && f.name == name; });
}

// Rules that are alike in all but the comment, of those between two that are the same.
void compare_comments(const ir::Chain& seen, const ir::Chain& meant,
                      std::vector<std::pair<std::size_t, std::size_t>>& common, Drift& out) {
    const auto alike = [](const ir::Rule& a, ir::Rule b) {
        b.comment = a.comment;
        return same(a, b);
    };
    const auto said = [](const ir::Rule& rule) { return ir::kernel_text(rule.comment, ir::max_comment); };
    const auto part = [](const ir::Chain& chain, std::size_t begin, std::size_t end) {
        const auto at = [&](std::size_t i) { return chain.rules.begin() + static_cast<std::ptrdiff_t>(i); };
        return std::vector<ir::Rule>(at(begin), at(end));
    };
    std::vector<std::pair<std::size_t, std::size_t>> found;
    std::size_t a = 0;
    std::size_t b = 0;
    for (std::size_t i = 0; i <= common.size(); ++i) {
        const auto [end_a, end_b] = i < common.size() ? common[i] : std::pair(seen.rules.size(), meant.rules.size());
        for (const auto& [x, y] : common_rules(part(seen, a, end_a), part(meant, b, end_b), alike)) {
            found.emplace_back(a + x, b + y);
            out.otherwise.push_back(fmt::format("chain {}, rule {}: only the comment differs: \"{}\" instead of \"{}\"",
                                                seen.name, a + x + 1, said(seen.rules[a + x]),
                                                said(meant.rules[b + y])));
        }
        if (i < common.size()) found.push_back(common[i]);
        a = end_a + 1;
        b = end_b + 1;
    }
    common = std::move(found);
}

// Each rule that is there and was not meant, then each that was meant and is not there.
void compare_rules(const ir::Chain& seen, const ir::Chain& meant, Drift& out) {
    const auto equal = [](const ir::Rule& a, const ir::Rule& b) { return same(a, b); };
    auto common = common_rules(seen.rules, meant.rules, equal);
    compare_comments(seen, meant, common, out);
    const auto add = [&](const ir::Chain& chain, auto place, std::vector<std::string>& to) {
        auto next = common.begin();
        for (std::size_t i = 0; i < chain.rules.size(); ++i) {
            if (next != common.end() && place(*next) == i)
                ++next;
            else
                to.push_back(fmt::format("chain {}, rule {}: {}", chain.name, i + 1, rule_text(chain.rules[i])));
        }
    };
    add(
        seen, [](const auto& pair) { return pair.first; }, out.foreign);
    add(
        meant, [](const auto& pair) { return pair.second; }, out.missing);
}

void compare_chains(const ir::Ruleset& seen, const ir::Ruleset& meant, Drift& out) {
    for (const std::string& name : differing_chains(seen, meant)) {
        const auto mine = std::ranges::find(seen.chains, name, &ir::Chain::name);
        const auto wanted = std::ranges::find(meant.chains, name, &ir::Chain::name);
        if (mine == seen.chains.end()) {
            out.missing.push_back("chain " + name);
            continue;
        }
        if (wanted == meant.chains.end()) {
            if (!is_told(seen, ir::Foreign::Kind::chain, name)) out.foreign.push_back("chain " + name);
            continue;
        }
        const bool based =
            mine->base.has_value() == wanted->base.has_value() && (!mine->base || same(*mine->base, *wanted->base));
        if (!based) out.otherwise.push_back(fmt::format("chain {}: its hook, priority or policy", name));
        compare_rules(*mine, *wanted, out);
    }
}

// A set or a counter is in the one, in the other or in both.
template <typename T>
std::map<std::string, std::pair<const T*, const T*>> paired(const std::vector<T>& seen, const std::vector<T>& meant) {
    std::map<std::string, std::pair<const T*, const T*>> pairs;
    for (const T& one : seen) pairs[one.name].first = &one;
    for (const T& one : meant) pairs[one.name].second = &one;
    return pairs;
}

void compare_counters(const ir::Ruleset& seen, const ir::Ruleset& meant, Drift& out) {
    for (const auto& [name, pair] : paired(seen.counters, meant.counters)) {
        if (pair.first == nullptr) out.missing.push_back("counter " + name);
        if (pair.second == nullptr) out.foreign.push_back("counter " + name);
        if (pair.first != nullptr && pair.second != nullptr && !same(*pair.first, *pair.second))
            out.otherwise.push_back(fmt::format("counter {}: its comment \"{}\" instead of \"{}\"", name,
                                                pair.first->comment, pair.second->comment));
    }
}

// "10.69.50.11", "10.69.50.0/24 . 22"
std::vector<std::string> element_texts(const ir::Set& set, const std::vector<std::size_t>& elements) {
    std::vector<std::string> texts;
    for (const std::size_t element : elements) {
        std::string text;
        for (std::size_t field = 0; field < set.types.size(); ++field) {
            if (field > 0) text += " . ";
            append_field(text, set.elements, element, field);
        }
        texts.push_back(std::move(text));
    }
    return texts;
}

// Elements of `from` that `in` does not have, or has with another value or life. Both are sorted.
std::vector<std::size_t> only_in(const ir::Set& from, const std::vector<ir::Counter>& counters, const ir::Set& in,
                                 const std::vector<ir::Counter>& counters_in) {
    std::vector<std::size_t> out;
    std::size_t other = 0;
    for (std::size_t i = 0; i < from.elements.size(); ++i) {
        while (other < in.elements.size() && in.elements.key(other) < from.elements.key(i)) ++other;
        const bool there = other < in.elements.size() && in.elements.key(other) == from.elements.key(i) &&
                           same_value(from, i, counters, in, other, counters_in) &&
                           from.elements.life(i).timeout == in.elements.life(other).timeout;
        if (!there) out.push_back(i);
    }
    return out;
}

// A set of ranges of addresses or ports, as the ranges of `from` less those of `in`: the kernel may keep them cut or joined.
std::vector<std::string> range_texts(const ir::Set& from, const ir::Set& in) {
    ir::Set rest{.types = from.types, .interval = true};
    rest.elements = ir::Elements(rest.types, true);
    for (std::size_t i = 0; i < from.elements.size(); ++i) {
        ir::Elements::Bound left = from.elements.bound(i, 0);
        bool whole = true;
        for (std::size_t j = 0; j < in.elements.size() && whole; ++j) {
            const ir::Elements::Bound other = in.elements.bound(j, 0);
            if (other.hi < left.lo || left.hi < other.lo) continue;
            if (left.lo < other.lo) rest.elements.add({{left.lo, other.lo - 1}});
            if (other.hi >= left.hi)
                whole = false;
            else
                left.lo = other.hi + 1;
        }
        if (whole) rest.elements.add({left});
    }
    std::vector<std::size_t> all(rest.elements.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    return element_texts(rest, all);
}

void compare_sets(const ir::Ruleset& seen, const ir::Ruleset& meant, bool permissions, Drift& out) {
    for (const auto& [name, pair] : paired(seen.sets, meant.sets)) {
        const auto& [mine, wanted] = pair;
        const char* what = (mine != nullptr ? mine : wanted)->map_to == ir::MapTo::nothing ? "set" : "map";
        if (mine == nullptr) {
            out.missing.push_back(fmt::format("{} {}", what, name));
            continue;
        }
        if (wanted == nullptr) {
            if (!is_told(seen, ir::Foreign::Kind::set, name)) out.foreign.push_back(fmt::format("{} {}", what, name));
            continue;
        }
        if (!same_frame(*mine, *wanted)) {
            out.otherwise.push_back(fmt::format("{} {}: its type, flags, timeout or size", what, name));
            out.unproved = true;  // how many buckets there is room for, and for how long
            continue;
        }
        if (mine->dynamic || same(*mine, seen.counters, *wanted, meant.counters)) continue;
        if (!permissions && program::says_access(name)) continue;
        out.unproved = out.unproved || name == "server_ports";  // the proof takes those that it is told
        ir::Set a = *mine;
        ir::Set b = *wanted;
        a.elements.sort();
        b.elements.sort();
        const bool ranges = a.interval && a.types.size() == 1 && a.map_to == ir::MapTo::nothing;
        const auto only_seen = element_texts(a, only_in(a, seen.counters, b, meant.counters));
        const auto only_meant = element_texts(b, only_in(b, meant.counters, a, seen.counters));
        const auto more = ranges ? range_texts(a, b) : only_seen;
        const auto less = ranges ? range_texts(b, a) : only_meant;
        if (!more.empty()) out.foreign.push_back(fmt::format("{} {} holds {} too", what, name, few(more)));
        if (!less.empty()) out.missing.push_back(fmt::format("{} {}: {}", what, name, few(less)));
        if (more.empty() && less.empty())
            out.otherwise.push_back(fmt::format("{} {} is cut into other pieces: {} instead of {}", what, name,
                                                few(only_seen), few(only_meant)));
    }
}

}  // namespace

Drift drift(const ir::Ruleset& seen, const ir::Ruleset& meant, bool permissions) {
    Drift out;
    for (const ir::Foreign& foreign : seen.foreign) out.foreign.push_back(foreign.text);
    compare_chains(seen, meant, out);
    compare_sets(seen, meant, permissions, out);
    compare_counters(seen, meant, out);
    return out;
}

}  // namespace policyc
