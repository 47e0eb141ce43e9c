// The kernel through libnftables; entry point make_libnftables_kernel(). Every operation has a context of its own: the library grows with use.
// Rulesets go in as text, because then an error names a line, and the line says what it is for.
#include "backends/libnftables.h"

#include <fmt/format.h>
#include <nftables/libnftables.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "backends/probe.h"
#include "backends/read_written.h"
#include "backends/text.h"
#include "backends/text_words.h"
#include "compiler/dormant.h"

namespace policyc {

namespace {

struct Free {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};
using Context = std::unique_ptr<nft_ctx, Free>;

struct CloseFile {
    using pointer = std::FILE*;
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Result<Context> open_context() {
    if (const Result<void> usable = probe_nf_tables(); !usable) return usable.error();
    Context context(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!context || nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0)
        return Error{"libnftables gives no context: out of memory", {}};
    return context;
}

// As a file that lies in memory alone: only for a file do errors of the kernel come with a line.
int run(nft_ctx* nft, const std::string& text) {
    const int fd = memfd_create("policyc", MFD_CLOEXEC);
    const File file(fd < 0 ? nullptr : fdopen(fd, "w"));
    if (!file && fd >= 0) close(fd);
    const std::string path = fmt::format("/proc/self/fd/{}", fd);
    const bool usable = file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                        std::fflush(file.get()) == 0 && access(path.c_str(), R_OK) == 0;
    return usable ? nft_run_cmd_from_filename(nft, path.c_str()) : nft_run_cmd_from_buffer(nft, text.c_str());
}

// Where line `number` (from 1) begins; npos where there is none.
std::size_t begin_of_line(std::string_view text, std::size_t number) {
    std::size_t begin = number == 0 ? std::string_view::npos : 0;
    for (; begin != std::string_view::npos && number > 1; --number) {
        const std::size_t end = text.find('\n', begin);
        begin = end == std::string_view::npos ? end : end + 1;
    }
    return begin;
}

std::string_view line_at(std::string_view text, std::size_t begin) {
    return begin < text.size() ? text.substr(begin, text.find('\n', begin) - begin) : std::string_view{};
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
    const std::size_t colon = place.find(':');  // the path of a memory file has none
    if (colon != std::string_view::npos)
        std::from_chars(place.data() + colon + 1, place.data() + place.size(), out.line);
    return out;
}

// "set allow_tcp4" for a line inside its block: the block begins at the last line before that has one tab.
std::string block_of(std::string_view text, std::size_t begin) {
    while (begin != 0 && begin != std::string_view::npos) {
        begin = text.rfind("\n\t", begin - 1);
        if (begin == std::string_view::npos) break;
        const std::string_view line = line_at(text, begin + 1);
        if (line.size() > 3 && line[1] != '\t' && line.ends_with(" {"))
            return std::string(trim(line.substr(0, line.size() - 2)));
    }
    return {};
}

// What libnftables puts before the kernel's own words.
constexpr std::string_view netlink_words = "Could not process rule: ";

Error refused(std::string_view text, std::string_view errors, bool owned) {
    if (errors.find("Operation not permitted") != std::string_view::npos)
        return owned ? owned_by_other() : not_permitted();
    const Complaint complaint = first_complaint(errors);
    if (errors.find("cache initialization failed") != std::string_view::npos) return no_nf_tables(complaint.reason);
    Error error{"the kernel refused the ruleset and keeps the one it had", {}};
    const std::size_t begin = begin_of_line(text, complaint.line);
    const std::string_view whole = line_at(text, begin);
    const std::size_t mark = whole.find("  # ");
    const std::string_view what = trim(whole.substr(0, mark));
    if (!what.empty()) {
        const std::string block = whole.starts_with("\t\t") ? block_of(text, begin) : std::string{};
        error.message += fmt::format(": `{}`", what);
        if (!block.empty()) error.message += fmt::format(" in {}", block);
        if (mark != std::string_view::npos)
            error.message += fmt::format(", which is for {},", trim(whole.substr(mark + 4)));
    }
    std::string_view reason = complaint.reason;
    if (reason.starts_with(netlink_words)) reason.remove_prefix(netlink_words.size());
    error.message += fmt::format(": {}", reason.empty() ? "libnftables gives no reason" : reason);
    error.help = "`policyc compile POLICY | nft -c -f -` shows the same without changing anything";
    return error;
}

class LibnftablesKernel : public Kernel {
public:
    explicit LibnftablesKernel(std::unique_ptr<Kernel> reader) : reader_(std::move(reader)) {}

    Result<Moment> moment() override { return reader_->moment(); }
    Result<Snapshot> read() override { return reader_->read(); }
    Result<std::optional<Held>> look_up(const ir::Set& set, std::string_view key) override {
        return reader_->look_up(set, key);
    }
    Result<std::vector<ForeignChain>> foreign_chains() override { return reader_->foreign_chains(); }

    Result<Commit> commit(const Snapshot& before, const ir::Ruleset& wanted, const Review& review) override {
        if (const std::string strange = first_unknown(wanted); !strange.empty())
            return Error{fmt::format("`{}` is not from policyc, which can't write it", strange), {}};
        Result<Context> context = open_context();
        if (!context) return context.error();
        const std::string text = to_nft(wanted, nullptr);
        if (review) {
            const Result<ir::Ruleset> read = read_back_text(text, wanted);
            if (!read) return read.error();
            if (Result<void> fine = review(read.value()); !fine) return fine.error();
        }
        // nft guards nothing: who wrote just before this may be taken for somebody who wrote after it.
        const Result<Moment> now = reader_->moment();
        if (!now) return now.error();
        if (run(context.value().get(), text) == 0) return Commit{.onto = now.value().generation};
        const bool owned = before.ruleset && is_owned(*before.ruleset);
        return refused(text, nft_ctx_get_error_buffer(context.value().get()), owned);
    }

private:
    static std::string first_unknown(const ir::Ruleset& ruleset) {
        if (!ruleset.foreign.empty()) return remark(ruleset.foreign.front().text);
        for (const ir::Chain& chain : ruleset.chains) {
            for (const ir::Rule& rule : chain.rules) {
                for (const ir::Statement& statement : rule.statements) {
                    if (const auto* unknown = std::get_if<ir::Unknown>(&statement)) return remark(unknown->text);
                }
            }
        }
        return {};
    }

    std::unique_ptr<Kernel> reader_;
};

}  // namespace

std::unique_ptr<Kernel> make_libnftables_kernel(std::unique_ptr<Kernel> reader) {
    return std::make_unique<LibnftablesKernel>(std::move(reader));
}

}  // namespace policyc
