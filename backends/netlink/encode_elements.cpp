// Keys, ends of intervals, values and timeouts; entry point encode_elements(). An exact key without a value, the usual case, is a few bytes
// copied: encoding 10^6 of them must cost nothing beside what the kernel does with them.
#include "backends/netlink/encode_elements.h"

#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "backends/netlink/words.h"

namespace policyc::netlink {

namespace {

using namespace ir;

// NFTA_SET_ELEM_LIST_ELEMENTS has a length of 16 bits. No element takes more than the difference.
constexpr std::size_t fullest_list = 65535 - 1024;
// What the counter's or chain's name and the timeout take at most, with their attributes around them.
constexpr std::size_t value_bytes = 300;
constexpr std::size_t life_bytes = 24;
constexpr std::size_t headers_bytes = 64;

// A closed interval without concatenation is two elements: its first key, and the key behind its last, flagged as an end.
class Writer {
public:
    Writer(const Chosen& chosen, bool removes, Messages& out, std::vector<Origin>& origins)
        : chosen_(chosen),
          set_(chosen.ruleset.sets[chosen.set]),
          removes_(removes),
          key_bytes_(key_bytes(set_.types)),
          stored_bytes_(stored_bytes(set_.types)),
          concatenated_(set_.types.size() > 1),
          out_(out),
          origins_(origins) {}

    void write() {
        const std::size_t count = chosen_.list != nullptr ? chosen_.list->size() : set_.elements.size();
        for (std::size_t i = 0; i < count; ++i) {
            if (open_ && out_.size() - list_ > fullest_list) end_message();
            if (!open_) begin_message(static_cast<std::uint32_t>(i));
            // As nft does it: where an interval map or set doesn't begin at the first key, that is an end of nothing.
            if (i == 0 && set_.interval && !concatenated_ && chosen_.list == nullptr) write_first_end();
            write_element(chosen_.list != nullptr ? (*chosen_.list)[i] : i);
        }
        if (open_) end_message();
    }

private:
    void begin_message(std::uint32_t first) {
        out_.begin(removes_ ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
                   removes_ ? 0 : static_cast<std::uint16_t>(NLM_F_CREATE | NLM_F_EXCL),
                   static_cast<std::uint32_t>(origins_.size()));
        out_.put_text(NFTA_SET_ELEM_LIST_TABLE, table_name);
        out_.put_text(NFTA_SET_ELEM_LIST_SET, set_.name);
        list_ = out_.open(NFTA_SET_ELEM_LIST_ELEMENTS);
        open_ = true;
        origins_.push_back({.what = Origin::What::elements,
                            .removes = removes_,
                            .index = chosen_.set,
                            .list = chosen_.list,
                            .first = first});
    }

    void end_message() {
        out_.close(list_);
        out_.end();
        open_ = false;
    }

    void put_key(std::uint16_t type, std::string_view key) {
        const std::size_t nest = out_.open(type);
        out_.put(NFTA_DATA_VALUE, key.substr(0, key_bytes_));
        out_.close(nest);
    }

    void write_first_end() {
        const std::string first(key_bytes_, '\0');
        if (set_.elements.key(0).substr(0, key_bytes_) != first) write_end(first);
    }

    void write_end(std::string_view key) {
        const std::size_t nest = out_.open(NFTA_LIST_ELEM);
        out_.put_u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        put_key(NFTA_SET_ELEM_KEY, key);
        out_.close(nest);
    }

    void write_element(std::size_t i) {
        const std::string_view key = set_.elements.key(i);
        const std::size_t nest = out_.open(NFTA_LIST_ELEM);
        put_key(NFTA_SET_ELEM_KEY, key);
        std::string behind;  // the key behind the last one; "" where there is none
        if (set_.interval && concatenated_) {
            put_key(NFTA_SET_ELEM_KEY_END, key.substr(stored_bytes_));
        } else if (set_.interval) {
            behind = key.substr(stored_bytes_, key_bytes_);
            if (!next_key(behind, key_bytes_)) behind.clear();
        }
        if (!removes_) {
            put_value(i);
            if (const Life life = set_.elements.life(i); life.timeout != 0) {
                out_.put_u64(NFTA_SET_ELEM_TIMEOUT, life.timeout);
                // What was there before goes on with what is left of it.
                if (life.left != 0) out_.put_u64(NFTA_SET_ELEM_EXPIRATION, std::min(life.left, life.timeout));
            }
            // nft's own mark of an interval that ends with the last key.
            if (set_.interval && !concatenated_ && behind.empty())
                out_.put(NFTA_SET_ELEM_USERDATA,
                         std::string_view("\x01\x04\x01\x00\x00\x00", 6));  // NFTNL_UDATA_SET_ELEM_FLAGS: 1, open
        }
        out_.close(nest);
        if (!behind.empty()) write_end(behind);
    }

    void put_value(std::size_t i) {
        const std::uint32_t value = set_.elements.value(i);
        switch (set_.map_to) {
            case MapTo::nothing: return;
            case MapTo::counter:
                if (value < chosen_.ruleset.counters.size())
                    out_.put_text(NFTA_SET_ELEM_OBJREF, chosen_.ruleset.counters[value].name);
                return;
            case MapTo::verdict: {
                if (value >= set_.verdicts.size()) return;
                const std::size_t data = out_.open(NFTA_SET_ELEM_DATA);
                const std::size_t verdict = out_.open(NFTA_DATA_VERDICT);
                out_.put_u32(NFTA_VERDICT_CODE,
                             static_cast<std::uint32_t>(set_.verdicts[value].go ? NFT_GOTO : NFT_JUMP));
                out_.put_text(NFTA_VERDICT_CHAIN, set_.verdicts[value].chain);
                out_.close(verdict);
                out_.close(data);
                return;
            }
        }
    }

    const Chosen& chosen_;
    const Set& set_;
    bool removes_;
    std::size_t key_bytes_;
    std::size_t stored_bytes_;
    bool concatenated_;
    Messages& out_;
    std::vector<Origin>& origins_;
    std::size_t list_ = 0;
    bool open_ = false;
};

}  // namespace

void encode_elements(const Chosen& chosen, bool removes, Messages& out, std::vector<Origin>& origins) {
    Writer(chosen, removes, out, origins).write();
}

std::size_t encoded_size(const Set& set, std::size_t elements) {
    // NFTA_LIST_ELEM, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE; twice for an interval, with flags.
    const std::size_t key = 12 + stored_bytes(set.types);
    const std::size_t each = (set.interval ? 2 * key + 24 : key) + (set.map_to == MapTo::nothing ? 0 : value_bytes) +
                             (set.timed ? life_bytes : 0);
    return elements * each + (elements * each / fullest_list + 1) * (headers_bytes + 2 * 256);
}

}  // namespace policyc::netlink
