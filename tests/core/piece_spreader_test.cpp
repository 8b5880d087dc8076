#include "actors/core/piece_spreader.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

using namespace ezio;

namespace
{

using gift = piece_spreader::gift;

/// All happens at once, unless a test says otherwise.
constexpr monotonic_time now{std::chrono::hours(1)};
constexpr auto later = now + std::chrono::seconds(1);

/// A spreader, and what its peers have.
struct source : piece_spreader {
	source(std::int32_t pieces, std::int32_t first) : piece_spreader(pieces, first), count(pieces) {}

	void join(std::uint64_t peer, bool is_directed)
	{
		piece_spreader::join(peer, is_directed);
		had.try_emplace(peer, count);
	}
	void leave(std::uint64_t peer)
	{
		auto const gone = had.extract(peer);
		piece_spreader::leave(peer, gone ? gone.mapped() : piece_set(count));
	}
	void has(std::uint64_t peer, piece_index piece, monotonic_time when)
	{
		auto const found = had.find(peer);
		if (found != had.end() && found->second.insert(piece))
			piece_spreader::has(peer, piece, when);
	}
	void has_all(std::uint64_t peer, monotonic_time when)
	{
		for (std::int32_t i = 0; i < count; ++i)
			has(peer, piece_index(i), when);
	}

	std::int32_t count;
	std::map<std::uint64_t, piece_set> had;
};

/// All directed peers from 1 to count.
source with_peers(std::int32_t pieces, std::uint64_t count, std::int32_t first = 0)
{
	source spreader(pieces, first);
	for (std::uint64_t peer = 1; peer <= count; ++peer)
		spreader.join(peer, true);
	return spreader;
}

std::multiset<std::int32_t> pieces_of(std::vector<gift> const &gifts)
{
	std::multiset<std::int32_t> pieces;
	for (auto const &one : gifts)
		pieces.insert(to_int(one.piece));
	return pieces;
}

std::map<std::uint64_t, int> count_by_peer(std::vector<gift> const &gifts)
{
	std::map<std::uint64_t, int> counts;
	for (auto const &one : gifts)
		++counts[one.peer];
	return counts;
}

} // namespace

TEST_CASE("each piece is given to one peer, as many as are to be on their way, evenly")
{
	auto spreader = with_peers(100, 4);
	auto const gifts = spreader.plan(now);
	REQUIRE(gifts.size() == piece_spreader::in_flight_min);
	auto const pieces = pieces_of(gifts);
	CHECK(std::set<std::int32_t>(pieces.begin(), pieces.end()).size() == gifts.size());
	for (auto const &[peer, count] : count_by_peer(gifts))
		CHECK(count == static_cast<int>(piece_spreader::in_flight_min / 4));
	CHECK(spreader.plan(now).empty());
}

TEST_CASE("pieces are given in order, from the first to the one before it")
{
	auto spreader = with_peers(20, 4, 15);
	auto const gifts = spreader.plan(now);
	REQUIRE(gifts.size() == piece_spreader::in_flight_min);
	for (std::size_t i = 0; i < gifts.size(); ++i)
		CHECK(to_int(gifts[i].piece) == static_cast<int>(15 + i) % 20);
}

TEST_CASE("a piece that came out and was passed on makes room for the next, which goes to whom owes least")
{
	auto spreader = with_peers(100, 4);
	auto const gifts = spreader.plan(now);
	spreader.has(gifts[5].peer, gifts[5].piece, later);
	spreader.has(gifts[5].peer % 4 + 1, gifts[5].piece, later);
	auto const more = spreader.plan(now);
	REQUIRE(more.size() == 1);
	CHECK(more[0].peer == gifts[5].peer);
	CHECK(to_int(more[0].piece) == static_cast<int>(piece_spreader::in_flight_min));
}

TEST_CASE("where pieces come out quickly more are on their way, until nothing comes out any more")
{
	auto spreader = with_peers(10000, 4);
	auto gifts = spreader.plan(now);
	for (int round = 0; round < 5; ++round) {
		for (auto const &one : std::exchange(gifts, {})) {
			spreader.has(one.peer, one.piece, now + piece_spreader::quick / 2);
			for (auto const &next : spreader.plan(now))
				gifts.push_back(next);
		}
	}
	CHECK(spreader.in_flight() == piece_spreader::in_flight_min << 5);
	// A round that took longer leaves it as it is.
	for (auto const &one : std::exchange(gifts, {})) {
		spreader.has(one.peer, one.piece, later);
		spreader.plan(later);
	}
	CHECK(spreader.in_flight() == piece_spreader::in_flight_min << 5);
	spreader.tick();
	spreader.tick();
	for (std::uint64_t peer = 1; peer <= 4; ++peer) {
		spreader.leave(peer);
		spreader.join(peer + 4, true);
	}
	CHECK(spreader.plan(later).size() == piece_spreader::in_flight_min);
}

TEST_CASE("pieces that come out together make as much room as one by one")
{
	auto spreader = with_peers(10000, 4);
	auto gifts = spreader.plan(now);
	for (int round = 0; round < 5; ++round) {
		for (auto const &one : gifts)
			spreader.has(one.peer, one.piece, now + piece_spreader::quick / 2);
		gifts = spreader.plan(now);
	}
	CHECK(spreader.in_flight() == piece_spreader::in_flight_min << 5);
}

TEST_CASE("what one peer was given one other may have too, until it is passed on")
{
	auto spreader = with_peers(100, 3);
	auto const gifts = spreader.plan(now);
	auto const first_of = [&gifts](std::uint64_t peer) {
		return std::find_if(gifts.begin(), gifts.end(), [peer](gift const &one) {
			return one.peer == peer;
		})->piece;
	};
	CHECK_FALSE(spreader.give_too(2, piece_index(100)));
	CHECK_FALSE(spreader.give_too(4, first_of(1)));
	CHECK_FALSE(spreader.give_too(2, piece_index(99)));
	CHECK_FALSE(spreader.give_too(1, first_of(1)));
	CHECK(spreader.give_too(2, first_of(1)));
	CHECK_FALSE(spreader.give_too(3, first_of(1)));
	spreader.has(1, first_of(1), now);
	spreader.has(2, first_of(2), now);
	CHECK(spreader.give_too(3, first_of(2)));
	spreader.has(3, first_of(3), now);
	spreader.has(1, first_of(3), now);
	CHECK_FALSE(spreader.give_too(2, first_of(3)));
}

TEST_CASE("who was lately given less than half as much as another may not have what that one was given")
{
	auto spreader = with_peers(1000, 2);
	// Who is not directed is not compared with, however much it asks for.
	spreader.join(3, false);
	for (std::int32_t i = 900; i < 950; ++i) {
		spreader.asked(3, piece_index(i), now);
		spreader.has(3, piece_index(i), now);
	}
	auto const beside = [&spreader](std::uint64_t who, std::uint64_t other) {
		bool may = false;
		for (auto const &one : spreader.plan(now)) {
			spreader.has(one.peer, one.piece, later);
			may = may || (one.peer == other && spreader.give_too(who, one.piece));
		}
		return may;
	};
	CHECK(beside(2, 1));
	for (int round = 0; round < 20; ++round) {
		for (auto const &one : spreader.plan(now)) {
			spreader.has(one.peer, one.piece, later);
			spreader.has(one.peer == 1 ? 2 : 1, one.piece, later);
		}
	}
	// The second leaves and comes again, as another: at first it seems slow.
	spreader.leave(2);
	auto const alone = spreader.plan(now);
	REQUIRE_FALSE(alone.empty());
	spreader.join(4, true);
	CHECK_FALSE(spreader.give_too(4, alone.front().piece));
	for (auto const &one : alone)
		spreader.has(one.peer, one.piece, later);
	for (int second = 0; second < 5; ++second) {
		spreader.tick();
		for (auto const &one : spreader.plan(now)) {
			spreader.has(one.peer, one.piece, later);
			spreader.has(one.peer == 1 ? 4 : 1, one.piece, later);
		}
	}
	CHECK(spreader.give_too(4, alone.front().piece));
}

TEST_CASE("what a peer that left was told it may have too another one may have")
{
	auto spreader = with_peers(100, 3);
	auto const gifts = spreader.plan(now);
	auto const one =
		std::find_if(gifts.begin(), gifts.end(), [](gift const &each) { return each.peer == 1; });
	REQUIRE(spreader.give_too(2, one->piece));
	spreader.has(1, one->piece, now);
	spreader.leave(2);
	CHECK(spreader.give_too(3, one->piece));
}

TEST_CASE("few peers on a fast network have more each")
{
	auto const peers = GENERATE(1U, 2U, 64U);
	auto const quick = GENERATE(true, false);
	CAPTURE(peers, quick);
	auto spreader = with_peers(1000, peers);
	auto const gifts = spreader.plan(now);
	REQUIRE(gifts.size() == piece_spreader::in_flight_min);
	spreader.has(gifts[0].peer, gifts[0].piece, quick ? now + piece_spreader::quick / 2 : later);
	spreader.plan(now);
	auto const few = piece_spreader::in_flight_of_few / peers;
	CHECK(spreader.in_flight() ==
		(quick ? std::max(few, piece_spreader::in_flight_min + 1) : piece_spreader::in_flight_min));
}

TEST_CASE("more peers than pieces on their way take turns")
{
	auto spreader = with_peers(1000, 64);
	std::map<std::uint64_t, int> given;
	auto gifts = spreader.plan(now);
	while (!gifts.empty()) {
		for (auto const &one : gifts)
			++given[one.peer];
		auto const waiting = std::exchange(gifts, {});
		for (auto const &one : waiting) {
			spreader.has(one.peer, one.piece, later);
			for (auto const &next : spreader.plan(now))
				gifts.push_back(next);
		}
	}
	CHECK(spreader.is_done());
	CHECK(given.size() == 64);
	for (auto const &[peer, count] : given)
		CHECK((count == 15 || count == 16));
}

TEST_CASE("pieces of a peer that leaves are given to others: those it had alone and those on their way")
{
	auto spreader = with_peers(100, 2);
	auto const gifts = spreader.plan(now);
	std::set<std::int32_t> lost;
	for (auto const &one : gifts) {
		if (one.peer == 1)
			lost.insert(to_int(one.piece));
	}
	spreader.has(1, piece_index(*lost.begin()), later);
	spreader.leave(1);
	CHECK(spreader.out_count() == 0);
	std::set<std::int32_t> again;
	for (auto const &one : spreader.plan(now)) {
		CHECK(one.peer == 2);
		again.insert(to_int(one.piece));
	}
	CHECK(std::includes(again.begin(), again.end(), lost.begin(), lost.end()));
}

TEST_CASE("a piece that another peer has too is not lost with the first")
{
	auto spreader = with_peers(100, 3);
	auto const gifts = spreader.plan(now);
	spreader.has(1, piece_index(90), later);
	spreader.has(2, piece_index(90), later);
	spreader.leave(1);
	CHECK(spreader.out_count() == 1);
	spreader.leave(2);
	CHECK(spreader.out_count() == 0);
}

TEST_CASE("a peer to which nothing goes loses what it was given, and one that is served does not")
{
	auto spreader = with_peers(100, 2);
	auto const gifts = spreader.plan(now);
	for (int i = 0; i + 1 < piece_spreader::silent_ticks_max; ++i) {
		spreader.sent(2);
		spreader.tick();
	}
	CHECK(spreader.plan(now).empty());
	spreader.sent(2);
	spreader.tick();
	auto const more = spreader.plan(now);
	REQUIRE_FALSE(more.empty());
	std::multiset<std::int32_t> of_first;
	for (auto const &one : gifts) {
		if (one.peer == 1)
			of_first.insert(to_int(one.piece));
	}
	for (auto const &one : more)
		CHECK(one.peer == 2);
	CHECK(of_first.count(to_int(more[0].piece)) == 1);
}

TEST_CASE("a peer that is served but lags many rounds behind loses what it was given")
{
	auto spreader = with_peers(1000, 4);
	auto gifts = spreader.plan(now);
	std::set<std::int32_t> slow;
	for (auto const &one : gifts) {
		if (one.peer == 4)
			slow.insert(to_int(one.piece));
	}
	std::set<std::int32_t> regained;
	for (int round = 0; round < 30; ++round) {
		auto const taken = std::exchange(gifts, {});
		for (auto const &one : taken) {
			if (one.peer != 4)
				spreader.has(one.peer, one.piece, later);
			else
				spreader.sent(4);
		}
		spreader.tick();
		for (auto const &one : spreader.plan(now)) {
			gifts.push_back(one);
			if (one.peer != 4 && slow.count(to_int(one.piece)) == 1)
				regained.insert(to_int(one.piece));
		}
	}
	CHECK(regained == slow);
}

namespace
{

/// A swarm in which each round brings all that was given, and all peers but the last pass on what they have.
struct swarm_with_a_mute {
	swarm_with_a_mute(std::int32_t pieces, std::uint64_t peers)
		: spreader(with_peers(pieces, peers)), mute(peers)
	{
	}

	void round(bool shows = true)
	{
		for (auto const &one : spreader.plan(now)) {
			++given[one.peer];
			++times[to_int(one.piece)];
			spreader.sent(one.peer);
			if (one.peer == mute && !shows)
				continue;
			spreader.has(one.peer, one.piece, later);
			if (one.peer == mute && is_helped && spreader.give_too(1, one.piece))
				spreader.has(1, one.piece, later);
			if (one.peer == mute)
				continue;
			for (std::uint64_t peer = 1; peer <= mute; ++peer)
				spreader.has(peer, one.piece, later);
		}
		spreader.tick();
	}

	source spreader;
	std::uint64_t mute;
	bool is_helped = false; ///< the source sends the mute peer's pieces to the first one as well
	std::map<std::uint64_t, int> given;
	std::map<std::int32_t, int> times;
};

} // namespace

TEST_CASE("a peer that does not pass on what it was given gets next to nothing more")
{
	swarm_with_a_mute swarm(1000, 8);
	while (!swarm.spreader.is_done())
		swarm.round();
	CHECK(swarm.given[8] <= 8);
	for (std::uint64_t peer = 1; peer < 8; ++peer)
		CHECK(swarm.given[peer] > 100);
}

TEST_CASE("it gets no more for it that others have from the source what it did not pass on")
{
	swarm_with_a_mute swarm(1000, 8);
	swarm.is_helped = true;
	while (!swarm.spreader.is_done())
		swarm.round();
	CHECK(swarm.given[8] <= 8);
}

TEST_CASE("a mute newcomer gets next to nothing, however much the others had to take from the source")
{
	auto spreader = with_peers(2000, 4);
	for (int round = 0; round < 100; ++round) {
		for (auto const &one : spreader.plan(now)) {
			auto const other = one.peer % 4 + 1;
			spreader.has(one.peer, one.piece, later);
			CHECK(spreader.give_too(other, one.piece));
			spreader.has(other, one.piece, later);
		}
		spreader.tick();
	}
	spreader.join(5, true);
	int given = 0;
	for (int round = 0; round < 100; ++round) {
		for (auto const &one : spreader.plan(now)) {
			given += one.peer == 5 ? 1 : 0;
			spreader.has(one.peer, one.piece, later);
			if (one.peer != 5)
				spreader.has(one.peer % 4 + 1, one.piece, later);
		}
		spreader.tick();
	}
	CHECK(given <= 8);
}

TEST_CASE("a peer that lags behind gets next to nothing more, though others bring what it was given")
{
	swarm_with_a_mute swarm(1000, 8);
	while (!swarm.spreader.is_done())
		swarm.round(false);
	CHECK(swarm.given[8] <= 8);
}

TEST_CASE("a piece that nobody gets from its only holder is given again, to another, one at a time")
{
	swarm_with_a_mute swarm(1000, 8);
	swarm.round();
	auto const alone = swarm.given[8];
	REQUIRE(alone > 0);
	std::set<std::int32_t> of_mute;
	for (std::int32_t i = 0; i < 1000; ++i) {
		if (swarm.spreader.had.at(8).contains(piece_index(i)) &&
			!swarm.spreader.had.at(1).contains(piece_index(i)))
			of_mute.insert(i);
	}
	std::size_t rounds = 1;
	while (rounds <= piece_spreader::stuck_after_rounds) {
		swarm.round();
		++rounds;
	}
	for (auto const piece : of_mute)
		CHECK(swarm.times[piece] == 1);
	for (int round = 0; round < alone; ++round)
		swarm.round();
	for (auto const piece : of_mute) {
		CHECK(swarm.times[piece] == 2);
		CHECK(swarm.spreader.had.at(1).contains(piece_index(piece)));
	}
}

TEST_CASE("where a round of all peers is longer than what is on its way, a piece may take that long to be "
		  "passed on")
{
	constexpr std::uint64_t peers = 40;
	auto spreader = with_peers(1000, peers);
	std::set<std::int32_t> given;
	std::deque<gift> waiting;
	// Each piece is passed on when as many as there are peers have come out after it.
	for (std::size_t outs = 0; outs < 400;) {
		auto const gifts = spreader.plan(now);
		REQUIRE_FALSE(gifts.empty());
		for (auto const &one : gifts) {
			CHECK(given.insert(to_int(one.piece)).second);
			spreader.sent(one.peer);
			spreader.has(one.peer, one.piece, later);
			waiting.push_back(one);
			++outs;
		}
		for (; waiting.size() > peers; waiting.pop_front())
			spreader.has(waiting.front().peer % peers + 1, waiting.front().piece, later);
	}
}

TEST_CASE("of two peers neither is taken for mute: the other one may be slow")
{
	auto spreader = with_peers(1000, 2);
	std::map<std::int32_t, int> times;
	while (!spreader.is_done()) {
		auto const gifts = spreader.plan(now);
		REQUIRE_FALSE(gifts.empty());
		for (auto const &one : gifts) {
			++times[to_int(one.piece)];
			spreader.sent(one.peer);
			spreader.has(one.peer, one.piece, later);
		}
		spreader.tick();
	}
	for (auto const &[piece, count] : times)
		CHECK(count == 1);
}

TEST_CASE("a newcomer does not keep those that were there before from what they are to pass on to it")
{
	auto spreader = with_peers(1000, 1);
	for (int round = 0; round < 20; ++round) {
		for (auto const &one : spreader.plan(now))
			spreader.has(one.peer, one.piece, later);
		spreader.tick();
	}
	spreader.join(2, true);
	auto const counts = count_by_peer(spreader.plan(now));
	CHECK(counts.at(1) > 0);
	CHECK(counts.at(2) > 0);
}

TEST_CASE("when nothing waits any more, what is on its way to one goes to another as well")
{
	auto spreader = with_peers(2, 2);
	auto const gifts = spreader.plan(now);
	// Two on their way, which is less than half of what the uplink has room for: each goes to both.
	CHECK(gifts.size() == 4);
	CHECK(pieces_of(gifts).count(0) == 2);
	for (int i = 0; i < 2; ++i)
		spreader.has(1, piece_index(i), later);
	CHECK(spreader.is_done());
	CHECK(spreader.in_flight() == 0);
	CHECK(spreader.plan(now).empty());
}

TEST_CASE("a peer that sees everything is given nothing, and what it asks for is left to it")
{
	source spreader(100, 0);
	spreader.join(1, false);
	CHECK(spreader.plan(now).empty());
	spreader.asked(1, piece_index(0), now);
	spreader.asked(1, piece_index(0), now);
	CHECK(spreader.in_flight() == 1);
	spreader.join(2, true);
	auto const gifts = spreader.plan(now);
	CHECK(gifts.size() == piece_spreader::in_flight_min - 1);
	CHECK(pieces_of(gifts).count(0) == 0);
}

TEST_CASE("another source is no holder, and a node that becomes complete is")
{
	auto spreader = with_peers(10, 2);
	spreader.is_source(1);
	spreader.has_all(1, later);
	CHECK(spreader.out_count() == 0);
	for (auto const &one : spreader.plan(now))
		CHECK(one.peer == 2);
	spreader.has(2, piece_index(3), later);
	CHECK(spreader.out_count() == 1);
	spreader.has_all(2, later);
	CHECK(spreader.is_done());
}

TEST_CASE("what peers ask for out of range, or do after they left, is ignored")
{
	auto spreader = with_peers(10, 1);
	spreader.asked(1, piece_index(1 << 30), now);
	spreader.has(1, piece_index(3), later);
	CHECK(spreader.out_count() == 1);
	spreader.leave(1);
	spreader.leave(1);
	spreader.piece_spreader::has(1, piece_index(4), later);
	spreader.is_source(7);
	spreader.sent(7);
	CHECK(spreader.out_count() == 0);
	CHECK(piece_spreader(0, 0).is_done());
}

TEST_CASE("whatever peers do, all pieces come out as long as one peer takes what it is given")
{
	auto const seed = Catch::rngSeed();
	CAPTURE(seed);
	std::mt19937 random(seed);
	for (int round = 0; round < 50; ++round) {
		auto const pieces = static_cast<std::int32_t>(1 + random() % 200);
		source spreader(pieces, static_cast<std::int32_t>(random() % 200));
		spreader.join(1, true);
		std::set<std::int32_t> shown;
		std::uint64_t last = 1;
		for (int step = 0; step < 1000 && !spreader.is_done(); ++step) {
			auto const peer = 2 + random() % last;
			auto const piece = piece_index(static_cast<std::int32_t>(random() % 210) - 5);
			switch (random() % 8) {
			case 0:
				spreader.join(++last + 1, random() % 2 == 0);
				break;
			case 1:
				spreader.leave(peer);
				break;
			case 2:
				spreader.asked(peer, piece, now);
				break;
			case 3:
				spreader.has(peer, piece, later);
				break;
			case 4:
				spreader.sent(peer);
				break;
			case 5:
				spreader.tick();
				break;
			default:
				if (!shown.empty()) {
					spreader.sent(1);
					spreader.has(1, piece_index(*shown.begin()), later);
					shown.erase(shown.begin());
				}
			}
			for (auto const &one : spreader.plan(now)) {
				REQUIRE(to_int(one.piece) >= 0);
				REQUIRE(to_int(one.piece) < pieces);
				if (one.peer == 1)
					shown.insert(to_int(one.piece));
			}
			REQUIRE(spreader.out_count() <= static_cast<std::size_t>(pieces));
		}
		// Then all others hang.
		for (int second = 0; second < 1000 && !spreader.is_done(); ++second) {
			spreader.tick();
			for (auto const &one : spreader.plan(now)) {
				if (one.peer == 1)
					shown.insert(to_int(one.piece));
			}
			for (auto const piece : std::exchange(shown, {})) {
				spreader.sent(1);
				spreader.has(1, piece_index(piece), later);
			}
		}
		CAPTURE(pieces, spreader.out_count(), spreader.in_flight());
		REQUIRE(spreader.is_done());
	}
}

TEST_CASE("a piece that the source cannot read is shown to nobody and waited for by nobody")
{
	auto spreader = with_peers(4, 1);
	spreader.lose(piece_index{1});
	auto const gifts = spreader.plan(now);
	CHECK(pieces_of(gifts) == std::multiset<std::int32_t>{0, 2, 3});
	for (auto const piece : {0, 2, 3})
		spreader.has(1, piece_index{piece}, later);
	CHECK(spreader.is_done());
}

TEST_CASE("a piece that is lost on its way to a peer makes room, and is shown again when it can be read")
{
	auto spreader = with_peers(4, 1);
	CHECK(spreader.plan(now).size() == 4);
	spreader.lose(piece_index{1});
	CHECK(spreader.in_flight() == 3);
	spreader.regain(piece_index{1});
	auto const again = spreader.plan(later);
	CHECK(pieces_of(again) == std::multiset<std::int32_t>{1});
	// One that a peer has already is not lost to the others.
	spreader.has(1, piece_index{0}, later);
	spreader.lose(piece_index{0});
	spreader.regain(piece_index{0});
	CHECK(spreader.plan(later).empty());
	CHECK(spreader.out_count() == 1);
}
