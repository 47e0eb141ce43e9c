// Reads and changes `table inet policyc` over netlink; entry point make_netlink_kernel().
#include "backends/netlink/kernel.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backends/netlink/attributes.h"
#include "backends/netlink/batch.h"
#include "backends/netlink/decode.h"
#include "backends/netlink/decode_elements.h"
#include "backends/netlink/foreign_chains.h"
#include "backends/netlink/messages.h"
#include "backends/netlink/refusal.h"
#include "backends/netlink/socket.h"
#include "backends/netlink/unpack.h"
#include "backends/netlink/words.h"
#include "compiler/plan.h"
#include "compiler/timing.h"

namespace policyc {

namespace {

using namespace netlink;

// How often a table is read again that others change meanwhile.
constexpr int most_readings = 50;
// How often one transaction is sent that others overtake, where what they change is not our table.
constexpr int most_sendings = 50;

// The dumps that make up a table, in the order in which the decoder wants them.
struct Kind {
    std::uint16_t request;
    std::uint16_t table_attribute;  // to ask for those of our table alone; 0: the kernel gives all of the family
};
constexpr std::array kinds{Kind{NFT_MSG_GETTABLE, 0}, Kind{NFT_MSG_GETOBJ, NFTA_OBJ_TABLE},
                           Kind{NFT_MSG_GETFLOWTABLE, NFTA_FLOWTABLE_TABLE}, Kind{NFT_MSG_GETCHAIN, 0},
                           Kind{NFT_MSG_GETSET, NFTA_SET_TABLE}};

std::string dump_request(std::uint16_t type, std::uint16_t table_attribute, std::uint16_t set_attribute = 0,
                         const std::string& set = {}) {
    Messages out;
    out.begin(type, NLM_F_DUMP, 1);
    if (table_attribute != 0) out.put_text(table_attribute, ir::table_name);
    if (set_attribute != 0) out.put_text(set_attribute, set);
    out.end();
    return out.take();
}

// As `nft get element` asks.
std::string look_up_request(const ir::Set& set, std::string_view key) {
    Messages out;
    out.begin(NFT_MSG_GETSETELEM, NLM_F_ACK, 1);
    out.put_text(NFTA_SET_ELEM_LIST_TABLE, ir::table_name);
    out.put_text(NFTA_SET_ELEM_LIST_SET, set.name);
    const std::size_t list = out.open(NFTA_SET_ELEM_LIST_ELEMENTS);
    const std::size_t element = out.open(NFTA_LIST_ELEM);
    const std::size_t point = out.open(NFTA_SET_ELEM_KEY);
    out.put(NFTA_DATA_VALUE, key.substr(0, key_bytes(set.types)));
    out.close(point);
    out.close(element);
    out.close(list);
    out.end();
    return out.take();
}

// A batch without its first message, which bears the generation.
std::string_view behind_first(std::string_view batch) {
    std::uint32_t length = 0;
    std::memcpy(&length, batch.data(), sizeof length);  // nlmsg_len
    return batch.substr(NLMSG_ALIGN(length));
}

class NetlinkKernel : public Kernel {
public:
    Result<Moment> moment() override {
        const Result<Socket*> socket = opened();
        if (!socket) return socket.error();
        return moment_of(*socket.value());
    }

    Result<Snapshot> read() override {
        const Result<Socket*> socket = opened();
        if (!socket) return socket.error();
        for (int i = 0; i < most_readings; ++i) {
            const Result<Moment> before = moment_of(*socket.value());
            if (!before) return before.error();
            Decoder decoder;
            const Result<DumpEnd> end = read_all(*socket.value(), decoder);
            if (!end) return end.error();
            const Result<Moment> after = moment_of(*socket.value());
            if (!after) return after.error();
            if (end.value() != DumpEnd::whole || before.value() != after.value()) continue;
            return Snapshot{decoder.finish(), after.value()};
        }
        return Error{
            fmt::format("the rulesets of this host change all the time: read {} times, never the same", most_readings),
            "`nft monitor` shows who changes them"};
    }

    Result<Commit> commit(const Snapshot& before, const ir::Ruleset& wanted, const Review& review) override {
        const Result<Socket*> socket = opened();
        if (!socket) return socket.error();
        std::optional<Snapshot> again;  // as others left it
        std::string reviewed;
        for (int i = 0; i < most_sendings; ++i) {
            const Snapshot& from = again ? *again : before;
            const ir::Ruleset* there = from.ruleset ? &*from.ruleset : nullptr;
            const Plan changes = timed("plan", [&] { return plan(there, wanted); });
            if (changes.empty()) return Commit{.stale = again.has_value(), .onto = from.moment.generation};
            Batch batch = timed("encode", [&] { return encode(changes, from.moment.generation); });
            if (batch.unknown)
                return Error{fmt::format("{} holds what is not from policyc, which can't write it", *batch.unknown),
                             {}};
            if (!again) {
                if (const Result<void> fine = reviewed_by(review, there, batch); !fine) return fine.error();
            } else if (behind_first(batch.bytes) != behind_first(reviewed)) {
                return Commit{.stale = true};
            }
            const Result<bool> taken = send(changes, batch, *socket.value());
            if (!taken) return taken.error();
            if (taken.value()) return Commit{.onto = from.moment.generation};
            Result<Snapshot> now = timed("read", [&] { return read(); });
            if (!now) return now.error();
            again = std::move(now.value());
            reviewed = std::move(batch.bytes);
        }
        return Commit{.stale = true};
    }

    Result<std::optional<Held>> look_up(const ir::Set& set, std::string_view key) override {
        const Result<Socket*> socket = opened();
        if (!socket) return socket.error();
        std::optional<Held> held;
        const Result<int> end = socket.value()->ask(look_up_request(set, key), [&](const nlmsghdr& message) {
            Attributes attributes(message);
            for (Attribute a; attributes.next(a);)
                if (a.type == NFTA_SET_ELEM_LIST_ELEMENTS) held = held_element(a.data);
        });
        if (!end) return end.error();
        if (end.value() == ENOENT) return std::optional<Held>();
        if (end.value() != 0) return request_failed(end.value());
        if (!held) return Error{fmt::format("the kernel's answer about set {} makes no sense", set.name), {}};
        return held;
    }

    Result<std::vector<ForeignChain>> foreign_chains() override {
        const Result<Socket*> socket = opened();
        if (!socket) return socket.error();
        return netlink::foreign_chains(*socket.value());
    }

private:
    // One socket for all that a run asks.
    Result<Socket*> opened() {
        if (!socket_) {
            Result<Socket> socket = Socket::open();
            if (!socket) return socket.error();
            socket_ = std::make_unique<Socket>(std::move(socket.value()));
        }
        return socket_.get();
    }

    // Whether the table that the batch would make is as it should be.
    static Result<void> reviewed_by(const Review& review, const ir::Ruleset* there, const Batch& batch) {
        if (!review) return {};
        const auto becomes = timed("unpack", [&] { return unpack(there, batch.bytes); });
        if (!becomes) return becomes.error();
        return review(becomes.value().value_or(ir::Ruleset{}));
    }

    // False where another transaction was faster.
    static Result<bool> send(const Plan& changes, const Batch& batch, Socket& socket) {
        const Result<Answers> answers = timed("send", [&] { return socket.send(batch.bytes); });
        if (!answers) return answers.error();
        const auto& refusals = answers.value().refusals;
        if (std::ranges::any_of(refusals, [](const Refusal& r) { return r.error == ERESTART; })) return false;
        if (!refusals.empty()) return refusal_error(changes, batch, answers.value());
        if (!answers.value().acknowledged)
            return Error{"the kernel gave no answer to the transaction", "`policyc diff` shows what it holds now"};
        return true;
    }

    static Result<Moment> moment_of(Socket& socket) {
        const Result<std::uint32_t> generation = socket.generation();
        if (!generation) return generation.error();
        return Moment{generation.value(), socket.namespace_cookie()};
    }

    static Result<DumpEnd> read_all(Socket& socket, Decoder& decoder) {
        const auto take = [&](const nlmsghdr& message) { return decoder.take(message); };
        for (const Kind& kind : kinds) {
            Result<DumpEnd> end = socket.dump(dump_request(kind.request, kind.table_attribute), take);
            // A table that isn't there has nothing to dump; a kernel without flowtables says EOPNOTSUPP or the like.
            if (!end && kind.request == NFT_MSG_GETFLOWTABLE) continue;
            if (!end || end.value() == DumpEnd::changed) return end;
        }
        for (const std::string& set : decoder.sets()) {
            Result<DumpEnd> end = socket.dump(
                dump_request(NFT_MSG_GETSETELEM, NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, set), take);
            if (!end) return end;
            if (end.value() != DumpEnd::whole) return DumpEnd::changed;
        }
        Result<DumpEnd> end = socket.dump(dump_request(NFT_MSG_GETRULE, NFTA_RULE_TABLE), take);
        if (end && end.value() == DumpEnd::missing) return DumpEnd::whole;
        return end;
    }

    std::unique_ptr<Socket> socket_;
};

}  // namespace

std::unique_ptr<Kernel> make_netlink_kernel() {
    return std::make_unique<NetlinkKernel>();
}

}  // namespace policyc
