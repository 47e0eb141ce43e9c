// Asks the diagram of a policy what explain was asked. Entry point: compare_with_diagram().
#include "compiler/driver/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "compiler/driver/prove.h"

namespace policyc {

namespace {

using proof::Boxes;
using proof::Diagrams;
using proof::just;
using proof::Level;
using proof::Meaning;
using proof::place;
using proof::Way;

constexpr proof::Side side_of(explain::Side side) {
    switch (side) {
        case explain::Side::tunnel: return proof::Side::tunnel;
        case explain::Side::other: return proof::Side::other;
        case explain::Side::untouched: return proof::Side::untouched;
        case explain::Side::loopback: return proof::Side::loopback;
    }
    return {};
}

// The packets that begin the flows of a part.
Result<proof::Set> flows_of(const explain::Part& part, const Ports& ports, Diagrams& diagrams) {
    std::vector<proof::Interval> box;
    for (const Level& level : diagrams.levels()) box.push_back({0, level.max});
    Boxes who(diagrams.levels());
    for (const Range& range : part.sources.ranges()) {
        std::vector<proof::Interval> from = box;
        from[place(proof::Field::source)] = {range.lo, range.hi};
        who.add(from);
    }
    const Result<proof::Set> sources = diagrams.build(who).set;
    if (!sources) return sources;

    box[place(proof::Field::hook)] = just(proof_hook(part.passage.hook));
    box[place(proof::Field::way)] = just(Way::begin);
    box[place(proof::Field::in)] = just(side_of(part.passage.in));
    box[place(proof::Field::out)] = just(side_of(part.passage.out));
    switch (ports.protocol) {
        case Protocol::any: break;
        case Protocol::tcp:
        case Protocol::udp:
            box[place(proof::Field::protocol)] =
                just(ports.protocol == Protocol::tcp ? proof::tcp_number : proof::udp_number);
            box[place(proof::Field::port)] = {ports.lo, ports.hi};
            break;
        case Protocol::ping:
            box[place(proof::Field::protocol)] = just(proof::icmp_of(part.family));
            box[place(proof::Field::port)] = just(proof::echo_request_of(part.family));
            break;
    }
    Boxes flows(diagrams.levels());
    for (const Range& range : part.destinations.ranges()) {
        box[place(proof::Field::destination)] = {range.lo, range.hi};
        flows.add(box, sources.value());
    }
    return diagrams.build(flows).set;
}

}  // namespace

PolicyDiagrams::OfFamily& PolicyDiagrams::of(Family family) {
    std::unique_ptr<OfFamily>& made = families_.at(static_cast<std::size_t>(family));
    if (made) return *made;
    made = std::make_unique<OfFamily>(family);
    made->meaning =
        proof::meaning_of(asked_.policy, asked_.addresses, asked_.node, asked_.today, family, made->diagrams).meaning;
    return *made;
}

Result<explain::Shares> PolicyDiagrams::shares(const explain::Part& part, const Ports& ports) {
    OfFamily& known = of(part.family);
    if (!known.meaning) return known.meaning.error();
    Diagrams& diagrams = known.diagrams;
    const Meaning& meaning = known.meaning.value();
    const Result<proof::Set> flows = diagrams.intersect(flows_of(part, ports, diagrams), meaning.possible);
    const Result<proof::Set> judged = diagrams.intersect(flows, meaning.judged);
    const Result<proof::Set> allowed = diagrams.intersect(flows, meaning.allowed);
    const Result<proof::Set> denied = diagrams.subtract(judged, allowed);
    const Result<proof::Set> unjudged = diagrams.subtract(flows, judged);
    if (!denied) return denied.error();
    if (!unjudged) return unjudged.error();
    return explain::Shares{allowed.value() != proof::nothing, denied.value() != proof::nothing,
                           unjudged.value() != proof::nothing};
}

std::string words_of(const explain::Shares& shares) {
    std::string text;
    const auto add = [&](bool there, const char* word) {
        if (there) text += (text.empty() ? "" : " and ") + std::string(word);
    };
    add(shares.allowed, "allowed");
    add(shares.denied, "denied");
    add(shares.unjudged, "not judged");
    return text.empty() ? "nothing" : text;
}

Error disagreement(const std::string& about, const std::string& lines, const std::string& diagram,
                   const std::string& kernel) {
    return {
        fmt::format("internal error: the answers about {} differ: the policy read line by line says {}, its diagram "
                    "{}, the kernel {}",
                    about, lines, diagram, kernel),
        "this is a bug in policyc: please report it with the policy and its lock"};
}

Result<void> compare_with_diagram(const Explained& explained, Report& report) {
    PolicyDiagrams diagrams(explained.asked);
    for (const explain::Answer& answer : explained.answers) {
        for (const explain::Part& part : answer.parts) {
            const Result<explain::Shares> shares = diagrams.shares(part, answer.target.ports);
            if (!shares) {
                report.notes.push_back("warning: not compared with the diagram of the policy: " +
                                       shares.error().message);
                return {};
            }
            if (shares.value() == part.shares) continue;
            const auto example = std::ranges::find_if(answer.findings, [&](const explain::Finding& finding) {
                return finding.example.passage == part.passage;
            });
            const std::string about = example != answer.findings.end()
                                          ? flow_text(answer, example->example)
                                          : answer.source.label + " -> " + target_text(answer.target);
            return disagreement(about, words_of(part.shares), words_of(shares.value()), "was not asked");
        }
    }
    return {};
}

}  // namespace policyc
