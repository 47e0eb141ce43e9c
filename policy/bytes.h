// What is done with the bytes of a policy file before a parser sees them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace policyc {

// The offset of the first byte that is no part of UTF-8 text (RFC 3629: no overlong forms, no surrogates), or that is NUL.
std::optional<std::size_t> first_odd_byte(std::string_view text);

// Whether this is base64 of exactly 32 bytes: the form of WireGuard's keys, 44 characters.
bool is_wireguard_key(std::string_view text);

// Whether a key is called as one that holds a secret would be, however it is spelt: "privatekey", "PSK", "wifi-password".
bool looks_secret(std::string_view key);

// Puts asterisks for every secret: the values of keys that are called so (where names of the policy's own stand, as in [services], only of `private_key` and
// `preshared_key`), and a `private_key_file` that is a key. The size stays.
void mask_secrets(std::string& text);
// Whether a string is what mask_secrets() leaves.
bool is_masked(std::string_view text);

}  // namespace policyc
