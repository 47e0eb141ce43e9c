// DNS replies, byte by byte: what is believed, and that no broken one is.
#include "backends/dns_reply.h"

#include <doctest/doctest.h>

#include <random>

using namespace policyc;

namespace {

enum : unsigned { a = 1, ns = 2, cname = 5, soa = 6, aaaa = 28 };

std::string number(std::size_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
    return out;
}

std::string name(const std::string& text) {
    std::string out;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('.', begin), text.size());
        out += number(end - begin, 1) + text.substr(begin, end - begin);
        begin = end + 1;
    }
    return out + std::string(1, '\0');
}

std::string record(const std::string& owner, unsigned type, unsigned ttl, const std::string& data, unsigned klass = 1) {
    return owner + number(type, 2) + number(klass, 2) + number(ttl, 4) + number(data.size(), 2) + data;
}

std::string soa_record(unsigned ttl, unsigned minimum) {
    return record(name("example"), soa, ttl,
                  name("ns.example") + name("root.example") + std::string(16, '\1') + number(minimum, 4));
}

const std::string pointer("\xC0\x0C", 2);  // to the name of the question
const std::string ten("\x0A\x45\x0D\x14", 4);

struct Message {
    std::string question = "www.example";
    unsigned type = a;
    unsigned flags = 0x8180;
    std::vector<std::string> answers;
    std::vector<std::string> authority;

    [[nodiscard]] std::string bytes() const {
        std::string out = number(0x1234, 2) + number(flags, 2) + number(1, 2) + number(answers.size(), 2) +
                          number(authority.size(), 2) + number(0, 2) + name(question) + number(type, 2) + number(1, 2);
        for (const std::string& one : answers) out += one;
        for (const std::string& one : authority) out += one;
        return out;
    }
    [[nodiscard]] Reply read(Family family = Family::ipv4) const { return read_reply(bytes(), "www.example", family); }
};

}  // namespace

TEST_CASE("addresses, with the least TTL") {
    Message message;
    message.answers = {record(pointer, a, 300, ten), record(name("WWW.Example"), a, 200, "\x0A\x45\x0D\x15")};
    const Reply reply = message.read();
    CHECK(reply.outcome == Outcome::answered);
    CHECK(reply.ttl == 200);
    REQUIRE(reply.addresses.size() == 2);
    CHECK(to_string(reply.addresses[0]) == "10.69.13.20");
    CHECK(to_string(reply.addresses[1]) == "10.69.13.21");

    message.type = aaaa;
    message.answers = {record(pointer, aaaa, 0x80000000U, std::string(15, '\0') + "\7")};
    const Reply six = message.read(Family::ipv6);
    CHECK(six.outcome == Outcome::answered);
    CHECK(to_string(six.addresses.at(0)) == "::7");
    CHECK(six.ttl == 0);  // RFC 2181: the top bit makes it nothing
}

TEST_CASE("the chain of CNAMEs, in whatever order it comes") {
    Message message;
    message.answers = {record(name("c.example"), a, 90, ten), record(name("b.example"), cname, 50, name("c.example")),
                       record(pointer, cname, 70, name("b.example"))};
    const Reply reply = message.read();
    CHECK(reply.outcome == Outcome::answered);
    CHECK(reply.cnames == std::vector<std::string>{"b.example", "c.example"});
    CHECK(reply.ttl == 50);
    message.answers.erase(message.answers.begin());
    CHECK(message.read().outcome == Outcome::no_address);
    CHECK(message.read().cnames.size() == 2);
    message.answers = {record(pointer, cname, 1, name("b.example")),
                       record(name("b.example"), cname, 1, name("www.example"))};
    CHECK(message.read().outcome == Outcome::server_error);
    message.answers = {record(pointer, cname, 1, pointer)};
    CHECK(message.read().outcome == Outcome::server_error);
    message.answers = {record(pointer, cname, 1, name("b.example")),
                       record(name("b.example"), cname, 1, name("c.example")),
                       record(name("c.example"), cname, 1, name("b.example"))};
    CHECK(message.read().outcome == Outcome::server_error);
}

TEST_CASE("what is not about the question is not believed") {
    Message message;
    message.answers = {record(name("evil.example"), a, 300, ten)};
    CHECK(message.read().outcome == Outcome::server_error);
    message.answers.push_back(record(pointer, a, 300, "\x0A\x45\x0D\x15"));
    CHECK(message.read().addresses.size() == 1);
    message.answers = {record(pointer, a, 300, ten, 3 /* CHAOS */)};
    CHECK(message.read().outcome == Outcome::no_address);
    message.answers = {record(pointer, aaaa, 300, std::string(16, '\7'))};
    CHECK(message.read().outcome == Outcome::no_address);
    message.answers = {record(pointer, a, 300, ten)};
    message.question = "evil.example";
    CHECK(message.read().outcome == Outcome::server_error);
    message.question = "www.example";
    CHECK(message.read(Family::ipv6).outcome == Outcome::server_error);
    message.flags = 0x0100;  // a query, not a reply
    CHECK(message.read().outcome == Outcome::server_error);
}

TEST_CASE("absence, and how long it may be believed") {
    Message message;
    message.authority = {soa_record(900, 60)};
    CHECK(message.read().outcome == Outcome::no_address);
    CHECK(message.read().ttl == 60);
    message.flags |= 3;
    CHECK(message.read().outcome == Outcome::no_such_name);
    message.authority = {soa_record(30, 60)};
    CHECK(message.read().ttl == 30);
    message.authority.clear();
    CHECK(message.read().outcome == Outcome::no_such_name);
    message.answers = {record(pointer, a, 300, ten)};
    CHECK(message.read().outcome == Outcome::server_error);  // NXDOMAIN with an address

    Message referral;
    referral.authority = {record(name("example"), ns, 60, name("ns.example"))};
    CHECK(referral.read().outcome == Outcome::server_error);
    referral.authority.push_back(soa_record(900, 60));
    CHECK(referral.read().outcome == Outcome::no_address);
}

TEST_CASE("failures are named") {
    Message message;
    const std::pair<unsigned, const char*> named[] = {{1, "answered FORMERR"},
                                                      {2, "answered SERVFAIL"},
                                                      {4, "answered NOTIMP"},
                                                      {5, "answered REFUSED"},
                                                      {9, "answered error 9"}};
    for (const auto& [rcode, problem] : named) {
        message.flags = 0x8180U | rcode;
        CHECK(message.read().outcome == Outcome::server_error);
        CHECK(message.read().problem == problem);
    }
}

TEST_CASE("a reply that is cut short is no answer, unless it has too many addresses anyhow") {
    Message message;
    message.flags |= 0x0200;
    for (unsigned i = 0; i < max_addresses_per_name; ++i)
        message.answers.push_back(record(pointer, a, 300, number(0x0A450D00U + i, 4)));
    CHECK(message.read().outcome == Outcome::server_error);
    message.answers.push_back(record(pointer, a, 300, number(0x0A450E00U, 4)));
    CHECK(message.read().outcome == Outcome::answered);
    CHECK(message.read().addresses.size() == 65);
    message.flags &= ~0x0200U;
    for (unsigned i = 0; i < 3900; ++i) message.answers.push_back(record(pointer, a, 300, number(0x0A450F00U + i, 4)));
    CHECK(message.read().addresses.size() == 3965);
}

TEST_CASE("no beginning of a reply is taken for the whole") {
    Message message;
    message.answers = {record(pointer, cname, 70, name("b.example")), record(name("b.example"), a, 50, ten)};
    const std::string whole = message.bytes();
    CHECK(read_reply(whole, "www.example", Family::ipv4).outcome == Outcome::answered);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(read_reply(whole.substr(0, size), "www.example", Family::ipv4).outcome == Outcome::server_error);
    }
    Message empty;
    empty.authority = {soa_record(900, 60)};
    const std::string none = empty.bytes();
    for (std::size_t size = 0; size < none.size(); ++size) {
        CAPTURE(size);
        CHECK(read_reply(none.substr(0, size), "www.example", Family::ipv4).outcome == Outcome::server_error);
    }
}

TEST_CASE("a record that says it is of another size than it is") {
    for (const std::string& data : {std::string("\x0A\x45\x0D", 3), ten + "\1", std::string()}) {
        Message message;
        message.answers = {record(pointer, a, 300, data)};
        CHECK(message.read().outcome == Outcome::server_error);
    }
    Message message;
    message.answers = {record(pointer, cname, 300, name("b.example") + "x"), record(name("b.example"), a, 1, ten)};
    CHECK(message.read().outcome == Outcome::server_error);
}

TEST_CASE("noise neither crashes nor opens") {
    Message message;
    message.answers = {record(pointer, cname, 70, name("b.example")), record(name("b.example"), a, 50, ten)};
    message.authority = {soa_record(900, 60)};
    const std::string whole = message.bytes();
    std::mt19937 random(1);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = whole;
        for (unsigned i = 0; i <= random() % 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
        const Reply reply = read_reply(bytes, "www.example", Family::ipv4);
        CHECK(reply.outcome != Outcome::timeout);
        CHECK((reply.outcome == Outcome::answered) == !reply.addresses.empty());
        CHECK(reply.addresses.size() <= 2);
    }
}
