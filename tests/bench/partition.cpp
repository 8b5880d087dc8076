#include "actors/core/piece_router.hpp"
#include "actors/core/target_check.hpp"
#include "actors/disk_partition.hpp"
#include "actors/hasher.hpp"
#include "tests/support/loop_device.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// The disk side of the daemon without a network: what a message costs, and how fast blocks get through
// messages, partitions, cache, device and hashers, for a growing number of partitions. docs/benchmarks.md
// explains the figures.

using namespace ezio;

namespace
{

constexpr char const *usage =
	"bench_partition [--size MIB] [--runs N] [--hashers N] [--cache MIB] [--max-partitions N]\n"
	"                [--engine threads,uring] [--coalesce KIB,KIB] [--on file,loop,direct] [--folder DIR]\n";
constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint32_t piece_bytes = 4 * mib;
/// As many jobs as libtorrent hands over between two submit_jobs().
constexpr std::size_t batch_jobs = 64;
/// Pieces that arrive at the same time.
constexpr std::int32_t pieces_in_flight = 8;
constexpr std::size_t bare_messages = 200'000;

struct options {
	std::uint64_t size_mib = 1024;
	std::uint32_t runs = 3;
	std::uint32_t hashers = 1;
	std::uint32_t cache_mib = 256;
	std::uint32_t partitions_max = 16;
	std::vector<std::string> engines{"threads"};
	std::vector<std::string> coalesce_kib{"1024"};
	std::vector<std::string> kinds{"file", "loop"};
	std::string folder = "/dev/shm"; ///< where the target lies; direct needs a disk
};

/// What is measured in turn.
struct setting {
	std::string kind;
	std::string engine;
	std::uint32_t coalesce_kib = 1024;
	std::uint32_t partitions = 1;
	friend auto operator<=>(setting const &, setting const &) = default;
};

template <class T>
T value_of(result<T> outcome)
{
	if (!outcome)
		throw std::runtime_error(to_string(outcome.failure()));
	return std::move(*outcome);
}

struct actors_config : caf::actor_system_config {
	actors_config()
	{
		set("scheduler.policy", caf::atom("sharing"));
		set("scheduler.max-threads", std::size_t{2});
	}
};

/// Counts what comes back, keeps the first failure, and lets the feeder wait.
class counting_sink : public job_sink
{
public:
	void finished(job_ptr job) override
	{
		job->block = {};
		std::lock_guard const lock(m_mutex);
		if (job->failure && m_failure.empty())
			m_failure = to_string(*job->failure);
		if (--m_outstanding <= m_wanted)
			m_changed.notify_one();
	}
	void expect_one()
	{
		std::lock_guard const lock(m_mutex);
		++m_outstanding;
	}
	void wait_for(std::size_t outstanding_max)
	{
		std::unique_lock lock(m_mutex);
		m_wanted = outstanding_max;
		m_changed.wait(lock, [&] { return m_outstanding <= outstanding_max; });
		m_wanted = 0;
		if (!m_failure.empty())
			throw std::runtime_error(m_failure);
	}

private:
	std::mutex m_mutex;
	std::condition_variable m_changed;
	std::size_t m_outstanding = 0; ///< all guarded by m_mutex
	std::size_t m_wanted = 0;
	std::string m_failure;
};

struct stopwatch {
	static double cpu_now()
	{
		rusage used{};
		getrusage(RUSAGE_SELF, &used); // cannot fail with these arguments
		auto const seconds = [](timeval const &t) {
			return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
		};
		return seconds(used.ru_utime) + seconds(used.ru_stime);
	}
	double wall() const { return std::chrono::duration<double>(monotonic_clock::now() - began).count(); }
	double cpu() const { return cpu_now() - cpu_began; }

	monotonic_time began = monotonic_clock::now();
	double cpu_began = cpu_now();
};

struct figures {
	double message_ns = 0, message_cpu_ns = 0;
	double write_blocks = 0, write_cpu = 0, blocks_per_write = 0; ///< blocks/s, CPU-s/GiB
	double read_blocks = 0, read_cpu = 0;
	double apart_blocks = 0, apart_cpu = 0; ///< reads of single blocks that lie apart
};

/// Partitions over one target, fed by this thread as the network thread feeds them.
class stage
{
public:
	stage(options const &with, block_arena &arena, std::string const &target, setting const &what);
	~stage();
	stage(stage const &) = delete;
	stage &operator=(stage const &) = delete;

	figures measure(std::uint64_t round);
	/// Ends the partitions; throws if one of them failed.
	void stop();

private:
	std::unique_ptr<disk_job> make_job(job_kind kind, std::int32_t piece);
	void enqueue(std::unique_ptr<disk_job> job);
	void enqueue_to(std::size_t partition, std::unique_ptr<disk_job> job);
	void submit();
	void fan_out(job_kind kind);
	void send_bare_messages(figures &out);
	void write_all(std::uint64_t round, figures &out);
	void read_all(figures &out);
	void read_apart(figures &out);
	std::uint64_t sum(std::atomic<std::uint64_t> partition_stats::*counter) const;
	block_ref receive_block(std::size_t outstanding_max);

	options m_options;
	block_arena &m_arena;
	actors_config m_config;
	caf::actor_system m_system{m_config};
	hasher_pool m_hashers{m_system};
	counting_sink m_sink;
	std::unique_ptr<device_registry> m_registry;
	std::shared_ptr<storage> m_target;
	std::vector<std::shared_ptr<partition_stats>> m_stats;
	std::vector<disk_partition_actor> m_partitions;
	std::vector<job_batch> m_batches;
	std::size_t m_batched = 0;
};

/// What block @p number holds in a round: its number all over.
void fill_block(std::byte *bytes, std::uint64_t number, std::uint64_t round)
{
	std::array<std::uint64_t, block_bytes / sizeof(std::uint64_t)> words;
	words.fill(number * 0x9E3779B97F4A7C15U + round);
	std::memcpy(bytes, words.data(), block_bytes);
}

stage::stage(options const &with, block_arena &arena, std::string const &target, setting const &what)
	: m_options(with), m_arena(arena)
{
	// A ring that the system refuses would make figures of the other engine.
	auto const refused = [](error const &why) { throw std::runtime_error(to_string(why)); };
	registry_options opening;
	if (what.kind == "direct")
		opening.direct = direct_io_mode::on;
	opening.engines =
		std::make_shared<io_engine_choice>(value_of(io_engine_from_string(what.engine)), refused);
	m_registry = make_device_registry(std::move(opening));
	torrent_file_entry whole;
	whole.name = "0";
	whole.length_bytes = with.size_mib * mib;
	auto extents = value_of(extent_map::build({&whole, 1}));
	target_request request;
	request.path = target;
	auto claim = value_of(m_registry->claim(request, "bench", extents));
	if (what.kind == "direct" && !claim->geometry().is_direct)
		throw std::runtime_error(target + ": no direct I/O here");
	m_target = std::make_shared<storage>(storage_id{1}, "bench",
		piece_geometry{whole.length_bytes, piece_bytes}, std::move(extents), std::move(claim));
	m_hashers.resize(with.hashers);
	engine_limits limits;
	// As the daemon: what waits in mailboxes is not part of any share.
	limits.cache_blocks_max =
		(arena.capacity_blocks() - arena.capacity_blocks() / 4 - arena.reserve_blocks() / 2) /
		what.partitions;
	limits.coalesce_bytes = what.coalesce_kib * 1024;
	for (std::uint32_t i = 0; i < what.partitions; ++i) {
		m_stats.push_back(std::make_shared<partition_stats>());
		disk_partition_config own;
		own.index = i;
		own.arena = &arena;
		own.hashers = &m_hashers;
		own.stats = m_stats.back();
		own.limits = limits;
		m_partitions.push_back(m_system.spawn<caf::detached>(disk_partition, own));
	}
	m_batches.resize(what.partitions);
}

stage::~stage()
{
	// After a failure nobody has stopped them; what they say then is of no interest any more.
	caf::scoped_actor self{m_system};
	for (auto const &partition : m_partitions)
		self->request(partition, caf::infinite, stop_atom::value)
			.receive([](void_reply const &) {}, [](caf::error const &) {});
}

void stage::stop()
{
	caf::scoped_actor self{m_system};
	for (auto const &partition : std::exchange(m_partitions, {})) {
		self->request(partition, caf::infinite, stop_atom::value)
			.receive(
				[](void_reply const &reply) {
					if (!reply)
						throw std::runtime_error(to_string(reply.failure()));
				},
				[](caf::error const &) { throw std::runtime_error("a partition died"); });
	}
	m_registry->release("bench");
}

std::unique_ptr<disk_job> stage::make_job(job_kind kind, std::int32_t piece)
{
	auto job = std::make_unique<disk_job>();
	job->kind = kind;
	job->target = m_target;
	job->sink = &m_sink;
	job->piece = piece_index{piece};
	job->submitted = monotonic_clock::now();
	return job;
}

void stage::enqueue_to(std::size_t partition, std::unique_ptr<disk_job> job)
{
	m_sink.expect_one();
	auto &batch = m_batches[partition];
	if (batch == nullptr)
		batch = std::make_shared<job_batch_data>();
	batch->jobs.push_back(std::move(job));
	if (++m_batched == batch_jobs)
		submit();
}

void stage::enqueue(std::unique_ptr<disk_job> job)
{
	auto const partition =
		partition_of(m_target->id(), job->piece, static_cast<std::uint32_t>(m_batches.size()));
	enqueue_to(partition, std::move(job));
}

void stage::submit()
{
	m_batched = 0;
	for (std::size_t i = 0; i < m_batches.size(); ++i) {
		if (m_batches[i] != nullptr)
			caf::anon_send(m_partitions[i], std::exchange(m_batches[i], nullptr));
	}
}

/// One job for each partition; returns when all are done.
void stage::fan_out(job_kind kind)
{
	for (std::size_t i = 0; i < m_partitions.size(); ++i)
		enqueue_to(i, make_job(kind, 0));
	submit();
	m_sink.wait_for(0);
}

std::uint64_t stage::sum(std::atomic<std::uint64_t> partition_stats::*counter) const
{
	std::uint64_t total = 0;
	for (auto const &one : m_stats)
		total += (*one.*counter).load(std::memory_order_relaxed);
	return total;
}

/// Batches of no jobs: what a message costs by itself, both ends together.
void stage::send_bare_messages(figures &out)
{
	stopwatch const watch;
	for (std::size_t i = 0; i < bare_messages; ++i)
		caf::anon_send(m_partitions[i % m_partitions.size()], std::make_shared<job_batch_data>());
	fan_out(job_kind::open); // behind all of them
	out.message_ns = watch.wall() * 1e9 / bare_messages;
	out.message_cpu_ns = watch.cpu() * 1e9 / bare_messages;
}

/// A free block. Where hashers hold what the caches let go, peers would be told to wait.
block_ref stage::receive_block(std::size_t outstanding_max)
{
	for (auto limit : {outstanding_max, outstanding_max / 2, std::size_t{0}}) {
		if (auto block = m_arena.allocate(block_purpose::receive))
			return block;
		submit();
		m_sink.wait_for(limit);
	}
	if (auto block = m_arena.allocate(block_purpose::receive))
		return block;
	throw std::runtime_error("the arena is exhausted");
}

void stage::write_all(std::uint64_t round, figures &out)
{
	auto const &pieces = m_target->pieces();
	auto const blocks = m_options.size_mib * mib / block_bytes;
	auto const per_piece = piece_bytes / block_bytes;
	// As the daemon: a quarter of the cache is dirty at most.
	std::size_t const outstanding_max = m_arena.capacity_blocks() / 4;
	auto const ops_before = sum(&partition_stats::write_ops);
	std::array<std::byte, block_bytes> received;
	stopwatch const watch;
	std::uint64_t sent = 0;
	for (std::int32_t first = 0; first < pieces.piece_count(); first += pieces_in_flight) {
		auto const end = std::min(first + pieces_in_flight, pieces.piece_count());
		for (std::uint32_t index = 0; index < per_piece; ++index) {
			for (auto piece = first; piece < end; ++piece) {
				auto job = make_job(job_kind::write, piece);
				job->offset_bytes = index * block_bytes;
				job->length_bytes = block_bytes;
				job->block = receive_block(outstanding_max);
				fill_block(received.data(), static_cast<std::uint64_t>(piece) * per_piece + index, round);
				std::memcpy(job->block.data(), received.data(), block_bytes);
				enqueue(std::move(job));
				if (index + 1 == per_piece) {
					auto hash = make_job(job_kind::hash_piece, piece);
					hash->want_sha1 = true;
					enqueue(std::move(hash));
				}
				if (++sent % 256 == 0) {
					submit();
					m_sink.wait_for(outstanding_max);
				}
			}
		}
	}
	submit();
	m_sink.wait_for(0);
	fan_out(job_kind::sync);
	out.write_blocks = static_cast<double>(blocks) / watch.wall();
	out.write_cpu = watch.cpu() * 1024 / static_cast<double>(m_options.size_mib);
	out.blocks_per_write =
		static_cast<double>(blocks) / static_cast<double>(sum(&partition_stats::write_ops) - ops_before);
	fan_out(job_kind::release);
}

void stage::read_all(figures &out)
{
	auto const blocks = m_options.size_mib * mib / block_bytes;
	auto const per_piece = piece_bytes / block_bytes;
	stopwatch const watch;
	for (std::uint64_t number = 0; number < blocks; ++number) {
		auto job = make_job(job_kind::read, static_cast<std::int32_t>(number / per_piece));
		job->offset_bytes = static_cast<std::uint32_t>(number % per_piece) * block_bytes;
		job->length_bytes = block_bytes;
		enqueue(std::move(job));
		// What a peer has outstanding.
		if (number % 256 == 255)
			m_sink.wait_for(512);
	}
	submit();
	m_sink.wait_for(0);
	out.read_blocks = static_cast<double>(blocks) / watch.wall();
	out.read_cpu = watch.cpu() * 1024 / static_cast<double>(m_options.size_mib);
	fan_out(job_kind::release);
}

/// As many clients ask who want a block here and there: no read goes on where another one ended.
void stage::read_apart(figures &out)
{
	auto const pieces = static_cast<std::int32_t>(m_options.size_mib * mib / piece_bytes);
	auto const per_piece = piece_bytes / block_bytes;
	std::uint64_t blocks = 0;
	fan_out(job_kind::open);
	stopwatch const watch;
	for (std::uint32_t turn = 0; turn < per_piece; ++turn) {
		// An odd step visits every block of a piece of 2^n once.
		auto const index = (turn * 37 + 11) % per_piece;
		for (std::int32_t piece = 0; piece < pieces; ++piece) {
			auto job = make_job(job_kind::read, piece);
			job->offset_bytes = index * block_bytes;
			job->length_bytes = block_bytes;
			enqueue(std::move(job));
			if (++blocks % 64 == 0) {
				submit();
				m_sink.wait_for(256);
			}
		}
	}
	submit();
	m_sink.wait_for(0);
	out.apart_blocks = static_cast<double>(blocks) / watch.wall();
	out.apart_cpu = watch.cpu() * 1024 / static_cast<double>(m_options.size_mib);
	fan_out(job_kind::release);
}

figures stage::measure(std::uint64_t round)
{
	figures out;
	fan_out(job_kind::open);
	send_bare_messages(out);
	write_all(round, out);
	read_all(out);
	read_apart(out);
	return out;
}

/// The file holds what write_all() wrote, byte for byte.
void verify(std::string const &file, std::uint64_t size_bytes, std::uint64_t round)
{
	std::ifstream input(file, std::ios::binary);
	std::array<std::byte, block_bytes> wanted, found;
	for (std::uint64_t number = 0; number < size_bytes / block_bytes; ++number) {
		fill_block(wanted.data(), number, round);
		if (!input.read(reinterpret_cast<char *>(found.data()), block_bytes) || wanted != found)
			throw std::runtime_error(file + ": block " + std::to_string(number) + " is not what was written");
	}
}

double median(std::vector<figures> const &runs, double figures::*field)
{
	std::vector<double> values;
	for (auto const &run : runs)
		values.push_back(run.*field);
	auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
	std::nth_element(values.begin(), middle, values.end());
	return *middle;
}

void print(std::map<setting, std::vector<figures>> const &all)
{
	std::cout << "| on | engine | coalesce KiB | partitions | ns/message | CPU ns/message | written blocks/s "
				 "| CPU-s/GiB | blocks/write | read blocks/s | CPU-s/GiB | apart blocks/s | CPU-s/GiB |\n"
				 "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
	for (auto const &[key, runs] : all) {
		std::cout << "| " << key.kind << " | " << key.engine << " | " << key.coalesce_kib << " | "
				  << key.partitions;
		std::cout.precision(0);
		std::cout << std::fixed << " | " << median(runs, &figures::message_ns) << " | "
				  << median(runs, &figures::message_cpu_ns) << " | " << median(runs, &figures::write_blocks);
		std::cout.precision(2);
		std::cout << " | " << median(runs, &figures::write_cpu);
		std::cout.precision(1);
		std::cout << " | " << median(runs, &figures::blocks_per_write);
		std::cout.precision(0);
		std::cout << " | " << median(runs, &figures::read_blocks);
		std::cout.precision(2);
		std::cout << " | " << median(runs, &figures::read_cpu);
		std::cout.precision(0);
		std::cout << " | " << median(runs, &figures::apart_blocks);
		std::cout.precision(2);
		std::cout << " | " << median(runs, &figures::apart_cpu) << " |\n";
	}
}

std::uint32_t number_of(std::string const &name, std::string const &word)
{
	std::size_t used = 0;
	auto const value = std::stoul(word, &used);
	if (used != word.size() || value == 0 || value > 65536)
		throw std::invalid_argument(name + " takes 1 to 65536");
	return static_cast<std::uint32_t>(value);
}

std::vector<std::string> words_of(std::string const &list)
{
	std::vector<std::string> found;
	std::istringstream input(list);
	for (std::string word; std::getline(input, word, ',');)
		found.push_back(word);
	return found;
}

void run(options const &with)
{
	test::temporary_directory const folder(with.folder);
	auto const file = folder.file("target");
	test::make_sparse_file(file, with.size_mib * mib);
	auto arena = value_of(block_arena::create(with.cache_mib * 64, with.cache_mib * 64));
	arena->prefault(arena->capacity_blocks());
	std::vector<setting> settings;
	for (std::uint32_t partitions = 1; partitions <= with.partitions_max; partitions *= 2)
		for (auto const &kind : with.kinds)
			for (auto const &coalesce : with.coalesce_kib)
				for (auto const &engine : with.engines)
					settings.push_back({kind, engine, number_of("--coalesce", coalesce), partitions});
	std::map<setting, std::vector<figures>> all;
	std::uint64_t round = 0;
	std::string why;
	// The first round only touches memory.
	for (std::uint32_t number = 0; number <= with.runs; ++number) {
		for (auto const &what : settings) {
			std::unique_ptr<test::loop_device> loop;
			if (what.kind != "loop" && what.kind != "file" && what.kind != "direct")
				throw std::invalid_argument("--on takes file, loop and direct");
			if (what.kind == "loop" && (loop = test::loop_device::make(file, why)) == nullptr)
				continue;
			stage on(with, *arena, loop ? loop->path() : file, what);
			auto const measured = on.measure(++round);
			on.stop();
			verify(file, with.size_mib * mib, round);
			if (number > 0)
				all[what].push_back(measured);
		}
	}
	if (!why.empty())
		std::cout << "no loop devices: " << why << '\n';
	print(all);
}

options parse(int count, char **words)
{
	options parsed;
	for (int i = 1; i < count; i += 2) {
		std::string const name = words[i];
		if (i + 1 == count)
			throw std::invalid_argument(name + " needs a value");
		std::string const word = words[i + 1];
		if (name == "--engine" || name == "--coalesce" || name == "--on") {
			auto &list = name == "--engine" ? parsed.engines
				: name == "--coalesce"      ? parsed.coalesce_kib
											: parsed.kinds;
			list = words_of(word);
			continue;
		}
		if (name == "--folder") {
			parsed.folder = word;
			continue;
		}
		auto const number = number_of(name, word);
		if (name == "--size")
			parsed.size_mib = number;
		else if (name == "--runs")
			parsed.runs = number;
		else if (name == "--hashers")
			parsed.hashers = number;
		else if (name == "--cache")
			parsed.cache_mib = number;
		else if (name == "--max-partitions")
			parsed.partitions_max = number;
		else
			throw std::invalid_argument("unknown option " + name);
	}
	return parsed;
}

} // namespace

int main(int count, char **words)
{
	try {
		run(parse(count, words));
		return EXIT_SUCCESS;
	} catch (std::logic_error const &e) {
		std::cerr << e.what() << '\n' << usage;
		return 2;
	} catch (std::exception const &e) {
		std::cerr << "bench_partition: " << e.what() << '\n';
		return EXIT_FAILURE;
	}
}
