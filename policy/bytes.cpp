// Bytes that are not text, and keys that must not be shown. Entry points: first_odd_byte(), mask_secrets().
#include "policy/bytes.h"

#include <algorithm>
#include <array>
#include <vector>

#include "policy/scan.h"
#include "policy/text.h"

namespace policyc {
namespace {

// The size of the UTF-8 character at the start of `text`, or 0 when there is none.
std::size_t character(std::string_view text) {
    const auto byte = [&text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto continues = [&byte](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if (!continues(1) || !continues(2)) return 0;
        const bool overlong = first == 0xe0 && byte(1) < 0xa0;
        const bool surrogate = first == 0xed && byte(1) > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (!continues(1) || !continues(2) || !continues(3)) return 0;
        const bool overlong = first == 0xf0 && byte(1) < 0x90;
        const bool beyond = first == 0xf4 && byte(1) > 0x8f;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

// The inside of a value that is a string, quotes apart; the whole of one that is none.
Stretch inside(std::string_view text, Stretch value) {
    const char quote = value.begin < value.end ? text[value.begin] : '\0';
    if (quote != '"' && quote != '\'') return value;
    while (value.begin < value.end && text[value.begin] == quote) ++value.begin;
    while (value.end > value.begin && text[value.end - 1] == quote) --value.end;
    return value;
}

constexpr std::array<std::string_view, 4> secret_words{"key", "secret", "psk", "password"};

// Whether a key is a name that the policy gives: of a service, a group, a network. `keycloak` is no secret.
bool is_own_name(std::string_view dotted) {
    const std::size_t dot = dotted.find('.');
    if (dot == std::string_view::npos || dotted.find('.', dot + 1) != std::string_view::npos) return false;
    const std::string_view section = dotted.substr(0, dot);
    return section == "services" || section == "groups" || section == "networks";
}

}  // namespace

std::optional<std::size_t> first_odd_byte(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = text[at] == '\0' ? 0 : character(text.substr(at));
        if (size == 0) return at;
        at += size;
    }
    return {};
}

bool is_wireguard_key(std::string_view text) {
    if (text.size() != 44 || text.back() != '=') return false;
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const bool all =
        std::all_of(text.begin(), text.end() - 1, [&](char c) { return digits.find(c) != std::string_view::npos; });
    // 43 digits hold 258 bits: the last two are no part of the key and must be 0.
    return all && digits.find(text[42]) % 4 == 0;
}

bool looks_secret(std::string_view key) {
    if (key == "public_key" || key == "private_key_file") return false;
    const std::string name = lower_case(key);
    return std::ranges::any_of(secret_words,
                               [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

void mask_secrets(std::string& text) {
    const std::string all = lower_case(text);
    if (std::ranges::none_of(secret_words, [&](std::string_view word) { return all.find(word) != std::string::npos; }))
        return;
    std::vector<std::pair<Stretch, bool>> secrets;  // and whether it is a list
    scan_keys(text, [&](const KeySite& site) {
        if (site.kind != KeySite::Kind::value) return;
        const Stretch held = inside(text, site.value);
        const std::string_view value = std::string_view(text).substr(held.begin, held.end - held.begin);
        if (site.name == "private_key_file") {
            if (is_wireguard_key(value)) secrets.emplace_back(held, false);
            return;
        }
        const bool exactly = site.name == "private_key" || site.name == "preshared_key";
        if (!exactly && (is_own_name(site.dotted) || !looks_secret(site.name))) return;
        // Without quotes only what is long enough for a key; the rest is an error of its own that shows no secret. A table is looked at key by key.
        const bool quoted = held.begin != site.value.begin;
        const bool list = !quoted && value.starts_with('[');
        if (quoted || list || (value.size() >= 40 && !value.starts_with('{'))) secrets.emplace_back(held, list);
    });
    for (const auto& [secret, list] : secrets) {
        const std::string_view kept = list ? "\n[]\"', " : "\n";
        for (std::uint32_t at = secret.begin; at < secret.end; ++at) {
            if (kept.find(text[at]) == std::string_view::npos) text[at] = '*';
        }
    }
}

bool is_masked(std::string_view text) {
    return !text.empty() && text.find_first_not_of('*') == std::string_view::npos;
}

}  // namespace policyc
