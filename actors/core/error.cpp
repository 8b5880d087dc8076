#include "actors/core/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ezio
{
namespace
{

struct code_name {
	errc code;
	std::string_view name;
};

constexpr std::array<code_name, 20> code_names{{
	{errc::internal, "internal"},
	{errc::invalid_argument, "invalid-argument"},
	{errc::unknown_key, "unknown-key"},
	{errc::out_of_range, "out-of-range"},
	{errc::invalid_torrent, "invalid-torrent"},
	{errc::not_found, "not-found"},
	{errc::ambiguous, "ambiguous"},
	{errc::already_exists, "already-exists"},
	{errc::target_refused, "target-refused"},
	{errc::io_error, "io-error"},
	{errc::unexpected_end, "unexpected-end"},
	{errc::integrity, "integrity"},
	{errc::no_memory, "no-memory"},
	{errc::aborted, "aborted"},
	{errc::timed_out, "timed-out"},
	{errc::unreachable, "unreachable"},
	{errc::denied, "denied"},
	{errc::interrupted, "interrupted"},
	{errc::protocol, "protocol"},
	{errc::unsupported, "unsupported"},
}};

} // namespace

std::string_view to_string(errc code)
{
	for (auto const &entry : code_names) {
		if (entry.code == code)
			return entry.name;
	}
	return "internal";
}

std::optional<errc> errc_from_string(std::string_view name)
{
	for (auto const &entry : code_names) {
		if (entry.name == name)
			return entry.code;
	}
	return std::nullopt;
}

error make_error(errc code, std::string message)
{
	error e;
	e.code = code;
	e.message = std::move(message);
	return e;
}

error make_io_error(std::string operation, std::string device, std::uint64_t offset_bytes,
	std::uint64_t length_bytes, int os_errno)
{
	error e;
	e.code = os_errno == 0 ? errc::unexpected_end : errc::io_error;
	e.operation = std::move(operation);
	e.device = std::move(device);
	e.offset_bytes = offset_bytes;
	e.length_bytes = length_bytes;
	e.os_errno = os_errno;
	return e;
}

error make_system_error(
	std::string_view operation, std::string_view device, int os_errno, std::string_view message)
{
	error e;
	e.code = errc::io_error;
	e.message = message;
	e.operation = operation;
	e.device = device;
	e.os_errno = os_errno;
	return e;
}

error make_path_error(std::string_view operation, std::string_view path, int os_errno)
{
	auto e = make_system_error(operation, path, os_errno);
	if (os_errno == ENOENT || os_errno == ENOTDIR)
		e.code = errc::not_found;
	return e;
}

std::string errno_name(int os_errno)
{
	auto const *name = ::strerrorname_np(os_errno);
	return name != nullptr ? std::string(name) : "errno " + std::to_string(os_errno);
}

std::string to_string(error const &e)
{
	std::string where = e.operation;
	auto const append = [&where](std::string const &word) {
		if (!where.empty())
			where += ' ';
		where += word;
	};
	if (!e.device.empty())
		append(e.device);
	if (e.offset_bytes)
		append("offset " + std::to_string(*e.offset_bytes));
	if (e.length_bytes)
		append("length " + std::to_string(*e.length_bytes));

	std::string what = e.message;
	if (e.os_errno != 0) {
		auto const *text = ::strerrordesc_np(e.os_errno);
		if (!what.empty())
			what += ": ";
		what += errno_name(e.os_errno);
		if (text != nullptr)
			what += std::string(" (") + text + ")";
	}
	if (what.empty())
		what = e.code == errc::unexpected_end ? "unexpected end of device" : std::string(to_string(e.code));
	return where.empty() ? what : where + ": " + what;
}

} // namespace ezio
