#pragma once

#include "actors/bt/completion_sink.hpp"
#include "actors/core/block_arena.hpp"
#include "actors/core/device_route.hpp"
#include "actors/core/storage.hpp"
#include "actors/core/submission_pace.hpp"
#include "actors/messages.hpp"

#include <libtorrent/disk_buffer_holder.hpp>
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/disk_observer.hpp>
#include <libtorrent/fwd.hpp>
#include <libtorrent/io_context.hpp>

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace ezio
{

/// Storages on their way into libtorrent: put here before the torrent is added, under the number that its
/// save path spells, and taken by disk_adapter::new_torrent. Thread-safe.
class storage_lobby
{
public:
	struct entry {
		std::shared_ptr<storage> target;
		bool full_check = false; ///< hash what is there before the transfer
	};
	/// Returns the save path to add the torrent with.
	std::string deposit(entry incoming);
	/// Empty if nothing waits under that path.
	entry withdraw(std::string const &save_path);

private:
	std::mutex m_mutex;
	std::map<std::string, entry> m_waiting; ///< guarded by m_mutex
};

/// What the adapter reports to the session rather than to libtorrent. Called on the network thread.
using disk_error_callback = std::function<void(disk_job const &failed)>;
using storage_callback = std::function<void(storage const &gone)>;

/// Everything the adapter works with; all of it outlives the adapter.
struct disk_adapter_config {
	block_arena *arena = nullptr;
	storage_lobby *lobby = nullptr;
	disk_error_callback on_error;
	storage_callback on_removed; ///< libtorrent let go of a storage: all of it is written and closed
};

/// libtorrent's disk_interface over our partitions: turns its calls into jobs, hands them to the routes of
/// their devices from submit_jobs() or soon after it (submission_pace), one message a partition, and hands
/// every handler on exactly once, on the network thread, posted. Peers of one device wait for that device
/// only. All methods on the network thread, except the constructor, abort() and the destructor, which
/// libtorrent also calls from the thread that ends the session, and free_disk_buffer(), which any thread may
/// call.
class disk_adapter final : public lt::disk_interface, public lt::buffer_allocator_interface
{
public:
	disk_adapter(lt::io_context &network, disk_adapter_config config);
	~disk_adapter() override;

	lt::storage_holder new_torrent(
		lt::storage_params const &params, std::shared_ptr<void> const &torrent) override;
	void remove_torrent(lt::storage_index_t index) override;

	void async_read(lt::storage_index_t index, lt::peer_request const &request,
		std::function<void(lt::disk_buffer_holder, lt::storage_error const &)> handler,
		lt::disk_job_flags_t flags) override;
	bool async_write(lt::storage_index_t index, lt::peer_request const &request, char const *data,
		std::shared_ptr<lt::disk_observer> observer, std::function<void(lt::storage_error const &)> handler,
		lt::disk_job_flags_t flags) override;
	void async_hash(lt::storage_index_t index, lt::piece_index_t piece,
		lt::span<lt::sha256_hash> block_hashes, lt::disk_job_flags_t flags,
		std::function<void(lt::piece_index_t, lt::sha1_hash const &, lt::storage_error const &)> handler)
		override;
	void async_hash2(lt::storage_index_t index, lt::piece_index_t piece, int offset,
		lt::disk_job_flags_t flags,
		std::function<void(lt::piece_index_t, lt::sha256_hash const &, lt::storage_error const &)> handler)
		override;
	void async_move_storage(lt::storage_index_t index, std::string path, lt::move_flags_t flags,
		std::function<void(lt::status_t, std::string const &, lt::storage_error const &)> handler) override;
	void async_release_files(lt::storage_index_t index, std::function<void()> handler) override;
	void async_check_files(lt::storage_index_t index, lt::add_torrent_params const *resume_data,
		lt::aux::vector<std::string, lt::file_index_t> links,
		std::function<void(lt::status_t, lt::storage_error const &)> handler) override;
	void async_stop_torrent(lt::storage_index_t index, std::function<void()> handler) override;
	void async_rename_file(lt::storage_index_t index, lt::file_index_t file, std::string name,
		std::function<void(std::string const &, lt::file_index_t, lt::storage_error const &)> handler)
		override;
	void async_delete_files(lt::storage_index_t index, lt::remove_flags_t options,
		std::function<void(lt::storage_error const &)> handler) override;
	void async_set_file_priority(lt::storage_index_t index,
		lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities,
		std::function<void(
			lt::storage_error const &, lt::aux::vector<lt::download_priority_t, lt::file_index_t>)>
			handler) override;
	void async_clear_piece(lt::storage_index_t index, lt::piece_index_t piece,
		std::function<void(lt::piece_index_t)> handler) override;
	void update_stats_counters(lt::counters &counters) const override;
	std::vector<lt::open_file_state> get_status(lt::storage_index_t index) const override;
	void abort(bool wait) override;
	void submit_jobs() override;
	void settings_updated() override;

	void free_disk_buffer(char *buffer) override;

	struct lt_job;

private:
	/// What is on its way to one device. Lives as long as a slot or a job has to do with it.
	struct device_queue {
		std::shared_ptr<device_route> route;
		std::vector<job_ptr> jobs;                             ///< not yet handed over
		submission_pace pace;                                  ///< of jobs
		std::vector<std::weak_ptr<lt::disk_observer>> waiting; ///< peers told to wait
		std::size_t receipts = 0; ///< jobs under way that hold received blocks: writes and hashes
	};
	struct slot {
		std::shared_ptr<storage> target;
		std::shared_ptr<device_queue> queue;     ///< null if the target is
		lt::file_storage const *files = nullptr; ///< libtorrent's, valid as long as the slot
		std::shared_ptr<void> torrent;           ///< keeps libtorrent's torrent alive while it has the slot
		bool full_check = false; ///< what async_check_files answers; always true after the first time
	};

	slot &at(lt::storage_index_t index);
	std::shared_ptr<device_queue> queue_of(std::shared_ptr<storage> const &target);
	std::vector<std::shared_ptr<device_queue>> queues() const;
	void submit(device_queue &queue);
	/// Hands over what waits now, at @p due.
	void submit_at(monotonic_time due);
	void tell_to_wait(device_queue &queue, std::shared_ptr<lt::disk_observer> observer);
	std::unique_ptr<lt_job> make_job(job_kind kind, slot const &where) const;
	void enqueue(std::unique_ptr<lt_job> job);
	void expect(lt_job &job);
	/// A job of a kind for the whole storage; @p done is called once, with its failure.
	void submit_to_all(
		job_kind kind, slot const &where, std::function<void(std::optional<error> const &)> done);
	void let_go(job_kind kind, lt::storage_index_t index, std::function<void()> handler);
	template <class Handler>
	void post(Handler handler);
	void complete(job_ptr job);
	void call_observers_when_low();

	lt::io_context &m_network;
	disk_adapter_config m_config;
	completion_sink m_sink;
	boost::asio::steady_timer m_submit_timer;
	bool m_is_submit_timed = false; ///< m_submit_timer runs
	bool m_is_ending = false;       ///< the first abort() came
	std::vector<slot> m_slots;
	std::vector<std::size_t> m_free_slots;
	std::vector<std::weak_ptr<device_queue>> m_queues;
};

} // namespace ezio
