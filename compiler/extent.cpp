// Boxes as intervals, and how two of them lie; entry points in extent.h.
#include "compiler/extent.h"

namespace policyc {

namespace {

ir::Elements::Bound on_line(const Box& box) {
    using namespace port_line;
    switch (box.ports.protocol) {
        case Protocol::any: return {others_at, box.others ? others_at : end_of_line};
        case Protocol::ping: return {ping_at, ping_at};
        case Protocol::tcp: return {tcp_at + box.ports.lo, tcp_at + box.ports.hi};
        case Protocol::udp: return {udp_at + box.ports.lo, udp_at + box.ports.hi};
    }
    return {1, 0};
}

}  // namespace

Extent extent_of(const Box& box) {
    return {{{box.source.lo, box.source.hi}, {box.destination.lo, box.destination.hi}, on_line(box)}};
}

bool meets(const Extent& a, const Extent& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a.at(i).lo > b.at(i).hi || b.at(i).lo > a.at(i).hi) return false;
    return true;
}

bool holds(const Extent& outer, const Extent& inner) {
    for (std::size_t i = 0; i < outer.size(); ++i)
        if (outer.at(i).lo > inner.at(i).lo || inner.at(i).hi > outer.at(i).hi) return false;
    return true;
}

}  // namespace policyc
