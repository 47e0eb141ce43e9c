// Puts a question beside the tests of a policy. Entry point: add_question().
#include "policy/question.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "policy/address.h"

namespace policyc {
namespace {

std::string plain(std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name.ends_with('.')) name.pop_back();
    return name;
}

// The host of a service as it is written, and the port item behind it, where it is written there.
struct WrittenHost {
    std::string host;
    std::string ports;
};
WrittenHost written_host(const Value& service) {
    if (const Table* table = service.table()) {
        const Entry* host = table->find("host");
        return {host != nullptr && host->value.string() != nullptr ? *host->value.string() : "", ""};
    }
    const std::string* text = service.string();
    if (text == nullptr) return {};
    const std::size_t colon = text->rfind(':');
    if (colon == std::string::npos) return {*text, ""};
    return {text->substr(0, colon), text->substr(colon + 1)};
}

// Where `to` begins with the host name of a service: the service, which lists name it by. One with the same port comes first.
std::string by_name(const Table& root, const std::string& to) {
    const Entry* services = root.find("services");
    if (services == nullptr || services->value.table() == nullptr) return to;
    const std::size_t colon = to.find(':');
    const std::string host = plain(to.substr(0, colon));
    const std::string ports = colon == std::string::npos ? "" : to.substr(colon + 1);
    if (host.find('.') == std::string::npos || parse_cidr(host)) return to;
    const Entry* found = nullptr;
    bool same_ports = false;
    for (const Entry& service : services->value.table()->entries) {
        const WrittenHost written = written_host(service.value);
        if (plain(written.host) != host) continue;
        const bool same = !ports.empty() && written.ports == ports;
        if (found != nullptr && (same_ports || !same)) continue;
        found = &service;
        same_ports = same;
    }
    if (found == nullptr) return to;
    return ports.empty() || same_ports ? found->key : found->key + ":" + ports;
}

// Whether a port item is behind the host: "nas:22", "[fd69::1]:22", and not "fd69::1".
bool has_port(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return false;
    return text.front() == '[' ? text[colon - 1] == ']' : text.find(':') == colon;
}

// Whether a service, or a group of nothing else but services and what has a port of its own, is called so.
bool has_ports(const Table& root, const std::string& name, std::set<std::string>& seen) {
    const auto find = [&](const char* section) -> const Entry* {
        const Entry* table = root.find(section);
        return table != nullptr && table->value.table() != nullptr ? table->value.table()->find(name) : nullptr;
    };
    if (find("services") != nullptr) return true;
    const Entry* group = find("groups");
    const auto* members = group != nullptr ? std::get_if<Array>(&group->value.data) : nullptr;
    return members != nullptr && std::ranges::all_of(members->items, [&](const Value& member) {
               const std::string* text = member.string();
               if (text == nullptr || !seen.insert(*text).second) return true;
               return has_port(*text) || has_ports(root, *text, seen);
           });
}

}  // namespace

void add_question(Ast& ast, const Query& query, Sources& sources) {
    std::string text;
    const auto show = [&](const std::string& shown) {
        if (!text.empty()) text += " ";
        const auto begin = static_cast<std::uint32_t>(text.size());
        text += '"' + shown + '"';
        return Span{0, begin, static_cast<std::uint32_t>(text.size())};
    };
    Span from;
    Span to;
    std::string target = "0.0.0.0/0:*";
    if (query.from) from = show(*query.from);
    if (query.to) {
        target = by_name(ast.root, *query.to);
        std::set<std::string> seen;
        const bool all_ports = query.any_port && !has_port(target) && !has_ports(ast.root, target, seen);
        const bool bare = all_ports && target.find(':') != std::string::npos && !target.starts_with('[');
        if (bare) target = "[" + target + "]";
        to = show(target);
        if (all_ports) target += ":*";
    }
    const std::uint32_t file = sources.add(std::string(command_line_source), text);
    const Span whole{file, 0, static_cast<std::uint32_t>(text.size())};
    const auto list = [&](Span span, const std::string& entry) {
        span.file = file;
        return Value{span, Array{{Value{span, entry}}}};
    };
    Table test;
    test.entries.push_back({"name", whole, {whole, std::string("the question")}});
    test.entries.push_back({"from", whole, list(from, query.from.value_or("0.0.0.0/0"))});
    test.entries.push_back({"allow", whole, list(to, target)});

    const auto tests = std::ranges::find(ast.root.entries, "test", &Entry::key);
    if (tests == ast.root.entries.end())
        ast.root.entries.push_back({"test", whole, {whole, Array{{Value{whole, std::move(test)}}}}});
    else if (auto* array = std::get_if<Array>(&tests->value.data))
        array->items.push_back({whole, std::move(test)});
}

}  // namespace policyc
