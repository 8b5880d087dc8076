// The configuration file: any text is read without harm; a valid one can be edited, and means the same but
// for the edited key; every value can be written and read again.

#include "config/load.hpp"
#include "config/save.hpp"
#include "tests/fuzz/must.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace
{

using namespace ezio;

void check_values(configuration const &config)
{
	for (auto const &row : schema()) {
		auto const again = parse_value(row, canonical_text(config.value(row)));
		must(again && *again == config.value(row), "a value means the same when written as text");
	}
}

void check_edit(std::string_view text, configuration const &before, schema_row const &row)
{
	auto const value = default_value(row);
	auto const edited = edit_config(text, "f", row.table, row.key, toml_text(value));
	if (!edited)
		return;
	auto const after = parse_config(*edited, "f");
	// Values that do not go together are for the daemon to refuse.
	if (!after.is_valid())
		return;
	must(after.config.value(row) == value, "the edited key has its value");
	for (auto const &change : diff(before, after.config))
		must(change.row == &row, "no other key changes");
	must(after.config.torrents() == before.torrents(), "the torrents stay");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const *data, std::size_t size)
{
	std::string_view const text(reinterpret_cast<char const *>(data), size);
	auto const loaded = parse_config(text, "f");
	if (!loaded.is_valid()) {
		must(!to_string(loaded.failure()).empty(), "a fault can be told");
		return 0;
	}
	check_values(loaded.config);
	check_edit(text, loaded.config, schema()[size % schema().size()]);
	return 0;
}
