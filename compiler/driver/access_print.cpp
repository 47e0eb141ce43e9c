// Prints a list of permissions as a table or a graph: list_table(), list_mermaid() and list_dot().
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "compiler/driver/access_list.h"
#include "compiler/time_text.h"

namespace policyc {

namespace {

std::string joined(const std::vector<std::string>& parts, const char* between = ", ") {
    return fmt::format("{}", fmt::join(parts, between));
}

std::string where(const AccessRow& row) {
    if (row.addresses.empty()) return row.own ? "its own addresses" : row.host + " (no address)";
    const std::string addresses = joined(row.addresses);
    if (row.own) return addresses + " and its other addresses";
    return addresses == row.host ? addresses : fmt::format("{} {}", row.host == row.what ? "" : row.host, addresses);
}

std::string terms(const AccessRow& row) {
    std::vector<std::string> parts = row.limits;
    if (row.log) parts.emplace_back("logged");
    if (row.until && row.in_force) parts.push_back("until " + to_text(*row.until));
    if (!row.in_force) parts.push_back("not in force: " + row.why_not);
    if (!row.unjudged_on.empty()) parts.push_back("not judged on " + row.unjudged_on);
    return joined(parts);
}

std::string short_via(const AccessRow& row) {
    // The node stands in the column before: "input.ssh" says enough.
    const std::size_t input = row.via.find(".input.");
    return input == std::string::npos ? row.via : row.via.substr(input + 1);
}

std::string trimmed(std::string text) {
    text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    return text;
}

// Both graphs: people on the left, what they reach on the right, an edge for each row.
struct Graph {
    std::vector<std::string> people;
    std::vector<std::string> things;  // "grafana\nmonitoring01:..." in two lines
    struct Edge {
        std::size_t from;
        std::size_t to;
        std::string label;
        bool in_force;
    };
    std::vector<Edge> edges;
};

Graph graph_of(const AccessList& list) {
    Graph graph;
    std::map<std::string, std::size_t> people;
    std::map<std::string, std::size_t> things;
    for (const AccessRow& row : list.rows) {
        const auto [who, new_who] = people.emplace(row.who, graph.people.size());
        if (new_who) graph.people.push_back(row.who);
        const std::string place = trimmed(where(row));
        const std::string thing = row.what == place ? row.what : fmt::format("{}\n{}", row.what, place);
        const auto [what, new_what] = things.emplace(thing, graph.things.size());
        if (new_what) graph.things.push_back(thing);
        std::string label = fmt::format("{} ({})", joined(row.ports), short_via(row));
        if (!row.in_force) label += " " + row.why_not;
        if (!row.unjudged_on.empty()) label += " not judged on " + row.unjudged_on;
        graph.edges.push_back({who->second, what->second, label, row.in_force});
    }
    return graph;
}

// https://mermaid.js.org/syntax/flowchart.html: a quoted label takes any text with entity codes for what would end it.
std::string mermaid_label(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '"': escaped += "#quot;"; break;
            case '#': escaped += "#35;"; break;
            case '<': escaped += "#lt;"; break;
            case '>': escaped += "#gt;"; break;
            case '&': escaped += "#amp;"; break;
            case '\n': escaped += "<br>"; break;
            default: escaped += c;
        }
    }
    return fmt::format("\"{}\"", escaped);
}

std::string dot_label(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '"': escaped += "\\\""; break;
            case '\\': escaped += "\\\\"; break;
            case '\n': escaped += "\\n"; break;
            default: escaped += c;
        }
    }
    return fmt::format("\"{}\"", escaped);
}

}  // namespace

std::string list_table(const AccessList& list, const Sources& sources) {
    using Cells = std::array<std::string, 6>;
    std::vector<Cells> rows;
    std::array<std::size_t, 6> width{};
    for (const AccessRow& row : list.rows) {
        Cells cells{row.what,       trimmed(where(row)),     joined(row.ports),
                    short_via(row), sources.place(row.span), terms(row)};
        for (std::size_t i = 0; i < cells.size(); ++i) width[i] = std::max(width[i], cells[i].size());
        rows.push_back(std::move(cells));
    }
    std::string text;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const AccessRow& row = list.rows[i];
        if (i == 0 || list.rows[i - 1].who != row.who) {
            const std::string addresses = joined(row.who_addresses);
            text += fmt::format("{}{}{}\n", i == 0 ? "" : "\n", row.who, addresses == row.who ? "" : "  " + addresses);
        }
        std::string line = " ";
        for (std::size_t column = 0; column < rows[i].size(); ++column)
            line += fmt::format(" {:<{}} ", rows[i][column], width[column]);
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    for (std::size_t i = 0; i < list.implied.size(); ++i) {
        const ImpliedRow& row = list.implied[i];
        if (i == 0 || list.implied[i - 1].node != row.node) text += fmt::format("\nimplied on {}\n", row.node);
        text += fmt::format("  {}\n", row.what);
    }
    for (std::size_t i = 0; i < list.unjudged.size(); ++i)
        text +=
            fmt::format("{}not judged on {}: {}\n", i == 0 ? "\n" : "", list.unjudged[i].node, list.unjudged[i].what);
    return text;
}

std::string list_mermaid(const AccessList& list) {
    const Graph graph = graph_of(list);
    std::string text = "graph LR\n";
    for (std::size_t i = 0; i < graph.people.size(); ++i)
        text += fmt::format("  who{}([{}])\n", i, mermaid_label(graph.people[i]));
    for (std::size_t i = 0; i < graph.things.size(); ++i)
        text += fmt::format("  what{}[{}]\n", i, mermaid_label(graph.things[i]));
    for (const Graph::Edge& edge : graph.edges) {
        text += fmt::format("  who{} {}|{}| what{}\n", edge.from, edge.in_force ? "-->" : "-.->",
                            mermaid_label(edge.label), edge.to);
    }
    return text;
}

std::string list_dot(const AccessList& list) {
    const Graph graph = graph_of(list);
    std::string text = "digraph access {\n  rankdir=LR;\n  node [shape=box];\n";
    for (std::size_t i = 0; i < graph.people.size(); ++i) {
        text += fmt::format("  who{} [label={}, shape=ellipse];\n", i, dot_label(graph.people[i]));
    }
    for (std::size_t i = 0; i < graph.things.size(); ++i)
        text += fmt::format("  what{} [label={}];\n", i, dot_label(graph.things[i]));
    for (const Graph::Edge& edge : graph.edges) {
        text += fmt::format("  who{} -> what{} [label={}{}];\n", edge.from, edge.to, dot_label(edge.label),
                            edge.in_force ? "" : ", style=dashed");
    }
    return text + "}\n";
}

}  // namespace policyc
