#include "tests/bt/disk_fixture.hpp"

#include <libtorrent/hasher.hpp>
#include <libtorrent/peer_request.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <map>

using namespace ezio;
using namespace ezio::test;

namespace
{

constexpr int block = 16 * 1024;
constexpr int pieces =
	(disk_fixture::total_bytes + disk_fixture::piece_bytes - 1) / disk_fixture::piece_bytes;

int piece_size(int piece)
{
	return std::min(disk_fixture::piece_bytes, disk_fixture::total_bytes - piece * disk_fixture::piece_bytes);
}

std::vector<char> payload_of(int piece, int start, int length)
{
	std::vector<char> bytes(static_cast<std::size_t>(length));
	for (int i = 0; i < length; ++i) {
		auto const at = static_cast<unsigned>(piece * disk_fixture::piece_bytes + start + i);
		bytes[static_cast<std::size_t>(i)] = static_cast<char>((at * 2654435761U) >> 24);
	}
	return bytes;
}

/// What libtorrent asks of a disk for one download: check, write and hash each piece, read it, forget it,
/// read it from the device, release, end. The fake disk plays one fault on the way.
class download
{
public:
	download(device_call kind, std::uint64_t call, fault f)
	{
		m_fixture.device().faults().at_call_of(kind, call, f);
	}

	void run()
	{
		ask([this](auto done) {
			m_fixture.disk().async_check_files(m_fixture.index(), nullptr, {},
				[done](lt::status_t, lt::storage_error const &e) { done(e); });
		});
		for (int piece = 0; piece < pieces; ++piece) {
			for_blocks(piece, [&](int start, int length) { write(piece, start, length); });
			hash(piece, {});
			for_blocks(piece, [&](int start, int length) { read(piece, start, length); });
		}
		wait();
		// From here on the device itself has to tell.
		m_fixture.disk().async_release_files(m_fixture.index(), answer());
		for (int piece = 0; piece < pieces; ++piece) {
			ask([&](auto done) {
				m_fixture.disk().async_clear_piece(
					m_fixture.index(), lt::piece_index_t{piece}, [done](lt::piece_index_t) { done({}); });
			});
			hash(piece, lt::disk_interface::volatile_read);
			for_blocks(piece, [&](int start, int length) { read(piece, start, length); });
		}
		wait();
		m_fixture.disk().async_release_files(m_fixture.index(), answer());
		wait();
		m_device = m_fixture.device_ptr();
		m_fixture.shut_down();
	}

	bool is_played() const { return m_device->faults().played() > 0; }
	bool has_failed() { return m_is_any_failure || !m_fixture.errors().empty(); }

	/// Holds whichever call failed.
	void check_invariants()
	{
		for (auto const &[number, times] : m_answers) {
			INFO("job " << number);
			CHECK(times == 1);
		}
		CHECK(static_cast<int>(m_answers.size()) == m_asked);
		CHECK(m_wrong_bytes == 0);
		CHECK(m_device->open_handles() == 0);
		CHECK(m_fixture.arena().used_blocks() == 0);
		for (auto const &e : m_fixture.errors()) {
			// A partition tells of another one's failed flush together with what that met.
			if (e.code != errc::aborted)
				CHECK(e.message.ends_with(fault_mark));
		}
		// Everything that did not fail survives a power cut, and what failed was said.
		if (has_failed())
			return;
		m_device->cut_power();
		for (int piece = 0; piece < pieces; ++piece) {
			auto const want = payload_of(piece, 0, piece_size(piece));
			auto const got =
				m_device->bytes(static_cast<std::uint64_t>(piece) * disk_fixture::piece_bytes, want.size());
			CHECK(std::equal(want.begin(), want.end(), reinterpret_cast<char const *>(got.data())));
		}
	}

private:
	/// A handler that counts itself.
	std::function<void()> answer()
	{
		return [this, number = m_asked++] { ++m_answers[number]; };
	}
	template <class Ask>
	void ask(Ask const &call)
	{
		call([this, answered = answer()](lt::storage_error const &e) {
			answered();
			m_is_any_failure = m_is_any_failure || e;
		});
	}
	template <class Each>
	static void for_blocks(int piece, Each const &each)
	{
		for (int start = 0; start < piece_size(piece); start += block)
			each(start, std::min(block, piece_size(piece) - start));
	}
	void write(int piece, int start, int length)
	{
		auto const bytes = payload_of(piece, start, length);
		ask([&](auto done) {
			m_fixture.disk().async_write(
				m_fixture.index(), {lt::piece_index_t{piece}, start, length}, bytes.data(), nullptr, done);
		});
	}
	void read(int piece, int start, int length)
	{
		ask([&](auto done) {
			m_fixture.disk().async_read(m_fixture.index(), {lt::piece_index_t{piece}, start, length},
				[this, done, piece, start, length](
					lt::disk_buffer_holder buffer, lt::storage_error const &e) {
					done(e);
					if (e || m_is_any_failure)
						return;
					auto const want = payload_of(piece, start, length);
					m_wrong_bytes += std::equal(want.begin(), want.end(), buffer.data()) ? 0 : 1;
				});
		});
	}
	void hash(int piece, lt::disk_job_flags_t flags)
	{
		ask([&](auto done) {
			m_fixture.disk().async_hash(m_fixture.index(), lt::piece_index_t{piece}, {},
				flags | lt::disk_interface::v1_hash,
				[this, done, piece](lt::piece_index_t, lt::sha1_hash const &got, lt::storage_error const &e) {
					done(e);
					if (e || m_is_any_failure)
						return;
					m_wrong_bytes +=
						got == lt::hasher(payload_of(piece, 0, piece_size(piece))).final() ? 0 : 1;
				});
		});
	}
	void wait()
	{
		m_fixture.disk().submit_jobs();
		REQUIRE(m_fixture.run_until([this] { return static_cast<int>(m_answers.size()) == m_asked; }));
	}

	adapter_fixture m_fixture;
	std::shared_ptr<fake_disk> m_device;
	int m_asked = 0;
	std::map<int, int> m_answers; ///< how often each job was answered
	int m_wrong_bytes = 0;
	bool m_is_any_failure = false;
};

} // namespace

TEST_CASE("whichever device call fails below libtorrent, every handler runs once and nothing is kept or lies",
	"[disk-adapter]")
{
	auto const kind = GENERATE(device_call::open, device_call::read, device_call::write, device_call::flush);
	auto const f = GENERATE(fault{fault::kind::fail, EIO, 0}, fault{fault::kind::fail, ENOSPC, 0},
		fault{fault::kind::torn, EIO, 5000}, fault{fault::kind::end, 0, 1000});
	CAPTURE(static_cast<int>(kind), static_cast<int>(f.what), f.os_errno);
	std::uint64_t call = 0;
	for (;; ++call) {
		INFO("fault at call " << call << " of this kind");
		download run(kind, call, f);
		run.run();
		run.check_invariants();
		if (!run.is_played()) {
			CHECK_FALSE(run.has_failed());
			break;
		}
		// What was only read ahead is nobody's loss.
		CHECK((run.has_failed() || kind == device_call::read));
		REQUIRE(call < 1000);
	}
	// Each of three partitions opens and flushes the device.
	CHECK(call >= 3);
}
