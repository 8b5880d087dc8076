#include "tests/bt/disk_fixture.hpp"

#include <libtorrent/posix_disk_io.hpp>
#include <libtorrent/storage_defs.hpp>

#include <stdlib.h>

#include <stdexcept>

namespace ezio::test
{

disk_fixture::disk_fixture()
{
	m_files.set_name("image");
	m_files.set_piece_length(piece_bytes);
	m_files.add_file("image/00000000000000000000000000000000", total_bytes);
	m_files.set_num_pieces((total_bytes + piece_bytes - 1) / piece_bytes);
	m_settings = lt::default_settings();
}

bool disk_fixture::run_until(std::function<bool()> const &done, std::chrono::seconds deadline)
{
	auto const end = monotonic_clock::now() + deadline;
	// A session always has something queued; here the guard stands for it.
	auto const guard = boost::asio::make_work_guard(m_network);
	while (!done()) {
		m_network.restart();
		m_network.run_one_for(std::chrono::milliseconds(50));
		if (monotonic_clock::now() > end)
			return false;
	}
	return true;
}

void disk_fixture::shut_down()
{
	if (m_is_down)
		return;
	m_is_down = true;
	std::size_t stopped = 0;
	m_disk->async_stop_torrent(m_holder, [&stopped] { ++stopped; });
	for (auto const &holder : m_more)
		m_disk->async_stop_torrent(holder, [&stopped] { ++stopped; });
	m_disk->submit_jobs();
	m_disk->abort(false);
	if (!run_until([&] { return stopped == 1 + m_more.size(); }))
		throw std::runtime_error("a storage did not stop");
	m_holder.reset();
	m_more.clear();
	// The io_context must run dry by itself.
	m_network.restart();
	m_network.run();
	m_disk->abort(false);
	m_disk.reset();
}

adapter_fixture::adapter_fixture(options chosen)
{
	m_system_config.set("scheduler.policy", caf::atom("sharing"));
	m_system_config.set("scheduler.max-threads", std::size_t{1});
	m_system = std::make_unique<caf::actor_system>(m_system_config);
	m_arena = std::move(block_arena::create(chosen.arena_blocks, chosen.arena_blocks)).value();
	m_hashers = std::make_unique<hasher_pool>(*m_system);
	m_hashers->resize(chosen.hashers);
	m_budget.capacity_blocks = chosen.arena_blocks;
	m_budget.dirty_bytes = chosen.dirty_bytes;
	m_budget.partitions = chosen.partitions;
	partition_pool_config pool;
	pool.arena = m_arena.get();
	pool.hashers = m_hashers.get();
	pool.on_birth = [this](std::string const &, disk_partition_actor const &born) {
		std::lock_guard const lock(m_mutex);
		m_born.push_back(born);
	};
	pool.on_retirement = [this](disk_partition_actor const &retired) {
		++m_retired;
		caf::anon_send(retired, stop_atom::value);
	};
	pool.drain_time = chosen.drain_time;
	m_partitions = std::make_unique<partition_pool>(*m_system, std::move(pool), m_budget);

	disk_adapter_config config;
	config.arena = m_arena.get();
	config.lobby = &m_lobby;
	config.on_error = [this](disk_job const &job) { m_errors.push_back(*job.failure); };
	config.on_removed = [this](storage const &gone) { m_removed.push_back(gone.info_hash()); };
	m_disk = std::make_unique<disk_adapter>(m_network, std::move(config));

	m_holder = add_storage("/dev/fake0", chosen.full_check);
	m_device = m_devices.front();
}

lt::storage_holder adapter_fixture::add_storage(std::string const &path, bool full_check)
{
	m_devices.push_back(std::make_shared<fake_disk>(path, total_bytes, std::make_shared<fault_plan>()));
	auto claim = std::make_shared<fake_device_claim>(m_devices.back());
	auto route = m_partitions->route_for(claim->disk());
	torrent_file_entry const file{"00000000000000000000000000000000", total_bytes, false};
	piece_geometry const pieces{total_bytes, piece_bytes};
	auto const id = storage_id{m_last_storage++};
	auto target = std::make_shared<storage>(id, std::string(40, static_cast<char>('a' + to_int(id))), pieces,
		extent_map::build(std::span(&file, 1)).value(), std::move(claim), std::move(route));
	auto const save_path = m_lobby.deposit({std::move(target), full_check});
	lt::aux::vector<lt::download_priority_t, lt::file_index_t> const priorities;
	lt::storage_params const params(
		m_files, nullptr, save_path, lt::storage_mode_sparse, priorities, lt::sha1_hash());
	return m_disk->new_torrent(params, m_torrent);
}

std::size_t adapter_fixture::add_device(std::string const &path)
{
	m_more.push_back(add_storage(path, false));
	return m_more.size();
}

void adapter_fixture::remove_device()
{
	bool is_stopped = false;
	m_disk->async_stop_torrent(m_more.back(), [&is_stopped] { is_stopped = true; });
	if (!run_until([&is_stopped] { return is_stopped; }))
		throw std::runtime_error("the storage did not stop");
	m_more.pop_back();
	m_devices.pop_back();
}

adapter_fixture::~adapter_fixture()
{
	shut_down();
	caf::scoped_actor self(*m_system);
	std::vector<disk_partition_actor> born;
	{
		std::lock_guard const lock(m_mutex);
		born.swap(m_born);
	}
	// Those that were retired may have ended already.
	for (auto const &partition : born)
		self->request(partition, caf::infinite, stop_atom::value)
			.receive([](void_reply const &) {}, [](caf::error const &) {});
	born.clear();
	m_partitions.reset();
	m_hashers.reset();
}

libtorrent_fixture::libtorrent_fixture()
{
	std::string name = std::filesystem::temp_directory_path() / "ezio-disk-XXXXXX";
	if (::mkdtemp(name.data()) == nullptr)
		throw std::runtime_error("mkdtemp failed");
	m_directory = name;
	m_disk = lt::posix_disk_io_constructor(m_network, m_settings, m_counters);
	lt::aux::vector<lt::download_priority_t, lt::file_index_t> const priorities;
	lt::storage_params const params(
		m_files, nullptr, name, lt::storage_mode_sparse, priorities, lt::sha1_hash());
	m_holder = m_disk->new_torrent(params, m_torrent);
}

libtorrent_fixture::~libtorrent_fixture()
{
	shut_down();
	std::error_code ignored; // a leftover temporary directory fails no test
	std::filesystem::remove_all(m_directory, ignored);
}

} // namespace ezio::test
