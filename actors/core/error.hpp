#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ezio
{

/// What went wrong, as far as a caller would act differently. Each has one fixed name on the wire (to_string)
/// and one exit status of ezioctl (ctl/wire/status.hpp).
enum class errc : std::uint8_t {
	internal,         ///< our own mistake or an unexpected exception
	invalid_argument, ///< a request that cannot be right
	unknown_key,      ///< no such configuration key
	out_of_range,     ///< a value that its key does not allow
	invalid_torrent,  ///< a torrent file that cannot be what it claims
	not_found,        ///< no torrent, file or object of that name
	ambiguous,        ///< a selector that names more than one torrent
	already_exists,   ///< the torrent was added before
	target_refused,   ///< a safety check said no; error::check names it
	io_error,         ///< the operating system reported a failure; os_errno is set
	unexpected_end,   ///< a transfer ended short: 0 bytes before the end
	integrity,        ///< bytes do not match their hash
	no_memory,        ///< the buffer budget is exhausted
	aborted,          ///< given up because of an earlier error or a stop
	timed_out,
	unreachable, ///< no daemon answers, or it is stopping
	denied,      ///< the daemon refuses this client
	interrupted, ///< by a signal; may be resumed
	protocol,    ///< a message that is not of our protocol
	unsupported,
};

/// The stable, lower-case, dashed name: "target-refused".
std::string_view to_string(errc code);
/// The inverse of to_string; empty when there is no such code.
std::optional<errc> errc_from_string(std::string_view name);

/// An error says what, where and how much. Plain data; copyable; used by every layer and every thread.
struct error {
	errc code = errc::internal;
	std::string message;   ///< one sentence for the operator, without the fields below
	std::string operation; ///< "pwritev", "open", "fdatasync"; empty if no operation was involved
	std::string device;    ///< path of the device or file; empty if none
	std::optional<std::uint64_t> offset_bytes;
	std::optional<std::uint64_t> length_bytes;
	int os_errno = 0;  ///< 0 if the operating system was not involved
	std::string check; ///< the safety check that refused (target_refused only): the word for --allow

	friend bool operator==(error const &, error const &) = default;
};

/// An error with a message only.
error make_error(errc code, std::string message);

/// A failed system call on a device: code io_error (unexpected_end when os_errno is 0).
error make_io_error(std::string operation, std::string device, std::uint64_t offset_bytes,
	std::uint64_t length_bytes, int os_errno);

/// A failed system call that is about no range of bytes: code io_error. @p device may be empty. Views, so
/// that nothing is allocated before the caller's errno is read.
error make_system_error(
	std::string_view operation, std::string_view device, int os_errno, std::string_view message = {});

/// The same on a file that somebody named: code not_found where there is none of that name (ENOENT, ENOTDIR).
error make_path_error(std::string_view operation, std::string_view path, int os_errno);

/// "ENOSPC", or "errno 4711" for an unknown number.
std::string errno_name(int os_errno);

/// The one way an error is printed, on one line:
/// "pwritev /dev/loop0 offset 1048576 length 262144: ENOSPC (No space left on device)".
std::string to_string(error const &e);

} // namespace ezio
