// The kernel through libnftables; entry point make_libnftables_kernel(). Every operation has a context of its own: the library grows with use.
// Rulesets go in as text, because then an error names a line, and the line says what it is for; they come back as JSON.
#include "backends/libnftables.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "backends/json.h"
#include "backends/text.h"
#include "backends/text_words.h"

namespace policyc {

namespace {

struct Free {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};
using Context = std::unique_ptr<nft_ctx, Free>;

Error no_nf_tables(std::string_view seen) {
    return {fmt::format("this kernel does not answer nf_tables requests: {}", seen),
            "policyc needs a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET; `modprobe nf_tables` says more"};
}

Error not_permitted() {
    return {"not permitted to read or change nftables: CAP_NET_ADMIN is missing",
            "run this as root; in a container, give it CAP_NET_ADMIN in the network namespace it runs in"};
}

// libnftables ends the whole process where it gets no netlink socket, so that is tried first.
Result<Context> open_context() {
    const int probe = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (probe < 0) return no_nf_tables(std::strerror(errno));
    close(probe);
    Context context(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!context || nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0)
        return Error{"libnftables gives no context: out of memory", {}};
    return context;
}

std::string_view line_of(std::string_view text, std::size_t number) {
    for (; number > 1; --number) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    return text.substr(0, text.find('\n'));
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == '\t' || text.front() == ' ')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == ',')) text.remove_suffix(1);
    return text;
}

// What libnftables said first: "FILE:LINE:FROM-TO: Error: REASON", or "Error: REASON".
struct Complaint {
    std::size_t line = 0;  // 0: none
    std::string reason;
};

Complaint first_complaint(std::string_view errors) {
    Complaint out;
    const std::string_view first = errors.substr(0, errors.find('\n'));
    const std::size_t at = first.find("Error: ");
    out.reason = at == std::string_view::npos ? std::string(first) : std::string(first.substr(at + 7));
    if (at == std::string_view::npos || at == 0) return out;
    const std::string_view place = first.substr(0, at);
    const std::size_t colon = place.find(':');
    if (colon != std::string_view::npos)
        std::from_chars(place.data() + colon + 1, place.data() + place.size(), out.line);
    return out;
}

// "set allow_tcp4" for a line inside its block.
std::string block_of(std::string_view text, std::size_t number) {
    for (; number > 0; --number) {
        const std::string_view line = line_of(text, number);
        if (line.size() > 2 && line[0] == '\t' && line[1] != '\t' && line.ends_with(" {"))
            return std::string(trim(line.substr(0, line.size() - 2)));
    }
    return {};
}

Error refused(std::string_view text, std::string_view errors) {
    if (errors.find("Operation not permitted") != std::string_view::npos) return not_permitted();
    const Complaint complaint = first_complaint(errors);
    if (errors.find("cache initialization failed") != std::string_view::npos) return no_nf_tables(complaint.reason);
    Error error{"the kernel refused the ruleset and keeps the one it had", {}};
    const std::string_view whole = complaint.line == 0 ? std::string_view{} : line_of(text, complaint.line);
    const std::size_t mark = whole.find("  # ");
    const std::string_view what = trim(whole.substr(0, mark));
    if (!what.empty()) {
        const std::string block = whole.starts_with("\t\t") ? block_of(text, complaint.line) : std::string{};
        error.message += fmt::format(": `{}`", what);
        if (!block.empty()) error.message += fmt::format(" in {}", block);
        if (mark != std::string_view::npos)
            error.message += fmt::format(", which is for {},", trim(whole.substr(mark + 4)));
    }
    error.message += fmt::format(": {}", complaint.reason.empty() ? "libnftables gives no reason" : complaint.reason);
    error.help = "`policyc compile POLICY | nft -c -f -` shows the same without changing anything";
    return error;
}

class LibnftablesKernel : public Kernel {
public:
    Result<std::optional<ir::Ruleset>> read() override {
        Result<Context> context = open_context();
        if (!context) return context.error();
        nft_ctx* nft = context.value().get();
        nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
        const std::string command = fmt::format("list table inet {}", ir::table_name);
        if (nft_run_cmd_from_buffer(nft, command.c_str()) != 0) {
            const std::string_view errors = nft_ctx_get_error_buffer(nft);
            const std::string reason = first_complaint(errors).reason;
            if (reason == "No such file or directory") return std::optional<ir::Ruleset>{};
            if (errors.find("Operation not permitted") != std::string_view::npos) return not_permitted();
            if (errors.empty())
                return Error{"libnftables lists nothing",
                             "it may have been built without JSON: `nft -j list tables` shows whether it was"};
            return errors.find("cache initialization failed") != std::string_view::npos
                       ? no_nf_tables(reason)
                       : Error{fmt::format("`nft {}` failed: {}", command, reason), {}};
        }
        Result<ir::Ruleset> ruleset = from_json(nft_ctx_get_output_buffer(nft));
        if (!ruleset) return ruleset.error();
        return std::optional(std::move(ruleset.value()));
    }

    Result<void> replace(const ir::Ruleset& ruleset) override {
        if (const std::string strange = first_unknown(ruleset); !strange.empty())
            return Error{fmt::format("`{}` is not from policyc, which can't write it", strange), {}};
        Result<Context> context = open_context();
        if (!context) return context.error();
        const std::string text = to_nft(ruleset, nullptr);
        if (nft_run_cmd_from_buffer(context.value().get(), text.c_str()) == 0) return {};
        return refused(text, nft_ctx_get_error_buffer(context.value().get()));
    }

private:
    static std::string first_unknown(const ir::Ruleset& ruleset) {
        if (!ruleset.unknown.empty()) return remark(ruleset.unknown.front());
        for (const ir::Chain& chain : ruleset.chains) {
            for (const ir::Rule& rule : chain.rules) {
                for (const ir::Statement& statement : rule.statements) {
                    if (const auto* unknown = std::get_if<ir::Unknown>(&statement)) return remark(unknown->text);
                }
            }
        }
        return {};
    }
};

}  // namespace

std::unique_ptr<Kernel> make_libnftables_kernel() {
    return std::make_unique<LibnftablesKernel>();
}

}  // namespace policyc
