// Diagrams against brute force: every point of small worlds, and boundaries of large ones.
#include "compiler/proof/diagram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <map>
#include <ostream>
#include <random>
#include <unordered_map>

using namespace policyc;
using namespace policyc::proof;

namespace {

using Box = std::vector<Interval>;

class Dice {
public:
    explicit Dice(unsigned seed) : random_(seed) {}
    unsigned operator()(unsigned sides) { return static_cast<unsigned>(random_() % sides); }
    Interval interval(unsigned max) {
        const unsigned a = (*this)(max + 1);
        const unsigned b = (*this)(3) == 0 ? a : (*this)(max + 1);
        return (*this)(8) == 0 ? Interval{0, max} : Interval{std::min(a, b), std::max(a, b)};
    }

private:
    std::mt19937 random_;
};

// Three fields of four bits: 4,096 points, a set of which is a row of bits.
constexpr std::size_t fields = 3;
constexpr unsigned top4 = 15;
using Truth = std::bitset<4096>;

std::vector<Level> small_world() {
    return {{"a", top4}, {"b", top4}, {"c", top4}};
}

std::vector<u128> point(std::size_t number) {
    return {number >> 8U, number >> 4U & 15U, number & 15U};
}

Truth truth_of(const std::vector<Box>& boxes) {
    Truth truth;
    for (const Box& box : boxes) {
        for (auto a = unsigned(box[0].lo); a <= unsigned(box[0].hi); ++a)
            for (auto b = unsigned(box[1].lo); b <= unsigned(box[1].hi); ++b)
                for (auto c = unsigned(box[2].lo); c <= unsigned(box[2].hi); ++c) truth.set(a << 8U | b << 4U | c);
    }
    return truth;
}

std::vector<Box> random_boxes(Dice& dice, unsigned most) {
    std::vector<Box> boxes(dice(most + 1));
    for (Box& box : boxes)
        for (std::size_t field = 0; field < fields; ++field) box.push_back(dice.interval(top4));
    return boxes;
}

Set built(Diagrams& diagrams, const std::vector<Box>& boxes) {
    Boxes list(diagrams.levels());
    for (const Box& box : boxes) list.add(box);
    return diagrams.build(list).set.value();
}

Set one_by_one(Diagrams& diagrams, const std::vector<Box>& boxes) {
    Result<Set> all = nothing;
    for (const Box& box : boxes) all = diagrams.unite(diagrams.box(box), all);
    return all.value();
}

Truth by_look_up(const Diagrams& diagrams, Set set) {
    Truth truth;
    for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = diagrams.contains(set, point(i));
    return truth;
}

// All that can be asked about a set, against the truth.
void check_answers(Diagrams& diagrams, Set set, const Truth& truth) {
    REQUIRE(by_look_up(diagrams, set) == truth);
    const Count count = diagrams.count(set);
    REQUIRE(count.points == truth.count());
    REQUIRE(count.exact);
    REQUIRE(count.about == static_cast<long double>(truth.count()));
    const auto witness = diagrams.witness(set);
    REQUIRE(witness.has_value() == truth.any());
    if (witness) REQUIRE(*witness == point(truth._Find_first()));
    std::vector<Box> boxes;
    std::size_t points = 0;
    REQUIRE(diagrams.for_each_box(set, [&](std::span<const Interval> box) {
        boxes.emplace_back(box.begin(), box.end());
        std::size_t size = 1;
        for (const Interval& interval : box) size *= static_cast<std::size_t>(interval.hi - interval.lo + 1);
        points += size;
        return true;
    }));
    REQUIRE(truth_of(boxes) == truth);
    REQUIRE(points == truth.count());  // disjoint
    REQUIRE(built(diagrams, boxes) == set);
    std::size_t seen = 0;
    const bool all = diagrams.for_each_box(set, [&](std::span<const Interval>) { return ++seen < 2; });
    REQUIRE(seen == std::min<std::size_t>(boxes.size(), 2));
    REQUIRE(all == (boxes.size() < 2));
}

}  // namespace

TEST_CASE("diagrams of random boxes in a small world: every point, every question, every operation") {
    Diagrams diagrams(small_world());
    // Equal sets have one number and different ones two, over everything that was ever made.
    std::unordered_map<Truth, std::uint32_t> number;
    std::unordered_map<std::uint32_t, Truth> meaning;
    const auto is = [&](Set set, const Truth& truth) {
        const auto [known, fresh] = number.try_emplace(truth, set.id);
        REQUIRE(known->second == set.id);
        const auto [other, first] = meaning.try_emplace(set.id, truth);
        REQUIRE(other->second == truth);
        if (first) REQUIRE(by_look_up(diagrams, set) == truth);
    };
    Set before = nothing;
    Truth before_truth;
    for (unsigned seed = 0; seed < 2000; ++seed) {
        CAPTURE(seed);
        Dice dice(seed);
        std::vector<Box> boxes = random_boxes(dice, seed % 10 == 0 ? 60 : 8);
        const Truth truth = truth_of(boxes);
        const Set set = built(diagrams, boxes);
        is(set, truth);
        check_answers(diagrams, set, truth);
        std::shuffle(boxes.begin(), boxes.end(), std::mt19937(seed));
        REQUIRE(one_by_one(diagrams, boxes) == set);
        REQUIRE(built(diagrams, boxes) == set);

        is(diagrams.unite(set, before).value(), truth | before_truth);
        is(diagrams.intersect(set, before).value(), truth & before_truth);
        is(diagrams.subtract(set, before).value(), truth & ~before_truth);
        is(diagrams.subtract(before, set).value(), before_truth & ~truth);
        is(diagrams.subtract(everything, set).value(), ~truth);
        const std::size_t level = dice(fields);
        const Interval interval = dice.interval(top4);
        Box slab(fields, Interval{0, top4});
        slab[level] = interval;
        is(diagrams.restrict(set, level, interval).value(), truth & truth_of({slab}));
        before = set;
        before_truth = truth;
    }
    CHECK(number.size() > 5000);  // or the seeds are all alike
}

TEST_CASE("many sets at once: their union, whichever they are and however often they come") {
    Diagrams diagrams(small_world());
    Dice dice(7);
    for (int round = 0; round < 3000; ++round) {
        std::vector<Set> sets;
        Result<Set> one_after_the_other = nothing;
        for (unsigned i = dice(12); i > 0; --i) {
            sets.push_back(dice(8) == 0 ? nothing : built(diagrams, random_boxes(dice, 4)));
            if (dice(4) == 0) sets.push_back(sets[dice(static_cast<unsigned>(sets.size()))]);
            one_after_the_other = diagrams.unite(one_after_the_other, sets.back());
        }
        for (const Set set : sets) one_after_the_other = diagrams.unite(one_after_the_other, set);
        REQUIRE(diagrams.unite(sets).value() == one_after_the_other.value());
    }
}

TEST_CASE("every pair of boxes of two fields of three bits") {
    Diagrams diagrams({{"a", 7}, {"b", 7}});
    std::vector<std::pair<std::uint64_t, Set>> all;  // which of the 64 points
    for (unsigned a = 0; a < 8; ++a)
        for (unsigned b = a; b < 8; ++b)
            for (unsigned c = 0; c < 8; ++c)
                for (unsigned d = c; d < 8; ++d) {
                    std::uint64_t points = 0;
                    for (unsigned i = a; i <= b; ++i)
                        for (unsigned j = c; j <= d; ++j) points |= std::uint64_t{1} << (8 * i + j);
                    all.emplace_back(points, diagrams.box(Box{{a, b}, {c, d}}).value());
                }
    REQUIRE(all.size() == 36 * 36);
    std::unordered_map<std::uint32_t, std::uint64_t> points_of;
    const auto points = [&](Set set) {
        const auto [known, fresh] = points_of.try_emplace(set.id, 0);
        if (fresh) {
            for (unsigned i = 0; i < 64; ++i)
                if (diagrams.contains(set, std::vector<u128>{i / 8, i % 8})) known->second |= std::uint64_t{1} << i;
        }
        return known->second;
    };
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& [p, one] = all[i];
        for (std::size_t j = i; j < all.size(); ++j) {
            const auto& [q, other] = all[j];
            wrong += points(diagrams.unite(one, other).value()) != (p | q);
            wrong += points(diagrams.intersect(other, one).value()) != (p & q);
            wrong += points(diagrams.subtract(one, other).value()) != (p & ~q);
            wrong += points(diagrams.subtract(other, one).value()) != (q & ~p);
        }
    }
    CHECK(wrong == 0);
    std::map<std::uint64_t, std::size_t> numbers;
    for (const auto& [set, mask] : points_of) ++numbers[mask];
    for (const auto& [mask, how_many] : numbers) REQUIRE(how_many == 1);
}

TEST_CASE("every family of up to three boxes of a tiny world, and every set of it") {
    const std::vector<Level> levels{{"a", 1}, {"b", 2}, {"c", 1}};
    Diagrams diagrams(levels);
    std::vector<std::pair<unsigned, Box>> all{{0, {}}};  // which of the 12 points; the first is no box
    for (unsigned a = 0; a < 3; ++a)
        for (unsigned b = 0; b < 3; ++b)
            for (unsigned c = b; c < 3; ++c)
                for (unsigned d = 0; d < 3; ++d) {
                    const Interval first{a == 2 ? 0 : a, a == 2 ? 1 : a};
                    const Interval last{d == 2 ? 0 : d, d == 2 ? 1 : d};
                    unsigned points = 0;
                    for (auto i = unsigned(first.lo); i <= unsigned(first.hi); ++i)
                        for (unsigned j = b; j <= c; ++j)
                            for (auto k = unsigned(last.lo); k <= unsigned(last.hi); ++k)
                                points |= 1U << (6 * i + 2 * j + k);
                    all.push_back({points, {first, {b, c}, last}});
                }
    REQUIRE(all.size() == 1 + 54);
    // Each set from its points, one after the other.
    std::vector<Set> sets{nothing};
    for (unsigned points = 1; points < 1U << 12U; ++points) {
        const auto last = static_cast<unsigned>(std::bit_width(points) - 1);
        const Box box{{last / 6, last / 6}, {last / 2 % 3, last / 2 % 3}, {last % 2, last % 2}};
        sets.push_back(diagrams.unite(diagrams.box(box), sets[points & ~(1U << last)]).value());
    }
    CHECK(sets.back() == everything);
    std::map<std::uint32_t, unsigned> different;
    for (const Set set : sets) ++different[set.id];
    CHECK(different.size() == sets.size());
    std::size_t wrong = 0;
    for (const auto& [p, one] : all) {
        for (const auto& [q, other] : all) {
            for (const auto& [r, third] : all) {
                Boxes boxes(levels);
                for (const Box* box : {&one, &other, &third})
                    if (!box->empty()) boxes.add(*box);
                wrong += diagrams.build(boxes).set.value() != sets[p | q | r];
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("wide levels: random boxes against a linear search at all their boundaries") {
    const u128 top = ~u128{0};
    const std::vector<Level> levels{
        {"kind", 2}, {"destination", top}, {"port", 65535}, {"source", top}, {"four", UINT32_MAX}};
    std::size_t in = 0;
    std::size_t out = 0;
    for (unsigned seed = 0; seed < 150; ++seed) {
        CAPTURE(seed);
        Dice dice(seed);
        Diagrams diagrams(levels);
        // A few values, some at the ends of the level, so that boxes meet.
        const auto value = [&](u128 max) {
            switch (dice(4)) {
                case 0: return u128{dice(4)};
                case 1: return max - dice(3);
                case 2: return max / 2 + dice(3);
                default: return ((u128{dice(7)} << 61U) + dice(3)) & max;
            }
        };
        std::vector<Box> boxes(1 + dice(40));
        for (Box& box : boxes) {
            for (const Level& level : levels) {
                const u128 a = value(level.max) % (level.max == 2 ? 3 : level.max);
                const u128 b = value(level.max) % (level.max == 2 ? 3 : level.max);
                const Interval some = dice(2) == 0 ? Interval{a, a} : Interval{std::min(a, b), std::max(a, b)};
                box.push_back(dice(6) == 0 ? Interval{0, level.max} : dice(9) == 0 ? Interval{a, level.max} : some);
            }
        }
        const Set set = built(diagrams, boxes);
        const auto holds = [](const Box& box, const std::vector<u128>& at) {
            for (std::size_t i = 0; i < at.size(); ++i)
                if (at[i] < box[i].lo || box[i].hi < at[i]) return false;
            return true;
        };
        for (int probe = 0; probe < 2000; ++probe) {
            std::vector<u128> at;
            const Box& around = boxes[dice(static_cast<unsigned>(boxes.size()))];
            for (std::size_t i = 0; i < levels.size(); ++i) {
                const Interval interval =
                    dice(3) == 0 ? boxes[dice(static_cast<unsigned>(boxes.size()))][i] : around[i];
                switch (dice(6)) {
                    case 0: at.push_back(interval.lo == 0 ? 0 : interval.lo - 1); break;
                    case 1: at.push_back(interval.hi == levels[i].max ? interval.hi : interval.hi + 1); break;
                    case 2: at.push_back(interval.hi); break;
                    default: at.push_back(interval.lo); break;
                }
            }
            const bool wanted = std::ranges::any_of(boxes, [&](const Box& box) { return holds(box, at); });
            ++(wanted ? in : out);
            REQUIRE(diagrams.contains(set, at) == wanted);
        }
        REQUIRE(one_by_one(diagrams, boxes) == set);
        std::vector<Box> again;
        diagrams.for_each_box(set, [&](std::span<const Interval> box) {
            again.emplace_back(box.begin(), box.end());
            return true;
        });
        std::vector<u128> smallest;
        for (const Interval& interval : again.front()) smallest.push_back(interval.lo);
        REQUIRE(diagrams.witness(set) == smallest);
        std::shuffle(again.begin(), again.end(), std::mt19937(seed));
        REQUIRE(built(diagrams, again) == set);
    }
    CHECK(in > 50000);
    CHECK(out > 50000);
}

TEST_CASE("a tail stands for a box with each of its parts") {
    Diagrams diagrams(small_world());
    for (unsigned seed = 0; seed < 2000; ++seed) {
        CAPTURE(seed);
        Dice dice(seed);
        Boxes short_list(diagrams.levels());
        std::vector<Box> multiplied;
        for (unsigned i = dice(8); i > 0; --i) {
            Box box(fields, Interval{0, top4});
            const std::size_t depth = dice(fields + 1);
            for (std::size_t field = 0; field < depth; ++field) box[field] = dice.interval(top4);
            std::vector<Box> parts(1 + dice(3), box);
            std::vector<Box> tails(parts.size(), Box(fields, Interval{0, top4}));
            for (std::size_t part = 0; part < parts.size(); ++part)
                for (std::size_t field = depth; field < fields; ++field)
                    tails[part][field] = parts[part][field] = dice.interval(top4);
            short_list.add(box, built(diagrams, tails));
            multiplied.insert(multiplied.end(), parts.begin(), parts.end());
        }
        REQUIRE(diagrams.build(short_list).set.value() == built(diagrams, multiplied));
    }
    const Set tail = diagrams.box(Box{{0, top4}, {1, 2}, {0, top4}}).value();
    for (const auto& [box, fits] :
         {std::pair(Box{{3, 4}, {0, top4}, {0, top4}}, true), std::pair(Box{{3, 4}, {5, 6}, {0, top4}}, false),
          std::pair(Box{{0, top4}, {0, top4}, {7, 8}}, false)}) {
        Boxes boxes(diagrams.levels());
        boxes.add(box, tail);
        if (fits)
            CHECK(diagrams.build(boxes).set.ok());
        else
            CHECK_THROWS_AS(diagrams.build(boxes), std::invalid_argument);
    }
}

TEST_CASE("more points than 128 bits can say are counted about") {
    const u128 top = ~u128{0};
    Diagrams diagrams({{"a", top}, {"b", top}});
    const Count all = diagrams.count(everything);
    CHECK_FALSE(all.exact);
    CHECK(all.points == top);
    CHECK(all.about == 0x1p256L);
    const Count half = diagrams.count(diagrams.box(Box{{0, top / 2}, {7, 7}}).value());
    CHECK(half.exact);
    CHECK(half.points == u128{1} << 127U);
    const Count eight = diagrams.count(diagrams.box(Box{{0, top / 2}, {0, 7}}).value());
    CHECK_FALSE(eight.exact);
    CHECK(eight.points == top);
    CHECK(eight.about == 0x1p130L);
    const Count two = diagrams.count(built(diagrams, {{{0, top / 2}, {3, 3}}, {{top / 2 + 1, top}, {4, 4}}}));
    CHECK_FALSE(two.exact);
    CHECK(two.about == 0x1p128L);
    const Count none = diagrams.count(nothing);
    CHECK(none.exact);
    CHECK(none.points == 0);
    CHECK(diagrams.witness(nothing) == std::nullopt);
    CHECK(diagrams.witness(everything) == std::vector<u128>{0, 0});
}

TEST_CASE("what reaches the limit is an error, and an error is no operand") {
    const std::vector<Level> levels{{"destination", 1000000}, {"port", 65535}, {"source", 1000000}};
    // Many exact entries that have nothing to do with each other, and a few among them that overlap in every field.
    const auto entries = [&](Diagrams& diagrams) {
        Boxes boxes(diagrams.levels());
        for (unsigned i = 0; i < 3000; ++i) {
            if (i % 300 == 7) {
                const unsigned k = i / 300;
                boxes.add(Box{
                    {10000 + 3000 * k, 500000 + 7000 * k}, {100 + 100 * k, 3000 + 200 * k}, {50 * k, 5000 + 70 * k}});
            } else {
                boxes.add(Box{{300 * i, 300 * i}, {i, i}, {i * 7 % 1000, i * 7 % 1000}});
            }
        }
        return boxes;
    };
    Diagrams roomy(levels);
    const Boxes fit = entries(roomy);
    const Built whole = roomy.build(fit);
    REQUIRE(whole.set.ok());
    CHECK(whole.entangled.empty());

    SUBCASE("edges") {
        Diagrams diagrams(levels, {5000, 1'000'000'000});
        const Boxes boxes = entries(diagrams);
        const Built none = diagrams.build(boxes);
        REQUIRE_FALSE(none.set.ok());
        CHECK(none.set.error().message == "its diagram has more than 5000 edges");
        REQUIRE(none.entangled.size() == 8);
        for (const std::size_t box : none.entangled) CHECK(box % 300 == 7);
        Diagrams same(levels, {5000, 1'000'000'000});
        CHECK(same.build(entries(same)).entangled == none.entangled);
        CHECK(diagrams.edges() < 8'000'000);

        CHECK_FALSE(diagrams.unite(none.set, everything).ok());
        CHECK_FALSE(diagrams.subtract(nothing, none.set).ok());
        CHECK_FALSE(diagrams.intersect(nothing, none.set).ok());
        CHECK_FALSE(diagrams.restrict(none.set, 0, {0, 0}).ok());
    }
    SUBCASE("steps") {
        Diagrams diagrams(levels, {32'000'000, 10000});
        const Built none = diagrams.build(entries(diagrams));
        REQUIRE_FALSE(none.set.ok());
        CHECK(none.set.error().message == "its diagram takes more than 10000 steps");
        CHECK_FALSE(none.entangled.empty());
        CHECK(diagrams.box(Box{{1, 2}, {3, 4}, {5, 6}}).ok());  // of one operation, not of all
    }
    SUBCASE("operations") {
        Diagrams diagrams(levels, {100, 1'000'000'000});
        Result<Set> all = nothing;
        for (unsigned i = 0; i < 40 && all; ++i)
            all = diagrams.unite(all, diagrams.box(Box{{9 * i, 9 * i}, {i, i}, {i, i}}));
        REQUIRE_FALSE(all.ok());
        CHECK(all.error().message == "its diagram has more than 100 edges");
    }
}
