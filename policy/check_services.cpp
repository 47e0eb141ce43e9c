// [networks] and [services]. Entry points: check_networks(), check_services().
#include <fmt/format.h>

#include <set>

#include "policy/check_context.h"
#include "policy/check_fields.h"

namespace policyc {
namespace {

// A host name, address, CIDR, network or node; nothing when it is none of these, or one that was refused.
std::optional<Host> read_host(const Context& context, const Part& part) {
    if (looks_like_address(part.text)) {
        const auto range = read_range(part, context.diagnostics);
        if (!range) return {};
        if (!unspecified(*range)) return *range;
        context.diagnostics
            .report(Code::E0112, part.span(), fmt::format("`{}` can't be the host of a service", part.text),
                    "stands for no address")
            .help(help_unspecified);
        return {};
    }
    if (const Entity* entity = context.names.find(part.text)) {
        switch (entity->kind) {
            case Kind::node: return NodeRef{entity->index};
            case Kind::network: return NetworkRef{entity->index};
            case Kind::lost: return {};
            case Kind::service:
            case Kind::group: break;
        }
        context.diagnostics
            .report(Code::E0202, part.span(),
                    fmt::format("`{}` is {}, which is no host", part.text, noun(entity->kind)),
                    "want a host name, address, network or node")
            .also(entity->span, "defined here");
        return {};
    }
    if (auto name = read_host_name(part, context.diagnostics)) return HostName{std::move(*name)};
    return {};
}

void read_short(const Context& context, const Value& value, Service& service) {
    const auto written = split_host_port(value, context.diagnostics);
    if (!written) return;
    const std::string_view text = written->host.text;
    service.host_span = written->host.exact();
    if (text.empty()) {
        context.diagnostics
            .report(Code::E0113, value.span, fmt::format("service `{}` names no host", service.name),
                    "want a host and a port")
            .help("write for instance \"jelly01.home.example:8096\"");
        return;
    }
    if (const std::size_t slash = text.find('/'); !written->ports && slash != std::string_view::npos &&
                                                  !looks_like_address(text.substr(0, slash)) &&
                                                  text.find("//") == std::string_view::npos) {
        context.diagnostics
            .report(Code::E0113, value.span, fmt::format("`{}` is not a host and a port", text),
                    "the port is behind a colon")
            .help("write \"host:port\", for instance \"jelly01.home.example:8096\"");
        return;
    }
    const std::size_t before = context.diagnostics.all().size();
    if (const auto host = read_host(context, written->host)) service.host = *host;
    if (!written->ports && context.diagnostics.all().size() != before) return;
    if (!written->ports) {
        Diagnostic& diagnostic =
            context.diagnostics.report(Code::E0203, value.span, fmt::format("service `{}` names no port", service.name),
                                       "a host alone is no service");
        if (const std::string meant = port_in_brackets(*value.string()); !meant.empty())
            diagnostic.help(fmt::format("did you mean \"{}\"? without brackets it is an address alone", meant));
        diagnostic.help(fmt::format("write \"{}:443\", or with the port that is meant",
                                    written->host.text.find(':') == std::string_view::npos
                                        ? std::string(written->host.text)
                                        : fmt::format("[{}]", written->host.text)));
        return;
    }
    if (const auto ports = read_ports(*written->ports, context.diagnostics)) service.ports.push_back(*ports);
}

void read_table(const Context& context, const Value& value, Service& service) {
    const Fields fields(Section::service, value, fmt::format("service `{}`", service.name), service.span,
                        context.diagnostics);
    if (const Value* host = fields.string("host")) {
        const Part part(*host);
        service.host_span = part.exact();
        const bool port = part.text.find(':') != std::string_view::npos && !parse_cidr(part.text);
        if (part.text.empty()) {
            context.diagnostics
                .report(Code::E0113, host->span, fmt::format("service `{}` names no host", service.name), "empty")
                .help("write for instance \"jelly01.home.example\", or an address");
        } else if (port) {
            context.diagnostics
                .report(Code::E0113, host->span, fmt::format("`{}` is not a host name", part.text), "has a colon")
                .help("write the port into `ports`, and an IPv6 address without brackets");
        } else if (const auto found = read_host(context, part)) {
            service.host = *found;
        }
    }
    if (const Entry* ports = fields.find("ports"))
        service.ports = read_port_list("ports", ports->value, context.diagnostics);
    service.limit = fields.rate("limit");
    service.log_new = fields.log_new();
    service.owner = fields.text("owner");
    service.note = fields.text("note");
    service.expires = fields.date("expires");
}

}  // namespace

std::vector<Ports> read_port_list(std::string_view key, const Value& value, Diagnostics& diagnostics) {
    std::vector<Ports> list;
    std::set<Ports> seen;
    const auto add = [&](const Value& item) {
        const auto ports = read_ports(item, key, diagnostics);
        if (ports && seen.insert(*ports).second) list.push_back(*ports);
    };
    if (const Array* array = value.array()) {
        for (const Value& item : array->items) add(item);
        if (array->items.empty()) {
            diagnostics.report(Code::E0107, value.span, fmt::format("`{}` is empty", key), "names no port")
                .help("write the ports that are meant; `*` is every protocol and port");
        }
    } else {
        add(value);
    }
    return list;
}

void check_networks(Context& context) {
    for (std::size_t i = 0; i < context.policy.networks.size(); ++i) {
        Network& network = context.policy.networks[i];
        const std::string_view form = "\"10.69.13.0/24\", or a list of such";
        for (const Value* value :
             strings_of(network.name, *context.network_values[i], true, form, context.diagnostics)) {
            if (const auto range = read_range(Part(*value), context.diagnostics))
                network.ranges.push_back({*range, value->span});
        }
    }
}

void check_services(Context& context) {
    for (std::size_t i = 0; i < context.policy.services.size(); ++i) {
        Service& service = context.policy.services[i];
        const Value& value = *context.service_values[i];
        service.host = HostName{};  // nothing, should the host be refused
        if (value.string() != nullptr) {
            read_short(context, value, service);
        } else if (value.table() != nullptr) {
            read_table(context, value, service);
        } else {
            report_type(service.name, value, "\"host:port\", or a table with `host` and `ports`", context.diagnostics);
        }
    }
}

}  // namespace policyc
