// The name space of a policy: who is declared, and what an unknown name may have meant. Entry points: declare_names(), Names.
#include <fmt/format.h>

#include <algorithm>

#include "policy/check_context.h"
#include "policy/check_values.h"
#include "policy/keys.h"
#include "policy/text.h"

namespace policyc {
namespace {

// Nearness is searched for this many unknown names and no more: each costs a look at every name.
constexpr std::size_t most_searches = 50;

void declare(Context& context, const char* section, Kind kind) {
    const Entry* entry = context.ast.root.find(section);
    if (entry == nullptr) return;
    const Table* table = entry->value.table();
    if (table == nullptr) {
        context.diagnostics
            .report(Code::E0102, entry->value.span, fmt::format("`{}` can't be {}", section, what_is(entry->value)),
                    "want a table")
            .help(fmt::format("write [{}], and the names below it", section));
        context.names.lose_all();
        return;
    }
    Policy& policy = context.policy;
    for (const Entry& item : table->entries) {
        if (!check_name(item.key, item.key_span, context.diagnostics)) {
            context.names.lose(item.key);
            continue;
        }
        Entity entity{kind, 0, item.key_span};
        switch (kind) {
            case Kind::node:
                entity.index = policy.nodes.size();
                policy.nodes.push_back({.name = item.key, .span = item.key_span});
                context.node_values.push_back(&item.value);
                break;
            case Kind::network:
                entity.index = policy.networks.size();
                policy.networks.push_back({.name = item.key, .span = item.key_span});
                context.network_values.push_back(&item.value);
                break;
            case Kind::service:
                entity.index = policy.services.size();
                policy.services.push_back({.name = item.key, .span = item.key_span});
                context.service_values.push_back(&item.value);
                break;
            case Kind::group:
                entity.index = policy.groups.size();
                policy.groups.push_back({.name = item.key, .span = item.key_span});
                context.group_values.push_back(&item.value);
                break;
            case Kind::lost: break;
        }
        context.names.add(item.key, entity, context.diagnostics);
    }
}

std::string_view definition_of(Kind kind) {
    switch (kind) {
        case Kind::node: return "[nodes.NAME], with its address";
        case Kind::network: return "[networks], and in it NAME = [\"10.69.13.0/24\"]";
        case Kind::service: return "[services], and in it NAME = \"host:port\"";
        case Kind::group: return "[groups], and in it NAME = [\"reference\", ...]";
        case Kind::lost: break;
    }
    return "its definition";
}

}  // namespace

std::string there_is(std::string_view noun, const std::vector<std::string>& names) {
    noun.remove_prefix(2);  // its article
    if (names.size() == 1) return fmt::format("the only {} is {}", noun, names.front());
    return fmt::format("the {}s are {}", noun, few(names, 4));
}

std::string_view noun(Kind kind) {
    switch (kind) {
        case Kind::node: return "a node";
        case Kind::network: return "a network";
        case Kind::service: return "a service";
        case Kind::group: return "a group";
        case Kind::lost: return "a name";
    }
    return "a name";
}

void Names::add(const std::string& name, const Entity& entity, Diagnostics& diagnostics) {
    const auto [known, added] = entities_.try_emplace(name, entity);
    if (added) {
        order_.push_back(name);
        return;
    }
    Entity first = known->second;
    Entity second = entity;
    if (second.span < first.span) std::swap(first, second);
    diagnostics
        .report(Code::E0206, second.span, fmt::format("the name `{}` is taken", name),
                fmt::format("{} here", noun(second.kind)))
        .also(first.span, fmt::format("{} has it", noun(first.kind)))
        .help("rename one of the two: nodes, networks, services and groups share one name space");
}

void Names::lose(const std::string& name) {
    entities_.try_emplace(name, Entity{});
}

const Entity* Names::find(std::string_view name) const {
    const auto found = entities_.find(std::string(name));
    if (found != entities_.end()) return &found->second;
    return all_lost_ ? &lost_ : nullptr;
}

void Names::report_unknown(std::string_view name, Span span, const std::vector<Kind>& kinds, std::string_view wanted,
                           Diagnostics& diagnostics) const {
    Diagnostic& diagnostic =
        diagnostics.report(Code::E0201, span, fmt::format("`{}` is not {}", name, wanted), "not found");
    std::string near;
    std::vector<std::vector<std::string>> known(kinds.size());
    if (searches_++ < most_searches) {
        std::vector<std::string> all;
        for (const std::string& candidate : order_) {
            const auto kind = std::ranges::find(kinds, entities_.at(candidate).kind);
            if (kind == kinds.end()) continue;
            known[static_cast<std::size_t>(kind - kinds.begin())].push_back(candidate);
            all.push_back(candidate);
        }
        near = nearest(name, all);
    }
    if (!near.empty()) {
        const Entity& entity = entities_.at(near);
        diagnostic.also(entity.span, fmt::format("{} with a similar name is defined here", noun(entity.kind)))
            .help(fmt::format("did you mean `{}`?", near));
    } else if (name.find('.') != std::string_view::npos && std::ranges::find(kinds, Kind::service) != kinds.end()) {
        diagnostic.help("a host name gets a name of its own in [services] first, with its port: name = \"host:port\"");
    } else if (name.find('.') != std::string_view::npos && kinds.size() > 1) {
        diagnostic.help("a source is a node, a network, an address, or a group of those, and never a host name");
    } else if (std::ranges::any_of(known, [](const auto& names) { return !names.empty(); })) {
        std::vector<std::string> parts;
        for (std::size_t i = 0; i < kinds.size(); ++i)
            if (!known[i].empty()) parts.push_back(there_is(noun(kinds[i]), known[i]));
        diagnostic.help(fmt::format("{}", fmt::join(parts, "; ")));
    } else if (searches_ <= most_searches) {
        diagnostic.help(fmt::format("the policy has none: write {}", definition_of(kinds.front())));
    }
}

std::optional<std::size_t> find_of_kind(const Context& context, std::string_view name, Span span, Kind kind) {
    const Entity* entity = context.names.find(name);
    if (entity == nullptr) {
        context.names.report_unknown(name, span, {kind}, noun(kind), context.diagnostics);
        return {};
    }
    if (entity->kind == kind) return entity->index;
    if (entity->kind != Kind::lost) {
        context.diagnostics
            .report(Code::E0202, span, fmt::format("`{}` is {}, not {}", name, noun(entity->kind), noun(kind)),
                    fmt::format("want {}", noun(kind)))
            .also(entity->span, "defined here");
    }
    return {};
}

std::vector<Written> read_network(const Context& context, const Value& value) {
    const Part part(value);
    std::vector<Written> ranges;
    const std::string label(part.text);
    if (looks_like_address(part.text)) {
        if (const auto range = read_range(part, context.diagnostics))
            ranges.push_back({*range, value.span, value.span, label});
    } else if (const auto index = find_of_kind(context, part.text, value.span, Kind::network)) {
        for (const auto& range : context.policy.networks[*index].ranges)
            ranges.push_back({range.value, value.span, range.span, label});
    }
    return ranges;
}

void declare_names(Context& context) {
    declare(context, "networks", Kind::network);
    declare(context, "nodes", Kind::node);
    declare(context, "services", Kind::service);
    declare(context, "groups", Kind::group);
    // Under a misspelt section are names that somebody refers to.
    for (const Entry& entry : context.ast.root.entries) {
        const Table* table = entry.value.table();
        if (table == nullptr || find_key(Section::top, entry.key) != nullptr) continue;
        for (const Entry& item : table->entries) context.names.lose(item.key);
    }
}

}  // namespace policyc
