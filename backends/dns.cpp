// Asks DNS servers for all names at once: make_dns_resolver().
#include "backends/dns.h"

#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <set>

#include "backends/dns_channel.h"
#include "backends/dns_reply.h"

namespace policyc {

namespace {

using Clock = std::chrono::steady_clock;

struct Query;

// A channel to a server, and how it has behaved.
struct Line {
    std::unique_ptr<DnsChannel> channel;
    std::size_t replies = 0;
    // Of TCP, where a server may close a connection with queries on it, and whose failure that was can't be told.
    bool one_by_one = false;  // a query has it to itself: what becomes of the connection is the query's own failure
    bool closed = false;      // not even one alone got through, and none ever did
    std::size_t in_flight = 0;
    std::deque<Query*> queue;
};

// A server and how it has behaved in this run.
struct Asked {
    Server server;
    Line udp;
    Line tcp;                    // opened for the first reply that is cut short
    std::string name;            // for people
    std::size_t unanswered = 0;  // tries in a row that nothing came back for
    Clock::time_point silent_since{};
    bool given_up = false;
};

// So many tries in a row without a reply, for as long as one query waits in all, and a server is taken for dead.
constexpr std::size_t enough_silence = 32;

// RFC 1035, section 4.2.1. c-ares cuts a longer one to this, and it can't be read then.
constexpr std::size_t most_udp_bytes = 512;

// One query: a name and a family, on its way from server to server.
struct Query {
    const std::string* name = nullptr;
    Family family = Family::ipv4;
    std::size_t attempt = 0;         // the server is this modulo their number
    std::size_t attempts = 0;        // as many at most
    bool over_tcp = false;           // this server's reply was cut short
    bool alone = false;              // on the TCP connection
    std::size_t replies_before = 0;  // of the line it was asked over, when it was
    std::set<std::size_t> failed;    // servers that replied with a failure: not asked again
    Reply reply;                     // `timeout` for as long as nobody said anything
    std::string server;
};

class Run {
public:
    Run(const DnsOptions& options, const std::vector<Server>& servers, bool ipv6)
        : options_(options), ipv6_(ipv6), started_(Clock::now()) {
        for (const Server& server : servers) {
            Asked asked;
            asked.server = server;
            asked.udp.channel = std::make_unique<DnsChannel>(server, DnsChannel::Over::udp, options.timeout);
            asked.name = to_string(server.address);
            const bool six = server.address.family == Family::ipv6;
            if (server.port != 53 && six) asked.name = fmt::format("[{}]", asked.name);
            if (server.port != 53) asked.name += fmt::format(":{}", server.port);
            asked.given_up = !asked.udp.channel->good();
            names_ += (names_.empty() ? "" : ", ") + asked.name;
            servers_.push_back(std::move(asked));
        }
    }

    std::map<std::string, Answer> ask(const std::vector<std::string>& names);

private:
    void add(const std::string& name, Family family);
    void work();
    void fill();
    void start(Query& query);
    void release(Line& line);
    void done(Query& query, const DnsTry& result);
    void replied(Query& query, Asked& server, std::size_t index, std::string_view bytes);
    void no_tcp(Query& query, const Asked& server, std::size_t index, bool refused);
    void unanswered(Query& query, Asked& server, bool refused);
    void next(Query& query);
    [[nodiscard]] std::vector<DnsChannel*> channels() const;
    [[nodiscard]] Answer combine(const Query& four, const Query& six) const;

    const DnsOptions& options_;
    bool ipv6_;
    Clock::time_point started_;
    std::vector<Query> queries_;  // A and AAAA of each name, side by side
    std::vector<Asked> servers_;  // gone before the queries that c-ares may call back about
    std::string names_;
    std::deque<Query*> waiting_;
    std::size_t in_flight_ = 0;
};

// What c-ares can put on the wire as it stands: labels of 1 to 63 bytes, 253 in all, nothing that it takes for an escape.
bool can_be_asked(std::string_view name) {
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    for (const char c : name) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
            continue;
        }
        if (c <= ' ' || c > '~' || c == '\\' || ++label > 63) return false;
    }
    return label > 0;
}

bool answers(const Query& query) {
    switch (query.reply.outcome) {
        case Outcome::answered:
        case Outcome::no_such_name:
        case Outcome::no_address: return true;
        case Outcome::timeout:
        case Outcome::server_error: return false;
    }
    return false;
}

void Run::add(const std::string& name, Family family) {
    // What is only for a warning is worth no second try.
    const bool matters = ipv6_ || family == Family::ipv4;
    Query& query = queries_.emplace_back();
    query.name = &name;
    query.family = family;
    query.attempts = servers_.size() * static_cast<std::size_t>(matters ? std::max(options_.tries, 1) : 1);
    query.reply.outcome = Outcome::timeout;
    query.reply.problem = fmt::format("no reply from {}", names_);
    if (can_be_asked(name)) return;
    query.reply.outcome = Outcome::server_error;
    query.reply.problem = "DNS can't be asked for such a name";
}

std::map<std::string, Answer> Run::ask(const std::vector<std::string>& names) {
    queries_.reserve(names.size() * 2);
    for (const std::string& name : names) {
        add(name, Family::ipv4);
        add(name, Family::ipv6);
    }
    const auto line_up = [this](std::size_t index) {
        if (queries_[index].reply.outcome == Outcome::timeout) waiting_.push_back(&queries_[index]);
    };
    for (std::size_t i = 0; i < queries_.size(); ++i) {
        if (ipv6_ || queries_[i].family == Family::ipv4) line_up(i);
    }
    work();
    // Where IPv6 is denied, AAAA must not stand in the way of any A: it comes after all of them, and only where it adds to something.
    for (std::size_t i = 0; !ipv6_ && i < queries_.size(); i += 2) {
        if (answers(queries_[i])) line_up(i + 1);
    }
    work();
    for (DnsChannel* channel : channels()) channel->cancel();
    std::map<std::string, Answer> found;
    for (std::size_t i = 0; i < names.size(); ++i) found[names[i]] = combine(queries_[2 * i], queries_[2 * i + 1]);
    return found;
}

void Run::work() {
    while (!waiting_.empty() || in_flight_ > 0) {
        if (Clock::now() - started_ > options_.patience) break;
        fill();
        if (in_flight_ > 0) DnsChannel::wait(channels());
    }
}

void Run::fill() {
    while (!waiting_.empty() && in_flight_ < options_.in_flight) {
        Query& query = *waiting_.front();
        waiting_.pop_front();
        start(query);
    }
}

void Run::start(Query& query) {
    const std::size_t index = query.attempt % servers_.size();
    Asked& server = servers_[index];
    if (server.given_up || query.failed.count(index) != 0) {
        next(query);
        release(server.tcp);
        return;
    }
    if (query.over_tcp && !server.tcp.channel) {
        server.tcp.channel = std::make_unique<DnsChannel>(server.server, DnsChannel::Over::tcp, options_.timeout);
    }
    Line& line = query.over_tcp ? server.tcp : server.udp;
    if (!line.channel->good() || line.closed) {
        no_tcp(query, server, index, true);
        release(line);
        return;
    }
    if (line.one_by_one && line.in_flight > 0) {
        line.queue.push_back(&query);
        return;
    }
    query.alone = line.one_by_one;
    ++line.in_flight;
    ++in_flight_;
    query.replies_before = line.replies;
    line.channel->ask(*query.name, query.family, [this, &query](const DnsTry& result) { done(query, result); });
}

// The next one has the line to itself.
void Run::release(Line& line) {
    if (line.queue.empty() || line.in_flight > 0) return;
    waiting_.push_back(line.queue.front());
    line.queue.pop_front();
}

// One try of a query is over.
void Run::done(Query& query, const DnsTry& result) {
    --in_flight_;
    const std::size_t index = query.attempt % servers_.size();
    Asked& server = servers_[index];
    Line& line = query.over_tcp ? server.tcp : server.udp;
    --line.in_flight;
    if (result.what == DnsTry::What::ended) return;
    release(line);
    const bool refused = result.what == DnsTry::What::refused;
    switch (result.what) {
        case DnsTry::What::ended: return;
        case DnsTry::What::impossible:
            query.reply.outcome = Outcome::server_error;
            query.reply.problem = fmt::format("it could not be asked for: {}", result.problem);
            return;
        case DnsTry::What::replied:
            ++line.replies;
            server.unanswered = 0;
            replied(query, server, index, result.bytes);
            return;
        case DnsTry::What::refused:
            // What went down with another one has not been tried. Over UDP that is so where the server has answered since this was asked; over TCP it is
            // asked again alone to know.
            if (query.over_tcp ? !query.alone : line.replies != query.replies_before) {
                line.one_by_one = query.over_tcp;
                waiting_.push_back(&query);
                return;
            }
            line.closed = query.over_tcp && line.replies == 0;
            break;
        case DnsTry::What::silent: break;
    }
    if (query.over_tcp) {
        no_tcp(query, server, index, refused);
    } else {
        unanswered(query, server, refused);
    }
}

void Run::replied(Query& query, Asked& server, std::size_t index, std::string_view bytes) {
    query.server = server.name;
    Reply reply = read_reply(bytes, *query.name, query.family);
    const bool cut = is_truncated(bytes) || (bytes.size() >= most_udp_bytes && reply.outcome == Outcome::server_error);
    if (cut && !query.over_tcp) {
        query.over_tcp = true;
        waiting_.push_back(&query);
        return;
    }
    query.reply = std::move(reply);
    if (query.reply.outcome != Outcome::server_error) return;
    query.reply.problem = fmt::format("{} {}", server.name, query.reply.problem);
    query.failed.insert(index);
    next(query);
}

// The whole of a reply that was cut short can't be had. That says nothing about the server's other replies.
void Run::no_tcp(Query& query, const Asked& server, std::size_t index, bool refused) {
    query.reply.outcome = Outcome::server_error;
    query.reply.problem =
        fmt::format("{} cut its reply short, and {}", server.name,
                    refused ? "can't be reached over TCP (port closed, or no route)" : "says nothing over TCP");
    if (refused) query.failed.insert(index);
    next(query);
}

void Run::unanswered(Query& query, Asked& server, bool refused) {
    const Clock::time_point now = Clock::now();
    if (server.unanswered++ == 0) server.silent_since = now - options_.timeout;
    if (server.unanswered >= enough_silence && now - server.silent_since >= options_.timeout * options_.tries)
        server.given_up = true;
    if (query.reply.outcome == Outcome::timeout) {
        query.server = server.name;
        if (refused) query.reply.problem = fmt::format("{} can't be reached (port closed, or no route)", server.name);
    }
    next(query);
}

// The query goes to the end of the line for its next try, if it has one left: a server that is only overloaded gets some time.
void Run::next(Query& query) {
    query.over_tcp = false;
    while (++query.attempt < query.attempts) {
        const std::size_t index = query.attempt % servers_.size();
        if (servers_[index].given_up || query.failed.count(index) != 0) continue;
        waiting_.push_back(&query);
        return;
    }
}

std::vector<DnsChannel*> Run::channels() const {
    std::vector<DnsChannel*> all;
    for (const Asked& server : servers_) {
        all.push_back(server.udp.channel.get());
        if (server.tcp.channel) all.push_back(server.tcp.channel.get());
    }
    return all;
}

// Half an answer is none: addresses that are still good would be dropped with the half that is missing. Where IPv6 is denied, AAAA is no half: it opens
// nothing, and its failure takes nothing away.
Answer Run::combine(const Query& four, const Query& six) const {
    Answer answer;
    if (!answers(four) || (ipv6_ && !answers(six))) {
        const Query& bad =
            !answers(four) && (answers(six) || four.reply.outcome == Outcome::server_error || !ipv6_) ? four : six;
        answer.outcome = bad.reply.outcome;
        answer.server = bad.server;
        answer.detail = bad.reply.problem;
        if (answers(four)) answer.detail += " (about AAAA; A was answered)";
        if (answers(six)) answer.detail += " (about A; AAAA was answered)";
        return answer;
    }
    const Reply none{
        .outcome = four.reply.outcome, .addresses = {}, .ttl = four.reply.ttl, .cnames = {}, .problem = {}};
    const Reply& other = answers(six) ? six.reply : none;
    const bool six_first = four.reply.addresses.empty() && !other.addresses.empty();
    const Reply& first = six_first ? other : four.reply;
    answer.server = six_first ? six.server : four.server;
    answer.cnames = first.cnames;
    answer.addresses = four.reply.addresses;
    answer.addresses.insert(answer.addresses.end(), other.addresses.begin(), other.addresses.end());
    std::sort(answer.addresses.begin(), answer.addresses.end());
    answer.addresses.erase(std::unique(answer.addresses.begin(), answer.addresses.end()), answer.addresses.end());
    if (answer.addresses.empty()) {
        const bool absent = four.reply.outcome == Outcome::no_such_name && other.outcome == Outcome::no_such_name;
        answer.outcome = absent ? Outcome::no_such_name : Outcome::no_address;
        answer.ttl = std::min(four.reply.ttl, other.ttl);
        return answer;
    }
    answer.outcome = Outcome::answered;
    answer.detail = four.reply.problem.empty() ? other.problem : four.reply.problem;
    answer.ttl = first.ttl;
    if (!other.addresses.empty()) answer.ttl = std::min(answer.ttl, other.ttl);
    return answer;
}

class DnsResolver : public Resolver {
public:
    explicit DnsResolver(DnsOptions options) : options_(std::move(options)) {}

    std::map<std::string, Answer> resolve(const Question& question) override {
        std::ifstream file(options_.hosts);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const Addresses hosts = parse_hosts(text);
        std::map<std::string, Answer> answers;
        std::vector<std::string> rest;
        for (const std::string& name : question.names) {
            const auto local = hosts.find(name);
            if (local == hosts.end()) {
                rest.push_back(name);
                continue;
            }
            Answer& answer = answers[name];
            answer.outcome = Outcome::answered;
            answer.addresses = local->second;
            std::sort(answer.addresses.begin(), answer.addresses.end());
            answer.server = options_.hosts;
        }
        if (rest.empty()) return answers;
        const std::vector<Server> servers = question.servers.empty() ? system_servers() : question.servers;
        if (servers.empty()) {
            for (const std::string& name : rest)
                answers[name].detail = "there is no server to ask: /etc/resolv.conf names none";
            return answers;
        }
        Run run(options_, servers, question.ipv6);
        answers.merge(run.ask(rest));
        return answers;
    }

private:
    DnsOptions options_;
};

}  // namespace

std::unique_ptr<Resolver> make_dns_resolver(const DnsOptions& options) {
    return std::make_unique<DnsResolver>(options);
}

}  // namespace policyc
