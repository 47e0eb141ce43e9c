// Runs the stages for the verbs: load_policy() and what follows it.
#include "compiler/driver/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/timing.h"
#include "policy/check.h"
#include "policy/parse.h"

namespace policyc {

namespace {

std::string node_names(const Policy& policy) {
    std::string text;
    for (const Node& node : policy.nodes) {
        if (!text.empty()) text += ", ";
        text += node.name;
    }
    return text;
}

std::optional<std::size_t> find_node(const Policy& policy, const std::string& name) {
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        if (policy.nodes[i].name == name) return i;
    }
    return {};
}

Result<std::size_t> pick(const Policy& policy, const Options& options, const World& world) {
    if (policy.nodes.empty()) return Error{"the policy has no nodes", "add a [nodes.NAME] with role = \"gateway\""};
    if (options.node) {
        if (const auto node = find_node(policy, *options.node)) return *node;
        std::vector<std::string> known;
        for (const Node& node : policy.nodes) known.push_back(node.name);
        const std::string near = nearest(*options.node, known);
        return Error{fmt::format("the policy has no node `{}`", *options.node),
                     near.empty() ? fmt::format("its nodes are {}", node_names(policy))
                                  : fmt::format("did you mean `{}`?", near)};
    }
    for (const std::string& name : {world.host_name, world.host_name.substr(0, world.host_name.find('.'))}) {
        if (const auto node = find_node(policy, name)) return *node;
    }
    std::optional<std::size_t> gateway;
    std::size_t gateways = 0;
    for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
        if (policy.nodes[i].role != Role::gateway) continue;
        gateway = i;
        ++gateways;
    }
    if (gateways == 1) return *gateway;
    return Error{
        fmt::format("which node? this host is called `{}`, which is none of the policy, and the policy has {} gateways",
                    world.host_name, gateways),
        fmt::format("name one: --node {} (the nodes are {})", policy.nodes[gateway.value_or(0)].name,
                    node_names(policy))};
}

}  // namespace

std::optional<Loaded> load_policy(const std::string& path, const Files& files, Sources& sources,
                                  Diagnostics& diagnostics, const std::optional<Query>& query) {
    Loaded loaded;
    loaded.path = path;
    loaded.first_file = static_cast<std::uint32_t>(sources.size());
    std::optional<Ast> ast = timed("parse", [&] { return parse(path, files, sources, diagnostics); });
    if (!ast) return {};
    loaded.files = static_cast<std::uint32_t>(sources.size()) - loaded.first_file;
    if (query) add_question(*ast, *query, sources);
    std::optional<Policy> policy = timed("check", [&] { return check(*ast, sources, diagnostics); });
    if (!policy) return {};
    loaded.policy = std::move(*policy);
    return loaded;
}

std::optional<LockFile> load_lock(const Loaded& loaded, const std::optional<std::string>& given, bool may_miss,
                                  const Files& files, Report& report) {
    LockFile file;
    const std::string& named = loaded.policy.resolve.lock;
    file.path = given ? *given : named.starts_with('/') ? named : folder_of(loaded.path) + named;
    Result<std::string> text = files.read(file.path, max_policy_bytes);
    if (!text) {
        if (!exists(file.path) && (!given || may_miss)) return file;
        const bool absent = !exists(file.path);
        report.fail(absent ? Error{text.error().message,
                                   fmt::format("`policyc resolve {} --lock {}` writes it", loaded.path, file.path)}
                           : text.error());
        return {};
    }
    file.text = std::move(text.value());
    std::optional<Lock> lock =
        parse_lock(report.sources.add(file.path, *file.text), report.sources, report.diagnostics);
    if (!lock) return {};
    file.lock = std::move(*lock);
    return file;
}

Lock join(const Lock& one, const Lock& other, Time now) {
    const auto date = [now](const LockEntry& entry) { return dated_ahead(entry, now) ? Time::min() : entry.resolved; };
    Lock joined = one;
    for (const auto& [name, entry] : other) {
        const auto [place, added] = joined.try_emplace(name, entry);
        if (!added && date(place->second) < date(entry)) place->second = entry;
    }
    return joined;
}

Addresses load_hosts(const World& world) {
    const Result<std::string> text = world.files->read(world.hosts_file, max_policy_bytes);
    return text ? parse_hosts(text.value()) : Addresses{};
}

std::vector<std::string> names_without_address(const Policy& policy, const Lock& lock, const Addresses& hosts) {
    std::vector<std::string> names;
    for (const NameUse& use : names_of(policy)) {
        if (!lock.contains(use.name) && !hosts.contains(use.name)) names.push_back(use.name);
    }
    return names;
}

std::map<std::string, Answer> ask(const Policy& policy, const std::vector<std::string>& names, World& world) {
    if (names.empty()) return {};
    Question question;
    question.names = names;
    question.ipv6 = policy.ipv6 == Ipv6::dual;
    for (const DnsServer& server : policy.resolve.servers) question.servers.push_back({server.address, server.port});
    return world.resolver()->resolve(question);
}

Result<std::size_t> choose_node(const Policy& policy, const Options& options, const World& world) {
    Result<std::size_t> picked = pick(policy, options, world);
    if (!picked) return picked;
    const Node& node = policy.nodes[picked.value()];
    if (node.scope == Scope::none || node.interface) return picked;
    return Error{fmt::format("node `{}` has no `interface`, and scope \"{}\" must know which one is WireGuard's",
                             node.name, word(node.scope)),
                 "add interface = \"wg0\", by the name that `ip link` shows"};
}

Days today(const World& world) {
    return std::chrono::floor<std::chrono::days>(world.now);
}

std::optional<Opened> open_policy(const Options& options, const World& world, Report& report, int& status) {
    report.subject = options.policy;
    std::optional<Loaded> loaded = load_policy(options.policy, *world.files, report.sources, report.diagnostics);
    std::optional<LockFile> lock;
    if (loaded) lock = load_lock(*loaded, options.lock, false, *world.files, report);
    if (!lock) {
        status = report.error ? 2 : report.stopped();
        return {};
    }
    const Result<std::size_t> node = choose_node(loaded->policy, options, world);
    if (!node) {
        status = report.fail(node.error());
        return {};
    }
    return Opened{std::move(*loaded), std::move(*lock), node.value()};
}

ServerPorts add_live_server_ports(const ir::Ruleset* before, ir::Ruleset& wanted, const World& world) {
    ServerPorts ports;
    if (before != nullptr) ports = server_ports_of(*before);
    add_server_ports(wanted, ports);
    if (before != nullptr && same(*before, wanted)) return ports;
    for (const std::uint16_t port : world.listening_ports()) ports.tcp.emplace_back(port, port);
    add_server_ports(wanted, ports);
    return ports;
}

bool exists(const std::string& path) {
    std::error_code error;
    return std::filesystem::symlink_status(path, error).type() != std::filesystem::file_type::not_found;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

const char* word(Scope scope) {
    switch (scope) {
        case Scope::none: return "none";
        case Scope::tunnel: return "tunnel";
        case Scope::host: return "host";
    }
    return "";
}

}  // namespace policyc
