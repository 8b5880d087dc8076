#include "ctl/wire/status.hpp"

namespace ezio::wire
{

exit_status exit_status_of(errc code)
{
	switch (code) {
	case errc::invalid_argument:
	case errc::unknown_key:
	case errc::out_of_range:
		return exit_status::usage;
	case errc::invalid_torrent:
	case errc::target_refused:
		return exit_status::refused;
	case errc::io_error:
	case errc::unexpected_end:
		return exit_status::io;
	case errc::integrity:
		return exit_status::integrity;
	case errc::timed_out:
		return exit_status::timed_out;
	case errc::unreachable:
	case errc::denied:
		return exit_status::unreachable;
	case errc::interrupted:
		return exit_status::interrupted;
	case errc::internal:
	case errc::not_found:
	case errc::ambiguous:
	case errc::already_exists:
	case errc::no_memory:
	case errc::aborted:
	case errc::protocol:
	case errc::unsupported:
		return exit_status::failure;
	}
	return exit_status::failure;
}

} // namespace ezio::wire
