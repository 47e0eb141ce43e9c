// [nodes.NAME]. Entry point: check_nodes().
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/bytes.h"
#include "policy/check_context.h"
#include "policy/check_fields.h"
#include "policy/check_report.h"
#include "policy/reference.h"

namespace policyc {
namespace {

void read_addresses(const Fields& fields, Node& node, Diagnostics& diagnostics) {
    for (const Value* value : fields.strings("address", true)) {
        const auto address = read_node_address(*value, diagnostics);
        if (!address) continue;
        const auto same =
            std::ranges::find(node.addresses, address->family, [](const auto& known) { return known.value.family; });
        if (same == node.addresses.end()) {
            node.addresses.push_back({*address, value->span});
            continue;
        }
        const std::string_view family = address->family == Family::ipv4 ? "IPv4" : "IPv6";
        diagnostics
            .report(Code::E0404, value->span, fmt::format("`{}` has two {} addresses", node.name, family),
                    "one too many")
            .also(same->span, "the first one")
            .help("a node has one IPv4 and at most one IPv6 address; what else it answers for goes into `serves`");
    }
    const Entry* entry = fields.find("address");
    if (entry != nullptr && entry->value.array() != nullptr && entry->value.array()->items.empty()) {
        diagnostics
            .report(Code::E0104, entry->value.span, fmt::format("{} has no address", fields.where()), "an empty list")
            .help("write address = \"10.69.50.2\"");
    }
}

void read_interface(const Fields& fields, Node& node, Diagnostics& diagnostics) {
    const Value* name = fields.string("interface");
    if (name == nullptr || !check_interface(Part(*name), diagnostics)) return;
    if (*name->string() == "lo") {
        diagnostics
            .report(Code::E0116, name->span, "`lo` is not an interface of WireGuard", "the loopback of every host")
            .help("write the one that `wg show` names, for instance \"wg0\"");
        return;
    }
    node.interface = {*name->string(), name->span};
}

void read_endpoint(const Fields& fields, Node& node, Diagnostics& diagnostics) {
    const Value* value = fields.string("endpoint");
    if (value == nullptr) return;
    const auto written = split_host_port(*value, diagnostics);
    if (!written) return;
    Endpoint endpoint{.span = value->span};
    std::optional<std::uint16_t> number;
    if (written->ports) {
        Part port = *written->ports;
        if (port.text.ends_with("/udp")) port.text.remove_suffix(4);
        number = read_port(port, diagnostics);
        endpoint.port = number.value_or(0);
    }
    if (looks_like_address(written->host.text)) {
        const auto address = parse_address(written->host.text);
        if (!address) {
            diagnostics
                .report(Code::E0112, written->host.span(), fmt::format("`{}` is not an address", written->host.text),
                        "want a host name or one address")
                .help("write for instance \"vpn.example:51820\", \"192.0.2.1:51820\" or \"[2001:db8::1]:51820\"");
            return;
        }
        endpoint.host = *address;
    } else if (auto name = read_host_name(written->host, diagnostics)) {
        endpoint.host = std::move(*name);
    } else {
        return;
    }
    if (!written->ports) {
        const bool bracketed = written->host.text.find(':') != std::string_view::npos;
        Diagnostic& diagnostic =
            diagnostics.report(Code::E0203, value->span, "`endpoint` names no port", "want \"host:port\"");
        if (const std::string meant = port_in_brackets(*value->string()); !meant.empty())
            diagnostic.help(fmt::format("did you mean \"{}\"? without brackets it is an address alone", meant));
        diagnostic.help(fmt::format("WireGuard's usual port is 51820: \"{}{}{}:51820\"", bracketed ? "[" : "",
                                    written->host.text, bracketed ? "]" : ""));
        return;
    }
    if (number) node.endpoint = std::move(endpoint);
}

void read_keys(const Fields& fields, Node& node, Diagnostics& diagnostics) {
    if (const Value* key = fields.string("public_key")) {
        node.public_key = *key->string();
        if (!is_wireguard_key(node.public_key)) {
            const std::size_t size = node.public_key.size();
            diagnostics
                .report(Code::E0111, key->span, "this is not a WireGuard public key",
                        size == 44 ? std::string("not base64 of 32 bytes")
                                   : fmt::format("{} characters, a key has 44", size))
                .help("`wg pubkey < private.key` prints it");
        }
    }
    if (const Value* file = fields.string("private_key_file")) {
        node.private_key_file = *file->string();
        if (is_masked(node.private_key_file)) {
            diagnostics.report(Code::E0110, file->span, "a private key in a policy", "want the path of a file")
                .help("put the key into a file of mode 0600 and write its path")
                .note(
                    "a policy is read and copied by many: a key that was written here should be replaced by a new one");
        } else if (node.private_key_file.empty()) {
            diagnostics.report(Code::E0105, file->span, "`private_key_file` is empty", "want a path")
                .help("write the path of the file that holds the key, or leave it out");
        }
    }
}

void read_untouched(Context& context, const Fields& fields, std::size_t index, Node& node) {
    for (const Value* value : fields.strings("untouched")) {
        const std::string_view text = *value->string();
        if (!text.starts_with("if:")) {
            for (Written& written : read_network(context, *value)) {
                node.untouched.ranges.push_back({written.range, value->span});
                context.untouched.emplace_back(index, std::move(written));
            }

            continue;
        }
        const Part name(*value, text.substr(3));
        if (!check_interface(name, context.diagnostics)) continue;
        if (node.interface && node.interface->value == name.text) {
            context.diagnostics
                .report(Code::E0115, value->span, fmt::format("`{}` is the tunnel itself", name.text),
                        "can't be left untouched")
                .also(node.interface->span, "its interface")
                .help("to judge nothing on this node, write scope = \"none\"");
        }
        node.untouched.interfaces.push_back({std::string(name.text), value->span});
    }
}

// `of_node` are the keys of the node.
std::vector<Ports> known_ports(const Fields& fields, const Fields& of_node, const Entry& entry, const Node& node,
                               Diagnostics& diagnostics) {
    const auto known = std::ranges::find(known_inputs(), entry.key, &KnownInput::name);
    if (known == known_inputs().end()) {
        std::string names;
        for (const KnownInput& input : known_inputs()) names += (names.empty() ? "" : ", ") + std::string(input.name);
        diagnostics
            .report(Code::E0104, entry.key_span, fmt::format("{} has no `ports`", fields.where()),
                    "not known by this name")
            .help("write ports = [...], the port items that may be reached")
            .note("known without `ports`: " + names);
        return {};
    }
    if (entry.key == "wireguard") {
        const std::uint16_t port = node.endpoint ? node.endpoint->port : node.listen_port.value_or(0);
        if (port != 0) return {{Protocol::udp, port, port}};
        // What is written and wrong has had its error.
        const auto written = [&](const char* key) { return of_node.find(key) != nullptr || of_node.misspelt(key); };
        if (!written("endpoint") && !written("listen_port")) {
            diagnostics
                .report(Code::E0104, entry.key_span, fmt::format("{} has no port", fields.where()),
                        "the node has neither `endpoint` nor `listen_port`")
                .help("write listen_port = 51820 for the node, or ports = [...] here");
        }
        return {};
    }
    std::vector<Ports> ports;
    for (const std::string_view item : known->ports) {
        const std::size_t slash = item.find('/');
        if (slash == std::string_view::npos) {
            ports.push_back({Protocol::ping, 0, 0});
        } else {
            const auto port = static_cast<std::uint16_t>(std::stoi(std::string(item.substr(0, slash))));
            ports.push_back({item.substr(slash + 1) == "udp" ? Protocol::udp : Protocol::tcp, port, port});
        }
    }
    return ports;
}

void read_inputs(const Context& context, const Fields& fields, Node& node, Lists& lists) {
    const Entry* inputs = fields.find("input");
    if (inputs == nullptr) return;
    const Table* table = inputs->value.table();
    if (table == nullptr) {
        fields.report_type("input", inputs->value);
        return;
    }
    for (const Entry& entry : table->entries) {
        if (!check_name(entry.key, entry.key_span, context.diagnostics)) continue;
        Input input{.name = entry.key, .span = entry.key_span};
        const Fields keys(Section::input, entry.value, fmt::format("input.{} of `{}`", entry.key, node.name),
                          entry.key_span, context.diagnostics);
        if (!keys) continue;
        if (const Entry* from = keys.find("from")) {
            input.from = lists.sources("from", from->value, find_key(Section::input, "from")->form, lists.kept.from);
            report_empty(keys, "from", "nobody reaches it", context.diagnostics);
        }
        if (const Entry* ports = keys.find("ports")) {
            input.ports = read_port_list("ports", ports->value, context.diagnostics);
        } else if (!keys.misspelt("ports")) {
            input.ports = known_ports(keys, fields, entry, node, context.diagnostics);
        }
        input.limit = keys.rate("limit");
        input.log_new = keys.log_new();
        node.inputs.push_back(std::move(input));
    }
}

void read_dns(const Fields& fields, Node& node, Diagnostics& diagnostics) {
    const Entry* entry = fields.find("dns");
    if (entry == nullptr) return;
    node.dns.emplace();
    if (const std::string* word = entry->value.string()) {
        node.dns->all = *word == "all";
        if (!node.dns->all) report_choice("dns", entry->value, {"all"}, diagnostics);
    } else if (entry->value.table() == nullptr) {
        fields.report_type("dns", entry->value);
    } else {
        const Fields keys(Section::client_dns, entry->value, fmt::format("dns of `{}`", node.name), entry->key_span,
                          diagnostics);
        for (const Value* domain : keys.strings("split")) {
            if (auto name = read_host_name(Part(*domain), diagnostics)) node.dns->split.push_back(std::move(*name));
        }
    }
}

void read_peer(const Context& context, const Fields& fields, std::size_t index, Node& node) {
    const Value* peer = fields.string("peer");
    if (peer == nullptr) return;
    const auto found = find_of_kind(context, *peer->string(), peer->span, Kind::node);
    if (found == index) {
        context.diagnostics
            .report(Code::E0208, peer->span, fmt::format("`{}` is its own peer", node.name), "dials itself")
            .help("name the node that it dials, or leave `peer` out");
        return;
    }
    node.peer = found;
}

void check_node(Context& context, std::size_t index, Lists& lists) {
    static constexpr std::array<std::pair<std::string_view, Role>, 3> roles{
        {{"hub", Role::hub}, {"gateway", Role::gateway}, {"client", Role::client}}};
    static constexpr std::array<std::pair<std::string_view, SourceNat>, 2> sources{
        {{"routed", SourceNat::routed}, {"masquerade", SourceNat::masquerade}}};
    static constexpr std::array<std::pair<std::string_view, Scope>, 3> scopes{
        {{"tunnel", Scope::tunnel}, {"host", Scope::host}, {"none", Scope::none}}};
    static constexpr std::array<std::pair<std::string_view, Denied>, 2> verdicts{
        {{"drop", Denied::drop}, {"reject", Denied::reject}}};

    Node& node = context.policy.nodes[index];
    Diagnostics& diagnostics = context.diagnostics;
    const Fields fields(Section::node, *context.node_values[index], fmt::format("[nodes.{}]", node.name), node.span,
                        diagnostics);
    if (!fields) return;
    node.role = fields.choice("role", roles).value_or(Role::client);
    node.scope = fields.choice("scope", scopes).value_or(node.role == Role::gateway ? Scope::tunnel : Scope::none);
    node.source = fields.choice("source", sources).value_or(SourceNat::routed);
    node.denied = fields.choice("denied", verdicts).value_or(Denied::drop);
    read_addresses(fields, node, diagnostics);
    read_interface(fields, node, diagnostics);
    if (node.scope != Scope::none && fields.find("interface") == nullptr) {
        diagnostics
            .report(Code::E0104, node.span, fmt::format("[nodes.{}] has no `interface`", node.name),
                    "what enters and leaves the tunnel is judged here, so it must be known which one that is")
            .help(
                "add interface = \"wg0\", by the name that `ip link` shows; or scope = \"none\", to judge nothing "
                "here");
    }
    read_endpoint(fields, node, diagnostics);
    if (const auto port = fields.number("listen_port", 1, 65535)) node.listen_port = static_cast<std::uint16_t>(*port);
    if (const Entry* port = fields.find("listen_port"), *endpoint = fields.find("endpoint");
        port != nullptr && endpoint != nullptr) {
        diagnostics
            .report(Code::E0115, port->key_span, "`listen_port` and `endpoint` don't go together",
                    "the port is said twice")
            .also(endpoint->key_span, "an endpoint listens on its own port")
            .help("keep `endpoint` where others dial this node, else `listen_port`");
    }
    read_peer(context, fields, index, node);
    read_keys(fields, node, diagnostics);
    node.keepalive = fields.duration("keepalive");
    if (node.keepalive && node.keepalive->count() > 65535) {
        diagnostics
            .report(Code::E0117, fields.find("keepalive")->value.span, "`keepalive` is too long",
                    "WireGuard takes at most 65535 seconds")
            .help("25s keeps a path through NAT open");
    }
    for (const Value* value : fields.strings("serves")) {
        for (Written& written : read_network(context, *value)) {
            node.serves.push_back({written.range, value->span});
            context.served.emplace_back(index, std::move(written));
        }
    }
    read_untouched(context, fields, index, node);
    read_inputs(context, fields, node, lists);
    if (const Entry* output = fields.find("output")) {
        node.output =
            lists.targets("output", output->value, find_key(Section::node, "output")->form, lists.kept.output);
    }
    read_dns(fields, node, diagnostics);
}

}  // namespace

void check_nodes(Context& context, Lists& lists) {
    for (std::size_t i = 0; i < context.policy.nodes.size(); ++i) check_node(context, i, lists);
}

}  // namespace policyc
