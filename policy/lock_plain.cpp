// Reads a lock that nobody touched, some ten times as fast as a TOML parser can: read_plain_lock().
#include "policy/lock_plain.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace policyc {

namespace {

// Takes text off the front. After the first thing that is not as expected, ok() is false.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool done() const { return rest_.empty(); }

    bool take(std::string_view expected) {
        if (rest_.substr(0, expected.size()) != expected) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }
    void want(std::string_view expected) { ok_ = ok_ && take(expected); }

    // The text up to `end`, which is taken too.
    std::string_view until(std::string_view end) {
        const std::size_t size = rest_.find(end);
        if (!ok_ || size == std::string_view::npos) {
            ok_ = false;
            return {};
        }
        const std::string_view text = rest_.substr(0, size);
        rest_.remove_prefix(size + end.size());
        return text;
    }

    // ["a", "b"] and the line's end.
    std::vector<std::string_view> list() {
        std::vector<std::string_view> items;
        want("[");
        if (take("]\n")) return items;
        do {
            want("\"");
            items.push_back(until("\""));
        } while (ok_ && take(", "));
        want("]\n");
        return items;
    }

private:
    std::string_view rest_;
    bool ok_ = true;
};

// Needs no escapes, and is a host name as parse_lock() takes it.
bool plain(std::string_view name) {
    return !name.empty() && name.back() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
        return c > ' ' && c <= '~' && c != '\\' && (c < 'A' || c > 'Z');
    });
}

std::optional<LockEntry> read_entry(Scanner& scan) {
    LockEntry entry;
    scan.want("addresses = ");
    for (const std::string_view text : scan.list()) {
        const std::optional<Address> address = parse_address(text);
        if (!address || (!entry.addresses.empty() && *address <= entry.addresses.back())) return std::nullopt;
        entry.addresses.push_back(*address);
    }
    if (entry.addresses.size() > max_addresses_per_name) return std::nullopt;
    if (scan.take("cnames = ")) {
        for (const std::string_view name : scan.list()) {
            if (!plain(name)) return std::nullopt;
            entry.cnames.emplace_back(name);
        }
    }
    scan.want("ttl = ");
    const std::string_view ttl = scan.until("\n");
    const auto [end, error] = std::from_chars(ttl.data(), ttl.data() + ttl.size(), entry.ttl);
    if (error != std::errc{} || end != ttl.data() + ttl.size() || entry.ttl > std::numeric_limits<std::int32_t>::max())
        return std::nullopt;
    scan.want("resolved = \"");
    const std::optional<Time> time = parse_lock_time(scan.until("\"\n"));
    if (!scan.ok() || !time) return std::nullopt;
    entry.resolved = *time;
    return entry;
}

}  // namespace

std::optional<Time> parse_lock_time(std::string_view text) {
    constexpr std::string_view shape = "0000-00-00T00:00:00Z";
    if (text.size() != shape.size()) return std::nullopt;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i]) return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::size_t size) {
        int value = 0;
        std::from_chars(text.data() + at, text.data() + at + size, value);
        return value;
    };
    const std::chrono::year_month_day day{std::chrono::year{number(0, 4)},
                                          std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                          std::chrono::day{static_cast<unsigned>(number(8, 2))}};
    const int hour = number(11, 2);
    const int minute = number(14, 2);
    const int second = number(17, 2);
    if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    return Time{std::chrono::sys_days{day}} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
           std::chrono::seconds{second};
}

std::optional<Lock> read_plain_lock(std::string_view text, std::uint32_t file) {
    Lock lock;
    Scanner scan(text);
    scan.want(write_lock({}));
    while (scan.ok() && !scan.done()) {
        scan.want("\n[names.\"");
        const std::string_view name = scan.until("\"]\n");
        if (!scan.ok() || !plain(name)) return std::nullopt;
        std::optional<LockEntry> entry = read_entry(scan);
        if (!entry) return std::nullopt;
        const auto at = static_cast<std::uint32_t>(name.data() - text.data());
        entry->span = {file, at, at + static_cast<std::uint32_t>(name.size())};
        lock.emplace_hint(lock.end(), name, std::move(*entry));
    }
    if (!scan.ok() || write_lock(lock) != text)
        return std::nullopt;  // the proof that nothing was read otherwise than it stands there
    return lock;
}

}  // namespace policyc
