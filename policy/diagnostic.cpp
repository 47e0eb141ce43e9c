// Collects diagnostics and finds the name that was meant. Entry points: Diagnostics, nearest.
#include "policy/diagnostic.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace policyc {
namespace {

constexpr std::string_view silencer = "# policyc: allow ";

// The codes of a line that ends with `# policyc: allow CODE`, or with several codes with spaces or commas between.
std::vector<std::string_view> allowed_by(std::string_view line) {
    const std::size_t at = line.rfind(silencer);
    if (at == std::string_view::npos) return {};
    std::string_view rest = line.substr(at + silencer.size());
    std::vector<std::string_view> codes;
    while (true) {
        const std::size_t begin = rest.find_first_not_of(" ,\t");
        if (begin == std::string_view::npos) return codes;
        rest.remove_prefix(begin);
        const std::string_view word = rest.substr(0, rest.find_first_of(" ,\t"));
        const bool is_code =
            word.size() == 5 && std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (!is_code) return {};
        codes.push_back(word);
        rest.remove_prefix(word.size());
    }
}

// Which warnings are silenced. Looks at each line once, however many warnings point at it.
class Silence {
public:
    explicit Silence(const Sources& sources) : sources_(sources) {}

    bool over(const Diagnostic& diagnostic) {
        const CodeInfo& code = info(diagnostic.code);
        const Span span = diagnostic.primary.span;
        if (code.severity != Severity::warning || !span.valid()) return false;
        const std::size_t line = sources_.line_number(span.file, span.begin);
        const auto [codes, fresh] = lines_.try_emplace({span.file, line});
        if (fresh) codes->second = allowed_by(sources_.line(span.file, line));
        return std::find(codes->second.begin(), codes->second.end(), code.name) != codes->second.end();
    }

private:
    const Sources& sources_;
    std::map<std::pair<std::uint32_t, std::size_t>, std::vector<std::string_view>> lines_;
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Optimal string alignment distance without regard to case, or limit + 1 when it is more than `limit`.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (a.size() > b.size()) std::swap(a, b);
    if (b.size() - a.size() > limit) return limit + 1;
    std::vector<std::size_t> before_last(a.size() + 1);
    std::vector<std::size_t> last(a.size() + 1);
    std::vector<std::size_t> row(a.size() + 1);
    for (std::size_t i = 0; i <= a.size(); ++i) last[i] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
        row[0] = j;
        std::size_t least = j;
        for (std::size_t i = 1; i <= a.size(); ++i) {
            const bool equal = lower(a[i - 1]) == lower(b[j - 1]);
            row[i] = std::min({last[i] + 1, row[i - 1] + 1, last[i - 1] + (equal ? 0U : 1U)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
                row[i] = std::min(row[i], before_last[i - 2] + 1);
            }
            least = std::min(least, row[i]);
        }
        if (least > limit) return limit + 1;
        std::swap(before_last, last);
        std::swap(last, row);
    }
    return std::min(last[a.size()], limit + 1);
}

}  // namespace

Diagnostic& Diagnostic::also(Span span, std::string text) {
    secondary.push_back({span, std::move(text)});
    return *this;
}

Diagnostic& Diagnostic::help(std::string text) {
    remarks.push_back({Remark::Kind::help, std::move(text)});
    return *this;
}

Diagnostic& Diagnostic::note(std::string text) {
    remarks.push_back({Remark::Kind::note, std::move(text)});
    return *this;
}

Diagnostic& Diagnostics::report(Code code, Span span, std::string message, std::string label) {
    list_.push_back({code, std::move(message), {span, std::move(label)}, {}, {}});
    return list_.back();
}

std::size_t Diagnostics::errors() const {
    return static_cast<std::size_t>(std::count_if(list_.begin(), list_.end(), [](const Diagnostic& diagnostic) {
        return info(diagnostic.code).severity == Severity::error;
    }));
}

bool Diagnostics::has(Code code) const {
    return std::any_of(list_.begin(), list_.end(),
                       [code](const Diagnostic& diagnostic) { return diagnostic.code == code; });
}

void Diagnostics::finish(const Sources& sources) {
    Silence silence(sources);
    std::erase_if(list_, [&silence](const Diagnostic& diagnostic) { return silence.over(diagnostic); });
    // The file of a span that points nowhere is the greatest number there is, which puts it last.
    const auto key = [](const Diagnostic& d) { return std::tie(d.primary.span, d.code, d.message); };
    std::stable_sort(list_.begin(), list_.end(),
                     [&key](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
    list_.erase(std::unique(list_.begin(), list_.end()), list_.end());
}

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
    // A third of the name may be wrong, and one character of a short one, but never all of it.
    std::size_t limit = std::max<std::size_t>(1, name.size() / 3);
    if (name.size() <= 1) return {};
    std::string best;
    for (const std::string& candidate : known) {
        if (candidate == name) continue;
        const std::size_t found = distance(name, candidate, limit);
        if (found > limit || found >= std::max(name.size(), candidate.size())) continue;
        best = candidate;
        if (found == 0) break;
        limit = found - 1;
    }
    return best;
}

}  // namespace policyc
