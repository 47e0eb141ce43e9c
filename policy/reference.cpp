// Resolves references by name and flattens groups. Entry points: Lists::sources(), Lists::targets().
#include "policy/reference.h"

#include <fmt/format.h>

#include <algorithm>

#include <set>

#include "policy/check_fields.h"
#include "policy/check_values.h"
#include "policy/distinct.h"

namespace policyc {
namespace {

// All lists of a policy together stand for at most this many things; nested groups could otherwise grow without bound.
constexpr std::size_t most_things = 4'000'000;

// What makes two entries of a list the same.
struct Thing {
    ListMember::What what = ListMember::What::range;
    bool own = false;  // the ports are those of the service, which ends when it expires
    Ports ports;
    std::size_t index = 0;
    Range range;
    bool operator==(const Thing&) const = default;
};
struct ThingHash {
    std::size_t operator()(const Thing& thing) const {
        std::size_t hash = static_cast<std::size_t>(thing.what);
        const auto mix = [&hash](std::uint64_t more) {
            hash = (hash ^ more) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 29U;
        };
        mix(thing.index);
        mix(static_cast<std::uint64_t>(thing.range.lo) ^ static_cast<std::uint64_t>(thing.range.lo >> 64U));
        mix(static_cast<std::uint64_t>(thing.range.hi) ^ static_cast<std::uint64_t>(thing.range.hi >> 64U));
        mix((static_cast<std::uint64_t>(thing.ports.protocol) << 32U) | (std::uint64_t{thing.ports.lo} << 16U) |
            thing.ports.hi);
        mix(thing.own ? 1 : 0);
        return hash;
    }
};

std::string_view noun(ListMember::What what) {
    switch (what) {
        case ListMember::What::node: return "a node";
        case ListMember::What::network: return "a network";
        case ListMember::What::service: return "a service";
        case ListMember::What::group: return "a group";
        case ListMember::What::range: return "an address";
    }
    return "an address";
}

}  // namespace

// The things of one list: each once, and which entries stand for it.
class Lists::Flat {
public:
    void next_entry() { entries_.next_entry(); }
    // Whether the thing is new.
    bool add(const Thing& thing) {
        const auto [number, added] = things_.add(thing);
        if (added) last_.push_back(0);
        if (last_[number] != entries_.size()) entries_.add(number);
        last_[number] = entries_.size();
        return added;
    }
    [[nodiscard]] const EntryThings& entries() const { return entries_; }
    [[nodiscard]] EntryThings take_entries() { return std::move(entries_); }

private:
    Distinct<Thing, ThingHash> things_;
    EntryThings entries_;
    std::vector<std::size_t> last_;  // of each thing: the number of the last entry that has it, from 1
};

Lists::Lists(Context& context)
    : context_(context),
      groups_(context.policy.groups.size()),
      empty_groups_(context.policy.groups.size()),
      used_groups_(context.policy.groups.size()),
      used_services_(context.policy.services.size()),
      for_nobody_(context.policy.services.size()) {
    const std::string_view form = "[\"reference\", ...]";
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        Group& group = context.policy.groups[i];
        groups_[i] = read_members(group.name, *context.group_values[i], form);
        for (const ListMember& member : groups_[i]) group.members.push_back(*member.value->string());
    }
    find_cycles();
}

std::vector<ListMember> Lists::read_members(std::string_view key, const Value& list, std::string_view form, Use use) {
    std::vector<ListMember> members;
    const std::vector<const Value*> values = strings_of(key, list, false, form, context_.diagnostics);
    members.reserve(values.size());
    for (const Value* value : values) {
        if (auto member = read_member(*value, use)) members.push_back(std::move(*member));
    }
    return members;
}

std::optional<ListMember> Lists::read_member(const Value& value, Use use) {
    const std::optional<HostPort> written = split_host_port(value, context_.diagnostics);
    if (!written) return {};
    const Part& host = written->host;
    if (host.text.empty()) {
        context_.diagnostics
            .report(Code::E0201, value.span, fmt::format("`{}` names nothing", *value.string()), "the name is missing")
            .help("write what is meant, or remove the entry");
        return {};
    }
    ListMember member{.value = &value};
    bool good = true;
    if (written->ports) {
        member.ports = read_ports(*written->ports, context_.diagnostics);
        good = member.ports.has_value();
    }
    if (looks_like_address(host.text)) {
        const std::optional<Range> range = read_range(host, context_.diagnostics);
        if (!range || !good) return {};
        member.range = *range;
        member.label = to_string(*range);
        return member;
    }
    const Entity* entity = context_.names.find(host.text);
    if (entity == nullptr) {
        if (use == Use::source)
            context_.names.report_unknown(host.text, host.span(), {Kind::group, Kind::node, Kind::network},
                                          "a group, node or network", context_.diagnostics);
        else
            context_.names.report_unknown(host.text, host.span(),
                                          {Kind::service, Kind::group, Kind::node, Kind::network},
                                          "a service, group, node or network", context_.diagnostics);
        return {};
    }
    switch (entity->kind) {
        case Kind::node: member.what = ListMember::What::node; break;
        case Kind::network: member.what = ListMember::What::network; break;
        case Kind::service: member.what = ListMember::What::service; break;
        case Kind::group: member.what = ListMember::What::group; break;
        case Kind::lost: return {};
    }
    if (!good) return {};
    member.index = entity->index;
    member.label = host.text;
    return member;
}

void Lists::find_cycles() {
    enum class State : std::uint8_t { fresh, open, done };
    std::vector<State> states(groups_.size());
    std::vector<std::pair<std::size_t, std::size_t>> path;  // a group, and its next member
    for (std::size_t start = 0; start < groups_.size(); ++start) {
        if (states[start] != State::fresh) continue;
        states[start] = State::open;
        path.emplace_back(start, 0);
        while (!path.empty()) {
            auto& [group, next] = path.back();
            if (next == groups_[group].size()) {
                states[group] = State::done;
                empty_groups_[group] = std::ranges::all_of(groups_[group], [&](const ListMember& member) {
                    return member.what == ListMember::What::group && empty_groups_[member.index];
                });
                path.pop_back();
                continue;
            }
            const ListMember& member = groups_[group][next++];
            if (member.what != ListMember::What::group) continue;
            if (states[member.index] == State::fresh) {
                states[member.index] = State::open;
                path.emplace_back(member.index, 0);
            } else if (states[member.index] == State::open) {
                auto from = std::ranges::find(path, member.index, &std::pair<std::size_t, std::size_t>::first);
                Diagnostic& diagnostic = context_.diagnostics.report(
                    Code::E0205, member.value->span, fmt::format("group `{}` contains itself", member.label),
                    fmt::format("leads back to `{}`", member.label));
                std::string way = member.label;
                for (std::size_t shown = 0; from + 1 != path.end(); ++from, ++shown) {
                    const ListMember& step = groups_[from->first][from->second - 1];
                    if (shown < 8) diagnostic.also(step.value->span, fmt::format("holds `{}`", step.label));
                    if (shown < 8) way += " -> " + step.label;
                    if (shown == 8) way += " -> ...";
                }
                diagnostic.note(way + " -> " + member.label).help("take it out of one of them");
            }
        }
    }
}

template <typename Leaf>
void Lists::walk(const ListMember& entry, const Leaf& leaf) {
    if (entry.what == ListMember::What::service) use_service(entry.index);
    if (entry.what != ListMember::What::group) {
        leaf(entry, nullptr);
        return;
    }
    struct Frame {
        std::size_t group;
        std::size_t next;
        const Ports* ports;
    };
    std::set<std::pair<std::size_t, const Ports*>> seen;
    std::vector<Frame> stack;
    const auto enter = [&](std::size_t group, const Ports* ports) {
        used_groups_[group] = true;
        if (seen.emplace(group, ports).second) stack.push_back({group, 0, ports});
    };
    enter(entry.index, entry.ports ? &*entry.ports : nullptr);
    while (!stack.empty()) {
        Frame& frame = stack.back();
        if (frame.next == groups_[frame.group].size()) {
            stack.pop_back();
            continue;
        }
        const Ports* ports = frame.ports;
        const ListMember& member = groups_[frame.group][frame.next++];
        if (!spend(*entry.value)) return;
        if (ports != nullptr && member.ports) {
            if (Diagnostic* diagnostic = blame(entry, member, Code::E0207,
                                               fmt::format("`{}` gives a port to what has one", *entry.value->string()),
                                               "needs members without a port")) {
                diagnostic->help(fmt::format("write \"{}\" alone, or name the members one by one", entry.label));
            }
        } else if (member.what == ListMember::What::group) {
            enter(member.index, member.ports ? &*member.ports : ports);
        } else {
            if (member.what == ListMember::What::service) use_service(member.index);
            leaf(member, ports);
        }
    }
}

void Lists::use_service(std::size_t service) {
    switch (for_) {
        case For::somebody: used_services_[service] = true; break;
        case For::nobody: for_nobody_[service] = true; break;
        case For::tests: break;
    }
}

bool Lists::spend(const Value& place) {
    if (spent_ < most_things) {
        ++spent_;
        return true;
    }
    if (spent_ == most_things) {
        ++spent_;
        context_.diagnostics
            .report(Code::E0118, place.span,
                    fmt::format("the lists of this policy hold more than {} entries", most_things),
                    "here it is too much")
            .help("name networks, or a service with a range of ports, in place of long groups in many tiers");
    }
    return false;
}

Host Lists::host_of(const ListMember& member) const {
    switch (member.what) {
        case ListMember::What::node: return NodeRef{member.index};
        case ListMember::What::network: return NetworkRef{member.index};
        case ListMember::What::service: return context_.policy.services[member.index].host;
        case ListMember::What::group:
        case ListMember::What::range: break;
    }
    return member.range;
}

Diagnostic* Lists::blame(const ListMember& entry, const ListMember& member, Code code, std::string message,
                         std::string label) {
    if (blamed_ == entry.value) return nullptr;
    blamed_ = entry.value;
    Diagnostic& diagnostic = context_.diagnostics.report(code, entry.value->span, std::move(message), std::move(label));
    if (member.value != entry.value)
        diagnostic.also(member.value->span, fmt::format("`{}` is a member of it", *member.value->string()));
    return &diagnostic;
}

void Lists::blame_port(const ListMember& entry, const ListMember& member) {
    Diagnostic* diagnostic = blame(
        entry, member, Code::E0204, fmt::format("`{}` has a port, and is used as a source", *member.value->string()),
        member.value == entry.value ? "a source is named without a port" : "holds a member with a port");
    if (diagnostic != nullptr) diagnostic->help(fmt::format("write \"{}\"", member.label));
}

void Lists::add_source(const ListMember& entry, const ListMember& member, Flat& flat, std::vector<Source>& out) {
    const bool itself = member.value == entry.value;
    if (member.what == ListMember::What::service) {
        Diagnostic* diagnostic =
            blame(entry, member, Code::E0202, fmt::format("`{}` is a service, and can't be a source", member.label),
                  itself ? "a service comes from nowhere" : "holds a service");
        if (diagnostic != nullptr) {
            diagnostic->also(context_.policy.services[member.index].span, "defined here")
                .help("a source is a node, a network, an address, or a group of those");
        }
        return;
    }
    if (member.ports) {
        blame_port(entry, member);
        return;
    }
    if (spend(*entry.value) && flat.add({.what = member.what, .index = member.index, .range = member.range}))
        out.push_back({host_of(member), member.label, entry.value->span});
}

void Lists::add_target(const ListMember& entry, const ListMember& member, const Ports* ports, Flat& flat,
                       std::vector<Target>& out) {
    if (member.ports) ports = &*member.ports;
    if (member.what == ListMember::What::service && ports == nullptr) {
        const Service& service = context_.policy.services[member.index];
        const Value& written = *context_.service_values[member.index];
        const Span definition = written.string() != nullptr ? written.span : service.host_span;
        for (const Ports& own : service.ports) {
            if (!spend(*entry.value)) return;
            if (!flat.add({.what = member.what, .own = true, .ports = own, .index = member.index})) continue;
            out.push_back(
                {service.host, own, member.index, member.label, entry.value->span, definition, service.expires});
        }
        return;
    }
    if (ports == nullptr) {
        Diagnostic* diagnostic =
            blame(entry, member, Code::E0203, fmt::format("`{}` names no port", *member.value->string()),
                  member.value == entry.value ? fmt::format("{} alone is no target", noun(member.what))
                                              : "holds a member without a port");
        if (diagnostic != nullptr) {
            const std::string name = entry.label.find(':') == std::string::npos ? entry.label : "[" + entry.label + "]";
            if (const std::string meant = port_in_brackets(*entry.value->string()); !meant.empty())
                diagnostic->help(fmt::format("did you mean \"{}\"? without brackets it is an address alone", meant));
            diagnostic->help(fmt::format("write \"{0}:22\" for a port, or \"{0}:*\" for everything there", name));
        }
        return;
    }
    if (member.what == ListMember::What::range && unspecified(member.range)) {
        Diagnostic* diagnostic =
            blame(entry, member, Code::E0112, fmt::format("`{}` can't be a target", *member.value->string()),
                  member.value == entry.value ? "stands for no address" : "holds what stands for no address");
        if (diagnostic != nullptr) diagnostic->help(help_unspecified);
        return;
    }
    if (spend(*entry.value) &&
        flat.add({.what = member.what, .ports = *ports, .index = member.index, .range = member.range})) {
        Target target{host_of(member), *ports, {}, member.label, entry.value->span, member.value->span, {}};
        if (member.what == ListMember::What::service) target.expires = context_.policy.services[member.index].expires;
        out.push_back(std::move(target));
    }
}

void Lists::find_nothing(const Flat& flat, const std::vector<ListMember>& entries) {
    nothing_.clear();
    for (std::size_t i = 0; i < flat.entries().size(); ++i) {
        if (flat.entries()[i].empty()) nothing_.push_back(entries[i].value);
    }
}

Listed Lists::flat_sources(std::string_view key, const Value& list, std::string_view form, std::vector<Source>& out) {
    Flat flat;
    std::vector<ListMember> entries = read_members(key, list, form, Use::source);
    for (const ListMember& entry : entries) {
        flat.next_entry();
        if (entry.what == ListMember::What::group && entry.ports) {
            blame_port(entry, entry);
            continue;
        }
        walk(entry, [&](const ListMember& member, const Ports*) { add_source(entry, member, flat, out); });
    }
    find_nothing(flat, entries);
    return {std::move(entries), flat.take_entries()};
}

Listed Lists::flat_targets(std::string_view key, const Value& list, std::string_view form, std::vector<Target>& out) {
    Flat flat;
    std::vector<ListMember> entries = read_members(key, list, form);
    out.reserve(entries.size());
    for (const ListMember& entry : entries) {
        flat.next_entry();
        walk(entry, [&](const ListMember& member, const Ports* ports) { add_target(entry, member, ports, flat, out); });
    }
    find_nothing(flat, entries);
    return {std::move(entries), flat.take_entries()};
}

std::vector<Source> Lists::sources(std::string_view key, const Value& list, std::string_view form) {
    std::vector<Source> out;
    flat_sources(key, list, form, out);
    return out;
}

std::vector<Source> Lists::sources(std::string_view key, const Value& list, std::string_view form,
                                   std::vector<Listed>& written) {
    std::vector<Source> out;
    written.push_back(flat_sources(key, list, form, out));
    return out;
}

std::vector<Target> Lists::targets(std::string_view key, const Value& list, std::string_view form) {
    std::vector<Target> out;
    flat_targets(key, list, form, out);
    return out;
}

std::vector<Target> Lists::targets(std::string_view key, const Value& list, std::string_view form,
                                   std::vector<Listed>& written) {
    std::vector<Target> out;
    written.push_back(flat_targets(key, list, form, out));
    return out;
}

const Value* Lists::member_like(const ListMember& group, const std::string& label) const {
    if (group.what != ListMember::What::group) return nullptr;
    const auto member = std::ranges::find(groups_[group.index], label, &ListMember::label);
    return member == groups_[group.index].end() ? nullptr : member->value;
}

std::string short_text(const Target& target) {
    const auto* name = std::get_if<HostName>(&target.host);
    return fmt::format("{}:{}", name != nullptr ? name->name.substr(0, name->name.find('.')) : target.label,
                       to_string(target.ports));
}

}  // namespace policyc
