#include "actors/core/transfer_step.hpp"

#include "actors/core/unique_fd.hpp"
#include "tests/support/loop_device.hpp"
#include "tests/support/scripted_ring.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <cstring>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr std::size_t part_bytes = 1024;
constexpr std::size_t step_parts = 3;
constexpr std::size_t step_bytes = step_parts * part_bytes;

/// Writes of a few buffers each, side by side in a file.
struct written_steps {
	explicit written_steps(std::size_t count) : bytes(count * step_bytes), buffers(count * step_parts)
	{
		make_sparse_file(directory.file("image"), bytes.size());
		file = unique_fd(::open(directory.file("image").c_str(), O_RDWR | O_CLOEXEC));
		REQUIRE(file);
		for (std::size_t i = 0; i < bytes.size(); ++i)
			bytes[i] = static_cast<std::byte>(i * 31 / 7 + 1);
		for (std::size_t i = 0; i < buffers.size(); ++i)
			buffers[i] = {bytes.data() + i * part_bytes, part_bytes};
		for (std::size_t i = 0; i < count; ++i) {
			transfer_step step;
			step.fd = file.number();
			step.way = transfer_direction::write;
			step.position_bytes = i * step_bytes;
			step.left = std::span(buffers).subspan(i * step_parts, step_parts);
			steps.push_back(step);
		}
	}

	/// Does the file hold what this step was to write?
	bool is_in_file(std::size_t index) const
	{
		std::array<std::byte, step_bytes> found;
		auto const offset = static_cast<off_t>(index * step_bytes);
		REQUIRE(::pread(file.number(), found.data(), step_bytes, offset) == step_bytes);
		return std::memcmp(found.data(), bytes.data() + index * step_bytes, step_bytes) == 0;
	}
	void check_all_done() const
	{
		for (std::size_t i = 0; i < steps.size(); ++i) {
			CAPTURE(i);
			CHECK(steps[i].state == step_state::done);
			CHECK(is_in_file(i));
			CHECK(steps[i].ended >= steps[i].begun);
			CHECK(steps[i].begun > monotonic_time{});
		}
	}

	temporary_directory directory;
	unique_fd file;
	std::vector<std::byte> bytes;
	std::vector<iovec> buffers;
	std::vector<transfer_step> steps;
};

} // namespace

TEST_CASE("steps through a ring are under way together, up to its depth")
{
	written_steps all(20);
	scripted_ring ring(8);
	REQUIRE(perform_through(ring, all.steps));
	all.check_all_done();
	CHECK(ring.most_at_once() == 8);
	CHECK(ring.requests() == 20);
}

TEST_CASE("a short transfer goes on where it ended, whether within a buffer or between two")
{
	auto const moved = GENERATE(std::size_t{1}, part_bytes, part_bytes + 1, step_bytes - 1);
	CAPTURE(moved);
	written_steps all(4);
	scripted_ring ring;
	ring.tricks[2].bytes_max = moved;
	ring.tricks[4].bytes_max = 1; // and what was left, again
	REQUIRE(perform_through(ring, all.steps));
	all.check_all_done();
	CHECK(ring.requests() >= 5);
}

TEST_CASE("an interrupted transfer is asked for again")
{
	written_steps all(3);
	scripted_ring ring;
	ring.tricks[0].answer = -EINTR;
	ring.tricks[3].answer = -EINTR;
	REQUIRE(perform_through(ring, all.steps));
	all.check_all_done();
	CHECK(ring.requests() == 5);
}

TEST_CASE("what a ring cannot do without waiting is done by a call that waits")
{
	written_steps all(3);
	scripted_ring ring;
	ring.tricks[1].answer = -EAGAIN;
	REQUIRE(perform_through(ring, all.steps));
	all.check_all_done();
	CHECK(ring.requests() == 3);
}

TEST_CASE("zero bytes are an end and not a success")
{
	written_steps all(3);
	scripted_ring ring;
	ring.tricks[1].answer = 0;
	REQUIRE(perform_through(ring, all.steps));
	CHECK(all.steps[1].state == step_state::failed);
	CHECK(all.steps[1].os_errno == 0);
}

TEST_CASE("after a failure no further step is begun, and those under way come to their ends")
{
	written_steps all(12);
	scripted_ring ring(4);
	ring.tricks[1].answer = -EIO;
	ring.tricks[2].bytes_max = 10;
	REQUIRE(perform_through(ring, all.steps));
	CHECK(all.steps[1].state == step_state::failed);
	CHECK(all.steps[1].os_errno == EIO);
	CHECK(all.steps[1].position_bytes == step_bytes);
	for (std::size_t const beside : {0, 2, 3}) {
		CHECK(all.steps[beside].state == step_state::done);
		CHECK(all.is_in_file(beside));
	}
	for (std::size_t later = 4; later < 12; ++later)
		CHECK(all.steps[later].state == step_state::waiting);
	CHECK(ring.requests() == 5);
}

TEST_CASE("a kernel that takes few requests at a time, or none for a while, gets them all")
{
	written_steps all(10);
	scripted_ring ring;
	ring.submit_outcomes = {{0, -EINTR}, {1, 3}, {2, -EINTR}, {3, 1}};
	REQUIRE(perform_through(ring, all.steps));
	all.check_all_done();
	CHECK(ring.requests() == 10);
}

TEST_CASE("a ring that fails is named, and every step is carried out all the same")
{
	auto const refused_at = GENERATE(std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2});
	CAPTURE(refused_at);
	written_steps all(20);
	scripted_ring ring(4);
	ring.submit_outcomes = {{1, 2}};
	ring.submit_outcomes[refused_at] = -ENOMEM;
	ring.tricks[1].bytes_max = 10;
	auto const used = perform_through(ring, all.steps);
	REQUIRE_FALSE(used);
	CHECK(used.failure().operation == "io_uring_enter");
	CHECK(used.failure().os_errno == ENOMEM);
	all.check_all_done();
}

TEST_CASE("blocking steps end with the first that fails")
{
	written_steps all(4);
	all.steps[2].fd = -1;
	perform_blocking(all.steps);
	CHECK(all.steps[1].state == step_state::done);
	CHECK(all.is_in_file(1));
	CHECK(all.steps[2].state == step_state::failed);
	CHECK(all.steps[2].os_errno == EBADF);
	CHECK(all.steps[3].state == step_state::waiting);
	CHECK_FALSE(all.is_in_file(3));
}
