#include "actors/bt/disk_adapter.hpp"

#include "actors/bt/bt_convert.hpp"
#include "actors/core/block_copy.hpp"
#include "actors/core/thread_cpu.hpp"

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/aux_/vector.hpp>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/storage_defs.hpp>

#include <boost/asio/post.hpp>

#include <pthread.h>

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>
#include <variant>

namespace ezio
{
namespace
{

using read_handler = std::function<void(lt::disk_buffer_holder, lt::storage_error const &)>;
using write_handler = std::function<void(lt::storage_error const &)>;
using hash_handler = std::function<void(lt::piece_index_t, lt::sha1_hash const &, lt::storage_error const &)>;
using block_hash_handler =
	std::function<void(lt::piece_index_t, lt::sha256_hash const &, lt::storage_error const &)>;
using clear_handler = std::function<void(lt::piece_index_t)>;
using control_handler = std::function<void(std::optional<error> const &)>;

piece_index to_core(lt::piece_index_t piece)
{
	return piece_index{static_cast<std::int32_t>(piece)};
}

lt::piece_index_t to_lt(piece_index piece)
{
	return lt::piece_index_t{to_int(piece)};
}

std::size_t to_number(lt::storage_index_t index)
{
	return static_cast<std::uint32_t>(index);
}

/// Does the job hold blocks that were received, so that memory comes free when it ends? A check of what is on
/// the device does not.
bool holds_received(disk_job const &job)
{
	bool const is_hash = job.kind == job_kind::hash_piece || job.kind == job_kind::hash_block;
	return job.kind == job_kind::write || (is_hash && !job.is_volatile);
}

error storage_missing()
{
	return make_error(errc::internal, "libtorrent named a storage that does not exist");
}

} // namespace

std::string storage_lobby::deposit(entry incoming)
{
	std::lock_guard const lock(m_mutex);
	// An absolute path, since libtorrent makes relative ones absolute.
	auto path = "/" + std::to_string(to_int(incoming.target->id()));
	m_waiting[path] = std::move(incoming);
	return path;
}

storage_lobby::entry storage_lobby::withdraw(std::string const &save_path)
{
	std::lock_guard const lock(m_mutex);
	auto const found = m_waiting.find(save_path);
	if (found == m_waiting.end())
		return {};
	auto result = std::move(found->second);
	m_waiting.erase(found);
	return result;
}

/// A job with the libtorrent handler that it answers. The handler is only ever moved: the hash handler's span
/// points into the handler's own state.
struct disk_adapter::lt_job : disk_job {
	std::variant<std::monostate, read_handler, write_handler, hash_handler, block_hash_handler, clear_handler,
		control_handler>
		handler;
	std::shared_ptr<device_queue> queue;
	lt::span<lt::sha256_hash> v2; ///< where the handler wants the block hashes
};

disk_adapter::disk_adapter(lt::io_context &network, disk_adapter_config config)
	: m_network(network), m_config(std::move(config)),
	  m_sink(
		  network, [this](job_ptr job) { complete(std::move(job)); }, [this] { call_observers_when_low(); }),
	  m_submit_timer(network)
{
	// For top, perf and the benches: libtorrent leaves its thread with the name of the one that started it.
	// Cannot fail: the name is short enough.
	boost::asio::post(network, [] { pthread_setname_np(pthread_self(), network_thread_name); });
}

disk_adapter::~disk_adapter()
{
	assert(m_sink.outstanding() == 0);
}

lt::storage_holder disk_adapter::new_torrent(
	lt::storage_params const &params, std::shared_ptr<void> const &torrent)
{
	auto incoming = m_config.lobby->withdraw(params.path);
	auto queue = queue_of(incoming.target);
	slot entry{std::move(incoming.target), std::move(queue), &params.files, torrent, incoming.full_check};
	std::size_t index = m_slots.size();
	if (m_free_slots.empty()) {
		m_slots.push_back(std::move(entry));
	} else {
		index = m_free_slots.back();
		m_free_slots.pop_back();
		m_slots[index] = std::move(entry);
	}
	return {lt::storage_index_t(static_cast<std::uint32_t>(index)), *this};
}

void disk_adapter::remove_torrent(lt::storage_index_t index)
{
	// Outstanding jobs hold the storage and, in their handlers, the torrent.
	auto const gone = std::exchange(at(index), {});
	if (gone.target != nullptr && m_config.on_removed)
		m_config.on_removed(*gone.target);
	m_free_slots.push_back(to_number(index));
}

disk_adapter::slot &disk_adapter::at(lt::storage_index_t index)
{
	assert(to_number(index) < m_slots.size());
	return m_slots[to_number(index)];
}

std::shared_ptr<disk_adapter::device_queue> disk_adapter::queue_of(std::shared_ptr<storage> const &target)
{
	if (target == nullptr)
		return nullptr;
	std::erase_if(m_queues, [](auto const &known) { return known.expired(); });
	for (auto const &queue : queues())
		if (queue->route == target->route())
			return queue;
	auto queue = std::make_shared<device_queue>();
	queue->route = target->route();
	queue->route->dirty().measure(monotonic_clock::now());
	m_queues.push_back(queue);
	return queue;
}

std::vector<std::shared_ptr<disk_adapter::device_queue>> disk_adapter::queues() const
{
	std::vector<std::shared_ptr<device_queue>> alive;
	alive.reserve(m_queues.size());
	for (auto const &known : m_queues)
		if (auto queue = known.lock())
			alive.push_back(std::move(queue));
	return alive;
}

std::unique_ptr<disk_adapter::lt_job> disk_adapter::make_job(job_kind kind, slot const &where) const
{
	auto job = std::make_unique<lt_job>();
	job->kind = kind;
	job->target = where.target;
	job->queue = where.queue;
	job->submitted = monotonic_clock::now();
	return job;
}

/// Before a job is handed out, and then it must end in complete().
void disk_adapter::expect(lt_job &job)
{
	job.sink = &m_sink;
	m_sink.expect_one();
	if (job.queue != nullptr && holds_received(job))
		++job.queue->receipts;
}

void disk_adapter::enqueue(std::unique_ptr<lt_job> job)
{
	expect(*job);
	if (job->target == nullptr) {
		job->failure = storage_missing();
		m_sink.finished(std::move(job));
		return;
	}
	auto const queue = job->queue;
	queue->pace.came(job->kind);
	queue->jobs.push_back(std::move(job));
}

void disk_adapter::submit_to_all(
	job_kind kind, slot const &where, std::function<void(std::optional<error> const &)> done)
{
	auto job = make_job(kind, where);
	job->handler = std::move(done);
	enqueue(std::move(job));
	// Control jobs do not wait for the next submit_jobs(), which may not come while a session closes.
	submit_jobs();
}

template <class Handler>
void disk_adapter::post(Handler handler)
{
	boost::asio::post(m_network, std::move(handler));
}

void disk_adapter::submit_jobs()
{
	auto const now = monotonic_clock::now();
	for (auto const &queue : queues()) {
		if (queue->jobs.empty())
			continue;
		auto const due = queue->pace.due(now);
		// While peers wait, and once the session closes, nothing is held back.
		if (due <= now || !queue->waiting.empty() || m_is_ending)
			submit(*queue);
		else
			submit_at(due);
	}
}

void disk_adapter::submit_at(monotonic_time due)
{
	// What is due a little before the end of a timer that runs is no worse off for waiting until then.
	if (std::exchange(m_is_submit_timed, true))
		return;
	m_submit_timer.expires_at(due);
	m_submit_timer.async_wait([this](boost::system::error_code const &ended) {
		if (ended)
			return; // the adapter may be gone
		m_is_submit_timed = false;
		submit_jobs();
	});
}

void disk_adapter::submit(device_queue &queue)
{
	if (queue.jobs.empty())
		return;
	queue.pace.went(monotonic_clock::now());
	// While peers wait, nothing is held back for coalescing.
	queue.route->router().submit(std::exchange(queue.jobs, {}), !queue.waiting.empty());
}

void disk_adapter::async_read(lt::storage_index_t index, lt::peer_request const &request,
	read_handler handler, lt::disk_job_flags_t flags)
{
	auto job = make_job(job_kind::read, at(index));
	job->piece = to_core(request.piece);
	job->offset_bytes = static_cast<std::uint32_t>(request.start);
	job->length_bytes = static_cast<std::uint32_t>(request.length);
	job->is_volatile = bool(flags & lt::disk_interface::volatile_read);
	job->handler = std::move(handler);
	enqueue(std::move(job));
}

bool disk_adapter::async_write(lt::storage_index_t index, lt::peer_request const &request, char const *data,
	std::shared_ptr<lt::disk_observer> observer, write_handler handler, lt::disk_job_flags_t)
{
	auto job = make_job(job_kind::write, at(index));
	job->piece = to_core(request.piece);
	job->offset_bytes = static_cast<std::uint32_t>(request.start);
	job->length_bytes = static_cast<std::uint32_t>(request.length);
	job->handler = std::move(handler);
	if (job->target == nullptr) {
		enqueue(std::move(job));
		return false;
	}
	auto const queue = job->queue;
	auto &account = queue->route->dirty();
	account.received(job->length_bytes); // settled when the job completes, however it ends
	job->block = m_config.arena->allocate(block_purpose::receive);
	if (job->block) {
		copy_to_block(
			job->block.data(), std::as_bytes(std::span(data, static_cast<std::size_t>(request.length))));
		enqueue(std::move(job));
	} else {
		// The budget is exhausted although everything else leaves a reserve for received data: too many peers
		// for this cache-size. Fail this block; libtorrent asks for it again.
		account.refused();
		job->failure = make_error(errc::no_memory, "no free buffer for a received block");
		expect(*job);
		m_sink.finished(std::move(job));
	}

	// What peers hand over after they were told to wait must still find room: daemon/sizing.hpp bounds it by
	// what is free now.
	if (m_config.arena->is_short()) {
		for (auto const &other : queues()) {
			submit(*other);
			other->route->router().press();
		}
		tell_to_wait(*queue, std::move(observer));
		return true;
	}
	if (!account.is_full())
		return false;
	tell_to_wait(*queue, std::move(observer));
	return true;
}

void disk_adapter::tell_to_wait(device_queue &queue, std::shared_ptr<lt::disk_observer> observer)
{
	if (queue.waiting.empty()) {
		queue.route->dirty().waiting_began(monotonic_clock::now());
		// Nobody waits for coalescing any more.
		submit(queue);
		queue.route->router().press();
	}
	// The weak pointer is kept also for a null observer: it stands for the state "full".
	queue.waiting.push_back(std::move(observer));
}

void disk_adapter::call_observers_when_low()
{
	auto const now = monotonic_clock::now();
	for (auto const &queue : queues()) {
		auto &account = queue->route->dirty();
		account.measure(now);
		if (queue->waiting.empty() || !account.is_low())
			continue;
		// Each who goes on hands over a receive buffer before being told again, and the reserve has room for
		// that once. What holds received blocks of this device ends with another burst, or the device hangs;
		// with nothing of the kind under way the memory is somebody else's, and these go on block by block.
		if (queue->receipts > 0 && m_config.arena->is_short())
			continue;
		account.waiting_ended(now);
		for (auto const &weak : std::exchange(queue->waiting, {})) {
			if (auto const observer = weak.lock())
				observer->on_disk();
		}
	}
}

void disk_adapter::async_hash(lt::storage_index_t index, lt::piece_index_t piece,
	lt::span<lt::sha256_hash> block_hashes, lt::disk_job_flags_t flags, hash_handler handler)
{
	auto const &where = at(index);
	auto job = make_job(job_kind::hash_piece, where);
	job->piece = to_core(piece);
	job->want_sha1 = bool(flags & lt::disk_interface::v1_hash);
	job->want_block_sha256 = !block_hashes.empty();
	if (job->want_block_sha256)
		job->sha256_bytes = static_cast<std::uint32_t>(where.files->piece_size2(piece));
	job->is_volatile = bool(flags & lt::disk_interface::volatile_read);
	job->v2 = block_hashes;
	job->handler = std::move(handler);
	enqueue(std::move(job));
}

void disk_adapter::async_hash2(lt::storage_index_t index, lt::piece_index_t piece, int offset,
	lt::disk_job_flags_t flags, block_hash_handler handler)
{
	auto const &where = at(index);
	auto job = make_job(job_kind::hash_block, where);
	job->piece = to_core(piece);
	job->offset_bytes = static_cast<std::uint32_t>(offset);
	job->want_block_sha256 = true;
	job->sha256_bytes = static_cast<std::uint32_t>(where.files->piece_size2(piece));
	job->is_volatile = bool(flags & lt::disk_interface::volatile_read);
	job->handler = std::move(handler);
	enqueue(std::move(job));
}

void disk_adapter::async_move_storage(lt::storage_index_t, std::string path, lt::move_flags_t,
	std::function<void(lt::status_t, std::string const &, lt::storage_error const &)> handler)
{
	// A partition does not move.
	post([handler = std::move(handler), path = std::move(path)] {
		handler(lt::status_t::fatal_disk_error, path,
			lt::storage_error(lt::error_code(boost::system::errc::operation_not_supported,
								  boost::system::generic_category()),
				lt::operation_t::file_rename));
	});
}

void disk_adapter::let_go(job_kind kind, lt::storage_index_t index, std::function<void()> handler)
{
	submit_to_all(kind, at(index), [handler = std::move(handler)](std::optional<error> const &) {
		// Failures were reported with their jobs.
		if (handler)
			handler();
	});
}

void disk_adapter::async_release_files(lt::storage_index_t index, std::function<void()> handler)
{
	// Asked for when a download ends: what was received is what others will ask for next, so it stays.
	let_go(job_kind::write_back, index, std::move(handler));
}

void disk_adapter::async_stop_torrent(lt::storage_index_t index, std::function<void()> handler)
{
	let_go(job_kind::release, index, std::move(handler));
}

void disk_adapter::async_check_files(lt::storage_index_t index, lt::add_torrent_params const *,
	lt::aux::vector<std::string, lt::file_index_t>,
	std::function<void(lt::status_t, lt::storage_error const &)> handler)
{
	auto &where = at(index);
	auto const full_check = std::exchange(where.full_check, true);
	submit_to_all(job_kind::open, where,
		[handler = std::move(handler), full_check](std::optional<error> const &failure) {
			if (failure)
				handler(lt::status_t::fatal_disk_error, to_lt_error(*failure, job_kind::open, true));
			else
				handler(full_check ? lt::status_t::need_full_check : lt::status_t::no_error, {});
		});
}

void disk_adapter::async_rename_file(lt::storage_index_t, lt::file_index_t file, std::string name,
	std::function<void(std::string const &, lt::file_index_t, lt::storage_error const &)> handler)
{
	// An extent's name is its offset.
	post([handler = std::move(handler), name = std::move(name), file] {
		handler(name, file,
			lt::storage_error(lt::error_code(boost::system::errc::operation_not_supported,
								  boost::system::generic_category()),
				file, lt::operation_t::file_rename));
	});
}

void disk_adapter::async_delete_files(lt::storage_index_t index, lt::remove_flags_t, write_handler handler)
{
	// Nothing on a device is ever deleted; the request only lets go of it.
	submit_to_all(
		job_kind::release, at(index), [handler = std::move(handler)](std::optional<error> const &failure) {
			if (handler)
				handler(failure ? to_lt_error(*failure, job_kind::release, true) : lt::storage_error{});
		});
}

void disk_adapter::async_set_file_priority(lt::storage_index_t,
	lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities,
	std::function<void(lt::storage_error const &, lt::aux::vector<lt::download_priority_t, lt::file_index_t>)>
		handler)
{
	post([handler = std::move(handler), priorities = std::move(priorities)]() mutable {
		handler({}, std::move(priorities));
	});
}

void disk_adapter::async_clear_piece(
	lt::storage_index_t index, lt::piece_index_t piece, clear_handler handler)
{
	auto job = make_job(job_kind::clear_piece, at(index));
	job->piece = to_core(piece);
	job->handler = std::move(handler);
	enqueue(std::move(job));
	submit_jobs();
}

void disk_adapter::update_stats_counters(lt::counters &) const {}

std::vector<lt::open_file_state> disk_adapter::get_status(lt::storage_index_t) const
{
	return {};
}

void disk_adapter::abort(bool)
{
	// May come twice, the second time from another thread with nothing outstanding. Nothing is torn down
	// here: jobs that are under way come back through the sink, which keeps the io_context alive until then.
	if (!std::exchange(m_is_ending, true))
		m_submit_timer.cancel();
	if (m_sink.outstanding() == 0)
		return;
	for (auto const &queue : queues())
		submit(*queue);
}

void disk_adapter::settings_updated() {}

void disk_adapter::free_disk_buffer(char *buffer)
{
	m_config.arena->release_pointer(reinterpret_cast<std::byte const *>(buffer));
}

void disk_adapter::complete(job_ptr base)
{
	auto &job = static_cast<lt_job &>(*base);
	if (job.queue != nullptr && holds_received(job)) {
		assert(job.queue->receipts > 0);
		--job.queue->receipts;
	}
	if (job.kind == job_kind::write) {
		job.block = {};
		if (job.queue != nullptr)
			job.queue->route->dirty().settled(job.length_bytes, !job.failure);
	}
	if (job.failure && m_config.on_error)
		m_config.on_error(job);
	auto const failure =
		job.failure ? to_lt_error(*job.failure, job.kind, job.is_first_failure) : lt::storage_error{};

	if (auto *const on_read = std::get_if<read_handler>(&job.handler)) {
		lt::disk_buffer_holder buffer;
		if (!job.failure) {
			auto *const data = reinterpret_cast<char *>(job.block.detach() + job.block_offset_bytes);
			buffer = lt::disk_buffer_holder(*this, data, static_cast<int>(job.length_bytes));
		}
		(*on_read)(std::move(buffer), failure);
	} else if (auto *const on_write = std::get_if<write_handler>(&job.handler)) {
		(*on_write)(failure);
	} else if (auto *const on_hash = std::get_if<hash_handler>(&job.handler)) {
		if (!job.failure) {
			assert(job.block_sha256.size() <= static_cast<std::size_t>(job.v2.size()));
			std::transform(job.block_sha256.begin(), job.block_sha256.end(), job.v2.begin(),
				[](sha256_digest const &digest) { return ezio::to_lt(digest); });
		}
		(*on_hash)(to_lt(job.piece), ezio::to_lt(job.sha1), failure);
	} else if (auto *const on_block_hash = std::get_if<block_hash_handler>(&job.handler)) {
		auto const digest =
			job.failure || job.block_sha256.empty() ? sha256_digest{} : job.block_sha256.front();
		(*on_block_hash)(to_lt(job.piece), ezio::to_lt(digest), failure);
	} else if (auto *const on_clear = std::get_if<clear_handler>(&job.handler)) {
		(*on_clear)(to_lt(job.piece));
	} else if (auto *const on_done = std::get_if<control_handler>(&job.handler)) {
		(*on_done)(job.failure);
	}
}

} // namespace ezio
