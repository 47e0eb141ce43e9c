// Compares what an apply depends on with what the last one saw: keep_sight() and known_unchanged().
#include "compiler/driver/unchanged.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/driver/help.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/state.h"

namespace policyc {

namespace {

constexpr std::size_t most_bytes = std::size_t{8} * max_policy_bytes;

std::string path_of(const World& world) {
    return world.state_dir + "/unchanged";
}

// The file is a row of fields: length, colon, bytes, line feed.
std::string field(std::string_view text) {
    return fmt::format("{}:{}\n", text.size(), text);
}

class Fields {
public:
    explicit Fields(std::string_view text) : text_(text) {}

    // Nothing at the end, and where it is not such a file.
    std::optional<std::string_view> next() {
        std::size_t size = 0;
        const char* begin = text_.data();
        const char* end = begin + text_.size();
        const auto [colon, error] = std::from_chars(begin, end, size);
        if (error != std::errc() || colon == end || *colon != ':') return {};
        const auto rest = static_cast<std::size_t>(end - colon) - 1;
        if (rest <= size || colon[1 + size] != '\n') return {};
        const std::string_view found(colon + 1, size);
        text_ = {colon + 2 + size, rest - size - 1};
        return found;
    }
    [[nodiscard]] bool done() const { return text_.empty(); }

private:
    std::string_view text_;
};

// 0 where it is none.
template <typename Number>
Number number_of(std::string_view text) {
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// What must be equal byte for byte. Nothing where this host can't tell one moment from another.
std::optional<std::string> circumstances(const Options& options, const Moment& moment, const World& world) {
    const std::string record = record_identity(world);
    if (world.boot.empty() || world.program.empty() || moment.network_namespace == 0 || record.empty()) return {};
    std::string text = field("policyc unchanged 1");
    for (const std::string& one :
         {std::string(version()), world.program, world.boot, std::to_string(moment.network_namespace),
          std::to_string(moment.generation), record, std::to_string(today(world).time_since_epoch().count()),
          world.host_name, world.hosts_file, options.policy, options.backend, std::string(options.offline ? "1" : "0")})
        text += field(one);
    for (const std::optional<std::string>& one : {options.node, options.lock, options.layout, options.answers})
        text += field(one ? "=" + *one : "");
    return text;
}

std::string answer_of(const std::string& path, const Result<std::string>& text) {
    if (text) return "=" + text.value();
    return fmt::format("{}{}", exists(path) ? "!" : "-", text.error().message);
}

std::string answer_of(const Result<std::vector<std::string>>& paths) {
    if (!paths) return "!" + paths.error().message;
    std::string text = "=";
    for (const std::string& path : paths.value()) text += path + '\0';
    return text;
}

// Every question that was asked then has the same answer now.
bool same_answers(Fields& fields, const Files& files) {
    while (const auto kind = fields.next()) {
        if (*kind == "end") return fields.done();
        const auto path = fields.next();
        const auto more = fields.next();
        const auto answer = fields.next();
        if (!answer) return false;
        if (*kind == "read") {
            const Result<std::string> text = files.read(std::string(*path), number_of<std::size_t>(*more));
            if (answer_of(std::string(*path), text) != *answer) return false;
        } else if (answer_of(files.match(std::string(*path), std::string(*more))) != *answer) {
            return false;
        }
    }
    return false;
}

}  // namespace

Result<std::string> Witness::read(const std::string& path, std::size_t limit) const {
    Result<std::string> text = files_.read(path, limit);
    if (!path.starts_with(record_))
        said_ += field("read") + field(path) + field(std::to_string(limit)) + field(answer_of(path, text));
    return text;
}

Result<std::vector<std::string>> Witness::match(const std::string& directory, const std::string& pattern) const {
    Result<std::vector<std::string>> paths = files_.match(directory, pattern);
    said_ += field("match") + field(directory) + field(pattern) + field(answer_of(paths));
    return paths;
}

Result<void> Witness::write(const std::string& path, const std::string& text, unsigned mode) {
    wrote_ = wrote_ || !path.starts_with(record_);
    return files_.write(path, text, mode);
}

std::optional<std::string> Witness::testimony() const {
    return wrote_ ? std::optional<std::string>() : said_;
}

bool has_timers(const ir::Ruleset& ruleset) {
    return std::ranges::any_of(ruleset.sets, [](const ir::Set& set) {
        if (set.dynamic) return false;
        for (std::size_t i = 0; i < set.elements.size(); ++i)
            if (set.elements.life(i).timeout != 0) return true;
        return set.timeout != 0;
    });
}

void keep_sight(const Sight& sight, const Witness& files, const Options& options, World& world) {
    const std::optional<std::string> head = circumstances(options, sight.moment, world);
    const std::optional<std::string> answers = files.testimony();
    if (!head || !answers) return;
    const std::string until = sight.until ? std::to_string(sight.until->time_since_epoch().count()) : "";
    const std::string text = *head + field(sight.tunnel.node) + field(sight.tunnel.interface) +
                             field(sight.tunnel.place) + field(sight.tunnel.judges_all ? "1" : "0") + field(until) +
                             *answers + field("end");
    if (text.size() <= most_bytes) (void)world.files->write(path_of(world), text, 0600);
}

std::optional<Tunnel> known_unchanged(const Options& options, World& world, Kernel& kernel) {
    const Result<std::string> text = world.files->read(path_of(world), most_bytes);
    if (!text) return {};
    const Result<Moment> moment = kernel.moment();
    if (!moment) return {};
    const std::optional<std::string> head = circumstances(options, moment.value(), world);
    if (!head || !text.value().starts_with(*head)) return {};

    Fields fields(std::string_view(text.value()).substr(head->size()));
    const auto node = fields.next();
    const auto interface = fields.next();
    const auto place = fields.next();
    const auto judges_all = fields.next();
    const auto until = fields.next();
    if (!until) return {};
    if (!until->empty() && world.now.time_since_epoch().count() > number_of<std::int64_t>(*until)) return {};
    if (!same_answers(fields, *world.files)) return {};
    return Tunnel{.node = std::string(*node),
                  .interface = std::string(*interface),
                  .place = std::string(*place),
                  .judges_all = *judges_all == "1"};
}

}  // namespace policyc
