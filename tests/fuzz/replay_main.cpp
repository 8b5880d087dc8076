// Runs a fuzz target once on each file named, where there is no libFuzzer: the corpus as an ordinary test.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const *data, std::size_t size);

int main(int argc, char **argv)
{
	if (argc < 2) {
		std::fputs("no files\n", stderr);
		return 1;
	}
	for (int i = 1; i < argc; ++i) {
		std::error_code failure;
		auto const size = std::filesystem::file_size(argv[i], failure);
		std::vector<char> bytes(failure ? 0 : size);
		std::ifstream file(argv[i], std::ios::binary);
		if (failure || !file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
			std::fprintf(stderr, "cannot read %s\n", argv[i]);
			return 1;
		}
		std::printf("%s: %zu bytes\n", argv[i], bytes.size());
		std::fflush(stdout);
		LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const *>(bytes.data()), bytes.size());
	}
	return 0;
}
