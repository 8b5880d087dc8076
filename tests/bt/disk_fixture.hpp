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

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
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
	std::vector<lt::storage_holder> m_more; ///< further storages
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
		std::uint64_t dirty_bytes = 64 * 1024 * 1024; ///< of all devices together
		bool full_check = false;
		std::chrono::milliseconds drain_time = std::chrono::seconds(20);
	};
	explicit adapter_fixture(options chosen);
	adapter_fixture() : adapter_fixture(options{}) {}
	~adapter_fixture() override;

	fake_disk &device() { return *m_device; }
	std::shared_ptr<fake_disk> const &device_ptr() const { return m_device; }
	/// Adds a storage like the first one, on a device of its own. Answers its place.
	std::size_t add_device(std::string const &path);
	/// The storages in the order of their coming; 0 is the one that every fixture has.
	lt::storage_index_t index_of(std::size_t storage) const
	{
		return storage == 0 ? index() : static_cast<lt::storage_index_t>(m_more[storage - 1]);
	}
	fake_disk &device_of(std::size_t storage) { return *m_devices[storage]; }
	/// Removes the last storage that was added.
	void remove_device();
	block_arena &arena() { return *m_arena; }
	partition_pool &partitions() { return *m_partitions; }
	/// The budget with another number of partitions.
	disk_budget budget(std::uint32_t partitions) const
	{
		auto changed = m_budget;
		changed.partitions = partitions;
		return changed;
	}
	backpressure_stats const &backpressure(std::size_t storage = 0)
	{
		m_numbers = m_partitions->numbers();
		return *m_numbers.devices[storage].backpressure;
	}
	std::uint32_t partitions_of(std::size_t storage) const
	{
		return m_partitions->numbers().devices[storage].partitions;
	}
	std::size_t retired() const { return m_retired; }
	std::vector<error> &errors() { return m_errors; }
	std::vector<std::string> &removed() { return m_removed; }

private:
	lt::storage_holder add_storage(std::string const &path, bool full_check);

	caf::actor_system_config m_system_config;
	std::unique_ptr<block_arena> m_arena;
	disk_budget m_budget;
	pool_numbers m_numbers; ///< as last asked
	storage_lobby m_lobby;
	std::shared_ptr<fake_disk> m_device;
	std::vector<std::shared_ptr<fake_disk>> m_devices; ///< of all storages
	std::uint64_t m_last_storage = 0;
	std::unique_ptr<caf::actor_system> m_system;
	std::unique_ptr<hasher_pool> m_hashers;
	std::mutex m_mutex;
	std::vector<disk_partition_actor> m_born; ///< ended ones too; guarded by m_mutex
	std::atomic<std::size_t> m_retired{0};
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
