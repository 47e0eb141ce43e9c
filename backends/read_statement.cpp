// A rule's statements out of nft text, one after the other: read_statement(). The forms are those of nft(8), of which policyc knows few.
#include "backends/read_statement.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/read_words.h"

namespace policyc {

using namespace ir;

namespace {

constexpr const char* unknown_statement = "begins no statement that policyc knows";

template <typename T>
T number(Scanner& scanner, std::uint64_t most = std::numeric_limits<T>::max()) {
    const Token token = scanner.next();
    const auto value = number_of_word(scanner.expect_word("a number"), most);
    if (!value) scanner.fail_at(token, fmt::format("is no number up to {}", most));
    return static_cast<T>(value.value_or(0));
}

std::string name_of_set(Scanner& scanner) {
    scanner.expect("@");
    return read_name(scanner, "the name of a set");
}

// ---- what is read from the packet --------------------------------------------------------------------------------------

// saddr or daddr, of four kinds of fields.
Field one_of(Scanner& scanner, Field source, Field destination, const char* first, const char* second) {
    if (scanner.take(first)) return source;
    if (!scanner.take(second)) scanner.fail(fmt::format("stands where `{}` or `{}` should", first, second));
    return destination;
}

Field original(Scanner& scanner) {
    if (scanner.take("proto-dst")) return Field::ct_proto_dst;
    if (scanner.take("ip6")) return one_of(scanner, Field::ct_saddr6, Field::ct_daddr6, "saddr", "daddr");
    scanner.expect("ip");
    return one_of(scanner, Field::ct_saddr4, Field::ct_daddr4, "saddr", "daddr");
}

Field read_field(Scanner& scanner) {
    if (scanner.take("iifname")) return Field::iifname;
    if (scanner.take("oifname")) return Field::oifname;
    if (scanner.take("ip")) return one_of(scanner, Field::ip_saddr, Field::ip_daddr, "saddr", "daddr");
    if (scanner.take("ip6")) return one_of(scanner, Field::ip6_saddr, Field::ip6_daddr, "saddr", "daddr");
    if (scanner.take("tcp")) return one_of(scanner, Field::tcp_sport, Field::tcp_dport, "sport", "dport");
    if (scanner.take("udp")) return one_of(scanner, Field::udp_sport, Field::udp_dport, "sport", "dport");
    scanner.expect("ct original");
    return original(scanner);
}

std::vector<Field> more_fields(Scanner& scanner, Field first) {
    std::vector<Field> fields{first};
    while (scanner.take(".")) fields.push_back(read_field(scanner));
    return fields;
}

bool is_port(Field field) {
    return field == Field::ct_proto_dst || field == Field::tcp_dport || field == Field::tcp_sport ||
           field == Field::udp_dport || field == Field::udp_sport;
}

bool is_interface(Field field) {
    return field == Field::iifname || field == Field::oifname;
}

// What a field, the first of a key, is compared with.
Statement match_of_field(Scanner& scanner, Field first) {
    const std::vector<Field> fields = more_fields(scanner, first);
    if (scanner.take("vmap")) return LookupVerdict{fields, name_of_set(scanner)};
    const bool negate = scanner.take("!=");
    if (scanner.is("@")) return Lookup{fields, name_of_set(scanner), negate};
    if (fields.size() == 1 && is_interface(first)) {
        const Token token = scanner.next();
        const auto name = interface_of_text(scanner.expect_text("the name of an interface"));
        if (!name) scanner.fail_at(token, "is not the name of one interface");
        return MatchName{first, name.value_or(""), negate};
    }
    if (fields.size() != 1 || !is_port(first) || negate) scanner.fail("is nothing that policyc compares this with");
    return MatchPort{first, number<std::uint16_t>(scanner)};
}

// ---- matches -------------------------------------------------------------------------------------------------------------

Statement state(Scanner& scanner) {
    MatchState match;
    do {
        const Token token = scanner.next();
        if (!set_state(match, scanner.expect_word("a state of a connection")))
            scanner.fail_at(token, "is no state of a connection, or stands there twice");
    } while (scanner.take(","));
    return match;
}

Statement status(Scanner& scanner) {
    if (scanner.take("dnat")) return MatchDnat{};
    if (scanner.take("confirmed")) return MatchConfirmed{};
    scanner.expect("& ( assured | dnat ) == assured");
    return MatchAssured{};
}

std::optional<Statement> of_connection(Scanner& scanner) {
    if (scanner.take("state")) return state(scanner);
    if (scanner.take("status")) return status(scanner);
    if (scanner.take("direction")) {
        if (scanner.take("reply")) return MatchReply{true};
        scanner.expect("original");
        return MatchReply{false};
    }
    scanner.expect("original");
    return match_of_field(scanner, original(scanner));
}

Statement of_meta(Scanner& scanner) {
    if (scanner.take("l4proto")) {
        const Token token = scanner.next();
        const auto protocol = protocol_of_word(scanner.expect_word("a protocol"));
        if (!protocol) scanner.fail_at(token, "is no protocol that policyc matches");
        return MatchL4{protocol.value_or(L4::tcp)};
    }
    scanner.expect("nfproto");
    const Token token = scanner.next();
    const auto family = family_of_word(scanner.expect_word("a family"));
    if (!family) scanner.fail_at(token, "is no family");
    return MatchFamily{family.value_or(Family::ipv4)};
}

Statement icmp(Scanner& scanner, Family family) {
    scanner.expect("type");
    MatchIcmp match{family, {}};
    if (!scanner.take("{")) {
        match.types.push_back(number<std::uint8_t>(scanner));
        return match;
    }
    do {
        const auto type = number<std::uint8_t>(scanner);
        if (!match.types.empty() && type <= match.types.back()) scanner.fail("comes after types that don't rise");
        match.types.push_back(type);
    } while (scanner.take(","));
    scanner.expect("}");
    return match;
}

Statement of_tcp(Scanner& scanner) {
    if (scanner.take("option")) {
        scanner.expect("maxseg size set rt mtu");
        return ClampMss{};
    }
    if (scanner.take("flags")) {
        scanner.expect("& ( syn | rst )");
        const bool negate = scanner.take("!=");
        if (!negate) scanner.expect("==");
        scanner.expect("syn");
        return MatchSyn{negate};
    }
    return match_of_field(scanner, one_of(scanner, Field::tcp_sport, Field::tcp_dport, "sport", "dport"));
}

Statement of_ip6(Scanner& scanner) {
    if (scanner.take("hoplimit")) return MatchHopLimit{number<std::uint8_t>(scanner)};
    return match_of_field(scanner, one_of(scanner, Field::ip6_saddr, Field::ip6_daddr, "saddr", "daddr"));
}

// ---- effects -------------------------------------------------------------------------------------------------------------

// rate 10/second burst 20 packets
Limit limit(Scanner& scanner) {
    scanner.expect("rate");
    const Token token = scanner.next();
    const std::string_view word = scanner.expect_word("a rate");
    const std::size_t slash = std::min(word.find('/'), word.size());
    const auto count = number_of_word(word.substr(0, slash), UINT32_MAX);
    const auto unit = unit_of_word(word.substr(std::min(slash + 1, word.size())));
    if (!count || !unit) scanner.fail_at(token, "is no rate such as 10/second");
    Limit out{{static_cast<std::uint32_t>(count.value_or(0)), unit.value_or(Rate::Unit::second)}, 0};
    scanner.expect("burst");
    out.burst = number<std::uint32_t>(scanner);
    scanner.expect("packets");
    return out;
}

Statement update(Scanner& scanner) {
    const std::string set = name_of_set(scanner);
    scanner.expect("{");
    const Field field = read_field(scanner);
    scanner.expect("limit");
    const Limit bucket = limit(scanner);
    scanner.expect("}");
    return UpdateRate{set, field, bucket.rate, bucket.burst};
}

Statement log_packet(Scanner& scanner) {
    scanner.expect("prefix");
    const Token token = scanner.next();
    const std::string prefix(scanner.expect_text("a prefix"));
    if (!is_log_prefix(prefix)) scanner.fail_at(token, "can't be the prefix of a log line");
    if (scanner.take("group")) return LogPacket{prefix, number<std::uint16_t>(scanner)};
    scanner.expect("level info");
    return LogPacket{prefix, std::nullopt};
}

Statement count(Scanner& scanner) {
    if (scanner.take("name")) {
        const std::vector<Field> fields = more_fields(scanner, read_field(scanner));
        scanner.expect("map");
        return CountByMap{fields, name_of_set(scanner)};
    }
    Count counter;
    if (!scanner.take("packets")) return counter;
    counter.packets = number<std::uint64_t>(scanner);
    scanner.expect("bytes");
    counter.bytes = number<std::uint64_t>(scanner);
    return counter;
}

std::optional<Statement> read_effect(Scanner& scanner) {
    if (scanner.take("accept")) return Accept{};
    if (scanner.take("drop")) return Drop{};
    if (scanner.take("return")) return Return{};
    if (scanner.take("masquerade")) return Masquerade{};
    if (scanner.take("jump")) return Jump{read_name(scanner, "the name of a chain")};
    if (scanner.take("goto")) return Goto{read_name(scanner, "the name of a chain")};
    if (scanner.take("counter")) return count(scanner);
    if (scanner.take("limit")) return limit(scanner);
    if (scanner.take("update")) return update(scanner);
    if (scanner.take("log")) return log_packet(scanner);
    if (scanner.take("reject")) {
        scanner.expect("with icmpx admin-prohibited");
        return Reject{};
    }
    return std::nullopt;
}

}  // namespace

std::string read_name(Scanner& scanner, const char* what) {
    const Token token = scanner.next();
    std::string name(scanner.expect_word(what));
    if (!is_identifier(name)) scanner.fail_at(token, "can't be a name");
    return name;
}

std::optional<Statement> read_statement(Scanner& scanner) {
    if (auto effect = read_effect(scanner)) return effect;
    if (scanner.take("meta")) return of_meta(scanner);
    if (scanner.take("ct")) return of_connection(scanner);
    if (scanner.take("tcp")) return of_tcp(scanner);
    if (scanner.take("ip6")) return of_ip6(scanner);
    if (scanner.take("icmp")) return icmp(scanner, Family::ipv4);
    if (scanner.take("icmpv6")) return icmp(scanner, Family::ipv6);
    for (const char* word : {"iifname", "oifname", "ip", "udp"})
        if (scanner.is(word)) return match_of_field(scanner, read_field(scanner));
    scanner.fail(unknown_statement);
    return std::nullopt;
}

}  // namespace policyc
