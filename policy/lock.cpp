// The text of policy.lock: parse_lock() and write_lock().
#include "policy/lock.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "policy/lock_plain.h"
#include "policy/parse.h"

namespace policyc {

namespace {

constexpr std::int64_t lock_version = 1;
constexpr const char* mend_help =
    "put back the last good one from version control, or delete it; then run `policyc resolve`";

// ---- reading -------------------------------------------------------------------------------------------------------------

// A name as the policy knows it: lower case, without a trailing dot.
bool plain_name(std::string_view name) {
    return !name.empty() && name.back() != '.' &&
           std::none_of(name.begin(), name.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c <= ' '; });
}

class LockReader {
public:
    LockReader(std::uint32_t file, const Sources& sources, Diagnostics& diagnostics)
        : file_(file), sources_(sources), diagnostics_(diagnostics) {}

    std::optional<Lock> read() {
        const std::size_t before = diagnostics_.errors();
        if (merge_conflict()) return std::nullopt;
        const std::optional<Table> root = parse_text(file_, sources_, diagnostics_);
        if (!root) return std::nullopt;
        if (!version(*root)) return std::nullopt;  // what another version means is not known
        Lock lock;
        for (const Entry& entry : root->entries) {
            if (entry.key == "version") continue;
            if (entry.key != "names") {
                unknown(entry, "", {"version", "names"});
                continue;
            }
            const Table* names = entry.value.table();
            if (names == nullptr) {
                wrong(entry.value.span, "`names` is not a table", "one table for each name is wanted");
                continue;
            }
            for (const Entry& name : names->entries) add_name(name, lock);
        }
        if (diagnostics_.errors() != before) return std::nullopt;
        return lock;
    }

private:
    bool merge_conflict() {
        const std::string_view text = sources_.text(file_);
        Span first;
        Span last;
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            const std::string_view line = text.substr(begin, end - begin);
            for (const std::string_view mark : {"<<<<<<<", "|||||||", "=======", ">>>>>>>"}) {
                const bool marked =
                    line.substr(0, mark.size()) == mark && (line.size() == mark.size() || line[mark.size()] <= ' ');
                if (!marked) continue;
                const auto at = static_cast<std::uint32_t>(begin);
                last = {file_, at, static_cast<std::uint32_t>(at + mark.size())};
                if (!first.valid()) first = last;
            }
            begin = end + 1;
        }
        if (!first.valid()) return false;
        Diagnostic& diagnostic =
            diagnostics_.report(Code::E0310, first, fmt::format("{} has a merge conflict", sources_.name(file_)),
                                "two versions of it were not joined");
        if (last != first) diagnostic.also(last, "the conflict ends here, or a later one does");
        diagnostic.help(
            "take either version whole (`git checkout --ours` or `--theirs`), then run `policyc resolve`: it brings "
            "the lock up to date");
        return true;
    }

    bool version(const Table& root) {
        const Entry* entry = root.find("version");
        if (entry == nullptr) {
            diagnostics_
                .report(Code::E0311, {file_, 0, 0}, fmt::format("{} does not say its version", sources_.name(file_)),
                        "`version = 1` is missing")
                .note("a lock that is empty or cut off is not taken for one without names")
                .help(mend_help);
            return false;
        }
        const std::int64_t* number = entry->value.integer();
        if (number != nullptr && *number == lock_version) return true;
        diagnostics_
            .report(Code::E0311, entry->value.span,
                    fmt::format("{} has a version that this policyc does not know", sources_.name(file_)),
                    fmt::format("this policyc knows version {}", lock_version))
            .help("use the policyc that wrote it, or delete it and run `policyc resolve`");
        return false;
    }

    void add_name(const Entry& entry, Lock& lock) {
        if (!plain_name(entry.key)) {
            wrong(entry.key_span, fmt::format("`{}` is not a host name as the lock has it", entry.key),
                  "lower case, without a dot at its end");
            return;
        }
        const Table* table = entry.value.table();
        if (table == nullptr) {
            wrong(entry.value.span, fmt::format("the entry of `{}` is not a table", entry.key),
                  "addresses, ttl and resolved are wanted");
            return;
        }
        LockEntry out;
        out.span = entry.key_span;
        bool addresses = false;
        bool ttl = false;
        bool resolved = false;
        for (const Entry& item : table->entries) {
            if (item.key == "addresses") {
                addresses = true;
                read_addresses(entry.key, item.value, out);
            } else if (item.key == "cnames") {
                read_cnames(item.value, out);
            } else if (item.key == "ttl") {
                ttl = true;
                read_ttl(item.value, out);
            } else if (item.key == "resolved") {
                resolved = true;
                read_time(item.value, out);
            } else {
                unknown(item, fmt::format(" of `{}`", entry.key), {"addresses", "cnames", "ttl", "resolved"});
            }
        }
        for (const auto& [key, there] :
             {std::pair{"addresses", addresses}, std::pair{"ttl", ttl}, std::pair{"resolved", resolved}}) {
            if (!there)
                wrong(entry.key_span, fmt::format("`{}` has no `{}`", entry.key, key),
                      fmt::format("`{}` is missing", key));
        }
        lock.emplace(entry.key, std::move(out));
    }

    void read_addresses(const std::string& name, const Value& value, LockEntry& out) {
        const Array* array = value.array();
        if (array == nullptr) {
            wrong(value.span, "`addresses` is not a list", "a list of addresses is wanted");
            return;
        }
        if (array->items.size() > max_addresses_per_name) {
            diagnostics_
                .report(Code::E0304, value.span,
                        fmt::format("`{}` has more than {} addresses", name, max_addresses_per_name),
                        fmt::format("{} of them", array->items.size()))
                .help(mend_help);
            return;
        }
        std::map<Address, Span> seen;
        for (const Value& item : array->items) {
            const std::string* text = item.string();
            const std::optional<Address> address = text == nullptr ? std::nullopt : parse_address(*text);
            if (!address) {
                wrong(item.span,
                      text == nullptr ? "this is not an address" : fmt::format("`{}` is not an address", *text),
                      "an IPv4 or IPv6 address in quotes is wanted");
                continue;
            }
            const auto [first, added] = seen.emplace(*address, item.span);
            if (!added) {
                diagnostics_
                    .report(Code::E0314, item.span, fmt::format("`{}` has {} twice", name, to_string(*address)),
                            "again here")
                    .also(first->second, "first here")
                    .help(mend_help);
            }
        }
        for (const auto& [address, span] : seen) out.addresses.push_back(address);
    }

    void read_cnames(const Value& value, LockEntry& out) {
        const Array* array = value.array();
        if (array == nullptr) {
            wrong(value.span, "`cnames` is not a list", "a list of host names is wanted");
            return;
        }
        for (const Value& item : array->items) {
            if (item.string() == nullptr) {
                wrong(item.span, "this is not a host name", "a host name in quotes is wanted");
                continue;
            }
            out.cnames.push_back(*item.string());
        }
    }

    void read_ttl(const Value& value, LockEntry& out) {
        const std::int64_t* number = value.integer();
        if (number == nullptr || *number < 0 || *number > std::numeric_limits<std::int32_t>::max()) {
            wrong(value.span, "`ttl` is out of range", "seconds are wanted, 0 to 2147483647");
            return;
        }
        out.ttl = static_cast<std::uint32_t>(*number);
    }

    void read_time(const Value& value, LockEntry& out) {
        const std::optional<Time> time = value.string() == nullptr ? std::nullopt : parse_lock_time(*value.string());
        if (!time) {
            wrong(value.span, "`resolved` is not a time", "wanted is a time in UTC, such as \"2026-01-31T12:00:00Z\"");
            return;
        }
        out.resolved = *time;
    }

    void wrong(Span span, std::string message, std::string label) {
        diagnostics_.report(Code::E0313, span, std::move(message), std::move(label)).help(mend_help);
    }

    void unknown(const Entry& entry, const std::string& where, const std::vector<std::string>& known) {
        Diagnostic& diagnostic = diagnostics_.report(Code::E0312, entry.key_span,
                                                     fmt::format("unknown key `{}`{} in the lock", entry.key, where),
                                                     "not a key that `policyc resolve` writes");
        const std::string near = nearest(entry.key, known);
        if (!near.empty()) diagnostic.help(fmt::format("did you mean `{}`?", near));
        diagnostic.help(mend_help);
    }

    std::uint32_t file_;
    const Sources& sources_;
    Diagnostics& diagnostics_;
};

// ---- writing -------------------------------------------------------------------------------------------------------------

// Appends a TOML basic string.
void quote(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') {
            out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
            out += c;
        }
    }
    out += '"';
}

template <typename T, typename F>
void quote_list(std::string& out, const char* key, const std::vector<T>& values, F text_of) {
    out += key;
    out += " = [";
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += ", ";
        quote(out, text_of(values[i]));
    }
    out += "]\n";
}

std::string time_text(Time time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const auto seconds = (time - day).count();
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), seconds / 3600,
                       seconds / 60 % 60, seconds % 60);
}

}  // namespace

bool dated_ahead(const LockEntry& entry, Time now) {
    constexpr std::chrono::minutes most_difference{5};
    return entry.resolved - now > most_difference;
}

std::optional<Lock> parse_lock(std::uint32_t file, const Sources& sources, Diagnostics& diagnostics) {
    if (std::optional<Lock> lock = read_plain_lock(sources.text(file), file)) return lock;
    return LockReader(file, sources, diagnostics).read();
}

std::string write_lock(const Lock& lock) {
    std::string out = fmt::format(
        "# What each host name of the policy resolved to. `policyc resolve` writes this file: commit it, and don't "
        "edit it.\nversion = {}\n",
        lock_version);
    for (const auto& [name, entry] : lock) {
        out += "\n[names.";
        quote(out, name);
        out += "]\n";
        quote_list(out, "addresses", entry.addresses, [](const Address& address) { return to_string(address); });
        if (!entry.cnames.empty())
            quote_list(out, "cnames", entry.cnames, [](const std::string& cname) { return cname; });
        out += fmt::format("ttl = {}\nresolved = \"{}\"\n", entry.ttl, time_text(entry.resolved));
    }
    return out;
}

}  // namespace policyc
