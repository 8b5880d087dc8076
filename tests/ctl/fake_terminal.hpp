#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ezio
{

/// What a terminal shows after some bytes, for the few sequences that screen uses. Colours are dropped; a
/// character is a byte. Throws std::runtime_error for a sequence that it does not know.
class fake_terminal
{
public:
	explicit fake_terminal(std::size_t rows) : lines(rows) {}
	void write(std::string const &bytes);
	/// Without spaces at their ends.
	std::vector<std::string> lines;

private:
	void obey(std::string const &parameters, char what);

	std::size_t m_row = 0;
	std::size_t m_column = 0;
};

} // namespace ezio
