#include "tests/sim/model/scenario.hpp"
#include "tests/sim/model/swarm.hpp"

#include <cstdio>
#include <string_view>

using namespace ezio::sim;

/// One roll-out: its scenario and outcome as one line of JSON.
int main(int argc, char **argv)
{
	scenario s;
	for (int i = 1; i < argc; ++i) {
		if (std::string_view(argv[i]) == "--help") {
			std::printf("usage: lab_sim [KEY=VALUE...]\nSimulates one roll-out; docs/simulation.md. Keys, "
						"defaults:\n%s",
				describe_keys().c_str());
			return 0;
		}
		if (auto const fault = assign(s, argv[i])) {
			std::fprintf(stderr, "lab_sim: %s\n", fault->c_str());
			return 2;
		}
	}
	if (auto const fault = find_fault(s)) {
		std::fprintf(stderr, "lab_sim: %s\n", fault->c_str());
		return 2;
	}
	outcome const o = swarm(s).run();
	std::printf("{%s, %s}\n", to_json_members(s).c_str(), to_json_members(o).c_str());
	return std::fflush(stdout) == 0 ? 0 : 1;
}
