#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>

namespace ezio::test
{

enum class device_call : std::uint8_t { open, read, write, flush };

/// What goes wrong with one call.
struct fault {
	enum class kind : std::uint8_t {
		fail,     ///< os_errno, nothing is transferred
		end,      ///< the transfer ends after bytes, as at the end of a device: unexpected_end
		torn,     ///< a write leaves its first bytes on the device and then fails with os_errno
		flip_bit, ///< the call succeeds, but one bit of what it moved is wrong
		lose,     ///< a write succeeds and leaves nothing; other calls are as ever
	};
	kind what = kind::fail;
	int os_errno = 5; // EIO
	std::uint64_t bytes = 0;
};

/// Which calls of a fake device fail, and how. Apart from the device, so that a test can switch all faults
/// off to prove recovery. Calls of all devices of one plan are counted together, from 0. Thread-safe.
class fault_plan
{
public:
	explicit fault_plan(std::uint64_t seed = 0) : m_random(seed) {}

	/// The @p call'th call fails in this way.
	void at_call(std::uint64_t call, fault f);
	/// The @p call'th call of this kind, counted from 0 by itself, fails in this way.
	void at_call_of(device_call kind, std::uint64_t call, fault f);
	/// Every call of this kind fails in this way from now on.
	void always(device_call kind, fault f);
	/// One call in @p one_in fails with @p f, chosen by the seed.
	void at_random(std::uint32_t one_in, fault f);
	/// Every call of this kind blocks from now on, until go_on().
	void hang(device_call kind);
	void go_on();
	/// Calls that block now.
	std::uint64_t hanging() const;
	/// No fault from now on; counting goes on.
	void switch_off();

	/// Counts a call and says what befalls it. Called by the fake device.
	std::optional<fault> next(device_call kind);
	/// A number below @p bound, from the seed.
	std::uint64_t pick(std::uint64_t bound);

	std::uint64_t calls() const;
	std::uint64_t calls_of(device_call kind) const;
	/// Faults that were played so far.
	std::uint64_t played() const;

private:
	mutable std::mutex m_mutex; ///< guards all members
	std::mt19937_64 m_random;
	std::map<std::uint64_t, fault> m_by_call;
	std::map<std::pair<device_call, std::uint64_t>, fault> m_by_kind;
	std::map<device_call, fault> m_always;
	std::uint32_t m_one_in = 0;
	fault m_random_fault;
	std::uint64_t m_calls = 0;
	std::map<device_call, std::uint64_t> m_calls_of;
	std::uint64_t m_played = 0;
	std::set<device_call> m_hangs;
	std::uint64_t m_hanging = 0;
	std::condition_variable m_changed; ///< of m_hangs
};

} // namespace ezio::test
