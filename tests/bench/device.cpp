#include "actors/core/posix_block_device.hpp"
#include "tests/support/loop_device.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// The device door alone: batches of transfers that lie apart, by blocking calls and through a ring.
// docs/benchmarks.md explains the figures.

using namespace ezio;

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::size_t batch_transfers = 32;
constexpr std::size_t alignment = 4096;
constexpr int runs = 5;

struct free_memory {
	void operator()(std::byte *bytes) const { std::free(bytes); }
};

struct setting {
	std::string kind; ///< "direct file", "file", "loop"
	std::size_t transfer_bytes = 0;
	bool is_write = false;
	bool has_ring = false;
	friend auto operator<=>(setting const &, setting const &) = default;
};

struct figures {
	double mib_per_second = 0;
	double cpu_per_gib = 0; ///< of this process: seconds of user and system
};

template <class T>
T value_of(result<T> outcome)
{
	if (!outcome)
		throw std::runtime_error(to_string(outcome.failure()));
	return std::move(*outcome);
}

double cpu_now()
{
	rusage used{};
	getrusage(RUSAGE_SELF, &used); // cannot fail with these arguments
	auto const seconds = [](timeval const &t) {
		return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
	};
	return seconds(used.ru_utime) + seconds(used.ru_stime);
}

template <class Transfer>
void check(std::vector<Transfer> const &batch)
{
	for (auto const &one : batch) {
		if (!one.outcome)
			throw std::runtime_error(to_string(one.outcome.failure()));
	}
}

figures measure(block_device &device, setting const &what, std::uint64_t size_bytes)
{
	auto const slots = size_bytes / what.transfer_bytes;
	std::unique_ptr<std::byte, free_memory> const memory(
		static_cast<std::byte *>(std::aligned_alloc(alignment, batch_transfers * what.transfer_bytes)));
	if (!memory)
		throw std::bad_alloc();
	std::memset(memory.get(), 0x5a, batch_transfers * what.transfer_bytes);
	// Every slot once, in no order.
	std::vector<std::uint64_t> order(slots);
	for (std::uint64_t i = 0; i < slots; ++i)
		order[i] = i;
	std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
	auto const began = monotonic_clock::now();
	auto const cpu_began = cpu_now();
	for (std::size_t first = 0; first + batch_transfers <= slots; first += batch_transfers) {
		std::array<read_buffer, batch_transfers> read_buffers;
		std::array<write_buffer, batch_transfers> write_buffers;
		std::vector<device_read> reads;
		std::vector<device_write> writes;
		for (std::size_t i = 0; i < batch_transfers; ++i) {
			auto *const data = memory.get() + i * what.transfer_bytes;
			auto const offset = order[first + i] * what.transfer_bytes;
			read_buffers[i] = {data, what.transfer_bytes};
			write_buffers[i] = {data, what.transfer_bytes};
			if (what.is_write)
				writes.push_back({{&write_buffers[i], 1}, offset, {}, {}});
			else
				reads.push_back({{&read_buffers[i], 1}, offset, {}, {}});
		}
		if (what.is_write)
			device.write_batch(writes);
		else
			device.read_batch(reads);
		check(writes);
		check(reads);
	}
	if (auto const flushed = device.flush(); !flushed)
		throw std::runtime_error(to_string(flushed.failure()));
	auto const moved = static_cast<double>(slots / batch_transfers * batch_transfers * what.transfer_bytes);
	auto const wall = std::chrono::duration<double>(monotonic_clock::now() - began).count();
	return {moved / static_cast<double>(mib) / wall,
		(cpu_now() - cpu_began) / (moved / static_cast<double>(1024 * mib))};
}

/// Opens, measures and closes one handle of the device.
figures measure_on(std::string const &path, setting const &what, std::uint64_t size_bytes)
{
	std::string refused;
	auto const engines =
		std::make_shared<io_engine_choice>(what.has_ring ? io_engine::uring : io_engine::threads,
			[&](error const &why) { refused = to_string(why); });
	auto const mode = what.kind == "file" ? direct_io_mode::off : direct_io_mode::on;
	auto device = value_of(posix_block_device::open(path, path, device_access::read_write, mode, engines));
	if (!refused.empty())
		throw std::runtime_error(refused);
	if (what.kind != "file" && !device->geometry().is_direct)
		throw std::runtime_error(path + ": no direct I/O: " + device->buffered_reason());
	return measure(*device, what, size_bytes);
}

double median(std::vector<figures> const &all, double figures::*field)
{
	std::vector<double> values;
	for (auto const &one : all)
		values.push_back(one.*field);
	auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
	std::nth_element(values.begin(), middle, values.end());
	return *middle;
}

void run(std::string const &folder_path, std::uint64_t size_mib)
{
	auto const size_bytes = size_mib * mib;
	test::temporary_directory const folder(folder_path);
	auto const image = folder.file("image");
	test::make_sparse_file(image, size_bytes);
	std::string why;
	auto const loop = test::loop_device::make(image, why);
	if (!loop)
		std::cout << "no loop devices: " << why << '\n';
	auto const probe =
		value_of(posix_block_device::open(image, image, device_access::read_write, direct_io_mode::on));
	bool const is_direct = probe->geometry().is_direct;
	if (!is_direct)
		std::cout << "no direct I/O on files here: " << probe->buffered_reason() << '\n';
	std::map<setting, std::vector<figures>> all;
	// The first round only allocates.
	for (int number = 0; number <= runs; ++number) {
		for (std::string const kind : {"direct file", "file", "loop"}) {
			if ((kind == "loop" && !loop) || (kind == "direct file" && !is_direct))
				continue;
			for (std::size_t const kib : {16, 256, 1024}) {
				for (bool const is_write : {true, false}) {
					for (bool const has_ring : {false, true}) {
						setting const what{kind, kib * 1024, is_write, has_ring};
						auto const found =
							measure_on(kind == "loop" ? loop->path() : image, what, size_bytes);
						if (number > 0)
							all[what].push_back(found);
					}
				}
			}
		}
	}
	std::cout
		<< "| on | KiB | | threads MiB/s | uring MiB/s | ratio | threads CPU-s/GiB | uring CPU-s/GiB |\n"
		   "|---|---|---|---|---|---|---|---|\n"
		<< std::fixed;
	for (auto const &[what, threads] : all) {
		if (what.has_ring)
			continue;
		auto ring = what;
		ring.has_ring = true;
		auto const &uring = all.at(ring);
		auto const one = median(threads, &figures::mib_per_second);
		auto const many = median(uring, &figures::mib_per_second);
		std::cout.precision(0);
		std::cout << "| " << what.kind << " | " << what.transfer_bytes / 1024 << " | "
				  << (what.is_write ? "write" : "read") << " | " << one << " | " << many;
		std::cout.precision(2);
		std::cout << " | " << many / one << " | " << median(threads, &figures::cpu_per_gib) << " | "
				  << median(uring, &figures::cpu_per_gib) << " |\n";
	}
}

} // namespace

int main(int count, char **words)
{
	if (count > 3) {
		std::cerr << "bench_device [DIR [MIB]]: an image file of MIB (256) below DIR (/var/tmp)\n";
		return 2;
	}
	try {
		if (auto const ring = make_io_ring(); !ring) {
			std::cerr << "skipped: " << to_string(ring.failure()) << '\n';
			return 77;
		}
		run(count > 1 ? words[1] : "/var/tmp", count > 2 ? std::stoul(words[2]) : 256);
		return EXIT_SUCCESS;
	} catch (std::exception const &e) {
		std::cerr << "bench_device: " << e.what() << '\n';
		return EXIT_FAILURE;
	}
}
