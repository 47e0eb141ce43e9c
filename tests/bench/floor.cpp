// floor: the least that programming and reading such a table can cost, by hand: one hash set of declared size, elements packed straight into one message
// for one system call. What policyc and others take is compared with it. Entry point main().
//
//   floor load N [SHARD]    table inet policyc with N elements `ipv4_addr . ipv4_addr . inet_service`, in sets of SHARD (default: one set)
//   floor replace N [SHARD] the same where a table is
//   floor change [MB [SET]] one element goes and another comes, in the table that `load` made, or in that set of another; after writing to so much memory
//   floor read              every element of every set of table inet policyc, one line on stdout: their number
//
// On stderr it says how long it all, encoding and the kernel took: `timing: NAME SECONDS`.
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "timing.h"

namespace {

constexpr const char* table = "policyc";
constexpr std::size_t key_length = 12;                      // two addresses, a port, and what fills it to four bytes
constexpr std::uint32_t key_type = (7 << 6 | 7) << 6 | 13;  // TYPE_IPADDR and TYPE_INET_SERVICE of nft's datatype.h
constexpr std::size_t element_length = 3 * sizeof(nlattr) + key_length;
constexpr std::size_t elements_a_message = 2400;  // an attribute holds 64 KiB

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errno));
    std::exit(2);
}

using Netlink = std::unique_ptr<mnl_socket, int (*)(mnl_socket*)>;

Netlink open_netlink() {
    Netlink netlink(mnl_socket_open(NETLINK_NETFILTER), mnl_socket_close);
    if (!netlink || mnl_socket_bind(netlink.get(), 0, MNL_SOCKET_AUTOPID) < 0) fail("socket");
    return netlink;
}

// The messages of one transaction, in one piece of memory.
class Batch {
public:
    explicit Batch(std::size_t room) : bytes_(std::make_unique_for_overwrite<char[]>(room + 4096)), end_(bytes_.get()) {
        boundary(NFNL_MSG_BATCH_BEGIN);
    }

    nlmsghdr* message(int type, int flags) {
        nlmsghdr* header = mnl_nlmsg_put_header(end_);
        header->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
        header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        auto* about = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
        about->nfgen_family = NFPROTO_INET;
        return header;
    }
    void done(const nlmsghdr* header) { end_ += (header->nlmsg_len + 3) & ~3U; }

    void add_table() {
        nlmsghdr* header = message(NFT_MSG_NEWTABLE, NLM_F_CREATE);
        mnl_attr_put_strz(header, NFTA_TABLE_NAME, table);
        done(header);
    }
    void delete_table() {
        nlmsghdr* header = message(NFT_MSG_DELTABLE, 0);
        mnl_attr_put_strz(header, NFTA_TABLE_NAME, table);
        done(header);
    }
    void add_set(const std::string& name, std::uint32_t id, std::uint32_t size) {
        nlmsghdr* header = message(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
        mnl_attr_put_strz(header, NFTA_SET_TABLE, table);
        mnl_attr_put_strz(header, NFTA_SET_NAME, name.c_str());
        mnl_attr_put_u32(header, NFTA_SET_ID, htonl(id));
        mnl_attr_put_u32(header, NFTA_SET_KEY_TYPE, htonl(key_type));
        mnl_attr_put_u32(header, NFTA_SET_KEY_LEN, htonl(key_length));
        nlattr* description = mnl_attr_nest_start(header, NFTA_SET_DESC);
        mnl_attr_put_u32(header, NFTA_SET_DESC_SIZE, htonl(size));
        mnl_attr_nest_end(header, description);
        done(header);
    }
    // Elements of numbers `from` to `to`, of which there are few enough for a message.
    void elements(int type, const std::string& name, std::uint32_t from, std::uint32_t to) {
        nlmsghdr* header = message(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, name.c_str());
        nlattr* list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
        char* at = static_cast<char*>(mnl_nlmsg_get_payload_tail(header));
        header->nlmsg_len += static_cast<std::uint32_t>((to - from) * element_length);
        for (std::uint32_t number = from; number < to; ++number) at = element(at, number);
        mnl_attr_nest_end(header, list);
        done(header);
    }

    void send(const Netlink& netlink) {
        const Timing timing("send");
        boundary(NFNL_MSG_BATCH_END);
        const auto length = static_cast<std::size_t>(end_ - bytes_.get());
        const int number = mnl_socket_get_fd(netlink.get());
        const int room = static_cast<int>(std::max<std::size_t>(length * 2, 1 << 20));
        if (setsockopt(number, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) fail("SO_SNDBUFFORCE");
        if (mnl_socket_sendto(netlink.get(), bytes_.get(), length) < 0) fail("send");
        // The kernel has answered by now: with errors, or, since nothing asks for an answer, not at all.
        std::array<char, 8192> answer{};
        const ssize_t got = recv(number, answer.data(), answer.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
        const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
        errno = got > 0 && header->nlmsg_type == NLMSG_ERROR ? -error->error : errno;
        fail("the kernel");
    }

private:
    void boundary(int type) {
        nlmsghdr* header = mnl_nlmsg_put_header(end_);
        header->nlmsg_type = static_cast<std::uint16_t>(type);
        header->nlmsg_flags = NLM_F_REQUEST;
        auto* about = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
        about->res_id = htons(NFNL_SUBSYS_NFTABLES);
        done(header);
    }

    static char* element(char* at, std::uint32_t number) {
        const std::array<nlattr, 3> heads{
            nlattr{element_length, NFTA_LIST_ELEM | NLA_F_NESTED},
            nlattr{element_length - sizeof(nlattr), NFTA_SET_ELEM_KEY | NLA_F_NESTED},
            nlattr{element_length - 2 * sizeof(nlattr), NFTA_DATA_VALUE},
        };
        std::memcpy(at, heads.data(), sizeof heads);
        at += sizeof heads;
        const std::uint32_t source = htonl(0xac100101U);
        // 10.X.Y.1 to 10.X.Y.64, as in policies.py
        const std::uint32_t destination =
            htonl(0x0a000000U | (number >> 14 & 127) << 16 | (number >> 6 & 255) << 8 | ((number & 63) + 1));
        const std::uint32_t port = htonl(9U << 16);
        std::memcpy(at, &source, 4);
        std::memcpy(at + 4, &destination, 4);
        std::memcpy(at + 8, &port, 4);
        return at + key_length;
    }

    std::unique_ptr<char[]> bytes_;
    char* end_;
};

std::string name_of(std::uint32_t shard) {
    return "allow" + std::to_string(shard);
}

void load(std::uint32_t count, std::uint32_t shard, bool replace) {
    const Timing all("program");
    const Netlink netlink = open_netlink();
    std::unique_ptr<Batch> batch;
    {
        const Timing encoding("encode");
        batch =
            std::make_unique<Batch>((count / elements_a_message + count / shard + 2) * 512 + count * element_length);
        if (replace) {
            batch->add_table();
            batch->delete_table();
        }
        batch->add_table();
        for (std::uint32_t from = 0, set = 0; from < count; from += shard, ++set) {
            const std::uint32_t to = std::min(count, from + shard);
            batch->add_set(name_of(set), set + 1, to - from);
            for (std::uint32_t at = from; at < to; at += elements_a_message)
                batch->elements(NFT_MSG_NEWSETELEM, name_of(set), at,
                                std::min<std::uint32_t>(to, at + elements_a_message));
        }
    }
    batch->send(netlink);
}

// Writes to so many megabytes: what the caches held of the kernel's code and tables is gone, as after a policy was compiled.
void forget(std::uint32_t megabytes) {
    std::vector<char> room(std::size_t{megabytes} << 20U);
    for (std::size_t i = 0; i < room.size(); i += 64) room[i] = static_cast<char>(i);
    asm volatile("" : : "r"(room.data()) : "memory");
}

void change(std::uint32_t megabytes, const std::string& set) {
    forget(megabytes);
    const Timing all("program");
    const Netlink netlink = open_netlink();
    Batch batch(4096);
    constexpr std::uint32_t other = 0x7fffff;
    batch.elements(NFT_MSG_DELSETELEM, set, 0, 1);
    batch.elements(NFT_MSG_NEWSETELEM, set, other, other + 1);
    batch.send(netlink);
}

// Sends a request for all of a kind, and hands over each message of the answer.
template <typename Each>
void dump(const Netlink& netlink, const nlmsghdr* request, Each&& each) {
    static std::vector<char> room(1 << 18);
    if (mnl_socket_sendto(netlink.get(), request, request->nlmsg_len) < 0) fail("send");
    for (;;) {
        const ssize_t got = mnl_socket_recvfrom(netlink.get(), room.data(), room.size());
        if (got < 0) fail("receive");
        int left = static_cast<int>(got);
        for (const auto* header = reinterpret_cast<const nlmsghdr*>(room.data()); mnl_nlmsg_ok(header, left);
             header = mnl_nlmsg_next(header, &left)) {
            if (header->nlmsg_type == NLMSG_DONE) return;
            if (header->nlmsg_type == NLMSG_ERROR) fail("dump");
            each(header);
        }
    }
}

using Sets = std::vector<std::string>;

int note_set(const nlattr* attribute, void* sets) {
    if (mnl_attr_get_type(attribute) == NFTA_SET_NAME)
        static_cast<Sets*>(sets)->emplace_back(mnl_attr_get_str(attribute));
    return MNL_CB_OK;
}

int count_one(const nlattr* /*element*/, void* count) {
    ++*static_cast<std::size_t*>(count);
    return MNL_CB_OK;
}

int count_elements(const nlattr* attribute, void* count) {
    if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS) return MNL_CB_OK;
    return mnl_attr_parse_nested(attribute, count_one, count);
}

void read() {
    const Timing all("read");
    const Netlink netlink = open_netlink();
    Sets sets;
    Batch requests(4096);
    nlmsghdr* request = requests.message(NFT_MSG_GETSET, NLM_F_DUMP);
    mnl_attr_put_strz(request, NFTA_SET_TABLE, table);
    dump(netlink, request, [&](const nlmsghdr* header) { mnl_attr_parse(header, sizeof(nfgenmsg), note_set, &sets); });
    std::size_t count = 0;
    for (const std::string& set : sets) {
        request = requests.message(NFT_MSG_GETSETELEM, NLM_F_DUMP);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set.c_str());
        dump(netlink, request,
             [&](const nlmsghdr* header) { mnl_attr_parse(header, sizeof(nfgenmsg), count_elements, &count); });
    }
    std::printf("%zu\n", count);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string verb = argc > 1 ? argv[1] : "";
    const auto number = [&](int at) {
        return argc > at ? static_cast<std::uint32_t>(std::strtoul(argv[at], nullptr, 10)) : 0U;
    };
    const std::uint32_t count = number(2);
    const std::uint32_t shard = number(3) != 0 ? number(3) : std::max(count, 1U);
    if ((verb == "load" || verb == "replace") && count != 0) {
        load(count, shard, verb == "replace");
    } else if (verb == "change") {
        change(count, argc > 3 ? argv[3] : name_of(0));
    } else if (verb == "read") {
        read();
    } else {
        std::fputs("usage: floor load|replace N [SHARD] | change [MEGABYTES [SET]] | read\n", stderr);
        return 2;
    }
    return 0;
}
