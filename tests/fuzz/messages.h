// Bytes of netlink messages to a Ruleset and back.
#pragma once

#include <linux/netlink.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "backends/netlink/batch.h"
#include "backends/netlink/decode.h"
#include "compiler/plan.h"

namespace policyc::fuzz {

// As far as the lengths of messages are no lies, which libmnl sees to. `understood` says whether the decoder took every message.
inline std::optional<ir::Ruleset> decoded(const std::string& bytes, bool& understood) {
    netlink::Decoder decoder;
    understood = true;
    std::size_t at = 0;
    while (bytes.size() - at >= sizeof(nlmsghdr)) {
        nlmsghdr header{};
        std::memcpy(&header, bytes.data() + at, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size() - at) break;
        // A copy of its own, so that a read beyond its end is seen.
        const std::vector<char> message(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(at + header.nlmsg_len));
        understood = decoder.take(*reinterpret_cast<const nlmsghdr*>(message.data())) && understood;
        const std::size_t padded = (header.nlmsg_len + std::size_t{3}) / 4 * 4;
        if (padded >= bytes.size() - at) break;
        at += padded;
    }
    return decoder.finish();
}

inline netlink::Batch encoded(const ir::Ruleset& ruleset) {
    return netlink::encode(plan(nullptr, ruleset), 7);
}

}  // namespace policyc::fuzz
