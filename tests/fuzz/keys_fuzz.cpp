// Key files, the list of authorized keys, and Z85.

#include "ctl/wire/curve_key.hpp"
#include "ctl/wire/z85.hpp"
#include "daemon/access_list.hpp"
#include "tests/fuzz/must.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const *data, std::size_t size)
{
	using namespace ezio;
	std::string_view const text(reinterpret_cast<char const *>(data), size);
	if (auto const bytes = wire::z85_decode(text))
		must(wire::z85_encode(*bytes) == text, "Z85 is taken as it is written only");
	if (auto const key = wire::parse_key_file(text, "f"))
		must(wire::is_curve_key(*key), "a key file gives a key");
	auto const list = access_list::parse(text, "f");
	if (!list) {
		must(list.failure().message.starts_with("f:"), "a fault names the file and the line");
		return 0;
	}
	must(!list->lacks_any_of(*list), "a list has its own keys");
	must(list->size() <= access_list_keys_max, "a list has at most so many keys");
	must(list->find("") == nullptr, "an empty key is never let in");
	if (auto const *const found = list->find(text.substr(0, wire::curve_key_chars)))
		must(
			wire::is_curve_key(found->key) && !found->name.empty(), "whoever is let in has a key and a name");
	return 0;
}
