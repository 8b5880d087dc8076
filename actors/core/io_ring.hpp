#pragma once

#include "actors/core/result.hpp"

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace ezio
{

enum class transfer_direction : std::uint8_t { read, write };

/// A queue of transfers that the kernel carries out at the same time: the one door to io_uring(7), so that a
/// test can stand in for the kernel. Used by one thread at a time. All that was handed over must be answered
/// before it is destroyed.
class io_ring
{
public:
	struct request {
		int fd = -1;
		transfer_direction way = transfer_direction::read;
		std::span<iovec const> buffers; ///< at most IOV_MAX; must stay until the answer
		std::uint64_t offset_bytes = 0;
		std::uint64_t token = 0; ///< comes back with the answer
	};
	struct answer {
		std::uint64_t token = 0;
		std::int64_t outcome = 0; ///< bytes moved, or minus errno
	};

	virtual ~io_ring() = default;
	/// Requests that may be prepared and under way, together.
	virtual std::size_t depth() const = 0;
	/// Prepares a request; there must be room for it.
	virtual void prepare(request const &what) = 0;
	/// Hands over what was prepared, in its order, and waits until an answer is there. Returns how many were
	/// handed over; minus errno if none was, and then it may not have waited.
	virtual int submit_and_wait() = 0;
	/// Waits until an answer is there; something must be under way.
	virtual void wait() = 0;
	/// Takes the next answer, if there is one.
	virtual std::optional<answer> next_answer() = 0;
};

/// A ring of the kernel. Fails with operation io_uring_setup and the errno where there is none (ENOSYS),
/// where it is forbidden (EPERM: a sandbox, or /proc/sys/kernel/io_uring_disabled), or where memory that may
/// be locked (ENOMEM) or descriptors (EMFILE) are short.
result<std::unique_ptr<io_ring>> make_io_ring();

} // namespace ezio
