// The bytes of netlink messages: class Messages.
#include "backends/netlink/messages.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstddef>
#include <cstring>

namespace policyc::netlink {

namespace {

template <typename T>
std::string_view bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

// To the next multiple of four: NLMSG_ALIGNTO, NLA_ALIGNTO.
std::size_t padding(std::size_t bytes) {
    return (4 - bytes % 4) % 4;
}

}  // namespace

void Messages::begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence) {
    begin(NFNL_SUBSYS_NFTABLES, NFPROTO_INET, type, flags, sequence);
}

void Messages::begin(std::uint8_t subsystem, std::uint8_t family, std::uint16_t type, std::uint16_t flags,
                     std::uint32_t sequence) {
    begin_ = bytes_.size();
    nlmsghdr header{};
    header.nlmsg_type = static_cast<std::uint16_t>(subsystem << 8 | type);
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = sequence;
    nfgenmsg more{};
    more.nfgen_family = family;
    more.version = NFNETLINK_V0;
    bytes_.append(bytes_of(header)).append(bytes_of(more));
}

void Messages::batch(std::uint16_t type, std::uint32_t sequence) {
    begin_ = bytes_.size();
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = NLM_F_REQUEST;
    header.nlmsg_seq = sequence;
    nfgenmsg subsystem{};
    subsystem.nfgen_family = AF_UNSPEC;
    subsystem.version = NFNETLINK_V0;
    subsystem.res_id = htons(NFNL_SUBSYS_NFTABLES);
    bytes_.append(bytes_of(header)).append(bytes_of(subsystem));
}

void Messages::end() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - begin_);
    std::memcpy(bytes_.data() + begin_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void Messages::append(const nlmsghdr& message) {
    begin_ = bytes_.size();
    bytes_.append(reinterpret_cast<const char*>(&message), message.nlmsg_len);
    bytes_.append(padding(message.nlmsg_len), '\0');
}

void Messages::put(std::uint16_t type, std::string_view data) {
    nlattr header{};
    header.nla_len = static_cast<std::uint16_t>(sizeof header + data.size());
    header.nla_type = type;
    bytes_.append(bytes_of(header)).append(data).append(padding(data.size()), '\0');
}

void Messages::put_text(std::uint16_t type, std::string_view text) {
    std::string with_end(text);
    with_end += '\0';
    put(type, with_end);
}

void Messages::put_u32(std::uint16_t type, std::uint32_t value) {
    put(type, bytes_of(value = htonl(value)));
}

void Messages::put_u64(std::uint16_t type, std::uint64_t value) {
    put(type, bytes_of(value = htobe64(value)));
}

std::size_t Messages::open(std::uint16_t type) {
    const std::size_t at = bytes_.size();
    put(static_cast<std::uint16_t>(type | NLA_F_NESTED), {});
    return at;
}

void Messages::close(std::size_t nest) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - nest);
    std::memcpy(bytes_.data() + nest + offsetof(nlattr, nla_len), &length, sizeof length);
}

}  // namespace policyc::netlink
