#pragma once

#include "actors/core/block_device.hpp"
#include "actors/core/io_ring.hpp"
#include "actors/core/result.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace ezio
{

/// How a partition moves bytes. docs/decisions/0008-io-engine.md
enum class io_engine : std::uint8_t {
	automatic, ///< whichever is faster on the kind of device
	threads,   ///< each transfer blocks the partition's thread
	uring,     ///< transfers of a batch are under way together
};

/// "auto", "threads", "uring"; errc::out_of_range for anything else.
result<io_engine> io_engine_from_string(std::string_view word);

/// Which engine a device handle gets. What the system refuses once is not asked for again until someone
/// chooses anew. Thread-safe; outlives all handles that were opened with it.
class io_engine_choice
{
public:
	using ring_maker = std::function<result<std::unique_ptr<io_ring>>()>;
	/// Told why there are no rings, once for each choice, on whatever thread finds out.
	using refusal_sink = std::function<void(error const &)>;

	explicit io_engine_choice(
		io_engine wanted, refusal_sink on_refusal = {}, ring_maker make_ring = make_io_ring);

	/// For handles opened from now on. Tries a ring if any device could get one.
	void choose(io_engine wanted);
	/// A ring for a handle of such a device; null: blocking calls.
	std::unique_ptr<io_ring> ring_for(device_geometry const &geometry);
	/// A ring failed while it was used.
	void refuse(error const &why);
	/// What handles opened from now on use: "threads", "uring", or, where it depends, "uring on ...".
	std::string in_force() const;

private:
	refusal_sink m_on_refusal;
	ring_maker m_make_ring;
	mutable std::mutex m_mutex;
	io_engine m_wanted;             ///< guarded by m_mutex
	std::optional<error> m_refusal; ///< guarded by m_mutex
};

} // namespace ezio
