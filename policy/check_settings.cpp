// The top level, [resolve] and [log]. Entry points: check_top(), check_settings().
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/check_context.h"
#include "policy/check_fields.h"
#include "policy/check_report.h"

namespace policyc {
namespace {

constexpr std::uint16_t dns_port = 53;

std::uint16_t port_of(const Service& service) {
    const Ports* best = nullptr;
    for (const Ports& ports : service.ports) {
        if (ports.protocol == Protocol::any || (ports.lo <= dns_port && dns_port <= ports.hi)) return dns_port;
        if (best == nullptr && ports.lo != 0) best = &ports;
    }
    return best == nullptr ? dns_port : best->lo;
}

void add_service(Context& context, std::size_t index, Span span) {
    const Service& service = context.policy.services[index];
    context.servers.push_back(index);
    std::vector<DnsServer>& servers = context.policy.resolve.servers;
    const std::uint16_t port = port_of(service);
    if (const auto* node = std::get_if<NodeRef>(&service.host)) {
        for (const auto& address : context.policy.nodes[node->node].addresses) servers.push_back({address.value, port});
    } else if (const auto* range = std::get_if<Range>(&service.host); range != nullptr && range->single()) {
        servers.push_back({{range->family, range->lo}, port});
    } else if (const auto* name = std::get_if<HostName>(&service.host); name == nullptr || !name->name.empty()) {
        context.diagnostics
            .report(Code::E0202, span, fmt::format("service `{}` is no server to ask", service.name),
                    "want the service of one address")
            .also(service.host_span,
                  name != nullptr ? "a name, which would need a server to be asked" : "more than one address")
            .help("give the service the address of the resolver as its host");
    }
}

void read_server(Context& context, const Value& value) {
    const auto written = split_host_port(value, context.diagnostics);
    if (!written) return;
    if (!looks_like_address(written->host.text)) {
        if (written->ports) {
            context.diagnostics
                .report(Code::E0112, written->ports->exact(),
                        fmt::format("`{}` can't have a port here", written->host.text), "a service has its own")
                .help(fmt::format("write \"{}\", or an address with a port: \"10.69.13.5:53\"", written->host.text));
        } else if (const auto index = find_of_kind(context, written->host.text, value.span, Kind::service)) {
            add_service(context, *index, value.span);
        }
        return;
    }
    const auto range = read_range(written->host, context.diagnostics);
    std::optional<std::uint16_t> port = dns_port;
    if (written->ports) port = read_port(*written->ports, context.diagnostics);
    if (!range || !port) return;
    if (!range->single()) {
        context.diagnostics.report(Code::E0112, written->host.span(),
                                   fmt::format("`{}` is a network", written->host.text),
                                   "want the address of one server");
        return;
    }
    context.policy.resolve.servers.push_back({{range->family, range->lo}, *port});
}

void read_resolve(Context& context, const Entry& entry) {
    Resolve& resolve = context.policy.resolve;
    Diagnostics& diagnostics = context.diagnostics;
    const Fields fields(Section::resolve, entry.value, "[resolve]", entry.key_span, diagnostics);
    for (const Value* server : fields.strings("servers")) read_server(context, *server);
    if (const Entry* servers = fields.find("servers");
        servers != nullptr && servers->value.array() != nullptr && servers->value.array()->items.empty()) {
        diagnostics.report(Code::E0105, servers->value.span, "`servers` of [resolve] is empty", "names nobody to ask")
            .help("name the servers, or leave `servers` out: then the system's are asked");
    }
    if (const Entry* within = fields.find("within")) {
        resolve.within_span = within->value.span;
        for (const Value* value : fields.strings("within")) {
            for (const Written& written : read_network(context, *value)) resolve.within.push_back(written.range);
        }
        report_empty(fields, "within", "no answer is believed", diagnostics);
    }
    if (const Entry* refresh = fields.find("refresh")) {
        const Fields bounds(Section::refresh, refresh->value, "refresh of [resolve]", refresh->key_span, diagnostics);
        resolve.refresh_min = bounds.duration("min").value_or(resolve.refresh_min);
        resolve.refresh_max = bounds.duration("max").value_or(std::max(resolve.refresh_max, resolve.refresh_min));
        if (resolve.refresh_min > resolve.refresh_max) {
            diagnostics
                .report(Code::E0115, refresh->value.span, "`min` of `refresh` is more than `max`", "no time is both")
                .help("write for instance refresh = { min = \"30s\", max = \"15m\" }");
        }
    }
    resolve.overlap = fields.duration("overlap");
    if (const Entry* stale = fields.find("stale")) {
        const Fields keys(Section::stale, stale->value, "stale of [resolve]", stale->key_span, diagnostics);
        resolve.stale_keep = keys.duration("keep");
        resolve.stale_span = stale->value.span;
    }
    if (const Value* lock = fields.string("lock")) {
        resolve.lock = *lock->string();
        if (resolve.lock.empty() || resolve.lock.ends_with('/') || resolve.lock.find('\0') != std::string::npos) {
            diagnostics.report(Code::E0105, lock->span, "`lock` names no file", "want a path, relative to the policy")
                .help("write lock = \"policy.lock\", or leave it out");
        }
    }
}

void read_destination(const Value& value, Log& log, Diagnostics& diagnostics) {
    const std::string& text = *value.string();
    if (text == "kernel") {
        log.nflog_group.reset();
        return;
    }
    constexpr std::string_view prefix = "nflog:";
    const std::string_view group = std::string_view(text).substr(std::min(prefix.size(), text.size()));
    const bool digits =
        !group.empty() && group.size() <= 5 && std::ranges::all_of(group, [](char c) { return c >= '0' && c <= '9'; });
    if (text.starts_with(prefix) && digits && std::stoul(std::string(group)) <= 65535) {
        log.nflog_group = static_cast<std::uint16_t>(std::stoul(std::string(group)));
        return;
    }
    diagnostics
        .report(Code::E0105, value.span, fmt::format("`to` can't be \"{}\"", text),
                "want \"nflog:GROUP\" or \"kernel\"")
        .help("a group is a number from 0 to 65535, for instance \"nflog:5\"");
}

void read_log(Context& context, const Entry& entry) {
    static constexpr std::array<std::pair<std::string_view, bool>, 2> counters{{{"service", true}, {"none", false}}};
    constexpr std::uint32_t most_burst = 10'000;
    Log& log = context.policy.log;
    const Fields fields(Section::log, entry.value, "[log]", entry.key_span, context.diagnostics);
    log.counters = fields.choice("counters", counters).value_or(true);
    const Entry* denied = fields.find("denied");
    if (denied == nullptr) return;
    if (const bool* wanted = denied->value.boolean()) {
        log.denied = *wanted;
        return;
    }
    if (denied->value.table() == nullptr) {
        fields.report_type("denied", denied->value);
        return;
    }
    const Fields keys(Section::log_denied, denied->value, "denied of [log]", denied->key_span, context.diagnostics);
    log.denied_limit = keys.rate("limit").value_or(log.denied_limit);
    log.denied_burst = keys.number("burst", 1, most_burst).value_or(log.denied_burst);
    if (const Value* to = keys.string("to")) read_destination(*to, log, context.diagnostics);
}

}  // namespace

bool check_top(const Context& context) {
    const Table& root = context.ast.root;
    if (const Entry* version = root.find("version"); version != nullptr && version->value.integer() != nullptr) {
        const std::int64_t number = *version->value.integer();
        if (number != 1) {
            context.diagnostics
                .report(Code::E0114, version->value.span,
                        fmt::format("version {} of the language is not known", number), "this policyc knows version 1")
                .help(number > 1 ? "use a newer policyc" : "write version = 1");
            return false;
        }
    } else if (version != nullptr) {
        report_type("version", version->value, "1", context.diagnostics);
    }
    const Fields fields(Section::top, root, "the policy", Span{context.ast.file, 0, 0}, context.diagnostics);
    return true;
}

void check_settings(Context& context) {
    static constexpr std::array<std::pair<std::string_view, Ipv6>, 2> words{
        {{"deny", Ipv6::deny}, {"dual", Ipv6::dual}}};
    const Table& root = context.ast.root;
    Policy& policy = context.policy;
    if (const Entry* ipv6 = root.find("ipv6")) {
        policy.ipv6_span = ipv6->value.span;
        const auto found = std::ranges::find_if(words, [&](const auto& word) {
            return ipv6->value.string() != nullptr && word.first == *ipv6->value.string();
        });
        if (found != words.end()) {
            policy.ipv6 = found->second;
        } else if (ipv6->value.string() == nullptr) {
            report_type("ipv6", ipv6->value, find_key(Section::top, "ipv6")->form, context.diagnostics);
        } else {
            report_choice("ipv6", ipv6->value, {"deny", "dual"}, context.diagnostics);
        }
    }
    if (const Entry* resolve = root.find("resolve")) read_resolve(context, *resolve);
    if (!policy.resolve.within_span.valid()) {
        for (const Network& network : policy.networks) {
            for (const auto& range : network.ranges) policy.resolve.within.push_back(range.value);
        }
    }
    if (const Entry* log = root.find("log")) read_log(context, *log);
}

}  // namespace policyc
