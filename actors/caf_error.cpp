#include "actors/caf_error.hpp"

#include <caf/all.hpp>

namespace ezio
{

error from_caf(caf::error const &failure, std::string_view who)
{
	if (failure == caf::sec::request_timeout)
		return make_error(errc::timed_out, std::string(who) + " did not answer in time");
	if (failure == caf::sec::request_receiver_down || failure.category() == caf::atom("exit"))
		return make_error(errc::unreachable, "the daemon is stopping: " + std::string(who) + " has ended");
	return make_error(errc::internal, std::string(who) + " did not answer: " + caf::to_string(failure));
}

} // namespace ezio
