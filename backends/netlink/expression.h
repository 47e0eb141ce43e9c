// One expression of a rule, as it lies in NFTA_RULE_EXPRESSIONS.
#pragma once

#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "backends/netlink/attributes.h"

namespace policyc::netlink {

// One expression, and questions about its attributes. It keeps count of them: an attribute that nobody asked about means something that
// policyc knows nothing of.
class Expression {
public:
    // Takes NFTA_EXPR_NAME and NFTA_EXPR_DATA; nothing where the bytes make no sense.
    static std::optional<Expression> read(std::string_view nest) {
        Expression out;
        Attributes attributes(nest);
        for (Attribute a; attributes.next(a);) {
            if (a.type == NFTA_EXPR_NAME) out.name_ = a.text();
            if (a.type != NFTA_EXPR_DATA) continue;
            Attributes parts(a.data);
            for (Attribute part; parts.next(part);) {
                if (part.data.empty()) continue;  // NFTA_*_PAD
                if (part.type >= most || out.has(part.type)) out.odd_ = true;
                if (part.type >= most) continue;
                out.present_ |= 1U << part.type;
                out.parts_[part.type] = part.data;
            }
            if (parts.broken()) return std::nullopt;
        }
        out.asked_ = 0;
        if (attributes.broken()) return std::nullopt;
        return out;
    }

    [[nodiscard]] bool is(std::string_view name) const { return name_ == name; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool has(std::uint16_t type) const {
        asked_ |= 1U << type;
        return (present_ & 1U << type) != 0;
    }
    // Numbers are 0, and texts empty, where there is no such attribute; a length that is not theirs makes the expression odd.
    [[nodiscard]] std::uint32_t u32(std::uint16_t type) const { return value<std::uint32_t>(type, &Attribute::u32); }
    [[nodiscard]] std::uint64_t u64(std::uint16_t type) const { return value<std::uint64_t>(type, &Attribute::u64); }
    [[nodiscard]] std::uint16_t u16(std::uint16_t type) const {
        std::uint16_t number = 0;
        if (!has(type)) return number;
        if (parts_.at(type).size() == sizeof number)
            std::memcpy(&number, parts_.at(type).data(), sizeof number);
        else
            odd_ = true;
        return ntohs(number);
    }
    [[nodiscard]] std::uint8_t u8(std::uint16_t type) const {
        if (!has(type)) return 0;
        if (parts_.at(type).size() != 1) odd_ = true;
        return static_cast<std::uint8_t>(parts_.at(type)[0]);
    }
    [[nodiscard]] std::string text(std::uint16_t type) const {
        return has(type) ? Attribute{type, parts_.at(type)}.text() : std::string{};
    }
    // What is in a nest.
    [[nodiscard]] std::string_view nest(std::uint16_t type) const {
        return has(type) ? parts_.at(type) : std::string_view{};
    }
    // NFTA_DATA_VALUE in a nest.
    [[nodiscard]] std::string_view data(std::uint16_t type) const {
        std::string_view out;
        Attributes inner(nest(type));
        for (Attribute a; inner.next(a);) {
            if (a.type != NFTA_DATA_VALUE) odd_ = true;
            out = a.data;
        }
        if (inner.broken()) odd_ = true;
        return out;
    }

    void ignore(std::uint16_t type) const { asked_ |= 1U << type; }
    [[nodiscard]] bool understood() const { return !odd_ && (present_ & ~asked_) == 0; }

private:
    static constexpr std::uint16_t most = 16;

    template <typename T>
    [[nodiscard]] T value(std::uint16_t type, std::optional<T> (Attribute::*read_as)() const) const {
        if (!has(type)) return 0;
        const std::optional<T> number = (Attribute{type, parts_.at(type)}.*read_as)();
        if (!number) odd_ = true;
        return number.value_or(0);
    }

    std::string name_;
    std::uint32_t present_ = 0;
    mutable std::uint32_t asked_ = 0;
    mutable bool odd_ = false;
    std::array<std::string_view, most> parts_;
};

}  // namespace policyc::netlink
