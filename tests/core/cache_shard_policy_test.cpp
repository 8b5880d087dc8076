#include "actors/core/cache_shard.hpp"
#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

using namespace ezio;
using namespace ezio::test;
using namespace std::chrono_literals;

namespace
{

constexpr std::uint32_t piece_blocks = 4;
constexpr storage_id image{1};

/// A shard used as a partition uses it: what is missing is read, what is too much is evicted.
struct cache_use {
	explicit cache_use(std::uint32_t capacity) : m_capacity(capacity) { shard.set_wanted_max(capacity / 2); }

	/// A peer reads a whole piece.
	void read(int number, std::uint32_t readers)
	{
		for (std::uint32_t i = 0; i < piece_blocks; ++i) {
			auto *piece = &shard.get(image, piece_index{number}, piece_blocks);
			if (!piece->slots[i].block) {
				++device_reads;
				shard.insert_clean(*piece, i, arena->allocate(block_purpose::receive));
				if (shard.clean_blocks() > m_capacity)
					shard.evict_clean(shard.clean_blocks() - m_capacity);
				piece = shard.find(image, piece_index{number});
				REQUIRE(piece != nullptr);
			}
			piece->audience = audience;
			shard.serve(*piece, i, readers);
		}
	}
	bool has(int number)
	{
		auto const *const piece = shard.find(image, piece_index{number});
		return piece != nullptr && piece->clean_blocks == piece_blocks;
	}

	std::unique_ptr<block_arena> arena = std::move(block_arena::create(1024, 1024)).value();
	cache_shard shard;
	std::shared_ptr<piece_audience> audience; ///< none unless the test sets one
	std::uint64_t device_reads = 0;

private:
	std::uint32_t m_capacity;
};

} // namespace

TEST_CASE("what every peer has by now goes before what one still lacks, wherever they have it from")
{
	cache_use use(64);
	use.audience = std::make_shared<piece_audience>(1000);
	use.audience->came();
	use.audience->came();
	constexpr int pieces = 160; // ten times the cache
	std::vector<int> lacked;
	for (int number = 0; number < pieces; ++number) {
		use.read(number, 2);
		use.audience->has(piece_index{number}); // the one who has just read it
		// The other one had most of them from somewhere else.
		if (number % 20 != 0)
			use.audience->has(piece_index{number});
		else
			lacked.push_back(number);
	}
	for (int const number : lacked)
		use.read(number, 2);
	CHECK(use.device_reads == std::uint64_t{pieces} * piece_blocks);
}

TEST_CASE("a piece that was handed out is offered once to the last that lacks it while it is here")
{
	cache_use use(64); // 16 pieces
	use.audience = std::make_shared<piece_audience>(1000);
	use.audience->came();
	use.audience->came();
	std::vector<int> offered;
	for (int number = 0; number < 64; ++number) {
		use.read(number, 2);
		use.audience->has(piece_index{number});
		for (auto const piece : use.audience->take_offers()) {
			CHECK(use.has(to_int(piece)));
			offered.push_back(to_int(piece));
		}
	}
	std::vector<int> expected(offered.size());
	// The first one is being evicted when it is seen for the first time that the cache is full.
	std::iota(expected.begin(), expected.end(), 1);
	CHECK(offered == expected);
	// All but what is not among the older half yet.
	CHECK(offered.size() >= 64 - 10);
	// Nobody is told of what three lack: they should have it from each other.
	cache_use crowd(64);
	crowd.audience = std::make_shared<piece_audience>(1000);
	for (int i = 0; i < 4; ++i)
		crowd.audience->came();
	for (int number = 0; number < 64; ++number) {
		crowd.read(number, 4);
		crowd.audience->has(piece_index{number});
	}
	CHECK_FALSE(crowd.audience->has_offers());
}

TEST_CASE("two readers of which one lags by less than the cache read each block from the device once")
{
	constexpr std::uint32_t capacity = 64;
	constexpr int cached_pieces = capacity / piece_blocks;
	constexpr int pieces = 10 * cached_pieces;
	for (int const lag : {1, cached_pieces / 2, cached_pieces - 2}) {
		INFO("lag " << lag);
		cache_use use(capacity);
		for (int at = 0; at < pieces + lag; ++at) {
			if (at < pieces)
				use.read(at, 2);
			if (at >= lag)
				use.read(at - lag, 2);
		}
		CHECK(use.device_reads == std::uint64_t{pieces} * piece_blocks);
	}
}

TEST_CASE("ten readers spread over half of the cache read each block from the device once, known or not")
{
	constexpr std::uint32_t capacity = 128;
	constexpr int pieces = 300;
	constexpr int step = 1; // ten readers, 9 pieces between the first and the last
	for (std::uint32_t const readers : {10U, 0U}) {
		INFO("readers " << readers);
		cache_use use(capacity);
		for (int at = 0; at < pieces + 9 * step; ++at) {
			for (int reader = 0; reader < 10; ++reader) {
				auto const piece = at - reader * step;
				if (piece >= 0 && piece < pieces)
					use.read(piece, readers);
			}
		}
		CHECK(use.device_reads == std::uint64_t{pieces} * piece_blocks);
	}
}

TEST_CASE("a scan of ten times the cache leaves what several peers ask for")
{
	constexpr std::uint32_t capacity = 64;
	cache_use use(capacity);
	constexpr int wanted = capacity / 2 / piece_blocks;
	for (int round = 0; round < 2; ++round) {
		for (int piece = 0; piece < wanted; ++piece)
			use.read(piece, 5);
	}
	for (int piece = 1000; piece < 1000 + 10 * static_cast<int>(capacity) / static_cast<int>(piece_blocks);
		 ++piece)
		use.read(piece, 5);
	for (int piece = 0; piece < wanted; ++piece)
		CHECK(use.has(piece));
	CHECK(use.shard.clean_blocks() == capacity);
}

TEST_CASE("what everybody has had is evicted before what nobody has asked for")
{
	cache_use use(12);
	use.read(0, 2);
	use.read(1, 2);
	use.read(1, 2);
	use.read(2, 2);
	use.read(3, 2);
	CHECK(use.has(0));
	CHECK_FALSE(use.has(1));
	CHECK(use.has(2));
}

TEST_CASE("what was popular once makes room for what is read now")
{
	cache_use use(16);
	for (int round = 0; round < 2; ++round)
		for (int piece = 0; piece < 4; ++piece)
			use.read(piece, 5);
	CHECK(use.shard.wanted_blocks() == 8);
	for (int round = 0; round < 2; ++round) {
		use.read(10, 5);
		use.read(11, 5);
	}
	CHECK(use.shard.wanted_blocks() == 8);
	CHECK(use.has(10));
	CHECK(use.has(11));
	use.shard.set_wanted_max(0);
	CHECK(use.shard.wanted_blocks() == 0);
}

TEST_CASE("a warm-up takes the room of what nobody needs and of other storages, never its own")
{
	cache_use use(100);
	use.read(0, 1); // spent
	use.read(1, 5); // fresh, of this image
	use.read(2, 5);
	use.read(2, 5); // wanted
	auto &other = use.shard.get(storage_id{2}, piece_index{0}, piece_blocks);
	use.shard.insert_clean(other, 0, use.arena->allocate(block_purpose::receive));
	CHECK(use.shard.evict_for_warming(100, image) == piece_blocks + 1);
	CHECK_FALSE(use.has(0));
	CHECK(use.has(1));
	CHECK(use.has(2));
	CHECK(use.shard.find(storage_id{2}, piece_index{0}) == nullptr);
}

TEST_CASE("blocks read ahead that nobody asked for are counted when they are evicted")
{
	cache_use use(100);
	auto &piece = use.shard.get(image, piece_index{0}, piece_blocks);
	for (std::uint32_t i = 0; i < piece_blocks; ++i)
		use.shard.insert_clean(piece, i, use.arena->allocate(block_purpose::receive), i > 0);
	use.shard.serve(piece, 0, 0);
	use.shard.serve(piece, 1, 0);
	use.shard.evict_clean(3);
	CHECK(use.shard.evicted_unused() == 1);
	CHECK(use.shard.evict_unshared(1) == 1);
	CHECK(use.shard.evicted_unused() == 2);
}

namespace
{

/// The same policy, written down without lists: every decision looks at everything.
class plain_shard
{
public:
	using rank = cached_piece::rank;
	struct block {
		bool is_clean = false, is_dirty = false, is_served = false, is_ahead = false;
	};
	struct piece {
		std::vector<block> blocks = std::vector<block>(piece_blocks);
		rank kept_as = rank::fresh;
		std::uint64_t servings = 0;
		std::uint64_t last_use = 0;

		std::uint32_t clean() const
		{
			return static_cast<std::uint32_t>(std::ranges::count_if(blocks, &block::is_clean));
		}
		bool is_empty() const
		{
			return std::ranges::none_of(blocks, [](block const &b) { return b.is_clean || b.is_dirty; });
		}
	};
	using key = std::pair<std::uint64_t, int>;

	void insert_clean(key k, std::uint32_t i, bool is_ahead)
	{
		auto &p = pieces[k];
		p.blocks[i] = {true, false, false, is_ahead};
		p.last_use = ++m_now;
		limit();
	}
	void insert_dirty(key k, std::uint32_t i)
	{
		auto &p = pieces[k];
		p.blocks[i] = {false, true, false, false};
		p.last_use = ++m_now;
	}
	void mark_written(key k, std::uint32_t i)
	{
		auto const was_served = pieces[k].blocks[i].is_served;
		insert_clean(k, i, false);
		pieces[k].blocks[i].is_served = was_served;
	}
	void remove(key k, std::uint32_t i)
	{
		pieces[k].blocks[i] = {};
		drop_if_empty(k);
	}
	void serve(key k, std::uint32_t i, std::uint32_t readers)
	{
		auto &p = pieces[k];
		auto const is_again = p.blocks[i].is_served;
		p.blocks[i].is_served = true;
		p.blocks[i].is_ahead = false;
		++p.servings;
		if (readers > 0 && p.servings >= readers * piece_blocks)
			p.kept_as = rank::spent;
		else if (is_again)
			p.kept_as = rank::wanted;
		else if (p.kept_as == rank::spent)
			p.kept_as = rank::fresh;
		p.last_use = ++m_now;
		limit();
	}
	void set_wanted_max(std::uint32_t blocks)
	{
		m_wanted_max = blocks;
		limit();
	}
	std::uint32_t evict(std::uint32_t count, std::uint64_t warming)
	{
		std::uint32_t evicted = 0;
		while (evicted < count) {
			auto const victim = first([warming](key const &k, piece const &p) {
				return warming == 0 || p.kept_as == rank::spent ||
					(p.kept_as == rank::fresh && k.first != warming);
			});
			if (victim == pieces.end())
				break;
			auto &blocks = victim->second.blocks;
			auto const found = std::ranges::find_if(blocks, &block::is_clean);
			unused += found->is_ahead ? 1 : 0;
			*found = {};
			++evicted;
			drop_if_empty(victim->first);
		}
		return evicted;
	}

	std::map<key, piece> pieces;
	std::uint64_t unused = 0;

private:
	template <class Predicate>
	std::map<key, piece>::iterator first(Predicate may_go)
	{
		auto best = pieces.end();
		for (auto it = pieces.begin(); it != pieces.end(); ++it) {
			if (it->second.clean() == 0 || !may_go(it->first, it->second))
				continue;
			auto const before = [](piece const &a, piece const &b) {
				return std::pair(a.kept_as, a.last_use) < std::pair(b.kept_as, b.last_use);
			};
			if (best == pieces.end() || before(it->second, best->second))
				best = it;
		}
		return best;
	}
	void limit()
	{
		for (;;) {
			std::uint32_t wanted = 0;
			for (auto const &[k, p] : pieces)
				wanted += p.kept_as == rank::wanted ? p.clean() : 0;
			if (wanted <= m_wanted_max)
				return;
			auto const oldest = first([](key const &, piece const &p) { return p.kept_as == rank::wanted; });
			oldest->second.kept_as = rank::fresh;
			oldest->second.last_use = ++m_now;
		}
	}
	void drop_if_empty(key k)
	{
		if (pieces[k].is_empty())
			pieces.erase(k);
	}

	std::uint64_t m_now = 0;
	std::uint32_t m_wanted_max = ~std::uint32_t{0};
};

class random_use
{
public:
	explicit random_use(std::uint64_t seed) : m_random(seed) {}

	void step()
	{
		plain_shard::key const k{1 + below(2), static_cast<int>(below(12))};
		auto const i = below(piece_blocks);
		auto const storage = storage_id{k.first};
		auto const number = piece_index{k.second};
		auto *const known = m_shard.find(storage, number);
		auto const *const slot = known != nullptr ? &known->slots[i] : nullptr;
		switch (below(12)) {
		case 0:
		case 1:
		case 2:
			if (slot == nullptr || !slot->writer) {
				auto const is_ahead = below(2) == 0;
				m_shard.insert_clean(m_shard.get(storage, number, piece_blocks), i, block(), is_ahead);
				m_plain.insert_clean(k, i, is_ahead);
			}
			break;
		case 3:
			if (slot == nullptr || !slot->writer) {
				auto job = std::make_unique<disk_job>();
				job->block = block();
				m_shard.insert_dirty(
					m_shard.get(storage, number, piece_blocks), i, std::move(job), monotonic_time{1h});
				m_plain.insert_dirty(k, i);
			}
			break;
		case 4:
			if (slot != nullptr && slot->writer) {
				CHECK(m_shard.mark_written(*known, i) != nullptr);
				m_shard.settle(*known);
				m_plain.mark_written(k, i);
			}
			break;
		case 5:
			if (slot != nullptr && slot->block) {
				CHECK((m_shard.remove(*known, i) != nullptr) == m_plain.pieces[k].blocks[i].is_dirty);
				m_shard.settle(*known);
				m_plain.remove(k, i);
			}
			break;
		case 6: {
			auto const count = below(12);
			CHECK(m_shard.evict_clean(count) == m_plain.evict(count, 0));
			break;
		}
		case 7: {
			auto const count = below(6);
			CHECK(m_shard.evict_for_warming(count, storage) == m_plain.evict(count, k.first));
			break;
		}
		case 8: {
			auto const most = below(40);
			m_shard.set_wanted_max(most);
			m_plain.set_wanted_max(most);
			break;
		}
		default:
			if (slot != nullptr && slot->block) {
				auto const readers = below(4);
				m_shard.serve(*known, i, readers);
				m_plain.serve(k, i, readers);
			}
		}
		compare();
	}

private:
	std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(m_random() % bound); }
	block_ref block() { return m_arena->allocate(block_purpose::receive); }

	void compare()
	{
		std::uint32_t clean = 0;
		std::uint32_t dirty = 0;
		for (auto const &[k, plain] : m_plain.pieces) {
			auto *const piece = m_shard.find(storage_id{k.first}, piece_index{k.second});
			REQUIRE(piece != nullptr);
			bool is_same = piece->kept_as == plain.kept_as;
			for (std::uint32_t i = 0; i < piece_blocks; ++i) {
				auto const &slot = piece->slots[i];
				auto const &expected = plain.blocks[i];
				is_same = is_same && bool(slot.block) == (expected.is_clean || expected.is_dirty) &&
					bool(slot.writer) == expected.is_dirty;
				clean += expected.is_clean ? 1 : 0;
				dirty += expected.is_dirty ? 1 : 0;
			}
			REQUIRE(is_same);
		}
		REQUIRE(m_shard.pieces() == m_plain.pieces.size());
		REQUIRE(m_shard.clean_blocks() == clean);
		REQUIRE(m_shard.dirty_blocks() == dirty);
		REQUIRE(m_shard.evicted_unused() == m_plain.unused);
		REQUIRE(m_arena->used_blocks() == clean + dirty);
	}

	std::mt19937_64 m_random;
	std::unique_ptr<block_arena> m_arena = std::move(block_arena::create(1024, 1024)).value();
	cache_shard m_shard;
	plain_shard m_plain;
};

} // namespace

TEST_CASE("random use of a shard gives what the policy written down without lists gives")
{
	auto const seed = test_seed();
	std::cout << "EZIO_TEST_SEED=" << seed << '\n';
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	for (int round = 0; round < 20; ++round) {
		random_use run(random());
		for (int step = 0; step < 500; ++step)
			run.step();
	}
}
