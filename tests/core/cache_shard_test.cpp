#include "actors/core/cache_shard.hpp"

#include <catch2/catch.hpp>

using namespace ezio;
using namespace std::chrono_literals;

namespace
{

struct shard_fixture {
	std::unique_ptr<block_arena> arena = std::move(block_arena::create(256, 256)).value();
	cache_shard shard;
	monotonic_time now{1h};

	block_ref block()
	{
		auto made = arena->allocate(block_purpose::receive);
		REQUIRE(made);
		return made;
	}
	cached_piece &piece(int number) { return shard.get(storage_id{1}, piece_index{number}, 100); }
	void dirty(cached_piece &in, std::uint32_t index)
	{
		auto job = std::make_unique<disk_job>();
		job->block = block();
		job->offset_bytes = index * block_bytes;
		shard.insert_dirty(in, index, std::move(job), now);
	}
};

} // namespace

TEST_CASE("a shard finds blocks by storage, piece and index")
{
	shard_fixture f;
	f.shard.insert_clean(f.piece(3), 7, f.block());
	auto *const found = f.shard.find(storage_id{1}, piece_index{3});
	REQUIRE(found != nullptr);
	CHECK(found->slots[7].block);
	CHECK_FALSE(found->slots[6].block);
	CHECK(f.shard.find(storage_id{2}, piece_index{3}) == nullptr);
	CHECK(f.shard.find(storage_id{1}, piece_index{4}) == nullptr);
	CHECK(f.shard.clean_blocks() == 1);
}

TEST_CASE("eviction takes the least recently used piece first and never a dirty block")
{
	shard_fixture f;
	for (int p = 0; p < 3; ++p) {
		f.shard.insert_clean(f.piece(p), 0, f.block());
		f.shard.insert_clean(f.piece(p), 50, f.block());
	}
	f.dirty(f.piece(1), 1);
	f.shard.touch(f.piece(0));
	CHECK(f.shard.evict_clean(1) == 1);
	CHECK(f.piece(2).clean_blocks == 1);
	CHECK(f.shard.evict_clean(2) == 2);
	CHECK(f.shard.find(storage_id{1}, piece_index{2}) == nullptr);
	CHECK(f.piece(1).clean_blocks == 1);
	CHECK(f.piece(0).clean_blocks == 2);
	CHECK(f.shard.evict_clean(100) == 3);
	CHECK(f.shard.clean_blocks() == 0);
	CHECK(f.shard.dirty_blocks() == 1);
	CHECK(f.shard.pieces() == 1);
	CHECK(f.arena->used_blocks() == 1);
	CHECK(f.shard.evict_clean(1) == 0);
}

TEST_CASE("eviction for memory passes over blocks that others hold")
{
	shard_fixture f;
	auto const held = f.block();
	f.shard.insert_clean(f.piece(0), 0, held);
	f.shard.insert_clean(f.piece(1), 0, f.block());
	CHECK(f.shard.evict_unshared(2) == 1);
	CHECK(f.shard.find(storage_id{1}, piece_index{1}) == nullptr);
	CHECK(f.shard.evict_unshared(1) == 0);
	CHECK(f.shard.clean_blocks() == 1);
}

TEST_CASE("a dirty block becomes clean or is removed with its job handed back")
{
	shard_fixture f;
	auto &piece = f.piece(0);
	f.dirty(piece, 2);
	f.now += 10ms;
	f.dirty(piece, 70);
	CHECK(f.shard.oldest_dirty() == f.now - 10ms);
	CHECK(piece.dirty_bits == std::vector<std::uint64_t>{4, 64});
	CHECK(f.shard.mark_written(piece, 2) != nullptr);
	f.shard.settle(piece);
	CHECK(f.shard.oldest_dirty() == f.now);
	CHECK(f.shard.clean_blocks() == 1);
	CHECK(f.shard.remove(piece, 70) != nullptr);
	f.shard.settle(piece);
	CHECK_FALSE(f.shard.oldest_dirty());
	CHECK(f.shard.dirty_pieces().empty());
	CHECK(f.shard.remove(piece, 2) == nullptr);
	f.shard.settle(piece);
	CHECK(f.shard.pieces() == 0);
	CHECK(f.arena->used_blocks() == 0);
}

TEST_CASE("a dirty block replaces a clean one")
{
	shard_fixture f;
	auto &piece = f.piece(0);
	f.shard.insert_clean(piece, 5, f.block());
	f.dirty(piece, 5);
	CHECK(f.shard.clean_blocks() == 0);
	CHECK(f.shard.dirty_blocks() == 1);
	CHECK(f.shard.evict_clean(1) == 0);
	CHECK(f.shard.forget_piece(storage_id{1}, piece_index{0}).size() == 1);
}

TEST_CASE("forgetting a storage returns the jobs of its dirty blocks and spares others")
{
	shard_fixture f;
	f.dirty(f.piece(0), 0);
	f.dirty(f.piece(1), 0);
	f.shard.insert_clean(f.piece(1), 1, f.block());
	f.shard.insert_clean(f.shard.get(storage_id{2}, piece_index{0}, 4), 0, f.block());
	CHECK(f.shard.forget_storage(storage_id{1}).size() == 2);
	CHECK(f.shard.pieces() == 1);
	CHECK(f.shard.clean_blocks() == 1);
	CHECK(f.shard.dirty_blocks() == 0);
	CHECK(f.shard.dirty_pieces().empty());
}

TEST_CASE("a piece that reuses the memory of another starts empty")
{
	shard_fixture f;
	f.dirty(f.piece(0), 99);
	f.piece(0).is_hash_asked = true;
	CHECK(f.shard.forget_piece(storage_id{1}, piece_index{0}).size() == 1);
	auto &piece = f.shard.get(storage_id{9}, piece_index{8}, 64);
	CHECK(piece.slots.size() == 64);
	CHECK(piece.dirty_bits == std::vector<std::uint64_t>{0});
	CHECK_FALSE(piece.is_hash_asked);
	f.shard.insert_clean(piece, 63, f.block());
	CHECK(f.shard.evict_clean(1) == 1);
	CHECK(f.shard.pieces() == 0);
}
