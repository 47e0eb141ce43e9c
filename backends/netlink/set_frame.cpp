// Attributes of a set to its frame: read_frame().
#include "backends/netlink/set_frame.h"

#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include <string_view>

#include "backends/netlink/attributes.h"

namespace policyc::netlink {

namespace {

// How nft lists a set (the order of bytes, `typeof`) says nothing of what it does; nft writes it for some of those that we write too.
void read_user_data(std::string_view data, SetFrame& out) {
    while (data.size() >= 2) {
        const std::size_t length = static_cast<unsigned char>(data[1]);
        if (length > data.size() - 2) break;
        const std::string_view value = data.substr(2, length);
        switch (static_cast<std::uint8_t>(data[0])) {
            case NFTNL_UDATA_SET_KEYBYTEORDER:
            case NFTNL_UDATA_SET_DATABYTEORDER:
            case NFTNL_UDATA_SET_KEY_TYPEOF:
            case NFTNL_UDATA_SET_DATA_TYPEOF:
            case NFTNL_UDATA_SET_DATA_INTERVAL: break;
            case NFTNL_UDATA_SET_MERGE_ELEMENTS:
                if (value.find_first_not_of('\0') != std::string_view::npos) out.odd.emplace_back("auto-merge");
                break;
            case NFTNL_UDATA_SET_COMMENT: out.odd.emplace_back("a comment"); break;
            default: out.odd.emplace_back("user data that policyc does not know"); break;
        }
        data.remove_prefix(2 + length);
    }
    if (!data.empty()) out.odd.emplace_back("user data that makes no sense");
}

}  // namespace

bool read_frame(const nlmsghdr& message, SetFrame& out) {
    Attributes attributes(message);
    for (Attribute a; attributes.next(a);) {
        switch (a.type) {
            case NFTA_SET_TABLE: out.table = a.text(); break;
            case NFTA_SET_NAME: out.name = a.text(); break;
            case NFTA_SET_FLAGS: out.flags = a.u32().value_or(0); break;
            case NFTA_SET_KEY_TYPE: out.key_type = a.u32().value_or(0); break;
            case NFTA_SET_KEY_LEN: out.key_length = a.u32().value_or(0); break;
            case NFTA_SET_DATA_TYPE: out.data_type = a.u32().value_or(0); break;
            case NFTA_SET_OBJ_TYPE: out.object_type = a.u32().value_or(0); break;
            case NFTA_SET_ID: out.id = a.u32().value_or(0); break;
            case NFTA_SET_TIMEOUT: out.timeout = a.u64().value_or(0); break;
            case NFTA_SET_POLICY:
                if (a.u32() != NFT_SET_POL_PERFORMANCE) out.odd.emplace_back("a policy of its own");
                break;
            case NFTA_SET_GC_INTERVAL:
                if (a.u32() != 0) out.odd.emplace_back("a gc-interval");
                break;
            case NFTA_SET_DESC: {
                Attributes description(a.data);
                for (Attribute part; description.next(part);)
                    if (part.type == NFTA_SET_DESC_SIZE) out.size = part.u32().value_or(0);
                if (description.broken()) return false;
                break;
            }
            case NFTA_SET_USERDATA: read_user_data(a.data, out); break;
            case NFTA_SET_DATA_LEN:
            case NFTA_SET_HANDLE:
            case NFTA_SET_PAD: break;
            // Expressions of its elements, and what newer kernels tell: how a set is kept and how many elements it has.
            case NFTA_SET_EXPR:
            case NFTA_SET_EXPRESSIONS: out.expressions = true; break;
            default: break;
        }
    }
    return !attributes.broken();
}

}  // namespace policyc::netlink
