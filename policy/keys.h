// The keys of the language as one table: what check() knows, what messages say, and what the manual page policy.toml(5) lists.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace policyc {

// A kind of table that a policy may hold.
enum class Section : std::uint8_t {
    top,
    node,
    input,
    client_dns,
    service,
    tier,
    grant,
    bastion,
    resolve,
    refresh,
    stale,
    log,
    log_denied,
    test,
};

struct SectionInfo {
    Section section{};
    std::string_view title;    // as it is written: "[tiers.NAME]"
    std::string_view noun;     // for messages: "a tier"
    std::string_view meaning;  // one sentence
};

// `[networks]`, `[services]` and `[groups]` hold names of the policy's own; of those the table of `top` says the form.
struct KeyInfo {
    Section section{};
    std::string_view key;
    std::string_view form;      // what may be written, in TOML
    std::string_view standard;  // what holds when it is not written; "required" where it must be
    std::string_view meaning;   // one sentence, without a full stop
    [[nodiscard]] bool required() const { return standard == "required"; }
};

const std::vector<SectionInfo>& all_sections();
const SectionInfo& info(Section section);

// In the order of the sections, and within one in the order messages and manual list them.
const std::vector<KeyInfo>& all_keys();
// The keys of one section.
std::span<const KeyInfo> infos_of(Section section);
std::vector<std::string> keys_of(Section section);
// Null when the section has no such key.
const KeyInfo* find_key(Section section, std::string_view key);

// What an input.NAME stands for when it has no `ports`, as port items: "ssh" is 22/tcp. `wireguard` is the node's own port.
struct KnownInput {
    std::string_view name;
    std::vector<std::string_view> ports;
};
const std::vector<KnownInput>& known_inputs();

}  // namespace policyc
