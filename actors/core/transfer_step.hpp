#pragma once

#include "actors/core/io_ring.hpp"
#include "actors/core/result.hpp"
#include "actors/core/units.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ezio
{

enum class step_state : std::uint8_t {
	waiting, ///< not begun, or more is left
	done,
	failed,
};

/// A stretch of a transfer through one descriptor, on its way: what is left of it after each call. Both ways
/// to carry it out (one call after the other, or many at once through a ring) read a call's answer here.
struct transfer_step {
	int fd = -1;
	transfer_direction way = transfer_direction::read;
	std::uint64_t position_bytes = 0; ///< where on the device what is left begins
	std::span<iovec> left;            ///< changed as bytes move
	std::size_t transfer = 0;         ///< the caller's number of the transfer that it is part of
	step_state state = step_state::waiting;
	int os_errno = 0; ///< of a failed step; 0: no byte was moved before the end
	monotonic_time begun{};
	monotonic_time ended{};

	/// Takes the answer of a call for what is left: bytes moved, or minus errno. A short transfer and EINTR
	/// leave the step waiting for another call.
	void take(std::int64_t answer);
};

/// Most buffers of a step: IOV_MAX of Linux.
inline constexpr std::size_t step_buffers_max = 1024;

/// Carries out the steps in order by preadv(2) and pwritev(2). Ends with the first that fails; those behind
/// it stay waiting.
void perform_blocking(std::span<transfer_step> steps);

/// Carries out the steps in no order, as many at once as the ring takes. After the first failure no further
/// step is begun: those stay waiting, those under way are waited for. When it returns the kernel knows no
/// buffer of theirs any more. A failure is the ring's own: every step has been carried out all the same, the
/// ring is not to be used again.
result<void> perform_through(io_ring &ring, std::span<transfer_step> steps);

} // namespace ezio
