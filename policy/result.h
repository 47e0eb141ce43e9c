// Result<T>: a value, or an error a person can read. For trouble (I/O, kernel, usage); errors in a policy are Diagnostics.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "policy/span.h"

namespace policyc {

// What went wrong ("cannot write /var/lib/policyc/state: read-only file system") and what to do about it, may be empty; `span` is the
// line of the policy that it is about, where there is one.
struct Error {
    std::string message;
    std::string help;
    Span span;
};

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::move(value)) {}
    Result(Error error) : state_(std::move(error)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] T& value() { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const { return std::get<0>(state_); }
    [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    [[nodiscard]] bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] const Error& error() const { return *error_; }

private:
    std::optional<Error> error_;
};

}  // namespace policyc
