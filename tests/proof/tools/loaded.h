// A policy and its lock, read from files for a node of it.
#pragma once

#include <optional>
#include <string>

#include "backends/disk.h"
#include "policy/check.h"
#include "policy/lock.h"
#include "policy/parse.h"

namespace policyc {

struct LoadedPolicy {
    Policy policy;
    Addresses addresses;
    std::size_t node = 0;

    // What went wrong, or nothing. A lock that isn't there is empty.
    std::string load(const std::string& path, const std::string& lock_path, const std::string& name) {
        Sources sources;
        Diagnostics diagnostics;
        const Disk disk;
        std::optional<Policy> checked;
        if (const auto ast = parse(path, disk, sources, diagnostics)) checked = check(*ast, sources, diagnostics);
        if (!checked) return "cannot read the policy";
        policy = std::move(*checked);
        addresses.clear();
        if (const Result<std::string> text = disk.read(lock_path, 1 << 20U)) {
            const auto lock = parse_lock(sources.add(lock_path, text.value()), sources, diagnostics);
            if (!lock) return "cannot read the lock";
            for (const auto& [host, entry] : *lock) addresses[host] = entry.addresses;
        }
        node = 0;
        while (node < policy.nodes.size() && policy.nodes[node].name != name) ++node;
        return node < policy.nodes.size() ? "" : "there is no node " + name;
    }
};

}  // namespace policyc
