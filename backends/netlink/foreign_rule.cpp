// Tells statements of nf_tables and targets of iptables-nft by what they do; entry point done_by().
#include "backends/netlink/foreign_rule.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_CT.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace policyc::netlink {

namespace {

using enum ForeignChain::Does;

// -j CT: --notrack, --zone, or neither (--helper, --ctevents, --timeout). Its numbers are of host byte order, and all revisions begin with the same ones.
std::optional<ForeignChain::Does> done_by_ct(const Expression& e) {
    constexpr std::uint32_t newest = 2;
    const std::string_view bytes = e.nest(NFTA_TARGET_INFO);
    xt_ct_target_info info{};
    constexpr std::size_t shown = offsetof(xt_ct_target_info, ct);  // the rest is the kernel's own
    if (bytes.size() < shown || e.u32(NFTA_TARGET_REV) > newest) return untracks;
    std::memcpy(&info, bytes.data(), shown);
    if ((info.flags & ~static_cast<unsigned>(XT_CT_MASK)) != 0) return untracks;
    if ((info.flags & XT_CT_NOTRACK) != 0) return untracks;
    if (info.zone != 0 || (info.flags & XT_CT_ZONE_MARK) != 0) return zones;
    return {};
}

// What iptables-nft writes where nf_tables has no expression of its own. (iptables-extensions(8): targets)
std::optional<ForeignChain::Does> done_by_target(const Expression& e) {
    const std::string name = e.text(NFTA_TARGET_NAME);
    if (name == "REJECT" || name == "DROP") return refuses;
    if (name == "DNAT" || name == "SNAT" || name == "MASQUERADE" || name == "REDIRECT" || name == "NETMAP")
        return translates;
    if (name == "NOTRACK") return untracks;
    if (name == "CT") return done_by_ct(e);
    if (name == "DNPT" || name == "SNPT") return rewrites;
    // Those of ebtables and arptables, whose addresses are of the link.
    if (name == "dnat" || name == "snat" || name == "redirect" || name == "arpreply" || name == "mangle")
        return rewrites;
    if (name == "SYNPROXY") return answers;
    if (name == "TPROXY" || name == "TEE" || name == "NFQUEUE") return hands_over;
    return {};
}

// Whether a payload expression writes, and where addresses (of IPv4 from byte 12 on, of IPv6 and ARP from 8) or ports are, or anything of the link: its
// addresses, a VLAN. `ip dscp set`, `ip ttl set` and the like don't.
bool writes_addresses(const Expression& e) {
    if (!e.has(NFTA_PAYLOAD_SREG)) return false;
    const std::uint32_t begin = e.u32(NFTA_PAYLOAD_OFFSET);
    const std::uint32_t end = begin + e.u32(NFTA_PAYLOAD_LEN);
    if (e.u32(NFTA_PAYLOAD_BASE) == NFT_PAYLOAD_LL_HEADER) return true;
    if (e.u32(NFTA_PAYLOAD_BASE) == NFT_PAYLOAD_TRANSPORT_HEADER) return begin < 4;
    return end > 12 || (begin >= 8 && end != 10);
}

// `meta ... set` of what decides where a packet goes next.
bool writes_way(const Expression& e) {
    constexpr std::uint32_t broute =
        NFT_META_SDIFNAME + 1;  // NFT_META_BRI_BROUTE, which headers have from Linux 6.4 on
    const std::uint32_t key = e.u32(NFTA_META_KEY);
    return e.has(NFTA_META_SREG) && (key == NFT_META_PKTTYPE || key == broute);
}

}  // namespace

std::optional<ForeignChain::Does> done_by(const Expression& e) {
    if (e.is("reject")) return refuses;
    if (e.is("nat") || e.is("masq") || e.is("redir")) return translates;
    if (e.is("notrack")) return untracks;
    if (e.is("ct") && e.has(NFTA_CT_SREG) && e.u32(NFTA_CT_KEY) == NFT_CT_ZONE) return zones;
    if (e.is("fwd") || (e.is("dup") && !e.has(NFTA_DUP_SREG_ADDR))) return sends_on;
    if (e.is("tproxy") || e.is("dup") || e.is("queue")) return hands_over;
    if (e.is("synproxy")) return answers;
    if (e.is("objref") && e.u32(NFTA_OBJREF_IMM_TYPE) == NFT_OBJECT_SYNPROXY) return answers;
    if (e.is("meta") && writes_way(e)) return diverts;
    if (e.is("flow_offload")) return offloads;
    if (e.is("payload") && writes_addresses(e)) return rewrites;
    if (e.is("target")) return done_by_target(e);
    return {};
}

}  // namespace policyc::netlink
