#include "actors/core/sha_lanes.hpp"

#include "actors/core/sha_kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <vector>

namespace ezio
{
namespace
{

constexpr sha_kernel openssl{"openssl", "openssl", 1, sha::openssl_sha1, sha::openssl_sha256};

#if defined(__x86_64__)
constexpr sha_kernel sha_ni{"sha-ni", "sha-ni", 1, sha::ni_sha1, sha::ni_sha256};
constexpr sha_kernel sha_ni_x2{"sha-ni-x2", "sha-ni", 2, sha::ni_sha1_x2, sha::ni_sha256_x2};
constexpr sha_kernel avx2{"avx2", "avx2", 8, sha::avx2_sha1, sha::avx2_sha256};
constexpr sha_kernel avx512{"avx512", "avx512", 16, sha::avx512_sha1, sha::avx512_sha256};

bool has_sha_ni()
{
	// Not every compiler knows this one by name. The extension uses no registers beyond those of SSE, which
	// every x86-64 system saves.
	constexpr unsigned sha_bit = 1U << 29;
	unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & sha_bit) != 0 &&
		__builtin_cpu_supports("sse4.1") != 0;
}
#endif

std::vector<sha_kernel const *> find_kernels()
{
	std::vector<sha_kernel const *> found{&openssl};
#if defined(__x86_64__)
	// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
	__builtin_cpu_init();
	if (has_sha_ni()) {
		found.push_back(&sha_ni);
		found.push_back(&sha_ni_x2);
	}
	if (__builtin_cpu_supports("avx2") != 0)
		found.push_back(&avx2);
	if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0)
		found.push_back(&avx512);
#endif
	return found;
}

constexpr std::array<std::string_view, 4> families{"openssl", "sha-ni", "avx2", "avx512"};

} // namespace

std::span<sha_kernel const *const> available_sha_kernels()
{
	static std::vector<sha_kernel const *> const kernels = find_kernels();
	return kernels;
}

std::span<std::string_view const> sha_kernel_families()
{
	return families;
}

} // namespace ezio
