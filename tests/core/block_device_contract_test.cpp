#include "actors/core/posix_block_device.hpp"

#include "tests/support/fake_block_device.hpp"
#include "tests/support/kernel_state.hpp"
#include "tests/support/loop_device.hpp"
#include "tests/support/test_seed.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

using namespace ezio;
using namespace ezio::test;

namespace
{

/// A device of one kind, for as long as a test case needs it.
struct device_under_test {
	std::unique_ptr<temporary_directory> directory;
	std::unique_ptr<loop_device> loop;
	std::string path;
	direct_io_mode direct = direct_io_mode::automatic;
	std::uint64_t size_bytes = 0;
	std::shared_ptr<io_engine_choice> engines;
	std::unique_ptr<fake_device_claim> fake;

	std::unique_ptr<block_device> open(device_access access = device_access::read_write) const
	{
		if (fake) {
			auto opened = fake->open_handle();
			if (!opened)
				FAIL(to_string(opened.failure()));
			return std::move(opened).value();
		}
		return open_posix(access);
	}
	std::unique_ptr<posix_block_device> open_posix(device_access access = device_access::read_write) const
	{
		auto opened = posix_block_device::open(path, path, access, direct, engines);
		if (!opened)
			FAIL(to_string(opened.failure()));
		return std::move(opened).value();
	}
};

struct device_kind {
	std::string name;
	std::string directory;
	std::uint32_t loop_sector_bytes = 0; ///< 0: a regular file
	direct_io_mode direct = direct_io_mode::automatic;
	std::uint64_t size_bytes = 0;
	bool is_fake = false;
	io_engine engine = io_engine::threads;
};

std::ostream &operator<<(std::ostream &out, device_kind const &kind)
{
	return out << kind.name;
}

// Sizes that end within a page where the kind allows it.
std::vector<device_kind> const kinds_of_devices{
	{"loop device with sectors of 512", "/dev/shm", 512, direct_io_mode::automatic, 4 * 1024 * 1024 + 512},
	{"loop device with sectors of 4096", "/dev/shm", 4096, direct_io_mode::automatic, 4 * 1024 * 1024},
	{"buffered loop device", "/dev/shm", 512, direct_io_mode::off, 4 * 1024 * 1024 + 512},
	{"file on tmpfs", "/dev/shm", 0, direct_io_mode::automatic, 4 * 1024 * 1024 + 77},
	{"file on disk", "/var/tmp", 0, direct_io_mode::automatic, 4 * 1024 * 1024 + 77},
	{"file on disk with direct I/O", "/var/tmp", 0, direct_io_mode::on, 4 * 1024 * 1024 + 77},
};

/// Each with blocking calls and, by its name, through a ring.
std::vector<device_kind> with_both_engines(std::vector<device_kind> kinds)
{
	for (std::size_t i = 0, count = kinds.size(); i < count; ++i) {
		kinds.push_back(kinds[i]);
		kinds.back().name += ", io_uring";
		kinds.back().engine = io_engine::uring;
	}
	return kinds;
}

std::vector<device_kind> const all_kinds = with_both_engines(kinds_of_devices);

/// Null, with a warning, where the system has no rings.
std::shared_ptr<io_engine_choice> make_engines(io_engine wanted)
{
	std::string why;
	auto engines = std::make_shared<io_engine_choice>(
		wanted, [&why](error const &refusal) { why = to_string(refusal); });
	if (!why.empty()) {
		WARN("skipped: " << why);
		return nullptr;
	}
	return engines;
}

/// The fake that other tests put in place of a device keeps the same promises.
std::vector<device_kind> all_kinds_and_the_fake()
{
	auto kinds = all_kinds;
	kinds.push_back({"fake device", {}, 0, direct_io_mode::automatic, 4 * 1024 * 1024 + 512, true});
	return kinds;
}

std::unique_ptr<device_under_test> make_device(device_kind const &kind)
{
	auto device = std::make_unique<device_under_test>();
	if (kind.is_fake) {
		device->path = "/dev/fake";
		device->size_bytes = kind.size_bytes;
		device->fake = std::make_unique<fake_device_claim>(
			std::make_shared<fake_disk>(device->path, kind.size_bytes, std::make_shared<fault_plan>()));
		return device;
	}
	device->engines = make_engines(kind.engine);
	if (!device->engines)
		return nullptr;
	device->directory = std::make_unique<temporary_directory>(kind.directory);
	device->path = device->directory->file("image");
	device->direct = kind.direct;
	device->size_bytes = kind.size_bytes;
	make_sparse_file(device->path, kind.size_bytes);
	if (kind.loop_sector_bytes > 0) {
		std::string why;
		device->loop = loop_device::make(device->path, why, {.sector_bytes = kind.loop_sector_bytes});
		if (!device->loop) {
			WARN("skipped: " << kind.name << ": " << why);
			return nullptr;
		}
		device->path = device->loop->path();
	}
	return device;
}

/// Page-aligned memory, as the block arena's is.
class page_memory
{
public:
	explicit page_memory(std::size_t size_bytes)
		: m_bytes(static_cast<std::byte *>(std::aligned_alloc(4096, (size_bytes + 4095) / 4096 * 4096)))
	{
		REQUIRE(m_bytes != nullptr);
		std::memset(m_bytes, 0, size_bytes);
	}
	~page_memory() { std::free(m_bytes); }
	page_memory(page_memory const &) = delete;
	page_memory &operator=(page_memory const &) = delete;
	std::byte *data() const { return m_bytes; }

private:
	std::byte *m_bytes;
};

void fill(std::byte *bytes, std::size_t size_bytes, std::mt19937_64 &random)
{
	for (std::size_t i = 0; i < size_bytes; ++i)
		bytes[i] = static_cast<std::byte>(random());
}

#define REQUIRE_OK(expression) \
	do { \
		auto const outcome = (expression); \
		if (!outcome) \
			FAIL(to_string(outcome.failure())); \
	} while (false)

} // namespace

TEST_CASE("scattered transfers of any alignment move exactly their bytes")
{
	auto const kind = GENERATE(from_range(all_kinds_and_the_fake()));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	auto const size = static_cast<std::size_t>(device->size_bytes);
	std::vector<std::byte> reference(size);
	page_memory const memory(512 * 1024);
	auto const first = device->open();
	auto const second = device->open();
	std::vector<read_buffer> const all_of_it{{reference.data(), size}};
	REQUIRE_OK(first->read_at(all_of_it, 0));

	for (int round = 0; round < 400; ++round) {
		static constexpr std::size_t units[] = {1, 512, 4096, 16384};
		auto const unit = units[random() % 4];
		auto const handle = random() % 2 == 0 ? first.get() : second.get();
		bool const is_write = random() % 2 == 0;
		auto const offset = random() % (size / unit) * unit;
		std::vector<read_buffer> reads;
		std::vector<write_buffer> writes;
		std::size_t memory_used = random() % 8 == 0 ? random() % 64 : 0;
		std::size_t total = 0;
		for (auto count = 1 + random() % 8; count > 0; --count) {
			auto const length = std::min((random() % (40000 / unit + 1)) * unit, size - offset - total);
			reads.push_back({memory.data() + memory_used, length});
			writes.push_back({memory.data() + memory_used, length});
			// What follows each other in memory is one buffer to the kernel.
			memory_used += length + random() % 2 * unit;
			total += length;
		}
		CAPTURE(round, offset, total, unit, is_write);
		if (is_write) {
			fill(memory.data(), memory_used, random);
			auto at = offset;
			for (auto const &buffer : writes) {
				std::copy_n(
					buffer.data, buffer.size_bytes, reference.begin() + static_cast<std::ptrdiff_t>(at));
				at += buffer.size_bytes;
			}
			REQUIRE_OK(handle->write_at(writes, offset));
		} else {
			REQUIRE_OK(handle->read_at(reads, offset));
			auto at = offset;
			for (auto const &buffer : reads) {
				REQUIRE(std::equal(buffer.data, buffer.data + buffer.size_bytes,
					reference.begin() + static_cast<std::ptrdiff_t>(at)));
				at += buffer.size_bytes;
			}
		}
		if (round % 50 == 49)
			REQUIRE_OK(handle->flush());
	}
	page_memory const everything(size);
	std::vector<read_buffer> const whole{{everything.data(), size}};
	REQUIRE_OK(first->read_at(whole, 0));
	CHECK(std::memcmp(everything.data(), reference.data(), size) == 0);
}

TEST_CASE("a transfer of more buffers than one call takes is complete")
{
	auto const kind = GENERATE(from_range(all_kinds_and_the_fake()));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	std::mt19937_64 random(1);
	std::size_t const part = 512;
	std::size_t const count = 3000;
	// With gaps, or they would be one.
	std::size_t const stride = 2 * part;
	page_memory const written(stride * count);
	page_memory const read(stride * count);
	fill(written.data(), stride * count, random);
	std::vector<write_buffer> writes;
	std::vector<read_buffer> reads;
	for (std::size_t i = 0; i < count; ++i) {
		writes.push_back({written.data() + i * stride, part});
		reads.push_back({read.data() + i * stride, part});
	}
	auto const handle = device->open();
	REQUIRE_OK(handle->write_at(writes, 4096 + 512));
	REQUIRE_OK(handle->flush());
	REQUIRE_OK(handle->read_at(reads, 4096 + 512));
	for (std::size_t i = 0; i < count; ++i)
		REQUIRE(std::memcmp(written.data() + i * stride, read.data() + i * stride, part) == 0);
}

TEST_CASE("a batch moves what its transfers would one by one")
{
	auto const kind = GENERATE(from_range(all_kinds_and_the_fake()));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	auto const seed = test_seed();
	INFO("EZIO_TEST_SEED=" << seed);
	std::mt19937_64 random(seed);
	std::size_t const slot = 40 * 1024;
	std::size_t const slots = 90;
	page_memory const written(slot * slots + 1);
	page_memory const read(slot * slots + 1);
	auto const handle = device->open();
	CHECK(handle->queue_depth() == (kind.engine == io_engine::uring ? 64 : 1));
	for (int round = 0; round < 10; ++round) {
		fill(written.data(), slot * slots + 1, random);
		std::vector<std::size_t> order(slots);
		for (std::size_t i = 0; i < slots; ++i)
			order[i] = i;
		std::shuffle(order.begin(), order.end(), random);
		std::vector<std::array<write_buffer, 2>> write_buffers(slots);
		std::vector<std::array<read_buffer, 2>> read_buffers(slots);
		std::vector<device_write> writes;
		std::vector<device_read> reads;
		for (auto const i : order) {
			// Most of whole pages, some of sectors, some neither.
			static constexpr std::size_t units[] = {4096, 4096, 512, 1};
			auto const unit = units[random() % 4];
			auto const first = random() % (slot / 2 / unit) * unit;
			auto const second = random() % (slot / 2 / unit) * unit;
			auto const skewed = i * slot + (random() % 4 == 0 ? 1 : 0);
			write_buffers[i] = {
				{{written.data() + skewed, first}, {written.data() + skewed + first, second}}};
			read_buffers[i] = {{{read.data() + skewed, first}, {read.data() + skewed + first, second}}};
			writes.push_back({write_buffers[i], i * slot, {}, {}});
			reads.push_back({read_buffers[i], i * slot, {}, {}});
		}
		handle->write_batch(writes);
		REQUIRE_OK(handle->flush());
		handle->read_batch(reads);
		for (std::size_t n = 0; n < slots; ++n) {
			CAPTURE(round, n);
			REQUIRE_OK(writes[n].outcome);
			REQUIRE_OK(reads[n].outcome);
			for (auto const part : {0, 1}) {
				auto const &sent = writes[n].buffers[static_cast<std::size_t>(part)];
				auto const &found = reads[n].buffers[static_cast<std::size_t>(part)];
				REQUIRE(std::equal(sent.data, sent.data + sent.size_bytes, found.data));
				if (sent.size_bytes > 0)
					CHECK((writes[n].took.count() > 0 && reads[n].took.count() > 0));
			}
		}
	}
}

TEST_CASE("a batch ends with the transfer that fails, and what was before it is done")
{
	auto const kind = GENERATE(from_range(all_kinds_and_the_fake()));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	page_memory const memory(8192);
	std::memset(memory.data(), 1, 8192);
	auto const handle = device->open();
	write_buffer const buffer{memory.data(), 8192};
	auto const beyond = device->size_bytes - 4096;
	std::vector<device_write> writes;
	for (auto const offset : {std::uint64_t{0}, beyond, std::uint64_t{65536}})
		writes.push_back({{&buffer, 1}, offset, {}, {}});
	handle->write_batch(writes);
	REQUIRE_OK(writes[0].outcome);
	REQUIRE_FALSE(writes[1].outcome);
	CHECK(writes[1].outcome.failure().os_errno == ENOSPC);
	CHECK(writes[1].outcome.failure().offset_bytes == beyond);
	REQUIRE_FALSE(writes[2].outcome);
	CHECK(writes[2].outcome.failure().code == errc::aborted);
	CHECK(writes[2].outcome.failure().offset_bytes == 65536U);

	page_memory const found(8192);
	read_buffer const into{found.data(), 8192};
	REQUIRE_OK(handle->read_at({&into, 1}, 0));
	CHECK(std::memcmp(found.data(), memory.data(), 8192) == 0);
	REQUIRE_OK(handle->read_at({&into, 1}, 65536));
	CHECK(std::memcmp(found.data(), memory.data(), 8192) != 0);
}

TEST_CASE("a transfer beyond the end names device, offset and length and moves nothing")
{
	auto const kind = GENERATE(from_range(all_kinds_and_the_fake()));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	page_memory const memory(8192);
	auto const handle = device->open();
	auto const size = device->size_bytes;
	CHECK(handle->geometry().size_bytes == size);

	auto const offset = size - 4096;
	page_memory const before(4096);
	std::vector<read_buffer> const last_before{{before.data(), 4096}};
	REQUIRE_OK(handle->read_at(last_before, offset));
	std::vector<write_buffer> const ones{{memory.data(), 8192}};
	std::memset(memory.data(), 1, 8192);
	auto const written = handle->write_at(ones, offset);
	REQUIRE_FALSE(written);
	CHECK(written.failure().code == errc::io_error);
	CHECK(written.failure().os_errno == ENOSPC);
	CHECK(written.failure().operation == "pwritev");
	CHECK(written.failure().device == device->path);
	CHECK(written.failure().offset_bytes == offset);
	CHECK(written.failure().length_bytes == 8192U);

	std::vector<read_buffer> const buffers{{memory.data(), 8192}};
	auto const past = handle->read_at(buffers, offset);
	REQUIRE_FALSE(past);
	CHECK(past.failure().code == errc::unexpected_end);
	CHECK(past.failure().offset_bytes == offset);
	CHECK(past.failure().length_bytes == 8192U);
	auto const far = handle->read_at(buffers, ~std::uint64_t{0} - 100);
	REQUIRE_FALSE(far);
	CHECK(far.failure().code == errc::unexpected_end);

	std::vector<read_buffer> const last{{memory.data(), 4096}};
	REQUIRE_OK(handle->read_at(last, offset));
	CHECK(std::memcmp(memory.data(), before.data(), 4096) == 0);
}

TEST_CASE("direct I/O is used on block devices, on files when asked for, and its absence has a reason")
{
	auto const kind = GENERATE(from_range(all_kinds));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	auto const handle = device->open_posix();
	CAPTURE(handle->buffered_reason());
	bool const is_block = kind.loop_sector_bytes > 0;
	CHECK(handle->geometry().is_block_device == is_block);
	CHECK(handle->geometry().logical_sector_bytes == (is_block ? kind.loop_sector_bytes : 1));
	CHECK(handle->geometry().is_direct == handle->buffered_reason().empty());
	bool const is_asked_for =
		kind.direct == direct_io_mode::on || (kind.direct == direct_io_mode::automatic && is_block);
	CHECK(handle->geometry().direct_refusal == (is_asked_for ? handle->buffered_reason() : std::string()));
	if (!is_asked_for)
		CHECK_FALSE(handle->geometry().is_direct);
	else if (is_block)
		CHECK(handle->geometry().is_direct);
}

TEST_CASE("what the page cache forgets is read from the device")
{
	temporary_directory const directory;
	auto const image = directory.file("image");
	make_sparse_file(image, 1024 * 1024);
	std::string why;
	auto const loop = loop_device::make(image, why);
	if (!loop) {
		WARN("skipped: " << why);
		return;
	}
	auto opened = posix_block_device::open(
		loop->path(), "loop", device_access::read_write, direct_io_mode::off, nullptr);
	REQUIRE(opened.has_value());
	auto &device = *opened.value();
	std::vector<std::byte> content(8192);
	auto const read = [&] {
		read_buffer const into{content.data(), content.size()};
		REQUIRE_OK(device.read_at({&into, 1}, 512));
	};
	read();
	{
		std::fstream beneath(image, std::ios::in | std::ios::out | std::ios::binary);
		beneath.seekp(600);
		beneath.put('x');
		REQUIRE(beneath.good());
	}
	read();
	CHECK(content[88] == std::byte{0});
	// Neither end is that of a page.
	REQUIRE_OK(device.forget_cached(512, content.size()));
	read();
	CHECK(content[88] == std::byte{'x'});
}

TEST_CASE("a device smaller than a page is buffered")
{
	temporary_directory const directory;
	make_sparse_file(directory.file("image"), 512);
	std::string why;
	auto const loop = loop_device::make(directory.file("image"), why);
	if (!loop) {
		WARN("skipped: " << why);
		return;
	}
	auto const handle = posix_block_device::open(loop->path(), loop->path(), device_access::read_write);
	REQUIRE(handle);
	CHECK(handle.value()->buffered_reason() == "smaller than a page");
	std::vector<std::byte> bytes(512);
	std::vector<write_buffer> const writes{{bytes.data(), 512}};
	REQUIRE_OK(handle.value()->write_at(writes, 0));
	REQUIRE_OK(handle.value()->flush());
}

TEST_CASE("a read-only handle reads and refuses to write")
{
	auto const kind = GENERATE(from_range(all_kinds));
	CAPTURE(kind);
	auto const device = make_device(kind);
	if (!device)
		return;
	page_memory const memory(8192);
	auto const handle = device->open(device_access::read_only);
	std::vector<read_buffer> const reads{{memory.data(), 8192}};
	std::vector<write_buffer> const writes{{memory.data(), 8192}};
	REQUIRE_OK(handle->read_at(reads, 0));
	auto const written = handle->write_at(writes, 0);
	REQUIRE_FALSE(written);
	CHECK(written.failure().os_errno == EBADF);
	CHECK(written.failure().device == device->path);
}

TEST_CASE("handles that write neighbouring ranges at once do not undo each other")
{
	// One writer's buffers are aligned, the other's are not, so that it uses the page cache; they meet within
	// every second page. Were the aligned sectors of a shared page written directly, the cached page, read
	// before and written back after, would undo them. The size is a multiple of the page: only then is a page
	// the unit of write-back on a block device with smaller sectors.
	auto kind = GENERATE(from_range(all_kinds));
	CAPTURE(kind);
	kind.size_bytes = 4 * 1024 * 1024;
	auto const device = make_device(kind);
	if (!device)
		return;
	std::size_t const part = 4096 + 512;
	std::size_t const parts = 64;
	std::size_t const size = part * parts;
	auto const aligned_handle = device->open();
	auto const unaligned_handle = device->open();
	page_memory const aligned(size);
	page_memory const unaligned(size + 1);
	page_memory const found(size);
	std::mt19937_64 random(7);
	result<void> aligned_outcome;
	result<void> unaligned_outcome;
	auto const write_parts = [&](block_device &handle, std::byte const *bytes, std::size_t first) {
		for (auto i = first; i < parts; i += 2) {
			std::vector<write_buffer> const buffers{{bytes + i * part, part}};
			if (auto written = handle.write_at(buffers, i * part); !written)
				return written;
		}
		return result<void>{};
	};
	for (int round = 0; round < 60; ++round) {
		fill(aligned.data(), size, random);
		std::memcpy(unaligned.data() + 1, aligned.data(), size);
		std::thread other(
			[&] { unaligned_outcome = write_parts(*unaligned_handle, unaligned.data() + 1, 1); });
		aligned_outcome = write_parts(*aligned_handle, aligned.data(), 0);
		other.join();
		REQUIRE_OK(aligned_outcome);
		REQUIRE_OK(unaligned_outcome);
		REQUIRE_OK(aligned_handle->flush());
		REQUIRE_OK(unaligned_handle->flush());
		std::vector<read_buffer> const reads{{found.data(), size}};
		REQUIRE_OK(aligned_handle->read_at(reads, 0));
		CAPTURE(round);
		REQUIRE(std::memcmp(found.data(), aligned.data(), size) == 0);
	}
}

TEST_CASE("a full device tells the whole story, and a failed flush stays failed")
{
	// A loop device that promises more than the tmpfs beneath it has.
	auto const direct = GENERATE(direct_io_mode::automatic, direct_io_mode::off);
	auto const engine = GENERATE(io_engine::threads, io_engine::uring);
	CAPTURE(engine == io_engine::uring);
	auto const engines = make_engines(engine);
	if (!engines)
		return;
	temporary_directory const directory;
	std::string why;
	auto const mount = scoped_mount::make("ezio-test", directory.path(), "tmpfs", "size=1m", why);
	if (!mount) {
		WARN("skipped: " << why);
		return;
	}
	make_sparse_file(directory.file("image"), 8 * 1024 * 1024);
	auto const loop = loop_device::make(directory.file("image"), why);
	if (!loop) {
		WARN("skipped: " << why);
		return;
	}
	auto const opened =
		posix_block_device::open(loop->path(), loop->path(), device_access::read_write, direct, engines);
	REQUIRE(opened);
	auto &device = *opened.value();
	std::size_t const size = 2 * 1024 * 1024;
	page_memory const memory(size);
	std::memset(memory.data(), 1, size);
	write_buffer const buffer{memory.data(), size};
	// More than there is room for. The kernel's loop driver takes a short write to its file for a whole one,
	// so only what comes after it is sure to be refused.
	auto const filled = device.write_at({&buffer, 1}, 4 * 1024 * 1024);
	CAPTURE(filled.has_value());
	// Two in one batch, so that a ring has both.
	std::vector<device_write> writes{{{&buffer, 1}, 4096, {}, {}}, {{&buffer, 1}, 4096 + size, {}, {}}};
	device.write_batch(writes);
	auto const &written = writes[0].outcome;
	if (direct == direct_io_mode::automatic) {
		REQUIRE_FALSE(written);
		auto const &e = written.failure();
		CAPTURE(to_string(e));
		CHECK(e.code == errc::io_error);
		CHECK((e.os_errno == ENOSPC || e.os_errno == EIO));
		CHECK(e.operation == "pwritev");
		CHECK(e.device == loop->path());
		CHECK(e.offset_bytes == 4096U);
		CHECK(e.length_bytes == size);
		return;
	}
	// The page cache takes everything; only the flush can tell, and the kernel tells it once.
	REQUIRE_OK(written);
	auto const flushed = device.flush();
	REQUIRE_FALSE(flushed);
	CAPTURE(to_string(flushed.failure()));
	CHECK(flushed.failure().operation == "fdatasync");
	CHECK(flushed.failure().device == loop->path());
	CHECK((flushed.failure().os_errno == ENOSPC || flushed.failure().os_errno == EIO));
	auto const again = device.flush();
	REQUIRE_FALSE(again);
	CHECK(again.failure() == flushed.failure());
}

namespace
{

/// A loop device that promises 8 MiB over a tmpfs of 1 MiB: the page cache takes what the medium cannot.
struct overpromised_device {
	static constexpr std::size_t too_much = 2 * 1024 * 1024;

	/// Null where this process may not make one.
	static std::unique_ptr<overpromised_device> make()
	{
		auto made = std::make_unique<overpromised_device>();
		std::string why;
		made->mount = scoped_mount::make("ezio-test", made->directory.path(), "tmpfs", "size=1m", why);
		if (made->mount) {
			make_sparse_file(made->directory.file("image"), 8 * 1024 * 1024);
			made->loop = loop_device::make(made->directory.file("image"), why);
		}
		if (!made->loop) {
			WARN("skipped: " << why);
			return nullptr;
		}
		return made;
	}
	std::unique_ptr<posix_block_device> open_buffered() const
	{
		auto opened = posix_block_device::open(
			loop->path(), loop->path(), device_access::read_write, direct_io_mode::off);
		REQUIRE(opened);
		return std::move(opened).value();
	}

	temporary_directory directory;
	std::unique_ptr<scoped_mount> mount;
	std::unique_ptr<loop_device> loop;
};

} // namespace

TEST_CASE("a new handle's flush covers what was written before it was opened")
{
	auto const device = overpromised_device::make();
	if (!device)
		return;
	// Kept open: the last close of a block device writes back by itself, and tells nobody how it went.
	auto const witness = device->open_buffered();
	page_memory const memory(overpromised_device::too_much);
	std::memset(memory.data(), 1, overpromised_device::too_much);
	{
		auto const gone = device->open_buffered();
		std::vector<write_buffer> const buffers{{memory.data(), overpromised_device::too_much}};
		REQUIRE_OK(gone->write_at(buffers, 0));
	}
	auto const flushed = device->open_buffered()->flush();
	REQUIRE_FALSE(flushed);
	CHECK(flushed.failure().operation == "fdatasync");
}

TEST_CASE("a flush of what has become shorter fails, also once it has its length again")
{
	constexpr std::uint64_t size = 1024 * 1024;
	temporary_directory const directory;
	auto const path = directory.file("image");
	make_sparse_file(path, size);
	auto const handle = posix_block_device::open(path, path, device_access::read_write);
	REQUIRE(handle);
	std::vector<std::byte> bytes(4096, std::byte{1});
	std::vector<write_buffer> const writes{{bytes.data(), bytes.size()}};
	REQUIRE_OK(handle.value()->write_at(writes, 0));
	REQUIRE(::truncate(path.c_str(), size / 2) == 0);
	auto const flushed = handle.value()->flush();
	REQUIRE_FALSE(flushed);
	CHECK(flushed.failure().code == errc::unexpected_end);
	CHECK(flushed.failure().operation == "fdatasync");
	CHECK(flushed.failure().device == path);
	CHECK(flushed.failure().offset_bytes == size / 2);
	CHECK(flushed.failure().length_bytes == size / 2);
	REQUIRE(::truncate(path.c_str(), size) == 0);
	CHECK_FALSE(handle.value()->flush());
}

TEST_CASE("after a failed flush reads come from the medium, not from what the medium never got")
{
	auto const device = overpromised_device::make();
	if (!device)
		return;
	page_memory const memory(overpromised_device::too_much);
	std::memset(memory.data(), 1, overpromised_device::too_much);
	auto const writer = device->open_buffered();
	std::vector<write_buffer> const buffers{{memory.data(), overpromised_device::too_much}};
	REQUIRE_OK(writer->write_at(buffers, 0));
	REQUIRE_FALSE(writer->flush());
	page_memory const found(overpromised_device::too_much);
	std::vector<read_buffer> const reads{{found.data(), overpromised_device::too_much}};
	REQUIRE_OK(device->open_buffered()->read_at(reads, 0));
	CHECK(std::memcmp(found.data(), memory.data(), overpromised_device::too_much) != 0);
}
