// Puts a question beside the tests of a policy. Entry point: add_question().
#include "policy/question.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

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

}  // namespace

void add_question(Ast& ast, const std::string& from, const std::string& to, Sources& sources) {
    const std::string target = by_name(ast.root, to);
    const std::string text = fmt::format("\"{}\" \"{}\"", from, target);
    const std::uint32_t file = sources.add("the command line", text);
    const Span whole{file, 0, static_cast<std::uint32_t>(text.size())};
    const auto middle = static_cast<std::uint32_t>(from.size() + 2);
    const auto list = [](Span span, const std::string& entry) { return Value{span, Array{{Value{span, entry}}}}; };
    Table test;
    test.entries.push_back({"name", whole, {whole, std::string("the question")}});
    test.entries.push_back({"from", whole, list({file, 0, middle}, from)});
    test.entries.push_back({"allow", whole, list({file, middle + 1, whole.end}, target)});

    const auto tests = std::ranges::find(ast.root.entries, "test", &Entry::key);
    if (tests == ast.root.entries.end())
        ast.root.entries.push_back({"test", whole, {whole, Array{{Value{whole, std::move(test)}}}}});
    else if (auto* array = std::get_if<Array>(&tests->value.data))
        array->items.push_back({whole, std::move(test)});
}

}  // namespace policyc
