// Writes netlink messages one behind the other into one string: headers, attributes, nests. (linux/netlink.h; RFC 3549)
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace policyc::netlink {

class Messages {
public:
    void reserve(std::size_t bytes) { bytes_.reserve(bytes); }

    // Begins a message of nf_tables for family inet. `type` is NFT_MSG_*, `flags` beside NLM_F_REQUEST.
    void begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence);
    // The same of another subsystem of nfnetlink: NFNL_SUBSYS_*, AF_*.
    void begin(std::uint8_t subsystem, std::uint8_t family, std::uint16_t type, std::uint16_t flags,
               std::uint32_t sequence);
    // NFNL_MSG_BATCH_BEGIN or NFNL_MSG_BATCH_END.
    void batch(std::uint16_t type, std::uint32_t sequence);
    // Ends the message that begin() or batch() began.
    void end();

    // A finished message as libnftnl and libmnl write them.
    void append(const nlmsghdr& message);

    // Attributes of the message that is open. Lengths must stay below 65,536.
    void put(std::uint16_t type, std::string_view data);
    void put_text(std::uint16_t type, std::string_view text);  // with its NUL
    void put_u32(std::uint16_t type, std::uint32_t value);     // network byte order, as all of nf_tables
    void put_u64(std::uint16_t type, std::uint64_t value);

    // An attribute that holds attributes: what is put until close() is inside. Returns where it begins.
    [[nodiscard]] std::size_t open(std::uint16_t type);
    void close(std::size_t nest);

    // Bytes as they are: attributes that were written before, whole and padded.
    void raw(std::string_view attributes) { bytes_.append(attributes); }

    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    // Bytes of the message that is open, so far.
    [[nodiscard]] std::size_t message_size() const { return bytes_.size() - begin_; }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
    std::size_t begin_ = 0;
};

}  // namespace policyc::netlink
