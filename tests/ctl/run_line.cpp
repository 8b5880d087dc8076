#include "tests/ctl/run_line.hpp"

#include "ctl/run.hpp"

#include <sstream>

namespace ezio
{

outcome run_line(std::vector<std::string> const &arguments, std::string const &endpoint,
	std::atomic<bool> const *interrupted)
{
	static std::atomic<bool> const never{false};
	std::ostringstream out;
	std::ostringstream err;
	ctl::environment env;
	env.endpoint = endpoint;
	ctl::console const io{&out, &err, false, false, interrupted != nullptr ? interrupted : &never};
	outcome o;
	o.status = ctl::run(arguments, env, io);
	o.out = out.str();
	o.err = err.str();
	return o;
}

} // namespace ezio
