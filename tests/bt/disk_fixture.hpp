#pragma once

#include "actors/bt/disk_adapter.hpp"
#include "actors/hasher.hpp"
#include "actors/partition_pool.hpp"
#include "tests/support/fake_block_device.hpp"

#include <libtorrent/disk_interface.hpp>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/io_context.hpp>
#include <libtorrent/performance_counters.hpp>
#include <libtorrent/settings_pack.hpp>

#include <caf/all.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ezio::test
{

/// A libtorrent disk I/O object with one storage, without a session: the test is the network thread.
/// Everything that the disk_interface contract promises must hold for every implementation.
class disk_fixture
{
public:
	static constexpr int piece_bytes = 64 * 1024;
	static constexpr int total_bytes =
		5 * piece_bytes + 20000; ///< the last piece and its last block are short

	virtual ~disk_fixture() = default;

	lt::disk_interface &disk() { return *m_disk; }
	lt::storage_index_t index() const { return m_holder; }
	lt::io_context &network() { return m_network; }
	lt::file_storage const &files() const { return m_files; }

	/// Runs handlers until @p done or until @p deadline has passed without it; false then.
	bool run_until(
		std::function<bool()> const &done, std::chrono::seconds deadline = std::chrono::seconds(20));
	/// Gives the storage back and ends the disk I/O as a session does. Idempotent.
	void shut_down();

protected:
	disk_fixture();

	lt::io_context m_network;
	lt::file_storage m_files;
	lt::settings_pack m_settings;
	lt::counters m_counters;
	std::shared_ptr<int> m_torrent = std::make_shared<int>(0);
	lt::storage_holder m_holder;
	std::unique_ptr<lt::disk_interface> m_disk;
	bool m_is_down = false;
};

/// Our adapter over partitions, hashers and a fake disk.
class adapter_fixture final : public disk_fixture
{
public:
	struct options {
		std::uint32_t partitions = 3;
		std::uint32_t hashers = 2;
		std::uint32_t arena_blocks = 1024;
		std::uint64_t high_bytes = 64 * 1024 * 1024;
		std::uint64_t low_bytes = 32 * 1024 * 1024;
		bool full_check = false;
		std::chrono::milliseconds drain_time = std::chrono::seconds(20);
	};
	explicit adapter_fixture(options chosen);
	adapter_fixture() : adapter_fixture(options{}) {}
	~adapter_fixture() override;

	fake_disk &device() { return *m_device; }
	block_arena &arena() { return *m_arena; }
	partition_pool &partitions() { return *m_partitions; }
	engine_limits limits() const { return m_limits; }
	backpressure_stats &backpressure() { return m_backpressure; }
	std::vector<error> &errors() { return m_errors; }
	std::vector<std::string> &removed() { return m_removed; }

private:
	caf::actor_system_config m_system_config;
	std::unique_ptr<block_arena> m_arena;
	engine_limits m_limits;
	dirty_watermarks m_watermarks;
	backpressure_stats m_backpressure;
	storage_lobby m_lobby;
	std::shared_ptr<fake_disk> m_device;
	std::unique_ptr<caf::actor_system> m_system;
	std::unique_ptr<hasher_pool> m_hashers;
	std::vector<disk_partition_actor> m_born; ///< ended ones too; changed by whoever resizes
	std::unique_ptr<partition_pool> m_partitions;
	std::vector<error> m_errors;
	std::vector<std::string> m_removed;
};

/// libtorrent's own disk I/O on files in a temporary directory: the yardstick.
class libtorrent_fixture final : public disk_fixture
{
public:
	libtorrent_fixture();
	~libtorrent_fixture() override;

private:
	std::filesystem::path m_directory;
};

} // namespace ezio::test
