#include "actors/core/sha_stream.hpp"

#include "actors/core/sha_constants.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

namespace ezio
{

sha_stream::sha_stream(sha_kind kind) : m_kind(kind)
{
	if (kind == sha_kind::sha1)
		std::copy(std::begin(sha1_initial), std::end(sha1_initial), m_words.begin());
	else
		std::copy(std::begin(sha256_initial), std::end(sha256_initial), m_words.begin());
}

/// Walks through one part: whole blocks straight from the caller's memory, what is left between pieces of
/// memory through the stream's tail, and the padding at the end.
class sha_cursor
{
public:
	explicit sha_cursor(sha_part const &part)
		: m_stream(part.stream), m_bytes(part.bytes), m_is_last(part.is_last)
	{
	}

	/// Finds the next whole blocks, when those before have been hashed; false at the end of the part.
	bool next()
	{
		while (!m_bytes.empty()) {
			auto const rest = m_bytes.front().subspan(m_used_bytes);
			if (rest.empty()) {
				m_bytes = m_bytes.subspan(1);
				m_used_bytes = 0;
				continue;
			}
			if (m_stream->m_tail_bytes == 0 && rest.size() >= sha_block_bytes) {
				point_to(rest.data(), rest.size() / sha_block_bytes);
				count(m_blocks * sha_block_bytes);
				return true;
			}
			if (fill_tail(rest))
				return true;
		}
		if (!m_is_last)
			return false;
		m_is_last = false;
		pad();
		return true;
	}

	std::size_t blocks() const { return m_blocks; }
	std::byte const *data() const { return m_data; }
	std::array<std::uint32_t, sha_words_max> &words() { return m_stream->m_words; }
	/// True if more blocks follow without a gap.
	bool advance(std::size_t blocks)
	{
		m_data += blocks * sha_block_bytes;
		m_blocks -= blocks;
		return m_blocks > 0;
	}

private:
	void point_to(std::byte const *data, std::size_t blocks)
	{
		m_data = data;
		m_blocks = blocks;
	}
	void count(std::size_t bytes)
	{
		m_used_bytes += bytes;
		m_stream->m_length_bytes += bytes;
	}
	/// True if the tail is a whole block now.
	bool fill_tail(std::span<std::byte const> rest)
	{
		auto &s = *m_stream;
		auto const taken = std::min(sha_block_bytes - s.m_tail_bytes, rest.size());
		std::memcpy(s.m_tail.data() + s.m_tail_bytes, rest.data(), taken);
		count(taken);
		s.m_tail_bytes = static_cast<std::uint8_t>(s.m_tail_bytes + taken);
		if (s.m_tail_bytes < sha_block_bytes)
			return false;
		s.m_tail_bytes = 0;
		point_to(s.m_tail.data(), 1);
		return true;
	}
	void pad()
	{
		auto &s = *m_stream;
		std::size_t const blocks = s.m_tail_bytes + 1 + sizeof(s.m_length_bytes) > sha_block_bytes ? 2 : 1;
		auto const end = blocks * sha_block_bytes;
		s.m_tail[s.m_tail_bytes] = std::byte{0x80};
		std::fill(s.m_tail.begin() + s.m_tail_bytes + 1, s.m_tail.end(), std::byte{0});
		auto const bits = s.m_length_bytes * 8;
		for (std::size_t i = 0; i < sizeof(bits); ++i)
			s.m_tail[end - 1 - i] = static_cast<std::byte>(bits >> (8 * i));
		s.m_tail_bytes = 0;
		point_to(s.m_tail.data(), blocks);
	}

	sha_stream *m_stream;
	std::span<std::span<std::byte const> const> m_bytes;
	std::size_t m_used_bytes = 0; ///< of the first of m_bytes
	bool m_is_last;
	std::byte const *m_data = nullptr;
	std::size_t m_blocks = 0;
};

void hash_parts(hash_plan const &plan, std::span<sha_part const> parts)
{
	if (parts.empty())
		return;
	auto const kind = parts.front().stream->kind();
	std::vector<sha_cursor> active;
	active.reserve(parts.size());
	for (auto const &part : parts) {
		assert(part.stream->kind() == kind);
		auto &cursor = active.emplace_back(part);
		if (!cursor.next())
			active.pop_back();
	}
	alignas(64) std::array<std::uint32_t, sha_words_max * sha_lanes_max> states;
	std::array<std::byte const *, sha_lanes_max> data;
	while (!active.empty()) {
		auto const &kernel = plan.choose(kind, active.size());
		auto const lanes = kernel.lanes;
		auto const filled = std::min(lanes, active.size());
		auto blocks = active.front().blocks();
		for (std::size_t lane = 0; lane < lanes; ++lane) {
			auto &cursor = active[lane < filled ? lane : 0];
			blocks = std::min(blocks, cursor.blocks());
			data[lane] = cursor.data();
			for (std::size_t word = 0; word < sha_words(kind); ++word)
				states[word * lanes + lane] = cursor.words()[word];
		}
		kernel.advance(kind)(states.data(), data.data(), blocks);
		std::size_t kept = 0;
		for (std::size_t i = 0; i < active.size(); ++i) {
			auto &cursor = active[i];
			if (i < filled) {
				for (std::size_t word = 0; word < sha_words(kind); ++word)
					cursor.words()[word] = states[word * lanes + i];
				if (!cursor.advance(blocks) && !cursor.next())
					continue;
			}
			if (kept != i)
				active[kept] = cursor;
			++kept;
		}
		active.erase(active.begin() + static_cast<std::ptrdiff_t>(kept), active.end());
	}
}

} // namespace ezio
