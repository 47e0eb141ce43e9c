// One netlink socket to nf_tables: requests, dumps, and batches with their answers.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/result.h"

struct mnl_socket;

namespace policyc::netlink {

// What the kernel says of one message of a batch.
struct Refusal {
    std::uint32_t sequence = 0;
    int error = 0;             // errno, positive
    std::uint32_t offset = 0;  // in the message, of the attribute that is to blame; 0: not said (NLMSGERR_ATTR_OFFS)
    std::string text;          // NLMSGERR_ATTR_MSG, mostly ""
};

struct Answers {
    bool acknowledged = false;  // the kernel has looked at the batch
    std::vector<Refusal> refusals;
};

// How a dump ended.
enum class DumpEnd : std::uint8_t {
    whole,
    changed /* NLM_F_DUMP_INTR: what was dumped changed meanwhile */,
    missing /* ENOENT */
};

class Socket {
public:
    static Result<Socket> open();

    // The generation id of this network namespace's rulesets: it counts transactions.
    Result<std::uint32_t> generation();

    // Sends one request with NLM_F_ACK, gives each message of the answer to `take`, and returns the errno that the kernel ended with: 0 where all is well.
    Result<int> ask(const std::string& request, const std::function<void(const nlmsghdr&)>& take);

    // Sends one request with NLM_F_DUMP and gives each message of the answer to `take`, which returns false when it can't be understood.
    Result<DumpEnd> dump(const std::string& request, const std::function<bool(const nlmsghdr&)>& take);

    // Whether there is anything to dump. The kernel makes a dump as it is read: one that is large costs no more than its beginning. The rest of it is
    // still to come, so the socket is of no use for anything else.
    Result<bool> has_some(const std::string& request);

    // Sends the batch in one piece, and collects what the kernel has to say: all of it has been said when sendmsg() returns.
    // The send buffer is made large enough; where that isn't possible (it takes CAP_NET_ADMIN in the first user namespace), an error says so.
    Result<Answers> send(const std::string& batch);

    // A number that tells this network namespace from others since boot (SO_NETNS_COOKIE); 0 where the kernel has none to give.
    [[nodiscard]] std::uint64_t namespace_cookie() const;

private:
    struct Close {
        void operator()(mnl_socket* socket) const;
    };
    explicit Socket(mnl_socket* socket);

    Result<std::size_t> receive(bool wait);
    template <typename F>
    void for_each_message(std::size_t bytes, F take) const;

    std::unique_ptr<mnl_socket, Close> socket_;
    std::vector<char> buffer_;
};

// The error of a request that failed with that errno: no privileges, no nf_tables, or else.
Error request_failed(int error);

}  // namespace policyc::netlink
