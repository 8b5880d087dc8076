#pragma once

#include "actors/core/hash_plan.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ezio
{

/// A message of which a part has been hashed: what SHA-1 or SHA-256 has to remember between parts.
class sha_stream
{
public:
	explicit sha_stream(sha_kind kind);

	sha_kind kind() const { return m_kind; }
	/// The digest (20 or 32 bytes), once the last part has been hashed.
	template <std::size_t Size>
	std::array<std::byte, Size> digest() const
	{
		std::array<std::byte, Size> bytes{};
		for (std::size_t i = 0; i < Size; ++i)
			bytes[i] = static_cast<std::byte>(m_words[i / 4] >> (24 - 8 * (i % 4)));
		return bytes;
	}

private:
	friend class sha_cursor;

	std::array<std::uint32_t, sha_words_max> m_words{};
	std::uint64_t m_length_bytes = 0;
	std::array<std::byte, 2 * sha_block_bytes> m_tail{}; ///< bytes of an incomplete block; the padding
	std::uint8_t m_tail_bytes = 0;
	sha_kind m_kind;
};

/// The next part of one message: pieces of memory in order, of any length and alignment.
struct sha_part {
	sha_stream *stream = nullptr;
	std::span<std::span<std::byte const> const> bytes;
	bool is_last = false; ///< the message ends here
};

/// Hashes the parts of different messages of one kind (each stream at most once), as many at once as the plan
/// says. Earlier parts go first when there are more than lanes.
void hash_parts(hash_plan const &plan, std::span<sha_part const> parts);

} // namespace ezio
