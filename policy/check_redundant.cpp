// W0501 for entries that open nothing which others do not open as well: of tiers, inputs and outputs. Entry point: warn_redundant().
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "policy/check_context.h"
#include "policy/check_fields.h"
#include "policy/reach.h"
#include "policy/redundancy.h"

namespace policyc {
namespace {

constexpr std::size_t most_covers_shown = 3;

// "laptop, phone", with at most three of them.
std::string names_of(const std::vector<Source>& sources) {
    std::string text;
    for (std::size_t i = 0; i < sources.size() && i < 3; ++i) text += (i == 0 ? "" : ", ") + sources[i].label;
    return sources.size() > 3 ? text + ", ..." : text;
}

// What messages call a list.
struct ListWords {
    std::string name;  // "tier `vpn`"
    std::string who;   // "laptop, phone"; "" where it is for nobody
    Span place;        // of an entry that is not written: the list's own
};
struct WordedList {
    OpeningList list;
    ListWords words;
};

// The ports of an input as a list of targets. An input is open at addresses of its node that no line says: that is a place of its own, as a host name is.
struct InputPorts {
    std::vector<Target> things;
    Listed listed;
    bool written = true;               // else the name of the input says which they are, and they are one entry
    std::vector<bool> gone;            // by entry
    std::vector<Target> at_addresses;  // the things, at the addresses that are known
    Listed stays;                      // the entries that are not gone
};

const AddressSet& somebody() {
    static const AddressSet one({{Family::ipv4, 0, 0}});
    return one;
}

class RedundancyWarnings {
public:
    RedundancyWarnings(const Context& context, const Lists& lists)
        : context_(context), policy_(context.policy), lists_(lists) {
        const auto judges = [](const Node& node) { return node.scope != Scope::none; };
        if (std::ranges::count_if(policy_.nodes, judges) == 1)
            judging_ = static_cast<std::size_t>(std::ranges::find_if(policy_.nodes, judges) - policy_.nodes.begin());
    }

    void warn() {
        const ListsWritten& written = lists_.kept;
        for (std::size_t i = 0; i < policy_.tiers.size(); ++i) warn_people(policy_.tiers[i].who, written.who[i]);
        std::size_t input = 0;
        std::size_t output = 0;
        for (std::size_t i = 0; i < policy_.nodes.size(); ++i) {
            for (const Input& one : policy_.nodes[i].inputs) warn_people(one.from, written.from[input++]);
            warn_inputs(i);
            if (policy_.nodes[i].output) warn_output(i, written.output[output++]);
        }
        warn_tiers();
    }

private:
    [[nodiscard]] AddressSet addresses_of(const std::vector<Source>& sources) const {
        std::vector<Range> ranges;
        for (const Source& source : sources) {
            for (const Range& range : reach::addresses_of_host(policy_, {}, source.host))
                if (range.family == Family::ipv4 || policy_.ipv6 == Ipv6::dual) ranges.push_back(range);
        }
        return AddressSet(std::move(ranges));
    }

    // Who is in a list by several of its entries.
    void warn_people(const std::vector<Source>& people, const Listed& listed) {
        if (listed.entries.size() < 2) return;
        std::vector<Target> things;
        things.reserve(people.size());
        for (const Source& one : people)
            things.push_back({one.host, {Protocol::any, 0, 0}, {}, one.label, one.span, {}, {}});
        std::vector<WordedList> lists{{{.things = &things, .listed = &listed, .who = somebody()}, {}}};
        for (const CoveredEntry& covered : find(lists)) {
            const ListMember& entry = listed.entries[covered.entry.second];
            Diagnostic& diagnostic = context_.diagnostics.report(
                Code::W0501, entry.value->span, "this entry adds nobody",
                fmt::format("stands for {}", people[listed.things[covered.entry.second].front()].label));
            finish(lists, covered, diagnostic);
        }
    }

    InputPorts ports_of(const Node& node, const Input& input, const Value& written) const {
        InputPorts ports;
        for (const Ports& item : input.ports)
            ports.things.push_back({HostName{node.name}, item, {}, node.name, input.span, {}, {}});
        const auto add = [&](const Value& value, const std::vector<Ports>& items) {
            ports.listed.entries.push_back({.label = node.name, .value = &value});
            ports.listed.things.next_entry();
            for (const Ports& item : items)
                ports.listed.things.add(
                    static_cast<std::uint32_t>(std::ranges::find(input.ports, item) - input.ports.begin()));
        };
        const Entry* list = written.table()->find("ports");
        ports.written = list != nullptr;
        Diagnostics none;  // they have been read without an error
        if (list == nullptr) {
            add(written, input.ports);
        } else if (const Array* array = list->value.array()) {
            for (const Value& item : array->items) add(item, read_port_list("ports", item, none));
        } else {
            add(list->value, input.ports);
        }
        ports.gone.assign(ports.listed.entries.size(), false);
        return ports;
    }

    [[nodiscard]] static OpeningList opening(const Input& input, AddressSet who) {
        return {.who = std::move(who), .limited = input.limit.has_value(), .log_new = input.log_new};
    }

    void warn_inputs(std::size_t index) {
        const Node& node = policy_.nodes[index];
        if (node.inputs.empty()) return;
        const Table& written = *context_.node_values[index]->table()->find("input")->value.table();
        std::deque<InputPorts> ports;
        std::vector<WordedList> lists;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            const Input& input = node.inputs[i];
            ports.push_back(ports_of(node, input, written.entries[i].value));
            OpeningList list = opening(input, addresses_of(input.from));
            list.things = &ports.back().things;
            list.listed = &ports.back().listed;
            // Nobody is let in by what is for nobody, which has a warning of its own.
            list.asked = !list.who.empty();
            lists.push_back(
                {std::move(list), {fmt::format("`input.{}`", input.name), names_of(input.from), input.span}});
        }
        const std::vector<CoveredEntry> found = find(lists);
        for (const CoveredEntry& covered : found) ports[covered.entry.first].gone[covered.entry.second] = true;
        std::map<std::size_t, CoveredEntry> whole;  // by input
        for (const CoveredEntry& covered : found) {
            const auto [list, entry] = covered.entry;
            if (std::ranges::find(ports[list].gone, false) != ports[list].gone.end()) {
                report(lists, covered, ports[list].things);
                continue;
            }
            // An entry of its own that covers another is gone as well.
            CoveredEntry& all = whole.try_emplace(list, CoveredEntry{{list, 0}, {}}).first->second;
            for (const ListedEntry& cover : covered.covers)
                if (cover.first != list) all.covers.insert(cover);
        }
        for (const auto& [list, covered] : whole) report_input(lists, covered, ports[list].things);
        if (judging_ == index) keep(node, std::move(ports));
    }

    // For tiers: what stays of the inputs, at the addresses that are known.
    void keep(const Node& node, std::deque<InputPorts> ports) {
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            InputPorts& some = kept_.emplace_back(std::move(ports[i]));
            some.at_addresses = some.things;
            for (Target& thing : some.at_addresses) thing.host = NodeRef{*judging_};
            for (std::size_t entry = 0; entry < some.gone.size(); ++entry) {
                if (some.gone[entry]) continue;
                some.stays.entries.push_back(some.listed.entries[entry]);
                some.stays.things.next_entry();
                for (const std::uint32_t thing : some.listed.things[entry]) some.stays.things.add(thing);
            }
            OpeningList list = opening(node.inputs[i], addresses_of(node.inputs[i].from));
            list.things = &some.at_addresses;
            list.listed = &some.stays;
            list.asked = false;
            kept_lists_.push_back({std::move(list),
                                   {fmt::format("`input.{}` of `{}`", node.inputs[i].name, node.name),
                                    {},
                                    some.written ? Span{} : node.inputs[i].span}});
        }
    }

    void warn_output(std::size_t index, const Listed& listed) {
        const Node& node = policy_.nodes[index];
        std::vector<WordedList> lists{
            {{.things = &*node.output, .listed = &listed, .who = somebody()}, {"`output`", node.name, {}}}};
        for (const CoveredEntry& covered : find(lists)) report(lists, covered, *node.output);
    }

    // Where one node alone judges, what its inputs let in is what tiers let in at its addresses. Another would let tiers pass on the way, and no input of this one.
    void warn_tiers() {
        std::vector<WordedList> lists;
        for (std::size_t i = 0; i < policy_.tiers.size(); ++i) {
            const Tier& tier = policy_.tiers[i];
            lists.push_back({{.things = &tier.allow,
                              .listed = &lists_.kept.allow[i],
                              .who = addresses_of(tier.who),
                              .always = !tier.grant && !tier.bastion,
                              .limited = tier.limit.has_value(),
                              .log_new = tier.log_new,
                              .expires = tier.expires},
                             {fmt::format("tier `{}`", tier.name), names_of(tier.who), {}}});
        }
        const std::size_t tiers = lists.size();
        std::ranges::move(kept_lists_, std::back_inserter(lists));
        looks_ = most_redundancy_looks;
        for (const CoveredEntry& covered : find(lists))
            if (covered.entry.first < tiers) report(lists, covered, policy_.tiers[covered.entry.first].allow);
    }

    std::vector<CoveredEntry> find(const std::vector<WordedList>& lists) {
        std::vector<OpeningList> plain;
        plain.reserve(lists.size());
        for (const WordedList& list : lists) plain.push_back(list.list);
        return covered_entries(policy_, plain, looks_);
    }

    static const ListMember& member(const std::vector<WordedList>& lists, const ListedEntry& entry) {
        return lists[entry.first].list.listed->entries[entry.second];
    }
    static std::string written(const ListMember& entry) {
        if (const std::string* text = entry.value->string()) return fmt::format("\"{}\"", *text);
        const std::int64_t* number = entry.value->integer();
        return number != nullptr ? std::to_string(*number) : "";
    }

    static std::string allowed(const ListWords& words, const Target& first) {
        return words.who.empty() ? fmt::format("stands for {}", short_text(first))
                                 : fmt::format("allows {} -> {}", words.who, short_text(first));
    }

    void report(const std::vector<WordedList>& lists, const CoveredEntry& covered,
                const std::vector<Target>& things) const {
        const WordedList& list = lists[covered.entry.first];
        const Target& first = things[list.list.listed->things[covered.entry.second].front()];
        finish(lists, covered,
               context_.diagnostics.report(Code::W0501, member(lists, covered.entry).value->span,
                                           "this entry allows nothing new", allowed(list.words, first)));
    }

    void report_input(const std::vector<WordedList>& lists, const CoveredEntry& covered,
                      const std::vector<Target>& things) const {
        const ListWords& words = lists[covered.entry.first].words;
        Diagnostic& diagnostic = context_.diagnostics.report(
            Code::W0501, words.place, fmt::format("{} allows nothing new", words.name), allowed(words, things.front()));
        point_at_covers(lists, covered, diagnostic);
        diagnostic.help(
            fmt::format("remove {}, or keep it and silence this line with  # policyc: allow W0501", words.name));
    }

    void finish(const std::vector<WordedList>& lists, const CoveredEntry& covered, Diagnostic& diagnostic) const {
        point_at_covers(lists, covered, diagnostic);
        diagnostic.help(fmt::format("remove {} here, or keep it and silence this line with  # policyc: allow W0501",
                                    written(member(lists, covered.entry))));
    }

    void point_at_covers(const std::vector<WordedList>& lists, const CoveredEntry& covered,
                         Diagnostic& diagnostic) const {
        std::size_t shown = 0;
        for (const ListedEntry& cover : covered.covers) {
            if (++shown > most_covers_shown) break;
            point_at(lists, covered.entry, cover, covered.covers.size() > 1, diagnostic);
        }
        if (covered.covers.size() > most_covers_shown)
            diagnostic.note(fmt::format("{} entries cover it together", covered.covers.size()));
    }

    // Where another entry is that has all of this one, or a part.
    void point_at(const std::vector<WordedList>& lists, const ListedEntry& one, const ListedEntry& another, bool part,
                  Diagnostic& diagnostic) const {
        const ListMember& entry = member(lists, one);
        const ListMember& other = member(lists, another);
        const Value* inside = lists_.member_like(other, entry.label);
        const std::string text = written(other);
        const bool same = inside != nullptr || (!text.empty() && text == written(entry));
        if (inside != nullptr) diagnostic.also(inside->span, fmt::format("already in `{}` ...", other.label));
        std::string here = inside != nullptr ? "... which is here"
                           : part            ? "covers a part of it"
                           : same            ? "which is here too"
                                             : "covers it";
        const WordedList& list = lists[another.first];
        if (another.first != one.first) {
            const AddressSet& who = list.list.who;
            const bool all = std::ranges::all_of(lists[one.first].list.who.ranges(),
                                                 [&](const Range& range) { return who.holds(range); });
            here += fmt::format(", in {}, for {} of them", list.words.name, all ? "all" : "some");
        }
        diagnostic.also(text.empty() ? list.words.place : other.value->span, here);
    }

    const Context& context_;
    const Policy& policy_;
    const Lists& lists_;
    std::optional<std::size_t> judging_;  // the only node that judges anything
    std::deque<InputPorts> kept_;         // of it
    std::vector<WordedList> kept_lists_;
    std::size_t looks_ = most_redundancy_looks;
};

}  // namespace

void warn_redundant(const Context& context, const Lists& lists) {
    RedundancyWarnings(context, lists).warn();
}

}  // namespace policyc
