// What a NFT_MSG_NEWSET says of a set, its elements apart.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <string>
#include <vector>

namespace policyc::netlink {

struct SetFrame {
    std::string table;
    std::string name;
    std::uint32_t flags = 0, key_type = 0, key_length = 0, data_type = 0, object_type = 0, id = 0, size = 0;
    std::uint64_t timeout = 0;  // milliseconds
    bool expressions = false;   // of each of its elements
    // What policyc doesn't write and what leaves its elements what they are: "a comment".
    std::vector<std::string> odd;
};

// False where the bytes make no sense.
bool read_frame(const nlmsghdr& message, SetFrame& out);

}  // namespace policyc::netlink
