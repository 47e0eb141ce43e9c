// How nft(8) writes what a Ruleset names: the words that text and messages share.
#pragma once

#include <string>
#include <string_view>

#include "compiler/ir.h"

namespace policyc {

std::string_view nft_word(ir::Field field);  // "ct original ip saddr"
std::string_view nft_word(ir::Type type);    // "ipv4_addr"
std::string_view nft_word(ir::L4 protocol);  // "tcp", "ipv6-icmp"
std::string_view nft_word(ir::Hook hook);
std::string_view nft_word(Rate::Unit unit);

// Appends a number of that type: an address in its usual form, a port in decimal.
void append_number(std::string& out, ir::Type type, u128 value);

// One field of an element: "10.0.0.0/8", "10.0.0.1-10.0.0.9", "22", "\"wg0\"".
void append_field(std::string& out, const ir::Elements& elements, std::size_t element, std::size_t field);

// An interface name between quotes as nft reads it: without this, a `*` at its end would match every interface that begins so.
std::string interface_word(std::string_view name);

// What a map gives for an element: "\"svc_grafana\"", "jump tier1"; "" in a set.
std::string value_text(const ir::Ruleset& ruleset, const ir::Set& set, std::size_t element);

// A text that a `#` comment can hold: no control characters, at most 128 bytes.
std::string remark(std::string_view text);

// A statement as nft writes it: "ct state invalid,untracked". Of an Unknown, its text.
std::string to_nft(const ir::Statement& statement);

}  // namespace policyc
