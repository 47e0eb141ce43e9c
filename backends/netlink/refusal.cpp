// From the sequence number and offset of a refusal to the element and the policy line; entry point refusal_error().
#include "backends/netlink/refusal.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "backends/netlink/attributes.h"
#include "backends/probe.h"
#include "backends/text_words.h"
#include "compiler/dormant.h"

namespace policyc::netlink {

namespace {

using namespace ir;
using What = Origin::What;

// The message of the batch with that sequence number; batches are walked rarely, and then once.
const nlmsghdr* message_of(const Batch& batch, std::uint32_t sequence) {
    int left = static_cast<int>(batch.bytes.size());
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(batch.bytes.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left))
        if (message->nlmsg_seq == sequence) return message;
    return nullptr;
}

// How many elements of the message begin at or before that offset, less one: the one it lies in. Ends of intervals don't count.
std::optional<std::size_t> element_at(const nlmsghdr& message, std::uint32_t offset) {
    Attributes attributes(message);
    for (Attribute list; attributes.next(list);) {
        if (list.type != NFTA_SET_ELEM_LIST_ELEMENTS) continue;
        std::size_t count = 0;
        Attributes elements(list.data);
        for (Attribute element; elements.next(element);) {
            const auto behind = element.data.data() - reinterpret_cast<const char*>(&message);
            if (behind - static_cast<std::ptrdiff_t>(sizeof(nlattr)) > static_cast<std::ptrdiff_t>(offset)) break;
            bool end = false;
            Attributes parts(element.data);
            for (Attribute part; parts.next(part);) end = end || part.type == NFTA_SET_ELEM_FLAGS;
            if (!end) ++count;
        }
        return count == 0 ? 0 : count - 1;
    }
    return std::nullopt;
}

std::string element_text(const Ruleset& ruleset, const Set& set, std::size_t element) {
    std::string text;
    for (std::size_t field = 0; field < set.types.size(); ++field) {
        if (field != 0) text += " . ";
        append_field(text, set.elements, element, field);
    }
    if (set.map_to != MapTo::nothing) text += " : " + value_text(ruleset, set, element);
    return text;
}

std::string rule_text(const Rule& rule) {
    std::string text;
    for (const Statement& statement : rule.statements) text += (text.empty() ? "" : " ") + to_nft(statement);
    return text;
}

struct Subject {
    std::string text;  // "`10.69.50.11 . 22` in set input_tcp4"
    std::string use;   // "laptop -> grafana"
    Span span;
};

Subject subject_of(const Plan& plan, const Origin& origin, const nlmsghdr* message, std::uint32_t offset) {
    const Ruleset& ruleset = origin.removes ? *plan.before : *plan.after;
    switch (origin.what) {
        case What::batch: return {};
        case What::table: return {fmt::format("table inet {}", table_name), {}, {}};
        case What::foreign: return {ruleset.foreign[origin.index].text, {}, {}};
        case What::counter: {
            const Counter& counter = ruleset.counters[origin.index];
            return {fmt::format("counter {}", counter.name), counter.comment, counter.span};
        }
        case What::set: return {fmt::format("set {}", ruleset.sets[origin.index].name), {}, {}};
        case What::chain: return {fmt::format("chain {}", ruleset.chains[origin.index].name), {}, {}};
        case What::rule: {
            const Chain& chain = ruleset.chains[origin.index];
            const Rule& rule = chain.rules[origin.rule];
            return {fmt::format("`{}` in chain {}", rule_text(rule), chain.name), {}, rule.span};
        }
        case What::elements: break;
    }
    const Set& set = ruleset.sets[origin.index];
    const auto inside = message != nullptr && offset != 0 ? element_at(*message, offset) : std::nullopt;
    if (!inside) return {fmt::format("an element of set {}", set.name), {}, {}};
    const std::size_t place = origin.first + *inside;
    const std::size_t element = origin.list != nullptr ? (*origin.list)[place] : place;
    Subject out{fmt::format("`{}` in set {}", element_text(ruleset, set, element), set.name), {}, {}};
    const Cause cause = set.elements.cause(element);
    const Label* who = cause.subject < ruleset.subjects.size() ? &ruleset.subjects[cause.subject] : nullptr;
    const Label* what = cause.object < ruleset.objects.size() ? &ruleset.objects[cause.object] : nullptr;
    if (who != nullptr) out.use = remark(who->name);
    if (what != nullptr) out.use += (who != nullptr ? " -> " : "") + remark(what->name);
    if (what != nullptr) out.span = what->span;
    if (!out.span.valid() && who != nullptr) out.span = who->span;
    return out;
}

// What errno means where nf_tables says it (net/netfilter/nf_tables_api.c), where strerror() misleads.
std::string reason_of(const Refusal& refusal, const Origin& origin) {
    std::string reason = std::strerror(refusal.error);
    if (origin.what == What::elements && refusal.error == ENFILE) reason = "the set is full";
    if (refusal.error == EBUSY) reason = "something else still uses it";
    if (refusal.error == ENOMEM) reason = "the kernel has no memory for it";
    return refusal.text.empty() ? reason : fmt::format("{} ({})", reason, refusal.text);
}

}  // namespace

Error refusal_error(const Plan& plan, const Batch& batch, const Answers& answers) {
    for (const Refusal& refusal : answers.refusals)
        if (refusal.error == EPERM) return is_owned(*plan.before) ? owned_by_other() : not_permitted();
    const Refusal* chosen = &answers.refusals.front();
    for (const Refusal& refusal : answers.refusals) {
        if (refusal.sequence == 0 || refusal.sequence >= batch.origins.size()) continue;
        chosen = &refusal;
        break;
    }
    const Origin origin =
        chosen->sequence < batch.origins.size() ? batch.origins[chosen->sequence] : Origin{.what = What::batch};
    const Subject subject = subject_of(plan, origin, message_of(batch, chosen->sequence), chosen->offset);
    Error error{"the kernel refused the ruleset and keeps the one it had", {}, subject.span};
    if (!subject.text.empty()) error.message += ": " + subject.text;
    if (!subject.use.empty()) error.message += fmt::format(", which is for {},", subject.use);
    error.message += ": " + reason_of(*chosen, origin);
    if (answers.refusals.size() > 1) error.message += fmt::format(" (and {} more)", answers.refusals.size() - 1);
    error.help = "`policyc compile POLICY | nft -c -f -` shows what nft says of it without changing anything";
    return error;
}

}  // namespace policyc::netlink
