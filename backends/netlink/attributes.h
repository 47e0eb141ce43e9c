// Reads netlink attributes, one after the other. (linux/netlink.h, struct nlattr)
#pragma once

#include <arpa/inet.h>
#include <endian.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace policyc::netlink {

struct Attribute {
    std::uint16_t type = 0;  // without the flags beside it
    std::string_view data;

    // Network byte order, as all of nf_tables; nothing where the length is another.
    [[nodiscard]] std::optional<std::uint32_t> u32() const {
        std::uint32_t value = 0;
        if (data.size() != sizeof value) return std::nullopt;
        std::memcpy(&value, data.data(), sizeof value);
        return ntohl(value);
    }
    [[nodiscard]] std::optional<std::uint64_t> u64() const {
        std::uint64_t value = 0;
        if (data.size() != sizeof value) return std::nullopt;
        std::memcpy(&value, data.data(), sizeof value);
        return be64toh(value);
    }
    // Up to the NUL.
    [[nodiscard]] std::string text() const { return std::string(data.substr(0, data.find('\0'))); }
};

// The attributes in some bytes. Ends where there are no more, or, broken, where a length makes no sense.
class Attributes {
public:
    explicit Attributes(std::string_view list) : rest_(list) {}
    // Those of a message of nfnetlink, behind its two headers.
    explicit Attributes(const nlmsghdr& message) {
        constexpr std::size_t headers = sizeof(nlmsghdr) + sizeof(nfgenmsg);
        rest_ = std::string_view(reinterpret_cast<const char*>(&message), message.nlmsg_len);
        rest_.remove_prefix(std::min(headers, rest_.size()));
    }

    bool next(Attribute& out) {
        if (rest_.empty()) return false;
        nlattr header{};
        if (rest_.size() < sizeof header) return fail();
        std::memcpy(&header, rest_.data(), sizeof header);
        if (header.nla_len < sizeof header || header.nla_len > rest_.size()) return fail();
        constexpr unsigned type_mask = 0x3fff;  // NLA_TYPE_MASK
        out.type = static_cast<std::uint16_t>(header.nla_type & type_mask);
        out.data = rest_.substr(sizeof header, header.nla_len - sizeof header);
        constexpr std::size_t alignment = 4;  // NLA_ALIGNTO
        const std::size_t padded = (header.nla_len + alignment - 1) / alignment * alignment;
        rest_.remove_prefix(std::min(padded, rest_.size()));
        return true;
    }
    [[nodiscard]] bool broken() const { return broken_; }

private:
    bool fail() {
        broken_ = true;
        rest_ = {};
        return false;
    }

    std::string_view rest_;
    bool broken_ = false;
};

// The comment that nft and policyc keep in a rule's user data: a type, a length, a text with its NUL. Nothing where it is not that alone.
inline std::optional<std::string> comment_of(std::string_view data) {
    if (data.empty()) return "";
    if (data.size() < 3 || data[0] != NFTNL_UDATA_RULE_COMMENT ||
        static_cast<unsigned char>(data[1]) != data.size() - 2 || data.back() != '\0')
        return std::nullopt;
    const std::string_view text = data.substr(2, data.size() - 3);
    return text.find('\0') == std::string_view::npos ? std::optional(std::string(text)) : std::nullopt;
}

}  // namespace policyc::netlink
