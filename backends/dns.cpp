// Asks DNS servers for all names at once: make_dns_resolver().
#include "backends/dns.h"

#include <ares.h>
#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <fstream>
#include <iterator>
#include <set>

#include "backends/dns_reply.h"

namespace policyc {

namespace {

using Clock = std::chrono::steady_clock;

struct Library {
    Library() { ares_library_init(ARES_LIB_INIT_ALL); }
    ~Library() { ares_library_cleanup(); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
};

// A c-ares channel to one server, so that it is known who answered; its sockets, as c-ares reports them.
class Channel {
public:
    Channel(const Server& server, std::chrono::milliseconds timeout) {
        std::string nothing = "/dev/null";
        std::string lookups = "b";
        ares_options options{};
        options.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
        options.timeout = static_cast<int>(timeout.count());
        options.tries = 1;  // tries are counted here, to go from server to server in between
        options.lookups = lookups.data();
        options.resolvconf_path = nothing.data();
        options.sock_state_cb = [](void* self, int socket, int readable, int writable) {
            static_cast<Channel*>(self)->watch(socket, readable != 0, writable != 0);
        };
        options.sock_state_cb_data = this;
        const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF |
                         ARES_OPT_SOCK_STATE_CB;
        if (ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) {
            channel_ = nullptr;
            return;
        }
        ares_addr_port_node node{};
        node.udp_port = server.port;
        node.tcp_port = server.port;
        u128 bits = server.address.bits;
        if (server.address.family == Family::ipv4) {
            node.family = AF_INET;
            node.addr.addr4.s_addr = htonl(static_cast<std::uint32_t>(bits));
        } else {
            node.family = AF_INET6;
            auto* bytes = reinterpret_cast<unsigned char*>(&node.addr.addr6);
            for (int i = 15; i >= 0; --i, bits >>= 8U) bytes[i] = static_cast<unsigned char>(bits & 0xFFU);
        }
        ares_set_servers_ports(channel_, &node);
    }
    ~Channel() {
        if (channel_ != nullptr) ares_destroy(channel_);
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    [[nodiscard]] ares_channel get() const { return channel_; }
    [[nodiscard]] const std::map<int, short>& sockets() const { return sockets_; }

private:
    void watch(int socket, bool readable, bool writable) {
        const int events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
        if (events == 0) {
            sockets_.erase(socket);
        } else {
            sockets_[socket] = static_cast<short>(events);
        }
    }

    ares_channel channel_ = nullptr;
    std::map<int, short> sockets_;
};

// A server and how it has behaved in this run.
struct Asked {
    std::unique_ptr<Channel> channel;
    std::string name;            // for people
    std::size_t unanswered = 0;  // tries in a row that nothing came back for
    Clock::time_point silent_since{};
    bool given_up = false;
};

// So many tries in a row without a reply, for as long as one query waits in all, and a server is taken for dead.
constexpr std::size_t enough_silence = 32;

class Run;

// One query: a name and a family, on its way from server to server.
struct Query {
    Run* run = nullptr;
    const std::string* name = nullptr;
    Family family = Family::ipv4;
    std::size_t attempt = 0;       // the server is this modulo their number
    std::set<std::size_t> failed;  // servers that replied with a failure: not asked again
    Reply reply;                   // `timeout` for as long as nobody said anything
    std::string server;
};

class Run {
public:
    Run(const DnsOptions& options, const std::vector<Server>& servers) : options_(options), started_(Clock::now()) {
        for (const Server& server : servers) {
            Asked asked;
            asked.channel = std::make_unique<Channel>(server, options.timeout);
            asked.name = to_string(server.address);
            const bool six = server.address.family == Family::ipv6;
            if (server.port != 53 && six) asked.name = fmt::format("[{}]", asked.name);
            if (server.port != 53) asked.name += fmt::format(":{}", server.port);
            asked.given_up = asked.channel->get() == nullptr;
            names_ += (names_.empty() ? "" : ", ") + asked.name;
            servers_.push_back(std::move(asked));
        }
    }

    std::map<std::string, Answer> ask(const std::vector<std::string>& names);

    // c-ares is done with one try of a query.
    void done(Query& query, int status, std::string_view bytes);

private:
    void start(Query& query);
    void fill();
    void wait();
    void replied(Query& query, Asked& server, std::size_t index, Reply reply);
    void unanswered(Query& query, Asked& server, int status);
    void next(Query& query);
    [[nodiscard]] Answer combine(const Query& four, const Query& six) const;

    const DnsOptions& options_;
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

std::map<std::string, Answer> Run::ask(const std::vector<std::string>& names) {
    queries_.reserve(names.size() * 2);
    for (const std::string& name : names) {
        for (const Family family : {Family::ipv4, Family::ipv6}) {
            Query& query = queries_.emplace_back();
            query.run = this;
            query.name = &name;
            query.family = family;
            query.reply.outcome = Outcome::timeout;
            query.reply.problem = fmt::format("no reply from {}", names_);
            if (can_be_asked(name)) {
                waiting_.push_back(&query);
            } else {
                query.reply.outcome = Outcome::server_error;
                query.reply.problem = "DNS can't be asked for such a name";
            }
        }
    }
    while (!waiting_.empty() || in_flight_ > 0) {
        if (Clock::now() - started_ > options_.patience) break;
        fill();
        if (in_flight_ > 0) wait();
    }
    for (const Asked& server : servers_) {
        if (server.channel->get() != nullptr) ares_cancel(server.channel->get());
    }
    std::map<std::string, Answer> answers;
    for (std::size_t i = 0; i < names.size(); ++i) answers[names[i]] = combine(queries_[2 * i], queries_[2 * i + 1]);
    return answers;
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
    if (servers_[index].given_up || query.failed.count(index) != 0) {
        next(query);
        return;
    }
    ++in_flight_;
    ares_query(
        servers_[index].channel->get(), query.name->c_str(), 1 /* IN */,
        query.family == Family::ipv4 ? 1 : 28 /* A, AAAA */,
        [](void* argument, int status, int /*timeouts*/, unsigned char* bytes, int size) {
            auto& asked = *static_cast<Query*>(argument);
            const auto length = bytes == nullptr ? std::size_t{0} : static_cast<std::size_t>(std::max(size, 0));
            asked.run->done(asked, status, {reinterpret_cast<const char*>(bytes), length});
        },
        &query);
}

void Run::done(Query& query, int status, std::string_view bytes) {
    --in_flight_;
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) return;
    const std::size_t index = query.attempt % servers_.size();
    Asked& server = servers_[index];
    if (status != ARES_SUCCESS && bytes.empty() && status != ARES_ETIMEOUT && status != ARES_ECONNREFUSED) {
        query.reply.outcome = Outcome::server_error;
        query.reply.problem = fmt::format("it could not be asked for: {}", ares_strerror(status));
    } else if (!bytes.empty()) {
        replied(query, server, index, read_reply(bytes, *query.name, query.family));
    } else {
        unanswered(query, server, status);
    }
}

void Run::replied(Query& query, Asked& server, std::size_t index, Reply reply) {
    server.unanswered = 0;
    query.server = server.name;
    if (reply.outcome == Outcome::server_error) {
        reply.problem = fmt::format("{} {}", server.name, reply.problem);
        query.failed.insert(index);
    }
    query.reply = std::move(reply);
    if (query.reply.outcome == Outcome::server_error) next(query);
}

void Run::unanswered(Query& query, Asked& server, int status) {
    const Clock::time_point now = Clock::now();
    if (server.unanswered++ == 0) server.silent_since = now - options_.timeout;
    if (server.unanswered >= enough_silence && now - server.silent_since >= options_.timeout * options_.tries)
        server.given_up = true;
    if (query.reply.outcome == Outcome::timeout) {
        query.server = server.name;
        if (status == ARES_ECONNREFUSED)
            query.reply.problem = fmt::format("{} can't be reached (port closed, or no route)", server.name);
    }
    next(query);
}

// The query goes to the end of the line for its next try, if it has one left: a server that is only overloaded gets some time.
void Run::next(Query& query) {
    const std::size_t attempts = servers_.size() * static_cast<std::size_t>(std::max(options_.tries, 1));
    while (++query.attempt < attempts) {
        const std::size_t index = query.attempt % servers_.size();
        if (servers_[index].given_up || query.failed.count(index) != 0) continue;
        waiting_.push_back(&query);
        return;
    }
}

void Run::wait() {
    std::vector<pollfd> sockets;
    std::vector<ares_channel> owners;
    timeval longest{1, 0};
    timeval left = longest;
    for (const Asked& server : servers_) {
        const ares_channel channel = server.channel->get();
        if (channel == nullptr) continue;
        timeval buffer{};
        left = *ares_timeout(channel, &left, &buffer);
        for (const auto& [socket, events] : server.channel->sockets()) {
            sockets.push_back({socket, events, 0});
            owners.push_back(channel);
        }
    }
    const auto milliseconds = static_cast<int>(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
    const int ready = poll(sockets.data(), sockets.size(), milliseconds);
    if (ready < 0 && errno != EINTR) return;
    for (std::size_t i = 0; ready > 0 && i < sockets.size(); ++i) {
        const pollfd& at = sockets[i];
        if (at.revents == 0) continue;
        const bool trouble = (at.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        const bool readable = (at.revents & POLLIN) != 0 || (trouble && (at.events & POLLIN) != 0);
        const bool writable = (at.revents & POLLOUT) != 0 || (trouble && (at.events & POLLOUT) != 0);
        ares_process_fd(owners[i], readable ? at.fd : ARES_SOCKET_BAD, writable ? at.fd : ARES_SOCKET_BAD);
    }
    for (const Asked& server : servers_) {
        if (server.channel->get() != nullptr) ares_process_fd(server.channel->get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
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

// Half an answer is none: addresses that are still good would be dropped with the half that is missing.
Answer Run::combine(const Query& four, const Query& six) const {
    Answer answer;
    if (!answers(four) || !answers(six)) {
        const Query& bad = !answers(four) && (answers(six) || four.reply.outcome == Outcome::server_error) ? four : six;
        answer.outcome = bad.reply.outcome;
        answer.server = bad.server;
        answer.detail = bad.reply.problem;
        if (answers(four)) answer.detail += " (about AAAA; A was answered)";
        if (answers(six)) answer.detail += " (about A; AAAA was answered)";
        return answer;
    }
    const Query& first = four.reply.addresses.empty() && !six.reply.addresses.empty() ? six : four;
    answer.server = first.server;
    answer.cnames = first.reply.cnames;
    answer.addresses = four.reply.addresses;
    answer.addresses.insert(answer.addresses.end(), six.reply.addresses.begin(), six.reply.addresses.end());
    std::sort(answer.addresses.begin(), answer.addresses.end());
    answer.addresses.erase(std::unique(answer.addresses.begin(), answer.addresses.end()), answer.addresses.end());
    if (answer.addresses.empty()) {
        const bool absent = four.reply.outcome == Outcome::no_such_name && six.reply.outcome == Outcome::no_such_name;
        answer.outcome = absent ? Outcome::no_such_name : Outcome::no_address;
        answer.ttl = std::min(four.reply.ttl, six.reply.ttl);
        return answer;
    }
    answer.outcome = Outcome::answered;
    answer.detail = four.reply.problem.empty() ? six.reply.problem : four.reply.problem;
    answer.ttl = first.reply.ttl;
    if (!six.reply.addresses.empty()) answer.ttl = std::min(answer.ttl, six.reply.ttl);
    return answer;
}

std::vector<Server> system_servers() {
    std::vector<Server> servers;
    ares_channel channel = nullptr;
    if (ares_init(&channel) != ARES_SUCCESS) return servers;
    const std::unique_ptr<ares_channeldata, void (*)(ares_channel)> owner(channel, ares_destroy);
    ares_addr_port_node* first = nullptr;
    if (ares_get_servers_ports(channel, &first) != ARES_SUCCESS) return servers;
    const std::unique_ptr<ares_addr_port_node, void (*)(void*)> nodes(first, ares_free_data);
    for (const ares_addr_port_node* node = first; node != nullptr; node = node->next) {
        Server server;
        if (node->udp_port != 0) server.port = static_cast<std::uint16_t>(node->udp_port);
        if (node->family == AF_INET) {
            server.address = {Family::ipv4, ntohl(node->addr.addr4.s_addr)};
        } else {
            server.address.family = Family::ipv6;
            const auto* bytes = reinterpret_cast<const unsigned char*>(&node->addr.addr6);
            for (int i = 0; i < 16; ++i) server.address.bits = server.address.bits << 8U | bytes[i];
        }
        servers.push_back(server);
    }
    return servers;
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
        Run run(options_, servers);
        answers.merge(run.ask(rest));
        return answers;
    }

private:
    Library library_;
    DnsOptions options_;
};

}  // namespace

std::unique_ptr<Resolver> make_dns_resolver(const DnsOptions& options) {
    return std::make_unique<DnsResolver>(options);
}

}  // namespace policyc
