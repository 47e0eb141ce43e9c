// Words of nft to what they mean, and the Ruleset that they make: type_of_word() and its like, TableReader.
#include "backends/read_words.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <limits>

namespace policyc {

using namespace ir;

std::optional<Type> type_of_word(std::string_view word) {
    if (word == "ipv4_addr") return Type::ipv4_addr;
    if (word == "ipv6_addr") return Type::ipv6_addr;
    if (word == "inet_service") return Type::inet_service;
    if (word == "ifname") return Type::ifname;
    return std::nullopt;
}

std::optional<Hook> hook_of_word(std::string_view word) {
    if (word == "input") return Hook::input;
    if (word == "forward") return Hook::forward;
    if (word == "output") return Hook::output;
    if (word == "postrouting") return Hook::postrouting;
    return std::nullopt;
}

std::optional<L4> protocol_of_word(std::string_view word) {
    if (word == "tcp") return L4::tcp;
    if (word == "udp") return L4::udp;
    if (word == "icmp") return L4::icmp;
    if (word == "ipv6-icmp" || word == "icmpv6") return L4::icmpv6;
    return std::nullopt;
}

std::optional<Rate::Unit> unit_of_word(std::string_view word) {
    if (word == "second") return Rate::Unit::second;
    if (word == "minute") return Rate::Unit::minute;
    if (word == "hour") return Rate::Unit::hour;
    if (word == "day") return Rate::Unit::day;
    return std::nullopt;
}

std::optional<Family> family_of_word(std::string_view word) {
    if (word == "ipv4") return Family::ipv4;
    if (word == "ipv6") return Family::ipv6;
    return std::nullopt;
}

bool set_state(MatchState& states, std::string_view word) {
    bool* const bit = word == "invalid"       ? &states.invalid
                      : word == "established" ? &states.established
                      : word == "related"     ? &states.related
                      : word == "new"         ? &states.fresh
                      : word == "untracked"   ? &states.untracked
                                              : nullptr;
    if (bit == nullptr || *bit) return false;
    return *bit = true;
}

// nft(8), "Standard priority names, family and hook compatibility matrix".
std::optional<int> priority_of_word(std::string_view word, std::optional<Hook> hook) {
    if (word == "raw") return -300;
    if (word == "mangle") return -150;
    if (word == "filter") return 0;
    if (word == "security") return 50;
    if (word == "srcnat" && hook == Hook::postrouting) return 100;
    return std::nullopt;
}

std::optional<std::uint64_t> number_of_word(std::string_view word, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (problem != std::errc{} || end != word.data() + word.size() || value > most) return std::nullopt;
    if (word.size() > 1 && word[0] == '0') return std::nullopt;
    return value;
}

namespace {

// There may be millions of these, so they don't go through libc.
std::optional<u128> ipv4_of_word(std::string_view word) {
    std::uint32_t address = 0;
    std::size_t at = 0;
    for (int octet = 0; octet < 4; ++octet) {
        if (octet > 0) {
            if (at >= word.size() || word[at] != '.') return std::nullopt;
            ++at;
        }
        const std::size_t begin = at;
        std::uint32_t value = 0;
        for (; at < word.size() && at - begin < 3 && word[at] >= '0' && word[at] <= '9'; ++at)
            value = value * 10 + static_cast<std::uint32_t>(word[at] - '0');
        if (at == begin || value > 255 || (at - begin > 1 && word[begin] == '0')) return std::nullopt;
        address = address << 8U | value;
    }
    if (at != word.size()) return std::nullopt;
    return address;
}

std::optional<u128> ipv6_of_word(std::string_view word) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (word.size() >= text.size() || word.find('\0') != std::string_view::npos) return std::nullopt;
    word.copy(text.data(), word.size());
    std::array<unsigned char, 16> bytes{};
    if (inet_pton(AF_INET6, text.data(), bytes.data()) != 1) return std::nullopt;
    u128 address = 0;
    for (const unsigned char byte : bytes) address = address << 8U | byte;
    return address;
}

}  // namespace

std::optional<u128> bound_of_word(std::string_view word, Type type) {
    switch (type) {
        case Type::ipv4_addr: return ipv4_of_word(word);
        case Type::ipv6_addr: return ipv6_of_word(word);
        case Type::inet_service:
            if (const auto port = number_of_word(word, UINT16_MAX)) return *port;
            return std::nullopt;
        case Type::ifname: return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Elements::Bound> network_of(u128 address, std::uint64_t length, Type type) {
    const std::uint64_t width = type == Type::ipv4_addr ? 32 : type == Type::ipv6_addr ? 128 : 0;
    if (length > width || width == 0) return std::nullopt;
    const std::uint64_t left = width - length;
    const u128 host = left == 128 ? ~u128{0} : (u128{1} << left) - 1;
    if ((address & host) != 0) return std::nullopt;
    return Elements::Bound{address, address | host};
}

// The scanner of nft: a letter, `_` or `.`, then digits and `/` and `-` too. The kernel has 255 bytes for it.
bool is_identifier(std::string_view word) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.'; };
    if (word.empty() || word.size() > 255 || !letter(word[0]) || word == ".") return false;
    for (const char c : word)
        if (!letter(c) && (c < '0' || c > '9') && c != '/' && c != '-') return false;
    return true;
}

bool is_kernel_text(std::string_view text, std::size_t limit) {
    return kernel_text(text, limit) == text;
}

bool is_log_prefix(std::string_view text) {
    return is_kernel_text(text, max_log_prefix) && text.find('$') == std::string_view::npos;
}

// In nft's strings `\` means something before a `*` at the end only: that it is a letter of the name.
std::optional<std::string> interface_of_text(std::string_view text) {
    std::string name(text);
    if (name.ends_with("\\*"))
        name.erase(name.size() - 2, 1);
    else if (name.ends_with('*'))
        return std::nullopt;
    if (name.empty() || !is_kernel_text(name, 15)) return std::nullopt;
    return name;
}

bool TableReader::add(Counter counter) {
    if (!counters_.emplace(counter.name, ruleset.counters.size()).second) return false;
    ruleset.counters.push_back(std::move(counter));
    return true;
}

bool TableReader::add(Chain chain) {
    if (!chains_.emplace(chain.name, ruleset.chains.size()).second) return false;
    ruleset.chains.push_back(std::move(chain));
    return true;
}

Chain* TableReader::chain(std::string_view name) {
    const auto found = chains_.find(name);
    return found == chains_.end() ? nullptr : &ruleset.chains[found->second];
}

Set* TableReader::add(Set set) {
    if (!sets_.emplace(set.name, ruleset.sets.size()).second) return nullptr;
    verdicts_.clear();
    set.elements = Elements(set.types, set.interval);
    ruleset.sets.push_back(std::move(set));
    return &ruleset.sets.back();
}

bool TableReader::sort_elements(Set& set) {
    const std::size_t before = set.elements.size();
    set.elements.sort();
    return set.elements.size() == before;
}

std::uint32_t TableReader::counter(std::string_view name) const {
    const auto found = counters_.find(name);
    return found == counters_.end() ? UINT32_MAX : static_cast<std::uint32_t>(found->second);
}

std::uint32_t TableReader::verdict(Set& map, bool go, std::string_view chain) {
    // Neighbours often lead to one chain.
    if (!map.verdicts.empty() && map.verdicts.back().go == go && map.verdicts.back().chain == chain)
        return static_cast<std::uint32_t>(map.verdicts.size() - 1);
    const auto next = static_cast<std::uint32_t>(map.verdicts.size());
    const auto [found, fresh] = verdicts_.emplace(ToChain{go, std::string(chain)}, next);
    if (fresh) map.verdicts.push_back(found->first);
    return found->second;
}

}  // namespace policyc
