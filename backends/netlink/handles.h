// The objects of libnftnl, each owned by what holds it.
#pragma once

#include <cstdio>  // libnftnl/expr.h needs it

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include <memory>
#include <new>

namespace policyc::netlink {

struct Free {
    void operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }
    void operator()(nftnl_expr* expression) const { nftnl_expr_free(expression); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

// libnftnl gives null only where there is no memory.
template <typename T>
Owned<T> owned(T* object) {
    if (object == nullptr) throw std::bad_alloc();
    return Owned<T>(object);
}

}  // namespace policyc::netlink
