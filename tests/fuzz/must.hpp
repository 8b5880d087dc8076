#pragma once

#include <cstdio>
#include <cstdlib>

namespace ezio
{

/// A property that every input must have. Ends the program, which is how a fuzzer notices.
inline void must(bool holds, char const *property)
{
	if (holds)
		return;
	std::fprintf(stderr, "violated: %s\n", property);
	std::abort();
}

} // namespace ezio
