#include "tests/ctl/fake_terminal.hpp"

#include <algorithm>
#include <stdexcept>

namespace ezio
{

void fake_terminal::write(std::string const &bytes)
{
	for (std::size_t i = 0; i < bytes.size();) {
		if (bytes[i] == '\x1b') {
			auto const end = bytes.find_first_not_of("0123456789;?", i + 2);
			if (end == std::string::npos || bytes[i + 1] != '[')
				throw std::runtime_error("fake terminal: an escape without an end");
			obey(bytes.substr(i + 2, end - i - 2), bytes[end]);
			i = end + 1;
			continue;
		}
		auto &line = lines.at(m_row);
		line.resize(std::max(line.size(), m_column + 1), ' ');
		line[m_column++] = bytes[i++];
	}
	for (auto &line : lines)
		line.resize(line.find_last_not_of(' ') + 1);
}

void fake_terminal::obey(std::string const &parameters, char what)
{
	auto const semicolon = parameters.find(';');
	if (what == 'm')
		return;
	if (what == 'H') {
		m_row = parameters.empty() ? 0 : std::stoul(parameters) - 1;
		m_column = semicolon == std::string::npos ? 0 : std::stoul(parameters.substr(semicolon + 1)) - 1;
	} else if (what == 'J' && parameters == "2") {
		lines.assign(lines.size(), "");
	} else if (what == 'K' && parameters.empty()) {
		auto &line = lines.at(m_row);
		line.resize(std::min(line.size(), m_column));
	} else {
		throw std::runtime_error("fake terminal: an unknown sequence " + parameters + what);
	}
}

} // namespace ezio
