#include "tests/core/engine_fixture.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace ezio;
using namespace ezio::test;
using namespace std::chrono_literals;

namespace
{

constexpr std::uint32_t piece_bytes = 64 * 1024;
constexpr std::byte a{0x61};
using waits = std::vector<std::chrono::milliseconds>;

engine_limits retrying(std::uint32_t limit = 3)
{
	engine_limits limits;
	limits.retries = {limit, 100ms};
	return limits;
}

std::shared_ptr<storage> plain(engine_fixture &f)
{
	return f.add_storage({{"100000", 4 * piece_bytes, false}}, piece_bytes);
}

} // namespace

TEST_CASE("a write that fails with what can pass is tried again and nobody hears of it")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->at_call_of(device_call::write, 0, {fault::kind::torn, EIO, 100});
	f.faults->at_call_of(device_call::write, 1, {fault::kind::fail, EAGAIN, 0});
	auto const write = f.write(s, 0, 0, a);
	f.done(f.control(job_kind::sync, s));
	f.done(write);
	CHECK(f.disk->bytes(0x100000, block_bytes) == repeated(a, block_bytes));
	CHECK(f.waits == waits{100ms, 200ms});
	CHECK(f.stats.retries == 2);
	CHECK(f.stats.errors == 0);
	CHECK(f.stats.write_ops == 1);
	CHECK(s->retries().times == 2);
	CHECK(s->retries().last->os_errno == EAGAIN);
	CHECK_FALSE(s->has_failed());
}

TEST_CASE("a read that fails with what can pass is tried again")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->at_call_of(device_call::read, 0, {fault::kind::fail, ETIMEDOUT, 0});
	CHECK(f.bytes_read(f.read(s, 0, 0, block_bytes)) == pristine(0x100000, block_bytes));
	CHECK(f.waits == waits{100ms});
	CHECK(f.stats.errors == 0);
}

TEST_CASE("a device that cannot be opened for a while is opened when it can")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->at_call_of(device_call::open, 0, {fault::kind::fail, EBUSY, 0});
	f.done(f.control(job_kind::open, s));
	CHECK(f.waits == waits{100ms});
	CHECK(f.disk->open_handles() == 1);
}

TEST_CASE("when all attempts are in vain the failure is that of the last one")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->always(device_call::write, {fault::kind::fail, EIO, 0});
	auto const write = f.write(s, 0, 0, a);
	CHECK(f.failed(f.control(job_kind::sync, s)).os_errno == EIO);
	CHECK(f.failed(write).os_errno == EIO);
	CHECK(f.calls(device_call::write) == 4);
	CHECK(f.stats.retries == 3);
	CHECK(f.stats.errors == 1);
	CHECK(s->has_failed());
	// The operator has mended it: the handle is new, and so is its patience.
	f.control(job_kind::discard, s);
	s->clear_failure();
	f.faults->switch_off();
	f.faults->at_call_of(device_call::write, 4, {fault::kind::fail, EIO, 0});
	auto const again = f.write(s, 0, 0, a);
	f.done(f.control(job_kind::sync, s));
	f.done(again);
	CHECK(f.stats.retries == 4);
}

TEST_CASE("what cannot pass is final at once")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->at_call_of(device_call::write, 0, {fault::kind::fail, ENOSPC, 0});
	auto const write = f.write(s, 0, 0, a);
	f.engine.flush_all();
	CHECK(f.failed(write).os_errno == ENOSPC);
	CHECK(f.waits.empty());
	CHECK(f.calls(device_call::write) == 1);
}

TEST_CASE("a failed flush is never tried again")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.write(s, 0, 0, a);
	f.faults->at_call_of(device_call::flush, 0, {fault::kind::fail, EIO, 0});
	CHECK(f.failed(f.control(job_kind::sync, s)).operation == "fdatasync");
	CHECK(f.failed(f.control(job_kind::sync, s)).operation == "fdatasync");
	CHECK(f.waits.empty());
	CHECK(f.calls(device_call::flush) == 1);
}

TEST_CASE("of a batch only what did not succeed is tried again")
{
	engine_fixture f(retrying());
	f.disk->set_queue_depth(3);
	auto const s = plain(f);
	// From the last to the first: a success, a failure, and one that is left out after it.
	f.faults->at_call_of(device_call::write, 1, {fault::kind::fail, EIO, 0});
	std::vector<std::size_t> writes;
	for (int piece = 0; piece < 3; ++piece)
		writes.push_back(f.write(s, piece, 0, static_cast<std::byte>(piece + 1)));
	f.engine.flush_all();
	for (auto const write : writes)
		f.done(write);
	for (int piece = 0; piece < 3; ++piece)
		CHECK(f.disk->bytes(0x100000 + std::uint64_t(piece) * piece_bytes, block_bytes) ==
			repeated(static_cast<std::byte>(piece + 1), block_bytes));
	CHECK(f.calls(device_call::write) == 4);
	CHECK(f.stats.retries == 1);
	CHECK(f.stats.write_ops == 3);
}

TEST_CASE("one failure that cannot pass makes its whole batch final")
{
	engine_fixture f(retrying());
	f.disk->set_queue_depth(3);
	auto const s = plain(f);
	f.faults->at_call_of(device_call::write, 0, {fault::kind::fail, EIO, 0});
	f.faults->at_call_of(device_call::write, 1, {fault::kind::fail, ENOSPC, 0});
	for (int piece = 0; piece < 3; ++piece)
		f.write(s, piece, 0, a);
	f.engine.flush_all();
	CHECK(s->has_failed());
	CHECK(f.waits.empty());
	CHECK(f.calls(device_call::write) == 2);
}

TEST_CASE("when the storage fails elsewhere meanwhile no further write reaches the device")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->always(device_call::write, {fault::kind::fail, EIO, 0});
	f.on_wait = [&s] { s->fail(make_io_error("fdatasync", "/fake/disk", 0, 0, EIO)); };
	auto const write = f.write(s, 0, 0, a);
	f.engine.flush_all();
	CHECK(f.failed(write).operation == "pwritev");
	CHECK(f.calls(device_call::write) == 1);
}

TEST_CASE("a storage that is let go ends the wait for its device")
{
	engine_fixture f(retrying());
	auto const s = plain(f);
	f.faults->always(device_call::write, {fault::kind::fail, EIO, 0});
	f.on_wait = [&s] { s->leave(); };
	auto const write = f.write(s, 0, 0, a);
	f.engine.flush_all();
	CHECK(f.failed(write).os_errno == EIO);
	CHECK(f.calls(device_call::write) == 1);
	CHECK(f.waits.size() == 1);
	// The usual way to wait answers at once: else this would take an hour.
	CHECK_FALSE(wait_for_retry(*s, 1h));
}

TEST_CASE("new limits hold for the next failure")
{
	engine_fixture f(retrying(0));
	auto const s = plain(f);
	f.faults->at_call_of(device_call::read, 0, {fault::kind::fail, EIO, 0});
	f.faults->at_call_of(device_call::read, 1, {fault::kind::fail, EIO, 0});
	f.failed(f.read(s, 0, 0, block_bytes, true));
	f.engine.set_limits(retrying(1));
	f.faults->at_call_of(device_call::read, f.calls(device_call::read), {fault::kind::fail, EIO, 0});
	f.done(f.read(s, 0, 0, block_bytes, true));
	CHECK(f.waits.size() == 1);
}
