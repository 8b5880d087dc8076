#include "actors/core/bottleneck.hpp"
#include "actors/core/thread_cpu.hpp"

#include <catch2/catch.hpp>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace ezio;

namespace
{

constexpr std::uint64_t mib = 1024 * 1024;

torrent_row downloading(std::uint64_t rate, std::uint32_t peers)
{
	torrent_row row;
	row.state = torrent_state::downloading;
	row.down_rate = rate;
	row.peers = peers;
	return row;
}

} // namespace

TEST_CASE("load is time used between two samples, per thread that could use it", "[bottleneck]")
{
	load_sample before;
	load_sample after;
	after.when = before.when + std::chrono::seconds(2);
	after.network_cpu_ns = 1'000'000'000;
	after.hash_cpu_ns = 2'000'000'000;
	before.partitions = {{1, "/dev/sda", 900'000'000}, {2, "/dev/sdb"}};
	after.partitions = {{1, "/dev/sda", 900'000'000}, {2, "/dev/sdb", 500'000'000}};
	after.devices = {{3, "/dev/sda", 100'000'000}};
	after.device_bytes = 8 * mib;
	auto const load = load_between(before, after, 2);
	CHECK(load.seconds == Approx(2));
	CHECK(load.network == Approx(0.5));
	CHECK(load.hashing == Approx(0.5));
	CHECK(load.device == Approx(0.25));
	CHECK(load.backpressure == Approx(0.05));
	CHECK(load.busiest == "/dev/sdb");
	CHECK(load.device_bytes_per_second == 4 * mib);
	CHECK(load_between(after, after, 2).seconds == 0);
	CHECK(load_between(before, after, 0).hashing == 0);

	// Where partitions hash by themselves, each can use one core.
	after.partitions[0].hash_ns = 1'800'000'000;
	after.partitions[1].hash_ns = 200'000'000;
	auto const by_itself = load_between(before, after, 0);
	CHECK(by_itself.hashing == Approx(0.9));
	CHECK(by_itself.inline_hashing == Approx(0.9));
	CHECK(by_itself.device == Approx(0));
	CHECK(by_itself.busiest == "/dev/sda");
}

TEST_CASE(
	"a partition that hashes by itself is full when hashing and device calls together are", "[bottleneck]")
{
	std::vector<torrent_row> const rows{downloading(100 * mib, 3)};
	busy_report load;
	load.busiest = "/dev/sda";
	load.device = 0.5;
	load.inline_hashing = load.hashing = 0.4;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::disk);
	load.device = 0.4;
	load.inline_hashing = load.hashing = 0.5;
	auto const found = find_bottleneck(load, rows, {});
	CHECK(found.what == bottleneck_kind::hashing);
	CHECK(found.evidence.starts_with("/dev/sda: "));
	load.device = 0.2;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::source);
}

TEST_CASE("peers that wait since hashing is full are not said to wait for the disk", "[bottleneck]")
{
	std::vector<torrent_row> const rows{downloading(100 * mib, 3)};
	busy_report load;
	load.busiest = "/dev/sda";
	load.backpressure = 0.8;
	load.device = 0.25;
	load.inline_hashing = load.hashing = 0.65;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::hashing);
	load.inline_hashing = 0;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::disk);
	load.hashing = 0.9;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::hashing);
	load.device = 0.9;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::disk);
}

TEST_CASE("a busy part of ours is named before the swarm", "[bottleneck]")
{
	std::vector<torrent_row> const rows{downloading(100 * mib, 3)};
	busy_report load;
	load.seconds = 1;
	load.device = 0.95;
	load.network = 0.99;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::disk);
	load.device = 0.3;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::network);
	load.hashing = 0.9;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::hashing);
	load = {};
	load.backpressure = 0.5;
	auto const held_back = find_bottleneck(load, rows, {});
	CHECK(held_back.what == bottleneck_kind::disk);
	CHECK(held_back.evidence.find("50 %") != std::string::npos);
}

TEST_CASE(
	"the device that holds its peers back is named, and that another is idle hides nothing", "[bottleneck]")
{
	load_sample before;
	load_sample after;
	after.when = before.when + std::chrono::seconds(1);
	before.devices = {{1, "/dev/slow", 5'000'000'000}, {2, "/dev/fast", 9'000'000'000}};
	after.devices = {{1, "/dev/slow", 5'800'000'000}, {2, "/dev/fast", 9'000'000'000}};
	after.partitions = {{3, "/dev/fast", 900'000'000}};
	auto const load = load_between(before, after, 1);
	CHECK(load.backpressure == Approx(0.8));
	CHECK(load.busiest == "/dev/slow");
	auto const found = find_bottleneck(load, std::vector<torrent_row>{downloading(mib, 3)}, {});
	CHECK(found.what == bottleneck_kind::disk);
	CHECK(found.evidence.starts_with("/dev/slow: device calls take 0 %"));

	after.partitions.push_back({4, "/dev/slow", 700'000'000});
	auto const known = load_between(before, after, 1);
	CHECK(known.busiest == "/dev/slow");
	CHECK(known.device == Approx(0.7));
}

TEST_CASE("torrents that move as fast as each of them may are limited", "[bottleneck]")
{
	busy_report const idle;
	std::vector<torrent_row> rows{downloading(5 * mib, 2), downloading(0, 0)};
	rows[0].name = "sda1";
	rows[0].limits.down = 5 * mib;
	auto const found = find_bottleneck(idle, rows, {});
	CHECK(found.what == bottleneck_kind::limit);
	CHECK(found.evidence == "download-limit of torrent sda1: 5.0 MiB/s of 5.0 MiB/s");
	rows.push_back(downloading(mib, 1));
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::source);
	rows.back().is_held = true;
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::limit);

	rows = {downloading(0, 1)};
	rows[0].state = torrent_state::seeding;
	rows[0].up_rate = 5 * mib;
	rows[0].limits.up = 5 * mib;
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::limit);
	rows[0].limits.up = 10 * mib;
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::peers);
}

TEST_CASE("with room everywhere the limit, missing peers or the source explain the rate", "[bottleneck]")
{
	busy_report const idle;
	std::vector<torrent_row> rows{downloading(10 * mib, 2)};
	CHECK(find_bottleneck(idle, rows, {10 * mib, 0}).what == bottleneck_kind::limit);
	CHECK(find_bottleneck(idle, rows, {100 * mib, 0}).what == bottleneck_kind::source);
	rows[0].peers = 0;
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::peers);
	rows.push_back(downloading(mib, 1));
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::source);
	rows.clear();
	CHECK(find_bottleneck(idle, rows, {}).what == bottleneck_kind::none);
	rows.push_back(downloading(0, 1));
	rows[0].state = torrent_state::seeding;
	rows[0].up_rate = 5 * mib;
	CHECK(find_bottleneck(idle, rows, {0, 5 * mib}).what == bottleneck_kind::limit);
}

TEST_CASE(
	"of a source that only sends, the busy part is named, or the peers that take no more", "[bottleneck]")
{
	std::vector<torrent_row> rows{downloading(0, 1)};
	rows[0].state = torrent_state::seeding;
	rows[0].up_rate = 5 * mib;
	busy_report load;
	auto const taken = find_bottleneck(load, rows, {});
	CHECK(taken.what == bottleneck_kind::peers);
	CHECK(taken.evidence.starts_with("the peers take 5.0 MiB/s"));
	load.device = 0.95;
	CHECK(find_bottleneck(load, rows, {}).what == bottleneck_kind::disk);
	rows[0].up_rate = 0;
	CHECK(find_bottleneck({}, rows, {}).what == bottleneck_kind::none);
}

TEST_CASE("threads are found by name and their CPU time grows with work", "[thread-cpu]")
{
	std::atomic<bool> is_named{false};
	std::atomic<bool> stop{false};
	std::thread worker([&] {
		CHECK(::pthread_setname_np(::pthread_self(), "ezio-test (1) x") == 0);
		is_named = true;
		while (!stop)
			std::this_thread::yield();
	});
	auto const find = [] {
		auto const threads = read_thread_cpu();
		auto const found = std::find_if(
			threads.begin(), threads.end(), [](auto const &t) { return t.name == "ezio-test (1) x"; });
		return found == threads.end() ? thread_cpu{} : *found;
	};
	while (!is_named)
		std::this_thread::yield();
	auto const first = find();
	CHECK(first.tid != 0);
	auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
	auto later = find();
	while (later.cpu_ns <= first.cpu_ns && std::chrono::steady_clock::now() < deadline)
		later = find();
	stop = true;
	worker.join();
	CHECK(later.cpu_ns > first.cpu_ns);
}
