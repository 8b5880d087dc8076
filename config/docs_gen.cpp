// Prints what is generated from the schema: `ezio_docs_gen toml` is config/eziod.toml, `ezio_docs_gen
// markdown` and `ezio_docs_gen torrent-markdown` are the tables in docs/config.md.

#include "config/document.hpp"

#include <cstdio>
#include <string_view>

int main(int argc, char **argv)
{
	constexpr int usage_status = 2;
	std::string_view const what = argc == 2 ? argv[1] : "";
	std::string text;
	if (what == "toml") {
		text = ezio::render_default_toml();
	} else if (what == "markdown") {
		text = ezio::render_markdown();
	} else if (what == "torrent-markdown") {
		text = ezio::render_torrent_markdown();
	} else {
		std::fputs("usage: ezio_docs_gen toml|markdown|torrent-markdown\n", stderr);
		return usage_status;
	}
	auto const is_written =
		std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
	return is_written ? 0 : 1;
}
