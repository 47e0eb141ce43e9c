// Ruleset to nft(8) syntax; entry point to_nft(). One pass that appends to one string, since a set may hold 10^6 elements.
#include "backends/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "backends/text_words.h"

namespace policyc {

using namespace ir;

namespace {

// Comments of elements are aligned behind the longest key, where finding it costs little.
constexpr std::size_t elements_to_measure = 10000;
constexpr std::size_t widest_key = 60;

class RulesetText {
public:
    RulesetText(const Ruleset& ruleset, const Sources* sources) : ruleset_(ruleset), sources_(sources) {
        std::size_t bytes = 4096;
        for (const Set& set : ruleset.sets) bytes += 100 + set.elements.size() * 80;
        out_.reserve(bytes + ruleset.counters.size() * 100);
    }

    std::string write() {
        add("# table inet policyc of node {}, written by policyc {}: change the policy, not this\n",
            ruleset_.node.empty() ? "?" : remark(ruleset_.node), POLICYC_VERSION);
        out_ += "\n# add before delete: the table may not exist yet; all of this file is one transaction\n";
        add("add table inet {0}\ndelete table inet {0}\n", table_name);
        if (ruleset_.empty()) return std::move(out_);

        add("\ntable inet {} {{\n", table_name);
        for (const Counter& counter : ruleset_.counters) write_counter(counter);
        for (const Set& set : ruleset_.sets) write_set(set);
        for (const Chain& chain : ruleset_.chains) write_chain(chain);
        for (const Foreign& foreign : ruleset_.foreign) add("\t# not from policyc: {}\n", remark(foreign.text));
        out_ += "}\n";
        return std::move(out_);
    }

private:
    template <typename... T>
    void add(fmt::format_string<T...> format, T&&... values) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<T>(values)...);
    }

    // Objects of the table are set apart by an empty line.
    void begin() {
        if (!first_) out_ += '\n';
        first_ = false;
    }

    [[nodiscard]] std::string place(Span span) const {
        return sources_ != nullptr && span.valid() ? remark(sources_->place(span)) : std::string{};
    }

    void write_counter(const Counter& counter) {
        begin();
        add("\tcounter {} {{\n", counter.name);
        if (!counter.comment.empty()) {
            const std::string at = place(counter.span);
            add("\t\tcomment \"{}\"{}{}\n", remark(counter.comment), at.empty() ? "" : "  # ", at);
        }
        if (counter.packets != 0 || counter.bytes != 0)
            add("\t\tpackets {} bytes {}\n", counter.packets, counter.bytes);
        out_ += "\t}\n";
    }

    void write_set(const Set& set) {
        begin();
        if (!set.comment.empty()) add("\t# {}\n", remark(set.comment));
        const bool map = set.map_to != MapTo::nothing;
        add("\t{} {} {{\n\t\ttype ", map ? "map" : "set", set.name);
        for (std::size_t i = 0; i < set.types.size(); ++i) add("{}{}", i == 0 ? "" : " . ", nft_word(set.types[i]));
        out_ += !map ? "\n" : set.map_to == MapTo::counter ? " : counter\n" : " : verdict\n";
        if (set.dynamic)
            out_ += "\t\tflags dynamic,timeout\n";
        else if (set.interval || set.timed)
            add("\t\tflags {}\n", !set.timed ? "interval" : set.interval ? "interval,timeout" : "timeout");
        if (set.timeout != 0) add("\t\ttimeout {}s\n", set.timeout);
        if (set.size != 0) add("\t\tsize {}\n", set.size);
        if (!set.dynamic && !set.elements.empty()) write_elements(set);
        out_ += "\t}\n";
    }

    void append_key(const Set& set, std::size_t element) {
        for (std::size_t field = 0; field < set.types.size(); ++field) {
            if (field != 0) out_ += " . ";
            append_field(out_, set.elements, element, field);
        }
        if (const std::uint64_t life = set.elements.life(element).timeout; life != 0) add(" timeout {}ms", life);
        if (set.map_to != MapTo::nothing) add(" : {}", value_text(ruleset_, set, element));
    }

    [[nodiscard]] std::size_t key_width(const Set& set) {
        if (set.elements.size() > elements_to_measure) return std::min(set.types.size() * 18, widest_key);
        const std::size_t before = out_.size();
        std::size_t width = 0;
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            append_key(set, i);
            width = std::max(width, out_.size() - before);
            out_.resize(before);
        }
        return std::min(width, widest_key);
    }

    void write_elements(const Set& set) {
        const std::size_t width = key_width(set);
        out_ += "\t\telements = {\n";
        for (std::size_t i = 0; i < set.elements.size(); ++i) {
            out_ += "\t\t\t";
            const std::size_t start = out_.size();
            append_key(set, i);
            out_ += ',';
            const std::string& why = because(set.elements.cause(i));
            if (!why.empty()) {
                const std::size_t written = out_.size() - start;
                out_.append(written < width + 1 ? width + 1 - written : 0, ' ');
                out_ += "   # ";
                out_ += why;
            }
            out_ += '\n';
        }
        out_ += "\t\t}\n";
    }

    // "laptop -> grafana  policy.toml:56". Neighbours often have one cause.
    const std::string& because(Cause cause) {
        if (cause.subject == last_.subject && cause.object == last_.object) return because_;
        last_ = cause;
        because_.clear();
        const Label* who = cause.subject < ruleset_.subjects.size() ? &ruleset_.subjects[cause.subject] : nullptr;
        const Label* what = cause.object < ruleset_.objects.size() ? &ruleset_.objects[cause.object] : nullptr;
        if (who != nullptr) because_ = remark(who->name);
        if (what != nullptr) because_ += (who != nullptr ? " -> " : "") + remark(what->name);
        std::string at = what != nullptr ? place(what->span) : std::string{};
        if (at.empty() && who != nullptr) at = place(who->span);
        if (!at.empty()) because_ += (because_.empty() ? "" : "  ") + at;
        return because_;
    }

    // The name people know a priority by, where it has one (nft(8), "standard priority names").
    static std::string priority(const BaseChain& base) {
        if (base.priority == -150) return "mangle";
        if (base.priority == 100 && base.hook == Hook::postrouting) return "srcnat";
        if (base.priority == 0) return "filter";
        if (std::abs(base.priority) > 50) return std::to_string(base.priority);
        return fmt::format("filter {} {}", base.priority < 0 ? '-' : '+', std::abs(base.priority));
    }

    void write_chain(const Chain& chain) {
        begin();
        if (!chain.comment.empty()) add("\t# {}\n", remark(chain.comment));
        add("\tchain {} {{\n", chain.name);
        if (chain.base) {
            add("\t\ttype {} hook {} priority {}; policy {};\n", chain.base->nat ? "nat" : "filter",
                nft_word(chain.base->hook), priority(*chain.base), chain.base->policy_drop ? "drop" : "accept");
            if (!chain.rules.empty()) out_ += '\n';
        }
        for (const Rule& rule : chain.rules) write_rule(rule);
        out_ += "\t}\n";
    }

    // A rule with a part that policyc doesn't know is only shown: without that part it would mean something else.
    void write_rule(const Rule& rule) {
        const bool known = std::none_of(rule.statements.begin(), rule.statements.end(),
                                        [](const Statement& s) { return std::holds_alternative<Unknown>(s); });
        out_ += known ? "\t\t" : "\t\t# not from policyc: ";
        for (std::size_t i = 0; i < rule.statements.size(); ++i) {
            if (i != 0) out_ += ' ';
            out_ += known ? to_nft(rule.statements[i]) : remark(to_nft(rule.statements[i]));
        }
        if (!rule.comment.empty()) add(" comment \"{}\"", remark(rule.comment));
        const std::string at = place(rule.span);
        if (!at.empty()) add("  # {}", at);
        out_ += '\n';
    }

    const Ruleset& ruleset_;
    const Sources* sources_;
    std::string out_;
    bool first_ = true;
    Cause last_{UINT32_MAX - 1, UINT32_MAX - 1};
    std::string because_;
};

}  // namespace

std::string to_nft(const Ruleset& ruleset, const Sources* sources) {
    return RulesetText(ruleset, sources).write();
}

}  // namespace policyc
