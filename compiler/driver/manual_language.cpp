// Writes policy.toml(5) out of the table of keys, in mdoc(7): manual_of_language().
#include <fmt/format.h>

#include <cctype>

#include "compiler/driver/manual.h"
#include "compiler/driver/mdoc.h"
#include "policy/keys.h"

namespace policyc {

namespace {

std::string sentence(std::string_view text) {
    std::string result(text);
    if (!result.empty()) result[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[0])));
    if (!result.ends_with('.')) result += '.';
    return result;
}

std::string key_text(const KeyInfo& key) {
    std::string text = fmt::format(".It Ic {} = {}\n", mdoc::escaped(key.key), mdoc::escaped(key.form));
    text += mdoc::line(sentence(key.meaning));
    if (key.required()) return text + "Required.\n";
    if (key.standard != "none") text += mdoc::line(fmt::format("Default: {}.", key.standard));
    return text;
}

std::string forms() {
    std::string text;
    const auto item = [&](std::string_view written, std::string_view means) {
        text += fmt::format(".It Ic {}\n", mdoc::escaped(written)) + mdoc::line(means);
    };
    text += ".Ss Port items\n.Bl -tag -width Ds\n";
    item("22, 22/tcp", "That TCP port.");
    item("53/udp", "That UDP port.");
    item("8000-8100, 8000-8100/udp", "A range of ports, ends included.");
    item("*/tcp, */udp", "Every port of that protocol.");
    item("ping", "ICMP echo and its reply.");
    item("*", "Every protocol and every port.");
    text += ".El\n.Ss References\n";
    text += mdoc::line("A list of sources names nodes, networks, addresses, CIDRs and groups.");
    text +=
        mdoc::line("A list of targets names services, groups, and any of these with a port item, as in \"home:443\".");
    text += mdoc::line("An IPv6 address with a port is written \"[fd69::1]:22\".");
    text += mdoc::line("An empty list is nobody, or nothing.");
    text += ".Ss Rates and durations\n";
    text += mdoc::line(
        "A rate is \"50/second\", \"6/minute\", \"100/hour\" or \"1000/day\": new connections per source address.");
    text += mdoc::line("A duration is \"30s\", \"15m\", \"4h\" or \"7d\".");
    return text;
}

}  // namespace

std::string manual_of_language() {
    std::string text = mdoc::head("POLICY.TOML", 5, "policy.toml", "the policy of policyc");
    text += ".Sh DESCRIPTION\n";
    text += mdoc::line(
        "A policy is a TOML file, and the fragments it includes, that says who may reach what over a WireGuard "
        "network.");
    text += mdoc::line("It is a union of permissions: a packet is allowed if and only if some permission covers it.");
    text += mdoc::line("There are no deny rules, no order and no priorities.");
    text += mdoc::line("What is not written is denied.");
    text += forms();
    for (const SectionInfo& section : all_sections()) {
        text += fmt::format(".Ss {}\n", mdoc::escaped(sentence(section.title).substr(0, section.title.size())));
        text += mdoc::line(sentence(section.meaning)) + ".Bl -tag -width Ds\n";
        for (const KeyInfo& key : infos_of(section.section)) text += key_text(key);
        text += ".El\n";
    }
    text += ".Sh EXAMPLES\n.Bd -literal\n";
    for (const std::string_view line :
         {"version = 1", "[networks]", "home = [\"10.69.13.0/24\"]", "[nodes.extgw01]", "role      = \"gateway\"",
          "address   = \"10.69.50.2\"", "interface = \"wg0\"", "serves    = [\"home\"]", "[nodes.phone]",
          "address = \"10.69.50.12\"", "[services]", "grafana = \"10.69.13.30:3000\"", "[tiers.vpn]",
          "who   = [\"phone\"]", "allow = [\"grafana\"]"}) {
        text += mdoc::line(line);
    }
    text += ".Ed\n.Sh SEE ALSO\n.Xr policyc 8\n";
    return text;
}

}  // namespace policyc
