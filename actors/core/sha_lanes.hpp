#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ezio
{

enum class sha_kind : std::uint8_t { sha1, sha256 };

constexpr std::size_t sha_block_bytes = 64;
constexpr std::size_t sha_words_max = 8; ///< 32-bit words of a state: 5 of SHA-1, 8 of SHA-256
constexpr std::size_t sha_lanes_max = 16;

constexpr std::size_t sha_words(sha_kind kind)
{
	return kind == sha_kind::sha1 ? 5 : sha_words_max;
}

/// Advances several independent messages by the same number of 64-byte blocks. @p states holds word w of lane
/// l at [w * lanes + l]; @p data has one pointer a lane, of any alignment, to @p blocks blocks. Lanes without
/// a message get the data of another one, and their states are garbage afterwards.
using sha_advance = void (*)(std::uint32_t *states, std::byte const *const *data, std::size_t blocks);

/// One way to compute both digests. Runs on the processors that available_sha_kernels() checked for.
struct sha_kernel {
	std::string_view name;
	std::string_view family; ///< the word of `hashing-simd`: kernels of one instruction set
	std::size_t lanes = 1;   ///< messages at once; costs the same however many are filled
	sha_advance sha1 = nullptr;
	sha_advance sha256 = nullptr;

	sha_advance advance(sha_kind kind) const { return kind == sha_kind::sha1 ? sha1 : sha256; }
};

/// Kernels that this processor and this operating system can run; the first is OpenSSL's. Thread-safe.
std::span<sha_kernel const *const> available_sha_kernels();
/// Every word of `hashing-simd` but auto, available here or not.
std::span<std::string_view const> sha_kernel_families();

} // namespace ezio
