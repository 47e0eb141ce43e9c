// Reads a DNS reply: read_reply().
#include "backends/dns_reply.h"

#include <ares.h>
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

namespace policyc {

namespace {

// RFC 1035, sections 3.2 and 4.1; RFC 3596 for AAAA.
enum : std::uint16_t { type_a = 1, type_ns = 2, type_cname = 5, type_soa = 6, type_aaaa = 28, class_in = 1 };
constexpr std::size_t header_bytes = 12;

// Reads forward through the reply. After a read beyond the end, ok() is false and everything reads as nothing.
class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t at() const { return at_; }

    std::uint32_t number(std::size_t size) {
        std::uint32_t value = 0;
        for (const char c : take(size)) value = value << 8U | static_cast<unsigned char>(c);
        return value;
    }

    std::string_view take(std::size_t size) {
        if (!ok_ || size > bytes_.size() - at_) {
            ok_ = false;
            return {};
        }
        at_ += size;
        return bytes_.substr(at_ - size, size);
    }

    // A name, decompressed, in lower case.
    std::string name() {
        if (!ok_ || at_ >= bytes_.size()) {
            ok_ = false;
            return {};
        }
        const auto* begin = reinterpret_cast<const unsigned char*>(bytes_.data());
        char* text = nullptr;
        long used = 0;
        if (ares_expand_name(begin + at_, begin, static_cast<int>(bytes_.size()), &text, &used) != ARES_SUCCESS) {
            ok_ = false;
            return {};
        }
        const std::unique_ptr<char, void (*)(void*)> owner(text, ares_free_string);
        at_ += static_cast<std::size_t>(used);
        std::string out(text);
        std::transform(out.begin(), out.end(), out.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        return out;
    }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

struct Record {
    std::string owner;
    std::uint16_t type = 0;
    std::uint16_t klass = 0;
    std::uint32_t ttl = 0;
    std::string_view data;
    std::string target;          // of a CNAME
    std::uint32_t negative = 0;  // of an SOA: how long an absence may be believed (RFC 2308, section 5)
};

Record read_record(Reader& reader, std::string_view bytes) {
    Record record;
    record.owner = reader.name();
    record.type = static_cast<std::uint16_t>(reader.number(2));
    record.klass = static_cast<std::uint16_t>(reader.number(2));
    record.ttl = reader.number(4);
    if (record.ttl > INT32_MAX) record.ttl = 0;  // RFC 2181, section 8
    const std::uint32_t size = reader.number(2);
    Reader inside = reader;
    record.data = reader.take(size);
    if (record.klass != class_in || (record.type != type_cname && record.type != type_soa)) return record;
    if (record.type == type_cname) {
        record.target = inside.name();
    } else {
        inside.name();
        inside.name();
        inside.take(16);
        record.negative = std::min(record.ttl, inside.number(4));
    }
    if (!inside.ok() || inside.at() != reader.at()) reader.take(bytes.size() + 1);  // it ends elsewhere than it says
    return record;
}

std::string rcode_name(unsigned rcode) {
    switch (rcode) {
        case 1: return "FORMERR";
        case 2: return "SERVFAIL";
        case 4: return "NOTIMP";
        case 5: return "REFUSED";
        default: return fmt::format("error {}", rcode);
    }
}

Reply failed(std::string problem) {
    Reply reply;
    reply.problem = std::move(problem);
    return reply;
}

Address address_of(std::string_view data, Family family) {
    Address address{family, 0};
    for (const char c : data) address.bits = address.bits << 8U | static_cast<unsigned char>(c);
    return address;
}

// What the authority section says about an absence.
struct Authority {
    std::optional<std::uint32_t> negative_ttl;
    bool delegates = false;  // name servers and no SOA: ask elsewhere
};

Authority read_authority(Reader& reader, std::string_view bytes, std::uint32_t count) {
    Authority authority;
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        const Record record = read_record(reader, bytes);
        if (record.klass != class_in) continue;
        if (record.type == type_soa) authority.negative_ttl = record.negative;
        if (record.type == type_ns) authority.delegates = true;
    }
    if (authority.negative_ttl) authority.delegates = false;
    return authority;
}

}  // namespace

bool is_truncated(std::string_view bytes) {
    return bytes.size() >= header_bytes && (static_cast<unsigned char>(bytes[2]) & 0x02U) != 0;
}

Reply read_reply(std::string_view bytes, const std::string& name, Family family) {
    const std::uint16_t wanted = family == Family::ipv4 ? type_a : type_aaaa;
    const std::size_t wanted_size = family == Family::ipv4 ? 4 : 16;
    if (bytes.size() < header_bytes) return failed("sent a malformed reply");

    Reader reader(bytes);
    reader.number(2);  // the id: c-ares has matched it
    const std::uint32_t flags = reader.number(2);
    const std::uint32_t questions = reader.number(2);
    const std::uint32_t answers = reader.number(2);
    const std::uint32_t authorities = reader.number(2);
    reader.number(2);
    const unsigned rcode = flags & 0xFU;
    const bool truncated = (flags & 0x0200U) != 0;
    if ((flags & 0x8000U) == 0) return failed("sent a malformed reply");
    if (rcode != 0 && rcode != 3) return failed("answered " + rcode_name(rcode));
    if (questions != 1) return failed("sent a malformed reply");
    const std::string asked = reader.name();
    const std::uint32_t asked_type = reader.number(2);
    const std::uint32_t asked_class = reader.number(2);
    if (!reader.ok()) return failed("sent a malformed reply");
    if (asked != name || asked_type != wanted || asked_class != class_in)
        return failed("sent a reply to another question");

    std::vector<Record> found;
    std::map<std::string, Record> aliases;
    for (std::uint32_t i = 0; i < answers; ++i) {
        Record record = read_record(reader, bytes);
        if (!reader.ok()) return failed("sent a malformed reply");
        if (record.klass != class_in) continue;
        if (record.type == type_cname) {
            aliases.emplace(record.owner, record);
        } else if (record.type == wanted) {
            if (record.data.size() != wanted_size) return failed("sent a malformed reply");
            found.push_back(std::move(record));
        }
    }

    Reply reply;
    reply.ttl = INT32_MAX;
    std::string end = name;
    for (auto alias = aliases.find(end); alias != aliases.end(); alias = aliases.find(end)) {
        end = alias->second.target;
        reply.ttl = std::min(reply.ttl, alias->second.ttl);
        reply.cnames.push_back(end);
        aliases.erase(alias);
        if (end == name || std::count(reply.cnames.begin(), reply.cnames.end(), end) > 1)
            return failed("sent a loop of CNAMEs");
    }
    for (const Record& record : found) {
        if (record.owner != end) continue;
        reply.addresses.push_back(address_of(record.data, family));
        reply.ttl = std::min(reply.ttl, record.ttl);
    }
    if (truncated && reply.addresses.size() <= max_addresses_per_name)
        return failed("sent a reply that is cut short, over TCP too");
    if (!reply.addresses.empty()) {
        if (rcode == 3) return failed("sent a reply that contradicts itself (NXDOMAIN with addresses)");
        reply.outcome = Outcome::answered;
        if (truncated) reply.problem = "cut its reply short";
        return reply;
    }

    if (!found.empty()) return failed("sent records of another name only");
    const Authority authority = read_authority(reader, bytes, authorities);
    if (!reader.ok()) return failed("sent a malformed reply");
    if (rcode == 0 && authority.delegates) return failed("sent a referral instead of an answer");
    reply.ttl = std::min(reply.ttl, authority.negative_ttl.value_or(0));
    reply.outcome = rcode == 3 ? Outcome::no_such_name : Outcome::no_address;
    return reply;
}

}  // namespace policyc
